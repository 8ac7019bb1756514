"""`beet tempo-mix`: what mixes with a track, by tempo and by key."""

from __future__ import annotations

from dataclasses import dataclass
from heapq import nsmallest
from itertools import islice
from typing import TYPE_CHECKING

from beets.dbcore.query import OrQuery
from beets.exceptions import UserError
from beets.library import Item

from tempo_core.keys import Key, harmony, parse_key

from .moving import RELATIONS, show, simple_ratio, tempo_of
from .queries import PaceQuery
from .stated import FIELDS, known_paces, paces_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from beets.library import Library

SHOWN = 10  # of several tracks that match where one is needed
# What a relation of keys is worth, in per cent of speed: a clash is as bad as six of them, and a
# key that nobody knows lies between.
HARMONY_COST = {"same": 0.0, "neighbour": 0.5, "relative": 0.5, "unknown": 2.0, "clash": 6.0}
OTHER_PACE_COST = 1.0  # the same for beats that only meet at half or double time


@dataclass(frozen=True)
class Track:
    """What mixing goes by: `tempo` as people count it and `paces` [BPM], `initial_key` as it is."""

    id: int
    tempo: float
    paces: tuple[float, ...]
    initial_key: str

    @property
    def key(self) -> Key | None:
        """The key, None if nobody knows."""
        return parse_key(self.initial_key)


@dataclass(frozen=True)
class Mix:
    """How one track goes with another, `track`.

    `pitch` is the change of its speed in per cent that lets the beats meet, `relation` is `half
    time`, `double time`, … where it has to be counted so, and `harmony` how the keys stand to each
    other.
    """

    track: Track
    pitch: float
    relation: str
    harmony: str

    @property
    def cost(self) -> float:
        """The lower the better, in per cent of speed."""
        other = OTHER_PACE_COST if self.relation else 0.0
        return abs(self.pitch) + HARMONY_COST[self.harmony] + other


def list_mix(
    lib: Library, args: list[str], *, pitch: float, most: int, format_: str | None
) -> None:
    """Print what mixes with the track that matches, the best first; the library is only read.

    Raises
    ------
    UserError
        If not exactly one track matches, if it has no tempo, or if nothing mixes with it.
    """
    item = the_one(lib.items(args))
    if not tempo_of(item):
        raise UserError(f"{item} has no tempo; `beet tempo` finds it")
    paces = tuple(pace for pace, _ in paces_of(item))
    track = Track(item.id or 0, tempo_of(item), paces, item.initial_key or "")
    found = [mix for other in near(lib, track, pitch) if (mix := mix_of(track, other, pitch))]
    if not found:
        raise UserError(f"nothing within {pitch:g} % of the paces of {item}")
    for mix in nsmallest(most, found, key=lambda mix: (mix.cost, mix.track.id)):
        if other_item := lib.get_item(mix.track.id):
            describe(mix, other_item, format_)


def near(lib: Library, track: Track, pitch: float) -> Iterator[Track]:
    """Tracks of which a pace may be within `pitch` per cent of one of the track's.

    Read as plain rows: beets needs ten times as long for its items, and of thousands only a few are
    shown.
    """
    share = pitch / 100
    # own/its - 1 is within the limit, `bpm` is rounded.
    where, values = OrQuery(
        [
            PaceQuery("pace", f"{pace / (1 + share) - 1:.2f}..{pace / (1 - share) + 1:.2f}")
            for pace in track.paces
        ]
    ).clause()
    fields = ", ".join(
        f"(SELECT value FROM item_attributes WHERE entity_id = items.id AND key = '{field}')"
        for field in ("tempo_bpm", *FIELDS)
    )
    with lib.transaction() as transaction:
        rows = transaction.query(
            f"SELECT id, bpm, initial_key, {fields} FROM items WHERE {where}", values
        )
    for id_, bpm, key, precise, manual, estimated in rows:
        paces = tuple(pace for pace, _ in known_paces(float(bpm or 0), manual, estimated))
        tempo = float(Item._type("tempo_bpm").from_sql(precise) or bpm or 0)
        if tempo:
            yield Track(id_, tempo, paces, key or "")


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
        names = "".join(f"\n  {item}" for item in islice(items, SHOWN))
        more = "\n  …" if len(items) > SHOWN else ""
        raise UserError(f"{len(items)} tracks match, give one of them:{names}{more}")
    return items[0]


def mix_of(track: Track, other: Track, most: float) -> Mix | None:
    """How `other` goes with `track`; None if by more than `most` per cent, or if it is the same.

    The beats meet where a pace of the one is a pace of the other, so that they may be counted alike
    or one at half or double time of the other.
    """
    if other.id == track.id:
        return None
    tempo, its_tempo = track.tempo, other.tempo
    own = {pace / tempo for pace in track.paces}
    its = {pace / its_tempo for pace in other.paces}
    # What the other's tempo is multiplied by to be counted as the track is.
    counted = {simple_ratio(theirs / ours) for ours in own for theirs in its}
    near = [(ratio, 100 * (tempo / (ratio * its_tempo) - 1)) for ratio in counted if ratio]
    near = [(ratio, speed) for ratio, speed in near if abs(speed) <= most]
    if not near:
        return None
    keys = relation_of(track.key, other.key)
    mixes = [Mix(other, speed, RELATIONS[ratio], keys) for ratio, speed in near]
    return min(mixes, key=lambda mix: mix.cost)


def relation_of(key: Key | None, its: Key | None) -> str:
    """How two keys stand to each other, a word of `HARMONY_COST`."""
    return "unknown" if key is None or its is None else harmony(key, its) or "clash"


def describe(mix: Mix, item: Item, format_: str | None) -> None:
    """Print one line: BPM, change of speed, keys, relation, and the track."""
    key = mix.track.key
    show(
        item,
        format_,
        mix_bpm=f"{mix.track.tempo:6.2f}",
        mix_pitch=f"{mix.pitch:+5.1f} %",
        mix_key=f"{key.camelot if key else '-':3} {mix.harmony}",
        mix_relation=mix.relation,
    )
