"""Where time begins in files of each format, and what other programs count."""

from __future__ import annotations

import shutil
import struct
import subprocess
from pathlib import Path

import numpy as np
import pytest
import soundfile
from mutagen.mp4 import MP4, AtomDataType, MP4FreeForm

from tempo_core.audio import AudioFile
from tempo_core.beatgrid import Grid, Section, steady
from tempo_core.clock import Clock, Mp3Header, Player, read_clock, shifted
from tempo_core.errors import AudioError

from ..audio import write_audio, write_encoded

SR = 44100
CLICK = 44100  # sample at which the click is loudest


def click() -> np.ndarray:
    """Three seconds with one short, symmetric click."""
    audio = np.zeros(3 * SR, np.float32)
    n = np.arange(-220, 221)
    audio[CLICK - 220 : CLICK + 221] = 0.9 * np.hanning(441) * np.cos(2 * np.pi * 1000 * n / SR)
    return audio


def heard(path: Path) -> float:
    """How much later than it was encoded the click is heard [samples at 44100 Hz]."""
    with AudioFile(path) as file:
        (excerpt,) = file.read_all(SR)
    n = np.arange(-220, 221)
    form = np.hanning(441) * np.cos(2 * np.pi * 1000 * n / SR)
    match = np.correlate(excerpt.audio, form, "same")
    return float(excerpt.start * SR + np.argmax(match) - CLICK)


@pytest.fixture(scope="module")
def mp3(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An mp3 of LAME with its whole tag."""
    path = tmp_path_factory.mktemp("mp3") / "lame.mp3"
    soundfile.write(path, click(), SR, format="MP3", subtype="MPEG_LAYER_III")
    return path


def variant(mp3: Path, path: Path, kind: str) -> Path:
    """The same audio with another header."""
    data = bytearray(mp3.read_bytes())
    at = next(k for name in (b"Info", b"Xing") if (k := data.find(name)) >= 0)
    tag = data.find(b"LAME", at)
    if kind == "no header":
        start = data.find(b"\xff\xfb", at)
        data = data[start:]
    elif kind == "no tag":
        data[tag : tag + 36] = bytes(36)
    elif kind == "libav":
        data[tag : tag + 9] = b"Lavc60.31"
    elif kind == "no checksum":
        data[tag + 34 : tag + 36] = b"\0\0"
    elif kind == "wrong checksum":
        data[tag + 34] ^= 0x55
    elif kind == "id3":
        data = bytearray(b"ID3\x04\0\0\0\0\x08\0") + bytes(1024) + data
    path.write_bytes(data)
    return path


@pytest.mark.parametrize(
    ("kind", "header", "late", "rekordbox", "traktor", "mixxx", "mac"),
    [
        ("whole", Mp3Header.VALID, 0, 2257, 2257, 1105, 0),
        ("id3", Mp3Header.VALID, 0, 2257, 2257, 1105, 0),
        ("no checksum", Mp3Header.INVALID, 0, 1105, 2257, 1105, 0),
        ("wrong checksum", Mp3Header.INVALID, 0, 1105, 2257, 1105, 0),
        ("libav", Mp3Header.PLAIN, 0, 1105, 2257, 1105, 576),
        ("no tag", Mp3Header.PLAIN, 1105, 0, 1152, 0, -529),
        ("no header", Mp3Header.NONE, 1105, 0, 0, -1152, -529),
    ],
)
def test_mp3_by_its_header(
    mp3: Path, tmp_path: Path, kind: str, header: Mp3Header, late: int, rekordbox: int,
    traktor: int, mixxx: int, mac: int,
) -> None:  # fmt: skip
    path = variant(mp3, tmp_path / "x.mp3", kind)
    assert heard(path) == late
    clock = read_clock(path)
    assert clock.mp3 is header
    offsets = [clock.offset(player) * SR for player in Player]
    assert offsets == pytest.approx([rekordbox, traktor, mixxx, mac], abs=1e-6)
    # The delay that libav leaves out is the one in the header.
    assert clock.delay * SR + late == pytest.approx(1105)


@pytest.mark.parametrize("ending", ["wav", "aiff", "flac", "ogg", "opus"])
def test_formats_that_keep_time(tmp_path: Path, ending: str) -> None:
    # An Ogg file whose audio fits into one page has no time stamp that tells of its first packet;
    # noise makes it a longer one.
    noise = 0.05 * np.random.default_rng(0).standard_normal(3 * SR).astype(np.float32)
    path = write_audio(tmp_path / f"x.{ending}", click() + noise, SR)
    assert abs(heard(path)) <= 1
    assert read_clock(path) == Clock()


def test_aac_with_an_edit_list(tmp_path: Path) -> None:
    path = write_audio(tmp_path / "x.m4a", click(), SR)
    assert heard(path) == 0
    clock = read_clock(path)
    assert clock.offset(Player.REKORDBOX) * SR == pytest.approx(1024)
    assert clock.offset(Player.TRAKTOR) == clock.offset(Player.MIXXX) == 0


def test_aac_without_an_edit_list(tmp_path: Path) -> None:
    audio = click()[:, None]
    path = write_encoded(
        tmp_path / "x.m4a", audio, SR, "ipod", "aac", 192000, options={"use_editlist": "0"}
    )
    assert heard(path) == 1024  # nobody can know of the delay
    assert read_clock(path) == Clock()
    file = MP4(path)
    noted = b" 00000000 00000400 00000000 0000000000020400 00000000"
    file["----:com.apple.iTunes:iTunSMPB"] = [MP4FreeForm(noted, AtomDataType.UTF8)]
    file.save()
    assert heard(path) == 0  # as iTunes notes it, libav leaves it out
    assert read_clock(path).delay * SR == pytest.approx(1024)


def test_wma_is_late_and_says_nothing(tmp_path: Path) -> None:
    path = write_audio(tmp_path / "x.wma", click(), SR)
    assert 1900 < heard(path) < 2100
    assert read_clock(path) == Clock()


@pytest.mark.slow
def test_what_ffmpeg_writes(tmp_path: Path) -> None:
    if shutil.which("ffmpeg") is None:
        pytest.skip("there is no ffmpeg")
    soundfile.write(tmp_path / "x.wav", click(), SR)
    for xing, header, late in (("1", Mp3Header.PLAIN, 0), ("0", Mp3Header.NONE, 1105)):
        path = tmp_path / f"{xing}.mp3"
        subprocess.run(
            ["ffmpeg", "-loglevel", "error", "-i", tmp_path / "x.wav", "-write_xing", xing, path],
            check=True,
        )
        assert heard(path) == late
        assert read_clock(path).mp3 is header


def test_what_is_no_audio_has_no_clock_of_its_own(tmp_path: Path, mp3: Path) -> None:
    path = tmp_path / "x.mp3"
    data = mp3.read_bytes()
    for content in (
        b"x", b"\xff", b"\xff\xfb\x90", b"ID3", b"ID3\x04\0\0\x7f\x7f\x7f\x7f", b"RIFF" * 100,
        struct.pack(">I", 24) + b"ftypM4A " + bytes(12), b"ID3\x04\0\0\0\0\0\x01" * 10, data[:60],
    ):  # fmt: skip
        path.write_bytes(content)
        assert read_clock(path).delay == 0
    with pytest.raises(AudioError, match="no such file"):
        read_clock(tmp_path / "none")


def test_a_grid_is_moved_and_keeps_its_bars() -> None:
    assert shifted(steady(1.0, 120.0, 1.5), 0.25) == steady(1.25, 120.0, 1.75)
    assert shifted(steady(0.01, 120.0, 0.01), -0.026).sections[0] == Section(0.484, 120.0, 2)
    two = Grid((Section(0.01, 120.0, 1), Section(0.02, 90.0, 1)))
    assert shifted(two, -0.015).sections == (Section(pytest.approx(0.005), 90.0, 1),)
    grid = steady(1.0, 120.0)
    assert shifted(grid, 0.0) is grid
