"""What is heard in a file: everything that cleaning a training set asks of the audio."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from tempo_core import listening, refine
from tempo_core.audio import QUIET, SILENCE, AudioFile, Excerpt, sounding
from tempo_core.checkpoint import Checkpoint
from tempo_core.errors import AudioError
from tempo_core.estimate import (
    DEFAULT_WINDOWS,
    Estimate,
    analyse,
    excerpt_features,
    from_analysis,
    from_excerpts,
)
from tempo_core.features import mel_spectrogram
from tempo_core.tasks import TASKS

from .fingerprint import Fingerprint, fingerprint

CHUNK = 4096  # [frames] whose spectrum is computed at a time, 48 s: the memory of a long track
PAUSE = 1.0  # [s] of silence that counts as silence
# Of two tempi: those are one, counted in two ways. 3:4 is not among them: with it, four of ten
# random tempi would pass for another way to count.
RATIOS = (1 / 4, 1 / 3, 1 / 2, 2 / 3, 1.0, 3 / 2, 2.0, 3.0, 4.0)
TOLERANCE = 0.04
# People who play together drift by some 3 % to both sides of their tempo, and hurry by as much
# again where it gets loud. What is further off (relative) is another tempo: for a stretch of audio,
# whose tempo is known to a tenth of a percent, and for the network, which is right to some percent
# where the tempo moves under it.
ANOTHER, ANOTHER_IN_WINDOW = 0.06, 0.08
OCTAVES = (1 / 2, 1.0, 2.0)
SURE = 0.5  # mass of a window's own peak from which on it has a say
PULSES = np.geomspace(40.0, 320.0, 1200)  # [BPM] where a stretch's own tempo is looked for
WEAKER = 0.75  # of the support of the best tempo, below which another one is not there
MUSIC = 2.0  # [s] below which there is nothing to estimate


@dataclass(frozen=True)
class Heard:
    """What is heard in one file.

    `n_samples` is its length at the model's sample rate, `stated` that of the container [s], 0
    where it says nothing. `silent` is the share of its seconds without a sound. `bpm` and
    `confidence` are the estimate, `elsewhere` is the share of the track, 0..1, that is at another
    tempo, see `elsewhere`. Where nothing sounds `bpm` is 0.
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


def listen(path: Path, model: Checkpoint, longest: float) -> Heard:
    """Decode all of a file and say what is heard.

    Parameters
    ----------
    longest
        Of a file that is known to be longer [s] nothing is decoded.

    Raises
    ------
    AudioError
        If it cannot be read.
    """
    sr = model.front_end.sr
    with AudioFile(path) as file:
        stated = file.duration or 0.0
        if stated > longest:
            return Heard(round(stated * sr), stated, 0.0, 0.0, 0.0, 0.0, np.zeros(0, np.uint32))
        excerpts = file.read_all(sr)
    if not excerpts:
        raise AudioError("no audio could be decoded")
    audio = excerpts[0].audio
    silent = silence(audio, sr)
    duration = audio.size / sr
    if silent == 1.0 or duration < MUSIC:
        nothing = np.zeros(0, np.uint32)
        return Heard(audio.size, stated, silent, 0.0, 0.0, 0.0, nothing)
    spans = sorted(chain(*listening.plan([(0.0, duration)], model.windows, DEFAULT_WINDOWS)))
    parts = [
        Excerpt(audio[round(start * sr) : round((start + length) * sr)], start)
        for start, length in spans
    ]
    with torch.inference_mode():
        features = spectrogram(audio, model)
        estimate, straying = judge(parts, model)
        envelope = refine.envelope(features, 0.0)
        lines = refine.spectra([envelope], model.front_end.fps)
        another = max(straying, elsewhere(lines, estimate.bpm))
    return Heard(
        audio.size,
        stated,
        silent,
        estimate.bpm,
        estimate.confidence,
        round(another, 4),
        fingerprint(features.numpy(), model.front_end.fps),
    )


def judge(parts: Sequence[Excerpt], model: Checkpoint) -> tuple[Estimate, float]:
    """The estimate of excerpts, and which share of windows, 0..1, is sure of another tempo."""
    sr = model.front_end.sr
    if sum(part.audio.size for part in parts) < model.windows.duration * sr:
        return from_excerpts(parts, model), 0.0
    analysis = analyse(excerpt_features(sounding(parts, sr) or parts, model), model)
    estimate = from_analysis(analysis, model)
    peaks = [TASKS["tempo"].decode(scores, model.grid) for scores in analysis.scores]
    stray = [
        peak.mass >= SURE
        and contradicts(peak.bpm, estimate.bpm)
        and not _octave_of(np.array([peak.bpm]), estimate.bpm, ANOTHER_IN_WINDOW).any()
        for peak in peaks
    ]
    return estimate, sum(stray) / len(stray)


def elsewhere(lines: Sequence[refine.Lines], bpm: float) -> float:
    """Share of the pieces of a track, 0..1, that are at another tempo than `bpm`.

    Those are the pieces in which `bpm` and its octaves, give or take `ANOTHER`, have much less
    support than the best tempo has. Pieces count by how clear a pulse they have. 0 where there is
    only one piece.
    """
    if len(lines) < 2:
        return 0.0
    same = _octave_of(PULSES, bpm, ANOTHER)
    supports = [refine.magnitude(piece.at(PULSES)) for piece in lines]
    far = [support[same].max(initial=0) < WEAKER * support.max() for support in supports]
    return float(np.average(far, weights=[piece.weight for piece in lines]))


def _octave_of(tempi: NDArray[np.float64], bpm: float, tolerance: float) -> NDArray[np.bool_]:
    """(n,) whether tempi (n,) are `bpm`, its half or its double, within a relative tolerance."""
    return np.any([np.abs(tempi / (bpm * ratio) - 1) <= tolerance for ratio in OCTAVES], axis=0)


def contradicts(bpm: float, other: float) -> bool:
    """Whether a tempo is neither another one [BPM] nor a simple ratio of it, within 4 %."""
    return all(abs(bpm / (other * ratio) - 1) > TOLERANCE for ratio in RATIOS)


def silence(audio: np.ndarray, sr: int) -> float:
    """Share of the seconds of audio (n_samples,) in which nothing sounds, 0..1."""
    size = round(PAUSE * sr)
    whole = audio[: max(1, audio.size // size) * size]
    peaks = np.abs(whole).reshape(-1, min(size, whole.size)).max(axis=1)
    return float((peaks < max(SILENCE, QUIET * peaks.max())).mean())


def spectrogram(audio: np.ndarray, model: Checkpoint) -> torch.Tensor:
    """`mel_spectrogram` (n_mels, n_frames) of a whole track, in pieces that overlap."""
    hop, n_fft = model.front_end.hop_length, model.front_end.n_fft
    margin = n_fft // hop  # frames that see beyond an edge, and as many to be sure
    n_frames = audio.size // hop + 1
    pieces = []
    for first in range(0, n_frames, CHUNK):
        last = min(n_frames, first + CHUNK)
        begin = max(0, first - margin)
        piece = torch.from_numpy(audio[begin * hop : (last + margin) * hop])
        found = mel_spectrogram(piece, model.front_end, model.filterbank)
        pieces.append(found[:, first - begin : last - begin])
    return torch.cat(pieces, dim=1)
