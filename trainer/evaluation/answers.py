"""Answers of estimators for labelled tracks, and the table in which they are stored."""

from __future__ import annotations

import csv
import dataclasses
import math
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tempo_core.errors import ConfigError
from tempo_core.keys import Key
from tempo_core.paces import FASTEST_PACE, SLOWEST_PACE, Pace, format_paces, parse_paces

from ..files import write_tsv

ANSWERS_TABLE = "tracks.tsv"


@dataclass(frozen=True)
class LabelledRecording:
    """A labelled track whose tempo or key is to be estimated.

    `bpm` is the label, 0 if only the key is known, and `alternatives` are other tempi [BPM] that
    are published or plausible. `weight` is the share of listeners, 0..1, who count `bpm` rather
    than the first alternative; None if it is unknown. `group`, such as the artist, is the unit
    that the bootstrap draws.
    """

    path: Path
    bpm: float
    set: str = ""  # part of the evaluation; there are figures for each, and for all together
    split: str = ""
    name: str = ""  # artist and title, to be shown to the user
    group: str = ""
    genre: str = ""
    alternatives: tuple[float, ...] = ()
    weight: float | None = None
    # Paces [BPM] that a person stated: one can move to the music at these and at no others.
    paces: tuple[float, ...] = field(default=(), kw_only=True)
    key: Key | None = field(default=None, kw_only=True)  # as a person or a site gave it


@dataclass(frozen=True)
class Answer(LabelledRecording):
    """A track and the answer of one estimator.

    `estimate` [BPM] is None if the estimator failed; `failure` says why. `second` [BPM] is the next
    probable pace, None if there is none. `confidence` and `octave_confidence` (see
    `tempo_core.Estimate`), 0..1, are None for estimators that state none.
    """

    estimator: str = ""
    estimate: float | None = None
    second: float | None = None
    confidence: float | None = None
    failure: str = ""
    # The candidates that were judged, with their probabilities.
    judged: tuple[Pace, ...] = field(default=(), kw_only=True)
    octave_confidence: float | None = field(default=None, kw_only=True)

    @property
    def ratio(self) -> float | None:
        """The estimate divided by the label, None if there is no estimate."""
        return None if self.estimate is None else self.estimate / self.bpm

    @property
    def error(self) -> float | None:
        """The estimate minus the label [BPM], None if there is no estimate."""
        return None if self.estimate is None else self.estimate - self.bpm


ANSWER_COLUMNS = (
    "estimator", "set", "split", "path", "name", "group", "genre", "bpm", "alternatives", "weight",
    "estimate", "second", "confidence", "ratio", "error", "failure",
)  # fmt: skip
FURTHER_COLUMNS = ("paces", "judged", "octave_confidence")  # which older tables lack
_OPTIONAL_NUMBERS = ("weight", "estimate", "second", "confidence", "octave_confidence")


def write_answers(path: Path, answers: Iterable[Answer]) -> None:
    """Write a table of answers atomically. Ratio and error are only for people who read it."""
    names = (*ANSWER_COLUMNS, *FURTHER_COLUMNS)
    write_tsv(path, names, ([_cell(n, getattr(a, n)) for n in names] for a in answers))


def _cell(name: str, value: Any) -> Any:
    """The cell of a table for the field `name` of an answer."""
    if name == "judged":
        return format_paces(value)
    if name in ("alternatives", "paces"):
        return ";".join(f"{bpm:g}" for bpm in value)
    if name in ("ratio", "error") and value is not None:
        return f"{value:.3f}"
    return value


def read_answers(path: Path) -> list[Answer]:
    """The rows of a table that `write_answers` wrote.

    Raises
    ------
    ConfigError
        If the file does not exist or is not such a table.
    """
    rows = read_rows(path, ANSWER_COLUMNS, "the folder of an evaluation")
    answers = []
    names = {known.name for known in dataclasses.fields(Answer)}
    for number, row in rows:
        values: dict[str, Any] = {name: row.get(name, "") for name in names}
        try:
            values["path"], values["key"] = Path(row["path"]), None
            values["bpm"] = tempo(row["bpm"])
            values["alternatives"] = tempi(row["alternatives"])
            values["paces"] = tempi(row.get("paces", ""))
            values["judged"] = parse_paces(row.get("judged", ""))
            for name in _OPTIONAL_NUMBERS:
                values[name] = float(row[name]) if row.get(name) else None
        except ValueError as error:
            raise ConfigError(f"{path}, line {number}: {error}") from error
        answers.append(Answer(**values))
    return answers


def read_rows(
    path: Path, columns: Sequence[str], wanted: str, one_of: Sequence[str] = ()
) -> list[tuple[int, dict[str, str]]]:
    """The rows of a tab-separated table, as (line number, cells by the name of their column).

    Parameters
    ----------
    columns
        Names of the columns that the table needs to have.
    wanted
        Description of the file that is expected, for the message of an error.
    one_of
        Names of columns of which it needs to have one.

    Raises
    ------
    ConfigError
        If the table cannot be read or lacks a column.
    """
    try:
        # A pipe would wait for its writer, and a device has no end.
        if path.exists() and not (path.is_file() or path.is_dir()):
            raise ConfigError(f"{path}: is not a regular file; give {wanted}")
        with path.open(newline="", encoding="utf-8", errors="surrogateescape") as file:
            reader = csv.DictReader(file, delimiter="\t", restval="")
            there = reader.fieldnames or ()
            missing = [name for name in columns if name not in there]
            if one_of and not any(name in there for name in one_of):
                missing.append(" or ".join(one_of))
            if missing:
                raise ConfigError(f"{path}: has no column {', '.join(missing)}; give {wanted}")
            return [(reader.line_num, row) for row in reader]
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror}); give {wanted}") from error
    except csv.Error as error:
        raise ConfigError(f"{path}: is no table ({error}); give {wanted}") from error


def tempo(text: str) -> float:
    """The tempo [BPM] in a cell of a table.

    Raises
    ------
    ValueError
        If the text is not a positive finite number.
    """
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value > 0):
        raise ValueError(f"bpm is {text!r}; give a number above 0")
    return value


def tempi(text: str) -> tuple[float, ...]:
    """The tempi [BPM] in a text, separated by semicolons.

    Raises
    ------
    ValueError
        If one of them is not a positive finite number.
    """
    return tuple(tempo(part) for part in text.split(";") if part.strip())


def pace_list(text: str) -> tuple[float, ...]:
    """The stated paces [BPM] in a text, separated by spaces or commas.

    The result is () for an empty text, and for paces with probabilities, which were estimated and
    not stated.

    Raises
    ------
    ValueError
        If one of them is not a number from `SLOWEST` to `FASTEST`.
    """
    with suppress(ValueError):
        if parse_paces(text):
            return ()
    paces = []
    for word in text.replace(",", " ").split():
        try:
            paces.append(float(word))
        except ValueError:
            paces.append(math.nan)
        if not SLOWEST_PACE <= paces[-1] <= FASTEST_PACE:
            raise ValueError(
                f"{word!r} is no pace; give tempi from {SLOWEST_PACE:g} to {FASTEST_PACE:g} BPM "
                "with spaces between"
            )
    return tuple(paces)
