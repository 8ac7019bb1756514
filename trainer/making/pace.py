"""Train the pace network: `python -m trainer.making.pace --data DIR --clips DIR …`.

It learns from candidates of rendered clips, whose notes say which paces are compatible (see
`trainer.synthesis.paces`), and from those of real songs. There the tempo and known alternatives are
compatible, what runs against the metre is not, and half and double tempi that nobody names are left
out, because nothing is known about them. Beside the answer it learns to tell of clips what the
answer follows from, see `trainer.tasks.pace`.
"""

from __future__ import annotations

import math
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
from tempo_core.errors import ConfigError
from tempo_core.levels import OTHERS_OF_ONE_PULSE, RELATIONS, is_level, is_same
from tempo_core.model import Checkpoint
from tempo_core.network import Network
from tempo_core.network.layers import shapes
from tempo_core.paces import FASTEST_PACE, SAME_PACE, SLOWEST_PACE
from tempo_core.tasks.folding import fold_beats, prepare
from tempo_core.tasks.pace.config import PaceConfig, PaceModel
from tempo_core.tasks.pace.context import context
from tempo_core.tasks.pace.folds import n_beats
from tempo_core.tasks.pace.network import build
from tempo_core.tasks.pace.row import clear, encode
from tempo_core.tasks.tempo.config import TempoConfig

from ..inputs.augment import tone_gains
from ..inputs.pace_tracks import Case, judged
from ..inputs.recordings import by_split, read_rhythm, read_songs
from ..synthesis.notes import Sources
from ..synthesis.paces import NO_EVIDENCE, compatibility, evidence, stretched
from ..tasks.pace import TaughtPaceNet, evidence_loss
from ..tasks.pace import loss as loss_of
from ..torch_ops import Learnable, usable
from .pace_cases import clip_cases, song_cases
from .steps import descend

Array = NDArray[np.float32]

HELD = 1.0  # inverse variance by which the offsets of a calibration are held near 0
LEAST_SLOPE = 0.02  # of a calibration; below it probabilities mean nothing
# [BPM] below this a slower level needs an accent, once a clip is played as slowly as it may be.
ACCENT_DECIDES = 66.0
MOST_STRETCH = 1.18  # ratio of tempi by which a clip is played faster or slower at most


@dataclass(frozen=True)
class PaceRecipe:
    """How the pace network is trained."""

    steps: int = 3000
    batch: int = 64
    rate: float = 3e-3
    weight_decay: float = 1e-2
    seed: int = 0
    shares: tuple[float, ...] = (0.75, 0.17, 0.08)  # of clips, songs and rhythm-game songs
    groups: tuple[float, ...] = (0.09, 0.60, 0.17, 0.14)  # shares of the groups of `group_of`
    no_headline: float = 0.25  # how often the network is not told the headline
    tilt: float = 6.0  # [dB] standard deviation over the bands
    mask: float = 0.2  # probability that a run of bands is missing
    short: float = 0.15  # probability that the track is shorter than a window
    evidence: float = 1.0  # weight of the error of the evidence


def group_of(tempo: float, headline: float) -> int:
    """The group of a candidate [BPM].

    0 for the headline, 1 for a level that its metre may have, 2 for a tempo that is no level, and 3
    for such a level that is slower and so slow that an accent decides.
    """
    if is_same(tempo, headline, SAME_PACE):
        return 0
    if not is_level(tempo, headline, OTHERS_OF_ONE_PULSE, SAME_PACE):
        return 2
    return 3 if tempo < min(headline, ACCENT_DECIDES) else 1


class CandidateSampler:
    """Draws training batches with fixed shares of four groups of candidates, see `group_of`.

    In use three of four candidates are not compatible, and for most of those the ratio to the
    headline tells it. Drawn as often as they occur, they would outnumber the few that have to be
    heard. Within a group both classes keep their frequency, so that probabilities stay right. Of
    songs without notes candidates are drawn as they come: of their levels only those are known that
    people name, and as many of these would teach that on records every level is compatible.
    """

    def __init__(
        self, sources: Sequence[Sequence[Case]], recipe: PaceRecipe, fps: float, model: PaceModel
    ):
        self._recipe, self._fps, self._model = recipe, fps, model
        self._rng = np.random.default_rng([recipe.seed, 1])
        self._pools: list[list[list[tuple[Case, int]]]] = []
        self._weights: list[Array] = []  # of the groups of each source
        for cases in sources:
            pools: list[list[tuple[Case, int]]] = [[] for _ in recipe.groups]
            for case in cases:
                for i, target in enumerate(case.targets):
                    if not math.isnan(target):
                        pools[group_of(case.tempi[i], case.headline)].append((case, i))
            self._pools.append(pools)
            sizes = np.array([len(pool) for pool in pools], np.float32)
            with_notes = all(case.score is not None for case in cases)
            weights = np.array(recipe.groups, np.float32) * (sizes > 0) if with_notes else sizes
            self._weights.append(weights / weights.sum())

    def batch(self) -> list[tuple[Array, Array, Array, Array]]:
        """A batch as (folds, context, targets, evidence), one for each number of beats in it.

        Evidence is (n, 2), NaN where it is not known, see `trainer.synthesis.paces.evidence`.
        """
        rng, recipe = self._rng, self._recipe
        shares = np.array(recipe.shares[: len(self._pools)])
        sizes: dict[int, list[tuple[Array, Array, float, tuple[float, float]]]] = {}
        for _ in range(recipe.batch):
            source = rng.choice(len(shares), p=shares / shares.sum())
            pools = self._pools[source]
            pool = pools[rng.choice(len(pools), p=self._weights[source])]
            case, i = pool[rng.integers(len(pool))]
            example = self._draw(case, i)
            sizes.setdefault(example[0].shape[1], []).append(example)
        return [
            (np.stack(folds), np.stack(known), encode(targets), np.array(heard, np.float32))
            for folds, known, targets, heard in (
                zip(*group, strict=True) for group in sizes.values()
            )
        ]

    def _draw(self, case: Case, i: int) -> tuple[Array, Array, float, tuple[float, float]]:
        """A fold of a candidate, its context, target and evidence.

        The fold is from a random place and phase of a window with a clear pulse.
        """
        rng, fps, tempo = self._rng, self._fps, case.tempi[i]
        windows = clear(case.track.windows)
        window = windows[rng.integers(len(windows))]
        length = n_frames = window.features.shape[1]
        if rng.random() < self._recipe.short:
            shortest = min(length, math.ceil(self._model.n_beats // 4 * 60 * fps / tempo) + 1)
            length = int(rng.integers(shortest, length + 1))
        first = int(rng.integers(0, n_frames - length + 1))
        features = window.features[:, first : first + length]
        prepared = prepare(
            features * tone_gains(len(features), self._recipe.tilt, self._recipe.mask, rng)
        )
        most = self._model.n_beats
        n_rows = max(most // 4, n_beats(tempo, length, fps, most))
        needed = n_rows * 60 * fps / tempo
        start = float(rng.uniform(0, max(0.0, length - needed)))
        target, heard = float(case.targets[i]), NO_EVIDENCE
        speed, score = 1.0, case.score
        if score is not None:
            # A clip that is played faster has other compatible paces, which its notes tell.
            fits = [
                s
                for s in MOST_STRETCH ** rng.uniform(-1, 1, 4)
                if SLOWEST_PACE <= tempo * s <= FASTEST_PACE
            ]
            speed = fits[0] if fits else 1.0
            begin = window.start + (first + start) / fps
            span = (begin / speed, (begin + needed / fps) / speed)
            played = stretched(score, speed)
            target = compatibility(played, tempo * speed, span, soft=True)
            heard = evidence(played, tempo * speed, span)
        fold = fold_beats(prepared, fps, [tempo], [start], n_rows, self._model.n_phases)
        headline = None if rng.random() < self._recipe.no_headline else case.headline * speed
        grid = replace(case.track.grid, bpm_min=case.track.grid.bpm_min * speed)
        known = context([tempo * speed], headline, case.track.strength, grid, self._model.n_context)
        return fold[0], known[0], target, heard


def fit(
    sampler: CandidateSampler, front_end: FrontEnd, config: PaceConfig, recipe: PaceRecipe
) -> Network:
    """Train a network; the same recipe and data give the same network."""
    torch.manual_seed(recipe.seed)
    network = Learnable(TaughtPaceNet(front_end, config))

    def loss_of_batch() -> torch.Tensor:
        groups = [tuple(map(torch.from_numpy, group)) for group in sampler.batch()]
        loss = torch.zeros(())
        for folds, known, targets, heard in groups:
            if len(targets) > 1:  # normalisation needs two
                found = network(folds, known)
                errors = loss_of(found[:, 0], targets)
                errors = errors + recipe.evidence * evidence_loss(found[:, 1:], heard)
                loss = loss + errors * (len(targets) / recipe.batch)
        return loss

    descend(network, recipe, loss_of_batch)
    taught = usable(network).weights
    weights = {name: w for name, w in taught.items() if not name.startswith("evidence.")}
    definition = build(front_end, config)
    untaught = {k: v for k, v in shapes(definition.layers).items() if k not in weights}
    return Network(
        definition, {**weights, **{k: np.zeros(v, np.float32) for k, v in untaught.items()}}
    )


def calibrate(
    scores: NDArray[np.float64],
    targets: NDArray[np.float64],
    kinds: NDArray[np.floating] | None = None,
) -> tuple[float, float, NDArray[np.float64]]:
    """Slope, offset and further offsets for logits that make targets (n,) most likely.

    Platt, "Probabilistic outputs for support vector machines", 1999; by Newton's method.

    Parameters
    ----------
    scores
        (n,) probabilities, whose logits are scaled.
    kinds
        (n, n_kinds) 1 where an example is of a kind that has an offset of its own, else 0. These
        offsets (n_kinds,) are held near 0, for some kinds have few examples; None: no kinds.

    Raises
    ------
    ConfigError
        If all targets are of one kind, or the most likely slope is not clearly above 0: then a
        higher probability would mean that something is less likely, or nothing at all.
    """
    if not 0 < np.mean(targets) < 1:
        raise ConfigError("the paces cannot be calibrated: all candidates are of one kind")
    p = np.clip(scores, 1e-4, 1 - 1e-4)
    kinds = np.zeros((p.size, 0)) if kinds is None else np.asarray(kinds, float)
    x = np.column_stack([np.log(p / (1 - p)), np.ones(p.size), kinds])
    held = np.array([1e-3, 1e-3, *(HELD for _ in kinds.T)])

    def surprise(weights: NDArray[np.float64]) -> float:
        logits = x @ weights
        lost = (np.logaddexp(0, logits) - targets * logits).sum()
        return float(lost + (held * weights**2).sum() / 2)

    weights = np.zeros(held.size)
    for _ in range(50):
        q = 1 / (1 + np.exp(-x @ weights))
        hessian = (x * (q * (1 - q))[:, None]).T @ x + np.diag(held)
        step = np.linalg.solve(hessian, x.T @ (targets - q) - held * weights)
        # A full step of Newton's method can overshoot.
        halves = (weights + step / 2**k for k in range(20))
        before = surprise(weights)
        weights = next((w for w in halves if surprise(w) <= before), weights)
    slope, offset = float(weights[0]), float(weights[1])
    if not (math.isfinite(slope) and math.isfinite(offset) and slope >= LEAST_SLOPE):
        raise ConfigError(
            f"the paces cannot be calibrated: the slope is {slope:.3g}, so what the network finds "
            "more probable is not so on the held-out clips; it has learned nothing that holds"
        )
    return slope, offset, weights[2:]


def finish(
    network: Network, cases: Sequence[Case], reference: Checkpoint[TempoConfig], config: PaceConfig
) -> Checkpoint[PaceConfig]:
    """The model, calibrated on the candidates of held-out cases.

    Raises
    ------
    ConfigError
        If it cannot be calibrated, see `calibrate`.
    """
    raw = Checkpoint(
        "pace", "", "pace", reference.front_end, reference.windows, config,
        reference.filterbank, reference.spectrum, network, 1.0, {},
    )  # fmt: skip
    scores = np.concatenate([judged(case, raw) for case in cases])
    targets = np.concatenate([case.targets for case in cases])
    ratios = np.concatenate([_ratios(case, config) for case in cases])
    known = ~np.isnan(targets)
    slope, offset, offsets = calibrate(
        scores[known], targets[known], ratios[known] if config.model.by_ratio else None
    )
    weights = dict(network.weights)
    weights["judge.3.bias"] = weights["judge.3.bias"] + np.float32(offset / slope)
    if config.model.by_ratio:
        weights["judge.ratio.weight"] = (offsets / slope).astype(np.float32)[None]
    shifted = Network(network.definition, weights)
    return replace(raw, network=shifted, temperature=1 / slope)


def _ratios(case: Case, config: PaceConfig) -> Array:
    """(n, n_ratios) the ratio of each candidate to the headline, as the network gets it."""
    strength, grid = case.track.strength, case.track.grid
    known = context(case.tempi, case.headline, strength, grid, config.model.n_context)
    return known[:, : len(RELATIONS)]


@click.command(cls=Command)
@click.option("--data", type=click.Path(exists=True, file_okay=False, path_type=Path),
              required=True, help="Folder with songs.tsv, rhythm.tsv and midi/.")  # fmt: skip
@click.option("--clips", type=click.Path(exists=True, file_okay=False, path_type=Path),
              required=True, help="Folder with clips.tsv of trainer.synthesis.")  # fmt: skip
@click.option("--cache", type=click.Path(file_okay=False, path_type=Path), required=True)
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), required=True)
@click.option("--model", default="default", show_default=True, help="Tempo model to go with.")
@click.option("--steps", default=PaceRecipe.steps, show_default=True)
@click.option("--seed", default=0, show_default=True)
@click.option("--jobs", default=2, show_default=True)
def main(
    data: Path, clips: Path, cache: Path, out: Path, model: str, steps: int, seed: int, jobs: int
) -> None:
    """Train a pace model on rendered clips and real songs."""
    torch.set_num_threads(1)
    path = checkpoint.resolve(model)
    tempo_model = checkpoint.load(path, "tempo")
    config = PaceConfig(tempo_model.config.grid, PaceModel())
    recipe = PaceRecipe(steps=steps, seed=seed)
    sources = Sources(data / "midi", data / "samples")
    rendered = clip_cases(clips, sources, path, cache, jobs)
    songs = song_cases(by_split(read_songs(data), "train"), path, cache, jobs)
    rhythm = song_cases(by_split(read_rhythm(data), "train"), path, cache, jobs)
    train = [[c for r, cases in rendered if r.split == "train" for c in cases]]
    train += [[c for _, cases in group for c in cases] for group in (songs, rhythm)]
    held_out = [cases[0] for r, cases in rendered if r.split == "validation"]
    sampler = CandidateSampler(train, recipe, tempo_model.spectrum.fps, config.model)
    network = fit(sampler, tempo_model.front_end, config, recipe)
    done = finish(network, held_out, tempo_model, config)
    n_clips = sum(r.split == "train" for r, _ in rendered)
    card: dict[str, object] = {
        "summary": f"{n_clips} clips, {len(songs) + len(rhythm)} songs, seed {seed}",
        "data": {"synthesis": n_clips, "songs": len(songs), "rhythm": len(rhythm)},
        "recipe": asdict(recipe),
        "tempo_model": path.stem,
        "versions": {"torch": torch.__version__, "numpy": np.__version__},
    }
    written = checkpoint.save(out, replace(done, card=card))
    click.echo(f"{written} ({written.stat().st_size / 1e3:.0f} kB)")


if __name__ == "__main__":
    main()
