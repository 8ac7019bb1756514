"""Which tracks need an analysis, the threads that do it, and what a result does to an item."""

from __future__ import annotations

import enum
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from beets.util import syspath

import tempo_core
from tempo_core import tasks
from tempo_core.background import TIME_LIMIT, call, parallel
from tempo_core.levels import COUNTED_ELSE, RELATIVES, TOLERANCE
from tempo_core.paces import COMPATIBLE, SAME, format_paces, parse_paces
from tempo_core.tempi import Marker, is_tempo, parse_marker, round_half_up

from .marking import FIELD as MARKER
from .stated import paces_of, stated_paces

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from beets.library import Item

    from tempo_core import Estimate, Estimator
    from tempo_core.paces import Pace

# Of `tempo_source`: a person's word, and a value that was there before.
MANUAL, TAG = "manual", "tag"
UNKNOWN_MODEL = "model:unknown"  # whose name was removed
OWN_RULES = ("tempo", "pace")  # tasks: what becomes of them depends on what somebody said before
PACE_FIELDS = {"tempo_half": 0.5, "tempo_double": 2, "tempo_triple": 3}


class Verdict(enum.Enum):
    """What an analysis meant for an item; the lower-case name is `tempo_verdict`."""

    SET = "the tempo is the analysis's"
    KEPT = "somebody's tempo was kept; the analysis agrees with it"
    CONFLICT = "somebody's tempo was kept; the analysis disagrees with it"
    UNSURE = "the analysis is less sure than was asked for, and has left the tempo alone"

    @property
    def word(self) -> str:
        """As it stands in `tempo_verdict`."""
        return self.name.lower()


def bpm_of(item: Item) -> int:
    """The item's `bpm`, 0 where there is none: a number that can be no tempo is none."""
    return int(item.bpm) if is_tempo(item.bpm) else 0


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
    stands_by = source == MANUAL and verdict not in (Verdict.KEPT.word, Verdict.CONFLICT.word)
    if marker is not None and marker.is_of(bpm) and not stands_by:
        return marker.source
    if source == MANUAL:
        return source
    estimated = _rounds_to(own(item, "tempo_bpm"), bpm) and verdict in (None, Verdict.SET.word)
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
    unsure = own(item, "tempo_verdict") == Verdict.UNSURE.word
    return bool(recorded and (bpm_of(item) or unsure))


def is_ours(item: Item) -> bool:
    """Whether the item's `bpm` was put there by an analysis, not by a person or another program."""
    return origin(item).startswith("model:")


def is_from_label(item: Item) -> bool:
    """Whether the item's `bpm` is a published label that was applied."""
    return origin(item).startswith("label:")


def own(item: Item, field: str) -> Any:
    """A flexible field of the item itself: without this, the album's would shine through."""
    return item.get(field, with_album=False)


def set_or_clear(item: Item, field: str, value: Any) -> None:
    """Set a flexible field, or take it away where there is nothing to say."""
    if value is not None:
        item[field] = value
    elif field in item.keys(with_album=False):
        del item[field]


@contextmanager
def same_file(item: Item) -> Iterator[None]:
    """Set fields that files have as well, while the file stays as it is.

    Setting them resets the time of the last look at the file, and `beet update` would then take
    the old values from there. The file has not changed, so that time still holds.
    """
    mtime = item.mtime
    try:
        yield
    finally:
        item.mtime = mtime


def file_status(item: Item) -> os.stat_result | None:
    """Size and times of the item's file; None if it cannot be looked at."""
    try:
        return os.stat(syspath(item.path))  # noqa: PTH116
    except (OSError, ValueError):
        return None


def set_tempo(item: Item, tempo: float, source: str) -> None:
    """Put a tempo of the plugin's own into `bpm`, with the marker that says so."""
    with same_file(item):
        item.bpm = round_half_up(tempo)
        item[MARKER] = str(Marker(tempo, source))
        item.tempo_source = source


def drop_marker(item: Item) -> None:
    """A person stands by the tempo: it is nobody else's from here on. The file keeps its own."""
    mtime = item.mtime  # as in `set_tempo`
    set_or_clear(item, MARKER, None)
    item.mtime = mtime


def apply_estimate(
    item: Item,
    estimate: Estimate,
    source: str,
    *,
    force: bool = False,
    min_confidence: float = 0.0,
) -> Verdict:
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
            tempo, verdict = agreed, Verdict.KEPT
        else:
            verdict = Verdict.CONFLICT if sure else Verdict.UNSURE
        item.tempo_source = said
        if said == MANUAL:
            drop_marker(item)
    elif not sure:
        verdict = Verdict.UNSURE
        if said.startswith("model:"):
            # Its record is about to go.
            earlier = parse_marker(own(item, MARKER))
            set_tempo(item, earlier.bpm if earlier else own(item, "tempo_bpm"), said)
        item.tempo_source = said or source
    else:
        verdict = Verdict.SET
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
            model=settings.model,
            windows=settings.windows,
            bpm_range=settings.range,
            tasks=settings.tasks,
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
