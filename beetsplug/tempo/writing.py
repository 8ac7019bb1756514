"""Putting the tempo into a file: only that tag, and never a half-written file.

`Item.write` rewrites every tag beets knows, in place. Someone who imports "as is" wants the other
tags left alone, and a process that is killed in the middle must not cost a song.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import beets
from beets import plugins
from beets.library import FileOperationError
from beets.util import syspath
from mediafile import MediaFile, UnreadableFileError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from beets.library import Item


class TagError(Exception):
    """A file whose tag cannot be written; the message says why, without the path."""


def write_fields(item: Item, names: Sequence[str] = ("bpm",)) -> None:
    """Write fields of an item to its file and bring the item's `mtime` up to date; does not store.

    Other plugins hear of it as of any other write and may change what is written (`zero` does).

    Raises
    ------
    TagError
        If the file cannot be read, written or replaced. It is then as it was.
    """
    tags: dict[str, Any] = {name: item[name] for name in names}
    try:
        plugins.send("write", item=item, path=item.path, tags=tags)
        # A symbolic link stays one: the file behind it is replaced.
        update_tags(Path(syspath(item.path)).resolve(), tags)
    except (OSError, UnreadableFileError, FileOperationError) as error:
        raise TagError(f"cannot write the tag: {_reason(error)}") from error
    item.mtime = item.current_mtime()
    plugins.send("after_write", item=item, path=item.path)


def try_write(item: Item, names: Sequence[str] = ("bpm",)) -> TagError | None:
    """`write_fields`, with the error as a result."""
    try:
        write_fields(item, names)
    except TagError as error:
        return error
    return None


def update_tags(path: Path, tags: Mapping[str, Any]) -> None:
    """Set some tags of a file, all or nothing, and leave the file alone where they are set already.

    Parameters
    ----------
    path
        The file; its permissions, owner and extended attributes are kept.
    tags
        Values by mediafile's names; None deletes a tag.

    Raises
    ------
    OSError, UnreadableFileError
        If it did not work; the file is then as it was and nothing is left beside it.
    """
    media, known = MediaFile(path), set(MediaFile.fields())
    if all(getattr(media, name) == value for name, value in tags.items() if name in known):
        return
    # The name is always the same, so that the leftover of a killed run goes with the next one, and
    # short, because a song's own name may already be as long as the file system allows.
    digest = hashlib.sha256(os.fsencode(path.name)).hexdigest()[:16]
    copy = path.with_name(f".tempo-{digest}{path.suffix}")
    copy.unlink(missing_ok=True)
    with copy.open("xb") as handle:
        created = os.fstat(handle.fileno())
    try:
        _copy(path, copy)
        media = MediaFile(copy, id3v23=beets.config["id3v23"].get(bool))
        # Saving as another ID3 version would rewrite the frames of every other tag.
        if media.type == "mp3" and media.mgfile.tags.version[:2] == (2, 3):
            media.id3v23 = True
        media.update(tags)
        media.save()
        with copy.open("rb+") as handle:
            os.fsync(handle.fileno())
            if not os.path.samestat(created, os.fstat(handle.fileno())):
                raise FileExistsError("another process is writing to it")
        copy.replace(path)
    except BaseException:
        copy.unlink(missing_ok=True)
        raise


def _reason(error: BaseException) -> str:
    """What went wrong, without the path and the names of the libraries it went through."""
    cause: BaseException | None = error
    while cause:
        if isinstance(cause, OSError) and cause.strerror:
            return cause.strerror
        cause = cause.__cause__ or cause.__context__
    return str(getattr(error, "message", None) or getattr(error, "reason", None) or error)


def _copy(source: Path, target: Path) -> None:
    """Content, permissions, owner and extended attributes, into a file that exists already."""
    shutil.copyfile(source, target)
    with suppress(OSError):  # only root may give a file away
        status = source.stat()
        os.chown(target, status.st_uid, status.st_gid)
    shutil.copystat(source, target)
