"""Tests of `tempo-core notes` and `beats` on a cluster, and of their journal."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tempo_core import checkpoint, in_use
from tempo_core.cli import main
from tempo_core.cli.beats import BeatsWork
from tempo_core.engines import provenance
from tests.rows import mostly_slow

from ..audio import write_audio
from ..clusters import local_cluster
from ..known_notes import played, song

Tree = dict[str, bytes]
MISSING = "no such file"


def run(*args: object) -> Result:
    return CliRunner().invoke(main, [str(arg) for arg in args])


def written(folder: Path) -> Tree:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def ages(folder: Path) -> dict[str, int]:
    return {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with three files of music."""
    folder = tmp_path_factory.mktemp("played")
    for k in range(3):
        write_audio(folder / f"{k}.flac", played(song(3 + k)), 22050)
    return folder


def test_notes_are_those_of_threads(recordings: Path, scheduler: str, tmp_path: Path) -> None:
    files = [recordings / "1.flac", tmp_path / "gone.flac", recordings / "0.flac"]
    args = ("notes", *files, "--part", "top", "--quantize")
    here = run(*args, "-o", tmp_path / "here/")
    there = run(*args, "-o", tmp_path / "there/", "--scheduler", scheduler)
    assert here.exit_code == there.exit_code == 1
    assert there.stdout == here.stdout.replace("here/", "there/")
    assert there.stderr == here.stderr
    assert f"{files[1]}: {MISSING}" in there.stderr
    assert list(written(tmp_path / "there")) == ["0.mid", "1.mid"]
    assert written(tmp_path / "there") == written(tmp_path / "here")


@pytest.mark.slow
def test_pictures_are_drawn_here(recordings: Path, scheduler: str, tmp_path: Path) -> None:
    args = ("notes", recordings / "0.flac", "--from", "1", "-o")
    for name, others in (("here", ()), ("there", ("--scheduler", scheduler))):
        result = run(*args, tmp_path / f"{name}.mid", "--plot", tmp_path / f"{name}.png", *others)
        assert result.exit_code == 0, result.output
    assert (tmp_path / "here.png").read_bytes() == (tmp_path / "there.png").read_bytes()


@pytest.mark.parametrize("form", ["tsv", "json"])
def test_beats_are_those_of_threads(
    form: str, recordings: Path, scheduler: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(recordings)  # which is not where the workers are
    args = ("beats", "2.flac", "nope.flac", "0.flac", "--format", form)
    here, there = run(*args), run(*args, "--scheduler", scheduler)
    assert here.exit_code == there.exit_code == 1
    assert (there.stdout, there.stderr) == (here.stdout, here.stderr)
    assert there.stderr == f"nope.flac: {MISSING}\n1 of 3 files failed\n"
    assert len(there.stdout) > 500


@mostly_slow(
    ("command", "where"),
    [("beats", "threads"), ("beats", "cluster"), ("notes", "threads"), ("notes", "cluster")],
    quick=2,
)
def test_a_journal_tells_what_is_done(
    command: str, where: str, recordings: Path, scheduler: str, tmp_path: Path
) -> None:
    music, out = tmp_path / "music", tmp_path / "out"
    music.mkdir()
    for path in recordings.iterdir():
        (music / path.name).write_bytes(path.read_bytes())
    args = [command, music, "-o", f"{out}/", "--journal", tmp_path / "journal"]
    args += ["--scheduler", scheduler] if where == "cluster" else ["--jobs", 2]
    assert run(*args).stderr == ""
    before, whole = ages(out), written(out)
    again = run(*args)
    assert (again.exit_code, again.stdout) == (0, "")
    assert again.stderr == "3 of 3 files were done before\n"
    assert ages(out) == before
    first, second, third = sorted(out.iterdir())
    first.unlink()
    (music / "1.flac").write_bytes((music / "2.flac").read_bytes())
    third.write_bytes(b"changed by hand")
    partly = run(*args)
    assert partly.stderr == "1 of 3 files were done before\n"
    assert [line.partition(": ")[0] for line in partly.stdout.splitlines()] == [
        str(music / "0.flac"), str(music / "1.flac"),
    ]  # fmt: skip
    assert first.read_bytes() == whole[first.name]
    assert second.read_bytes() != whole[second.name]
    assert third.read_bytes() == b"changed by hand"
    assert not list(tmp_path.glob("journal-*"))


@pytest.mark.slow
def test_other_wishes_are_another_output(recordings: Path, tmp_path: Path) -> None:
    args = ("notes", recordings / "0.flac", "-o", tmp_path / "a.mid", "--journal", tmp_path / "j")
    assert run(*args).exit_code == 0
    assert "done before" in run(*args).stderr
    for others in (("--part", "top"), ("--format", "tsv"), ("-o", tmp_path / "b.mid")):
        assert "done before" not in run(*args, *others).stderr


def test_failures_are_tried_again(recordings: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.flac").write_bytes(b"no audio")
    args = ("beats", tmp_path / "bad.flac", "-o", f"{tmp_path}/out/", "--journal", tmp_path / "j")
    for _ in range(2):
        result = run(*args)
        assert result.exit_code == 1
        assert "done before" not in result.stderr
    (tmp_path / "bad.flac").write_bytes((recordings / "0.flac").read_bytes())
    assert run(*args).exit_code == 0


@pytest.mark.slow
def test_a_journal_is_used_by_one_run(recordings: Path, tmp_path: Path) -> None:
    from tempo_core.cli.done import Done

    with Done(tmp_path / "j", ""):
        result = run("beats", recordings, "-o", f"{tmp_path}/out/", "--journal", tmp_path / "j")
    assert result.exit_code == 1
    assert result.stderr.startswith(f"Error: {tmp_path / 'j'}: another run is using it")


def test_what_is_no_journal_is_told(recordings: Path, tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no database, but more than a hundred characters of text " * 3)
    for journal in (tmp_path / "text", tmp_path / "nowhere" / "j"):
        result = run("notes", recordings, "-o", f"{tmp_path}/out/", "--journal", journal)
        assert result.exit_code == 1
        assert result.stderr.startswith(f"Error: {journal}: is no journal (")
        assert len(result.stderr.splitlines()) == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("command", ["notes", "beats"])
def test_what_does_not_fit_together(command: str, tmp_path: Path) -> None:
    for args, told in (
        (["--journal", tmp_path / "j"], "--journal is for -o"),
        (["--scheduler", "local:2", "--jobs", "3"], "--jobs is for threads"),
        (["--scheduler", "nowhere"], "--scheduler"),
        (["--cluster-config", tmp_path / "c.yaml"], "c.yaml"),
    ):
        result = run(command, tmp_path / "a.flac", *args)
        assert result.exit_code != 0
        assert told in result.stderr
        assert "Traceback" not in result.stderr


def test_dask_is_an_extra(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "dask", None)
    result = run("beats", tmp_path / "a.flac", "--scheduler", "local:2")
    assert result.exit_code == 1
    assert "beets-tempo[cluster]" in result.stderr
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.slow
def test_another_model_in_use_is_loaded() -> None:
    """Also by a process that has loaded the one before."""
    work = BeatsWork("default")
    model = checkpoint.load(checkpoint.resolve("shipped", "beats"), "beats")
    before = work.uses()["beats"]
    saved = checkpoint.save(in_use.folder(), replace(model, temperature=0.5))
    in_use.activate(saved.name, "beats")
    after = work.uses()["beats"]
    assert (before, after) == (model.source, checkpoint.load(saved, "beats").source)
    in_use.rollback("beats")
    assert work.uses()["beats"] == before


@pytest.mark.slow
def test_another_version_is_refused(
    recordings: Path, scheduler: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(provenance, "_package", lambda: "9.9.9 (code 0)")
    result = run("beats", recordings, "--scheduler", scheduler)
    assert result.exit_code == 1
    assert "install the same version there" in result.stderr
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.slow
@pytest.mark.parametrize("death", ["ctrl-c", "kill -9", "scheduler"])
def test_an_interrupted_run_goes_on(death: str, recordings: Path, tmp_path: Path) -> None:
    music = tmp_path / "music"
    music.mkdir()
    for k in range(12):
        os.link(recordings / f"{k % 3}.flac", music / f"{k:02}.flac")
    out, journal = tmp_path / "out", tmp_path / "journal"
    with local_cluster(1) as cluster:
        process = subprocess.Popen(
            [sys.executable, "-m", "tempo_core.cli", "notes", music, "-o", f"{out}/",
             "--journal", journal, "--scheduler", cluster.scheduler_address],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        end = time.monotonic() + 60
        while not out.exists() or len(list(out.glob("*.mid"))) < 2:
            assert time.monotonic() < end
            time.sleep(0.05)
        if death == "scheduler":
            cluster.close()
        else:
            process.send_signal(signal.SIGINT if death == "ctrl-c" else signal.SIGKILL)
        _, errors = process.communicate(timeout=30)
    n_done = len(list(out.glob("*.mid")))
    assert 2 <= n_done < 12
    before = ages(out)
    if death != "kill -9":
        (line,) = errors.splitlines()
        assert line.endswith(f": {n_done} of 12 files are done; the same command goes on from here")
        assert process.returncode == 1
    again = run("notes", music, "-o", f"{out}/", "--journal", journal, "--jobs", 2)
    assert again.exit_code == 0
    known = int(again.stderr.split()[0])
    # What was written, but not noted any more, is written once more.
    assert n_done - 1 <= known <= n_done
    after = ages(out)
    assert len(after) == 12
    assert sum(after[name] == age for name, age in before.items()) == known
