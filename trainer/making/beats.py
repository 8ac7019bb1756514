"""Train the beats network: `python -m trainer.making.beats --data DIR --clips DIR …`.

It learns from rendered clips, whose beats and bars are known exactly, and from charted recordings,
whose beats people placed to some 30 ms.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import click
import numpy as np
import torch
from numpy.typing import NDArray

from tempo_core import checkpoint
from tempo_core.cli.command import Command
from tempo_core.config import FrontEnd
from tempo_core.heard import Heard
from tempo_core.levels import TOLERANCE, is_same
from tempo_core.model import Checkpoint
from tempo_core.network import Network
from tempo_core.task import ask
from tempo_core.tasks.beats.bars import BARS
from tempo_core.tasks.beats.config import BeatsConfig, BeatsModel
from tempo_core.tasks.beats.decode import bars, is_steady, phase_of, pool
from tempo_core.tasks.beats.network import build
from tempo_core.tasks.beats.row import TASK
from tempo_core.tasks.tempo.config import TempoConfig

from ..inputs.augment import tone_gains
from ..inputs.hearing import tempo_of
from ..tasks.beats import loss as loss_of
from ..torch_ops import Learnable, usable
from .beat_tracks import (
    BeatExample,
    BeatTrack,
    example,
    load_features,
    read_beat_charts,
    read_beat_clips,
)
from .steps import descend

Array = NDArray[np.float32]


@dataclass(frozen=True)
class BeatsRecipe:
    """How the beats network is trained."""

    steps: int = 3000
    batch: int = 32
    rate: float = 3e-3
    weight_decay: float = 1e-2
    seed: int = 0
    charts: float = 0.3  # share of examples that are of charted recordings
    rows: tuple[int, ...] = (8, 16, 24)  # beats of a fold
    tilt: float = 6.0  # [dB] standard deviation over the bands
    mask: float = 0.2  # probability that a run of bands is missing


@dataclass(frozen=True)
class Source:
    """Recordings of one kind, with their features (n_mels, n_frames) each."""

    tracks: Sequence[BeatTrack]
    features: Sequence[NDArray[np.float16]]

    def of(self, split: str) -> Source:
        """Those of a split."""
        chosen = [k for k, track in enumerate(self.tracks) if track.split == split]
        return Source([self.tracks[k] for k in chosen], [self.features[k] for k in chosen])


class FoldSampler:
    """Draws training batches from sources with given shares."""

    def __init__(
        self, sources: Sequence[Source], shares: Sequence[float], recipe: BeatsRecipe, fps: float,
        n_phases: int,
    ):  # fmt: skip
        self._sources, self._shares, self._recipe = sources, shares, recipe
        self._fps, self._n_phases = fps, n_phases
        self._rng = np.random.default_rng([recipe.seed, 1])

    def batch(self) -> tuple[Array, Array, Array]:
        """Folds, beats and bars of a batch, all of as many rows; see `trainer.tasks.beats.loss`."""
        n_rows = int(self._rng.choice(self._recipe.rows))
        examples: list[BeatExample] = []
        while len(examples) < self._recipe.batch:
            source = self._sources[self._rng.choice(len(self._sources), p=self._shares)]
            k = int(self._rng.integers(len(source.tracks)))
            features = source.features[k]
            drawn = example(
                source.tracks[k], features, self._fps, n_rows, self._n_phases,
                tone_gains(len(features), self._recipe.tilt, self._recipe.mask, self._rng),
                self._rng,
            )  # fmt: skip
            if drawn is not None:
                examples.append(drawn)
        return (
            np.stack([e.fold for e in examples]),
            np.stack([e.beats for e in examples]),
            np.stack([e.bars for e in examples]),
        )


def fit(
    sampler: FoldSampler, front_end: FrontEnd, config: BeatsConfig, recipe: BeatsRecipe
) -> Network:
    """Train a network; the same recipe and data give the same network."""
    torch.manual_seed(recipe.seed)
    network = Learnable(build(front_end, config))

    def loss_of_batch() -> torch.Tensor:
        folds, beats, bars = (torch.from_numpy(part) for part in sampler.batch())
        return loss_of(network(folds), beats, bars)

    descend(network, recipe, loss_of_batch)
    return usable(network)


def finish(
    network: Network, held_out: Source, reference: Checkpoint[TempoConfig], config: BeatsConfig
) -> Checkpoint[BeatsConfig]:
    """The model, with its bars calibrated on recordings whose bars and beats are known."""
    raw: Checkpoint[BeatsConfig] = Checkpoint(
        "beats", "", "beats", reference.front_end, reference.windows, config,
        reference.filterbank, reference.spectrum, network, 1.0, {},
    )  # fmt: skip
    scores, right = [], []
    for track, features in zip(held_out.tracks, held_out.features, strict=True):
        found = scores_of_bars(track, features, reference, raw)
        if found is not None:
            scores.append(found[0])
            right.append(found[1])
    scale = bar_scale(np.array(scores), np.array(right))
    return replace(raw, config=replace(config, bar_scale=scale))


def scores_of_bars(
    track: BeatTrack,
    features: NDArray[np.float16],
    reference: Checkpoint[TempoConfig],
    model: Checkpoint[BeatsConfig],
) -> tuple[NDArray[np.float64], int] | None:
    """(n_bars,) log probabilities of a track, not normalised, and which of them is right.

    None if its bars are not among `BARS`, or its beats are not found.
    """
    heard = Heard.of_features([features.astype(np.float32)], reference.spectrum)
    tempo = tempo_of(heard, reference)
    if track.downbeat is None or (track.metre, 0) not in BARS:
        return None
    if not is_same(tempo.bpm, track.bpm, TOLERANCE):
        return None
    pieces = pool(ask(TASK, heard, {"tempo": tempo}, model), model.config)
    pieces = [piece for piece in pieces if is_steady(piece.place, tempo.bpm)]
    if not pieces:
        return None
    phase, _ = phase_of(pieces)
    period = 60 / tempo.bpm
    away = (track.beats[0] / period - phase + 0.5) % 1 - 0.5
    if abs(away) > 0.15:
        return None
    # Number of the downbeat, as `decode.bars` counts beats from time 0.
    number = round(track.beats[track.downbeat] / period - phase)
    share = bars(pieces, phase, replace(model.config, bar_scale=1.0))
    return np.log(np.maximum(share, 1e-12)), BARS.index((track.metre, number % track.metre))


def bar_scale(scores: NDArray[np.float64], right: NDArray[np.int64]) -> float:
    """The scale of log probabilities (n, n_bars) that makes the right ones (n,) most likely."""

    def surprise(scale: float) -> float:
        scaled = scale * scores
        lost = np.log(np.exp(scaled - scaled.max(axis=1, keepdims=True)).sum(axis=1))
        return float((lost + scaled.max(axis=1) - scaled[np.arange(len(right)), right]).mean())

    scales = np.geomspace(0.1, 10, 81)
    return round(float(min(scales, key=surprise)), 3)


@click.command(cls=Command)
@click.option("--data", type=click.Path(exists=True, file_okay=False, path_type=Path),
              required=True, help="Folder with charts.tsv and the times of beats.")  # fmt: skip
@click.option("--clips", type=click.Path(exists=True, file_okay=False, path_type=Path),
              required=True, multiple=True,
              help="Folder with clips.tsv of trainer.synthesis; several may be given.")  # fmt: skip
@click.option("--cache", type=click.Path(file_okay=False, path_type=Path), required=True)
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), required=True)
@click.option("--model", default="default", show_default=True, help="Tempo model to go with.")
@click.option("--steps", default=BeatsRecipe.steps, show_default=True)
@click.option("--seed", default=0, show_default=True)
@click.option("--channels", default=BeatsModel.n_channels, show_default=True)
@click.option("--jobs", default=2, show_default=True)
def main(
    data: Path, clips: tuple[Path, ...], cache: Path, out: Path, model: str, steps: int, seed: int,
    channels: int, jobs: int,
) -> None:  # fmt: skip
    """Train a beats model on rendered clips and charted recordings."""
    torch.set_num_threads(1)
    reference = checkpoint.load(checkpoint.resolve(model), "tempo")
    config = BeatsConfig(BeatsModel(n_channels=channels))
    recipe = BeatsRecipe(steps=steps, seed=seed)
    rendered, charted = (
        Source(tracks, load_features(tracks, reference.spectrum, cache, jobs))
        for tracks in (
            [t for folder in clips for t in read_beat_clips(folder)],
            read_beat_charts(data),
        )
    )
    sources = [rendered.of("train"), charted.of("train")]
    sampler = FoldSampler(
        sources, (1 - recipe.charts, recipe.charts), recipe, reference.spectrum.fps,
        config.model.n_phases,
    )  # fmt: skip
    network = fit(sampler, reference.front_end, config, recipe)
    card: dict[str, object] = {
        "summary": f"{len(sources[0].tracks)} clips, {len(sources[1].tracks)} charts, seed {seed}",
        "data": {"synthesis": len(sources[0].tracks), "charts": len(sources[1].tracks)},
        "recipe": asdict(recipe),
        "versions": {"torch": torch.__version__, "numpy": np.__version__},
    }
    done = finish(network, rendered.of("validation"), reference, config)
    written = checkpoint.save(out, replace(done, card=card))
    click.echo(f"{written} ({written.stat().st_size / 1e3:.0f} kB)")


if __name__ == "__main__":
    main()
