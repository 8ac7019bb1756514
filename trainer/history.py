"""The log of a training run: a row a step or an epoch, whatever it is of."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterable
from pathlib import Path

from tempo_core.errors import ConfigError

from .files import write_text

HISTORY = "history.csv"  # beside the figures of an evaluation
LOG = "metrics.csv"  # as lightning's CSV logger names it
CLOCKS = ("epoch", "step")  # what the others are drawn against
Row = dict[str, float]


def find_log(folders: Iterable[Path]) -> Path | None:
    """The newest log in these folders or below what training runs make there, None if none is."""
    patterns = (LOG, f"*/{LOG}", f"*/*/{LOG}", f"runs/**/{LOG}")
    logs = [log for folder in folders for pattern in patterns for log in folder.glob(pattern)]
    return max(logs, key=lambda path: path.stat().st_mtime, default=None)


def read_history(path: Path) -> list[Row]:
    """The rows of a log as CSV (of lightning's logger) or as lines of JSON (of `trainer.fit`).

    What is no finite number is left out, and so is a last line that a crash cut off.

    Raises
    ------
    ConfigError
        If it cannot be read or holds no numbers.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read as a training log ({error})") from error
    rows = _json(text) if path.suffix == ".jsonl" else _csv(text)
    rows = [row for row in rows if row]
    if not rows:
        raise ConfigError(f"{path}: no numbers in this training log; give a metrics.csv")
    return rows


def _csv(text: str) -> list[Row]:
    return [_numbers(row) for row in csv.DictReader(io.StringIO(text))]


def _json(text: str) -> list[Row]:
    rows = []
    for line in text.splitlines():
        try:
            value = json.loads(line)
        except ValueError:
            continue
        if isinstance(value, dict):
            rows.append(_numbers(value))
    return rows


def _numbers(values: dict[str, object]) -> Row:
    row = {}
    for name, value in values.items():
        try:
            number = float(value)  # type: ignore[arg-type]
        except (TypeError, ValueError):
            continue
        if math.isfinite(number):
            row[str(name)] = number
    return row


def write_history(path: Path, rows: list[Row]) -> None:
    """Write a log as CSV atomically."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, names, lineterminator="\n", restval="")
    writer.writeheader()
    writer.writerows(rows)
    write_text(path, text.getvalue())


def clock(rows: list[Row]) -> str:
    """What the others are drawn against: the first of `CLOCKS` with more than one value."""
    for name in CLOCKS:
        if len({row[name] for row in rows if name in row}) > 1:
            return name
    return ""


def curve(rows: list[Row], name: str, against: str) -> tuple[list[float], list[float]]:
    """Values of one column over another (or over the row's number), where both are there.

    Several values at one place, such as the losses of an epoch's steps, become their mean.
    """
    points: dict[float, list[float]] = {}
    for k, row in enumerate(rows):
        if name in row and (not against or against in row):
            points.setdefault(row[against] if against else float(k), []).append(row[name])
    return list(points), [sum(values) / len(values) for values in points.values()]
