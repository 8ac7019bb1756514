"""What a picture of a track's tempo shows: waveform, tempogram, tempo and the folded beat.

It is drawn by `tempo_plot`.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tempo_core.audio import AudioFile
from tempo_core.background import check_wanted
from tempo_core.errors import AudioError
from tempo_core.estimate import Estimator
from tempo_core.excerpts import block_swings
from tempo_core.model import Checkpoint
from tempo_core.tasks.tempo import refine
from tempo_core.tasks.tempo.config import TempoConfig, TempoGrid
from tempo_core.tasks.tempo.course import TempoPoint
from tempo_core.tasks.tempo.decode import Tempo
from tempo_core.tasks.tempo.periodicity import periodicity_map

PIECE = 120.0  # [s] of audio in memory at a time
LONGEST = 4 * 3600.0  # [s] of music in one picture
BLOCK = 0.05  # [s] of audio in one column of the waveform
TEMPOGRAM_WINDOW = 8.0  # [s]: four beats of the slowest music
TEMPOGRAM_HOP = 1.0  # [s] from a column to the next
MOST_COLUMNS = 1500  # of tempogram and folded beat; more could not be seen
N_PHASES = 48  # rows of the folded beat
WINDOWS_AT_ONCE = 64  # windows of the tempogram that are computed at a time


@dataclass(frozen=True)
class Folded:
    """Onset strength over the beats of one tempo: `strength` (N_PHASES, n_columns), ≥ 0.

    A column is `width` [s] of music from time 0 on, the mean over the beats in it. Row k is k /
    `N_PHASES` of a beat behind the row that is strongest in the whole track, which is the middle.
    """

    strength: NDArray[np.float32]
    width: float


@dataclass(frozen=True)
class TempoOverTime:
    """What is drawn of a track of `duration` [s].

    `tempo` is that of the whole track, with its curve. `swings` (n_blocks,) is the peak amplitude
    of each `BLOCK` of audio. `tempogram` (n_bins, n_columns) is the strength of the pulse in 0..1
    at the tempi of `tempo.grid`, in columns of `tempogram_hop` [s] around 0, 1, … times that.
    """

    title: str
    duration: float
    tempo: Tempo
    swings: NDArray[np.float32]
    tempogram: NDArray[np.float32]
    tempogram_hop: float
    folded: Folded

    def tempo_at(self) -> list[tuple[float, TempoPoint]]:
        """(middle of the window [s], its tempo) for each point of the curve."""
        half = min(self.tempo.plan.duration, self.duration) / 2
        return [(point.start + half, point) for point in self.tempo.curve]


def tempo_over_time(
    path: str | bytes | os.PathLike[str], estimator: Estimator, model: Checkpoint[TempoConfig]
) -> TempoOverTime:
    """What a picture shows of a file.

    Parameters
    ----------
    estimator
        Estimator of the tempo that listens to all of a file.
    model
        The tempo model, by whose front end the onsets are heard.

    Raises
    ------
    AudioError
        If the file is missing, unreadable, silent, too short or too long for a picture.
    """
    tempo: Tempo = estimator.results(path)["tempo"]
    swings, onsets = _heard(path, model)
    fps = model.spectrum.fps
    duration = onsets.shape[1] / fps
    hop = max(TEMPOGRAM_HOP, duration / MOST_COLUMNS)
    title = Path(os.fsdecode(path)).stem
    return TempoOverTime(
        title, duration, tempo, swings, tempogram(onsets, fps, hop, tempo.grid), hop,
        fold(onsets.sum(axis=0), fps, tempo.bpm),
    )  # fmt: skip


def _heard(
    path: str | bytes | os.PathLike[str], model: Checkpoint[TempoConfig]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Swings of the blocks of a file, and its onset strength (n_groups, n_frames)."""
    spectrum, sr = model.spectrum, model.spectrum.sr
    swings, envelopes = [], []
    with AudioFile(path) as file:
        for piece in file.stream(sr, PIECE):
            check_wanted()
            if piece.start > LONGEST:
                raise AudioError(f"a picture holds {LONGEST / 3600:g} hours at most")
            swings.append(block_swings(piece.audio, round(BLOCK * sr)).astype(np.float32))
            envelopes.append(refine.envelope(spectrum.features(piece.audio), piece.start))
    return np.concatenate(swings), _joined(envelopes, spectrum.fps)


def _joined(envelopes: Sequence[refine.Envelope], fps: float) -> NDArray[np.float32]:
    """Onset strength (n_groups, n_frames) of a track from its pieces, each group ≥ 0."""
    starts = [round(e.start * fps) for e in envelopes]
    size = max(start + e.values.shape[1] for start, e in zip(starts, envelopes, strict=True))
    onsets = np.zeros((refine.N_GROUPS, size), np.float32)
    for start, piece in zip(starts, envelopes, strict=True):
        lowest = piece.values.min(axis=1, keepdims=True)
        onsets[:, start : start + piece.values.shape[1]] = piece.values - lowest
    return onsets


def tempogram(
    onsets: NDArray[np.float32], fps: float, hop: float, grid: TempoGrid
) -> NDArray[np.float32]:
    """Strength of the pulse over time, (n_bins, n_columns) in 0..1, the strongest 1.

    Parameters
    ----------
    onsets
        (n_groups, n_frames) onset strength of groups of bands.
    fps
        Frames per second.
    hop
        Time from a column to the next [s]; the first is around time 0.
    """
    length = round(TEMPOGRAM_WINDOW * fps)
    padded = np.pad(onsets, [(0, 0), (length // 2, length)])
    centres = np.arange(0, onsets.shape[1] / fps, hop)
    firsts = np.round(centres * fps).astype(int)
    columns = []
    for k in range(0, len(firsts), WINDOWS_AT_ONCE):
        check_wanted()
        some = firsts[k : k + WINDOWS_AT_ONCE]
        windows = np.stack([padded[:, first : first + length] for first in some])
        maps = periodicity_map(windows, fps, grid).mean(axis=2)  # (n, n_maps, n_bins)
        columns.append(np.sqrt(np.maximum(maps[:, 0], 0) * maps[:, 1]))
    strength = np.concatenate(columns).T
    return np.asarray(strength / max(1e-9, float(strength.max())), np.float32)


def fold(onsets: NDArray[np.float32], fps: float, bpm: float) -> Folded:
    """Onset strength (n_frames,) at `fps`, folded at the beats of one tempo [BPM].

    A steady beat is a straight row, one that drifts from the tempo a slope.
    """
    beat = 60 / bpm  # [s]
    n_beats = max(1, int(onsets.size / fps / beat))
    per_column = -(-n_beats // MOST_COLUMNS)
    places = np.arange(n_beats * N_PHASES) * (beat * fps / N_PHASES)
    rows = np.interp(places, np.arange(onsets.size), onsets).reshape(n_beats, N_PHASES)
    starts = np.arange(0, n_beats, per_column)
    counts = np.diff([*starts, n_beats])
    means = np.add.reduceat(rows, starts, axis=0) / counts[:, None]
    strongest = int(means.mean(axis=0).argmax())
    means = np.roll(means, N_PHASES // 2 - strongest, axis=1)
    return Folded(means.T.astype(np.float32), per_column * beat)
