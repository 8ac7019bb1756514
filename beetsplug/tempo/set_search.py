"""The search for the sets of `beet tempo-mix --path N`, see `sets`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np

from tempo_core.mixing.energy import energies
from tempo_core.mixing.path import SetTrack, best_path
from tempo_core.mixing.recordings import Recorded, artist_key, recordings
from tempo_core.mixing.transitions import Counted, Transition, transition
from tempo_core.similarity import directions, mean_of

from .crates import OF_MIXING, as_in_crate, counted, is_steady, loudness_of, recorded
from .file_keys import known_key, stored_key
from .light import light_items
from .moving import tempo_of
from .selecting import items_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from beets.library import Item, Library
    from numpy.typing import NDArray

    from tempo_core.keys import Key

    from .crates import Crate
    from .sounds import LibrarySounds

# A set is sought by the keys in the library, and again if the files of its tracks say otherwise.
# The last time only tracks are taken whose files were looked at.
ROUNDS = 4


@dataclass(frozen=True)
class Wanted:
    """The set that is asked for.

    Attributes
    ----------
    n
        Number of tracks.
    curve
        How energy goes, one of `tempo_core.mixing.CURVES`.
    pitch
        Largest change of speed [%] to accept.
    sounds
        What the tracks of the library sound like, if that is to count.
    """

    n: int
    curve: str
    pitch: float
    sounds: LibrarySounds | None = None


@dataclass(frozen=True)
class Step:
    """A track of a set; `transition` is how it follows the one before it, None for the first.

    `energy` is from 0 to 10, `likeness` is how alike the two sound, from -1 to 1; None if that is
    unknown or does not count.
    """

    item: Item
    key: Key | None
    energy: float
    transition: Transition | None
    likeness: float | None = None


@dataclass(frozen=True)
class Candidate:
    """What counts of a track that a set may have; of thousands the items are not kept."""

    id: int
    counted: Counted
    recorded: Recorded
    loudness: float | None


def candidates_of(lib: Library, start: Item | None, crate: Crate) -> tuple[list[Candidate], int]:
    """The tracks to choose from, the first one before others; and how many are left out."""
    first = [] if start is None else [as_in_crate(lib, start)]
    others = (item for item in crate.all(lib) if start is None or item.id != start.id)
    found, n_unsteady = [], 0
    for item in chain(first, others):
        if not tempo_of(item):
            continue
        if crate.unsteady or (start and item.id == start.id) or is_steady(item):
            track = counted(item, stored_key(item))
            found.append(Candidate(item.id or 0, track, recorded(item), loudness_of(item)))
        else:
            n_unsteady += 1
    return found, n_unsteady


def best_set(
    lib: Library,
    candidates: Sequence[Candidate],
    crate: Crate,
    wanted: Wanted,
    *,
    has_start: bool,
) -> list[Step]:
    """The best set of some tracks; `has_start` says that it begins with the first of them."""
    every = range(len(candidates))
    numbers = every if crate.duplicates else recordings([one.recorded for one in candidates])
    energy = energies(
        [one.counted.tempo for one in candidates], [one.loudness for one in candidates]
    )
    artists = [artist_key(one.recorded.artist) for one in candidates]
    known = [one.counted for one in candidates]  # with the keys as they are known by now
    sounds = None if wanted.sounds is None else _directions(wanted.sounds, candidates)
    looked_at = {0} if has_start else set()
    for round_ in range(ROUNDS):
        pool = sorted(looked_at) if round_ == ROUNDS - 1 else every
        tracks = [
            SetTrack(
                known[k],
                numbers[k],
                artists[k],
                float(energy[k]),
                None if sounds is None else sounds[k],
            )
            for k in pool
        ]
        start = 0 if has_start else None
        found = best_path(tracks, wanted.n, pitch=wanted.pitch, curve=wanted.curve, start=start)
        path = [pool[k] for k in found]
        looked_at |= set(path)
        in_files = _keys_in_files(lib, candidates, path)
        if all(known[k].key == key for k, key in in_files.items()):
            break
        for k, key in in_files.items():
            known[k] = replace(known[k], key=key)
    items = {item.id: item for item in items_of(lib, [candidates[k].id for k in path])}
    steps: list[Step] = []
    for before, k in zip([None, *path], path, strict=False):
        if (item := items.get(candidates[k].id)) is None:  # removed meanwhile
            continue
        way = likeness = None
        if before is not None:
            way = transition(known[before], known[k], wanted.pitch)
            if sounds is not None and sounds[before].any() and sounds[k].any():
                likeness = float(sounds[before] @ sounds[k])
        steps.append(Step(item, known[k].key, float(energy[k]), way, likeness))
    return steps


def _keys_in_files(
    lib: Library, candidates: Sequence[Candidate], path: Sequence[int]
) -> dict[int, Key | None]:
    """The keys of the tracks of a path as their files have them, by the numbers of the tracks."""
    numbers = {candidates[k].id: k for k in path}
    return {numbers[item.id or 0]: known_key(item) for item in light_items(lib, numbers, OF_MIXING)}


def _directions(sounds: LibrarySounds, candidates: Sequence[Candidate]) -> NDArray[np.float32]:
    """What tracks sound like as directions (n, n_dims); zeros of those that are not known."""
    directed = directions(sounds.embeddings, mean_of(sounds.embeddings))
    found = np.zeros((len(candidates), directed.shape[1]), np.float32)
    for row, one in zip(found, candidates, strict=True):
        if (place := sounds.places.get(one.id)) is not None:
            row[:] = directed[place]
    return found
