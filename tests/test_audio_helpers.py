"""Tests of the test helpers: tempo, formats and isolation are what they claim."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import av
import numpy as np
import pytest
from mediafile import MediaFile

from .audio import FORMATS, STYLES, click_track, drum_pattern, write_audio, write_bad_files
from .conftest import MakeAudio, NetworkBlocked


def decode(path: Path) -> tuple[np.ndarray, int]:
    """(n_channels, n_samples) and the sample rate, straight from libav."""
    with av.open(str(path)) as container:
        stream = container.streams.audio[0]
        planar = av.AudioResampler("fltp")
        frames = [out.to_ndarray() for f in container.decode(stream) for out in planar.resample(f)]
        return np.concatenate(frames, axis=1), stream.rate


@pytest.mark.parametrize("bpm", [47.3, 120, 219])
def test_click_track_has_a_click_on_every_beat(bpm: float) -> None:
    sr = 22050
    audio = click_track(bpm, 20, sr)
    onsets = np.flatnonzero((np.abs(audio[1:]) > 0) & (audio[:-1] == 0))
    gaps = np.diff(onsets[np.r_[True, np.diff(onsets) > 0.1 * sr]]) / sr
    assert np.mean(gaps) == pytest.approx(60 / bpm, abs=1e-4)
    assert len(audio) == 20 * sr


@pytest.mark.parametrize("style", STYLES)
def test_bars_of_a_pattern_repeat_at_the_tempo(style: str) -> None:
    """The autocorrelation of the loudness peaks at the length of a bar and not beside it."""
    sr, bpm = 8000, 100.0
    audio = drum_pattern(bpm, 30, sr, style, np.random.default_rng(3))
    assert np.abs(audio).max() == pytest.approx(0.8)
    hop = 40  # 5 ms
    energy = (audio[: len(audio) // hop * hop].reshape(-1, hop) ** 2).mean(1)
    onsets = np.maximum(0, np.diff(np.log(energy + 1e-4)))
    onsets = np.convolve(onsets - onsets.mean(), np.ones(3), "same")
    correlation = np.correlate(onsets, onsets, "full")[len(onsets) - 1 :]
    bar = STYLES[style].beats * 60 / bpm * sr / hop
    around = np.arange(round(0.9 * bar), round(1.1 * bar))
    assert around[correlation[around].argmax()] == pytest.approx(bar, abs=2)


def test_the_same_seed_gives_the_same_samples() -> None:
    one, two, other = (
        drum_pattern(128, 5, 22050, "rock", np.random.default_rng(seed)) for seed in (1, 1, 2)
    )
    assert np.array_equal(one, two)
    assert not np.array_equal(one, other)


@pytest.mark.parametrize("suffix", FORMATS)
def test_every_format_decodes_to_its_music_and_takes_tags(
    suffix: str, make_audio: MakeAudio
) -> None:
    path = make_audio(f"a.{suffix}", duration=4, title="Ünï", artist="B", bpm=126, seed=5)
    media = MediaFile(path)
    assert (media.title, media.artist) == ("Ünï", "B")
    decoded, sr = decode(path)
    assert decoded.shape[0] == 2
    assert decoded.shape[1] / sr == pytest.approx(4, abs=0.15)  # codecs pad their first frame
    assert np.abs(decoded).max() > 0.5
    assert media.length == pytest.approx(4, abs=0.15)


@pytest.mark.parametrize(
    ("name", "sr", "channels"),
    [("a.wav", 8000, 1), ("a.wav", 192_000, 2), ("a.flac", 96_000, 6), ("a.m4a", 48_000, 6)],
)
def test_unusual_rates_and_channels_are_kept(
    name: str, sr: int, channels: int, make_audio: MakeAudio
) -> None:
    decoded, decoded_sr = decode(make_audio(name, duration=2, sr=sr, channels=channels))
    assert (decoded.shape[0], decoded_sr) == (channels, sr)


def test_float_wav_keeps_nan(tmp_path: Path) -> None:
    samples = click_track(120, 2)
    samples[100:200] = np.nan
    decoded, _ = decode(write_audio(tmp_path / "nan.wav", samples, 22050, subtype="FLOAT"))
    assert np.isnan(decoded[0, 100:200]).all()
    assert np.isfinite(decoded[0, 200:]).all()


def test_unknown_extension_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no encoder"):
        write_audio(tmp_path / "a.xyz", np.zeros(10), 8000)


def test_bad_files_are_of_the_kind_they_say(tmp_path: Path) -> None:
    bad = write_bad_files(tmp_path)
    assert not bad["missing"].exists()
    assert bad["dangling"].is_symlink()
    assert not bad["dangling"].exists()
    assert bad["empty"].stat().st_size == 0
    assert not np.any(decode(bad["silent"])[0])
    with av.open(str(bad["no audio stream"])) as container:
        assert not container.streams.audio
        assert container.streams.video


@pytest.mark.parametrize(
    "address", [("192.0.2.1", 80), ("2001:db8::1", 80, 0, 0)], ids=["IPv4", "IPv6"]
)
def test_connections_beyond_loopback_are_blocked(address: tuple[str, int]) -> None:
    family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    with socket.socket(family) as sock:
        for connect in (sock.connect, sock.connect_ex):
            with pytest.raises(NetworkBlocked):
                connect(address)
    with socket.socket(family, socket.SOCK_DGRAM) as sock, pytest.raises(NetworkBlocked):
        sock.sendto(b"", address)


def test_names_beyond_this_machine_are_not_looked_up() -> None:
    with pytest.raises(NetworkBlocked):
        socket.create_connection(("example.invalid", 80))
    with pytest.raises(NetworkBlocked):
        socket.gethostbyname("example.invalid")


def test_loopback_stays_open() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        socket.create_connection(("localhost", server.getsockname()[1])).close()


def test_home_is_a_temporary_folder(home: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    assert Path.home() == home
    assert home.is_relative_to(tmp_path_factory.getbasetemp())
    assert Path(os.environ["BEETSDIR"]).is_relative_to(home)
