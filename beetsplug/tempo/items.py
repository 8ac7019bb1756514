"""Access to an item of the library: its own fields, its tempo, and the state of its file."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from beets.util import syspath

from tempo_core.tempi import is_tempo

if TYPE_CHECKING:
    from collections.abc import Iterator

    from beets.library import Item


def bpm_of(item: Item) -> int:
    """The item's `bpm`; 0 if there is none, or a number that no tempo can be."""
    return int(item.bpm) if is_tempo(item.bpm) else 0


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
    """Set fields that files have as well, while the file stays as it is.

    Setting them resets the time of the last look at the file, and `beet update` would then take
    the old values from there. The file has not changed, so that time still holds.
    """
    mtime = item.mtime
    try:
        yield
    finally:
        item.mtime = mtime


def file_status(item: Item) -> os.stat_result | None:
    """Size and times of the item's file; None if it cannot be looked at."""
    try:
        return os.stat(syspath(item.path))  # noqa: PTH116
    except (OSError, ValueError):
        return None
