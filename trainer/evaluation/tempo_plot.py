"""The picture of a track's tempo: waveform, tempogram with the tempo over it, and folded beat."""

from __future__ import annotations

import math

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedFormatter, FixedLocator, FuncFormatter, MultipleLocator
from matplotlib.ticker import NullLocator as NoTicks

from tempo_core.console import shown
from tempo_core.tasks.tempo.axis import tempo_axis
from tempo_core.tasks.tempo.columns import format_range
from tempo_core.tasks.tempo.course import tempo_range

from .piano_roll import clock
from .plots import COLOURS, GREY, TEMPO_TICKS, encoded
from .tempo_over_time import BLOCK, TempoOverTime

WIDTH, HEIGHT = 11.0, 7.2  # [inches]
PROPORTIONS = (1.0, 3.2, 1.8)  # heights of waveform, tempogram and folded beat
WAVEFORM_COLUMNS = 2000  # more could not be seen
LINE_COLOUR = COLOURS[1]
BRIGHTEST = 98.0  # percentile of the onset strength that is drawn darkest in the folded beat
STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600)  # [s] between two ticks


def draw(track: TempoOverTime, form: str) -> bytes:
    """The picture as `png` or `svg`; equal tracks give equal bytes."""
    return encoded(figure_of(track), form)


def figure_of(track: TempoOverTime) -> Figure:
    """The figure: three panels with one axis of time."""
    figure = Figure(figsize=(WIDTH, HEIGHT), layout="constrained")
    figure.suptitle(shown(_title(track)), fontsize=12, parse_math=False)
    panels = figure.subplots(3, sharex=True, height_ratios=PROPORTIONS)
    _draw_waveform(panels[0], track)
    _draw_tempogram(panels[1], track)
    _draw_tempo(panels[1], track)
    _draw_folded(panels[2], track)
    step = next((s for s in STEPS if track.duration / s <= 12), STEPS[-1])
    panels[2].xaxis.set_major_locator(MultipleLocator(step))
    panels[2].xaxis.set_major_formatter(FuncFormatter(lambda time, _: clock(time)))
    panels[2].set_xlim(0, track.duration)
    return figure


def _title(track: TempoOverTime) -> str:
    """Name and tempo, and the range of one that changes."""
    told = f"{track.title}: {track.tempo.bpm:.2f} BPM"
    ends = tempo_range(track.tempo.curve)
    return told if ends is None else f"{told} ({format_range(ends)})"


def _draw_waveform(axes: Axes, track: TempoOverTime) -> None:
    """Peak amplitude over time, above and below zero."""
    per_column = math.ceil(track.swings.size / WAVEFORM_COLUMNS)
    starts = np.arange(0, track.swings.size, per_column)
    peaks = np.maximum.reduceat(track.swings, starts)
    peaks = peaks / max(1e-9, float(peaks.max()))
    axes.fill_between(starts * BLOCK, -peaks, peaks, step="post", color=GREY, linewidth=0)
    axes.set_ylim(-1.05, 1.05)
    axes.yaxis.set_major_locator(NoTicks())
    axes.set_ylabel("waveform")
    axes.spines[["top", "right", "left"]].set_visible(False)


def _draw_tempogram(axes: Axes, track: TempoOverTime) -> None:
    """Strength of the pulse over time and tempo, on a logarithmic axis with labels in BPM."""
    grid = track.tempo.grid
    tempi = tempo_axis(grid)
    half = 2 ** (0.5 / grid.bins_per_octave)
    edges = np.append(tempi / half, tempi[-1] * half)
    columns = track.tempogram.shape[1]
    times = (np.arange(columns + 1) - 0.5) * track.tempogram_hop
    axes.pcolormesh(times, edges, track.tempogram, cmap="Greys", rasterized=True)
    axes.set_yscale("log")
    axes.set_ylim(grid.answer_min, grid.answer_max)
    axes.yaxis.set_major_locator(FixedLocator(TEMPO_TICKS))
    axes.yaxis.set_major_formatter(FixedFormatter([str(tempo) for tempo in TEMPO_TICKS]))
    axes.yaxis.set_minor_locator(NoTicks())
    axes.set_ylabel("tempo [BPM]")
    axes.spines[["top", "right"]].set_visible(False)


def _draw_tempo(axes: Axes, track: TempoOverTime) -> None:
    """The tempo of every window, as a line that breaks where there is none."""
    places = track.tempo_at()
    times = [time for time, _ in places]
    tempi = [np.nan if point.bpm is None else point.bpm for _, point in places]
    marker = "o" if len(places) <= 60 else None
    axes.plot(times, tempi, color="white", linewidth=4.0, alpha=0.8)
    axes.plot(times, tempi, color=LINE_COLOUR, linewidth=2.0, marker=marker, markersize=3.5)


def _draw_folded(axes: Axes, track: TempoOverTime) -> None:
    """Onset strength folded at the beat, two beats high, so that no slope is cut at the edge."""
    strength = np.tile(track.folded.strength, (2, 1))
    until = track.folded.strength.shape[1] * track.folded.width
    brightest = float(np.percentile(track.folded.strength, BRIGHTEST))
    axes.imshow(
        strength, cmap="Blues", vmin=0, vmax=max(brightest, 1e-9), origin="lower", aspect="auto",
        extent=(0, until, 0, 2), interpolation="nearest",
    )  # fmt: skip
    axes.yaxis.set_major_locator(MultipleLocator(1))
    axes.set_ylabel(f"beats at {track.tempo.bpm:.2f} BPM")
    axes.spines[["top", "right"]].set_visible(False)
