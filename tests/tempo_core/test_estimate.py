"""The shipped models on music of known tempo, by every way to give it to an estimator."""

from __future__ import annotations

import dataclasses
import inspect
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tempo_core import (
    AudioError,
    CheckpointError,
    ConfigError,
    Estimator,
    checkpoint,
    estimate_file,
)
from tempo_core.asked import Asked
from tempo_core.audio import AudioFile, read_excerpts
from tempo_core.config import UNSCALED, OddsScaling
from tempo_core.excerpts import Excerpt
from tempo_core.heard import Heard
from tempo_core.loading import load_rows
from tempo_core.spectrum import Mel
from tests.audio import (
    STYLES,
    Audio,
    applause,
    drum_pattern,
    speech,
    warped,
    write_audio,
)
from tests.formats import EACH_FORMAT
from tests.rows import mostly_slow

MakeAudio = Callable[..., Path]


@pytest.fixture(scope="module")
def estimator() -> Estimator:
    return Estimator()


TEMPI = {
    "house": 125.37,
    "rock": 118.6,
    "ballad": 72.25,
    "dnb": 173.84,
    "shuffle": 112.4,
    "waltz": 138.2,
}


@mostly_slow("style", [s for s in STYLES if s in TEMPI], quick=3)
def test_a_steady_band_is_within_0_1_bpm(estimator: Estimator, tmp_path: Path, style: str) -> None:
    """The tempo of a steady band is within 0.1 BPM, up to the metrical level.

    A waltz is counted in beats or in bars; two beats are no level of it.
    """
    bpm = TEMPI[style]
    audio = drum_pattern(bpm, 40, 22050, style, np.random.default_rng(7))
    found = estimator.estimate(write_audio(tmp_path / "a.flac", audio, 22050)).bpm
    level = min((1 / 3, 1 / 2, 2 / 3, 1, 3 / 2, 2, 3), key=lambda k: abs(found / bpm - k))
    assert level in ((1 / 3, 1) if style == "waltz" else (1 / 2, 1, 2))
    assert found == pytest.approx(level * bpm, abs=0.1)


@mostly_slow("bpm", [118.0, 124.5, 127.98, 132.3], quick=2)
def test_house_is_counted_as_people_count_it(
    estimator: Estimator, tmp_path: Path, bpm: float
) -> None:
    audio = drum_pattern(bpm, 30, 22050, "house", np.random.default_rng(3))
    estimate = estimator.estimate(write_audio(tmp_path / "a.flac", audio, 22050))
    assert estimate.bpm == pytest.approx(bpm, abs=0.1)
    assert estimate.bpm == round(estimate.bpm, 2)
    assert 0.5 < estimate.confidence <= 1
    assert any(abs(pace.bpm - bpm) < 0.2 for pace in estimate.paces)
    assert estimate.key_confidence is not None


@mostly_slow("suffix", EACH_FORMAT, quick=1)
def test_every_format_gives_the_same_tempo(
    estimator: Estimator, make_audio: MakeAudio, suffix: str
) -> None:
    assert estimator.estimate(make_audio(f"a.{suffix}", bpm=126)).bpm == pytest.approx(126, abs=0.1)


@mostly_slow(("sr", "channels"), [(8000, 1), (192000, 2), (48000, 6)], quick=(0, 2))
def test_any_rate_and_channels(
    estimator: Estimator, make_audio: MakeAudio, sr: int, channels: int
) -> None:
    path = make_audio("a.wav", bpm=126, duration=10, sr=sr, channels=channels)
    assert estimator.estimate(path).bpm == pytest.approx(126, abs=0.3)


@pytest.mark.parametrize("duration", [1.5, 3.0, 8.0, 12.0, 13.0])
def test_tracks_about_and_below_a_window_work(
    estimator: Estimator, tmp_path: Path, duration: float
) -> None:
    audio = drum_pattern(126, duration, 22050, "house", np.random.default_rng(0))
    estimate = estimator.estimate(write_audio(tmp_path / "a.wav", audio, 22050))
    assert 30 <= estimate.bpm <= 300
    if duration >= 8:
        assert estimate.bpm == pytest.approx(126, abs=0.5)


@pytest.mark.slow
def test_a_long_track_by_windows_and_whole(estimator: Estimator, tmp_path: Path) -> None:
    audio = drum_pattern(127.98, 150, 22050, "house", np.random.default_rng(0))
    path = write_audio(tmp_path / "a.mp3", audio, 22050)
    for n in (1, 2, 6, "all"):
        assert Estimator(windows=n).estimate(path).bpm == pytest.approx(127.98, abs=0.1), n


@pytest.mark.slow
@pytest.mark.parametrize(
    ("suffix", "bpm", "style"),
    [
        ("mp3", 127.98, "house"),
        pytest.param("m4a", 93.27, "rock", marks=pytest.mark.slow),
    ],
)
def test_a_long_steady_track_is_within_0_05_bpm(
    estimator: Estimator, make_audio: MakeAudio, suffix: str, bpm: float, style: str
) -> None:
    path = make_audio(f"a.{suffix}", bpm=bpm, style=style, duration=100, sr=22050, channels=1)
    estimate = estimator.estimate(path)
    assert estimate.bpm == pytest.approx(bpm, abs=0.05)
    # Two windows of it prove less than all of it.
    whole = Estimator(windows="all").estimate(path)
    assert estimate.stability is not None
    assert whole.stability is not None
    assert 0.9 < estimate.stability < 0.97
    assert whole.stability > 0.98


@pytest.mark.slow
@pytest.mark.parametrize("windows", [6, "all"])
@pytest.mark.parametrize(
    "other",
    [
        pytest.param(100.0, marks=pytest.mark.slow),
        130.5,
        pytest.param(135.0, marks=pytest.mark.slow),
    ],
)
@pytest.mark.parametrize("order", [1, -1])
def test_the_tempo_most_of_the_track_is_in(
    tmp_path: Path, windows: int | str, other: float, order: int
) -> None:
    """The answer is that tempo and none in between, however near the other one is."""
    rng = np.random.default_rng(0)
    long = drum_pattern(128, 90, 11025, "house", rng)
    short = drum_pattern(other, 60, 11025, "house", rng)
    path = write_audio(tmp_path / "a.flac", np.concatenate([long, short][::order]), 11025)
    estimate = Estimator(windows=windows).estimate(path)
    assert estimate.bpm == pytest.approx(128, abs=0.1)
    # 0.4 of the track, or two windows of six, at the other tempo.
    stray = min(1, abs(other / 128 - 1) / 0.04)
    assert estimate.stability == pytest.approx(1 - 0.37 * stray, abs=0.07)


def test_a_track_that_speeds_up(estimator: Estimator, tmp_path: Path) -> None:
    rate = np.linspace(1, 1.25, 120 * 11025)
    audio = warped(drum_pattern(104, 140, 11025, "house", np.random.default_rng(0)), rate)
    estimate = estimator.estimate(write_audio(tmp_path / "a.flac", audio, 11025))
    assert 103 < estimate.bpm < 131
    assert estimate.stability is not None
    assert estimate.stability < 0.6


@pytest.mark.slow
def test_a_live_band_drifts_a_little(tmp_path: Path) -> None:
    t = np.arange(150 * 11025) / 11025
    audio = drum_pattern(118, 152, 11025, "rock", np.random.default_rng(0))
    audio = warped(audio, 1 + 0.008 * np.sin(2 * np.pi * t / 100))
    path = write_audio(tmp_path / "a.flac", audio, 11025)
    estimate = Estimator(windows="all").estimate(path)
    assert estimate.bpm == pytest.approx(118, abs=1)
    assert estimate.stability is not None
    assert 0.75 < estimate.stability < 0.97


def test_one_window_cannot_tell_how_steady(estimator: Estimator, make_audio: MakeAudio) -> None:
    assert estimator.estimate(make_audio("a.flac", duration=11)).stability is None


def test_music_without_a_beat_is_unsure(estimator: Estimator, tmp_path: Path) -> None:
    t = np.arange(20 * 22050) / 22050
    drone = 0.3 * np.sin(2 * np.pi * 110 * t) + 0.01 * np.random.default_rng(0).normal(size=t.size)
    estimate = estimator.estimate(write_audio(tmp_path / "a.wav", drone.astype("f"), 22050))
    assert estimate.confidence < 0.5


def test_a_preferred_range(make_audio: MakeAudio) -> None:
    path = make_audio("a.flac", bpm=126)
    assert Estimator(bpm_range=(50, 90)).estimate(path).bpm == pytest.approx(63, abs=0.1)


@pytest.mark.slow
def test_threads_share_one_estimator(estimator: Estimator, make_audio: MakeAudio) -> None:
    paths = [make_audio(f"{bpm}.flac", bpm=bpm) for bpm in (118, 126, 133)] * 3
    alone = [estimator.estimate(path) for path in paths]
    before = threading.active_count()
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(estimator.estimate, paths))
    assert together == alone
    assert threading.active_count() <= before


def test_estimate_file_is_the_same(estimator: Estimator, make_audio: MakeAudio) -> None:
    path = make_audio("a.mp3")
    assert estimate_file(path) == estimator.estimate(path)
    assert estimate_file(bytes(path)) == estimate_file(str(path))


def test_what_is_no_music_is_an_audio_error(
    estimator: Estimator, bad_files: dict[str, Path]
) -> None:
    for kind, path in bad_files.items():
        with pytest.raises(AudioError) as caught:
            estimator.estimate(path)
        assert "\n" not in str(caught.value), kind
        assert str(caught.value), kind


def test_silence_at_both_ends_is_fine(estimator: Estimator, tmp_path: Path) -> None:
    audio = drum_pattern(126, 20, 22050, "house", np.random.default_rng(0))
    padded = np.pad(audio, 5 * 22050)
    estimate = estimator.estimate(write_audio(tmp_path / "a.flac", padded, 22050))
    assert estimate.bpm == pytest.approx(126, abs=0.1)


def _silence(duration: float, sr: int, rng: np.random.Generator) -> Audio:
    return np.zeros(round(duration * sr), np.float32)


def _hiss(duration: float, sr: int, rng: np.random.Generator) -> Audio:
    return (3e-4 * rng.standard_normal(round(duration * sr))).astype(np.float32)


@pytest.mark.slow
@pytest.mark.parametrize(
    "before", [_silence, _hiss, speech, pytest.param(applause, marks=pytest.mark.slow)]
)
@pytest.mark.parametrize("after", [pytest.param(_silence, marks=pytest.mark.slow), applause])
def test_what_is_around_the_music_does_not_count(
    estimator: Estimator,
    tmp_path: Path,
    before: Callable[[float, int, np.random.Generator], Audio],
    after: Callable[[float, int, np.random.Generator], Audio],
) -> None:
    """Three of six windows have music, and one of the first two."""
    rng = np.random.default_rng(1)
    music = drum_pattern(123.4, 60, 11025, "rock", rng)
    audio = np.concatenate([before(45, 11025, rng), music, after(25, 11025, rng)])
    estimate = estimator.estimate(write_audio(tmp_path / "a.flac", audio, 11025))
    alone = estimator.estimate(write_audio(tmp_path / "b.flac", music, 11025))
    assert estimate.bpm == pytest.approx(123.4, abs=0.1)
    assert estimate.confidence > alone.confidence - 0.1
    assert estimate.stability is not None
    assert estimate.stability > 0.95


def test_a_fade_is_still_music(estimator: Estimator, tmp_path: Path) -> None:
    audio = drum_pattern(123.4, 90, 11025, "rock", np.random.default_rng(1))
    fade = np.minimum(1, np.minimum(np.arange(audio.size), np.arange(audio.size)[::-1]) / 4e5) ** 3
    path = write_audio(tmp_path / "a.flac", (audio * fade).astype(np.float32), 11025)
    assert estimator.estimate(path).bpm == pytest.approx(123.4, abs=0.05)


def test_unclear_windows_make_it_listen_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    estimator = Estimator(tasks=("tempo", "pace"))
    heard: list[float] = []
    read = AudioFile.read

    def noted(self: AudioFile, sr: int, spans: Sequence[tuple[float, float]]) -> list[Excerpt]:
        heard.extend(start for start, _ in spans)
        return read(self, sr, spans)

    monkeypatch.setattr(AudioFile, "read", noted)
    rng = np.random.default_rng(1)
    music = drum_pattern(123.4, 60, 11025, "house", rng)

    def n_heard(first: np.ndarray) -> int:
        heard.clear()
        path = write_audio(tmp_path / "a.flac", np.concatenate([first, music]), 11025)
        estimator.estimate(path)
        return len(heard)

    assert n_heard(drum_pattern(123.4, 60, 11025, "house", rng)) == 2
    assert n_heard(speech(60, 11025, rng)) > 2


@pytest.mark.parametrize("options", [{"windows": 0}, {"windows": "some"}, {"windows": 2.5},
                                     {"bpm_range": (100, 50)}, {"bpm_range": (0, 50)}])  # fmt: skip
def test_settings_out_of_range(options: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        Estimator(**options)  # type: ignore[arg-type]


def test_a_missing_model_is_said_at_once() -> None:
    with pytest.raises(CheckpointError, match="no model 'gone'"):
        Estimator(model="gone")


def test_a_damaged_pace_model_is_said_at_once(tmp_path: Path) -> None:
    shipped = checkpoint.resolve("default", "pace")
    with pytest.raises(CheckpointError, match="no model 'gone'"):
        Estimator(pace_model="gone")
    data = bytearray(shipped.read_bytes())
    data[-5] ^= 255
    (tmp_path / shipped.name).write_bytes(bytes(data))
    with pytest.raises(CheckpointError, match="does not match its name"):
        Estimator(pace_model=tmp_path / shipped.name)


def test_a_pace_model_of_another_front_end_is_refused(tmp_path: Path) -> None:
    model = checkpoint.load(checkpoint.resolve("default", "pace"))
    front_end = dataclasses.replace(model.front_end, hop_length=256)
    path = checkpoint.save(tmp_path, dataclasses.replace(model, front_end=front_end))
    with pytest.raises(CheckpointError, match="different front ends"):
        Estimator(pace_model=path)


def test_the_path_of_excerpts_is_the_path_of_files(
    estimator: Estimator, make_audio: MakeAudio
) -> None:
    path = make_audio("a.flac", bpm=126)
    excerpts = read_excerpts(path, 11025, None)
    assert estimator.from_excerpts(excerpts) == estimator.estimate(path)
    with pytest.raises(AudioError, match="silent"):
        estimator.from_excerpts([Excerpt(np.zeros(50000, "f"), 0.0)])
    with pytest.raises(AudioError, match="no audio"):
        estimator.from_excerpts([])


LAYOUTS: dict[str, Callable[[Audio], Audio]] = {
    "mono": lambda audio: audio,
    "one channel": lambda audio: audio[:, None],
    "stereo": lambda audio: np.stack([audio, 0.4 * np.roll(audio, 300)], axis=1),
    "opposite": lambda audio: np.stack([audio, -audio], axis=1),
}


@mostly_slow("layout", LAYOUTS, quick=2)
@pytest.mark.parametrize(
    ("sr", "duration"),
    [(44100, 20), pytest.param(22050, 100, marks=pytest.mark.slow), (48000, 4 * 60 / 126)],
)
def test_audio_in_memory_is_heard_like_its_file(
    estimator: Estimator, tmp_path: Path, layout: str, sr: int, duration: float
) -> None:
    samples = LAYOUTS[layout](drum_pattern(126, duration, sr, "house", np.random.default_rng(0)))
    path = write_audio(tmp_path / "a.wav", samples, sr, subtype="PCM_16")
    stored, rate = soundfile.read(path, dtype="int16")
    found = estimator.from_audio((stored / np.float32(32768)).T, rate)
    expected = estimator.estimate(path)
    assert found.bpm == pytest.approx(expected.bpm, abs=0.011)
    assert found.confidence == pytest.approx(expected.confidence, abs=2e-3)
    assert found.stability == (expected.stability and pytest.approx(expected.stability, abs=2e-3))
    assert [p.bpm for p in found.paces] == pytest.approx([p.bpm for p in expected.paces], abs=0.11)
    probabilities = [[p.probability for p in e.paces] for e in (found, expected)]
    assert probabilities[0] == pytest.approx(probabilities[1], abs=0.011)


@pytest.mark.parametrize(
    ("audio", "sr", "message"),
    [
        (np.zeros((2, 3, 44100)), 44100, "shape"),
        (np.zeros((44100, 2)), 44100, "shape"),  # the other way round
        (np.zeros((0, 44100)), 44100, "shape"),
        (np.ones(44100), 0, "shape"),
        (np.ones(44100), -44100, "shape"),
        (np.zeros(44100 * 5), 44100, "silent"),
        (np.full(44100 * 5, 0.5), 44100, "silent"),  # an offset is none
        (np.zeros(0), 44100, "no audio"),
        (np.zeros((2, 0)), 44100, "no audio"),
        (np.sin(np.arange(4000)), 44100, "too short"),
        (np.r_[np.sin(np.arange(44100 * 3)), np.nan], 44100, "finite"),
        (np.r_[np.sin(np.arange(44100 * 3)), np.inf], 44100, "finite"),
        (np.stack([np.sin(np.arange(44100 * 3)), np.full(44100 * 3, np.nan)]), 44100, "finite"),
    ],
)
def test_what_is_no_music_in_memory_is_an_audio_error(
    estimator: Estimator, audio: np.ndarray, sr: int, message: str
) -> None:
    with pytest.raises(AudioError, match=message) as caught:
        estimator.from_audio(audio, sr)
    assert "\n" not in str(caught.value)


def test_audio_in_memory_is_left_alone(estimator: Estimator) -> None:
    audio = drum_pattern(126, 15, 11025, "house", np.random.default_rng(0))
    kept = audio.copy()
    for given in (audio, audio.astype(float), 40 * audio[None]):
        assert estimator.from_audio(given, 11025).bpm == pytest.approx(126, abs=0.1)
    np.testing.assert_array_equal(audio, kept)


@mostly_slow("duration", [3.0, 11.0, 40.0], quick=(1,))
def test_features_say_what_their_audio_says(duration: float) -> None:
    estimator = Estimator(tasks=("tempo", "pace"))
    audio = drum_pattern(123.4, duration, 11025, "rock", np.random.default_rng(0))
    spectrum = checkpoint.load(checkpoint.resolve("default")).spectrum
    found = estimator.from_features(spectrum.features(audio))
    asked = Asked(load_rows(("tempo", "pace"), {}), 11025)
    asked.hear([Excerpt(audio, 0.0)])
    assert found.columns == estimator.columns(asked.results())
    assert found.columns["bpm"] == found.bpm


def test_a_task_is_shown_the_features_of_the_one_that_it_needs(tmp_path: Path) -> None:
    model = checkpoint.load(checkpoint.resolve("default", "pace"))
    louder = np.float32(2) * model.filterbank
    path = checkpoint.save(tmp_path, dataclasses.replace(model, filterbank=louder))
    both = Estimator(pace_model=path)
    audio = drum_pattern(126, 15, 11025, "house", np.random.default_rng(0))
    assert both.from_audio(audio, 11025) == Estimator().from_audio(audio, 11025)


def test_the_spectrum_of_each_excerpt_is_computed_once(
    estimator: Estimator, monkeypatch: pytest.MonkeyPatch, make_audio: MakeAudio
) -> None:
    """Also if there are several tasks that use it several times."""
    heard: list[int] = []
    features = Mel.features

    def counted(self: Mel, audio: Audio) -> np.ndarray:
        heard.append(audio.size)
        return features(self, audio)

    monkeypatch.setattr(Mel, "features", counted)
    estimator.from_excerpts(read_excerpts(make_audio("a.flac", bpm=126), 11025, None))
    assert len(heard) == 1
    heard.clear()
    estimator.estimate(make_audio("b.flac", bpm=126, duration=100, sr=22050))
    assert len(heard) == 2  # windows that agree


def test_the_octave_confidence_is_as_the_model_file_calibrates_it(
    make_audio: MakeAudio, tmp_path: Path
) -> None:
    path = make_audio("a.flac", bpm=172, style="rock")
    plain = dataclasses.replace(checkpoint.load(checkpoint.resolve("shipped")), octave=UNSCALED)
    scaling = OddsScaling(0.8, -1.0)
    models = [plain, dataclasses.replace(plain, octave=scaling)]
    before, after = (
        Estimator(checkpoint.save(tmp_path, model), tasks=["tempo"]).estimate(path)
        for model in models
    )
    assert (after.bpm, after.confidence) == (before.bpm, before.confidence)
    assert before.octave_confidence is not None
    assert before.confidence <= before.octave_confidence < 1
    assert after.octave_confidence == pytest.approx(scaling(before.octave_confidence), abs=1e-3)


def test_results_and_columns(make_audio: MakeAudio) -> None:
    path = make_audio("a.flac", bpm=126)
    only = Estimator(tasks=("tempo",))
    results = only.results(path)
    assert list(results) == ["tempo"]
    assert results["tempo"].bpm == pytest.approx(126, abs=0.1)
    estimate = only.estimate(path)
    assert estimate.paces == ()
    assert estimate.columns == only.columns(results)
    assert set(estimate.columns) == {
        "bpm", "confidence", "octave_confidence", "stability", "tempo_range",
    }  # fmt: skip
    both = Estimator(tasks=("pace",))  # which needs the tempo
    assert list(both.results(path)) == list(both.sources) == ["tempo", "pace"]
    assert both.estimate(path) == Estimator(tasks=("tempo", "pace")).estimate(path)
    assert both.estimate(path).columns["paces"] == both.estimate(path).paces


def test_tasks_that_do_not_exist() -> None:
    with pytest.raises(ConfigError, match="no task 'weather'; there are tempo, pace"):
        Estimator(tasks=("weather",))
    with pytest.raises(ConfigError, match="no task 'weather'"):
        Estimator(models={"weather": "default"})
    with pytest.raises(ConfigError, match="give a list of names"):
        Estimator(tasks="tempo")
    with pytest.raises(ConfigError, match="no task is named"):
        Estimator(tasks=())


def test_rounds_put_together_are_what_is_heard_at_once(estimator: Estimator) -> None:
    rows = load_rows(("tempo", "pace", "key", "beats"), {})
    pieces = [
        Excerpt(drum_pattern(bpm, 13, 11025, "rock", np.random.default_rng(k)), 20.0 * k)
        for k, bpm in enumerate((99, 99, 101))
    ]
    at_once, by_rounds = Asked(rows, 11025, 200.0), Asked(rows, 11025, 200.0)
    assert not at_once.has_heard
    assert not at_once.know_enough()
    at_once.take(Heard(pieces, 11025, 200.0))
    for piece in pieces:
        by_rounds.hear([piece])
    found = [estimator.columns(asked.results()) for asked in (at_once, by_rounds)]
    assert found[0]["key_confidence"] == pytest.approx(found[1]["key_confidence"], abs=0.05)
    assert found[0]["bpm"] == pytest.approx(found[1]["bpm"], abs=0.011)
    for name in ("confidence", "stability"):
        assert found[0][name] == pytest.approx(found[1][name], abs=1e-3)
    assert [p.bpm for p in found[0]["paces"]] == [p.bpm for p in found[1]["paces"]]


def _half_hidden(home: Path) -> Path:
    """Music whose stated length has silence in it, so that listening begins again elsewhere."""
    silence = np.zeros(20 * 22050, np.float32)
    music = drum_pattern(124, 40, 22050, "house", np.random.default_rng(32))
    return write_audio(home / "a.mp3", np.concatenate([silence, music, silence]), 22050)


@pytest.mark.slow
def test_a_task_says_the_same_alone_and_beside_others(
    estimator: Estimator, make_audio: MakeAudio, tmp_path: Path
) -> None:
    tempo, key = (Estimator(tasks=names) for names in (("tempo", "pace", "beats"), ("key",)))
    for path in (
        _half_hidden(tmp_path),  # the tempo is known before the key
        make_audio("b.flac", bpm=126, duration=100, sr=22050),
        make_audio("c.wav", bpm=120, duration=2),  # a loop
    ):
        found = estimator.columns(estimator.results(path))
        assert found == {
            **tempo.columns(tempo.results(path)),
            **key.columns(key.results(path)),
        }


def test_an_estimator_of_fewer_tasks(estimator: Estimator, make_audio: MakeAudio) -> None:
    path = make_audio("a.flac", bpm=126)
    found = estimator.results(path)
    assert estimator.asking(["pace"]).tasks == ("tempo", "pace")
    assert estimator.asking(["key"]).results(path)["key"].confidence == found["key"].confidence
    assert estimator.asking(["key"]).source == estimator.sources["key"]
    with pytest.raises(
        ConfigError, match="no task 'weather' here; there are tempo, pace, key, beats"
    ):
        estimator.asking(["weather"])
    with pytest.raises(ConfigError, match="no task is named"):
        estimator.asking([])


def test_the_signature_is_the_contract() -> None:
    assert list(inspect.signature(Estimator).parameters)[:2] == ["model", "windows"]


@pytest.mark.parametrize("shape", [(39, 1000), (40,), (1, 40, 1000), (40, 0), (40, 1)])
def test_features_of_another_shape_are_refused(shape: tuple[int, ...]) -> None:
    estimator = Estimator(tasks=("tempo", "pace"))
    with pytest.raises(ConfigError, match=r"\(40, n_frames\)"):
        estimator.from_features(np.ones(shape, np.float32))
