"""Musical keys: read any notation, write one, and the wheel that says what mixes with what.

A key is a pitch class and a mode. Written form: `C`, `F#m`, sharps only, as beets stores it.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

PITCH_CLASSES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
_NATURAL = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
_ACCIDENTAL = {"": 0, "#": 1, "b": -1}
_MAJOR = {"", "M", "maj", "major", "dur"}
_MINOR = {"m", "min", "minor", "moll"}
_NAME = re.compile(
    r"^([A-G])(?:([#b])|[\s-]*(sharp|flat))?(?:/([A-G])([#b]?))?[\s:_-]*([A-Z]*)$", re.IGNORECASE
)
_WORDS = {"sharp": "#", "flat": "b"}
_WHEEL = re.compile(r"^(0?[1-9]|1[0-2])\s*([ABabDdMm])$")


@dataclass(frozen=True)
class Key:
    """`pitch_class` 0..11 from C upwards; `minor` or major."""

    pitch_class: int
    minor: bool

    def __str__(self) -> str:
        return PITCH_CLASSES[self.pitch_class] + ("m" if self.minor else "")

    @property
    def camelot(self) -> str:
        """Place on the Camelot wheel: `8A` is A minor, `8B` C major."""
        return f"{(self._fifths + 7) % 12 + 1}{'A' if self.minor else 'B'}"

    @property
    def open_key(self) -> str:
        """Place in the Open Key notation: `1m` is A minor, `1d` C major."""
        return f"{self._fifths + 1}{'m' if self.minor else 'd'}"

    @property
    def _fifths(self) -> int:
        """Steps from C along the circle of fifths; a minor key stands at its relative major."""
        return 7 * (self.pitch_class + (3 if self.minor else 0)) % 12


def parse_key(text: str) -> Key | None:
    """Read a key in any common notation; None for what is not a key.

    Understood are names (`F#m`, `Gb minor`, `c♯ Min`, `B♭`, `A:min`, `F sharp minor`; a bare letter
    is major), both names at once (`G#/Ab Minor`, refused where they differ), Camelot (`8A`, `12B`)
    and Open Key (`1m`, `7d`). The case of a lone `M`/`m` decides the mode, and the first letter is
    always the pitch: `b minor` is B minor.
    """
    text = unicodedata.normalize("NFKC", text).replace("♯", "#").replace("♭", "b").replace("♮", "")
    text = text.strip()
    wheel = _WHEEL.match(text)
    if wheel:
        number, letter = int(wheel[1]), wheel[2].upper()
        minor = letter in "AM"
        fifths = number - 1 if letter in "DM" else number - 8
        major = 7 * fifths % 12  # seven semitones are a fifth, and 7 is its own inverse modulo 12
        return Key((major - 3) % 12 if minor else major, minor)
    name = _NAME.match(text)
    if name is None:
        return None
    letter, sign, word, other, other_sign, mode = name.groups(default="")
    pitch_class = _pitch_class(letter, sign or _WORDS.get(word.lower(), ""))
    if other and _pitch_class(other, other_sign) != pitch_class:
        return None
    if mode not in ("M", "m"):
        mode = mode.lower()
    if mode not in _MAJOR | _MINOR:
        return None
    return Key(pitch_class, mode in _MINOR)


def harmony(key: Key, other: Key) -> str | None:
    """How two keys stand to each other on the Camelot wheel; None if they clash.

    `same`; `neighbour`, one step around in the same mode (a fifth up or down); or `relative`, the
    other mode at the same place (A minor and C major).
    """
    steps = (key._fifths - other._fifths) % 12
    if steps == 0:
        return "same" if key.minor == other.minor else "relative"
    return "neighbour" if steps in (1, 11) and key.minor == other.minor else None


def from_numbers(pitch_class: int, mode: int) -> Key | None:
    """The key of Spotify-like interfaces: 0..11 from C and 1 for major; None for -1, unknown."""
    return Key(pitch_class, mode == 0) if 0 <= pitch_class < 12 and mode in (0, 1) else None


def _pitch_class(letter: str, sign: str) -> int:
    return (_NATURAL[letter.upper()] + _ACCIDENTAL[sign.lower()]) % 12


def camelot(text: str) -> str | None:
    """The Camelot code of a key in any notation, `F#m` → `11A`; None for what is not a key."""
    key = parse_key(text)
    return None if key is None else key.camelot
