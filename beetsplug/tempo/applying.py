"""Fields that an estimate sets on an item, and their update when the item changes later."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tempo_core import tasks
from tempo_core.levels import COUNTED_ELSE, RELATIVES, TOLERANCE
from tempo_core.paces import COMPATIBLE, SAME_PACE, format_paces, parse_paces
from tempo_core.tasks.tempo.columns import format_range
from tempo_core.tempi import is_tempo, round_half_up

from .grids import apply_beats, others_grid, set_others_grid, set_tempo
from .items import bpm_of, locked_tempo, own, same_file, set_or_clear
from .key_fields import apply_key
from .marking import KEY, TEMPO
from .origin import MANUAL, TAG, Decision, origin, stated_tempo
from .stated import paces_of, stated_paces

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from beets.library import Item

    from tempo_core import Estimate
    from tempo_core.paces import Pace

    from .estimating import Found

# Tasks whose fields also depend on values that a person set, so that they are set here by hand.
TASKS_WITH_RULES = ("tempo", "pace", "key", "beats")
# Ratios to `tempo_bpm` of the paces in some fields.
PACE_FIELDS = {"tempo_half": 0.5, "tempo_double": 2, "tempo_triple": 3}


@dataclass(frozen=True)
class Applied:
    """Decisions of an analysis about `bpm` and `initial_key`; None where it was not asked."""

    tempo: Decision | None
    key: Decision | None

    @property
    def tags(self) -> list[str]:
        """The fields that are to be written to the file."""
        both = ((TEMPO, self.tempo), (KEY, self.key))
        return [name for marked, said in both if said is Decision.SET for name in marked.tags]


def apply_found(item: Item, found: Found, sources: Mapping[str, str], settings: Any) -> Applied:
    """Set the fields that follow from an analysis; neither stores the item nor writes its tags.

    A locked tempo stays as it is, and so does all that belongs to it. A beat grid that somebody
    else made stays too, unless `settings.force`.

    Parameters
    ----------
    sources
        The model of each task, `model:<name>@<hash>`.
    """
    tempo, kept = None, None if settings.force else others_grid(item)
    if found.tempo is not None and locked_tempo(item) is None:
        tempo = apply_estimate(
            item,
            found.tempo,
            sources["tempo"],
            force=settings.force,
            min_confidence=settings.min_confidence,
        )
    if locked_tempo(item) is None:
        if kept is not None:  # of its own tempo, which may not be the new one in `tempo_bpm`
            set_others_grid(item, kept)
        else:
            apply_beats(item, found.columns)
    set_further(item, found.columns)
    key = apply_key(item, found.columns, sources.get("key", ""), force=settings.force)
    return Applied(tempo, key)


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
        Item to set the fields of, changed in place. A `bpm` of another origin than an analysis
        stays, unless `force`.
    estimate
        Result of the analysis.
    source
        The model that made the estimate, `model:<name>@<hash>`.
    force
        Overwrite `bpm` whatever its origin.
    min_confidence
        Confidence, 0 to 1; an estimate with less leaves `bpm` alone, also with `force`.
    """
    sure = estimate.confidence >= min_confidence
    said = origin(item)
    if said and not said.startswith("model:") and not force:
        decision, tempo = _keep_tempo(item, estimate, sure)
    elif sure:
        decision, tempo = Decision.SET, estimate.bpm
        TEMPO.set(item, tempo, source)
    else:
        decision, tempo = Decision.UNSURE, estimate.bpm
        if said.startswith("model:"):
            # The earlier tempo stays in `bpm` and its precise value in the marker, because
            # `tempo_bpm` is going to be that of the new estimate.
            earlier = TEMPO.marker_of(item)
            TEMPO.set(item, earlier.value if earlier else own(item, "tempo_bpm"), said)
        item.tempo_source = said or source
    set_tempo(item, tempo)
    item.tempo_confidence = estimate.confidence
    item.tempo_verdict = decision.word
    set_or_clear(item, "tempo_octave_confidence", estimate.octave_confidence)
    set_or_clear(item, "tempo_stability", estimate.stability)
    ends = estimate.tempo_range
    set_or_clear(item, "tempo_range", None if ends is None else format_range(ends))
    stated = stated_paces(item)
    if stated is not None:
        # The paces may have been stated in `tempo_paces`, which is overwritten next.
        item.tempo_paces_manual = " ".join(f"{pace:g}" for pace in stated)
    item.tempo_paces = format_paces(estimate.paces)
    set_pace_fields(item)
    return decision


def _keep_tempo(item: Item, estimate: Estimate, sure: bool) -> tuple[Decision, float]:
    """Keep a `bpm` of another origin; the decision, and the tempo [BPM] for `tempo_bpm`.

    Parameters
    ----------
    sure
        Whether the confidence is high enough to contradict the `bpm`.
    """
    said = origin(item)
    item.tempo_source = said
    agreed = agreeing_tempo(bpm_of(item), estimate)
    stated = stated_tempo(item)
    if said == MANUAL and stated is None:
        TEMPO.drop_marker(item)
    if agreed is not None:
        return Decision.KEPT, agreed if stated is None else stated
    return Decision.CONFLICT if sure else Decision.UNSURE, estimate.bpm


def set_further(item: Item, columns: Mapping[str, Any]) -> None:
    """Set the fields of all tasks except `TASKS_WITH_RULES`, as far as they were asked."""
    for name in tasks.TASKS:
        for column in tasks.columns(name) if name not in TASKS_WITH_RULES else ():
            if column.field is not None and column.name in columns:
                value = columns[column.name]
                set_or_clear(item, column.field, None if value is None else column.text(value))


def set_pace_fields(item: Item) -> bool:
    """Set the fields of half, double and triple pace; returns whether one of them changed."""
    before = [own(item, field) for field in PACE_FIELDS]
    tempo = own(item, "tempo_bpm") or bpm_of(item)
    # The paces are read from the stored text, where probabilities are rounded, so that these fields
    # and the `pace:` query agree about a pace that is just probable enough.
    paces = [pace for pace, _ in paces_of(item)]
    for field, ratio in PACE_FIELDS.items():
        fits = (
            any(abs(pace / (tempo * ratio) - 1) <= SAME_PACE for pace in paces) if tempo else False
        )
        set_or_clear(item, field, round(tempo * ratio, 2) if fits else None)
    return before != [own(item, field) for field in PACE_FIELDS]


def agreeing_tempo(bpm: float, estimate: Estimate) -> float | None:
    """The precise tempo [BPM] for a given `bpm`; None if it fits no pace of the estimate.

    A `bpm` within `levels.TOLERANCE` of a pace is taken as that pace with less precision.
    """
    return precise_pace(bpm, estimate.bpm, estimate.paces)


def precise_pace(bpm: float, estimated: float, paces: Sequence[Pace]) -> float | None:
    """The precise tempo [BPM] for a given `bpm`; None if it fits no pace of the estimate.

    Parameters
    ----------
    bpm
        The given tempo [BPM].
    estimated
        The estimated tempo [BPM].
    paces
        The estimated paces.
    """
    simple = [estimated * ratio for ratio in COUNTED_ELSE]
    tempi = [
        estimated,
        *(
            pace.bpm
            for pace in paces
            if pace.probability >= COMPATIBLE
            or any(abs(pace.bpm / tempo - 1) <= SAME_PACE for tempo in simple)
        ),
    ]
    nearest = min(tempi, key=lambda tempo: abs(tempo - bpm))
    if abs(nearest - bpm) > TOLERANCE * bpm:
        return None
    # Paces are rounded to 0.1 BPM; a simple multiple of the estimated tempo is more precise.
    precise = min((estimated * ratio for ratio in RELATIVES), key=lambda t: abs(t - nearest))
    return round(precise if abs(precise - nearest) < 0.01 * nearest else nearest, 2)


def settled(item: Item) -> bool:
    """Set `tempo_source` to the `origin` of an item, and the fields that follow from it.

    A locked item gets its tempo back instead. Does not store the item.

    Returns
    -------
    bool
        Whether the item changed.
    """
    if locked_tempo(item) is not None:
        return hold(item)
    source = own(item, "tempo_source")
    said = origin(item)
    if not source or not said or said == source:
        return False
    item.tempo_source = said
    if said in (MANUAL, TAG) and own(item, "tempo_bpm"):
        judged(item)
    marker = TEMPO.marker_of(item)
    if said.startswith("model:") and marker is not None and marker.is_of(bpm_of(item)):
        # The model's tempo was read back from the file and replaced one that a person had set.
        item.tempo_verdict = Decision.SET.word
        set_tempo(item, marker.value)
        set_pace_fields(item)
    return True


def hold(item: Item) -> bool:
    """Give a locked item its tempo back where something else changed it since.

    `beet update`, `beet modify`, an import and a tagger of beets may change `bpm` and other fields.
    Does not store the item.

    Returns
    -------
    bool
        Whether the item changed.
    """
    tempo = locked_tempo(item)
    if tempo is None:
        return False
    wanted: dict[str, Any] = {
        "bpm": round_half_up(tempo), "tempo_bpm": tempo, "tempo_source": MANUAL,
    }  # fmt: skip
    changed = {field: value for field, value in wanted.items() if item.get(field) != value}
    marker = str(TEMPO.kind(tempo, MANUAL))
    # Somebody else's tempo that was locked as it stood has no marker, or one that says nothing.
    is_marked = bool(TEMPO.said_by_marker(item))
    if changed or (is_marked and own(item, TEMPO.marker) != marker):
        changed[TEMPO.marker] = marker
    with same_file(item):
        item.update(changed)
    return bool(changed)


def judged(item: Item) -> bool:
    """Compare a `bpm` of another origin with the last analysis, and set the fields that follow.

    A locked item stays as it is. Does not store the item.

    Returns
    -------
    bool
        Whether the item changed.
    """
    if locked_tempo(item) is not None:
        return False
    before = own(item, "tempo_verdict"), own(item, "tempo_bpm")
    if not is_tempo(before[1]):  # nothing to compare with
        return False
    agreed = precise_pace(bpm_of(item), before[1], estimated_paces(item))
    item.tempo_verdict = (Decision.KEPT if agreed else Decision.CONFLICT).word
    if agreed:
        set_tempo(item, agreed)
    set_pace_fields(item)
    return before != (own(item, "tempo_verdict"), own(item, "tempo_bpm"))


def estimated_paces(item: Item) -> tuple[Pace, ...]:
    """The estimated paces of an item; empty if there are none."""
    with suppress(ValueError):
        return parse_paces(own(item, "tempo_paces") or "")
    return ()
