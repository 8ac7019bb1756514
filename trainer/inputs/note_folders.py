"""Folders of recordings whose notes are known: pairs of audio and MIDI, or MusicNet's layout."""

from __future__ import annotations

import csv
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pretty_midi

from tempo_core.audio import AudioFile
from tempo_core.constant_q import ConstantQ
from tempo_core.errors import ConfigError, LabelError
from tempo_core.files import EXTENSIONS
from tempo_core.listening import STREAMED_PIECE
from tempo_core.spectrum import Array

from .annotated import Annotated, annotated

MIDI = (".mid", ".midi")
MUSICNET_RATE = 44100  # [Hz] of the sample numbers in MusicNet's tables
TABLE_COLUMNS = ("start_time", "end_time", "note")  # of those tables, as far as they are used
# MusicNet's folders: recordings, their tables, and whether they are kept for testing.
MUSICNET = (("train_data", "train_labels", False), ("test_data", "test_labels", True))
SUSTAIN = 64  # controller of the pedal; from this value on it is down
PEDAL_DOWN = 64
LATEST = 1e6  # [s] at which a note can end
LARGEST_NOTES = 50_000_000  # [bytes] of a file of notes


@dataclass(frozen=True)
class Pair:
    """A recording and the file that has its notes; `held` if it is to be tested on."""

    audio: Path
    notes: Path
    held: bool = False


def find_pairs(folder: Path) -> list[Pair]:
    """The recordings with notes in a folder, in the order of their paths.

    Either it has MusicNet's layout (`train_data/1727.wav` with `train_labels/1727.csv`, and the
    same of `test`), or beside each recording, anywhere below the folder, is a MIDI file of the same
    name (as in MAESTRO). Of one recording in several formats the first counts.

    Raises
    ------
    ConfigError
        If there is none.
    """
    if not folder.is_dir():
        raise ConfigError(f"{folder} is no folder; give one with recordings and their notes")
    found = [
        Pair(audio, folder / labels / f"{audio.stem}.csv", held)
        for data, labels, held in MUSICNET
        for audio in sorted((folder / data).glob("*"))
        if audio.suffix.lower() in EXTENSIONS and (folder / labels / f"{audio.stem}.csv").is_file()
    ]
    if not found:
        files = sorted(folder.rglob("*"))
        scores: dict[Path, Path] = {}
        for path in reversed(files):  # of a.mid and a.midi the first
            if path.suffix.lower() in MIDI and path.is_file():
                scores[path.with_suffix("")] = path
        for audio in files:
            # A second recording of one name is a copy in another format: once it is used.
            if audio.suffix.lower() in EXTENSIONS and audio.with_suffix("") in scores:
                found.append(Pair(audio, scores.pop(audio.with_suffix(""))))
    if not found:
        raise ConfigError(
            f"{folder}: no recording has a MIDI file of the same name beside it, and there are no "
            "train_data and train_labels as in MusicNet"
        )
    return found


def read_notes(path: Path) -> Array:
    """(n_notes, 4) start, end [s], pitch and velocity in a MIDI file or a table of MusicNet.

    Drums are left out, and a pedal that is down holds notes until it is let go, or the pitch is
    struck again.

    Raises
    ------
    LabelError
        If the file cannot be read.
    """
    try:
        if path.stat().st_size > LARGEST_NOTES:
            raise LabelError(f"{path}: too large for notes")
        rows = _from_table(path) if path.suffix.lower() == ".csv" else _from_midi(path)
    except LabelError:
        raise
    # The readers raise whatever the content of a file leads them to.
    except Exception as error:
        reason = str(error) or type(error).__name__
        raise LabelError(f"{path}: no notes can be read ({reason})") from error
    usable = [row for row in rows if 0 <= row[0] < row[1] < LATEST and 0 <= row[2] <= 127]
    return np.array(sorted(usable), np.float32).reshape(-1, 4)


def _from_table(path: Path) -> list[tuple[float, float, float, float]]:
    with path.open(newline="", encoding="utf-8-sig") as file:
        rows = list(csv.DictReader(file))
    missing = [name for name in TABLE_COLUMNS if rows and name not in rows[0]]
    if missing:
        raise LabelError(f"{path}: no notes can be read (there is no column {missing[0]})")
    return [
        (
            int(row["start_time"]) / MUSICNET_RATE, int(row["end_time"]) / MUSICNET_RATE,
            int(row["note"]), 80,
        )
        for row in rows
    ]  # fmt: skip


def _from_midi(path: Path) -> list[tuple[float, float, float, float]]:
    found = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what the reader finds odd means nothing to the user
        score = pretty_midi.PrettyMIDI(str(path))
    for instrument in score.instruments:
        if instrument.is_drum:
            continue
        releases = _releases(instrument)
        following: dict[int, float] = {}
        for note in sorted(instrument.notes, key=lambda n: n.start, reverse=True):
            held = next((up for down, up in releases if down <= note.end < up), note.end)
            end = max(note.end, min(held, following.get(note.pitch, held)))
            following[note.pitch] = note.start
            found.append((note.start, end, note.pitch, note.velocity))
    return found


def _releases(instrument: pretty_midi.Instrument) -> list[tuple[float, float]]:
    """(down, up) [s] of the pedal."""
    found, down = [], None
    for change in sorted(instrument.control_changes, key=lambda c: c.time):
        if change.number != SUSTAIN:
            continue
        if change.value >= PEDAL_DOWN and down is None:
            down = change.time
        elif change.value < PEDAL_DOWN and down is not None:
            found.append((down, change.time))
            down = None
    return found


def annotate(pair: Pair, spectrum: ConstantQ) -> list[Annotated]:
    """A recording in the pieces in which it is heard in use, with the notes of each.

    Raises
    ------
    AudioError
        If the recording cannot be used.
    LabelError
        If its notes cannot be read, or there are none.
    """
    notes = read_notes(pair.notes)
    if not len(notes):
        raise LabelError(f"{pair.notes}: there are no notes in it")
    found = []
    with AudioFile(pair.audio) as file:
        for piece in file.stream(spectrum.sr, STREAMED_PIECE):
            end = piece.start + piece.audio.size / spectrum.sr
            within = notes[(notes[:, 1] > piece.start) & (notes[:, 0] < end)].copy()
            within[:, :2] -= piece.start
            found.append(annotated(pair.audio.stem, piece.audio, within, spectrum))
    return found
