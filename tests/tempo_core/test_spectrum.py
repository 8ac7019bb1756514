"""Tests of spectrograms, with known signals and against librosa."""

from __future__ import annotations

import librosa
import numpy as np
import pytest

from tempo_core.config import FrontEnd
from tempo_core.spectrum import Mel, compress, mel_spectrogram, onset_strength
from tests.audio import click_track
from tests.models import filterbank
from tests.rows import mostly_slow

FRONT_END = FrontEnd()


def _features(audio: np.ndarray) -> np.ndarray:
    return mel_spectrogram(audio, FRONT_END, filterbank())


@pytest.mark.slow
@mostly_slow(
    "front_end",
    [FRONT_END, FrontEnd(n_fft=800, hop_length=100, n_mels=32), FrontEnd(n_mels=41, fmax=4000.0)],
    quick=1,
)
def test_mel_spectrogram_is_that_of_librosa(front_end: FrontEnd) -> None:
    audio = np.random.default_rng(0).normal(size=3 * front_end.sr).astype(np.float32)
    bands = {"n_mels": front_end.n_mels, "fmin": front_end.fmin, "fmax": front_end.fmax}
    filters = librosa.filters.mel(sr=front_end.sr, n_fft=front_end.n_fft, **bands)
    expected = librosa.feature.melspectrogram(
        y=audio, sr=front_end.sr, n_fft=front_end.n_fft, hop_length=front_end.hop_length,
        power=1.0, pad_mode="constant", **bands,
    )  # fmt: skip
    found = mel_spectrogram(audio, front_end, filters)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4)


def test_the_shipped_filterbank_is_that_of_librosa() -> None:
    expected = librosa.filters.mel(
        sr=FRONT_END.sr, n_fft=FRONT_END.n_fft, n_mels=FRONT_END.n_mels, fmin=FRONT_END.fmin,
        fmax=FRONT_END.fmax,
    )  # fmt: skip
    np.testing.assert_allclose(filterbank(), expected, atol=1e-7)


@pytest.mark.parametrize("n_samples", [1, 127, 128, 4000, 4096 + 1, 32 * 128, 33 * 128 - 1])
def test_there_is_a_frame_for_every_hop(n_samples: int) -> None:
    """There is a frame for every hop, also where the blocks of the computation meet."""
    audio = np.random.default_rng(0).normal(size=n_samples).astype(np.float32)
    features = _features(audio)
    assert features.shape == (40, n_samples // 128 + 1)
    # The last frame alone, from the samples around its centre.
    centre = features.shape[1] - 1
    padded = np.pad(audio, 512)[centre * 128 :][:1024]
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(1024) / 1024)
    expected = filterbank() @ np.abs(np.fft.rfft(padded * window))
    np.testing.assert_allclose(features[:, -1], expected, rtol=1e-3, atol=1e-5)


def test_batches_are_computed_like_single_recordings() -> None:
    audio = np.random.default_rng(0).normal(size=(2, 3, 5000)).astype(np.float32)
    together = _features(audio)
    assert together.shape == (2, 3, 40, 40)
    np.testing.assert_allclose(together[1, 2], _features(audio[1, 2]), rtol=1e-5)


def test_level_does_not_matter() -> None:
    features = _features(click_track(120, 6, FRONT_END.sr))
    np.testing.assert_allclose(
        compress(features), compress(np.float32(0.01) * features), rtol=1e-3, atol=1e-4
    )


def test_the_level_is_that_of_each_window() -> None:
    features = _features(click_track(120, 6, FRONT_END.sr))
    both = compress(np.stack([features, np.float32(0.01) * features]))
    np.testing.assert_allclose(both[0], compress(features), rtol=1e-5)
    np.testing.assert_allclose(both[1], both[0], rtol=1e-3, atol=1e-4)


def test_compress_and_onsets_leave_their_argument_alone() -> None:
    features = _features(click_track(120, 3, FRONT_END.sr))
    before = features.copy()
    compressed = compress(features)
    np.testing.assert_array_equal(features, before)
    before = compressed.copy()
    onset_strength(compressed)
    np.testing.assert_array_equal(compressed, before)


def test_onsets_are_what_rises() -> None:
    rising = np.array([[1, 3, 2, 2, 7]], np.float32)
    assert onset_strength(rising).tolist() == [[0, 2, 0, 0, 5]]


def test_silence_is_compressed_to_nothing() -> None:
    assert not compress(np.zeros((40, 10), np.float32)).any()


def test_front_ends_of_one_key_give_the_same_features() -> None:
    mel = Mel(FRONT_END, filterbank())
    assert mel.key == Mel(FrontEnd(), filterbank().copy()).key
    assert mel.key != Mel(FRONT_END, np.float32(2) * filterbank()).key
    assert mel.key != Mel(FrontEnd(hop_length=100), filterbank()).key
    audio = click_track(120, 2, FRONT_END.sr)
    np.testing.assert_array_equal(mel.features(audio), _features(audio))
    assert (mel.sr, mel.fps) == (FRONT_END.sr, FRONT_END.fps)
