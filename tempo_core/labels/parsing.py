"""What the parsers share: HTML as a tree, JSON as plain values, texts as numbers."""

from __future__ import annotations

import json
import re
import warnings
from typing import Any

from bs4 import BeautifulSoup, Tag
from bs4.builder import ParserRejectedMarkup

from .http.errors import SourceError
from .record import Status, one_line

MAX_TAGS = 20_000  # of a page; real ones have some thousands
MAX_OBJECTS = 100  # of an array: results of a search, or artists of a song
MAX_DEPTH = 200  # of elements inside one another; in real pages there are some dozens
_CLOCK = re.compile(r"^(?:(\d{1,2}):)?(\d{1,3}):(\d{2})$")


def tree(html: str) -> BeautifulSoup:
    """Parse HTML, however broken.

    By lxml, for the time it takes grows as the page does: the standard library's parser and
    html5lib look to the end of the page for the end of each comment, each tag, each attribute.

    Raises
    ------
    SourceError
        If it is built to be unreadable.
    """
    if html.count("<") > MAX_TAGS:
        raise SourceError(Status.PARSE_ERROR, f"sends a page of more than {MAX_TAGS} elements")
    try:
        with warnings.catch_warnings():  # what a page looks like is nobody's business
            warnings.simplefilter("ignore", UserWarning)
            page = BeautifulSoup(html.replace("\0", ""), "lxml")
    except (RecursionError, AssertionError, ValueError, ParserRejectedMarkup) as error:
        raise SourceError(Status.PARSE_ERROR, "sends a page that cannot be read") from error
    depths = {id(page): 0}
    for tag in page.find_all(True):  # parents come first
        depths[id(tag)] = depths[id(tag.parent)] + 1
        if depths[id(tag)] > MAX_DEPTH:
            raise SourceError(Status.PARSE_ERROR, f"nests elements more than {MAX_DEPTH} deep")
    return page


def outermost(page: Tag, selector: str, limit: int) -> list[Tag]:
    """The first elements of a kind, without those inside of another: who searches each of these
    would search the innermost over and over."""
    found: list[Tag] = []
    inside: set[int] = set()
    for tag in page.select(selector, limit=limit):
        if not any(id(parent) in inside for parent in tag.parents):
            found.append(tag)
        inside.add(id(tag))
    return found


def text_of(tag: Tag | None) -> str:
    """The text of an element as one line; empty if there is no element."""
    return "" if tag is None else one_line(tag.get_text(" "))


def read_json(text: str) -> Any:
    """Parse JSON.

    Raises
    ------
    SourceError
        If it is none.
    """
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise SourceError(Status.PARSE_ERROR, "sends JSON that cannot be read") from error


def mapping(value: Any) -> dict[str, Any]:
    """A JSON object, or an empty one if it is something else."""
    return value if isinstance(value, dict) else {}


def objects(value: Any) -> list[dict[str, Any]]:
    """The first objects in a JSON array, none if it is something else."""
    values = value[:MAX_OBJECTS] if isinstance(value, list) else []
    return [item for item in values if isinstance(item, dict)]


def string(value: Any) -> str:
    """A JSON string or number as one line of text, empty for anything else."""
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        return ""
    return one_line(str(value))


def seconds(value: Any) -> float | None:
    """A duration, as a number of seconds or as `3:45`; None for anything else and for 0."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value) if 0 < value < 1e6 else None
    clock = _CLOCK.match(value.strip()) if isinstance(value, str) else None
    if clock is None:
        return None
    hours, minutes, rest = (int(group or 0) for group in clock.groups())
    return float(3600 * hours + 60 * minutes + rest) or None
