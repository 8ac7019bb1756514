"""Parsing of titles and artist names: the name of the song, its version, and guests.

`Rude (Zedd Remix) [feat. MAGIC!] - 2014 Remaster` is the song `rude` in the version `remix zedd`; a
remaster is the same recording, and the guest is a further artist. `봄날 (Spring Day)` is one song
with two names, each of which identifies it, and `Kino` is `Кино` in Latin letters.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from unidecode import unidecode

# [characters] Titles and names are cut to it. The time to normalise accents, or to find spaces
# before a comma, grows with the square of the length.
MAX_NAME_LENGTH = 1000
_LETTERS = str.maketrans(
    {
        "♯": "#", "♭": "b", "&": " and ", "×": " x ", "’": "'", "‘": "'", "`": "'", "´": "'",
        "ø": "o", "ł": "l", "đ": "d", "æ": "ae", "œ": "oe", "ı": "i", "þ": "th", "ð": "d",
    }
)  # fmt: skip
_BRACKETS = re.compile(r"[(\[{（【]([^()\[\]{}（）【】]*)[)\]}）】]")
# Separators of two names of one song. The first is a control character that replaces brackets.
_BETWEEN_NAMES = re.compile(r"\x1f|\s*[/|]\s*|\s+[-–—]\s+")
_DASH = re.compile(r"\s+[-–—]\s+")
_GUESTS = re.compile(r"(?:^|\s)(?:feat(?:uring|\.)?|ft\.?)\s+(.+)$", re.IGNORECASE)
_WITH = re.compile(r"^(?:with|w/)\s+(.+)$", re.IGNORECASE)
_BETWEEN_ARTISTS = re.compile(
    r"\s*[,;/+&×]\s*|\s+(?:feat(?:uring|\.)?|ft\.?|with|and|x|vs\.?)\s+", re.IGNORECASE
)

# Words for another edition of the same recording.
_EDITION_WORDS = frozenset(
    "album anniversary audio bonus clean deluxe digital edit edition explicit extended full hd hq"
    " inch length lp lyric lyrics main mono music official original radio release single"
    " size soundtrack standard stereo the track tv uncensored uncut version video".split()
)
_REMASTER = re.compile(r"\bre ?master(ed|ing)?\b|\bsoundtrack\b|^from\b|\bbonus track\b")
# Words for a mix, and words that may stand before them without meaning another mix.
_MIX = re.compile(
    r"\b(remix|rmx|mix|rework|re ?edit|refix|bootleg|flip|vip|dub|edit|version|ver)\b"
)
_MIX_NAME = re.compile(r"\b(remix|rmx|mix|rework|re ?edit|refix|bootleg|flip|edit|version|ver)\b")
_PLAIN_MIX_WORDS = _EDITION_WORDS | {"7", "12", "long", "short", "us", "uk"}
# Kinds of version, each with a pattern that finds it in normalised words. Titles with different
# kinds are different recordings, or one recording at different speeds.
_VERSION_PATTERNS = (
    ("sped", r"\b(sped|speed) up\b|\bnightcore\b|\bfaster\b|\bspeed edit\b"),
    ("slowed", r"\bslowed\b|\bdaycore\b|\bscrewed\b|\bslow (version|reverb)\b|^reverb$"),
    ("pitched", r"\b8d\b|\bpitched\b|\b(432|440|528) ?hz\b"),
    (
        "karaoke",
        r"\bkaraoke\b|\btribute\b|\bcover$|\bcover version\b|^cover of\b|\bin the style of\b"
        r"|\bmade famous\b|\boriginally performed\b|\bbacking track\b|\bsing ?along\b",
    ),
    (
        "live",
        r"^live\b|\blive$|\blive (at|in|from|on|version|session|sessions|recording|acoustic)\b"
        r"|\bunplugged\b|\bin concert\b|\bsessions?$|\b(bbc|peel) session",
    ),
    ("acoustic", r"\bacoustic\b|\bunplugged\b|\bstripped\b"),
    ("instrumental", r"\binst(rumental)?\b"),
    ("acapella", r"\ba ?cap?pella\b"),
    ("demo", r"^demo\b|\bdemo$|\bdemo version\b|\brough mix\b"),
    ("reprise", r"\breprise\b"),
    ("intro", r"^intro\b|\bintro$"),
    ("outro", r"^outro\b|\boutro$"),
    ("interlude", r"\binterlude\b|\bskit\b"),
    ("mixed", r"^mixed$|\bmix cut\b|\bdj mix\b|\bcontinuous mix\b|\bmegamix\b|\bmedley\b"),
    ("mashup", r"\bmash ?up\b"),
    ("take", r"\btake \d+\b|\balternat(e|ive) (take|version|mix)\b|\bout ?take\b|\brehearsal\b"),
    ("rerecorded", r"\bre ?record(ed|ing)\b|\b[a-z]+s version$"),
    ("arranged", r"\bpiano\b|\borchestra(l)?\b|\bsymphonic\b|\blullaby\b|\b8 bit\b|\blo ?fi\b"),
)
# Patterns in other scripts, searched for in the text before it is normalised.
_FOREIGN_PATTERNS = tuple(
    (kind, re.compile(pattern, re.IGNORECASE))
    for kind, pattern in (
        ("live", r"ライ[ブヴ]|라이브|现场|現場|концерт|живьём|живьем"),
        ("remix", r"リミックス|리믹스|ремикс|混音"),
        ("acoustic", r"アコースティック|어쿠스틱|акустик|акустичес|不插电"),
        ("instrumental", r"インスト|인스트|инструментал|伴奏"),
        ("karaoke", r"カラオケ|노래방|караоке|минусовка"),
    )
)
# Words for how much faster or slower a copy is. Another degree, or none, is another tempo.
_DEGREE = re.compile(r"^(super|ultra|extra|hyper|mega|very|slightly|little|more|\d+x?|x\d+)$")
SPEEDS = ("sped", "slowed")
_COMPILED_PATTERNS = tuple((kind, re.compile(pattern)) for kind, pattern in _VERSION_PATTERNS)
# Words of a live version that do not name the concert.
_NOT_A_CONCERT = frozenset(
    "alive live version at in from on the a session sessions recording recorded acoustic unplugged"
    " concert of and remastered remaster".split()
)
# Kinds of version that hold for each track if the title of the album names them.
_ALBUM_KINDS = ("live", "karaoke", "sped", "slowed", "mixed", "acoustic", "instrumental")
# Pattern of the titles of live albums: a word for it, or a year after `live` or `alive`. `Alive`,
# `Live Through This` and `Long Live` do not match, because they are ordinary titles.
_LIVE_ALBUM = re.compile(
    r"^live$|\blive (at|in|from)\b|\ba?live (19|20)?\d\d\b|\b(19|20)\d\d live\b|\bunplugged\b"
    r"|\blive (album|ep|recordings?|sessions?|tracks|tapes|bootlegs?|concerts?|tour|on tour)\b"
    r"|\bin concert\b|\bon stage\b|\b(bbc|peel|radio) sessions?\b|\bconcert (at|in)\b|\bkaraoke\b"
)
_UNBRACKETED = re.compile(
    r"\s(remix|karaoke|instrumental|nightcore|acapella"
    r"|(?:(?:super|ultra|extra|hyper) )?(?:sped up|slowed))$"
)

_SPELLED_OUT = {"pt": "part", "pts": "parts", "vol": "volume", "n": "and", "nr": "number"}
_NUMBERED_WORDS = frozenset(
    "part parts volume number chapter act book movement side episode".split()
)
_NUMBER_WORDS = {
    word: n for n, word in enumerate("one two three four five six seven eight".split(), 1)
}
_ROMAN_NUMERALS = {
    word: n for n, word in enumerate("i ii iii iv v vi vii viii ix x xi xii xiii xiv xv".split(), 1)
}
_GENERIC_ARTISTS = frozenset(
    ("various", "various artists", "unknown", "unknown artist", "friends", "dj")
)


@dataclass(frozen=True)
class Version:
    """A way in which a recording differs from the original: its kind, and words that specify it."""

    kind: str
    words: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Name:
    """One of the names of a song, normalised.

    `romanised` says that it was transcribed here from another script.
    """

    words: str
    romanised: bool = False

    @cached_property
    def numerals(self) -> tuple[int, ...]:
        """The numbers in the name, in their order; those of nine or more digits are left out."""
        words = self.words.split()
        return tuple(int(word) for word in words if word.isdecimal() and len(word) < 9)


@dataclass(frozen=True)
class Title:
    """The parts of a title.

    `core` is the normalised name of the song without editions, versions and guests. `names` are all
    its names: `core`, each side of a bilingual title, and those in another script also in Latin
    letters. `guests` are names of artists as written.
    """

    core: str
    versions: tuple[Version, ...] = ()
    guests: tuple[str, ...] = ()
    names: tuple[Name, ...] = ()


def normalise(text: str) -> str:
    """Reduce a text to lower-case letters without accents and digits, in words with single spaces.

    A text without any letter or digit (`+`, `???`) is kept as it is.
    """
    text = unicodedata.normalize("NFKD", text[:MAX_NAME_LENGTH].casefold().translate(_LETTERS))
    text = "".join(
        c for c in text if not unicodedata.combining(c) and unicodedata.category(c) != "Cf"
    ).casefold()
    # A$AP, P!nk, Ke$ha
    text = re.sub(r"(?<=\w)\$(?=\w)", "s", re.sub(r"(?<=\w)!(?=\w)", "i", text))
    text = re.sub(r"(?<=[^\W\d])\.(?=[^\W\d]\b)", "", text.replace("'", ""))  # R.E.M.
    words = re.findall(r"[^\W_]+", text)
    plain = " ".join(_SPELLED_OUT.get(word, word) for word in words) or " ".join(text.split())
    return unicodedata.normalize("NFC", plain)


def parse_title(text: str) -> Title:
    """Parse a title into its parts."""
    versions: list[Version] = []
    guests: list[str] = []

    def consume(segment: str) -> bool:
        """Whether a segment is about guests or the version, which are then noted, not the name."""
        found = _GUESTS.search(segment) or _WITH.match(segment)
        if found:
            guests.append(found[1])
            segment = segment[: found.start()]
            if not segment.strip():
                return True
        parts = [classify(part) for part in re.split(r"\s*[/;|]\s*", segment)]
        known = [part for part in parts if part is not None]
        named = [version for part in known for version in part]
        if len(known) < len(parts):
            if not any(version.kind == "live" for version in named):
                return False
            named = classify(segment) or []  # other parts say where and when: `Live at X / 1986`
        versions.extend(named)
        return True

    rest = text[:MAX_NAME_LENGTH]
    while True:
        bracket = _BRACKETS.search(rest)
        if bracket is None:
            break
        inside = bracket[1]
        # Replace the brackets by a control character, so that the next search does not find them.
        kept = "" if consume(inside) else f"\x1f{inside.strip()}\x1f"
        rest = rest[: bracket.start()] + " " + kept + " " + rest[bracket.end() :]
    first, *segments = _DASH.split(rest.strip())
    first = "\x1f".join([first, *(segment for segment in segments if not consume(segment))])
    guest = _GUESTS.search(first)
    if guest and guest.start() > 0:
        guests.append(guest[1])
        first = first[: guest.start()]
    words = normalise(first) or normalise(text)
    bare = _UNBRACKETED.search(words)
    if bare:
        versions.extend(classify(bare[1]) or ())
        words = words[: bare.start()]
    words = _numerals_as_digits(words)
    names = [Name(words)]
    for side in bilingual(first):
        names.append(Name(_numerals_as_digits(normalise(side))))
    for foreign in filter(is_foreign, (first, *bilingual(first))):
        names.append(Name(_numerals_as_digits(normalise(romanise(foreign))), romanised=True))
    return Title(
        words,
        tuple(dict.fromkeys(versions)),
        tuple(guests),
        tuple(dict.fromkeys(name for name in names if name.words)),
    )


def classify(segment: str) -> list[Version] | None:
    """Versions that a bracket or suffix names; an empty list for an edition of the same recording.

    None means that the text is about neither, so that it is part of the name of the song.
    """
    words = normalise(segment)
    if not words:
        return []
    versions = [Version(kind) for kind, pattern in _FOREIGN_PATTERNS if pattern.search(segment)]
    for kind, pattern in _COMPILED_PATTERNS:
        if pattern.search(words):
            said: frozenset[str] = frozenset()
            if kind == "live":
                said = frozenset(w for w in words.split() if len(w) > 1) - _NOT_A_CONCERT
            elif kind in SPEEDS:
                said = frozenset(w for w in words.split() if _DEGREE.match(w))
            versions.append(Version(kind, said))
    if versions:
        return versions
    if _REMASTER.search(words):
        return []
    if _MIX.search(words):
        name = frozenset(_MIX_NAME.sub(" ", words).split()) - _PLAIN_MIX_WORDS
        name = frozenset(word for word in name if not re.fullmatch(r"(19|20)\d\d", word))
        strong = re.search(r"\b(remix|rmx|rework|refix|bootleg|flip|vip|dub|re ?edit)\b", words)
        return [Version("remix", name)] if name or strong or words == "mix" else []
    return [] if set(words.split()) <= _EDITION_WORDS else None


def album_versions(album: str) -> tuple[Version, ...]:
    """Versions of all tracks of an album, from its title: `Live at Leeds`, `Alive 2007`."""
    found = [*parse_title(album).versions]
    words = normalise(album)
    if _LIVE_ALBUM.search(words):
        said = classify(album) or []
        if not said:  # such as `Alive 2007`, which `classify` takes for the name of a track
            said = [Version("live", frozenset(words.split()) - _NOT_A_CONCERT)]
        found += said
    return tuple(dict.fromkeys(Version(v.kind, v.words) for v in found if v.kind in _ALBUM_KINDS))


def artist_names(names: Iterable[str]) -> frozenset[str]:
    """Normalised names of all artists in a list, whole names and their parts.

    `Simon & Garfunkel` is one act and `Drake & Rihanna` are two, so both the whole and the parts
    are needed to find a common artist. Generic names such as `various artists` are left out.
    """
    found = set()
    for name in names:
        parts = _BETWEEN_ARTISTS.split(name[:MAX_NAME_LENGTH])
        for part in (name, *(part for part in parts if len(part) > 2)):
            plain = normalise(part).removeprefix("the ")
            if plain and plain not in _GENERIC_ARTISTS:
                found.add(plain)
    return frozenset(found)


def bilingual(text: str) -> tuple[str, ...]:
    """The two sides of a text such as `봄날 (Spring Day)` or `Кино / Kino`, the Latin one first.

    Empty if the text is not in two scripts of which one is Latin.
    """
    parts = [part.strip() for part in _BETWEEN_NAMES.split(_BRACKETS.sub("\x1f\\1\x1f", text))]
    parts = [part for part in parts if any(c.isalpha() for c in part)]
    foreign = [part for part in parts if is_foreign(part)]
    latin = [part for part in parts if not is_foreign(part)]
    return (" ".join(latin), " ".join(foreign)) if latin and foreign else ()


def is_foreign(text: str) -> bool:
    """Whether a text has letters of another script than the Latin one."""
    return any(c.isalpha() and "LATIN" not in unicodedata.name(c, "LATIN") for c in text)


def romanise(text: str) -> str:
    """Transcribe a text to Latin letters.

    The result is usable for alphabets, Hangul and kana. Kanji are read as Chinese, so that Japanese
    names with them match nothing.
    """
    return unidecode(unicodedata.normalize("NFKC", text))


def main_artist(name: str) -> str:
    """First of the artists in a credit, as written."""
    name = name[:MAX_NAME_LENGTH]
    first, *_ = re.split(r"\s*[,;]\s*|\s+(?:feat\.?|ft\.?|featuring|vs\.?)\s+", name)
    return first.strip() or name


def artist_versions(names: Iterable[str]) -> tuple[Version, ...]:
    """Versions that the names of the artists imply: `karaoke` for tribute and karaoke bands."""
    words = " ".join(normalise(name) for name in names)
    pattern = r"\bkaraoke\b|\btribute\b|\bcover band\b|\bmade famous\b|\bbacking tracks?\b"
    return (Version("karaoke"),) if re.search(pattern, words) else ()


def _numerals_as_digits(words: str) -> str:
    """Replace numerals by digits: those after words such as `part`, and Roman ones from `ii` on."""
    tokens = words.split(" ")
    for i, token in enumerate(tokens):
        after = i > 0 and tokens[i - 1] in _NUMBERED_WORDS
        value = None
        if token.isdecimal():
            value = int(token)
        elif after:
            value = _NUMBER_WORDS.get(token, _ROMAN_NUMERALS.get(token))
        elif i > 0 and len(token) > 1:
            value = _ROMAN_NUMERALS.get(token)
        if value is not None:
            tokens[i] = str(value)
    return " ".join(tokens)
