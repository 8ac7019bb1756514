"""Where a track is listened to: which stretches of it sound, and which of them are heard first.

A file says how long it is, and is often wrong: streams without a length, cut files, silent tails,
ten minutes of nothing before a hidden track. It is believed as long as there is music where it says
there is, and looked at more closely where not: first its packets, then what sounds in them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from .audio import AudioSource, Run
from .config import Windows
from .excerpts import Excerpt, sounding

# Intros and endings are where a track is least like itself.
EDGE = 0.08  # of the duration, at both ends
WHOLE = 72.0  # [s] a track up to this length is listened to without gaps
SECTION = 600.0  # [s] a longer track is listened to like several that are at most as long
STREAMED_PIECE = 120.0  # [s] of audio in memory at a time, where all of a file is listened to
PRESENT = 0.5  # share of a span that has to sound if the file is right about its length
BEYOND = 1.0  # [s] behind the stated end of a short file, where nothing should be

Span = tuple[float, float]  # (start, duration) [s] of what is decoded in one go


@dataclass(frozen=True)
class Round:
    """What is listened to together.

    `excerpts` are as they were decoded, `music` is what sounds of them (see `excerpts.sounding`).
    `is_first`: what was heard before, if anything, was in the wrong places and does not count.
    `duration` is that of all there is to listen to [s]; None where all of it is listened to.
    """

    excerpts: list[Excerpt]
    music: list[Excerpt]
    is_first: bool
    duration: float | None = None


def rounds(file: AudioSource, sr: int, windows: Windows, n_windows: int | None) -> Iterator[Round]:
    """Listen to a file in rounds; after each the caller decides whether it needs the next.

    Parameters
    ----------
    sr
        Sample rate of the excerpts [Hz].
    n_windows
        How many windows to listen to at most in every `SECTION` of the track. None: to all of it.

    Raises
    ------
    AudioError
        If the file cannot be decoded.
    """
    if n_windows is None:
        for k, piece in enumerate(file.stream(sr, STREAMED_PIECE)):
            yield Round([piece], sounding([piece], sr), k == 0)
        return
    for runs, is_sure in _timelines(file):
        for k, spans in enumerate(plan(runs, windows, n_windows)):
            excerpts: list[Excerpt] = []
            music: list[Excerpt] = []
            for span in spans:
                found = file.read(sr, [span])
                sounds = sounding(found, sr)
                if not is_sure and not _is_there(sr, span, sounds):
                    break  # at once: a file that claims days has a thousand more of them
                excerpts += found
                music += sounds
            else:
                yield Round(excerpts, music, k == 0, total(runs))
                continue
            break
        else:
            return


def music(file: AudioSource, sr: int, windows: Windows, n_windows: int | None) -> list[Excerpt]:
    """What `rounds` gives a caller that never has enough, in the order of the track.

    Raises
    ------
    AudioError
        If the file cannot be decoded.
    """
    heard: list[Excerpt] = []
    for round_ in rounds(file, sr, windows, n_windows):
        heard = round_.music if round_.is_first else heard + round_.music
    return sorted(heard, key=lambda excerpt: excerpt.start)


def _timelines(file: AudioSource) -> Iterator[tuple[list[Run], bool]]:
    """What there is of a file, from what is cheap to know to what is sure; the last is sure."""
    stated = file.duration
    if stated is not None and (stated > WHOLE or not file.goes_on(stated + BEYOND)):
        yield [(0.0, stated)], False
    yield file.packet_runs(), False
    yield file.sounding_runs(), True


def _is_there(sr: int, span: Span, music: Sequence[Excerpt]) -> bool:
    """Whether so much sounds in a span that it was worth listening to."""
    return sum(excerpt.audio.size for excerpt in music) >= PRESENT * span[1] * sr


def plan(runs: Sequence[Run], windows: Windows, n_windows: int) -> list[list[Span]]:
    """Where to listen, in rounds.

    The windows are spread evenly over what the runs hold together, as if nothing were between them.
    A track up to `WHOLE`, or one that its windows would cover anyway, is one round of all its runs.

    Parameters
    ----------
    runs
        What there is of the track, in order.
    n_windows
        Number of windows for every `SECTION`.
    """
    duration = total(runs)
    length = windows.duration
    if duration <= max(length, min(WHOLE, n_windows * length)):
        return [[(begin, end - begin) for begin, end in runs]]
    n_sections = math.ceil(duration / SECTION)
    places = spread(duration, length, n_windows * n_sections)
    spans = [_span(runs, place, length) for place in places]
    sections = [spans[k * n_windows : (k + 1) * n_windows] for k in range(n_sections)]
    return [
        [section[k] for section in sections for k in which] for which in coarse_first(n_windows)
    ]


def total(runs: Sequence[Run]) -> float:
    """How long runs are together [s]."""
    return sum(end - begin for begin, end in runs)


def spread(duration: float, length: float, n: int) -> list[float]:
    """Starts [s] of `n` windows of `length` [s], evenly between the edges of `duration` [s]."""
    first = EDGE * duration
    last = max(first, (1 - EDGE) * duration - length)
    if n == 1:
        return [max(0.0, (duration - length) / 2)]
    return [first + k * (last - first) / (n - 1) for k in range(n)]


def coarse_first(n: int) -> list[list[int]]:
    """Indices 0..n-1 in rounds: two at a third and two thirds, then the others, two at a time.

    After each round the estimator decides whether the next one is needed.
    """
    if n <= 2:
        return [list(range(n))]
    first = [(n - 1) // 3, n - 1 - (n - 1) // 3]
    rest = [k for k in range(n) if k not in first]
    # From both ends inwards, so that every round looks at the track as a whole.
    pairs = [sorted({rest[i], rest[-1 - i]}) for i in range((len(rest) + 1) // 2)]
    return [sorted(set(first)), *pairs]


def _span(runs: Sequence[Run], place: float, length: float) -> Span:
    """The span of `length` [s] that begins `place` [s] into the runs; it stays within one run."""
    for begin, end in runs:
        if place < end - begin or (begin, end) == runs[-1]:
            break
        place -= end - begin
    start = max(begin, min(begin + place, end - length))
    return start, min(length, end - start)
