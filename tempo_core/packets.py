"""Comparison of the sound in files, by their packets, without decoding.

A decoder plays what it is given: if the streams have the same parameters, and every packet has the
same bytes and times, the sound is the same, whatever has moved inside of the file.
"""

from __future__ import annotations

import hashlib
import itertools
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av

from .errors import AudioError
from .opening import Music, open_container
from .tagging.splices import Splice

AnyPath = str | bytes | os.PathLike[str] | os.PathLike[bytes]
N_FIRST_PACKETS = 32  # that are compared in any case
COMPARED_TAIL = 2.0  # [s] of packets that are compared at the end


def same_packets(one: Path, other: Path, changes: Sequence[Splice] | None = None) -> bool:
    """Whether two files hold the same streams of the same packets, attached pictures included.

    Parameters
    ----------
    one, other
        Media files.
    changes
        If given, the files are known to be the same bytes but for these stretches of the first, and
        to contain no byte positions of packets. If no packet lies in a changed stretch, the second
        file has all of them, and it is enough to check that a reader finds them: the first ones,
        and the last ones if something changed behind the first. That takes a small part of the
        time of reading all of them.

    Raises
    ------
    AudioError
        If the first file cannot be opened or holds no audio.
    """
    with _opened(one) as first:
        if not first.container.streams.audio:
            raise AudioError("there is no audio stream in this file")
        try:
            with _opened(other) as second:
                return _set_up(first) == _set_up(second) and _same(first, second, changes)
        except AudioError:
            return False


def content_of(path: AnyPath) -> bytes:
    """Hash of the sound in a file, 16 bytes: the same in a copy with other tags and pictures.

    It is of the bytes of all packets of the first audio stream, and of what they are. The times of
    packets and the set-up of the decoder are left out: writers of tags change them, and comments
    are part of the set-up in some formats. A file of 10 MB takes some 0.04 s of processor time; it
    is read as a whole, because what a search by time finds in some formats depends on their tags.

    Raises
    ------
    AudioError
        If the file cannot be opened or holds no audio.
    """
    with _opened(path) as opened:
        if not opened.container.streams.audio:
            raise AudioError("there is no audio stream in this file")
        stream = opened.container.streams.audio[0]
        context = stream.codec_context
        kind = f"{context.name} {context.sample_rate} {context.channels}"
        digest = hashlib.blake2b(kind.encode(), digest_size=16)
        for packet in _packets(opened):
            if _is_audio(packet) and packet.stream_index == stream.index:
                digest.update(packet)
        opened.file.check()
    return digest.digest()


@dataclass(frozen=True)
class _Opened:
    """A media file and the container in it, both open."""

    file: Music
    container: Any


@contextmanager
def _opened(path: AnyPath) -> Iterator[_Opened]:
    with Music(path) as file, open_container(file) as container:
        yield _Opened(file, container)


def _same(first: _Opened, second: _Opened, changes: Sequence[Splice] | None) -> bool:
    """Whether the packets of two files are the same; `changes` as in `same_packets`."""
    left, right = _packets(first), _packets(second)
    heads = list(itertools.islice(left, N_FIRST_PACKETS))
    if [_content(p) for p in heads] != [
        _content(p) for p in itertools.islice(right, N_FIRST_PACKETS)
    ]:
        return False
    if changes is not None:
        start = next((_position(p) for p in heads if _is_audio(p)), -1)
        if start >= 0 and not any(change.start <= start < change.stop for change in changes):
            if all(change.start <= start for change in changes):
                return True
            target = _before_end(first)
            tail = None if target is None else _from(first, target)
            if target is not None and tail:
                return tail == _from(second, target)
            left, right = _again(first), _again(second)
    return all(_content(a) == _content(b) for a, b in itertools.zip_longest(left, right))


def _set_up(opened: _Opened) -> list[tuple[Any, ...]]:
    """Parameters that a decoder gets before the first packet, for each stream."""
    streams = []
    for stream in opened.container.streams:
        context = stream.codec_context
        codec = context and (context.name, context.extradata, getattr(context, "sample_rate", None))
        layout = context and str(getattr(context, "layout", ""))
        streams.append((stream.type, stream.time_base, stream.start_time, codec, layout))
    return streams


def _packets(opened: _Opened) -> Iterator[Any]:
    """All packets from the current position on; if reading fails, the type of the error is last."""
    try:
        for packet in opened.container.demux():
            opened.file.packet_came()
            if packet.size:  # the last ones are empty
                yield packet
    except (OSError, ValueError, av.error.FFmpegError) as error:
        yield type(error)


def _again(opened: _Opened) -> Iterator[Any]:
    """All packets from the beginning on."""
    opened.container.seek(0)
    yield from _packets(opened)


def _content(packet: Any) -> Any:
    """Stream, times and bytes of a packet, for comparison; the type of an error stays as it is."""
    if not isinstance(packet, av.Packet):
        return packet
    return packet.stream_index, packet.pts, packet.dts, packet.duration, bytes(packet)


def _is_audio(packet: Any) -> bool:
    return isinstance(packet, av.Packet) and packet.stream.type == "audio"


def _position(packet: Any) -> int:
    """Where a packet begins in the file [bytes], -1 if that cannot be told."""
    return -1 if packet.pos is None else int(packet.pos)


def _before_end(opened: _Opened) -> int | None:
    """Time stamp `COMPARED_TAIL` before the stated end of the first audio stream, or None."""
    stream = opened.container.streams.audio[0]
    if not stream.duration or stream.duration < 0 or not stream.time_base:
        return None
    length = max(0, stream.duration - int(COMPARED_TAIL / stream.time_base))
    return int((stream.start_time or 0) + length)


def _from(opened: _Opened, target: int) -> list[Any] | None:
    """Contents of all packets from a time stamp on; None if the file cannot be searched by time."""
    try:
        opened.container.seek(target, stream=opened.container.streams.audio[0])
    except (OSError, ValueError, av.error.FFmpegError):
        return None
    return [_content(packet) for packet in _packets(opened)]
