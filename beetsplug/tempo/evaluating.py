"""The work of `beet tempo-eval`: comparing the analysis with the labels of a library."""

from __future__ import annotations

import os
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from beets.exceptions import UserError

from tempo_core.background import GRACE, call, interruptible
from tempo_core.console import shown
from tempo_core.errors import TempoError
from tempo_core.shadowing import check_trainer

from . import stated
from .evaluation_summary import disagreement_lines, figure_lines, pace_lines
from .evaluation_tracks import (
    LEARNED,
    TEST,
    learned_from,
    learned_notes,
    recordings,
    recordings_with_paces,
)
from .progress import Progress, print_line
from .settings import path_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from beets.library import Library
    from beets.logging import BeetsLogger

    from trainer.evaluation.answers import Answer, LabelledRecording
    from trainer.trainingset.tables import LabelledTrack

# Default name of the folder for answers and tables, beside the library.
EVALUATION_FOLDER = "tempo-eval"


class EvaluationProgress(Progress):
    """Progress of an evaluation, with the answer of each estimator about each track."""

    def answer(self, answer: Answer) -> None:
        """Show the answer of an estimator, or log that it failed."""
        name = answer.name or answer.path.name
        if answer.estimate is None:
            self.failed += 1
            self._log.error("{}: {}", shown(answer.path), shown(answer.failure))
            self.advance()
        else:
            self.line(f"{name}: label {answer.bpm:g}, {answer.estimator} {answer.estimate:g}")


@dataclass(frozen=True)
class Questions:
    """Recordings that estimators are evaluated on.

    Attributes
    ----------
    labelled
        Recordings with a label of the tempo, for all estimators.
    with_paces
        Recordings that only have stated paces, for the first estimator, the model.
    notes
        Sentences for the user on how far the figures can be trusted.
    """

    labelled: Sequence[LabelledRecording]
    with_paces: Sequence[LabelledRecording]
    notes: Sequence[str]


@dataclass(frozen=True)
class Answers:
    """Answers to `Questions`; `n_failed` is the number of all those that are failures."""

    labelled: Sequence[Answer]
    with_paces: Sequence[Answer]
    n_failed: int

    @property
    def all(self) -> list[Answer]:
        """The answers about both kinds of recordings."""
        return [*self.labelled, *self.with_paces]


def evaluate_library(lib: Library, args: list[str], settings: Any, log: BeetsLogger) -> None:
    """Compare the model with the labels of the tracks that match a query, and print the result.

    Raises
    ------
    UserError
        If there are no labels, packages are missing or hidden by others of the same name, a track
        failed, or the run was interrupted.
    """
    try:
        check_trainer()
        with interruptible() as stop:
            call(
                lambda: _evaluate_library(lib, args, settings, log),
                stop.is_set,
                patience=GRACE,
            )
    except TempoError as error:
        raise UserError(str(error)) from error


def _evaluate_library(lib: Library, args: list[str], settings: Any, log: BeetsLogger) -> None:
    """Ask the estimators about the labelled tracks, write the results and print a summary."""
    try:
        # Imported here so that a missing package of the report is noticed before the work.
        from trainer.evaluation import report  # noqa: F401
        from trainer.evaluation.baselines import BASELINES, open_model
        from trainer.evaluation.saving import make_folder

        from .collecting import labelled_tracks
    except ImportError as error:
        raise UserError(
            f"tempo-eval needs more packages ({error}): pip install 'beets-tempo[train]'"
        ) from error
    found = list(labelled_tracks(lib, args, settings))
    paces = dict(stated.labelled(lib.items(args)))
    if not found and not paces:
        raise UserError(
            "no track that matches has a label to compare with: a bpm that somebody gave, or a "
            "published one (beet tempo-labels), or stated paces; what the analysis itself "
            "wrote is none"
        )
    estimators = [open_model(settings.model, settings.windows)]
    if settings.baseline:
        estimators.append(BASELINES["librosa-beats"]())
    beside = Path(os.fsdecode(lib.path)).parent / EVALUATION_FOLDER
    folder = path_of(settings.out) or beside
    make_folder(folder)
    questions = _questions(lib, found, paces, settings)
    answers = _ask(estimators, questions, folder, settings, log)
    lines = _write_results(questions, answers, folder, settings)
    if not settings.quiet:
        for line in lines:
            print_line(f"tempo-eval: {line}" if not line.startswith(" ") else line)
    if answers.n_failed:
        raise UserError(
            f"{answers.n_failed} of {len(answers.all)} estimates failed and count as wrong"
        )


def _questions(
    lib: Library,
    found: Sequence[LabelledTrack],
    paces: Mapping[Path, tuple[float, ...]],
    settings: Any,
) -> Questions:
    """The recordings to evaluate on; with `--split test` only those new to the model.

    Parameters
    ----------
    found
        Tracks of the library with a label.
    paces
        Stated paces [BPM] by file.

    Raises
    ------
    UserError
        If `--split test` leaves no track.
    """
    tracks = recordings(found, learned_from(lib, settings), paces)
    notes = learned_notes(tracks)
    if settings.split == TEST:
        tracks, notes = [track for track in tracks if track.set != LEARNED], []
        if not tracks:
            raise UserError("the model learned from all of these tracks; try without --split test")
    return Questions(tracks, recordings_with_paces(paces, [track.path for track in found]), notes)


def _ask(
    estimators: Sequence[Any], questions: Questions, folder: Path, settings: Any, log: BeetsLogger
) -> Answers:
    """Answers of the estimators; those that are stored in the folder are not asked for again.

    Raises
    ------
    UserError
        If the run was interrupted.
    """
    from trainer.evaluation.asking import AskingOptions, ask_all

    todo = [(estimators, questions.labelled), (estimators[:1], questions.with_paces)]
    total = sum(len(asked) * len(tracks) for asked, tracks in todo)
    progress = EvaluationProgress(total, quiet=settings.quiet, pretend=False, log=log)
    with interruptible() as stop, progress:
        options = AskingOptions(settings.threads, stop.is_set, settings.time_limit)
        labelled, with_paces = (
            ask_all(asked, settings.windows, tracks, folder, options, progress.answer)
            for asked, tracks in todo
        )
    if stop.is_set():
        n_answers = len(labelled) + len(with_paces)
        raise UserError(
            f"interrupted: {n_answers} of {total} estimates; the next run continues from here"
        )
    return Answers(labelled, with_paces, progress.failed)


def _write_results(
    questions: Questions, answers: Answers, folder: Path, settings: Any
) -> list[str]:
    """Write figures, tables and the report of `--report`; returns the lines for the terminal."""
    from trainer.evaluation import report, saving
    from trainer.evaluation.figures import by_estimator

    notes = [*questions.notes, *pace_lines(answers.all)]
    if not answers.labelled:
        return notes
    about = saving.RunInfo(
        f"Tempo of {len(questions.labelled)} labelled tracks", settings.split,
        str(settings.windows), version("beets-tempo"), tuple(notes),
    )  # fmt: skip
    figures = saving.save(folder, about, answers.labelled)
    if path := path_of(settings.report):
        report.write_report(folder, about, answers.labelled, name=path)
        notes.append(f"report: {path}")
    of_model = by_estimator(answers.labelled)[answers.labelled[0].estimator]
    notes += disagreement_lines(of_model, folder / saving.WORST_TABLE)
    return [*figure_lines(figures), *notes]
