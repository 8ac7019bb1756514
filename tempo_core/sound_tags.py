"""Words for the sound of a track, and how they are written: `rock:0.81 slow:0.40`.

beets reads this module at every start, so it imports nothing heavy.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

LEAST = 0.1  # probability below which a tag is not written
MOST = 12  # tags that are written of one track
_FIELD = re.compile(r"[A-Za-z_][\w-]{0,29}")
_GAPS = re.compile(r"[\s:,;]+")


class Tag(NamedTuple):
    """A word for a sound, and the field of a library whose values it was learned from.

    `field` is empty for the words that a model of the package knows.
    """

    field: str
    name: str

    @classmethod
    def parse(cls, text: str) -> Tag:
        """The inverse of `str`: `genres:Hip-Hop` is of the field `genres`."""
        field, _, name = text.partition(":")
        return cls(field, name)

    def __str__(self) -> str:
        return f"{self.field}:{self.name}"

    @property
    def word(self) -> str:
        """The name as it is written in a field and in a query, see `word_of`."""
        return word_of(self.name)


def is_field(text: str) -> bool:
    """Whether a text can be the name of a field that tags are of."""
    return _FIELD.fullmatch(text) is not None


def word_of(name: str) -> str:
    """A name in small letters without spaces: `hard-rock` of `Hard Rock`."""
    return _GAPS.sub("-", name.strip().lower()).strip("-")


def by_word(tags: Mapping[Tag, float]) -> dict[str, float]:
    """Probabilities by the words, the most probable first.

    Of tags that are written alike the one that was learned from a field counts.
    """
    ordered = sorted(tags.items(), key=lambda one: (one[0].field != "", one[1]))
    words = {tag.word: probability for tag, probability in ordered if tag.word}
    return dict(sorted(words.items(), key=lambda one: -one[1]))


def plain_tags(tags: Mapping[Tag, float]) -> dict[str, float]:
    """All tags by their words, as in JSON, the most probable first."""
    return {word: round(probability, 4) for word, probability in by_word(tags).items()}


def format_tags(tags: Mapping[Tag, float]) -> str:
    """The likely tags as text, the most probable first: `rock:0.81 slow:0.40`."""
    return write_words(by_word(tags).items())


def write_words(words: Iterable[tuple[str, float]]) -> str:
    """Words and probabilities, the most probable first, as text; see `parse_tags`."""
    likely = [f"{word}:{value:.2f}" for word, value in words if value >= LEAST]
    return " ".join(likely[:MOST])


def parse_tags(text: str) -> dict[str, float]:
    """Probabilities by words of a text that `format_tags` wrote; what is otherwise is left out."""
    found: dict[str, float] = {}
    for part in text.split():
        word, separator, number = part.rpartition(":")
        try:
            value = float(number)
        except ValueError:
            continue
        if word and separator and 0 <= value <= 1:
            found.setdefault(word, value)
    return found
