"""NML, the collection of Traktor, as version 19 (Traktor 3) has it; version 20 is read as well.

There is no description by its maker; the elements and attributes are those that Traktor writes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from xml.etree.ElementTree import Element

from ..beatgrid import BAR, Grid, Section
from ..clock import Player
from ..keys import Key
from ..tempi import is_tempo
from .rekordbox import number_in
from .track import ExportTrack, ImportedTrack, file_name, is_plain, plain, with_slashes
from .xml_files import Writer, elements

ROOT = "NML"
VERSION = 19
_GRID_MARKER = "4"  # TYPE of a CUE_V2
# Names that Traktor gives to markers it has set itself, and to those that people set.
BY_TRAKTOR, BY_HAND = "AutoGrid", "Beat Marker"
_START_DISK = "Macintosh HD"


def objection(track: ExportTrack) -> str:
    """Why a track cannot be in such a file, empty if it can: names there must be text."""
    return "" if is_plain(track.path) else "its path has characters that XML cannot hold"


def encode(tracks: Sequence[ExportTrack], playlist: str | None = None) -> bytes:
    """The content of a file with tracks, and with a playlist of all of them if it has a name."""
    xml = Writer(standalone="no")
    xml.start(ROOT, VERSION=VERSION)
    xml.empty("HEAD", COMPANY="www.native-instruments.com", PROGRAM="Traktor")
    xml.empty("MUSICFOLDERS")
    xml.start("COLLECTION", ENTRIES=len(tracks))
    for track in tracks:
        _write(xml, track)
    xml.end()
    xml.empty("SETS", ENTRIES=0)
    xml.start("PLAYLISTS")
    xml.start("NODE", TYPE="FOLDER", NAME="$ROOT")
    xml.start("SUBNODES", COUNT=int(playlist is not None))
    if playlist is not None:
        name = plain(playlist)
        xml.start("NODE", TYPE="PLAYLIST", NAME=name)
        uuid = hashlib.md5(name.encode(), usedforsecurity=False).hexdigest()
        xml.start("PLAYLIST", ENTRIES=len(tracks), TYPE="LIST", UUID=uuid)
        for track in tracks:
            xml.start("ENTRY")
            xml.empty("PRIMARYKEY", TYPE="TRACK", KEY="".join(place_of(track.path)))
            xml.end()
        xml.end()
        xml.end()
    xml.end()
    xml.end()
    xml.end()
    xml.empty("INDEXING")
    xml.end()
    return xml.content


def _write(xml: Writer, track: ExportTrack) -> None:
    """Write an entry of the collection."""
    volume, folder, name = place_of(track.path)
    xml.start("ENTRY", TITLE=track.title_or_file, ARTIST=plain(track.artist) or None)
    xml.empty("LOCATION", DIR=folder, FILE=name, VOLUME=volume, VOLUMEID=volume)
    if track.album or track.track_number:
        xml.empty("ALBUM", TRACK=track.track_number or None, TITLE=plain(track.album) or None)
    xml.empty("MODIFICATION_INFO", AUTHOR_TYPE="user")
    xml.empty(
        "INFO",
        BITRATE=track.bit_rate or None,
        GENRE=plain(track.genre) or None,
        COMMENT=plain(track.comments) or None,
        KEY=None if track.key is None else str(track.key),
        PLAYTIME=round(track.duration) or None,
        PLAYTIME_FLOAT=f"{track.duration:.6f}" if track.duration else None,
        RELEASE_DATE=f"{track.year}/1/1" if track.year else None,
        FILESIZE=round(track.size / 1024) or None,
    )
    if track.bpm:
        xml.empty("TEMPO", BPM=f"{track.bpm:.6f}", BPM_QUALITY="100.000000")
    if track.key is not None:
        xml.empty("MUSICAL_KEY", VALUE=track.key.pitch_class + 12 * track.key.minor)
    grid = track.grid_of(Player.TRAKTOR)
    for start, bpm, has_bars in _markers(grid) if grid else ():
        xml.start(
            "CUE_V2",
            NAME=BY_HAND if has_bars else BY_TRAKTOR,
            DISPL_ORDER=0,
            TYPE=_GRID_MARKER,
            START=f"{1000 * start:.6f}",
            LEN="0.000000",
            REPEATS=-1,
            HOTCUE=-1,
        )
        xml.empty("GRID", BPM=f"{bpm:.6f}")
        xml.end()
    xml.end()


def _markers(grid: Grid) -> Iterator[tuple[float, float, bool]]:
    """Time [s], tempo [BPM] and whether a bar begins there, of the marker of each section.

    Traktor counts bars from its markers, so they stand on the first beat of a bar.
    """
    following = [section.begin for section in grid.sections[1:]]
    for section, until in zip(grid.sections, [*following, float("inf")], strict=True):
        begin = section.begin + (1 - (section.beat or 1)) % BAR * section.period
        on_bar = section.beat is not None and begin < until
        yield (begin if on_bar else section.begin), section.bpm, on_bar


def place_of(path: str) -> tuple[str, str, str]:
    """Volume, folder and name of a file: `C:`, `/:Music/:House/:` and `a.mp3`."""
    path = with_slashes(path)
    volume = ""
    if path[1:2] == ":":
        volume, path = path[:2], path[2:]
    elif path.startswith("/Volumes/"):
        volume, _, rest = path.removeprefix("/Volumes/").partition("/")
        path = f"/{rest}"
    elif path.startswith("/Users/"):
        volume = _START_DISK
    folder, _, name = path.rpartition("/")
    return volume, folder.replace("/", "/:") + "/:", name


def path_of(volume: str, folder: str, name: str) -> tuple[str, str]:
    """Path of a file, and a second reading of it, empty if there is none; inverse of `place_of`.

    A volume of macOS may or may not be part of the folder.
    """
    path = folder.replace("/:", "/") + name
    if volume[1:2] == ":":
        return volume + path, ""
    if volume in ("", _START_DISK) or path.startswith("/Volumes/"):
        return path, ""
    return f"/Volumes/{volume}{path}", path


def read(path: Path) -> Iterator[ImportedTrack]:
    """The tracks of the collection in a file.

    Raises
    ------
    LabelError
        See `xml_files.elements`.
    """
    for entry in elements(path, frozenset(["ENTRY"]), "COLLECTION"):
        place, album, info = _part(entry, "LOCATION"), _part(entry, "ALBUM"), _part(entry, "INFO")
        file, other = path_of(place.get("VOLUME", ""), place.get("DIR", ""), place.get("FILE", ""))
        yield ImportedTrack(
            path=file,
            other_path=other,
            title=entry.get("TITLE", ""),
            artist=entry.get("ARTIST", ""),
            album=album.get("TITLE", ""),
            duration=number_in(info.get("PLAYTIME_FLOAT") or info.get("PLAYTIME")) or None,
            raw_bpm=_part(entry, "TEMPO").get("BPM"),
            raw_key=_key(_part(entry, "MUSICAL_KEY").get("VALUE")) or info.get("KEY") or None,
            grid=_grid(entry),
            source_id=file_name(file),
        )


def _part(entry: Element, name: str) -> Element:
    """The first element of a name in an entry; an empty one if there is none."""
    found = entry.find(name)
    return Element(name) if found is None else found


def _key(text: str | None) -> str | None:
    """Key of the number 0..23 that Traktor writes; None for anything else."""
    if text is None or not text.isascii() or not text.isdigit() or int(text[:3]) > 23:
        return None
    return str(Key(int(text) % 12, int(text) >= 12))


def _grid(entry: Element) -> Grid | None:
    """The grid of an entry; None if it has none that makes sense."""
    found: dict[float, Section] = {}
    for cue in entry.iter("CUE_V2"):
        marker = cue.find("GRID")
        if cue.get("TYPE") != _GRID_MARKER or marker is None:
            continue
        start, bpm = number_in(cue.get("START")), number_in(marker.get("BPM"))
        if start is None or start < 0 or not is_tempo(bpm):
            continue
        beat = None if cue.get("NAME") == BY_TRAKTOR else 1
        found[start] = Section(start / 1000, float(bpm or 0), beat)
    return Grid(tuple(found[start] for start in sorted(found))) if found else None
