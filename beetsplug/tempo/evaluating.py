"""What `beet tempo-eval` does with the tracks that its query matches."""

from __future__ import annotations

import dataclasses
import os
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from beets.exceptions import UserError

from tempo_core.background import GRACE, call, interruptible
from tempo_core.console import shown
from tempo_core.errors import TempoError
from tempo_core.shadowing import check_trainer

from . import stated
from .progress import Progress, print_line
from .settings import path_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from beets.library import Library
    from beets.logging import BeetsLogger

    from trainer.evaluation.answers import Answer, LabelledRecording
    from trainer.evaluation.figures import EvaluationFigures
    from trainer.trainingset.memory import Memory
    from trainer.trainingset.tables import LabelledTrack

FOLDER = "tempo-eval"  # beside the library
SHOWN = 10  # disagreements on the terminal; all are in a table
HELD_OUT, LEARNED = "held out", "learned from"
TEST = "test"


class EvaluationProgress(Progress):
    """Shows what each estimator says of each track."""

    def answer(self, answer: Answer) -> None:
        """An estimator has answered."""
        name = answer.name or answer.path.name
        if answer.estimate is None:
            self.failed += 1
            self._log.error("{}: {}", shown(answer.path), shown(answer.failure))
            self.advance()
        else:
            self.line(f"{name}: label {answer.bpm:g}, {answer.estimator} {answer.estimate:g}")


def evaluate_library(lib: Library, args: list[str], settings: Any, log: BeetsLogger) -> None:
    """Compare the model with the labels of what matches, and say where they disagree.

    Raises
    ------
    UserError
        If there are no labels, packages are missing or hidden by others, a track failed or the run
        was interrupted.
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
    try:
        from trainer.evaluation import report as _report  # noqa: F401

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
    _evaluate(lib, found, paces, settings, log)


def _evaluate(
    lib: Library,
    found: Sequence[LabelledTrack],
    paces: Mapping[Path, tuple[float, ...]],
    settings: Any,
    log: BeetsLogger,
) -> None:
    from trainer.evaluation import asking, report, saving
    from trainer.evaluation.answers import LabelledRecording
    from trainer.evaluation.baselines import BASELINES, open_model
    from trainer.evaluation.figures import by_estimator

    estimators = [open_model(settings.model, settings.windows)]
    if settings.get("baseline"):
        estimators.append(BASELINES["librosa-beats"]())
    beside = Path(os.fsdecode(lib.path)).parent / FOLDER
    folder = path_of(settings.get("out")) or beside
    saving.make_folder(folder)
    known = learned_from(lib, settings)
    tracks = labelled(found, known, paces)
    notes: list[str] = []
    n_learned = sum(track.set == LEARNED for track in tracks)
    if n_learned and n_learned == len(tracks):
        notes.append(
            f"The model learned from all of these {len(tracks)} tracks: none of them says how good "
            "it is on new ones."
        )
    elif n_learned:
        notes.append(
            f"The model learned from {n_learned} of these {len(tracks)} tracks: how good it is on "
            f"new ones, only the others ({HELD_OUT}) say."
        )
    if settings.get("split") == TEST:
        tracks, notes = [track for track in tracks if track.set != LEARNED], []
        if not tracks:
            raise UserError("the model learned from all of these tracks; try without --split test")
    # Whose paces are stated, but whose tempo is nobody's word.
    asked = {track.path for track in tracks}
    moved_to = [
        LabelledRecording(path, own[0], paces=own, name=path.name)
        for path, own in paces.items()
        if path not in asked and path not in {track.path for track in found}
    ]
    todo = [(estimators, tracks), (estimators[:1], moved_to)]
    total = sum(len(asked_) * len(some) for asked_, some in todo)
    progress = EvaluationProgress(total, quiet=settings.quiet, pretend=False, log=log)
    with interruptible() as stop, progress:
        options = asking.AskingOptions(settings.threads, stop.is_set, settings.time_limit)
        answers, others = (
            asking.ask_all(asked_, settings.windows, some, folder, options, progress.answer)
            for asked_, some in todo
        )
    if stop.is_set():
        raise UserError(
            f"interrupted: {len(answers) + len(others)} of {total} estimates; the next run "
            "continues from here"
        )
    notes += pace_lines([*answers, *others])
    lines = []
    if answers:
        about = saving.RunInfo(
            f"Tempo of {len(tracks)} labelled tracks", settings.get("split") or "all",
            str(settings.windows), version("beets-tempo"), tuple(notes),
        )  # fmt: skip
        figures = saving.save(folder, about, answers)
        lines = summary(figures)
        if path := path_of(settings.get("report")):
            report.write_report(folder, about, answers, name=path)
            notes.append(f"report: {path}")
        own = by_estimator(answers)[answers[0].estimator]
        notes += disagreements(own, folder / saving.WORST)
    if not settings.quiet:
        for line in (*lines, *notes):
            print_line(f"tempo-eval: {line}" if not line.startswith(" ") else line)
    if progress.failed:
        raise UserError(f"{progress.failed} of {total} estimates failed and count as wrong")


def pace_lines(answers: Sequence[Answer]) -> list[str]:
    """How well stated paces are judged; of how many tracks the pace model has learned them."""
    from tempo_core import checkpoint
    from trainer.evaluation import text_tables
    from trainer.trainingset import memory

    lines = text_tables.told_paces(answers)
    card = checkpoint.read(checkpoint.resolve("default", "pace")).header["card"]
    known = memory.of_card(card) or memory.NOTHING
    n_known = len({a.path for a in answers if a.paces and known.knows(a.path)})
    if lines and n_known:
        lines.append(f"The pace model learned from {n_known} of these tracks.")
    return lines


def summary(figures: dict[str, EvaluationFigures]) -> list[str]:
    """The main figures, a line an estimator and set."""
    lines = []
    for name, own in figures.items():
        for set_, m in {"all": own.all, **own.sets}.items():
            low, high = m.acc1_interval
            median = m.error_percentiles["50"]
            lines.append(
                f"{name}, {set_}: {100 * m.acc1:.1f} % of {m.n} right (95 % interval "
                f"{100 * low:.0f} to {100 * high:.0f}), {100 * m.acc2:.1f} % up to the octave"
                f"; {100 * m.within_8_percent_of_all:.1f} % within 8 %, "
                f"{100 * m.within_10_bpm_of_all:.1f} % within 10 BPM"
                + (f", half within {median:.2f} BPM" if m.n_failed < m.n else "")
            )
    return lines


def disagreements(answers: Sequence[Answer], table: Path) -> list[str]:
    """Where label and estimate are not the same tempo, the most suspicious labels first."""
    from trainer.evaluation.figures import worst

    wrong = worst(answers)
    if all(answer.estimate is None for answer in answers):
        return []
    if not wrong:
        return ["no label disagrees with the analysis"]
    one = len(wrong) == 1
    told = "1 label disagrees" if one else f"{len(wrong)} labels disagree"
    lines = [f"{told} with the analysis; {'it is' if one else 'all of them are'} in {table}"]
    for answer in wrong[:SHOWN]:
        sure = "" if answer.confidence is None else f", confidence {answer.confidence:.2f}"
        lines += [
            f"  {answer.name or answer.path.name}: label {answer.bpm:g}, "
            f"analysed as {answer.estimate:g} ({answer.ratio:.2f} of it{sure})",
            f"    {shown(answer.path)}",
        ]
    if len(wrong) > SHOWN:
        lines.append(f"  ... and {len(wrong) - SHOWN} more")
    return lines


def labelled(
    found: Sequence[LabelledTrack], known: Memory, paces: Mapping[Path, tuple[float, ...]]
) -> list[LabelledRecording]:
    """Tracks to evaluate; `set` says whose label it is or, where that matters, who learned from it.

    Parameters
    ----------
    known
        What the model has learned from.
    paces
        What somebody stated at which paces one can move to a file.
    """
    from trainer.evaluation.answers import LabelledRecording
    from trainer.evaluation.labelled import named

    tracks = [
        LabelledRecording(
            path=track.path,
            bpm=track.bpm,
            set=LEARNED if known and _is_known(track, known) else track.label_source,
            name=named(track.artist, track.title),
            group=track.artist or str(track.path),
            genre=track.genre,
            paces=paces.get(track.path, ()),
        )
        for track in found
    ]
    if any(track.set == LEARNED for track in tracks):
        tracks = [
            track if track.set == LEARNED else dataclasses.replace(track, set=HELD_OUT)
            for track in tracks
        ]
    return tracks


def _is_known(track: LabelledTrack, known: Memory) -> bool:
    from trainer.inputs.cache import hash_file

    if known.knows(track.path, track.artist, track.title, track.recording_id):
        return True
    if track.recording_id or (track.artist and track.title):
        return False
    # A file without a name that has moved is known by what is in it only.
    try:
        return known.knows(track.path, content=hash_file(track.path).hexdigest())
    except OSError:
        return False


def learned_from(lib: Library, settings: Any) -> Memory:
    """What the model in use has learned from: by its own word, or that of the training set here.

    Raises
    ------
    TempoError
        If the model cannot be used.
    """
    from tempo_core import checkpoint
    from trainer.trainingset import memory
    from trainer.trainingset.tables import TRACKS, read_collection

    from .training import training_folder

    path = checkpoint.resolve(settings.model)
    card = checkpoint.read(path).header["card"]
    stated = memory.of_card(card)
    if stated is not None:
        return stated
    folder = training_folder(lib, settings)
    trained_elsewhere = path.parent == checkpoint.SHIPPED or "data" in card
    if trained_elsewhere or not (folder / TRACKS).is_file():
        return memory.NOTHING
    # Learned before models said so themselves.
    return memory.remember(t for t in read_collection(folder) if t.split != TEST)
