"""Changes of some tags of a file as replacements of bytes, so that all other bytes stay the same.

mediafile knows in which tag each format stores a field, and mutagen how a value is encoded there.
But when mutagen saves a file it writes *all* tags again: it drops frames that it does not know,
merges, converts and sorts. So these two libraries only determine which tags change and to what,
and `tempo_core.tagging` writes them. Where it cannot (a tempo in two places of an ASF file),
mutagen saves the file, and `writing` checks that the other tags stayed the same.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import beets
import mutagen
from mediafile import MediaFile
from mutagen import apev2, asf, flac, id3

from tempo_core.errors import LayoutError
from tempo_core.tagging import ape, mp4, ogg, places, vorbis
from tempo_core.tagging import asf as raw_asf
from tempo_core.tagging import id3 as raw_id3
from tempo_core.tagging.splices import Splice

from .camelot_tags import set_fields
from .tempo_tags import precise_bpm

ID3_TYPES = ("mp3", "wav", "aiff", "dsf")
MP4_TYPES = ("aac", "alac")
APE_TYPES = ("ape", "wv", "mpc")
# Names of frames in ID3v2.2 by their names in ID3v2.3.
ID3V22_NAMES = {cls.__bases__[0].__name__: name for name, cls in id3.Frames_2_2.items()}

# Tags as they are in a file: the names that mutagen has for each, and its bytes or values. The
# names are empty where the part is not a tag of its own.
Entries = list[tuple[frozenset[str], Any]]


@dataclass(frozen=True)
class TagChange:
    """A change of tags in a file.

    Attributes
    ----------
    kind
        mediafile's name of the format.
    keys
        The format's names of the tags that change.
    fields
        The new values by mediafile's names; None deletes a tag.
    expected
        The values that mediafile must read after the change, by its names.
    tags
        mutagen's object with all tags of the file after the change.
    """

    kind: str
    keys: frozenset[str]
    fields: Mapping[str, Any]
    expected: Mapping[str, Any]
    tags: Any


def tag_change(media: MediaFile, fields: Mapping[str, Any]) -> TagChange | None:
    """The tags of a file that change when fields are set; None if no tag changes.

    Parameters
    ----------
    media
        The file; its tags in memory are changed, the file is not.
    fields
        Values by mediafile's names; None deletes a tag, and names that mediafile does not know are
        passed over.
    """
    names = set(MediaFile.fields()) & set(fields)
    old_fields, old_tags = read_fields(media, names), _values(media.mgfile)
    known = {name: fields[name] for name in names}
    set_fields(media, known)
    expected, new_tags = read_fields(media, names), _values(media.mgfile)
    keys = {key for key in old_tags | new_tags if old_tags.get(key) != new_tags.get(key)}
    if not keys or old_fields == expected:
        return None
    if media.type == "mp3" and not _has_frames(Path(media.path)):
        # Many programs ignore the ID3v1 tag of a file that also has an ID3v2 tag. As this change
        # adds an ID3v2 tag, the values of the ID3v1 tag are repeated in it.
        keys = set(new_tags)
    return TagChange(media.type, frozenset(keys), known, expected, media.mgfile.tags)


def _has_frames(path: Path) -> bool:
    """Whether an MP3 file has an ID3v2 tag with at least one frame."""
    with path.open("rb") as file:
        tag = places.find(file, "mp3").tag
    return bool(tag and tag.frames)


def check_readable(path: Path) -> None:
    """Check that mutagen can read a file without its decompressed ID3 tag filling the memory.

    Raises
    ------
    LayoutError
        If the tag inflates to too many bytes.
    """
    with path.open("rb") as file:
        kind = places.kind_of(file)
        try:
            tag = places.find(file, kind).tag if kind else None
        except LayoutError:
            return  # a broken layout is an error only if something is to be written
    if tag and raw_id3.inflates(tag):
        raise LayoutError("its ID3 tag inflates beyond measure")


def read_fields(media: MediaFile, names: Iterable[str]) -> dict[str, Any]:
    """Values of fields by their names, so that they can be compared.

    Images are tuples, because mediafile's do not compare; the tempo has the decimals of its tag.
    """
    read = {name: getattr(media, name) for name in names}
    if "bpm" in read:
        read["bpm"] = precise_bpm(media) or read["bpm"]
    if read.get("images"):
        read["images"] = [(image.type, image.desc, image.data) for image in read["images"]]
    return read


def _values(file: Any) -> dict[str, Any]:
    """Snapshot of all tags of an open file, by the format's names.

    mediafile changes lists and ID3 frames in place, so these are copied. Values that may be large,
    such as images, are never changed in place and not copied.
    """
    tags = file.tags
    if isinstance(tags, list):  # Vorbis and ASF: pairs
        fold = str if isinstance(file, asf.ASF) else str.lower
        found: dict[str, Any] = {}
        for key, value in tags:
            found.setdefault(fold(key), []).append(value)
    elif isinstance(tags, id3.ID3Tags):
        found = {
            key: {k: list(v) if isinstance(v, list) else v for k, v in vars(frame).items()}
            for key, frame in tags.items()
        }
    else:
        fold = str.lower if isinstance(tags, apev2.APEv2) else str
        found = {fold(k): list(v) if isinstance(v, list) else v for k, v in tags.items()}
    if isinstance(file, flac.FLAC):
        found[PICTURES] = list(file.pictures)
    return found


# Key of the pictures of a FLAC file, which are not Vorbis comments; the name of a comment cannot
# contain "=".
PICTURES = "=pictures"


def splices(file: BinaryIO, wanted: TagChange) -> list[Splice] | None:
    """Replacements of bytes that make a change of tags; None if only `rewrite` can make it.

    Raises
    ------
    LayoutError
        If the structure of the file is broken or cannot hold the change.
    """
    if wanted.kind in ID3_TYPES:
        return _id3_splices(file, wanted)
    if wanted.kind in MP4_TYPES:
        items = [_mp4_item(key, wanted.tags[key]) for key in wanted.keys if key in wanted.tags]
        return mp4.replaced(file, mp4.read(file), wanted.keys, items)
    if wanted.kind == "flac" and PICTURES not in wanted.keys:
        return vorbis.replaced(file, wanted.keys, _vorbis_entries(wanted))
    if wanted.kind in APE_TYPES:
        new = {k: v for k, v in wanted.tags.items() if k.lower() in wanted.keys}
        values = [ape.item(key, value._write(), value.kind) for key, value in new.items()]
        return ape.replaced(ape.read(file), wanted.keys, values)
    if wanted.kind == "asf":
        pairs = [(key, value) for key, value in wanted.tags if key in wanted.keys]
        if all(isinstance(value, asf.ASFUnicodeAttribute) for _, value in pairs):
            texts = [raw_asf.attribute(key, value.value) for key, value in pairs]
            return raw_asf.replaced(file, wanted.keys, texts)
    return None


def rewrite(path: Path, wanted: TagChange) -> None:
    """Make a change of tags for which `splices` returned None, in place."""
    if wanted.kind in ogg.COMMENT_MARKS:
        with path.open("rb+") as file:
            ogg.replace(file, wanted.kind, wanted.keys, _vorbis_entries(wanted))
        return
    media = MediaFile(path)
    set_fields(media, wanted.fields)
    media.save()


def _vorbis_entries(wanted: TagChange) -> list[bytes]:
    """The Vorbis comments, `NAME=value`, that a change adds."""
    return [f"{k}={v}".encode() for k, v in wanted.tags or () if k.lower() in wanted.keys]


def _id3_splices(file: BinaryIO, wanted: TagChange) -> list[Splice]:
    """Replacements of bytes that change frames of the ID3 tag of a file, or add a tag."""
    place = places.find(file, wanted.kind)
    as_23 = wanted.kind == "mp3" and beets.config["id3v23"].get(bool)
    tag = place.tag or raw_id3.Id3Tag(3 if as_23 else 4)
    new = _raw_frames((wanted.tags[k] for k in wanted.keys if k in wanted.tags), tag.version)
    dropped = [frame for frame in tag.frames if _id3_keys(frame, tag) & wanted.keys]
    return place.put(tag.replaced(dropped, new).to_bytes())


def _id3_keys(frame: raw_id3.Id3Frame, tag: raw_id3.Id3Tag) -> frozenset[str]:
    """mutagen's names of a frame, such as `TXXX:BEETS_TEMPO`; none if mutagen cannot read it."""
    if frame.packed:
        # Compressed: the plugin writes no such frame, and decompressed it might fill the memory.
        return frozenset()
    alone = raw_id3.Id3Tag(
        tag.version, flags=tag.flags & raw_id3.TagFlags.UNSYNCHRONISED, frames=(frame,)
    )
    try:
        return frozenset(id3.ID3(io.BytesIO(alone.to_bytes()), load_v1=False))
    except (mutagen.MutagenError, ValueError):
        return frozenset()


def _raw_frames(frames: Iterable[id3.Frame], version: int) -> list[raw_id3.Id3Frame]:
    """Frames of mutagen encoded for a version of ID3 (2, 3 or 4 for ID3v2.2 to ID3v2.4)."""
    scratch = id3.ID3()
    for frame in frames:
        scratch.add(frame)
    for frame in scratch.values():
        texts = [getattr(frame, "desc", ""), *map(str, getattr(frame, "text", ()))]
        if "encoding" in vars(frame) and all(text.isascii() for text in texts):
            frame.encoding = id3.Encoding.LATIN1  # every version and program can read it
    if version < 4:
        scratch.update_to_v23()
    written = io.BytesIO()
    scratch.save(written, v1=0, v2_version=max(3, version), padding=lambda _info: 0)
    parsed = raw_id3.parse(written.getvalue()) if scratch else raw_id3.Id3Tag(version)
    return [_as_22(frame) if version == 2 else frame for frame in parsed.frames]


def _as_22(frame: raw_id3.Id3Frame) -> raw_id3.Id3Frame:
    """A frame of ID3v2.3 converted to ID3v2.2, which has names of three letters.

    Raises
    ------
    LayoutError
        If ID3v2.2 has no such frame, or stores it differently (pictures).
    """
    name, body = ID3V22_NAMES.get(frame.name.decode()), frame.raw[raw_id3.HEADER_SIZE :]
    if name is None or name == "PIC":
        raise LayoutError("ID3v2.2 has no such tag")
    return raw_id3.Id3Frame(name.encode(), name.encode() + len(body).to_bytes(3, "big") + body)


def _mp4_item(key: str, values: Any) -> mp4.Mp4Item:
    """A tag of MP4 as bytes: whole numbers as such, everything else as text."""
    if all(isinstance(value, int) for value in values):
        return mp4.number_item(key, values)
    return mp4.text_item(key, [v if isinstance(v, bytes) else str(v).encode() for v in values])


def others(file: BinaryIO, media: MediaFile, wanted: TagChange) -> Entries:
    """Every tag of an open file that a change must leave alone, for a comparison.

    Raises
    ------
    LayoutError
        If the structure of the file is broken.
    """
    return [entry for entry in _entries(file, media, wanted.kind) if not entry[0] & wanted.keys]


def _entries(file: BinaryIO, media: MediaFile, kind: str) -> Entries:
    """All tags of an open file: their bytes, or in ASF files mutagen's values."""
    if kind in ID3_TYPES:
        tag = places.find(file, kind).tag
        return [(_id3_keys(frame, tag), frame.raw) for frame in tag.frames] if tag else []
    if kind in MP4_TYPES:
        return [(frozenset((item.key,)), item.raw) for item in mp4.read(file).items]
    if kind in APE_TYPES:
        return [(frozenset((item.key,)), item.raw) for item in ape.read(file).items]
    if kind == "asf":
        pairs = sorted(media.mgfile.tags, key=lambda pair: pair[0])
        found = [(frozenset((k,)), (type(v), v.value, v.language, v.stream)) for k, v in pairs]
        return [*found, *((frozenset[str](), one) for one in raw_asf.other_objects(file))]
    if kind == "flac":
        comment = vorbis.read_comment(file, vorbis.blocks(file))
    else:
        comment = ogg.read_comment(file, kind)
    named = [(frozenset((vorbis.name_of(entry),)), entry) for entry in comment.entries]
    return [*named, (frozenset(), comment.vendor), (frozenset(), comment.rest)]
