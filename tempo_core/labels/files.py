"""Reading of the tags of audio files, verbatim, for the lookup of labels."""

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
from ..markers import KEY_MARKER, TEMPO_MARKER
from ..reading import open_file
from ..tagging.id3 import inflates_beyond
from .record import TrackQuery, parse_bpm, read_tempi

# Names of the tags for each field, in order of preference: ID3 frames, MP4 atoms, and names shared
# by Vorbis comments, APE and ASF.
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
    "tempo_marker": (f"TXXX:{TEMPO_MARKER.tag}",),
    "key_marker": (f"TXXX:{KEY_MARKER.tag}",),
}
_MP4 = {
    "title": ("\xa9nam",),
    "artist": ("\xa9ART",),
    "artist_sort": ("soar",),
    "album": ("\xa9alb",),
    "genre": ("\xa9gen",),
    "isrc": (f"{_ITUNES}ISRC",),
    "recording_id": (f"{_ITUNES}MusicBrainz Track Id",),
    # `tmpo` only holds whole numbers; which of the two counts is decided by `counting_tempo`.
    "bpm": (f"{_ITUNES}BPM", "tmpo"),
    "key": (f"{_ITUNES}initialkey", f"{_ITUNES}KEY"),
    "tempo_marker": (f"{_ITUNES}{TEMPO_MARKER.tag}",),
    "key_marker": (f"{_ITUNES}{KEY_MARKER.tag}",),
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
    "tempo_marker": (TEMPO_MARKER.tag,),
    "key_marker": (KEY_MARKER.tag,),
}
# Functions that check whether a text has a value for the field.
_READERS: dict[str, Callable[[str], Any]] = {"bpm": read_tempi, "key": parse_key}
MAX_VALUES = 10  # a tag can have several values; further ones are ignored
MAX_TEXT_LENGTH = 500  # [characters] longer texts are cut
MAX_INFLATED_TEXT = 1 << 16  # [bytes] allowed size of a compressed frame after decompression
# Classes of mutagen for file formats, with their modules.
_FORMATS = (
    ("MP3", "mp3"), ("TrueAudio", "trueaudio"), ("AIFF", "aiff"), ("WAVE", "wave"), ("DSF", "dsf"),
    ("DSDIFF", "dsdiff"), ("ID3FileType", "id3"), ("FLAC", "flac"), ("OggFLAC", "oggflac"),
    ("OggVorbis", "oggvorbis"), ("OggOpus", "oggopus"), ("OggSpeex", "oggspeex"),
    ("OggTheora", "oggtheora"), ("MP4", "mp4"), ("ASF", "asf"), ("AAC", "aac"), ("AC3", "ac3"),
    ("APEv2File", "apev2"), ("MonkeysAudio", "monkeysaudio"), ("Musepack", "musepack"),
    ("OptimFROG", "optimfrog"), ("TAK", "tak"), ("WavPack", "wavpack"),
)  # fmt: skip
_WITH_ID3 = ("MP3", "TrueAudio", "AIFF", "WAVE", "DSF", "DSDIFF", "ID3FileType")
# Flag of a compressed ID3 frame, by the version of the tag.
_COMPRESSED_FLAG = {3: 0x80, 4: 0x08}


def read_track(path: str | bytes | os.PathLike[str]) -> TrackQuery:
    """Read the tags and the duration of an audio file.

    A tempo or key that this program found and wrote into the file is left out, because it is not a
    label. A tempo that a person set with this program is one, as precise as they set it.

    Raises
    ------
    AudioError
        If the file cannot be read or is not an audio file with tags.
    """
    try:
        with open_file(path) as opened:
            file = mutagen.File(opened, options=_formats())
    except TempoError:
        raise
    except (mutagen.MutagenError, OSError) as error:
        told = " ".join(str(error).split()) or "they are cut off"
        raise AudioError(f"its tags cannot be read ({told})") from error
    except Exception as error:  # mutagen can raise anything for a damaged file
        raise AudioError(f"its tags cannot be read ({explain(error)})") from error
    if file is None:
        raise AudioError("is no audio file with tags")
    tags = _tags(file.tags)
    tempo, key = TEMPO_MARKER.parse(tags["tempo_marker"]), KEY_MARKER.parse(tags["key_marker"])
    bpm = tags["bpm"]
    is_tempo_own = tempo is not None and tempo.is_of(parse_bpm(bpm))
    if tempo is not None and is_tempo_own and tempo.is_manual:
        bpm, is_tempo_own = tempo.kind.text(tempo.value), False
    is_key_own = key is not None and key.is_of(tags["key"])
    return TrackQuery(
        title=tags["title"],
        artists=tuple(dict.fromkeys(a for a in (tags["artist"], tags["artist_sort"]) if a)),
        album=tags["album"],
        genre=tags["genre"],
        duration=getattr(file.info, "length", None) or None,
        isrc=tags["isrc"] or None,
        recording_id=tags["recording_id"] or None,
        path=os.fsdecode(path),
        tag_bpm=None if is_tempo_own else bpm or None,
        tag_key=None if is_key_own else tags["key"] or None,
    )


@cache
def _formats() -> list[type]:
    """Classes for all file formats with tags; those with ID3 tags read only some frames."""
    found = {name: getattr(import_module(f"mutagen.{module}"), name) for name, module in _FORMATS}
    return [
        type(name, (_OnlyWantedFrames, kind), {}) if name in _WITH_ID3 else kind
        for name, kind in found.items()
    ]


class _OnlyWantedFrames:
    """Mixin for a file format with ID3 tags that reads only the frames named in `_ID3`."""

    def load(self, filething: Any, **options: Any) -> None:
        super().load(filething, known_frames=_frames(), **options)  # type: ignore[misc]


@cache
def _frames() -> dict[str, type]:
    """Classes of the ID3 frames to read, by name."""
    wanted = {name.partition(":")[0] for names in _ID3.values() for name in names}
    old = {name: kind for name, kind in Frames_2_2.items() if kind.__mro__[1].__name__ in wanted}
    return {**old, **{name: type(name, (_LimitedFrame, Frames[name]), {}) for name in wanted}}


class _LimitedFrame:
    """Mixin for an ID3 frame that is ignored if it decompresses to more than a text can have."""

    @classmethod
    def _fromData(cls, header: Any, flags: int, data: bytes) -> Any:
        if flags & _COMPRESSED_FLAG.get(header.version[1], 0):
            packed = data
            with suppress(ValueError):
                packed = unsynch.decode(data)
            # Four bytes before the content state its length. They may be wrong or missing.
            parts = (data[4:], data, packed[4:], packed)
            if any(inflates_beyond(part, MAX_INFLATED_TEXT) for part in parts):
                raise ID3JunkFrameError(f"inflates to more than {MAX_INFLATED_TEXT} bytes")
        return super()._fromData(header, flags, data)  # type: ignore[misc]


def _tags(tags: Any) -> dict[str, str]:
    """Text of each field in the tags of a file, empty if missing."""
    names = _ID3 if isinstance(tags, ID3) else _MP4 if isinstance(tags, MP4Tags) else _OTHERS
    known = {} if tags is None else {str(key).lower(): value for key, value in tags.items()}
    found = {
        field: _value(field, [known.get(key.lower()) for key in keys])
        for field, keys in names.items()
    }
    if names is _MP4:
        both = [_value("bpm", [known.get(key.lower())]) for key in _MP4["bpm"]]
        found["bpm"] = counting_tempo(both[0], both[1], found["tempo_marker"])
    return found


def counting_tempo(precise: str, whole: str, marker: str) -> str:
    """That one of the two tempo tags of an MP4 file that counts, verbatim; empty if it has none.

    It is the one that has decimals, unless this program wrote that one and somebody has changed the
    other one since, as programs do that know only `tmpo`.

    Parameters
    ----------
    precise, whole
        Text of the freeform tag `BPM` and of `tmpo`, empty if missing.
    marker
        Text of the marker of the tempo, empty if missing.
    """
    if not read_tempi(precise):
        return whole if read_tempi(whole) else precise or whole
    own = TEMPO_MARKER.parse(marker)
    is_precise_own = own is not None and own.is_of(parse_bpm(precise))
    if own is not None and is_precise_own and read_tempi(whole) and not own.is_of(parse_bpm(whole)):
        return whole
    return precise


def _value(field: str, tags: list[Any]) -> str:
    """Text of the first of several tags that is not empty.

    For a tempo or a key it is the first that can be read as one, because a meaningless value such
    as `BPM=0` may come before it.
    """
    says = _READERS.get(field)
    most = MAX_VALUES if says or field == "genre" else 1
    texts = [text for tag in tags if (text := _text(tag, most))]
    return next((text for text in texts if says and says(text)), texts[0] if texts else "")


def _text(value: Any, most: int) -> str:
    """The first `most` values of a tag of any format as text: `a`, or `a; b`.

    An ID3 frame may state a genre by its number; `genres` of mutagen's frame are names.
    """
    texts = getattr(value, "genres", None) or getattr(value, "text", None)
    value = getattr(value, "data", value) if texts is None else texts
    values = value if isinstance(value, (list, tuple)) else [value]
    return "; ".join(text for one in values[:most] if (text := _plain(one)))[:MAX_TEXT_LENGTH]


def _plain(value: Any) -> str:
    """A single value of a tag as one line of text."""
    while isinstance(value, (list, tuple)):
        value = value[0] if value else ""
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    return " ".join(str(getattr(value, "value", value) or "").split())[:MAX_TEXT_LENGTH]
