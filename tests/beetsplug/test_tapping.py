"""Tests of `beet tempo --tap`: the tempo of taps, and tapping in a real terminal."""

from __future__ import annotations

import io
import signal
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from mediafile import MediaFile

from beetsplug.tempo.tapping import PAUSE, TapMeter

from ..conftest import MakeAudio
from ..terminal import Terminal
from .conftest import Beet

MODEL = "model:x@01234567"


def meter(*times: float) -> TapMeter:
    tapped = TapMeter()
    for when in times:
        tapped.tap(when)
    return tapped


def test_the_mean_of_unsteady_taps(rng: np.random.Generator) -> None:
    times = np.arange(24) * 60 / 127 + rng.normal(0, 0.02, 24)
    assert meter(*times).bpm == pytest.approx(127, abs=1.0)


@pytest.mark.parametrize("n_taps", [0, 1, 2])
def test_few_taps_are_no_tempo(n_taps: int) -> None:
    assert meter(*range(n_taps)).bpm is None


def test_missed_and_double_taps_are_left_out() -> None:
    times = [0.0, 0.5, 1.0, 1.5, 2.5, 3.0, 3.05, 3.5, 4.0, 4.5]
    assert meter(*times).bpm == pytest.approx(120, abs=2)


def test_after_a_pause_it_begins_anew() -> None:
    slow = [k * 1.0 for k in range(8)]
    fast = [slow[-1] + PAUSE + 0.01 + k * 0.4 for k in range(5)]
    tapped = meter(*slow, *fast)
    assert tapped.n_taps == 5
    assert tapped.bpm == pytest.approx(150)
    assert meter(*(k * PAUSE for k in range(4))).bpm == pytest.approx(20)  # the slowest tempo


def test_taps_at_one_time_are_no_tempo() -> None:
    assert meter(1.0, 1.0, 1.0).bpm is None


@pytest.fixture
def track(beet: Beet, make_audio: MakeAudio) -> Path:
    path = make_audio("a.mp3", duration=2, title="A", artist="B", albumartist="B")
    beet.add(path, bpm=90)
    return path


def tapping(*options: str) -> Terminal:
    return Terminal(["-m", "beets", "tempo", "--tap", *options, "title:A"])


def tap(terminal: Terminal, bpm: float, n_taps: int) -> None:
    """Tap with the beat; the clock says when, however long the system takes in between."""
    begin = time.monotonic()
    for k in range(n_taps):
        time.sleep(max(0.0, begin + k * 60 / bpm - time.monotonic()))
        terminal.press(" ")
        terminal.until(f"{k + 1} tap")


def test_tapping_in_a_terminal(beet: Beet, track: Path) -> None:
    with tapping("--lock") as terminal:
        terminal.until("Enter accepts")
        terminal.press("\n")
        terminal.until("0 taps, go on")
        tap(terminal, 300, 6)
        terminal.press("h")
        terminal.until("BPM")
        terminal.press("\n")
        code, shown = terminal.end()
        assert (code, "1 track set, 0 failed" in shown) == (0, True)
        assert terminal.modes == terminal.before
    beet.load()
    item = beet.item()
    assert item.tempo_bpm == pytest.approx(150, rel=0.1)
    assert item.tempo_locked == item.tempo_bpm
    assert (item.tempo_source, item.bpm) == ("manual", MediaFile(track).bpm)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("how", "message"),
    [("q", "nothing was changed"), pytest.param("\x03", "interrupted", marks=pytest.mark.slow)],
)
def test_leaving_changes_nothing(how: str, message: str, beet: Beet, track: Path) -> None:
    before = track.read_bytes()
    with tapping() as terminal:
        terminal.until("Enter accepts")
        tap(terminal, 300, 4)
        if how == "\x03":
            terminal.process.send_signal(signal.SIGINT)
        else:
            terminal.press(how)
        code, shown = terminal.end()
        assert (code, message in shown) == (1, True)
        assert terminal.modes == terminal.before
    assert beet.item().bpm == 90
    assert track.read_bytes() == before


class Tapped:
    """Standard input that gives a line now and then, as somebody types them into a pipe."""

    def __init__(self, lines: list[str], step: float) -> None:
        self._lines = iter(lines)
        self._step = step

    def readline(self) -> str:
        time.sleep(self._step)
        return next(self._lines, "")

    def isatty(self) -> bool:
        return False


@pytest.mark.slow
def test_lines_count_where_there_is_no_terminal(
    beet: Beet, track: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", Tapped(["\n"] * 8 + ["h\n"], 60 / 600))
    run = beet("tempo", "--tap", "-p", "title:A")
    assert run.code == 0, run.err
    assert "8 taps" in run.out
    assert run.out.endswith("tempo: would have: 1 track set, 0 failed\n")
    assert beet.item().bpm == 90


@pytest.mark.slow
def test_where_the_audio_agrees_its_precision_counts(
    beet: Beet, track: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    item = beet.item()
    item.update({"bpm": 300, "tempo_bpm": 300.25, "tempo_source": MODEL, "tempo_verdict": "set",
                 "tempo_paces": "300.2:0.9"})  # fmt: skip
    item.store()
    monkeypatch.setattr(sys, "stdin", Tapped(["\n"] * 6, 60 / 299))
    run = beet("tempo", "--tap", "-W", "title:A")
    assert run.code == 0, run.err
    assert "the audio has 300.25 BPM" in run.out
    assert (beet.item().tempo_bpm, beet.item().tempo_source) == (300.25, "manual")


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["title:A"], "no tempo was tapped; nothing was changed"),
        (["title:X"], "no track matches; give a query that matches one"),
        ([], "2 tracks match, give one of them:\n  B - A\n  B - C"),
    ],
)
def test_what_cannot_be_tapped(
    args: list[str], message: str, beet: Beet, track: Path, make_audio: MakeAudio,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    beet.add(make_audio("c.mp3", duration=2, title="C", artist="B"))
    beet.configure(format_item="$artist - $title")
    monkeypatch.setattr(sys, "stdin", io.StringIO("\n"))
    run = beet("tempo", "--tap", *args)
    assert (run.code, run.err) == (1, f"error: {message}\n")


def test_a_locked_track_is_not_tapped(beet: Beet, track: Path) -> None:
    beet("tempo", "--lock", "title:A")
    run = beet("tempo", "--tap", "title:A")
    assert (run.code, run.out) == (1, "")
    assert run.err == "error: B - A: it is locked at 90.00 BPM; --unlock lets go of it\n"
