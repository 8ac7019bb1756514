"""Members of ZIP archives: stored ones by ranges, deflated ones through a temporary file."""

from __future__ import annotations

import struct
import threading
import zipfile
import zlib
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass

from ..addresses import Bytes
from ..background import check_wanted
from ..errors import AudioError
from ..reading import BytesFile
from .spool import Spool
from .sums import Sum

# [bytes] of an archive, enough for a hundred thousand members; in memory it is ten times as much.
LARGEST_DIRECTORY = 1 << 24
N_KEPT = 8  # directories in memory
LOCAL_HEADER = struct.Struct("<4s5HIIIHH")
LOCAL_MARK = b"PK\x03\x04"
PACKED_PIECE, PIECE = 1 << 16, 1 << 20  # [bytes] to unpack, and to make of it, at a time
ENCRYPTED = 0x1  # flag of a member
# What is larger than so many bytes, and so many times as large as what is stored of it, is a trap
# for disks: audio that is not silent does not become a hundredth.
LARGE, MOST_PACKED = 1 << 26, 100
REST = 8  # of a stored member, one part in so many is fetched for nothing but its sum
NO_MEMBER, DAMAGED = "no such member of the archive", "is damaged in its archive"


@dataclass(frozen=True)
class Member:
    """Where a member of an archive is: where its header begins, and how long it is [bytes]."""

    offset: int
    packed: int
    size: int
    method: int
    crc: int
    is_encrypted: bool


Directory = Mapping[str, Member]


class Directories:
    """Directories of the archives that were read last, by address and state of the archive."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[str, int, str], Directory] = OrderedDict()
        self._reading = threading.Lock()

    def of(self, archive: Bytes, address: str, mark: str) -> Directory:
        """The directory of an archive; one without a mark is read each time."""
        key = address, archive.size, mark
        with self._reading:
            if mark and key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        found = read_directory(archive)
        if mark:
            with self._reading:
                self._kept[key] = found
                while len(self._kept) > N_KEPT:
                    self._kept.popitem(last=False)
        return found


directories = Directories()  # of this process


class _Limited(BytesFile):
    """An archive as `zipfile` reads it: not more of it at a time than a directory may have."""

    def read(self, size: int | None = -1) -> bytes:
        left = max(0, self._end_position() - self.tell())
        size = left if size is None or size < 0 else min(size, left)
        if size > LARGEST_DIRECTORY:
            raise AudioError("its directory is too large")
        return super().read(size)

    def close(self) -> None:
        """Leave the archive open."""


def read_directory(archive: Bytes) -> Directory:
    """The members of an archive by their names, without folders.

    Raises
    ------
    AudioError
        If it is no archive, or damaged.
    """
    try:
        with zipfile.ZipFile(_Limited(archive, "archive.zip")) as opened:
            return {
                info.filename: Member(
                    info.header_offset, info.compress_size, info.file_size, info.compress_type,
                    info.CRC, bool(info.flag_bits & ENCRYPTED),
                )
                for info in opened.infolist()
                if not info.is_dir()
            }  # fmt: skip
    except AudioError as error:
        raise AudioError(f"its archive cannot be read: {error}") from error
    except (zipfile.BadZipFile, NotImplementedError, ValueError, OSError, struct.error) as error:
        raise AudioError("its archive is no ZIP archive, or is damaged") from error


def open_member(archive: Bytes, directory: Directory, name: str) -> Bytes:
    """The bytes of a member, which closes the archive when it is closed.

    Raises
    ------
    AudioError
        If there is none of that name, or it cannot be read.
    """
    if ".." in name.replace("\\", "/").split("/") or name.startswith("/"):
        raise AudioError("is no usable name of a member of an archive")
    found = directory.get(name)
    if found is None:
        raise AudioError(NO_MEMBER)
    if found.is_encrypted:
        raise AudioError("is encrypted in its archive")
    if found.method not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise AudioError(
            f"is compressed in its archive by method {found.method}; only stored and deflated "
            "members are read"
        )
    if not found.size:
        raise AudioError("the file is empty (0 bytes)")
    begin = _data_of(archive, found)
    if found.method == zipfile.ZIP_STORED:
        if found.packed != found.size:
            raise AudioError(DAMAGED)
        return Stored(archive, begin, found)
    if found.size > max(LARGE, MOST_PACKED * found.packed):
        raise AudioError(f"would unpack to {found.size >> 20} MB of hardly any content")
    return Deflated(archive, begin, found)


def _data_of(archive: Bytes, member: Member) -> int:
    """Where the data of a member begins [bytes]."""
    header = archive.part(member.offset, LOCAL_HEADER.size) if member.offset >= 0 else b""
    if len(header) < LOCAL_HEADER.size or not header.startswith(LOCAL_MARK):
        raise AudioError(DAMAGED)
    *_, n_name, n_extra = LOCAL_HEADER.unpack(header)
    begin = member.offset + LOCAL_HEADER.size + n_name + n_extra
    if begin + member.packed > archive.size:
        raise AudioError(DAMAGED)
    return int(begin)


class Stored:
    """A member that lies in its archive as it is; see `Bytes`.

    Its sum is compared once all of it was read. Who reads some of it cannot know whether that is
    what was packed: the rest would have to be fetched.
    """

    def __init__(self, archive: Bytes, begin: int, member: Member) -> None:
        self._archive, self._begin, self._member = archive, begin, member
        self._sum = Sum(member.size)
        self._is_damaged = False

    @property
    def size(self) -> int:
        """Length [bytes]."""
        return self._member.size

    def part(self, position: int, size: int) -> bytes:
        """See `Bytes`."""
        size = min(size, self.size - position)
        data = self._read(position, size) if size > 0 else b""
        if data and position + len(data) == self.size and self._sum.n_missing <= self.size // REST:
            for begin, end in [*self._sum.missing()]:  # such as a tag with a picture, passed over
                for start in range(begin, end, PIECE):
                    check_wanted()
                    self._read(start, min(PIECE, end - start))
        if self._is_damaged:
            raise AudioError(DAMAGED)
        return data

    def _read(self, position: int, size: int) -> bytes:
        """Bytes of the member, which are added to the sum."""
        data = self._archive.part(self._begin + position, size)
        if self._sum.n_missing:
            self._sum.add(position, data)
            if not self._sum.n_missing:
                self._is_damaged = self._sum.value() != self._member.crc
        return data

    def close(self) -> None:
        """See `Bytes`."""
        self._archive.close()


class Deflated:
    """A compressed member, which is unpacked into a temporary file as far as it is read."""

    def __init__(self, archive: Bytes, begin: int, member: Member) -> None:
        self._archive, self._begin, self._member = archive, begin, member
        self._at = 0  # [bytes] of the packed data that are unpacked
        self._crc = 0
        self._unpacker = zlib.decompressobj(-zlib.MAX_WBITS)
        self._spool = Spool()
        self._spool.expect(member.size)

    @property
    def size(self) -> int:
        """Length that the archive states [bytes]; there is never more."""
        return self._member.size

    def part(self, position: int, size: int) -> bytes:
        """See `Bytes`."""
        end = min(position + size, self.size)
        while self._spool.size < end:
            check_wanted()
            self._unpack()
        return self._spool.part(position, max(0, end - position))

    def _unpack(self) -> None:
        """Unpack the next piece.

        Raises
        ------
        AudioError
            If it is damaged, or there is more or less of it than the archive states.
        """
        packed = self._unpacker.unconsumed_tail
        if not packed:
            size = min(PACKED_PIECE, self._member.packed - self._at)
            packed = self._archive.part(self._begin + self._at, size)
            self._at += len(packed)
        try:
            data = self._unpacker.decompress(packed, PIECE)
        except zlib.error as error:
            raise AudioError(DAMAGED) from error
        self._crc = zlib.crc32(data, self._crc)
        end = self._spool.size + len(data)
        if end > self.size or not (packed or data):
            raise AudioError(DAMAGED)
        if end == self.size and self._crc != self._member.crc:
            raise AudioError(DAMAGED)
        if end < self.size and self._unpacker.eof:
            raise AudioError(DAMAGED)
        self._spool.add(data)

    def close(self) -> None:
        """See `Bytes`."""
        self._spool.close()
        self._archive.close()
