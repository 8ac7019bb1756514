"""The musical key of a track, read from its file once and again when something changes.

beets misreads some keys: "F# minor" as F minor, "C# major" as C and "CM" as C minor, and stores the
result in `initial_key`. So the key in the file counts. But where `initial_key` differs from what
beets reads from the file, a person or another program has set it, and it counts instead.
"""

from __future__ import annotations

import sqlite3
from contextlib import suppress
from typing import TYPE_CHECKING

import beets
from beets.dbcore import types
from beets.dbcore.db import DBAccessError

from tempo_core.background import Stopped, call, interrupted
from tempo_core.errors import TempoError, TimeLimitError
from tempo_core.keys import Key, parse_key

from .items import file_status, own, same_file, set_or_clear

if TYPE_CHECKING:
    from beets.library import Item

    from tempo_core.labels.record import TrackQuery

FILE_KEY = "tempo_file_key"
KEY_SEEN = "tempo_file_key_seen"  # `initial_key` and times of the file when the key was read


def key_of(item: Item) -> Key | None:
    """The key of a track, None if it has none; the file is read only if the key is not known yet.

    Does not change the item.
    """
    if is_key_known(item):
        return parse_key(own(item, FILE_KEY) or "")
    in_file = None
    with suppress(Stopped, TimeLimitError):
        in_file = _read(item)
    return parse_key(key_text(item, in_file) or "")


def is_key_known(item: Item) -> bool:
    """Whether the key was read, and neither the file nor `initial_key` has changed since."""
    known = str(own(item, KEY_SEEN) or "")
    seen = _seen(item)
    if seen is None:  # the file cannot be reached now; it is taken to be unchanged
        return known.rpartition(" ")[0] == (item.initial_key or "-")
    return known == seen


def remember_key(item: Item, tags: TrackQuery | None = None) -> bool:
    """Read the key of a track and set its fields; does not store the item.

    If the file cannot be read in time the key stays unknown, and a later run reads it.

    Parameters
    ----------
    tags
        The tags of the file as it is; None reads them.

    Returns
    -------
    bool
        Whether fields changed.
    """
    seen = _seen(item)
    if seen is None or is_key_known(item):
        return False
    try:
        in_file = _read(item) if tags is None else tags.tag_key
    except (Stopped, TimeLimitError):
        return False
    key = parse_key(key_text(item, in_file) or "")
    set_or_clear(item, FILE_KEY, None if key is None else str(key))
    item[KEY_SEEN] = seen
    return True


def stored_key(item: Item) -> Key | None:
    """The key of a track as far as the library alone says it; no file is looked at."""
    seen, _, _ = str(own(item, KEY_SEEN) or "").rpartition(" ")
    is_seen = seen == (item.initial_key or "-")
    return parse_key((own(item, FILE_KEY) if is_seen else item.initial_key) or "")


def known_key(item: Item) -> Key | None:
    """The key of a track, None if it has none; stored in the library if that can be written."""
    if remember_key(item):
        with suppress(sqlite3.OperationalError, DBAccessError):
            item.store()
    return key_of(item)


def correct_key(item: Item) -> bool:
    """Correct an `initial_key` that beets misread at import, before beets writes it to the file.

    Does not store the item.

    Returns
    -------
    bool
        Whether it was wrong.
    """
    key = None
    if item.initial_key:
        with suppress(Stopped, TimeLimitError):
            key = parse_key(key_text(item, _read(item)) or "")
    if key is None or parse_key(item.initial_key) == key:
        return False
    with same_file(item):
        item.initial_key = str(key)
    return True


def key_text(item: Item, in_file: str | None) -> str | None:
    """The text of the key that counts, unchanged: that of the library or that of the file.

    Parameters
    ----------
    in_file
        The key in the file; None if it has none.
    """
    in_library = item.initial_key or None
    if not in_file or (in_library and parse_key(in_file) is None):
        return in_library
    if in_library is None or parse_key(in_library) is None:
        return in_file
    first, _, _ = in_file.partition("; ")  # beets reads only the first of several keys
    misread = types.MusicalKey().normalize(first) or ""
    return in_file if misread.split() == in_library.split() else in_library


def _read(item: Item) -> str | None:
    """The text of the key in the file; None if it has none or the file cannot be read.

    Raises
    ------
    Stopped, TimeLimitError
        If reading was interrupted or took longer than the setting `time_limit`.
    """
    from tempo_core.labels.files import read_track

    path = item.path
    time_limit = beets.config["tempo"]["time_limit"].as_number()
    try:
        return call(lambda: read_track(path), interrupted, time_limit).tag_key
    except (Stopped, TimeLimitError):
        raise
    except TempoError:
        return None


def _seen(item: Item) -> str | None:
    """Value for the field `KEY_SEEN`: `initial_key` and times of the file; None without a file."""
    status = file_status(item)
    if status is None:
        return None
    # Some programs restore the modification time after they have written tags. They cannot restore
    # the time at which the inode changed.
    return f"{item.initial_key or '-'} {status.st_mtime_ns}.{status.st_ctime_ns}"
