"""Tracks from audio files: what their tags say, verbatim."""

from __future__ import annotations

import os
from typing import Any

import mutagen
from mutagen.id3 import ID3
from mutagen.mp4 import MP4Tags

from ..errors import AudioError
from ..tempi import MARKER_TAG, parse_marker
from .record import Track, parse_bpm

# Where the formats keep things, by the class of their tags: ID3 frames, MP4 atoms, and names that
# Vorbis comments, APE and ASF share. Several names for one field: the first that is there counts.
_ITUNES = "----:com.apple.iTunes:"
_ID3 = {
    "title": ("TIT2",),
    "artist": ("TPE1",),
    "artist_sort": ("TSOP",),
    "album": ("TALB",),
    "genre": ("TCON",),
    "isrc": ("TSRC",),
    "recording_id": ("UFID:http://musicbrainz.org",),
    "bpm": ("TBPM",),
    "key": ("TKEY",),
    "marker": (f"TXXX:{MARKER_TAG}",),
}
_MP4 = {
    "title": ("\xa9nam",),
    "artist": ("\xa9ART",),
    "artist_sort": ("soar",),
    "album": ("\xa9alb",),
    "genre": ("\xa9gen",),
    "isrc": (f"{_ITUNES}ISRC",),
    "recording_id": (f"{_ITUNES}MusicBrainz Track Id",),
    # `tmpo` holds whole numbers only; who writes both means the precise one.
    "bpm": (f"{_ITUNES}BPM", "tmpo"),
    "key": (f"{_ITUNES}initialkey", f"{_ITUNES}KEY"),
    "marker": (f"{_ITUNES}{MARKER_TAG}",),
}
_NAMED = {
    "title": ("title",),
    "artist": ("artist", "author"),
    "artist_sort": ("artistsort", "wm/artistsortorder"),
    "album": ("album", "wm/albumtitle"),
    "genre": ("genre", "wm/genre"),
    "isrc": ("isrc", "wm/isrc"),
    "recording_id": ("musicbrainz_trackid", "musicbrainz/track id"),
    "bpm": ("bpm", "tempo", "wm/beatsperminute"),
    "key": ("initialkey", "key", "wm/initialkey"),
    "marker": (MARKER_TAG,),
}
LONGEST = 500  # [characters] what is longer is no name


def read_track(path: str | bytes | os.PathLike[str]) -> Track:
    """Read the tags and the duration of a file.

    A tempo that this program wrote there itself is left out: nobody said it.

    Raises
    ------
    AudioError
        If it cannot be read.
    """
    name = os.fsdecode(path)
    try:
        file = mutagen.File(name)
    except (mutagen.MutagenError, OSError) as error:
        raise AudioError(" ".join(f"its tags cannot be read ({error})".split())) from error
    if file is None:
        raise AudioError("is no audio file with tags")
    tags = _tags(file.tags)
    marker = parse_marker(tags["marker"])
    own = marker is not None and marker.is_of(parse_bpm(tags["bpm"]))
    return Track(
        title=tags["title"],
        artists=tuple(dict.fromkeys(a for a in (tags["artist"], tags["artist_sort"]) if a)),
        album=tags["album"],
        genre=tags["genre"],
        duration=getattr(file.info, "length", None) or None,
        isrc=tags["isrc"] or None,
        recording_id=tags["recording_id"] or None,
        path=name,
        tag_bpm=None if own else tags["bpm"] or None,
        tag_key=tags["key"] or None,
    )


def _tags(tags: Any) -> dict[str, str]:
    names = _ID3 if isinstance(tags, ID3) else _MP4 if isinstance(tags, MP4Tags) else _NAMED
    known = {} if tags is None else {str(key).lower(): value for key, value in tags.items()}
    return {
        field: next((text for key in keys if (text := _text(known.get(key.lower())))), "")
        for field, keys in names.items()
    }


def _text(value: Any) -> str:
    """The first value of a tag as text, however its format wraps it."""
    value = getattr(value, "text", getattr(value, "data", value))
    while isinstance(value, (list, tuple)):
        value = value[0] if value else ""
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    return " ".join(str(getattr(value, "value", value) or "").split())[:LONGEST]
