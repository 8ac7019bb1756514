"""The list of `beet tempo --cadence 170..180`: tracks that one can run to, and at which pace."""

from __future__ import annotations

from typing import TYPE_CHECKING

from beets import ui
from beets.dbcore.query import InvalidQueryArgumentValueError
from beets.exceptions import UserError

from tempo_core.console import printable
from tempo_core.levels import TOLERANCE
from tempo_core.paces import RATIO_NAMES, simple_ratio

from .items import bpm_of, own
from .light import OF_TEMPO, light_items
from .marking import TEMPO
from .origin import SAME_TEMPO, stated_tempo
from .playlists import write_playlist
from .queries import PaceQuery
from .selecting import Selection, items_of
from .stated import paces_of

if TYPE_CHECKING:
    from beets.library import Item, Library

PACE_ROUNDING = 0.51  # [BPM] by which a pace may differ from its precise value: `bpm` is whole


def relation(pace: float, bpm: float) -> str:
    """Name of the ratio of a pace to a tempo [BPM]; empty if they are equal or it has no name."""
    ratio = simple_ratio(pace / bpm) if bpm else None
    return RATIO_NAMES[ratio] if ratio else ""


def list_cadence(
    lib: Library,
    args: list[str],
    cadence: str,
    format_: str | None = None,
    playlist: str | None = None,
    relative_to: str | None = None,
) -> None:
    """Print the tracks that one can move to at a cadence, the slowest pace first.

    The library is only read.

    Parameters
    ----------
    args
        Query for the tracks.
    cadence
        Range of steps a minute, a pattern of `PaceQuery`.
    format_
        Format of a line; `$pace` is the pace to use and `$relation` its ratio to the tempo, in
        words. None prints both before the format of beets.
    playlist
        File to write the tracks to as well, in this order; None writes none.
    relative_to
        Folder that the paths in it are relative to; None leaves them absolute.

    Raises
    ------
    UserError
        If the cadence is not a range of tempi, no track fits, or the playlist cannot be written.
    """
    try:
        wanted = PaceQuery("pace", cadence)
    except InvalidQueryArgumentValueError as error:
        raise UserError(f"--cadence {error}; give steps a minute, such as 170..180") from None
    if not wanted.limits:
        raise UserError("--cadence needs steps a minute, such as 170..180")
    if wanted.rangemin and wanted.rangemax and wanted.rangemin > wanted.rangemax:
        raise UserError(f"--cadence {cadence}: the lower number comes first")
    found = _paces(lib, args, wanted)
    if not found:
        raise UserError(f"nothing to move to at {cadence}; `beet tempo` analyses what is missing")
    for item in items_of(lib, found):
        pace = found[item.id or 0]
        show(item, format_, pace=f"{pace:.1f}", relation=relation(pace, tempo_of(item)))
    if playlist is not None:
        write_playlist(playlist, items_of(lib, found), relative_to)


def _paces(lib: Library, args: list[str], wanted: PaceQuery) -> dict[int, float]:
    """The pace [BPM] to use for each track that fits, by its id, the slowest first."""
    condition, values = wanted.clause()
    ids = Selection(lib, args).ids(condition or "0", values)
    found = []
    for item in light_items(lib, ids, OF_TEMPO):
        if fitting := wanted.within(paces_of(item, wanted.least)):
            pace = precisely(tempo_of(item), max(fitting, key=lambda known: known[1])[0])
            found.append((pace, item.id or 0))
    found.sort(key=lambda known: (round(known[0], 1), known[1]))
    return {id_: pace for pace, id_ in found}


def tempo_of(item: Item) -> float:
    """The tempo of a track that people count [BPM], as precise as possible; 0 if it is unknown.

    It is `tempo_bpm`, unless the analysis contradicts a `bpm` that somebody set, or a person set
    another one since they set `tempo_bpm` by hand.
    """
    bpm, precise = bpm_of(item), float(own(item, "tempo_bpm") or 0)
    stated = stated_tempo(item)
    if stated is not None and abs(precise - stated) > SAME_TEMPO:
        return stated
    marker = None if precise else TEMPO.marker_of(item)
    if marker is not None and marker.is_of(bpm):
        return float(marker.value)  # analysed in another library
    if bpm and abs(precise - bpm) > TOLERANCE * bpm:
        return float(bpm)
    return precise


def precisely(tempo: float, pace: float) -> float:
    """A pace [BPM], replaced by a simple multiple of the precise tempo if one is close to it."""
    exact = [ratio * tempo for ratio in RATIO_NAMES]
    return min(
        (bpm for bpm in exact if abs(bpm - pace) <= PACE_ROUNDING),
        key=lambda bpm: abs(bpm - pace),
        default=pace,
    )


def show(item: Item, format_: str | None, **columns: str) -> None:
    """Print a line about a track: the columns, then the track as beets formats it.

    With a format, only that is printed; the columns are fields that it may contain.
    """
    if format_ is None:
        cells = "  ".join(column for column in columns.values() if column)
        ui.print_(f"{cells}  {printable(format(item))}")
        return
    for name, column in columns.items():
        item[name] = column
    ui.print_(printable(format(item, format_)))
