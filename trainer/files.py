"""Results that are written all at once, or not at all with one clear message."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from pathlib import Path

from tempo_core.errors import StorageError
from tempo_core.files import replace_file


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


def write_text(path: Path, text: str) -> None:
    """The same with text, as UTF-8; what was no text in the name of a file becomes that again."""
    write_bytes(path, text.encode("utf-8", "surrogateescape"))


def write_tsv(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """The same with a table, see `tsv`."""
    write_bytes(path, tsv(header, rows))


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
