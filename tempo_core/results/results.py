"""The output of a run: rows as they come, in a file, with a journal to go on from."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from importlib import import_module
from pathlib import Path

from ..engines.sharing import shared_path
from ..errors import ConfigError, StorageError
from ..files import is_channel
from .formats import FORMATS, Format, Hash, Output, hashed
from .journal import Journal, Synced
from .rows import Row
from .tracks import Track

SYNC_EVERY = 5.0  # [s] between two times at which the output is made to reach the disk


def check_output(path: Path) -> None:
    """Refuse a path that no output can be written to.

    Raises
    ------
    ConfigError
        If its ending is unknown, it is no file, or it is a file without a journal, which is
        somebody else's.
    ImportError
        If a package that writes the format is not installed.
    """
    form = FORMATS.get(path.suffix.lower())
    if form is None:
        raise ConfigError(f"{path}: the name must end with {', '.join(FORMATS)}")
    for name in form.needs:
        import_module(name)
    if path.is_dir() or is_channel(path):
        raise ConfigError(f"{path}: is no file; give the name of a file")
    if not path.absolute().parent.is_dir():
        raise ConfigError(f"{path}: there is no folder {path.parent}")
    if _has_content(path) and not _has_content(journal_of(path)):
        raise ConfigError(
            f"{path}: is there already, and no {journal_of(path).name} beside it to go on from; "
            "give another name"
        )


def _has_content(path: Path) -> bool:
    """Whether a file is there and not empty."""
    try:
        return path.stat().st_size > 0
    except OSError:
        return False


def journal_of(path: Path) -> Path:
    """The journal of an output: `results.tsv.journal`."""
    return path.with_name(f"{path.name}.journal")


class Results:
    """Rows of many tracks in a file, which an earlier run may have begun. A context manager.

    Parameters
    ----------
    path
        The file, see `check_output`.
    form
        Its format.
    about
        What the rows depend on, in words: an output of something else is not gone on with.
    ordered
        Whether rows are written in the order of the tracks. Those that came too early wait in the
        journal, not in memory.
    retry
        Whether tracks that failed are done again.

    Raises
    ------
    ConfigError, StorageError
        See `Journal`; or if the output cannot be written.
    """

    def __init__(
        self, path: Path, form: Format, about: str, *, ordered: bool = True, retry: bool = False
    ) -> None:
        self._path, self._form, self._ordered = path, form, ordered
        # Absolute paths of tracks that were given out; the number of the row that each will have in
        # this run, or None if it has a place in the output.
        self._under_way: dict[str, int | None] = {}
        self._ready: dict[int, str] = {}  # paths of rows that wait for those before them
        self._next = self._n_given = 0
        self._synced = time.monotonic()
        self._output: Output | None = None
        self._changed = False
        self._retry = retry
        self._stale = False  # whether a row that is in the output was replaced in the journal
        with ExitStack() as opened:
            self.journal = opened.enter_context(Journal(journal_of(path), about))
            try:
                self._recover()
            except OSError as error:
                raise _unwritable(path, error) from error
            self._opened = opened.pop_all()

    def __enter__(self) -> Results:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        with self._opened:
            if self._output is None:
                return
            try:
                self._sync()
                self._output.close()
            except OSError as error:
                if kind is None:  # else the first error is told
                    raise _unwritable(self._path, error) from error

    def _recover(self) -> None:
        """Make the output good: everything that has a place in the journal, and nothing else."""
        synced = self.journal.synced()
        begun = None if synced is None else hashed(self._path, synced.size)
        if synced is None or begun is None or begun.digest() != synced.digest:
            self._begin(None, None)
        elif self._form.grows:
            self._begin(synced, begun)
        elif self._path.stat().st_size != synced.size or synced.place != self.journal.next_place():
            self._begin(None, None)
        # else it is complete, and opened when there is more

    def _begin(self, synced: Synced | None, begun: Hash | None) -> None:
        """Open the output: with what is in it, or new; and add what it lacks of the journal."""
        size, place = (None, 0) if synced is None else (synced.size, synced.place)
        self._output = self._form.open(self._path, size, begun)
        for data in self.journal.placed(place):
            self._output.add(data)
        self._changed = True
        if not self._ordered:
            for data in self.journal.place_rest():
                self._output.add(data)
        self._sync()

    def new(self, tracks: Iterable[Track]) -> Iterator[Track]:
        """The tracks that have no row yet, or are to be tried again; each once."""
        for track in tracks:
            key = shared_path(track.path)
            if key in self._under_way:
                continue
            is_written = self.journal.state(key)
            again = self._retry and self.journal.has_failed(key)
            if is_written and not again:
                continue
            if is_written:
                self._under_way[key] = None  # its row has its place
                yield track
                continue
            self._under_way[key] = self._n_given
            self._n_given += 1
            if is_written is False and not again:  # it waits in the journal since an earlier run
                self._emit(key)
            else:
                yield track

    def add(self, row: Row) -> None:
        """Keep and write the row of a track that `new` gave.

        Raises
        ------
        StorageError
            If it cannot be written; what is done is kept.
        """
        key = shared_path(row.path)
        try:
            if self._under_way[key] is None and not self._stale:
                # Before the row, so that a run that is killed in between makes the output again.
                self._stale = True
                self.journal.note_synced(None)
            self.journal.add(key, self._form.encode(row), failed=row.error is not None)
            self._emit(key)
            if time.monotonic() - self._synced > SYNC_EVERY:
                self._sync()
        except OSError as error:
            raise _unwritable(self._path, error) from error

    def _emit(self, key: str) -> None:
        """Write the row of a track, and those that waited for it; one that has its place waits."""
        number = self._under_way[key]
        if number is None:
            del self._under_way[key]
            return
        if self._output is None:
            self._begin(None, None)
        assert self._output is not None
        self._changed = True
        if not self._ordered:
            del self._under_way[key]
            self._output.add(self.journal.place(key))
            return
        self._ready[number] = key
        while (first := self._ready.pop(self._next, None)) is not None:
            self._output.add(self.journal.place(first))
            del self._under_way[first]
            self._next += 1

    def _sync(self) -> None:
        """Let the output reach the disk, and note in the journal how far it is."""
        if self._output is not None and self._changed:
            reached = self._output.sync()
            if reached is not None and not self._stale:
                self.journal.note_synced(Synced(reached[0], self.journal.next_place(), reached[1]))
        self._synced, self._changed = time.monotonic(), False

    def finish(self) -> None:
        """Complete the output after all tracks; rows of tracks that were not among them stay.

        Raises
        ------
        StorageError
            If it cannot be written; what is done is kept.
        """
        try:
            if self._stale:
                self._stale = False
                if self._output is not None:
                    self._output.close()
                self._begin(None, None)
            if self._output is None:
                return
            for data in self.journal.place_rest():
                self._output.add(data)
                self._changed = True
            self._sync()
            size, digest = self._output.finish(self.journal.n_placed())
            self.journal.note_synced(Synced(size, self.journal.next_place(), digest))
        except OSError as error:
            raise _unwritable(self._path, error) from error


def _unwritable(path: Path, error: OSError) -> StorageError:
    return StorageError(
        f"{path}: cannot be written ({error.strerror or error}); what is done is kept: run it again"
    )
