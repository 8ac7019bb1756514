"""From tracks with labels to a training set: listen, clean, split, and keep what the network sees.

Everything found on the way is kept as soon as it is known (`journal.py`, `cache.py`), so a run that
was stopped carries on, and one over an unchanged collection only reads its notes.
"""

from __future__ import annotations

import dataclasses
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from threadpoolctl import threadpool_limits

from tempo_core import checkpoint, methods
from tempo_core.background import TIME_LIMIT, never
from tempo_core.config import Windows
from tempo_core.errors import ConfigError

from ..inputs import cache
from ..inputs.cache import ViewRecipe
from . import clean as cleaning
from .clean import FAILURES, merged, without_copies
from .fill_cache import CacheFolder, fill_cache
from .journal import Journal
from .listen import Listening
from .listen_all import ListenedTracks, listen_to_all
from .running import Running
from .split import FILE as SPLIT_FILE
from .split import divide, read_split, write_split
from .tables import (
    CACHE,
    DROPPED,
    SPLITS,
    TRACKS,
    WINDOWS,
    CollectedTrack,
    DroppedTrack,
    LabelledTrack,
    collected,
    write_table,
)

JOURNAL = "analysis.db"


@dataclass(frozen=True)
class BuildOptions:
    """Options of a build.

    `cache_size` is the most that the network's inputs may take on disk [bytes], None for no limit.
    Without `views` they are left to be computed when they are needed; None leaves them if the set
    is too small for the method that needs them. `model` judges the labels. `time_limit` is what a
    track may take each time it is read [s].
    """

    seed: int = 0
    jobs: int = os.cpu_count() or 1
    model: str = "default"
    windows: Windows = WINDOWS
    cache_size: int | None = None
    views: bool | None = True
    quiet: bool = False
    time_limit: float = TIME_LIMIT


@dataclass(frozen=True)
class Built:
    """A training set; `warnings` are lines for people."""

    kept: list[CollectedTrack]
    dropped: list[DroppedTrack]
    warnings: list[str] = field(default_factory=list)

    @property
    def failed(self) -> list[DroppedTrack]:
        """Files that are missing or cannot be read."""
        return [track for track in self.dropped if track.reason in FAILURES]

    def summary(self) -> list[str]:
        """What there is, in a few lines."""
        splits = Counter(track.split for track in self.kept)
        counts = ", ".join(f"{split} {splits[split]}" for split in SPLITS)
        lines = [f"kept {len(self.kept)}: {counts}"]
        reasons = Counter(track.reason for track in self.dropped).most_common()
        if reasons:
            told = ", ".join(f"{reason} {n}" for reason, n in reasons)
            lines.append(f"dropped {len(self.dropped)}: {told}")
        return [*lines, *(f"note: {warning}" for warning in self.warnings)]


def build(
    tracks: Iterable[LabelledTrack],
    folder: Path,
    options: BuildOptions,
    stop: Callable[[], bool] = never,
) -> Built:
    """Make or bring up to date the training set in a folder.

    Parameters
    ----------
    tracks
        Several with one path are several labels of one track.
    folder
        Made if it is missing.
    stop
        Asked ten times a second; once it says True, the run is abandoned.

    Raises
    ------
    Stopped
        If the run was abandoned. The tables are as they were, and what was computed is kept.
    ConfigError
        If nothing can be held out of what is left, or something in the way is not a training set.
        `dropped.tsv` then says what became of the tracks.
    StorageError
        If something cannot be written. What was computed before is kept.
    """
    model = checkpoint.load(checkpoint.resolve(options.model))
    # The parallelism is over tracks; threads inside of an operation would only fight for cores.
    threadpool_limits(1, user_api="blas")
    recipe = ViewRecipe(model.front_end, options.windows, model.config.grid)
    running = Running(options.jobs, options.time_limit, options.quiet, stop)
    try:
        (folder / CACHE).mkdir(parents=True, exist_ok=True)
        with Journal(folder / JOURNAL) as journal:
            labelled, dropped = check_labels(_read(tracks, running))
            listened = listen_to_all(labelled, model, recipe, journal, running)
            audible, unheard = check_recordings(listened, model.front_end.sr)
            dropped += unheard
            pairs = running.abandonable(partial(find_copies, audible, model.front_end.fps))
            tracks_heard = [track for track, _ in audible]
            kept, copies = without_copies(tracks_heard, pairs)
            dropped += copies
            try:
                kept = place_on_sides(
                    kept,
                    [(tracks_heard[i], tracks_heard[j]) for i, j in pairs],
                    folder,
                    options.seed,
                )
            except ConfigError:
                write_dropped(folder, dropped)
                raise
            write_tables(folder, kept, dropped)
            warnings = _warnings(kept)
            if _wants_views(kept, options):
                place = CacheFolder(folder / CACHE, recipe, options.cache_size, listened.keys)
                lengths = {track.path: heard.n_samples for track, heard in audible}
                lost, notes = fill_cache(kept, lengths, place, running)
                cache.write_keys(folder / CACHE, recipe, listened.stamps)
                running.check_stop()
                warnings += notes
                if lost:  # between listening and now
                    gone = {track.path for track in lost}
                    kept = [track for track in kept if track.path not in gone]
                    dropped += lost
                    write_tables(folder, kept, dropped)
            return Built(kept, dropped, warnings)
    except OSError as error:
        raise cache.explain(error, folder) from error


def _read(tracks: Iterable[LabelledTrack], running: Running) -> Iterator[LabelledTrack]:
    """The tracks one by one, with a bar that counts them."""
    with running.progress("reading labels", None) as bar:
        for track in tracks:
            running.check_stop()
            bar.update()
            yield track


def check_labels(
    tracks: Iterable[LabelledTrack],
) -> tuple[list[LabelledTrack], list[DroppedTrack]]:
    """Tracks with a label that can be learned from, one a path, and the others."""
    passed, dropped = [], []
    for track in merged(tracks):
        problem = cleaning.check_label(track)
        if problem is None:
            passed.append(track)
        else:
            dropped.append(problem)
    return passed, dropped


def check_recordings(
    listened: ListenedTracks, sr: int
) -> tuple[list[tuple[CollectedTrack, Listening]], list[DroppedTrack]]:
    """Tracks whose audio can be learned from, with what is heard in them, and the others.

    Parameters
    ----------
    sr
        Sample rate [Hz] at which the files were listened to.
    """
    passed, dropped = [], []
    for track, result in listened.results:
        if isinstance(result, DroppedTrack):
            dropped.append(result)
            continue
        heard = result.listening
        problem = cleaning.check_audio(track, heard, sr)
        if problem is None:
            passed.append((collected(track, result.id, round(heard.duration(sr), 2)), heard))
        else:
            dropped.append(problem)
    return passed, dropped


def find_copies(
    audible: Sequence[tuple[CollectedTrack, Listening]], fps: float
) -> list[tuple[int, int]]:
    """Pairs of indices of tracks that are one recording.

    Parameters
    ----------
    fps
        Frames a second of the features that the fingerprints were made of.
    """
    tracks, heard = [track for track, _ in audible], [heard for _, heard in audible]
    return list(cleaning.duplicates(tracks, heard, fps))


def place_on_sides(
    tracks: Sequence[CollectedTrack],
    copies: Iterable[tuple[CollectedTrack, CollectedTrack]],
    folder: Path,
    seed: int,
) -> list[CollectedTrack]:
    """The tracks with their group and split; what is decided is written to the folder's table.

    Parameters
    ----------
    copies
        Pairs of one recording; they need not be among `tracks`.

    Raises
    ------
    ConfigError
        If nothing can be held out.
    """
    placed, decided = divide(tracks, copies, read_split(folder / SPLIT_FILE), seed)
    write_split(folder / SPLIT_FILE, decided)
    return [
        dataclasses.replace(track, group=placed[track.path][0], split=placed[track.path][1])
        for track in tracks
    ]


def write_dropped(folder: Path, dropped: list[DroppedTrack]) -> None:
    """Write the table of tracks that are left out, and sort them by path."""
    dropped.sort(key=lambda track: os.fsencode(track.path))
    write_table(folder / DROPPED, dropped, DroppedTrack)


def write_tables(folder: Path, kept: list[CollectedTrack], dropped: list[DroppedTrack]) -> None:
    """Write both tables of a training set, and sort the tracks by path."""
    write_dropped(folder, dropped)
    kept.sort(key=lambda track: os.fsencode(track.path))
    write_table(folder / TRACKS, kept, CollectedTrack)


def _wants_views(kept: Sequence[CollectedTrack], options: BuildOptions) -> bool:
    """Whether the network's inputs are computed now."""
    if options.views is None:
        n_labels = sum(track.split != "test" for track in kept)
        return methods.for_labels("tempo", n_labels).needs_views
    return options.views


def _warnings(tracks: Sequence[CollectedTrack]) -> list[str]:
    found = []
    tempi = {track.bpm for track in tracks}
    if len(tempi) == 1:
        found.append(
            f"all labels are {tempi.pop():g} BPM: there is nothing to learn from them but that"
        )
    splits = Counter(track.split for track in tracks)
    groups = Counter(track.group for track in tracks)
    found += [f"nothing is left for {split}" for split in SPLITS if not splits[split]]
    group, n_tracks = groups.most_common(1)[0]
    if n_tracks > 0.5 * len(tracks):
        name = group.partition(":")[2]
        found.append(
            f"{n_tracks} of {len(tracks)} tracks belong to one group ({name}: artists who play "
            "together), which stands on one side as a whole"
        )
    return found
