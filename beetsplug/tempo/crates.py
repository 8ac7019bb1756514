"""Crates: the tracks of the library among which `beet tempo-mix` chooses, read with few fields."""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from beets import dbcore
from beets.dbcore.query import OrQuery

from tempo_core.mixing.recordings import Recorded, recordings
from tempo_core.mixing.transitions import Counted

from .file_keys import FILE_KEY, KEY_SEEN
from .items import own
from .light import OF_TEMPO, Fields, light_items
from .moving import tempo_of
from .queries import PaceQuery
from .selecting import Selection, ask
from .stated import paces_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from beets.library import Item, Library

    from tempo_core.keys import Key

STEADY = 0.8  # `tempo_stability` below which the tempo of a track changes
# A fingerprint has thousands of characters; its end and its length tell it from any other.
_FINGERPRINT = (
    "CASE WHEN acoustid_fingerprint != '' THEN "
    "length(acoustid_fingerprint) || substr(acoustid_fingerprint, -200) END AS acoustid_fingerprint"
)
OF_MIXING = Fields(
    (
        *OF_TEMPO.columns, "path", "initial_key", "artist", "title", "album", "length",
        "mb_trackid", "acoustid_id", _FINGERPRINT, "isrc", "rg_track_gain", "r128_track_gain",
    ),
    (*OF_TEMPO.flexible, FILE_KEY, KEY_SEEN, "tempo_stability", "tempo_range"),
)  # fmt: skip
IDENTIFIERS = ("mb_trackid", "acoustid_id", "acoustid_fingerprint", "isrc")


@dataclass(frozen=True)
class Crate:
    """Which tracks to choose from.

    Attributes
    ----------
    queries
        A track must match all of them; none means the whole library.
    unsteady
        Take tracks whose tempo changes as well.
    duplicates
        Take several tracks of one recording.
    """

    queries: tuple[str, ...] = ()
    unsteady: bool = False
    duplicates: bool = False

    def near(self, lib: Library, track: Item, pitch: float) -> Iterator[Item]:
        """The tracks that may have a pace within `pitch` [%] of a pace of a track."""
        share = pitch / 100
        # The range is wider by 1 BPM on both sides because `bpm` is rounded.
        where, values = OrQuery(
            [
                PaceQuery("pace", f"{pace / (1 + share) - 1:.2f}..{pace / (1 - share) + 1:.2f}")
                for pace in counted(track).paces
            ]
        ).clause()
        return self._read(lib, where or "0", values)

    def all(self, lib: Library) -> Iterator[Item]:
        """All tracks that may have a tempo."""
        with_own = "SELECT entity_id FROM item_attributes WHERE key = 'tempo_bpm'"
        return self._read(lib, f"bpm > 0 OR id IN ({with_own})")

    def _read(self, lib: Library, where: str, values: Sequence[Any] = ()) -> Iterator[Item]:
        """The tracks of the crate that satisfy a condition in SQL, by their ids."""
        ids = self.ids(lib)
        if ids is not None:
            where = f"id IN (SELECT value FROM json_each(?)) AND ({where})"
            values = (json.dumps(ids), *values)
        found = ask(lib, f"SELECT id FROM items WHERE {where} ORDER BY id", values)
        return light_items(lib, found, OF_MIXING)

    def ids(self, lib: Library) -> list[int] | None:
        """Ids of the tracks that match all queries, sorted; None for the whole library."""
        found: set[int] | None = None
        for query in self.queries:
            try:
                words = shlex.split(query)
            except ValueError as error:
                raise dbcore.InvalidQueryError(query, error) from error
            matching = set(Selection(lib, words).ids())
            found = matching if found is None else found & matching
        return None if found is None else sorted(found)


def as_in_crate(lib: Library, item: Item) -> Item:
    """A track as those of a crate are read, to be compared with them."""
    return next(light_items(lib, [item.id or 0], OF_MIXING), item)


def is_steady(item: Item) -> bool:
    """Whether a track keeps its tempo, as far as is known."""
    stability = own(item, "tempo_stability")
    return not own(item, "tempo_range") and not (
        isinstance(stability, float) and stability < STEADY
    )


def counted(item: Item, key: Key | None = None) -> Counted:
    """Tempo and paces of a track that has a tempo, and its key, if it is known."""
    tempo = tempo_of(item)
    return Counted(tempo, tuple(pace for pace, _ in paces_of(item)) or (tempo,), key)


def recorded(item: Item) -> Recorded:
    """What tells the recording of a track."""
    return Recorded(
        item.artist or "", item.title or "", item.album or "", item.length or 0.0,
        tuple(f"{name} {value}" for name in IDENTIFIERS if (value := item[name])),
    )  # fmt: skip


def recordings_of(items: Sequence[Item]) -> list[int]:
    """For each track the index of the first one that is the same recording."""
    return recordings([recorded(item) for item in items])


def loudness_of(item: Item) -> float | None:
    """Loudness of a track [dB, LUFS] by its ReplayGain; None if it has none."""
    # The gain leads to -18 LUFS (89 dB), or to -23 LUFS in the notation of EBU R 128.
    for field, target in (("rg_track_gain", -18.0), ("r128_track_gain", -23.0)):
        gain = item[field]
        if isinstance(gain, (int, float)) and abs(gain) < 100:
            return target - gain
    return None
