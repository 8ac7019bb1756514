"""Whether what a source describes is the recording at hand: hard gates first, then likeness.

The usual error in published labels is the page of another version. Likeness does not prevent it: by
any fuzzy score `Somebody to Love` and `Somebody to Love (Live)` are nearly the same. So versions,
numerals, artists and durations have to fit before likeness is asked at all, and where one does not,
no score helps.
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

SAME_NAME_LIKENESS = 90.0  # [0..100] likeness from which two names differ by a typing error
MAX_TITLE_LENGTH, MAX_ARTISTS = 300, 20  # more of either is no song
SHORT_TITLE_LENGTH = (
    12  # [characters] a title up to here has to be the same: one letter makes another word
)
# Durations. A copy at another speed differs in duration as it differs in tempo, and 2 % is half the
# tolerance of a tempo. Catalogues round to seconds, and encoders add some silence.
MAX_SAME_SECONDS, MAX_SAME_SHARE = 3.0, 0.02
MIN_OTHER_SECONDS, MIN_OTHER_SHARE = 10.0, 0.05


class Outcome(enum.Enum):
    """Of a comparison, worst last."""

    ACCEPTED = 0
    DOUBTFUL = 1  # perhaps: good enough for a person to look at, not for a label
    REJECTED = 2


@dataclass(frozen=True)
class ComparedRecording:
    """One of the two recordings in a comparison."""

    title: str
    artists: tuple[str, ...]
    album: str
    duration: float | None
    isrc: str | None
    file_duration: float | None = None

    @cached_property
    def parsed(self) -> Title:
        return parse_title(" ".join(self.title.split())[:MAX_TITLE_LENGTH])

    @cached_property
    def versions(self) -> dict[str, frozenset[str]]:
        """Kinds of version with the words that name it, from title, album and artist."""
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
        """Names of the artists, both of those with two."""
        return artist_names(name for text in self._credits for name in (text, *bilingual(text)))

    @cached_property
    def romanised(self) -> frozenset[str]:
        """Names of the artists that are in another script, in Latin letters."""
        names = (name for text in self._credits for name in (text, *bilingual(text)))
        return artist_names(romanise(name) for name in names if is_foreign(name))

    @property
    def _credits(self) -> list[str]:
        names = (*self.artists[:MAX_ARTISTS], *self.parsed.guests)
        return [" ".join(name.split())[:MAX_TITLE_LENGTH] for name in names]


@dataclass(frozen=True)
class MatchPair:
    """What is at hand, and what a source describes."""

    ours: ComparedRecording
    theirs: ComparedRecording

    @cached_property
    def same_isrc(self) -> bool:
        """Whether both carry the same code: the same recording under whatever names."""
        ours, theirs = _code(self.ours.isrc), _code(self.theirs.isrc)
        return bool(ours) and ours == theirs

    @cached_property
    def spellings(self) -> list[tuple[Name, Name]]:
        """Names of the two songs that can be compared: what was romanised is no evidence against
        what was romanised, for it has lost what tells two names apart."""
        ours, theirs = self.ours.parsed.names, self.theirs.parsed.names
        return [(a, b) for a in ours for b in theirs if not (a.romanised and b.romanised)]

    @cached_property
    def same_numerals(self) -> list[tuple[Name, Name]]:
        return [(a, b) for a, b in self.spellings if a.numerals == b.numerals]

    @cached_property
    def title_score(self) -> float:
        pairs = self.same_numerals or self.spellings
        return max((_same_title(a.words, b.words) for a, b in pairs), default=0.0)

    @cached_property
    def artist_score(self) -> float:
        ours, theirs = self.ours, self.theirs
        pairs = [
            *product(ours.names, theirs.names),
            *product(ours.romanised, theirs.names),
            *product(ours.names, theirs.romanised),
        ]
        return max((_same_name(a, b) for a, b in pairs), default=0.0)

    @cached_property
    def durations(self) -> tuple[float, float] | None:
        """Ours and theirs [s], None if one of them is unknown.

        Of two of ours the nearest: one of them is wrong then, and that is no reason to refuse the
        right page.
        """
        ours = [d for d in (self.ours.duration, self.ours.file_duration) if d]
        theirs = self.theirs.duration
        if not ours or not theirs:
            return None
        return min(ours, key=lambda duration: abs(theirs - duration)), theirs

    @property
    def duration_difference(self) -> float | None:
        """Theirs minus ours [s], None if one of them is unknown."""
        return None if self.durations is None else self.durations[1] - self.durations[0]


@dataclass(frozen=True)
class Match:
    """`reason` names what spoke against it, empty if nothing did."""

    outcome: Outcome
    reason: str
    scores: dict[str, float]


Gate = Callable[[MatchPair], tuple[Outcome, str]]
_PASS = (Outcome.ACCEPTED, "")


def version_gate(pair: MatchPair) -> tuple[Outcome, str]:
    """Live is not studio, one remix is not another, and a sped-up copy is neither."""
    ours, theirs = pair.ours.versions, pair.theirs.versions
    for kind in sorted(ours.keys() ^ theirs.keys()):
        return Outcome.REJECTED, f"version: {'ours' if kind in ours else 'theirs'} is {kind}"
    for kind in ours:
        a, b = ours[kind], theirs[kind]
        # A concert that only one side names may be the same; a remixer has to be named by both.
        compatible = a == b or bool(a & b) or (kind == "live" and not (a and b))
        if kind in SPEEDS:  # `Super Slowed` is slower than `Slowed`
            compatible = a == b
        if kind == "remix" and compatible and a != b:
            compatible = (
                fuzz.ratio(*(" ".join(sorted(words)) for words in (a, b))) >= SAME_NAME_LIKENESS
            )
        if not compatible:
            return Outcome.REJECTED, f"version: another {kind}"
    return _PASS


def numeral_gate(pair: MatchPair) -> tuple[Outcome, str]:
    """Part 1 is not part 2, though the titles are alike to 95 of 100."""
    return _PASS if pair.same_numerals else (Outcome.REJECTED, "numerals")


def artist_gate(pair: MatchPair) -> tuple[Outcome, str]:
    """Some artist in common: thousands of songs are called `Hello`."""
    if pair.same_isrc or pair.artist_score >= SAME_NAME_LIKENESS:
        return _PASS
    return Outcome.REJECTED, "artist"


def duration_gate(pair: MatchPair) -> tuple[Outcome, str]:
    """The last witness where an unmarked copy is another version or runs at another speed."""
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
    """Decide whether a candidate is the track; without a gate, what it prevents goes through."""
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
    """What to type into a search box, most specific first. Never a title alone."""
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
    for version in versions:
        yield from sorted(version.words)
        if version.kind not in ("rerecorded", "take"):
            yield version.kind


def _same_title(a: str, b: str) -> float:
    """Likeness of two titles [0..100]; short ones are the same or not."""
    if a.replace(" ", "") == b.replace(" ", ""):
        return 100.0
    likeness = fuzz.ratio(a, b)
    return (
        min(likeness, SAME_NAME_LIKENESS - 1)
        if min(len(a), len(b)) <= SHORT_TITLE_LENGTH
        else likeness
    )


def _same_name(a: str, b: str) -> float:
    """Likeness of two names [0..100]; short ones are the same or not."""
    if a.replace(" ", "") == b.replace(" ", ""):
        return 100.0
    return fuzz.ratio(a, b) if min(len(a), len(b)) > 5 else 0.0


def _code(isrc: str | None) -> str:
    return "".join(c for c in (isrc or "").upper() if c.isalnum())
