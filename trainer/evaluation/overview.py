"""The picture of a training set: tempi, genres, sources, lengths, splits, and what was dropped."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import (
    FixedFormatter,
    FixedLocator,
    MaxNLocator,
    NullLocator,
    PercentFormatter,
)

from tempo_core.console import counted

from ..files import write_bytes
from ..trainingset.clean import FAILURES
from ..trainingset.genres import main_genre
from ..trainingset.split import SHARES
from ..trainingset.tables import SPLITS, CollectedTrack, DroppedTrack
from .plots import COLOURS, GREY, TEMPO_TICKS, encoded, short_name

OVERVIEW = "overview.png"  # file in the folder of a training set
MOST_GENRES, MOST_SOURCES = 14, 8  # rows of their own; the rare ones share a row
NO_GENRE = "no genre"
SLOWEST, FASTEST = 60.0, 200.0  # [BPM] that the tempo axis shows at least
WIDEST_BIN = 1.05  # ratio of the ends of a bin of tempi
LONGEST_IN_SECONDS = 150.0  # [s] up to which lengths are given in seconds
N_LENGTHS = 30  # bins of the histogram of lengths
WIDTH, ROW = 12.0, 0.27  # [inches] of the picture, and of a row in it
SPLIT_COLOURS = dict(zip(SPLITS, COLOURS, strict=False))
SHADES = LinearSegmentedColormap.from_list("shades", ["#ffffff", COLOURS[0]])


@dataclass(frozen=True)
class Rows:
    """Groups of tracks, a row of a plot each: their names, and the tracks in each."""

    names: list[str]
    tracks: list[list[CollectedTrack]]

    def __len__(self) -> int:
        return len(self.names)


def rows_of(
    tracks: Sequence[CollectedTrack], key: Callable[[CollectedTrack], str], most: int, unknown: str
) -> Rows:
    """The tracks by their key, the most frequent first; rare ones together, unknown ones last.

    Parameters
    ----------
    key
        Returns the name of a track's group; empty is unknown.
    most
        Number of groups, the unknown one not counted; if there are more, the rarest share one.
    """
    counts = Counter(map(key, tracks))
    nameless = counts.pop("", 0)
    ordered = sorted(counts, key=lambda name: (-counts[name], name))
    own = ordered if len(ordered) <= most else ordered[: most - 1]
    place = {name: k for k, name in enumerate(own)}
    names = [*own]
    if len(own) < len(ordered):
        names.append(f"{len(ordered) - len(own)} others")
    if nameless:
        place[""] = len(names)
        names.append(unknown)
    found: list[list[CollectedTrack]] = [[] for _ in names]
    for track in tracks:
        found[place.get(key(track), len(own))].append(track)
    return Rows(names, found)


def overview(name: str, kept: Sequence[CollectedTrack], dropped: Sequence[DroppedTrack]) -> Figure:
    """The picture of a training set of any size."""
    genres = rows_of(kept, lambda track: main_genre(track.genre), MOST_GENRES, NO_GENRE)
    sources = rows_of(kept, lambda track: track.label_source, MOST_SOURCES, "no source")
    reasons = Counter(f"{track.reason}" for track in dropped)
    heights = [
        3.0, 1.1 + ROW * max(3, len(genres) + 1), 1.1 + ROW * max(3, len(sources), len(reasons)),
    ]  # fmt: skip
    figure = Figure(figsize=(WIDTH, sum(heights) + 0.4), layout="constrained")
    figure.suptitle(
        f"{short_name(name)}: {counted(len(kept), 'recording')}, {len(dropped)} dropped"
    )
    grid = figure.add_gridspec(3, 2, height_ratios=heights)
    tempi, lengths, by_genre, splits, by_source, why = (
        figure.add_subplot(grid[k, j]) for k in range(3) for j in range(2)
    )
    for axes in (tempi, lengths, splits, why):
        axes.spines[["top", "right"]].set_visible(False)
        axes.set_axisbelow(True)
    edges = tempo_edges([track.bpm for track in kept])
    _draw_tempi(tempi, kept, edges)
    _draw_lengths(lengths, kept)
    _draw_rows(by_genre, genres, edges, "genre")
    _draw_splits(splits, kept, genres)
    _draw_rows(by_source, sources, edges, "source of the label")
    _draw_reasons(why, reasons)
    return figure


def write_overview(
    folder: Path, kept: Sequence[CollectedTrack], dropped: Sequence[DroppedTrack]
) -> Path:
    """Draw a training set into its folder, and return the path of the picture.

    Raises
    ------
    StorageError
        If it cannot be written.
    """
    path = folder / OVERVIEW
    write_bytes(path, encoded(overview(folder.absolute().name, kept, dropped), "png"))
    return path


def tempo_edges(tempi: Sequence[float]) -> np.ndarray:
    """Edges of bins [BPM] for all tempi, equally far apart on a logarithmic axis."""
    low = min([SLOWEST, *tempi]) / WIDEST_BIN
    high = max([FASTEST, *tempi]) * WIDEST_BIN
    n_bins = int(np.ceil(np.log(high / low) / np.log(WIDEST_BIN)))
    return np.geomspace(low, high, n_bins + 1)


def _by_split(tracks: Sequence[CollectedTrack]) -> dict[str, list[CollectedTrack]]:
    return {split: [track for track in tracks if track.split == split] for split in SPLITS}


def _draw_tempi(axes: Axes, kept: Sequence[CollectedTrack], edges: np.ndarray) -> None:
    """Histogram of the tempi, stacked by split."""
    parts = _by_split(kept)
    axes.hist(
        [[track.bpm for track in part] for part in parts.values()], bins=list(edges), stacked=True,
        color=list(SPLIT_COLOURS.values()), label=[f"{s} ({len(p)})" for s, p in parts.items()],
    )  # fmt: skip
    _tempo_axis(axes, edges)
    axes.set(ylabel="recordings", title="tempo")
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(axis="y", color="#eeeeee")
    axes.legend(fontsize=8)


def _tempo_axis(axes: Axes, edges: np.ndarray) -> None:
    axes.set_xscale("log")
    ticks = [tick for tick in TEMPO_TICKS if edges[0] <= tick <= edges[-1]]
    axes.xaxis.set_major_locator(FixedLocator(ticks))
    axes.xaxis.set_major_formatter(FixedFormatter([str(tick) for tick in ticks]))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set(xlim=(edges[0], edges[-1]), xlabel="label [BPM]")


def _draw_lengths(axes: Axes, kept: Sequence[CollectedTrack]) -> None:
    """Histogram of the lengths of the recordings, stacked by split."""
    longest = max((track.duration for track in kept), default=0.0)
    unit, seconds = ("s", 1.0) if longest <= LONGEST_IN_SECONDS else ("minutes", 60.0)
    edges = np.linspace(0, max(longest / seconds, 1.0), N_LENGTHS + 1)
    parts = _by_split(kept)
    axes.hist(
        [[track.duration / seconds for track in part] for part in parts.values()],
        bins=list(edges), stacked=True, color=list(SPLIT_COLOURS.values()),
    )  # fmt: skip
    hours = sum(track.duration for track in kept) / 3600
    axes.set(
        xlim=(0, edges[-1]), xlabel=f"length [{unit}]", ylabel="recordings",
        title=f"length ({hours:.1f} hours in all)",
    )  # fmt: skip
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(axis="y", color="#eeeeee")


def _draw_rows(axes: Axes, rows: Rows, edges: np.ndarray, label: str) -> None:
    """Histogram of the tempi of each group as a row of shades, from none to the most of the row."""
    axes.set_title(f"tempo by {label}")
    if rows.names in ([], [NO_GENRE]):
        _nothing(axes, f"no {label} is known")
        return
    counts = [np.histogram([t.bpm for t in tracks], edges)[0] for tracks in rows.tracks]
    shades = np.array([row / max(1, row.max()) for row in counts])
    axes.pcolormesh(edges, np.arange(len(rows) + 1) - 0.5, shades, cmap=SHADES, vmin=0, vmax=1)
    axes.hlines(np.arange(1, len(rows)) - 0.5, edges[0], edges[-1], color="#eeeeee", linewidth=0.8)
    _tempo_axis(axes, edges)
    names = [f"{short_name(n)} ({len(t)})" for n, t in zip(rows.names, rows.tracks, strict=True)]
    axes.set_yticks(range(len(rows)), names, fontsize=8)
    axes.set_ylim(len(rows) - 0.5, -0.5)


def _draw_splits(axes: Axes, kept: Sequence[CollectedTrack], genres: Rows) -> None:
    """The share of each split, of all recordings and of each genre."""
    names, groups = ["all"], [list(kept)]
    if genres.names != [NO_GENRE]:
        names, groups = [*names, *genres.names], [*groups, *genres.tracks]
    left = np.zeros(len(names))
    for split, colour in SPLIT_COLOURS.items():
        n_there = np.array([sum(track.split == split for track in group) for group in groups])
        shares = n_there / np.maximum(1, [len(group) for group in groups])
        bars = axes.barh(range(len(names)), shares, 0.8, left=left, color=colour)
        texts = [str(n) if share >= 0.04 else "" for n, share in zip(n_there, shares, strict=True)]
        axes.bar_label(bars, texts, label_type="center", fontsize=7, color="white")
        left += shares
    for border in np.cumsum([SHARES[split] for split in SPLITS[:-1]]):
        axes.axvline(border, color="black", linewidth=0.8, dashes=(4, 3))
    axes.set_yticks(range(len(names)), [short_name(name) for name in names], fontsize=8)
    axes.set(
        xlim=(0, 1), ylim=(len(names) - 0.5, -0.5), xlabel="share of the recordings",
        title=f"splits ({', '.join(SPLITS)}; dashed: as intended)",
    )  # fmt: skip
    axes.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))


def _draw_reasons(axes: Axes, reasons: Counter[str]) -> None:
    """How many were dropped for each reason; files that somebody should look at stand out."""
    axes.set_title("dropped, and why")
    if not reasons:
        _nothing(axes, "nothing was dropped")
        return
    names = sorted(reasons, key=lambda name: (-reasons[name], name))
    colours = [COLOURS[4] if name in FAILURES else GREY for name in names]
    bars = axes.barh(range(len(names)), [reasons[n] for n in names], 0.7, color=colours)
    axes.bar_label(bars, [str(reasons[n]) for n in names], fontsize=8, padding=3)
    axes.set_yticks(range(len(names)), [short_name(name) for name in names], fontsize=8)
    axes.set(ylim=(max(len(names), 3) - 0.5, -0.5), xlabel="tracks")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.margins(x=0.12)


def _nothing(axes: Axes, text: str) -> None:
    """An empty plot that says why."""
    axes.set_axis_off()
    axes.text(0.5, 0.5, text, ha="center", va="center", color=GREY, transform=axes.transAxes)
