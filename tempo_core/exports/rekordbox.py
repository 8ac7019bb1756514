"""The XML of rekordbox, `DJ_PLAYLISTS` 1.0.0, which rekordbox 5 to 7 import and export.

Format: https://cdn.rekordbox.com/files/20200410160904/xml_format_list.pdf
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from urllib.parse import quote, unquote_to_bytes, urlsplit
from xml.etree.ElementTree import Element

from ..beatgrid import BAR, Grid, Section
from ..clock import Player
from ..keys import Key
from ..tempi import is_tempo
from .track import ExportTrack, ImportedTrack, file_name, is_windows, plain, with_slashes
from .xml_files import Writer, elements

ROOT = "DJ_PLAYLISTS"
# rekordbox names keys so, and compares them by these names.
_NAMES = ("C", "Db", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")
_KINDS = {
    "mp3": "MP3 File", "m4a": "M4A File", "mp4": "MP4 File", "aac": "AAC File",
    "flac": "FLAC File", "wav": "WAV File", "aif": "AIFF File", "aiff": "AIFF File",
    "ogg": "OGG File",
}  # fmt: skip
_LOCAL = ("", "localhost")


def encode(tracks: Sequence[ExportTrack], playlist: str | None = None) -> bytes:
    """The content of a file with tracks, and with a playlist of all of them if it has a name."""
    xml = Writer()
    xml.start(ROOT, Version="1.0.0")
    xml.empty("PRODUCT", Name="beets-tempo", Version=version("beets-tempo"), Company="beets-tempo")
    xml.start("COLLECTION", Entries=len(tracks))
    for number, track in enumerate(tracks, 1):
        _write(xml, number, track)
    xml.end()
    xml.start("PLAYLISTS")
    xml.start("NODE", Type=0, Name="ROOT", Count=int(playlist is not None))
    if playlist is not None:
        xml.start("NODE", Name=plain(playlist), Type=1, KeyType=0, Entries=len(tracks))
        for number in range(1, len(tracks) + 1):
            xml.empty("TRACK", Key=number)
        xml.end()
    xml.end()
    xml.end()
    xml.end()
    return xml.content


def _write(xml: Writer, number: int, track: ExportTrack) -> None:
    """Write a track of the collection."""
    ending = file_name(track.path).rpartition(".")[2].lower()
    xml.start(
        "TRACK",
        TrackID=number,
        Name=track.title_or_file,
        Artist=plain(track.artist),
        Album=plain(track.album),
        Genre=plain(track.genre),
        Kind=_KINDS.get(ending, f"{plain(ending).upper()} File"),
        Size=track.size or None,
        TotalTime=round(track.duration),
        TrackNumber=track.track_number,
        Year=track.year,
        AverageBpm=f"{track.bpm or 0:.2f}",
        BitRate=round(track.bit_rate / 1000) or None,
        SampleRate=track.sample_rate or None,
        Comments=plain(track.comments),
        Location=location(track.path),
        Tonality="" if track.key is None else key_name(track.key),
    )
    grid = track.grid_of(Player.REKORDBOX)
    for section in grid.sections if grid else ():
        xml.empty(
            "TEMPO",
            Inizio=f"{section.begin:.3f}",
            Bpm=f"{section.bpm:.2f}",
            Metro=f"{BAR}/4",
            Battito=section.beat or 1,
        )
    xml.end()


def key_name(key: Key) -> str:
    """Name of a key as rekordbox writes it: `Am`, `Ebm`, `F#`."""
    return _NAMES[key.pitch_class] + ("m" if key.minor else "")


def location(path: str) -> str:
    """Address of a file as rekordbox writes it: `file://localhost/C:/Music/a%20b.mp3`."""
    path = with_slashes(path)
    if path.startswith("//"):  # a server of Windows, which is the host of the address
        host, _, rest = path[2:].partition("/")
        return f"file://{quote(host)}/{quote(os.fsencode(rest))}"
    return "file://localhost/" + quote(os.fsencode(path.lstrip("/")), safe="/:")


def path_of(address: str) -> str:
    """Path in an address, the inverse of `location`; an address that is none is taken for a path.

    Bytes that are no text become lone surrogates, as everywhere in names of files.
    """
    if not address.lower().startswith("file://"):
        return address
    parts = urlsplit(address.replace("?", "%3F").replace("#", "%23"))
    path = unquote_to_bytes(parts.path).decode("utf-8", "surrogateescape")
    if parts.netloc.lower() not in _LOCAL:
        return f"//{parts.netloc}{path}"
    return path[1:] if is_windows(path[1:]) else path


def read(path: Path) -> Iterator[ImportedTrack]:
    """The tracks of the collection in a file.

    Raises
    ------
    LabelError
        See `xml_files.elements`.
    """
    for track in elements(path, frozenset(["TRACK"]), "COLLECTION"):
        get = track.attrib.get
        yield ImportedTrack(
            path=path_of(get("Location", "")),
            title=get("Name", ""),
            artist=get("Artist", ""),
            album=get("Album", ""),
            duration=number_in(get("TotalTime")) or None,
            raw_bpm=get("AverageBpm") or None,
            raw_key=get("Tonality") or None,
            grid=_grid(track),
            source_id=get("TrackID", ""),
        )


def _grid(track: Element) -> Grid | None:
    """The grid of a track; None if it has none that makes sense."""
    found: dict[float, Section] = {}
    for tempo in track.iter("TEMPO"):
        begin, bpm = number_in(tempo.get("Inizio")), number_in(tempo.get("Bpm"))
        if begin is None or begin < 0 or not is_tempo(bpm):
            continue
        beat = tempo.get("Battito", "")
        in_four = tempo.get("Metro", "4/4") == f"{BAR}/4" and beat in ("1", "2", "3", "4")
        found[begin] = Section(begin, float(bpm or 0), int(beat) if in_four else None)
    return Grid(tuple(found[begin] for begin in sorted(found))) if found else None


def number_in(text: str | None) -> float | None:
    """A finite number; None if the text is none. Some systems write commas."""
    try:
        number = float((text or "").replace(",", "."))
    except ValueError:
        return None
    return number if math.isfinite(number) else None
