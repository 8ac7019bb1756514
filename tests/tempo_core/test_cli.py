"""Tests of `tempo-core` on the command line."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner, Result

from tempo_core.cli import main
from tempo_core.cli.group import OWN_COMMANDS
from tempo_core.console import unescaped
from tempo_core.keys import parse_key
from tempo_core.results.rows import OBJECT_FIELDS
from tempo_core.tasks import TASKS
from tests.rows import mostly_slow

MakeAudio = Callable[..., Path]
OF_BEATS = ("beat_confidence", "first_beat", "downbeat", "downbeat_confidence", "grid")
COLUMNS = (*OBJECT_FIELDS, *OF_BEATS)
LATE = 4.0  # [s] two on a machine that has nothing else to do


def _run(*args: object) -> Result:
    return CliRunner().invoke(main, [str(a) for a in args])


@pytest.fixture
def files(make_audio: MakeAudio, bad_files: dict[str, Path]) -> list[Path]:
    return [
        make_audio("a b\tc.mp3", bpm=126),
        bad_files["text"],
        make_audio("d.flac", bpm=118),
        bad_files["missing"],
    ]


def test_tsv(files: list[Path]) -> None:
    result = _run("estimate", "--format", "tsv", *files)
    assert result.exit_code == 1
    lines = result.stdout.splitlines()
    assert lines[0] == "path\tbpm\tconfidence\tpaces\tkey\tkey_confidence\terror"
    rows = list(csv.DictReader(io.StringIO(result.stdout), delimiter="\t"))
    assert [unescaped(row["path"]) for row in rows] == [str(path) for path in files]
    good, bad = [rows[0], rows[2]], [rows[1], rows[3]]
    for row, bpm in zip(good, (126, 118), strict=True):
        assert float(row["bpm"]) == pytest.approx(bpm, abs=0.1)
        assert 0 <= float(row["confidence"]) <= 1
        assert any(word.startswith(f"{bpm}") for word in row["paces"].split())
        assert row["error"] == ""
        assert parse_key(row["key"]) is not None
        assert 0.3 <= float(row["key_confidence"]) <= 1
    for row in bad:
        assert row["error"]
        assert row["key"] == row["key_confidence"] == ""
        assert row["bpm"] == row["confidence"] == row["paces"] == ""


def test_json(files: list[Path]) -> None:
    result = _run("estimate", "--format", "json", *files)
    assert result.exit_code == 1
    rows = json.loads(result.stdout)
    assert all(tuple(row) == ("path", *COLUMNS, "error") for row in rows)
    assert rows[0]["bpm"] == pytest.approx(126, abs=0.1)
    assert 0.95 <= rows[0]["stability"] <= 1
    assert rows[0]["confidence"] - 0.01 <= rows[0]["octave_confidence"] <= 1
    assert {"bpm", "probability"} == set(rows[0]["paces"][0])
    assert rows[1]["bpm"] is rows[1]["stability"] is None
    assert "cannot be opened" in rows[1]["error"]
    assert rows[3]["error"] == "no such file"


def test_text(files: list[Path]) -> None:
    result = _run("estimate", *files)
    assert result.exit_code == 1
    assert len(result.stdout.splitlines()) == 2
    assert "126.0" in result.stdout or "125.9" in result.stdout
    assert all(
        re.search(r", octave [01]\.\d\d, stability 1\.00\)", line)
        for line in result.stdout.splitlines()
    )
    assert f"{files[1]}: cannot be opened" in result.stderr
    assert "2 of 4 files failed" in result.stderr


def test_a_curve_as_table(files: list[Path]) -> None:
    result = _run("estimate", "--curve", "--format", "tsv", "--tasks", "tempo", *files)
    assert result.exit_code == 1
    rows = list(csv.DictReader(io.StringIO(result.stdout), delimiter="\t"))
    assert list(rows[0]) == ["path", "start", "bpm", "confidence"]
    assert [unescaped(row["path"]) for row in rows] == [str(files[0])] * 3 + [str(files[2])] * 3
    assert [float(row["bpm"]) for row in rows] == pytest.approx([126] * 3 + [118] * 3, abs=0.3)
    assert [float(row["start"]) for row in rows[:2]] == pytest.approx([0, 6], abs=0.1)
    assert f"{files[1]}: cannot be opened" in result.stderr
    assert f"{files[3]}: no such file" in result.stderr
    assert "2 of 4 files failed" in result.stderr


def test_a_curve_beside_the_estimate(files: list[Path], tmp_path: Path) -> None:
    noise = 0.1 * np.random.default_rng(0).standard_normal(8 * 22050)
    soundfile.write(tmp_path / "noise.wav", noise, 22050)
    command = ("estimate", "--curve", "--tasks", "tempo", "--windows", "all")
    result = _run(*command, "--format", "json", *files[:2], tmp_path / "noise.wav")
    assert result.exit_code == 1
    good, bad, unclear = json.loads(result.stdout)
    assert tuple(good) == ("path", *OBJECT_FIELDS, "curve", "error")
    assert good["bpm"] == pytest.approx(126, abs=0.1)
    assert [point["bpm"] for point in good["curve"]] == pytest.approx([126] * 3, abs=0.3)
    assert bad["curve"] is bad["bpm"] is None
    assert unclear["curve"] == [{"start": 0.0, "bpm": None, "confidence": 0.0}]
    told = _run(*command, tmp_path / "noise.wav").stdout.splitlines()
    assert told[1] == "   0:00       -  0.00"


def test_all_good_is_exit_status_0(make_audio: MakeAudio) -> None:
    path = make_audio("a.mp3")
    for form in ("text", "tsv", "json"):
        assert _run("estimate", "--format", form, "--jobs", 2, path).exit_code == 0


@pytest.mark.slow
def test_jobs_do_not_change_the_result(make_audio: MakeAudio) -> None:
    paths = [make_audio(f"{bpm}.flac", bpm=bpm) for bpm in (118, 126, 133, 121)]
    one, three = (_run("estimate", "--format", "tsv", "--jobs", n, *paths) for n in (1, 3))
    assert one.stdout == three.stdout


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("--windows", "0"), "whole number"),
        (("--windows", "some"), "whole number"),
        (("--jobs", "0"), "--jobs"),
        (("--time-limit", "nan"), "is not a finite number"),
        (("--time-limit", "inf"), "is not a finite number"),
        (("--format", "xml"), "--format"),
        (("--model", "gone"), "no model 'gone'"),
        (("--curve", "--windows", "3"), "--curve hears the whole of a file"),
        (("--curve", "--tasks", "key"), "--curve is about the tempo"),
    ],
)
def test_bad_options_are_said_before_any_work(
    make_audio: MakeAudio, args: tuple[str, ...], message: str
) -> None:
    result = _run("estimate", *args, make_audio("a.wav"))
    assert result.exit_code != 0
    assert message in result.stderr
    assert result.stdout == ""


def test_a_tampered_model_is_one_error(make_audio: MakeAudio, tmp_path: Path) -> None:
    from tempo_core import checkpoint

    shipped = checkpoint.resolve("default")
    data = bytearray(shipped.read_bytes())
    data[-5] ^= 255
    (tmp_path / shipped.name).write_bytes(bytes(data))
    result = _run("estimate", "--model", tmp_path / shipped.name, make_audio("a.wav"))
    assert result.exit_code == 1
    assert "does not match its name" in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert result.stdout == ""


def test_models_marks_the_one_in_use() -> None:
    from tempo_core import checkpoint

    result = _run("models")
    assert result.exit_code == 0
    for task in TASKS:
        assert f"* {checkpoint.resolve('default', task).stem}" in result.stdout


def test_only_working_commands_are_listed() -> None:
    expected = [
        "acousticbrainz-index", "beats", "demo-site", "estimate", "labels", "models", "notes",
    ]  # fmt: skip
    assert sorted(OWN_COMMANDS) == expected


def test_the_installed_command_runs(make_audio: MakeAudio) -> None:
    path = make_audio("a.ogg", bpm=126)
    run = subprocess.run(
        [sys.executable, "-m", "tempo_core.cli", "estimate", "--format", "json", str(path)],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert run.stderr == ""
    assert json.loads(run.stdout)[0]["bpm"] == pytest.approx(126, abs=0.1)


@pytest.fixture
def odd_names(make_audio: MakeAudio, tmp_path: Path) -> Path:
    """A folder of songs with names that would break a table or control a terminal."""
    folder = tmp_path / "odd"
    folder.mkdir()
    song = make_audio("song.mp3", bpm=126).read_bytes()
    for name in ODD_NAMES:
        (folder / os.fsdecode(name)).write_bytes(song)
    return folder


ODD_NAMES = (
    b"not utf-8 \xff\xfe.mp3", b"return\rname.mp3", b"tab\tname.mp3", b"line\nname.mp3",
    b"esc\x1b]0;x\x07.mp3", b'quote"name.mp3', b"back\\slash.mp3", b"back\\tslash.mp3",
    "Señor 愛.mp3".encode(),
)  # fmt: skip


def _start(*args: object, **options: object) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "tempo_core.cli", *map(str, args)]
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "bufsize": 0}
    return subprocess.Popen(command, **{**streams, **options})  # type: ignore[call-overload, no-any-return]


@pytest.mark.slow
@pytest.mark.parametrize("encoding", [pytest.param("utf-8", marks=pytest.mark.slow), "ascii"])
def test_a_table_is_a_table_whatever_the_names_are(odd_names: Path, encoding: str) -> None:
    env = {**os.environ, "PYTHONIOENCODING": f"{encoding}:strict"}
    out, err = _start("estimate", "--format", "tsv", odd_names, env=env).communicate()
    assert err == b""
    lines = out.decode(encoding).removesuffix("\n").split("\n")
    assert len(lines) == 1 + len(ODD_NAMES)
    assert all(line.count("\t") == 6 for line in lines)
    assert not any(ord(c) < 32 for line in lines for c in line.replace("\t", ""))
    rows = list(csv.DictReader(io.StringIO(out.decode(encoding)), delimiter="\t"))
    found = {os.path.basename(os.fsencode(unescaped(row["path"]))) for row in rows}  # noqa: PTH119
    assert found == set(ODD_NAMES)
    assert all(float(row["bpm"]) == pytest.approx(126, abs=0.1) for row in rows)


@pytest.mark.slow
@pytest.mark.parametrize("form", ["json", pytest.param("text", marks=pytest.mark.slow)])
def test_odd_names_in_the_other_forms(odd_names: Path, form: str) -> None:
    env = {**os.environ, "PYTHONIOENCODING": "ascii:strict", "LC_ALL": "C"}
    out, err = _start("estimate", "--format", form, odd_names, env=env).communicate()
    assert err == b""
    if form == "json":
        names = {os.path.basename(os.fsencode(row["path"])) for row in json.loads(out)}  # noqa: PTH119
        assert names == set(ODD_NAMES)
    else:
        assert len(out.splitlines()) == len(ODD_NAMES)
        assert not any(byte < 32 for line in out.split(b"\n") for byte in line)


def test_a_folder_is_searched_as_build_does(make_audio: MakeAudio, tmp_path: Path) -> None:
    inside = tmp_path / "music" / "a"
    inside.mkdir(parents=True)
    for name in ("b.mp3", "a/c.MP3"):
        (tmp_path / "music" / name).write_bytes(make_audio("x.mp3").read_bytes())
    (inside / "cover.jpg").write_bytes(b"x")
    (tmp_path / "nothing").mkdir()
    result = _run("estimate", "--format", "json", tmp_path / "music", tmp_path / "nothing")
    rows = json.loads(result.stdout)
    assert [row["path"] for row in rows] == [
        str(tmp_path / "music/a/c.MP3"), str(tmp_path / "music/b.mp3"), str(tmp_path / "nothing")
    ]  # fmt: skip
    assert [bool(row["error"]) for row in rows] == [False, False, True]


@mostly_slow(
    "error", [MemoryError(), RecursionError("deep"), KeyError("x"), OSError(5, "I/O")], quick=2
)
def test_whatever_happens_to_a_file_is_its_row(
    error: Exception, make_audio: MakeAudio, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tempo_core.estimate import Estimator

    results = Estimator.results

    def faulty(self: Estimator, path: str) -> dict[str, Any]:
        if "bad" in path:
            raise error
        return results(self, path)

    monkeypatch.setattr(Estimator, "results", faulty)
    paths = [make_audio("a.mp3"), make_audio("bad.mp3"), make_audio("c.mp3")]
    result = _run("estimate", "--format", "json", *paths)
    assert result.exit_code == 1
    rows = json.loads(result.stdout)
    assert [row["bpm"] is None for row in rows] == [False, True, False]
    assert rows[1]["error"].startswith(type(error).__name__)


@pytest.mark.slow
def test_files_that_ended_the_run_before(make_audio: MakeAudio, tmp_path: Path) -> None:
    """Files that once ended the run: 33 channels, samples of 1e18, rate 2^31 - 1, two rates."""
    song = make_audio("good.wav", duration=8, bpm=126)
    audio, sr = soundfile.read(song, dtype="float32", always_2d=True)
    mono = audio[:, 0]
    data = np.repeat((mono[:, None] * 32767).astype("<i2"), 33, 1).tobytes()
    head = struct.pack("<IHHIIHH", 16, 1, 33, sr, sr * 66, 66, 16)
    (tmp_path / "channels.wav").write_bytes(
        b"RIFF" + struct.pack("<I", 36 + len(data)) + b"WAVEfmt " + head
        + b"data" + struct.pack("<I", len(data)) + data
    )  # fmt: skip
    soundfile.write(tmp_path / "loud.wav", mono * np.float32(1e18), sr, subtype="FLOAT")
    rated = bytearray(song.read_bytes())
    at = rated.index(b"fmt ") + 12
    rated[at : at + 4] = struct.pack("<I", 2**31 - 1)
    (tmp_path / "rate.wav").write_bytes(rated)
    chained = tmp_path / "chained.ogg"
    low = make_audio("low.ogg", duration=8, sr=22050)
    chained.write_bytes(
        make_audio("high.ogg", duration=8, sr=44100).read_bytes() + low.read_bytes()
    )
    odd = [tmp_path / name for name in ("channels.wav", "loud.wav", "rate.wav", "chained.ogg")]
    result = _run("estimate", "--format", "json", *odd, song)
    rows = json.loads(result.stdout)
    assert [row["path"] for row in rows] == [str(path) for path in (*odd, song)]
    assert all((row["bpm"] is None) == bool(row["error"]) for row in rows)
    assert rows[-1]["bpm"] == pytest.approx(126, abs=0.1)


@pytest.mark.slow
def test_a_file_that_hangs_is_one_row(make_audio: MakeAudio, hang: Callable[[Path], None]) -> None:
    slow, song = make_audio("slow.flac"), make_audio("a.flac", bpm=126)
    hang(slow)
    result = _run("estimate", "--format", "json", "--time-limit", 1, "--jobs", 1, slow, song)
    first, second = json.loads(result.stdout)
    assert first["error"] == "given up after 1 s, the time limit for one file"
    assert second["bpm"] == pytest.approx(126, abs=0.1)
    assert result.stderr == "1 of 2 files failed\n"
    assert result.exit_code == 1


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize(
    "form", ["tsv", *(pytest.param(form, marks=pytest.mark.slow) for form in ("text", "json"))]
)
def test_output_that_cannot_be_written(form: str, make_audio: MakeAudio) -> None:
    with Path("/dev/full").open("wb") as full:
        run = _start("estimate", "--format", form, make_audio("a.mp3"), stdout=full)
        _, err = run.communicate()
    assert err == b"Error: standard output: No space left on device\n"
    assert run.returncode == 1


@pytest.mark.slow
def test_a_reader_that_goes(make_audio: MakeAudio) -> None:
    path = make_audio("a.mp3")
    run = _start("estimate", "--format", "tsv", "--jobs", 1, *[path] * 4)
    assert run.stdout
    assert run.stderr
    run.stdout.readline()
    run.stdout.close()
    assert run.stderr.read() == b""
    run.stderr.close()
    assert run.wait() == 1


def test_a_closed_output(make_audio: MakeAudio) -> None:
    command = f"exec {sys.executable} -m tempo_core.cli estimate {make_audio('a.mp3')} >&-"
    run = subprocess.run(["sh", "-c", command], capture_output=True, text=True)
    assert (run.returncode, run.stderr) == (1, "Error: standard output is closed\n")


@pytest.mark.parametrize(
    "delay", [None, *(pytest.param(delay, marks=pytest.mark.slow) for delay in (1.0, 2.5))]
)
def test_ctrl_c_ends_soon_and_leaves_whole_json(delay: float | None, make_audio: MakeAudio) -> None:
    # More than a fast machine hears in the longest delay.
    paths = [make_audio("a.flac", duration=40)] * 400
    run = _start("estimate", "--format", "json", "--windows", "all", "--jobs", 2, *paths)
    assert run.stdout
    first = b""
    if delay is None:
        first = run.stdout.readline()  # when something is ready
    else:
        time.sleep(delay)
    begin = time.monotonic()
    run.send_signal(signal.SIGINT)
    out, err = run.communicate(timeout=30)
    assert time.monotonic() - begin < LATE
    assert run.returncode == 1
    assert err.count(b"\n") == 1
    assert err.startswith(b"Error: interrupted")
    if first + out:
        assert len(json.loads(first + out)) < len(paths)


@pytest.mark.parametrize(
    "options", [["--jobs", "2"], pytest.param(["--scheduler", "local:2"], marks=pytest.mark.slow)]
)
def test_a_second_ctrl_c_ends_at_once_and_says_nothing(
    options: list[str], make_audio: MakeAudio, tmp_path: Path
) -> None:
    """Here after the first one it would wait for ever, because nobody reads what it prints."""
    missing = [tmp_path / f"{number}.flac" for number in range(3000)]
    run = _start("estimate", "--format", "tsv", *options, make_audio("a.flac"), *missing)
    assert run.stdout
    run.stdout.readline()  # the names of the columns
    run.stdout.readline()  # when something is ready
    while run.poll() is None:  # signals that come at once may be one
        run.send_signal(signal.SIGINT)
        time.sleep(0.05)
    assert (run.returncode, run.communicate(timeout=30)[1]) == (130, b"")


def test_ctrl_c_beside_the_work_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("tempo_core.cli.models.echo", interrupted)
    run = _run("models")
    assert (run.exit_code, run.stderr) == (1, "Error: interrupted\n")
