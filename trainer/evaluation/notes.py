"""Figures of transcriptions: notes found, with and without their ends; frames that are right."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import mir_eval
import numpy as np

from tempo_core.tasks.notes.events import LOWEST, N_PITCHES, Note

ONSET_TOLERANCE = 0.05  # [s]
FRAME = 0.01  # [s] between the frames that are compared


@dataclass(frozen=True)
class NoteMetrics:
    """Figures of one transcription, or their means over several, each in 0..1.

    Attributes
    ----------
    precision, recall, f
        Of notes whose pitch is right and whose start is within 50 ms.
    f_with_offset
        Of those whose end is also within 50 ms or a fifth of their length.
    frame_f
        Of all pairs of a frame and a pitch that sounds in it.
    right, one_wrong, two_wrong, right_chroma
        Share of the frames with notes in which all pitches are right; with at most one or two
        wrong; in which all are right but for the octave.
    """

    precision: float
    recall: float
    f: float
    f_with_offset: float
    frame_f: float
    right: float
    one_wrong: float
    two_wrong: float
    right_chroma: float


def measure_notes(known: Sequence[Note], found: Sequence[Note], seconds: float) -> NoteMetrics:
    """Figures of a transcription of `seconds`; the known notes are not empty."""
    reference, estimate = _arrays(known), _arrays(found)
    if len(found) == 0:
        precision = recall = f = f_with_offset = 0.0
    else:
        score = mir_eval.transcription.precision_recall_f1_overlap
        precision, recall, f, _ = score(
            *reference, *estimate, onset_tolerance=ONSET_TOLERANCE, offset_ratio=None
        )
        f_with_offset = score(*reference, *estimate, onset_tolerance=ONSET_TOLERANCE)[2]
    truth, answer = _roll(known, seconds), _roll(found, seconds)
    hits = float((truth & answer).sum())
    frame_f = 2 * hits / max(1.0, float(truth.sum() + answer.sum()))
    played = truth.any(axis=0)
    wrong = (truth ^ answer).sum(axis=0)[played]
    chroma = (_folded(truth) ^ _folded(answer)).sum(axis=0)[played]
    right, one_wrong, two_wrong = (
        float((wrong <= n).mean()) if played.any() else 0.0 for n in range(3)
    )
    return NoteMetrics(
        precision, recall, f, f_with_offset, frame_f, right, one_wrong, two_wrong,
        float((chroma == 0).mean()) if played.any() else 0.0,
    )  # fmt: skip


def mean(metrics: Sequence[NoteMetrics]) -> NoteMetrics:
    """The means of the figures."""
    return NoteMetrics(
        *(float(np.mean([getattr(m, name) for m in metrics])) for name in
          NoteMetrics.__dataclass_fields__)
    )  # fmt: skip


def _arrays(notes: Sequence[Note]) -> tuple[np.ndarray, np.ndarray]:
    """(n, 2) intervals [s] and (n,) frequencies [Hz], as mir_eval takes them."""
    intervals = np.array([(max(0.0, n.start), max(n.end, n.start + 0.01)) for n in notes])
    frequencies = mir_eval.util.midi_to_hz(np.array([n.pitch for n in notes], float))
    return intervals.reshape(-1, 2), frequencies


def _roll(notes: Sequence[Note], seconds: float) -> np.ndarray:
    """(N_PITCHES, n_frames) where each pitch sounds."""
    roll = np.zeros((N_PITCHES, int(seconds / FRAME)), bool)
    for note in notes:
        if 0 <= note.pitch - LOWEST < N_PITCHES:
            roll[note.pitch - LOWEST, round(note.start / FRAME) : round(note.end / FRAME)] = True
    return roll


def _folded(roll: np.ndarray) -> np.ndarray:
    """(12, n_frames) the pitch classes of a roll."""
    return np.stack([roll[k::12].any(axis=0) for k in range(12)])
