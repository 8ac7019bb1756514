"""Keeping what was found, in the library and then in the file, through any interruption.

The library learns first what a tag is going to say, and that it is going to be written
(`tempo_pending`). Were it the other way round, a run that is killed in between would leave a tag
that looks like somebody else's. What stands in `tempo_pending` the next run writes, without
analysing anything again.
"""

from __future__ import annotations

import errno
import os
import sqlite3
import time
from contextlib import suppress
from functools import cache
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, TypeVar

from beets.dbcore.db import DBAccessError

from tempo_core.background import TIME_LIMIT
from tempo_core.console import explain
from tempo_core.errors import TempoError

from .items import bpm_of, file_status, own, same_file, set_or_clear
from .marking import MARKER
from .origin import is_ours, origin
from .writing import try_write

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from beets.library import Item

T = TypeVar("T")

PENDING = "tempo_pending"
FAILURE, FAILED_FILE = "tempo_failure", "tempo_failed_file"
# A word beside the names in `tempo_pending`: the file is the original that an import is going to
# copy, and originals are not written to.
ORIGINAL = "original"
TEMPO = ("bpm", MARKER)
WRITABLE = (*TEMPO, "initial_key")
PATIENCE = 30.0  # [s] with a library that another process has locked, beside beets' own
PAUSE = 0.1  # [s]
# Errors that are not the file's fault: the disk may be full, or unmounted for a while.
PASSING = frozenset(
    [
        errno.EAGAIN, errno.EBUSY, errno.EDQUOT, errno.EFBIG, errno.EINTR, errno.EIO, errno.EMFILE,
        errno.ENFILE, errno.ENOENT, errno.ENOMEM, errno.ENOSPC, errno.ENXIO, errno.ESTALE,
        errno.ETIMEDOUT,
    ]
)  # fmt: skip


def keep(
    item: Item, names: Iterable[str], write: bool, stopped: Callable[[], bool] = lambda: False
) -> Exception | None:
    """Store an item and write fields to its file; what went wrong with the file is returned.

    Raises
    ------
    sqlite3.Error
        If the library cannot be written. Then the file is as it was, or has its tags and the
        library knows that they were to be written.
    """
    if write:
        announce(item, names)
    store(item, stopped)
    return finish(item, stopped) if write and own(item, PENDING) else None


def announce(item: Item, names: Iterable[str], *words: str) -> None:
    """Note that fields are to be written to the file; does not store the item."""
    names = set(names) | set(pending(item))
    if names:
        item[PENDING] = " ".join([*words, *sorted(names)])


def pending(item: Item) -> list[str]:
    """The fields that are still to be written to the item's file."""
    words = str(own(item, PENDING) or "").split()
    return [name for name in WRITABLE if name in words]


def finish(item: Item, stopped: Callable[[], bool] = lambda: False) -> Exception | None:
    """Write what is pending and store that this is done; what went wrong is returned.

    Raises
    ------
    sqlite3.Error
        If the library cannot be written.
    """
    names = pending(item)
    if not origin(item).startswith(("model:", "label:")):
        # A person set another tempo since; whether to write that is their choice.
        names = [name for name in names if name not in TEMPO]
    if own(item, MARKER) is None:  # set by a version of the plugin that had no markers
        names = [name for name in names if name != MARKER]
    if ORIGINAL in str(own(item, PENDING)).split() and not _in_library(item):
        names = []
    problem = write_tags(item, names) if names else None
    if problem is None:
        set_or_clear(item, PENDING, None)
        forget_failure(item)
    elif not passes(problem):
        note_failure(item, problem)
    store(item, stopped)
    return problem


def _in_library(item: Item) -> bool:
    folder = os.path.join(item.db.directory, b"")  # noqa: PTH118  paths are bytes in beets
    return bool(item.path.startswith(folder))


def catch_up(item: Item) -> None:
    """Take the tempo from the file where the library has none, or one of the plugin's own.

    Otherwise a tempo that another program wrote to the file would be overwritten before anybody
    ran `beet update`, which overlooks it where the program kept the file's time. Does not store the
    item.
    """
    from tempo_core.background import call, interrupted
    from tempo_core.labels.files import read_track
    from tempo_core.labels.record import parse_bpm

    if bpm_of(item) and not is_ours(item):
        return
    path = item.path
    with suppress(TempoError):
        found = parse_bpm(call(lambda: read_track(path), interrupted, TIME_LIMIT).tag_bpm)
        if found is not None and int(found) != bpm_of(item):
            with same_file(item):  # `beet update` is to see the rest of what changed
                item.bpm = int(found)  # as beets reads it
                set_or_clear(item, MARKER, None)


def write_tags(item: Item, names: Iterable[str]) -> Exception | None:
    """Write fields to the file; an exception, also of another plugin, is returned."""
    try:
        return try_write(item, tuple(names))
    except Exception as error:
        return error


def store(item: Item, stopped: Callable[[], bool] = lambda: False) -> None:
    """Store an item, all of it or nothing, and wait for a library that is locked.

    Raises
    ------
    sqlite3.Error
        If it did not work; the item can be stored again.
    """
    store_all(item.db, [item], stopped)


def store_all(lib: Any, items: Sequence[Item], stopped: Callable[[], bool] = lambda: False) -> None:
    """Store items in one transaction, which is faster than one for each.

    Raises
    ------
    sqlite3.Error
        If it did not work; the items can be stored again.
    """
    dirty = [set(item._dirty) for item in items]

    def attempt() -> None:
        for item, fields in zip(items, dirty, strict=True):
            item._dirty = set(fields)
            item.store()

    try:
        atomically(lib, attempt, stopped)
    except BaseException:
        for item, fields in zip(items, dirty, strict=True):
            item._dirty = fields
        raise


def atomically(
    lib: Any, change: Callable[[], Any], stopped: Callable[[], bool] = lambda: False
) -> None:
    """Change the library, all of it or nothing, and wait for it while it is locked.

    Raises
    ------
    sqlite3.Error
        If it did not work.
    """

    def attempt() -> None:
        with lib.transaction():
            connection = lib._connection()
            try:
                change()
                # beets would do it, and not release its own lock where this fails.
                connection.commit()
            except BaseException:
                connection.rollback()  # beets would commit half of it
                raise

    patiently(attempt, stopped)


def patiently(action: Callable[[], T], stopped: Callable[[], bool] = lambda: False) -> T:
    """Call a function that uses the library, again for up to `PATIENCE` while it is locked.

    Raises
    ------
    sqlite3.Error
        What the last attempt raised.
    """
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            return action()
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > deadline or stopped():
                raise
            time.sleep(PAUSE)


def tried(action: Callable[[], Exception | None]) -> Exception | None:
    """Call a function that stores a track; an exception of another plugin is returned.

    Raises
    ------
    sqlite3.Error, DBAccessError
        If the library cannot be used: then no other track will do better.
    """
    try:
        return action()
    except (sqlite3.Error, DBAccessError):
        raise
    except Exception as error:
        return error


def passes(error: BaseException) -> bool:
    """Whether a failure may be over next time although the file is the same."""
    cause: BaseException | None = error
    while cause is not None:
        if (
            isinstance(cause, (MemoryError, ImportError))
            or getattr(cause, "errno", None) in PASSING
        ):
            return True
        cause = cause.__cause__ or (None if cause.__suppress_context__ else cause.__context__)
    return False


def note_failure(item: Item, error: Exception) -> None:
    """Note why a track failed, with the state of its file and the version; does not store it.

    Nothing is noted where the failure may pass, or the file is not there.
    """
    stamp = _stamp(item)
    if stamp is None or passes(error):
        forget_failure(item)
        return
    item[FAILURE] = explain(error).encode("utf-8", "replace").decode()
    item[FAILED_FILE] = stamp


def renew_failure(item: Item) -> None:
    """Note that the failure holds for the file as it is now, such as a copy; does not store it."""
    set_or_clear(item, FAILED_FILE, _stamp(item))


def forget_failure(item: Item) -> None:
    """Remove the note of a failure; does not store the item."""
    set_or_clear(item, FAILURE, None)
    set_or_clear(item, FAILED_FILE, None)


def fails_again(item: Item) -> bool:
    """Whether a track failed before and neither its file nor the plugin has changed since."""
    stamp = own(item, FAILED_FILE)
    return bool(stamp) and stamp == _stamp(item)


def _stamp(item: Item) -> str | None:
    """Size and times of an item's file and the version of the plugin; None without a file."""
    status = file_status(item)
    if status is None:
        return None
    return f"{status.st_size} {status.st_mtime_ns} {status.st_ctime_ns} {_version()}"


@cache
def _version() -> str:
    """The version of the plugin: a later one may read what this one cannot."""
    return version("beets-tempo")
