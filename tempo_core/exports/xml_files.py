"""XML of strangers, read piece by piece and without any of the dangers of XML; and written.

A document type is refused, and with it all entities; nothing else is ever opened. Memory is taken
for one track at a time.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO
from xml.etree.ElementTree import Element
from xml.parsers import expat

from ..errors import AudioError, LabelError, reason
from ..reading import RegularFile

LARGEST_FILE = 1 << 30  # [bytes] a collection of 100,000 tracks takes a tenth of it
LONGEST_TAG = 1 << 22  # [bytes] without the end of a tag
DEEPEST = 64  # elements within one another
MOST_CHILDREN = 100_000  # of one track: markers of beats and cues
_PIECE = 1 << 16  # [bytes] read at a time
_DECLARED = b'<?xml version="1.0" encoding="UTF-8"?>\n'
_QUOTED = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;"}
_MARKS = re.compile('[&<>"]')


class _Refused(Exception):
    """What is in the file is refused; the message says why."""


def root_of(path: Path) -> str | None:
    """Name of the outermost element of a file, empty if it has none; None if it is not XML.

    Raises
    ------
    LabelError
        If the file cannot be opened, or is in an encoding that nobody knows.
    """
    with _opened(path) as file:
        head = file.read(_PIECE)
    text = head.removeprefix(b"\xef\xbb\xbf").replace(b"\0", b"").lstrip(b"\xff\xfe \t\r\n")
    if not text.startswith(b"<"):
        return None
    found: list[str] = []

    def begin(name: str, *_: object) -> None:
        found.append(name)
        raise _Refused

    parser = expat.ParserCreate()
    parser.StartElementHandler = parser.StartDoctypeDeclHandler = begin
    try:
        parser.Parse(head, False)
    except (_Refused, expat.ExpatError):
        pass
    except (ValueError, LookupError) as error:
        raise LabelError(f"{path}: cannot be read ({reason(error)})") from error
    return found[0] if found else ""


def elements(path: Path, names: frozenset[str], inside: str) -> Iterator[Element]:
    """Elements with one of some names directly inside of another, each with all that is in it.

    Text between tags is left out: the formats have their values in attributes.

    Raises
    ------
    LabelError
        If the file cannot be read, is damaged, or has what this project does not read: a document
        type, a tag that is endless or in too many others.
    """
    found: list[Element] = []
    open_names: list[str] = []
    building: list[Element] = []

    def start(name: str, attributes: dict[str, str]) -> None:
        if len(open_names) >= DEEPEST:
            raise _Refused(f"more than {DEEPEST} elements in one another")
        if building:
            if len(building[-1]) >= MOST_CHILDREN:
                raise _Refused(f"more than {MOST_CHILDREN} elements in one")
            element = Element(name, attributes)
            building[-1].append(element)
            building.append(element)
        elif name in names and open_names and open_names[-1] == inside:
            building.append(Element(name, attributes))
        open_names.append(name)

    def end(name: str) -> None:
        open_names.pop()
        if building:
            element = building.pop()
            if not building:
                found.append(element)

    def doctype(*_: object) -> None:
        raise _Refused("a document type")

    parser = expat.ParserCreate()
    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.StartDoctypeDeclHandler = doctype
    parser.buffer_text = True
    n_read = 0
    with _opened(path) as file:
        try:
            while piece := file.read(_PIECE):
                n_read += len(piece)
                if n_read > LARGEST_FILE:
                    raise _Refused(f"more than {LARGEST_FILE >> 20} MB")
                parser.Parse(piece, False)
                if n_read - parser.CurrentByteIndex > LONGEST_TAG:
                    raise _Refused(f"a tag of more than {LONGEST_TAG >> 20} MB")
                yield from found
                found.clear()
            parser.Parse(b"", True)
            yield from found
        except _Refused as error:
            raise LabelError(f"{path}: has {error}, which is not read") from error
        except expat.ExpatError as error:
            told = f"line {error.lineno}: {expat.ErrorString(error.code)}"
            raise LabelError(f"{path}: is damaged or cut off ({told})") from error
        except (OSError, ValueError, LookupError) as error:
            raise LabelError(f"{path}: cannot be read ({reason(error)})") from error


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    try:
        file = RegularFile(path)
    except AudioError as error:
        raise LabelError(f"{path}: cannot be read ({error})") from error
    with file:
        yield file


class Writer:
    """Writer of XML, one tag a line; `content` has the whole file."""

    def __init__(self, standalone: str = "") -> None:
        declared = _DECLARED if not standalone else _DECLARED.replace(
            b"?>", f' standalone="{standalone}" ?>'.encode())  # fmt: skip
        self._lines = [declared.decode().rstrip("\n")]
        self._open: list[str] = []

    def start(self, name: str, **attributes: object) -> None:
        """Begin an element; attributes that are None are left out."""
        self._lines.append("  " * len(self._open) + f"<{name}{_written(attributes)}>")
        self._open.append(name)

    def end(self) -> None:
        """End the innermost open element."""
        name = self._open.pop()
        self._lines.append("  " * len(self._open) + f"</{name}>")

    def empty(self, name: str, **attributes: object) -> None:
        """An element with nothing in it."""
        self._lines.append("  " * len(self._open) + f"<{name}{_written(attributes)}></{name}>")

    @property
    def content(self) -> bytes:
        """The file so far."""
        return ("\n".join(self._lines) + "\n").encode()


def _written(attributes: dict[str, object]) -> str:
    return "".join(
        f' {name}="{_MARKS.sub(lambda mark: _QUOTED[mark[0]], str(value))}"'
        for name, value in attributes.items()
        if value is not None
    )
