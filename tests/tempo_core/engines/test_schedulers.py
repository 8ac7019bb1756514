"""Tests of opening the engine that a command line names."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from tempo_core.engines import Threads, schedulers
from tempo_core.engines.schedulers import is_scheduler, open_engine
from tempo_core.errors import ClusterError, ConfigError

from .works import Squares, Whereabouts


@pytest.mark.parametrize(
    "name", ["local:1", "local:16", "slurm", "tcp://h:1", "tls://10.0.0.1:8786", "a/b.json"]
)
def test_schedulers(name: str) -> None:
    assert is_scheduler(name)


@pytest.mark.parametrize(
    "name",
    ["", "local", "local:0", "local:x", "http://h:1", "tcp://h", "tcp://user:word@h:1", "pbs",
     "ucx://h:1"],
)  # fmt: skip
def test_no_schedulers(name: str) -> None:
    assert not is_scheduler(name)
    if name:
        with pytest.raises(ConfigError, match="is none of tcp://"), open_engine(name, 1):
            pass


def test_without_a_scheduler_there_are_threads() -> None:
    with open_engine(None, 3) as engine:
        assert engine == Threads(3)


def test_settings_without_a_scheduler_are_refused(tmp_path: Path) -> None:
    settings = tmp_path / "c.yaml"
    settings.write_text("jobs: 2\n")
    with pytest.raises(ConfigError, match="for --scheduler"), open_engine(None, 3, settings):
        pass


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("jobs: 0", "jobs must be a whole number from 1"),
        ("jobs: yes", "jobs must be a whole number from 1"),
        ("most_jobs: many", "most_jobs must be a whole number"),
        ("slurm: [1]", "slurm must be options of a job"),
        ("tls: {ca: a}", "tls must be the files ca, cert, key"),
        ("dashboard: 8787", "dashboard must be an address"),
        ("{jobs: 3, most_jobs: 1}", "most_jobs must be at least jobs"),
        ("queue: long", "no setting 'queue'; there are jobs"),
        ("- a", "must be settings by name"),
        ("a: [", "is no YAML file"),
        ("a: !!python/object/apply:os.system ['true']", "is no YAML file"),
        ("\x00", "is no YAML file"),
        ("jobs: 1\njobs: 2", "the key 'jobs' is there twice"),
    ],
)
def test_settings_that_make_no_sense(tmp_path: Path, text: str, told: str) -> None:
    settings = tmp_path / "c.yaml"
    settings.write_text(text)
    with pytest.raises(ConfigError, match=told), open_engine("local:1", 1, settings):
        pass


def test_settings_that_are_not_there(tmp_path: Path) -> None:
    with (
        pytest.raises(ConfigError, match="No such file"),
        open_engine("local:1", 1, tmp_path / "c.yaml"),
    ):
        pass


def test_a_scheduler_that_is_not_there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(schedulers, "CONNECTED_WITHIN", 0.5)
    with (
        pytest.raises(ClusterError, match=r"tcp://127.0.0.1:9 cannot be reached"),
        open_engine("tcp://127.0.0.1:9", 1),
    ):
        pass
    with (
        pytest.raises(ClusterError, match="there is no such scheduler file"),
        open_engine(str(tmp_path / "s.json"), 1),
    ):
        pass


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("x", "is no scheduler file"),
        ("{}", "is no scheduler file"),
        ("[]", "is no scheduler file"),
        ('{"address": 7}', "has no address of a scheduler"),
        ('{"address": "http://h:1"}', "has no address of a scheduler"),
    ],
)
def test_a_scheduler_file_that_is_none(tmp_path: Path, text: str, told: str) -> None:
    file = tmp_path / "s.json"
    file.write_text(text)
    with pytest.raises(ClusterError, match=told), open_engine(str(file), 1):
        pass


def test_jobs_of_slurm_without_what_they_need(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "sbatch").write_text("#!/bin/sh\nexit 1\n")
    (tmp_path / "sbatch").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with (
        pytest.raises(ConfigError, match=r"slurm needs to know cores and memory of a job"),
        open_engine("slurm", 1),
    ):
        pass


def test_slurm_that_is_not_there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    settings = tmp_path / "c.yaml"
    settings.write_text("slurm: {cores: 1, memory: 1GB}\n")
    with (
        pytest.raises(ClusterError, match="there is no `sbatch`"),
        open_engine("slurm", 1, settings),
    ):
        pass


def test_processes_here_speak_tls_and_end_with_the_engine() -> None:
    with open_engine("local:1", 1) as engine:
        ((_, address),) = engine.each(Whereabouts(), [0])
        assert str(address).startswith("tls://127.0.0.1:")
    assert not Path(f"/proc/{str(address).rpartition(' ')[2]}").exists()


HANGING = """
import threading, time
from tempo_core.engines import schedulers
if __name__ == "__main__":
    schedulers.CLOSED_IN_HASTE = 0.5
    stop = threading.Event()
    with schedulers.open_engine("local:1", 1, stopped=stop.is_set) as engine:
        engine._client.loop.add_callback(time.sleep, 20)
        time.sleep(0.2)
        stop.set()
        print("stopped", flush=True)
"""


@pytest.mark.slow
def test_after_ctrl_c_a_cluster_that_hangs_is_left(tmp_path: Path) -> None:
    """Without Ctrl-C it would have its time. Dask does not wait for it at exit either."""
    program = tmp_path / "tempo-core.py"  # a name by which the end of the process is ours
    program.write_text(HANGING)
    process = subprocess.Popen(
        [sys.executable, str(program)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout
    assert process.stdout.readline() == "stopped\n"
    begun = time.monotonic()
    _, errors = process.communicate(timeout=60)
    assert time.monotonic() - begun < 5
    assert "Traceback" not in errors


@pytest.mark.slow
def test_a_scheduler_that_is_killed_ends_the_run(tmp_path: Path) -> None:
    file, log = tmp_path / "scheduler.json", str(tmp_path / "log")
    common = ["--no-dashboard", "--scheduler-file", str(file)]
    dask = [sys.executable, "-m", "dask"]
    scheduler = subprocess.Popen(
        [*dask, "scheduler", "--host", "127.0.0.1", "--port", "0", *common],
        stderr=subprocess.DEVNULL,
    )
    while not file.exists():
        time.sleep(0.1)
    worker = subprocess.Popen(
        [*dask, "worker", "--nthreads", "1", *common], stderr=subprocess.DEVNULL
    )
    try:
        with open_engine(str(file), 1) as engine:
            done = []

            def work() -> None:
                for number, _ in engine.each(Squares(log, seconds=0.1), range(1000)):
                    done.append(number)
                    if len(done) == 5:
                        scheduler.kill()

            with pytest.raises(ClusterError, match="scheduler"):
                work()
            assert 5 <= len(done) < 1000
    finally:
        for process in (scheduler, worker):
            process.kill()
            process.wait()
