"""A tempo that a person sets: all fields that say something of it change together."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from tempo_core.background import never
from tempo_core.errors import TempoError
from tempo_core.levels import RELATIVES, is_same, level_of
from tempo_core.paces import SAME_PACE, Pace, format_paces
from tempo_core.tasks.tempo.columns import format_range
from tempo_core.tempi import FASTEST_TEMPO, SLOWEST_TEMPO, is_tempo, round_half_up

from .applying import PACE_FIELDS, estimated_paces, set_pace_fields
from .file_keys import remember_key
from .grids import GRID_FIELDS, recount_grid
from .items import LOCKED, bpm_of, locked_tempo, own, set_or_clear
from .keeping import announce_by_hand, finish, store
from .marking import TEMPO
from .moving import tempo_of
from .origin import MANUAL, SAME_TEMPO, TAG, Decision, origin, stated_tempo

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from beets.library import Item

TEMPO_DECIMALS = 3  # of a tempo that is set: half of one with two decimals, and double that again
# All fields that are set by hand, together.
BY_HAND_FIELDS = (
    "bpm", "tempo_bpm", "tempo_source", "tempo_verdict", TEMPO.marker, "tempo_paces",
    *PACE_FIELDS, "tempo_range", *GRID_FIELDS, LOCKED,
)  # fmt: skip


class ByHandError(TempoError):
    """Error of a track whose tempo cannot be set; the message has the reason, not the track."""


def known_tempo(item: Item) -> float:
    """The tempo of a track as people count it, as precise as possible [BPM].

    Raises
    ------
    ByHandError
        If it has none.
    """
    tempo = tempo_of(item) if bpm_of(item) else 0.0
    if not is_tempo(tempo):
        raise ByHandError("it has no tempo yet; --set gives it one, `beet tempo` finds it")
    return tempo


def standing_tempo(item: Item) -> float:
    """The tempo of a track as it stands in `bpm` [BPM], with the decimals that are known of it.

    That is not always `known_tempo`: the analysis may have 126.02 for somebody's 128.

    Raises
    ------
    ByHandError
        If it has none.
    """
    tempo = known_tempo(item)
    return tempo if round_half_up(tempo) == bpm_of(item) else float(bpm_of(item))


def require_unlocked(item: Item) -> None:
    """Check that the tempo of a track is not locked.

    Raises
    ------
    ByHandError
        If it is.
    """
    tempo = locked_tempo(item)
    if tempo is not None:
        raise ByHandError(f"it is locked at {tempo:.2f} BPM; --unlock lets go of it")


def set_by_hand(item: Item, bpm: float, *, as_it_stands: bool = False) -> None:
    """Set the tempo of a track, and everything that is counted in it; does not store the item.

    Paces, range and beat grid stay those of the same music as long as the new tempo is a simple
    multiple of the old one, or the old one made more precise. Otherwise they were of another tempo,
    and are removed.

    Parameters
    ----------
    bpm
        The new tempo [BPM].
    as_it_stands
        It is the one that is there, and just confirmed: if it is somebody else's, their tag stays
        as they wrote it, `127.98` for 128 too.

    Raises
    ------
    ByHandError
        If it is no tempo; the item is then unchanged.
    """
    bpm = round(bpm, TEMPO_DECIMALS)
    if not is_tempo(bpm):
        limits = f"{SLOWEST_TEMPO:g} to {FASTEST_TEMPO:g}"
        raise ByHandError(f"{bpm:.2f} BPM is no tempo; give one from {limits}")
    # As with `beet modify tempo_source=manual`, a confirmed estimate keeps its verdict.
    confirmed = own(item, "tempo_verdict") == Decision.SET.word and bpm == own(item, "tempo_bpm")
    is_theirs = origin(item) in (TAG, MANUAL) and TEMPO.said_by_marker(item) in ("", MANUAL)
    if as_it_stands and is_theirs:
        item.tempo_source = MANUAL
    else:
        TEMPO.set(item, bpm, MANUAL)
    _recount(item, bpm)
    item.tempo_verdict = (Decision.SET if confirmed else Decision.KEPT).word


def restate(item: Item) -> bool:
    """Count a track that was set by hand in the tempo that a person said last.

    They may have changed `bpm` elsewhere since, or set it with the plugin in another library. Does
    not store the item.

    Returns
    -------
    bool
        Whether the item changed.
    """
    stated, precise = stated_tempo(item), own(item, "tempo_bpm")
    is_theirs = own(item, "tempo_verdict") in (Decision.SET.word, Decision.KEPT.word)
    if stated is None or not is_theirs or locked_tempo(item) is not None:
        return False  # of a conflict, `tempo_bpm` is that of the audio
    if is_tempo(precise) and abs(precise - stated) <= SAME_TEMPO:
        return False
    _recount(item, stated)
    return True


def _recount(item: Item, bpm: float) -> None:
    """Set `tempo_bpm` and everything that is counted in it."""
    counted_in = own(item, "tempo_bpm")  # of a conflict, it is that of the audio
    ratio = bpm / counted_in if is_tempo(counted_in) else None
    if ratio is not None:
        recount_grid(item, ratio)
        _recount_range(item, ratio)
    item.tempo_bpm = bpm
    if ratio is not None:
        _recount_paces(item, bpm, ratio)


def lock(item: Item) -> None:
    """Lock the tempo of a track that was set by hand; does not store the item."""
    item[LOCKED] = item.tempo_bpm


def state(item: Item) -> tuple[Any, ...]:
    """Values of the fields that are set by hand."""
    return tuple(item.get(field, with_album=False) for field in BY_HAND_FIELDS)


def keep_by_hand(item: Item, write: bool, stopped: Callable[[], bool] = never) -> Exception | None:
    """Store a track whose tempo was set, and write its tags if `write`; see `keeping.keep`.

    Raises
    ------
    sqlite3.Error
        If the library cannot be written.
    """
    if write:
        announce_by_hand(item)
    store(item, stopped)
    return finish_by_hand(item, stopped) if write else None


def finish_by_hand(item: Item, stopped: Callable[[], bool] = never) -> Exception | None:
    """Write the tags of a stored track whose tempo was set; see `keeping.finish`.

    Raises
    ------
    sqlite3.Error
        If the library cannot be written.
    """
    problem = finish(item, stopped)
    if remember_key(item):  # afterwards, because writing changes the times of the file
        store(item, stopped)
    return problem


def _recount_range(item: Item, ratio: float) -> None:
    ends = None
    if level_of(ratio, RELATIVES) is not None:
        with suppress(ValueError):
            low, high = map(float, str(own(item, "tempo_range") or "").split("-"))
            ends = format_range((low * ratio, high * ratio))
    set_or_clear(item, "tempo_range", ends)


def _recount_paces(item: Item, bpm: float, ratio: float) -> None:
    """Put the tempo first among the paces of the audio, or remove these if they are of another."""
    level = level_of(ratio, RELATIVES)
    paces = estimated_paces(item)
    if paces and level is not None:
        # A tempo made more precise makes the paces more precise as well.
        precise = [Pace(round(pace.bpm * ratio / level, 1), pace.probability) for pace in paces]
        others = [pace for pace in precise if not is_same(pace.bpm, bpm, SAME_PACE)]
        item.tempo_paces = format_paces([Pace(round(bpm, 1), 1.0), *others])
    elif paces:
        set_or_clear(item, "tempo_paces", None)
    set_pace_fields(item)
