"""A run of `tempo-core notes`: transcribing files, here or on a cluster, and writing the notes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..addresses import place_of, without_query
from ..console import echo, explain
from ..engines import loaded
from ..errors import StorageError, TempoError
from ..transcription.choices import Wanted
from ..transcription.storing import store
from .destinations import Destinations, Target
from .done import Done
from .engine import File, Found

if TYPE_CHECKING:
    from ..estimate import Estimator
    from ..transcription.drafts import Draft
    from ..transcription.roll import Roll, Span
    from .note_writers import DraftWriter


@dataclass(frozen=True)
class NotesWork:
    """Transcribing of files; see `engines.Work`.

    Attributes
    ----------
    model
        Name or path of the model of the notes.
    span
        The part of each file that a picture shows, None for no pictures.
    """

    model: str
    wanted: Wanted
    span: Span | None

    def load(self) -> Transcribing:
        """Load the models."""
        from ..transcription import transcribing

        return Transcribing(transcribing.load_estimator(self.model), self.wanted, self.span)

    def uses(self) -> Mapping[str, str]:
        """The models, by task."""
        transcribing = loaded(self)
        assert isinstance(transcribing, Transcribing)
        return transcribing.estimator.sources


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


@dataclass(frozen=True)
class Transcribing:
    """The function from a file to its notes and its picture, with the models in memory."""

    estimator: Estimator
    wanted: Wanted
    span: Span | None

    @property
    def models(self) -> str:
        """The models that the notes depend on."""
        return " ".join(self.estimator.sources.values())

    def __call__(self, file: File) -> Result:
        from ..transcription.drafts import draft
        from ..transcription.transcribing import transcribe

        path = file[1]
        notes = transcribe(path, self.estimator, self.wanted.threshold)
        made = draft(notes, self.wanted, Path(place_of(path)).stem)
        return Result(made, None if self.span is None else _picture(path, made, self.span))


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
    done
        Which outputs an earlier run has written.

    Attributes
    ----------
    todo
        Numbers of the files of which there is something to write.
    """

    def __init__(
        self,
        found: Sequence[Found],
        outputs: Outputs,
        writer: DraftWriter,
        draw: Callable[[Roll, str], bytes] | None,
        done: Done,
    ) -> None:
        self.n_failed = 0
        self.writer = writer
        self._draw = draw
        self._picture_form = outputs.picture_form
        # All names are given before the work, so that they do not depend on what is ready first.
        destinations = Destinations(path for path, _ in found)
        self._notes, self._pictures = (
            [None if where is None else destinations.take(where.of(path)) for path, _ in found]
            for where in (outputs.notes, outputs.picture)
        )
        self._done = done
        written = [
            [path for path in paths if isinstance(path, Path)]
            for paths in zip(self._notes, self._pictures, strict=True)
        ]
        self._keys = done.keys(zip((path for path, _ in found), written, strict=True))
        keys = zip(self._keys, written, strict=True)
        self.todo = [number for number, (key, paths) in enumerate(keys) if not done.has(key, paths)]
        self.n_done = len(found) - len(self.todo)

    def take(self, file: File, result: Result | Exception) -> None:
        """Write the output of a file, or report why there is none."""
        number, path = file
        self.n_done += 1
        problem = result if isinstance(result, Exception) else self._write(number, path, result)
        if problem is None:
            self._done.note(self._keys[number])
            return
        self.n_failed += 1
        told = explain(problem)
        if isinstance(result, Exception) or isinstance(self._notes[number], Exception):
            self.writer.failure(path, told)
        echo(f"{without_query(path)}: {told}", err=True)

    def _write(self, number: int, path: str, result: Result) -> Exception | None:
        """Write notes and picture; returns what went wrong."""
        notes, picture_to = self._notes[number], self._pictures[number]
        if isinstance(notes, Exception):
            return notes
        if result.draft.problem:
            echo(f"{without_query(path)}: {result.draft.problem}", err=True)
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
