"""Results that are written all at once, or not at all with one clear message."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TypeVar

from tempo_core.errors import ConfigError, StorageError, reason
from tempo_core.files import replace_file

T = TypeVar("T")


def write_bytes(path: Path, data: bytes) -> None:
    """Write a file atomically: the old one, or the new one, whenever the machine stops.

    Raises
    ------
    StorageError
        If it cannot be written; what was there is there still.
    """
    try:
        replace_file(path, data)
    except OSError as error:
        raise StorageError(
            f"{path}: cannot be written ({error.strerror}); make room or give another place"
        ) from error


def kept(folder: Path, name: str, arguments: object, make: Callable[[], T]) -> T:
    """What `make` returns as JSON has it, or what a run with the same arguments kept of it.

    Parameters
    ----------
    folder, name
        Where it is kept: `<name>-<digest of the arguments>.json`.
    arguments
        All that the result depends on, as JSON has it; what JSON does not have counts as its text.

    Raises
    ------
    ConfigError
        If a file of that name holds something else.
    StorageError
        If it cannot be written.
    """
    text = json.dumps(arguments, sort_keys=True, default=str)
    path = folder / f"{name}-{hashlib.sha256(text.encode()).hexdigest()[:8]}.json"
    if not path.exists():
        write_text(path, json.dumps(make(), indent=2) + "\n")
    try:
        result: T = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path}: cannot be read ({reason(error)}); delete it") from error
    return result


def write_text(path: Path, text: str) -> None:
    """Write text atomically as UTF-8, see `write_bytes`.

    Bytes of a file's name that are no text become those bytes again.
    """
    write_bytes(path, text.encode("utf-8", "surrogateescape"))


def write_tsv(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write a table atomically, see `tsv` and `write_bytes`."""
    write_bytes(path, tsv(header, rows))


def read_tsv(table: Path) -> list[dict[str, str]]:
    """The rows of a tab-separated table with a header line, by the names of its columns.

    Raises
    ------
    ConfigError
        If the table is missing.
    """
    if not table.exists():
        raise ConfigError(f"no table {table}; give the folder that holds it")
    with table.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def tsv(header: Sequence[str], rows: Iterable[Sequence[object]]) -> bytes:
    """A tab-separated table with a header line; None is an empty cell."""
    cells = [["" if cell is None else str(cell) for cell in row] for row in rows]
    # A carriage return in a name has to be quoted, which the standard library does not see.
    odd = any("\r" in cell for row in cells for cell in row)
    text = io.StringIO(newline="")
    writer = csv.writer(
        text,
        delimiter="\t",
        lineterminator="\n",
        quoting=csv.QUOTE_ALL if odd else csv.QUOTE_MINIMAL,
    )
    writer.writerow(header)
    writer.writerows(cells)
    return text.getvalue().encode("utf-8", "surrogateescape")
