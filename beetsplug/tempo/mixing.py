"""The list of `beet tempo-mix`: tracks that mix with a track, by tempo and by key."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass, replace
from heapq import nsmallest
from itertools import islice
from typing import TYPE_CHECKING

from beets.dbcore.query import OrQuery
from beets.exceptions import UserError
from beets.library import Item

from tempo_core.console import shown
from tempo_core.keys import harmony

from .file_keys import known_key
from .moving import RATIO_NAMES, show, simple_ratio, tempo_of
from .queries import PaceQuery
from .stated import paces_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from beets.library import Library

N_NAMED = 10  # tracks named in the error if a query matches several tracks instead of one
# Cost of each relation of two keys, as an equivalent change of speed [%]: a clash is as bad as a
# change by 6 %, and an unknown key is between the others.
HARMONY_COST = {"same": 0.0, "neighbour": 0.5, "relative": 0.5, "unknown": 2.0, "clash": 6.0}
OTHER_PACE_COST = 1.0  # [%] likewise, of beats that only meet at half or double time


@dataclass(frozen=True)
class Mix:
    """A track that mixes with the chosen track.

    Attributes
    ----------
    item
        The track.
    pitch
        Change of its speed [%] at which its beats meet those of the chosen track.
    relation
        How it has to be counted, such as `half time`; empty if as it is (see `moving.RATIO_NAMES`).
    harmony
        Relation of the two keys, a key of `HARMONY_COST`.
    """

    item: Item
    pitch: float
    relation: str
    harmony: str

    @property
    def cost(self) -> float:
        """How badly the track mixes, as an equivalent change of speed [%]; 0 is a perfect fit."""
        other = OTHER_PACE_COST if self.relation else 0.0
        return abs(self.pitch) + HARMONY_COST[self.harmony] + other


def list_mix(
    lib: Library, args: list[str], *, pitch: float, most: int, format_: str | None
) -> None:
    """Print the tracks that mix with the one track that a query matches, the best first.

    Nothing in the library changes, except that keys read from files are stored.

    Parameters
    ----------
    pitch
        Largest change of speed [%] to accept.
    most
        Number of tracks to print at most.
    format_
        Format of a line, see `describe`; None prints the columns and the format of beets.

    Raises
    ------
    UserError
        If the query does not match exactly one track, if that has no tempo, or if nothing mixes
        with it.
    """
    track = the_one(lib.items(args))
    if not tempo_of(track):
        raise UserError(f"{shown(str(track))} has no tempo; `beet tempo` finds it")
    found = [mix for item in near(lib, track, pitch) if (mix := mix_of(track, item, pitch))]
    if not found:
        raise UserError(f"nothing within {pitch:g} % of the paces of {shown(str(track))}")
    for mix in nsmallest(most, found, key=lambda mix: (mix.cost, mix.item.id)):
        if item := lib.get_item(mix.item.id or 0):
            describe(replace(mix, item=item), format_)


def near(lib: Library, track: Item, pitch: float) -> Iterator[Item]:
    """Items that may have a pace within `pitch` [%] of a pace of the track.

    They only have the fields that mixing needs. Loading whole items takes five times as long, and
    of thousands only few are shown.
    """
    share = pitch / 100
    # The range is wider by 1 BPM on both sides because `bpm` is rounded.
    where, values = OrQuery(
        [
            PaceQuery("pace", f"{pace / (1 + share) - 1:.2f}..{pace / (1 - share) + 1:.2f}")
            for pace, _ in paces_of(track)
        ]
    ).clause()
    with lib.transaction() as transaction:
        rows = transaction.query(
            f"SELECT id, path, bpm, initial_key FROM items WHERE {where}", values
        )
        own = transaction.query(
            "SELECT entity_id, key, value FROM item_attributes WHERE key GLOB 'tempo_*' "
            "AND entity_id IN (SELECT value FROM json_each(?))",
            (json.dumps([row["id"] for row in rows]),),
        )
    fields: defaultdict[int, dict[str, str]] = defaultdict(dict)
    for id_, field, value in own:
        fields[id_][field] = value
    for row in rows:
        yield Item(lib, fixed_values=dict(row), flex_values=fields[row["id"]])


def the_one(items: Sequence[Item]) -> Item:
    """The only item of a sequence.

    Raises
    ------
    UserError
        If there is none, or more than one.
    """
    if not items:
        raise UserError("no track matches; give a query that matches one")
    if len(items) > 1:
        names = "".join(f"\n  {shown(str(item))}" for item in islice(items, N_NAMED))
        more = "\n  …" if len(items) > N_NAMED else ""
        raise UserError(f"{len(items)} tracks match, give one of them:{names}{more}")
    return items[0]


def mix_of(track: Item, other: Item, most: float) -> Mix | None:
    """The best way in which `other` mixes with `track`.

    The beats of two tracks meet where a pace of one is a pace of the other. So both may be counted
    alike, or one at half or double time of the other.

    Parameters
    ----------
    most
        Largest change of speed [%] to accept.

    Returns
    -------
    Mix or None
        None if `other` is `track` itself, has no tempo, or needs a larger change.
    """
    tempo, its_tempo = tempo_of(track), tempo_of(other)
    if other.id == track.id or not its_tempo:
        return None
    own = {pace / tempo for pace, _ in paces_of(track)}
    its = {pace / its_tempo for pace, _ in paces_of(other)}
    # Factors by which the other's tempo is multiplied so that both are counted alike.
    counted = {simple_ratio(theirs / ours) for ours in own for theirs in its}
    near = [(ratio, 100 * (tempo / (ratio * its_tempo) - 1)) for ratio in counted if ratio]
    near = [(ratio, speed) for ratio, speed in near if abs(speed) <= most]
    if not near:
        return None
    keys = keys_of(track, other)
    mixes = [Mix(other, speed, RATIO_NAMES[ratio], keys) for ratio, speed in near]
    return min(mixes, key=lambda mix: mix.cost)


def keys_of(track: Item, other: Item) -> str:
    """Relation of the keys of two tracks, a key of `HARMONY_COST`."""
    key, its = known_key(track), known_key(other)
    return "unknown" if key is None or its is None else harmony(key, its) or "clash"


def describe(mix: Mix, format_: str | None) -> None:
    """Print a line about a track that mixes.

    Its columns, which `format_` may contain, are `mix_bpm`, `mix_pitch`, `mix_key` and
    `mix_relation`.
    """
    key = known_key(mix.item)
    show(
        mix.item,
        format_,
        mix_bpm=f"{tempo_of(mix.item):6.2f}",
        mix_pitch=f"{round(mix.pitch, 1) + 0.0:+5.1f} %",  # adding 0.0 turns -0.0 into 0.0
        mix_key=f"{key.camelot if key else '-':3} {mix.harmony}",
        mix_relation=mix.relation,
    )
