"""Pictures of a set as SVG: tempo and energy from track to track, and its way around the keys."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ..keys import Key
from ..markup import escape
from .energy import HIGHEST

INK = "#14181f"  # of what stands on the colour of a key
UNKNOWN = "var(--bar)"  # colour of a key that is unknown
# Sizes of the picture of the course [pixels]: the usual width of all tracks, the least and the most
# of one, margins, and where the panels of tempo and energy begin and end.
USUAL, LEAST_SLOT, MOST_SLOT = 1000.0, 26.0, 60.0
LEFT, RIGHT = 46.0, 10.0
TEMPO_TOP, TEMPO_BOTTOM, ENERGY_TOP, ENERGY_BOTTOM = 40.0, 216.0, 262.0, 340.0
HEIGHT = 366.0
STEPS = (0.5, 1, 2, 5, 10, 20, 50, 100)  # [BPM] between lines of the scale
LEAST_RANGE = 0.06  # of the scale of tempi, relative: small differences stay small
# Short names of the ratios of `RATIO_NAMES`.
COUNTINGS = {
    "half time": "½",
    "double time": "2\u00d7",
    "third time": "⅓",
    "triple time": "3\u00d7",
}
WHEEL, RIM, MIDDLE, HUB = 170.0, 166.0, 114.0, 60.0  # half the size, and three radii [pixels]


@dataclass(frozen=True)
class Slot:
    """A track in the picture of the course.

    Attributes
    ----------
    name
        Artist and title.
    tempo
        [BPM], as people count.
    mixed_at
        The same counted as the first track is [BPM].
    key
        None if it is unknown.
    energy, wanted
        Its energy and that which it should have, from 0 to 10.
    pitch
        Change of its speed [%] at which it meets the track before it; None for the first.
    relation
        How it is counted beside the track before it, such as `half time`; empty if alike.
    """

    name: str
    tempo: float
    mixed_at: float
    key: Key | None
    energy: float
    wanted: float
    pitch: float | None
    relation: str


def colour_of(key: Key | None) -> str:
    """Colour of the place of a key on the Camelot wheel; neighbours have similar ones."""
    if key is None:
        return UNKNOWN
    number = int(key.camelot[:-1])
    return f"hsl({30 * (number - 1)} {50 if key.minor else 72}% {62 if key.minor else 72}%)"


def course_picture(slots: Sequence[Slot]) -> str:
    """SVG of tempo and energy from track to track, from left to right."""
    step = min(max(USUAL / len(slots), LEAST_SLOT), MOST_SLOT)
    width = LEFT + RIGHT + step * len(slots)
    scale = _Scale.over([slot.mixed_at for slot in slots])
    parts = [
        f'<svg viewBox="0 0 {width:g} {HEIGHT:g}" '
        f'style="min-width:{0.8 * width:.0f}px;max-width:{1.2 * width:.0f}px" '
        'role="img" font-size="11"><title>Tempo and energy of each track</title>',
        f'<text class="dim" x="6" y="14">BPM</text>'
        f'<text class="dim" x="6" y="{ENERGY_TOP - 10}">Energy</text>',
    ]
    for bpm in scale.lines():
        y = scale.y(bpm)
        parts.append(
            f'<path d="M{LEFT} {y:.1f}H{width - RIGHT:g}" stroke="var(--line)"/>'
            f'<text class="dim" x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{bpm:g}</text>'
        )
    for energy in (0.0, HIGHEST / 2, HIGHEST):
        y = _energy_y(energy)
        parts.append(
            f'<path d="M{LEFT} {y:.1f}H{width - RIGHT:g}" stroke="var(--line)"/>'
            f'<text class="dim" x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{energy:g}</text>'
        )
    ys = [scale.y(slot.mixed_at) for slot in slots]
    xs = [LEFT + step * k for k in range(len(slots))]
    parts.append(_tempo_line(xs, ys, step))
    for number, (slot, x, y) in enumerate(zip(slots, xs, ys, strict=True), 1):
        parts.append(_track(number, slot, x, y, step))
    wanted = " ".join(
        f"{x + step / 2:.1f},{_energy_y(slot.wanted):.1f}"
        for x, slot in zip(xs, slots, strict=True)
    )
    parts.append(
        f'<polyline points="{wanted}" fill="none" stroke="var(--curve)" stroke-width="1.5" '
        'stroke-dasharray="5 4"/></svg>'
    )
    return "".join(parts)


def _tempo_line(xs: Sequence[float], ys: Sequence[float], step: float) -> str:
    """The line of the tempo: level within a track, a slope between two."""
    points = []
    for x, y in zip(xs, ys, strict=True):
        points += [f"{x + 0.2 * step:.1f},{y:.1f}", f"{x + 0.8 * step:.1f},{y:.1f}"]
    return (
        f'<polyline points="{" ".join(points)}" fill="none" stroke="var(--curve)" '
        'stroke-width="1.5" stroke-linejoin="round"/>'
    )


def _track(number: int, slot: Slot, x: float, y: float, step: float) -> str:
    """What belongs to one track, in its column."""
    middle, bar = x + step / 2, _energy_y(slot.energy)
    code = slot.key.camelot if slot.key else "?"
    told = f"{number}. {slot.name}: {slot.tempo:.2f} BPM, {code}, energy {slot.energy:.1f}"
    parts = [
        f"<g><title>{escape(told)}</title>"
        f'<rect x="{x:.1f}" y="{TEMPO_TOP - 24:g}" width="{step:.1f}" '
        f'height="{HEIGHT - TEMPO_TOP + 24:g}" fill="transparent"/>'
        f'<rect x="{x + 0.16 * step:.1f}" y="{y - 4:.1f}" width="{0.68 * step:.1f}" height="8" '
        f'rx="4" fill="{colour_of(slot.key)}" stroke="var(--paper)"/>'
        f'<text x="{middle:.1f}" y="{y - 9:.1f}" text-anchor="middle">{code}</text>'
        f'<rect x="{x + 0.2 * step:.1f}" y="{bar:.1f}" width="{0.6 * step:.1f}" '
        f'height="{ENERGY_BOTTOM - bar:.1f}" rx="2" fill="var(--bar)"/>'
        f'<text class="dim" x="{middle:.1f}" y="{HEIGHT - 8:g}" text-anchor="middle">{number}'
        "</text>"
    ]
    if slot.pitch is not None:
        parts.append(
            f'<text class="dim" x="{x:.1f}" y="{TEMPO_BOTTOM + 20:g}" text-anchor="middle" '
            f'font-size="10">{round(slot.pitch, 1) + 0.0:+.1f}</text>'
        )
        if slot.relation:
            parts.append(
                f'<text x="{x:.1f}" y="{TEMPO_BOTTOM + 33:g}" text-anchor="middle" font-size="10">'
                f"{COUNTINGS[slot.relation]}</text>"
            )
    return "".join(parts) + "</g>"


def _energy_y(energy: float) -> float:
    """Vertical position of an energy [pixels, downwards]."""
    return ENERGY_BOTTOM - (ENERGY_BOTTOM - ENERGY_TOP) * energy / HIGHEST


@dataclass(frozen=True)
class _Scale:
    """Scale of tempi from `low` to `high` [BPM]."""

    low: float
    high: float

    @classmethod
    def over(cls, tempi: Sequence[float]) -> _Scale:
        """The scale for some tempi [BPM]."""
        low, high = min(tempi), max(tempi)
        spare = max(0.08 * (high - low), (LEAST_RANGE * high - (high - low)) / 2)
        return cls(low - spare, high + spare)

    def y(self, bpm: float) -> float:
        """Vertical position of a tempo [pixels, downwards]."""
        share = (bpm - self.low) / (self.high - self.low)
        return TEMPO_BOTTOM - (TEMPO_BOTTOM - TEMPO_TOP) * share

    def lines(self) -> Iterator[float]:
        """Round tempi [BPM] for the lines of the scale, six at most or a few more."""
        fitting = (step for step in STEPS if (self.high - self.low) / step <= 6)
        step = next(fitting, STEPS[-1])
        bpm = math.ceil(self.low / step) * step
        while bpm <= self.high:
            yield bpm
            bpm += step


def wheel(keys: Sequence[Key | None]) -> str:
    """SVG of the Camelot wheel: the places of the keys of a set, and the way from one to the next.

    In each place stands how often it occurs; the way begins at the ring and ends at the point.
    """
    counts = Counter(key for key in keys if key is not None)
    parts = [
        f'<svg viewBox="0 0 {2 * WHEEL:g} {2 * WHEEL:g}" role="img" font-size="13">'
        "<title>The keys of the set on the Camelot wheel</title>"
    ]
    places = [Key(pitch_class, minor) for pitch_class in range(12) for minor in (True, False)]
    parts += [_sector(key, colour_of(key) if counts[key] else "var(--sector)") for key in places]
    way = [_centre(key) for key in keys if key is not None]
    if way:
        line = " ".join(f"{x:.1f},{y:.1f}" for x, y in way)
        (x0, y0), (x1, y1) = way[0], way[-1]
        parts.append(
            f'<polyline points="{line}" fill="none" stroke="#fff" stroke-width="4" '
            'stroke-opacity=".5" stroke-linejoin="round"/>'
            f'<polyline points="{line}" fill="none" stroke="{INK}" stroke-width="1.3" '
            'stroke-linejoin="round"/>'
            f'<circle cx="{x0:.1f}" cy="{y0:.1f}" r="6" fill="none" stroke="{INK}" '
            f'stroke-width="2"/><circle cx="{x1:.1f}" cy="{y1:.1f}" r="3.5" fill="{INK}"/>'
        )
    parts += [_label(key, counts[key]) for key in places]
    return "".join(parts) + "</svg>"


def _sector(key: Key, fill: str) -> str:
    """The place of a key."""
    inner, outer = (HUB, MIDDLE) if key.minor else (MIDDLE, RIM)
    angle = _angle(key)
    (x0, y0), (x1, y1), (x2, y2), (x3, y3) = (
        _point(angle + turn, radius)
        for turn, radius in ((-15, outer), (15, outer), (15, inner), (-15, inner))
    )
    return (
        f'<path d="M{x0:.1f} {y0:.1f}A{outer:g} {outer:g} 0 0 1 {x1:.1f} {y1:.1f}'
        f'L{x2:.1f} {y2:.1f}A{inner:g} {inner:g} 0 0 0 {x3:.1f} {y3:.1f}Z" fill="{fill}" '
        'stroke="var(--paper)" stroke-width="2"/>'
    )


def _label(key: Key, count: int) -> str:
    """The name of the place of a key and, beneath, how often it occurs if more than once."""
    x, y = _point(_angle(key), (MIDDLE if key.minor else RIM) - 16)
    lines = [key.camelot, f"\u00d7 {count}"] if count > 1 else [key.camelot]
    text = "".join(
        f'<tspan x="{x:.1f}" y="{y + 10 - 6 * len(lines) + 11 * k:.1f}">{line}</tspan>'
        for k, line in enumerate(lines)
    )
    ink = INK if count else "var(--dim)"
    return f'<text text-anchor="middle" font-size="11" style="fill:{ink}">{text}</text>'


def _centre(key: Key) -> tuple[float, float]:
    """Where the way passes through the place of a key."""
    return _point(_angle(key), (HUB if key.minor else MIDDLE) + 9)


def _angle(key: Key) -> float:
    """Direction of a key from the middle of the wheel [degrees], as on a clock, 12 at the top."""
    return 30.0 * int(key.camelot[:-1])


def _point(angle: float, radius: float) -> tuple[float, float]:
    """The point in a direction [degrees, clockwise from the top] from the middle of the wheel."""
    turn = math.radians(angle)
    return WHEEL + radius * math.sin(turn), WHEEL - radius * math.cos(turn)
