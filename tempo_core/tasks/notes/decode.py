"""From logits to notes: posteriors of windows, joined over time, and the notes in them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...heard import Heard
from ...model import Checkpoint
from ...spectrum import Array
from ...task import Results, Scored
from .config import NotesConfig
from .events import (
    LOWEST,
    N_PITCHES,
    Annotation,
    Note,
    Posteriors,
    Stretch,
    Thresholds,
    Transcription,
)
from .view import Place

ONSET_WIDTH = 1.5  # frames before and after a note's begin over which the target of onsets falls
GAP = 2  # frames in which a sounding note may fall below the threshold
CLOSEST = 3  # frames between two onsets of the same pitch
LOUDEST = 98  # percentile of the notes' levels that has the velocity FORTISSIMO
FORTISSIMO = 112


def encode(label: Annotation, config: NotesConfig) -> Array:
    """An annotation → (2, n_frames, N_PITCHES): targets of onsets and frames, 0..1.

    The target of an onset falls on both sides of its time, so that the place between two frames can
    be told from the posteriors.
    """
    n_frames, fps = label.n_frames, label.fps
    target = np.zeros((2, n_frames, N_PITCHES), np.float32)
    for note in label.notes:
        pitch, begin, end = note.pitch - LOWEST, note.start * fps, note.end * fps
        near = np.arange(max(0, int(begin) - 1), min(n_frames, int(begin) + 3))
        height = np.maximum(0, 1 - np.abs(near - begin) / ONSET_WIDTH)
        target[0, near, pitch] = np.maximum(target[0, near, pitch], height)
        target[1, max(0, round(begin)) : max(round(begin) + 1, round(end)), pitch] = 1
    return target


def activate(logits: Array, config: NotesConfig, temperature: float) -> Array:
    """Logits (n, 2, n_frames, N_PITCHES) → posteriors in 0..1."""
    return np.asarray(1 / (1 + np.exp(-logits / temperature)), np.float32)


def pool(scored: Sequence[Scored], config: NotesConfig) -> list[Stretch]:
    """Posteriors of overlapping windows, each faded in and out, added up for each excerpt."""
    excerpts: dict[float, list[tuple[Place, Array]]] = {}
    for batch, scores in scored:
        excerpts.setdefault(batch.summary.start, []).append((batch.summary, scores[0]))
    return [_added(windows, config.margin) for _, windows in sorted(excerpts.items())]


def _added(windows: Sequence[tuple[Place, Array]], margin: int) -> Stretch:
    n_frames = max(place.first + scores.shape[1] for place, scores in windows)
    total = np.zeros((2, n_frames, N_PITCHES), np.float32)
    weights = np.zeros((n_frames, 1), np.float32)
    levels = np.zeros((N_PITCHES, n_frames), np.float32)
    for place, scores in windows:
        length = scores.shape[1]
        frames = np.arange(length)
        inside = np.minimum(frames, frames[::-1]) + 1.0
        # The ends of an excerpt are seen by one window only, whatever its weight there.
        weight = np.minimum(1, inside / (2 * margin + 1)).astype(np.float32)[:, None]
        here = slice(place.first, place.first + length)
        total[:, here] += weight * scores
        weights[here] += weight
        levels[:, here] = place.levels
    total /= weights
    first = windows[0][0]
    onsets, frames_ = np.ascontiguousarray(total.swapaxes(1, 2))
    return Stretch(first.start, first.fps, onsets, frames_, levels)


def decode(
    stretches: list[Stretch], heard: Heard, results: Results, checkpoint: Checkpoint[NotesConfig]
) -> Transcription:
    """The notes of a track."""
    config = checkpoint.config
    thresholds = Thresholds(config.onset_threshold, config.frame_threshold)
    joined = _joined(stretches)
    notes = notes_of(joined, thresholds, config.shortest)
    return Transcription(notes, tuple(joined), thresholds)


def _joined(stretches: Sequence[Stretch]) -> list[Stretch]:
    """Stretches that follow each other without a gap as one: a file is heard in pieces."""
    found: list[Stretch] = []
    for new in stretches:
        if found:
            last = found[-1]
            place = round((new.start - last.start) * last.fps)
            n_frames = last.onsets.shape[1]
            # Both pieces may have a frame at the border, which is then only half filled.
            if n_frames - 2 <= place <= n_frames + 1:
                found[-1] = _glued(last, new, place)
                continue
        found.append(new)
    return found


def _glued(first: Stretch, second: Stretch, place: int) -> Stretch:
    def glue(a: Posteriors, b: Posteriors) -> Posteriors:
        gap = np.zeros((N_PITCHES, max(0, place - a.shape[1])), np.float32)
        return np.concatenate([a[:, :place], gap, b], axis=1)

    return Stretch(
        first.start, first.fps, glue(first.onsets, second.onsets),
        glue(first.frames, second.frames), glue(first.levels, second.levels),
    )  # fmt: skip


def notes_of(
    stretches: Sequence[Stretch], thresholds: Thresholds, shortest: float = 0.05
) -> tuple[Note, ...]:
    """The notes in posteriors, in the order of their starts.

    Parameters
    ----------
    shortest
        [s] of a note that is told.
    """
    found = [
        (note, level)
        for stretch in stretches
        for note, level in _notes(stretch, thresholds, shortest)
    ]
    if not found:
        return ()
    loudest = float(np.percentile([level for _, level in found], LOUDEST)) or 1.0
    # Of most instruments the amplitude grows with the square of MIDI's velocity.
    notes = [
        Note(
            note.start, note.end, note.pitch,
            int(np.clip(FORTISSIMO * np.sqrt(level / loudest), 1, 127)), note.confidence,
        )
        for note, level in found
    ]  # fmt: skip
    return tuple(sorted(notes, key=lambda note: (note.start, note.pitch)))


def _notes(
    stretch: Stretch, thresholds: Thresholds, shortest: float
) -> Iterator[tuple[Note, float]]:
    """Notes of a stretch, each with its level."""
    n_frames = stretch.onsets.shape[1]
    for pitch in np.flatnonzero(stretch.onsets.max(axis=1) >= thresholds.onset):
        onsets, frames = stretch.onsets[pitch], stretch.frames[pitch]
        peaks = _peaks(onsets, thresholds.onset)
        sounds = frames >= thresholds.frame
        for number, peak in enumerate(peaks):
            limit = peaks[number + 1] if number + 1 < len(peaks) else n_frames
            end = _end(sounds, peak, limit)
            begin = max(0.0, peak + _beside(onsets, peak))
            if (end - begin) / stretch.fps < shortest:
                end = min(n_frames, begin + shortest * stretch.fps)
            level = float(stretch.levels[pitch, peak : peak + 4].max())
            yield Note(
                stretch.start + begin / stretch.fps, stretch.start + end / stretch.fps,
                LOWEST + int(pitch), 1, float(onsets[peak]),
            ), level  # fmt: skip


def _peaks(onsets: Array, threshold: float) -> list[int]:
    """Frames where a posterior has a local maximum above a threshold, not too close together."""
    around = np.pad(onsets, 1, constant_values=-1.0)
    high = (onsets >= threshold) & (onsets > around[:-2]) & (onsets >= around[2:])
    found: list[int] = []
    for peak in np.flatnonzero(high).tolist():
        if found and peak - found[-1] < CLOSEST:
            if onsets[peak] > onsets[found[-1]]:
                found[-1] = peak
            continue
        found.append(peak)
    return found


def _beside(onsets: Array, peak: int) -> float:
    """Where between frames a peak lies, -0.5..0.5: the centre of its three values."""
    if not 0 < peak < len(onsets) - 1:
        return 0.0
    before, at, after = (float(value) for value in onsets[peak - 1 : peak + 2])
    return float(np.clip((after - before) / (before + at + after), -0.5, 0.5))


def _end(sounds: NDArray[np.bool_], peak: int, limit: int) -> int:
    """First frame after an onset in which its note does not sound any more."""
    silent = np.flatnonzero(~sounds[peak + 1 : limit])
    for place in silent.tolist():
        begin = peak + 1 + place
        if not sounds[begin : min(limit, begin + GAP + 1)].any():
            return begin
    return limit


def columns(result: Transcription) -> dict[str, Any]:
    """Nothing: notes are no columns of a table."""
    return {}
