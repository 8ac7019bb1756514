"""Writing single tags to a file: all other tags stay the same, and no file is left half written.

`Item.write` of beets rewrites every tag that beets knows, in place. But a person who imports "as
is" wants the other tags left alone, and a process that is killed while it writes must not damage
the file.
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
from .items import own

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from beets.library import Item

    from .editing import TagChange


LONGEST_SUFFIX = 16  # [characters] with the dot; a longer one is part of a title, not a file type


class TagError(TempoError):
    """Error of a file whose tag cannot be written; the message has the reason, not the path."""


def write_fields(item: Item, names: Sequence[str] = ("bpm",)) -> None:
    """Write fields of an item to its file and update the item's `mtime`; does not store the item.

    The tag of a field that the item does not have is removed from the file.

    Other plugins get the events `write` and `after_write` as for any write of beets, and may change
    the values that are written (`zero` does).

    Raises
    ------
    TagError
        If the file cannot be read, written or replaced; it is then unchanged.
    """
    tags: dict[str, Any] = {name: own(item, name) for name in names}
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


def read_field(item: Item, name: str) -> Any:
    """The value of a field in the file of an item, whatever the library says.

    Raises
    ------
    TagError
        If the file cannot be read.
    """
    try:
        return getattr(MediaFile(_behind_links(item.path)), name)
    except (OSError, UnreadableFileError) as error:
        raise TagError(f"cannot read the tag: {_reason(error, item.path)}") from error


def _behind_links(path: bytes) -> Path:
    """The path of a file with all symbolic links followed."""
    # `Path.resolve` raises a RuntimeError for a link to itself; `realpath` does not.
    return Path(os.path.realpath(syspath(path)))


def try_write(item: Item, names: Sequence[str] = ("bpm",)) -> TagError | None:
    """Write fields as `write_fields` does, but return a `TagError` instead of raising it."""
    try:
        write_fields(item, names)
    except TagError as error:
        return error
    return None


def update_tags(path: Path, tags: Mapping[str, Any]) -> None:
    """Set some tags of a file, all or none; a file that has these values already is not touched.

    The file is replaced by a copy with the new tags, after checks that the new values can be read
    from the copy, and that all its other tags and all packets of its audio are the same as before.

    Parameters
    ----------
    path
        The file; its permissions, owner and extended attributes are kept.
    tags
        Values by mediafile's names; None deletes a tag.

    Raises
    ------
    OSError, UnreadableFileError, LayoutError, AudioError
        If the tags cannot be set; the file is then unchanged, and the copy is deleted.
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
    # The name of the copy is the same each time, so that the next run removes what a killed run
    # left, and short, because the song's own name may be as long as the file system allows.
    digest = hashlib.sha256(os.fsencode(path.name)).hexdigest()[:16]
    copy = path.with_name(
        f".tempo-{digest}{path.suffix if len(path.suffix) <= LONGEST_SUFFIX else ''}"
    )
    copy.unlink(missing_ok=True)
    # Opened for writing, so that a file without permission to write to it is not replaced either.
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
    """Check that a copy differs from the file in the wanted tags and in nothing else.

    Parameters
    ----------
    edits
        The replacements of bytes that made the copy; None if mutagen or `ogg` rewrote it.

    Raises
    ------
    LayoutError
        If the new values cannot be read back, or other tags or the audio are not the same.
    AudioError
        If the file has no audio that can be read.
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
        # Only MP4 files contain offsets of their audio in the file, which change with its size.
        moved = wanted.kind in MP4_TYPES and size_of(source) != size_of(target)
    if wanted.kind == "mp3":
        edits = ()  # readers skip the tag, and count positions from its end
    if not same_packets(path, copy, None if moved else edits):
        raise LayoutError("the audio in this file would not stay as it is")


def _reason(error: BaseException, path: bytes) -> str:
    """The cause of an error in one line, without the path of the file and names of libraries."""
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
    """Give a file the permissions, owner, times and extended attributes of another."""
    with suppress(OSError):  # only root may give a file away
        status = source.stat()
        os.chown(target, status.st_uid, status.st_gid)
    shutil.copystat(source, target)
