"""Output of transcriptions: files, or one table or JSON array on standard output."""

from __future__ import annotations

import csv
import json
import os
import sys
from pathlib import Path
from typing import Protocol

import click

from ..addresses import without_query
from ..console import counted, echo, encoding_of, escaped
from ..files import STDOUT
from ..transcription.drafts import Draft
from ..transcription.formats import encode
from ..transcription.storing import store
from ..transcription.tables import COLUMNS, plain, tsv_rows


class DraftWriter(Protocol):
    """Interface of the outputs: `draft` and `failure` for each file in turn, `end` after all."""

    def draft(self, path: str, draft: Draft, destination: Path | None) -> None: ...
    def failure(self, path: str, error: str) -> None: ...
    def end(self) -> None: ...


class FileWriter:
    """A file for each track, and a line about it on stdout, or on stderr if that is the file.

    Parameters
    ----------
    form
        One of `choices.FORMATS`.
    """

    def __init__(self, form: str) -> None:
        self._form = form

    def draft(self, path: str, draft: Draft, destination: Path | None) -> None:
        """Write the file.

        Raises
        ------
        StorageError
            If it cannot be written; what was there before stays.
        """
        assert destination is not None
        data, is_stdout = encode(draft, self._form), _is_stdout(destination)
        store(destination, data)
        echo(f"{without_query(path)}: {summary(draft)} -> {destination}", err=is_stdout)

    def failure(self, path: str, error: str) -> None:
        pass

    def end(self) -> None:
        pass


class TableWriter:
    """A table of all notes on stdout.

    Parameters
    ----------
    with_paths
        The first column is the path of the file, because there are several.
    """

    def __init__(self, with_paths: bool) -> None:
        self._with_paths = with_paths
        self._writer = csv.writer(sys.stdout, delimiter="\t", lineterminator="\n")
        self._writer.writerow([*(["path"] if with_paths else []), *COLUMNS])

    def draft(self, path: str, draft: Draft, destination: Path | None) -> None:
        name = escaped(path, encoding_of(sys.stdout))
        for row in tsv_rows(draft):
            self._writer.writerow([name, *row] if self._with_paths else row)
        sys.stdout.flush()

    def failure(self, path: str, error: str) -> None:
        pass

    def end(self) -> None:
        pass


class ArrayWriter:
    """A JSON array on stdout, with an object for each file; one that failed has its `error`."""

    def __init__(self) -> None:
        self._first = True

    def draft(self, path: str, draft: Draft, destination: Path | None) -> None:
        self._object({"path": path, **plain(draft), "error": None})

    def failure(self, path: str, error: str) -> None:
        empty = {"title": None, "part": None, "bpm": None, "quantized": None, "notes": None}
        self._object({"path": path, **empty, "error": error})

    def end(self) -> None:
        click.echo("[]" if self._first else "\n]")

    def _object(self, values: dict[str, object]) -> None:
        click.echo(("[\n" if self._first else ",\n") + json.dumps(values), nl=False)
        self._first = False


def _is_stdout(path: Path) -> bool:
    """Whether a path, such as `/dev/stdout`, leads to where standard output goes."""
    if path == STDOUT:
        return True
    try:
        return os.path.samestat(path.stat(), os.fstat(sys.stdout.fileno()))
    except (OSError, ValueError):  # it is not there yet, or nowhere
        return False


def summary(draft: Draft) -> str:
    """What was found, in words: `812 notes, 127.98 BPM`."""
    told = counted(len(draft.notes), "note")
    return told if draft.bpm is None else f"{told}, {draft.bpm:.2f} BPM"
