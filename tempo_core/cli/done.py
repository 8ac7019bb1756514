"""Journal of a command that writes a file for each track: which of them are there already."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType

from ..addresses import elsewhere, is_open_address
from ..background import interrupted, parallel
from ..console import echo
from ..engines.sharing import shared_path
from ..errors import StorageError, TempoError
from ..results.journal import Journal

STATE_WITHIN = 60.0  # [s] at most for a storage to say in which state an object is
N_STATES = 8  # objects whose state is asked for at a time


class Done:
    """Which outputs were written, as a run notes it for the next one. A context manager.

    An output is there if it was noted and exists: made in this way, of the file as it is now. What
    was changed by hand since is left alone. Failures are not noted, because the next run may
    succeed. Only one process may use a journal.

    Parameters
    ----------
    path
        The SQLite file; None for a run without one, which notes nothing and knows of nothing.
    how
        Everything that outputs depend on beside the audio.
    time_limit
        Of each file [s]; longer no object is asked for its state.

    Raises
    ------
    ConfigError, StorageError
        If the journal cannot be used.
    """

    def __init__(self, path: Path | None, how: str, time_limit: float = STATE_WITHIN) -> None:
        self._how, self._limit = how, min(time_limit, STATE_WITHIN)
        self._opened = ExitStack()
        self._journal = None
        if path is not None:
            try:
                journal = Journal(path, "files that were written")
            except StorageError as error:
                told = f"{path}: is no journal ({error.__cause__}); give another --journal"
                raise StorageError(told) from error
            self._journal = self._opened.enter_context(journal)

    def __enter__(self) -> Done:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._opened.close()

    def keys(self, files: Iterable[tuple[str, Sequence[Path]]]) -> list[str | None]:
        """What `has` and `note` know audio files as they are by; None if there is no such file.

        Parameters
        ----------
        files
            Paths, and the outputs that each is to have.
        """
        files = list(files)
        if self._journal is None:
            return [None] * len(files)
        found = [None if is_open_address(path) else self._key(path, to) for path, to in files]
        objects = [number for number, (path, _) in enumerate(files) if is_open_address(path)]
        states = parallel(
            lambda number: self._key(*files[number]), objects, N_STATES, interrupted, self._limit
        )
        for number, key in states:
            found[number] = None if isinstance(key, Exception) else key
        return found

    def _key(self, path: str, outputs: Sequence[Path]) -> str | None:
        try:
            if is_open_address(path):
                state = elsewhere().state(path)
            else:
                seen = Path(path).stat()
                state = seen.st_size, str(seen.st_mtime_ns)
        except (OSError, ValueError, TempoError):
            return None
        names = [shared_path(str(name)) for name in (path, *outputs)]
        return "\0".join([*names, *map(str, state), self._how])

    def has(self, key: str | None, outputs: Sequence[Path]) -> bool:
        """Whether all outputs of an audio file are there."""
        return (
            self._journal is not None
            and key is not None
            and self._journal.state(key) is not None
            and all(output.exists() for output in outputs)
        )

    def note(self, key: str | None) -> None:
        """Note that the outputs of an audio file were written.

        Raises
        ------
        StorageError
            If the journal cannot be written.
        """
        if self._journal is not None and key is not None:
            self._journal.add(key, b"", failed=False)


def so_far(n_done: int, n: int, journal: Path | None) -> str:
    """How much of a run is done that was stopped, in words."""
    told = f"{n_done} of {n} files are done"
    return told if journal is None else f"{told}; the same command goes on from here"


def tell_known(run_todo: Sequence[int], n: int) -> None:
    """Say how many files are left out because they were done before, if any."""
    if len(run_todo) < n:
        echo(f"{n - len(run_todo)} of {n} files were done before", err=True)
