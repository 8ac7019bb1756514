"""Making the notes model and measuring it: from songs to a file that is used, in a few steps."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import numpy as np
import pretty_midi
import pytest
from click.testing import CliRunner

from tempo_core import checkpoint
from tempo_core.config import NotesFrontEnd
from tempo_core.errors import ConfigError
from tempo_core.tasks.notes.events import Note, Stretch, Thresholds, Transcription
from tests.known_notes import song
from tests.songs import write_song
from trainer.making import notes as making
from trainer.making.notes import RenderedPiece, by_kind, invented, kind_of, rendered
from trainer.research import note_figures
from trainer.synthesis.rendering.pieces import KINDS, NOTHING

SECONDS = 6.0
renders = pytest.mark.skipif(
    not shutil.which("fluidsynth")
    or not all(Path(font).exists() for font in (*making.FONTS, making.HELD_FONT)),
    reason="needs fluidsynth and the soundfonts",
)


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with two songs, one of them only tested on, and no human drums; short pieces."""
    for module in (making, note_figures):
        monkeypatch.setattr(module, "SECONDS", SECONDS)
    folder = tmp_path / "data"
    for name, tonic in (("001", 0), ("002", 4)):
        write_song(folder / "midi" / "POP909" / name, tonic, minor=False)
    groove = folder / "midi" / "groove"
    groove.mkdir()
    (groove / "info.csv").write_text("midi_filename,style,bpm,beat_type,time_signature,duration\n")
    return folder


@renders
@pytest.mark.slow
def test_it_makes_a_model_that_is_used_and_measured(data: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    args = ["--data", data, "--cache", cache, "--out", tmp_path / "out", "--pieces", 4,
            "--tests", 4, "--steps", 2, "--layers", 0, "--jobs", 1]  # fmt: skip
    run = CliRunner().invoke(making.main, list(map(str, args)))
    assert run.exit_code == 0, run.output
    for kind in KINDS:
        assert f"test, {kind}: F 0." in run.output
    assert "notes a minute where there are none: " in run.output
    (path,) = (tmp_path / "out").iterdir()
    model = checkpoint.load(path, "notes")
    assert model.card["data"] == {"rendered": 4}
    assert sorted(model.card["figures"]) == sorted(KINDS)
    # What was rendered is kept, and is what another run is measured on.
    before = {p: p.stat().st_mtime_ns for p in cache.rglob("*.safetensors")}
    assert len(before) == 12
    measured = CliRunner().invoke(
        note_figures.main,
        ["--data", str(data), "--cache", str(cache), "--model", str(path), "--tests", "4"],
    )
    assert measured.exit_code == 0, measured.output
    assert {p: p.stat().st_mtime_ns for p in cache.rglob("*.safetensors")} == before
    told = {kind: re.findall(rf"test, {kind}: (.*)", run.output) for kind in KINDS}
    assert {
        kind: re.findall(rf"{model.name}, {kind}: (.*)", measured.output) for kind in KINDS
    } == told  # fmt: skip
    assert all(len(lines) == 1 for lines in told.values())
    # The pieces as audio, and transcriptions of them by somebody else: here what is played.
    others = tmp_path / "others"
    export = ["--data", str(data), "--cache", str(cache), "--tests", "4", "--export", str(others)]
    assert CliRunner().invoke(note_figures.main, export).exit_code == 0
    waves = sorted(others.iterdir())
    assert [wave.name for wave in waves] == [f"{k}.wav" for k in range(4)]
    for number, piece in enumerate(rendered(data, cache, "test", 4, 0, 1)):
        instrument = pretty_midi.Instrument(0)
        instrument.notes = [
            pretty_midi.Note(n.velocity, n.pitch, n.start, n.end) for n in piece.as_notes()
        ]
        score = pretty_midi.PrettyMIDI()
        score.instruments.append(instrument)
        score.write(str(others / f"{number}.mid"))
    compared = CliRunner().invoke(
        note_figures.main,
        ["--data", str(data), "--cache", str(cache), "--tests", "4", "--others", str(others)],
    )
    assert compared.exit_code == 0, compared.output
    for kind in KINDS:
        assert f"others, {kind}: F 1.000 (P 1.000, R 1.000)" in compared.output


@renders
@pytest.mark.slow
def test_a_piece_is_rendered_once_and_always_the_same(data: Path, tmp_path: Path) -> None:
    (nothing, band, study) = rendered(data, tmp_path / "a", "test", 3, 0, 1)
    assert (nothing.kind, band.kind, study.kind) == (NOTHING, "band", "study")
    assert len(nothing.notes) == 0
    assert nothing.audio.any()
    assert len(band.notes) > 3
    assert len(study.notes) > 3
    assert study.audio.size == SECONDS * NotesFrontEnd().sr
    (tmp_path / "a" / "pieces-0" / "test" / "2.safetensors").unlink()
    again = rendered(data, tmp_path / "a", "test", 3, 0, 1)[2]
    assert (again.audio == study.audio).all()
    assert (again.notes == study.notes).all()


def test_a_missing_soundfont_is_named(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(making, "HELD_FONT", "/no/such.sf3")
    with pytest.raises(ConfigError, match=r"no soundfont /no/such\.sf3"):
        rendered(data, tmp_path / "cache", "test", 1, 0, 1)


def test_songs_are_held_out_and_kinds_take_turns(data: Path) -> None:
    (held,) = making.songs_of(data, "test", 1)
    (learned,) = making.songs_of(data, "train", 1)
    assert held.parts != learned.parts
    kinds = [kind_of(k) for k in range(75)]
    assert kinds.count(NOTHING) == 3
    assert {kinds.count(kind) for kind in KINDS} == {24}


def found(notes: tuple[Note, ...]) -> Transcription:
    """What a model finds that is sure of these notes, and half sure of one too many."""
    fps, shape = 40.0, (88, 40 * 20)
    onsets, frames = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
    for note, sure in (*((note, 0.9) for note in notes), (Note(18.0, 19.0, 30), 0.3)):
        first, last = round(note.start * fps), round(note.end * fps)
        onsets[note.pitch - 21, first] = sure
        frames[note.pitch - 21, first:last] = sure
    stretch = Stretch(0.0, fps, onsets, frames, frames)
    return Transcription((), (stretch,), Thresholds(0.5, 0.5))


def test_thresholds_are_those_that_fit_and_figures_are_by_kind(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(making, "SECONDS", 20.0)
    notes = song(4)
    rows = np.array([(n.start, n.end, n.pitch, n.velocity) for n in notes], np.float32)
    audio = np.zeros(10, np.float32)
    pieces = [
        RenderedPiece("piano", audio, rows),
        RenderedPiece(NOTHING, audio, np.zeros((0, 4), np.float32)),
    ]
    answers = [found(notes), found(())]
    thresholds = making.choose(pieces, answers)
    assert thresholds.onset > 0.3
    assert by_kind(pieces, answers, thresholds)["piano"].f == 1.0
    assert by_kind(pieces, answers, Thresholds(0.2, 0.2))["piano"].f < 1.0
    assert list(by_kind(pieces, answers, thresholds)) == ["piano"]
    assert invented(pieces, answers, thresholds) == 0
    assert invented(pieces, answers, Thresholds(0.2, 0.2)) == 3.0  # one in a third of a minute
