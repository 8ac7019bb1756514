"""Fit the paces to somebody's own statements: `python -m trainer.learning.paces --help`.

Who says of some tracks at which paces one can move to them teaches the network's last layers how
*they* move. What a rhythm looks like stays as it was learned, and the weights are held near where
they were, so that a few dozen tracks are enough and nothing else is forgotten.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import click
import numpy as np
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from tempo_core import checkpoint, in_use
from tempo_core.background import TIME_LIMIT, Stopped, interruptible, parallel
from tempo_core.console import counted
from tempo_core.errors import AudioError, ConfigError, LabelError
from tempo_core.estimate import load_rows
from tempo_core.model import Checkpoint
from tempo_core.network import Network
from tempo_core.paces import COMPATIBLE
from tempo_core.task import Batch
from tempo_core.tasks.pace.config import PaceConfig
from tempo_core.tasks.pace.network import PaceNet
from tempo_core.tasks.pace.row import activate

from ..evaluation.answers import pace_list, read_rows
from ..inputs.pace_tracks import (
    Case,
    batches,
    keep,
    listener,
    manual_case,
    probabilities,
    read_track,
)
from ..options import Command
from ..tasks.pace import loss
from ..torch_ops import learnable, usable
from ..trainingset import memory
from ..trainingset.tables import CollectedTrack, absolute
from .compare import check_use, never, outcome

MIN_TRACKS = 10  # fewer say nothing about anybody's habits
N_FOLDS = 5  # of the cross validation
STEPS, RATE = 300, 1e-3
COLUMNS = ("path", "paces")  # of a table of statements
ANCHOR = 0.3  # weight of the squared distance from the weights before


@dataclass(frozen=True)
class Figures:
    """On tracks that were left out: share of candidates judged right, mean cross entropy."""

    accuracy: float
    surprise: float


@dataclass(frozen=True)
class Adapted:
    """A new pace model, and what it is worth on the user's own tracks.

    `failed` are the files that could not be used, with the reason.
    """

    path: Path
    n_tracks: int
    before: Figures
    after: Figures
    failed: tuple[tuple[Path, str], ...]

    @property
    def better(self) -> bool:
        """Whether it judges tracks that it did not learn from better than before."""
        return (
            self.after.surprise < self.before.surprise
            and self.after.accuracy >= self.before.accuracy
        )


@dataclass(frozen=True)
class _Seen:
    """What the last layers see of one track, (n_folds, n_inputs) a batch, and what they should say.

    `targets` are (n_candidates,).
    """

    batches: tuple[Batch, ...]
    targets: NDArray[np.float64]


def read_paces(table: Path) -> list[tuple[Path, tuple[float, ...]]]:
    """The statements in a table: audio files, each with the tempi [BPM] one can move to it at.

    It is tab-separated with a header line and has at least the columns `path`, relative to the
    table's folder, and `paces`: tempi with spaces between, such as `87 174`. A file without a
    statement is left out.

    Raises
    ------
    ConfigError
        If it cannot be read, lacks a column, or has something else than tempi in it.
    """
    stated: dict[Path, tuple[float, ...]] = {}
    for number, row in read_rows(table, COLUMNS, "a table with the columns path and paces"):
        try:
            paces = pace_list(row["paces"])
        except ValueError as error:
            raise ConfigError(f"{table}, line {number}: {error}") from error
        if row["path"] and paces:
            stated[absolute(table.parent / row["path"])] = paces
    return list(stated.items())


@dataclass(frozen=True)
class PaceOptions:
    """Everything but the statements. `out` None is the folder of learned models.

    `cache` is a folder for the features of the tracks; a run that was interrupted goes on there.
    """

    cache: Path
    out: Path | None = None
    install: bool = True
    install_anyway: bool = False
    seed: int = 0
    jobs: int = os.cpu_count() or 1
    quiet: bool = False
    time_limit: float = TIME_LIMIT  # [s] for each track


@dataclass(frozen=True)
class LearnedPaces:
    """What came of it; `wanted` says whether it was to be installed."""

    adapted: Adapted
    installed: bool
    wanted: bool

    def summary(self) -> list[str]:
        """What a person wants to know, in a few lines."""
        adapted, before, after = self.adapted, self.adapted.before, self.adapted.after
        reason = (
            "it is better on your tracks" if adapted.better else "it is no better on your tracks"
        )
        return [
            f"learned paces of {adapted.n_tracks} tracks: {adapted.path.stem}",
            f"candidates judged right, of tracks not learned from: "
            f"{100 * before.accuracy:.1f} → {100 * after.accuracy:.1f} %, "
            f"surprise {before.surprise:.3f} → {after.surprise:.3f}",
            outcome(self.installed, adapted.better, self.wanted, reason, adapted.path),
        ]


def learn_paces(
    labelled: Sequence[tuple[Path, Sequence[float]]],
    options: PaceOptions,
    stop: Callable[[], bool] = never,
) -> LearnedPaces:
    """Fit the pace model in use to statements, compare, and use the new one if it is better.

    Raises
    ------
    Stopped
        If `stop` said True.
    TempoError
        If there are too few statements, or something cannot be read or written.
    """
    check_use(options.install, options.install_anyway)
    adapted = fit_paces(
        labelled,
        checkpoint.resolve("default", "pace"),
        checkpoint.resolve("default"),
        options.cache,
        options.out or in_use.folder(),
        options.seed,
        options.jobs,
        stop,
        options.quiet,
        options.time_limit,
    )
    install = options.install_anyway or (options.install and adapted.better)
    if install:
        in_use.activate(in_use.add(adapted.path).name, "pace")
    return LearnedPaces(adapted, install, options.install or options.install_anyway)


def fit_paces(
    labelled: Sequence[tuple[Path, Sequence[float]]],
    model: Path,
    tempo_model: Path,
    cache: Path,
    out: Path,
    seed: int = 0,
    jobs: int = 1,
    stop: Callable[[], bool] = never,
    quiet: bool = True,
    time_limit: float = TIME_LIMIT,
) -> Adapted:
    """Fit a pace model to tracks of which somebody stated the paces.

    Parameters
    ----------
    labelled
        Audio files, each with the tempi [BPM] that one can move to it at, and no others.
    model, tempo_model
        The pace model to begin with, and the tempo model whose tempi it judges.
    cache
        Folder for the features of the tracks; a run that was interrupted goes on from there.
    out
        Folder for the new model.
    time_limit
        For each track [s].

    Raises
    ------
    LabelError
        If fewer than `MIN_TRACKS` tracks can be used.
    CheckpointError
        If a model cannot be used.
    Stopped
        If `stop` said True.
    """
    torch.set_num_threads(1)
    base = load_rows(("pace",), {"tempo": tempo_model, "pace": model})[-1][1]
    ears = listener(tempo_model)
    cache.mkdir(parents=True, exist_ok=True)
    seen: dict[int, _Seen] = {}
    failed: list[tuple[Path, str]] = []

    def hear(task: tuple[int, tuple[Path, Sequence[float]]]) -> _Seen:
        path, paces = task[1]
        track = read_track(keep(path, ears, tempo_model, cache))
        return _seen(manual_case(track, paces), base)

    with tqdm(
        desc="listening", total=len(labelled), unit="track", disable=True if quiet else None
    ) as bar:
        for (k, (path, _)), result in parallel(
            hear, list(enumerate(labelled)), jobs, stop, time_limit
        ):
            bar.update()
            if isinstance(result, (AudioError, OSError)):
                failed.append((path, str(result).removeprefix(f"{path}: ")))
            elif isinstance(result, Exception):
                raise result
            else:
                seen[k] = result
    _go_on(stop)
    tracks = [seen[k] for k in sorted(seen)]
    if len(tracks) < MIN_TRACKS:
        raise LabelError(
            f"{counted(len(tracks), 'usable track')} with stated paces, at least {MIN_TRACKS} are "
            "needed; state more, in a table or with `beet modify tempo_paces_manual='87 174' QUERY`"
        )
    order = np.random.default_rng(seed).permutation(len(tracks))
    before, after = [], []
    for part in np.array_split(order, N_FOLDS):
        held_out = [tracks[i] for i in part]
        fitted = _fit([tracks[i] for i in order if i not in part], base, stop)
        before += [_judge(track, base) for track in held_out]
        after += [_judge(track, fitted) for track in held_out]
    targets = np.concatenate([tracks[i].targets for i in order])
    done = _fit(tracks, base, stop)
    card: dict[str, object] = {
        "summary": f"{len(tracks)} tracks of one's own, from {base.name}-{base.hash}",
        memory.KEY: memory.pack(
            memory.remember(
                CollectedTrack(path, paces[0], "manual")
                for k, (path, paces) in enumerate(labelled)
                if k in seen
            )
        ),
        "recipe": {"steps": STEPS, "rate": RATE, "anchor": ANCHOR, "seed": seed},
    }
    path = checkpoint.save(out, replace(done, card=card))
    return Adapted(
        path, len(tracks), _figures(before, targets), _figures(after, targets), tuple(failed)
    )


def _go_on(stop: Callable[[], bool]) -> None:
    if stop():
        raise Stopped("interrupted; what was listened to is kept, run the same again to go on")


def _seen(case: Case, model: Checkpoint[PaceConfig]) -> _Seen:
    network = model.network
    definition = _definition(network)
    found = []
    for batch in batches(case, model):
        folds, known = batch.inputs
        inputs = np.concatenate([definition.rhythm(network.ops, folds), known], axis=1)
        found.append(replace(batch, inputs=(inputs,)))
    return _Seen(tuple(found), case.targets)


def _definition(network: Network) -> PaceNet:
    assert isinstance(network.definition, PaceNet)
    return network.definition


def _fit(
    tracks: Sequence[_Seen], base: Checkpoint[PaceConfig], stop: Callable[[], bool] = never
) -> Checkpoint[PaceConfig]:
    """The model with its last layers fitted to candidates as they come."""
    definition, network = _definition(base.network), learnable(base.network)
    judge = [p for name, p in network.named_parameters() if name.startswith("judge.")]
    anchor = [p.detach().clone() for p in judge]
    for weights in judge:
        weights.requires_grad_(True)
    folds = [(batch, track.targets[batch.which]) for track in tracks for batch in track.batches]
    inputs = torch.from_numpy(np.concatenate([batch.inputs[0] for batch, _ in folds]))
    targets = torch.from_numpy(np.concatenate([known for _, known in folds])).float()
    optimiser = torch.optim.Adam(judge, RATE)
    for _ in range(STEPS):
        _go_on(stop)
        errors = loss(definition.judge(network.ops, inputs) / base.temperature, targets)
        apart = sum(
            ((p - a).square().sum() for p, a in zip(judge, anchor, strict=True)),
            start=torch.zeros(()),
        )
        optimiser.zero_grad()
        (errors + ANCHOR / len(tracks) * apart).backward()
        optimiser.step()
    return replace(base, network=usable(network))


def _judge(track: _Seen, model: Checkpoint[PaceConfig]) -> NDArray[np.float64]:
    """(n_candidates,) probabilities."""
    network = model.network
    judge = _definition(network).judge
    scored = [
        (batch, activate(judge(network.ops, *batch.inputs), model.config, model.temperature))
        for batch in track.batches
    ]
    return probabilities(scored, len(track.targets))


def _figures(parts: Sequence[NDArray[np.float64]], targets: NDArray[np.float64]) -> Figures:
    p = np.clip(np.concatenate(parts), 1e-4, 1 - 1e-4)
    right = (p >= COMPATIBLE) == (targets >= 0.5)
    surprise = -np.where(targets >= 0.5, np.log(p), np.log(1 - p))
    return Figures(float(right.mean()), float(surprise.mean()))


@click.command(cls=Command)
@click.argument("table", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--cache", type=click.Path(file_okay=False, path_type=Path),
              help="Folder for what is computed; by default one beside the table.")  # fmt: skip
@click.option("--out", type=click.Path(file_okay=False, path_type=Path),
              help="Folder for the model instead of that of learned models.")  # fmt: skip
@click.option("--no-install", is_flag=True, help="Do not use the model, whatever comes out.")
@click.option("--install-anyway", is_flag=True, help="Use the model, whatever comes out.")
@click.option("--seed", default=0, show_default=True)
@click.option("--jobs", type=click.IntRange(min=1), default=os.cpu_count() or 1,
              show_default="all cores", help="Files at a time.")  # fmt: skip
@click.option("-q", "--quiet", is_flag=True, help="Print nothing but failures.")
def main(
    table: Path, cache: Path | None, out: Path | None, no_install: bool, install_anyway: bool,
    seed: int, jobs: int, quiet: bool,
) -> None:  # fmt: skip
    """Learn from TABLE at which paces one can move to tracks.

    It has the columns path and paces, separated by tabs: each file with the tempi (`87 174`) that
    somebody can move to it at, and no others. The new model is used from then on if it judges
    tracks that it did not learn from better than the current one.
    """
    options = PaceOptions(
        cache or table.parent / "paces", out, not no_install, install_anyway, seed, jobs, quiet
    )
    with interruptible() as stop:
        learned = learn_paces(read_paces(table), options, stop.is_set)
    report(learned, quiet)


def report(learned: LearnedPaces, quiet: bool) -> None:
    """Print what came of it; the exit status is 1 if a file failed."""
    for path, reason in learned.adapted.failed:
        click.echo(f"{path}: {reason}", err=True)
    if not quiet:
        for line in learned.summary():
            click.echo(line)
    if learned.adapted.failed:
        sys.exit(1)


if __name__ == "__main__":
    main()
