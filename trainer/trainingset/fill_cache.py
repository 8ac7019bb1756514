"""The last step of a build: the network's inputs of every track that is kept, in the cache."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tempo_core import listening
from tempo_core.tasks.tempo.periodicity import N_MAPS
from tempo_core.windows import window_spans

from ..inputs import cache
from ..inputs.cache import ViewRecipe
from ..inputs.views import MARGIN, short, views_of
from .clean import failure
from .running import Running
from .tables import CollectedTrack, DroppedTrack


@dataclass(frozen=True)
class CacheFolder:
    """The cache of a training set.

    `limit` is the most that it may take on disk [bytes], None for no limit. `keys` are the names of
    its files by the path of the audio.
    """

    folder: Path
    recipe: ViewRecipe
    limit: int | None
    keys: Mapping[Path, str]

    def file(self, track: CollectedTrack) -> Path:
        """Where the network's inputs of a track are."""
        return cache.cache_file(self.folder, self.keys[track.path])


def fill_cache(
    tracks: Sequence[CollectedTrack],
    lengths: Mapping[Path, int],
    place: CacheFolder,
    running: Running,
) -> tuple[list[DroppedTrack], list[str]]:
    """Bring the cache up to date.

    Parameters
    ----------
    lengths
        Of the tracks [samples], by path.

    Returns
    -------
    The tracks whose files are gone or cannot be read any more, and notes for people.

    Raises
    ------
    ConfigError
        If the cache may not be large enough.
    """
    counts = {t.path: count_windows(lengths[t.path], place.recipe) for t in tracks}
    wanted, notes = share_space(counts, place)
    if place.limit is not None:
        size = cache.window_bytes(place.recipe, N_MAPS, MARGIN)
        sizes = {place.keys[p]: cache.HEADER + n * size for p, n in wanted.items()}
        cache.make_room(place.folder, sizes, place.limit, place.recipe.digest())

    def outdated() -> Iterator[CollectedTrack]:
        for track in tracks:
            path = place.file(track)
            known = cache.read_notes(path)
            if known is None or not known.has(wanted[track.path]):
                yield track
            else:
                cache.touch(path)

    def compute(track: CollectedTrack) -> None:
        recipe = place.recipe
        n_windows = wanted[track.path]
        views = views_of(track.path, recipe.front_end, recipe.windows, recipe.grid, n_windows)
        cache.write_views(views, place.file(track), digest=recipe.digest())

    lost = []
    # The files that are there are looked at first, so that the bar shows what is left to do.
    missing = list(outdated())
    with running.progress("computing the network's inputs", len(missing)) as bar:
        for track, result in running.each(compute, missing):
            bar.update()
            if isinstance(result, Exception):
                lost.append(failure(track, result))
    return lost, notes


def share_space(
    counts: Mapping[Path, int], place: CacheFolder
) -> tuple[dict[Path, int], list[str]]:
    """How many windows of each track there is space for, and a note if those are not all.

    Parameters
    ----------
    counts
        How many windows each track has.

    Raises
    ------
    ConfigError
        If there is too little space for any choice of windows.
    """
    if place.limit is None:
        return dict(counts), []
    size = cache.window_bytes(place.recipe, N_MAPS, MARGIN)
    most = cache.share(list(counts.values()), (place.limit - cache.HEADER * len(counts)) // size)
    if most is None:
        return dict(counts), []
    needed = sum(counts.values()) * size / 1e9
    note = (
        f"the set takes {needed:.2f} GB and the cache may take {place.limit / 1e9:.2f}: of "
        f"each track {most} windows are used (the longest has {max(counts.values())})"
    )
    return {path: min(n, most) for path, n in counts.items()}, [note]


def count_windows(n_samples: int, recipe: ViewRecipe) -> int:
    """How many windows `views_of` makes of so many samples, if all of them sound."""
    front_end, windows = recipe.front_end, recipe.windows
    piece = round(listening.STREAMED_PIECE * front_end.sr)
    n_whole, rest = divmod(n_samples, piece)

    def count(n_samples: int) -> int:
        n_frames = n_samples // front_end.hop_length + 1
        plans = (windows, short(windows))
        return sum(len(window_spans(n_frames, front_end.fps, plan)) for plan in plans)

    return n_whole * count(piece) + (count(rest) if rest else 0)
