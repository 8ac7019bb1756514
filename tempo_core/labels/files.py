"""Tracks from audio files: what their tags say, verbatim."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from importlib import import_module
from typing import Any

import mutagen
from mutagen.id3 import ID3, Frames, Frames_2_2
from mutagen.id3._util import ID3JunkFrameError, unsynch
from mutagen.mp4 import MP4Tags

from ..console import explain
from ..errors import AudioError, TempoError
from ..keys import parse_key
from ..opening import RegularFile
from ..tagging.id3 import inflates_beyond
from ..tempi import MARKER_TAG, parse_marker
from .record import TrackQuery, parse_bpm, read_tempi

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
_OTHERS = {
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
_READERS: dict[str, Callable[[str], Any]] = {"bpm": read_tempi, "key": parse_key}
MAX_VALUES = 10  # values of a tag
MAX_TEXT_LENGTH = 500  # [characters] what is longer is no name
MAX_INFLATED_TEXT = 1 << 16  # [bytes] what a compressed frame may become
# Classes of mutagen, with their modules.
_FORMATS = (
    ("MP3", "mp3"), ("TrueAudio", "trueaudio"), ("AIFF", "aiff"), ("WAVE", "wave"), ("DSF", "dsf"),
    ("DSDIFF", "dsdiff"), ("ID3FileType", "id3"), ("FLAC", "flac"), ("OggFLAC", "oggflac"),
    ("OggVorbis", "oggvorbis"), ("OggOpus", "oggopus"), ("OggSpeex", "oggspeex"),
    ("OggTheora", "oggtheora"), ("MP4", "mp4"), ("ASF", "asf"), ("AAC", "aac"), ("AC3", "ac3"),
    ("APEv2File", "apev2"), ("MonkeysAudio", "monkeysaudio"), ("Musepack", "musepack"),
    ("OptimFROG", "optimfrog"), ("TAK", "tak"), ("WavPack", "wavpack"),
)  # fmt: skip
_WITH_ID3 = ("MP3", "TrueAudio", "AIFF", "WAVE", "DSF", "DSDIFF", "ID3FileType")
_COMPRESSED_FLAG = {3: 0x80, 4: 0x08}  # flag of an ID3 frame, by the version of the tag


def read_track(path: str | bytes | os.PathLike[str]) -> TrackQuery:
    """Read the tags and the duration of a file.

    A tempo that this program wrote there itself is left out: nobody said it.

    Raises
    ------
    AudioError
        If it cannot be read.
    """
    try:
        with RegularFile(path) as opened:
            file = mutagen.File(opened, options=_formats())
    except TempoError:
        raise
    except (mutagen.MutagenError, OSError) as error:
        told = " ".join(str(error).split()) or "they are cut off"
        raise AudioError(f"its tags cannot be read ({told})") from error
    except Exception as error:  # whatever the library did not expect of a file
        raise AudioError(f"its tags cannot be read ({explain(error)})") from error
    if file is None:
        raise AudioError("is no audio file with tags")
    tags = _tags(file.tags)
    marker = parse_marker(tags["marker"])
    own = marker is not None and marker.is_of(parse_bpm(tags["bpm"]))
    return TrackQuery(
        title=tags["title"],
        artists=tuple(dict.fromkeys(a for a in (tags["artist"], tags["artist_sort"]) if a)),
        album=tags["album"],
        genre=tags["genre"],
        duration=getattr(file.info, "length", None) or None,
        isrc=tags["isrc"] or None,
        recording_id=tags["recording_id"] or None,
        path=os.fsdecode(path),
        tag_bpm=None if own else tags["bpm"] or None,
        tag_key=tags["key"] or None,
    )


@cache
def _formats() -> list[type]:
    """The formats that have tags; of ID3 only those frames are read that are asked for."""
    found = {name: getattr(import_module(f"mutagen.{module}"), name) for name, module in _FORMATS}
    return [
        type(name, (_OnlyWantedFrames, kind), {}) if name in _WITH_ID3 else kind
        for name, kind in found.items()
    ]


class _OnlyWantedFrames:
    """A format with ID3 tags that does not read pictures and what else nobody asks for."""

    def load(self, filething: Any, **options: Any) -> None:
        super().load(filething, known_frames=_frames(), **options)  # type: ignore[misc]


@cache
def _frames() -> dict[str, type]:
    wanted = {name.partition(":")[0] for names in _ID3.values() for name in names}
    old = {name: kind for name, kind in Frames_2_2.items() if kind.__mro__[1].__name__ in wanted}
    return {**old, **{name: type(name, (_LimitedFrame, Frames[name]), {}) for name in wanted}}


class _LimitedFrame:
    """A frame that does not inflate to more than a name can be: a bomb is no title."""

    @classmethod
    def _fromData(cls, header: Any, flags: int, data: bytes) -> Any:
        if flags & _COMPRESSED_FLAG.get(header.version[1], 0):
            packed = data
            with suppress(ValueError):
                packed = unsynch.decode(data)
            # The length is said before the content; whoever writes it may lie, or leave it out.
            parts = (data[4:], data, packed[4:], packed)
            if any(inflates_beyond(part, MAX_INFLATED_TEXT) for part in parts):
                raise ID3JunkFrameError(f"inflates to more than {MAX_INFLATED_TEXT} bytes")
        return super()._fromData(header, flags, data)  # type: ignore[misc]


def _tags(tags: Any) -> dict[str, str]:
    names = _ID3 if isinstance(tags, ID3) else _MP4 if isinstance(tags, MP4Tags) else _OTHERS
    known = {} if tags is None else {str(key).lower(): value for key, value in tags.items()}
    return {
        field: _value(field, [known.get(key.lower()) for key in keys])
        for field, keys in names.items()
    }


def _value(field: str, tags: list[Any]) -> str:
    """The text of the first tag that says something, for a BPM or a key of the first that says one:
    `BPM=0` may stand before the tempo."""
    says = _READERS.get(field)
    texts = [text for tag in tags if (text := _text(tag, MAX_VALUES if says else 1))]
    return next((text for text in texts if says and says(text)), texts[0] if texts else "")


def _text(value: Any, most: int) -> str:
    """The first values of a tag as text, however its format wraps them: `a`, or `a; b`."""
    value = getattr(value, "text", getattr(value, "data", value))
    values = value if isinstance(value, (list, tuple)) else [value]
    return "; ".join(text for one in values[:most] if (text := _plain(one)))[:MAX_TEXT_LENGTH]


def _plain(value: Any) -> str:
    while isinstance(value, (list, tuple)):
        value = value[0] if value else ""
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    return " ".join(str(getattr(value, "value", value) or "").split())[:MAX_TEXT_LENGTH]
