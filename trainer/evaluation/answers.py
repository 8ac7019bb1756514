"""What estimators said of labelled tracks: one row an answer, and the table that keeps them."""

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
from tempo_core.paces import FASTEST_PACE, SLOWEST_PACE, Pace, format_paces, parse_paces

from ..files import write_tsv

TABLE = "tracks.tsv"


@dataclass(frozen=True)
class LabelledRecording:
    """A track to be estimated, with what is known about it.

    `weight` is how much of the people count `bpm` rather than the first of the `alternatives`,
    in 0..1, None where nobody asked them. `group` is what the bootstrap draws, such as the artist.
    """

    path: Path
    bpm: float
    set: str = ""  # figures are given for each, and for all together
    split: str = ""
    name: str = ""  # for people: artist and title
    group: str = ""
    genre: str = ""
    alternatives: tuple[float, ...] = ()
    weight: float | None = None
    # That a person stated: at these one can move to it, at no others.
    paces: tuple[float, ...] = field(default=(), kw_only=True)


@dataclass(frozen=True)
class Answer(LabelledRecording):
    """A track and what one estimator said of it.

    `estimate` [BPM] is None where it failed, `failure` says why. `second` is the next probable
    pace. `confidence` is None for an estimator that has none.
    """

    estimator: str = ""
    estimate: float | None = None
    second: float | None = None
    confidence: float | None = None
    failure: str = ""
    # The paces that were looked at, with their probabilities.
    judged: tuple[Pace, ...] = field(default=(), kw_only=True)

    @property
    def ratio(self) -> float | None:
        """The estimate over the label."""
        return None if self.estimate is None else self.estimate / self.bpm

    @property
    def error(self) -> float | None:
        """The estimate minus the label [BPM]."""
        return None if self.estimate is None else self.estimate - self.bpm


COLUMNS = (
    "estimator", "set", "split", "path", "name", "group", "genre", "bpm", "alternatives", "weight",
    "estimate", "second", "confidence", "ratio", "error", "failure",
)  # fmt: skip
PACES = ("paces", "judged")  # columns that older tables have not
_NUMBERS = ("weight", "estimate", "second", "confidence")


def write_answers(path: Path, answers: Iterable[Answer]) -> None:
    """Write the table atomically; ratio and error are there for whoever reads it."""
    names = (*COLUMNS, *PACES)
    write_tsv(path, names, ([_cell(n, getattr(a, n)) for n in names] for a in answers))


def _cell(name: str, value: Any) -> Any:
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
        If there is none, or it is not one of these.
    """
    rows = read_rows(path, COLUMNS, "the folder of an evaluation")
    answers = []
    names = {known.name for known in dataclasses.fields(Answer)}
    for number, row in rows:
        values: dict[str, Any] = {name: row.get(name, "") for name in names}
        try:
            values["path"] = Path(row["path"])
            values["bpm"] = tempo(row["bpm"])
            values["alternatives"] = tempi(row["alternatives"])
            values["paces"] = tempi(row.get("paces", ""))
            values["judged"] = parse_paces(row.get("judged", ""))
            for name in _NUMBERS:
                values[name] = float(row[name]) if row[name] else None
        except ValueError as error:
            raise ConfigError(f"{path}, line {number}: {error}") from error
        answers.append(Answer(**values))
    return answers


def read_rows(path: Path, columns: Sequence[str], wanted: str) -> list[tuple[int, dict[str, str]]]:
    """The rows of a tab-separated table that has at least these columns, with their line numbers.

    Parameters
    ----------
    wanted
        What to give instead, for the message.

    Raises
    ------
    ConfigError
        If it cannot be read or lacks a column.
    """
    try:
        with path.open(newline="", encoding="utf-8", errors="surrogateescape") as file:
            reader = csv.DictReader(file, delimiter="\t", restval="")
            missing = [name for name in columns if name not in (reader.fieldnames or ())]
            if missing:
                raise ConfigError(f"{path}: has no column {', '.join(missing)}; give {wanted}")
            return [(reader.line_num, row) for row in reader]
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror}); give {wanted}") from error
    except csv.Error as error:
        raise ConfigError(f"{path}: is no table ({error}); give {wanted}") from error


def tempo(text: str) -> float:
    """A tempo from a table [BPM].

    Raises
    ------
    ValueError
        If it is not a positive finite number.
    """
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value > 0):
        raise ValueError(f"bpm is {text!r}; give a number above 0")
    return value


def tempi(text: str) -> tuple[float, ...]:
    """Several tempi with semicolons between them."""
    return tuple(tempo(part) for part in text.split(";") if part.strip())


def pace_list(text: str) -> tuple[float, ...]:
    """Stated tempi with spaces or commas between them.

    () for an empty text, and for tempi with probabilities, which were estimated and not stated.

    Raises
    ------
    ValueError
        If one of them is none that anybody moves at.
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
