"""Work of `beet tempo-mix`: tracks that mix with a track, by tempo and by key."""

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
from .moving import RELATIONS, show, simple_ratio, tempo_of
from .queries import PaceQuery
from .stated import paces_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from beets.library import Library

N_SHOWN = 10  # tracks that are named where several match and one is needed
# Cost of a relation of two keys, in per cent of speed: a clash is as bad as 6 %, and an unknown key
# lies between.
HARMONY_COST = {"same": 0.0, "neighbour": 0.5, "relative": 0.5, "unknown": 2.0, "clash": 6.0}
OTHER_PACE_COST = 1.0  # cost of beats that only meet at half or double time, likewise


@dataclass(frozen=True)
class Mix:
    """A track that mixes with the chosen one, and how.

    `pitch` is the change of its speed in per cent that lets the beats meet, `relation` is `half
    time`, `double time`, … where it has to be counted so, and `harmony` how the keys stand to each
    other.
    """

    item: Item
    pitch: float
    relation: str
    harmony: str

    @property
    def cost(self) -> float:
        """How badly the track mixes, in per cent of speed; 0 is a perfect fit."""
        other = OTHER_PACE_COST if self.relation else 0.0
        return abs(self.pitch) + HARMONY_COST[self.harmony] + other


def list_mix(
    lib: Library, args: list[str], *, pitch: float, most: int, format_: str | None
) -> None:
    """Print the tracks that mix with the one that matches, the best first.

    Of the library nothing changes but the keys that are known from the files.

    Raises
    ------
    UserError
        If not exactly one track matches, if it has no tempo, or if nothing mixes with it.
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
    """Items of which a pace may be within `pitch` per cent of one of the track's.

    They have the fields that mixing goes by and no others: to load whole items takes five times as
    long, and of thousands few are shown.
    """
    share = pitch / 100
    # own/its - 1 is within the limit, `bpm` is rounded.
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
    """The only item.

    Raises
    ------
    UserError
        If there is none, or more than one.
    """
    if not items:
        raise UserError("no track matches; give a query that matches one")
    if len(items) > 1:
        names = "".join(f"\n  {shown(str(item))}" for item in islice(items, N_SHOWN))
        more = "\n  …" if len(items) > N_SHOWN else ""
        raise UserError(f"{len(items)} tracks match, give one of them:{names}{more}")
    return items[0]


def mix_of(track: Item, other: Item, most: float) -> Mix | None:
    """How `other` mixes with `track`; None if it is the same or needs more than `most` per cent.

    The beats meet where a pace of the one is a pace of the other, so that they may be counted alike
    or one at half or double time of the other.
    """
    tempo, its_tempo = tempo_of(track), tempo_of(other)
    if other.id == track.id or not its_tempo:
        return None
    own = {pace / tempo for pace, _ in paces_of(track)}
    its = {pace / its_tempo for pace, _ in paces_of(other)}
    # What the other's tempo is multiplied by to be counted as the track is.
    counted = {simple_ratio(theirs / ours) for ours in own for theirs in its}
    near = [(ratio, 100 * (tempo / (ratio * its_tempo) - 1)) for ratio in counted if ratio]
    near = [(ratio, speed) for ratio, speed in near if abs(speed) <= most]
    if not near:
        return None
    keys = keys_of(track, other)
    mixes = [Mix(other, speed, RELATIONS[ratio], keys) for ratio, speed in near]
    return min(mixes, key=lambda mix: mix.cost)


def keys_of(track: Item, other: Item) -> str:
    """Relation of the keys of two tracks, a key of `HARMONY_COST`."""
    key, its = known_key(track), known_key(other)
    return "unknown" if key is None or its is None else harmony(key, its) or "clash"


def describe(mix: Mix, format_: str | None) -> None:
    """Print a line about a track: BPM, change of speed, key, relation, and the track."""
    key = known_key(mix.item)
    show(
        mix.item,
        format_,
        mix_bpm=f"{tempo_of(mix.item):6.2f}",
        mix_pitch=f"{round(mix.pitch, 1) + 0.0:+5.1f} %",  # never -0.0
        mix_key=f"{key.camelot if key else '-':3} {mix.harmony}",
        mix_relation=mix.relation,
    )
