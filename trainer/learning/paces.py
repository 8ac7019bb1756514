"""The method `paces`: fit the pace model to somebody's own statements.

Somebody states of some tracks at which paces one can move to them. The last layers of the network
learn from it how *they* move; `pace_fitting` says how. The command is
`python -m trainer.learning.paces --help`.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import click
import numpy as np
import torch

from tempo_core import checkpoint
from tempo_core.background import interruptible
from tempo_core.cli.command import Command
from tempo_core.console import counted
from tempo_core.errors import AudioError, LabelError
from tempo_core.loading import load_rows
from tempo_core.model import Checkpoint
from tempo_core.tasks.pace.config import PaceConfig

from ..inputs.pace_tracks import keep, listener, manual_case, read_track
from ..options import tell
from ..trainingset import memory
from ..trainingset.tables import CollectedTrack
from .job import WHAT_IS_KEPT, Failure, Job, Proposal, hear_all
from .labels import PaceLabels, read_pace_labels
from .learn import learn_from
from .options import LearnOptions
from .pace_fitting import (
    ANCHOR,
    LEARNING_RATE,
    STEPS,
    FrozenFolds,
    PaceFigures,
    figures,
    fit,
    freeze,
    judge,
)

MIN_TRACKS = 10  # fewer tell nothing about anybody's habits
N_FOLDS = 5  # of the cross validation


def learn(labels: PaceLabels, job: Job) -> Proposal:
    """Fit the pace model in use to statements, and compare it on tracks that were left out.

    Raises
    ------
    LabelError
        If fewer than `MIN_TRACKS` tracks can be used.
    CheckpointError
        If a model cannot be used.
    Stopped
        If the run was to stop.
    """
    torch.set_num_threads(1)
    tempo_model = checkpoint.resolve("default")
    path = checkpoint.resolve("default", "pace")
    base = load_rows(("pace",), {"tempo": tempo_model, "pace": path})[-1][1]
    heard, failed = _hear(labels, base, tempo_model, job)
    tracks = list(heard.values())
    if len(tracks) < MIN_TRACKS:
        raise LabelError(
            f"{counted(len(tracks), 'usable track')} with stated paces, at least {MIN_TRACKS} are "
            "needed; state more, in a table or with `beet modify tempo_paces_manual='87 174' QUERY`"
        )
    comparison = _cross_validate(tracks, base, job)
    done = fit(tracks, base, job)
    stated = [labels.statements[k] for k in heard]
    card: dict[str, object] = {
        "summary": f"{len(tracks)} tracks of one's own, from {base.name}-{base.hash}",
        memory.CARD_KEY: memory.pack(
            memory.remember(CollectedTrack(path, paces[0], "manual") for path, paces in stated)
        ),
        "recipe": {
            "steps": STEPS, "rate": LEARNING_RATE, "anchor": ANCHOR, "seed": job.options.seed,
        },
    }  # fmt: skip
    better = comparison.better
    return Proposal(
        model=replace(done, card=card),
        learned=f"learned paces of {len(tracks)} tracks",
        comparison=(str(comparison),),
        installable=better,
        reason="it is better on your tracks" if better else "it is no better on your tracks",
        failed=tuple(failed),
    )


@dataclass(frozen=True)
class PaceComparison:
    """Figures of the model in use and of learned ones, on tracks that were left out of learning."""

    before: PaceFigures
    after: PaceFigures

    @property
    def better(self) -> bool:
        """Whether learned models are less surprised, and right at least as often."""
        return (
            self.after.surprise < self.before.surprise
            and self.after.accuracy >= self.before.accuracy
        )

    def __str__(self) -> str:
        before, after = self.before, self.after
        return (
            f"candidates judged right, of tracks not learned from: "
            f"{100 * before.accuracy:.1f} → {100 * after.accuracy:.1f} %, "
            f"surprise {before.surprise:.3f} → {after.surprise:.3f}"
        )


def _hear(
    labels: PaceLabels, base: Checkpoint[PaceConfig], tempo_model: Path, job: Job
) -> tuple[dict[int, FrozenFolds], list[Failure]]:
    """Listen to the tracks, see `hear_all`; features are kept in the labels' folder."""
    ears = listener(tempo_model)
    labels.folder.mkdir(parents=True, exist_ok=True)

    def hear(k: int) -> FrozenFolds:
        path, paces = labels.statements[k]
        track = read_track(keep(path, ears, tempo_model, labels.folder))
        return freeze(manual_case(track, paces), base)

    paths = [path for path, _ in labels.statements]
    heard, failed = hear_all(paths, hear, job, WHAT_IS_KEPT, (AudioError, OSError))
    told = [
        (path, AudioError(str(error).removeprefix(f"{path}: "))) for path, error in failed
    ]  # the path is told with it
    return heard, list(told)


def _cross_validate(
    tracks: Sequence[FrozenFolds], base: Checkpoint[PaceConfig], job: Job
) -> PaceComparison:
    """Judge each track by the model in use and by one that was fitted to other tracks."""
    order = np.random.default_rng(job.options.seed).permutation(len(tracks))
    before, after = [], []
    for part in np.array_split(order, N_FOLDS):
        held_out = [tracks[i] for i in part]
        fitted = fit([tracks[i] for i in order if i not in part], base, job)
        before += [judge(track, base) for track in held_out]
        after += [judge(track, fitted) for track in held_out]
    targets = np.concatenate([tracks[i].targets for i in order])
    return PaceComparison(figures(before, targets), figures(after, targets))


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
    options = LearnOptions(
        task="pace", out=out, install=not no_install, install_anyway=install_anyway, seed=seed,
        jobs=jobs, quiet=quiet,
    )  # fmt: skip
    with interruptible() as stop:
        learned = learn_from(read_pace_labels(table, cache), options, stop.is_set)
    tell(learned.failed, learned.summary(), quiet)


if __name__ == "__main__":
    main()
