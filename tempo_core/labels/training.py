"""Decision whether a model may be trained on a label, with the reason if not.

The label has to be right: only labels that the audio agrees with are used. One that is off by an
octave or 3:2 needs a decision by a person, and one without an estimate is unchecked.

Training also has to be allowed. Several sites show values from Spotify's analyser, and Spotify's
terms forbid training on its content. By default only tags in the files and the public-domain
AcousticBrainz dump are used; users who have the right to use more sources can name them.
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
    """Reason why a label may not be used for training, empty if it may be used.

    Parameters
    ----------
    record
        Record with the label, None if there is no label.
    sources
        Names of the sources whose values may be used.
    verdicts
        Accepted results of the comparison with the audio.
    """
    if record is None or record.status is not Status.FOUND or record.bpm is None:
        return "no label"
    if record.source not in sources:
        return f"licence: {ABOUT[record.source].licence}"
    if record.verdict not in verdicts:
        return f"verdict: {record.verdict.value}"
    return ""
