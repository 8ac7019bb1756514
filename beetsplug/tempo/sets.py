"""The sets of `beet tempo-mix --path N`: tracks in an order in which each mixes with the next."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from beets.exceptions import UserError

from tempo_core.console import counted as told_count
from tempo_core.console import shown
from tempo_core.keys import Key
from tempo_core.mixing.energy import course, energies
from tempo_core.mixing.path import SetTrack, best_path
from tempo_core.mixing.recordings import artist_key
from tempo_core.mixing.sheet import Sheet, SheetTrack
from tempo_core.mixing.transitions import Transition, transition
from tempo_core.similarity import directions, mean_of

from .crates import counted, is_steady, loudness_of, recordings_of
from .file_keys import known_key, stored_key
from .mixing import the_one_with_tempo, told_left_out, told_likeness, told_pitch
from .moving import show, tempo_of
from .playlists import write_playlist, write_whole

if TYPE_CHECKING:
    from collections.abc import Sequence

    from beets.library import Item, Library
    from beets.logging import BeetsLogger
    from numpy.typing import NDArray

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
class Output:
    """Where a set goes.

    Attributes
    ----------
    format_
        Format of a line, see `describe`; None prints the columns and the format of beets.
    playlist, sheet
        Files to write the set to, as playlist and as a page; None writes none.
    relative_to
        Folder that the paths in the playlist are relative to.
    """

    format_: str | None = None
    playlist: str | None = None
    relative_to: str | None = None
    sheet: str | None = None


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


def list_set(
    lib: Library, args: list[str], crate: Crate, wanted: Wanted, output: Output, log: BeetsLogger
) -> None:
    """Print a set, and write it to files if asked to.

    Nothing in the library changes, except that keys read from files are stored.

    Parameters
    ----------
    args
        Query for the first track; without one the set may begin with any of the crate.

    Raises
    ------
    UserError
        If the query does not match exactly one track with a tempo, if no two tracks can be joined,
        or if a file cannot be written.
    """
    start = the_one_with_tempo(lib, args) if args else None
    items = [item for item in crate.all(lib) if tempo_of(item)]
    if start is not None:
        items = [start, *(item for item in items if item.id != start.id)]
    is_taken = [crate.unsteady or item is start or is_steady(item) for item in items]
    left_out = [(is_taken.count(False), "unsteady track", "--unsteady")]
    items = [item for item, taken in zip(items, is_taken, strict=True) if taken]
    if not items:
        raise UserError(f"no track of the crate has a tempo{told_left_out(left_out)}")
    steps = _best(items, crate, wanted, has_start=start is not None)
    if len(steps) < min(2, wanted.n):
        what = f"{shown(str(start))} and another" if start else "any two tracks"
        raise UserError(
            f"no transition within {wanted.pitch:g} % and in keys that fit joins {what} of "
            f"{told_count(len(items), 'track')}{told_left_out(left_out)}"
        )
    steps = [
        replace(step, item=item) for step in steps if (item := lib.get_item(step.item.id or 0))
    ]
    for number, step in enumerate(steps, 1):
        describe(number, step, output.format_, with_sound=wanted.sounds is not None)
    if output.playlist is not None:
        write_playlist(output.playlist, [step.item for step in steps], output.relative_to)
    if output.sheet is not None:
        write_whole(output.sheet, _sheet(steps, wanted, has_start=start is not None).html())
    if len(steps) < wanted.n:
        log.warning(
            "{} of {} tracks; more could not be joined within {:g} % and in keys that fit{}",
            len(steps), wanted.n, wanted.pitch, told_left_out(left_out),
        )  # fmt: skip


def _best(items: Sequence[Item], crate: Crate, wanted: Wanted, *, has_start: bool) -> list[Step]:
    """The best set of some tracks; `has_start` says that it begins with the first of them."""
    numbers = range(len(items)) if crate.duplicates else recordings_of(items)
    energy = energies([tempo_of(item) for item in items], [loudness_of(item) for item in items])
    artists = [artist_key(item.artist or "") for item in items]
    keys = [stored_key(item) for item in items]
    sounds = None if wanted.sounds is None else _directions(wanted.sounds, items)
    looked_at = {0} if has_start else set()
    for round_ in range(ROUNDS):
        pool = sorted(looked_at) if round_ == ROUNDS - 1 else range(len(items))
        tracks = [
            SetTrack(
                counted(items[k], keys[k]),
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
        in_files = {k: known_key(items[k]) for k in path}
        if all(keys[k] == key for k, key in in_files.items()):
            break
        for k, key in in_files.items():
            keys[k] = key
    steps: list[Step] = []
    for k in path:
        way = None
        if steps:
            before = counted(steps[-1].item, steps[-1].key)
            way = transition(before, counted(items[k], keys[k]), wanted.pitch)
        steps.append(Step(items[k], keys[k], float(energy[k]), way))
    if sounds is not None:
        for number, (one, other) in enumerate(pairwise(path), 1):
            if sounds[one].any() and sounds[other].any():
                likeness = float(sounds[one] @ sounds[other])
                steps[number] = replace(steps[number], likeness=likeness)
    return steps


def _directions(sounds: LibrarySounds, items: Sequence[Item]) -> NDArray[np.float32]:
    """What tracks sound like as directions (n, n_dims); zeros of those that are not known."""
    directed = directions(sounds.embeddings, mean_of(sounds.embeddings))
    found = np.zeros((len(items), directed.shape[1]), np.float32)
    for row, item in zip(found, items, strict=True):
        if (place := sounds.places.get(item.id or 0)) is not None:
            row[:] = directed[place]
    return found


def describe(number: int, step: Step, format_: str | None, *, with_sound: bool = False) -> None:
    """Print a line about a track of a set.

    Its columns, which `format_` may contain, are those of `mixing.describe`, of which `mix_pitch`
    is empty for the first track, and `mix_number` and `mix_energy`.
    """
    sound = {"mix_sound": told_likeness(step.likeness)} if with_sound else {}
    way = step.transition
    harmony = way.harmony if way else ""
    show(
        step.item,
        format_,
        mix_number=f"{number:3}",
        mix_bpm=f"{tempo_of(step.item):6.2f}",
        mix_pitch=told_pitch(way.pitch) if way else 7 * " ",
        mix_energy=f"{step.energy:4.1f}",
        **sound,
        mix_key=f"{step.key.camelot if step.key else '-':3} {harmony:9}",
        mix_relation=way.relation if way else "",
    )


def _sheet(steps: Sequence[Step], wanted: Wanted, *, has_start: bool) -> Sheet:
    """The page about a set; `has_start` says that its first track was given."""
    curve = course(wanted.curve, wanted.n, steps[0].energy if has_start else None)
    return Sheet(
        [
            SheetTrack(
                step.item.title or step.item.filepath.stem, step.item.artist or "",
                tempo_of(step.item), step.key, step.energy, step.item.length or 0.0,
                loudness_of(step.item) is not None, step.transition,
            )
            for step in steps
        ],
        wanted.curve,
        curve[: len(steps)].tolist(),
        wanted.pitch,
    )  # fmt: skip
