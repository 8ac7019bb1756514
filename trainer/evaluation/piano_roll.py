"""The piano roll of a transcription, drawn over the spectrum of the track."""

from __future__ import annotations

import math

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import FixedLocator, FuncFormatter, MultipleLocator

from tempo_core.console import shown
from tempo_core.tasks.notes.events import Note
from tempo_core.transcription.roll import LOWEST, Roll
from tempo_core.transcription.tables import pitch_name

from .plots import COLOURS, encoded

ROW = 30.0  # [s] of music in one row
WIDTH, ROW_HEIGHT, HEAD = 13.0, 2.6, 0.7  # [inches]
MARGIN = 2  # semitones above and below the notes
FEWEST = 24  # semitones that are shown at least
GREY = "#555555"
BASS_COLOUR, TOP_COLOUR, OTHER_COLOUR = COLOURS[4], COLOURS[0], COLOURS[2]
PALEST = 0.35  # opacity of a note of confidence 0
NOTE_HEIGHT = 0.8  # semitones


def draw(roll: Roll, form: str) -> bytes:
    """The picture as `png` or `svg`; equal rolls give equal bytes."""
    return encoded(figure_of(roll), form)


def figure_of(roll: Roll) -> Figure:
    """The figure: rows of `ROW` seconds, or one row if it is no longer."""
    length = roll.end - roll.begin
    row = min(ROW, length)
    n_rows = max(1, math.ceil(length / row - 0.01))
    figure = Figure(figsize=(WIDTH, HEAD + ROW_HEIGHT * n_rows), layout="constrained")
    figure.suptitle(shown(roll.title), fontsize=12, parse_math=False)
    low, high = _pitches(roll)
    for k, axes in enumerate(figure.subplots(n_rows, squeeze=False)[:, 0]):
        begin = roll.begin + k * row
        _draw_row(axes, roll, begin, begin + row, low, high)
    _legend(figure, roll)
    return figure


def _pitches(roll: Roll) -> tuple[float, float]:
    """Lowest and highest pitch that are shown."""
    pitches = [note.pitch for note in roll.notes] or [60]
    low, high = min(pitches) - MARGIN, max(pitches) + MARGIN
    more = max(0.0, FEWEST - (high - low)) / 2
    return low - more, high + more


def _draw_row(axes: Axes, roll: Roll, begin: float, end: float, low: float, high: float) -> None:
    """One row of the picture, from `begin` to `end` [s]."""
    first, last = (round((time - roll.begin) * roll.fps) for time in (begin, end))
    levels = roll.levels[:, first:last]
    if levels.size:
        bottom = LOWEST - 0.5
        top = bottom + len(levels) / roll.bands_per_semitone
        until = begin + levels.shape[1] / roll.fps
        axes.imshow(
            levels, cmap="Greys", vmin=0, vmax=400, origin="lower", aspect="auto",
            extent=(begin, until, bottom, top), interpolation="bilinear",
        )  # fmt: skip
    for colour, notes in _coloured(roll, begin, end):
        shapes = [_shape(note) for note in notes]
        alphas = [PALEST + (1 - PALEST) * min(max(note.confidence, 0.0), 1.0) for note in notes]
        axes.add_collection(
            PolyCollection(shapes, facecolor=colour, edgecolor="white", linewidth=0.4, alpha=alphas)
        )
    octaves = [pitch for pitch in range(12, 121, 12) if low <= pitch <= high]
    axes.yaxis.set_major_locator(FixedLocator(octaves))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda pitch, _: pitch_name(round(pitch))))
    for pitch in octaves:  # between B and C, as on a keyboard
        axes.axhline(pitch - 0.5, color=GREY, linewidth=0.6, alpha=0.6)
    axes.xaxis.set_major_locator(MultipleLocator(_between_ticks(end - begin)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda time, _: clock(time)))
    axes.set_xlim(begin, end)
    axes.set_ylim(low, high)
    axes.spines[["top", "right"]].set_visible(False)


def _coloured(roll: Roll, begin: float, end: float) -> list[tuple[str, list[Note]]]:
    """The notes that sound from `begin` to `end` [s], by their colour."""
    groups: dict[str, list[Note]] = {OTHER_COLOUR: [], BASS_COLOUR: [], TOP_COLOUR: []}
    for note in roll.notes:
        if note.start < end and note.end > begin:
            place = note.start, note.pitch
            is_top, is_bass = place in roll.top, place in roll.bass
            groups[TOP_COLOUR if is_top else BASS_COLOUR if is_bass else OTHER_COLOUR].append(note)
    return [(colour, notes) for colour, notes in groups.items() if notes]


def _shape(note: Note) -> np.ndarray:
    """(4, 2) corners of a note."""
    half = NOTE_HEIGHT / 2
    low, high = note.pitch - half, note.pitch + half
    return np.array(
        [(note.start, low), (note.start, high), (note.end, high), (note.end, low)], float
    )


def _between_ticks(length: float) -> float:
    """Time between two ticks of the time axis [s]: at most about twelve of them."""
    return next((step for step in (0.5, 1.0, 2.0, 5.0) if length / step <= 12), 5.0)


def clock(time: float) -> str:
    """A time as minutes and seconds: `1:05`, or `1:05.5` within a second."""
    tenths = round(10 * time)
    minutes, rest = divmod(tenths, 600)
    return f"{minutes}:{rest // 10:02d}" + (f".{rest % 10}" if rest % 10 else "")


def _legend(figure: Figure, roll: Roll) -> None:
    """What the colours mean, of those that there are."""
    shown_ = [colour for colour, _ in _coloured(roll, roll.begin, roll.end)]
    names = {TOP_COLOUR: "melody line", BASS_COLOUR: "lowest line", OTHER_COLOUR: "other notes"}
    handles = [Patch(color=c, label=name) for c, name in names.items() if c in shown_]
    if handles:
        figure.legend(
            handles=handles, loc="outside lower center", ncols=len(handles), frameon=False,
            fontsize=9,
        )  # fmt: skip
