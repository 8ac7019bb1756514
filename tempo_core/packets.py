"""Whether two files hold the same sound, packet by packet as the container gives them, not decoded.

What a decoder gets is what it plays: where the streams are set up alike and every packet has the
same bytes and the same time, nothing was lost, whatever moved inside the file.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av

from .errors import AudioError
from .opening import open_container

SEEKS = (0.25, 0.5, 0.75)  # of the length: a player that jumps there must land where it did


def same_packets(one: Path, other: Path) -> bool:
    """Whether two files hold the same streams of the same packets, attached pictures included.

    Parameters
    ----------
    one, other
        Media files.

    Raises
    ------
    AudioError
        If the first cannot be opened or holds no audio: then there is nothing to compare.
    """
    with open_container(one) as first:
        if not any(stream.type == "audio" for stream in first.streams):
            raise AudioError("there is no audio stream in this file")
        try:
            with open_container(other) as second:
                if not _same_streams(first, second):
                    return False
        except AudioError:
            return False
    return _landings(one) == _landings(other)


def _same_streams(first: Any, second: Any) -> bool:
    if [_set_up(stream) for stream in first.streams] != [_set_up(s) for s in second.streams]:
        return False
    pairs = itertools.zip_longest(_packets(first), _packets(second))
    return all(left == right for left, right in pairs)


def _set_up(stream: Any) -> tuple[Any, ...]:
    """What a decoder is told before the first packet."""
    context = stream.codec_context
    return (
        stream.type,
        stream.time_base,
        stream.start_time,
        context and (context.name, context.extradata, getattr(context, "sample_rate", None)),
        context and str(getattr(context, "layout", "")),
    )


def _packets(container: Any) -> Iterator[tuple[Any, ...]]:
    """Stream, times and bytes of each packet; an error is the last of them."""
    try:
        for packet in container.demux():
            if packet.size:  # the last ones are empty
                yield packet.stream_index, packet.pts, packet.dts, packet.duration, bytes(packet)
    except (OSError, ValueError, av.error.FFmpegError) as error:
        yield -1, type(error), None, None, b""


def _landings(path: Path) -> list[Any]:
    """The packets that follow jumps into a file, which go by tables of positions in it."""
    found: list[Any] = []
    with open_container(path) as container:
        stream = container.streams.audio[0]
        start, length = stream.start_time or 0, stream.duration
        for share in SEEKS if length and length > 0 else ():
            try:
                container.seek(start + int(share * length), stream=stream)
                found.append(next(_packets(container), None))
            except (OSError, ValueError, av.error.FFmpegError) as error:
                found.append(type(error))
    return found
