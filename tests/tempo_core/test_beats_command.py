"""Tests of `tempo-core beats`, with the shipped models and music of known beats in every format."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
import tracemalloc
import wave
from pathlib import Path

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner, Result

from tempo_core import Estimator
from tempo_core.background import Stopped, working
from tempo_core.beatgrid import Grid, Section, steady
from tempo_core.cli import main
from tempo_core.clicks import with_clicks
from tempo_core.errors import AudioError
from tempo_core.exports.beats import ENCODERS, TrackBeats
from tempo_core.transcription.storing import store
from tests.rows import mostly_slow

from ..audio import drum_pattern, warped, write_audio
from ..formats import EACH_FORMAT

SR, BPM, SILENCE = 44100, 124.0, 0.3
# Windows Media files do not say how many samples their encoder put before the music.
EXACT = [form for form in EACH_FORMAT if form.values != ("wma",)]


def run(*args: object) -> Result:
    return CliRunner().invoke(main, ["beats", *map(str, args)])


@pytest.fixture(scope="module")
def music() -> np.ndarray:
    song = drum_pattern(BPM, 32, SR, "house", np.random.default_rng(3))
    return np.concatenate([np.zeros(round(SILENCE * SR), np.float32), song])


@pytest.fixture(scope="module")
def song(music: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_audio(tmp_path_factory.mktemp("beats") / "song.flac", music, SR)


def rows_of(output: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(output), delimiter="\t"))


def off(times: np.ndarray) -> np.ndarray:
    """Distance of times [s] from the true beats [s]."""
    period = 60 / BPM
    return np.asarray(((times - SILENCE) / period + 0.5) % 1 - 0.5) * period


def test_a_table_has_every_beat(song: Path) -> None:
    result = run(song)
    assert (result.exit_code, result.stderr) == (0, "")
    rows = rows_of(result.stdout)
    times = np.array([float(row["time"]) for row in rows])
    assert np.abs(off(times)).max() < 0.012
    assert len(times) in (66, 67)
    assert {row["path"] for row in rows} == {str(song)}
    assert all(float(row["bpm"]) == pytest.approx(BPM, abs=0.02) for row in rows)
    beats = [int(row["beat"]) for row in rows]
    assert [b % 4 + 1 for b in beats[:-1]] == beats[1:]


@pytest.mark.slow
@mostly_slow("form", EXACT, quick=1)
def test_the_grid_is_the_same_in_every_format(
    form: str, music: np.ndarray, song: Path, tmp_path: Path
) -> None:
    """What an encoder puts before the music does not move the beats."""
    estimator = Estimator(tasks=("tempo", "beats"))
    here = estimator.estimate(song).grid
    there = estimator.estimate(write_audio(tmp_path / f"song.{form}", music, SR)).grid
    assert here is not None
    assert there is not None
    assert there.first_beat == pytest.approx(here.first_beat, abs=1.5e-3)
    assert there.sections[0].beat == here.sections[0].beat


def test_json(song: Path, tmp_path: Path) -> None:
    result = run("--format", "json", song, tmp_path / "none.mp3")
    assert result.exit_code == 1
    good, bad = json.loads(result.stdout)
    assert good["steady"]
    assert good["error"] is None
    assert good["bpm"] == pytest.approx(BPM, abs=0.02)
    assert len(good["sections"]) == 1
    assert off(np.array([beat["time"] for beat in good["beats"]])).max() < 0.012
    assert bad == {"path": str(tmp_path / "none.mp3"), "error": "no such file"}
    assert "1 of 2 files failed" in result.stderr


def test_labels_of_audacity(song: Path) -> None:
    result = run("--format", "audacity", song)
    cells = [line.split("\t") for line in result.stdout.splitlines()]
    assert all(begin == end for begin, end, _ in cells)
    assert {label for *_, label in cells} == {"1", "2", "3", "4"}
    assert np.abs(off(np.array([float(begin) for begin, *_ in cells]))).max() < 0.012


def test_clicks_are_where_the_beats_are(song: Path, music: np.ndarray, tmp_path: Path) -> None:
    to = tmp_path / "clicks.wav"
    assert run("--format", "click.wav", song, "-o", to).exit_code == 0
    with wave.open(str(to)) as file:
        assert file.getframerate() == SR
        heard = np.frombuffer(file.readframes(file.getnframes()), "<i2") / 32767
    assert heard.size == pytest.approx(music.size, abs=2)
    # Without the music, whose factor is known, only the clicks are left.
    size = min(heard.size, music.size)
    rest = np.abs(heard[:size] - 0.45 * music[:size])
    onsets = np.flatnonzero((rest[1:] > 0.2) & (rest[:-1] <= 0.2))
    first = [int(k) for n, k in enumerate(onsets) if n == 0 or k - onsets[n - 1] > 0.2 * SR]
    assert len(first) in (66, 67)
    assert np.abs(off(np.array(first) / SR)).max() < 0.015


@pytest.mark.slow
def test_clicks_of_a_long_file_are_not_held_in_memory(tmp_path: Path) -> None:
    path, to = tmp_path / "long.flac", tmp_path / "clicks.wav"
    with soundfile.SoundFile(path, "w", 8000, 1) as file:
        for _ in range(20):
            file.write(np.zeros(8000 * 60, np.float32))
    track = TrackBeats(path, 120.0, 1.0, steady(0.5, 120.0, 0.5), None, 1200.0)
    tracemalloc.start()
    store(to, ENCODERS["click.wav"](track))
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert to.stat().st_size == 44 + 2 * SR * 1200
    assert most < to.stat().st_size / 3
    with wave.open(str(to)) as file_:
        assert file_.getnframes() == SR * 1200


@pytest.mark.slow
def test_clicks_go_into_a_pipe_too(song: Path) -> None:
    """Its size is in front, which cannot be mended in a pipe; and nothing else is printed."""
    pytest.importorskip("fcntl")
    done = subprocess.run(
        [sys.executable, "-m", "tempo_core.cli", "beats", song, "--format", "click.wav",
         "-o", "/dev/stdout"],
        capture_output=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    with wave.open(io.BytesIO(done.stdout)) as file:
        assert 44 + 2 * file.getnframes() == len(done.stdout)
    assert b" beats at 12" in done.stderr


def test_an_interrupt_ends_the_writing_of_clicks(song: Path, tmp_path: Path) -> None:
    track = TrackBeats(song, BPM, 1.0, steady(0.3, BPM), None, 32.0)
    with working(lambda: True), pytest.raises(Stopped):
        store(tmp_path / "clicks.wav", ENCODERS["click.wav"](track))
    assert list(tmp_path.iterdir()) == []


def test_time_stamps_that_jump_too_far_for_a_wav_file(
    song: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempo_core.exports.beats.LONGEST_WAV", 10 * SR)
    track = TrackBeats(song, BPM, 1.0, steady(0.3, BPM), None, 32.0)
    with pytest.raises(AudioError, match="longer than a WAV file"):
        store(tmp_path / "clicks.wav", ENCODERS["click.wav"](track))
    assert list(tmp_path.iterdir()) == []


def test_several_files_go_into_a_folder(song: Path, tmp_path: Path) -> None:
    other = tmp_path / "in" / "other.flac"
    other.parent.mkdir()
    other.write_bytes(song.read_bytes())
    out = tmp_path / "out"
    out.mkdir()
    result = run("--format", "audacity", "-o", out, song, other)
    assert result.exit_code == 0, result.stderr
    assert sorted(path.name for path in out.iterdir()) == ["other.txt", "song.txt"]
    assert result.stdout.count(" beats at 12") == 2


def test_what_makes_no_sense_is_refused(song: Path, tmp_path: Path) -> None:
    assert "needs -o" in run("--format", "click.wav", song).stderr
    assert "needs -o" in run("--format", "audacity", song, song).stderr
    before = song.read_bytes()
    assert run("--format", "json", "-o", song, song).exit_code == 1
    assert song.read_bytes() == before


def test_noise_has_no_beats(tmp_path: Path) -> None:
    noise = 0.3 * np.random.default_rng(1).standard_normal(20 * 22050).astype(np.float32)
    path = write_audio(tmp_path / "noise.wav", noise, 22050)
    result = run(path)
    assert result.exit_code == 1
    assert "no beat that one could be sure of" in result.stderr
    assert result.stdout.splitlines() == ["path\ttime\tbeat\tbpm"]


@pytest.mark.slow
def test_a_track_that_gets_faster_has_sections(tmp_path: Path) -> None:
    audio = drum_pattern(110, 70, 22050, "rock", np.random.default_rng(5))
    tempo = np.linspace(1.0, 1.12, 60 * 22050)
    path = write_audio(tmp_path / "faster.flac", warped(audio, tempo), 22050)
    result = run("--format", "json", path)
    (found,) = json.loads(result.stdout)
    assert result.exit_code == 0, result.stderr
    assert not found["steady"]
    assert len(found["sections"]) > 3
    tempi = [section["bpm"] for section in found["sections"]]
    assert tempi[0] == pytest.approx(111, abs=2)
    assert tempi[-1] == pytest.approx(122, abs=2.5)
    # Where the beats really are: the integral of the tempo.
    position = np.cumsum(tempo) / 22050 * 110 / 60
    true = np.interp(np.arange(0, position[-1]), position, np.arange(len(tempo)) / 22050)
    times = np.array([beat["time"] for beat in found["beats"]])
    inside = true[(true > 1) & (true < 58)]
    nearest = np.abs(inside[:, None] - times).min(axis=1)
    assert np.median(nearest) < 0.03
    assert (nearest < 0.07).mean() > 0.9


def test_a_click_is_cut_where_the_audio_ends() -> None:
    audio = np.zeros(1000, np.float32)
    whole = with_clicks(audio, 1000, [(-0.01, 1), (0.5, 2), (0.99, 3)], gain=1.0)
    assert whole.shape == audio.shape
    assert np.abs(whole[:50]).max() > 0.01
    assert not whole[100:490].any()
    assert np.abs(whole[990:]).max() > 0.3


def test_the_tempo_of_a_row_is_that_of_its_section() -> None:
    grid = Grid((Section(0.0, 120.0, 1), Section(2.0, 60.0)))
    track = TrackBeats("a", 120.0, 1.0, grid, None, 4.5)
    assert track.rows() == [
        ("0.0000", "1", "120.00"), ("0.5000", "2", "120.00"), ("1.0000", "3", "120.00"),
        ("1.5000", "4", "120.00"), ("2.0000", "", "60.00"), ("3.0000", "", "60.00"),
        ("4.0000", "", "60.00"),
    ]  # fmt: skip
    assert TrackBeats("a", 120.0, 1.0, steady(0.1, 120), None, 0.05).rows() == []


@pytest.mark.parametrize("form", ["tsv", "click.wav"])
def test_a_dash_is_standard_output(
    form: str, song: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    file = tmp_path / f"out.{form}"
    assert run(song, "--format", form, "-o", file).exit_code == 0
    printed = run(song, "--format", form, "-o", "-")
    assert printed.exit_code == 0
    assert printed.stdout_bytes == file.read_bytes()
    assert printed.stderr.count("\n") == 1  # what is told of it
    assert list(tmp_path.iterdir()) == [file]
    assert "is one output for several files" in run(song, song, "-o", "-").stderr
    assert "--journal is for -o" in run(song, "-o", "-", "--journal", "j.db").stderr
