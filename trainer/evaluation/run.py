"""How good estimators are on labelled tracks: run them on the files, keep and sum up what they say.

The answers come from the very estimator that users run, on files. What is known already is never
computed again: each answer is appended to a log at once, so that an interrupted run goes on and
another model can be compared later for its own time only.
"""

from __future__ import annotations

import dataclasses
import json
import math
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import click
import joblib
from tqdm import tqdm

from tempo_core import checkpoint
from tempo_core.background import TIME_LIMIT, parallel
from tempo_core.console import explain
from tempo_core.errors import AudioError, ConfigError, StorageError
from tempo_core.estimate import Estimate, Estimator
from tempo_core.paces import format_paces, parse_paces

from ..files import write_text, write_tsv
from .answers import TABLE, Answer, LabelledRecording, read_answers, write_answers
from .baselines import TempoEstimator, name_of
from .metrics import (
    GroupMetrics,
    Metrics,
    bootstrap_interval,
    by,
    confusion,
    decade,
    measure,
    measure_paces,
    reliability,
    right,
    within,
    within_levels,
)

if TYPE_CHECKING:
    from ..inputs.recordings import Recording

FIGURES = "figures.json"
LOG = "estimates.jsonl"
WORST = "worst.tsv"  # wrong answers of the first estimator
LAYOUT = 1  # of figures.json
KEPT = ("estimator", "estimate", "second", "confidence")  # of an answer, in the log


class AnswerLog:
    """Answers as they come, one line of JSON each; use as a context manager.

    An answer is known by who gave it, with which settings, and by the file's path, size and time of
    change; where paces were stated also by who judged the paces. A line that a crash cut off is
    left out.
    """

    def __init__(self, path: Path, pace_model: str = "") -> None:
        self._path = path
        self._pace_model = pace_model
        self._known: dict[tuple[Any, ...], dict[str, Any]] = {}
        self._file: IO[str] | None = None

    def __enter__(self) -> AnswerLog:
        try:
            self._file = self._path.open("a+", encoding="utf-8", errors="surrogateescape")
        except OSError as error:
            raise StorageError(f"{self._path}: cannot be opened ({error.strerror})") from error
        self._file.seek(0)
        text = self._file.read()
        for line in text.splitlines():
            try:
                entry = json.loads(line)
                self._known[tuple(entry.pop("key"))] = entry
            except (ValueError, KeyError, AttributeError, TypeError):
                continue
        if text and not text.endswith("\n"):
            self._file.write("\n")
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()

    def get(self, estimator: str, track: LabelledRecording) -> Answer | None:
        """What an estimator said of this very file, None if it was not asked."""
        entry = self._known.get(self._key(estimator, track.path))
        if entry is None:
            return None
        paces, by = entry.get("paces", ""), entry.get("paces_by", "")
        if track.paces and (not paces or by != self._pace_model):
            return None
        try:
            known = {name: entry[name] for name in KEPT}
            return Answer(**shallow(track), **known, judged=parse_paces(paces))
        except (KeyError, TypeError, ValueError, AttributeError):
            return None

    def put(self, estimator: str, answer: Answer) -> None:
        """Keep an answer."""
        if self._file is None:
            raise ValueError("the log is not open: use it as a context manager")
        entry = {name: getattr(answer, name) for name in KEPT}
        paces = {"paces": format_paces(answer.judged), "paces_by": self._pace_model}
        line = {"key": self._key(estimator, answer.path), **entry, **paces}
        try:
            self._file.write(json.dumps(line) + "\n")
            self._file.flush()
        except OSError as error:
            raise StorageError(
                f"{self._path}: cannot be written ({error.strerror}); make room and run it again"
            ) from error

    @staticmethod
    def _key(estimator: str, path: Path) -> tuple[Any, ...]:
        try:
            stat = path.stat()
            return (estimator, str(path), stat.st_size, stat.st_mtime_ns)
        except OSError:
            return (estimator, str(path), None, None)


def shallow(track: LabelledRecording) -> dict[str, Any]:
    """The fields of a track by their names."""
    return {
        field.name: getattr(track, field.name) for field in dataclasses.fields(LabelledRecording)
    }


def answer_of(track: LabelledRecording, estimator: str, result: Estimate | Exception) -> Answer:
    """What an estimator's result means for a track."""
    known = shallow(track)
    if isinstance(result, Exception):
        return Answer(**known, estimator=estimator, failure=explain(result))
    others = [p.bpm for p in result.paces if not within([result.bpm], [p.bpm])[0]]
    return Answer(
        **known,
        estimator=estimator,
        estimate=result.bpm,
        second=others[0] if others else None,
        confidence=None if math.isnan(result.confidence) else result.confidence,
        judged=result.paces,
    )


def ask(
    estimator: TempoEstimator,
    settings: str,
    tracks: Sequence[LabelledRecording],
    log: AnswerLog,
    jobs: int,
    stopped: Callable[[], bool] = lambda: False,
    time_limit: float = TIME_LIMIT,
) -> Iterator[Answer]:
    """Answers of one estimator, first those that the log knows; new ones go into it.

    Parameters
    ----------
    settings
        What else the answers depend on, such as the number of windows.
    jobs
        Threads.
    stopped
        Asked ten times a second; once it says True, what is in work is abandoned.
    time_limit
        For each track [s].
    """
    name, identity = name_of(estimator.source), f"{estimator.source} {settings}"
    unknown = []
    noted = parallel(lambda track: log.get(identity, track), tracks, 1, stopped, time_limit)
    for track, known in noted:
        if isinstance(known, Exception):
            yield answer_of(track, name, known)
        elif known is None:
            unknown.append(track)
        else:
            yield known
    estimates = parallel(
        lambda track: estimator.estimate(track.path), unknown, jobs, stopped, time_limit
    )
    for track, result in estimates:
        answer = answer_of(track, name, result)
        if not answer.failure:  # another time it may work
            log.put(identity, answer)
        yield answer


def ask_all(
    estimators: Sequence[TempoEstimator],
    windows: int | str,
    tracks: Sequence[LabelledRecording],
    folder: Path,
    jobs: int,
    done: Callable[[Answer], None],
    stopped: Callable[[], bool] = lambda: False,
    time_limit: float = TIME_LIMIT,
) -> list[Answer]:
    """Answers of all estimators for all tracks, in their order; fewer if it was to stop.

    Parameters
    ----------
    windows
        That the estimators were made with.
    folder
        Where answers are kept; what is there already is not asked again.
    done
        Called with each answer as it comes.
    """
    order = {track.path: k for k, track in enumerate(tracks)}
    answers = []
    with AnswerLog(folder / LOG, checkpoint.resolve("default", "pace").stem) as log:
        for estimator in estimators:
            own = []
            for answer in ask(
                estimator, f"windows={windows}", tracks, log, jobs, stopped, time_limit
            ):
                own.append(answer)
                done(answer)
            answers += sorted(own, key=lambda answer: order[answer.path])
    return answers


@dataclass(frozen=True)
class RunInfo:
    """What an evaluation is of; part of `figures.json`."""

    title: str
    split: str
    windows: str
    package: str  # version
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class EvaluationFigures:
    """All figures of one estimator; `sets` only where there is more than one."""

    all: Metrics
    sets: dict[str, Metrics]
    genres: dict[str, GroupMetrics]
    decades: dict[str, GroupMetrics]
    confusion: dict[str, int]
    # Accuracy 1 minus that of the first estimator, and its 95 % interval, by track.
    ahead: float | None
    ahead_interval: tuple[float, float] | None


def by_estimator(answers: Sequence[Answer]) -> dict[str, list[Answer]]:
    """The answers of each estimator, in the order in which they first appear."""
    found: dict[str, list[Answer]] = {}
    for answer in answers:
        found.setdefault(answer.estimator, []).append(answer)
    return found


def figures_of(answers: Sequence[Answer]) -> dict[str, EvaluationFigures]:
    """Figures of every estimator; the first one is what the others are compared with."""
    figures = {}
    first: dict[Path, float] = {}
    for name, own in by_estimator(answers).items():
        sets = by_key(own, lambda answer: answer.set)
        rights = dict(zip((a.path for a in own), right(own).tolist(), strict=True))
        ahead = interval = None
        if not first:
            first = rights
        elif rights.keys() == first.keys():
            gaps = [rights[a.path] - first[a.path] for a in own]
            ahead = sum(gaps) / len(gaps)
            interval = bootstrap_interval(gaps, [a.group for a in own])
        figures[name] = EvaluationFigures(
            all=measure(own),
            sets={s: measure(part) for s, part in sets.items()} if len(sets) > 1 else {},
            genres=by(own, lambda answer: answer.genre),
            decades=by(own, decade),
            confusion=confusion(own),
            ahead=ahead,
            ahead_interval=interval,
        )
    return figures


def by_key(answers: Iterable[Answer], key: Callable[[Answer], str]) -> dict[str, list[Answer]]:
    """Answers by what `key` says of them, in the order in which that first appears."""
    parts: dict[str, list[Answer]] = {}
    for answer in answers:
        parts.setdefault(key(answer), []).append(answer)
    return parts


def sure(answers: Iterable[Answer]) -> tuple[list[float], list[bool]]:
    """Confidence of each answer that has one, and whether it is right."""
    pairs = [
        (a.confidence, bool(within([a.bpm], [a.estimate])[0]))
        for a in answers
        if a.confidence is not None and a.estimate is not None
    ]
    return [c for c, _ in pairs], [ok for _, ok in pairs]


def save(folder: Path, about: RunInfo, answers: Sequence[Answer]) -> dict[str, EvaluationFigures]:
    """Write the tables of tracks and of what to look at, and the figures; returns these."""
    figures = figures_of(answers)
    write_answers(folder / TABLE, answers)
    estimators = {}
    for name, own in by_estimator(answers).items():
        values = asdict(figures[name])
        values["reliability"] = [asdict(b) for b in reliability(*sure(own))]
        paces = measure_paces(own)
        values["paces"] = None if paces is None else asdict(paces)
        estimators[name] = values
    document = {"layout": LAYOUT, "about": asdict(about), "estimators": estimators}
    write_text(folder / FIGURES, json.dumps(plain(document), indent=2) + "\n")
    write_worst(folder / WORST, worst(by_estimator(answers)[answers[0].estimator]))
    return figures


def plain(value: Any) -> Any:
    """The same without NaN, which JSON does not know: None in its place."""
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def load(folder: Path) -> tuple[RunInfo, list[Answer]]:
    """An evaluation that `save` wrote.

    Raises
    ------
    ConfigError
        If there is none, or one of another layout.
    """
    path = folder / FIGURES
    try:
        document = json.loads(path.read_text(encoding="utf-8", errors="surrogateescape"))
        if document["layout"] != LAYOUT:
            raise ConfigError(f"{path}: layout {document['layout']}, this version reads {LAYOUT}")
        values = document["about"]
        about = RunInfo(**{**values, "notes": tuple(values["notes"])})
    except OSError as error:
        raise ConfigError(
            f"{folder}: no evaluation ({FIGURES}: {error.strerror}); give the folder that "
            "tempo-core evaluate wrote"
        ) from error
    except (ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"{path}: is damaged ({error}); evaluate again") from error
    answers = read_answers(folder / TABLE)
    if not answers:
        raise ConfigError(f"{folder / TABLE}: no tracks in it; evaluate again")
    return about, answers


def worst(answers: Sequence[Answer]) -> list[Answer]:
    """The wrong answers: first those that no octave explains, then the surest.

    These are the labels to look at: an estimator that is sure of another tempo is often right.
    """

    def badness(answer: Answer) -> tuple[bool, float]:
        explained = answer.estimate and within_levels([answer.bpm], [answer.estimate])[0]
        return not explained, answer.confidence or 0.0

    wrong = [a for a in answers if a.estimate and not within([a.bpm], [a.estimate])[0]]
    return sorted(wrong, key=badness, reverse=True)


def write_worst(path: Path, wrong: Sequence[Answer]) -> None:
    """A table of wrong answers to go through; with `path` and `bpm` it can be evaluated again."""
    rows = (
        (a.path, a.bpm, a.estimate, f"{a.ratio:.3f}", a.confidence, a.name, a.estimator)
        for a in wrong
    )
    write_tsv(path, ("path", "bpm", "estimate", "ratio", "confidence", "name", "estimator"), rows)


def table(figures: Mapping[str, EvaluationFigures]) -> list[tuple[str, ...]]:
    """The main figures as text: a header, then a row an estimator and set."""
    rows: list[tuple[str, ...]] = [
        ("estimator", "set", "tracks", "failed", "in 4 %", "(95 %)", "in 8 %", "octave", "in 1 %",
         "in 10 BPM", "mean", "median", "95 %", "P-score", "ECE"),
    ]  # fmt: skip
    for name, own in figures.items():
        for set_, m in {"all": own.all, **own.sets}.items():
            low, high = m.acc1_interval
            rows.append((
                name, set_, str(m.n), str(m.n_failed), percent(m.acc1),
                f"({100 * low:.0f}-{100 * high:.0f})", percent(m.within_8_percent_of_all),
                percent(m.acc2), percent(m.within_1_percent_of_all),
                percent(m.within_10_bpm_of_all), number(m.error_mean, 1),
                number(m.error_percentiles["50"], 2), number(m.error_percentiles["95"], 1),
                number(m.p_score, 3), number(m.ece, 3),
            ))  # fmt: skip
    return rows


def told_paces(answers: Sequence[Answer]) -> list[str]:
    """How well paces were judged that somebody stated, a sentence an estimator that judges any."""
    lines = []
    for name, own in by_estimator(answers).items():
        found = measure_paces(own)
        if found is not None and found.n_candidates:
            lines.append(
                f"{name}, paces of {found.n_tracks} tracks: {percent(found.accuracy)} % of "
                f"{found.n_candidates} candidates judged as stated; {percent(found.offered)} % of "
                f"the stated paces offered, {percent(found.stated)} % of the offered ones stated"
            )
    return lines


def percent(share: float) -> str:
    """A share in 0..1 with one digit, or a dash."""
    return number(100 * share, 1)


def number(value: float, digits: int) -> str:
    """A number, or a dash where there is none."""
    return "-" if math.isnan(value) else f"{value:.{digits}f}"


def aligned(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Rows as lines of text; the first two columns to the left, numbers to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = [
            cell.ljust(width) if k < 2 else cell.rjust(width)
            for k, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        yield "  ".join(cells).rstrip()


def estimate_recordings(
    estimator: Estimator, recordings: Sequence[Recording], jobs: int = 2
) -> list[Estimate | None]:
    """Estimates in order; None for a recording that cannot be read (which is printed)."""

    def one(recording: Recording) -> Estimate | None:
        try:
            return estimator.estimate(recording.path)
        except AudioError as error:
            click.echo(f"{recording.path}: {error}", err=True)
            return None

    tasks = (joblib.delayed(one)(r) for r in recordings)
    run = joblib.Parallel(n_jobs=jobs, prefer="threads", return_as="generator")(tasks)
    return list(tqdm(run, total=len(recordings), unit="track", desc="estimating", disable=None))


def make_folder(folder: Path) -> None:
    """Make the folder of an evaluation.

    Raises
    ------
    ConfigError
        If that is not possible.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"{folder}: cannot be made ({error.strerror})") from error
    if not os.access(folder, os.W_OK):
        raise ConfigError(f"{folder}: cannot be written to; give another --out")
