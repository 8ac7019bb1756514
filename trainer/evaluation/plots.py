"""The plots of a report; each function returns a matplotlib figure.

Figures are made without pyplot, so that there is no global state, no window and nothing to close.
The colours can be told apart with any kind of colour vision (Okabe & Ito).
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import get_font_names
from matplotlib.ticker import (
    FixedFormatter,
    FixedLocator,
    MaxNLocator,
    NullLocator,
    PercentFormatter,
)

from .answers import Answer
from .history import Row, clock, curve
from .measuring import GroupMetrics
from .metrics import ERROR_RATIOS, OTHER_RATIO, PERCENTILES, Bin, octave_ratio

COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#d55e00", "#56b4e9")
MOST_WITH_NUMBERS = 3  # estimators in a plot with numbers at its marks; more would overlap
GREY = "#777777"
TIMES = "\N{MULTIPLICATION SIGN}"
TEMPO_TICKS = (40, 50, 60, 80, 100, 120, 150, 180, 220, 280)  # [BPM]
# Ratios of the estimate to the label that are drawn as lines, by name.
RATIO_LINES = {"1/3": 1 / 3, "1/2": 0.5, "2/3": 2 / 3, "1": 1.0, "3/2": 1.5, "2": 2.0, "3": 3.0}
PLOT_DPI = 110
# Fonts with characters that matplotlib's own lacks, of which a system may have some.
OTHER_FONTS = ("Noto Sans CJK JP", "Noto Sans CJK SC", "Noto Sans CJK KR", "IPAGothic",
               "WenQuanYi Zen Hei", "Droid Sans Fallback", "Hiragino Sans", "PingFang SC",
               "Yu Gothic", "Microsoft YaHei", "Malgun Gothic", "Arial Unicode MS")  # fmt: skip
PLOT_WIDTH = 6.0  # [inches]
# Texts of a plot's legend, by the column of a training log.
LEGEND_NAMES = {
    "loss": "learned from",
    "validation_loss": "held back",
    "validation_acc1": "within 4 %",
    "validation_within_8_percent": "within 8 %",
    "validation_acc2": "within 4 %, any octave",
    "validation_within_10_bpm": "within 10 BPM",
    **{f"validation_error_{p}": f"{p} % of the tracks" for p in PERCENTILES},
}
ERROR_EDGES = (0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200)  # [BPM] of the error histogram


def png(figure: Figure) -> bytes:
    """A figure as PNG; equal figures give equal bytes."""
    data = io.BytesIO()
    figure.savefig(data, format="png", dpi=PLOT_DPI, metadata={"Software": None})
    return data.getvalue()


def fonts() -> list[str]:
    """Families of fonts for names in any script: matplotlib's own, then what the system has."""
    return ["sans-serif", *sorted(set(OTHER_FONTS) & set(get_font_names()), key=OTHER_FONTS.index)]


def encoded(figure: Figure, form: str) -> bytes:
    """A figure with the name of a track in it, as `png` or `svg`; equal ones give equal bytes."""
    data = io.BytesIO()
    metadata = {"Software": None} if form == "png" else {"Date": None}
    with rc_context({"svg.hashsalt": "tempo-core"}), warnings.catch_warnings():
        # A script that the font lacks is drawn as boxes.
        warnings.filterwarnings("ignore", message="Glyph .* missing")
        figure.savefig(data, format=form, dpi=PLOT_DPI, metadata=metadata)
    return data.getvalue()


def _figure(width: float = PLOT_WIDTH, height: float = 4.0) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.add_subplot()
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_axisbelow(True)
    return figure, axes


def estimate_against_label(answers: Sequence[Answer]) -> Figure:
    """Scatter plot of all tracks of one estimator; on the logarithmic axes, a ratio is a line.

    Tempi beyond the axes are drawn at their ends.
    """
    figure, axes = _figure(height=5.6)
    low, high = 35.0, 320.0
    for name, ratio in RATIO_LINES.items():
        ends = np.array([max(low, low / ratio), min(high, high / ratio)])
        if ratio == 1:
            axes.plot(ends, ends, color=GREY, linewidth=1.2)
        else:
            axes.plot(ends, ends * ratio, color="#bbbbbb", linewidth=0.8, dashes=(4, 3))
        axes.annotate(
            f"{TIMES} {name}", (ends[1], ends[1] * ratio), xytext=(-4, -3), fontsize=8, color=GREY,
            textcoords="offset points", ha="right", va="top",
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.8},
        )  # fmt: skip
    groups: dict[str, list[tuple[float, float]]] = {}
    for answer in answers:
        if answer.estimate is not None:
            name = octave_ratio(answer.bpm, answer.estimate)
            kind = (
                "right"
                if name == "1"
                else OTHER_RATIO
                if name == OTHER_RATIO
                else "another metrical level"
            )
            groups.setdefault(kind, []).append((answer.bpm, answer.estimate))
    looks = {"right": (COLOURS[2], "o"), "another metrical level": (COLOURS[1], "s"),
             OTHER_RATIO: (COLOURS[4], "X")}  # fmt: skip
    size = 26 if len(answers) < 1000 else 10
    for kind, (colour, marker) in looks.items():
        points = np.clip(np.array(groups.get(kind, [])).reshape(-1, 2), low, high)
        axes.scatter(
            points[:, 0], points[:, 1], size, color=colour, marker=marker, alpha=0.7, linewidths=0,
            label=f"{kind} ({len(points)})", zorder=3, clip_on=False,
        )  # fmt: skip
    for axis, set_scale in ((axes.xaxis, axes.set_xscale), (axes.yaxis, axes.set_yscale)):
        set_scale("log")
        axis.set_major_locator(FixedLocator(TEMPO_TICKS))
        axis.set_major_formatter(FixedFormatter([str(t) for t in TEMPO_TICKS]))
        axis.set_minor_locator(NullLocator())
    axes.set(xlim=(low, high), ylim=(low, high), xlabel="label [BPM]", ylabel="estimate [BPM]")
    axes.grid(color="#eeeeee")
    axes.legend(loc="lower right", fontsize=8, framealpha=0.9)
    return figure


def errors(answers: Mapping[str, Sequence[Answer]]) -> Figure:
    """Histogram of the errors of each estimator: the share of tracks in each of `ERROR_EDGES`."""
    figure, axes = _figure()
    names = [f"≤ {ERROR_EDGES[0]:g}", *(f"≤ {e:g}" for e in ERROR_EDGES[1:]), "more"]
    width = 0.8 / max(1, len(answers))
    for k, (name, own) in enumerate(answers.items()):
        error = np.array([abs(a.error) for a in own if a.error is not None])
        # The first bin is closed at both ends, every other one at its upper end.
        bins = np.searchsorted(ERROR_EDGES, error, side="left")
        counts = np.bincount(bins, minlength=len(names))
        places = np.arange(len(counts)) + (k - (len(answers) - 1) / 2) * width
        axes.bar(places, counts / max(1, len(own)), width, color=_colour(k), label=name)
    axes.set_xticks(range(len(names)), names, rotation=35, ha="right", fontsize=8)
    axes.set(xlabel="distance from the label [BPM]", ylabel="share of the tracks")
    _shares(axes)
    return figure


def octaves(counts: Mapping[str, Mapping[str, int]]) -> Figure:
    """Bar chart of the ratios of estimates to labels: the same, half, double and so on.

    Parameters
    ----------
    counts
        Number of tracks by ratio, for each estimator, see `measuring.confusion`.
    """
    figure, axes = _figure()
    names = [*ERROR_RATIOS, OTHER_RATIO]
    width = 0.8 / max(1, len(counts))
    for k, (estimator, own) in enumerate(counts.items()):
        total = max(1, sum(own.values()))
        places = np.arange(len(names)) + (k - (len(counts) - 1) / 2) * width
        bars = axes.bar(
            places, [own[n] / total for n in names], width, color=_colour(k), label=estimator
        )
        if len(counts) <= MOST_WITH_NUMBERS:
            axes.bar_label(bars, [str(own[n]) if own[n] else "" for n in names], fontsize=7)
    axes.set_xticks(range(len(names)), [f"{TIMES} {n}" if n != OTHER_RATIO else n for n in names])
    axes.set(xlabel="estimate relative to the label", ylabel="share of the tracks")
    _shares(axes)
    axes.set_ylim(0, 1.08)
    return figure


def calibration(bins: Mapping[str, Sequence[Bin]], label: str) -> Figure:
    """Reliability diagram of each estimator: accuracy against confidence, point size by count.

    `label` names the accuracy.
    """
    figure, axes = _figure(height=5.0)
    axes.plot([0, 1], [0, 1], color="#999999", linestyle="--", label="perfectly calibrated")
    for k, (name, own) in enumerate(bins.items()):
        total = max(1, sum(b.n for b in own))
        sizes = [20 + 400 * b.n / total for b in own]
        x, y = [b.confidence for b in own], [b.accuracy for b in own]
        axes.plot(x, y, color=_colour(k), linewidth=0.8, alpha=0.6)
        axes.scatter(x, y, sizes, color=_colour(k), alpha=0.8, label=name, zorder=3, linewidths=0)
        for b in own if len(bins) <= MOST_WITH_NUMBERS else ():
            axes.annotate(str(b.n), (b.confidence, b.accuracy), xytext=(0, -15), fontsize=7,
                          textcoords="offset points", ha="center", color="#444444")  # fmt: skip
    axes.set(xlim=(0, 1.04), ylim=(-0.04, 1.08), xlabel="confidence", ylabel=label)
    axes.grid(color="#eeeeee")
    legend = axes.legend(loc="upper left", fontsize=8, markerscale=0.6)
    legend.set_zorder(5)
    return figure


def parts(figures: Mapping[str, Mapping[str, GroupMetrics]], label: str, most: int = 24) -> Figure:
    """Bar chart of Accuracy 1 (full colour) and 2 (pale) of groups of tracks.

    Parameters
    ----------
    figures
        For each estimator, the figures of groups by their name.
    label
        What the groups are, for the axis.
    most
        Number of groups that are shown: those with the most tracks, sorted by name.
    """
    counts = {name: part.n for own in figures.values() for name, part in own.items()}
    kept = sorted(counts, key=lambda name: (-counts[name], name))[:most]
    names = [name for name in counts if name in kept]
    names.sort()
    figure, axes = _figure(height=max(2.4, 0.9 + 0.3 * len(names) * max(1, 0.6 * len(figures))))
    height = 0.8 / max(1, len(figures))
    for k, (estimator, own) in enumerate(figures.items()):
        places = np.arange(len(names)) + (k - (len(figures) - 1) / 2) * height
        values = [own.get(name) for name in names]
        for alpha, shares in (
            (0.3, [v.acc2 if v else 0 for v in values]),
            (1.0, [v.acc1 if v else 0 for v in values]),
        ):
            axes.barh(places, shares, height * 0.92, color=_colour(k), alpha=alpha,
                      label=estimator if alpha == 1.0 else None)  # fmt: skip
    axes.set_yticks(
        range(len(names)), [f"{short_name(n)} ({counts[n]})" for n in names], fontsize=8
    )
    axes.margins(y=0.01)
    axes.invert_yaxis()
    axes.set(xlim=(0, 1.001), xlabel="Accuracy 1 (pale: Accuracy 2)", ylabel=label)
    axes.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    axes.grid(axis="x", color="#eeeeee")
    if len(figures) > 1:
        figure.legend(loc="outside lower center", fontsize=8, ncols=2)
    return figure


def training(rows: Sequence[Row]) -> Figure:
    """Curves of a training run: losses, shares and errors in BPM, in one plot each."""
    rows = list(rows)
    against = clock(rows)
    names = [n for n in dict.fromkeys(n for row in rows for n in row) if n != against]
    groups = {
        "loss": [n for n in names if "loss" in n],
        "share of the tracks": [n for n in names if "acc" in n or "within" in n],
        "error at most [BPM]": [n for n in names if "error" in n],
    }
    taken = {n for group in groups.values() for n in group}
    skipped = {"epoch", "step", "phase", "seconds"}
    rest = [n for n in names if n not in taken | skipped and not n.startswith("lr")]
    shown = {label: group for label, group in {**groups, "other": rest}.items() if group}
    figure = Figure(figsize=(PLOT_WIDTH, 2.3 * max(1, len(shown)) + 0.4), layout="constrained")
    for k, (label, group) in enumerate(shown.items()):
        axes = figure.add_subplot(len(shown), 1, k + 1)
        axes.spines[["top", "right"]].set_visible(False)
        for j, name in enumerate(group):
            x, y = curve(rows, name, against)
            axes.plot(x, y, color=_colour(j), marker="." if len(x) < 60 else "",
                      label=short_name(LEGEND_NAMES.get(name, name)))  # fmt: skip
        axes.set_ylabel(label)
        axes.grid(color="#eeeeee")
        axes.legend(fontsize=8, ncols=2)
        if label == "share of the tracks":
            axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
        if label.startswith("error") and all(
            v > 0 for n in group for v in curve(rows, n, against)[1]
        ):
            axes.set_yscale("log")
            axes.yaxis.set_major_formatter("{x:g}")
        if k == len(shown) - 1:
            axes.set_xlabel(against or "row")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    return figure


def _shares(axes: Axes) -> None:
    """Set up the vertical axis for shares in percent, and add a legend."""
    axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    axes.grid(axis="y", color="#eeeeee")
    axes.legend(fontsize=8)


def _colour(k: int) -> str:
    """The colour of the `k`-th estimator or curve."""
    return COLOURS[k % len(COLOURS)]


def short_name(text: str, most: int = 32) -> str:
    """A name for a plot: of limited length, and not to be read as a formula by matplotlib."""
    text = text.encode("utf-8", "replace").decode()  # bytes of file names that are not UTF-8
    text = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    text = text if len(text) <= most else text[: most - 1] + "…"
    return text.replace("$", r"\$")
