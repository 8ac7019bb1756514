"""Opening of media files, for all of the project, so that no file can do harm.

What a decoder is given comes from `reading`: only regular files are opened, a path is taken for an
address only where a command was told of storages, and the content of a file opens no other file and
no connection.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import av
import av.container

from .addresses import as_text, is_open_address, place_of
from .background import Stopped, check_wanted, is_wanted
from .errors import AudioError, reason
from .reading import LARGEST_READ, AnyPath, BytesFile, check_size, explain_opening, open_bytes
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
# [bytes] in which a decoder must find a packet; packets of film lie between those of sound.
LONGEST_BARREN = 1 << 25
# A tail of zeros is the part of a download that never came. Some decoders search it for the next
# packet and keep in memory what they have passed, so it is cut off: in whole blocks of this size
# [bytes], and not more than so many bytes.
ZERO_BLOCK, LONGEST_ZERO_TAIL = 1 << 20, 1 << 30
TAIL_PEEK = 1 << 12  # [bytes] of the tail that are read to see whether it is of zeros at all


class Music(BytesFile):
    """A media file as a decoder is to see it: without ID3 tags, which may inflate to gigabytes.

    Tags at the head of the file are left out. Of tags further inside, in chunks of AIFF, WAV and
    DSF files, the mark `ID3` is overwritten with zeros. A long tail of zeros is left out as well.
    Where a decoder has found no packet in `LONGEST_BARREN` bytes the file ends for it, since it
    would keep all that it has searched in memory, several times.
    """

    def __init__(self, path: AnyPath):
        name = as_text(path)
        super().__init__(open_bytes(path), place_of(name) if is_open_address(name) else name)
        self._base = 0
        self._failure: OSError | AudioError | None = None
        self._n_barren = 0  # [bytes] read since the last packet or jump of the decoder
        try:
            length = self._content.size
            # A tag that would fill the rest of the file is no tag.
            while 0 < (size := _tag_size(self._part(0, id3.HEADER_SIZE))) < length - self._base:
                self._base += size
            self._end = self._end_of_data()
        except OSError as error:
            self.close()
            raise explain_opening(error) from error
        except BaseException:
            self.close()
            raise

    def _end_of_data(self) -> int:
        """Length of the content that a decoder sees [bytes]: without ID3 tags and tail of zeros."""
        length = end = max(0, self._content.size - self._base)
        peek = min(length, TAIL_PEEK)
        if self._part(length - peek, peek).strip(b"\0"):
            return end
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
        except Stopped:  # told by `check`
            return b""
        except (OSError, AudioError) as error:
            self._failure = error
            return b""

    def _music(self, size: int | None) -> bytes:
        """Bytes from the current position on, with the marks of ID3 tags overwritten."""
        position = self._at
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
        self._at = position + len(part)
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
        check_size(size)
        return self._content.part(self._base + position, size)

    def _end_position(self) -> int:
        return self._end

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """See `io.RawIOBase`."""
        self._n_barren = 0  # the decoder searches in another place
        return super().seek(offset, whence)


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
