"""Whose word an item's tempo is: a person's, an analysis's, a label's or another program's."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Any

from tempo_core.paces import parse_paces
from tempo_core.tempi import Marker, is_tempo, parse_marker, round_half_up

from .items import bpm_of, own, same_file, set_or_clear
from .marking import MARKER

if TYPE_CHECKING:
    from beets.library import Item

# Values of `tempo_source`: a person set the tempo; it was there before the first analysis; an
# analysis set it, and the name of its model was removed since.
MANUAL, TAG, UNKNOWN_MODEL = "manual", "tag", "model:unknown"


class Decision(enum.Enum):
    """What an analysis meant for an item; the lower-case name is `tempo_verdict`."""

    SET = "the tempo is the analysis's"
    KEPT = "somebody's tempo was kept; the analysis agrees with it"
    CONFLICT = "somebody's tempo was kept; the analysis disagrees with it"
    UNSURE = "the analysis is less sure than was asked for, and has left the tempo alone"

    @property
    def word(self) -> str:
        """As it stands in `tempo_verdict`."""
        return self.name.lower()


def origin(item: Item) -> str:
    """Who said the item's `bpm`, as in `tempo_source`; empty where there is none.

    `tempo_source` is believed only as far as the rest bears it out, because other programs and
    people change `bpm` or remove the record without knowing of each other:

    - A `bpm` that is the marker beside it, rounded, was written together with it. The word `manual`
      makes it a person's, who stands by it, unless the verdict is about somebody's tempo: then that
      was the one meant, and this has come back from the file.
    - One that is said to be a model's or a label's and is not their value was changed by somebody
      since: `manual`.
    - One that an analysis set and nobody changed stays the analysis's if the record of the source
      was removed or changed. Only the word `manual` makes it a person's, who stands by it.
    """
    bpm = bpm_of(item)
    source = str(own(item, "tempo_source") or "")
    if not bpm:
        return ""
    marker, verdict = parse_marker(own(item, MARKER)), own(item, "tempo_verdict")
    stands_by = source == MANUAL and verdict not in (Decision.KEPT.word, Decision.CONFLICT.word)
    if marker is not None and marker.is_of(bpm) and not stands_by:
        return marker.source
    if source == MANUAL:
        return source
    estimated = _rounds_to(own(item, "tempo_bpm"), bpm) and verdict in (None, Decision.SET.word)
    if source.startswith("label:"):
        return source if _rounds_to(own(item, "tempo_label_bpm"), bpm) else MANUAL
    if source.startswith("model:"):
        return source if estimated else MANUAL
    if estimated and (verdict or (not source and _is_headline(item))):
        return UNKNOWN_MODEL
    return source or TAG


def _rounds_to(tempo: Any, bpm: int) -> bool:
    return is_tempo(tempo) and round_half_up(tempo) == bpm


def _is_headline(item: Item) -> bool:
    """Whether `tempo_bpm` is what the audio alone spoke for, and not adjusted to somebody's."""
    try:
        paces = parse_paces(own(item, "tempo_paces") or "")
    except ValueError:
        return False
    return bool(paces) and abs(paces[0].bpm - own(item, "tempo_bpm")) <= 0.1


def is_done(item: Item) -> bool:
    """Whether an item carries a tempo and the record of where it is from, or why it has none.

    The record alone does not count: importing a track again keeps flexible fields and loses `bpm`.
    """
    recorded = own(item, "tempo_bpm") and own(item, "tempo_source")
    unsure = own(item, "tempo_verdict") == Decision.UNSURE.word
    return bool(recorded and (bpm_of(item) or unsure))


def is_ours(item: Item) -> bool:
    """Whether the item's `bpm` was put there by an analysis, not by a person or another program."""
    return origin(item).startswith("model:")


def is_from_label(item: Item) -> bool:
    """Whether the item's `bpm` is a published label that was applied."""
    return origin(item).startswith("label:")


def set_tempo(item: Item, tempo: float, source: str) -> None:
    """Put a tempo of the plugin's own into `bpm`, with the marker that says so."""
    with same_file(item):
        item.bpm = round_half_up(tempo)
        item[MARKER] = str(Marker(tempo, source))
        item.tempo_source = source


def drop_marker(item: Item) -> None:
    """Take the marker away, of a tempo that a person stands by. The file keeps its marker."""
    with same_file(item):
        set_or_clear(item, MARKER, None)
