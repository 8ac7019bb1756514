"""Answers of estimators of the key for tracks of a known key, their log and their table."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tempo_core.errors import ConfigError
from tempo_core.keys import Key, parse_key

from ..files import write_tsv
from .answer_log import EstimateLog
from .answers import LabelledRecording, read_rows

KEY_ANSWERS_TABLE = "keys.tsv"
KEY_LOG = "key-estimates.jsonl"


@dataclass(frozen=True)
class KeyAnswer:
    """The answer of one estimator for a track whose key is known.

    Attributes
    ----------
    track
        With its key.
    estimate
        None if no key is likely enough for the estimator, or it failed; `failure` says why.
    confidence
        In 0..1; None for estimators that state none.
    """

    track: LabelledRecording
    estimator: str
    estimate: Key | None = None
    confidence: float | None = None
    failure: str = ""

    @property
    def reference(self) -> Key:
        """The known key."""
        assert self.track.key is not None
        return self.track.key

    @property
    def right(self) -> bool:
        """Whether it is the very key."""
        return self.estimate == self.reference


class KeyLog(EstimateLog):
    """The log of keys that were estimated, see `EstimateLog`."""

    def get(self, estimator: str, name: str, track: LabelledRecording) -> KeyAnswer | None:
        """The answer for a track, None if the log has none for the file as it is.

        Parameters
        ----------
        estimator
            The estimator's source and settings; `name` is that for people.
        """
        entry = self.find(estimator, track.path)
        if entry is None:
            return None
        try:
            text, confidence = entry["estimate"], entry["confidence"]
            sure = None if confidence is None else float(confidence)
            return KeyAnswer(track, name, None if text is None else parse_key(text), sure)
        except (KeyError, TypeError, ValueError, AttributeError):
            return None

    def put(self, estimator: str, answer: KeyAnswer) -> None:
        """Append an answer of an estimator (its source and settings).

        Raises
        ------
        StorageError
            If the log cannot be written.
        """
        key = None if answer.estimate is None else str(answer.estimate)
        values = {"estimate": key, "confidence": answer.confidence}
        self.append(estimator, answer.track.path, values)


KEY_COLUMNS = (
    "estimator", "set", "split", "path", "name", "group", "genre", "key", "estimate", "confidence",
    "failure",
)  # fmt: skip


def write_key_answers(path: Path, answers: Iterable[KeyAnswer]) -> None:
    """Write a table of answers atomically."""
    write_tsv(path, KEY_COLUMNS, map(_row, answers))


def _row(answer: KeyAnswer) -> list[Any]:
    track = answer.track
    return [
        answer.estimator, track.set, track.split, track.path, track.name, track.group, track.genre,
        answer.reference, answer.estimate, answer.confidence, answer.failure,
    ]  # fmt: skip


def read_key_answers(path: Path) -> list[KeyAnswer]:
    """The rows of a table that `write_key_answers` wrote.

    Raises
    ------
    ConfigError
        If the file does not exist or is not such a table.
    """
    answers = []
    for number, row in read_rows(path, KEY_COLUMNS, "the folder of an evaluation"):
        key = parse_key(row["key"])
        if key is None:
            raise ConfigError(f"{path}, line {number}: key is {row['key']!r}; evaluate again")
        try:
            confidence = float(row["confidence"]) if row["confidence"] else None
        except ValueError as error:
            raise ConfigError(f"{path}, line {number}: {error}") from error
        track = LabelledRecording(
            Path(row["path"]), 0.0, row["set"], row["split"], row["name"], row["group"],
            row["genre"], key=key,
        )  # fmt: skip
        estimate = parse_key(row["estimate"])
        answers.append(KeyAnswer(track, row["estimator"], estimate, confidence, row["failure"]))
    return answers
