"""Items in the `ilst` atom of an MP4 file, changed with as little else as possible.

A file is a sequence of atoms, each with a size, a name of four letters and a body, which may again
consist of atoms. The items are at moov.udta.meta.ilst. If `moov` precedes the media and has to
grow, all that follows moves, and every table of absolute positions of media has to be corrected:
`stco` and `co64`, and in a fragmented file `tfhd` and `tfra`. To avoid this, the `free` atoms
beside the items and behind `moov` are used up first.

Reference: ISO/IEC 14496-12; the items are Apple's.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO

from ..errors import LayoutError
from .splices import Splice, only_zeros, read_at, size_of

MAX_MOOV_SIZE = 1 << 28  # [bytes] `moov` is kept in memory
# [bytes] of padding beside items that have to grow, so that the next change needs no growth.
GROWTH_PADDING = 1024
DAMAGED_ATOMS = "the structure of the file does not add up"
MUSIC_HANDLER = struct.pack(">I4s8x4s4s9x", 33, b"hdlr", b"mdir", b"appl")
MEDIA_TABLE = (b"trak", b"mdia", b"minf", b"stbl")  # path from `moov` to the tables of a track


@dataclass(frozen=True)
class Atom:
    """An atom at byte `start`, of `size` bytes with its header.

    `head` is the length of the header: 8 bytes, or 16 if the size is stored in 64 bits.
    """

    name: bytes
    start: int
    head: int
    size: int

    @property
    def body(self) -> int:
        return self.start + self.head

    @property
    def end(self) -> int:
        return self.start + self.size


@dataclass(frozen=True)
class Mp4Item:
    """An atom in `ilst`. `key` is its name or `----:<mean>:<name>`; `raw` is the whole atom."""

    key: str
    raw: bytes


@dataclass(frozen=True)
class Movie:
    """The parts of an MP4 file that are needed to change its items.

    `file_size` is in bytes, `atoms` are those of the top level, `content` holds the bytes of the
    whole `moov` atom.
    """

    file_size: int
    atoms: tuple[Atom, ...]
    moov: Atom
    content: bytes
    items: tuple[Mp4Item, ...]


def text_item(key: str, values: Sequence[bytes]) -> Mp4Item:
    """Make an item of UTF-8 texts."""
    return Mp4Item(key, _item(key, [(1, value) for value in values]))


def number_item(key: str, values: Sequence[int]) -> Mp4Item:
    """Make an item of signed 16-bit integers, such as `tmpo`."""
    return Mp4Item(key, _item(key, [(21, struct.pack(">h", value)) for value in values]))


def _item(key: str, values: Sequence[tuple[int, bytes]]) -> bytes:
    """Bytes of an item whose values are given with Apple's number of their type."""
    data = b"".join(_atom(b"data", struct.pack(">II", kind, 0) + value) for kind, value in values)
    if key.startswith("----:"):
        _, mean, name = key.encode().split(b":", 2)
        return _atom(
            b"----", _atom(b"mean", bytes(4) + mean) + _atom(b"name", bytes(4) + name) + data
        )
    return _atom(key.encode("latin-1"), data)


def _atom(name: bytes, body: bytes) -> bytes:
    """Bytes of an atom."""
    return struct.pack(">I4s", len(body) + 8, name) + body


def read(file: BinaryIO) -> Movie:
    """Read the structure and the items of an open file.

    Raises
    ------
    LayoutError
        If the structure is damaged.
    """
    file_size = size_of(file)
    atoms = tuple(_top_level(file, file_size))
    movies = [atom for atom in atoms if atom.name == b"moov"]
    if len(movies) != 1 or movies[0].end > file_size or movies[0].size > MAX_MOOV_SIZE:
        raise LayoutError(DAMAGED_ATOMS)
    content = read_at(file, movies[0].start, movies[0].size)
    items: list[Mp4Item] = []
    path = _path_to_items(content)
    if len(path) == 4:
        for atom in _children(content, path[-1]):
            raw = content[atom.start : atom.end]
            items.append(Mp4Item(_key(raw), raw))
    return Movie(file_size, atoms, movies[0], content, tuple(items))


def sound_start(movie: Movie) -> float:
    """Time [s] that the edit list of the first track of sound leaves out at its begin.

    Without an edit list, it is the delay that iTunes notes in the item `iTunSMPB`.

    Raises
    ------
    LayoutError
        If the structure is damaged.
    """
    data = movie.content
    root = _root(data)
    for track in (atom for atom in _children(data, root) if atom.name == b"trak"):
        media = _child(data, track, b"mdia")
        handler = media and _child(data, media, b"hdlr")
        header = media and _child(data, media, b"mdhd")
        if not (handler and header) or data[handler.body + 8 : handler.body + 12] != b"soun":
            continue
        try:
            (scale,) = struct.unpack_from(
                ">I", data, header.body + (20 if data[header.body] else 12)
            )
            edits = _child(data, track, b"edts")
            table = edits and _child(data, edits, b"elst")
            skipped = _skipped(data, table) if table else _noted_delay(movie)
        except struct.error as error:
            raise LayoutError(DAMAGED_ATOMS) from error
        return skipped / scale if scale else 0.0
    return 0.0


def _skipped(data: bytes, table: Atom) -> int:
    """Begin of the first edit that is not empty, in units of its track."""
    wide, n_edits = data[table.body], struct.unpack_from(">I", data, table.body + 4)[0]
    form, size = (">Qq", 20) if wide else (">Ii", 12)
    for k in range(min(n_edits, (table.end - table.body - 8) // size)):
        _, begin = struct.unpack_from(form, data, table.body + 8 + k * size)
        if begin >= 0:
            return int(begin)
    return 0


def _noted_delay(movie: Movie) -> int:
    """Delay in samples that iTunes notes, in hexadecimal; 0 if there is none."""
    raw = next((item.raw for item in movie.items if item.key.endswith(":iTunSMPB")), b"")
    noted = re.search(rb" [0-9A-F]{8} ([0-9A-F]{8}) [0-9A-F]{8} ", raw)
    return int(noted[1], 16) if noted else 0


def _top_level(file: BinaryIO, file_size: int) -> Iterator[Atom]:
    """The atoms of the top level; LayoutError if a size is impossible."""
    position = 0
    while position + 8 <= file_size:
        header = read_at(file, position, 16)
        size, name = struct.unpack(">I4s", header[:8])
        if size == 0 and only_zeros(file, position):
            return
        head = 8
        if size == 1 and len(header) == 16:
            head, (size,) = 16, struct.unpack(">Q", header[8:])
        elif size == 0:  # by definition, the atom extends to the end of the file
            size = file_size - position
        if size < head:
            raise LayoutError(DAMAGED_ATOMS)
        yield Atom(name, position, head, size)
        position += size


def _children(data: bytes, parent: Atom) -> list[Atom]:
    """The atoms in the body of an atom; LayoutError if they do not fill it."""
    # The body of `meta` begins with four bytes of version and flags; `udta` may end with four
    # zeros.
    position = parent.body + 4 * (parent.name == b"meta")
    stop = parent.end
    found = []
    while position < stop:
        if parent.name == b"udta" and data[position:stop] == bytes(4):
            break
        if position + 8 > stop:
            raise LayoutError(DAMAGED_ATOMS)
        size, name = struct.unpack(">I4s", data[position : position + 8])
        if not 8 <= size <= stop - position:
            raise LayoutError(DAMAGED_ATOMS)
        found.append(Atom(name, position, 8, size))
        position += size
    return found


def _child(data: bytes, parent: Atom, name: bytes) -> Atom | None:
    """The first atom of a name in the body of an atom; None if there is none."""
    return next((atom for atom in _children(data, parent) if atom.name == name), None)


def _root(content: bytes) -> Atom:
    """The moov atom itself, with positions relative to its own start."""
    return Atom(b"moov", 0, 16 if content[:4] == b"\0\0\0\1" else 8, len(content))


def _path_to_items(content: bytes) -> list[Atom]:
    """The atoms moov, udta, meta and ilst, up to the first that does not exist."""
    path = [_root(content)]
    for name in (b"udta", b"meta", b"ilst"):
        child = _child(content, path[-1], name)
        if child is None:
            break
        path.append(child)
    return path


def _key(raw: bytes) -> str:
    """Key of an item, see `Mp4Item`."""
    name = raw[4:8]
    if name == b"----":
        parts = {atom.name: raw[atom.body + 4 : atom.end]
                 for atom in _children(raw, Atom(name, 0, 8, len(raw)))}  # fmt: skip
        name += b":" + parts.get(b"mean", b"") + b":" + parts.get(b"name", b"")
        return name.decode("utf-8", "replace")
    return name.decode("latin-1")


def replaced(
    file: BinaryIO, movie: Movie, dropped: Collection[str], new: Sequence[Mp4Item]
) -> list[Splice]:
    """Splices that replace the items with the keys `dropped` by the items `new`.

    The new items stand where the first dropped item stood, or at the end.

    Raises
    ------
    LayoutError
        If the structure is damaged, or positions of media would change that cannot be corrected.
    """
    place = next((n for n, item in enumerate(movie.items) if item.key in dropped), None)
    kept = [item.raw for item in movie.items if item.key not in dropped]
    place = len(kept) if place is None else place
    added = [item.raw for item in new]
    content = _with_items(movie.content, b"".join([*kept[:place], *added, *kept[place:]]))
    moov, grown = movie.moov, len(content) - movie.moov.size
    behind = next((atom for atom in movie.atoms if atom.start == moov.end), None)
    room = behind.size if behind and behind.name in (b"free", b"skip") else 0
    if grown and behind and (room == grown or room >= grown + 8) and room:
        spare = b"" if room == grown else _atom(b"free", bytes(room - grown - 8))
        return [Splice(moov.start, behind.end, content + spare)]
    if not grown or behind is None:
        return [Splice(moov.start, moov.end, content)]
    moved = [*_moved_in_fragments(file, movie, grown)]
    content = _moved_tables(content, moov.end, grown)
    return [Splice(moov.start, moov.end, content), *moved]


def _with_items(content: bytes, items: bytes) -> bytes:
    """Bytes of the moov atom with other items, of the same length if a `free` atom allows it."""
    path = _path_to_items(content)
    ilst = _atom(b"ilst", items)
    if len(path) < 4:
        # Add the missing atoms at the end of the innermost atom of the path that exists.
        parent = path[-1]
        inner = _children(content, parent)
        start = stop = inner[-1].end if inner else parent.body + 4 * (parent.name == b"meta")
        new = ilst + _atom(b"free", bytes(GROWTH_PADDING))
        if len(path) < 3:
            new = _atom(b"meta", bytes(4) + MUSIC_HANDLER + new)
        elif MUSIC_HANDLER[16:20] not in content[parent.body : parent.body + 40]:
            raise LayoutError("its tags are of another kind than those of music")
        if len(path) < 2:
            new = _atom(b"udta", new)
    else:
        old, parent = path.pop(), path[-1]
        start, stop = old.start, old.end
        following = next((a for a in _children(content, parent) if a.start == stop), None)
        if following and following.name == b"free":
            stop = following.end
        room = stop - start - len(ilst)
        if room and room < 8:
            room = GROWTH_PADDING
        new = ilst + (_atom(b"free", bytes(room - 8)) if room else b"")
    grown = len(new) - (stop - start)
    changed = bytearray(content)
    changed[start:stop] = new
    for atom in path:
        if atom.head == 16:
            struct.pack_into(">Q", changed, atom.start + 8, atom.size + grown)
        else:
            struct.pack_into(">I", changed, atom.start, atom.size + grown)
    return bytes(changed)


def _below(data: bytes, parent: Atom, path: Sequence[bytes]) -> Iterator[Atom]:
    """All atoms below `parent` at a path of names."""
    for atom in _children(data, parent):
        if atom.name == path[0]:
            yield from _below(data, atom, path[1:]) if path[1:] else (atom,)


def _moved_tables(content: bytes, edge: int, grown: int) -> bytes:
    """Bytes of the moov atom with `grown` added to all positions of media from byte `edge` on."""
    root = _root(content)
    changed = bytearray(content)
    if any(_below(content, root, (*MEDIA_TABLE, b"saio"))):
        raise LayoutError("it is encrypted")
    for name, form in ((b"stco", "I"), (b"co64", "Q")):
        for atom in _below(content, root, (*MEDIA_TABLE, name)):
            (count,) = struct.unpack_from(">I", content, atom.body + 4)
            form_all = f">{count}{form}"
            if 8 + struct.calcsize(form_all) > atom.size - atom.head:
                raise LayoutError(DAMAGED_ATOMS)
            old = struct.unpack_from(form_all, content, atom.body + 8)
            new = [offset + grown * (offset >= edge) for offset in old]
            if form == "I" and max(new, default=0) >= 1 << 32:
                raise LayoutError("it is too large for its positions to be moved")
            struct.pack_into(form_all, changed, atom.body + 8, *new)
    return bytes(changed)


def _moved_in_fragments(file: BinaryIO, movie: Movie, grown: int) -> Iterator[Splice]:
    """Splices that correct the absolute positions in the fragments of a file by `grown` bytes."""
    edge = movie.moov.end
    for atom in movie.atoms:
        if atom.name not in (b"moof", b"mfra", b"sidx"):
            continue
        if atom.end > movie.file_size or atom.size > MAX_MOOV_SIZE or atom.start < edge:
            raise LayoutError("its fragments cannot be moved")
        data = read_at(file, atom.start, atom.size)
        root = Atom(atom.name, 0, atom.head, atom.size)
        if atom.name == b"moof":
            for header in _below(data, root, (b"traf", b"tfhd")):
                if data[header.body + 3] & 1:  # base-data-offset-present
                    at = header.body + 8
                    (offset,) = struct.unpack_from(">Q", data, at)
                    if offset >= edge:
                        yield _number(atom.start + at, ">Q", offset + grown)
        elif atom.name == b"mfra":
            for table in _below(data, root, (b"tfra",)):
                yield from _moved_random_access(data, table, atom.start, grown)


def _moved_random_access(data: bytes, table: Atom, base: int, grown: int) -> Iterator[Splice]:
    """Splices that correct the positions of fragments in a `tfra` table, which players seek by.

    `data` holds the atom around the table, which begins at byte `base` of the file.
    """
    wide = data[table.body] == 1
    _, lengths, count = struct.unpack_from(">III", data, table.body + 4)
    tail = sum((lengths >> shift & 3) + 1 for shift in (4, 2, 0))
    at = table.body + 16
    for _ in range(count):
        at += 8 if wide else 4  # skip the time of the entry
        form = ">Q" if wide else ">I"
        (offset,) = struct.unpack_from(form, data, at)
        yield _number(base + at, form, offset + grown)
        at += (8 if wide else 4) + tail


def _number(at: int, form: str, number: int) -> Splice:
    """Splice that writes a number in a format of `struct` at a position."""
    return Splice(at, at + struct.calcsize(form), struct.pack(form, number))
