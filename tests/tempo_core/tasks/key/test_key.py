"""The key task with the shipped model: keys, tuning, what has no key, and how it is cut."""

from __future__ import annotations

import numpy as np
import pytest

from tempo_core import checkpoint
from tempo_core.asked import Asked
from tempo_core.config import HarmonyFrontEnd
from tempo_core.errors import ConfigError
from tempo_core.estimate import Estimator
from tempo_core.excerpts import Excerpt
from tempo_core.heard import Heard
from tempo_core.keys import PITCH_CLASSES, Key, parse_key
from tempo_core.spectrum import LogFrequency, band_centres, band_kernels
from tempo_core.task import Batch, ask
from tempo_core.tasks.key.config import KeyConfig
from tempo_core.tasks.key.decode import (
    Tonality,
    columns,
    encode,
    enough,
    in_doubt,
    key_of,
    moved,
    number_of,
    pool,
    posterior,
)
from tempo_core.tasks.key.row import TASK
from tempo_core.tasks.key.tuning import estimate_tuning, retuned
from tempo_core.tasks.key.view import prepare
from tests.audio import applause, chord_song, speech
from tests.rows import mostly_slow

SR = 22050
FRONT_END = HarmonyFrontEnd()
MODEL = checkpoint.load(checkpoint.resolve("default", "key"), "key")
SPECTRUM = LogFrequency(FRONT_END, band_centres(FRONT_END))


@pytest.fixture(scope="module")
def estimator() -> Estimator:
    return Estimator(tasks=("key",))


def key_in(estimator: Estimator, audio: np.ndarray, sr: int = SR) -> Tonality:
    from tempo_core.audio import Recorded

    found: Tonality = estimator._listen(Recorded(audio, sr))["key"]
    return found


def tone(pitch: float, seconds: float = 3.0) -> np.ndarray:
    time = np.arange(int(seconds * FRONT_END.sr)) / FRONT_END.sr
    return np.sin(2 * np.pi * pitch * time).astype(np.float32)


@mostly_slow("tonic", range(12), quick=(0, 3))
def test_every_major_key_is_found(estimator: Estimator, tonic: int) -> None:
    assert key_in(estimator, chord_song(tonic, False, 16, SR)).key == Key(tonic, False)


@pytest.mark.slow
def test_most_minor_keys_are_found_and_else_their_dominant(estimator: Estimator) -> None:
    """The dominant of these bare chords is major and sounds as often as the tonic."""
    found = [key_in(estimator, chord_song(tonic, True, 16, SR)).key for tonic in range(12)]
    right = [key == Key(tonic, True) for tonic, key in enumerate(found)]
    assert sum(right) >= 7
    for tonic, key in enumerate(found):
        assert key in (Key(tonic, True), Key((tonic + 7) % 12, False))


@mostly_slow(
    "cents", [-40, 40, *(pytest.param(c, marks=pytest.mark.slow) for c in (-25, 25))], quick=1
)
def test_tuning_is_estimated_and_does_no_harm(estimator: Estimator, cents: float) -> None:
    for tonic in (1, 8):
        found = key_in(estimator, chord_song(tonic, False, 16, SR, cents))
        assert found.key == Key(tonic, False)
        assert found.tuning == pytest.approx(cents / 100, abs=0.06)


def test_noise_clicks_speech_and_applause_have_no_key(estimator: Estimator) -> None:
    rng = np.random.default_rng(0)
    clicks = np.where(np.arange(20 * SR) % (SR // 2) < 200, rng.normal(0, 0.3, 20 * SR), 0)
    noise = rng.normal(0, 0.1, 20 * SR)
    for audio in (noise, clicks, speech(20, SR, rng), applause(20, SR, rng)):
        found = key_in(estimator, audio.astype(np.float32))
        assert found.key is None
        assert columns(found)["key"] is None
        assert found.confidence < MODEL.config.least_confidence


def test_a_semitone_in_the_input_is_a_semitone_in_the_answer() -> None:
    features = SPECTRUM.features(chord_song(4, False, 12, FRONT_END.sr))
    inputs = prepare(features, 36)[None]
    # The outermost octaves are silent, so that nothing is lost at the edges.
    inputs[:, :, :36] = inputs[:, :, -36:] = 0
    logits = MODEL.network(inputs)[0].reshape(2, 12)
    for semitones in (1, 5, -3):
        moved = MODEL.network(np.roll(inputs, 3 * semitones, axis=2))[0].reshape(2, 12)
        # Not to the digit: a tone may come into another octave, which has weights of its own.
        assert np.corrcoef(moved.ravel(), np.roll(logits, semitones, axis=1).ravel())[0, 1] > 0.85
        assert moved.argmax() == np.roll(logits, semitones, axis=1).argmax()


def test_cut_in_pieces_it_is_the_same() -> None:
    """The answer is a mean over time, but for frames at the cuts."""
    audio = chord_song(7, False, 24, FRONT_END.sr)
    half = audio.size // 2
    answers = []
    for parts in ([Excerpt(audio, 0.0)], [Excerpt(audio[:half], 0.0), Excerpt(audio[half:], 12.0)]):
        asked = Asked([(TASK, MODEL)], FRONT_END.sr)
        asked.hear(parts)
        answers.append(asked.results()["key"])
    assert answers[0].key == answers[1].key == Key(7, False)
    assert answers[0].confidence == pytest.approx(answers[1].confidence, abs=0.2)


def test_excerpts_halfway_between_semitones_agree() -> None:
    """One that counts as tuned lower is read a semitone higher than one tuned higher."""
    scores = np.full((1, 24), -9, np.float32)
    scores[0, 12 + 11] = 9.0  # B minor

    def scored(tuning: float, above: int) -> tuple[Batch, np.ndarray]:
        moved_scores = moved(scores.astype(np.float64), above).astype(np.float32)
        return Batch((), np.array([0]), np.array([12.0]), tuning), moved_scores

    together = pool([scored(0.49, 0), scored(-0.48, 1), scored(0.47, 0)])
    assert abs(together.tuning) == pytest.approx(0.493, abs=0.01)
    likely = posterior(together.scores)
    assert key_of(int(likely.argmax())) == Key(11, True)
    assert likely.max() > 0.99


def test_a_tuning_between_two_semitones_leaves_both_keys() -> None:
    likely = np.eye(24)[number_of(Key(11, False))]
    assert in_doubt(likely, 0.3).max() > 0.999
    between = in_doubt(likely, 0.5)
    assert between[number_of(Key(11, False))] == between[number_of(Key(0, False))] == 0.5
    assert in_doubt(likely, -0.49)[number_of(Key(10, False))] == pytest.approx(0.34, abs=0.02)


def test_pieces_vote() -> None:
    """A minority that is surer than the others does not decide."""
    scores = np.zeros((3, 24), np.float32)
    scores[:2, 3], scores[2, 8] = 4.0, 40.0
    batch = Batch((), np.arange(3), np.full(3, 12.0), 0.0)
    likely = posterior(pool([(batch, scores)]).scores)
    assert likely.argmax() == 3
    assert likely[8] == pytest.approx(1 / 3, abs=0.02)


def test_half_a_second_has_an_answer(estimator: Estimator) -> None:
    audio = chord_song(0, False, 0.5, FRONT_END.sr)
    scored = ask(TASK, Heard([Excerpt(audio, 0.0)], FRONT_END.sr), {}, MODEL)
    assert 0 < posterior(pool(scored).scores).max() <= 1
    assert not enough(scored, MODEL.config)


def test_the_table_of_a_run_has_the_key() -> None:
    both = Estimator(tasks=("tempo", "key"))
    estimate = both.from_audio(chord_song(9, False, 16, SR), SR)
    assert estimate.key == "A"
    assert estimate.key_confidence == estimate.columns["key_confidence"] > 0.3
    assert both.sources["key"] == MODEL.source
    with pytest.raises(ConfigError, match="take different features"):
        both.from_features(np.zeros((40, 1000), np.float32))


def test_numbers_and_keys() -> None:
    for number in range(24):
        assert number_of(key_of(number)) == number
    assert key_of(0) == parse_key("C")
    assert key_of(21) == parse_key("Am")
    assert encode(Key(9, True)).argmax() == 21
    assert [str(key_of(k)) for k in range(12)] == list(PITCH_CLASSES)


@pytest.mark.parametrize("cents", [-45, -20, 0, 30])
def test_tuning_of_tones(cents: float) -> None:
    tones = sum(tone(p * 2 ** (cents / 1200)) for p in (220.0, 277.18, 329.63, 440.0))
    features = SPECTRUM.features(tones)
    assert estimate_tuning([features], 3) == pytest.approx(cents / 100, abs=0.06)
    assert abs(estimate_tuning([retuned(features, cents / 100, 3)], 3)) < 0.08


def test_silence_is_in_tune_and_prepared_without_warning() -> None:
    silence = np.zeros((FRONT_END.n_bands, 5), np.float32)
    assert estimate_tuning([silence], 3) == 0
    assert np.isfinite(prepare(silence, 36)).all()
    assert prepare(silence[:, :1], 36).shape == (2, FRONT_END.n_bands, 1)


def test_bands_are_where_they_say() -> None:
    centres = band_centres(FRONT_END)
    assert centres.shape == FRONT_END.filterbank_shape
    a440 = int(np.abs(centres[:, 0] - 440).argmin())
    assert a440 % 3 == 1  # the middle of a semitone
    assert centres[a440, 0] == pytest.approx(440, rel=1e-4)
    assert int(SPECTRUM.features(tone(440.0)).mean(axis=1).argmax()) == a440
    kernels = band_kernels(FRONT_END, centres)
    np.testing.assert_allclose(kernels.sum(axis=1), 1, rtol=1e-5)
    direct = np.abs(np.fft.rfft(tone(440.0)[:8192] * np.hanning(8193)[:-1])) @ kernels.T
    middle = SPECTRUM.features(np.pad(tone(440.0)[:8192], (0, 8192)))[:, 2]  # nearest the middle
    assert int(direct.argmax()) == int(middle.argmax()) == a440


def test_sizes_that_make_no_sense_are_refused() -> None:
    with pytest.raises(ConfigError, match="must end below half of sr"):
        HarmonyFrontEnd(n_octaves=8)
    with pytest.raises(ConfigError, match="must not exceed n_fft"):
        HarmonyFrontEnd(n_fft=1024, hop_length=2048)
    with pytest.raises(ConfigError):
        KeyConfig(least_confidence=2.0)
