"""Origin of the tempo of a track: a person, an analysis, a published label or another program."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Any

from tempo_core import markers
from tempo_core.paces import parse_paces
from tempo_core.tempi import is_tempo, round_half_up

from .items import bpm_of, locked_tempo, own
from .marking import TEMPO

if TYPE_CHECKING:
    from beets.library import Item

# Values of `tempo_source`, beside `model:<name>@<hash>` and `label:<site>`.
MANUAL = markers.MANUAL  # a person set the tempo
TAG = "tag"  # the tempo was there before the first analysis
UNKNOWN_MODEL = "model:unknown"  # an analysis set it, and the name of the model was removed since
SAME_TEMPO = 0.01  # [BPM] up to which two precise tempi are one, because a marker has two decimals


class Decision(enum.Enum):
    """Decision of an analysis about a track's `bpm`; the field `tempo_verdict` has its name."""

    SET = "`bpm` was set to the estimate"
    KEPT = "a tempo of another origin was kept; the analysis agrees with it"
    CONFLICT = "a tempo of another origin was kept; the analysis disagrees with it"
    UNSURE = "`bpm` was left alone, because the confidence is below `min_confidence`"

    @property
    def word(self) -> str:
        """The value of `tempo_verdict`."""
        return self.name.lower()


def origin(item: Item) -> str:
    """Origin of an item's `bpm`, a value of `tempo_source`; empty if it has no tempo.

    The field `tempo_source` may be wrong, because people and other programs change `bpm`, or remove
    the field. So it only counts if the other fields agree with it:

    - If `bpm` is the rounded tempo of the marker, both were written together, and the marker
      contains the origin. The exception is `manual` with the marker of an analysis or a label: a
      person confirmed the tempo. But if
      `tempo_verdict` is a verdict on a person's tempo, `manual` meant that tempo, and the present
      `bpm` came back from the file, so that the origin in the marker counts again.
    - If `bpm` differs from the value of the model or label in `tempo_source`, a person changed it:
      `manual`.
    - If `bpm` is unchanged since an analysis set it, its origin is the analysis, also if
      `tempo_source` was removed or changed to anything but `manual`.

    A locked tempo is `manual` whatever the other fields say; see `applying.hold`.
    """
    if locked_tempo(item) is not None:
        return MANUAL
    bpm = bpm_of(item)
    source = str(own(item, "tempo_source") or "")
    if not bpm:
        return ""
    verdict = own(item, "tempo_verdict")
    stands_by = source == MANUAL and verdict not in (Decision.KEPT.word, Decision.CONFLICT.word)
    marked = TEMPO.said_by_marker(item)
    if marked and not stands_by:
        return marked
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


def stated_tempo(item: Item) -> float | None:
    """The tempo of a track [BPM] that a person set with this plugin, as precise as they set it.

    A `bpm` that was changed elsewhere since counts instead. None if they set none.
    """
    marker, bpm = TEMPO.marker_of(item), bpm_of(item)
    if marker is None or not marker.is_manual or not bpm:
        return None
    return float(marker.value) if marker.is_of(bpm) else float(bpm)


def _rounds_to(tempo: Any, bpm: int) -> bool:
    """Whether a value is a tempo that rounds to `bpm`."""
    return is_tempo(tempo) and round_half_up(tempo) == bpm


def _is_headline(item: Item) -> bool:
    """Whether `tempo_bpm` is the estimate itself, not a pace chosen to agree with a tag."""
    try:
        paces = parse_paces(own(item, "tempo_paces") or "")
    except ValueError:
        return False
    return bool(paces) and abs(paces[0].bpm - own(item, "tempo_bpm")) <= 0.1


def is_done(item: Item) -> bool:
    """Whether an item was analysed: it has a tempo with an origin, or the analysis was unsure.

    The fields of an analysis are not enough: importing a track again keeps these but loses `bpm`.
    """
    recorded = own(item, "tempo_bpm") and own(item, "tempo_source")
    unsure = own(item, "tempo_verdict") == Decision.UNSURE.word
    return bool(recorded and (bpm_of(item) or unsure))


def is_ours(item: Item) -> bool:
    """Whether an item's `bpm` was set by an analysis, not by a person or another program."""
    return origin(item).startswith("model:")


def is_from_label(item: Item) -> bool:
    """Whether an item's `bpm` was filled in from a published label."""
    return origin(item).startswith("label:")
