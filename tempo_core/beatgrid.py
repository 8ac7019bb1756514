"""Beat grids: where the beats of a track are, and where its bars begin.

Neither this module nor what it imports may import NumPy: beets reads the fields at every start.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from .levels import OF_ONE_PULSE, level_of
from .tempi import is_tempo

BAR = 4  # beats of a bar; bars of other lengths are given no downbeat
DECIMALS = 4  # of times [s] in texts and fields, finer than the samples that a player can seek to
_SECTION = re.compile(r"(\d+(?:\.\d+)?) (\d{1,3}(?:\.\d+)?)(?: ([1-9]))?", re.ASCII)


@dataclass(frozen=True)
class Section:
    """Stretch of a track with a constant tempo.

    `begin` is the time of its first beat [s], from the first sample that a player plays (see
    `docs/beats.md`), and `bpm` its tempo. `beat` is the place of that beat in its bar, 1 for a
    downbeat; None where bars are not known. The section ends where the next one begins.
    """

    begin: float
    bpm: float
    beat: int | None = None

    @property
    def period(self) -> float:
        """Time from beat to beat [s]."""
        return 60 / self.bpm


@dataclass(frozen=True)
class Grid:
    """Beat grid of a track: sections in order of time, one if the tempo is constant.

    Raises
    ------
    ValueError
        If there is no section, or they are not in order of time.
    """

    sections: tuple[Section, ...]

    def __post_init__(self) -> None:
        begins = [section.begin for section in self.sections]
        if not begins or any(b <= a for a, b in pairwise(begins)):
            raise ValueError("a beat grid has sections, in order of time")

    @property
    def first_beat(self) -> float:
        """Time of the first beat [s]."""
        return self.sections[0].begin

    @property
    def downbeat(self) -> float | None:
        """Time of the first downbeat of the first section [s]; None if bars are not known."""
        first = self.sections[0]
        if first.beat is None:
            return None
        return first.begin + (1 - first.beat) % BAR * first.period

    @property
    def is_steady(self) -> bool:
        """Whether one tempo holds for the whole track."""
        return len(self.sections) == 1

    def beats(self, end: float) -> Iterator[tuple[float, int | None]]:
        """Time [s] and place in the bar of every beat before `end` [s], in order."""
        following = [section.begin for section in self.sections[1:]]
        for section, until in zip(self.sections, [*following, math.inf], strict=True):
            # A beat of the old tempo just before the new section is that section's first beat.
            until = min(end, until - section.period / 2 if until < math.inf else end)
            for n in range(max(0, math.ceil((until - section.begin) / section.period))):
                beat = None if section.beat is None else (section.beat - 1 + n) % BAR + 1
                yield section.begin + n * section.period, beat

    def __str__(self) -> str:
        return format_grid(self.sections)


def format_grid(sections: Sequence[Section]) -> str:
    """Begin [s], tempo [BPM] and, if known, beat of each: `0.5120 127.98 1; 61.0200 126.50`."""
    return "; ".join(
        f"{s.begin:.{DECIMALS}f} {s.bpm:.2f}" + (f" {s.beat}" if s.beat else "") for s in sections
    )


def plain_sections(grid: Grid) -> list[dict[str, Any]]:
    """Sections as JSON objects: `begin` [s], `bpm`, and `beat` in the bar, null if not known."""
    return [
        {"begin": round(s.begin, DECIMALS), "bpm": round(s.bpm, 2), "beat": s.beat}
        for s in grid.sections
    ]


def parse_grid(text: object) -> Grid | None:
    """The grid in a text such as `format_grid` makes; None for anything else."""
    found = []
    for part in str(text).split("; "):
        match = _SECTION.fullmatch(part)
        if match is None or not is_tempo(float(match[2])):
            return None
        beat = int(match[3]) if match[3] else None
        found.append(Section(float(match[1]), float(match[2]), beat))
    try:
        return Grid(tuple(found))
    except ValueError:
        return None


def steady(first_beat: float, bpm: float, downbeat: float | None = None) -> Grid:
    """Grid of a constant tempo.

    Parameters
    ----------
    first_beat
        Time of the first beat of the track [s].
    bpm
        Tempo [BPM].
    downbeat
        Time of any downbeat [s]; None if bars are not known.
    """
    beat = None
    if downbeat is not None:
        beat = -round((downbeat - first_beat) * bpm / 60) % BAR + 1
    return Grid((Section(first_beat, bpm, beat),))


def retimed(grid: Grid, bpm: float, at: float) -> Grid:
    """A steady grid at a slightly other tempo, whose beat nearest to a time stays where it is.

    So a small difference in tempo moves the beats of the whole track as little as possible, if the
    time is in its middle.

    Parameters
    ----------
    bpm
        The new tempo [BPM].
    at
        The time [s], ≥ 0.
    """
    old = grid.sections[0]
    n = max(0, round((at - old.begin) / old.period))
    kept = old.begin + n * old.period
    m = math.floor(kept * bpm / 60 + 1e-9)  # beats from the new first one to it
    beat = None if old.beat is None else (old.beat - 1 + n - m) % BAR + 1
    return Grid((Section(max(0.0, kept - m * 60 / bpm), bpm, beat),))


def counted(grid: Grid, ratio: float) -> Grid | None:
    """The grid of the same music counted otherwise; None if its beats cannot be known.

    A ratio near 1, up to `levels.TOLERANCE`, corrects the tempo: the first beat stays where it is.
    Near two, three or four the beats between are added. Near a half or a quarter only every second
    or fourth beat stays, downbeats among them: where a bar begins is a beat in any case. Where bars
    are not known, and at a third, the first beat stays. At any other ratio it is another pulse.

    Parameters
    ----------
    ratio
        New tempo divided by the old one, > 0.
    """
    level = level_of(ratio, OF_ONE_PULSE)
    if level is None:
        return None
    found: list[Section] = []
    following = [section.begin for section in grid.sections[1:]]
    for section, end in zip(grid.sections, [*following, math.inf], strict=True):
        skipped, beat = _recounted(section.beat, level)
        begin = section.begin + skipped * section.period
        if begin < end:  # else none of its few beats is left
            found.append(Section(begin, section.bpm * ratio, beat))
    return Grid(tuple(found)) if found else None


def within(grid: Grid, end: float) -> Grid | None:
    """A grid without what makes no sense in a track that ends at a time [s]; None if nothing does.

    Left out are sections that begin later than that, or too soon for a beat after the one before.
    """
    kept: list[Section] = []
    for section in grid.sections:
        is_too_soon = bool(kept) and section.begin - kept[-1].begin < kept[-1].period / 2
        if section.begin < end and not is_too_soon:
            kept.append(section)
    return Grid(tuple(kept)) if kept else None


def _recounted(beat: int | None, level: float) -> tuple[int, int | None]:
    """Beats to leave out at the beginning of a section, and the place of the next one in its bar.

    Parameters
    ----------
    beat
        Place of the first beat as it was counted.
    level
        Of `levels.OF_ONE_PULSE`.
    """
    if beat is None or level in (3, 1 / 3):  # no bar of four becomes bars of four
        return 0, None
    if level >= 1:
        return 0, round(level) * (beat - 1) % BAR + 1
    n = round(1 / level)
    skipped = (1 - beat) % n
    # Two old bars are one new one, and which of the two begins it is not known: the first one.
    return skipped, (1 if (beat + skipped - 1) % BAR == 0 else BAR)
