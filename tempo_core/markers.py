"""Markers, which tell this program's own values in files from those of others.

A tag of a tempo or a key does not say who wrote it. So beside a value of its own this program
writes a second tag, the marker: the value and its origin, `127.98 model:tempo-20261128@f00cd0d1` or
`F#m model:key-20261128@4e273c77`. If the tag holds the value of the marker, it comes from the
program; if it differs, a person or another program has changed it since.

A tempo that a person set with this program has a marker too, `127.98 manual`, because the tag may
hold a whole number only.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from .keys import Key, parse_key
from .tempi import is_tempo, round_half_up

V = TypeVar("V")
MANUAL = "manual"  # the origin of a value that a person set
_FORM = re.compile(rf"(\S+) ((?:model|label):\S.*|{MANUAL})")
_TEMPO = re.compile(r"\d{1,3}(?:\.\d+)?")


@dataclass(frozen=True)
class Marker(Generic[V]):
    """Content of a marker: a value, and its origin as in `tempo_source` and `tempo_key_source`."""

    kind: Kind[V]
    value: V
    source: str

    def __str__(self) -> str:
        return f"{self.kind.text(self.value)} {self.source}"

    def is_of(self, tag: Any) -> bool:
        """Whether the value in a tag is the one that was written together with this marker.

        A tempo may have been written as a whole number or with its decimals.
        """
        written = self.kind.tag_value(self.value), self.kind.read(str(self).partition(" ")[0])
        return tag is not None and tag in written

    @property
    def is_manual(self) -> bool:
        """Whether a person set the value."""
        return self.source == MANUAL


@dataclass(frozen=True)
class Kind(Generic[V]):
    """The markers of one kind of value.

    Parameters
    ----------
    tag
        Name of the marker's tag in all formats.
    text, read
        Value → text in the marker, and the inverse; None if the text is no value.
    tag_value
        Value → what stands in the tag that the marker belongs to.
    """

    tag: str
    text: Callable[[V], str]
    read: Callable[[str], V | None]
    tag_value: Callable[[V], Any]

    def __call__(self, value: V, source: str) -> Marker[V]:
        """The marker of a value."""
        return Marker(self, value, source)

    def parse(self, text: object) -> Marker[V] | None:
        """Marker from its text, the inverse of `str`; None if the text is no marker."""
        match = _FORM.fullmatch(text.strip()) if isinstance(text, str) else None
        value = self.read(match[1]) if match else None
        return Marker(self, value, match[2]) if match and value is not None else None


def _tempo_text(bpm: float) -> str:
    short = f"{bpm:.2f}"
    # 64.496 is 64 in the tag, but would be 65 as 64.50: then all digits are kept.
    return short if round_half_up(float(short)) == round_half_up(bpm) else str(bpm)


def _read_tempo(text: str) -> float | None:
    bpm = float(text) if _TEMPO.fullmatch(text) else None
    return bpm if is_tempo(bpm) else None


# A tag in another notation, `8A` for `Am`, was written by somebody else.
TEMPO_MARKER: Kind[float] = Kind("BEETS_TEMPO", _tempo_text, _read_tempo, round_half_up)
KEY_MARKER: Kind[Key] = Kind("BEETS_KEY", str, parse_key, str)
