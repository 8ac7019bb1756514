"""The work of `beet tempo-tags --check`: labels that contradict how their tracks sound.

Nothing is listened to and nothing is changed: what the tracks sound like is in the store, and what
their labels should sound like is learned on the spot from the labels of other artists.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from beets import ui
from beets.exceptions import UserError

from tempo_core.background import GRACE, Stopped, call, interruptible
from tempo_core.console import counted, shown
from tempo_core.errors import TempoError
from tempo_core.extras import advice
from tempo_core.shadowing import check_trainer
from tempo_core.tasks.tags.decode import embedding_name

from .guarding import library_errors
from .progress import print_line
from .selecting import Selection
from .settings import path_of
from .sounds import open_store, paths_of, tags_model

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from beets.library import Library
    from beets.logging import BeetsLogger

    from tempo_core.embeddings import Embedding
    from trainer.evaluation.tag_doubts import DoubtfulLabel
    from trainer.learning.labels import TagTrack
    from trainer.learning.tag_checking import CheckedLabels
    from trainer.learning.tag_cleaning import CleanTags

SEED = 0  # of the folds


@dataclass(frozen=True, eq=False)
class HeardLabels:
    """Labels of the tracks of a library that were listened to.

    Attributes
    ----------
    field
        That the labels are in.
    tracks, embeddings, groups
        (n,) those whose labels count, what they sound like, and their artists.
    found
        The tags; its `tracks` are numbers of these tracks, all of them.
    n_unheard
        Number of tracks with labels that were not listened to.
    """

    field: str
    tracks: Sequence[TagTrack]
    embeddings: Embedding
    groups: Sequence[str]
    found: CleanTags
    n_unheard: int


def check_library(lib: Library, args: list[str], settings: Any, log: BeetsLogger) -> None:
    """List the labels of the tracks of a query that contradict their sound, the surest first.

    Raises
    ------
    UserError
        If there are too few labels, a package is missing, the library, the store or the report
        cannot be used, or the run was interrupted.
    """
    try:
        check_trainer()
        with library_errors("nothing was changed"), interruptible() as stop:
            call(
                lambda: _check_library(lib, args, settings, log, stop.is_set),
                stop.is_set,
                patience=GRACE,
            )
    except ImportError as error:
        raise UserError(
            f"tempo-tags --check needs more packages ({error}): {advice(error)}"
        ) from error
    except TempoError as error:
        raise UserError(str(error)) from error


def _check_library(
    lib: Library, args: list[str], settings: Any, log: BeetsLogger, stopped: Callable[[], bool]
) -> None:
    """Learn what the labels sound like, print those that do not, and write the report."""
    folder = path_of(settings.report)
    if folder is not None:
        # Here, so that a missing package of the report is noticed before the work.
        from trainer.evaluation.saving import make_folder
        from trainer.learning import tag_evaluating  # noqa: F401

        make_folder(folder)
    labels = _heard_labels(lib, settings, log)
    asked = {
        Path(os.fsdecode(path))
        for path in paths_of(lib, Selection(lib, args, album=bool(settings.album)).ids())
    }
    checked = _judged(labels, settings, stopped)
    n = _print_doubtful(labels, checked, asked, settings)
    if labels.n_unheard and not settings.quiet:
        log.warning(
            "{} with {} not listened to yet; `beet tempo-tags` does",
            counted(labels.n_unheard, "track"), shown(labels.field),
        )  # fmt: skip
    report = "" if folder is None else f"; report: {_write_report(folder, labels, checked)}"
    if not settings.quiet:
        ui.print_(f"tempo-tags: {n}{shown(report)}")


def _heard_labels(lib: Library, settings: Any, log: BeetsLogger) -> HeardLabels:
    """The labels of the whole library, as far as their tracks were listened to.

    Raises
    ------
    UserError
        If no tag has enough tracks.
    """
    from tempo_core.tasks.tags.config import MOST_TAGS
    from trainer.learning.tag_cleaning import TagRules, clean
    from trainer.learning.tag_comparing import left_out_lines
    from trainer.trainingset.grouping import groups_of

    from .training import named_tracks, tag_rules

    field, said = tag_rules(settings)
    with open_store(lib, embedding_name(tags_model()), log, read_only=True) as store:
        keys, embeddings = store.rows()
    rows = {Path(os.fsdecode(key)): k for k, key in enumerate(keys)}
    named = named_tracks(lib, [], field)
    tracks = [track for track in named if track.path in rows]
    groups = groups_of([track.described for track in tracks])
    rules = TagRules(field, **said)
    found = clean([track.names for track in tracks], groups, rules, MOST_TAGS)
    n_unheard = len(named) - len(tracks)
    if not found.names:
        left = f" ({'; '.join(left_out_lines(found.left_out))})" if found.left_out else ""
        unheard = f"; {n_unheard} more were not listened to, `beet tempo-tags` does"
        raise UserError(
            f"{counted(len(tracks), 'track')} with {shown(field)}, and no tag of which enough is "
            f"known{left}{unheard if n_unheard else ''}"
        )
    return HeardLabels(
        field,
        [tracks[k] for k in found.tracks],
        embeddings[[rows[tracks[k].path] for k in found.tracks]],
        [groups[k] for k in found.tracks],
        found,
        n_unheard,
    )


def _judged(labels: HeardLabels, settings: Any, stopped: Callable[[], bool]) -> CheckedLabels:
    """What cross validation says of the labels."""
    from tqdm import tqdm

    from trainer.learning.tag_checking import FITS_A_TAG, check_labels

    tags, truth = labels.found.names, labels.found.truth
    total = FITS_A_TAG * len(tags)
    with tqdm(desc="learning", total=total, unit="fit", file=sys.stderr,
              disable=True if settings.quiet else None) as bar:  # fmt: skip

        def go_on() -> None:
            if stopped():
                raise Stopped("interrupted; nothing was changed")
            bar.update()

        return check_labels(tags, labels.embeddings, truth, labels.groups, SEED, go_on)


def _print_doubtful(
    labels: HeardLabels, checked: CheckedLabels, asked: set[Path], settings: Any
) -> str:
    """Print the doubtful labels of the tracks that were asked for; returns a summary."""
    from trainer.evaluation.tag_doubts import LISTED

    least = LISTED if settings.least is None else settings.least
    of_these = [one for one in checked.doubtful if labels.tracks[one.track].path in asked]
    doubtful = [one for one in of_these if one.doubt >= least]
    of_tracks: dict[int, list[DoubtfulLabel]] = {}
    for one in doubtful:
        of_tracks.setdefault(one.track, []).append(one)
    for own in () if settings.quiet else of_tracks.values():
        first = own[0]
        other = f"sounds like {first.other}" if first.other else "no other tag to compare with"
        name = labels.tracks[first.track].name
        names = ", ".join(one.label for one in own)
        print_line(f"{first.doubt:.2f} labelled {names}, {other}  {name}")
    n_artists = len(set(labels.groups))
    return (
        f"{len(doubtful)} of {counted(len(of_these), 'label')} in {labels.field} are doubtful "
        f"({least:g} or more), by the labels of {counted(len(labels.tracks), 'track')} by "
        f"{counted(n_artists, 'artist')}"
    )


def _write_report(folder: Path, labels: HeardLabels, checked: CheckedLabels) -> Path:
    """Write the report into a folder; returns its path."""
    from trainer.evaluation.tag_report import write_tag_report
    from trainer.learning.tag_evaluating import judged_tracks

    judged = judged_tracks(
        f"{labels.field} of {counted(len(labels.tracks), 'track')}",
        labels.tracks, labels.embeddings, labels.groups, labels.found, checked,
    )  # fmt: skip
    if labels.n_unheard:
        note = f"{counted(labels.n_unheard, 'track')} not listened to yet."
        judged = replace(judged, notes=[*judged.notes, note])
    return write_tag_report(folder, judged)
