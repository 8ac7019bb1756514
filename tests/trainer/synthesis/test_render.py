"""Tests of the synthesis, as far as possible without a soundfont and MIDI collections."""

from __future__ import annotations

import csv
import json
import os
import shutil
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner

from tests.audio import write_audio
from tests.rows import mostly_slow
from trainer.inputs.recordings import read_clips
from trainer.synthesis.notes import InstrumentPart, Note, Section, Sources
from trainer.synthesis.rendering import clips
from trainer.synthesis.rendering import sheet as listening_sheet
from trainer.synthesis.rendering.clips import MADE_WITH, _write_clip, make_clip, mostly_silent
from trainer.synthesis.rendering.compose import (
    SAMPLE_PATTERNS,
    SOUNDFONTS,
    compose,
    draw_bpm,
    draw_loop,
    draw_midi_sound,
    draw_sample_sounds,
)
from trainer.synthesis.rendering.harmony import (
    ACCOMPANIMENTS,
    VOICE_PROGRAM,
    figure_notes,
    harmony_parts,
)
from trainer.synthesis.rendering.mixing import (
    CODECS,
    SR,
    compress,
    duck,
    limit,
    master,
    noise_like,
    sing,
    speak,
    transcode,
)
from trainer.synthesis.rendering.performances import groove_hits
from trainer.synthesis.rendering.render import render, render_loop, render_midi, render_samples
from trainer.synthesis.rendering.samples import LOOPS
from trainer.synthesis.rendering.score import ACCENTS, arrange, follow, humanise, pattern_hits
from trainer.synthesis.songs import _chord, load_song
from trainer.synthesis.styles import STYLES, Style

BY_NAME = {style.name: style for style in STYLES}
# A style that needs neither a soundfont nor songs: sampled drums alone.
DRUMS_ONLY = Style(
    "test", 1, (100, 120, 140), kick=("x...x...x...x...",), electronic=1.0, harmony=0
)
renders = pytest.mark.skipif(
    not shutil.which("fluidsynth") or not any(Path(path).exists() for path, _ in SOUNDFONTS),
    reason="needs fluidsynth and a soundfont",
)


WHOLE = (Section(0.0, 1e9),)  # an arrangement in which everything plays


@pytest.mark.parametrize("style", STYLES, ids=lambda s: s.name)
def test_every_style_is_well_formed(style: Style) -> None:
    low, mode, high = style.bpm
    assert 40 <= low < mode < high <= 220
    assert set(style.figures) <= {*ACCOMPANIMENTS, "none"}
    for part in (style.kick, style.snare, style.hat, style.perc):
        for pattern in part:
            assert set(pattern) <= {*ACCENTS, "."}
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
    for patterns in SAMPLE_PATTERNS.values():
        write_audio(folder / patterns[0].replace("*", "a.flac"), 0.5 * hit / abs(hit).max(), SR)
    return folder


def test_sampled_drums_sound_where_the_beats_are(samples: Path, tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    style = Style("test", 1, (100, 120, 140), kick=("x...x...x...x...",))
    hits = pattern_hits(style, 16, WHOLE, rng)
    sounds = draw_sample_sounds(hits, Sources(tmp_path, samples), rng)
    audio = render_samples(hits, 120.0, 8.0, 0.25, sounds)
    loud = np.abs(audio) > 0.2 * np.abs(audio).max()
    recently = np.convolve(loud, np.r_[0, np.ones(4000)])[: loud.size] > 0.5
    onsets = np.flatnonzero(loud & ~recently)
    beats = (onsets / SR - 0.25) / 0.5
    assert len(onsets) > 10
    assert np.abs(beats - np.round(beats)).max() < 0.15


def test_a_clip_follows_from_seed_and_index(samples: Path, tmp_path: Path) -> None:
    sources = Sources(tmp_path, samples)
    first, row = make_clip(5, 1, sources, 6.0, [DRUMS_ONLY])
    again, row_again = make_clip(5, 1, sources, 6.0, [DRUMS_ONLY])
    other, _ = make_clip(6, 1, sources, 6.0, [DRUMS_ONLY])
    assert row == row_again
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
    assert np.abs(first).max() <= 1.0
    assert first.size == 6 * SR
    assert row["style"] == "test"
    assert 100 <= float(str(row["bpm"])) <= 140


def test_a_clip_of_other_arguments_is_not_taken_for_this_one(samples: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    sources = Sources(tmp_path, samples)

    def clip(duration: float) -> tuple[float, int]:
        clips._write_clip(5, clips.ClipSet(1, sources, duration, [DRUMS_ONLY], False), out)
        (path,) = out.glob("*.ogg")
        return soundfile.info(path).duration, path.stat().st_mtime_ns

    first, made = clip(3.0)
    assert (first, made) == clip(3.0)
    assert first == pytest.approx(3.0)
    assert clip(4.0)[0] == pytest.approx(4.0)
    (note,) = out.glob("*.json")
    row = json.loads(note.read_text())
    del row[MADE_WITH]  # as it was written before
    note.write_text(json.dumps(row))
    assert clip(3.0)[0] == pytest.approx(4.0)


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


@pytest.fixture
def midi(tmp_path: Path) -> Path:
    """Folder with a MIDI song of 64 beats and a performance of 8 bars, both at 120 BPM."""
    import pretty_midi

    root = tmp_path / "midi"
    song = root / "POP909" / "007"
    song.mkdir(parents=True)
    beat = 0.5
    times = [0.5 + k * beat for k in range(65)]
    score = pretty_midi.PrettyMIDI(initial_tempo=120)
    for program in (0, 1, 2):
        part = pretty_midi.Instrument(program)
        part.notes = [pretty_midi.Note(90, 60 + k % 12, t, t + beat) for k, t in enumerate(times)]
        score.instruments.append(part)
    score.write(str(song / "007.mid"))
    (song / "beat_midi.txt").write_text("\n".join(f"{t} 1.0 0.0" for t in times))
    (song / "chord_midi.txt").write_text(
        "".join(f"{times[k]}\t{times[k + 4]}\t{'CF'[k % 8 // 4]}:maj\n" for k in range(0, 60, 4))
        + f"{times[60]}\t{times[64]}\tN\n"
    )
    groove = root / "groove"
    groove.mkdir()
    score = pretty_midi.PrettyMIDI(initial_tempo=120)
    kit = pretty_midi.Instrument(0, is_drum=True)
    for k in range(32):
        kit.notes.append(pretty_midi.Note(100, 36 if k % 2 == 0 else 38, k / 2, k / 2 + 0.1))
        kit.notes.append(pretty_midi.Note(60, 22, k / 2 + 0.25, k / 2 + 0.35))
    score.instruments = [kit]
    score.write(str(groove / "beat.mid"))
    (groove / "info.csv").write_text(
        "style,bpm,beat_type,time_signature,midi_filename,duration\nrock,120,beat,4-4,beat.mid,16\n"
    )
    return root


def test_a_song_is_read_in_beats(midi: Path) -> None:
    song = load_song(midi / "POP909" / "007")
    assert song.n_beats == 64
    np.testing.assert_allclose([n.start for n in song.parts[0]], range(65), atol=0.01)
    assert song.chords[:2] == ((0.0, 4.0, (0, 4, 7)), (4.0, 8.0, (5, 9, 0)))
    assert song.chords[-1] == (60.0, 64.0, ())


def test_a_human_performance_is_played_at_the_tempo(midi: Path, tmp_path: Path) -> None:
    style = replace(BY_NAME["rock"], groove=("rock",))
    sources = Sources(midi, tmp_path)
    hits = groove_hits(style, 140.0, 40.0, sources, np.random.default_rng(0))
    assert hits is not None
    assert {n.start % 2 for n in hits["kick"]} == {0.0}
    assert {n.start % 2 for n in hits["snare"]} == {1.0}
    assert {n.pitch for n in hits["hat"]} == {42}  # the closed hat that General MIDI knows
    assert max(n.start for n in hits["kick"]) == 38.0  # looped
    assert groove_hits(style, 170.0, 40.0, sources, np.random.default_rng(0)) is None


# --- what people count ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("names", "part", "beats"),
    [
        ("pop pop-fast pop-slow rock rock-fast rock-slow indie-rock rnb rnb-slow boombap lofi "
         "trap-slow dnb disco shuffle twelve-eight gospel", "snare", {1.0, 3.0}),
        ("trap dubstep rock-half-time reggae", "snare", {2.0}),
        ("house techno trance hardcore dembow disco amapiano", "kick", {0.0, 1.0, 2.0, 3.0}),
        ("polka", "snare", {0.5, 1.5}),
        ("six-eight", "snare", {1.0}),
        ("dembow", "snare", {0.75, 1.5, 2.75, 3.5}),
    ],
)  # fmt: skip
def test_the_drums_mark_the_beats_that_people_count(
    names: str, part: str, beats: set[float]
) -> None:
    for name in names.split():
        style = replace(BY_NAME[name], swing=(0.0, 0.0), electronic=1.0)
        style = replace(style, **{part: getattr(style, part)[:1]})  # the usual pattern
        bars = 100
        hits = pattern_hits(style, bars * style.beats, WHOLE, np.random.default_rng(3))
        accents = [n.start % style.beats for n in hits[part] if n.velocity > 90]
        positions, counts = np.unique(np.round(accents, 2), return_counts=True)
        assert set(positions[counts > 0.8 * bars].tolist()) == beats, name


def test_both_sides_of_the_common_confusions_are_there() -> None:
    """Fast songs that are easily halved, and slow busy ones that are easily doubled."""
    total = sum(s.weight for s in STYLES)
    fast = [s for s in STYLES if s.bpm[1] >= 150 and s.kick]
    slow = [s for s in STYLES if s.bpm[1] <= 80 and any(len(h) >= 16 for h in s.hat)]
    assert sum(s.weight for s in fast) > 0.15 * total
    assert sum(s.weight for s in slow) > 0.15 * total
    assert any(len(h) == 32 for s in slow for h in s.hat)


def test_rolls_are_twice_as_fast_as_sixteenths() -> None:
    style = replace(BY_NAME["trap"], rolls=1.0, hat=("x...x...x...x...",))
    hats = pattern_hits(style, 64, WHOLE, np.random.default_rng(0))["hat"]
    gaps = np.diff(sorted(n.start for n in hats))
    assert (np.abs(gaps - 1 / 8) < 1e-6).sum() > 20
    none = pattern_hits(replace(style, rolls=0.0), 64, WHOLE, np.random.default_rng(0))["hat"]
    assert min(np.diff(sorted(n.start for n in none))) > 0.9


def test_songs_follow_the_metre_and_the_subdivision(midi: Path, tmp_path: Path) -> None:
    """In three every fourth beat of the song is left out; a slow harmony lasts twice as long."""
    sources = Sources(midi, tmp_path)

    def parts(name: str, **changes: object) -> list[InstrumentPart]:
        style = replace(BY_NAME[name], **changes)  # type: ignore[arg-type]
        return harmony_parts(style, 24.0, sources, np.random.default_rng(4))

    def starts(parts: list[InstrumentPart], role: str) -> set[float]:
        return {round(n.start, 2) for p in parts if p.role == role for n in p.notes}

    waltz = parts("waltz", vocal=1.0)
    assert [p.program for p in waltz].count(VOICE_PROGRAM) == 1
    assert starts(waltz, "melody") == set(range(24))
    half_time = parts("trap", vocal=1.0)
    assert starts(half_time, "melody") == set(range(0, 24, 2))
    alone = parts("piano-solo", vocal=0.0)
    assert len({p.program for p in alone}) == 1
    assert "bass" not in {p.role for p in alone}
    assert starts(parts("twelve-eight", figures=("triplet",)), "chords") >= {0.33, 0.67, 1.0}


# --- arrangement ----------------------------------------------------------------------------------


def test_an_arrangement_covers_the_clip_and_is_complete_somewhere() -> None:
    rng = np.random.default_rng(0)
    rests = 0
    for _ in range(200):
        sections = arrange(BY_NAME["pop"], 60.0, True, rng)
        assert sections[0].start == 0.0
        assert sections[-1].end >= 60.0
        assert all(a.end == b.start for a, b in pairwise(sections))
        assert any(not s.silent for s in sections)
        rests += any({"kick", "snare"} <= set(s.silent) for s in sections)
        bare = arrange(BY_NAME["techno"], 60.0, False, rng)
        assert not any({"kick", "snare"} <= set(s.silent) for s in bare)
    assert rests > 20  # drums do drop out


def test_parts_rest_in_their_sections_and_stops_silence_all() -> None:
    sections = (
        Section(0.0, 8.0, ("snare",)),
        Section(8.0, 16.0, (), stop=2.0),
        Section(16.0, 24.0, ("kick",)),
    )
    notes = [Note(b - 0.01, b + 4.0, 0, 100) for b in range(24)]
    snare, kick = follow(notes, "snare", sections), follow(notes, "kick", sections)
    assert [round(n.start) for n in snare] == [*range(8, 14), *range(16, 24)]
    assert [round(n.start) for n in kick] == [*range(14)]
    ringing = [n.end for n in kick if round(n.start) in (11, 12, 13)]
    assert ringing == [14.0, 14.0, 14.0]  # cut where the stop begins
    assert kick[0].end == 4.0


def test_fills_and_crashes_mark_the_phrases() -> None:
    style = replace(BY_NAME["rock"], electronic=0.0)
    sections = tuple(Section(16.0 * k, 16.0 * (k + 1)) for k in range(10))
    rng = np.random.default_rng(1)
    crashes, toms = [], []
    for _ in range(20):
        hits = pattern_hits(style, 160.0, sections, rng)
        crashes += [n.start % 16 for n in hits.get("crash", [])]
        toms += [n.start % 16 for n in hits["tom"]]
    assert len(crashes) > 40
    assert set(crashes) == {0.0}
    assert np.mean(np.array(toms) >= 14) > 0.6  # most lead into the next phrase


def test_humanised_chords_stay_together() -> None:
    notes = [Note(float(b), b + 1.0, p, 90) for b in range(50) for p in (60, 64)]
    moved = humanise(notes, 0.01, np.random.default_rng(0))
    offsets = np.array([n.start for n in moved]) - np.array([n.start for n in notes])
    np.testing.assert_allclose(offsets[0::2], offsets[1::2], atol=1e-12)
    assert 0.005 < offsets.std() < 0.02
    assert [n.end - n.start for n in moved] == pytest.approx([1.0] * 100)


# --- sound ----------------------------------------------------------------------------------------


def hits_at(times: np.ndarray, duration: float) -> np.ndarray:
    """Decaying noise at `times` [s], (n_samples,)."""
    rng = np.random.default_rng(0)
    audio = np.zeros(int(duration * SR))
    for t in times:
        hit = rng.normal(size=1500) * np.exp(-np.arange(1500) / 200)
        audio[round(t * SR) :][:1500] += hit
    return 0.8 * audio / np.abs(audio).max()


def lag(reference: np.ndarray, audio: np.ndarray, time: float) -> float:
    """Delay of `audio` behind `reference` around a time [s]."""
    span = slice(max(0, int((time - 0.1) * SR)), int((time + 0.2) * SR))
    match = np.correlate(audio[span], reference[span], "full")
    return float((np.argmax(match) - (reference[span].size - 1)) / SR)


@mostly_slow(("encoder", "container", "rate", "bit_rates"), CODECS, quick=1)
def test_codecs_keep_the_time(
    encoder: str, container: str, rate: int, bit_rates: tuple[int, int]
) -> None:
    times = np.arange(0.3, 9.7, 0.47)
    audio = hits_at(times, 10.0)
    for bit_rate in bit_rates:
        result = transcode(audio, encoder, container, rate, 1000 * bit_rate)
        assert result.shape == audio.shape
        assert not np.allclose(result, audio, atol=1e-3)  # it did go through the encoder
        for time in times[[0, 10, -1]]:
            assert abs(lag(audio, result, time)) <= 0.001


@pytest.mark.slow
def test_mastering_keeps_the_time() -> None:
    """Mastering, whatever is drawn, causes no drift and hardly any delay."""
    times = np.arange(0.3, 9.8, 0.5)
    audio = hits_at(times, 10.0)
    moved = []
    for seed in range(8):
        result = master(audio, np.random.default_rng(seed))
        moved.append([lag(audio, result, t) for t in times[[5, 10, -6]]])
    spread = np.ptp(moved, axis=1)
    assert np.median(spread) < 0.001
    assert np.abs(moved).max() < 0.005


def test_the_compressor_lowers_what_is_loud_after_its_attack() -> None:
    quiet, loud = np.full(SR, 0.1), np.full(SR, 1.0)
    audio = np.r_[quiet, loud, quiet] * np.where(np.arange(3 * SR) % 2, 1, -1)
    gain = np.abs(compress(audio, -6.0, 4.0, attack=0.05, release=0.2)) / np.abs(audio)
    assert gain[SR // 2] == pytest.approx(1.0, abs=0.01)
    assert gain[SR + 20] > 0.9  # the attack lets the beginning through
    assert gain[2 * SR - 200] < 0.7
    assert gain[2 * SR + SR // 10] < 0.7  # and the release takes its time
    assert gain[-200] > 0.95


def test_the_limiter_keeps_peaks_below_its_ceiling() -> None:
    audio = hits_at(np.arange(0.1, 2.9, 0.3), 3.0) + 0.01
    limited = limit(audio, 0.3)
    assert np.abs(limited).max() <= 0.3 + 1e-9
    softest = int(0.09 * SR)  # before the first hit
    assert limited[softest - 200] == pytest.approx(audio[softest - 200])
    gain = limited / audio
    after = int(0.1 * SR) + 4000
    assert gain[after - 3500] < gain[after] <= 1.0  # recovering


@pytest.mark.parametrize("kind", ["white", "pink", "crackle", "crowd"])
def test_noises_have_their_colour(kind: str) -> None:
    noise = noise_like(kind, 4 * SR, np.random.default_rng(0))
    power = np.abs(np.fft.rfft(noise)) ** 2
    hz = np.fft.rfftfreq(noise.size, 1 / SR)
    low, high = (power[(hz > a) & (hz < 2 * a)].sum() for a in (500, 4000))  # an octave each
    ratio = high / low
    assert np.isfinite(noise).all()
    assert 0.5 < noise.std() < 1.5
    bounds = {"white": (6, 10), "pink": (0.7, 1.4), "crackle": (1.5, 50), "crowd": (0.01, 0.9)}
    assert bounds[kind][0] < ratio < bounds[kind][1]


def test_the_voice_sings_its_syllables() -> None:
    audio = sing([(0.5, 1.5, 220.0), (2.0, 2.5, 330.0)], 3 * SR, 0.0, np.random.default_rng(1))
    assert np.abs(audio).max() == pytest.approx(1.0)
    level = np.abs(audio).reshape(-1, SR // 10).max(axis=1)
    assert level[:4].max() < 1e-3
    assert level[17:19].max() < 0.05
    for span, pitch in ((slice(7, 14), 220.0), (slice(21, 25), 330.0)):
        sung = audio[span.start * SR // 10 : span.stop * SR // 10]
        spectrum = np.abs(np.fft.rfft(sung * np.hanning(sung.size), 4 * SR))
        peaks = [spectrum[int(4 * pitch * k * 0.99) : int(4 * pitch * k * 1.01)].max()
                 for k in (1, 2, 3)]  # fmt: skip
        between = [spectrum[int(4 * pitch * (k + 0.4)) : int(4 * pitch * (k + 0.6))].max()
                   for k in (1, 2)]  # fmt: skip
        assert max(peaks) > 10 * max(between)
    assert not sing([], SR, 0.0, np.random.default_rng(0)).any()


def test_speech_has_no_beat_but_syllables() -> None:
    speech = speak(4.0, np.random.default_rng(0))
    level = np.abs(speech).reshape(-1, SR // 50).max(axis=1)
    assert speech.size == 4 * SR
    assert 0.3 < np.mean(level > 0.1) < 0.99


def test_loops_are_resampled_to_the_tempo(tmp_path: Path) -> None:
    """Over 30 s the beats stay where they belong, though a repetition is no whole number of
    samples; a loop that would have to be bent too far is not used."""
    rng = np.random.default_rng(0)
    times = np.arange(4) * 0.4379
    write_audio(tmp_path / "loop_amen.flac", hits_at(times, 4 * 0.4379), SR)
    sources = Sources(tmp_path, tmp_path)
    assert LOOPS["loop_amen"] == 4
    loop = draw_loop(151.3, sources, rng)
    assert loop is not None
    audio = render_loop(loop, 151.3, 30.0, -1.1)
    loud = np.flatnonzero(np.abs(audio) > 0.15)
    onsets = loud[np.r_[True, np.diff(loud) > 0.1 * SR]] / SR
    beats = (onsets[onsets > 0.1] + 1.1) * 151.3 / 60
    assert len(beats) > 70
    assert np.ptp(beats - np.round(beats)) * 60 / 151.3 < 0.003
    assert draw_loop(185.0, sources, rng) is None
    assert draw_loop(100.0, sources, rng) is None


@renders
def test_midi_drums_sound_on_the_beats() -> None:
    hits = {"kick": [Note(float(b), b + 2.0, 36, 120) for b in range(-3, 16)]}
    sound = draw_midi_sound(0, True, np.random.default_rng(0))
    audio = np.abs(render_midi([], hits, 100.0, 8.0, 0.35, sound))
    loud = np.flatnonzero(audio > 0.3 * audio.max())
    onsets = loud[np.r_[True, np.diff(loud) > 0.2 * SR]] / SR
    np.testing.assert_allclose(onsets, 0.35 + 0.6 * np.arange(len(onsets)), atol=0.02)
    assert len(onsets) == 13
    assert audio[: int(0.3 * SR)].max() < 0.01  # nothing of the beats before the clip


@renders
def test_harmony_and_voice_are_rendered(midi: Path, samples: Path) -> None:
    style = replace(BY_NAME["indie-rock"], vocal=1.0, groove=("rock",))
    audio, row = make_clip(1, 2, Sources(midi, samples), 5.0, [style])
    assert row["harmony"]
    assert row["voice"]
    assert row["drums"] in ("midi", "human", "sampled", "none")
    assert np.std(audio) > 0.01


# --- clips ----------------------------------------------------------------------------------------


def test_beats_and_downbeats_are_where_the_row_says(samples: Path, tmp_path: Path) -> None:
    """One kick a bar, mastered at random: over several clips the energy rises at the downbeats."""
    style = replace(DRUMS_ONLY, kick=("x...............",))
    aligned = 0.0
    skipped = set()
    for index in range(6):
        audio, row = make_clip(index, 3, Sources(tmp_path, samples), 10.0, [style])
        beat = 60.0 / float(str(row["bpm"]))
        first, down = float(str(row["first_beat"])), float(str(row["downbeat"]))
        assert 0 <= first < beat
        skipped.add(round((down - first) / beat, 3))
        energy = np.add.reduceat(audio.astype(float) ** 2, np.arange(0, audio.size, 220))
        rise = np.maximum(0, np.diff(np.sqrt(energy)))
        times = np.arange(1, energy.size) * 220 / SR
        phase = ((times - down) / (4 * beat) + 0.02) % 1.0
        aligned += float(rise[phase < 0.04].sum() / rise.sum()) / 6
    assert aligned > 0.3  # by chance 0.04
    assert skipped <= {0.0, 1.0, 2.0, 3.0}
    assert len(skipped) > 1


def test_an_interrupted_run_goes_on_with_the_same_clips(samples: Path, tmp_path: Path) -> None:
    sources = Sources(tmp_path, samples)
    for folder, indices in (("whole", (0, 1, 2)), ("cut", (2,)), ("cut", (0, 1, 2))):
        (tmp_path / folder).mkdir(exist_ok=True)
        for i in indices:
            _write_clip(i, clips.ClipSet(4, sources, 4.0, [DRUMS_ONLY], False), tmp_path / folder)
    for i in range(3):
        name = f"4-{i:06d}.ogg"
        whole, _ = soundfile.read(tmp_path / "whole" / name)
        cut, _ = soundfile.read(tmp_path / "cut" / name)
        np.testing.assert_array_equal(whole, cut)
    assert not list(tmp_path.glob("*/*.part"))


@pytest.mark.slow
def test_a_balanced_set_is_a_test_set(
    samples: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every style in turn and never trained on; without the option styles are drawn by weight."""
    rare = replace(DRUMS_ONLY, name="rare", weight=1e-9)
    monkeypatch.setattr(clips, "STYLES", (DRUMS_ONLY, rare))

    def rendered(out: str, *options: str) -> list[str]:
        result = CliRunner().invoke(
            clips.main,
            ["--midi", str(tmp_path), "--samples", str(samples), "--out", str(tmp_path / out),
             "--count", "11", "--duration", "1", "--jobs", "1", *options],
            catch_exceptions=False,
        )  # fmt: skip
        assert result.exit_code == 0, result.output
        with (tmp_path / out / "clips.tsv").open(newline="") as file:
            return [row["style"] for row in csv.DictReader(file, delimiter="\t")]

    styles = rendered("balanced", "--balanced", "--seed", "9001", "--count", "4")
    assert styles == ["test", "rare"] * 2
    assert rendered("drawn") == ["test"] * 11
    assert {r.split for r in read_clips(tmp_path / "balanced")} == {"test"}
    splits = [r.split for r in read_clips(tmp_path / "drawn")]
    assert splits == ["validation"] + ["train"] * 9 + ["validation"]
    sheet = tmp_path / "sheet.png"
    result = CliRunner().invoke(
        listening_sheet.main,
        ["--clips", str(tmp_path / "drawn"), "--out", str(sheet), "--start", "0", "--length", "1"],
        catch_exceptions=False,
    )
    assert result.output.startswith("1 clips")
    assert sheet.read_bytes()[:4] == b"\x89PNG"


def test_the_listening_sheet_draws_the_grid_of_the_clip() -> None:
    row = {"bpm": "120", "beats": "3", "first_beat": "0.2", "downbeat": "0.7"}
    beats, downbeats = listening_sheet.grid_lines(row, 1.0, 3.0)
    np.testing.assert_allclose(beats, [1.2, 1.7, 2.2, 2.7])
    np.testing.assert_allclose(downbeats, [2.2])


@pytest.mark.slow
@pytest.mark.skipif("TEMPO_DATA" not in os.environ, reason="needs a folder that TEMPO_DATA names")
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


@pytest.mark.slow
def test_a_clip_that_would_be_silent_is_drawn_again(samples: Path, tmp_path: Path) -> None:
    for path in sorted(samples.glob("bd_*")) + sorted(samples.glob("drum_bass*")):
        # Next to this kick drum there is one that is silent: half of the drawn clips would be.
        write_audio(path.with_name(f"bd_{path.stem}_silent.flac"), np.zeros(4000), SR)
    sources = Sources(tmp_path, samples)
    style = replace(DRUMS_ONLY, snare=(), hat=(), perc=())
    clips = [make_clip(k, 3, sources, 4.0, [style])[0] for k in range(8)]
    assert not any(mostly_silent(clip) for clip in clips)
    rngs = [np.random.default_rng([3, k]) for k in range(8)]
    firsts = [render(compose(style, sources, 4.0, rng), rng)[0] for rng in rngs]
    assert any(mostly_silent(first) for first in firsts)


def test_half_of_the_seconds_make_a_clip_silent() -> None:
    tone = np.sin(np.arange(10 * SR)).astype(np.float32)
    tone[: 4 * SR] = 0.0
    assert not mostly_silent(tone)
    tone[: 6 * SR] = 0.0
    assert mostly_silent(tone)
