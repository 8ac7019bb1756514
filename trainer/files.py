"""Files with results, tables among them, which are written atomically or fail with a message."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TypeVar

from tempo_core.addresses import as_text
from tempo_core.errors import ConfigError, StorageError, reason
from tempo_core.files import replace_file

T = TypeVar("T")


def write_bytes(path: Path, data: bytes) -> None:
    """Write a file atomically: whenever the program stops, the old or the new file is complete.

    Raises
    ------
    StorageError
        If the file cannot be written; an old one is unchanged.
    """
    try:
        replace_file(path, data)
    except OSError as error:
        raise StorageError(
            f"{path}: cannot be written ({error.strerror}); make room or give another place"
        ) from error


def kept(folder: Path, name: str, arguments: object, make: Callable[[], T]) -> T:
    """The result of `make`, converted through JSON; or that of an earlier run, from a file.

    Parameters
    ----------
    folder, name
        Where the result is stored: `<name>-<digest of the arguments>.json` in the folder.
    arguments
        Everything that the result depends on; values that JSON does not have are used as text.
    make
        Computes the result if it is not stored yet.

    Raises
    ------
    ConfigError
        If the file cannot be read.
    StorageError
        If the file cannot be written.
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

    Surrogate escapes, which stand for bytes of file names that are not UTF-8, become these bytes.
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


def _cell(value: object) -> str:
    return as_text(value) if isinstance(value, Path) else str(value)


def tsv(header: Sequence[str], rows: Iterable[Sequence[object]]) -> bytes:
    """A tab-separated table with a header line, as bytes; None becomes an empty cell."""
    cells = [["" if cell is None else _cell(cell) for cell in row] for row in rows]
    # A carriage return in a cell has to be quoted, which `csv.QUOTE_MINIMAL` does not do.
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
