"""From a tempo on the grid (right to about 1 %) to the audio's tempo (right to 0.1 BPM).

A steady pulse at `f` beats a second puts a line at `f` and its multiples into the spectrum of the
onset envelope. The longer the audio and the higher the multiple, the sharper it pins the tempo
down: over 12 s the eighth multiple resolves 0.6 BPM. Two pieces of a track say more than twice as
much: if the music goes on in time between them, their lines are in phase at the right tempo, and
at 100 s apart a hundredth of a BPM shows. At what other tempi they are in phase too follows from
the distance (another number of beats between them); the lower multiples, down to the bar, and each
piece on its own rule those out. So the refined tempo is where the lines under the multiples of the
beat are strongest together, by magnitude and by phase.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...levels import TOLERANCE
from ...spectrum import compress, onset_strength

SEARCH = 0.02  # relative, to both sides of the tempo: one bin of the tempo grid
COARSE_STEP = 0.05  # [BPM] of the search by magnitudes, whose peaks are no sharper than 0.6 BPM
FINE_STEP = 0.01  # [BPM] of the search by phases
FINE = 1.0  # [BPM] range of the search by phases, to both sides of the best magnitude
# Multiples of the frequency of the beat that are used: divisions of the beat in duple and triple
# metre, and the half bar and the bar, which distinguish one beat from the next.
MULTIPLES = (1 / 4, 1 / 2, 1, 2, 3, 4, 6, 8)
N_GROUPS = 4  # bands are summed in groups, so that a loud bass cannot drown the hi-hat
# [s] The tempo of played music drifts: in longer pieces the lines of its beats get broader, not
# sharper.
LONGEST_PIECE = 12.0
# Share of the phases between pieces in the support of a tempo. Phases are the most precise for a
# machine; magnitudes do not depend on what happens between the pieces.
PHASE_WEIGHT = 0.3
MAX_COHERENT = 180.0  # [s] between pieces; at more, several tempi fit the phases equally well
ZERO_PADDING = 4  # factor by which pieces are extended with zeros, to interpolate their spectra
# Clarity up to which a piece has the least weight, and from which on it has the weight 1. The least
# weight is not 0, so that music without a beat, or of a few seconds, still gets an answer.
LEAST_CLARITY, FULL_CLARITY = 1.75, 2.5
LEAST_WEIGHT = 0.02
# Deviation of an onset envelope below which it has no onsets: a sine has less than 0.01, the
# quietest music 0.15.
STILL = 0.03
ENDS = 16  # [frames] at both ends of an envelope where the beginning and end of audio are onsets
PULSE_TEMPI = np.arange(40.0, 240.0, 0.5)  # [BPM] at which `clarity` looks for a pulse
REACH = 0.15  # relative, to both sides of the tempo: range of the search for a piece's own tempo
STABILITY_STEP = 1e-3  # relative, of that search
NEARLY = 0.95  # share of the best support from which on a tempo counts as supported equally well
# Possible error of a stability that was measured on one piece of a track of which nearly nothing
# was heard; divided by the number of pieces. Two pieces of a steady song give 0.93, five 0.98.
UNHEARD = 0.15


@dataclass(frozen=True)
class Envelope:
    """Onset strength over time of a few groups of bands.

    `values` is (N_GROUPS, n_frames) float64 with mean 0; it begins at `start` in the recording [s].
    """

    values: NDArray[np.float64]
    start: float


@dataclass(frozen=True)
class Lines:
    """Spectra of one piece of an envelope, whose lines are the multiples of its tempo.

    `spectra` are (N_GROUPS, n_bins) complex. Every group is brought to the same level, then
    multiplied by the length of the piece (a longer one determines the tempo better) and by
    `weight`, which says in 0..1 how clear the pulse is, see `clarity`. Phases are relative to
    `centre`, the middle of the piece in the recording [s]. `resolution` is the distance of bins
    [Hz].
    """

    spectra: NDArray[np.complex128]
    centre: float
    resolution: float
    weight: float = 1.0

    def at(self, tempi: NDArray[np.float64]) -> NDArray[np.complex128]:
        """(N_GROUPS, n_multiples, n_tempi) lines at the multiples of tempi (n_tempi,) [BPM].

        They are zero where a multiple is outside of the spectrum.
        """
        position = np.outer(MULTIPLES, tempi / 60.0) / self.resolution
        bins = position.astype(int)
        inside = bins < self.spectra.shape[1] - 1
        bins, weight = np.where(inside, bins, 0), position - bins
        # With the middle of the piece as time 0, the phase changes slowly from bin to bin, so that
        # complex values can be interpolated.
        between = self.spectra[:, bins] * (1 - weight) + self.spectra[:, bins + 1] * weight
        return np.asarray(np.where(inside, between, 0.0))


def envelope(features: NDArray[np.float32], start: float) -> Envelope:
    """Onset envelope of features (n_mels, n_frames) that begin at `start` in the recording [s]."""
    onsets = onset_strength(compress(features)).astype(np.float64)
    groups = np.stack([g.sum(axis=0) for g in np.array_split(onsets, N_GROUPS)])
    return Envelope(groups - groups.mean(axis=1, keepdims=True), start)


def spectra(envelopes: Sequence[Envelope], fps: float) -> list[Lines]:
    """Spectra of envelopes, cut into pieces of at most `LONGEST_PIECE`, in order of time."""
    lines = []
    for whole in sorted(envelopes, key=lambda e: e.start):
        n_pieces = max(1, math.ceil(whole.values.shape[1] / round(LONGEST_PIECE * fps)))
        inner = whole.values[:, ENDS:-ENDS]
        is_still = inner.size > 0 and float(inner.std(axis=1).mean()) < STILL
        first = 0  # frame
        for values in np.array_split(whole.values, n_pieces, axis=1):
            if values.shape[1] > 1:
                start = whole.start + first / fps
                lines.append(_lines(values, start, fps, LEAST_WEIGHT if is_still else 1.0))
            first += values.shape[1]
    return lines


def _lines(values: NDArray[np.float64], start: float, fps: float, most: float = 1.0) -> Lines:
    """Spectra of one piece (n_groups, n_frames), whose weight is at most `most`."""
    n_groups, n_frames = values.shape
    size = ZERO_PADDING * 2 ** math.ceil(math.log2(n_frames))
    middle = n_frames // 2
    rotated = np.zeros((n_groups, size))
    # No taper: narrow lines matter more here than low side lobes.
    rotated[:, : n_frames - middle] = values[:, middle:]
    rotated[:, size - middle :] = values[:, :middle]
    level = np.sqrt(np.square(values).sum(axis=1, keepdims=True))
    lines = np.fft.rfft(rotated) / np.maximum(level, 1e-12) * n_frames
    found = Lines(lines, start + middle / fps, fps / size)
    weight = float(
        np.clip(
            (clarity(found) - LEAST_CLARITY) / (FULL_CLARITY - LEAST_CLARITY), LEAST_WEIGHT, most
        )
    )
    return dataclasses.replace(found, spectra=weight * lines, weight=weight)


def clarity(piece: Lines) -> float:
    """Ratio of the lines of the clearest pulse to the lines of a typical tempo, ≥ 0.

    Music with a beat is above 2, most of it above 3; noise, speech and applause are below 1.9.
    """
    support = magnitude(piece.at(PULSE_TEMPI))
    return float(support.max() / max(1e-12, float(np.median(support))))


def refine(lines: Sequence[Lines], bpm: float) -> float:
    """Tempo [BPM] within `SEARCH` of `bpm` that lines support best; `bpm` if none stands out."""
    tempi = np.arange(bpm * (1 - SEARCH), bpm * (1 + SEARCH), COARSE_STEP)
    support = np.sum([magnitude(piece.at(tempi)) for piece in lines], axis=0)
    k = int(np.argmax(support))
    if not 0 < k < tempi.size - 1:
        # No peak in the range, only the slope of one outside of it.
        return bpm
    reach = np.arange(-FINE, FINE + FINE_STEP / 2, FINE_STEP)
    fine = tempi[k] + reach[np.abs((tempi[k] + reach) / bpm - 1) <= SEARCH]
    support = _support(lines, fine)
    k = int(np.argmax(support))
    if not 0 < k < fine.size - 1:
        return float(fine[k])
    left, mid, right = support[k - 1 : k + 2]
    curvature = left - 2 * mid + right
    return float(fine[k] + (FINE_STEP * 0.5 * (left - right) / curvature if curvature < 0 else 0.0))


def magnitude(lines: NDArray[np.complex128]) -> NDArray[np.float64]:
    """Sum of the magnitudes of lines, (N_GROUPS, n_multiples, n_tempi) → (n_tempi,)."""
    return np.asarray(np.abs(lines).sum(axis=(0, 1)))


def _support(lines: Sequence[Lines], tempi: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n_tempi,) support of tempi [BPM] by the magnitudes and the phases of lines."""
    total = np.zeros(tempi.size)
    for stretch in _stretches(lines):
        together = np.zeros((N_GROUPS, len(MULTIPLES), tempi.size), complex)
        for piece in stretch:
            at = piece.at(tempi)
            total += (1 - PHASE_WEIGHT) * magnitude(at)
            beats = np.outer(MULTIPLES, tempi / 60.0) * (piece.centre - stretch[0].centre)
            together += at * np.exp(-2j * np.pi * beats)
        total += PHASE_WEIGHT * magnitude(together)
    return total


def _stretches(lines: Sequence[Lines]) -> list[list[Lines]]:
    """Pieces in order, grouped into stretches that are no longer than `MAX_COHERENT`."""
    runs: list[list[Lines]] = []
    for piece in lines:
        if runs and piece.centre - runs[-1][0].centre <= MAX_COHERENT:
            runs[-1].append(piece)
        else:
            runs.append([piece])
    return runs


def stability(lines: Sequence[Lines], bpm: float) -> float | None:
    """How steadily the pieces of a track keep `bpm`, in 0..1; None if there is only one piece.

    1 minus the mean deviation, by weight, of the pieces' own tempi from `bpm`, in units of
    `TOLERANCE`; larger deviations count as 1. So 1 means steady as far as can be measured, 0.9 a
    mean deviation of 0.4 %, and 0.6 a track with another tempo in 40 % of the pieces. The tempo of
    a piece is only as precise as its lines are sharp: of all tempi that they support nearly as well
    as the best (`NEARLY`), the one closest to `bpm` counts.
    """
    if len(lines) < 2:
        return None
    tempi = bpm * (1 + np.linspace(-REACH, REACH, round(2 * REACH / STABILITY_STEP) + 1))
    deviation = np.abs(tempi / bpm - 1) / TOLERANCE
    strays = []
    for piece in lines:
        support = magnitude(piece.at(tempi))
        strays.append(min(1.0, float(deviation[support >= NEARLY * support.max()].min())))
    return 1 - float(np.average(strays, weights=[piece.weight for piece in lines]))


def claimed(stability: float, heard: float, duration: float) -> float:
    """Stability of a track, lowered if only a part of the track was heard, in 0..1.

    Parameters
    ----------
    stability
        Stability of the pieces that were heard, see `stability`.
    heard, duration
        Length of these pieces and of the track [s].
    """
    unheard = max(0.0, 1 - heard / duration)
    n_pieces = max(1.0, heard / LONGEST_PIECE)
    return stability * (1 - UNHEARD * unheard / n_pieces)
