"""The `sound:` query: tracks by the words for what they sound like, answered by the database.

As for `pace:` (`queries.py`), SQLite itself looks into the text of the field, such as
`rock:0.81 slow:0.40`.
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any

from beets.dbcore.query import FieldQuery, InvalidQueryArgumentValueError

from tempo_core.sound_tags import parse_tags, word_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from beets.library import Album, Item

SOUND_TAGS = "sound_tags"
LIKELY = 0.5  # probability from which a word counts, unless the pattern says otherwise
_RANGE = re.compile(r"[-+0-9.eE\s]*|.*\.\..*")  # what is meant as a range behind a comma
_EXPECTED = "a range of probabilities from 0 to 1, such as 0.7.. or 0.2..0.5"
# The text with a space in front of each word, and behind the word the number, which `CAST` reads as
# far as it is one.
_TEXT = "(' ' || attribute.value)"
_BEHIND = f"substr({_TEXT}, instr({_TEXT}, word.value) + length(word.value))"
_HAS_WORD = (
    f"instr({_TEXT}, word.value) > 0 AND {_BEHIND} GLOB '[0-9.]*' "
    f"AND CAST({_BEHIND} AS REAL) BETWEEN ? AND ?"
)


class SoundQuery(FieldQuery[str]):
    """`sound:rock`, `sound:rock,0.7..`, `sound:hard rock`: tracks with a word, by its probability.

    Without a range the word has to be at 0.5 or more. A word that does not stand in the field, as
    it is less likely than 0.1 or the model does not know it, is in no range. Without a word all
    tracks match whose tags are known.

    Raises
    ------
    InvalidQueryArgumentValueError
        If what stands behind the last comma is meant as a range and is none.
    """

    def __init__(self, field_name: str, pattern: str, fast: bool = True) -> None:
        super().__init__(field_name, pattern, fast)
        name, comma, limits = pattern.rpartition(",")
        if comma and _RANGE.fullmatch(limits):
            self.low, self.high = _limits(limits)
        else:
            name, self.low, self.high = pattern, LIKELY, 1.0
        self.word = word_of(name)
        if not self.word and name.strip():
            raise InvalidQueryArgumentValueError(pattern, "a word such as rock")

    def clause(self) -> tuple[str, Sequence[Any]]:
        return self.col_clause()

    def col_clause(self) -> tuple[str, Sequence[Any]]:
        rows = "SELECT attribute.entity_id FROM item_attributes AS attribute"
        where = f"WHERE attribute.key = '{SOUND_TAGS}'"
        if not self.word:
            return f"items.id IN ({rows} {where})", ()
        return (
            f"items.id IN ({rows}, (SELECT ? AS value) AS word {where} AND {_HAS_WORD})",
            (f" {self.word}:", self.low, self.high),
        )

    def match(self, obj: Any) -> bool:
        return self._match_item(obj)

    def _match_item(self, item: Item) -> bool:
        text = item.get(SOUND_TAGS, with_album=False)
        if text is None or not self.word:
            return text is not None
        value = parse_tags(str(text)).get(self.word)
        return value is not None and self.low <= value <= self.high


def _limits(text: str) -> tuple[float, float]:
    """The least and the largest probability in a range: `0.7..`, `..0.3`, `0.2..0.5`.

    Raises
    ------
    InvalidQueryArgumentValueError
        If it is none.
    """
    low, dots, high = (part.strip() for part in text.partition(".."))
    try:
        limits = float(low or 0), float(high or 1)
    except ValueError:
        limits = math.nan, math.nan
    if not dots or not (low or high) or not 0 <= limits[0] <= limits[1] <= 1:
        raise InvalidQueryArgumentValueError(text, _EXPECTED)
    return limits


class AlbumSoundQuery(SoundQuery):
    """`beet ls -a sound:rock`: albums with at least one track that `SoundQuery` matches."""

    def col_clause(self) -> tuple[str, Sequence[Any]]:
        clause, values = super().col_clause()
        return f"albums.id IN (SELECT items.album_id FROM items WHERE {clause})", values

    def match(self, obj: Any) -> bool:
        album: Album = obj
        return any(self._match_item(item) for item in album.items())
