"""Decision whether a candidate of a source is the recording that was asked about.

The usual error in published labels is the page of another version. A fuzzy score does not prevent
it, because `Somebody to Love` and `Somebody to Love (Live)` are nearly the same text. So versions,
numerals, artists and durations have to fit first, each checked by a gate, and the likeness of the
titles decides only after that.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product

from rapidfuzz import fuzz

from .record import Candidate, TrackQuery
from .titles import (
    SPEEDS,
    Name,
    Title,
    Version,
    album_versions,
    artist_names,
    artist_versions,
    bilingual,
    is_foreign,
    main_artist,
    parse_title,
    romanise,
)

# Likeness (0 to 100) from which two names count as the same but for a typing error.
SAME_NAME_LIKENESS = 90.0
MAX_TITLE_LENGTH = 300  # [characters] titles and names of artists are cut to it
MAX_ARTISTS = 20  # further artists of a recording are ignored
# [characters] Titles up to this length must be equal, because one letter makes another word.
SHORT_TITLE_LENGTH = 12
# Differences of durations, in seconds and relative. Up to the first two the recording is the same.
# Catalogues round to seconds and encoders add some silence; the relative limit is half the
# tolerance of a tempo, because a copy at another speed differs in duration as much as in tempo.
# Beyond the other two it is another recording.
MAX_SAME_SECONDS, MAX_SAME_SHARE = 3.0, 0.02
MIN_OTHER_SECONDS, MIN_OTHER_SHARE = 10.0, 0.05


class Outcome(enum.Enum):
    """Outcome of the comparison of a track with a candidate, best first."""

    ACCEPTED = 0
    DOUBTFUL = 1  # worth the attention of a person, but no label
    REJECTED = 2


@dataclass(frozen=True)
class ComparedRecording:
    """One of the two recordings in a comparison; `duration` and `file_duration` are in seconds."""

    title: str
    artists: tuple[str, ...]
    album: str
    duration: float | None
    isrc: str | None
    file_duration: float | None = None

    @cached_property
    def parsed(self) -> Title:
        """The parts of the title."""
        return parse_title(" ".join(self.title.split())[:MAX_TITLE_LENGTH])

    @cached_property
    def versions(self) -> dict[str, frozenset[str]]:
        """Kinds of version in title, album and artist, each with the words that name it."""
        found: dict[str, frozenset[str]] = {}
        for version in (
            *self.parsed.versions,
            *album_versions(self.album),
            *artist_versions(self.artists[:MAX_ARTISTS]),
        ):
            found[version.kind] = found.get(version.kind, frozenset()) | version.words
        return found

    @cached_property
    def names(self) -> frozenset[str]:
        """Normalised names of the artists and guests; both names of bilingual ones."""
        return artist_names(name for text in self._credits for name in (text, *bilingual(text)))

    @cached_property
    def romanised(self) -> frozenset[str]:
        """Normalised names of artists and guests in another script, in Latin letters."""
        names = (name for text in self._credits for name in (text, *bilingual(text)))
        return artist_names(romanise(name) for name in names if is_foreign(name))

    @property
    def _credits(self) -> list[str]:
        names = (*self.artists[:MAX_ARTISTS], *self.parsed.guests)
        return [" ".join(name.split())[:MAX_TITLE_LENGTH] for name in names]


@dataclass(frozen=True)
class MatchPair:
    """A recording that was asked about (`ours`) and one that a source describes (`theirs`)."""

    ours: ComparedRecording
    theirs: ComparedRecording

    @cached_property
    def same_isrc(self) -> bool:
        """Whether both have the same ISRC, which means the same recording whatever its names."""
        ours, theirs = _code(self.ours.isrc), _code(self.theirs.isrc)
        return bool(ours) and ours == theirs

    @cached_property
    def spellings(self) -> list[tuple[Name, Name]]:
        """Pairs of names of the two songs to compare.

        Two romanised names are not compared, because romanising removes differences between names.
        """
        ours, theirs = self.ours.parsed.names, self.theirs.parsed.names
        return [(a, b) for a in ours for b in theirs if not (a.romanised and b.romanised)]

    @cached_property
    def same_numerals(self) -> list[tuple[Name, Name]]:
        """Those of `spellings` with the same numerals."""
        return [(a, b) for a, b in self.spellings if a.numerals == b.numerals]

    @cached_property
    def title_score(self) -> float:
        """Likeness of the titles, 0 to 100."""
        pairs = self.same_numerals or self.spellings
        return max((_same_title(a.words, b.words) for a, b in pairs), default=0.0)

    @cached_property
    def artist_score(self) -> float:
        """Likeness of the most similar pair of artists, 0 to 100."""
        ours, theirs = self.ours, self.theirs
        pairs = [
            *product(ours.names, theirs.names),
            *product(ours.romanised, theirs.names),
            *product(ours.names, theirs.romanised),
        ]
        return max((_same_name(a, b) for a, b in pairs), default=0.0)

    @cached_property
    def durations(self) -> tuple[float, float] | None:
        """Our and their duration [s], None if one of them is unknown.

        If our noted duration and that of the file differ, the one nearer to theirs is taken: one of
        the two is wrong, and that must not exclude the right page.
        """
        ours = [d for d in (self.ours.duration, self.ours.file_duration) if d]
        theirs = self.theirs.duration
        if not ours or not theirs:
            return None
        return min(ours, key=lambda duration: abs(theirs - duration)), theirs

    @property
    def duration_difference(self) -> float | None:
        """Their duration minus ours [s], None if one of them is unknown."""
        return None if self.durations is None else self.durations[1] - self.durations[0]


@dataclass(frozen=True)
class Match:
    """Result of the comparison of a track with a candidate.

    `reason` says what speaks against the candidate, empty if nothing does. `scores` has the
    likeness of titles and artists (0 to 100), the difference in duration [s] if it is known, and
    `isrc` if the codes are the same.
    """

    outcome: Outcome
    reason: str
    scores: dict[str, float]


# A condition that a pair must meet: its outcome, and the reason if it is not accepted.
Gate = Callable[[MatchPair], tuple[Outcome, str]]
_PASS = (Outcome.ACCEPTED, "")


def version_gate(pair: MatchPair) -> tuple[Outcome, str]:
    """Gate that rejects another version: live or studio, another remix, another speed."""
    ours, theirs = pair.ours.versions, pair.theirs.versions
    for kind in sorted(ours.keys() ^ theirs.keys()):
        return Outcome.REJECTED, f"version: {'ours' if kind in ours else 'theirs'} is {kind}"
    for kind in ours:
        a, b = ours[kind], theirs[kind]
        # If only one side names the concert, it may be the same; both have to name the remixer.
        compatible = a == b or bool(a & b) or (kind == "live" and not (a and b))
        if kind in SPEEDS:  # the degrees must agree: `Super Slowed` is slower than `Slowed`
            compatible = a == b
        if kind == "remix" and compatible and a != b:
            compatible = (
                fuzz.ratio(*(" ".join(sorted(words)) for words in (a, b))) >= SAME_NAME_LIKENESS
            )
        if not compatible:
            return Outcome.REJECTED, f"version: another {kind}"
    return _PASS


def numeral_gate(pair: MatchPair) -> tuple[Outcome, str]:
    """Gate that rejects titles with other numerals: part 1 is not part 2."""
    return _PASS if pair.same_numerals else (Outcome.REJECTED, "numerals")


def artist_gate(pair: MatchPair) -> tuple[Outcome, str]:
    """Gate that rejects recordings without an artist in common, unless the ISRC is the same."""
    if pair.same_isrc or pair.artist_score >= SAME_NAME_LIKENESS:
        return _PASS
    return Outcome.REJECTED, "artist"


def duration_gate(pair: MatchPair) -> tuple[Outcome, str]:
    """Gate for durations, which reveal unmarked other versions and copies at another speed."""
    if pair.durations is None:
        return _PASS
    ours, theirs = pair.durations
    difference = theirs - ours
    seconds, share = abs(difference), abs(difference) / ours
    if seconds > MIN_OTHER_SECONDS or (share > MIN_OTHER_SHARE and seconds > 1.5):
        return Outcome.REJECTED, f"duration ({difference:+.0f} s)"
    if share <= MAX_SAME_SHARE or seconds <= MAX_SAME_SECONDS:
        return _PASS
    return Outcome.DOUBTFUL, f"duration ({difference:+.0f} s)"


GATES: tuple[Gate, ...] = (version_gate, numeral_gate, artist_gate, duration_gate)


def judge(track: TrackQuery, candidate: Candidate, gates: Sequence[Gate] = GATES) -> Match:
    """Decide whether a candidate is the track, by the gates and the likeness of the titles."""
    pair = MatchPair(
        ComparedRecording(
            track.title,
            track.artists,
            track.album,
            track.duration,
            track.isrc,
            track.file_duration,
        ),
        ComparedRecording(
            candidate.title,
            candidate.artists,
            candidate.album,
            candidate.duration,
            candidate.isrc,
        ),
    )
    scores = {"title": round(pair.title_score, 1), "artist": round(pair.artist_score, 1)}
    if pair.duration_difference is not None:
        scores["duration"] = round(pair.duration_difference, 1)
    if pair.same_isrc:
        scores["isrc"] = 100.0
    if candidate.certain:
        return Match(Outcome.ACCEPTED, "", scores)
    outcome, reasons = Outcome.ACCEPTED, []
    for gate in gates:
        found, reason = gate(pair)
        if found is Outcome.REJECTED:
            return Match(found, reason, scores)
        if found is Outcome.DOUBTFUL:
            outcome = found
            reasons.append(reason)
    if not pair.same_isrc and pair.title_score < SAME_NAME_LIKENESS:
        return Match(Outcome.REJECTED, "title", scores)
    return Match(outcome, ", ".join(reasons), scores)


def queries(track: TrackQuery) -> Iterator[str]:
    """Texts to search for a track with, most specific first."""
    full = f"{track.artist} {track.title}".strip()
    yield full
    title = parse_title(track.title)
    remixer = " ".join(_words(title.versions))
    asked = {full.casefold()}
    sides = [name.words for name in title.names[1:] if not name.romanised]
    for words in (title.core, *sides):
        short = f"{main_artist(track.artist)} {words} {remixer}".strip()
        if short.casefold() not in asked:
            asked.add(short.casefold())
            yield short


def _words(versions: Sequence[Version]) -> Iterator[str]:
    """Words that name the versions in a search."""
    for version in versions:
        yield from sorted(version.words)
        if version.kind not in ("rerecorded", "take"):
            yield version.kind


def _same_title(a: str, b: str) -> float:
    """Likeness of two normalised titles, 0 to 100.

    Short ones that are not equal stay below `SAME_NAME_LIKENESS`.
    """
    if a.replace(" ", "") == b.replace(" ", ""):
        return 100.0
    likeness = fuzz.ratio(a, b)
    return (
        min(likeness, SAME_NAME_LIKENESS - 1)
        if min(len(a), len(b)) <= SHORT_TITLE_LENGTH
        else likeness
    )


def _same_name(a: str, b: str) -> float:
    """Likeness of two normalised names, 0 to 100; short ones have 0 unless they are equal."""
    if a.replace(" ", "") == b.replace(" ", ""):
        return 100.0
    return fuzz.ratio(a, b) if min(len(a), len(b)) > 5 else 0.0


def _code(isrc: str | None) -> str:
    """An ISRC in upper case without separators, empty if there is none."""
    return "".join(c for c in (isrc or "").upper() if c.isalnum())
