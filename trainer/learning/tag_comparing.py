"""How good learned tags are, and whether they are better than those of the model in use.

Whatever is measured here, no track is answered by a model that learned from its artist: those
that share an artist sound alike, so that a model could know who plays and nothing else.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tempo_core.console import counted, shown
from tempo_core.model import Checkpoint
from tempo_core.sound_tags import Tag
from tempo_core.tasks.tags.config import TagsConfig
from tempo_core.tasks.tags.decode import tag_probabilities, tags_of

from ..evaluation.metrics import expected_calibration_error
from ..evaluation.tag_figures import (
    DrawnFigures,
    TagFigure,
    TagFigures,
    drawn_figures,
    macro,
    precision,
    tag_figures,
)
from ..trainingset import memory
from ..trainingset.tables import CollectedTrack
from .compare import SURE_BETTER
from .tag_cleaning import MIN_ARTISTS, LeftOut
from .tag_fitting import Floats, calibrated

Model = Checkpoint[TagsConfig]

SUREST_GUESS = 97.5  # [%] of the draws in which a tag has to be better than guessing
LEAST_FRESH = 20  # tracks that the model in use has not learned from, to compare on
MOST_LINES = 40  # of single tags that are told
MOST_NAMED = 8  # tags that are named in one line


@dataclass(frozen=True, eq=False)
class HeldOut:
    """Tags, and what was found of tracks by models that did not learn from their artists.

    `truth` and `probabilities` are (n_tracks, n_tags), `groups` the artists.
    """

    names: tuple[str, ...]
    truth: Floats
    probabilities: Floats
    groups: Sequence[str]
    figures: TagFigures
    lows: tuple[float, ...]  # below the area of each tag is with a probability of a fortieth

    def of(self, tags: Sequence[int], seed: int) -> HeldOut:
        """Some of the tags, by their numbers."""
        truth, probabilities = self.truth[:, tags], self.probabilities[:, tags]
        names = tuple(self.names[k] for k in tags)
        figures = tag_figures(names, truth, probabilities, self.groups, seed)
        own = tuple(self.figures.tags[k] for k in tags)
        figures = replace(figures, tags=own, ece=_mean([one.ece for one in own]))
        lows = tuple(self.lows[k] for k in tags)
        return HeldOut(names, truth, probabilities, self.groups, figures, lows)

    @property
    def better_than_guessing(self) -> list[int]:
        """The numbers of the tags that are surely found better than by guessing."""
        return [k for k, low in enumerate(self.lows) if low > 0.5]


def held_out(
    names: tuple[str, ...],
    truth: Floats,
    odds: Floats,
    folds: NDArray[np.int64],
    groups: Sequence[str],
    seed: int,
) -> HeldOut:
    """The figures of log odds (n_tracks, n_tags) of `tag_fitting.odds_of_folds`."""
    probabilities = calibrated(odds, truth)
    drawn = drawn_figures(truth, probabilities, groups, seed)
    figures = tag_figures(names, truth, probabilities, groups, seed, drawn)
    # As good as the calibration is of artists that it does not know.
    unknown = calibrated(odds, truth, folds)
    own = tuple(
        replace(one, ece=_calibration_error(unknown[:, k], truth[:, k]))
        for k, one in enumerate(figures.tags)
    )
    figures = replace(figures, tags=own, ece=_mean([one.ece for one in own]))
    return HeldOut(names, truth, probabilities, groups, figures, _lows(drawn))


def _lows(drawn: DrawnFigures) -> tuple[float, ...]:
    lows = []
    for areas in drawn.auc_roc.T:
        known = areas[~np.isnan(areas)]
        lows.append(float(np.percentile(known, 100 - SUREST_GUESS)) if known.size else 0.0)
    return tuple(lows)


def _calibration_error(probabilities: Floats, truth: Floats) -> float:
    known = ~np.isnan(truth)
    return expected_calibration_error(probabilities[known], truth[known])


def _mean(values: Sequence[float]) -> float:
    known = [value for value in values if not np.isnan(value)]
    return float(np.mean(known)) if known else float("nan")


@dataclass(frozen=True)
class TagComparison:
    """Learned tags of a field beside those that the model in use has of it.

    Attributes
    ----------
    new, gone
        Tags that the model in use lacks, and those that only it has.
    n
        Tracks compared on, which the model in use did not learn from; 0 if those are too few. Then
        `before` is what was found when it was learned, from other labels.
    before, after
        Mean of the average precisions of the tags that both have, NaN if there are none.
    p_better
        Probability that it is higher, by a bootstrap over artists; NaN where `n` is 0.
    """

    new: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()
    n: int = 0
    before: float = float("nan")
    after: float = float("nan")
    p_better: float = float("nan")

    @property
    def _gain(self) -> float:
        return round(self.after - self.before, 9)

    @property
    def installable(self) -> bool:
        """Whether there are other tags and the same ones are not surely worse, or these better."""
        if self.new or self.gone:
            return not (self.n and self.p_better <= 1 - SURE_BETTER)
        return self._gain > 0 and (not self.n or self.p_better >= SURE_BETTER)

    def reason(self) -> str:
        """Why it is to be installed, or not, in one sentence."""
        sure = f"probability of being better {self.p_better:.2f}"
        if self.new or self.gone:
            changes = [
                *([f"learned {_named(self.new)}"] if self.new else []),
                *([f"left out {_named(self.gone)}"] if self.gone else []),
            ]
            told = "it has " + " and ".join(changes)
            return told if self.installable else f"{told}, but finds the others worse ({sure})"
        if self._gain < 0:
            return "it is worse than the current model on your own tracks"
        if self._gain == 0 or np.isnan(self._gain):
            return "it is no better than the current model on your own tracks"
        if not self.n:
            return "its tags are found better than those of the current model were"
        if not self.installable:
            return f"it may be better on your own tracks, but that may be chance ({sure})"
        return f"it is better on your own tracks ({sure})"

    def lines(self) -> tuple[str, ...]:
        """The comparison for people; none if there is nothing to compare."""
        if np.isnan(self.before) or np.isnan(self.after):
            return ()
        where = f"of {counted(self.n, 'track')} that it did not learn from"
        where = where if self.n else "when it was learned"
        return (
            f"AP of the tags that the current model has too, {where}: "
            f"{self.before:.3f} → {self.after:.3f}",
        )


def compare(
    found: HeldOut,
    field: str,
    current: Model | None,
    tracks: Sequence[CollectedTrack],
    embeddings: NDArray[Any],
    seed: int,
) -> TagComparison:
    """Compare learned tags with those of a model.

    Parameters
    ----------
    current
        The model in use; None if its embeddings are others.
    tracks
        (n_tracks,) those of `found`.
    embeddings
        (n_tracks, n_dims) of them.
    """
    there = {} if current is None else {tag: k for k, tag in enumerate(tags_of(current.config))}
    own = [Tag(field, name) for name in found.names]
    new = tuple(tag.name for tag in own if tag not in there)
    gone = tuple(tag.name for tag in there if tag.field == field and tag not in own)
    both = [k for k, tag in enumerate(own) if tag in there]
    if current is None or not both:
        return TagComparison(new, gone)
    fresh = _fresh(tracks, current)
    truth, after = found.truth[fresh][:, both], found.probabilities[fresh][:, both]
    groups = [found.groups[k] for k in fresh]
    told = [k for k in range(len(both)) if len(set(truth[~np.isnan(truth[:, k]), k])) == 2]
    if len(fresh) < LEAST_FRESH or len(set(groups)) < MIN_ARTISTS or not told:
        figures = [found.figures.tags[k].auc_pr for k in both]
        earlier = _of_card(current, [own[k] for k in both])
        return TagComparison(new, gone, 0, earlier, _mean(figures))
    columns = [there[own[both[k]]] for k in told]
    before = tag_probabilities(embeddings[fresh], current)[:, columns].astype(np.float64)
    truth, after = truth[:, told], after[:, told]
    gains = (
        drawn_figures(truth, after, groups, seed).auc_pr
        - drawn_figures(truth, before, groups, seed).auc_pr
    )
    drawn = np.array([_mean(row) for row in gains])
    return TagComparison(
        new, gone, len(fresh), macro(precision, truth, before), macro(precision, truth, after),
        float((drawn > 0).mean()),
    )  # fmt: skip


def _fresh(tracks: Sequence[CollectedTrack], current: Model) -> list[int]:
    """The numbers of the tracks that a model did not learn from, as far as its card says."""
    known = memory.of_card(current.card) or memory.NO_MEMORY
    return [
        k for k, t in enumerate(tracks)
        if not known.knows(t.path, t.artist, t.title, t.recording_id, t.id)
    ]  # fmt: skip


def _of_card(model: Model, tags: Sequence[Tag]) -> float:
    """Mean average precision of tags by the card of a model; NaN if it does not say it of all."""
    try:
        fields: Any = model.card["fields"]
        return float(np.mean([fields[tag.field]["tags"][tag.name]["auc_pr"] for tag in tags]))
    except (KeyError, TypeError, ValueError):
        return float("nan")


def figure_lines(found: HeldOut, how: str) -> list[str]:
    """The figures for people: of all tags, then of each."""
    figures = found.figures
    (low, high), (low_pr, high_pr) = figures.auc_roc_interval, figures.auc_pr_interval
    told = [
        f"{counted(len(found.names), 'tag')}, {how}: AUC {figures.auc_roc:.2f} "
        f"({low:.2f} to {high:.2f}), AP {figures.auc_pr:.2f} ({low_pr:.2f} to {high_pr:.2f}), "
        f"probabilities off by {figures.ece:.2f}",
        *(f"  {_line(one)}" for one in figures.tags[:MOST_LINES]),
    ]
    if len(figures.tags) > MOST_LINES:
        told.append(f"  … and {len(figures.tags) - MOST_LINES} more, in the card of the model")
    return told


def guess_line(found: HeldOut, tags: Sequence[int]) -> str:
    """One line for some tags that are no better than guessing, by their numbers."""
    named = [
        f"{shown(one.tag)} ({one.n_with} of {one.n} tracks, AUC {one.auc_roc:.2f}, maybe "
        f"{found.lows[k]:.2f})"
        for k in tags[:MOST_NAMED]
        for one in [found.figures.tags[k]]
    ]
    return f"not surely better than guessing without knowing the artist: {_more(named, len(tags))}"


def left_out_lines(left_out: Sequence[LeftOut]) -> list[str]:
    """A line for each reason for which tags are not learned."""
    reasons = dict.fromkeys(one.reason for one in left_out)
    lines = []
    for reason in reasons:
        having = [one for one in left_out if one.reason == reason]
        named = [
            f"{shown(one.name)} ({one.n_tracks} by {one.n_artists})" for one in having[:MOST_NAMED]
        ]
        lines.append(f"left out, as {reason}: {_more(named, len(having))}")
    return lines


def _line(one: TagFigure) -> str:
    return (
        f"{shown(one.tag)}: {one.n_with} of {one.n} tracks, AUC {one.auc_roc:.2f}, "
        f"AP {one.auc_pr:.2f}, probability off by {one.ece:.2f}"
    )


def _named(names: Sequence[str]) -> str:
    return _more([shown(name) for name in names[:MOST_NAMED]], len(names))


def _more(named: Sequence[str], n: int) -> str:
    more = f" and {n - len(named)} more" if n > len(named) else ""
    return ", ".join(named) + more
