"""Tests of the cache of inputs: what is in it, damage, interruption, memory."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from tempo_core.background import never
from tempo_core.errors import AudioError, StorageError
from tests.audio import write_audio
from tests.trainer.research.reference.conftest import SMALL, SR, sound
from trainer.research.reference.inputs import InputConfig, firsts_of, inputs_of
from trainer.research.reference.shards import Filling, Shards

ROOT = Path(__file__).parents[4]
WAVEFORM = InputConfig("waveform", SR, window=1.0)
FILLING = Filling(1, never)


def sounds(folder: Path, n: int, seconds: float = 2.0) -> list[Path]:
    return [write_audio(folder / f"{k}.wav", sound("noisy", seconds, k), SR) for k in range(n)]


def kill_after(n_shards: int) -> None:
    """Let this process end itself, as kill -9 does, when it has written so many shards."""
    write, n_written = Shards._write, 0

    def fatal(self: Shards, arrays: dict) -> dict:  # type: ignore[type-arg]
        nonlocal n_written
        found = write(self, arrays)
        n_written += bool(arrays)
        if n_written == n_shards:
            os.kill(os.getpid(), signal.SIGKILL)
        return found

    Shards._write = fatal  # type: ignore[method-assign, assignment]


def test_windows_are_read_as_they_were_computed(tmp_path: Path) -> None:
    paths = sounds(tmp_path, 3)
    for config in (WAVEFORM, SMALL.inputs):
        places, failed = Shards(tmp_path / "cache", config, 50_000).fill(paths, FILLING)
        assert not failed
        assert list(places) == paths
        for path, place in places.items():
            whole = inputs_of(path, config)
            assert place.length == len(whole)
            np.testing.assert_array_equal(place.read(7, 20), whole[7:27])
    # A window that is longer than the track is filled by repeating it.
    window = place.read(0, 2 * len(whole))
    np.testing.assert_array_equal(window[len(whole) :], whole)


def test_shards_are_bounded_and_their_tracks_computed_once(tmp_path: Path) -> None:
    paths = sounds(tmp_path, 5)
    paths.append(tmp_path / "copy.wav")
    paths[-1].write_bytes(paths[0].read_bytes())
    cache = Shards(tmp_path / "cache", WAVEFORM, 50_000)
    first, _ = cache.fill(paths, FILLING)
    assert first[paths[-1]] == first[paths[0]]
    files = sorted(cache.folder.glob("*.safetensors"))
    assert len(files) == 3  # of 2, 2 and 1 tracks of 32 kB
    assert max(file.stat().st_size for file in files) < 50_000 + 32_000 + 1000
    done: list[int] = []
    again, _ = cache.fill(paths, Filling(1, never, told=done.append))
    assert again == first
    assert not done


@pytest.mark.parametrize("damage", ["cut", "bit", "junk"])
def test_a_damaged_shard_is_rebuilt(tmp_path: Path, damage: str) -> None:
    paths = sounds(tmp_path, 4)
    cache = Shards(tmp_path / "cache", WAVEFORM, 50_000)
    places, _ = cache.fill(paths, FILLING)
    shard = places[paths[0]].shard
    data = bytearray(shard.read_bytes())
    if damage == "bit":
        data[-100] ^= 1
    shard.write_bytes({"cut": data[:-9], "bit": data, "junk": b"\x80\x04junk"}[damage])
    fresh = Shards(tmp_path / "cache", WAVEFORM, 50_000)
    done: list[int] = []
    rebuilt, failed = fresh.fill(paths, Filling(1, never, told=done.append))
    assert fresh.damaged == [shard]
    assert len(done) == 2
    assert not failed
    for path, place in rebuilt.items():
        np.testing.assert_array_equal(place.read(0, 16000), inputs_of(path, WAVEFORM))


def test_a_file_that_cannot_be_used_is_one_message(
    tmp_path: Path, bad_files: dict[str, Path]
) -> None:
    good = sounds(tmp_path, 2)
    bad = list(bad_files.values())
    places, failed = Shards(tmp_path / "cache", SMALL.inputs).fill([*bad, *good], FILLING)
    assert list(places) == good
    assert [path for path, _ in failed] == bad
    assert all(isinstance(error, AudioError) for _, error in failed)


def test_a_folder_that_cannot_be_written_is_one_message(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="give another folder"):
        Shards(tmp_path / "file", WAVEFORM).fill(sounds(tmp_path, 1), FILLING)


def test_what_is_stopped_keeps_what_is_done(tmp_path: Path) -> None:
    paths = sounds(tmp_path, 6)
    done: list[int] = []
    stopping = Filling(1, lambda: len(done) >= 2, told=done.append)
    places, _ = Shards(tmp_path / "cache", WAVEFORM).fill(paths, stopping)
    assert 2 <= len(places) < 6
    rest: list[int] = []
    Shards(tmp_path / "cache", WAVEFORM).fill(paths, Filling(1, never, told=rest.append))
    assert len(rest) == 6 - len(places)


@pytest.mark.slow
def test_a_killed_run_goes_on(tmp_path: Path) -> None:
    paths = sounds(tmp_path, 6)
    command = [sys.executable, "-m", "tests.trainer.research.reference.test_shards", str(tmp_path)]
    killed = subprocess.run(command, cwd=ROOT, capture_output=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    done: list[int] = []
    cache = Shards(tmp_path / "cache", WAVEFORM, 50_000)
    places, _ = cache.fill(paths, Filling(1, never, told=done.append))
    assert len(places) == 6
    assert len(done) == 2  # two shards of two tracks were written
    assert not cache.damaged


def test_memory_holds_a_shard_and_not_all_tracks(tmp_path: Path) -> None:
    paths = sounds(tmp_path, 24, 10.0)  # 160 kB each
    cache = Shards(tmp_path / "cache", WAVEFORM, 400_000)
    cache.fill(paths[:1], FILLING)
    tracemalloc.start()
    try:
        places, _ = cache.fill(paths, FILLING)
        assert len(places) == 24
        assert tracemalloc.get_traced_memory()[1] < 3_000_000  # of 3.8 MB, four times while made
        tracemalloc.reset_peak()
        before = tracemalloc.get_traced_memory()[0]
        for place in places.values():
            place.read(1000, 8000)
        assert tracemalloc.get_traced_memory()[1] - before < 400_000
    finally:
        tracemalloc.stop()


def test_a_long_track_takes_no_more_than_its_windows(tmp_path: Path) -> None:
    path = write_audio(tmp_path / "long.wav", sound("noisy", 90.0, 0), SR)
    config = InputConfig("waveform", SR, window=1.0, most_windows=4)
    assert len(inputs_of(path, config)) == 4 * SR


@pytest.mark.parametrize(
    ("length", "most", "firsts"),
    [(5000, None, [0]), (8000, None, [0]), (12000, None, [0, 4000]), (32000, 2, [0, 24000]),
     (32000, 1, [12000])],
)  # fmt: skip
def test_windows_cover_a_track(length: int, most: int | None, firsts: list[int]) -> None:
    assert firsts_of(length, WAVEFORM, most).tolist() == firsts


if __name__ == "__main__":
    kill_after(2)
    place = Path(sys.argv[1])
    Shards(place / "cache", WAVEFORM, 50_000).fill(sorted(place.glob("*.wav")), FILLING)
