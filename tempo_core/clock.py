"""Where the programs of DJs begin to count the time of a file, from its header.

Time 0 of this project is the first sample that libav plays: the delay of the encoder is left out
where the file states it. Other programs count what they play of the delay, or the silent frame that
holds the header, as music. What each does is known from measurements that others have published;
`docs/beats-clock.md` names them, and says what was measured here.

Only the header is read; no audio is decoded.
"""

from __future__ import annotations

import enum
import math
import os
import struct
from dataclasses import dataclass, replace
from functools import cache
from typing import BinaryIO

from .beatgrid import BAR, Grid
from .errors import AudioError, LayoutError, reason
from .reading import open_file
from .tagging import id3, mp4

MP3_DELAY = 529  # samples by which every decoder of mp3 delays the audio
DECODER_DELAY_OF_APPLE = 529  # samples that Core Audio drops of an mp3 that states no delay
LONGEST_SEARCH = 1 << 16  # [bytes] behind a tag, in which the first frame of an mp3 must begin
LONGEST_HEADER = 1 << 10  # [bytes] of a frame with Xing and LAME headers that are read
LONGEST_DELAY = 1.0  # [s] of an encoder of AAC; what an edit list leaves out beyond it is music
# Encoders whose delay libav reads; of others it ignores the field.
KNOWN_ENCODERS = (b"LAME", b"Lavf", b"Lavc")
_RATES = {3: (44100, 48000, 32000), 2: (22050, 24000, 16000), 0: (11025, 12000, 8000)}


class Mp3Header(enum.Enum):
    """What the first frame of an mp3 says, by the classes that DJ software differs on."""

    NONE = "A"  # no Xing or Info header
    PLAIN = "B"  # such a header without a tag of LAME, or with the shorter one of libav
    INVALID = "C"  # a tag of LAME whose checksum is wrong
    VALID = "D"  # a tag of LAME as it should be


class Player(enum.Enum):
    """A program, or a decoder in it, that counts time in its own way."""

    REKORDBOX = "rekordbox"
    TRAKTOR = "traktor"
    MIXXX = "mixxx"  # with its decoder MAD, on Linux and Windows
    MIXXX_MAC = "mixxx-mac"  # with Core Audio


@dataclass(frozen=True)
class Clock:
    """Clock of a file: what lies before or at the begin of its audio.

    `delay` [s] is the delay of the encoder that libav leaves out, `frame` [s] the length of a frame
    of an mp3, and `sr` its sample rate [Hz]. `mp3` is None for other formats.
    """

    mp3: Mp3Header | None = None
    delay: float = 0.0
    frame: float = 0.0
    sr: int = 0

    def offset(self, player: Player) -> float:
        """Time [s] to add to a time of ours, so that a player means the same sample by it."""
        if self.mp3 is None:
            # Of AAC in MP4 it is published for rekordbox alone; Mixxx leaves the delay out as we do
            return self.delay if player is Player.REKORDBOX else 0.0
        has_header = self.mp3 is not Mp3Header.NONE
        if player is Player.REKORDBOX:
            return self.delay + (self.frame if self.mp3 is Mp3Header.VALID else 0.0)
        if player is Player.TRAKTOR:
            return self.delay + (self.frame if has_header else 0.0)
        if player is Player.MIXXX:  # it drops the first frame, whatever is in it
            return self.delay if has_header else -self.frame
        if self.mp3 in (Mp3Header.INVALID, Mp3Header.VALID):
            return 0.0
        return self.delay - DECODER_DELAY_OF_APPLE / self.sr


def read_clock(path: str | bytes | os.PathLike[str]) -> Clock:
    """Clock of a file, from its header; that of a file without delay if it has none.

    Raises
    ------
    AudioError
        If the file cannot be read.
    """
    with open_file(path) as file:
        try:
            head = file.read(8)
            if head[4:] == b"ftyp":
                return _of_mp4(file)
            return _of_mp3(file)
        except OSError as error:
            raise AudioError(f"cannot be read ({reason(error)})") from error
        except LayoutError:
            return Clock()


def shifted(grid: Grid, seconds: float) -> Grid:
    """A grid moved by a time [s]. Beats that come before 0 are left out."""
    if not seconds:
        return grid
    sections = [replace(section, begin=section.begin + seconds) for section in grid.sections]
    while len(sections) > 1 and sections[1].begin <= 0:
        del sections[0]
    first = sections[0]
    if first.begin < 0:
        n = math.ceil(-first.begin / first.period)
        beat = None if first.beat is None else (first.beat - 1 + n) % BAR + 1
        begin = first.begin + n * first.period
        sections[0] = replace(first, begin=begin, beat=beat)
        if len(sections) > 1 and sections[1].begin <= begin:
            del sections[0]
    return Grid(tuple(sections))


def _of_mp3(file: BinaryIO) -> Clock:
    """Clock of an mp3, see ISO/IEC 11172-3 and the headers of Xing and LAME; of others, none."""
    start = 0
    while True:  # several tags may follow each other
        file.seek(start)
        size = id3.stated_size(file.read(id3.HEADER_SIZE))
        if not size:
            break
        start += size
    file.seek(start)
    data = file.read(LONGEST_SEARCH if start else LONGEST_HEADER)
    # Without a tag before it the first frame is at the start, or the file is of another format.
    places = range(len(data) - 3) if start else range(min(1, len(data)))
    place = next((k for k in places if _is_sync(data, k)), None)
    if place is None:
        return Clock()
    version, is_mono = data[place + 1] >> 3 & 3, data[place + 3] >> 6 == 3
    sr = _RATES[version][data[place + 2] >> 2 & 3]
    n_samples = 1152 if version == 3 else 576
    side = (17 if is_mono else 32) if version == 3 else (9 if is_mono else 17)
    header = data[place + 4 + side :]
    plain = Clock(Mp3Header.NONE, 0.0, n_samples / sr, sr)
    if header[:4] not in (b"Xing", b"Info") or len(header) < 8:
        return plain
    (flags,) = struct.unpack(">I", header[4:8])
    # Number of frames, number of bytes, table of contents and quality, each if its flag is set
    at = 8 + sum(size for bit, size in ((1, 4), (2, 4), (4, 100), (8, 4)) if flags & bit)
    tag = header[at : at + 36]
    if len(tag) < 36 or not tag.startswith(KNOWN_ENCODERS):
        return replace(plain, mp3=Mp3Header.PLAIN)
    n_delay = (tag[21] << 4 | tag[22] >> 4) + MP3_DELAY
    kind = Mp3Header.PLAIN
    if tag.startswith(b"LAME"):
        stated = int.from_bytes(tag[34:36], "big")
        covered = data[place : place + 4 + side + at + 34]
        valid = stated and stated == _crc16(covered)
        kind = Mp3Header.VALID if valid else Mp3Header.INVALID
    return Clock(kind, n_delay / sr, n_samples / sr, sr)


def _is_sync(data: bytes, k: int) -> bool:
    """Whether a frame of MPEG audio, layer III, begins at byte `k`."""
    head = data[k : k + 4]
    return (
        len(head) == 4
        and head[0] == 0xFF
        and head[1] & 0xE0 == 0xE0
        and head[1] >> 3 & 3 != 1  # version
        and head[1] >> 1 & 3 == 1  # layer III
        and head[2] >> 4 not in (0, 15)  # bit rate
        and head[2] >> 2 & 3 != 3  # sample rate
    )


def _crc16(data: bytes) -> int:
    """CRC-16 (ARC) of the bytes of a frame before the checksum of LAME's tag."""
    table = _crc_table()
    crc = 0
    for byte in data:
        crc = crc >> 8 ^ table[(crc ^ byte) & 0xFF]
    return crc


@cache
def _crc_table() -> tuple[int, ...]:
    """Remainders of all bytes."""
    found = []
    for crc in range(256):
        for _ in range(8):
            crc = crc >> 1 ^ (0xA001 if crc & 1 else 0)
        found.append(crc)
    return tuple(found)


def _of_mp4(file: BinaryIO) -> Clock:
    """Clock of the first track of sound in an MP4 file."""
    delay = mp4.sound_start(mp4.read(file))
    return Clock(delay=delay if delay < LONGEST_DELAY else 0.0)
