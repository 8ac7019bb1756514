"""Musical keys: reading in any notation, writing in one, and harmony on the Camelot wheel.

A key is a pitch class and a mode. It is written as `C` or `F#m`, with sharps only, as beets does.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

PITCH_CLASSES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
_NATURAL = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
_ACCIDENTAL = {"": 0, "#": 1, "b": -1}
_MAJOR = {"", "M", "ma", "maj", "major", "dur"}
_MINOR = {"-", "m", "mi", "min", "minor", "moll", "mol"}
_GERMAN_MODES = {"dur", "moll", "mol"}
_MODE = r"(?:[\s:_-]*([A-Z]+)\.?|\s*(-)|)$"
_NAME = re.compile(
    rf"^([A-G])(?:([#b])|[\s-]*(sharp|flat))?(?:\s*/\s*([A-G])([#b]?))?{_MODE}", re.IGNORECASE
)
_WORDS = {"sharp": "#", "flat": "b"}
# In German `As` and `Es` are flat notes like `Des` and `Ges`, and `B` is the note below `H`.
_GERMAN = re.compile(rf"^(?:([ae])(s)|([ac-h])(is)|([bcdfgh])(es)|([a-h])()){_MODE}", re.IGNORECASE)
_GERMAN_SIGN = {"": 0, "is": 1, "es": -1, "s": -1}
_WHEEL = re.compile(r"^(0?[1-9]|1[0-2])\s*([ABabDdMm])$")
# Separators of values, and of notations or other entries within one value.
_VALUES = re.compile(r"[;,|\0\n]")
_NOTATIONS = re.compile(
    r"[()\[\]{}/=]|\s-\s|(?<=[A-Za-z])-(?=\d)|(?<=\d)-(?=\w)|\s(?=\d)|(?<=\d[A-Za-z])\s"
)
_BESIDE = re.compile(r"^(?:energy|\d{1,3}(?:\.\d+)?(?:\s*bpm)?)$", re.IGNORECASE)
_SIGNS = str.maketrans(
    {"♯": "#", "♭": "b", "♮": "", **dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2212", "-")}
)
LONGEST_KEY = 100  # [characters] of a text that is read as a key


@dataclass(frozen=True)
class Key:
    """A key: `pitch_class` in 0..11, from C upwards, and whether it is `minor` (else major)."""

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
    """Key from text in any common notation; None if the text is no key.

    Understood are names (`F#m`, `Gb minor`, `c♯ Min`, `B♭`, `A:min`, `A-`, `F sharp minor`; a bare
    letter is major), both names at once (`G#/Ab Minor`), German names (`Es-Dur`, `fis-Moll`, `H`;
    `fis` alone is minor and `Fis` major), Camelot (`8A`, `12B`) and Open Key (`1m`, `7d`). The case
    of a lone `M`/`m` decides the mode, and the first letter is always the pitch: `b minor` is B
    minor. `B` is the German one, B flat, only where `Dur` or `Moll` says that it is German.

    Several notations of one key may stand together (`Am (8A)`), with numbers beside them
    (`8A - 7`, a key and an energy); where they differ it is None. Of several values (`Am; C`) the
    first that is a key counts.
    """
    if len(text) > LONGEST_KEY:
        return None
    text = unicodedata.normalize("NFKC", text).translate(_SIGNS)
    for value in _VALUES.split(text):
        key = _parse_value(" ".join(value.split()))
        if key is not None:
            return key
    return None


def _parse_value(text: str) -> Key | None:
    """Key from one value, in one notation or in several that agree; else None."""
    key = _parse_notation(text)
    if key is not None:
        return key
    if text != text.strip("/"):
        return None
    parts = [part.strip() for part in _NOTATIONS.split(text)]
    keys = {_parse_notation(part) for part in parts if part and not _BESIDE.match(part)}
    return keys.pop() if len(keys) == 1 else None


def _parse_notation(text: str) -> Key | None:
    """Key from a single notation; None if the text is none."""
    wheel = _WHEEL.match(text)
    if wheel:
        number, letter = int(wheel[1]), wheel[2].upper()
        minor = letter in "AM"
        fifths = number - 1 if letter in "DM" else number - 8
        major = 7 * fifths % 12  # seven semitones are a fifth, and 7 is its own inverse modulo 12
        return Key((major - 3) % 12 if minor else major, minor)
    return _parse_german(text) or _parse_name(text)


def _parse_name(text: str) -> Key | None:
    """Key from an English name, or two names of the same note (`G#/Ab`); else None."""
    name = _NAME.match(text)
    if name is None:
        return None
    letter, sign, word, other, other_sign, mode, minus = name.groups(default="")
    pitch_class = _pitch_class(letter, sign or _WORDS.get(word.lower(), ""))
    if other and _pitch_class(other, other_sign) != pitch_class:
        return None
    minor = _is_minor(mode or minus)
    return None if minor is None else Key(pitch_class, minor)


def _parse_german(text: str) -> Key | None:
    """Key from a name that must be German, by `H`, `Fis`, `Dur` or `Moll`; else None."""
    name = _GERMAN.match(text)
    if name is None:
        return None
    *groups, mode, minus = name.groups(default="")
    letter, sign, mode = "".join(groups[::2]), "".join(groups[1::2]), mode or minus
    minor = _is_minor(mode)
    german = bool(sign) or letter in "hH" or mode.lower() in _GERMAN_MODES
    if minor is None or not german:
        return None
    natural = {**_NATURAL, "H": 11}[letter.upper()]
    if not sign and letter in "bB":
        natural = 10  # `Bes`, the same in Dutch, has its sign
    # Without a word for the mode small letters are minor.
    return Key((natural + _GERMAN_SIGN[sign.lower()]) % 12, minor if mode else letter.islower())


def _is_minor(mode: str) -> bool | None:
    """Whether a word or sign means minor; None if it is no mode. `M` is major, `m` minor."""
    mode = mode if mode == "M" else mode.lower()
    return True if mode in _MINOR else False if mode in _MAJOR else None


def harmony(key: Key, other: Key) -> str | None:
    """Relation of two keys on the Camelot wheel; None if they clash.

    `same`; `neighbour`, one step around in the same mode (a fifth up or down); or `relative`, the
    other mode at the same place (A minor and C major).
    """
    steps = (key._fifths - other._fifths) % 12
    if steps == 0:
        return "same" if key.minor == other.minor else "relative"
    return "neighbour" if steps in (1, 11) and key.minor == other.minor else None


def from_numbers(pitch_class: int, mode: int) -> Key | None:
    """Key from the numbers of Spotify-like interfaces; None if they are no key.

    `pitch_class` is 0..11 from C upwards or -1 for unknown; `mode` is 1 for major, 0 for minor.
    """
    return Key(pitch_class, mode == 0) if 0 <= pitch_class < 12 and mode in (0, 1) else None


def _pitch_class(letter: str, sign: str) -> int:
    """Pitch class 0..11 of a note, from its letter and `#`, `b` or nothing."""
    return (_NATURAL[letter.upper()] + _ACCIDENTAL[sign.lower()]) % 12


def camelot(text: str) -> str | None:
    """The Camelot code of a key in any notation, `F#m` → `11A`; None for what is not a key."""
    key = parse_key(text)
    return None if key is None else key.camelot


def open_key(text: str) -> str | None:
    """The Open Key code of a key in any notation, `F#m` → `4m`; None for what is not a key."""
    key = parse_key(text)
    return None if key is None else key.open_key
