"""Tests of `tempo-core estimate --out`: many files, clusters, and going on after interruptions."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from pyarrow import parquet

from tempo_core.cli import main
from tempo_core.results.results import journal_of
from tests.rows import mostly_slow


def _run(*args: object, stdin: str | None = None) -> Result:
    return CliRunner().invoke(main, [str(a) for a in args], input=stdin)


def _begin(*args: object) -> subprocess.Popen[str]:
    """A run in a process of its own, as the leader of a group of processes."""
    return subprocess.Popen(
        [sys.executable, "-m", "tempo_core.cli", *map(str, args)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip


def _table(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t"))


@pytest.fixture(scope="module")
def music(tmp_path_factory: pytest.TempPathFactory, clicks: list[tuple[Path, float]]) -> Path:
    """A list of six tracks in two folders, and of one that is missing."""
    folder = tmp_path_factory.mktemp("music")
    paths = []
    for k in range(6):
        path = folder / "ab"[k % 2] / f"{k}.wav"
        path.parent.mkdir(exist_ok=True)
        os.link(clicks[7 * k][0], path)  # at 100 + 7k BPM
        paths.append(path)
    paths.insert(2, folder / "missing.mp3")
    found = folder / "list.txt"
    found.write_text("\n".join(map(str, paths)) + "\n\n")
    return found


@mostly_slow("ending", [".tsv", ".jsonl", ".parquet"], quick=1)
def test_each_format_has_what_is_printed(music: Path, tmp_path: Path, ending: str) -> None:
    out = tmp_path / f"out{ending}"
    result = _run("estimate", "--from", music, "--out", out, "--jobs", 2)
    assert result.exit_code == 1
    assert result.stdout == f"{out}: 7 tracks\n"
    assert result.stderr == "1 of 7 files failed\n"
    form = "tsv" if ending == ".tsv" else "json"
    printed = _run("estimate", "--from", music, "--jobs", 2, "--format", form).stdout
    if ending == ".tsv":
        assert out.read_text() == printed
        return
    objects = json.loads(printed)
    if ending == ".jsonl":
        assert [json.loads(line) for line in out.read_text().splitlines()] == objects
        return
    rows: list[dict[str, Any]] = parquet.read_table(out).to_pylist()
    for row, known in zip(rows, objects, strict=True):
        for name in ("path", "bpm", "confidence", "stability", "key", "first_beat", "error"):
            assert row[name] == known[name]
    assert rows[0]["paces"].startswith("100:")


def test_a_list_on_standard_input_and_folders(music: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.tsv"
    lines = f"{music.parent / 'b'}\n"
    result = _run("estimate", "--from", "-", "--out", out, music.parent / "a", stdin=lines)
    assert result.exit_code == 0
    names = [Path(row["path"]).relative_to(music.parent) for row in _table(out)]
    assert [str(name) for name in names] == [
        "a/0.wav", "a/2.wav", "a/4.wav", "b/1.wav", "b/3.wav", "b/5.wav",
    ]  # fmt: skip


@pytest.mark.slow
def test_a_list_in_a_pipe(music: Path, tmp_path: Path) -> None:
    pipe, out = tmp_path / "list", tmp_path / "out.tsv"
    os.mkfifo(pipe)
    run = _begin("estimate", "--from", pipe, "--out", out)
    with pipe.open("w") as file:
        file.write(f"{music.parent / 'a'}\n   \n")
    run.communicate(timeout=60)
    assert run.returncode == 0
    assert len(_table(out)) == 3


def test_lists_that_are_none(music: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.tsv"
    result = _run("estimate", "--from", tmp_path / "no list", "--out", out)
    assert result.stderr == f"Error: {tmp_path / 'no list'}: there is no such list of files\n"
    assert not list(tmp_path.iterdir())
    audio = music.parent / "a" / "0.wav"
    result = _run("estimate", "--from", audio, "--out", out)
    assert result.stderr == f"Error: {audio}: is no list of files, with one in each line\n"


@mostly_slow("closed", ["<&-", "2>&-"], quick=1)
def test_a_stream_that_is_closed(closed: str, music: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.tsv"
    places = "--from -" if closed == "<&-" else f"'{music.parent / 'a'}'"
    done = subprocess.run(
        f"'{sys.executable}' -m tempo_core.cli estimate {places} --out '{out}' {closed}",
        shell=True, capture_output=True, text=True,
    )  # fmt: skip
    if closed == "<&-":
        assert done.stderr == "Error: standard input is closed; give a list of files\n"
        assert done.returncode == 1
    else:
        assert done.returncode == 0
        assert len(_table(out)) == 3


def test_files_that_come_later_and_what_failed(music: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    folder = tmp_path / "new"
    folder.mkdir()
    os.link(music.parent / "a" / "0.wav", folder / "0.wav")
    (folder / "1.wav").write_text("no music")
    assert _run("estimate", "--out", out, folder).exit_code == 1
    first = out.read_text()
    assert _run("estimate", "--out", out, folder).exit_code == 1  # it still has a row that failed
    assert out.read_text() == first
    (folder / "1.wav").unlink()
    os.link(music.parent / "a" / "2.wav", folder / "1.wav")
    result = _run("estimate", "--out", out, "--retry", folder)
    assert result.exit_code == 0
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert [row["error"] for row in rows] == [None, None]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--out", "x.csv"], "must end with"),
        (["--out", "x.tsv", "--format", "tsv"], "--format is for standard output"),
        (["--out", "x.tsv", "--curve"], "--curve is for standard output"),
        (["--retry"], "--retry is for --out"),
        (["--scheduler", "local:2", "--jobs", "2"], "--jobs is for threads"),
        (["--scheduler", "pbs"], "give tcp://HOST:PORT"),
        (["--cluster-config", "x.yaml"], "x.yaml"),
        (["--from", "nowhere.txt"], "nowhere.txt: there is no such list"),
    ],
)
def test_options_that_make_no_sense(options: list[str], told: str) -> None:
    result = _run("estimate", *options, "x.mp3")
    assert result.exit_code != 0
    assert told in result.stderr
    assert "Traceback" not in result.stderr


def test_on_a_cluster_it_is_the_same(music: Path, tmp_path: Path) -> None:
    here, there = tmp_path / "here.tsv", tmp_path / "there.tsv"
    _run("estimate", "--from", music, "--out", here)
    result = _run("estimate", "--from", music, "--out", there, "--scheduler", "local:2")
    assert result.exit_code == 1
    assert result.stderr == "1 of 7 files failed\n"
    assert there.read_bytes() == here.read_bytes()


@pytest.mark.slow
def test_on_a_cluster_it_is_printed(music: Path) -> None:
    args = ("estimate", "--from", music, "--format", "tsv")
    printed = _run(*args, "--scheduler", "local:1")
    assert printed.stdout == _run(*args).stdout
    assert printed.stdout.count("\n") == 8


@pytest.fixture(scope="module")
def long_list(music: Path) -> Path:
    """A list of 60 tracks, which take some seconds."""
    folder = music.parent / "long"
    folder.mkdir()
    paths = []
    for k in range(60):
        path = folder / f"{k:02d}.wav"
        os.link(music.parent / "ab"[k % 2] / f"{k % 6}.wav", path)
        paths.append(path)
    found = music.parent / "long.txt"
    found.write_text("\n".join(map(str, paths)))
    return found


def _wait_for_rows(out: Path, n: int) -> None:
    deadline = time.monotonic() + 60
    while not out.exists() or out.read_text().count("\n") < n:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def _workers_of(pid: int) -> Iterator[int]:
    """Processes that a process has started to work for it."""
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal():
            try:
                status, command = (folder / "stat").read_text(), (folder / "cmdline").read_bytes()
            except OSError:
                continue
            parent = int(status.rpartition(")")[2].split()[1])
            if parent == pid and b"spawn_main" in command:
                yield int(folder.name)


def _complete(out: Path, long_list: Path) -> None:
    """Run to the end; every track must have one row, in order."""
    again = _begin("estimate", "--from", long_list, "--out", out, "--scheduler", "local:2")
    _, told = again.communicate(timeout=120)
    assert (again.returncode, told) == (0, "")
    assert [row["path"] for row in _table(out)] == long_list.read_text().split("\n")
    assert all(row["bpm"] and not row["error"] for row in _table(out))


@pytest.mark.slow
def test_kill_9_of_the_client(long_list: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.tsv"
    run = _begin("estimate", "--from", long_list, "--out", out, "--scheduler", "local:2")
    _wait_for_rows(out, 8)
    workers = list(_workers_of(run.pid))
    run.kill()
    run.communicate()
    assert len(workers) == 2
    deadline = time.monotonic() + 20
    while any(Path(f"/proc/{pid}").exists() for pid in workers):  # they end by themselves
        assert time.monotonic() < deadline
        time.sleep(0.1)
    _complete(out, long_list)


@pytest.mark.slow
def test_kill_9_of_a_worker(long_list: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.tsv"
    run = _begin("estimate", "--from", long_list, "--out", out, "--scheduler", "local:2")
    _wait_for_rows(out, 8)
    os.kill(next(_workers_of(run.pid)), signal.SIGKILL)
    _, told = run.communicate(timeout=120)
    assert (run.returncode, told) == (0, "")
    assert [row["path"] for row in _table(out)] == long_list.read_text().split("\n")
    assert all(row["bpm"] for row in _table(out))


@pytest.mark.slow
@pytest.mark.parametrize("moment", [0.6, 0.9, 1.2])
def test_ctrl_c_while_a_cluster_starts(moment: float, long_list: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.tsv"
    run = _begin("estimate", "--from", long_list, "--out", out, "--scheduler", "local:2")
    time.sleep(moment)
    os.killpg(run.pid, signal.SIGINT)
    _, told = run.communicate(timeout=30)
    assert run.returncode == 1
    assert told.startswith("Error: interrupted")
    assert told.count("\n") == 1


@pytest.mark.slow
def test_ctrl_c(long_list: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.tsv"
    run = _begin("estimate", "--from", long_list, "--out", out, "--scheduler", "local:2")
    _wait_for_rows(out, 8)
    os.killpg(run.pid, signal.SIGINT)  # as a terminal does: all processes get it
    _, told = run.communicate(timeout=30)
    assert run.returncode == 1
    assert told.startswith("Error: interrupted; ")
    assert told.count("\n") == 1
    assert journal_of(out).exists()
    _complete(out, long_list)
