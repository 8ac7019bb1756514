"""The log of an evaluation, in which answers are kept so that none has to be computed twice."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any, TypeVar

from tempo_core.addresses import as_text, elsewhere, is_open_address
from tempo_core.errors import AudioError, StorageError
from tempo_core.paces import format_paces, parse_paces

from .answers import Answer, LabelledRecording

L = TypeVar("L", bound="EstimateLog")
ANSWER_LOG = "estimates.jsonl"  # file in the folder of an evaluation
LOGGED_FIELDS = ("estimator", "estimate", "second", "confidence")  # fields of an `Answer`
OPTIONAL_FIELDS = ("octave_confidence",)  # likewise, which entries of earlier versions lack


class EstimateLog:
    """A file of estimates, one line of JSON each; a context manager.

    An estimate is found by its estimator with all settings and by the path, size and modification
    time of the audio file. A line that was cut off by a crash is ignored.

    Parameters
    ----------
    path
        The file; it is made if it is missing.

    Raises
    ------
    StorageError
        On entering, if the file cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._known: dict[tuple[Any, ...], dict[str, Any]] = {}
        self._file: IO[str] | None = None

    def __enter__(self: L) -> L:
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

    def find(self, estimator: str, path: Path) -> dict[str, Any] | None:
        """The values that were kept of an audio file as it is, None if there are none."""
        return self._known.get(_key(estimator, path))

    def append(self, estimator: str, path: Path, values: Mapping[str, Any]) -> None:
        """Append values of an estimator (its source and settings) for an audio file.

        Raises
        ------
        StorageError
            If the log cannot be written.
        ValueError
            If the log is not open.
        """
        if self._file is None:
            raise ValueError("the log is not open: use it as a context manager")
        line = {"key": _key(estimator, path), **values}
        try:
            self._file.write(json.dumps(line) + "\n")
            self._file.flush()
        except OSError as error:
            raise StorageError(
                f"{self._path}: cannot be written ({error.strerror}); make room and run it again"
            ) from error


def _key(estimator: str, path: Path) -> tuple[Any, ...]:
    """(estimator, path, size [bytes], modification time [ns]), None for what is unknown."""
    name = as_text(path)
    try:
        if is_open_address(path):
            return (estimator, name, *elsewhere().state(name))
        stat = path.stat()
        return (estimator, name, stat.st_size, stat.st_mtime_ns)
    except (OSError, AudioError):
        return (estimator, name, None, None)


class AnswerLog(EstimateLog):
    """The log of tempi that were estimated.

    For tracks with stated paces, the model that judged the paces has to be the same as well.

    Parameters
    ----------
    path
        The file; it is made if it is missing.
    pace_model
        Name of the model that judges paces in this run.
    """

    def __init__(self, path: Path, pace_model: str = "") -> None:
        super().__init__(path)
        self._pace_model = pace_model

    def get(self, estimator: str, track: LabelledRecording) -> Answer | None:
        """The answer of an estimator for a track, None if the log has none for the file as it is.

        Parameters
        ----------
        estimator
            The estimator's source and settings.
        """
        entry = self.find(estimator, track.path)
        if entry is None:
            return None
        paces, by = entry.get("paces", ""), entry.get("paces_by", "")
        if track.paces and (not paces or by != self._pace_model):
            return None
        try:
            known = {name: entry[name] for name in LOGGED_FIELDS}
            known.update({name: entry.get(name) for name in OPTIONAL_FIELDS})
            return Answer(**shallow(track), **known, judged=parse_paces(paces))
        except (KeyError, TypeError, ValueError, AttributeError):
            return None

    def put(self, estimator: str, answer: Answer) -> None:
        """Append an answer of an estimator (its source and settings) to the log.

        Raises
        ------
        StorageError
            If the log cannot be written.
        ValueError
            If the log is not open.
        """
        entry = {name: getattr(answer, name) for name in (*LOGGED_FIELDS, *OPTIONAL_FIELDS)}
        paces = {"paces": format_paces(answer.judged), "paces_by": self._pace_model}
        self.append(estimator, answer.path, {**entry, **paces})


def shallow(track: LabelledRecording) -> dict[str, Any]:
    """The fields of a `LabelledRecording` by their names, without copying their values."""
    return {
        field.name: getattr(track, field.name) for field in dataclasses.fields(LabelledRecording)
    }
