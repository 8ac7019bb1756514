"""Tests of the front end of notes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tempo_core.config import NotesFrontEnd
from tempo_core.constant_q import ConstantQ, halved, note_centres
from tempo_core.errors import ConfigError

FRONT_END = NotesFrontEnd()
SPECTRUM = ConstantQ(FRONT_END, note_centres(FRONT_END))
N_BANDS = FRONT_END.n_bands


def sine(pitch: float, seconds: float = 2.0) -> np.ndarray:
    time = np.arange(round(seconds * FRONT_END.sr)) / FRONT_END.sr
    return np.sin(2 * np.pi * 440 * 2 ** ((pitch - 69) / 12) * time).astype(np.float32)


@pytest.mark.parametrize("pitch", range(21, 109, 6))
def test_a_sine_is_loudest_in_the_middle_band_of_its_semitone(pitch: int) -> None:
    features = SPECTRUM.features(sine(pitch))
    middle = features[:, features.shape[1] // 2]
    band = 3 * (pitch - 21) + 1
    assert middle[:N_BANDS].argmax() == band
    assert middle[band] == pytest.approx(0.5, abs=0.01)
    # A semitone away little is left of it; the kernels of the lowest bands are cut short.
    assert middle[band + 3] < (0.1 if pitch > 40 else 0.3)


def test_a_third_of_a_semitone_moves_it_by_a_band() -> None:
    middle = SPECTRUM.features(sine(60 + 1 / 3))[:N_BANDS, 40]
    assert middle.argmax() == 3 * (60 - 21) + 2


def test_a_frame_is_centred_on_its_sample_in_every_octave() -> None:
    n_samples = 20 * FRONT_END.hop_length
    audio = np.zeros(n_samples, np.float32)
    audio[10 * FRONT_END.hop_length] = 1  # a click
    features = SPECTRUM.features(audio)
    assert features.shape == (2 * N_BANDS, 21)
    quick = features[N_BANDS:]
    for band in (40, 90, 140, 200, 260):
        # The longer the kernel, the flatter the top: its middle is the click.
        times = np.arange(21)
        centre = (quick[band] * times).sum() / quick[band].sum()
        assert centre == pytest.approx(10, abs=0.6), band


def test_quick_bands_know_a_begin_better_than_sharp_ones() -> None:
    audio = np.concatenate([np.zeros(FRONT_END.sr), sine(69)]).astype(np.float32)
    features = SPECTRUM.features(audio)
    band, begin = 3 * (69 - 21) + 1, FRONT_END.fps
    before = int(begin) - 3
    assert features[N_BANDS + band, before] < 0.01
    rise = [np.flatnonzero(half[band] > 0.45)[0] for half in np.split(features, 2)]
    assert rise[1] <= rise[0]


def test_halving_keeps_what_is_below_the_new_limit_and_nothing_else() -> None:
    low, high = sine(60), sine(69 + 39)  # 262 Hz and 4186 Hz
    assert np.abs(halved(low)[100:-100]).max() == pytest.approx(1, abs=0.01)
    assert np.abs(halved(high)[100:-100]).max() < 0.01
    np.testing.assert_allclose(halved(low)[100:-100], low[::2][100:-100], atol=0.01)


def test_features_do_not_depend_on_what_follows_much_later() -> None:
    rng = np.random.default_rng(0)
    audio = rng.normal(size=4 * FRONT_END.sr).astype(np.float32)
    whole, begin = SPECTRUM.features(audio), SPECTRUM.features(audio[: 2 * FRONT_END.sr])
    n = begin.shape[1] - 40
    np.testing.assert_allclose(whole[:, :n], begin[:, :n], atol=1e-5)


@pytest.mark.parametrize("n_samples", [0, 1, 100])
def test_hardly_any_audio_has_features_too(n_samples: int) -> None:
    features = SPECTRUM.features(np.ones(n_samples, np.float32))
    assert features.shape == (2 * N_BANDS, n_samples // FRONT_END.hop_length + 1)
    assert np.isfinite(features).all()


def test_bands_above_the_limit_of_the_sample_rate_are_refused() -> None:
    with pytest.raises(ConfigError, match="n_semitones"):
        replace(FRONT_END, n_semitones=96)


def test_an_odd_hop_has_fewer_octaves_but_the_same_bands() -> None:
    front_end = replace(FRONT_END, hop_length=250)
    odd = ConstantQ(front_end, note_centres(front_end))
    middle = odd.features(sine(45))[:N_BANDS, 40]
    assert middle.argmax() == 3 * (45 - 21) + 1
