"""Which tracks need an analysis, the threads that do it, and what a result does to an item."""

from __future__ import annotations

import enum
import math
from typing import TYPE_CHECKING, Any

import tempo_core
from tempo_core.background import TIME_LIMIT, call, parallel
from tempo_core.paces import COMPATIBLE, RATIOS, SAME, format_paces

from .stated import paces_of, stated_paces

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from beets.library import Item

    from tempo_core import Estimate, Estimator

# A tag within 4 % of a pace is that pace, said with less precision or at another octave: the
# tolerance of "Accuracy 1" in tempo evaluation (Gouyon et al. 2006, doi:10.1109/TSA.2005.858509).
TOLERANCE = 0.04
# Somebody's BPM at one of these ratios counts the same pulse in another way.
SIMPLE = (1 / 3, 1 / 2, 2 / 3, 3 / 2, 2.0, 3.0)
PACE_FIELDS = {"tempo_half": 0.5, "tempo_double": 2, "tempo_triple": 3}


class Verdict(enum.Enum):
    """What an analysis meant for an item."""

    SET = "the tempo is the analysis's"
    KEPT = "somebody's tempo was kept; the analysis agrees with it"
    CONFLICT = "somebody's tempo was kept; the analysis disagrees with it"


def round_half_up(tempo: float) -> int:
    """The whole number for the `bpm` field: 127.5 is 128 and 128.5 is 129.

    beets' own conversion rounds halves to even, mediafile's cuts them off.
    """
    return math.floor(tempo + 0.5)


def is_done(item: Item) -> bool:
    """Whether an item carries both a tempo and the record of where it is from.

    The record alone does not count: importing a track again keeps flexible fields and loses `bpm`.
    """
    return bool(item.bpm and _own(item, "tempo_bpm") and _own(item, "tempo_source"))


def is_ours(item: Item) -> bool:
    """Whether the item's `bpm` was put there by an analysis, not by a person or another program."""
    return (
        is_done(item)
        and _own(item, "tempo_source").startswith("model:")
        and item.bpm == round_half_up(_own(item, "tempo_bpm"))
    )


def is_from_label(item: Item) -> bool:
    """Whether the item's `bpm` is a published label that was applied."""
    label = _own(item, "tempo_label_bpm")
    source = _own(item, "tempo_source") or ""
    return bool(source.startswith("label:") and label and item.bpm == round_half_up(label))


def _own(item: Item, field: str) -> Any:
    """A flexible field of the item itself: without this, the album's would shine through."""
    return item.get(field, with_album=False)


def _set_or_clear(item: Item, field: str, value: float | None) -> None:
    """Set a flexible field, or take it away where there is nothing to say."""
    if value is not None:
        item[field] = value
    elif _own(item, field) is not None:
        del item[field]


def apply_estimate(item: Item, estimate: Estimate, source: str, *, force: bool = False) -> Verdict:
    """Set the fields that follow from an estimate; neither stores the item nor writes its tags.

    Parameters
    ----------
    item
        Changed in place. A `bpm` other than 0 stays, unless `force`.
    estimate
        What the engine found.
    source
        Who found it, `model:<name>@<hash>`.
    force
        Overwrite `bpm` whoever set it.
    """
    tempo, verdict = estimate.bpm, Verdict.SET
    if item.bpm and not force:
        # Of `bpm`, whatever the analysis says.
        known = _own(item, "tempo_source") or ""
        source = known if known == "manual" or is_from_label(item) else "tag"
        agreed = agreeing_tempo(item.bpm, estimate)
        if agreed is None:
            verdict = Verdict.CONFLICT
        else:
            tempo, verdict = agreed, Verdict.KEPT
    else:
        # Setting `bpm` resets the time of the last look at the file, and `beet update` would then
        # take the old value from there. The file has not changed, so that time still holds.
        mtime = item.mtime
        item.bpm = round_half_up(tempo)
        item.mtime = mtime
    item.tempo_bpm = tempo
    item.tempo_confidence = estimate.confidence
    _set_or_clear(item, "tempo_stability", estimate.stability)
    stated = stated_paces(item)
    if stated is not None:
        # What somebody wrote over the estimate would be lost otherwise.
        item.tempo_paces_manual = " ".join(f"{pace:g}" for pace in stated)
    item.tempo_paces = format_paces(estimate.paces)
    item.tempo_source = source
    set_pace_fields(item)
    return verdict


def set_pace_fields(item: Item) -> bool:
    """Set half, double and triple pace from what is known of an item; whether that changed any."""
    before = [_own(item, field) for field in PACE_FIELDS]
    tempo = _own(item, "tempo_bpm") or item.bpm
    # From the text, so that a probability that is rounded there decides the same here.
    paces = [pace for pace, _ in paces_of(item)]
    for field, ratio in PACE_FIELDS.items():
        fits = any(abs(pace / (tempo * ratio) - 1) <= SAME for pace in paces) if tempo else False
        _set_or_clear(item, field, round(tempo * ratio, 2) if fits else None)
    return before != [_own(item, field) for field in PACE_FIELDS]


def agreeing_tempo(bpm: float, estimate: Estimate) -> float | None:
    """The precise tempo behind somebody's BPM, None if it fits no pace of the estimate."""
    simple = [estimate.bpm * ratio for ratio in SIMPLE]
    tempi = [
        estimate.bpm,
        *(
            pace.bpm
            for pace in estimate.paces
            if pace.probability >= COMPATIBLE
            or any(abs(pace.bpm / tempo - 1) <= SAME for tempo in simple)
        ),
    ]
    nearest = min(tempi, key=lambda tempo: abs(tempo - bpm))
    if abs(nearest - bpm) > TOLERANCE * bpm:
        return None
    # Paces are rounded to 0.1; a simple multiple of the headline is as precise as that is.
    precise = min((estimate.bpm * ratio for ratio in RATIOS), key=lambda t: abs(t - nearest))
    return round(precise if abs(precise - nearest) < 0.01 * nearest else nearest, 2)


def load_estimator(settings: Any, stopped: Callable[[], bool]) -> Estimator:
    """The engine as configured; takes some seconds, if it is not to stop before.

    Raises
    ------
    Stopped
        If it was.
    CheckpointError, ConfigError
        See `tempo_core.Estimator`.
    """
    return call(
        lambda: tempo_core.Estimator(
            model=settings.model, windows=settings.windows, bpm_range=settings.range
        ),
        stopped,
    )


def estimate_all(
    estimate: Callable[[bytes], Estimate],
    items: Iterable[Item],
    threads: int,
    stopped: Callable[[], bool],
    time_limit: float = TIME_LIMIT,
) -> Iterator[tuple[Item, Estimate | Exception]]:
    """Analyse items in parallel and yield each with its result, in the order they get ready.

    Parameters
    ----------
    estimate
        From an absolute path to a result, thread-safe. What it raises is yielded as the result.
    items
        Consumed as needed, so that neither items nor results pile up.
    threads
        Number of tracks analysed at a time.
    stopped
        Asked ten times a second; once it says True, running analyses are abandoned.
    time_limit
        For each track [s].
    """
    # beets stores paths relative to the library, and only the calling thread knows which library:
    # the workers get the absolute path.
    tasks = ((item, item.path) for item in items)
    found = parallel(lambda task: estimate(task[1]), tasks, threads, stopped, time_limit)
    for (item, _), result in found:
        yield item, result
