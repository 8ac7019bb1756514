"""The synthesis: what can be checked without a soundfont and the MIDI collections."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from tests.audio import write_audio
from trainer.mixing import SR, duck, master
from trainer.score import (
    ACCENT,
    FIGURES,
    Section,
    Sources,
    _chord,
    figure_notes,
    load_song,
    pattern_hits,
)
from trainer.styles import STYLES, Style
from trainer.synthesis import SAMPLES, SOUNDFONTS, draw_bpm, make_clip, render_samples

WHOLE = (Section(0.0, 1e9),)  # an arrangement in which everything plays


@pytest.mark.parametrize("style", STYLES, ids=lambda s: s.name)
def test_every_style_is_well_formed(style: Style) -> None:
    low, mode, high = style.bpm
    assert 40 <= low < mode < high <= 220
    assert set(style.figures) <= {*FIGURES, "none"}
    for part in (style.kick, style.snare, style.hat, style.perc):
        for pattern in part:
            assert set(pattern) <= {*ACCENT, "."}
            assert len(pattern) / style.beats in (3, 4, 8), pattern  # triplets, 16ths, 32nds


def test_style_names_are_distinct() -> None:
    assert len({s.name for s in STYLES}) == len(STYLES)


def test_drawn_tempi_lie_in_the_range_of_the_style() -> None:
    rng = np.random.default_rng(0)
    for style in STYLES:
        tempi = [draw_bpm(style, rng) for _ in range(50)]
        assert style.bpm[0] - 0.5 <= min(tempi)
        assert max(tempi) <= style.bpm[2] + 0.5


@pytest.mark.parametrize("style", [s for s in STYLES if s.kick], ids=lambda s: s.name)
def test_hits_lie_on_the_grid_of_the_pattern(style: Style) -> None:
    hits = pattern_hits(style, 32, WHOLE, np.random.default_rng(1))
    assert hits
    for part, notes in hits.items():
        if not notes or part in ("tom", "crash"):  # a pattern of rests only, or none
            continue
        lengths = {len(p) for p in getattr(style, part)}
        step = style.beats / max(lengths)
        starts = np.array([n.start for n in notes])
        off = np.abs(starts / step - np.round(starts / step)) * step
        # Swing moves every second step, people are late by a few hundredths of a beat.
        assert np.median(off) < 0.05
        assert all(1 <= n.velocity <= 127 for n in notes)


@pytest.fixture
def samples(tmp_path: Path) -> Path:
    """A folder of drum hits: decaying noise for every part."""
    rng = np.random.default_rng(0)
    folder = tmp_path / "samples"
    folder.mkdir()
    hit = rng.normal(size=4000) * np.exp(-np.arange(4000) / 800)
    for patterns in SAMPLES.values():
        write_audio(folder / patterns[0].replace("*", "a.flac"), 0.5 * hit / abs(hit).max(), SR)
    return folder


def test_sampled_drums_sound_where_the_beats_are(samples: Path, tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    style = Style("test", 1, (100, 120, 140), kick=("x...x...x...x...",))
    hits = pattern_hits(style, 16, WHOLE, rng)
    audio = render_samples(hits, 120.0, 8.0, 0.25, Sources(tmp_path, samples), rng)
    loud = np.abs(audio) > 0.2 * np.abs(audio).max()
    recently = np.convolve(loud, np.r_[0, np.ones(4000)])[: loud.size] > 0.5
    onsets = np.flatnonzero(loud & ~recently)
    beats = (onsets / SR - 0.25) / 0.5
    assert len(onsets) > 10
    assert np.abs(beats - np.round(beats)).max() < 0.15


def test_a_clip_follows_from_seed_and_index(samples: Path, tmp_path: Path) -> None:
    """Drums only, so that no soundfont is needed."""
    style = Style("test", 1, (100, 120, 140), kick=("x...x...x...x...",), electronic=1.0, harmony=0)
    sources = Sources(tmp_path, samples)
    first, row = make_clip(5, 1, sources, 6.0, [style])
    again, row_again = make_clip(5, 1, sources, 6.0, [style])
    other, _ = make_clip(6, 1, sources, 6.0, [style])
    assert row == row_again
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
    assert np.abs(first).max() <= 1.0
    assert first.size == 6 * SR
    assert row["style"] == "test"
    assert 100 <= float(str(row["bpm"])) <= 140


def test_mastering_gives_finite_audio_in_range() -> None:
    audio = np.random.default_rng(0).normal(size=3 * SR).astype(np.float32)
    for seed in range(12):
        result = master(audio, np.random.default_rng(seed))
        assert result.shape == audio.shape
        assert np.isfinite(result).all()
        assert np.abs(result).max() <= 1.0


def test_ducking_dips_on_the_beat() -> None:
    ducked = duck(np.ones(4 * SR, np.float32), 120.0, 0.0, np.random.default_rng(0))
    on, off = ducked[[0, SR // 2, SR]], ducked[[SR // 2 - 100, SR - 100]]
    assert on.max() < off.min()


@pytest.mark.parametrize(
    ("name", "pitches"),
    [("C:maj", (0, 4, 7)), ("F#:min7/b3", (6, 9, 1, 4)), ("Bb:7", (10, 2, 5, 8)), ("N", ()),
     ("G:sus4(b7)", (7, 0, 2)), ("A:min9", (9, 0, 4))],
)  # fmt: skip
def test_chord_names(name: str, pitches: tuple[int, ...]) -> None:
    assert _chord(name) == pitches


def test_a_figure_plays_the_chords() -> None:
    chords = [(0.0, 4.0, (0, 4, 7)), (4.0, 8.0, (9, 0, 4))]
    notes = figure_notes("arp8", chords, 4, np.random.default_rng(0))
    assert [n.start for n in notes] == [i / 2 for i in range(16)]
    assert {n.pitch % 12 for n in notes if n.start < 4} == {0, 4, 7}
    assert {n.pitch % 12 for n in notes if n.start >= 4} == {9, 0, 4}
    assert figure_notes("none", chords, 4, np.random.default_rng(0)) == []


def test_a_song_is_read_in_beats(tmp_path: Path) -> None:
    import pretty_midi

    folder = tmp_path / "007"
    folder.mkdir()
    score = pretty_midi.PrettyMIDI(initial_tempo=90)
    part = pretty_midi.Instrument(0)
    part.notes = [pretty_midi.Note(90, 60 + k, 0.5 + k * 2 / 3, 1.0 + k * 2 / 3) for k in range(8)]
    score.instruments = [part]
    score.write(str(folder / "007.mid"))
    beats = [0.5 + k * 2 / 3 for k in range(9)]
    (folder / "beat_midi.txt").write_text("\n".join(f"{t} 1.0 0.0" for t in beats))
    (folder / "chord_midi.txt").write_text(
        f"{beats[0]}\t{beats[4]}\tC:maj\n{beats[4]}\t{beats[8]}\tN\n"
    )
    song = load_song(folder)
    assert song.n_beats == 8
    np.testing.assert_allclose([n.start for n in song.parts[0]], range(8), atol=0.01)
    assert song.chords == ((0.0, 4.0, (0, 4, 7)), (4.0, 8.0, ()))


@pytest.mark.slow
def test_every_style_renders() -> None:
    """With fluidsynth and the MIDI collections, in the folder that TEMPO_DATA names."""
    data = Path(os.environ["TEMPO_DATA"])
    assert shutil.which("fluidsynth"), "install fluidsynth"
    assert any(Path(path).exists() for path, _ in SOUNDFONTS), "install a soundfont"
    sources = Sources(data / "midi", data / "samples")
    for style in STYLES:
        audio, row = make_clip(0, 9, sources, 10.0, [style])
        assert np.isfinite(audio).all(), row
        assert np.std(audio) > 0.01, row
