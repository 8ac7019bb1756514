"""The list of `beet tempo-similar`: tracks that sound like the ones that a query matches."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np
from beets.exceptions import UserError

from tempo_core.console import counted as told_count
from tempo_core.keys import harmony
from tempo_core.similarity import similarities

from .crates import OF_MIXING, recordings_of
from .file_keys import stored_key
from .guarding import library_errors
from .light import light_items
from .moving import show, tempo_of
from .playlists import write_playlist
from .selecting import Selection, ask
from .sounds import sounds_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from beets.library import Item, Library
    from beets.logging import BeetsLogger
    from numpy.typing import NDArray

    from tempo_core.keys import Key

    from .crates import Crate
    from .queries import PaceQuery
    from .sounds import LibrarySounds

MOST_LISTED = 20  # tracks, unless another number is asked for
AT_ONCE = 200  # tracks that are loaded at a time, the most similar first
ROUNDING = 2.0  # [BPM] by which `bpm` may differ from a precise tempo that it stands for


@dataclass(frozen=True)
class Wanted:
    """Which tracks are asked for.

    Attributes
    ----------
    most
        Number of tracks at most.
    tempi
        Range of their tempi as people count them; None takes any.
    in_key
        Only those whose key fits that of one of the tracks they are to be like.
    """

    most: int = MOST_LISTED
    tempi: PaceQuery | None = None
    in_key: bool = False


def list_similar(
    lib: Library,
    args: list[str],
    crate: Crate,
    wanted: Wanted,
    log: BeetsLogger,
    *,
    format_: str | None = None,
    playlist: str | None = None,
    relative_to: str | None = None,
) -> None:
    """Print the tracks that sound like those that a query matches, the most similar first.

    The library is only read. Of several tracks their mean direction counts. They themselves are
    left out, and so are tracks that are no more like them than unlike, and other copies of a
    recording, unless `crate.duplicates`.

    Parameters
    ----------
    crate
        The tracks to choose from; whether they are steady does not matter.
    format_
        Format of a line, see `describe`; None prints the columns and the format of beets.
    playlist
        File to write the tracks to as well, in this order; None writes none.
    relative_to
        Folder that the paths in it are relative to.

    Raises
    ------
    UserError
        If no track matches, none of them was listened to, nothing is left, the library or the
        store cannot be used, or the playlist cannot be written.
    """
    with library_errors("nothing was changed"):
        ids = Selection(lib, args, pretend=True).ids()
        if not ids:
            raise UserError("no track matches; give a query for what they are to sound like")
        sounds = sounds_of(lib, log)
        seeds = [id_ for id_ in ids if id_ in sounds.places]
        if not seeds:
            were = "was" if len(ids) == 1 else "were"
            raise UserError(
                f"{told_count(len(ids), 'track')} {were} not listened to yet; "
                "`beet tempo-tags` does"
            )
        if sounds.n_unheard:
            verb = "is" if sounds.n_unheard == 1 else "are"
            log.warning(
                "{} of the library {} not known by sound and not among these; `beet tempo-tags` "
                "listens to what is missing", told_count(sounds.n_unheard, "track"), verb,
            )  # fmt: skip
        alike = similarities(sounds.embeddings, [sounds.places[id_] for id_ in seeds])
        found = _found(lib, sounds, seeds, alike, crate, wanted)
        if not found:
            raise UserError(
                "nothing else that fits sounds like this; ask for less, or `beet tempo-tags` hears "
                "more"
            )
        shown_items = []
        for light, likeness in found:
            if item := lib.get_item(light.id or 0):
                describe(item, likeness, stored_key(light), format_)
                shown_items.append(item)
    if playlist is not None:
        write_playlist(playlist, shown_items, relative_to)


def _found(
    lib: Library,
    sounds: LibrarySounds,
    seeds: Sequence[int],
    alike: NDArray[np.float32],
    crate: Crate,
    wanted: Wanted,
) -> list[tuple[Item, float]]:
    """The tracks to list and how similar each is."""
    chosen = list(light_items(lib, sorted(seeds), OF_MIXING))
    keys = [key for item in chosen if (key := stored_key(item))]
    if wanted.in_key and not keys:
        raise UserError("--key needs tracks whose key is known; `beet tempo` finds it")
    heard = {sounds.embeddings[sounds.places[id_]].tobytes() for id_ in seeds}
    found: list[tuple[Item, float]] = []
    candidates = _candidates(lib, sounds, set(seeds), alike, crate, wanted)
    fitting = ((item, place) for item, place in candidates if _fits(item, keys, wanted))
    while len(found) < wanted.most and (some := list(islice(fitting, AT_ONCE))):
        before = [*chosen, *(item for item, _ in found)]
        numbers = recordings_of([*before, *(item for item, _ in some)])
        listed = set(numbers[: len(before)])
        for (item, place), number in zip(some, numbers[len(before) :], strict=True):
            # The same sound is the same recording, whatever it is called.
            sound = sounds.embeddings[place].tobytes()
            if crate.duplicates or not (sound in heard or number in listed):
                heard.add(sound)
                listed.add(number)
                found.append((item, float(alike[place])))
    return found[: wanted.most]


def _candidates(
    lib: Library,
    sounds: LibrarySounds,
    left_out: set[int],
    alike: NDArray[np.float32],
    crate: Crate,
    wanted: Wanted,
) -> Iterator[tuple[Item, int]]:
    """The tracks to choose from and their places, the most similar first, loaded as needed."""
    among = crate.ids(lib)
    allowed = None if among is None else set(among)
    if wanted.tempi is not None:
        may_fit = _with_tempo_near(lib, wanted.tempi)
        allowed = may_fit if allowed is None else allowed & may_fit
    order = np.argsort(-alike, kind="stable").tolist()
    places = [
        k
        for k in order
        if alike[k] > 0
        and (id_ := sounds.ids[k]) not in left_out
        and (allowed is None or id_ in allowed)
    ]
    for start in range(0, len(places), AT_ONCE):
        some = {sounds.ids[k]: k for k in places[start : start + AT_ONCE]}
        for item in light_items(lib, some, OF_MIXING):
            yield item, some[item.id or 0]


def _with_tempo_near(lib: Library, tempi: PaceQuery) -> set[int]:
    """Ids of the tracks whose tempo may be in a range; `moving.tempo_of` says it exactly."""
    low = min((bound for sign, bound in tempi.limits if sign == ">="), default=0.0)
    high = min((bound for sign, bound in tempi.limits if sign != ">="), default=1e9)
    near = (low - ROUNDING, high + ROUNDING)
    return set(
        ask(
            lib,
            "SELECT id FROM items WHERE bpm BETWEEN ? AND ? UNION "
            "SELECT entity_id FROM item_attributes WHERE key = 'tempo_bpm' "
            "AND CAST(value AS REAL) BETWEEN ? AND ?",
            (*near, *near),
        )
    )


def _fits(item: Item, keys: Sequence[Key], wanted: Wanted) -> bool:
    """Whether a track has the tempo and the key that are asked for."""
    if wanted.tempi is not None and not wanted.tempi.within([(tempo_of(item), 1.0)]):
        return False
    if not wanted.in_key:
        return True
    own = stored_key(item)
    return own is not None and any(harmony(key, own) for key in keys)


def describe(item: Item, likeness: float, key: Key | None, format_: str | None) -> None:
    """Print a line about a track, how similar it is (up to 1) and its key.

    Its columns, which `format_` may contain, are `similarity`, `similar_bpm` and `similar_key`.
    """
    tempo = tempo_of(item)
    show(
        item,
        format_,
        similarity=f"{likeness + 0.0:5.2f}",
        similar_bpm=f"{tempo:6.2f}" if tempo else f"{'-':>6}",
        similar_key=f"{key.camelot if key else '-':3}",
    )
