"""The picture of which keys are taken for which."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from .key_figures import INTERVALS, NO_KEY, KeyFigures
from .plots import PLOT_WIDTH


def key_confusion(figures: KeyFigures) -> Figure:
    """The number of answers of one estimator by mode and by the interval of the roots."""
    figure = Figure(figsize=(PLOT_WIDTH, 2.6), layout="constrained")
    axes = figure.add_subplot()
    counts = np.array(list(figures.confusion.values()))
    axes.imshow(np.sqrt(counts), cmap="Blues", aspect="auto", vmin=0)
    darkest = counts.max()
    for (row, column), count in np.ndenumerate(counts):
        if count:
            colour = "white" if count > darkest / 3 else "#222222"
            axes.text(column, row, str(count), ha="center", va="center", color=colour, fontsize=8)
    axes.set_xticks(range(INTERVALS + 1), [*map(str, range(INTERVALS)), NO_KEY], fontsize=8)
    axes.set_yticks(range(len(counts)), list(figures.confusion), fontsize=8)
    axes.set_xlabel("semitones from the root of the label up to that of the estimate")
    return figure
