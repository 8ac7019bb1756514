"""What is heard in a file: everything that cleaning a training set asks of the audio."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np
import torch

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
SURE = 0.7  # mass of a window's own peak from which on it has a say
MUSIC = 2.0  # [s] below which there is nothing to estimate


@dataclass(frozen=True)
class Heard:
    """What is heard in one file.

    `n_samples` is its length at the model's sample rate, `stated` that of the container [s], 0
    where it says nothing. `silent` is the share of its seconds without a sound. `bpm` and
    `confidence` are the estimate, `stability` how steadily all of the track keeps that tempo (see
    `refine.stability`); 1 where it is too short to say. `straying` is the share of its windows that
    are sure of a tempo that contradicts `bpm`. Where nothing sounds `bpm` is 0.
    """

    n_samples: int
    stated: float
    silent: float
    bpm: float
    confidence: float
    stability: float
    straying: float
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
            return Heard(
                round(stated * sr), stated, 0.0, 0.0, 0.0, 1.0, 0.0, np.zeros(0, np.uint32)
            )
        excerpts = file.read_all(sr)
    if not excerpts:
        raise AudioError("no audio could be decoded")
    audio = excerpts[0].audio
    silent = silence(audio, sr)
    duration = audio.size / sr
    if silent == 1.0 or duration < MUSIC:
        nothing = np.zeros(0, np.uint32)
        return Heard(audio.size, stated, silent, 0.0, 0.0, 1.0, 0.0, nothing)
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
        stability = refine.stability(lines, estimate.bpm)
    return Heard(
        audio.size,
        stated,
        silent,
        estimate.bpm,
        estimate.confidence,
        1.0 if stability is None else round(stability, 4),
        straying,
        fingerprint(features.numpy(), model.front_end.fps),
    )


def judge(parts: Sequence[Excerpt], model: Checkpoint) -> tuple[Estimate, float]:
    """The estimate of excerpts, and the share of their windows that stray from it."""
    sr = model.front_end.sr
    if sum(part.audio.size for part in parts) < model.windows.duration * sr:
        return from_excerpts(parts, model), 0.0
    analysis = analyse(excerpt_features(sounding(parts, sr) or parts, model), model)
    estimate = from_analysis(analysis, model)
    peaks = [TASKS["tempo"].decode(scores, model.grid) for scores in analysis.scores]
    stray = [peak.mass >= SURE and contradicts(peak.bpm, estimate.bpm) for peak in peaks]
    return estimate, round(sum(stray) / len(stray), 4)


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
