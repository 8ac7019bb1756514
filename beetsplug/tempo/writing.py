"""Putting the tempo into a file: only that tag, and never a half-written file.

`Item.write` rewrites every tag beets knows, in place. Someone who imports "as is" wants the other
tags left alone, and a process that is killed in the middle must not cost a song.
"""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import stat
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from beets import plugins
from beets.library import FileOperationError
from beets.util import syspath
from mediafile import FileTypeError, MediaFile, UnreadableFileError

from tempo_core.errors import AudioError, LayoutError, TempoError
from tempo_core.packets import same_packets
from tempo_core.tagging import asf
from tempo_core.tagging.splices import (
    Splice,
    intact_from,
    same_outside,
    size_of,
    write_spliced,
)

from .editing import (
    MP4_TYPES,
    check_readable,
    others,
    read_fields,
    rewrite,
    splices,
    tag_change,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from beets.library import Item

    from .editing import TagChange


LONGEST_SUFFIX = 16  # characters; after the last dot of a name, more than that is part of a title


class TagError(TempoError):
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
        update_tags(_behind_links(item.path), tags)
    except (
        OSError,
        UnreadableFileError,
        FileOperationError,
        AudioError,
        LayoutError,
    ) as error:
        raise TagError(f"cannot write the tag: {_reason(error, item.path)}") from error
    item.mtime = item.current_mtime()
    plugins.send("after_write", item=item, path=item.path)


def _behind_links(path: bytes) -> Path:
    """The file itself. `Path.resolve` raises RuntimeError for a link to itself, this does not."""
    return Path(os.path.realpath(syspath(path)))


def try_write(item: Item, names: Sequence[str] = ("bpm",)) -> TagError | None:
    """`write_fields`, with the error as a result."""
    try:
        write_fields(item, names)
    except TagError as error:
        return error
    return None


def update_tags(path: Path, tags: Mapping[str, Any]) -> None:
    """Set some tags of a file, all or nothing, and leave the file alone where they are set already.

    The file is replaced by a copy with the new tags, once it is proven that they are read back from
    there, that all other tags are as they were, and that the audio is, packet by packet.

    Parameters
    ----------
    path
        The file; its permissions, owner and extended attributes are kept.
    tags
        Values by mediafile's names; None deletes a tag.

    Raises
    ------
    OSError, UnreadableFileError, LayoutError, AudioError
        If it did not work; the file is then as it was and nothing is left beside it.
    """
    status = path.stat()
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if not stat.S_ISREG(status.st_mode):
        raise OSError(errno.EINVAL, "not a regular file")
    check_readable(path)
    media = MediaFile(path)
    wanted = tag_change(media, tags)
    if wanted is None:
        return
    # The name is always the same, so that the leftover of a killed run goes with the next one, and
    # short, because a song's own name may already be as long as the file system allows.
    digest = hashlib.sha256(os.fsencode(path.name)).hexdigest()[:16]
    copy = path.with_name(
        f".tempo-{digest}{path.suffix if len(path.suffix) <= LONGEST_SUFFIX else ''}"
    )
    copy.unlink(missing_ok=True)
    # Open for writing, so that what may not be written is not replaced either.
    with path.open("rb+") as source, copy.open("xb") as target:
        try:
            _copy_attributes(path, copy)
            edits = splices(source, wanted)
            write_spliced(source, target, edits or [])
            target.flush()
            if edits is None:
                rewrite(copy, wanted)
            _prove(path, copy, wanted, edits)
            os.fsync(target.fileno())
            ours = os.path.samestat(os.fstat(target.fileno()), copy.stat())
            if not ours or _state(path.stat()) != _state(status):
                raise FileExistsError("another process is writing to it")
            copy.replace(path)
        except BaseException:
            copy.unlink(missing_ok=True)
            raise


def _state(status: os.stat_result) -> tuple[int, ...]:
    """Numbers that change when a file is written to or replaced."""
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


def _prove(path: Path, copy: Path, wanted: TagChange, edits: Sequence[Splice] | None) -> None:
    """Refuse a copy that is not the file with other values of the wanted tags and nothing else.

    Raises
    ------
    LayoutError
        If the tags do not read back, or others or the audio are not the same.
    AudioError
        If the file holds no audio that can be read.
    """
    edited = MediaFile(copy)
    if read_fields(edited, wanted.expected) != wanted.expected:
        raise LayoutError("it would not be read back from this file")
    with path.open("rb") as source, copy.open("rb") as target:
        if others(source, MediaFile(path), wanted) != others(target, edited, wanted):
            raise LayoutError("other tags would not stay as they are")
        if edits is None:
            rest = intact_from(source, target)
            if wanted.kind == "asf" and rest > asf.header_size(source):
                raise LayoutError("something behind its tags would not stay as it is")
            edits = [Splice(0, rest, b"")]
        elif not same_outside(source, target, edits):
            raise LayoutError("another process is writing to it")
        # Only MP4 files say where in the file something is.
        moved = wanted.kind in MP4_TYPES and size_of(source) != size_of(target)
    if wanted.kind == "mp3":
        edits = ()  # readers cut the tag off, and count from behind it
    if not same_packets(path, copy, None if moved else edits):
        raise LayoutError("the audio in this file would not stay as it is")


def _reason(error: BaseException, path: bytes) -> str:
    """What went wrong, in one line, without the path and the libraries it went through."""
    cause: BaseException | None = error
    while cause:
        if isinstance(cause, OSError) and cause.strerror:
            return cause.strerror
        cause = cause.__cause__ or cause.__context__
    text = str(getattr(error, "message", None) or getattr(error, "reason", None) or error)
    name = os.fspath(_behind_links(path))
    for known in (repr(name), name):
        text = text.replace(f"{known}: ", "").replace(f"{known} ", "").replace(known, "")
    text = " ".join(text.split()).strip('"')
    if isinstance(error, UnreadableFileError) and not isinstance(error, FileTypeError):
        return f"it cannot be read ({text})" if text else "it cannot be read"
    return text


def _copy_attributes(source: Path, target: Path) -> None:
    """Permissions, owner and extended attributes."""
    with suppress(OSError):  # only root may give a file away
        status = source.stat()
        os.chown(target, status.st_uid, status.st_gid)
    shutil.copystat(source, target)
