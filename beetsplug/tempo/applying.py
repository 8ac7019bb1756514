"""What an estimate sets on an item, and what follows where the item changes afterwards."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from tempo_core import tasks
from tempo_core.levels import COUNTED_ELSE, RELATIVES, TOLERANCE
from tempo_core.paces import COMPATIBLE, SAME, format_paces, parse_paces
from tempo_core.tempi import parse_marker

from .items import bpm_of, own, set_or_clear
from .marking import MARKER
from .origin import MANUAL, TAG, Decision, drop_marker, origin, set_tempo
from .stated import paces_of, stated_paces

if TYPE_CHECKING:
    from collections.abc import Sequence

    from beets.library import Item

    from tempo_core import Estimate
    from tempo_core.paces import Pace

OWN_RULES = ("tempo", "pace")  # tasks: what becomes of them depends on what somebody said before
PACE_FIELDS = {"tempo_half": 0.5, "tempo_double": 2, "tempo_triple": 3}


def apply_estimate(
    item: Item,
    estimate: Estimate,
    source: str,
    *,
    force: bool = False,
    min_confidence: float = 0.0,
) -> Decision:
    """Set the fields that follow from an estimate; neither stores the item nor writes its tags.

    Parameters
    ----------
    item
        Changed in place. A `bpm` that somebody else set stays, unless `force`.
    estimate
        What the engine found.
    source
        Who found it, `model:<name>@<hash>`.
    force
        Overwrite `bpm` whoever set it.
    min_confidence
        An estimate less sure than this (0..1) leaves `bpm` alone, also with `force`.
    """
    said, sure = origin(item), estimate.confidence >= min_confidence
    tempo = estimate.bpm
    if said and not said.startswith("model:") and not force:
        agreed = agreeing_tempo(bpm_of(item), estimate)
        if agreed is not None:
            tempo, verdict = agreed, Decision.KEPT
        else:
            verdict = Decision.CONFLICT if sure else Decision.UNSURE
        item.tempo_source = said
        if said == MANUAL:
            drop_marker(item)
    elif not sure:
        verdict = Decision.UNSURE
        if said.startswith("model:"):
            # Its record is about to go.
            earlier = parse_marker(own(item, MARKER))
            set_tempo(item, earlier.bpm if earlier else own(item, "tempo_bpm"), said)
        item.tempo_source = said or source
    else:
        verdict = Decision.SET
        set_tempo(item, tempo, source)
    item.tempo_bpm = tempo
    item.tempo_confidence = estimate.confidence
    item.tempo_verdict = verdict.word
    set_or_clear(item, "tempo_stability", estimate.stability)
    set_further(item, estimate)
    stated = stated_paces(item)
    if stated is not None:
        # What somebody wrote over the estimate would be lost otherwise.
        item.tempo_paces_manual = " ".join(f"{pace:g}" for pace in stated)
    item.tempo_paces = format_paces(estimate.paces)
    set_pace_fields(item)
    return verdict


def set_further(item: Item, estimate: Estimate) -> None:
    """Set the fields of tasks that have no rules of their own here."""
    for name in tasks.TASKS:
        for column in tasks.columns(name) if name not in OWN_RULES else ():
            if column.field is not None and column.name in estimate.columns:
                value = estimate.columns[column.name]
                set_or_clear(item, column.field, None if value is None else column.text(value))


def set_pace_fields(item: Item) -> bool:
    """Set half, double and triple pace from what is known of an item; whether that changed any."""
    before = [own(item, field) for field in PACE_FIELDS]
    tempo = own(item, "tempo_bpm") or bpm_of(item)
    # From the text, so that a probability that is rounded there decides the same here.
    paces = [pace for pace, _ in paces_of(item)]
    for field, ratio in PACE_FIELDS.items():
        fits = any(abs(pace / (tempo * ratio) - 1) <= SAME for pace in paces) if tempo else False
        set_or_clear(item, field, round(tempo * ratio, 2) if fits else None)
    return before != [own(item, field) for field in PACE_FIELDS]


def agreeing_tempo(bpm: float, estimate: Estimate) -> float | None:
    """The precise tempo behind somebody's BPM, None if it fits no pace of the estimate.

    A tag within 4 % of a pace is that pace, said with less precision or at another octave.
    """
    return precise_pace(bpm, estimate.bpm, estimate.paces)


def precise_pace(bpm: float, estimated: float, paces: Sequence[Pace]) -> float | None:
    """The same of an estimate that is known by its tempo [BPM] and its paces only."""
    simple = [estimated * ratio for ratio in COUNTED_ELSE]
    tempi = [
        estimated,
        *(
            pace.bpm
            for pace in paces
            if pace.probability >= COMPATIBLE
            or any(abs(pace.bpm / tempo - 1) <= SAME for tempo in simple)
        ),
    ]
    nearest = min(tempi, key=lambda tempo: abs(tempo - bpm))
    if abs(nearest - bpm) > TOLERANCE * bpm:
        return None
    # Paces are rounded to 0.1; a simple multiple of the headline is as precise as that is.
    precise = min((estimated * ratio for ratio in RELATIVES), key=lambda t: abs(t - nearest))
    return round(precise if abs(precise - nearest) < 0.01 * nearest else nearest, 2)


def settled(item: Item) -> bool:
    """Set `tempo_source` by what the item's `bpm` is, and what follows; whether that changed it."""
    source = own(item, "tempo_source")
    said = origin(item)
    if not source or not said or said == source:
        return False
    item.tempo_source = said
    if said in (MANUAL, TAG) and own(item, "tempo_bpm"):
        judged(item)
    marker = parse_marker(own(item, MARKER))
    if said.startswith("model:") and marker is not None and marker.is_of(bpm_of(item)):
        # Back from the file, where somebody's was compared before.
        item.tempo_verdict, item.tempo_bpm = Decision.SET.word, marker.bpm
        set_pace_fields(item)
    return True


def judged(item: Item) -> bool:
    """Set what the last analysis says to the item's `bpm`, somebody's; whether that changed it."""
    before = own(item, "tempo_verdict"), own(item, "tempo_bpm")
    agreed = precise_pace(bpm_of(item), own(item, "tempo_bpm"), _paces(item))
    item.tempo_verdict = (Decision.KEPT if agreed else Decision.CONFLICT).word
    item.tempo_bpm = agreed or own(item, "tempo_bpm")
    set_pace_fields(item)
    return before != (own(item, "tempo_verdict"), own(item, "tempo_bpm"))


def _paces(item: Item) -> tuple[Pace, ...]:
    with suppress(ValueError):
        return parse_paces(own(item, "tempo_paces") or "")
    return ()
