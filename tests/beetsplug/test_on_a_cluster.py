"""Tests of `beet tempo --scheduler`: it does what threads do."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tempo_core.engines import provenance
from tests.rows import mostly_slow

from ..clusters import local_cluster
from ..conftest import MakeAudio
from .conftest import Beet


@pytest.fixture
def songs(make_audio: MakeAudio) -> list[Path]:
    """Four songs by their tempi."""
    tempi = (126, 98, 110, 120)
    return [
        make_audio(f"songs/{bpm}.flac", duration=9, bpm=bpm, artist="B", title=f"{bpm}")
        for bpm in tempi
    ]


def fields(beet: Beet) -> list[dict[str, Any]]:
    return [dict(item) for item in beet.items("title+")]


@mostly_slow("tasks", ["tempo,pace,key,beats", "tempo,tags", "key"], quick=1)
def test_a_library_is_analysed_as_in_threads(
    tasks: str, beet: Beet, songs: list[Path], scheduler: str
) -> None:
    beet.add(*songs)
    songs[2].unlink()
    before = beet.database.read_bytes()
    here = beet("tempo", "-W", "--tasks", tasks)
    found = fields(beet)
    beet.close()
    beet.database.write_bytes(before)
    beet.database.with_name("tempo-sounds.db").unlink(missing_ok=True)
    there = beet("tempo", "-W", "--tasks", tasks, "--scheduler", scheduler)
    assert (there.code, here.code) == (1, 1)
    assert sorted(there.out.splitlines()) == sorted(here.out.splitlines())
    assert sorted(there.err.splitlines()) == sorted(here.err.splitlines())
    assert "no such file" in there.err
    assert fields(beet) == found
    assert sum("tempo_source" in one or "tempo_key_source" in one for one in found) == 3


def test_what_was_heard_before_is_not_heard_again(
    beet: Beet, songs: list[Path], scheduler: str
) -> None:
    beet.add(*songs[:2])
    assert beet("tempo", "--tasks", "tempo,tags", "-W").code == 0
    heard = [item.sound_tags for item in beet.items("title+")]
    for item in beet.items():
        del item["sound_tags"]
        item.store()
    for path in songs[:2]:  # as it was, by size and time, and no music any more
        seen = path.stat()
        path.write_bytes(bytes(seen.st_size))
        os.utime(path, ns=(seen.st_atime_ns, seen.st_mtime_ns))
    run = beet("tempo", "--tasks", "tempo,tags", "-W", "--scheduler", scheduler)
    assert run.code == 0
    assert [item.sound_tags for item in beet.items("title+")] == heard


def test_the_configuration_names_a_scheduler(
    beet: Beet, songs: list[Path], scheduler: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(provenance, "_package", lambda: "9.9.9 (code 0)")
    beet.configure(tempo={"scheduler": scheduler})
    beet.add(songs[0])
    run = beet("tempo")
    assert run.code == 1
    assert run.err.startswith("error: worker tcp://")
    problem, summary = run.err.splitlines()
    assert problem.endswith("install the same version there")
    assert summary.startswith("tempo: 0 tracks analysed: 0 set, ")
    assert beet("tempo", "-t", "1").code == 0  # threads this time


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (["--scheduler", "nowhere"], "--scheduler must be tcp://HOST:PORT"),
        (["--scheduler", "local:2", "-t", "2"], "--scheduler is instead of --threads"),
        (["--scheduler", "local:2", "--double", "x"], "--scheduler does nothing with --double"),
        (["--scheduler", "nope.json"], "nope.json: there is no such scheduler file"),
        (["--scheduler", "local:2", "--cluster-config", "/nope.yaml"], "/nope.yaml: No such file"),
    ],
)
def test_wrong_options_are_one_line(
    args: list[str], told: str, beet: Beet, songs: list[Path]
) -> None:
    beet.add(songs[0])
    run = beet("tempo", *args)
    assert run.code == 1
    problem, *summary = run.err.splitlines()
    assert told in problem
    assert "analysed" not in problem
    assert len(summary) <= 1
    assert all(line.startswith("tempo: 0 tracks analysed") for line in summary)


def test_a_wrong_setting_is_told(beet: Beet) -> None:
    beet.configure(tempo={"scheduler": "nowhere"})
    run = beet("tempo")
    assert run.code == 1
    assert "tempo.scheduler: must be tcp://HOST:PORT" in run.err


@pytest.mark.slow
def test_dask_is_an_extra(beet: Beet, songs: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "dask", None)
    beet.add(songs[0])
    run = beet("tempo", "--scheduler", "local:2")
    assert run.code == 1
    assert "a cluster needs more packages" in run.err
    assert "beets-tempo[cluster]" in run.err
    assert beet("tempo").code == 0


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_an_interrupted_run_goes_on(
    number: signal.Signals, beet: Beet, make_audio: MakeAudio
) -> None:
    paths = [
        make_audio(f"songs/{k}.flac", duration=30, bpm=100 + k, artist="B", title=f"{k}")
        for k in range(30)
    ]
    beet.add(*paths)
    with local_cluster(1) as cluster:
        process = beet.start("tempo", "--scheduler", cluster.scheduler_address)
        assert process.stdout is not None
        for _ in range(3):
            process.stdout.readline()
        process.send_signal(number)
        _, errors = process.communicate(timeout=30)
    if number == signal.SIGINT:
        assert process.returncode == 1
        (line,) = errors.splitlines()
        assert line.endswith("the next run continues from here")
    done = {item.id: item.mtime for item in beet.items("tempo_bpm::.")}
    assert 2 <= len(done) < 30
    time.sleep(1)
    assert beet("tempo").code == 0
    assert len(beet.items("tempo_bpm::.")) == 30
    assert {item.id: item.mtime for item in beet.items() if item.id in done} == done
