"""Inputs of the tempo network for recordings: computed the same as in use, stored in the cache."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import joblib
import librosa
import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits
from tqdm import tqdm

from tempo_core.audio import AudioFile
from tempo_core.config import FrontEnd, Windows
from tempo_core.engines import Engine
from tempo_core.engines.sharing import shared_path
from tempo_core.errors import AudioError
from tempo_core.heard import Window
from tempo_core.spectrum import Mel
from tempo_core.tasks.tempo.config import TempoGrid
from tempo_core.tasks.tempo.rhythm import clarity
from tempo_core.tasks.tempo.view import batches_of

from .cache import (
    USABLE_LAYOUTS,
    ViewRecipe,
    Views,
    cache_file,
    hash_file,
    read_keys,
    read_notes,
    read_views,
    stamp,
    thin,
    touch,
    write_views,
)
from .hearing import hear
from .recordings import Recording


def filterbank(front_end: FrontEnd) -> NDArray[np.float32]:
    """(n_mels, n_fft // 2 + 1) Slaney-style triangular mel filters, from librosa."""
    return np.asarray(
        librosa.filters.mel(
            sr=front_end.sr,
            n_fft=front_end.n_fft,
            n_mels=front_end.n_mels,
            fmin=front_end.fmin,
            fmax=front_end.fmax,
        ),
        np.float32,
    )


# Bins beyond each end of the grid, so that a stretched window can be cut out: a third of an octave
# on a grid with 36 bins per octave.
STRETCH_MARGIN = 12
MAPS_BATCH = 32  # windows whose maps are computed at a time, to save memory
SHORT_SHARE = 0.5  # length of the shorter training windows, relative to the full ones


def wide(grid: TempoGrid) -> TempoGrid:
    """The grid with `STRETCH_MARGIN` more bins at each end."""
    bpm_min = grid.bpm_min * 2.0 ** (-STRETCH_MARGIN / grid.bins_per_octave)
    return dataclasses.replace(grid, bpm_min=bpm_min, n_bins=grid.n_bins + 2 * STRETCH_MARGIN)


def short(windows: Windows) -> Windows:
    """The shorter windows for training, so that the network also learns from short tracks.

    They are half as long as the full windows and begin one full window apart.
    """
    return Windows(windows.duration * SHORT_SHARE, windows.duration * 2 * SHORT_SHARE)


def views_of(
    path: Path,
    front_end: FrontEnd,
    windows: Windows,
    grid: TempoGrid,
    n_windows: int | None = None,
) -> Views:
    """Listen to a whole file as the estimator does, and compute the network's inputs.

    There are the windows that the estimator would use, and shorter ones, see `short`.

    Parameters
    ----------
    n_windows
        Greatest number of windows of both kinds together; if there are more, those that are
        computed are evenly spread. None for no limit.

    Raises
    ------
    AudioError
        If the file cannot be used.
    """
    spectrum = Mel(front_end, filterbank(front_end))
    with AudioFile(path) as file:
        heard = hear(file, front_end.sr, windows, None)
    full, half = (heard.windows(spectrum, plan, clarity) for plan in (windows, short(windows)))
    whole = len(full) + len(half)
    if n_windows is not None:
        kept = thin(len(full), len(half), n_windows)
        full, half = [full[k] for k in kept[0]], [half[k] for k in kept[1]]
    seen = [*full, *half]
    maps, statistics = _seen(seen, front_end.fps, wide(grid))
    weights = np.array([window.weight for window in seen], np.float32)
    return Views(maps, statistics, len(full), weights, len(seen) < whole)


def _seen(
    windows: Sequence[Window], fps: float, grid: TempoGrid
) -> tuple[NDArray[np.float16], NDArray[np.float32]]:
    """Maps and statistics of windows, in order, computed in batches of `MAPS_BATCH`."""
    maps: list[NDArray[np.float16]] = []
    statistics: list[NDArray[np.float32]] = []
    for first in range(0, len(windows), MAPS_BATCH):
        some = windows[first : first + MAPS_BATCH]
        batches = batches_of(some, fps, grid)
        order = np.argsort(np.concatenate([batch.which for batch in batches]))
        inputs = [np.concatenate(parts) for parts in zip(*(b.inputs for b in batches), strict=True)]
        maps.append(inputs[0][order].astype(np.float16))
        statistics.append(inputs[1][order])
    return np.concatenate(maps), np.concatenate(statistics)


def load_views(
    recordings: Sequence[Recording],
    front_end: FrontEnd,
    windows: Windows,
    grid: TempoGrid,
    cache: Path,
    jobs: int = 2,
) -> list[Views]:
    """Views of every recording, in order, read from the cache, or computed and stored there.

    Cache files are found by the content of the audio file and the configuration, so no outdated
    data can be read. An interrupted run continues where it stopped. If the build of the training
    set limited the size of the cache, a recording may have only some of its windows.
    """
    recipe = ViewRecipe(front_end, windows, grid)
    return [read_views(path) for path in cache_views(recordings, recipe, cache, jobs)]


def cache_views(
    recordings: Sequence[Recording],
    recipe: ViewRecipe,
    cache: Path,
    jobs: int = 2,
    quiet: bool = False,
) -> list[Path]:
    """The cache file of every recording, in order, see `load_views`."""
    cache.mkdir(parents=True, exist_ok=True)
    known = read_keys(cache, recipe)
    gone = _of_the_gone(recordings, recipe, cache)
    tasks = (
        joblib.delayed(_named)(r.path, recipe, cache, gone.get(r.path) or known.get(stamp(r.path)))
        for r in recordings
    )
    results = joblib.Parallel(n_jobs=jobs, return_as="generator")(tasks)
    hidden = True if quiet else None
    return list(
        tqdm(results, total=len(recordings), unit="file", desc="reading audio", disable=hidden)
    )


@dataclass(frozen=True)
class ViewsWork:
    """Computing cache files; see `tempo_core.engines.Work`.

    `cache` is the absolute path of the folder, which all processes share. Tasks are the number of a
    file, its path, and the key of its cache file or None; results are the paths of cache files.
    """

    recipe: ViewRecipe
    cache: str

    def load(self) -> Callable[[tuple[int, str, str | None]], str]:
        """There is nothing to load."""
        return self._make

    def uses(self) -> Mapping[str, str]:
        """No model."""
        return {}

    def _make(self, task: tuple[int, str, str | None]) -> str:
        _, path, key = task
        return str(_cached(Path(path), self.recipe, Path(self.cache), key))


def cache_views_on(
    engine: Engine,
    recordings: Sequence[Recording],
    recipe: ViewRecipe,
    cache: Path,
    stopped: Callable[[], bool],
    time_limit: float,
    quiet: bool = False,
) -> list[Path | Exception]:
    """As `cache_views` by an engine; the error in place of a file that cannot be used.

    The list is short if the run was stopped.
    """
    cache.mkdir(parents=True, exist_ok=True)
    known = read_keys(cache, recipe)
    gone = _of_the_gone(recordings, recipe, cache)
    work = ViewsWork(recipe, shared_path(str(cache)))
    tasks = (
        (k, shared_path(str(r.path)), gone.get(r.path) or known.get(stamp(r.path)))
        for k, r in enumerate(recordings)
    )
    found: dict[int, Path | Exception] = {}
    hidden = True if quiet else None
    with tqdm(total=len(recordings), unit="file", desc="reading audio", disable=hidden) as bar:
        for (k, _, _), result in engine.each(work, tasks, stopped, time_limit):
            found[k] = result if isinstance(result, Exception) else cache / Path(result).name
            bar.update()
    return [found[k] for k in sorted(found)]


def _of_the_gone(
    recordings: Iterable[Recording], recipe: ViewRecipe, cache: Path
) -> dict[Path, str]:
    """Keys of the newest usable cached views of audio files that do not exist any more, by path."""
    missing = {os.fsencode(r.path.absolute()): r.path for r in recordings if not stamp(r.path)}
    found: dict[Path, str] = {}
    for layout in USABLE_LAYOUTS if missing else ():
        keys = read_keys(cache, dataclasses.replace(recipe, layout=layout))
        for noted, key in keys.items():
            path = missing.get(noted[0]) if noted else None
            if path is not None and read_notes(cache_file(cache, key)) is not None:
                found.setdefault(path, key)
    return found


def _named(path: Path, recipe: ViewRecipe, cache: Path, key: str | None) -> Path:
    """As `_cached`, with the name of the file in the error."""
    try:
        return _cached(path, recipe, cache, key)
    except AudioError as error:
        raise AudioError(f"{path}: {error}") from error


def _cached(path: Path, recipe: ViewRecipe, cache: Path, key: str | None) -> Path:
    """The cache file of an audio file, which is computed if it is missing.

    Parameters
    ----------
    key
        Key of the cache file; None if it has to be computed from the audio file's content.

    Raises
    ------
    AudioError
        If the audio file cannot be used.
    """
    threadpool_limits(1, user_api="blas")  # files are processed in parallel, not parts of them
    target = cache_file(cache, key or recipe.key(hash_file(path)))
    if read_notes(target) is not None:
        touch(target)
        return target
    views = views_of(path, recipe.front_end, recipe.windows, recipe.grid)
    write_views(views, target, digest=recipe.digest())
    return target
