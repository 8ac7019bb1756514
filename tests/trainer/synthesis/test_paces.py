"""Tests of paces found from the notes of a clip."""

from __future__ import annotations

import csv
import dataclasses
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tempo_core.errors import ConfigError
from tests.audio import write_audio
from trainer.making.pace_cases import load_scores, score_of_clip
from trainer.synthesis.notes import Score, Sources
from trainer.synthesis.paces import (
    compatibility,
    evidence,
    level_of,
    score_of,
    stretched,
)
from trainer.synthesis.rendering.clips import ClipSet, _write_clip, main
from trainer.synthesis.rendering.compose import SAMPLE_PATTERNS, attempts
from trainer.synthesis.rendering.mixing import SR
from trainer.synthesis.styles import Style


def score(bpm: float, bar: int = 4, **patterns: str) -> Score:
    """Score of a bar repeated for 30 s, with the steps of the bar on which each part plays."""
    salience = {"kick": 1.0, "snare": 1.0, "hat": 0.45, "chords": 0.6}
    notes = [
        (k * bar + i * bar / len(pattern), salience[part])
        for part, pattern in patterns.items()
        for k in range(int(30 * bpm / 60 / bar))
        for i, sign in enumerate(pattern)
        if sign == "x"
    ]
    beats, weights = np.array(sorted(notes)).T
    return Score(bpm, bar, 0.0, 30.0, beats, weights)


HOUSE = score(124, kick="xxxx", snare=".x.x", hat=".x.x.x.x")
QUARTERS = score(124, kick="xxxx", snare=".x.x")
DNB = score(174, kick="x....x..", snare="..x...x.", hat="xxxxxxxx")
ROLLS = score(66, kick="x.x.", hat="x" * 32)  # thirty-seconds are near thirds, and are none
WALTZ = score(156, 3, kick="x..", chords="x..", snare=".xx")
GOSPEL = score(66, kick="x.....x.....", snare="...x.....x..", hat="xxxxxxxxxxxx")


@pytest.mark.parametrize(
    ("music", "ratio", "compatible"),
    [
        (HOUSE, 1, 1), (HOUSE, 1 / 2, 1), (HOUSE, 2, 1), (HOUSE, 3 / 2, 0), (HOUSE, 3 / 4, 0),
        (HOUSE, 1 / 3, 0), (HOUSE, 2.2, 0),
        (QUARTERS, 2, 0),  # nothing happens between the beats
        (DNB, 1 / 2, 1), (DNB, 2, 0),  # 348 BPM is beyond anybody
        (WALTZ, 1 / 3, 1), (WALTZ, 1 / 2, 0), (WALTZ, 2, 0),
        (ROLLS, 3, 0), (ROLLS, 4, 1), (GOSPEL, 3, 1), (GOSPEL, 2, 0), (GOSPEL, 3 / 2, 0),
    ],
)  # fmt: skip
def test_paces_of_music(music: Score, ratio: float, compatible: int) -> None:
    assert compatibility(music, ratio * music.bpm) == compatible


def test_slow_paces_need_an_accent() -> None:
    flat = score(92, kick="xxxx", hat="xxxxxxxx")
    accented = score(92, kick="x.x.", hat="xxxxxxxx")
    assert compatibility(flat, 46) == 0
    assert compatibility(accented, 46) == 1
    # Faster, half of the beats need none.
    assert compatibility(stretched(flat, 1.3), 46 * 1.3) == 1


def test_fast_paces_must_be_gapless() -> None:
    gaps = score(120, kick="xxxx", hat="xxxxxxx.")  # three of four off-beats
    assert compatibility(gaps, 240) == 1
    assert compatibility(stretched(gaps, 1.1), 264) == 0


def test_evidence_is_what_the_answer_follows_from() -> None:
    flat = score(92, kick="xxxx", hat="xxxxxxxx")
    accented = score(92, kick="x.x.", hat="xxxxxxxx")
    nothing = np.nan
    for music, bpm, accent, share in (
        (flat, 46, 0.0, nothing), (accented, 46, np.log2(1.45 / 0.45), nothing),
        (score(92, kick="x.x."), 46, 2.0, nothing),  # nothing between: as strong as can be told
        (HOUSE, 248, 2.0, 1.0), (QUARTERS, 248, 2.0, 0.0),  # nothing at sixteenths
        (flat, 92, np.log2(1.45 / 0.45), nothing), (HOUSE, 186, nothing, nothing),
        (WALTZ, 52, np.log2(1.6), nothing), (DNB, 43.5, np.log2(1.45 / 0.45), nothing),
    ):  # fmt: skip
        told = pytest.approx((accent, share), abs=0.08, nan_ok=True)  # the last beat is not played
        assert evidence(music, bpm) == told
        # Faster or slower, the same notes are there, whatever one can move to.
        assert evidence(stretched(music, 1.1), 1.1 * bpm) == told


def test_a_part_of_a_clip_is_judged_by_its_own_notes() -> None:
    half = dataclasses.replace(HOUSE, beats=HOUSE.beats[: len(HOUSE.beats) // 2])
    half = dataclasses.replace(half, salience=HOUSE.salience[: len(half.beats)])
    kicks = score(124, kick="xxxx")
    late = kicks.beats > half.beats[-1]
    mixed = dataclasses.replace(
        half,
        beats=np.concatenate([half.beats, kicks.beats[late]]),
        salience=np.concatenate([half.salience, kicks.salience[late]]),
    )
    assert compatibility(mixed, 248, (1.0, 9.0)) == 1
    assert compatibility(mixed, 248, (18.0, 26.0)) == 0
    assert compatibility(mixed, 248, (18.0, 26.0), soft=True) < 0.1
    assert compatibility(mixed, 248, (1.0, 9.0), soft=True) > 0.9


def test_levels() -> None:
    assert level_of(0.99, 4) == 0
    assert level_of(2.0, 4) == 2
    assert level_of(0.25, 4) == -4
    assert level_of(1 / 3, 4) is None
    assert level_of(1 / 3, 3) == -3
    assert level_of(3.0, 4) == 3
    assert level_of(1.5, 4) is None


def test_a_score_is_written_and_read() -> None:
    again = Score.from_json(DNB.to_json())
    np.testing.assert_allclose(again.beats, DNB.beats, atol=1e-3)
    assert compatibility(again, 87) == compatibility(DNB, 87)
    assert (again.bpm, again.bar) == (DNB.bpm, DNB.bar)


@pytest.fixture
def sources(tmp_path: Path) -> Sources:
    rng = np.random.default_rng(0)
    folder = tmp_path / "samples"
    folder.mkdir()
    hit = rng.normal(size=4000) * np.exp(-np.arange(4000) / 300)
    for patterns in SAMPLE_PATTERNS.values():
        write_audio(folder / patterns[0].replace("*", "a.flac"), 0.5 * hit / abs(hit).max(), SR)
    return Sources(tmp_path, folder)


DRUMS_ONLY = Style(
    "test", 1, (100, 120, 140), kick=("x...x...x...x...",), electronic=1.0, harmony=0
)


def test_the_score_of_a_clip_is_what_sounds(sources: Sources, tmp_path: Path) -> None:
    """In a rendered clip, energy rises where its score has notes."""
    _write_clip(3, ClipSet(5, sources, 8.0, [DRUMS_ONLY], False), tmp_path)
    written = Score.from_json((tmp_path / "5-000003.score").read_text())
    (composition, _), *_ = attempts(3, 5, sources, 8.0, [DRUMS_ONLY])
    np.testing.assert_allclose(written.beats, score_of(composition).beats, atol=1e-3)
    audio, sr = soundfile.read(tmp_path / "5-000003.ogg")
    energy = np.sqrt(np.add.reduceat(audio**2, np.arange(0, audio.size, sr // 200)))
    rise = np.maximum(0, np.diff(energy))
    times = written.origin + written.beats * 60 / written.bpm
    places = np.round(times[(times > 0.05) & (times < 7.8)] * 200).astype(int)
    at_notes = np.mean([rise[max(0, k - 3) : k + 3].max() for k in places])
    assert at_notes > 5 * np.median(rise + 1e-9)
    assert at_notes > 3 * rise.mean()


def test_scores_are_recomputed_where_they_are_missing(
    sources: Sources, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from click.testing import CliRunner

    from trainer.synthesis.rendering import clips as rendering
    from trainer.synthesis.rendering import compose

    monkeypatch.setattr(rendering, "STYLES", (DRUMS_ONLY,))
    monkeypatch.setattr(compose.attempts, "__defaults__", (8.0, (DRUMS_ONLY,), False))
    clips = tmp_path / "clips"
    arguments = ["--midi", tmp_path, "--samples", sources.samples, "--out", clips, "--count", 2]
    arguments += ["--duration", 8, "--seed", 5, "--jobs", 1]
    run = CliRunner().invoke(main, [str(a) for a in arguments])
    assert run.exit_code == 0, run.output
    written = load_scores(clips, None, tmp_path / "cache")
    for path in clips.glob("*.score"):
        path.unlink()
    with pytest.raises(ConfigError, match=r"\.score is missing"):
        load_scores(clips, None, tmp_path / "cache")
    with (clips / "clips.tsv").open() as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    for row, expected in zip(rows, written, strict=True):
        found = score_of_clip(row, sources, 8.0)
        np.testing.assert_allclose(found.beats, expected.beats, atol=1e-3)
    with pytest.raises(ConfigError, match="render the clips again"):
        score_of_clip({**rows[0], "bpm": "1.0"}, sources, 8.0)
