"""The report on the tags of a library: figures, pictures, labels to look at, and their tables.

Nothing in it is of tracks that were learned from: each probability is of a model that has heard
neither the track nor others by its artist.
"""

from __future__ import annotations

import html
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure
from numpy.typing import NDArray

from tempo_core.console import counted
from tempo_core.markup import page, table

from ..files import write_bytes, write_tsv
from . import plots, tag_plots
from .metrics import reliability
from .report import PLOTS_FOLDER, REPORT_FILE, REPORT_STYLE, draw
from .report_parts import MOST_ROWS, figure, more, path_cell, scroll
from .saving import make_folder
from .tag_doubts import DoubtfulLabel
from .tag_figures import TagFigures, tag_figures
from .text_tables import number

Floats = NDArray[np.float64]

TAGS_TABLE = "tags.tsv"
TRACKS_TABLE = "tracks.tsv"
FEW_TRACKS = 50  # with a tag, below which its figures say little


@dataclass(frozen=True, eq=False)
class TaggedTracks:
    """Tracks with labels, and what they sound like.

    Attributes
    ----------
    tags
        (n_tags,) names of the tags.
    truth
        (n_tracks, n_tags) 1 where a track is labelled with a tag, 0 where it is known not to have
        it, NaN where that is not known.
    probabilities
        (n_tracks, n_tags) in 0..1, of each track by a model that has learned neither from it nor
        from its artist.
    embeddings
        (n_tracks, n_dims).
    paths, names
        Of the tracks; a name is what a person knows a track by.
    groups
        (n_tracks,) artists, or whatever else was left out together.
    doubtful
        All labels, those first that fit worst, see `tag_doubts.find_doubtful`.
    title
        What the report is of.
    notes
        Sentences on how the labels came about, and on what was left out.
    """

    tags: Sequence[str]
    truth: Floats
    probabilities: Floats
    embeddings: NDArray[np.floating]
    paths: Sequence[Path]
    names: Sequence[str]
    groups: Sequence[str]
    doubtful: Sequence[DoubtfulLabel]
    title: str = "Tags"
    notes: Sequence[str] = field(default=())

    def __post_init__(self) -> None:
        n, shape = len(self.paths), (len(self.paths), len(self.tags))
        if not (
            self.truth.shape == self.probabilities.shape == shape
            and n == len(self.embeddings) == len(self.names) == len(self.groups)
        ):
            raise ValueError("tracks, tags and their values are of different numbers")

    @cached_property
    def figures(self) -> TagFigures:
        """The figures of the tags, with intervals by group."""
        return tag_figures(self.tags, self.truth, self.probabilities, self.groups)


def write_tag_report(folder: Path, tracks: TaggedTracks) -> Path:
    """Write the report, its pictures and its tables into a folder; return its path.

    Raises
    ------
    ConfigError, StorageError
        If the folder cannot be made, or a file in it cannot be written.
    """
    mapped = tag_plots.sound_map(tracks.embeddings)
    with rc_context({"font.family": plots.fonts()}):
        drawn = tag_pictures(tracks, mapped)
        pictures = {stem: draw(one) for stem, one in drawn.items()}
    make_folder(folder / PLOTS_FOLDER)
    for stem, data in pictures.items():
        write_bytes(folder / PLOTS_FOLDER / f"{stem}.png", data)
    write_tsv(folder / TAGS_TABLE, *_tags_table(tracks.figures))
    write_tsv(folder / TRACKS_TABLE, *_tracks_table(tracks, mapped))
    path = folder / REPORT_FILE
    parts = tag_parts(tracks, mapped, pictures)
    # Bytes of a path that are not UTF-8 are shown as a replacement character.
    write_bytes(path, page(tracks.title, parts, REPORT_STYLE).encode("utf-8", "replace"))
    return path


def tag_pictures(tracks: TaggedTracks, mapped: tag_plots.SoundMap) -> dict[str, Figure]:
    """The pictures by the stem of their file's name, without empty ones."""
    found: dict[str, Figure] = {}
    if not len(tracks.paths):
        return found
    found["map"] = tag_plots.tag_map(mapped, tracks.tags, tracks.truth)
    if not (tracks.truth == 1).any():
        return found
    found["map-by-tag"] = tag_plots.tag_maps(mapped, tracks.tags, tracks.truth)
    if len(tracks.tags) > 1:
        confused = tag_plots.tag_confusion(tracks.tags, tracks.truth, tracks.probabilities)
        if len(confused.names) > 1:  # else all labelled tracks that count have the same tag
            found["confusion"] = tag_plots.confusion(confused)
    if not np.isnan(tracks.figures.auc_pr):
        found["precision-recall"] = tag_plots.precision_recall(
            tracks.figures, tracks.truth, tracks.probabilities
        )
    known = ~np.isnan(tracks.truth)
    bins = {"all tags": reliability(tracks.probabilities[known], tracks.truth[known])}
    found["calibration"] = plots.calibration(bins, "share of the tracks that have the tag")
    found["calibration"].axes[0].set_xlabel("probability of the tag")
    return found


def tag_parts(
    tracks: TaggedTracks,
    mapped: tag_plots.SoundMap,
    pictures: Mapping[str, bytes],
) -> Iterator[str]:
    """The report as HTML, from top to bottom; `pictures` as PNG, by the names of `tag_pictures`."""
    yield f"<h1>{html.escape(tracks.title)}</h1>"
    yield f'<p class="headline">{html.escape(headline(tracks))}</p>'
    yield (
        '<p class="note">How it was measured: each track was judged by a model that had learned '
        "from other artists only. What is not known of a track, as whether "
        "it has a narrower or wider genre than it is labelled with, counts nowhere. The labels "
        "count as right; where they are wrong, so are the figures.</p>"
    )
    for note in tracks.notes:
        yield f'<p class="note">{html.escape(note)}</p>'
    if "map" in pictures:
        yield "<h2>Map</h2>"
        yield figure(
            pictures["map"],
            f"Each mark a track. They lie as {mapped.method}; labels had no part in it. A track "
            "with several of the tags has the colour of the rarest.",
        )
    if "map-by-tag" in pictures:
        yield figure(pictures["map-by-tag"], "The same map: the tracks of a tag among all others.")
    yield from _figures(tracks, pictures)
    yield from _doubts(tracks)


def headline(tracks: TaggedTracks) -> str:
    """The main figures in a few sentences."""
    figures = tracks.figures
    n_labels = int((tracks.truth == 1).sum())
    told = (
        f"{counted(len(tracks.paths), 'track')} by {counted(len(set(tracks.groups)), 'artist')}, "
        f"{counted(len(tracks.tags), 'tag')}, {counted(n_labels, 'label')}."
    )
    if np.isnan(figures.auc_roc):
        return (
            f"{told} Nothing can be measured: no tag has tracks with it and tracks without it by "
            "other artists."
        )
    return (
        f"{told} Mean of the tags: area under the ROC curve (AUC-ROC) "
        f"{_with_interval(figures.auc_roc, figures.auc_roc_interval)}, where guessing has 0.5; "
        f"average precision (AUC-PR) {_with_interval(figures.auc_pr, figures.auc_pr_interval)}, "
        f"where guessing has {_guessed(figures):.2f}; calibration error (ECE) {figures.ece:.3f}."
    )


def _figures(tracks: TaggedTracks, pictures: Mapping[str, bytes]) -> Iterator[str]:
    """What is taken for what, and the figures of each tag."""
    figures = tracks.figures
    if "confusion" in pictures:
        yield "<h2>What sounds like what</h2>"
        labels = (tracks.truth == 1).sum(axis=1)
        single = (labels == 1).sum() >= (labels > 1).sum()
        n_left = int((labels > 1).sum())
        told = "Of the tracks labelled with the tag of a row, the share that sounds most like each."
        if single and n_left:
            told += f" {counted(n_left, 'track')} with several labels left out."
        elif not single:
            told += (
                " Of a track with several labels as many tags count, the likeliest; so rows add up "
                "to more than 100 %, and tags of the same tracks are taken for each other."
            )
        yield figure(pictures["confusion"], told)
    if not figures.tags:
        return
    yield "<h2>Tags</h2>"
    ordered = sorted(figures.tags, key=lambda tag: (-tag.n_with, tag.tag))
    rows = [
        (tag.tag, str(tag.n_with), str(tag.n), number(tag.auc_roc, 2), _range(tag.auc_roc_interval),
         number(tag.auc_pr, 2), _range(tag.auc_pr_interval), number(tag.n_with / tag.n if tag.n
         else np.nan, 2), number(tag.ece, 3))
        for tag in ordered[:MOST_ROWS]
    ]  # fmt: skip
    head = ("tag", "tracks with it", "of", "AUC-ROC", "(95 %)", "AUC-PR", "(95 %)", "guessing",
            "ECE")  # fmt: skip
    yield scroll(table(head, rows, range(1, len(head))))
    yield more(len(ordered), TAGS_TABLE)
    told = (
        "AUC-ROC: how often a track with the tag is found likelier than one without. AUC-PR: mean "
        "precision over all recalls; guessing has the share of tracks with the tag. ECE: expected "
        "calibration error of the probability, whose calibration (two numbers a tag) knows all of "
        "the labels. In brackets the 95 % interval, drawn by artist."
    )
    n_few = sum(0 < tag.n_with < FEW_TRACKS for tag in figures.tags)
    if n_few:
        told += f" {counted(n_few, 'tag')} with fewer than {FEW_TRACKS} tracks: they say little."
    yield f'<p class="note">{told}</p>'
    if "precision-recall" in pictures:
        yield figure(
            pictures["precision-recall"],
            "Precision against recall, AUC-PR beside the name; dashed is guessing.",
        )
    if "calibration" in pictures:
        yield figure(
            pictures["calibration"],
            "Share of the tracks that have a tag by the probability they were given; on the line a "
            "probability means what it says. Beside the marks the number of answers.",
        )


def _doubts(tracks: TaggedTracks) -> Iterator[str]:
    """The labels to look at."""
    yield "<h2>Labels to look at</h2>"
    if not tracks.doubtful:
        yield "<p>Nothing is labelled.</p>"
        return
    yield (
        '<p class="note">First the labels that fit worst to the sound. The doubt orders them: '
        "it is what is left for tags that the track is not labelled with, and not how probable it "
        "is that the label is wrong. Both sides err: listen before you change one.</p>"
    )
    rows = [
        (f"{one.doubt:.2f}", one.label, one.other, tracks.names[one.track],
         path_cell(tracks.paths[one.track]))
        for one in tracks.doubtful[:MOST_ROWS]
    ]  # fmt: skip
    yield scroll(table(("doubt", "labelled", "sounds like", "track", "file"), rows, (0,)))
    yield more(len(tracks.doubtful), TRACKS_TABLE)


def _tags_table(figures: TagFigures) -> tuple[tuple[str, ...], list[tuple[object, ...]]]:
    """Header and rows of the table of tags."""
    head = ("tag", "n", "n_with", "auc_roc", "auc_roc_low", "auc_roc_high", "auc_pr", "auc_pr_low",
            "auc_pr_high", "ece")  # fmt: skip
    rows: list[tuple[object, ...]] = [
        (tag.tag, tag.n, tag.n_with, *map(_cell, (
            tag.auc_roc, *tag.auc_roc_interval, tag.auc_pr, *tag.auc_pr_interval, tag.ece)))
        for tag in figures.tags
    ]  # fmt: skip
    return head, rows


def _tracks_table(
    tracks: TaggedTracks, mapped: tag_plots.SoundMap
) -> tuple[tuple[str, ...], list[tuple[object, ...]]]:
    """Header and rows of the table of tracks, those with the most doubtful labels first."""
    most: dict[int, DoubtfulLabel] = {}
    for one in tracks.doubtful:
        most.setdefault(one.track, one)
    unlabelled = [k for k in range(len(tracks.paths)) if k not in most]
    rows: list[tuple[object, ...]] = []
    for k in [*most, *unlabelled]:
        labels = ";".join(tracks.tags[int(j)] for j in np.flatnonzero(tracks.truth[k] == 1))
        likeliest, probability = "", None
        if tracks.tags:
            best = int(tracks.probabilities[k].argmax())
            likeliest, probability = tracks.tags[best], f"{tracks.probabilities[k, best]:.4f}"
        first = most.get(k)
        doubt = (f"{first.doubt:.4f}", first.label, first.other) if first else (None, None, None)
        x, y = mapped.places[k]
        rows.append((tracks.paths[k], tracks.names[k], tracks.groups[k], labels, likeliest,
                     probability, *doubt, f"{x:.4f}", f"{y:.4f}"))  # fmt: skip
    head = ("path", "name", "group", "labels", "likeliest", "probability", "doubt",
            "doubted_label", "sounds_like", "x", "y")  # fmt: skip
    return head, rows


def _cell(value: float) -> str | None:
    return None if np.isnan(value) else f"{value:.4f}"


def _range(interval: tuple[float, float]) -> str:
    low, high = interval
    return "" if np.isnan(low) else f"({low:.2f}-{high:.2f})"


def _with_interval(value: float, interval: tuple[float, float]) -> str:
    low, high = interval
    return (
        f"{value:.3f}" if np.isnan(low) else f"{value:.3f} (95 % interval {low:.2f} to {high:.2f})"
    )


def _guessed(figures: TagFigures) -> float:
    """Mean average precision of guessing, over the tags that were measured."""
    return float(np.mean([tag.n_with / tag.n for tag in figures.tags if not np.isnan(tag.auc_pr)]))
