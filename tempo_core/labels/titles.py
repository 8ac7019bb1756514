"""Titles and artist names taken apart: what a song is called, and which version of it this is.

`Rude (Zedd Remix) [feat. MAGIC!] - 2014 Remaster` is the song `rude` in the version `remix zedd`;
a remaster is the same recording, and the guest is one more artist. `봄날 (Spring Day)` is one song
under two names, each of which is enough, and `Kino` is `Кино` in other letters.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from unidecode import unidecode

# Of a title or a name, in characters; the rest is cut off. The time to bring accents into order, or
# to find spaces before a comma, grows with the square of their number.
MAX_NAME_LENGTH = 1000
_LETTERS = str.maketrans(
    {
        "♯": "#", "♭": "b", "&": " and ", "×": " x ", "’": "'", "‘": "'", "`": "'", "´": "'",
        "ø": "o", "ł": "l", "đ": "d", "æ": "ae", "œ": "oe", "ı": "i", "þ": "th", "ð": "d",
    }
)  # fmt: skip
_BRACKETS = re.compile(r"[(\[{（【]([^()\[\]{}（）【】]*)[)\]}）】]")
# Between two names of one song; the first stands where a bracket was.
_BETWEEN_NAMES = re.compile(r"\x1f|\s*[/|]\s*|\s+[-–—]\s+")
_DASH = re.compile(r"\s+[-–—]\s+")
_GUESTS = re.compile(r"(?:^|\s)(?:feat(?:uring|\.)?|ft\.?)\s+(.+)$", re.IGNORECASE)
_WITH = re.compile(r"^(?:with|w/)\s+(.+)$", re.IGNORECASE)
_BETWEEN_ARTISTS = re.compile(
    r"\s*[,;/+&×]\s*|\s+(?:feat(?:uring|\.)?|ft\.?|with|and|x|vs\.?)\s+", re.IGNORECASE
)

# Words that name the same recording in another edition.
_EDITION_WORDS = frozenset(
    "album anniversary audio bonus clean deluxe digital edit edition explicit extended full hd hq"
    " inch length lp lyric lyrics main mono music official original radio release single"
    " size soundtrack standard stereo the track tv uncensored uncut version video".split()
)
_REMASTER = re.compile(r"\bre ?master(ed|ing)?\b|\bsoundtrack\b|^from\b|\bbonus track\b")
# Words that name a mix, and those before them that do not make it another one.
_MIX = re.compile(
    r"\b(remix|rmx|mix|rework|re ?edit|refix|bootleg|flip|vip|dub|edit|version|ver)\b"
)
_MIX_NAME = re.compile(r"\b(remix|rmx|mix|rework|re ?edit|refix|bootleg|flip|edit|version|ver)\b")
_PLAIN_MIX_WORDS = _EDITION_WORDS | {"7", "12", "long", "short", "us", "uk"}
# Kinds of version, each with what gives it away in normalised words. Two different kinds are two
# recordings, or one at two speeds.
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
# The same said in other scripts, wherever it stands in the words as they are written.
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
# How much faster or slower: another degree is another tempo, and a bare word is one, too.
_DEGREE = re.compile(r"^(super|ultra|extra|hyper|mega|very|slightly|little|more|\d+x?|x\d+)$")
SPEEDS = ("sped", "slowed")
_COMPILED_PATTERNS = tuple((kind, re.compile(pattern)) for kind, pattern in _VERSION_PATTERNS)
# What may be left over of a live version without naming the concert.
_NOT_A_CONCERT = frozenset(
    "alive live version at in from on the a session sessions recording recorded acoustic unplugged"
    " concert of and remastered remaster".split()
)
# Only these kinds, said of an album, hold for each track on it.
_ALBUM_KINDS = ("live", "karaoke", "sped", "slowed", "mixed", "acoustic", "instrumental")
# What says of an album that it was played before people: a word for it, or a year after `live` or
# `alive`. `Alive`, `Live Through This` and `Long Live` are names of albums like any other.
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
    """One respect in which a recording is not the usual one: its kind, and words that name it."""

    kind: str
    words: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Name:
    """One way to write what a song is called, normalised, and the numbers in it.

    `romanised` says that it was made here from another script.
    """

    words: str
    romanised: bool = False

    @cached_property
    def numerals(self) -> tuple[int, ...]:
        words = self.words.split()
        return tuple(int(word) for word in words if word.isdecimal() and len(word) < 9)


@dataclass(frozen=True)
class Title:
    """`core` is the normalised song title without editions, versions and guests.

    `names` are all ways to write it: `core`, each side of a bilingual title, and what is in another
    script in Latin letters.
    """

    core: str
    versions: tuple[Version, ...] = ()
    guests: tuple[str, ...] = ()
    names: tuple[Name, ...] = ()


def normalise(text: str) -> str:
    """Letters and digits only, lower case, no accents, words with one space between them.

    A text without any letter or digit (`+`, `???`) stays as it is.
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
    """Take a title apart; see `Title`."""
    versions: list[Version] = []
    guests: list[str] = []

    def consume(segment: str) -> bool:
        """Whether a segment says something about the recording instead of naming the song."""
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
            named = classify(segment) or []  # the rest is where and when: `Live at X / July 1986`
        versions.extend(named)
        return True

    rest = text[:MAX_NAME_LENGTH]
    while True:
        bracket = _BRACKETS.search(rest)
        if bracket is None:
            break
        inside = bracket[1]
        # A sign instead of brackets, so that what belongs to the title is not found again.
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
    """Versions that a bracket or a suffix names: none for an edition of the same recording.

    None if it is neither, that is, a part of the song's title.
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
    """Versions that an album's title says of all its tracks: `Live at Leeds`, `Alive 2007`."""
    found = [*parse_title(album).versions]
    words = normalise(album)
    if _LIVE_ALBUM.search(words):
        said = classify(album) or []
        if not said:  # `Alive 2007`, which of a single track would be its name
            said = [Version("live", frozenset(words.split()) - _NOT_A_CONCERT)]
        found += said
    return tuple(dict.fromkeys(Version(v.kind, v.words) for v in found if v.kind in _ALBUM_KINDS))


def artist_names(names: Iterable[str]) -> frozenset[str]:
    """Normalised names of everybody in a list of artists, whole names and their parts.

    `Simon & Garfunkel` is one act and `Drake & Rihanna` are two; who knows both ways of reading
    finds the common one.
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
    """The sides of a text that names one thing in two scripts, one of them Latin; none if it does
    not: `봄날 (Spring Day)`, `Кино / Kino`."""
    parts = [part.strip() for part in _BETWEEN_NAMES.split(_BRACKETS.sub("\x1f\\1\x1f", text))]
    parts = [part for part in parts if any(c.isalpha() for c in part)]
    foreign = [part for part in parts if is_foreign(part)]
    latin = [part for part in parts if not is_foreign(part)]
    return (" ".join(latin), " ".join(foreign)) if latin and foreign else ()


def is_foreign(text: str) -> bool:
    """Whether there are letters of another script than the Latin one."""
    return any(c.isalpha() and "LATIN" not in unicodedata.name(c, "LATIN") for c in text)


def romanise(text: str) -> str:
    """A text in Latin letters: right for alphabets, syllables and kana, and for kanji it is not
    what a Japanese reads, so that it fits nothing."""
    return unidecode(unicodedata.normalize("NFKC", text))


def main_artist(name: str) -> str:
    """The first of the artists in a credit, as written."""
    name = name[:MAX_NAME_LENGTH]
    first, *_ = re.split(r"\s*[,;]\s*|\s+(?:feat\.?|ft\.?|featuring|vs\.?)\s+", name)
    return first.strip() or name


def artist_versions(names: Iterable[str]) -> tuple[Version, ...]:
    """`karaoke` for those who only play what others recorded."""
    words = " ".join(normalise(name) for name in names)
    pattern = r"\bkaraoke\b|\btribute\b|\bcover band\b|\bmade famous\b|\bbacking tracks?\b"
    return (Version("karaoke"),) if re.search(pattern, words) else ()


def _numerals_as_digits(words: str) -> str:
    """Write numbers as digits: `part two`, `volume ii` and a final `iii` are meant as numbers."""
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
