"""Tests of `beet tempo --review`: in a real terminal, with a player that notes what it plays."""

from __future__ import annotations

import io
import os
import shutil
import signal
import subprocess
import sys
import wave
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from beets.library import Item
from mediafile import MediaFile

from beetsplug.tempo.collecting import labelled_tracks
from beetsplug.tempo.reviewing import KEYS, readings_of
from beetsplug.tempo.settings import TEMPLATE
from tempo_core.clicks import CLICK_LEVEL
from tests.rows import mostly_slow

from ..conftest import MakeAudio
from ..terminal import Terminal
from .conftest import Beet
from .test_decimals import raw, write_raw

MODEL = "model:x@01234567"
UNSURE = {
    "bpm": 126, "tempo_bpm": 126.0, "tempo_source": MODEL, "tempo_verdict": "set",
    "tempo_marker": f"126.00 {MODEL}", "tempo_paces": "126:0.97 63:0.91 252:0.2",
    "tempo_octave_confidence": 0.5, "tempo_confidence": 0.9, "tempo_key_confidence": 0.1,
}  # fmt: skip
CONFLICT = {"bpm": 100, "tempo_source": "tag", "tempo_verdict": "conflict", "tempo_marker": None,
            "tempo_octave_confidence": 0.95}  # fmt: skip
QUESTION = f"{KEYS}\n"

# A player as far as anybody can tell: it takes a file, and ends. It keeps what it was given.
PLAYER = """#!/bin/sh
for last; do :; done
n=$(ls "{folder}" | wc -l)
echo "$0 $@" >> "{log}"
cp "$last" "{folder}/$n.wav"
"""


class FakePlayer:
    """The player's notes: what it was called with, and the files that it was given."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "bin"
        self._played = folder / "played"
        self._log = folder / "played.log"
        self.path.mkdir()
        self._played.mkdir()

    def install(self, name: str, script: str = PLAYER) -> Path:
        program = self.path / name
        program.write_text(script.format(folder=self._played, log=self._log))
        program.chmod(0o755)
        return program

    @property
    def calls(self) -> list[str]:
        return self._log.read_text().splitlines() if self._log.exists() else []

    def clicks(self, number: int) -> list[float]:
        """Times of the clicks in a file that was played [s], counted from 0."""
        with wave.open(str(self._played / f"{number}.wav")) as file:
            sr = file.getframerate()
            assert file.getnframes() == 10 * sr
            audio = np.frombuffer(file.readframes(file.getnframes()), "<i2") / 32767
        # The music in these tests is silence, so what sounds is a click.
        loud = np.flatnonzero(np.abs(audio) > 0.5 * CLICK_LEVEL)
        return [float(t) for t in loud[np.diff(loud, prepend=-sr) > 0.1 * sr] / sr]


@pytest.fixture
def player(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakePlayer:
    """A player `ffplay`, the first one in the search path."""
    fake = FakePlayer(tmp_path)
    fake.install("ffplay")
    monkeypatch.setenv("PATH", f"{fake.path}{os.pathsep}{os.environ['PATH']}")
    return fake


@pytest.fixture
def quiet(tmp_path: Path) -> Path:
    """Silence of 20 s: what is heard of it is clicks."""
    path = tmp_path / "quiet.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(44100)
        file.writeframes(bytes(2 * 20 * 44100))
    return path


@pytest.fixture
def tracks(beet: Beet, quiet: Path, tmp_path: Path) -> list[Path]:
    """Tracks to review, T0 the surest, and one that needs no review."""
    beet.load()
    paths = []
    for number, fields in enumerate(
        [
            {"tempo_octave_confidence": 0.85},
            CONFLICT,
            {"tempo_octave_confidence": 0.3},
            {"tempo_octave_confidence": 0.99},
        ]
    ):
        path = Path(shutil.copy(quiet, tmp_path / f"{number}.wav"))
        values: dict[str, Any] = {**UNSURE, **fields, "title": f"T{number}", "artist": "B"}
        media = MediaFile(path)
        media.update({"title": values["title"], "artist": "B", "albumartist": "B",
                      "bpm": values["bpm"], "tempo_marker": values["tempo_marker"]})  # fmt: skip
        media.save()
        if values["tempo_marker"] is None:
            del values["tempo_marker"]
        beet.add(path, **values, albumartist="B")
        paths.append(path)
    return paths


def reviewing(*args: str) -> Terminal:
    return Terminal(["-m", "beets", "tempo", "--review", *args])


@pytest.mark.slow
def test_a_review_in_a_terminal(beet: Beet, tracks: list[Path], player: FakePlayer) -> None:
    with reviewing() as terminal:
        screen = terminal.until(QUESTION)
        assert screen.splitlines() == [
            "[1/3] B - T2",
            "  1   126.00 BPM  what the audio says, octave 0.30",
            "  2    63.00 BPM  its octave",
            "playing 1: 126.00 BPM",
            KEYS,
        ]
        terminal.press("2")
        terminal.until("playing 2: 63.00 BPM\n")
        terminal.press("1")
        terminal.until("playing 1: 126.00 BPM\n")
        assert len(player.calls) == 3
        assert all(
            call.startswith(f"{player.path}/ffplay -nodisp -autoexit") for call in player.calls
        )
        assert np.diff(player.clicks(0)) == pytest.approx(60 / 126, abs=1e-3)
        assert np.diff(player.clicks(1)) == pytest.approx(60 / 63, abs=1e-3)
        assert player.clicks(2) == player.clicks(0)
        terminal.press("o")
        screen = terminal.until(QUESTION)
        # An answer is stored at once, also in the file.
        item = beet.item("title:T2")
        assert (item.bpm, item.tempo_bpm, item.tempo_source) == (63, 63.0, "manual")
        assert item.tempo_reviewed == "changed"
        assert MediaFile(tracks[2]).bpm == 63
        assert "[2/3] B - T0" in screen
        terminal.press("k")
        screen = terminal.until(QUESTION)
        assert "  1   100.00 BPM  as it stands (tag)\n" in screen
        assert "  2   126.00 BPM  what the audio says\n" in screen
        terminal.press("l")
        code, screen = terminal.end()
        assert code == 0
        assert screen == (
            "locked: 100.00 BPM\n\n"
            "tempo: 3 tracks to review: 1 kept, 1 changed, 1 locked, 0 left; "
            "`beet tempo-train` learns from the answers\n"
        )
        assert terminal.modes == terminal.before
    beet.load()
    items = {item.title: item for item in beet.items()}
    kept, locked = items["T0"], items["T1"]
    assert (kept.bpm, kept.tempo_source, kept.tempo_reviewed) == (126, "manual", "kept")
    assert (locked.bpm, locked.tempo_locked, locked.tempo_verdict) == (100, 100.0, "kept")
    assert "tempo_reviewed" not in items["T3"]
    assert MediaFile(tracks[0]).tempo_marker == "126.00 manual"  # it is no estimate any more
    assert beet("tempo", "--review").out.startswith("tempo: no track to review")


def test_the_answers_are_labels(
    beet: Beet, tracks: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    import beets

    monkeypatch.setattr(sys, "stdin", io.StringIO("h\nk\nl\n"))
    assert beet("tempo", "--review").code == 0
    beet.load()
    settings = beets.config["tempo"].get(TEMPLATE)
    found = {track.title: track for track in labelled_tracks(beet.library, [], settings)}
    assert {title: (t.bpm, t.label_source) for title, t in found.items()} == {
        "T0": (126.0, "manual"), "T1": (100.0, "manual"), "T2": (63.0, "manual"),
    }  # fmt: skip
    assert not any(track.other_labels for track in found.values())
    run = beet("tempo-train", "-p")
    assert "B - T0: 126 BPM (manual)" in run.out


def test_the_tag_of_another_program_is_kept_as_it_is(
    beet: Beet, tracks: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    write_raw(tracks[1], "99.98")
    monkeypatch.setattr(sys, "stdin", io.StringIO("k\n"))
    assert beet("tempo", "--review", "title:T1").code == 0
    item = beet.item("title:T1")
    assert (item.bpm, item.tempo_source, item.tempo_reviewed) == (100, "manual", "kept")
    assert raw(tracks[1]) == "99.98"


@pytest.mark.slow
def test_quitting_and_going_on(beet: Beet, tracks: list[Path], player: FakePlayer) -> None:
    with reviewing() as terminal:
        terminal.until(QUESTION)
        terminal.press("s")
        terminal.until(QUESTION)
        terminal.press("q")
        assert terminal.end() == (0, "tempo: 3 tracks to review: 1 skipped, 2 left\n")
    assert beet.item("title:T2").tempo_reviewed == "skipped"
    assert beet.item("title:T2").bpm == 126
    run = beet("tempo", "--review", "-p")
    assert run.out.splitlines() == [
        "B - T0: 126.00 or 63.00 BPM", "B - T1: 100.00 or 126.00 BPM",
        "tempo: would have: 2 tracks to review",
    ]  # fmt: skip
    assert "3 tracks to review" in beet("tempo", "--review", "-p", "--retry").out
    assert "1 track to review" in beet("tempo", "--review", "-p", "title:T0").out


@pytest.mark.slow
@pytest.mark.parametrize(
    "signal_", [signal.SIGINT, pytest.param(signal.SIGKILL, marks=pytest.mark.slow)]
)
def test_what_was_answered_survives_ctrl_c_and_kill_9(
    signal_: signal.Signals, beet: Beet, tracks: list[Path], player: FakePlayer
) -> None:
    player.install("ffplay", "#!/bin/sh\nexec sleep 5\n")
    with reviewing() as terminal:
        terminal.until(QUESTION)
        terminal.press("d")
        terminal.until(QUESTION)
        terminal.process.send_signal(signal_)
        code, screen = terminal.end()
        if signal_ == signal.SIGINT:
            assert code == 1
            assert screen.endswith(
                "error: interrupted: 3 tracks to review: 1 changed, 2 left; `beet tempo-train` "
                "learns from the answers; the next run continues from here\n"
            )
            assert terminal.modes == terminal.before
    beet.load()
    assert (beet.item("title:T2").bpm, MediaFile(tracks[2]).bpm) == (252, 252)
    assert "2 tracks to review" in beet("tempo", "--review", "-p").out


def test_the_clicks_are_on_the_grid(
    beet: Beet, tracks: list[Path], player: FakePlayer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Grid: a first beat at 0.3 s, the excerpt from 5 s on; half of it begins with a downbeat."""
    beet.load()
    item = beet.library.items("title:T2")[0]
    beat = 60 / 126
    item.update({"tempo_first_beat": 0.3, "tempo_downbeat": 0.3 + beat})
    item.store()
    monkeypatch.setattr(sys, "stdin", io.StringIO("2\nq\n"))
    beet("tempo", "--review")
    grids = [np.arange(0.3, 15, beat), np.arange(0.3 + beat, 15, 2 * beat)]
    for number, grid in enumerate(grids):
        expected = [time - 5 for time in grid if 5 <= time < 15]
        assert player.clicks(number) == pytest.approx(expected, abs=0.002)


def test_without_a_grid_the_clicks_are_with_the_music(
    beet: Beet, make_audio: MakeAudio, player: FakePlayer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The louder of music and clicks is where both are: then the peaks are those of both."""
    beet.load()
    path = make_audio("house.flac", bpm=120, style="rock", duration=20, title="T", artist="B")
    beet.add(path, **{**UNSURE, "bpm": 120, "tempo_bpm": 120.0, "tempo_marker": f"120.00 {MODEL}"})
    monkeypatch.setattr(sys, "stdin", io.StringIO("q\n"))
    beet("tempo", "--review")
    with wave.open(str(player.path.parent / "played" / "0.wav")) as file:
        audio = np.frombuffer(file.readframes(file.getnframes()), "<i2") / 32767
    # A beat of 120 BPM is half a second, and the excerpt begins with one.
    beats = np.abs(audio[: 20 * 22050].reshape(20, 22050))
    at_beat = beats[:, :2000].max(axis=1).mean() + beats[:, -1500:].max(axis=1).mean()
    between = beats[:, 9000:13000].max(axis=1).mean()
    assert at_beat > between + 0.3


@mostly_slow(
    ("setting", "installed", "message"),
    [
        (None, None, "neither ffplay nor mpv found: going on without sound"),
        ("my-player --loud", None, "my-player found: going on without sound"),
        (False, None, None),
        ("my-player --loud", PLAYER, None),
        (None, "#!/bin/sh\necho no device >&2\nexit 3\n",
         "ffplay cannot play (no device): going on without sound"),
    ], quick=3,
)  # fmt: skip
def test_players(
    setting: Any, installed: str | None, message: str | None, beet: Beet, tracks: list[Path],
    player: FakePlayer, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    (player.path / "ffplay").unlink()
    if installed:
        player.install(setting.split()[0] if setting else "ffplay", installed)
    monkeypatch.setenv("PATH", f"{player.path}:/bin" if installed else str(player.path))
    beet.configure(tempo={"player": setting})
    monkeypatch.setattr(sys, "stdin", io.StringIO("s\nk\n"))
    run = beet("tempo", "--review", "title::T[02]")
    assert (run.code, run.err) == (0, "")
    assert run.out.count("going on without sound") == (message is not None)
    if message:
        assert f"{message}\n" in run.out
    assert ("playing" in run.out) == (installed == PLAYER)
    assert len(player.calls) == (2 if installed == PLAYER else 0)
    if installed == PLAYER:
        assert player.calls[0].startswith(f"{player.path}/my-player --loud /")


@pytest.mark.parametrize("value", [True, 3, "", "'mpv", ["mpv"]])
def test_what_is_no_player(value: Any, beet: Beet) -> None:
    beet.configure(tempo={"player": value})
    run = beet("tempo", "--review")
    assert run.code == 1
    assert run.err.startswith("configuration error: tempo.player: must be a program")


def test_a_file_that_cannot_be_decoded_is_asked_about_without_sound(
    beet: Beet, tracks: list[Path], player: FakePlayer, monkeypatch: pytest.MonkeyPatch
) -> None:
    tracks[2].write_bytes(b"RIFF nothing")
    monkeypatch.setattr(sys, "stdin", io.StringIO("o\nq\n"))
    run = beet("tempo", "--review")
    assert "cannot be played: " in run.out
    assert run.code == 1  # its tag cannot be written either, which the next run tries again
    assert run.err.startswith(f"tempo: {tracks[2]}: ")
    assert beet.item("title:T2").bpm == 63


def test_keys_that_mean_nothing_are_explained(
    beet: Beet, tracks: list[Path], player: FakePlayer, monkeypatch: pytest.MonkeyPatch
) -> None:
    library = beet.library
    item = library.items("title:T2")[0]
    item.update({"bpm": 250, "tempo_bpm": 250.0, "tempo_marker": f"250.00 {MODEL}"})
    item.store()
    monkeypatch.setattr(sys, "stdin", io.StringIO("x\nd\nq\n"))
    run = beet("tempo", "--review", "title:T2")
    assert run.out.count(KEYS) == 2
    assert "500.00 BPM is no tempo\n" in run.out
    assert beet.item("title:T2").bpm == 250


def test_readings_go_by_the_paces(beet: Beet) -> None:
    beet.load()
    assert readings_of(Item(**UNSURE)).second == 63.0  # type: ignore[union-attr]
    for paces, other in (("126:0.9 252:0.8 63:0.1", 252.0), ("126:0.9 42:0.8", 63.0), ("", 63.0)):
        readings = readings_of(Item(**{**UNSURE, "tempo_paces": paces}))
        assert readings is not None
        assert (readings.first, readings.second) == (126.0, other)
    assert readings_of(Item(bpm=126)) is None


@pytest.mark.slow
def test_nothing_of_it_stays_in_the_temporary_folder(
    beet: Beet, tracks: list[Path], player: FakePlayer, tmp_path: Path
) -> None:
    (tmp_path / "temporary").mkdir()
    done = subprocess.run(
        [sys.executable, "-m", "beets", "tempo", "--review"],
        input="1\nq\n", text=True, capture_output=True, timeout=60,
        env={**os.environ, "TMPDIR": str(tmp_path / "temporary")},
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert len(player.calls) == 2
    assert list((tmp_path / "temporary").iterdir()) == []
