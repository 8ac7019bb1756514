"""Tests of folders of recordings whose notes are known."""

from __future__ import annotations

import warnings
from pathlib import Path

import mido
import numpy as np
import pretty_midi
import pytest

from tempo_core.config import NotesFrontEnd
from tempo_core.errors import AudioError, ConfigError, LabelError
from tests.audio import write_audio
from trainer.inputs.annotated import spectrum_of
from trainer.inputs.note_folders import Pair, annotate, find_pairs, read_notes

SR = 11025


def write_midi(
    path: Path,
    notes: list[tuple[float, float, int]],
    pedal: tuple[tuple[float, int], ...] = (),
    drums: bool = False,
) -> Path:
    score = pretty_midi.PrettyMIDI()
    part = pretty_midi.Instrument(0, is_drum=drums)
    part.notes = [pretty_midi.Note(80, pitch, start, end) for start, end, pitch in notes]
    part.control_changes = [pretty_midi.ControlChange(64, value, time) for time, value in pedal]
    score.instruments.append(part)
    path.parent.mkdir(parents=True, exist_ok=True)
    score.write(str(path))
    return path


def write_sine(path: Path, seconds: float = 2.0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    time = np.arange(round(seconds * SR)) / SR
    write_audio(path, (0.4 * np.sin(2 * np.pi * 440 * time)).astype(np.float32), SR)
    return path


def test_recordings_with_a_midi_file_beside_them_are_pairs(tmp_path: Path) -> None:
    first = write_sine(tmp_path / "2004" / "a b.wav")
    notes = write_midi(tmp_path / "2004" / "a b.midi", [(0, 1, 69)])
    second = write_sine(tmp_path / "c.flac")
    write_midi(tmp_path / "c.mid", [(0, 1, 69)])
    write_sine(tmp_path / "without.wav")
    write_midi(tmp_path / "alone.mid", [(0, 1, 69)])
    assert find_pairs(tmp_path) == [
        Pair(first, notes), Pair(second, tmp_path / "c.mid"),
    ]  # fmt: skip


def test_a_recording_is_one_pair_whatever_its_formats_and_capitals(tmp_path: Path) -> None:
    """A copy of what is learned from would be tested on."""
    first = write_sine(tmp_path / "A.FLAC")
    write_sine(tmp_path / "A.wav")
    notes = write_midi(tmp_path / "A.MID", [(0, 1, 69)])
    write_midi(tmp_path / "A.midi", [(0, 1, 69)])
    opus = tmp_path / "b.oga"
    opus.write_bytes(b"")
    write_midi(tmp_path / "b.mid", [(0, 1, 69)])
    assert find_pairs(tmp_path) == [Pair(first, notes), Pair(opus, tmp_path / "b.mid")]


def test_musicnet_has_tables_in_samples_and_its_own_test_set(tmp_path: Path) -> None:
    for split, number in (("train", 1727), ("test", 1759)):
        write_sine(tmp_path / f"{split}_data" / f"{number}.wav")
        table = tmp_path / f"{split}_labels" / f"{number}.csv"
        table.parent.mkdir()
        table.write_text(
            "start_time,end_time,instrument,note,start_beat,end_beat,note_value\n"
            "22050,44100,41,69,0.0,1.0,Quarter\n9182,22050,43,57,0.0,1.5,Dotted Quarter\n"
        )
    pairs = find_pairs(tmp_path)
    assert [(pair.audio.stem, pair.held) for pair in pairs] == [("1727", False), ("1759", True)]
    rows = read_notes(pairs[0].notes)
    np.testing.assert_allclose(rows[:, :3], [[9182 / 44100, 0.5, 57], [0.5, 1.0, 69]], rtol=1e-5)


def test_the_pedal_holds_notes_and_drums_are_none(tmp_path: Path) -> None:
    path = write_midi(
        tmp_path / "a.mid", [(0, 0.5, 60), (0.2, 0.4, 64), (1.0, 1.5, 60), (2.5, 3.0, 67)],
        pedal=((0.3, 127), (2.0, 0)),
    )  # fmt: skip
    rows = read_notes(path)
    # 60 is struck again while the pedal is down; 67 comes after it.
    np.testing.assert_allclose(
        rows[:, :3], [[0, 1.0, 60], [0.2, 2.0, 64], [1.0, 2.0, 60], [2.5, 3.0, 67]], atol=0.005
    )
    assert read_notes(write_midi(tmp_path / "d.mid", [(0, 1, 40)], drums=True)).shape == (0, 4)


@pytest.mark.parametrize("content", [b"", b"MThd", b"nonsense " * 100, b"start_time\nx\n"])
@pytest.mark.parametrize("name", ["a.mid", "a.csv"])
def test_what_holds_no_notes_is_one_clear_message(
    tmp_path: Path, content: bytes, name: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    if name == "a.csv" and content in (b"", b"MThd", b"nonsense " * 100):
        assert read_notes(path).shape == (0, 4)  # a table without rows
        return
    with pytest.raises(LabelError, match="no notes can be read"):
        read_notes(path)


def test_what_a_table_lacks_is_named_and_odd_times_are_left_out(tmp_path: Path) -> None:
    path = tmp_path / "1.csv"
    path.write_text("start_time,end_time,pitch\n0,44100,60\n")
    with pytest.raises(LabelError, match="there is no column note"):
        read_notes(path)
    path.write_text(f"start_time,end_time,note\n0,{'9' * 60},60\n0,44100,61\n", "utf-8-sig")
    assert read_notes(path).tolist() == [[0, 1, 61, 80]]


def test_what_is_odd_in_midi_is_no_warning(tmp_path: Path) -> None:
    file = mido.MidiFile(type=1)
    notes = [mido.Message("note_on", note=60), mido.Message("note_off", note=60, time=480)]
    file.tracks += [mido.MidiTrack(), mido.MidiTrack([mido.MetaMessage("set_tempo"), *notes])]
    file.save(tmp_path / "a.mid")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert read_notes(tmp_path / "a.mid")[:, :3].tolist() == [[0, 0.5, 60]]


def test_folders_without_pairs_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no folder"):
        find_pairs(tmp_path / "missing")
    write_sine(tmp_path / "a.wav")
    with pytest.raises(ConfigError, match="MIDI file of the same name"):
        find_pairs(tmp_path)


def test_a_recording_is_cut_as_it_is_heard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trainer.inputs.note_folders.STREAMED_PIECE", 1.0)
    pair = Pair(
        write_sine(tmp_path / "a.wav", 2.5),
        write_midi(tmp_path / "a.mid", [(0.2, 1.4, 69), (1.6, 1.8, 60), (2.2, 2.4, 64)]),
    )
    front_end = NotesFrontEnd()
    pieces = annotate(pair, spectrum_of(front_end))
    assert [piece.features.shape[0] for piece in pieces] == [2 * front_end.n_bands] * 3
    starts = [piece.notes[:, [0, 2]].astype(float).round(2).tolist() for piece in pieces]
    assert starts == [[[0.2, 69]], [[-0.8, 69], [0.6, 60]], [[0.2, 64]]]
    band = 3 * (69 - 21) + 1
    assert pieces[0].features[: front_end.n_bands, 20].argmax() == band


def test_what_cannot_be_used_is_told(tmp_path: Path) -> None:
    spectrum = spectrum_of(NotesFrontEnd())
    good = write_midi(tmp_path / "a.mid", [(0, 1, 69)])
    bad = tmp_path / "bad.wav"
    bad.write_bytes(b"RIFF nothing")
    with pytest.raises(AudioError):
        annotate(Pair(bad, good), spectrum)
    with pytest.raises(LabelError, match="no notes in it"):
        annotate(Pair(write_sine(tmp_path / "a.wav"), write_midi(tmp_path / "e.mid", [])), spectrum)
