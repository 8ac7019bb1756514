"""A run of `tempo-core notes`: transcribing files in threads, and writing what comes out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..background import parallel
from ..console import echo, explain
from ..errors import StorageError, TempoError
from ..transcription.choices import Wanted
from ..transcription.storing import store
from .destinations import Destinations, Target
from .ordered import in_order

if TYPE_CHECKING:
    from ..estimate import Estimator
    from ..transcription.drafts import Draft
    from ..transcription.roll import Roll, Span
    from .note_writers import DraftWriter

Found = tuple[str, Exception | None]  # a path, and why it cannot be used


@dataclass(frozen=True)
class Job:
    """What is done with each file; `span` is the part of it that a picture shows, None for none."""

    wanted: Wanted
    span: Span | None


@dataclass(frozen=True)
class Result:
    """The notes of a file and its picture, which may have failed; None if there is to be none."""

    draft: Draft
    picture: Roll | Exception | None


@dataclass(frozen=True)
class Outputs:
    """Where the outputs go: None for the notes is stdout, None for the picture that there is none.

    `form` is the format of the notes, `picture_form` that of pictures, one of
    `PICTURE_FORMATS`.
    """

    form: str
    notes: Target | None
    picture: Target | None
    picture_form: str


def transcribed(
    files: Sequence[Found],
    estimator: Estimator,
    job: Job,
    jobs: int,
    stopped: Callable[[], bool],
    time_limit: float | None,
) -> Iterator[tuple[tuple[int, str], Result | Exception]]:
    """Transcribe files in `jobs` threads; ((number, path), draft and picture) in their order.

    Parameters
    ----------
    stopped
        Polled during the run; as soon as it returns True, the run ends.
    time_limit
        Longest time for a file [s], None for no limit.
    """
    from ..transcription.drafts import draft
    from ..transcription.transcribing import transcribe

    def one(task: tuple[int, tuple[int, Found]]) -> Result:
        _, (_, (path, problem)) = task
        if problem is not None:
            raise problem
        made = draft(transcribe(path, estimator, job.wanted.threshold), job.wanted, Path(path).stem)
        return Result(made, None if job.span is None else _picture(path, made, job.span))

    tasks = enumerate(enumerate(files))
    with closing(parallel(one, tasks, jobs, stopped, time_limit)) as results:
        for (number, (path, _)), result in in_order(results):
            yield (number, path), result


def _picture(path: str, made: Draft, span: Span) -> Roll | Exception:
    """What a picture shows, or why there is none; the notes are written in either case."""
    from ..transcription.roll import roll

    try:
        return roll(path, made, span)
    except TempoError as error:
        return error


class Run:
    """The outputs of a run, and how many files are done and have failed.

    Parameters
    ----------
    found
        All files of the run.
    draw
        What draws pictures, see `roll.drawing`; None if there are to be none.
    """

    def __init__(
        self,
        found: Sequence[Found],
        outputs: Outputs,
        writer: DraftWriter,
        draw: Callable[[Roll, str], bytes] | None,
    ) -> None:
        self.n_done = self.n_failed = 0
        self.writer = writer
        self._draw = draw
        self._picture_form = outputs.picture_form
        # All names are given before the work, so that they do not depend on what is ready first.
        destinations = Destinations(path for path, _ in found)
        self._notes, self._pictures = (
            [None if where is None else destinations.take(where.of(path)) for path, _ in found]
            for where in (outputs.notes, outputs.picture)
        )

    def take(self, file: tuple[int, str], result: Result | Exception) -> None:
        """Write the output of a file, or report why there is none."""
        number, path = file
        self.n_done += 1
        problem = result if isinstance(result, Exception) else self._write(number, path, result)
        if problem is None:
            return
        self.n_failed += 1
        told = explain(problem)
        if isinstance(result, Exception) or isinstance(self._notes[number], Exception):
            self.writer.failure(path, told)
        echo(f"{path}: {told}", err=True)

    def _write(self, number: int, path: str, result: Result) -> Exception | None:
        """Write notes and picture; returns what went wrong."""
        notes, picture_to = self._notes[number], self._pictures[number]
        if isinstance(notes, Exception):
            return notes
        if result.draft.problem:
            echo(f"{path}: {result.draft.problem}", err=True)
        try:
            self.writer.draft(path, result.draft, notes)
        except StorageError as error:
            return error
        if picture_to is None or isinstance(picture_to, Exception):
            return picture_to
        return self._write_picture(picture_to, result.picture)

    def _write_picture(self, path: Path, picture: Roll | Exception | None) -> Exception | None:
        """Draw and write a picture; returns what went wrong."""
        if picture is None or isinstance(picture, Exception) or self._draw is None:
            return picture if isinstance(picture, Exception) else None
        try:
            store(path, self._draw(picture, self._picture_form))
        except StorageError as error:
            return error
        return None
