"""The build of a training set from labelled tracks: listen, clean, split, compute network inputs.

Every result is stored as soon as it is known (`journal.py`, `cache.py`). So a run that was stopped
carries on where it was, and a run over an unchanged collection only reads what is stored.
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
from tempo_core.engines import Engine
from tempo_core.engines.sharing import shared_model
from tempo_core.errors import ClusterError, ConfigError

from ..inputs import cache
from ..inputs.cache import ViewRecipe
from . import clean as cleaning
from .clean import FAILURES, merged, without_copies
from .fill_cache import CacheFolder, fill_cache
from .journal import Journal
from .listen import Listening
from .listen_all import ListenedTracks, ReadWork, listen_to_all
from .running import Running
from .split import SPLIT_FILE, divide, read_split, write_split
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

JOURNAL = "analysis.db"  # file in the folder of the training set, see `journal.Journal`


@dataclass(frozen=True)
class BuildOptions:
    """Options of a build.

    `cache_size` is the most that the network's inputs may take on disk [bytes], None for no limit.
    `views` says whether these inputs are computed now; if not, training computes them when it needs
    them. None computes them only if the set is large enough for a method that uses them.
    `model` is the model that judges the labels. `seed` decides how the tracks are split.
    `time_limit` is how long one reading of a track may take [s].
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
    """A training set that was built. `warnings` are messages to the user, one line each."""

    kept: list[CollectedTrack]
    dropped: list[DroppedTrack]
    warnings: list[str] = field(default_factory=list)

    @property
    def failed(self) -> list[DroppedTrack]:
        """Dropped tracks whose files are missing or cannot be read."""
        return [track for track in self.dropped if track.reason in FAILURES]

    def summary(self) -> list[str]:
        """How many tracks were kept and dropped, and the warnings, one line each."""
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
    engine: Engine | None = None,
) -> Built:
    """Make or bring up to date the training set in a folder.

    Parameters
    ----------
    tracks
        Labelled tracks. Several with one path are several labels of one track.
    folder
        Folder of the training set; it is made if it is missing.
    stop
        Called ten times a second; once it returns True, the run is abandoned.
    engine
        What listens to the files and fills the cache; None is threads. The processes of a cluster
        must see files and folder at the same paths.

    Raises
    ------
    Stopped
        If the run was abandoned. The tables are as they were, and what was computed is kept.
    ConfigError
        If too few tracks are left to hold any out (`dropped.tsv` then says why each was dropped),
        or if a file in the folder is not that of a training set.
    StorageError
        If something cannot be written. What was computed before is kept.
    """
    model = checkpoint.load(checkpoint.resolve(options.model))
    # Tracks are processed in parallel; more threads inside one operation would only compete.
    threadpool_limits(1, user_api="blas")
    recipe = ViewRecipe(model.front_end, options.windows, model.config.grid)
    running = Running(options.jobs, options.time_limit, options.quiet, stop, engine)
    work = ReadWork(shared_model(options.model), recipe)
    try:
        (folder / CACHE).mkdir(parents=True, exist_ok=True)
        with Journal(folder / JOURNAL) as journal:
            labelled, dropped = check_labels(_read(tracks, running))
            listened = listen_to_all(labelled, model.source, work, journal, running)
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
            built = Built(kept, dropped, _warnings(kept))
            if _wants_views(kept, options):
                place = CacheFolder(folder / CACHE, recipe, options.cache_size, listened.keys)
                lengths = {track.path: heard.n_samples for track, heard in audible}
                lost, notes = fill_cache(kept, lengths, place, running)
                cache.write_keys(folder / CACHE, recipe, listened.stamps)
                running.check_stop()
                built = _without_lost(built, lost, notes, folder)
            return built
    except OSError as error:
        raise cache.explain(error, folder) from error
    except ClusterError as error:
        raise ClusterError(
            f"{error}; what was computed is kept, and the next run goes on there"
        ) from error


def _without_lost(built: Built, lost: list[DroppedTrack], notes: list[str], folder: Path) -> Built:
    """The training set after its network inputs were computed.

    Parameters
    ----------
    lost
        Tracks whose files went away or broke after they were listened to. The tables are written
        again if there are any.
    notes
        Further messages to the user.
    """
    warnings = [*built.warnings, *notes]
    if not lost:
        return Built(built.kept, built.dropped, warnings)
    gone = {track.path for track in lost}
    kept = [track for track in built.kept if track.path not in gone]
    dropped = [*built.dropped, *lost]
    write_tables(folder, kept, dropped)
    return Built(kept, dropped, warnings)


def _read(tracks: Iterable[LabelledTrack], running: Running) -> Iterator[LabelledTrack]:
    """Tracks one by one, counted by a progress bar."""
    with running.progress("reading labels", None) as bar:
        for track in tracks:
            running.check_stop()
            bar.update()
            yield track


def check_labels(
    tracks: Iterable[LabelledTrack],
) -> tuple[list[LabelledTrack], list[DroppedTrack]]:
    """Tracks whose label can be learned from, one for each path, and the dropped tracks."""
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
    """Tracks whose audio can be learned from, with what was heard in them, and the dropped tracks.

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
    """Pairs of indices (i, j) of tracks that are copies of one recording.

    Parameters
    ----------
    fps
        Frames per second of the features that the fingerprints were made of.
    """
    tracks, heard = [track for track, _ in audible], [heard for _, heard in audible]
    return list(cleaning.duplicates(tracks, heard, fps))


def place_on_sides(
    tracks: Sequence[CollectedTrack],
    copies: Iterable[tuple[CollectedTrack, CollectedTrack]],
    folder: Path,
    seed: int,
) -> list[CollectedTrack]:
    """Tracks with their group and split filled in; decisions are written to the folder's table.

    Parameters
    ----------
    copies
        Pairs of tracks that are one recording; they need not be among `tracks`.

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
    """Sort the dropped tracks by path, in place, and write their table."""
    dropped.sort(key=lambda track: os.fsencode(track.path))
    write_table(folder / DROPPED, dropped, DroppedTrack)


def write_tables(folder: Path, kept: list[CollectedTrack], dropped: list[DroppedTrack]) -> None:
    """Sort the kept and the dropped tracks by path, in place, and write their tables."""
    write_dropped(folder, dropped)
    kept.sort(key=lambda track: os.fsencode(track.path))
    write_table(folder / TRACKS, kept, CollectedTrack)


def _wants_views(kept: Sequence[CollectedTrack], options: BuildOptions) -> bool:
    """Whether this build computes the network's inputs."""
    if options.views is None:
        n_labels = sum(track.split != "test" for track in kept)
        return methods.for_labels("tempo", n_labels).needs_views
    return options.views


def _warnings(tracks: Sequence[CollectedTrack]) -> list[str]:
    """Messages about a training set that is one-sided or has an empty split."""
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
