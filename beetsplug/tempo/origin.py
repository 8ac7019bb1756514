"""Origin of an item's tempo: a person, an analysis, a published label or another program."""

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
    """What an analysis did to an item's tempo; the lower-case name stands in `tempo_verdict`."""

    SET = "the tempo is the analysis's"
    KEPT = "somebody's tempo was kept; the analysis agrees with it"
    CONFLICT = "somebody's tempo was kept; the analysis disagrees with it"
    UNSURE = "the analysis is less sure than was asked for, and has left the tempo alone"

    @property
    def word(self) -> str:
        """As it stands in `tempo_verdict`."""
        return self.name.lower()


def origin(item: Item) -> str:
    """Origin of the item's `bpm`, a value of `tempo_source`; empty if it has no tempo.

    The field `tempo_source` may be wrong, because people and other programs change `bpm`, or remove
    the field. So it holds only as far as the other fields agree with it:

    - A `bpm` that is its marker, rounded, was written together with the marker, which has the
      origin. Exception: `manual` says that a person stands by the tempo. That again does not hold
      if `tempo_verdict` is about another tempo, that of a person: then `manual` meant that one, and
      this `bpm` came back from the file.
    - A `bpm` that differs from the value of the model or label in `tempo_source` was changed by a
      person: `manual`.
    - A `bpm` that an analysis set and that is unchanged stays the analysis's where `tempo_source`
      was removed or changed, except to `manual`.
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
    """Whether `tempo_bpm` is the estimate itself, not a pace chosen to agree with a tag."""
    try:
        paces = parse_paces(own(item, "tempo_paces") or "")
    except ValueError:
        return False
    return bool(paces) and abs(paces[0].bpm - own(item, "tempo_bpm")) <= 0.1


def is_done(item: Item) -> bool:
    """Whether an item was analysed: it has a tempo and its origin, or the analysis was unsure.

    The fields alone do not count: importing a track again keeps flexible fields and loses `bpm`.
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
    """Set `bpm` to a tempo [BPM] of a model or label, with the marker and the source."""
    with same_file(item):
        item.bpm = round_half_up(tempo)
        item[MARKER] = str(Marker(tempo, source))
        item.tempo_source = source


def drop_marker(item: Item) -> None:
    """Take the marker away, of a tempo that a person stands by. The file keeps its marker."""
    with same_file(item):
        set_or_clear(item, MARKER, None)
