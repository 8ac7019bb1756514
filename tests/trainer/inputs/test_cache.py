"""Tests of the cache of network inputs: reading, computing again, and removal."""

from __future__ import annotations

import dataclasses
import errno
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from tempo_core.config import FrontEnd, Windows
from tempo_core.errors import AudioError, ConfigError
from tempo_core.tasks.tempo.config import TempoGrid
from tempo_core.tasks.tempo.periodicity import N_MAPS
from trainer.inputs import cache
from trainer.inputs.cache import (
    ViewRecipe,
    Views,
    cache_file,
    make_room,
    read_notes,
    share,
    spread,
    thin,
)
from trainer.inputs.recordings import Recording
from trainer.inputs.views import STRETCH_MARGIN, load_views, views_of
from trainer.trainingset.tables import LabelledTrack

RECIPE = ViewRecipe(FrontEnd(), Windows(), TempoGrid())


def views(n: int = 3, seed: int = 0) -> Views:
    rng = np.random.default_rng(seed)
    maps = rng.random((n, N_MAPS, 40, 204), np.float32).astype(np.float16)
    statistics, clarity = rng.random((n, 160), np.float32), rng.random(n, np.float32)
    return Views(maps, statistics, n - 1, clarity)


def recording(track: LabelledTrack) -> Recording:
    return Recording(track.path, "collection", ((track.bpm, 1.0),), "train", track.artist)


def load(track: LabelledTrack, folder: Path) -> Views:
    front_end, windows, grid = RECIPE.front_end, RECIPE.windows, RECIPE.grid
    (found,) = load_views([recording(track)], front_end, windows, grid, folder, jobs=1)
    return found


def test_round_trip(tmp_path: Path) -> None:
    path = cache_file(tmp_path, "0123")
    cache.write_views(views(), path, digest="d", thinned="yes")
    found = cache.read_views(path)
    np.testing.assert_array_equal(found.maps, views().maps)
    np.testing.assert_array_equal(found.statistics, views().statistics)
    np.testing.assert_array_equal(found.weights, views().weights)
    assert found.n_full == 2
    assert read_notes(path) == cache.Notes("d", 3, True)
    assert list(tmp_path.iterdir()) == [path]


def test_views_of_an_older_layout_count_alike(tmp_path: Path) -> None:
    path = cache_file(tmp_path, "0123")
    cache.write_views(dataclasses.replace(views(), clarity=None), path)
    assert cache.read_views(path).weights.tolist() == [1.0] * 3


def test_old_views_serve_where_the_audio_is_gone(
    tmp_path: Path, songs: list[LabelledTrack]
) -> None:
    """Inputs of an older version are used only if the audio is missing."""
    path = Path(shutil.copy(songs[0].path, tmp_path / "a.wav"))
    track, folder = dataclasses.replace(songs[0], path=path), tmp_path / "cache"
    folder.mkdir()
    stamp = cache.stamp(path)
    assert stamp is not None
    older = dataclasses.replace(RECIPE, layout=2)
    cache.write_keys(folder, older, {stamp: "old"})
    old = dataclasses.replace(views(), clarity=None)
    cache.write_views(old, cache_file(folder, "old"), digest=older.digest())
    fresh = load(track, folder)
    assert fresh.clarity is not None
    path.unlink()
    np.testing.assert_array_equal(load(track, folder).maps, old.maps)
    cache.write_views(views(seed=1), cache_file(folder, "new"), digest=RECIPE.digest())
    cache.write_keys(folder, RECIPE, {stamp: "new"})
    np.testing.assert_array_equal(load(track, folder).maps, views(seed=1).maps)
    cache_file(folder, "new").unlink()
    cache_file(folder, "old").unlink()
    with pytest.raises(AudioError):
        load(track, folder)


def test_a_file_has_all_windows_there_are() -> None:
    """A file with fewer windows than wanted is complete unless some were left out for room."""
    assert cache.Notes("d", 3, False).has(3)
    assert cache.Notes("d", 3, False).has(5)
    assert not cache.Notes("d", 3, True).has(5)
    assert not cache.Notes("d", 3, False).has(2)


def test_a_window_takes_what_is_said(tmp_path: Path) -> None:
    path = cache_file(tmp_path, "0123")
    cache.write_views(views(7), path, digest=RECIPE.digest(), thinned="yes")
    size = 7 * cache.window_bytes(RECIPE, N_MAPS, STRETCH_MARGIN)
    assert size < path.stat().st_size <= size + cache.HEADER_BYTES


def damage_none(data: bytes) -> bytes:
    return b""


def damage_half(data: bytes) -> bytes:
    return data[: len(data) // 2]


def damage_zeros(data: bytes) -> bytes:
    return bytes(len(data))


def damage_more(data: bytes) -> bytes:
    return data + b"x"


def damage_header(data: bytes) -> bytes:
    return data[:8] + b"{}" + data[10:]


@pytest.mark.parametrize(
    "damage", [damage_none, damage_half, damage_zeros, damage_more, damage_header]
)
def test_a_damaged_file_is_computed_again(
    damage, tmp_path: Path, songs: list[LabelledTrack]
) -> None:  # type: ignore[no-untyped-def]
    fresh = load(songs[0], tmp_path)
    maps = np.array(fresh.maps)
    (path,) = tmp_path.glob("*.safetensors")
    path.write_bytes(damage(path.read_bytes()))
    assert read_notes(path) is None
    np.testing.assert_array_equal(load(songs[0], tmp_path).maps, maps)


def test_a_file_without_notes_is_still_good(tmp_path: Path, songs: list[LabelledTrack]) -> None:
    """A file without notes, as earlier versions wrote it, can be read."""
    key = RECIPE.key(cache.hash_file(songs[0].path))
    cache.write_views(views(), cache_file(tmp_path, key))
    np.testing.assert_array_equal(load(songs[0], tmp_path).maps, views().maps)


def test_noted_keys_spare_reading(tmp_path: Path, songs: list[LabelledTrack]) -> None:
    stamp = cache.stamp(songs[0].path)
    assert stamp is not None
    cache.write_keys(tmp_path, RECIPE, {stamp: "known"})
    assert cache.read_keys(tmp_path, RECIPE) == {stamp: "known"}
    cache.write_views(views(), cache_file(tmp_path, "known"))
    np.testing.assert_array_equal(load(songs[0], tmp_path).maps, views().maps)
    other = ViewRecipe(RECIPE.front_end, Windows(8.0, 4.0), RECIPE.grid)
    assert cache.read_keys(tmp_path, other) == {}
    next(tmp_path.glob("keys-*")).write_text("[[")
    assert cache.read_keys(tmp_path, RECIPE) == {}


def test_every_part_of_the_recipe_counts() -> None:
    others = [
        ViewRecipe(FrontEnd(n_mels=32), RECIPE.windows, RECIPE.grid),
        ViewRecipe(RECIPE.front_end, Windows(12.0, 5.0), RECIPE.grid),
        ViewRecipe(RECIPE.front_end, RECIPE.windows, TempoGrid(n_bins=181)),
    ]
    assert len({recipe.digest() for recipe in (RECIPE, *others)}) == 4


def fill(folder: Path, name: str, digest: str, age: float, n: int = 3) -> int:
    path = cache_file(folder, name)
    cache.write_views(views(n), path, digest=digest)
    used = time.time() - age
    os.utime(path, (used, used))
    return path.stat().st_size


def test_stale_files_go_first_then_those_unused_for_longest(tmp_path: Path) -> None:
    now = RECIPE.digest()
    size = fill(tmp_path, "old", now, 300)
    fill(tmp_path, "older", now, 900)
    fill(tmp_path, "stale", "another front end", 1)
    fill(tmp_path, "needed", now, 5000)
    cache_file(tmp_path, "damaged").write_bytes(b"x" * size)
    needed = {"needed": size}

    def left() -> set[str]:
        return {path.stem for path in tmp_path.iterdir()}

    assert make_room(tmp_path, needed, 5 * size, now) == 0
    assert make_room(tmp_path, needed, 4 * size, now) == 1
    assert len(left() & {"stale", "damaged"}) == 1
    assert make_room(tmp_path, needed, 3 * size, now) == 1
    assert left() == {"old", "older", "needed"}
    assert make_room(tmp_path, needed, 2 * size, now) == 1
    assert left() == {"old", "needed"}
    # Room for something that is not there yet, and never at the cost of what is needed.
    assert make_room(tmp_path, {**needed, "new": size}, 2 * size, now) == 1
    assert make_room(tmp_path, needed, 1, now) == 0
    assert left() == {"needed"}


def test_what_a_killed_run_left_is_removed(tmp_path: Path) -> None:
    fresh, abandoned = tmp_path / "a.1.part", tmp_path / "b.2.part"
    fresh.touch()
    abandoned.touch()
    os.utime(abandoned, (1, 1))
    make_room(tmp_path, {}, 10, "")
    assert list(tmp_path.iterdir()) == [fresh]


@pytest.mark.parametrize("n", [1, 2, 5, 17, 66])
@pytest.mark.parametrize("n_kept", [1, 2, 3, 16, 66, 100])
def test_windows_are_spread_evenly(n: int, n_kept: int) -> None:
    found = spread(n, n_kept)
    assert len(found) == min(n, n_kept)
    assert found == sorted(set(found))
    assert 0 <= found[0] <= found[-1] < n
    gaps = np.diff([-0.5, *(np.array(found) + 0.5), n]) if len(found) > 1 else [n]
    assert max(gaps) <= 2 * n / len(found) + 1


def test_both_lengths_are_kept_in_proportion() -> None:
    assert thin(40, 20, 60) == (list(range(40)), list(range(20)))
    full, short = thin(40, 20, 12)
    assert (len(full), len(short)) == (8, 4)
    assert [len(kept) for kept in thin(40, 20, 2)] == [1, 1]
    assert [len(kept) for kept in thin(1, 1, 1)] == [1, 0]


def test_the_long_give_way_to_the_short() -> None:
    assert share([10, 10, 10], 30) is None
    assert share([4, 60, 60], 64) == 30
    assert share([60] * 10, 200) == 20
    with pytest.raises(ConfigError, match=r"give it 2\.0 times the space"):
        share([60] * 10, 10)


@pytest.mark.parametrize("n_windows", [2, 3, 4])
def test_fewer_windows_are_windows_of_all(songs: list[LabelledTrack], n_windows: int) -> None:
    args = songs[0].path, RECIPE.front_end, Windows(6.0, 3.0), RECIPE.grid
    whole, part = views_of(*args), views_of(*args, n_windows)
    assert len(part.maps) == len(part.statistics) == n_windows
    assert 0 < part.n_full < n_windows
    for k in range(n_windows):
        pool = range(whole.n_full) if k < part.n_full else range(whole.n_full, len(whole.maps))
        assert any(np.allclose(part.maps[k], whole.maps[i], atol=2e-3) for i in pool)


FULL = """
import resource, sys
from pathlib import Path
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
from trainer.inputs.cache import write_views, Views, explain
import numpy as np
try:
    views = Views(np.zeros((3, 3, 40, 204), np.float16), np.zeros((3, 160)), 2)
    write_views(views, Path(sys.argv[1]))
except OSError as error:
    print(error.errno, explain(error, Path("cache")))
"""


def test_a_full_disk_is_told_and_leaves_nothing(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FULL, tmp_path / "a.safetensors"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    number, _, told = done.stdout.partition(" ")
    assert int(number) in (errno.EFBIG, errno.ENOSPC)
    assert "no space left" in told
    assert list(tmp_path.iterdir()) == []
