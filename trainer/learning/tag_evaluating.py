"""How well tags can be told from the sound, and which labels contradict it, as a report.

It is not about the tags of a model but about labels: each track is judged by what the labels of
other artists say, see `tag_checking`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tempo_core import checkpoint
from tempo_core.background import Stopped
from tempo_core.console import counted
from tempo_core.engines import Engine
from tempo_core.methods import for_labels
from tempo_core.tasks.tags.config import MOST_TAGS

from ..evaluation.tag_report import TaggedTracks, headline, write_tag_report
from ..trainingset.grouping import groups_of
from .job import Failure, Job
from .labels import TagTrack, read_tag_labels
from .options import LearnOptions
from .tag_checking import FITS_A_TAG, CheckedLabels, check_labels
from .tag_cleaning import CleanTags, TagRules, clean
from .tag_comparing import left_out_lines
from .tags import check_enough, hear_tracks


@dataclass(frozen=True)
class TagEvaluation:
    """Lines with what was found, the path of the report, and files that could not be used."""

    lines: tuple[str, ...]
    report: Path
    failed: tuple[Failure, ...]


def evaluate_tags(
    table: Path,
    folder: Path,
    model: str,
    options: LearnOptions,
    stop: Callable[[], bool],
    engine: Engine | None = None,
) -> TagEvaluation:
    """Judge the tags in a table by cross validation, and write the report into a folder.

    Parameters
    ----------
    table
        As `labels.read_tag_labels` takes it; what the tracks sound like is kept beside it.
    model
        Name or path of the model whose embeddings are used.
    options
        `field`, `min_tracks`, `seed`, `jobs`, `time_limit` and `quiet` count.
    engine
        That of a cluster, for what is listened to; None for threads.

    Raises
    ------
    ConfigError, CheckpointError, LabelError, StorageError
        If the table or the model cannot be used, no tag has enough tracks, or the folder cannot be
        written.
    Stopped
        If the run was to stop.
    """
    labels = read_tag_labels(table)
    path = checkpoint.resolve(model, "tags")
    job = Job(for_labels("tags", len(labels)), options, stop, engine=engine)
    base = checkpoint.load(path, "tags")
    rules = TagRules(options.field, options.min_tracks, options.merge, options.drop)

    def cleaned(tracks: Sequence[TagTrack]) -> tuple[list[str], CleanTags]:
        groups = groups_of([track.described for track in tracks])
        return groups, clean([track.names for track in tracks], groups, rules, MOST_TAGS)

    _, found = cleaned(labels.tracks)
    check_enough(found, rules)  # before anything is listened to
    labelled = [labels.tracks[k] for k in found.tracks]
    heard = hear_tracks(labelled, labels, base, path, job)
    tracks = [labelled[k] for k in heard.embeddings]
    groups, found = cleaned(tracks)
    check_enough(found, rules, heard.failed)
    tracks = [tracks[k] for k in found.tracks]
    groups = [groups[k] for k in found.tracks]
    embeddings = np.stack(list(heard.embeddings.values()))[found.tracks]
    with job.progress_bar("learning", FITS_A_TAG * len(found.names), "fit") as bar:

        def go_on() -> None:
            if stop():
                raise Stopped(heard.interrupted)
            bar.update()

        checked = check_labels(found.names, embeddings, found.truth, groups, options.seed, go_on)
    title = f"{options.field} of {counted(len(tracks), 'track')}"
    judged = judged_tracks(title, tracks, embeddings, groups, found, checked)
    report = write_tag_report(folder, judged)
    lines = (headline(judged), *judged.notes, *heard.lines)
    return TagEvaluation(lines, report, tuple(heard.failed))


def judged_tracks(
    title: str,
    tracks: Sequence[TagTrack],
    embeddings: NDArray[np.floating],
    groups: Sequence[str],
    found: CleanTags,
    checked: CheckedLabels,
) -> TaggedTracks:
    """Tracks whose labels were checked, for the report; its notes say which tags are left out."""
    return TaggedTracks(
        tags=found.names,
        truth=found.truth,
        probabilities=checked.probabilities,
        embeddings=embeddings.astype(np.float32),
        paths=[track.path for track in tracks],
        names=[track.name for track in tracks],
        groups=groups,
        doubtful=checked.doubtful,
        title=title,
        notes=[f"Tags {line}." for line in left_out_lines(found.left_out)],
    )
