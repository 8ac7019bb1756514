"""The last step of a build: computing the network's inputs of all kept tracks into the cache."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from threadpoolctl import threadpool_limits

from tempo_core import listening
from tempo_core.addresses import as_text
from tempo_core.engines.sharing import shared_path
from tempo_core.tasks.tempo.periodicity import N_MAPS
from tempo_core.windows import window_spans

from ..inputs import cache
from ..inputs.cache import ViewRecipe
from ..inputs.views import STRETCH_MARGIN, short, views_of
from .clean import failure
from .running import Running
from .tables import CollectedTrack, DroppedTrack


@dataclass(frozen=True)
class CacheFolder:
    """The cache of a training set.

    `limit` is the most that it may take on disk [bytes], None for no limit. `keys` gives the name
    of the cache file for each path of an audio file.
    """

    folder: Path
    recipe: ViewRecipe
    limit: int | None
    keys: Mapping[Path, str]

    def file(self, track: CollectedTrack) -> Path:
        """Path of the cache file with the network's inputs of a track."""
        return cache.cache_file(self.folder, self.keys[track.path])


# The number of a track, its path, the cache file to write, and how many windows it is to have.
FillTask = tuple[int, str, str, int]


@dataclass(frozen=True)
class FillWork:
    """Computing cache files, which all processes share; see `tempo_core.engines.Work`."""

    recipe: ViewRecipe

    def load(self) -> Callable[[FillTask], None]:
        """There is nothing to load."""
        threadpool_limits(1, user_api="blas")  # files are processed in parallel, not their parts
        return self._compute

    def uses(self) -> Mapping[str, str]:
        """No model."""
        return {}

    def _compute(self, task: FillTask) -> None:
        _, path, target, n_windows = task
        recipe, file = self.recipe, Path(target)
        views = views_of(Path(path), recipe.front_end, recipe.windows, recipe.grid, n_windows)
        try:
            cache.write_views(views, file, digest=recipe.digest())
        except OSError as error:
            raise cache.explain(error, file.parents[1]) from error


def fill_cache(
    tracks: Sequence[CollectedTrack],
    lengths: Mapping[Path, int],
    place: CacheFolder,
    running: Running,
) -> tuple[list[DroppedTrack], list[str]]:
    """Compute the network's inputs that the cache does not hold yet.

    Parameters
    ----------
    lengths
        Length of each track [samples], by path.

    Returns
    -------
    The tracks whose files are gone or cannot be read any more, and messages to the user.

    Raises
    ------
    ConfigError
        If the cache's limit is too small for any choice of windows.
    StorageError
        If a cache file cannot be written.
    """
    counts = {t.path: count_windows(lengths[t.path], place.recipe) for t in tracks}
    wanted, notes = share_space(counts, place)
    if place.limit is not None:
        size = cache.window_bytes(place.recipe, N_MAPS, STRETCH_MARGIN)
        sizes = {place.keys[p]: cache.HEADER_BYTES + n * size for p, n in wanted.items()}
        cache.make_room(place.folder, sizes, place.limit, place.recipe.digest())

    def outdated() -> Iterator[CollectedTrack]:
        for track in tracks:
            path = place.file(track)
            known = cache.read_notes(path)
            if known is None or not known.has(wanted[track.path]):
                yield track
            else:
                cache.touch(path)

    lost = []
    # All cache files are checked first, so that the progress bar counts only the missing ones.
    missing = list(outdated())
    tasks = (
        (k, shared_path(as_text(t.path)), shared_path(str(place.file(t))), wanted[t.path])
        for k, t in enumerate(missing)
    )
    with running.progress("computing the network's inputs", len(missing)) as bar:
        for (k, _, _, _), result in running.do(FillWork(place.recipe), tasks):
            bar.update()
            if isinstance(result, Exception):
                lost.append(failure(missing[k], result))
    return lost, notes


def share_space(
    counts: Mapping[Path, int], place: CacheFolder
) -> tuple[dict[Path, int], list[str]]:
    """The number of windows of each track that fit the cache, and a message if not all of them do.

    Parameters
    ----------
    counts
        Number of windows of each track, by path.

    Raises
    ------
    ConfigError
        If there is too little space for any choice of windows.
    """
    if place.limit is None:
        return dict(counts), []
    size = cache.window_bytes(place.recipe, N_MAPS, STRETCH_MARGIN)
    most = cache.share(
        list(counts.values()), (place.limit - cache.HEADER_BYTES * len(counts)) // size
    )
    if most is None:
        return dict(counts), []
    needed = sum(counts.values()) * size / 1e9
    note = (
        f"the set takes {needed:.2f} GB and the cache may take {place.limit / 1e9:.2f}: of "
        f"each track {most} windows are used (the longest has {max(counts.values())})"
    )
    return {path: min(n, most) for path, n in counts.items()}, [note]


def count_windows(n_samples: int, recipe: ViewRecipe) -> int:
    """The number of windows that `views_of` makes of `n_samples` of audio without silence."""
    front_end, windows = recipe.front_end, recipe.windows
    piece = round(listening.STREAMED_PIECE * front_end.sr)
    n_whole, rest = divmod(n_samples, piece)

    def count(n_samples: int) -> int:
        n_frames = n_samples // front_end.hop_length + 1
        plans = (windows, short(windows))
        return sum(len(window_spans(n_frames, front_end.fps, plan)) for plan in plans)

    return n_whole * count(piece) + (count(rest) if rest else 0)
