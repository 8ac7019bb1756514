"""`tempo-core` as a user runs it."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tempo_core.cli import FIELDS, main
from tempo_core.console import unescaped

MakeAudio = Callable[..., Path]


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
        assert row["key"] == row["key_confidence"] == row["error"] == ""
    for row in bad:
        assert row["error"]
        assert row["bpm"] == row["confidence"] == row["paces"] == ""


def test_json(files: list[Path]) -> None:
    result = _run("estimate", "--format", "json", *files)
    assert result.exit_code == 1
    rows = json.loads(result.stdout)
    assert all(tuple(row) == FIELDS for row in rows)
    assert rows[0]["bpm"] == pytest.approx(126, abs=0.1)
    assert 0.95 <= rows[0]["stability"] <= 1
    assert {"bpm", "probability"} == set(rows[0]["paces"][0])
    assert rows[1]["bpm"] is rows[1]["stability"] is None
    assert "cannot be opened" in rows[1]["error"]
    assert rows[3]["error"] == "no such file"


def test_text(files: list[Path]) -> None:
    result = _run("estimate", *files)
    assert result.exit_code == 1
    assert len(result.stdout.splitlines()) == 2
    assert "126.0" in result.stdout or "125.9" in result.stdout
    assert all(", stability 1.00)" in line for line in result.stdout.splitlines())
    assert f"{files[1]}: cannot be opened" in result.stderr
    assert "2 of 4 files failed" in result.stderr


def test_all_good_is_exit_status_0(make_audio: MakeAudio) -> None:
    path = make_audio("a.mp3")
    for form in ("text", "tsv", "json"):
        assert _run("estimate", "--format", form, "--jobs", 2, path).exit_code == 0


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
        (("--format", "xml"), "--format"),
        (("--model", "gone"), "no model 'gone'"),
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
    for task in checkpoint.NETWORKS:
        assert f"* {checkpoint.resolve('default', task).stem}" in result.stdout


def test_only_working_commands_are_listed() -> None:
    expected = ["acousticbrainz-index", "demo-site", "estimate", "labels", "models"]
    assert sorted(main.commands) == expected


def test_the_installed_command_runs(make_audio: MakeAudio) -> None:
    path = make_audio("a.ogg", bpm=126)
    run = subprocess.run(
        [sys.executable, "-m", "tempo_core.cli", "estimate", "--format", "json", str(path)],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert run.stderr == ""
    assert json.loads(run.stdout)[0]["bpm"] == pytest.approx(126, abs=0.1)
