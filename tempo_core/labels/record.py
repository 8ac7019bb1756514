"""What is looked for, what is found, and what is kept of it: plain values only."""

from __future__ import annotations

import enum
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from ..tempi import is_tempo

_NUMBER = re.compile(r"^(\d{1,4}(?:[.,]\d+)?)\s*(?:bpm)?$", re.IGNORECASE)


class Status(enum.Enum):
    """How asking a source about a track ended."""

    FOUND = "found"
    NOT_FOUND = "not_found"
    AMBIGUOUS = "ambiguous"  # several recordings fit, and their tempi differ
    BLOCKED = "blocked"  # the site does not want to be asked
    RETRYABLE = "retryable"  # a failure that may be over next time
    PARSE_ERROR = "parse_error"  # an answer that is not what it should be
    SKIPPED = "skipped"  # the track lacks what this source needs to be asked

    @property
    def failed(self) -> bool:
        """Whether something went wrong, as opposed to an answer that is no label."""
        return self in (Status.BLOCKED, Status.RETRYABLE, Status.PARSE_ERROR)

    @property
    def settled(self) -> bool:
        """Whether asking the same again would give the same."""
        return self not in (Status.BLOCKED, Status.RETRYABLE, Status.SKIPPED)


class Verdict(enum.Enum):
    """What the audio says to a published tempo."""

    AGREE = "agree"
    OCTAVE = "octave"  # half, double, a quarter or four times
    TRIPLE = "triple"  # a third or three times
    METER = "meter"  # 3:2, 2:3, 4:3 or 3:4
    CONFLICT = "conflict"
    NO_ESTIMATE = "no_estimate"


class KeyVerdict(enum.Enum):
    """What the audio says to a published key, by the classes of the MIREX key task."""

    SAME = "same"
    FIFTH = "fifth"
    RELATIVE = "relative"
    PARALLEL = "parallel"
    OTHER = "other"
    NO_ESTIMATE = "no_estimate"


@dataclass(frozen=True)
class Track:
    """A recording to find a label for: what its tags and its audio say.

    `artists` are names of the artist, the tagged one first, then others of the same artist (sort
    name, credited name). `duration` is in seconds, `estimate_bpm` what the audio says, None where
    it was not analysed. `tag_bpm` and `tag_key` are what somebody wrote into the tags, verbatim.
    """

    title: str
    artists: tuple[str, ...]
    album: str = ""
    genre: str = ""
    duration: float | None = None
    isrc: str | None = None
    recording_id: str | None = None  # of MusicBrainz
    spotify_id: str | None = None
    path: str = ""
    tag_bpm: str | None = None
    tag_key: str | None = None
    estimate_bpm: float | None = None
    estimate_key: str | None = None

    @property
    def artist(self) -> str:
        """The name in the tags, empty if there is none."""
        return self.artists[0] if self.artists else ""

    @property
    def name(self) -> str:
        """For people: `Artist - Title`."""
        return f"{self.artist} - {self.title}" if self.title else self.path

    @property
    def id(self) -> str:
        """Identity in the store: what decides the answers, and not where the file lies.

        A moved file keeps its labels; a corrected title makes it another track.
        """
        duration = None if self.duration is None else round(self.duration)
        words = [*self.artists, self.title, self.album, duration, self.isrc, self.recording_id]
        return hashlib.sha256(json.dumps(words).encode()).hexdigest()[:24]


@dataclass(frozen=True)
class Candidate:
    """A recording as a source describes it, with its values where those are known already.

    `raw_bpm` and `raw_key` are verbatim. `complete` says that the source has no more to tell, so
    that its own page need not be asked for.
    """

    source_id: str
    url: str
    title: str
    artists: tuple[str, ...]
    album: str = ""
    duration: float | None = None  # [s]
    isrc: str | None = None
    raw_bpm: str | None = None
    raw_key: str | None = None
    complete: bool = False


@dataclass(frozen=True)
class Record:
    """What one source said about one track, when, and what became of it: a row of the store.

    `raw_bpm` and `raw_key` stay what they were for ever; `bpm` and `key` are read from them.
    `verdict` compares with `estimate_bpm`, the audio's tempo at that time.
    """

    track: str  # Track.id
    source: str
    status: Status
    message: str
    artist: str
    title: str
    fetched_at: str  # ISO 8601, UTC
    parser_version: int
    path: str = ""
    source_id: str = ""
    url: str = ""
    raw_bpm: str | None = None
    raw_key: str | None = None
    bpm: float | None = None
    key: str | None = None
    match_title: str = ""
    match_artist: str = ""
    match_duration: float | None = None
    match_isrc: str | None = None
    scores: Mapping[str, float] = field(default_factory=dict)
    estimate_bpm: float | None = None
    estimate_key: str | None = None
    verdict: Verdict = Verdict.NO_ESTIMATE
    key_verdict: KeyVerdict = KeyVerdict.NO_ESTIMATE


def parse_bpm(text: str | None) -> float | None:
    """Read a published tempo, `128`, `127,98`, `128 BPM`; None for what is not one, 0 included."""
    number = _NUMBER.match(text.strip()) if text else None
    if number is None:
        return None
    bpm = float(number[1].replace(",", "."))
    return bpm if is_tempo(bpm) else None


def printable(text: str, longest: int = 500) -> str:
    """What a site said as one line that a terminal cannot be commanded with, and not too long."""
    return "".join(c for c in " ".join(text.split()) if c.isprintable())[:longest]
