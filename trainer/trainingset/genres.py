"""The genre of a track as far as a training set needs it: a name to count by."""

from __future__ import annotations

import re

_BETWEEN = re.compile(r"[;,|\0]")  # between the genres of one track, by beets and in tags


def main_genre(text: str) -> str:
    """The first of the genres that a table or a tag names, in small letters, or empty.

    Of several genres the first one is the main one: both beets' `lastgenre` and most tags put it
    there.
    """
    names = (" ".join(part.split()).casefold() for part in _BETWEEN.split(text))
    return next((name for name in names if name), "")
