"""Music of a known key as a log-frequency spectrogram, painted without making a sound.

The melody, piano and chords of a POP909 song, a bass line and pads on its chords, each with a
random timbre, are drawn straight into the bands: every partial with the response that the bands
have to a sine under a Hann window. Powers add up; drums, noise, equalisation, vibrato and tuning
follow. That takes a few hundredths of a second, and needs no soundfont.

Wang et al., "POP909: A pop-song dataset for music arrangement generation", ISMIR 2020.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pretty_midi
from numpy.typing import NDArray

from tempo_core.config import HarmonyFrontEnd
from tempo_core.keys import Key
from tempo_core.spectrum import band_centres, band_kernels

from .key_profiles import PROFILES, key_of_profile
from .songs import read_chord

Array = NDArray[np.float32]
Floats = NDArray[np.float64]

MELODY, BRIDGE, PIANO = 0, 1, 2  # the parts of a POP909 song
FINE = 8  # steps of the table of responses between two bands
STEPS = 20  # a second, of the envelopes before they are seen through a window
SHORTEST = 20.0  # [s] of a stretch in one key
SUSTAINED = 99.0  # [s] time constant of a note that does not decay

Sounding = tuple[float, float, int, float]  # start and end [s], MIDI pitch, amplitude in 0..1


@dataclass(frozen=True)
class Stretch:
    """A stretch of a song in one key; times in seconds of the MIDI file."""

    song: int
    start: float
    end: float
    key: Key
    agreed: bool  # Krumhansl's profiles find the same key in its notes


@dataclass(frozen=True)
class KeyedSong:
    """A POP909 song: notes (n, 5) as part, start [s], end [s], pitch, velocity; and its chords.

    A chord is its start and end [s], its root 0..11 and the intervals above it.
    """

    notes: Floats
    chords: tuple[tuple[float, float, int, tuple[int, ...]], ...]
    keys: tuple[tuple[float, float, Key], ...]


def read_song(folder: Path) -> KeyedSong:
    """Read one POP909 song with its chords and keys.

    Raises
    ------
    OSError, ValueError
        If a file is missing or damaged.
    """
    score = pretty_midi.PrettyMIDI(str(folder / f"{folder.name}.mid"))
    notes = [
        (part, note.start, note.end, note.pitch, note.velocity)
        for part, instrument in enumerate(score.instruments)
        for note in instrument.notes
    ]
    chords = []
    for line in _lines(folder / "chord_midi.txt"):
        root, intervals = read_chord(line[2])
        if intervals:
            chords.append((float(line[0]), float(line[1]), root, intervals))
    # Keys are annotated in the time of the recording, notes and chords in that of the MIDI file;
    # the first and the last beat of both are the same.
    heard, played = (
        [float(line[0]) for line in _lines(folder / name, None)]
        for name in ("beat_audio.txt", "beat_midi.txt")
    )
    speed = (played[-1] - played[0]) / (heard[-1] - heard[0])
    keys = []
    for begin, end, name in _lines(folder / "key_audio.txt"):
        root, _ = read_chord(name)
        start, stop = (played[0] + (float(t) - heard[0]) * speed for t in (begin, end))
        keys.append((start, stop, Key(root, name.endswith("min"))))
    return KeyedSong(np.array(notes, float), tuple(chords), tuple(keys))


def _lines(path: Path, separator: str | None = "\t") -> list[list[str]]:
    return [line.split(separator) for line in path.read_text().splitlines()]


def stretches(songs: Sequence[KeyedSong]) -> list[Stretch]:
    """All stretches in one key of songs; the first and the last reach to the ends of the song."""
    found = []
    for number, song in enumerate(songs):
        end_of_song = float(song.notes[:, 2].max())
        for k, (start, end, key) in enumerate(song.keys):
            start = 0.0 if k == 0 else start
            end = end_of_song if k == len(song.keys) - 1 else end
            if end - start < SHORTEST:
                continue
            notes = song.notes[(song.notes[:, 2] > start) & (song.notes[:, 1] < end)]
            pitch_classes, lengths = notes[:, 3].astype(int) % 12, notes[:, 2] - notes[:, 1]
            sounding = np.bincount(pitch_classes, lengths, 12).astype(np.float64)
            found.append(
                Stretch(
                    number, start, end, key, key_of_profile(sounding, PROFILES["krumhansl"]) == key
                )
            )
    return found


@dataclass(frozen=True)
class Voice:
    """How one part sounds.

    Attributes
    ----------
    gain
        Amplitude of the part relative to others.
    decay, release
        Time constant of a note, and how long it sounds after its end [s].
    vibrato
        Half of its width [cents].
    """

    gain: float
    decay: float
    release: float
    vibrato: float = 0.0


class Painter:
    """Paints stretches of songs for a front end.

    Parameters
    ----------
    songs
        What there is to paint.
    doubted
        Share of the stretches whose key their notes contradict that is painted all the same.
    """

    def __init__(
        self, songs: Sequence[KeyedSong], front_end: HarmonyFrontEnd, doubted: float = 0.3
    ) -> None:
        self.songs, self.front_end, self.doubted = songs, front_end, doubted
        self.stretches = stretches(songs)
        self.n_bands = front_end.n_bands
        self._per_octave = 12 * front_end.bands_per_semitone
        length = max(3, int(front_end.n_fft / front_end.sr * STEPS))
        window = np.hanning(length + 2)[1:-1]
        self._window = window / window.sum()

    @cached_property
    def _responses(self) -> Array:
        """(n, n_bands) power of every band for a sine at each of n frequencies, `FINE` a band.

        The first frequency is half an octave below the lowest band.
        """
        sr, n_fft = self.front_end.sr, self.front_end.n_fft
        centres = band_centres(self.front_end)
        kernels = band_kernels(self.front_end, centres)
        n = (self.n_bands + self._per_octave) * FINE
        steps = np.arange(n) - self._per_octave * FINE // 2
        bins = centres[0, 0] * 2.0 ** (steps / (self._per_octave * FINE)) * n_fft / sr
        found = np.zeros((n, self.n_bands), np.float32)
        for row, place in enumerate(bins):
            near = np.arange(max(0, int(place) - 3), min(n_fft // 2 + 1, int(place) + 5))
            away = near - place
            with np.errstate(divide="ignore", invalid="ignore"):
                lobe = np.abs(np.sinc(away) / (1 - away**2))  # of the Hann window
            lobe[np.abs(np.abs(away) - 1) < 1e-6] = 0.5
            found[row] = (kernels[:, near] @ lobe) ** 2
        return found

    def paint(self, rng: np.random.Generator, seconds: float) -> tuple[Array, Key]:
        """(n_bands, n_frames) of a random stretch, at most so long, and its key."""
        while True:
            stretch = self.stretches[rng.integers(len(self.stretches))]
            if stretch.agreed or rng.random() < self.doubted:
                painted = self._paint(stretch, rng, seconds)
                if painted is not None:
                    return painted

    def _paint(
        self, stretch: Stretch, rng: np.random.Generator, seconds: float
    ) -> tuple[Array, Key] | None:
        song, tempo = self.songs[stretch.song], rng.uniform(0.75, 1.35)
        length = min(seconds * tempo, stretch.end - stretch.start)
        start = stretch.start + rng.random() * max(0.0, stretch.end - stretch.start - length)
        seconds, moved = length / tempo, int(rng.integers(-6, 6))
        tuning = rng.normal(0, 8) if rng.random() < 0.8 else rng.uniform(-35, 35)  # [cents]
        n_frames = math.ceil(int(seconds * STEPS) / STEPS * self.front_end.fps)
        power: Floats = np.zeros((n_frames, self.n_bands))

        def add(notes: Sequence[Sounding], voice: Voice) -> None:
            played = [
                ((begin - start) / tempo, (end - start) / tempo, pitch + moved, amplitude)
                for begin, end, pitch, amplitude in notes
                if end > start and begin < start + length
            ]
            if played:
                part = self._part(played, voice, n_frames, tuning + rng.normal(0, 3), rng)
                level = part.mean()
                if level > 0:
                    np.add(power, part / level * voice.gain**2, out=power)

        _add_parts(song, add, rng)
        chords = [c for c in song.chords if c[1] > start and c[0] < start + length]
        if chords:
            _add_bass(chords, moved, add, rng)
            _add_pads(chords, moved, add, rng)
        if not power.any():
            return None
        if rng.random() < 0.75:
            power = power + self._drums(n_frames, float(power.mean()), rng)
        power = power + self._noise(n_frames, float(power.mean()), rng)
        spectrum = np.sqrt(power) * self._equaliser(rng) * np.exp(rng.normal(0, 0.1, power.shape))
        key = Key((stretch.key.pitch_class + moved) % 12, stretch.key.minor)
        return np.ascontiguousarray(spectrum.T, np.float32), key

    def _part(
        self,
        notes: Sequence[Sounding],
        voice: Voice,
        n_frames: int,
        cents: float,
        rng: np.random.Generator,
    ) -> Array:
        """(n_frames, n_bands) power of one part."""
        envelopes = self._envelopes(notes, voice, n_frames)
        stretched = 10 ** rng.uniform(-6, -3.3) if rng.random() < 0.3 else 0.0
        return (envelopes.T**2) @ self._partials(timbre(rng), cents, voice.vibrato, stretched)

    def _envelopes(self, notes: Sequence[Sounding], voice: Voice, n_frames: int) -> Array:
        """(128, n_frames) amplitude of every pitch, as a window of the front end sees it."""
        every = STEPS / self.front_end.fps
        n_steps = int(n_frames * every) + 1
        amplitudes = np.zeros((128, n_steps), np.float32)
        for begin, end, pitch, amplitude in notes:
            first, last = max(0, int(begin * STEPS)), math.ceil((end + voice.release) * STEPS)
            last = min(last, n_steps)
            if last <= first or not 0 <= pitch < 128:
                continue
            faded = amplitude * np.exp(-np.arange(last - first) / STEPS / voice.decay)
            target = amplitudes[pitch, first:last]
            np.maximum(target, faded, out=target, casting="same_kind")
        half = len(self._window) // 2
        padded = np.pad(amplitudes, ((0, 0), (half, half + 1)))
        places = (np.arange(n_frames) * every).astype(int)
        seen = np.zeros((128, n_frames), np.float32)
        for k, weight in enumerate(self._window):
            seen += np.float32(weight) * padded[:, places + k]
        return seen

    def _partials(self, partials: Floats, cents: float, vibrato: float, stretched: float) -> Array:
        """(128, n_bands) power of a note of every pitch.

        Parameters
        ----------
        partials
            (n,) amplitudes from the fundamental upwards.
        stretched
            Inharmonicity of strings: partial h is sharp by the factor sqrt(1 + stretched h²).
        """
        fundamentals = 440 * 2.0 ** ((np.arange(128) - 69) / 12)
        lowest = float(band_centres(self.front_end)[0, 0])
        offsets = (-vibrato, 0.0, vibrato) if vibrato > 0 else (0.0,)
        found = np.zeros((128, self.n_bands), np.float32)
        for number, amplitude in enumerate(partials, 1):
            sharp = fundamentals * number * math.sqrt(1 + stretched * number**2)
            for offset in offsets:
                octaves = np.log2(sharp / lowest) + (cents + offset) / 1200
                row = np.round(octaves * self._per_octave * FINE).astype(int)
                row += self._per_octave * FINE // 2
                inside = (row >= 0) & (row < len(self._responses))
                found[inside] += amplitude**2 / len(offsets) * self._responses[row[inside]]
        return found

    def _drums(self, n_frames: int, level: float, rng: np.random.Generator) -> Floats:
        """(n_frames, n_bands) power of kick, snare and hi-hat: noise in bands, at regular times."""
        beat, fps = 60 / rng.uniform(70, 175), self.front_end.fps
        level *= 10 ** (rng.uniform(-14, 10) / 10)
        bands = np.arange(self.n_bands) / self.n_bands
        width = self.front_end.n_fft / self.front_end.sr
        power = np.zeros((n_frames, self.n_bands))
        for period, (low, high), (narrow, wide) in (
            (beat, (0.06, 0.24), (0.02, 0.1)),
            (2 * beat, (0.36, 0.8), (0.12, 0.36)),
            (beat / 2, (0.8, 1.03), (0.06, 0.24)),
        ):
            hits = np.arange(rng.uniform(0, period), n_frames / fps, period)
            away = np.abs(np.arange(n_frames)[:, None] / fps - hits)
            near = np.where(away < width / 2, np.cos(np.pi * away / width) ** 2, 0).sum(axis=1)
            shape = np.exp(
                -0.5 * ((bands - rng.uniform(low, high)) / rng.uniform(narrow, wide)) ** 2
            )
            if period > beat and rng.random() < 0.4:  # the snare has a pitch
                tone = (bands - rng.uniform(0.24, 0.48)) * self.n_bands
                shape += 2 * np.exp(-0.5 * (tone / 1.5) ** 2)
            noise = 0.7 + 0.3 * rng.exponential(1, power.shape)
            part = near[:, None] * shape * noise
            if part.any():
                power += part / part.mean() * level * 10 ** (rng.uniform(-6, 6) / 10)
        return power

    def _noise(self, n_frames: int, level: float, rng: np.random.Generator) -> Floats:
        """(n_frames, n_bands) power of noise that falls or rises with frequency."""
        octaves = np.arange(self.n_bands) / self._per_octave
        slope = 10 ** (-octaves * rng.uniform(-3, 6) / 10)
        noise = slope * rng.exponential(1, (n_frames, self.n_bands))
        return np.asarray(noise / noise.mean() * level * 10 ** (rng.uniform(-45, -12) / 10))

    def _equaliser(self, rng: np.random.Generator) -> Floats:
        """(n_bands,) gains."""
        bands = np.linspace(0, 1, self.n_bands)
        gains = 10 ** (np.interp(bands, np.linspace(0, 1, 6), rng.normal(0, 6, 6)) / 20)
        if rng.random() < 0.3:
            gains /= 1 + np.exp(-(bands - rng.uniform(0.04, 0.24)) / 0.016)
        if rng.random() < 0.5:
            gains /= 1 + np.exp((bands - rng.uniform(0.75, 1.0)) / 0.024)
        return np.asarray(gains)


def timbre(rng: np.random.Generator) -> Floats:
    """Random amplitudes of partials, from the fundamental upwards."""
    number = np.arange(1, rng.integers(4, 17) + 1)
    amplitudes = number ** -rng.uniform(0.4, 2.2) * np.exp(rng.normal(0, 0.5, len(number)))
    if rng.random() < 0.25:  # like a clarinet
        amplitudes[1::2] *= rng.uniform(0.05, 0.5)
    if rng.random() < 0.15:
        amplitudes[0] *= rng.uniform(0.1, 0.6)
    return np.asarray(amplitudes)


def _gain(rng: np.random.Generator, low: float, high: float) -> float:
    """An amplitude between two levels [dB]."""
    return float(10 ** (rng.uniform(low, high) / 20))


Add = Callable[[Sequence[Sounding], Voice], None]
Chords = Sequence[tuple[float, float, int, tuple[int, ...]]]


def _add_parts(song: KeyedSong, add: Add, rng: np.random.Generator) -> None:
    """What the song itself has: melody, which may be sung, bridge and piano."""
    for part, share in ((MELODY, 0.85), (BRIDGE, 0.5), (PIANO, 0.8)):
        if rng.random() > share:
            continue
        notes = song.notes[song.notes[:, 0] == part]
        octave = 0 if part == BRIDGE else int(rng.choice([-12, 0, 0, 0, 12]))
        power = rng.uniform(0.5, 1.5) if part == MELODY else 1.0
        played = [
            (begin, end, int(pitch) + octave, (velocity / 127) ** power)
            for _, begin, end, pitch, velocity in notes.tolist()
        ]
        if part == MELODY and rng.random() < 0.6:
            voice = Voice(_gain(rng, -8, 6), SUSTAINED, rng.uniform(0, 0.3), rng.uniform(15, 60))
        elif part == MELODY:
            voice = Voice(_gain(rng, -8, 6), float(rng.choice([0.3, 1, 3])), rng.uniform(0, 0.3))
        elif part == BRIDGE:
            decay = float(rng.choice([0.3, 1, 3, SUSTAINED]))
            voice = Voice(_gain(rng, -15, 0), decay, rng.uniform(0, 0.3))
        else:
            decay = float(rng.choice([0.2, 0.5, 1, 2, 4]))
            voice = Voice(_gain(rng, -6, 6), decay, rng.uniform(0, 0.8))
        add(played, voice)


def _add_bass(chords: Chords, moved: int, add: Add, rng: np.random.Generator) -> None:
    """Roots of the chords, now and then another of their notes, in a random rhythm."""
    if rng.random() > 0.8:
        return
    lowest, step = int(rng.integers(24, 40)), float(rng.choice([0.15, 0.3, 0.6, 4.8]))
    notes: list[Sounding] = []
    for begin, end, root, intervals in chords:
        time = begin
        while time < end:
            pitch = root if rng.random() < 0.85 else root + int(rng.choice(intervals))
            place = lowest + (pitch - lowest - moved) % 12
            until = min(end, time + step * rng.uniform(0.6, 1))
            notes.append((time, until, place, rng.uniform(0.6, 1)))
            time += step
    add(notes, Voice(_gain(rng, -8, 8), float(rng.choice([0.5, 1, SUSTAINED])), 0.05))


def _add_pads(chords: Chords, moved: int, add: Add, rng: np.random.Generator) -> None:
    """The chords, held or struck; sometimes without their third."""
    if rng.random() > 0.6:
        return
    lowest, is_struck = int(rng.integers(45, 66)), rng.random() < 0.3
    notes: list[Sounding] = []
    for begin, end, root, intervals in chords:
        for interval in intervals if rng.random() > 0.2 else (0, 7):
            pitch = lowest + (root + interval - lowest - moved) % 12
            until = min(end, begin + 0.3) if is_struck else end
            notes.append((begin, until, pitch, rng.uniform(0.6, 1)))
            if rng.random() < 0.2:
                notes.append((begin, end, pitch + 12, rng.uniform(0.3, 0.8)))
    vibrato = rng.uniform(0, 25) if rng.random() < 0.4 else 0.0
    decay = float(rng.choice([1, 3, SUSTAINED]))
    add(notes, Voice(_gain(rng, -10, 6), decay, rng.uniform(0, 0.5), vibrato))
