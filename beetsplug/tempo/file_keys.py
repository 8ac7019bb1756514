"""The key of a track as its file says it: read once, and kept as long as nothing changes.

beets reads "F# minor" as F minor, "C# major" as C and "CM" as C minor, and that is what stands in
`initial_key` then. So the file is asked what it says, unless `initial_key` is not what beets reads
there: then a person or program set it, and it counts.
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

KEY = "tempo_file_key"
SEEN = "tempo_file_key_seen"  # `initial_key` and time of the file when the key was read


def key_of(item: Item) -> Key | None:
    """The key of a track; its file is read only if that is not known. Changes nothing."""
    if is_key_known(item):
        return parse_key(own(item, KEY) or "")
    in_file = None
    with suppress(Stopped, TimeLimitError):
        in_file = _read(item)
    return parse_key(key_text(item, in_file) or "")


def is_key_known(item: Item) -> bool:
    """Whether neither the file nor `initial_key` have changed since the key was read."""
    known = str(own(item, SEEN) or "")
    seen = _seen(item)
    if seen is None:  # the file cannot be reached, which does not make it another one
        return known.rpartition(" ")[0] == (item.initial_key or "-")
    return known == seen


def remember_key(item: Item) -> bool:
    """Keep the key of a track in its fields; True if they changed. Does not store the item.

    If the file cannot be read in time the key stays unknown, and a later run reads it.
    """
    seen = _seen(item)
    if seen is None or is_key_known(item):
        return False
    try:
        key = parse_key(key_text(item, _read(item)) or "")
    except (Stopped, TimeLimitError):
        return False
    set_or_clear(item, KEY, None if key is None else str(key))
    item[SEEN] = seen
    return True


def known_key(item: Item) -> Key | None:
    """The key of a track, kept from now on where the library can be written."""
    if remember_key(item):
        with suppress(sqlite3.OperationalError, DBAccessError):
            item.store()
    return key_of(item)


def correct_key(item: Item) -> bool:
    """Put right an `initial_key` that beets has just misread, before it is written to the file.

    Returns whether it was wrong; does not store the item.
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
    """The text for the key that counts, of the library or of the file, verbatim."""
    in_library = item.initial_key or None
    if not in_file or (in_library and parse_key(in_file) is None):
        return in_library
    if in_library is None or parse_key(in_library) is None:
        return in_file
    first, _, _ = in_file.partition("; ")  # beets reads no further
    misread = types.MusicalKey().normalize(first) or ""
    return in_file if misread.split() == in_library.split() else in_library


def _read(item: Item) -> str | None:
    """The key in the file, verbatim; None if there is none or the file cannot be read.

    Raises
    ------
    Stopped, TimeLimitError
        If it was not read to the end.
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
    """`initial_key` and times of the file, on which the key depends; None without a file."""
    status = file_status(item)
    if status is None:
        return None
    # Some programs set the time back after they have written tags, but not that of the inode.
    return f"{item.initial_key or '-'} {status.st_mtime_ns}.{status.st_ctime_ns}"
