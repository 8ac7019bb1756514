"""Descriptions of tracks for looking up labels, from the library, the file and the analysis."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from typing import TYPE_CHECKING

from tempo_core.background import TIME_LIMIT, call, interrupted
from tempo_core.errors import TempoError
from tempo_core.labels.record import TrackQuery
from tempo_core.paces import parse_paces

from .file_keys import key_text
from .items import bpm_of, genres_of, own
from .key_fields import FOUND_KEY, key_origin
from .light import Fields
from .origin import Decision, is_from_label, is_ours

if TYPE_CHECKING:
    from beets.library import Item


def tags_of_file(item: Item, time_limit: float = TIME_LIMIT) -> TrackQuery | None:
    """The tags of an item's file; None if they cannot be read, or not within the time limit [s]."""
    from tempo_core.labels.files import read_track

    path = item.path
    with suppress(TempoError):
        return call(lambda: read_track(path), interrupted, time_limit)
    return None


def track_of(item: Item, time_limit: float = TIME_LIMIT) -> TrackQuery:
    """The description of an item for looking up labels; the tags of its file are read for it."""
    return described(item, tags_of_file(item, time_limit))


# What `track_id` looks at.
OF_TRACK_ID = Fields(
    ("artist", "artists", "artist_credit", "artist_sort", "title", "album", "length", "isrc",
     "mb_trackid"),
)  # fmt: skip


def track_id(item: Item) -> str:
    """The id of an item in the label store, as of its description; its file is not looked at."""
    return TrackQuery(
        title=item.title,
        artists=_artists(item),
        album=item.album,
        duration=item.length or None,
        isrc=item.isrc or None,
        recording_id=item.mb_trackid or None,
    ).id


def _artists(item: Item) -> tuple[str, ...]:
    names = (item.artist, *item.get("artists", ()), item.artist_credit, item.artist_sort)
    return tuple(dict.fromkeys(name for name in names if name))


def described(item: Item, file: TrackQuery | None) -> TrackQuery:
    """The description of an item for looking up labels.

    Parameters
    ----------
    file
        The tags of its file; None if they cannot be read.
    """
    tag_bpm, tag_key = _tags(item, file)
    return TrackQuery(
        title=item.title,
        artists=_artists(item),
        album=item.album,
        genre=genres_of(item),
        duration=item.length or None,
        file_duration=file.duration if file else None,
        isrc=item.isrc or None,
        recording_id=item.mb_trackid or None,
        spotify_id=own(item, "spotify_track_id") or None,
        path=os.fsdecode(item.path),
        tag_bpm=tag_bpm,
        tag_key=tag_key,
        estimate_bpm=estimate_of(item),
        estimate_key=own(item, FOUND_KEY) or None,
    )


def estimate_of(item: Item) -> float | None:
    """The tempo [BPM] that the analysis of the audio found; None if the item was not analysed.

    It is `tempo_bpm`, unless the analysis agreed with an earlier tempo. Then `tempo_bpm` is the
    pace closest to the earlier tempo, and the estimate is the most probable pace.
    """
    tempo: float | None = own(item, "tempo_bpm")
    audio = (Decision.SET.word, Decision.CONFLICT.word, Decision.UNSURE.word)
    by_model = str(own(item, "tempo_source")).startswith("model:")
    if tempo and (own(item, "tempo_verdict") in audio or by_model):
        return tempo
    with suppress(ValueError):
        paces = parse_paces(own(item, "tempo_paces") or "")
        return paces[0].bpm if paces else None
    return None


def _tags(item: Item, file: TrackQuery | None) -> tuple[str | None, str | None]:
    """The texts of BPM and key that a person or another program wrote; None where there is none.

    A value that the plugin wrote is left out. beets cuts fractions off a BPM and misreads long
    names of keys when it reads a file. So the text in the file is used if beets would read the
    value of the library from it.

    Parameters
    ----------
    file
        The tags of the file; None if they cannot be read.
    """
    known = bpm_of(item)
    in_library = str(known) if known else None
    in_file = file.tag_bpm if file else None
    bpm = in_file if in_file and _as_beets_reads(in_file) == known else in_library
    if is_ours(item) or is_from_label(item):
        bpm = None
    key = key_text(item, file.tag_key if file else None)
    if key_origin(item).startswith(("model:", "label:")):
        key = None
    return bpm, key


def _as_beets_reads(bpm: str) -> int:
    """The whole number that a text begins with, as beets reads a BPM; 0 if there is none."""
    digits = re.match(r"[+-]?[0-9]+", bpm)
    return int(digits[0]) if digits else 0
