"""Places where a track is listened to, above all in files that state a wrong length."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from collections.abc import Callable
from fractions import Fraction
from itertools import chain, pairwise
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from beetsplug.tempo.settings import DEFAULTS
from tempo_core import AudioError, Estimator, checkpoint
from tempo_core.audio import AudioFile
from tempo_core.config import Windows
from tempo_core.heard import Heard
from tempo_core.listening import SECTION, WHOLE, coarse_first, plan, rounds
from tempo_core.listening import music as music_of
from tempo_core.resampling import mix
from tempo_core.task import ask
from tempo_core.tasks.tempo.decode import UNCLEAR_CONFIDENCE, decode, pool
from tempo_core.tasks.tempo.refine import LEAST_WEIGHT
from tempo_core.tasks.tempo.row import TASK
from tests.audio import Audio, drum_pattern, speech, write_audio, write_encoded
from tests.rows import mostly_slow

WINDOWS = Windows()
SR = 11025
RATE = 22050  # [Hz] of the files


@pytest.fixture(scope="module")
def estimator() -> Estimator:
    return Estimator()


@pytest.fixture(scope="module")
def music() -> Audio:
    return drum_pattern(124, 100, RATE, "house", np.random.default_rng(1))


def nothing(seconds: float) -> Audio:
    return np.zeros(round(seconds * RATE), np.float32)


@given(st.floats(1.0, 9000.0), st.integers(1, 12))
def test_spans_lie_inside_the_track_in_different_places(duration: float, n: int) -> None:
    spans = sorted(chain(*plan([(0.0, duration)], WINDOWS, n)))
    assert spans[0][0] >= 0
    assert spans[-1][0] + spans[-1][1] <= duration + 1e-6
    if len(spans) == 1:
        return
    assert len(spans) == n * -(-duration // SECTION)
    assert all(a[0] < b[0] for a, b in pairwise(spans))


def test_a_short_track_is_listened_to_without_gaps() -> None:
    assert plan([(0.0, WHOLE)], WINDOWS, 10) == [[(0.0, WHOLE)]]
    assert len(list(chain(*plan([(0.0, WHOLE + 1)], WINDOWS, 10)))) == 10


def test_a_long_track_is_listened_to_in_proportion_from_the_first_round_on() -> None:
    song, mix_of_songs = (plan([(0.0, d)], WINDOWS, 10) for d in (300.0, 3600.0))
    assert [len(spans) for spans in song] == [2] * 5
    assert [len(spans) for spans in mix_of_songs] == [12] * 5
    starts = [0.0, *(start for start, _ in mix_of_songs[0]), 3600.0]
    assert max(np.diff(starts)) < SECTION


@given(
    st.lists(st.tuples(st.floats(0.5, 300), st.floats(1.5, 300)), min_size=1, max_size=6),
    st.integers(1, 12),
)
def test_spans_lie_within_the_runs(parts: list[tuple[float, float]], n: int) -> None:
    runs, end = [], 0.0
    for pause, length in parts:
        runs.append((end + pause, end + pause + length))
        end = runs[-1][1]
    for start, duration in chain(*plan(runs, WINDOWS, n)):
        assert any(begin - 1e-6 <= start and start + duration <= end + 1e-6 for begin, end in runs)


@pytest.mark.parametrize("n", range(1, 15))
def test_rounds_cover_every_window_once(n: int) -> None:
    found = coarse_first(n)
    assert sorted(k for r in found for k in r) == list(range(n))
    assert all(len(r) <= 2 for r in found)


def _other(seconds: float) -> Audio:
    return drum_pattern(97, seconds, RATE, "rock", np.random.default_rng(2))


def _adts(path: Path, audio: Audio) -> Path:
    """Bare AAC frames: a stream that says nothing about its length."""
    with av.open(str(path), "w", format="adts") as output:
        stream: Any = output.add_stream("aac", rate=RATE)
        stream.bit_rate = 64000
        stream.layout = "mono"
        for start in range(0, audio.size, 1024):
            frame = av.AudioFrame.from_ndarray(audio[None, start : start + 1024], "fltp", "mono")
            frame.sample_rate, frame.pts, frame.time_base = RATE, start, Fraction(1, RATE)
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return path


def _matroska(path: Path, audio: Audio, at: Callable[[int], int]) -> Path:
    """FLAC in Matroska, frame `k` with the time stamp that `at(k)` gives [samples]."""
    with av.open(str(path), "w", format="matroska") as output:
        stream: Any = output.add_stream("flac", rate=RATE)
        stream.layout = "mono"
        size = 4608
        for k, start in enumerate(range(0, audio.size - size, size)):
            samples = (audio[None, start : start + size] * 32000).astype(np.int16)
            frame = av.AudioFrame.from_ndarray(samples, "s16", "mono")
            frame.sample_rate, frame.pts, frame.time_base = RATE, at(k), Fraction(1, RATE)
            for packet in stream.encode(frame):
                output.mux(packet)
        output.mux(stream.encode(None))
    return path


def _claims_too_much(path: Path, audio: Audio) -> Path:
    data = bytearray(write_audio(path, audio, RATE).read_bytes())
    data[21] |= 15
    data[22:26] = b"\xff\xff\xff\xff"
    path.write_bytes(data)
    return path


def _cut(path: Path, audio: Audio) -> Path:
    data = write_audio(path, audio, RATE).read_bytes()
    path.write_bytes(data[: len(data) // 5])
    return path


def _with_zero_tail(path: Path, audio: Audio) -> Path:
    write_audio(path, audio, RATE)
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size + (100 << 20))
    return path


WRONG_LENGTHS: dict[str, Callable[[Path, Audio], Path]] = {
    "no length, silence first": lambda p, a: _adts(
        p / "a.aac", np.concatenate([nothing(3), a])
    ),
    "a length of days": lambda p, a: _claims_too_much(p / "a.flac", a[: 60 * RATE]),
    "cut": lambda p, a: _cut(p / "a.flac", a),
    "cut, and no index": lambda p, a: _cut(p / "a.mp3", a),
    "late start": lambda p, a: _matroska(p / "a.mka", a[: 80 * RATE], lambda k: (k * 4608) + 10**8),
    "a gap of an hour": lambda p, a: _matroska(
        p / "a.mka", a[: 90 * RATE], lambda k: k * 4608 + (k > 100) * 3600 * RATE
    ),
    "zero tail": lambda p, a: _with_zero_tail(p / "a.flac", a[: 60 * RATE]),
    "song, pause, hidden track": lambda p, a: write_audio(
        p / "a.flac",
        np.concatenate([a, nothing(300), _other(40)]),
        RATE,
    ),
    "mostly silent": lambda p, a: write_audio(
        p / "a.flac", np.concatenate([a[: 20 * RATE], nothing(600)]), RATE
    ),
    "many pauses": lambda p, a: write_audio(
        p / "a.flac", np.concatenate([a[: 20 * RATE], nothing(90)] * 4), RATE
    ),
    "silence last, without a length": lambda p, a: _adts(
        p / "a.aac", np.concatenate([a[: 30 * RATE], nothing(300)])
    ),
}  # fmt: skip


# By default one file that states no length, one that states a wrong one and one with a pause.
BY_DEFAULT = {"a length of days", "song, pause, hidden track"}


@pytest.mark.parametrize(
    "kind",
    [
        pytest.param(kind, marks=[] if kind in BY_DEFAULT else [pytest.mark.slow])
        for kind in WRONG_LENGTHS
    ],
)
def test_music_is_found_wherever_it_is(
    estimator: Estimator, tmp_path: Path, music: Audio, kind: str
) -> None:
    path = WRONG_LENGTHS[kind](tmp_path, music)
    assert estimator.estimate(path).bpm == pytest.approx(124, abs=0.1)


@pytest.mark.parametrize(
    "kind",
    [
        pytest.param("zero tail", marks=pytest.mark.slow),
        pytest.param("mostly silent", marks=pytest.mark.slow),
        pytest.param("a length of days", marks=pytest.mark.slow),
    ],
)
def test_memory_is_that_of_an_intact_file(tmp_path: Path, music: Audio, kind: str) -> None:
    """Each file has a process of its own, because the peak of memory is that of a process."""
    _, intact = _estimated(write_audio(tmp_path / "intact.flac", music, RATE))
    _, peak = _estimated(WRONG_LENGTHS[kind](tmp_path, music))
    assert peak < intact + 40


def _estimated(path: Path, windows: object = 10) -> tuple[float, int]:
    """Tempo of a file [BPM], and the peak of memory of a process that estimates it alone [MB]."""
    program = (
        "import resource, sys; from tempo_core import Estimator; "
        f"print(Estimator(windows={windows!r}).estimate(sys.argv[1]).bpm); "
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1000)"
    )
    # Through a shell, because a child starts with the peak of the process that forked it.
    done = subprocess.run(
        ["/bin/sh", "-c", '"$0" -c "$1" "$2"', sys.executable, program, str(path)],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    bpm, peak = done.stdout.split()
    return float(bpm), int(peak)


@pytest.mark.slow
def test_all_of_an_hour_is_heard_piece_by_piece(tmp_path: Path, music: Audio) -> None:
    hour = write_audio(tmp_path / "hour.flac", np.tile(music, 36), RATE)
    bpm, peak = _estimated(hour, "all")
    assert bpm == pytest.approx(124, abs=0.1)
    assert peak < 700


@pytest.mark.slow
def test_a_mix_of_songs_is_not_called_sure_and_steady(tmp_path: Path) -> None:
    songs = [
        drum_pattern(bpm, 80, RATE, style, np.random.default_rng(k))
        for k, (bpm, style) in enumerate(
            [(98, "rock"), (124, "house"), (174, "dnb"), (112, "shuffle")] * 2
        )
    ]
    path = write_audio(tmp_path / "mix.flac", np.concatenate(songs), RATE)
    found = Estimator().estimate(path)
    assert found.confidence < 0.6
    assert found.stability is not None
    assert found.stability < 0.6


def test_an_offset_is_silence(estimator: Estimator, tmp_path: Path) -> None:
    path = write_audio(tmp_path / "a.flac", np.full(30 * RATE, 0.3), RATE)
    with pytest.raises(AudioError, match="silent"):
        estimator.estimate(path)
    quiet = nothing(30) + 0.3
    quiet[: 4 * RATE] += drum_pattern(124, 4, RATE, "house", np.random.default_rng(1)) * 0.5
    path = write_audio(tmp_path / "b.flac", quiet, RATE)
    assert estimator.estimate(path).bpm == pytest.approx(124, abs=1)


def test_a_stream_is_all_of_the_file_without_seams(tmp_path: Path, music: Audio) -> None:
    path = write_audio(tmp_path / "a.mp3", music[: 50 * RATE], RATE)
    with AudioFile(path) as file:
        (whole,) = file.read_all(SR)
    with AudioFile(path) as file:
        pieces = list(file.stream(SR, 12.0))
    assert [piece.audio.size for piece in pieces[:-1]] == [12 * SR] * 4
    assert [piece.start for piece in pieces] == pytest.approx([0, 12, 24, 36, 48], abs=0.1)
    np.testing.assert_array_equal(np.concatenate([p.audio for p in pieces]), whole.audio)


def test_pieces_break_where_the_time_stamps_jump(tmp_path: Path, music: Audio) -> None:
    path = _matroska(
        tmp_path / "a.mka", music[: 60 * RATE], lambda k: k * 4608 + (k > 100) * 500 * RATE
    )
    with AudioFile(path) as file:
        first, second = file.packet_runs()
        starts = [piece.start for piece in file.stream(SR, 30.0)]
    assert first == pytest.approx((0.0, 101 * 4608 / RATE), abs=0.3)
    assert second[0] == pytest.approx(500 + 101 * 4608 / RATE, abs=0.3)
    assert starts == pytest.approx([0.0, second[0], second[0] + 30], abs=0.3)


def test_rounds_start_anew_where_the_file_was_wrong(tmp_path: Path, music: Audio) -> None:
    path = _cut(tmp_path / "a.flac", np.tile(music, 7))
    with AudioFile(path) as file:
        assert file.duration == pytest.approx(700)
        found = list(rounds(file, SR, WINDOWS, 10))
    assert [r.is_first for r in found] == [True] + [False] * 4
    assert found[0].duration == pytest.approx(700 / 5, abs=2)
    assert max(e.start for r in found for e in r.excerpts) < 700 / 5 + 1


def _opposite(audio: Audio) -> Audio:
    return np.stack([audio, -audio], axis=1)


def _drums_opposite(audio: Audio) -> Audio:
    """Two channels with chords in phase and drums in opposite phase, equally loud."""
    t = np.arange(audio.size) / RATE
    pad = sum(0.1 * np.sin(2 * np.pi * f * t) for f in (110.0, 220.0, 277.2, 329.6, 440.0, 880.0))
    return np.stack([audio + pad, pad - audio], axis=1).astype(np.float32) / 2


@pytest.mark.parametrize("channels", [_opposite, _drums_opposite])
def test_what_cancels_between_channels_is_heard(
    estimator: Estimator, tmp_path: Path, music: Audio, channels: Callable[[Audio], Audio]
) -> None:
    path = write_audio(tmp_path / "a.wav", channels(music[: 30 * RATE]), RATE)
    found = estimator.estimate(path)
    assert found.bpm == pytest.approx(124, abs=0.1)
    assert found.confidence > 0.5


def test_what_does_not_cancel_is_the_mean_of_the_channels(music: Audio) -> None:
    left = music[: 10 * RATE : 2]
    rng = np.random.default_rng(0)
    noise = (0.03 * rng.standard_normal(left.size)).astype(np.float32)
    for channels in ([left, left], [left, noise], [left + noise, left - noise], [left, 0 * left]):
        both = np.stack(channels)
        np.testing.assert_array_equal(mix(both, SR), both.mean(axis=0))


@mostly_slow("n_channels", [3, 9, 33, 64], quick=(1,))
def test_any_number_of_channels_is_music(
    estimator: Estimator, tmp_path: Path, music: Audio, n_channels: int
) -> None:
    samples = np.repeat(music[: 15 * RATE, None], n_channels, axis=1)
    found = estimator.estimate(write_audio(tmp_path / "a.wav", samples, RATE))
    assert found.bpm == pytest.approx(124, abs=0.3)


@mostly_slow("gain", [1e-3, 50.0, 1e18, 1e30], quick=(0, 3))
def test_any_level_is_music(
    estimator: Estimator, tmp_path: Path, music: Audio, gain: float
) -> None:
    path = write_audio(
        tmp_path / "a.wav", music[: 20 * RATE] * np.float32(gain), RATE, subtype="FLOAT"
    )
    assert estimator.estimate(path).bpm == pytest.approx(124, abs=0.3)


def test_joined_files_of_one_and_two_channels_are_heard_as_far_as_they_can_be(
    estimator: Estimator, music: Audio, tmp_path: Path
) -> None:
    """libav can continue with another sample rate, but not with another number of channels."""
    beginning = music[: 20 * RATE]
    mono = write_audio(tmp_path / "a.ogg", beginning, RATE)
    stereo = np.repeat(np.stack([beginning, 0.9 * beginning], 1), 2, axis=0)
    files = [mono, write_audio(tmp_path / "b.ogg", stereo, 2 * RATE), mono]
    path = tmp_path / "joined.ogg"
    path.write_bytes(b"".join(file.read_bytes() for file in files))
    assert estimator.estimate(path).bpm == pytest.approx(124, abs=0.1)


@pytest.mark.slow
@pytest.mark.parametrize("suffix", ["aac", "m4a"])
def test_noise_in_the_middle_of_a_file_costs_no_more_than_that(
    suffix: str, estimator: Estimator, music: Audio, tmp_path: Path
) -> None:
    """Decoders report a damaged packet by several errors, "operation not permitted" among them."""
    path = tmp_path / f"a.{suffix}"
    container = {"aac": "adts", "m4a": "mp4"}[suffix]
    samples = np.stack([music, 0.9 * music], 1)[: 60 * RATE]
    write_encoded(path, samples, RATE, container, "aac", options={"movflags": "faststart"})
    data = bytearray(path.read_bytes())
    middle = slice(len(data) // 4, len(data) // 2)
    data[middle] = np.random.default_rng(0).bytes(middle.stop - middle.start)
    path.write_bytes(data)
    assert estimator.estimate(path).bpm == pytest.approx(124, abs=0.2)


@pytest.mark.slow
def test_a_hole_of_hours_is_not_looked_into_at_every_place(
    estimator: Estimator, music: Audio, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that states a length of hours has many windows; the first missing one is enough."""
    path = tmp_path / "a.mp3"
    write_encoded(path, music[:, None], RATE, "mp3", "libmp3lame", options={"write_xing": "0"})
    data = path.read_bytes()
    with path.open("rb+") as file:
        file.seek(100 << 20)
        file.write(data)
    wanted: list[object] = []
    read = AudioFile.read

    def counted(self: AudioFile, sr: int, spans: Any) -> Any:
        wanted.extend(spans)
        return read(self, sr, spans)

    monkeypatch.setattr(AudioFile, "read", counted)
    assert estimator.estimate(path).bpm == pytest.approx(124, abs=0.1)
    assert len(wanted) < 20


@mostly_slow("kind", ["sine", "noise", "brown noise", "speech"], quick=(1, 3))
def test_what_has_no_pulse_is_less_sure_than_the_plugin_asks_for(
    estimator: Estimator, tmp_path: Path, kind: str
) -> None:
    rng = np.random.default_rng(1)
    n = 30 * RATE
    audio = {
        "sine": lambda: 0.3 * np.sin(2 * np.pi * 500 * np.arange(n) / RATE),
        "noise": lambda: 0.1 * rng.standard_normal(n),
        "brown noise": lambda: np.cumsum(rng.standard_normal(n)) / 1000,
        "speech": lambda: speech(30, RATE, rng),
    }[kind]()
    path = write_audio(tmp_path / "a.flac", np.clip(audio, -1, 1).astype(np.float32), RATE)
    assert estimator.estimate(path).confidence < DEFAULTS["min_confidence"]


def test_without_a_clear_pulse_in_any_window_little_is_claimed(
    tmp_path: Path, music: Audio
) -> None:
    model = checkpoint.load(checkpoint.resolve("default"))
    with AudioFile(write_audio(tmp_path / "a.flac", music[: 30 * RATE], RATE)) as file:
        heard = Heard(music_of(file, SR, WINDOWS, 10), SR)
    scored = ask(TASK, heard, {}, model)

    def tempo(weight: float) -> Any:
        weighed = [
            (dataclasses.replace(batch, weights=np.full(len(batch.which), weight)), scores)
            for batch, scores in scored
        ]
        return decode(pool(weighed, model.config), heard, {}, model)

    clear, unclear = tempo(1.0), tempo(LEAST_WEIGHT)
    assert unclear.bpm == clear.bpm
    assert unclear.confidence == pytest.approx(UNCLEAR_CONFIDENCE * clear.confidence, abs=1e-3)
    assert clear.confidence > 0.5


def test_music_is_what_all_rounds_give_in_order(tmp_path: Path, music: Audio) -> None:
    with AudioFile(write_audio(tmp_path / "a.flac", music, RATE)) as file:
        heard = music_of(file, SR, WINDOWS, 4)
        found = [excerpt for round_ in rounds(file, SR, WINDOWS, 4) for excerpt in round_.music]
    assert len(heard) == 4
    assert [e.start for e in heard] == sorted(e.start for e in found)
