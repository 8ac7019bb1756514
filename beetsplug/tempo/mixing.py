"""The list of `beet tempo-mix`: tracks that mix with a track, by tempo and by key."""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING

from beets.exceptions import UserError

from tempo_core.console import counted as told_count
from tempo_core.console import shown
from tempo_core.mixing.transitions import Transition, sound_cost, transition
from tempo_core.similarity import similarities

from .crates import as_in_crate, counted, is_steady, recordings_of
from .file_keys import known_key
from .moving import show, tempo_of
from .playlists import write_playlist
from .selecting import Selection, items_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from beets.library import Item, Library

    from tempo_core.keys import Key

    from .crates import Crate
    from .sounds import LibrarySounds

N_NAMED = 10  # tracks named in the error if a query matches several tracks instead of one
MOST_LISTED = 20  # tracks, unless another number is asked for


@dataclass(frozen=True)
class Mix:
    """A track that mixes with the chosen track, and how it follows it.

    `likeness` is how alike they sound, from -1 to 1; None if that is unknown or does not count.
    """

    item: Item
    transition: Transition
    likeness: float | None = None


def list_mix(
    lib: Library,
    args: list[str],
    crate: Crate,
    *,
    pitch: float,
    sounds: LibrarySounds | None = None,
    most: int = MOST_LISTED,
    format_: str | None = None,
    playlist: str | None = None,
    relative_to: str | None = None,
) -> None:
    """Print the tracks that mix with the one track that a query matches, the best first.

    Nothing in the library changes, except that keys read from files are stored.

    Parameters
    ----------
    crate
        The tracks to choose from.
    pitch
        Largest change of speed [%] to accept.
    sounds
        What the tracks of the library sound like, if that is to count.
    most
        Number of tracks to print at most.
    format_
        Format of a line, see `describe`; None prints the columns and the format of beets.
    playlist
        File to write the tracks to as well, in this order; None writes none.
    relative_to
        Folder that the paths in it are relative to.

    Raises
    ------
    UserError
        If the query does not match exactly one track, if that has no tempo, if nothing mixes with
        it, or if the playlist cannot be written.
    """
    track = the_one_with_tempo(lib, args)
    found = [mix for item in crate.near(lib, track, pitch) if (mix := mix_of(track, item, pitch))]
    if sounds is not None:
        alike = likenesses(sounds, track)
        found = [replace(mix, likeness=alike(mix.item)) for mix in found]
        found.sort(key=lambda mix: (_cost_with_sound(mix), mix.item.id))
    else:
        found.sort(key=lambda mix: (mix.transition.cost, mix.item.id))
    left_out = []
    if not crate.unsteady:
        steady = [mix for mix in found if is_steady(mix.item)]
        left_out.append((len(found) - len(steady), "unsteady track", "--unsteady"))
        found = steady
    if not crate.duplicates:
        own, *theirs = recordings_of([as_in_crate(lib, track), *(mix.item for mix in found)])
        seen, different = {own}, []
        for mix, recording in zip(found, theirs, strict=True):
            if recording not in seen:
                seen.add(recording)
                different.append(mix)
        left_out.append((len(found) - len(different), "duplicate", "--duplicates"))
        found = different
    if not found:
        told = f"nothing within {pitch:g} % of the paces of {shown(str(track))}"
        raise UserError(told + told_left_out(left_out))
    shown_items = []
    for mix in islice(found, min(most, sys.maxsize)):
        if item := lib.get_item(mix.item.id or 0):
            with_sound = sounds is not None
            describe(replace(mix, item=item), known_key(mix.item), format_, with_sound=with_sound)
            shown_items.append(item)
    if playlist is not None:
        write_playlist(playlist, shown_items, relative_to)


def _cost_with_sound(mix: Mix) -> float:
    return mix.transition.cost + sound_cost(mix.likeness or 0.0)


def likenesses(sounds: LibrarySounds, track: Item) -> Callable[[Item], float | None]:
    """The function from another track to how alike it sounds to a track; None is unknown.

    Raises
    ------
    UserError
        If the track was not listened to.
    """
    place = sounds.places.get(track.id or 0)
    if place is None:
        raise UserError(f"{shown(str(track))} was not listened to yet; `beet tempo-tags` does")
    alike = similarities(sounds.embeddings, [place])

    def likeness(item: Item) -> float | None:
        its = sounds.places.get(item.id or 0)
        return None if its is None else float(alike[its])

    return likeness


def the_one_with_tempo(lib: Library, args: list[str]) -> Item:
    """The one track that a query matches.

    Raises
    ------
    UserError
        If there is none, or more than one, or it has no tempo.
    """
    track = the_one(lib, args)
    if not tempo_of(track):
        raise UserError(f"{shown(str(track))} has no tempo; `beet tempo` finds it")
    return track


def the_one(lib: Library, args: list[str]) -> Item:
    """The only track that a query matches.

    Raises
    ------
    UserError
        If there is none, or more than one.
    """
    ids = Selection(lib, args).ids()
    first = list(items_of(lib, ids[:N_NAMED]))
    if not first:
        raise UserError("no track matches; give a query that matches one")
    if len(ids) > 1:
        names = "".join(f"\n  {shown(str(item))}" for item in first)
        more = "\n  …" if len(ids) > N_NAMED else ""
        raise UserError(f"{len(ids)} tracks match, give one of them:{names}{more}")
    return first[0]


def told_left_out(left_out: Sequence[tuple[int, str, str]]) -> str:
    """End of a message about tracks that were left out: (number, noun, option that keeps them)."""
    told = [f"{told_count(n, noun)} ({option})" for n, noun, option in left_out if n]
    return f"; left out: {', '.join(told)}" if told else ""


def mix_of(track: Item, other: Item, most: float) -> Mix | None:
    """The best way in which `other` mixes with `track`, see `transition`.

    Parameters
    ----------
    most
        Largest change of speed [%] to accept.

    Returns
    -------
    Mix or None
        None if `other` is `track` itself, has no tempo, or needs a larger change.
    """
    if other.id == track.id or not tempo_of(other):
        return None
    # Looking at the key may take a look at the file, so the tempo comes first.
    mine, theirs = counted(track), counted(other)
    if transition(mine, theirs, most) is None:
        return None
    mine, theirs = replace(mine, key=known_key(track)), replace(theirs, key=known_key(other))
    way = transition(mine, theirs, most)
    return None if way is None else Mix(other, way)


def describe(mix: Mix, key: Key | None, format_: str | None, *, with_sound: bool = False) -> None:
    """Print a line about a track that mixes, and its key.

    Its columns, which `format_` may contain, are `mix_bpm`, `mix_pitch`, `mix_key` and
    `mix_relation`, and with sound `mix_sound`.
    """
    sound = {"mix_sound": told_likeness(mix.likeness)} if with_sound else {}
    show(
        mix.item,
        format_,
        mix_bpm=f"{tempo_of(mix.item):6.2f}",
        mix_pitch=told_pitch(mix.transition.pitch),
        **sound,
        mix_key=f"{key.camelot if key else '-':3} {mix.transition.harmony}",
        mix_relation=mix.transition.relation,
    )


def told_likeness(likeness: float | None) -> str:
    """How alike tracks sound as text of five characters."""
    return f"{'-':>5}" if likeness is None else f"{likeness + 0.0:5.2f}"


def told_pitch(pitch: float) -> str:
    """A change of speed [%] as text of eight characters."""
    return f"{round(pitch, 1) + 0.0:+5.1f} %"  # adding 0.0 turns -0.0 into 0.0
