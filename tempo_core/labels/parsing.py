"""Functions shared by the parsers of the sources, for HTML, JSON and durations."""

from __future__ import annotations

import json
import re
import warnings
from typing import Any

from bs4 import BeautifulSoup, Tag
from bs4.builder import ParserRejectedMarkup

from .http.errors import SourceError
from .record import Status, one_line

MAX_TAGS = 20_000  # HTML tags of a page; real pages have some thousands
MAX_OBJECTS = 100  # objects read of a JSON array, such as results of a search or artists of a song
MAX_DEPTH = 200  # nested HTML elements; real pages have some dozens
_CLOCK = re.compile(r"^(?:(\d{1,2}):)?(\d{1,3}):(\d{2})$")


def tree(html: str) -> BeautifulSoup:
    """Parse HTML, which need not be valid.

    lxml is used because its time grows linearly with the length of the page. The parser of the
    standard library and html5lib may scan to the end of the page for every comment, tag and
    attribute that is not closed.

    Raises
    ------
    SourceError
        If the page has too many or too deeply nested elements, or cannot be parsed.
    """
    if html.count("<") > MAX_TAGS:
        raise SourceError(Status.PARSE_ERROR, f"sends a page of more than {MAX_TAGS} elements")
    try:
        with warnings.catch_warnings():  # warnings about the content of a page help no user
            warnings.simplefilter("ignore", UserWarning)
            page = BeautifulSoup(html.replace("\0", ""), "lxml")
    except (RecursionError, AssertionError, ValueError, ParserRejectedMarkup) as error:
        raise SourceError(Status.PARSE_ERROR, "sends a page that cannot be read") from error
    depths = {id(page): 0}
    for tag in page.find_all(True):  # yields parents before their children
        depths[id(tag)] = depths[id(tag.parent)] + 1
        if depths[id(tag)] > MAX_DEPTH:
            raise SourceError(Status.PARSE_ERROR, f"nests elements more than {MAX_DEPTH} deep")
    return page


def outermost(page: Tag, selector: str, limit: int) -> list[Tag]:
    """The elements among the first `limit` matches of a selector that are in no other match.

    Searching in nested matches, too, would search the innermost of them over and over.
    """
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
        If the text is not valid JSON.
    """
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise SourceError(Status.PARSE_ERROR, "sends JSON that cannot be read") from error


def mapping(value: Any) -> dict[str, Any]:
    """The value if it is a JSON object, otherwise an empty object."""
    return value if isinstance(value, dict) else {}


def objects(value: Any) -> list[dict[str, Any]]:
    """The objects among the first `MAX_OBJECTS` values of a JSON array; none if it is no array."""
    values = value[:MAX_OBJECTS] if isinstance(value, list) else []
    return [item for item in values if isinstance(item, dict)]


def string(value: Any) -> str:
    """A JSON string or number as one line of text; empty for any other value."""
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        return ""
    return one_line(str(value))


def seconds(value: Any) -> float | None:
    """Read a duration [s], a number or a text such as `3:45`; None if it is 0 or anything else."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value) if 0 < value < 1e6 else None
    clock = _CLOCK.match(value.strip()) if isinstance(value, str) else None
    if clock is None:
        return None
    hours, minutes, rest = (int(group or 0) for group in clock.groups())
    return float(3600 * hours + 60 * minutes + rest) or None
