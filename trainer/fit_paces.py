"""Train the pace network: `python -m trainer.fit_paces --data DIR --clips DIR …`.

It learns from candidates of rendered clips, whose notes say which paces are compatible (see
`pace_truth.py`), and of real songs: their tempo and known alternatives are, what runs against the
metre is not, and of half and double that nobody names nothing is known.
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
from tempo_core.pace_model import PaceNet
from torch import Tensor
from tqdm import tqdm

from tempo_core import checkpoint, pace_model
from tempo_core.checkpoint import Checkpoint
from tempo_core.config import FrontEnd, PaceModel, TempoGrid, Windows
from tempo_core.errors import ConfigError
from tempo_core.estimate import judge_candidates
from tempo_core.paces import FASTEST, SAME, SLOWEST
from tempo_core.tasks import pace
from tempo_core.windows import fold_beats, sliding_windows

from . import options
from .dataset import by_split, read_rhythm, read_songs
from .pace_data import OCTAVES, Case, Track, clip_cases, song_cases
from .pace_truth import compatibility, stretched
from .score import Sources

FLATTEST = 0.02  # slope of a calibration that still says something
STRETCH = 1.18  # of the tempo at most, for clips


@dataclass(frozen=True)
class Recipe:
    """How the network is trained."""

    steps: int = 4500
    batch: int = 64
    rate: float = 3e-3
    weight_decay: float = 1e-2
    seed: int = 0
    shares: tuple[float, ...] = (0.75, 0.17, 0.08)  # of clips, songs and rhythm-game songs
    groups: tuple[float, ...] = (0.12, 0.63, 0.25)  # shares of candidates, see `group_of`
    no_headline: float = 0.25  # how often the network is not told the headline
    tilt: float = 6.0  # [dB] standard deviation over the bands
    mask: float = 0.2  # probability that a run of bands is missing
    short: float = 0.15  # probability that the track is shorter than a window


def group_of(tempo: float, headline: float) -> int:
    """0 for the headline, 1 for a level that it may or may not have, 2 for what is no level."""
    if abs(tempo / headline - 1) <= SAME:
        return 0
    return 1 if any(abs(tempo / (ratio * headline) - 1) <= SAME for ratio in OCTAVES) else 2


class Sampler:
    """Draws training batches with fixed shares of three groups of candidates, see `group_of`.

    In use three of four candidates are not compatible, and of most of those the ratio to the
    headline says so. Drawn as they come, they would drown the few that have to be heard. Within a
    group both classes keep their frequency, so that probabilities stay what they are.
    """

    def __init__(
        self, sources: Sequence[Sequence[Case]], recipe: Recipe, front_end: FrontEnd,
        windows: Windows, grid: TempoGrid, model: PaceModel,
    ):  # fmt: skip
        self._recipe, self._fps, self._grid, self._model = recipe, front_end.fps, grid, model
        self._length = math.ceil(windows.duration * front_end.fps)
        self._rng = np.random.default_rng([recipe.seed, 1])
        self._pools: list[list[list[tuple[Case, int]]]] = []
        for cases in sources:
            pools: list[list[tuple[Case, int]]] = [[], [], []]
            for case in cases:
                for i, target in enumerate(case.targets):
                    if not math.isnan(target):
                        pools[group_of(case.tempi[i], case.headline)].append((case, i))
            self._pools.append(pools)

    def batch(self) -> list[tuple[Tensor, Tensor, Tensor]]:
        """(folds, context, targets), once for each number of beats."""
        rng, recipe = self._rng, self._recipe
        shares = np.array(recipe.shares[: len(self._pools)])
        sizes: dict[int, list[tuple[Tensor, Tensor, float]]] = {}
        for _ in range(recipe.batch):
            pools = self._pools[rng.choice(len(shares), p=shares / shares.sum())]
            weights = np.array(recipe.groups) * [bool(pool) for pool in pools]
            pool = pools[rng.choice(len(pools), p=weights / weights.sum())]
            case, i = pool[rng.integers(len(pool))]
            example = self._draw(case, i)
            sizes.setdefault(example[0].shape[1], []).append(example)
        return [
            (torch.stack([e[0] for e in g]), torch.stack([e[1] for e in g]),
             pace.encode([e[2] for e in g]))
            for g in sizes.values()
        ]  # fmt: skip

    def _draw(self, case: Case, i: int) -> tuple[Tensor, Tensor, float]:
        """One fold of a candidate at a random place and phase."""
        rng, fps, tempo = self._rng, self._fps, case.tempi[i]
        n_frames = case.track.features.shape[1]
        length = min(self._length, n_frames)
        if rng.random() < self._recipe.short:
            shortest = min(length, math.ceil(self._model.n_beats // 4 * 60 * fps / tempo) + 1)
            length = int(rng.integers(shortest, length + 1))
        first = int(rng.integers(0, n_frames - length + 1))
        features = torch.from_numpy(case.track.features[:, first : first + length]).float()
        prepared = pace.prepare(features * self._tone(len(features)))
        n_beats = max(
            self._model.n_beats // 4, pace.n_beats(tempo, length, fps, self._model.n_beats)
        )
        needed = n_beats * 60 * fps / tempo
        start = float(rng.uniform(0, max(0.0, length - needed)))
        target = float(case.targets[i])
        speed, score = 1.0, case.score
        if score is not None:
            # A clip that is played faster is another clip to move to, and its notes say how.
            fits = [s for s in STRETCH ** rng.uniform(-1, 1, 4) if SLOWEST <= tempo * s <= FASTEST]
            speed = fits[0] if fits else 1.0
            span = ((first + start) / fps / speed, (first + start + needed) / fps / speed)
            target = compatibility(stretched(score, speed), tempo * speed, span, soft=True)
        fold = fold_beats(
            prepared, fps, torch.tensor([tempo]), torch.tensor([start]), n_beats,
            self._model.n_phases,
        )  # fmt: skip
        headline = None if rng.random() < self._recipe.no_headline else case.headline * speed
        grid = replace(self._grid, bpm_min=self._grid.bpm_min * speed)
        known = pace.context([tempo * speed], headline, torch.from_numpy(case.track.strength), grid)
        return fold[0], known[0], target

    def _tone(self, n_mels: int) -> Tensor:
        """(n_mels, 1) gains: another tone, and perhaps a run of bands that is missing."""
        rng, recipe = self._rng, self._recipe
        knots = rng.normal(0, recipe.tilt, 4)
        gains = 10 ** (np.interp(np.linspace(0, 3, n_mels), range(4), knots) / 20)
        if rng.random() < recipe.mask:
            size = int(rng.integers(2, n_mels // 3))
            begin = int(rng.integers(0, n_mels - size))
            gains[begin : begin + size] = 1e-4
        return torch.from_numpy(gains).float()[:, None]


def fit(sampler: Sampler, front_end: FrontEnd, model: PaceModel, recipe: Recipe) -> PaceNet:
    """Train a network; the same seed gives the same network."""
    torch.manual_seed(recipe.seed)
    network = pace_model.build(front_end, model)
    optimiser = torch.optim.AdamW(
        network.parameters(), recipe.rate, weight_decay=recipe.weight_decay
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, recipe.rate, recipe.steps)
    mean = 0.0
    with tqdm(
        range(recipe.steps), desc="training", unit="step", mininterval=5, disable=None
    ) as steps:
        for step in steps:
            groups = sampler.batch()
            loss = sum(
                (pace.loss(network(folds, known), targets) * len(targets)
                 for folds, known, targets in groups if len(targets) > 1),
                start=torch.zeros(()),
            ) / recipe.batch  # fmt: skip
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
            mean += (float(loss.detach()) - mean) / min(step + 1, 100)
            steps.set_postfix(loss=f"{mean:.3f}", refresh=False)
    return network.eval().requires_grad_(False)


def heard(track: Track, front_end: FrontEnd, windows: Windows, n: int = 4) -> list[Tensor]:
    """`n` windows of a track spread over it, as the estimator listens to it."""
    whole = torch.from_numpy(track.features).float()
    pieces = sliding_windows(whole, front_end.fps, windows)
    step = max(1.0, len(pieces) / n)
    return [pieces[int(k * step)] for k in range(min(n, len(pieces)))]


def judged(case: Case, model: Checkpoint) -> NDArray[np.float64]:
    """(n,) probability of each candidate as the estimator has it; 0 where it has none."""
    pieces = heard(case.track, model.front_end, model.windows)
    strength = torch.from_numpy(case.track.strength)
    with torch.inference_mode():
        found = judge_candidates(pieces, case.tempi, case.headline, strength, model.grid, model)
    return np.array([p or 0.0 for p in found])


def calibrate(scores: NDArray[np.float64], targets: NDArray[np.float64]) -> tuple[float, float]:
    """(slope, offset) for the logits of probabilities (n,) that make targets (n,) most likely.

    Platt, "Probabilistic outputs for support vector machines", 1999; by Newton's method.

    Raises
    ------
    ConfigError
        If there is nothing to learn them from, or the most likely slope is not clearly above 0: a
        higher probability would have to mean that something is less likely, or nothing at all.
    """
    if not 0 < np.mean(targets) < 1:
        raise ConfigError("the paces cannot be calibrated: all candidates are of one kind")
    p = np.clip(scores, 1e-4, 1 - 1e-4)
    x = np.stack([np.log(p / (1 - p)), np.ones(p.size)], axis=1)

    def surprise(weights: NDArray[np.float64]) -> float:
        logits = x @ weights
        return float((np.logaddexp(0, logits) - targets * logits).sum())

    weights = np.zeros(2)
    for _ in range(50):
        q = 1 / (1 + np.exp(-x @ weights))
        hessian = (x * (q * (1 - q))[:, None]).T @ x + 1e-3 * np.eye(2)
        step = np.linalg.solve(hessian, x.T @ (targets - q))
        # A full step can lead away from where it should lead.
        halves = (weights + step / 2**k for k in range(20))
        before = surprise(weights)
        weights = next((w for w in halves if surprise(w) <= before), weights)
    slope, offset = (float(w) for w in weights)
    if not (math.isfinite(slope) and math.isfinite(offset) and slope >= FLATTEST):
        raise ConfigError(
            f"the paces cannot be calibrated: the slope is {slope:.3g}, so what the network finds "
            "more probable is not so on the held-out clips; it has learned nothing that holds"
        )
    return slope, offset


def finish(
    network: PaceNet, cases: Sequence[Case], reference: Checkpoint, model: PaceModel
) -> Checkpoint:
    """The model with probabilities that hold for the candidates of `cases` as they come.

    Raises
    ------
    ConfigError
        If there are none, see `calibrate`.
    """
    raw = Checkpoint(
        "pace", "", reference.front_end, reference.windows, reference.grid, model,
        reference.filterbank, network, 1.0, {}, "pace",
    )  # fmt: skip
    scores = np.concatenate([judged(case, raw) for case in cases])
    targets = np.concatenate([case.targets for case in cases])
    known = ~np.isnan(targets)
    slope, offset = calibrate(scores[known], targets[known])
    last = network.judge[-1]
    assert isinstance(last, torch.nn.Linear)
    last.bias = torch.nn.Parameter(last.bias + offset / slope, requires_grad=False)
    return replace(raw, temperature=1 / slope)


def save(model: Checkpoint, card: dict[str, object], out: Path) -> Path:
    """Write a pace model; its path."""
    return checkpoint.save(
        out, "pace", model.network, model.filterbank,
        {"front_end": model.front_end, "windows": model.windows, "grid": model.grid,
         "model": model.model},
        model.temperature, card,
    )  # fmt: skip


@click.command(cls=options.Command)
@click.option("--data", type=click.Path(exists=True, file_okay=False, path_type=Path),
              required=True, help="Folder with songs.tsv, rhythm.tsv and midi/.")  # fmt: skip
@click.option("--clips", type=click.Path(exists=True, file_okay=False, path_type=Path),
              required=True, help="Folder with clips.tsv of trainer.synthesis.")  # fmt: skip
@click.option("--cache", type=click.Path(file_okay=False, path_type=Path), required=True)
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), required=True)
@click.option("--model", default="default", show_default=True, help="Tempo model to go with.")
@click.option("--steps", default=Recipe.steps, show_default=True)
@click.option("--seed", default=0, show_default=True)
@click.option("--jobs", default=2, show_default=True)
def main(
    data: Path, clips: Path, cache: Path, out: Path, model: str, steps: int, seed: int, jobs: int
) -> None:
    """Train a pace model on rendered clips and real songs."""
    torch.set_num_threads(1)
    path = checkpoint.resolve(model)
    tempo_model = checkpoint.load(path, "tempo")
    grid, recipe, shape = tempo_model.grid, Recipe(steps=steps, seed=seed), PaceModel()
    sources = Sources(data / "midi", data / "samples")
    rendered = clip_cases(clips, sources, path, cache, grid, jobs)
    songs = song_cases(by_split(read_songs(data), "train"), path, cache, grid, jobs)
    rhythm = song_cases(by_split(read_rhythm(data), "train"), path, cache, grid, jobs)
    train = [[c for r, cases in rendered if r.split == "train" for c in cases]]
    train += [[c for _, cases in group for c in cases] for group in (songs, rhythm)]
    held_out = [cases[0] for r, cases in rendered if r.split == "validation"]
    sampler = Sampler(train, recipe, tempo_model.front_end, tempo_model.windows, grid, shape)
    network = fit(sampler, tempo_model.front_end, shape, recipe)
    done = finish(network, held_out, tempo_model, shape)
    n_clips = sum(r.split == "train" for r, _ in rendered)
    card: dict[str, object] = {
        "summary": f"{n_clips} clips, {len(songs) + len(rhythm)} songs, seed {seed}",
        "data": {"synthesis": n_clips, "songs": len(songs), "rhythm": len(rhythm)},
        "recipe": asdict(recipe),
        "tempo_model": path.stem,
        "versions": {"torch": torch.__version__, "numpy": np.__version__},
    }
    written = save(done, card, out)
    click.echo(f"{written} ({written.stat().st_size / 1e3:.0f} kB)")


if __name__ == "__main__":
    main()
