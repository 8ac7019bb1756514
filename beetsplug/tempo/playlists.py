"""Playlists of tracks of the library."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from beets.exceptions import UserError

from tempo_core.console import shown
from tempo_core.exports.playlist import Entry, playlist
from tempo_core.files import replace_file

if TYPE_CHECKING:
    from collections.abc import Iterable

    from beets.library import Item


def entry_of(item: Item) -> Entry:
    """A track as entry of a playlist."""
    return Entry(os.fsdecode(item.path), item.title, item.artist, item.length)


def write_playlist(path: str, items: Iterable[Item], relative_to: str | None = None) -> None:
    """Write tracks to a playlist, in one step.

    Parameters
    ----------
    relative_to
        Folder that the paths in it are relative to; None leaves them absolute.

    Raises
    ------
    UserError
        If it cannot be written.
    """
    folder = None if relative_to is None else Path(relative_to).expanduser().absolute()
    text = playlist((entry_of(item) for item in items), relative_to=folder)
    write_whole(path, text)


def write_whole(path: str, text: str) -> None:
    """Write a text to a file in UTF-8, in one step.

    Raises
    ------
    UserError
        If it cannot be written.
    """
    try:
        replace_file(Path(path).expanduser(), text.encode())
    except OSError as error:
        raise UserError(f"{shown(path)} cannot be written: {error.strerror}") from error
