"""Tracks with all that makes exports difficult."""

from __future__ import annotations

import pytest

from tempo_core.beatgrid import Grid, Section, steady
from tempo_core.clock import Clock, Mp3Header
from tempo_core.exports.track import ExportTrack
from tempo_core.keys import Key

LAME = Clock(Mp3Header.VALID, 1105 / 44100, 1152 / 44100, 44100)
# Quotes, marks of XML, an emoji, a percent sign, characters that end addresses, decomposed accents
ODD = 'Don\'t "stop" & <go> 100% #1? ü e\u0301 😀'


@pytest.fixture
def tracks() -> list[ExportTrack]:
    changing = Grid((Section(0.25, 120.5, 3), Section(61.0, 126.25, 1)))
    return [
        ExportTrack(
            f"/music/{ODD}.mp3", ODD, "A & B", "<Album>", "House; Techno", "=1+1 \x00\x1b[31m\nx",
            3, 1999, 245.25, 127.98, Key(9, True), steady(0.5125, 127.98, 0.5125), LAME, 0.93,
            (128.0, 64.0), 320000, 44100, 9_812_345,
        ),
        ExportTrack("/music/plain.flac", "-dash", "=SUM(A1)", bpm=120.5, key=Key(3, False),
                    grid=changing, duration=300),
        ExportTrack("C:\\Music\\DJ\\a b.mp3", "Windows", bpm=174.0, grid=steady(1.0, 174.0)),
        ExportTrack("\\\\nas\\share\\x.wav", key=Key(6, True)),
        ExportTrack("/Users/me/Music/y.m4a", "Y", grid=steady(0.0, 90.0, 2.0), bpm=90.0),
        ExportTrack("/Volumes/USB/z.aiff", "Z"),
    ]  # fmt: skip
