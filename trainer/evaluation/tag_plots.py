"""Pictures of tags: a map of the tracks, what is taken for what, and precision against recall.

Only some tags have a colour or a plot of their own, so that the pictures can be read with any
number of tags: those that most tracks have.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from itertools import product
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from matplotlib.ticker import PercentFormatter
from numpy.typing import NDArray
from sklearn.metrics import precision_recall_curve

from tempo_core.similarity import directions, mean_of

from .plots import COLOURS, GREY, PLOT_WIDTH, short_name
from .tag_figures import TagFigures

Floats = NDArray[np.float64]

PALE = "#c8c8c8"
MANY = 2000  # tracks from which on marks are dots, whose shapes cannot be told apart
ENOUGH_FOR_UMAP = 500  # tracks; of fewer it makes islands
MARKERS = ("o", "^")
MOST_IN_MAP = 10  # tags with a colour of their own; of many tracks as many as there are colours
MOST_PANELS = 12
MOST_CONFUSED = 20  # tags with a row of their own
SAME = 0.9  # share of the tracks with either of two tags that have both, if they are as one
LEAST_SHARE = 0.005  # of a row that is written
N_COLUMNS = 4  # of small plots
LONGEST_TAG = 18  # [characters] of a tag in a plot


@dataclass(frozen=True, eq=False)
class SoundMap:
    """Places of tracks in a plane, where those that sound alike are near.

    Attributes
    ----------
    places
        (n_tracks, 2).
    axes
        Names of the axes.
    method
        How the places were found, as part of a sentence.
    """

    places: Floats
    axes: tuple[str, str]
    method: str


def sound_map(embeddings: NDArray[np.floating], seed: int = 0) -> SoundMap:
    """A map of embeddings (n_tracks, n_dims): of many by UMAP if it is installed, else by PCA.

    Both compare embeddings as `tempo_core.similarity` does. UMAP: McInnes et al., "UMAP: uniform
    manifold approximation and projection for dimension reduction", 2018.
    """
    found = directions(np.asarray(embeddings, np.float16), mean_of(embeddings.astype(np.float16)))
    if len(found) >= ENOUGH_FOR_UMAP:
        try:
            umap = import_module("umap").UMAP
        except (ImportError, AttributeError):
            pass  # no dependency: it is large; and another package has the same name
        else:
            mapped = umap(metric="cosine", random_state=seed, n_jobs=1)
            places = np.asarray(mapped.fit_transform(found), np.float64)
            return SoundMap(places, ("", ""), "UMAP, which keeps neighbours together; distances "
                            "between groups say little")  # fmt: skip
    places, shares = principal_components(found.astype(np.float64), 2)
    names = [f"component {k + 1} ({100 * share:.0f} % of the variance)"
             for k, share in enumerate(shares)]  # fmt: skip
    told = f"the two directions in which the tracks differ most (PCA, {100 * sum(shares):.0f} % of "
    return SoundMap(places, (names[0], names[1]), f"{told}the variance)")


def principal_components(points: Floats, n: int) -> tuple[Floats, Floats]:
    """Points (n_points, n_dims) along their `n` principal components, and shares of the variance.

    Components that there are not are 0. The sign of each is such that its largest entry is above 0,
    so that the same points give the same picture anywhere.
    """
    places, shares = np.zeros((len(points), n)), np.zeros(n)
    if len(points) < 2 or not points.shape[1]:
        return places, shares
    centred = points - points.mean(axis=0)
    values, vectors = np.linalg.eigh(centred.T @ centred)
    for k in range(min(n, len(values))):
        vector = vectors[:, -1 - k]
        places[:, k] = centred @ (vector * np.sign(vector[np.abs(vector).argmax()]))
        shares[k] = max(0.0, values[-1 - k]) / max(values.sum(), 1e-12)
    return places, shares


def tag_map(mapped: SoundMap, tags: Sequence[str], truth: Floats) -> Figure:
    """All tracks on a map, coloured by the tags that most have; the others are grey.

    A track with several of these tags has the colour of the rarest. Tags that nearly the same
    tracks have share a colour. Each tag stands where the middle of its tracks is.
    """
    figure = Figure(figsize=(8.2, 5.6), layout="constrained")
    axes = figure.add_subplot()
    n = len(mapped.places)
    looks = list(product(MARKERS, COLOURS)) if n < MANY else [("o", c) for c in COLOURS]
    shown = _shown_together(tags, truth == 1, min(MOST_IN_MAP, len(looks)))
    own = np.full(n, -1)
    for j, group in enumerate(shown):  # the rarest last
        own[group.has] = j
    size = _mark_size(n)
    # In turn, so that no tag covers another one.
    order = np.random.default_rng(0).permutation(n)
    grey = order[own[order] < 0]
    if grey.size:
        has_more = sum(group.n_tags for group in shown) < len(tags)
        label = _other(grey.size, has_more)
        _dots(axes, mapped.places[grey], size, color=PALE, label=label)
    for part in np.array_split(order, 20):
        for j, (marker, colour) in enumerate(looks[: len(shown)]):
            there = part[own[part] == j]
            _dots(axes, mapped.places[there], size, color=colour, marker=marker, alpha=0.8)
    for group, (marker, colour) in zip(shown, looks, strict=False):
        label = f"{group.name} ({int(group.has.sum())})"
        axes.scatter([], [], 36, color=colour, marker=marker, linewidths=0, label=label)
    _bare(axes)
    axes.set(xlabel=mapped.axes[0], ylabel=mapped.axes[1])
    _frame(axes, mapped.places)
    if n:
        names = [
            (group.name, colour, mapped.places[own == j])
            for j, (group, (_, colour)) in enumerate(zip(shown, looks, strict=False))
        ]
        _name_middles(axes, [one for one in names if len(one[2])])
        legend = figure.legend(loc="outside right upper", fontsize=8, frameon=False, title="tracks")
        for handle in legend.legend_handles:
            if handle is not None and hasattr(handle, "set_sizes"):
                handle.set_sizes([36])
    return figure


def tag_maps(mapped: SoundMap, tags: Sequence[str], truth: Floats) -> Figure:
    """The same map once for each of the tags that most tracks have: its tracks among all."""
    counts = (truth == 1).sum(axis=0)
    shown = _most_frequent(counts, MOST_PANELS)
    figure, panels = _panels(len(shown), 2.05)
    size = _mark_size(len(mapped.places)) * 0.45
    for axes, k in zip(panels, shown, strict=True):
        has = truth[:, k] == 1
        _dots(axes, mapped.places[~has], size * 0.8, color="#dddddd")
        _dots(axes, mapped.places[has], size * 1.2, color=COLOURS[0])
        _bare(axes)
        _frame(axes, mapped.places)
        axes.set_title(f"{short_name(tags[k], LONGEST_TAG)} ({counts[k]})", fontsize=9)
    return figure


@dataclass(frozen=True, eq=False)
class TagConfusion:
    """Which tags tracks with a tag sound like.

    Attributes
    ----------
    names
        Of the tags in rows and columns; those that few tracks have are together, last.
    counts
        (n, n) tracks labelled with the tag of the row for which that of the column is likeliest; of
        tracks with several labels, among the likeliest, as many as the track has labels.
    n_tracks
        (n,) tracks of each row.
    is_single
        Only tracks with one label are counted.
    """

    names: tuple[str, ...]
    counts: NDArray[np.int64]
    n_tracks: NDArray[np.int64]
    is_single: bool


def tag_confusion(tags: Sequence[str], truth: Floats, probabilities: Floats) -> TagConfusion:
    """Which tags tracks sound like: of those with one label, unless most have several."""
    labels = truth == 1
    n_labels = labels.sum(axis=1)
    is_single = bool((n_labels == 1).sum() >= (n_labels > 1).sum())
    chosen = n_labels == 1 if is_single else n_labels > 0
    labels, n_labels = labels[chosen], n_labels[chosen]
    ranks = np.argsort(np.argsort(-probabilities[chosen], axis=1, kind="stable"), axis=1)
    likely = ranks < n_labels[:, None]
    shown = _most_frequent(labels.sum(axis=0), MOST_CONFUSED)
    names = [short_name(tags[k], LONGEST_TAG) for k in shown]
    groups = [[k] for k in shown]
    rest = sorted(
        set(np.flatnonzero(labels.any(axis=0) | likely.any(axis=0)).tolist()) - set(shown)
    )
    if rest:
        names.append(f"{len(rest)} others")
        groups.append(rest)
    rows = np.array([labels[:, group].any(axis=1) for group in groups]).reshape(len(groups), -1)
    columns = np.array([likely[:, group].any(axis=1) for group in groups]).reshape(len(groups), -1)
    counts = rows.astype(np.int64) @ columns.T.astype(np.int64)
    return TagConfusion(tuple(names), counts, rows.sum(axis=1), is_single)


def confusion(found: TagConfusion) -> Figure:
    """A matrix of which tags tracks sound like, as shares of the tracks of each row."""
    n = len(found.names)
    side = 1.6 + 0.36 * max(n, 5)
    figure = Figure(figsize=(side + 0.6, side), layout="constrained")
    axes = figure.add_subplot()
    shares = found.counts / np.maximum(1, found.n_tracks)[:, None]
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for (row, column), share in np.ndenumerate(shares):
        if share >= LEAST_SHARE:
            colour = "white" if share > 0.5 else "#222222"
            axes.text(column, row, f"{100 * share:.0f}", ha="center", va="center", color=colour,
                      fontsize=7)  # fmt: skip
    axes.set_xticks(
        range(n), found.names, fontsize=8, rotation=45, ha="right", rotation_mode="anchor"
    )
    rows = [f"{name} ({count})" for name, count in zip(found.names, found.n_tracks, strict=True)]
    axes.set_yticks(range(n), rows, fontsize=8)
    axes.set(ylabel="labelled (tracks)", xlabel="sounds most like, % of the row")
    axes.spines[:].set_visible(False)
    return figure


def precision_recall(figures: TagFigures, truth: Floats, probabilities: Floats) -> Figure:
    """Precision against recall of each of the tags that most tracks have; dashed is guessing."""
    counts = np.array([tag.n_with for tag in figures.tags], int)
    known = np.array([not np.isnan(tag.auc_pr) for tag in figures.tags], bool)
    shown = _most_frequent(np.where(known, counts, 0), MOST_PANELS)
    figure, panels = _panels(len(shown), 2.05)
    for j, (axes, k) in enumerate(zip(panels, shown, strict=True)):
        tag = figures.tags[k]
        is_known = ~np.isnan(truth[:, k])
        precision, recall, _ = precision_recall_curve(
            truth[is_known, k], probabilities[is_known, k]
        )
        axes.step(recall, precision, color=COLOURS[0], linewidth=1.4, where="post")
        axes.axhline(tag.n_with / tag.n, color=GREY, linewidth=0.9, linestyle="--")
        axes.set_title(f"{short_name(tag.tag, LONGEST_TAG)}: {tag.auc_pr:.2f}", fontsize=9)
        axes.set(xlim=(0, 1.01), ylim=(0, 1.03), xticks=(0, 0.5, 1), yticks=(0, 0.5, 1))
        axes.tick_params(labelsize=7)
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(color="#eeeeee")
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter(PercentFormatter(1.0, decimals=0, symbol=""))
        if j % N_COLUMNS:
            axes.set_yticklabels([])
        if j + N_COLUMNS < len(shown):
            axes.set_xticklabels([])
    figure.supxlabel("recall: of the tracks with the tag those found, %", fontsize=8)
    figure.supylabel("precision: of those found\nthe tracks with the tag, %", fontsize=8)
    return figure


@dataclass(frozen=True, eq=False)
class _Group:
    """Tags that nearly the same tracks have, as one: `has` (n_tracks,)."""

    name: str
    n_tags: int
    has: NDArray[np.bool_]


def _shown_together(tags: Sequence[str], has: NDArray[np.bool_], most: int) -> list[_Group]:
    """The tags that most tracks have, of `has` (n_tracks, n_tags); nearly the same ones as one."""
    groups: list[list[int]] = []
    for k in _most_frequent(has.sum(axis=0), has.shape[1]):
        for group in groups:
            first = has[:, group[0]]
            if (first & has[:, k]).sum() >= SAME * (first | has[:, k]).sum():
                group.append(k)
                break
        else:
            if len(groups) == most:
                break
            groups.append([k])
    return [
        _Group(
            short_name(" + ".join(tags[k] for k in group), LONGEST_TAG), len(group),
            np.asarray(has[:, group].any(axis=1)),
        )
        for group in groups
    ]  # fmt: skip


def _most_frequent(counts: NDArray[np.int64], most: int) -> list[int]:
    """Numbers of the tags with the most tracks, in this order, without those that none has."""
    order = np.argsort(-counts, kind="stable")[:most]
    return [int(k) for k in order if counts[k]]


def _mark_size(n_tracks: int) -> float:
    """Area of a mark [square points] such that many tracks do not cover each other."""
    return float(np.clip(4000 / max(1, n_tracks), 3.0, 34.0))


def _dots(axes: Axes, places: Floats, size: float, **looks: Any) -> None:
    """Marks at places (n, 2)."""
    axes.scatter(places[:, 0], places[:, 1], size, linewidths=0, **looks)


def _other(count: int, has_more: bool) -> str:
    return f"{'other tags, or none' if has_more else 'none of these'} ({count})"


def _panels(n: int, side: float) -> tuple[Figure, list[Axes]]:
    """A figure with `n` small plots in rows."""
    n_columns = min(N_COLUMNS, max(1, n))
    n_rows = max(1, -(-n // n_columns))
    width = max(PLOT_WIDTH, n_columns * side)
    figure = Figure(figsize=(width, n_rows * (side + 0.1) + 0.5), layout="constrained")
    return figure, [figure.add_subplot(n_rows, n_columns, k + 1) for k in range(n)]


def _bare(axes: Axes) -> None:
    """Take off ticks and frame: the places on a map have no unit."""
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color("#bbbbbb")


def _frame(axes: Axes, places: Floats) -> None:
    """The same section of the map in all plots."""
    if len(places):
        low, high = places.min(axis=0), places.max(axis=0)
        margin = np.where(high > low, 0.04 * (high - low), 1.0)
        axes.set(xlim=(low[0] - margin[0], high[0] + margin[0]),
                 ylim=(low[1] - margin[1], high[1] + margin[1]))  # fmt: skip


def _name_middles(axes: Axes, groups: Sequence[tuple[str, str, Floats]]) -> None:
    """Write names at the middles of their tracks, one below the other where they are near.

    Parameters
    ----------
    groups
        Name, colour and places of the tracks.
    """
    low, high = axes.get_xlim()
    height = float(np.ptp(axes.get_ylim())) / 24
    width = (high - low) / 60  # of a letter
    taken: list[tuple[float, float, float]] = []  # middles, and half of the widths
    middles = [(*np.median(places, axis=0), name, colour) for name, colour, places in groups]
    for x, y, name, colour in sorted(middles, key=lambda one: -one[1]):
        half = width * len(name) / 2
        x = float(np.clip(x, low + half, high - half))
        for other_x, other_y, other_half in sorted(taken, key=lambda one: -one[1]):
            if abs(x - other_x) < half + other_half and abs(y - other_y) < height:
                y = other_y - height
        taken.append((x, y, half))
        axes.text(x, y, name, color=colour, fontsize=10, fontweight="bold", ha="center",
                  va="center", zorder=6, path_effects=[withStroke(linewidth=3, foreground="white")],
                  clip_on=True)  # fmt: skip
