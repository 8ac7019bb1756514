"""Formats of the output of many tracks: how a row is encoded, and the file it is appended to."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from ..columns import Column
from ..console import escaped
from ..errors import StorageError
from ..files import replace_file
from .rows import Row, cells, plain, table_names

if TYPE_CHECKING:
    from pyarrow import Schema
    from pyarrow.parquet import ParquetWriter

ROW_GROUP = 20_000  # rows of Parquet in memory at a time


class Hash(Protocol):
    """A hash of bytes that are added to it, as those of `hashlib`."""

    def update(self, data: bytes, /) -> None: ...
    def digest(self) -> bytes: ...


def new_hash(data: bytes = b"") -> Hash:
    """A hash by which an output is known again."""
    return hashlib.blake2b(data, digest_size=16)


def hashed(path: Path, size: int) -> Hash | None:
    """Hash of the first `size` bytes of a file; None if it has not so many, or cannot be read."""
    found = new_hash()
    try:
        with path.open("rb") as file:
            while size > 0 and (block := file.read(min(size, 1 << 20))):
                found.update(block)
                size -= len(block)
    except OSError:
        return None
    return found if size == 0 else None


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
    def open(self, path: Path, size: int | None, begun: Hash | None) -> Output:
        """The file: with its first `size` bytes and their hash, or new where these are None."""


class Output(ABC):
    """A file that rows are added to."""

    @abstractmethod
    def add(self, data: bytes) -> None:
        """Add a row."""

    @abstractmethod
    def sync(self) -> tuple[int, bytes] | None:
        """Let everything reach the disk; the size [bytes] and digest of the file so far.

        None if it does not grow.
        """

    @abstractmethod
    def finish(self, n_rows: int) -> tuple[int, bytes]:
        """Complete the file, which has `n_rows` rows now; its size [bytes] and digest.

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

    def open(self, path: Path, size: int | None, begun: Hash | None) -> Output:
        if size is None or begun is None:
            replace_file(path, self.header)
            size, begun = len(self.header), new_hash(self.header)
        return _LinesFile(path, size, begun)


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
    """A JSON object in each line, as those of `tempo-core estimate --format json`.

    But paths are escaped as in tables: of a byte that is no text JSON has half a surrogate pair,
    for which many programs, such as Arrow, refuse the whole file.
    """

    @property
    def names(self) -> tuple[str, ...]:
        return (*plain(Row("", None, None), self.columns), "error")

    def encode(self, row: Row) -> bytes:
        values = {**plain(row, self.columns), "path": escaped(row.path), "error": row.error}
        return json.dumps(values).encode() + b"\n"


class _LinesFile(Output):
    def __init__(self, path: Path, size: int, begun: Hash) -> None:
        self._hash = begun
        self._file = path.open("rb+")
        self._file.truncate(size)
        self._file.seek(size)

    def add(self, data: bytes) -> None:
        self._file.write(data)
        self._hash.update(data)

    def sync(self) -> tuple[int, bytes]:
        self._file.flush()
        os.fsync(self._file.fileno())
        return self._file.tell(), self._hash.digest()

    def finish(self, n_rows: int) -> tuple[int, bytes]:
        return self.sync()

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

    def open(self, path: Path, size: int | None, begun: Hash | None) -> Output:
        return _ParquetFile(path.resolve(), self._schema())

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

    def sync(self) -> None:
        return None

    def finish(self, n_rows: int) -> tuple[int, bytes]:
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
        size = self._part.stat().st_size
        whole = hashed(self._part, size)
        assert whole is not None
        self._part.replace(self._path)
        return size, whole.digest()

    def close(self) -> None:
        if self._writer is not None:
            with suppress(OSError):
                self._writer.close()
            self._part.unlink(missing_ok=True)


def _value(value: Any, kind: type | None) -> Any:
    """A cell as a value of Parquet: texts as in a table, see `escaped`."""
    if value is None or value == "":
        return None
    if isinstance(value, str):
        return escaped(value)
    return float(value) if kind is float else value


FORMATS: dict[str, type[Format]] = {".tsv": Tsv, ".jsonl": JsonLines, ".parquet": Parquet}
