"""The labels that a model may be trained on, with the reason for each that it may not.

Is it right? Only a label that the audio agrees with is believed. An octave or a 3:2 is a question
for a person, and without an estimate nobody has checked.

Is it ours to use? A label may be looked at and yet not be trained on: several sites show what
Spotify's analyser said, and Spotify's terms forbid training on its content. By default only the
files' own tags and the public-domain AcousticBrainz dump count; who has a right to more names it.
"""

from __future__ import annotations

from collections.abc import Collection

from .record import LabelVerdict, Record, Status
from .sources import ABOUT

TRAINABLE_SOURCES = tuple(name for name, about in ABOUT.items() if about.trainable)
TRAINABLE_VERDICTS = (LabelVerdict.AGREE,)


def objection(
    record: Record | None,
    sources: Collection[str] = TRAINABLE_SOURCES,
    verdicts: Collection[LabelVerdict] = TRAINABLE_VERDICTS,
) -> str:
    """Why a label may not be trained on, empty if it may.

    Parameters
    ----------
    sources
        Names of the sources whose values may be used.
    verdicts
        What the audio may have said.
    """
    if record is None or record.status is not Status.FOUND or record.bpm is None:
        return "no label"
    if record.source not in sources:
        return f"licence: {ABOUT[record.source].licence}"
    if record.verdict not in verdicts:
        return f"verdict: {record.verdict.value}"
    return ""
