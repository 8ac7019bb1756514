"""Formats of the output of many tracks: how a row is encoded, and the file it is appended to."""

from __future__ import annotations

import csv
import io
import json
import os
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..columns import Column
from ..console import escaped
from ..errors import StorageError
from ..files import replace_file
from .rows import Row, cells, plain, table_names

if TYPE_CHECKING:
    from pyarrow import Schema
    from pyarrow.parquet import ParquetWriter

ROW_GROUP = 20_000  # rows of Parquet in memory at a time


class Format(ABC):
    """A format of output: `encode` makes the bytes of a row, `open` the file they are added to."""

    # Whether a file can be read, and added to, at any time; if not, it is made anew by each run.
    grows = True
    # Packages that write it, beside those that every installation has.
    needs: tuple[str, ...] = ()

    def __init__(self, columns: Mapping[str, Column]) -> None:
        self.columns = columns

    @property
    @abstractmethod
    def names(self) -> tuple[str, ...]:
        """Names of all columns, in their order."""

    @abstractmethod
    def encode(self, row: Row) -> bytes:
        """The bytes of a row."""

    @abstractmethod
    def open(self, path: Path, size: int | None) -> Output:
        """The file: with its first `size` bytes as they are, or new where `size` is None."""


class Output(ABC):
    """A file that rows are added to."""

    @abstractmethod
    def add(self, data: bytes) -> None:
        """Add a row."""

    @abstractmethod
    def sync(self) -> int | None:
        """Let everything reach the disk; the size of the file [bytes], None if it does not grow."""

    @abstractmethod
    def finish(self, n_rows: int) -> None:
        """Complete the file, which has `n_rows` rows now.

        Raises
        ------
        StorageError
            If it does not have them; an earlier file stays.
        """

    @abstractmethod
    def close(self) -> None:
        """Close the file, complete or not."""


class Lines(Format):
    """A format of lines, with a header or without."""

    header = b""

    def open(self, path: Path, size: int | None) -> Output:
        if size is None:
            replace_file(path, self.header)
        return _LinesFile(path, size if size is not None else len(self.header))


class Tsv(Lines):
    """A tab-separated table, as `tempo-core estimate --format tsv` prints it, in UTF-8."""

    def __init__(self, columns: Mapping[str, Column]) -> None:
        super().__init__(columns)
        self.header = self._line(self.names)

    @property
    def names(self) -> tuple[str, ...]:
        return table_names(self.columns)

    def encode(self, row: Row) -> bytes:
        found = cells(row, self.columns)
        return self._line(_cell(found.get(name)) for name in self.names)

    @staticmethod
    def _line(values: Iterable[Any]) -> bytes:
        text = io.StringIO()
        csv.writer(text, delimiter="\t", lineterminator="\n").writerow(values)
        return text.getvalue().encode()


def _cell(value: Any) -> Any:
    if isinstance(value, str):
        return escaped(value)
    return "" if value is None else value


class JsonLines(Lines):
    """A JSON object in each line, as those of `tempo-core estimate --format json`."""

    @property
    def names(self) -> tuple[str, ...]:
        return (*plain(Row("", None, None), self.columns), "error")

    def encode(self, row: Row) -> bytes:
        return json.dumps({**plain(row, self.columns), "error": row.error}).encode() + b"\n"


class _LinesFile(Output):
    def __init__(self, path: Path, size: int) -> None:
        self._file = path.open("rb+")
        self._file.truncate(size)
        self._file.seek(size)

    def add(self, data: bytes) -> None:
        self._file.write(data)

    def sync(self) -> int | None:
        self._file.flush()
        os.fsync(self._file.fileno())
        return self._file.tell()

    def finish(self, n_rows: int) -> None:
        self.sync()

    def close(self) -> None:
        self._file.close()


class Parquet(Format):
    """A Parquet file with a column for each column of the tasks, typed; texts as in a table.

    The file is written under another name and takes its place when it is complete, because a
    Parquet file without its end cannot be read.
    """

    grows = False
    needs = ("pyarrow.parquet",)

    @property
    def names(self) -> tuple[str, ...]:
        return ("path", *self.columns, "error")

    def encode(self, row: Row) -> bytes:
        return json.dumps(cells(row, self.columns)).encode()

    def open(self, path: Path, size: int | None) -> Output:
        return _ParquetFile(path, self._schema())

    def _schema(self) -> Schema:
        import pyarrow

        kinds = {float: pyarrow.float64(), int: pyarrow.int64(), str: pyarrow.string()}
        fields = [(name, kinds[column.kind]) for name, column in self.columns.items()]
        return pyarrow.schema(
            [("path", pyarrow.string()), *fields, ("error", pyarrow.string())]
        )  # fmt: skip


class _ParquetFile(Output):
    def __init__(self, path: Path, schema: Schema) -> None:
        from pyarrow.parquet import ParquetWriter

        self._path, self._schema = path, schema
        self._part = path.with_name(f".{path.name}.part")
        self._writer: ParquetWriter | None = ParquetWriter(self._part, schema, compression="zstd")
        self._rows: list[dict[str, Any]] = []

    def add(self, data: bytes) -> None:
        self._rows.append(json.loads(data))
        if len(self._rows) >= ROW_GROUP:
            self._write()

    def _write(self) -> None:
        import pyarrow

        kinds = {field.name: float if "double" in str(field.type) else None
                 for field in self._schema}  # fmt: skip
        found = {
            name: [_value(row.get(name), kind) for row in self._rows]
            for name, kind in kinds.items()
        }
        assert self._writer is not None
        self._writer.write_table(pyarrow.table(found, schema=self._schema))
        self._rows = []

    def sync(self) -> int | None:
        return None

    def finish(self, n_rows: int) -> None:
        from pyarrow.parquet import read_metadata

        if self._rows:
            self._write()
        assert self._writer is not None
        self._writer.close()
        self._writer = None
        with self._part.open("rb+") as file:
            os.fsync(file.fileno())
        if (written := read_metadata(self._part).num_rows) != n_rows:
            raise StorageError(f"{self._path}: {written} rows were written and not {n_rows}")
        self._part.replace(self._path)

    def close(self) -> None:
        if self._writer is not None:
            with suppress(OSError):
                self._writer.close()
            self._part.unlink(missing_ok=True)


def _value(value: Any, kind: type | None) -> Any:
    """A cell as a value of Parquet; bytes of names that are no text are escaped."""
    if value is None or value == "":
        return None
    if isinstance(value, str):
        return value if value.isascii() else escaped_surrogates(value)
    return float(value) if kind is float else value


def escaped_surrogates(text: str) -> str:
    r"""Text that UTF-8 can hold: a byte that is no valid text becomes `\xff`."""
    return text.encode("utf-8", "backslashreplace").decode().replace("\\udc", "\\x")


FORMATS: dict[str, type[Format]] = {".tsv": Tsv, ".jsonl": JsonLines, ".parquet": Parquet}
