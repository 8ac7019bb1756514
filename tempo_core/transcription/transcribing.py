"""From a file to its notes and its tempo, through an `Estimator`."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING

from ..tasks.notes.events import Thresholds, Transcription
from .drafts import Transcribed

if TYPE_CHECKING:
    from ..estimate import Estimator


def load_estimator(model: str = "default", with_tempo: bool = True) -> Estimator:
    """An estimator of the notes of whole tracks, and of their tempo unless that is known.

    Parameters
    ----------
    model
        `default`, the name of a shipped model, or the path of a model file, for the notes.

    Raises
    ------
    CheckpointError
        If a model is missing, damaged or altered.
    """
    from ..estimate import Estimator

    tasks = ("notes", "tempo") if with_tempo else ("notes",)
    return Estimator(tasks=tasks, windows="all", models={"notes": model})


def transcribe(
    path: str | bytes | os.PathLike[str], estimator: Estimator, threshold: float | None = None
) -> Transcribed:
    """The notes of a file, and its tempo if the estimator has that among its tasks.

    Parameters
    ----------
    threshold
        Least posterior of the onset of a note, 0..1, see `with_onset`; None: that of the model.

    Raises
    ------
    AudioError
        If the file is missing, unreadable, silent or too short.
    """
    results = estimator.results(path)
    found: Transcription = results["notes"]
    notes = found.notes
    if threshold is not None:
        from ..tasks.notes.decode import notes_of

        notes = notes_of(found.stretches, with_onset(found.thresholds, threshold))
    if "tempo" not in results:
        return Transcribed(notes)
    columns = estimator.columns(results)
    return Transcribed(notes, columns["bpm"], columns["stability"])


def with_onset(thresholds: Thresholds, onset: float) -> Thresholds:
    """Thresholds with another one for onsets; that for frames changes in proportion."""
    frame = thresholds.frame * onset / max(thresholds.onset, 1e-6)
    return replace(thresholds, onset=onset, frame=min(frame, 1.0))
