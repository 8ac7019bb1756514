"""Audio files with recorded estimates, which a change of structure must not change.

`files` makes them, from formulas and a seed; `estimates.json` has what the shipped models say of
each, recorded anew when one of them is another one. `record` says it again:

    python -m tests.tempo_core.golden OUT.json
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tests.audio import STYLES, Audio, applause, click_track, drum_pattern, speech, write_audio

EXPECTED = Path(__file__).with_name("estimates.json")
RECORDINGS = Path(__file__).with_name("recordings.json")  # of the folder that TEMPO_DATA names


@dataclass(frozen=True)
class File:
    """A file: a function that makes its samples, (n_samples,) or (n_samples, 2), and its options.

    `options` are those of `Estimator`.
    """

    name: str
    sr: int
    make: Callable[[int, np.random.Generator], Audio]
    options: dict[str, Any]


def _band(style: str, bpm: float, duration: float) -> Callable[[int, np.random.Generator], Audio]:
    return lambda sr, rng: drum_pattern(bpm, duration, sr, style, rng)


def _drifting(sr: int, rng: np.random.Generator) -> Audio:
    """Rock that gets faster and higher by 4 %, like a tape."""
    audio = drum_pattern(112, 100, sr, "rock", rng)
    places = np.arange(round(len(audio) / 1.02)) / len(audio)
    return np.interp(
        (places + 0.02 * places * places) * len(audio), np.arange(len(audio)), audio
    ).astype(np.float32)


def _two_tempi(sr: int, rng: np.random.Generator) -> Audio:
    slow, fast = (drum_pattern(bpm, 60, sr, "ballad", rng) for bpm in (76, 92))
    return np.concatenate([slow, fast])


def _quiet_ends(sr: int, rng: np.random.Generator) -> Audio:
    silence = np.zeros(20 * sr, np.float32)
    return np.concatenate([silence, drum_pattern(124, 40, sr, "house", rng), silence])


def _hidden(sr: int, rng: np.random.Generator) -> Audio:
    """A song, two minutes of silence, and half a minute of another song."""
    silence = np.zeros(120 * sr, np.float32)
    song, other = drum_pattern(96, 90, sr, "rock", rng), drum_pattern(141, 30, sr, "house", rng)
    return np.concatenate([song, silence, other])


def _noise_between(sr: int, rng: np.random.Generator) -> Audio:
    """Music with noise in it: half of the windows have no clear pulse.

    Some lie half-way between a window that has one and a window that has none.
    """
    noise = (0.3 * rng.standard_normal(18 * sr)).astype(np.float32)
    songs = [drum_pattern(bpm, 24, sr, style, rng) for bpm, style in ((97, "rock"), (131, "house"))]
    return np.concatenate([songs[0], noise, songs[1]])


def _opposite(sr: int, rng: np.random.Generator) -> Audio:
    """Two channels whose mean is silent except for a voice."""
    music, voice = drum_pattern(118, 45, sr, "house", rng), speech(45, sr, rng)
    return np.stack([music + 0.2 * voice, -music + 0.2 * voice], axis=1)


def _stereo(sr: int, rng: np.random.Generator) -> Audio:
    left, right = (drum_pattern(104, 50, sr, "shuffle", np.random.default_rng(5)) for _ in range(2))
    return np.stack([left, 0.4 * right], axis=1)


def _beats(style: str, bpm: float, n_beats: int) -> Callable[[int, np.random.Generator], Audio]:
    return _band(style, bpm, n_beats * 60 / bpm)


def _noise(sr: int, rng: np.random.Generator) -> Audio:
    return (0.1 * rng.standard_normal(30 * sr)).astype(np.float32)


def _sine(sr: int, rng: np.random.Generator) -> Audio:
    return (0.5 * np.sin(2 * np.pi * 440 * np.arange(30 * sr) / sr)).astype(np.float32)


def files() -> Iterator[File]:
    """All files, in a fixed order."""
    tempi = {
        "house": (118.0, 126.35, 140.0), "rock": (88.0, 121.7, 172.0), "ballad": (58.4, 72.0, 84.0),
        "dnb": (165.0, 174.25), "shuffle": (92.0, 132.0), "waltz": (90.0, 156.3),
    }  # fmt: skip
    formats = ("mp3", "flac", "ogg", "m4a", "opus", "wav", "aiff", "wma")
    rates = (22050, 44100, 48000)
    assert tempi.keys() == STYLES.keys()
    k = 0
    for style, all_bpm in tempi.items():
        for bpm in all_bpm:
            for duration in (30.0, 150.0):
                name = f"{style}-{bpm:g}-{duration:g}.{formats[k % len(formats)]}"
                yield File(name, rates[k % len(rates)], _band(style, bpm, duration), {})
                k += 1
    for name, make, options in (
        ("drifting.ogg", _drifting, {}),
        ("two-tempi.flac", _two_tempi, {}),
        ("two-tempi-all.flac", _two_tempi, {"windows": "all"}),
        ("quiet-ends.mp3", _quiet_ends, {}),
        ("hidden.flac", _hidden, {}),
        ("opposite.wav", _opposite, {}),
        ("stereo.m4a", _stereo, {}),
        ("loop-4.wav", _beats("house", 125.0, 4), {}),
        ("loop-16.wav", _beats("rock", 96.0, 16), {}),
        ("cut-5s.wav", _band("rock", 101.0, 5.3), {}),
        ("short-2s.wav", _band("house", 128.0, 2.0), {}),
        ("clicks.wav", lambda sr, rng: click_track(133.3, 40, sr), {}),
        ("noise.flac", _noise, {}),
        ("sine.wav", _sine, {}),
        ("speech.mp3", lambda sr, rng: speech(40, sr, rng), {}),
        ("applause.ogg", lambda sr, rng: applause(30, sr, rng), {}),
        ("runner.mp3", _band("dnb", 174.0, 90), {"bpm_range": (80.0, 160.0)}),
        ("one-window.flac", _band("rock", 117.2, 120), {"windows": 1}),
        ("four-windows.flac", _band("ballad", 67.9, 200), {"windows": 4}),
        ("all.mp3", _band("house", 122.4, 200), {"windows": "all"}),
        ("noise-between.wav", _noise_between, {}),
        ("noise-between-all.flac", _noise_between, {"windows": "all"}),
    ):  # fmt: skip
        yield File(name, 22050, make, dict(options))


def write(number: int, file: File, folder: Path) -> Path:
    """Write the file at a position in `files()`."""
    samples = file.make(file.sr, np.random.default_rng(number))
    return write_audio(folder / file.name, samples, file.sr)


def say(path: Path, options: dict[str, Any]) -> dict[str, Any]:
    """Estimate of the shipped models for a file, as plain values."""
    from tempo_core import Estimator

    models = {"key": "shipped"}
    found = Estimator(model="shipped", pace_model="shipped", models=models, **options).estimate(
        path
    )
    return {
        "bpm": found.bpm,
        "confidence": found.confidence,
        "stability": found.stability,
        "paces": [[pace.bpm, pace.probability] for pace in found.paces],
        "key": found.key,
        "key_confidence": found.key_confidence,
    }


def record(folder: Path) -> dict[str, dict[str, Any]]:
    """Estimates of the shipped models for all files, by name."""
    return {
        file.name: say(write(number, file, folder), file.options)
        for number, file in enumerate(files())
    }


def write_json(found: dict[str, dict[str, Any]], out: Path) -> None:
    """Write estimates as JSON, a line for each file."""
    lines = [f"{json.dumps(name)}: {json.dumps(values)}" for name, values in found.items()]
    out.write_text("{\n" + ",\n".join(lines) + "\n}\n")


def same(found: dict[str, Any], expected: dict[str, Any]) -> None:
    """Assert that two estimates are equal up to one unit of the last digit that is shown."""
    assert abs(found["bpm"] - expected["bpm"]) < 0.0101
    assert abs(found["confidence"] - expected["confidence"]) < 1.01e-4
    assert (found["stability"] is None) == (expected["stability"] is None)
    if expected["stability"] is not None:
        assert abs(found["stability"] - expected["stability"]) < 1.01e-3
    assert found["key"] == expected["key"]
    assert abs(found["key_confidence"] - expected["key_confidence"]) < 1.01e-4
    paces, wanted = (dict(answer["paces"]) for answer in (found, expected))
    assert len(paces) == len(wanted)
    for bpm, probability in wanted.items():
        near = min(paces, key=lambda other: abs(other - bpm))
        assert abs(near - bpm) < 0.101
        assert abs(paces[near] - probability) < 0.0101
