"""From tracks with labels to a training set: listen, clean, split, and keep what the network sees.

Everything found on the way is kept as soon as it is known (`journal.py`, `cache.py`), so a run that
was stopped carries on, and one over an unchanged collection only reads its notes.
"""

from __future__ import annotations

import dataclasses
import os
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from threadpoolctl import threadpool_limits
from tqdm import tqdm

from tempo_core import checkpoint, listening, methods
from tempo_core.background import TIME_LIMIT, Background, Stopped, parallel
from tempo_core.config import Windows
from tempo_core.console import explain
from tempo_core.errors import ConfigError
from tempo_core.model import Checkpoint
from tempo_core.tasks.tempo.config import TempoConfig
from tempo_core.tasks.tempo.periodicity import N_MAPS
from tempo_core.windows import window_spans

from ..inputs import cache
from ..inputs.cache import Recipe, Stamp
from ..inputs.views import MARGIN, short, views_of
from . import clean as cleaning
from .clean import FAILURES, LONGEST, Reason, drop
from .journal import Journal
from .listen import Heard, listen
from .split import FILE as SPLIT_FILE
from .split import Ties, divide, read_split, write_split
from .tables import (
    CACHE,
    DROPPED,
    SPLITS,
    TRACKS,
    WINDOWS,
    CollectedTrack,
    DroppedTrack,
    LabelledTrack,
    absolute,
    write_table,
)

JOURNAL = "analysis.db"
T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True)
class BuildOptions:
    """Everything but the tracks.

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


def never() -> bool:
    """Nobody wants to stop."""
    return False


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
        If it was. The tables are as they were, and what was computed is kept.
    ConfigError
        If nothing can be held out of what is left, or something in the way is not a training set.
        `dropped.tsv` then says what became of the tracks.
    StorageError
        If something cannot be written. What was computed before is kept.
    """
    model = checkpoint.load(checkpoint.resolve(options.model))
    # The parallelism is over tracks; threads inside of an operation would only fight for cores.
    threadpool_limits(1, user_api="blas")
    recipe = Recipe(model.front_end, options.windows, model.config.grid)
    try:
        (folder / CACHE).mkdir(parents=True, exist_ok=True)
        with Journal(folder / JOURNAL) as journal:
            run = _Run(folder, options, model, recipe, journal, stop)
            return run.build(tracks)
    except OSError as error:
        raise cache.explain(error, folder) from error


@dataclass
class _Run:
    """What all steps of one run share."""

    folder: Path
    options: BuildOptions
    model: Checkpoint[TempoConfig]
    recipe: Recipe
    journal: Journal
    stop: Callable[[], bool]
    keys: dict[Stamp, str] = field(default_factory=dict)
    key_of: dict[Path, str] = field(default_factory=dict)

    def build(self, tracks: Iterable[LabelledTrack]) -> Built:
        sr, fps = self.model.front_end.sr, self.model.front_end.fps
        dropped: list[DroppedTrack] = []
        labelled = []
        for track in merged(self.gather(tracks)):
            problem = cleaning.check_label(track)
            if problem is None:
                labelled.append(track)
            else:
                dropped.append(problem)

        audible: list[CollectedTrack] = []
        heard: list[Heard] = []
        for track, result in self.listen(labelled):
            if isinstance(result, DroppedTrack):
                dropped.append(result)
                continue
            id_, found = result
            problem = cleaning.check_audio(track, found, sr)
            if problem is None:
                audible.append(collected(track, id_, round(found.duration(sr), 2)))
                heard.append(found)
            else:
                dropped.append(problem)

        pairs = self.abandonable(lambda: list(cleaning.duplicates(audible, heard, fps)))
        kept, copies = without_copies(audible, pairs)
        dropped += copies
        try:
            placed, decided = divide(
                kept,
                [(audible[i], audible[j]) for i, j in pairs],
                read_split(self.folder / SPLIT_FILE),
                self.options.seed,
            )
        except ConfigError:
            self.write(None, dropped)
            raise
        write_split(self.folder / SPLIT_FILE, decided)
        for k, track in enumerate(kept):
            group, split = placed[track.path]
            kept[k] = dataclasses.replace(track, group=group, split=split)
        self.write(kept, dropped)
        warnings = _warnings(kept)
        views = self.options.views
        if views is None:
            n_labels = sum(track.split != "test" for track in kept)
            views = methods.for_labels("tempo", n_labels).needs_views
        if views:
            lengths = {t.path: h.n_samples for t, h in zip(audible, heard, strict=True)}
            lost, notes = self.compute_views(kept, lengths)
            warnings += notes
            if lost:  # between listening and now
                gone = {track.path for track in lost}
                kept = [track for track in kept if track.path not in gone]
                dropped += lost
                self.write(kept, dropped)
        return Built(kept, dropped, warnings)

    def gather(self, tracks: Iterable[LabelledTrack]) -> Iterator[LabelledTrack]:
        with self.progress("reading labels", None) as bar:
            for track in tracks:
                self.check_stop()
                bar.update()
                yield track

    def write(self, kept: list[CollectedTrack] | None, dropped: list[DroppedTrack]) -> None:
        dropped.sort(key=lambda track: os.fsencode(track.path))
        write_table(self.folder / DROPPED, dropped, DroppedTrack)
        if kept is not None:
            kept.sort(key=lambda track: os.fsencode(track.path))
            write_table(self.folder / TRACKS, kept, CollectedTrack)

    def listen(
        self, tracks: Sequence[LabelledTrack]
    ) -> list[tuple[LabelledTrack, tuple[str, Heard] | DroppedTrack]]:
        """Each track with its id and what is heard, from the journal or from the file."""
        how = f"{self.model.source} {LONGEST:g}"
        recipe = self.recipe.digest()
        found: dict[Path, tuple[str, Heard] | DroppedTrack] = {}

        def todo() -> Iterator[tuple[LabelledTrack, Stamp]]:
            for track, stamp in self.each(lambda track: cache.stamp(track.path), tracks, 1):
                if isinstance(stamp, Exception):
                    found[track.path] = _failure(track, stamp)
                    continue
                if stamp is None:
                    found[track.path] = drop(track, Reason.MISSING)
                    continue
                known = self.journal.file(stamp, recipe)
                heard = known and self.journal.heard(known[0], how)
                if known and heard:
                    self.keys[stamp] = self.key_of[track.path] = known[1]
                    found[track.path] = known[0][:16], heard
                    continue
                yield track, stamp

        # A file that was moved, or is to be seen by the network in another way, sounds as it did.
        known_contents = self.journal.contents(how)

        def work(task: tuple[LabelledTrack, Stamp]) -> tuple[str, str, Heard | None]:
            path = task[0].path
            digest = cache.hash_file(path)
            content, key = digest.hexdigest(), self.recipe.key(digest)
            is_known = content in known_contents
            return content, key, None if is_known else listen(path, self.model, LONGEST)

        with self.progress("listening", len(tracks)) as bar:
            for (track, stamp), result in self.each(work, todo(), self.options.jobs):
                bar.update(1 + len(found) - bar.n)
                if isinstance(result, Exception):
                    found[track.path] = _failure(track, result)
                    continue
                content, key, new = result
                heard = new or self.journal.heard(content, how)
                assert heard is not None
                if new:
                    self.journal.note_heard(content, how, new)
                self.journal.note_file(stamp, recipe, content, key)
                self.keys[stamp] = self.key_of[track.path] = key
                found[track.path] = content[:16], heard
            bar.update(len(found) - bar.n)
        self.check_stop()
        return [(track, found[track.path]) for track in tracks]

    def compute_views(
        self, tracks: Sequence[CollectedTrack], lengths: dict[Path, int]
    ) -> tuple[list[DroppedTrack], list[str]]:
        """Bring the cache up to date; returns the tracks whose files are gone, and notes."""
        folder, notes = self.folder / CACHE, []
        counts = {t.path: self.count_windows(lengths[t.path]) for t in tracks}
        size, limit = cache.window_bytes(self.recipe, N_MAPS, MARGIN), self.options.cache_size
        most = None
        if limit is not None:
            room = (limit - cache.HEADER * len(tracks)) // size
            most = cache.share(list(counts.values()), room)
            if most is not None:
                needed = sum(counts.values()) * size / 1e9
                notes.append(
                    f"the set takes {needed:.2f} GB and the cache may take {limit / 1e9:.2f}: of "
                    f"each track {most} windows are used (the longest has {max(counts.values())})"
                )
        wanted = {path: min(n, most or n) for path, n in counts.items()}
        if limit is not None:
            sizes = {self.key_of[p]: cache.HEADER + n * size for p, n in wanted.items()}
            cache.make_room(folder, sizes, limit, self.recipe.digest())

        def todo() -> Iterator[CollectedTrack]:
            for track in tracks:
                path = cache.cache_file(folder, self.key_of[track.path])
                known = cache.read_notes(path)
                if known is None or not known.has(wanted[track.path]):
                    yield track
                else:
                    cache.touch(path)

        def work(track: CollectedTrack) -> None:
            recipe = self.recipe
            views = views_of(
                track.path, recipe.front_end, recipe.windows, recipe.grid, wanted[track.path]
            )
            path = cache.cache_file(folder, self.key_of[track.path])
            cache.write_views(views, path, digest=recipe.digest())

        lost = []
        # The files that are there are looked at first, so that the bar shows what is left to do.
        missing = list(todo())
        with self.progress("computing the network's inputs", len(missing)) as bar:
            for track, result in self.each(work, missing, self.options.jobs):
                bar.update()
                if isinstance(result, Exception):
                    lost.append(_failure(track, result))
        cache.write_keys(folder, self.recipe, self.keys)
        self.check_stop()
        return lost, notes

    def count_windows(self, n_samples: int) -> int:
        """How many windows `views_of` makes of so many samples, if all of them sound."""
        front_end, windows = self.recipe.front_end, self.recipe.windows
        n_whole, rest = divmod(n_samples, round(listening.PIECE * front_end.sr))

        def count(n_samples: int) -> int:
            n_frames = n_samples // front_end.hop_length + 1
            plans = (windows, short(windows))
            return sum(len(window_spans(n_frames, front_end.fps, plan)) for plan in plans)

        return n_whole * count(round(listening.PIECE * front_end.sr)) + (count(rest) if rest else 0)

    def progress(self, what: str, total: int | None) -> tqdm[None]:
        hidden = True if self.options.quiet else None  # None: unless stderr is a terminal
        return tqdm(desc=what, total=total, unit="track", disable=hidden, dynamic_ncols=True)

    def each(
        self, function: Callable[[T], R], tasks: Iterable[T], jobs: int
    ) -> Iterator[tuple[T, R | Exception]]:
        return parallel(function, tasks, jobs, self.stop, self.options.time_limit)

    def abandonable(self, function: Callable[[], T]) -> T:
        background = Background(self.stop)
        try:
            return background.call(function)
        except Stopped:
            self.check_stop()
            raise
        finally:
            background.close()

    def check_stop(self) -> None:
        if self.stop():
            raise Stopped("interrupted; what was computed is kept, and the next run goes on there")


def merged(tracks: Iterable[LabelledTrack]) -> list[LabelledTrack]:
    """One track a path, with the best of its labels."""
    by_path: dict[Path, list[LabelledTrack]] = defaultdict(list)
    for track in tracks:
        path = absolute(track.path)
        by_path[path].append(dataclasses.replace(track, path=path))
    merged = [cleaning.merge(same) for same in by_path.values()]
    return sorted(merged, key=lambda track: os.fsencode(track.path))


def collected(track: LabelledTrack, id_: str, duration: float) -> CollectedTrack:
    """The track with what its file says."""
    values = {f.name: getattr(track, f.name) for f in dataclasses.fields(LabelledTrack)}
    return CollectedTrack(**values, id=id_, duration=duration)


def without_copies(
    tracks: Sequence[CollectedTrack], pairs: Iterable[tuple[int, int]]
) -> tuple[list[CollectedTrack], list[DroppedTrack]]:
    """Of the tracks that pairs of indices say are one recording the one to keep, and the others."""
    ties = Ties()
    for i, j in pairs:
        ties.tie((str(i), str(j)))
    groups: dict[str, list[CollectedTrack]] = defaultdict(list)
    for k, track in enumerate(tracks):
        groups[ties.root(str(k))].append(track)
    kept, dropped = [], []
    for group in groups.values():
        if len(group) == 1:
            kept.append(group[0])
            continue
        best, others = cleaning.keep_one(group)
        kept += [best] if best is not None else []
        dropped += others
    return kept, dropped


def _failure(track: LabelledTrack, error: Exception) -> DroppedTrack:
    """What became of a file that could not be used.

    Raises
    ------
    OSError
        If it is not the file's fault.
    """
    if isinstance(error, OSError):
        raise error
    return drop(track, Reason.UNREADABLE, explain(error))


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
