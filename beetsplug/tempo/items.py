"""Access to an item of the library: its own fields, its tempo, and the state of its file."""

from __future__ import annotations

import os
import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from beets.util import syspath

from tempo_core.tempi import is_tempo

if TYPE_CHECKING:
    from collections.abc import Iterator

    from beets.library import Item


LOCKED = "tempo_locked"  # the tempo [BPM] that a person locked
OCTAVE = "tempo_octave_confidence"
REVIEWED = "tempo_reviewed"  # what a person answered in `beet tempo --review`


def bpm_of(item: Item) -> int:
    """The item's `bpm`; 0 if it has none, or a number that cannot be a tempo."""
    bpm = item.bpm
    return int(bpm) if is_tempo(bpm) else 0


def locked_tempo(item: Item) -> float | None:
    """The tempo [BPM] at which a person locked an item; None if it is not locked."""
    value = own(item, LOCKED)
    is_number = isinstance(value, (int, float))  # another plugin may declare the field otherwise
    return float(value) if is_number and is_tempo(value) else None


def says_key(text: str | None) -> bool:
    """Whether the text of a key says anything; blanks and mere signs, such as `-` or `?`, do not.

    What is said may still be no key: `o`, which means that there is none.
    """
    return re.search("[0-9A-Za-z]", text or "") is not None


def has_key(item: Item) -> bool:
    """Whether the item's `initial_key` says anything."""
    return says_key(item.initial_key)


def genres_of(item: Item) -> str:
    """The genres of an item, with semicolons between them; empty if none is known.

    They are those of the field `genres`, or of `genre`, which libraries of older versions have.
    """
    return "; ".join(item.get("genres") or ()) or str(item.get("genre") or "")


def own(item: Item, field: str) -> Any:
    """A flexible field of the item itself, not of its album; None if it is not set."""
    return item.get(field, with_album=False)


def set_or_clear(item: Item, field: str, value: Any) -> None:
    """Set a flexible field, or remove it if the value is None."""
    if value is not None:
        item[field] = value
    elif field in item.keys(with_album=False):
        del item[field]


@contextmanager
def same_file(item: Item) -> Iterator[None]:
    """Context in which fields that are also tags can be set without `beet update` undoing that.

    Setting such a field resets `mtime`, the time of the file when beets last read it, and `beet
    update` would then read the old value from the file. The file has not changed, so `mtime` is
    restored.
    """
    mtime = item.mtime
    try:
        yield
    finally:
        item.mtime = mtime


def file_status(item: Item) -> os.stat_result | None:
    """Size, times and further attributes of the item's file; None if it cannot be reached."""
    try:
        return os.stat(syspath(item.path))  # noqa: PTH116
    except (OSError, ValueError):
        return None
