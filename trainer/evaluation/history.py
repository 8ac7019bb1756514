"""Training logs: one row for each step or epoch, of any network."""

from __future__ import annotations

import csv
import io
import json
import math
import re
from pathlib import Path
from typing import Any

from tempo_core.errors import ConfigError, reason

from ..files import write_text

HISTORY = "history.csv"  # copy of a training log in the folder of an evaluation
LIGHTNING_LOG = "metrics.csv"  # name of the files of lightning's CSV logger
CLOCKS = ("epoch", "step")  # columns against which the others are plotted
Row = dict[str, float]
_VERSION = re.compile(r"version_(\d+)")


def read_history(path: Path) -> list[Row]:
    """The rows of a training log: CSV (of lightning's logger) or lines of JSON (`making.tempo`).

    Values that are not finite numbers are left out, and so is a last line that was cut off by a
    crash. If the log is one of several starts of a run (see `read_run`), all of them are read.

    Raises
    ------
    ConfigError
        If the log cannot be read or holds no numbers.
    """
    if path.name == LIGHTNING_LOG and _VERSION.fullmatch(path.parent.name):
        rows = read_run(path.parent.parent)
    else:
        rows = _read(path)
    if not rows:
        raise ConfigError(f"{path}: no numbers in this training log; give a metrics.csv")
    return rows


def read_run(folder: Path) -> list[Row]:
    """The log of a run with lightning's CSV logger, one row for each epoch.

    Every start of a run writes its own log. A run that was killed continues from its last
    checkpoint in a new log; later epochs in the earlier log were repeated and are ignored.

    Raises
    ------
    ConfigError
        If a log cannot be read.
    """
    logs = [
        (path, _VERSION.fullmatch(path.parent.name)) for path in folder.glob(f"*/{LIGHTNING_LOG}")
    ]
    epochs: dict[float, Row] = {}
    for path in [p for _, p in sorted((int(found[1]), p) for p, found in logs if found)]:
        rows = [row for row in _read(path) if "epoch" in row]
        first = min((row["epoch"] for row in rows), default=math.inf)
        epochs = {epoch: row for epoch, row in epochs.items() if epoch < first}
        for row in rows:
            epochs.setdefault(row["epoch"], {}).update(row)
    return [epochs[epoch] for epoch in sorted(epochs)]


def _read(path: Path) -> list[Row]:
    """The rows of one file, without empty ones; steps are numbered through all phases.

    Raises
    ------
    ConfigError
        If the file cannot be read.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read as a training log ({reason(error)})") from error
    rows = _json(text) if text.lstrip().startswith("{") else _csv(text)
    return _in_a_row([row for row in rows if row])


def _in_a_row(rows: list[Row]) -> list[Row]:
    """Rows whose steps are numbered through all phases, each of which begins at 1 in the log."""
    before, last = 0.0, {"phase": 1.0, "step": 0.0}
    found = []
    for row in rows:
        if "phase" not in row or "step" not in row:
            found.append(row)
            continue
        if row["phase"] > last["phase"]:
            before += last["step"]
        last = row
        found.append({**row, "step": before + row["step"]})
    return found


def pack(rows: list[Row]) -> dict[str, list[Any]]:
    """Rows in a compact form for a model's card: names only once, values with five digits."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    values = [
        [float(f"{row[name]:.5g}") if name in row else None for name in names] for row in rows
    ]
    return {"names": names, "rows": values}


def unpack(packed: object) -> list[Row]:
    """The rows that `pack` packed; none if `packed` has another form."""
    match packed:
        case {"names": list() as names, "rows": list() as rows}:
            return [
                _numbers(dict(zip(map(str, names), row, strict=False)))
                for row in rows
                if isinstance(row, list)
            ]
    return []


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
    """The values that are finite numbers."""
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
    """Write a training log as CSV atomically."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, names, lineterminator="\n", restval="")
    writer.writeheader()
    writer.writerows(rows)
    write_text(path, text.getvalue())


def clock(rows: list[Row]) -> str:
    """The column to plot the others against: the first of `CLOCKS` with more than one value.

    It is empty if there is none.
    """
    for name in CLOCKS:
        if len({row[name] for row in rows if name in row}) > 1:
            return name
    return ""


def curve(rows: list[Row], name: str, against: str) -> tuple[list[float], list[float]]:
    """Points (x, y) of a curve: one column against another, from the rows that have both.

    Several values at the same x, such as the losses of an epoch's steps, are averaged.

    Parameters
    ----------
    against
        Column of x; empty for the number of the row.
    """
    points: dict[float, list[float]] = {}
    for k, row in enumerate(rows):
        if name in row and (not against or against in row):
            points.setdefault(row[against] if against else float(k), []).append(row[name])
    return list(points), [sum(values) / len(values) for values in points.values()]
