"""Choice of the parts of a track that are listened to, and of their order.

The length that a file states is often wrong: there are streams without a length, cut files, silent
tails, and ten minutes of silence before a hidden track. The stated length is used as long as there
is music where it says so. Otherwise the stretches with packets are used, and if there is no music
in those either, the stretches that sound.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from .audio import AudioSource, Run
from .config import Windows
from .excerpts import Excerpt, sounding

# Share of the duration, at both ends, that is left out: intros and endings are least typical.
EDGE = 0.08
WHOLE = 72.0  # [s] a track up to this length is listened to without gaps
SECTION = 600.0  # [s] a longer track is listened to as if it were several tracks of this length
STREAMED_PIECE = 120.0  # [s] of audio in memory at a time, if a whole file is listened to
PRESENT = 0.5  # share of a span that must sound if the length of the file is right
BEYOND = 1.0  # [s] after the stated end of a short file: audio there proves the length wrong

Span = tuple[float, float]  # (start, duration) [s] of what is decoded in one go


@dataclass(frozen=True)
class Round:
    """Excerpts that are listened to together, before it is asked whether more are needed.

    `excerpts` are as they were decoded, `music` is what sounds of them (see `excerpts.sounding`).
    If `is_first`, excerpts of earlier rounds were in the wrong places and do not count. `duration`
    is the length of the track without gaps [s]; None if all of it is listened to.
    """

    excerpts: list[Excerpt]
    music: list[Excerpt]
    is_first: bool
    duration: float | None = None


def rounds(file: AudioSource, sr: int, windows: Windows, n_windows: int | None) -> Iterator[Round]:
    """Rounds of listening to a file; after each the caller decides whether it needs the next.

    Parameters
    ----------
    sr
        Sample rate of the excerpts [Hz].
    n_windows
        Number of windows in every `SECTION` of the track at most; None: the whole track.

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
                    break  # at once: a file that states a length of days has thousands of spans
                excerpts += found
                music += sounds
            else:
                yield Round(excerpts, music, k == 0, total(runs))
                continue
            break
        else:
            return


def music(file: AudioSource, sr: int, windows: Windows, n_windows: int | None) -> list[Excerpt]:
    """Music of all rounds of listening to a file, in the order of the track; see `rounds`.

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
    """(stretches of a file with music, whether they are sure), the cheapest to find first.

    Only the last are sure.
    """
    stated = file.duration
    if stated is not None and (stated > WHOLE or not file.goes_on(stated + BEYOND)):
        yield [(0.0, stated)], False
    yield file.packet_runs(), False
    yield file.sounding_runs(), True


def _is_there(sr: int, span: Span, music: Sequence[Excerpt]) -> bool:
    """Whether at least the share `PRESENT` of a span sounds, given what sounds of it."""
    return sum(excerpt.audio.size for excerpt in music) >= PRESENT * span[1] * sr


def plan(runs: Sequence[Run], windows: Windows, n_windows: int) -> list[list[Span]]:
    """Spans to listen to, in rounds.

    The windows are spread evenly over the runs, as if there were no gaps between these. A track up
    to `WHOLE`, or one that its windows would cover anyway, is one round of all its runs.

    Parameters
    ----------
    runs
        Stretches of the track with music, in order.
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
    """Total length of runs [s]."""
    return sum(end - begin for begin, end in runs)


def spread(duration: float, length: float, n: int) -> list[float]:
    """Starts [s] of `n` windows of `length` [s], evenly spread over a duration [s] but `EDGE`."""
    first = EDGE * duration
    last = max(first, (1 - EDGE) * duration - length)
    if n == 1:
        return [max(0.0, (duration - length) / 2)]
    return [first + k * (last - first) / (n - 1) for k in range(n)]


def coarse_first(n: int) -> list[list[int]]:
    """Indices 0..n-1 in rounds: those at a third and two thirds, then the others, two at a time."""
    if n <= 2:
        return [list(range(n))]
    first = [(n - 1) // 3, n - 1 - (n - 1) // 3]
    rest = [k for k in range(n) if k not in first]
    # From both ends inwards, so that every round represents the track as a whole.
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
