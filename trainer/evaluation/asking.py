"""Asking estimators for the tempi of labelled tracks.

The answers come from the same estimator that users run, on audio files. Each answer is appended to
a log at once and never computed again. So an interrupted run continues where it was, and a later
comparison with another model only takes the time of that model.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
import joblib
from tqdm import tqdm

from tempo_core import checkpoint
from tempo_core.addresses import as_text
from tempo_core.background import TIME_LIMIT, never, parallel
from tempo_core.console import explain
from tempo_core.designs import TempoEstimator
from tempo_core.engines import Engine, Work
from tempo_core.engines.sharing import shared_path
from tempo_core.errors import AudioError
from tempo_core.estimate import Estimate, Estimator

from .answers import Answer, LabelledRecording
from .baselines import name_of
from .metrics import within

if TYPE_CHECKING:
    from ..inputs.recordings import Recording
from .answer_log import ANSWER_LOG, AnswerLog, shallow

R = TypeVar("R")
AskTask = tuple[int, str, str]  # number, path and genre of a track


@dataclass(frozen=True)
class AskingOptions:
    """Options of asking estimators.

    `jobs` tracks are processed at a time, each for at most `time_limit` [s]. `stopped` is called
    ten times a second; once it returns True, tracks in progress are abandoned. `engine` is that of
    a cluster, None for threads; `works` are what it does for each estimator, by its source.
    """

    jobs: int
    stopped: Callable[[], bool] = never
    time_limit: float = TIME_LIMIT
    engine: Engine | None = None
    works: Mapping[str, Work[AskTask, Any]] = field(default_factory=dict)

    def each(
        self,
        source: str,
        function: Callable[[LabelledRecording], R],
        tracks: Sequence[LabelledRecording],
    ) -> Iterator[tuple[LabelledRecording, R | Exception]]:
        """Tracks with what an estimator says of them, as it comes.

        Parameters
        ----------
        source
            Of the estimator.
        function
            Asks it in a thread; on a cluster its work is done instead.
        """
        if self.engine is None:
            return parallel(function, tracks, self.jobs, self.stopped, self.time_limit)
        tasks = (
            (k, shared_path(as_text(track.path)), track.genre) for k, track in enumerate(tracks)
        )
        found = self.engine.each(self.works[source], tasks, self.stopped, self.time_limit)
        return ((tracks[task[0]], result) for task, result in found)


def answer_of(track: LabelledRecording, estimator: str, result: Estimate | Exception) -> Answer:
    """The answer for a track, made of an estimator's result or of the exception it raised."""
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
        octave_confidence=result.octave_confidence,
    )


def ask(
    estimator: TempoEstimator,
    settings: str,
    tracks: Sequence[LabelledRecording],
    log: AnswerLog,
    options: AskingOptions,
) -> Iterator[Answer]:
    """Yield the answers of one estimator: first those in the log, then new ones, which are logged.

    Parameters
    ----------
    settings
        Other settings that the answers depend on, such as the number of windows.
    """
    name, stopped, time_limit = name_of(estimator.source), options.stopped, options.time_limit
    by_genre = isinstance(estimator, Estimator) and estimator.counts_by_genre

    def identity(track: LabelledRecording) -> str:
        genre = f" genre={track.genre}" if by_genre and track.genre else ""
        return f"{estimator.source} {settings}{genre}"

    unknown = []
    noted = parallel(lambda track: log.get(identity(track), track), tracks, 1, stopped, time_limit)
    for track, known in noted:
        if isinstance(known, Exception):
            yield answer_of(track, name, known)
        elif known is None:
            unknown.append(track)
        else:
            yield known
    estimates = options.each(
        estimator.source, lambda track: estimated(estimator, track.path, track.genre), unknown
    )
    for track, result in estimates:
        answer = answer_of(track, name, result)
        if not answer.failure:  # failures are not logged, because the next run may succeed
            log.put(identity(track), answer)
        yield answer


def estimated(estimator: TempoEstimator, path: Path, genre: str) -> Estimate:
    """The estimate of a track; a model that counts by genre is told its genre, where known."""
    if isinstance(estimator, Estimator):
        return estimator.estimate(path, genre or None)
    return estimator.estimate(path)


def ask_all(
    estimators: Sequence[TempoEstimator],
    windows: int | str,
    tracks: Sequence[LabelledRecording],
    folder: Path,
    options: AskingOptions,
    done: Callable[[Answer], None],
) -> list[Answer]:
    """The answers of all estimators for all tracks, in their order; fewer if the run was stopped.

    Parameters
    ----------
    windows
        Number of windows that the estimators were made with, or `all`.
    folder
        Folder of the log of answers. Answers that are in it are not computed again.
    done
        Called with each answer as soon as it is known.
    """
    order = {track.path: k for k, track in enumerate(tracks)}
    answers = []
    with AnswerLog(folder / ANSWER_LOG, checkpoint.resolve("default", "pace").stem) as log:
        for estimator in estimators:
            own = []
            for answer in ask(estimator, f"windows={windows}", tracks, log, options):
                own.append(answer)
                done(answer)
            answers += sorted(own, key=lambda answer: order[answer.path])
    return answers


def estimate_recordings(
    estimator: Estimator, recordings: Sequence[Recording], jobs: int = 2
) -> list[Estimate | None]:
    """Estimates in order; None for a recording that cannot be read, which is reported on stderr."""

    def one(recording: Recording) -> Estimate | None:
        try:
            return estimator.estimate(recording.path)
        except AudioError as error:
            click.echo(f"{recording.path}: {error}", err=True)
            return None

    tasks = (joblib.delayed(one)(r) for r in recordings)
    run = joblib.Parallel(n_jobs=jobs, prefer="threads", return_as="generator")(tasks)
    return list(tqdm(run, total=len(recordings), unit="track", desc="estimating", disable=None))
