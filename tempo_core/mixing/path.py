"""A whole set: tracks in an order in which each mixes with the one before it.

Every track is a node, and a directed edge leads to each that can follow it (`transitions.py`). A
beam search walks along the edges: of all beginnings of a set with k tracks it keeps the best, and
adds one track to each in every way. What it finds is good, not proven to be the best, and the time
is bounded also for tens of thousands of tracks. The same tracks always give the same set.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from ..keys import Key
from ..paces import RATIO_NAMES, SAME_PACE
from .energy import course
from .transitions import HARMONY_COST, OTHER_PACE_COST, Counted, relation_of, sound_cost

Array = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]
Beginning = tuple[float, tuple[int, ...]]  # its cost, and its tracks by index

# Cost [% of speed] of each unit by which energy is off the curve, or leaps by more than a step.
ENERGY_COST, STEP = 2.5, 2.0
SAME_ARTIST_COST = 100.0  # [% of speed] only where every other way is closed
WIDTHS = (8, 64)  # least and most beginnings that are kept
BEGINNINGS = 4000  # beginnings that are continued in one search, as far as `WIDTHS` allow
BRANCHES = 16  # ways in which each is continued
SAME_END = 0.1  # share of the beginnings that are kept that may end with the same track
# Without a first track so many groups of first tracks, from those that are closest to the curve to
# the farthest, are each continued for itself: the closest may stand apart from all others.
GROUPS, STARTS = 6, 32  # and the most tracks of each
# In the search for a longer set: how much wider it is at most, and the cost of each doubling of the
# number of ways that lead on from a track. Tracks with few ways on come first while they can.
WIDER, CROSSROADS_COST = 6, 3.0
MISSING = 1e6  # cost of each track that a set lacks
N_KEYS = 24


@dataclass(frozen=True)
class SetTrack:
    """A track that may be in the set.

    Attributes
    ----------
    counted
        Tempo, paces and key.
    recording
        Number of the recording, at most one track of which is in the set.
    artist
        Name by which artists are told apart; empty if unknown.
    energy
        From 0 to 10.
    sound
        Direction of what it sounds like, see `similarity.directions`; None if that does not count.
        Nothing but zeros is an unknown one.
    """

    counted: Counted
    recording: int
    artist: str = ""
    energy: float = 5.0
    sound: npt.NDArray[np.float32] | None = None


def best_path(
    tracks: Sequence[SetTrack],
    n: int,
    *,
    pitch: float,
    curve: str = "flat",
    start: int | None = None,
) -> list[int]:
    """Indices of up to `n` tracks in the order of a set.

    Each mixes with the one before it: their beats meet within `pitch`, and their keys, if both are
    known, are on one place or neighbours of the Camelot wheel. No recording occurs twice, and one
    artist follows itself only where there is no other way. Among such sets it is one in which speed
    changes little, keys fit well, energy follows the curve and, if all tracks have a `sound`, each
    sounds like the one before it.

    Parameters
    ----------
    n
        Number of tracks, from 1.
    pitch
        Largest change of speed [%] to accept.
    curve
        One of `CURVES`, see `energy.course`.
    start
        Index of the first track; None chooses one.

    Returns
    -------
    list of int
        As long a set as was found if `n` tracks cannot be joined; empty without tracks.
    """
    if not tracks:
        return []
    search = _Search(tracks, pitch)
    first = None if start is None else tracks[start].energy
    wanted = course(curve, n, first)
    most = min(n, search.n_recordings)
    width = int(np.clip(BEGINNINGS // most, *WIDTHS))
    starts = search.starts(float(wanted[0])) if start is None else [[start]]
    width = max(WIDTHS[0], 2 * width // (1 + len(starts)))
    _, found = min(search.walk(group, wanted, width, 0.0) for group in starts)
    if len(found) == most:
        return list(found)
    width = max(2, min(WIDER * width, WIDER * BEGINNINGS // (most * len(starts))))
    longer = [search.walk(group, wanted, width, CROSSROADS_COST) for group in starts]
    return max(
        (
            search.lengthened(path, n, keep_first=start is not None)
            for path in (found, *(path for _, path in longer))
        ),
        key=len,
    )


class _Search:
    """The tracks as arrays, and the edges between them."""

    def __init__(self, tracks: Sequence[SetTrack], pitch: float) -> None:
        self._pitch = pitch
        self._tempi = np.array([track.counted.tempo for track in tracks])
        self._by_tempo = np.argsort(self._tempi, kind="stable")
        self._sorted = self._tempi[self._by_tempo]
        self._levels = _levels([track.counted for track in tracks])
        self._keys = np.array([_key_number(track.counted.key) for track in tracks])
        self._recordings = np.unique([t.recording for t in tracks], return_inverse=True)[1]
        self.n_recordings = int(self._recordings.max()) + 1
        names = {name: k for k, name in enumerate(sorted({track.artist for track in tracks}))}
        # Nobody knows whether unknown artists are the same.
        self._artists = np.array([names[t.artist] if t.artist else -1 for t in tracks])
        self._energies = np.array([track.energy for track in tracks])
        sounds = [track.sound for track in tracks if track.sound is not None]
        self._sounds = np.stack(sounds) if len(sounds) == len(tracks) else None
        self.following = lru_cache(maxsize=1024)(self._following)
        self.ways = lru_cache(maxsize=None)(lambda track: len(self.following(track)[0]))

    def starts(self, energy: float) -> list[list[int]]:
        """Groups of tracks to begin with, those whose energy is closest first."""
        order = np.argsort(np.abs(self._energies - energy), kind="stable")
        groups = np.array_split(order, min(GROUPS, len(order)))
        return [group[:: -(-len(group) // STARTS)].tolist() for group in groups]

    def _following(self, track: int) -> tuple[Indices, Array]:
        """The tracks that can follow a track, by index, and the cost of each transition [%]."""
        tempo, share = self._tempi[track], self._pitch / 100
        own = self._levels[track]
        own = own[~np.isnan(own)]
        places, costs = [], []
        for ratio, name in RATIO_NAMES.items():
            # The bounds are a little wide; the exact condition follows.
            low, high = tempo / ratio / (1 + share) * (1 - 1e-9), tempo / ratio / (1 - share)
            begin, end = np.searchsorted(self._sorted, [low, high * (1 + 1e-9)])
            near = self._by_tempo[begin:end]
            # Most of them clash, and how they are counted takes the most time.
            near = near[_HARMONIES[self._keys[track], self._keys[near]] < HARMONY_COST["clash"]]
            near = near[self._recordings[near] != self._recordings[track]]
            keys = _HARMONIES[self._keys[track], self._keys[near]]
            speed = 100 * (tempo / (ratio * self._tempi[near]) - 1)
            alike = self._levels[near][:, :, None] / own / ratio
            fits = (np.abs(alike - 1) <= SAME_PACE).any(axis=(1, 2)) & (abs(speed) <= self._pitch)
            places.append(near[fits])
            costs.append((abs(speed) + keys + (OTHER_PACE_COST if name else 0.0))[fits])
        found, cost = np.concatenate(places), np.concatenate(costs)
        order = np.lexsort((cost, found))  # a track that follows in two ways takes the better one
        found, cost = found[order], cost[order]
        is_first = np.concatenate([[True], found[1:] != found[:-1]]) if found.size else found > 0
        found, cost = found[is_first], cost[is_first]
        if self._sounds is not None:
            cost = cost + sound_cost(self._sounds[found] @ self._sounds[track])
        return found, cost

    def walk(
        self, starts: Iterable[int], wanted: Array, width: int, crossroads: float
    ) -> Beginning:
        """The best set of as many tracks as `wanted` has energies; the longest if it ends before.

        Its cost has `MISSING` for each track that it lacks.

        Parameters
        ----------
        width
            Number of beginnings that are kept at each step.
        crossroads
            Cost of each doubling of the ways that lead on from a track.
        """
        beam: list[Beginning] = sorted(
            (ENERGY_COST * abs(float(self._energies[k]) - float(wanted[0])), (k,)) for k in starts
        )
        taken = np.zeros(self.n_recordings, bool)
        for energy in wanted[1:]:
            grown = []
            for cost, path in beam:
                places, costs = self.following(path[-1])
                taken[self._recordings[list(path)]] = True
                free = ~taken[self._recordings[places]]
                taken[:] = False
                places, costs = places[free], costs[free]
                energies = self._energies[places]
                leap = np.abs(energies - self._energies[path[-1]]) - STEP
                off = np.abs(energies - energy) + np.maximum(leap, 0)
                costs = costs + ENERGY_COST * off
                costs += SAME_ARTIST_COST * self._is_artist(path[-1], places)
                if crossroads:
                    costs += crossroads * np.log2(1 + np.array([self.ways(int(k)) for k in places]))
                # Equal costs would be in any order.
                costs += 1e-9 * places
                best = np.argpartition(costs, BRANCHES)[:BRANCHES] if len(costs) > BRANCHES else (
                    range(len(costs))
                )  # fmt: skip
                grown += [(cost + float(costs[k]), (*path, int(places[k]))) for k in best]
            if not grown:
                break
            beam = _thinned(sorted(grown), width)
        cost, path = beam[0]
        return cost + MISSING * (len(wanted) - len(path)), path

    def lengthened(self, path: Sequence[int], n: int, *, keep_first: bool) -> list[int]:
        """A set with further tracks between its tracks and at its ends, where they fit."""
        path = list(path)
        taken = set(self._recordings[path].tolist())
        fitting = lru_cache(maxsize=None)(self._fitting)
        while len(path) < n:
            ways = []
            for place in range(1 if keep_first else 0, len(path) + 1):
                before = path[place - 1] if place else None
                after = path[place] if place < len(path) else None
                for cost, k in fitting(before, after):
                    if self._recordings[k] not in taken:
                        ways.append((cost, k, place))
                        break
            if not ways:
                break
            _, k, place = min(ways)
            path.insert(place, k)
            taken.add(int(self._recordings[k]))
        return path

    def _fitting(self, before: int | None, after: int | None) -> list[tuple[float, int]]:
        """The tracks that fit between two tracks, or at an end (None), by cost [%] and index."""
        if before is not None:
            found, costs = self.following(before)
        else:
            assert after is not None
            found, costs = self._leading(after)
        costs = costs.copy()
        for other in (before, after):
            if other is not None:
                costs += SAME_ARTIST_COST * self._is_artist(other, found)
        ways = zip(costs.tolist(), found.tolist(), strict=True)
        if before is None or after is None:
            return sorted(ways)
        joined = ((cost, self._cost(k, after), k) for cost, k in ways)
        return sorted((cost + further, k) for cost, further, k in joined if further is not None)

    def _cost(self, track: int, other: int) -> float | None:
        """Cost [%] of the transition from a track to another; None if there is none."""
        found, costs = self.following(track)
        where = int(np.searchsorted(found, other))
        return float(costs[where]) if where < len(found) and found[where] == other else None

    def _leading(self, track: int) -> tuple[Indices, Array]:
        """The tracks that a track can follow, by index, and the cost of each transition [%]."""
        tempo, share = self._tempi[track], self._pitch / 100
        near: set[int] = set()
        for ratio in RATIO_NAMES:
            ends = ratio * tempo * np.array([1 - share - 1e-9, 1 + share + 1e-9])
            begin, end = np.searchsorted(self._sorted, ends)
            near.update(self._by_tempo[begin:end].tolist())
        costs = {k: cost for k in sorted(near) if (cost := self._cost(k, track)) is not None}
        return np.array(list(costs), np.int64), np.array(list(costs.values()))

    def _is_artist(self, track: int, others: Indices) -> npt.NDArray[np.bool_]:
        """Which of other tracks have the artist of a track."""
        artist = self._artists[track]
        return np.asarray((artist >= 0) & (self._artists[others] == artist))


def _thinned(beginnings: Iterable[Beginning], width: int) -> list[Beginning]:
    """The first of some sorted beginnings that are different enough.

    Of those with the same tracks and the same last one only the first is worth continuing.
    """
    kept: list[Beginning] = []
    seen: set[tuple[int, frozenset[int]]] = set()
    ends: dict[int, int] = {}
    for cost, path in beginnings:
        same = (path[-1], frozenset(path))
        if same in seen or ends.get(path[-1], 0) >= max(2, SAME_END * width):
            continue
        seen.add(same)
        ends[path[-1]] = ends.get(path[-1], 0) + 1
        kept.append((cost, path))
        if len(kept) == width:
            break
    return kept


def _levels(tracks: Sequence[Counted]) -> Array:
    """Paces of each track relative to its tempo, (n tracks, most paces), filled with NaN."""
    most = max(len(track.paces) for track in tracks)
    levels = np.full((len(tracks), max(most, 1)), np.nan)
    for row, track in zip(levels, tracks, strict=True):
        row[: len(track.paces)] = np.array(track.paces) / track.tempo
    return levels


def _key_number(key: Key | None) -> int:
    """Number of a key, from 0; `N_KEYS` if it is unknown."""
    return N_KEYS if key is None else key.pitch_class + 12 * key.minor


_KEYS = [*(Key(k % 12, k >= 12) for k in range(N_KEYS)), None]
# Cost of the relation of two keys by their numbers.
_HARMONIES = np.array([[HARMONY_COST[relation_of(a, b)] for b in _KEYS] for a in _KEYS])
