"""Independent check that writing a tag to a file changes nothing else in it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import av
from beets.library import Item
from mediafile import MediaFile

from beetsplug.tempo.writing import TagError, write_fields
from tempo_core.opening import LENIENT

from .containers import Case, frame

BPM = 128
# Names of the tempo in libav's metadata, which depend on the format.
TEMPO_KEYS = {"tbpm", "tbp", "bpm", "tmpo", "wm/beatsperminute"}


@dataclass(frozen=True)
class Result:
    """Result of writing a tag: the error message, empty if it was written, and all faults found."""

    message: str
    problems: tuple[str, ...]


def heard(path: Path) -> str:
    """Hash of all decoded audio of a file."""
    digest = hashlib.sha256()
    try:
        with av.open(str(path), **LENIENT) as container:
            for packet in container.demux():
                if packet.stream.type == "audio":
                    try:
                        decoded = packet.decode()
                    except av.error.FFmpegError:
                        continue  # a damaged packet
                    for got in decoded:
                        digest.update(got.to_ndarray().tobytes())
    except (OSError, ValueError, av.error.FFmpegError) as error:
        digest.update(type(error).__name__.encode())
    return digest.hexdigest()


def shown(path: Path) -> dict[str, str]:
    """The tags of a file without the tempo, as libav reads them."""
    try:
        with av.open(str(path), **LENIENT) as container:
            found = dict(container.metadata)
            for stream in container.streams:
                found |= {f"{stream.index} {k}": v for k, v in stream.metadata.items()}
    except (OSError, ValueError, av.error.FFmpegError):
        return {}
    return {
        key: value
        for key, value in found.items()
        if key.lower().removeprefix("0 ") not in TEMPO_KEYS
    }


def bare(tag: bytes, tempi: tuple[bytes, ...]) -> bytes:
    """The bytes of an ID3 tag without its size, its padding and the frames of some tempi."""
    version, flags = tag[3], tag[5]
    size = int("".join(f"{byte:07b}" for byte in tag[6:10]), 2)
    body = tag[10 : 10 + size]
    if flags & 0x40 and version == 3 and body[:4] == b"\0\0\0\6":
        body = body[:6] + b"size" + body[10:]  # of the padding
    name = b"TBP" if version == 2 else b"TBPM"
    for tempo in tempi:
        body = body.replace(frame(version, name, tempo), b"")
    return tag[:6] + body.rstrip(b"\0")


def _write(path: Path, bpm: int) -> str:
    """Write a tempo to a file; the error message, empty if it was written."""
    try:
        write_fields(Item(path=bytes(path), bpm=bpm))
    except TagError as error:
        return str(error)
    return ""


def examine(case: Case, folder: Path) -> Result:
    """Write a tempo to the file of a case twice, then another one, and collect all faults."""
    path = case.write(folder)
    before = path.read_bytes()
    sound, tags = heard(path), shown(path)
    problems = []
    message = _write(path, BPM)
    if [p.name for p in folder.iterdir()] != [path.name]:
        problems.append("something is left beside it")
    if message:
        if path.read_bytes() != before:
            problems.append("refused and yet changed")
        if _write(path, BPM) != message or path.read_bytes() != before:
            problems.append("not refused in the same way again")
        if "\n" in message or str(folder) in message:
            problems.append("a message of several lines, or with the path")
        return Result(message, tuple(problems))
    for bpm in (BPM, 99):
        if _write(path, bpm):
            problems.append(f"{bpm} was refused")
        state = path.stat().st_ino, path.read_bytes()
        if MediaFile(path).bpm != bpm:
            problems.append(f"{bpm} is not read back")
        if heard(path) != sound:
            problems.append("the sound is another")
        if {k: v for k, v in shown(path).items() if k in tags} != tags:
            problems.append(f"other tags are shown differently: {tags} {shown(path)}")
        if case.tag:
            start = state[1].find(b"ID3" + case.tag[3:4])
            new, old = state[1][max(0, start) :], case.tag
            if start < 0 or bare(new, (b"\0%d\0" % bpm,)) != bare(old, (b"\x0063.5",)):
                problems.append("other frames are not the same bytes")
            if new.count(frame(old[3], b"TBP" if old[3] == 2 else b"TBPM", b"\0%d\0" % bpm)) != 1:
                problems.append("the tempo is not there once")
        if _write(path, bpm) or (path.stat().st_ino, path.read_bytes()) != state:
            problems.append("the same again changed something")
    return Result("", tuple(problems))
