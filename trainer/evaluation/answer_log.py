"""The log of an evaluation: answers as they come, so that none is asked for twice."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from tempo_core.errors import StorageError
from tempo_core.paces import format_paces, parse_paces

from .answers import Answer, LabelledRecording

if TYPE_CHECKING:
    pass

LOG = "estimates.jsonl"
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
