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

from .evaluation_summary import disagreement_lines, figure_lines, key_lines, pace_lines
from .evaluation_tracks import (
    LEARNED,
    TEST,
    keys_learned_from,
    learned_from,
    learned_notes,
    recordings,
    recordings_with_paces,
)
from .progress import Progress, print_line
from .settings import path_of
from .suggesting import suggest_tracks

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from beets.library import Library
    from beets.logging import BeetsLogger

    from tempo_core.designs import TempoEstimator
    from trainer.evaluation.answers import Answer, LabelledRecording
    from trainer.evaluation.key_answers import KeyAnswer
    from trainer.evaluation.key_estimators import KeyEstimator
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

    def key_answer(self, answer: KeyAnswer) -> None:
        """Show the key that an estimator found, or log that it failed."""
        track = answer.track
        if answer.failure:
            self.failed += 1
            self._log.error("{}: {}", shown(track.path), shown(answer.failure))
            self.advance()
        else:
            found = answer.estimate or "no key"
            name = track.name or track.path.name
            self.line(f"{name}: key {answer.reference}, {answer.estimator} {found}")


@dataclass(frozen=True)
class Questions:
    """Recordings that estimators are evaluated on.

    Attributes
    ----------
    labelled
        Recordings with a label of the tempo, for all estimators.
    with_paces
        Recordings that only have stated paces, for the first estimator, the model.
    keyed
        Recordings whose key somebody gave, for the estimators of keys.
    notes
        Sentences for the user on how far the figures can be trusted.
    """

    labelled: Sequence[LabelledRecording]
    with_paces: Sequence[LabelledRecording]
    keyed: Sequence[LabelledRecording]
    notes: Sequence[str]


@dataclass(frozen=True)
class Answers:
    """Answers to `Questions`; `n_failed` is the number of all those that are failures."""

    labelled: Sequence[Answer]
    with_paces: Sequence[Answer]
    keys: Sequence[KeyAnswer]
    n_failed: int

    @property
    def all(self) -> list[Answer]:
        """The answers about tempi and paces."""
        return [*self.labelled, *self.with_paces]


@dataclass(frozen=True)
class Labels:
    """What is known of the tracks of a library: tempi, paces [BPM] by file, and keys."""

    tempi: Sequence[LabelledTrack]
    paces: Mapping[Path, tuple[float, ...]]
    keys: Sequence[LabelledTrack]


@dataclass(frozen=True)
class Estimators:
    """What is asked: estimators of the tempo, and of the key."""

    of_tempo: list[TempoEstimator]
    of_key: list[KeyEstimator]


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
        from trainer.evaluation.key_estimators import KEY_BASELINES, KeyModel
        from trainer.evaluation.saving import make_folder

        from .collecting import keyed_tracks, labelled_tracks, tracks_with_paces
    except ImportError as error:
        raise UserError(
            f"tempo-eval needs more packages ({error}): pip install 'beets-tempo[train]'"
        ) from error
    found = list(labelled_tracks(lib, args, settings))
    paces = {item.filepath: paces for item, paces in tracks_with_paces(lib, args)}
    keyed = list(keyed_tracks(lib, args, settings, trainable=False))
    beside = Path(os.fsdecode(lib.path)).parent / EVALUATION_FOLDER
    folder = path_of(settings.out) or beside
    suggestions = suggest_tracks(lib, args, found, folder, settings, log)
    if not (found or paces or keyed):
        _print(suggestions, settings)
        raise UserError(
            "no track that matches has a label to compare with: a bpm or an initial_key that "
            "somebody gave, or published ones (beet tempo-labels), or stated paces; what the "
            "analysis itself wrote is none"
        )
    estimators = Estimators([open_model(settings.model, settings.windows)], [])
    if keyed:
        estimators.of_key.append(KeyModel("default", settings.windows))
    if settings.baseline and found:
        estimators.of_tempo.append(BASELINES["librosa-beats"]())
    if settings.baseline and keyed:
        estimators.of_key.append(KEY_BASELINES["krumhansl"]())
    make_folder(folder)
    questions = _questions(lib, Labels(found, paces, keyed), settings)
    answers = _ask(estimators, questions, folder, settings, log)
    lines = _write_results(questions, answers, folder, settings)
    _print([*lines, *suggestions], settings)
    if answers.n_failed:
        raise UserError(
            f"{answers.n_failed} of {len(answers.all) + len(answers.keys)} estimates failed and "
            "count as wrong"
        )


def _print(lines: Sequence[str], settings: Any) -> None:
    """Print lines of the summary, unless everything is to be quiet; some belong to one before."""
    for line in () if settings.quiet else lines:
        print_line(f"tempo-eval: {line}" if not line.startswith(" ") else line)


def _questions(lib: Library, labels: Labels, settings: Any) -> Questions:
    """The recordings to evaluate on; with `--split test` only those new to the model.

    Raises
    ------
    UserError
        If `--split test` leaves no track.
    """
    tempi = recordings(labels.tempi, learned_from(lib, settings), labels.paces)
    keyed = recordings(labels.keys, keys_learned_from())
    notes = [*learned_notes(tempi), *learned_notes(keyed, "key model")]
    if settings.split == TEST:
        n_before = len(tempi) + len(keyed)
        tempi, keyed = ([t for t in some if t.set != LEARNED] for some in (tempi, keyed))
        notes = []
        if n_before and not (tempi or keyed):
            raise UserError("the model learned from all of these tracks; try without --split test")
    with_paces = recordings_with_paces(labels.paces, [track.path for track in labels.tempi])
    return Questions(tempi, with_paces, keyed, notes)


def _ask(
    estimators: Estimators, questions: Questions, folder: Path, settings: Any, log: BeetsLogger
) -> Answers:
    """Answers of the estimators; those that are stored in the folder are not asked for again.

    Raises
    ------
    UserError
        If the run was interrupted.
    """
    from trainer.evaluation.asking import AskingOptions, ask_all
    from trainer.evaluation.key_asking import ask_all_keys

    of_tempo, of_key = estimators.of_tempo, estimators.of_key
    todo = [(of_tempo, questions.labelled), (of_tempo[:1], questions.with_paces)]
    total = sum(len(asked) * len(tracks) for asked, tracks in todo)
    total += len(of_key) * len(questions.keyed)
    progress = EvaluationProgress(total, quiet=settings.quiet, pretend=False, log=log)
    with interruptible() as stop, progress:
        options = AskingOptions(settings.threads, stop.is_set, settings.time_limit)
        labelled, with_paces = (
            ask_all(asked, settings.windows, tracks, folder, options, progress.answer)
            for asked, tracks in todo
        )
        keys = ask_all_keys(
            of_key, settings.windows, questions.keyed, folder, options, progress.key_answer
        )
    if stop.is_set():
        n_answers = len(labelled) + len(with_paces) + len(keys)
        raise UserError(
            f"interrupted: {n_answers} of {total} estimates; the next run continues from here"
        )
    return Answers(labelled, with_paces, keys, progress.failed)


def _write_results(
    questions: Questions, answers: Answers, folder: Path, settings: Any
) -> list[str]:
    """Write figures, tables and the report of `--report`; returns the lines for the terminal."""
    from trainer.evaluation import report, saving
    from trainer.evaluation.figures import by_estimator
    from trainer.evaluation.key_tables import left_out

    labelled, keys = answers.labelled, answers.keys
    notes = [*questions.notes, *pace_lines(answers.all)]
    if not (labelled or keys):
        return notes
    notes = [*left_out(answers.all, keys), *notes]
    about = saving.RunInfo(
        saving.title(len(questions.labelled), len(questions.keyed)), settings.split,
        str(settings.windows), version("beets-tempo"), tuple(notes),
    )  # fmt: skip
    figures = saving.save(folder, about, labelled, keys)
    if path := path_of(settings.report):
        report.write_report(folder, about, labelled, name=path, keys=keys)
        notes.append(f"report: {path}")
    if labelled:
        of_model = by_estimator(labelled)[labelled[0].estimator]
        notes += disagreement_lines(of_model, folder / saving.WORST_TABLE)
    return [*figure_lines(figures), *notes, *key_lines(keys, folder / saving.WORST_KEYS_TABLE)]
