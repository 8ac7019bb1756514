"""Whether two files hold the same sound, packet by packet as the container gives them, not decoded.

What a decoder gets is what it plays: where the streams are set up alike and every packet has the
same bytes and the same time, nothing was lost, whatever moved inside the file.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av

from .errors import AudioError
from .opening import Music, open_container
from .tagging.splices import Splice

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
        nowhere in them is it written down at which byte of the file a packet is. If no packet lies
        in what changed, all are there, and it is enough to see that they are found: the first ones,
        and the last where something changed behind them. That is a small part of the work of
        reading them all.

    Raises
    ------
    AudioError
        If the first cannot be opened or holds no audio: then there is nothing to compare.
    """
    with _opened(one) as first:
        if not first.container.streams.audio:
            raise AudioError("there is no audio stream in this file")
        try:
            with _opened(other) as second:
                return _set_up(first) == _set_up(second) and _same(first, second, changes)
        except AudioError:
            return False


@dataclass(frozen=True)
class _Opened:
    file: Music
    container: Any


@contextmanager
def _opened(path: Path) -> Iterator[_Opened]:
    with Music(path) as file, open_container(file) as container:
        yield _Opened(file, container)


def _same(first: _Opened, second: _Opened, changes: Sequence[Splice] | None) -> bool:
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
    """What a decoder is told before the first packet, for each stream."""
    streams = []
    for stream in opened.container.streams:
        context = stream.codec_context
        codec = context and (context.name, context.extradata, getattr(context, "sample_rate", None))
        layout = context and str(getattr(context, "layout", ""))
        streams.append((stream.type, stream.time_base, stream.start_time, codec, layout))
    return streams


def _packets(opened: _Opened) -> Iterator[Any]:
    """All packets; an error, of which the type counts, is the last."""
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
    """Stream, times and bytes of a packet."""
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
    """All packets from a time on; None if there is no way to jump there."""
    try:
        opened.container.seek(target, stream=opened.container.streams.audio[0])
    except (OSError, ValueError, av.error.FFmpegError):
        return None
    return [_content(packet) for packet in _packets(opened)]
