"""Tests of decoding: formats, sample rates, parts of files, and files that are no music."""

from __future__ import annotations

import errno
import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tempo_core.audio import AudioFile, read_excerpts
from tempo_core.errors import AudioError
from tempo_core.excerpts import Excerpt, check, sounding
from tempo_core.reading import RegularFile
from tests.audio import FORMATS, click_track, write_audio
from tests.formats import EACH_FORMAT
from tests.rows import mostly_slow

SR = 11025


def _tone(duration: float, sr: int) -> np.ndarray:
    """A tone that rises by 100 Hz a second, so that every place in it sounds different."""
    t = np.arange(round(duration * sr)) / sr
    return (0.5 * np.sin(2 * np.pi * (200 * t + 50 * t**2))).astype(np.float32)


@pytest.mark.parametrize("suffix", FORMATS)
def test_every_format_decodes_to_the_same_music(tmp_path: Path, suffix: str) -> None:
    source = _tone(8, 44100)
    path = write_audio(tmp_path / f"tone.{suffix}", source, 44100)
    (excerpt,) = read_excerpts(path, SR, None)
    assert excerpt.audio.dtype == np.float32
    # Encoders pad: a few thousand samples more or less at the ends.
    assert excerpt.audio.size / SR == pytest.approx(8, abs=0.15)
    middle = excerpt.audio[2 * SR : 3 * SR]
    peak = np.argmax(np.abs(np.fft.rfft(middle * np.hanning(middle.size))))
    assert peak == pytest.approx(200 + 100 * 2.5, abs=12)


@mostly_slow("suffix", EACH_FORMAT, quick=1)
def test_a_span_is_the_same_audio_as_that_part_of_the_whole(tmp_path: Path, suffix: str) -> None:
    """A span has the same samples as that part of the whole file, as the refinement requires."""
    rng = np.random.default_rng(3)
    noise = np.convolve(rng.normal(size=20 * 22050), np.hanning(24), "same").astype(np.float32)
    path = write_audio(tmp_path / f"noise.{suffix}", 0.1 * noise / noise.std(), 22050)
    (whole,) = read_excerpts(path, SR, None)
    for start in (3.0, 11.5, 16.25):
        (part,) = read_excerpts(path, SR, [(start, 2.0)])
        assert part.audio.size == pytest.approx(2 * SR, abs=2)
        begin = round((part.start - whole.start) * SR)
        best = max(
            range(-60, 61),
            key=lambda lag: float(
                np.dot(whole.audio[begin + lag : begin + lag + SR], part.audio[:SR])
            ),
        )
        assert abs(best) / SR < 0.001
        again = whole.audio[begin + best : begin + best + SR]
        assert np.corrcoef(again, part.audio[:SR])[0, 1] > 0.95


@pytest.mark.parametrize("sr", [8000, 44100, 192000])
@mostly_slow("channels", [1, 2, 6], quick=(0, 2))
def test_any_rate_and_number_of_channels(tmp_path: Path, sr: int, channels: int) -> None:
    samples = np.repeat(click_track(120, 2.0, sr)[:, None], channels, axis=1)
    (excerpt,) = read_excerpts(write_audio(tmp_path / "a.wav", samples, sr), SR, None)
    assert excerpt.audio.ndim == 1
    assert excerpt.audio.size / SR == pytest.approx(2.0, abs=0.01)
    assert 0.05 < np.abs(excerpt.audio).max() <= 3.0


def test_a_span_past_the_end_is_shorter_or_missing(tmp_path: Path) -> None:
    path = write_audio(tmp_path / "a.flac", click_track(120, 5.0), 22050)
    (short,) = read_excerpts(path, SR, [(4.0, 3.0)])
    assert short.audio.size / SR == pytest.approx(1.0, abs=0.05)
    assert read_excerpts(path, SR, [(60.0, 3.0)]) == []


def test_duration_is_known(tmp_path: Path) -> None:
    for suffix in FORMATS:
        path = write_audio(tmp_path / f"a.{suffix}", click_track(120, 5.0), 22050)
        with AudioFile(path) as file:
            assert file.duration == pytest.approx(5.0, abs=0.15), suffix


def test_the_wrong_extension_does_not_matter(tmp_path: Path) -> None:
    path = write_audio(tmp_path / "a.mp3", click_track(120, 3.0), 22050)
    renamed = path.rename(tmp_path / "a.flac")
    assert read_excerpts(renamed, SR, None)[0].audio.size > 2 * SR


def test_a_truncated_file_gives_what_is_left_of_it(tmp_path: Path) -> None:
    path = write_audio(tmp_path / "a.mp3", click_track(120, 10.0), 22050)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    (excerpt,) = read_excerpts(path, SR, None)
    assert excerpt.audio.size / SR == pytest.approx(5.0, abs=0.5)


def test_files_of_different_rates_and_channels_joined_to_one(tmp_path: Path) -> None:
    """Joined files of different rates and channels, as programs and radio stations make them."""
    stereo = np.repeat(_tone(4, 44100)[:, None], 2, axis=1)
    parts = (
        write_audio(tmp_path / "a.mp3", stereo, 44100),
        write_audio(tmp_path / "b.mp3", _tone(3, 22050), 22050),
        write_audio(tmp_path / "c.mp3", _tone(3, 44100), 44100),
    )
    joined = tmp_path / "joined.mp3"
    joined.write_bytes(b"".join(part.read_bytes() for part in parts))
    (excerpt,) = read_excerpts(joined, SR, None)
    assert excerpt.audio.size / SR == pytest.approx(10, abs=0.3)
    for start in (1.0, 5.5, 8.5):  # [s] in the parts: 1, 1.5 and 1.5
        piece = excerpt.audio[round(start * SR) : round((start + 0.5) * SR)]
        peak = 2 * np.argmax(np.abs(np.fft.rfft(piece * np.hanning(piece.size))))
        inside = start - (0 if start < 4 else 4 if start < 7 else 7)
        assert peak == pytest.approx(200 + 100 * (inside + 0.25), abs=15)


def test_bytes_paths_and_odd_names(tmp_path: Path) -> None:
    path = write_audio(tmp_path / "a.wav", click_track(120, 2.0), 22050)
    odd = path.rename(tmp_path / "Ünïcode — 100% [x] 東京.wav")
    assert read_excerpts(bytes(odd), SR, None)[0].audio.size == pytest.approx(2 * SR, abs=2)


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (lambda p: None, "no such file"),
        (lambda p: p.mkdir(), "not a regular file"),
        (lambda p: p.write_bytes(b""), "empty"),
        (lambda p: p.write_bytes(b"not music at all" * 99), "cannot be opened as audio"),
        (lambda p: p.symlink_to(p.parent / "gone"), "no such file"),
    ],
)
def test_what_is_no_music_is_one_clear_error(
    tmp_path: Path, write: Callable[[Path], object], message: str
) -> None:
    path = tmp_path / "bad.mp3"
    write(path)
    with pytest.raises(AudioError, match=message) as caught:
        read_excerpts(path, SR, None)
    assert "\n" not in str(caught.value)


def test_bytes_without_a_packet_are_damage_and_no_lack_of_permission(tmp_path: Path) -> None:
    path = tmp_path / "bytes.flac"
    path.write_bytes(np.random.default_rng(0).bytes(40_000))
    with AudioFile(path) as file:
        list(file.stream(SR, 1.0))
        with pytest.raises(AudioError, match=r"cannot be decoded \(it is damaged\)"):
            file.read(SR, [(0.5, 1.0)])


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("n_channels", [1, 2, 6])
def test_samples_that_are_no_numbers(tmp_path: Path, value: float, n_channels: int) -> None:
    samples = np.tile(click_track(120, 3.0)[:, None], n_channels)
    samples[1000, 0] = value
    with pytest.raises(AudioError, match="finite"):
        read_excerpts(write_audio(tmp_path / "nan.wav", samples, 22050, subtype="FLOAT"), SR, None)


@pytest.mark.parametrize(
    ("duration", "gain", "message"),
    [(0.1, 1.0, "too short"), (5.0, 0.0, "silent"), (5.0, 1e-6, "silent")],
)
def test_too_short_or_silent(tmp_path: Path, duration: float, gain: float, message: str) -> None:
    path = write_audio(tmp_path / "a.wav", gain * click_track(120, duration), 22050)
    excerpts = read_excerpts(path, SR, None)
    with pytest.raises(AudioError, match=message):
        check(excerpts, SR)


def test_silence_around_music_is_cut_off() -> None:
    sr = 8000
    rng = np.random.default_rng(0)
    music = 0.5 * rng.standard_normal(3 * sr).astype(np.float32)
    music[sr : 2 * sr] = 0  # a pause is part of it
    hum = np.full(2 * sr, 1e-3, np.float32)  # -54 dB of the music's peak, at least
    excerpts = [
        Excerpt(np.concatenate([hum, music, hum]), 10.0),
        Excerpt(np.zeros(5 * sr, np.float32), 30.0),
        Excerpt(np.concatenate([0 * music, music[: sr // 2]]), 50.0),
        Excerpt(music[: sr // 50], 70.0),
    ]
    (found,) = sounding(excerpts, sr)
    assert found.start == 12
    np.testing.assert_array_equal(found.audio, music)
    quiet = Excerpt(1e-3 * music, 0.0)
    assert sounding([quiet], sr)[0].audio.size == music.size


@pytest.mark.parametrize("after", [0, 100_000])
def test_a_disk_that_fails_is_no_end_of_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    path = write_audio(tmp_path / "a.wav", _tone(10, 44100), 44100)
    read = RegularFile._read

    def broken(self: RegularFile, size: int | None) -> bytes:
        if io.FileIO.tell(self) >= after:
            raise OSError(errno.EIO, "Input/output error")
        return read(self, size)

    monkeypatch.setattr(RegularFile, "_read", broken)
    with pytest.raises(AudioError, match="Input/output error"):
        read_excerpts(path, SR, None)
