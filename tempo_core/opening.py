"""Opening of media files, for all of the project, so that no file can do harm.

A path is never taken for an address, only regular files are opened, and the content of a file opens
no other file and no connection. Only the disk can make these functions wait.
"""

from __future__ import annotations

import errno
import io
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import av
import av.container

from .background import check_wanted, is_wanted
from .errors import AudioError, reason
from .tagging import id3

# Formats that may be opened: containers of music and of films. Formats that refer to other files
# (playlists, concat, HLS, DASH), pictures, subtitles, text and devices are not among them.
CONTAINERS = (
    "3gp,aac,aax,ac3,ac4,adx,aea,aiff,amr,amrnb,amrwb,ape,asf,asf_o,ast,au,avi,"
    "bonk,caf,dsf,dts,dtshd,dv,eac3,flac,flv,gsm,hca,iamf,iff,ircam,live_flv,loas,"
    "matroska,mlp,mov,mp3,mpc,mpc8,mpeg,mpegts,mxf,nistsphere,nsv,nut,ogg,oma,osq,"
    "paf,qcp,qoa,rka,rm,shn,sox,spdif,tak,truehd,tta,voc,vqf,w64,wav,wavarc,webm,"
    "wsd,wtv,wv,xwma"
)
# No protocol is allowed: the decoder is given bytes and can open nothing by itself.
OPTIONS = {"protocol_whitelist": "", "format_whitelist": CONTAINERS}
# Tags in an unknown encoding are no error; from PyAV 19 on they never are.
LENIENT: dict[str, Any] = {}
if int(av.__version__.partition(".")[0]) < 19:
    LENIENT["metadata_errors"] = "ignore"
NOT_REGULAR = "not a regular file; give the path of an audio file"
LARGEST_READ = 1 << 27  # [bytes] in one piece, enough for a tag with a hundred pictures
# [bytes] in which a decoder must find a packet; packets of film lie between those of sound.
LONGEST_BARREN = 1 << 25
# A tail of zeros is the part of a download that never came. Some decoders search it for the next
# packet and keep in memory what they have passed, so it is cut off: in whole blocks of this size
# [bytes], and not more than so many bytes.
ZERO_BLOCK, LONGEST_ZERO_TAIL = 1 << 20, 1 << 30


def regular_file(path: str | bytes | os.PathLike[str] | os.PathLike[bytes]) -> str:
    """Absolute path of a regular file, which can be opened without waiting for another program.

    Raises
    ------
    AudioError
        If it is missing, empty, or no regular file (a folder, a pipe, a socket, a device).
    """
    name = os.path.abspath(os.fsdecode(path))  # noqa: PTH100  Path.resolve would follow links
    try:
        _check(os.stat(name))  # noqa: PTH116  as bytes that are no text too
    except (OSError, ValueError) as error:
        raise _explain(error) from error
    return name


class RegularFile(io.FileIO):
    """A regular file, open for reading; a read raises `Stopped` once the result is not wanted.

    Raises
    ------
    AudioError
        As `regular_file`, or if it cannot be opened.
    """

    def __init__(self, path: str | bytes | os.PathLike[str] | os.PathLike[bytes]):
        try:
            super().__init__(os.fsdecode(path), "rb", opener=_open_regular)
        except AudioError:
            raise
        except (OSError, ValueError) as error:
            raise _explain(error) from error

    def read(self, size: int | None = -1) -> bytes:
        """See `io.RawIOBase`. Memory is taken only for bytes that the file has.

        Raises
        ------
        AudioError
            If more than `LARGEST_READ` are asked for at once.
        """
        check_wanted()
        return self._read(size)

    def _read(self, size: int | None) -> bytes:
        left = max(0, os.fstat(self.fileno()).st_size - io.FileIO.tell(self))
        size = left if size is None or size < 0 else min(size, left)
        if size > LARGEST_READ:
            raise AudioError(
                f"holds more than {LARGEST_READ >> 20} MB in one piece that is no music"
            )
        return io.FileIO.read(self, size) or b""


def _open_regular(name: str, flags: int) -> int:
    """Descriptor of a regular file; an `opener` for `io.FileIO`."""
    # Without O_NONBLOCK, opening a pipe would wait for its writer. The check follows the opening,
    # because a path that was a file a moment ago may be a pipe now.
    descriptor = os.open(name, flags | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0))
    try:
        _check(os.fstat(descriptor))
    except AudioError:
        os.close(descriptor)
        raise
    return descriptor


def _check(found: os.stat_result) -> None:
    """Refuse, as `AudioError`, what is no regular file or is empty."""
    if not stat.S_ISREG(found.st_mode):
        raise AudioError(NOT_REGULAR)
    if found.st_size == 0:
        raise AudioError("the file is empty (0 bytes)")


def _explain(error: Exception) -> AudioError:
    """The error to raise for a file that the system does not open."""
    if isinstance(error, FileNotFoundError):
        return AudioError("no such file")
    if isinstance(error, OSError):
        if error.errno == errno.ENXIO:  # a socket, or a device that does not exist
            return AudioError(NOT_REGULAR)
        return AudioError(f"cannot be opened ({error.strerror or type(error).__name__})")
    return AudioError("no such file (no file can have this name)")


class Music(RegularFile):
    """A media file as a decoder is to see it: without ID3 tags, which may inflate to gigabytes.

    Tags at the head of the file are left out. Of tags further inside, in chunks of AIFF, WAV and
    DSF files, the mark `ID3` is overwritten with zeros. A long tail of zeros is left out as well.
    Where a decoder has found no packet in `LONGEST_BARREN` bytes the file ends for it, since it
    would keep all that it has searched in memory, several times.
    """

    def __init__(self, path: str | bytes | os.PathLike[str] | os.PathLike[bytes]):
        super().__init__(path)
        self._base = 0
        self._failure: OSError | AudioError | None = None
        self._n_barren = 0  # [bytes] read since the last packet or jump of the decoder
        length = os.fstat(self.fileno()).st_size
        try:
            # A tag that would fill the rest of the file is no tag.
            while 0 < (size := _tag_size(self._part(0, id3.HEADER_SIZE))) < length - self._base:
                self._base += size
            self._end = self._end_of_data()
            self.seek(0)
        except OSError as error:
            self.close()
            raise _explain(error) from error
        except BaseException:
            self.close()
            raise

    def _end_of_data(self) -> int:
        """Length of the content that a decoder sees [bytes]: without ID3 tags and tail of zeros."""
        length = end = max(0, os.fstat(self.fileno()).st_size - self._base)
        while end > max(0, length - LONGEST_ZERO_TAIL):
            check_wanted()
            begin = max(0, end - ZERO_BLOCK)
            if self._part(begin, end - begin).strip(b"\0"):
                break
            end = begin
        return end

    def read(self, size: int | None = -1) -> bytes:
        """See `io.RawIOBase`. The file ends once its content is not wanted or cannot be read.

        An error could not pass through the decoder that reads; `check` raises it later.
        """
        if not is_wanted():
            return b""
        try:
            return self._music(size)
        except (OSError, AudioError) as error:
            self._failure = error
            return b""

    def _music(self, size: int | None) -> bytes:
        """Bytes from the current position on, with the marks of ID3 tags overwritten."""
        position = self.tell()
        left = max(0, self._end - position)
        wanted = min(left, LARGEST_READ if size is None or size < 0 else size)
        before = min(position, id3.HEADER_SIZE - 1)
        part = self._part(position - before, before + wanted + id3.HEADER_SIZE - 1)
        at = part.find(b"ID3")
        while at >= 0:
            if _tag_size(part[at : at + id3.HEADER_SIZE]):
                part = part[:at] + b"\0\0\0" + part[at + 3 :]
            at = part.find(b"ID3", at + 3)
        part = part[before : before + wanted] if self._n_barren < LONGEST_BARREN else b""
        self._n_barren += len(part)
        super().seek(self._base + position + len(part))
        return part

    def check(self) -> None:
        """Raise the error that a read of the decoder met, if there was one.

        Raises
        ------
        AudioError, OSError
            If something that the decoder asked for could not be read.
        Stopped
            If the result is not wanted any more.
        """
        check_wanted()
        if self._failure is not None:
            raise self._failure

    def packet_came(self) -> None:
        """Note that the decoder has found a packet."""
        self._n_barren = 0

    def _part(self, position: int, size: int) -> bytes:
        """Bytes of the file as they are, from a position behind its leading tags on."""
        super().seek(self._base + position)
        return self._read(size)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """See `io.RawIOBase`."""
        self._n_barren = 0  # the decoder searches in another place
        if whence == os.SEEK_END:
            offset, whence = self._end + offset, os.SEEK_SET
        if whence == os.SEEK_SET:
            offset += self._base
        return super().seek(offset, whence) - self._base

    def tell(self) -> int:
        """See `io.RawIOBase`."""
        return super().tell() - self._base


def _tag_size(header: bytes) -> int:
    """Length of the ID3v2 tag that begins with a header [bytes]; 0 if the header is of no tag."""
    size = id3.stated_size(header)
    known = size is not None and header[3] in id3.VERSIONS and header[4] != 0xFF
    return size if size and known else 0


@contextmanager
def open_container(file: Music) -> Iterator[av.container.InputContainer]:
    """Open the container in a file, for as long as the context lasts.

    Raises
    ------
    AudioError
        If the file holds no audio or video of the formats in `CONTAINERS`.
    """
    try:
        container = av.open(file, "r", options=OPTIONS, **LENIENT)
    except av.error.ArgumentError as error:  # of a format that is not allowed
        raise AudioError("cannot be opened as audio (its content is of another kind)") from error
    except (OSError, ValueError, av.error.FFmpegError) as error:
        try:
            file.check()
        except OSError as failure:
            raise AudioError(f"cannot be opened ({reason(failure)})") from failure
        raise AudioError(f"cannot be opened as audio ({reason(error)})") from error
    with container:
        yield container
