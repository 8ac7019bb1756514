"""Recordings whose notes are known as the notes network sees them, and examples of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tempo_core.config import NotesFrontEnd
from tempo_core.constant_q import ConstantQ, note_centres
from tempo_core.spectrum import Array
from tempo_core.tasks.notes.config import NotesConfig
from tempo_core.tasks.notes.decode import encode
from tempo_core.tasks.notes.events import LOWEST, N_PITCHES, Annotation, Note
from tempo_core.tasks.notes.view import GAIN

HIGHEST = LOWEST + N_PITCHES - 1
QUIETER, LOUDER = -9.0, 9.0  # [dB] of an example, relative to the mean level
MOST_MOVED = 5  # [semitones] up or down
DETUNED = 0.35  # share of examples that are a third of a semitone out of tune
COLOURED = 0.7  # share of examples whose bands are weakened and strengthened
HUSHED = 0.4  # share of examples with noise in all bands


@dataclass(frozen=True)
class Annotated:
    """A recording: magnitudes (2 * n_bands, n_frames), relative to their mean, and its notes.

    `notes` are (n_notes, 4): start, end [s], pitch, velocity.
    """

    name: str
    features: NDArray[np.float16]
    notes: NDArray[np.float32]

    def as_notes(self) -> tuple[Note, ...]:
        """The notes within the keys of a piano."""
        return tuple(
            Note(float(start), float(end), int(pitch), int(velocity))
            for start, end, pitch, velocity in self.notes
            if LOWEST <= pitch <= HIGHEST
        )


def spectrum_of(front_end: NotesFrontEnd) -> ConstantQ:
    """The front end of notes, ready to be used."""
    return ConstantQ(front_end, note_centres(front_end))


def annotated(name: str, audio: Array, notes: Array, spectrum: ConstantQ) -> Annotated:
    """A recording from its audio (n_samples,) and its notes (n_notes, 4)."""
    features = spectrum.features(audio)
    for half in np.split(features, 2):
        half /= max(float(half.mean(dtype=np.float64)), 1e-9)
    return Annotated(name, np.minimum(features, 60000).astype(np.float16), notes)


def example(
    recording: Annotated, front_end: NotesFrontEnd, config: NotesConfig, rng: np.random.Generator
) -> tuple[Array, Array]:
    """A random stretch, (2, n_frames, n_bands) as the network sees it, and its target.

    It is moved in pitch and out of tune, louder or softer, coloured, with noise.
    """
    n_frames, fps = config.n_frames, front_end.fps
    last = recording.features.shape[1] - n_frames
    first = int(rng.integers(0, last + 1)) if last > 0 else 0
    part = recording.features[:, first : first + n_frames].astype(np.float32)
    part = np.pad(part, ((0, 0), (0, n_frames - part.shape[1])))
    halves = part.reshape(2, -1, n_frames)
    semitones = int(rng.integers(-MOST_MOVED, MOST_MOVED + 1))
    bands = front_end.bands_per_semitone * semitones
    if rng.random() < DETUNED:
        bands += int(rng.choice([-1, 1]))
    halves = _moved(halves, bands)
    if rng.random() < COLOURED:
        halves *= _curve(halves.shape[1], rng)[:, None]
    halves *= 10 ** (rng.uniform(QUIETER, LOUDER) / 20)
    if rng.random() < HUSHED:
        level = 10 ** (rng.uniform(-50, -15) / 20)
        halves += level * np.abs(rng.standard_normal(halves.shape, np.float32))
    seen = np.log1p(GAIN * halves).swapaxes(1, 2)
    begin = first / fps
    moved = [
        Note(start - begin, end - begin, int(pitch) + semitones)
        for start, end, pitch, _ in recording.notes.tolist()
        if LOWEST <= pitch + semitones <= HIGHEST and end > begin and start < begin + n_frames / fps
    ]
    return np.ascontiguousarray(seen, np.float32), encode(
        Annotation(tuple(moved), n_frames, fps), config
    )


def _moved(halves: Array, bands: int) -> Array:
    """Spectra moved up by some bands, with nothing in the place of what is unknown."""
    moved = np.zeros_like(halves)
    if bands >= 0:
        moved[:, bands:] = halves[:, : halves.shape[1] - bands]
    else:
        moved[:, :bands] = halves[:, -bands:]
    return moved


def _curve(n_bands: int, rng: np.random.Generator) -> Array:
    """(n_bands,) a smooth random gain."""
    decibel = np.interp(np.linspace(0, 6, n_bands), np.arange(7), rng.normal(0, 5, 7))
    return (10 ** (decibel / 20)).astype(np.float32)


def batch(
    recordings: Sequence[Annotated], front_end: NotesFrontEnd, config: NotesConfig, size: int,
    rng: np.random.Generator,
) -> tuple[Array, Array]:  # fmt: skip
    """Random examples together, (size, 2, n_frames, n_bands), and their targets."""
    chosen = rng.integers(0, len(recordings), size)
    drawn = [example(recordings[k], front_end, config, rng) for k in chosen.tolist()]
    return np.stack([seen for seen, _ in drawn]), np.stack([target for _, target in drawn])
