"""The output of a run: rows as they come, in a file, with a journal to go on from."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from importlib import import_module
from pathlib import Path

from ..errors import ConfigError, StorageError
from ..files import is_channel
from .formats import FORMATS, Format, Output
from .journal import Journal
from .rows import Row
from .tracks import Track

SYNC_EVERY = 5.0  # [s] between two times at which the output is made to reach the disk
TAIL = 256  # [bytes] at the end of the output by which it is known again


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
    if path.exists() and not journal_of(path).exists():
        raise ConfigError(
            f"{path}: is there already, and no {journal_of(path).name} beside it to go on from; "
            "give another name"
        )


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
        self._under_way: dict[str, int] = {}  # paths of tracks that were given out
        self._ready: dict[int, str] = {}  # paths of rows that wait for those before them
        self._next = self._n_given = 0
        self._synced = time.monotonic()
        self._output: Output | None = None
        self._changed = False
        with ExitStack() as opened:
            self.journal = opened.enter_context(Journal(journal_of(path), about))
            if retry:
                self.journal.forget_failed()
            try:
                self._recover()
            except OSError as error:
                raise _unwritable(path, error) from error
            self._opened = opened.pop_all()

    def __enter__(self) -> Results:
        return self

    def __exit__(self, *_: object) -> None:
        with self._opened:
            if self._output is not None:
                self._sync()
                self._output.close()

    def _recover(self) -> None:
        """Make the output good: everything that has a place in the journal, and nothing else."""
        size, place, tail = self.journal.synced()
        if not self._form.grows:
            if self._path.exists() and place == self.journal.next_place() and place:
                return  # complete; it is opened when there is more
            size, place = None, 0
        elif size is None or not _ends_with(self._path, size, tail):
            size, place = None, 0
        self._begin(size, place)

    def _begin(self, size: int | None, place: int) -> None:
        self._output = self._form.open(self._path, size)
        for data in self.journal.placed(place):
            self._output.add(data)
        self._changed = True
        if not self._ordered:
            for data in self.journal.place_rest():
                self._output.add(data)
        self._sync()

    def new(self, tracks: Iterable[Track]) -> Iterator[Track]:
        """The tracks that have no row yet, each once."""
        for track in tracks:
            if track.path in self._under_way:
                continue
            is_written = self.journal.state(track.path)
            if is_written:
                continue
            self._under_way[track.path] = self._n_given
            self._n_given += 1
            if is_written is False:  # it waits in the journal since an earlier run
                self._emit(track.path)
            else:
                yield track

    def add(self, row: Row) -> None:
        """Keep and write the row of a track that `new` gave.

        Raises
        ------
        StorageError
            If it cannot be written; what is done is kept.
        """
        try:
            self.journal.add(row.path, self._form.encode(row), failed=row.error is not None)
            self._emit(row.path)
            if time.monotonic() - self._synced > SYNC_EVERY:
                self._sync()
        except OSError as error:
            raise _unwritable(self._path, error) from error

    def _emit(self, path: str) -> None:
        """Write the row of a path, and those that waited for it."""
        if self._output is None:
            self._begin(None, 0)
        assert self._output is not None
        self._changed = True
        if not self._ordered:
            del self._under_way[path]
            self._output.add(self.journal.place(path))
            return
        self._ready[self._under_way[path]] = path
        while (first := self._ready.pop(self._next, None)) is not None:
            self._output.add(self.journal.place(first))
            del self._under_way[first]
            self._next += 1

    def _sync(self) -> None:
        """Let the output reach the disk, and note in the journal how far it is."""
        assert self._output is not None
        size = self._output.sync()
        if size is not None and self._changed:
            tail = _tail(self._path, size)
            self.journal.note_synced(size, self.journal.next_place(), tail)
        self._synced, self._changed = time.monotonic(), False

    def finish(self) -> None:
        """Complete the output after all tracks; rows of tracks that were not among them stay.

        Raises
        ------
        StorageError
            If it cannot be written; what is done is kept.
        """
        if self._output is None:
            return
        try:
            for data in self.journal.place_rest():
                self._output.add(data)
                self._changed = True
            self._sync()
            self._output.finish(self.journal.n_placed())
        except OSError as error:
            raise _unwritable(self._path, error) from error
        if not self._form.grows:
            self.journal.note_synced(None, self.journal.next_place(), b"")


def _ends_with(path: Path, size: int, tail: bytes) -> bool:
    """Whether the first `size` bytes of a file end with `tail`."""
    try:
        return path.stat().st_size >= size and _tail(path, size) == tail
    except OSError:
        return False


def _tail(path: Path, size: int) -> bytes:
    """The last bytes of the first `size` ones of a file."""
    with path.open("rb") as file:
        begin = max(0, size - TAIL)
        file.seek(begin)
        return file.read(size - begin)


def _unwritable(path: Path, error: OSError) -> StorageError:
    return StorageError(
        f"{path}: cannot be written ({error.strerror or error}); what is done is kept: run it again"
    )
