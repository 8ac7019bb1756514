"""The work of `beet tempo --tap`: the tempo of a track as somebody taps it on the keyboard."""

from __future__ import annotations

import sys
import time
from statistics import median
from typing import TYPE_CHECKING, Any

from beets import ui
from beets.exceptions import UserError

from tempo_core.console import counted, shown
from tempo_core.keyboard import ENTER, keyboard
from tempo_core.tempi import SLOWEST_TEMPO, is_tempo

from .applying import estimated_paces, precise_pace
from .by_hand import ByHandError, require_unlocked
from .choosing import settle
from .fixing import TempoChange, fix_tracks
from .guarding import library_errors
from .items import own
from .mixing import the_one
from .origin import Decision, is_ours
from .progress import name_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from beets.library import Item, Library
    from beets.logging import BeetsLogger

    from tempo_core.keyboard import Keyboard

PAUSE = 60 / SLOWEST_TEMPO  # [s] between two taps, after which counting begins anew
LEAST_TAPS = 3
OUTLIER = 0.25  # relative difference from the median at which the time between two taps is left out


class TapMeter:
    """Tempo of taps on a key.

    Attributes
    ----------
    n_taps
        Number of taps since the last pause.
    """

    def __init__(self) -> None:
        self._times: list[float] = []

    @property
    def n_taps(self) -> int:
        return len(self._times)

    def tap(self, time: float) -> None:
        """Add a tap at a time [s]; one after a pause is the first of new ones."""
        if self._times and time - self._times[-1] > PAUSE:
            self._times.clear()
        self._times.append(time)

    @property
    def bpm(self) -> float | None:
        """Mean tempo [BPM] without missed and double taps; None of less than `LEAST_TAPS`."""
        if self.n_taps < LEAST_TAPS:
            return None
        steps = [later - earlier for earlier, later in zip(self._times, self._times[1:])]  # noqa: B905
        usual = median(steps)
        kept = [step for step in steps if abs(step - usual) <= OUTLIER * usual] or [usual]
        total = sum(kept)
        return 60 * len(kept) / total if total > 0 else None


def tap_track(lib: Library, args: list[str], settings: Any, log: BeetsLogger) -> None:
    """Set the tempo of the one track that a query matches to what somebody taps.

    Raises
    ------
    UserError
        If the query does not match exactly one track, that is locked, nothing was tapped, or it
        cannot be stored.
    """
    with library_errors("nothing was changed"):
        if not settings.pretend:
            settle(lib)
        item = the_one(lib, args)
    try:
        require_unlocked(item)
    except ByHandError as error:
        raise UserError(f"{shown(name_of(item))}: {error}") from error
    with keyboard() as keys:
        ui.print_(f"{shown(name_of(item))}: {_help(keys)}")
        try:
            bpm = tapped(keys, lambda bpm: _precise(item, bpm))
        finally:
            if keys.is_terminal:
                ui.print_()  # the end of the line that was written over and over
    if bpm is None:
        raise UserError("no tempo was tapped; nothing was changed")
    lock = True if settings.lock else None
    fix_tracks(lib, [item.id or 0], TempoChange("set", bpm=bpm, lock=lock), settings, log)


def tapped(keys: Keyboard, precise: Callable[[float], float | None]) -> float | None:
    """The tempo [BPM] that somebody taps; None if they leave without one.

    On a terminal every key is a tap but those in `_help`. Without one every line is, and the end of
    the input accepts.

    Parameters
    ----------
    precise
        A tapped tempo → what the audio says where that is the same one; else None.
    """
    meter, factor = TapMeter(), 1.0
    while True:
        key = keys.read()
        now = time.monotonic()
        known = meter.bpm * factor if meter.bpm else None
        if known is not None:
            known = precise(known) or known
        if key == "q" or (key is None and (keys.is_terminal or known is None)):
            return None
        if key is None or (key == ENTER and keys.is_terminal):
            if known is not None and is_tempo(known):
                return known
            if key is None:
                return None
        elif key in ("h", "d"):
            factor *= 0.5 if key == "h" else 2.0
        else:
            meter.tap(now)
        _tell(keys, meter, factor, precise)


def _tell(
    keys: Keyboard, meter: TapMeter, factor: float, precise: Callable[[float], float | None]
) -> None:
    """Show the tempo so far, on a terminal over the line before."""
    told = counted(meter.n_taps, "tap")
    if meter.bpm is None:
        told = f"{told}, go on"
    else:
        bpm = meter.bpm * factor
        told = f"{bpm:6.1f} BPM  {told}"
        if exact := precise(bpm):
            told += f"  the audio has {exact:.2f} BPM"
        elif not is_tempo(bpm):
            told += "  which is no tempo"
    if keys.is_terminal:
        ui.print_(f"\r\x1b[K{told}", end="")
        sys.stdout.flush()
    else:
        ui.print_(told)


def _precise(item: Item, bpm: float) -> float | None:
    """The tempo [BPM] that the analysis of a track found where somebody taps the same one.

    Taps are right to some per cent, the analysis to 0.1 BPM. None where they differ or nothing was
    analysed.
    """
    estimate = own(item, "tempo_bpm")
    of_audio = is_ours(item) or own(item, "tempo_verdict") == Decision.CONFLICT.word
    if not (of_audio and is_tempo(estimate) and is_tempo(bpm)):
        return None
    return precise_pace(bpm, estimate, estimated_paces(item))


def _help(keys: Keyboard) -> str:
    if keys.is_terminal:
        return "tap any key with the beat; Enter accepts, h halves, d doubles, q leaves"
    return "a line for each beat; the end of the input accepts, h halves, d doubles, q leaves"
