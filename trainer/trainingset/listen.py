"""Listening to a file: everything that the rules for a training set need to know of the audio."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tempo_core.audio import AudioFile, Recorded
from tempo_core.errors import AudioError
from tempo_core.estimate import DEFAULT_WINDOWS
from tempo_core.excerpts import QUIET_SHARE, SILENT_PEAK, Excerpt
from tempo_core.heard import Heard
from tempo_core.levels import HARMONICS, OCTAVES, is_level
from tempo_core.model import Checkpoint
from tempo_core.task import answer, ask
from tempo_core.tasks.tempo import loops, refine
from tempo_core.tasks.tempo.config import TempoConfig
from tempo_core.tasks.tempo.decode import Tempo, highest
from tempo_core.tasks.tempo.rhythm import rhythm
from tempo_core.tasks.tempo.row import TASK

from ..inputs.hearing import hear, tempo_of
from .fingerprint import Fingerprint, fingerprint

SILENCE_BLOCK = 1.0  # [s] length of the blocks that are either silent or not
# Relative distance from which on a tempo is another one. People who play together drift by some 3 %
# to both sides of their tempo, and hurry by as much again where it gets loud. The first limit is
# for a piece of audio, whose tempo is known to a tenth of a percent; the second is for the network,
# which is right only to some percent where the tempo changes within its window.
ANOTHER_TEMPO, ANOTHER_TEMPO_IN_WINDOW = 0.06, 0.08
SURE_WINDOW = 0.5  # least mass of a window's highest peak that may contradict the track's tempo
STRETCH_TEMPI = np.geomspace(40.0, 320.0, 1200)  # [BPM] candidates for the tempo of a piece
WEAKER_SUPPORT = 0.75  # share of the best tempo's support, below which a tempo is not in the audio
SHORTEST_MUSIC = 2.0  # [s] least length of audio whose tempo is estimated


@dataclass(frozen=True)
class Listening:
    """What was heard in one file.

    `n_samples` is its length at the model's sample rate. `stated` is the length that the container
    states [s], 0 if it states none. `silent` is the share of seconds without a sound, 0..1. `bpm`
    and `confidence` are the estimated tempo and its confidence, 0..1; `bpm` is 0 if there is no
    sound or the file is too short or too long. `elsewhere` is the share of the track, 0..1, that
    is at another tempo.
    """

    n_samples: int
    stated: float
    silent: float
    bpm: float
    confidence: float
    elsewhere: float
    fingerprint: Fingerprint

    def duration(self, sr: int) -> float:
        """Length of what can be decoded [s]."""
        return self.n_samples / sr


def listen(path: Path, model: Checkpoint[TempoConfig], longest: float) -> Listening:
    """Decode a whole file and listen to it.

    Parameters
    ----------
    longest
        A file whose container states a greater length [s] is not decoded.

    Raises
    ------
    AudioError
        If the file cannot be read.
    """
    sr = model.front_end.sr
    with AudioFile(path) as file:
        stated = file.duration or 0.0
        if stated > longest:
            return Listening(round(stated * sr), stated, 0.0, 0.0, 0.0, 0.0, np.zeros(0, np.uint32))
        excerpts = file.read_all(sr)
    if not excerpts:
        raise AudioError("no audio could be decoded")
    audio = excerpts[0].audio
    silent = silence(audio, sr)
    duration = audio.size / sr
    if silent == 1.0 or duration < SHORTEST_MUSIC:
        nothing = np.zeros(0, np.uint32)
        return Listening(audio.size, stated, silent, 0.0, 0.0, 0.0, nothing)
    whole = Heard([Excerpt(audio, 0.0)], sr)
    (sound,) = whole.sounds(model.spectrum)
    tempo, straying = judge(Recorded(audio, sr), model)
    another = max(straying, elsewhere(sound.once(rhythm).lines, tempo.bpm))
    return Listening(
        audio.size,
        stated,
        silent,
        round(tempo.bpm, 2),
        round(tempo.confidence, 4),
        round(another, 4),
        fingerprint(sound.features, model.spectrum.fps),
    )


def judge(source: Recorded, model: Checkpoint[TempoConfig]) -> tuple[Tempo, float]:
    """The tempo of a file, and the share of windows, 0..1, that are sure of another tempo."""
    sr, length = model.spectrum.sr, model.windows.duration
    if (source.duration or 0.0) < length:
        return judge_short(source.read(sr, [(0.0, length)])[0], model), 0.0
    heard = hear(source, sr, model.windows, DEFAULT_WINDOWS)
    scored = ask(TASK, heard, {}, model)
    tempo = answer(TASK, scored, heard, {}, model)
    peaks = [highest(row, model.config.grid) for _, scores in scored for row in scores]
    stray = [
        peak.mass >= SURE_WINDOW
        and contradicts(peak.bpm, tempo.bpm)
        and not _octave_of(np.array([peak.bpm]), tempo.bpm, ANOTHER_TEMPO_IN_WINDOW).any()
        for peak in peaks
    ]
    return tempo, sum(stray) / len(stray)


def judge_short(excerpt: Excerpt, model: Checkpoint[TempoConfig]) -> Tempo:
    """The tempo of a file shorter than a window, which may be a loop."""
    sr, plan = model.spectrum.sr, model.windows

    def results(all_of_it: Excerpt) -> dict[str, Tempo]:
        heard = hear(Recorded(all_of_it.audio, sr), sr, plan, DEFAULT_WINDOWS)
        return {"tempo": tempo_of(heard, model)}

    found: Tempo = loops.as_loop(excerpt, results(excerpt), sr, plan.duration, results)["tempo"]
    return found


def elsewhere(lines: Sequence[refine.Lines], bpm: float) -> float:
    """Share of the pieces of a track, 0..1, that are at another tempo than `bpm`.

    These are the pieces in which `bpm` and its octaves, give or take `ANOTHER_TEMPO`, have much
    less support than the best tempo. Pieces are weighted by how clear their pulse is. The result is
    0 if there are fewer than two pieces.
    """
    if len(lines) < 2:
        return 0.0
    same = _octave_of(STRETCH_TEMPI, bpm, ANOTHER_TEMPO)
    supports = [refine.magnitude(piece.at(STRETCH_TEMPI)) for piece in lines]
    far = [support[same].max(initial=0) < WEAKER_SUPPORT * support.max() for support in supports]
    return float(np.average(far, weights=[piece.weight for piece in lines]))


def _octave_of(tempi: NDArray[np.float64], bpm: float, tolerance: float) -> NDArray[np.bool_]:
    """Whether each of the tempi (n,) is `bpm`, its half or its double, within a relative tolerance.

    Returns
    -------
    (n,) flags.
    """
    return np.any([np.abs(tempi / (bpm * ratio) - 1) <= tolerance for ratio in OCTAVES], axis=0)


def contradicts(bpm: float, other: float) -> bool:
    """Whether two tempi [BPM] are neither equal nor in a simple ratio, within 4 %.

    3:4 is not among the ratios: with it, four of ten random tempi would pass for another way to
    count the same pulse.
    """
    return not is_level(bpm, other, HARMONICS)


def silence(audio: np.ndarray, sr: int) -> float:
    """Share of the seconds of audio (n_samples,), 0..1, that are silent."""
    size = round(SILENCE_BLOCK * sr)
    whole = audio[: max(1, audio.size // size) * size]
    peaks = np.abs(whole).reshape(-1, min(size, whole.size)).max(axis=1)
    return float((peaks < max(SILENT_PEAK, QUIET_SHARE * peaks.max())).mean())
