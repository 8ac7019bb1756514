"""Storing results in the library and then in the file, so that no interruption loses any.

The library first stores the new values and the names of the tags that are going to be written
(`tempo_pending`), then the file is written. In the opposite order, a run that is killed in between
would leave a tag that looks as if another program had written it. The next run writes the tags
named in `tempo_pending` without a new analysis.
"""

from __future__ import annotations

import errno
import os
import sqlite3
import time
from contextlib import suppress
from functools import cache, partial
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, TypeVar

from beets.dbcore.db import DBAccessError

from tempo_core.background import TIME_LIMIT
from tempo_core.console import explain
from tempo_core.errors import TempoError
from tempo_core.keys import parse_key
from tempo_core.tempi import round_half_up

from .camelot_tags import CODE_FIELDS
from .items import bpm_of, file_status, locked_tempo, own, same_file, says_key, set_or_clear
from .key_fields import key_origin
from .marking import ALL_MARKED, KEY, TEMPO
from .origin import MANUAL, TAG, origin
from .writing import try_write

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from beets.library import Item

    from tempo_core.labels.record import TrackQuery

    from .marking import Marked

T = TypeVar("T")

PENDING = "tempo_pending"
FAILURE, FAILED_FILE = "tempo_failure", "tempo_failed_file"
# A word in `tempo_pending`, beside names of fields: the file is an original that an import is going
# to copy. Originals are not written to.
ORIGINAL = "original"
# All fields that the plugin writes as tags.
WRITABLE_FIELDS = (*(name for marked in ALL_MARKED for name in marked.tags), *CODE_FIELDS)
ORIGINS = {TEMPO: origin, KEY: key_origin}  # functions that say whose the value of a field is
LOCK_PATIENCE = 30.0  # [s] to wait for a locked library, in addition to the timeout of beets
LOCK_PAUSE = 0.1  # [s] between two attempts to use a locked library
# Errors whose cause is not the file, such as a disk that is full or not mounted.
TEMPORARY_ERRORS = frozenset(
    [
        errno.EAGAIN, errno.EBUSY, errno.EDQUOT, errno.EFBIG, errno.EINTR, errno.EIO, errno.EMFILE,
        errno.ENFILE, errno.ENOENT, errno.ENOMEM, errno.ENOSPC, errno.ENXIO, errno.ESTALE,
        errno.ETIMEDOUT,
    ]
)  # fmt: skip


def keep(
    item: Item, names: Iterable[str], write: bool, stopped: Callable[[], bool] = lambda: False
) -> Exception | None:
    """Store an item and write fields to its file.

    Parameters
    ----------
    names
        Fields to write, of those in `WRITABLE_FIELDS`.
    write
        Whether to write to the file at all.
    stopped
        Whether the run was interrupted; then a locked library is not waited for.

    Returns
    -------
    Exception or None
        The error of the file if its tags could not be written.

    Raises
    ------
    sqlite3.Error
        If the library cannot be written. Then the file is unchanged, or it has its tags and
        `tempo_pending` in the library still names them.
    """
    if write:
        announce(item, names)
    store(item, stopped)
    return finish(item, stopped) if write and own(item, PENDING) else None


def announce_by_hand(item: Item, *words: str) -> None:
    """Add a tempo that a person set to `tempo_pending`, as `announce`; does not store the item.

    Its whole number stands there too: if the person then sets another one elsewhere, whether that
    goes into the file is decided there.
    """
    announce(item, TEMPO.tags, *words, _by_hand(item))


def _by_hand(item: Item) -> str:
    return f"{MANUAL}:{bpm_of(item)}"


def announce(item: Item, names: Iterable[str], *words: str) -> None:
    """Add fields to `tempo_pending`, and words such as `ORIGINAL`; does not store the item.

    If there is no field to write, `tempo_pending` stays as it is.
    """
    names = set(names) | set(pending(item))
    if names:
        item[PENDING] = " ".join([*words, *sorted(names)])


def pending(item: Item) -> list[str]:
    """The fields that are still to be written to the item's file."""
    words = str(own(item, PENDING) or "").split()
    return [name for name in WRITABLE_FIELDS if name in words]


def finish(item: Item, stopped: Callable[[], bool] = lambda: False) -> Exception | None:
    """Write the pending fields of an item to its file and store that they are written.

    Returns
    -------
    Exception or None
        The error of the file if its tags could not be written.

    Raises
    ------
    sqlite3.Error
        If the library cannot be written.
    """
    names = pending(item)
    words = str(own(item, PENDING)).split()
    by_hand = _by_hand(item) in words or locked_tempo(item) is not None
    for marked, origin_of in ORIGINS.items():
        said = origin_of(item)
        if marked is TEMPO and said == MANUAL and by_hand:
            continue  # a marker that is not there goes from the file as well
        if not said.startswith(("model:", "label:")):
            # A person set another value since; whether that goes into the file is their choice.
            names = [name for name in names if name not in marked.tags]
        if own(item, marked.marker) is None:  # set by a version of the plugin that had no markers
            names = [name for name in names if name != marked.marker]
    if ORIGINAL in words and not _in_library(item):
        names = []
    problem = write_tags(item, names) if names else None
    if problem is None:
        set_or_clear(item, PENDING, None)
        forget_failure(item)
    elif not is_temporary(problem):
        note_failure(item, problem)
    store(item, stopped)
    return problem


def _in_library(item: Item) -> bool:
    """Whether the file of an item is in the folder of the library."""
    folder = os.path.join(item.db.directory, b"")  # noqa: PTH118  paths are bytes in beets
    return bool(item.path.startswith(folder))


def catch_up(
    item: Item, which: Iterable[Marked] = ALL_MARKED, tags: TrackQuery | None = None
) -> bool:
    """Take tempo and key from the file where the library has none, or one of an analysis.

    Otherwise the plugin could overwrite what another program wrote to the file. `beet update` may
    not have been run since, and overlooks the change if the program kept the file's modification
    time. Neither does beets read every name of these tags. A tempo of another program that beets
    read without this plugin, which cut its decimals off, is corrected. Does not store the item.

    Parameters
    ----------
    tags
        The tags of the file as it is; None reads them.

    Returns
    -------
    bool
        Whether something was taken from the file.
    """
    from beets.dbcore import types

    from tempo_core.background import call, interrupted
    from tempo_core.labels.files import read_track
    from tempo_core.labels.record import parse_bpm

    which = tuple(which)
    open_ = [m for m in which if not (said := ORIGINS[m](item)) or said.startswith("model:")]
    may_be_cut = TEMPO in which and ORIGINS[TEMPO](item) == TAG
    if not open_ and not may_be_cut:
        return False
    path, taken = item.path, False
    with suppress(TempoError):
        file = tags or call(lambda: read_track(path), interrupted, TIME_LIMIT)
        found = parse_bpm(file.tag_bpm)
        is_open = TEMPO in open_ or (may_be_cut and found and int(found) == bpm_of(item))
        if found is not None and is_open and round_half_up(found) != bpm_of(item):
            _take(item, TEMPO, round_half_up(found))  # as `TempoField` reads it
            taken = True
        text = file.tag_key or ""
        if KEY in open_ and says_key(text) and text != item.initial_key:
            key = parse_key(text)  # beets itself misreads some
            _take(item, KEY, str(key) if key else types.MusicalKey().normalize(text))
            item[KEY.source] = TAG  # also if it is the same key in another notation
            taken = True
    return taken


def _take(item: Item, marked: Marked, value: Any) -> None:
    """Set a field to what somebody else wrote into the file."""
    with same_file(item):  # `beet update` must still see the other changes of the file
        item[marked.field] = value
    marked.drop_marker(item)


def write_tags(item: Item, names: Iterable[str]) -> Exception | None:
    """Write fields to the file; any exception, also of another plugin, is returned, not raised."""
    try:
        return try_write(item, tuple(names))
    except Exception as error:
        return error


def store(item: Item, stopped: Callable[[], bool] = lambda: False) -> None:
    """Store all changes of an item or none of them; a locked library is waited for.

    Raises
    ------
    sqlite3.Error
        If the library cannot be written; the item keeps its changes and can be stored again.
    """
    store_all(item.db, [item], stopped)


def store_all(lib: Any, items: Sequence[Item], stopped: Callable[[], bool] = lambda: False) -> None:
    """Store items in one transaction, which is faster than one transaction for each.

    Raises
    ------
    sqlite3.Error
        If the library cannot be written; the items keep their changes and can be stored again.
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


def store_each(
    lib: Any, items: Sequence[Item], stopped: Callable[[], bool] = lambda: False
) -> list[Exception | None]:
    """Store items in one transaction, or each by itself if one of them fails; their errors.

    Raises
    ------
    sqlite3.Error, DBAccessError
        If the library cannot be written.
    """

    def all_of_them() -> None:
        store_all(lib, items, stopped)

    if tried(all_of_them) is None:
        return [None] * len(items)
    # A plugin that hears of the change raised.
    return [tried(partial(store, item, stopped)) for item in items]


def atomically(
    lib: Any, change: Callable[[], Any], stopped: Callable[[], bool] = lambda: False
) -> None:
    """Make all changes that a function makes in the library or none; a lock is waited for.

    Parameters
    ----------
    change
        Makes the changes; it is called again after an attempt at a locked library.
    stopped
        Whether the run was interrupted; then a locked library is not waited for.

    Raises
    ------
    sqlite3.Error
        If the library cannot be written.
    """

    def attempt() -> None:
        with lib.transaction():
            connection = lib._connection()
            try:
                change()
                # beets commits later, but if that fails it does not release its own lock.
                connection.commit()
            except BaseException:
                connection.rollback()  # otherwise beets commits what was changed so far
                raise

    patiently(attempt, stopped)


def patiently(action: Callable[[], T], stopped: Callable[[], bool] = lambda: False) -> T:
    """Result of a function that uses the library, called again while the library is locked.

    The attempts end after `LOCK_PATIENCE`, or once `stopped` returns True.

    Raises
    ------
    sqlite3.Error
        What the last attempt raised.
    """
    deadline = time.monotonic() + LOCK_PATIENCE
    while True:
        try:
            return action()
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > deadline or stopped():
                raise
            time.sleep(LOCK_PAUSE)


def tried(action: Callable[[], Exception | None]) -> Exception | None:
    """Result of a function that stores a track; an exception that concerns this track is returned.

    Raises
    ------
    sqlite3.Error, DBAccessError
        If the library cannot be used, so that every other track would fail as well.
    """
    try:
        return action()
    except (sqlite3.Error, DBAccessError):
        raise
    except Exception as error:
        return error


def is_temporary(error: BaseException) -> bool:
    """Whether an error, or one that caused it, may not occur next time with the same file."""
    cause: BaseException | None = error
    while cause is not None:
        if (
            isinstance(cause, (MemoryError, ImportError))
            or getattr(cause, "errno", None) in TEMPORARY_ERRORS
        ):
            return True
        cause = cause.__cause__ or (None if cause.__suppress_context__ else cause.__context__)
    return False


def note_failure(item: Item, error: Exception) -> None:
    """Set the fields that say why a track failed and with which file; does not store the item.

    They are removed instead if the error is temporary or the file does not exist.
    """
    stamp = _stamp(item)
    if stamp is None or is_temporary(error):
        forget_failure(item)
        return
    item[FAILURE] = explain(error).encode("utf-8", "replace").decode()
    item[FAILED_FILE] = stamp


def renew_failure(item: Item) -> None:
    """Apply a noted failure to the file as it is now, such as a copy; does not store the item."""
    set_or_clear(item, FAILED_FILE, _stamp(item))


def forget_failure(item: Item) -> None:
    """Remove the fields of a failure; does not store the item."""
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
    """The version of the plugin; a later one may be able to read files that this one cannot."""
    return version("beets-tempo")
