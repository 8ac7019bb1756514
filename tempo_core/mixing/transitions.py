"""How well one track follows another: the change of its speed, the counting and the two keys."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from ..keys import Key, harmony
from ..paces import RATIO_NAMES, simple_ratio

# Cost of each relation of two keys, as an equivalent change of speed [%]: a clash is as bad as a
# change by 6 %, and an unknown key is between the others.
HARMONY_COST = {"same": 0.0, "neighbour": 0.5, "relative": 0.5, "unknown": 2.0, "clash": 6.0}
# [%] likewise, of a track that sounds like the opposite; one that sounds neither like nor unlike
# costs half as much, and so does one of which it is not known.
SOUND_COST = 10.0
OTHER_PACE_COST = 1.0  # [%] likewise, of beats that only meet at half or double time


@dataclass(frozen=True)
class Counted:
    """What is known of a track for mixing.

    Attributes
    ----------
    tempo
        Tempo that people count [BPM], above 0.
    paces
        All tempi [BPM] at which one can move to it, as a rule `tempo` among them.
    key
        None if it is unknown.
    """

    tempo: float
    paces: tuple[float, ...]
    key: Key | None = None


@dataclass(frozen=True)
class Transition:
    """How a track follows another.

    Attributes
    ----------
    pitch
        Change of its speed [%] at which its beats meet those of the other.
    ratio
        Factor by which its tempo is multiplied so that both are counted alike, a key of
        `RATIO_NAMES`: 2 if it is counted in double time.
    harmony
        Relation of the two keys, a key of `HARMONY_COST`.
    """

    pitch: float
    ratio: float
    harmony: str

    @property
    def relation(self) -> str:
        """How the track has to be counted, such as `half time`; empty if as it is."""
        return RATIO_NAMES[self.ratio]

    @property
    def cost(self) -> float:
        """How badly the tracks mix, as an equivalent change of speed [%]; 0 is a perfect fit."""
        other = OTHER_PACE_COST if self.relation else 0.0
        return abs(self.pitch) + HARMONY_COST[self.harmony] + other


Likeness = TypeVar("Likeness", float, NDArray[np.floating])


def sound_cost(likeness: Likeness) -> Likeness:
    """How badly tracks fit by their sound, as an equivalent change of speed [%].

    Parameters
    ----------
    likeness
        How alike they sound, from -1 to 1; 0 if that is unknown.
    """
    return SOUND_COST * (1 - likeness) / 2


def transition(track: Counted, other: Counted, most: float) -> Transition | None:
    """The best way in which `other` follows `track`; None if there is none.

    The beats of two tracks meet where a pace of one is a pace of the other. So both may be counted
    alike, or one at half or double time of the other.

    Parameters
    ----------
    most
        Largest change of speed [%] to accept.
    """
    own = {pace / track.tempo for pace in track.paces}
    its = {pace / other.tempo for pace in other.paces}
    counted = {simple_ratio(theirs / ours) for ours in own for theirs in its}
    near = [(ratio, 100 * (track.tempo / (ratio * other.tempo) - 1)) for ratio in counted if ratio]
    keys = relation_of(track.key, other.key)
    found = [Transition(speed, ratio, keys) for ratio, speed in near if abs(speed) <= most]
    return min(found, key=lambda way: (way.cost, way.ratio), default=None)


def relation_of(key: Key | None, other: Key | None) -> str:
    """Relation of the keys of two tracks, a key of `HARMONY_COST`; None is an unknown key."""
    return "unknown" if key is None or other is None else harmony(key, other) or "clash"
