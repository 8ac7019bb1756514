"""Tests of `tempo-core plot` on audio files; `test_report.py` tests it on evaluations."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tempo_core.cli import main

MakeAudio = Callable[..., Path]


def plot(*args: object) -> Result:
    return CliRunner().invoke(main, ["plot", "--jobs", "1", *map(str, args)])


@pytest.mark.slow
def test_a_picture_of_a_file(
    make_audio: MakeAudio, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    song = make_audio("a.flac", sr=22050)
    monkeypatch.chdir(tmp_path)
    result = plot(song)
    assert (result.exit_code, result.stdout) == (0, f"{song} -> a-tempo.png\n"), result.stderr
    assert (tmp_path / "a-tempo.png").read_bytes().startswith(b"\x89PNG")
    assert plot("-o", "b.svg", song).exit_code == 0
    first = (tmp_path / "b.svg").read_bytes()
    assert b"<svg" in first
    assert plot("-o", "b.svg", song).exit_code == 0
    assert (tmp_path / "b.svg").read_bytes() == first


@pytest.mark.slow
def test_many_files_and_bad_ones(
    make_audio: MakeAudio, bad_files: dict[str, Path], tmp_path: Path
) -> None:
    songs = [make_audio(f"{k}/a.flac", sr=22050) for k in range(2)]
    out = tmp_path / "pictures"
    bad = [bad_files[kind] for kind in ("missing", "text", "silent", "too short", "no samples")]
    result = plot("-o", f"{out}/", songs[0], *bad, songs[1])
    assert result.exit_code == 1
    assert sorted(path.name for path in out.iterdir()) == ["a (2).png", "a.png"]
    *lines, last = result.stderr.splitlines()
    assert last == "5 of 7 files failed"
    for path, line in zip(bad, lines, strict=True):
        assert line.startswith(f"{path}: ")


def test_a_folder_of_audio_is_drawn_and_another_is_an_evaluation(
    make_audio: MakeAudio, tmp_path: Path
) -> None:
    song = make_audio("music/a.flac", sr=22050)
    out = tmp_path / "out"
    assert plot("-o", f"{out}/", song.parent).exit_code == 0
    assert [path.name for path in out.iterdir()] == ["a.png"]
    empty = tmp_path / "empty"
    empty.mkdir()
    result = plot(empty)
    assert result.exit_code == 1
    assert result.stderr.startswith(f"Error: {empty}: no evaluation")


def test_what_makes_no_sense_is_refused(make_audio: MakeAudio, tmp_path: Path) -> None:
    song = make_audio("a.wav")
    log = tmp_path / "log.csv"
    log.touch()
    before = sorted(tmp_path.iterdir())
    for args, told in (
        (("-o", tmp_path / "a.jpg", song), "must end with .png or .svg"),
        (("-o", tmp_path / "a.png", song, song), "is one file for several"),
        (("--log", log, song), "--log is for the folder of an evaluation"),
        (("-o", tmp_path / "a.png", tmp_path / "nowhere" / ".." / "a.wav", "b"), "is one file"),
    ):
        result = plot(*args)
        assert result.exit_code == 2, args
        assert told in result.stderr
    folder = tmp_path / "evaluation"
    folder.mkdir()
    assert "-o is for files of audio" in plot("-o", "a.png", folder).stderr
    folder.rmdir()
    assert sorted(tmp_path.iterdir()) == before


def test_the_music_is_not_overwritten(make_audio: MakeAudio, tmp_path: Path) -> None:
    song = make_audio("a.wav", duration=4)
    odd = song.rename(tmp_path / "a.png")
    result = plot("-o", odd, odd)
    assert result.exit_code == 1
    assert "is one of the files to read" in result.stderr
    assert odd.read_bytes().startswith(b"RIFF")


def test_without_matplotlib_one_line_says_so(
    make_audio: MakeAudio, monkeypatch: pytest.MonkeyPatch
) -> None:
    song = make_audio("a.wav", duration=4)
    for module in [m for m in sys.modules if m.startswith("trainer.evaluation.tempo_plot")]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, "matplotlib.axes", None)
    result = plot(song)
    assert result.exit_code == 1
    (line,) = result.stderr.splitlines()
    assert "plot needs more packages" in line
    assert "pip install 'beets-tempo[train]'" in line


def test_a_dash_is_standard_output(
    make_audio: MakeAudio, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    song = make_audio("a.flac", duration=8, bpm=126)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    result = plot("-o", "-", song)
    assert result.exit_code == 0
    assert result.stdout_bytes.startswith(b"\x89PNG\r\n")
    assert result.stdout_bytes.rstrip().endswith(b"IEND\xaeB`\x82")
    assert result.stderr == f"{song} -> /dev/stdout\n"
    assert not list(Path().iterdir())
