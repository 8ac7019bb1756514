"""Values of a lookup: the track that is asked about, what a source offers, and what is kept."""

from __future__ import annotations

import enum
import hashlib
import json
import math
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field

from ..levels import OF_ONE_PULSE, TOLERANCE
from ..tempi import is_tempo

_NUMBER = r"[0-9]{1,4}(?:[.,][0-9]+)?"
# What people and programs write around a tempo, and between two of them.
_AROUND = re.compile(r"\bb\.?p\.?m\b\.?|(?<=[0-9])bpm\b|\b(?:ca|circa|approx|about)\b\.?|[~≈♩=:?]")
_BETWEEN = r"\s*(?:[/;|&()-]|\.\.|,(?=\s)|\bto\b|\s)\s*"
_NUMBERS = re.compile(rf"{_NUMBER}(?:{_BETWEEN}{_NUMBER})*\s*\)?")
_RANGE = re.compile(rf"({_NUMBER})\s*(?:-|\.\.|\bto\b)\s*({_NUMBER})")
_DASHES = str.maketrans(dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2212", "-"))
MAX_TEMPO_LENGTH = 100  # [characters] a longer text is no tempo


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


class LabelVerdict(enum.Enum):
    """Result of comparing a published tempo with that of the audio."""

    AGREE = "agree"
    OCTAVE = "octave"  # half, double, a quarter or four times
    TRIPLE = "triple"  # a third or three times
    METER = "meter"  # 3:2, 2:3, 4:3 or 3:4
    CONFLICT = "conflict"
    NO_ESTIMATE = "no_estimate"


class KeyVerdict(enum.Enum):
    """Result of comparing a published key with the audio's: a class of the MIREX key task."""

    SAME = "same"
    FIFTH = "fifth"
    RELATIVE = "relative"
    PARALLEL = "parallel"
    OTHER = "other"
    NO_ESTIMATE = "no_estimate"


@dataclass(frozen=True)
class TrackQuery:
    """A recording to find a label for: what its tags and its audio say.

    `artists` are names of the artist, the tagged one first, then others of the same artist (sort
    name, credited name). `duration` is in seconds, `file_duration` that of
    the file where `duration` is what somebody noted of it. `estimate_bpm` is what the audio says,
    None where it was not analysed. `tag_bpm` and `tag_key` are what somebody wrote into the tags,
    verbatim.
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
    file_duration: float | None = None

    @property
    def artist(self) -> str:
        """Name of the artist in the tags, empty if there is none."""
        return self.artists[0] if self.artists else ""

    @property
    def name(self) -> str:
        """The track as messages name it: `Artist - Title`."""
        return f"{self.artist} - {self.title}" if self.title else self.path

    @property
    def id(self) -> str:
        """Identity of the track in the store, made from its tags and not from its path.

        A moved file keeps its labels; a corrected title makes it another track.
        """
        duration = None if self.duration is None else round(self.duration)
        words = [*self.artists, self.title, self.album, duration, self.isrc, self.recording_id]
        return hashlib.sha256(json.dumps(words).encode()).hexdigest()[:24]


@dataclass(frozen=True)
class Candidate:
    """A recording as a source describes it, with its values where those are known already.

    `raw_bpm` and `raw_key` are verbatim. `complete` says that the source has no more to tell, so
    that its own page need not be asked for, and `certain` that there is no question which recording
    it is about: a file's own tags, or an id of the recording.
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
    certain: bool = False


@dataclass(frozen=True)
class Record:
    """The answer of one source about one track, and when it came: a row of the store.

    `raw_bpm` and `raw_key` stay what they were for ever; `bpm` and `key` are read from them.
    `verdict` compares with `estimate_bpm`, the audio's tempo at that time.
    """

    track: str  # TrackQuery.id
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
    verdict: LabelVerdict = LabelVerdict.NO_ESTIMATE
    key_verdict: KeyVerdict = KeyVerdict.NO_ESTIMATE


def read_tempi(text: str | None) -> tuple[float, ...]:
    """All tempi [BPM] that a written tempo may mean, each once.

    Understood are `128`, `127,98`, `~128 BPM`, a range (`124.0-126.0`, its middle if it is narrow),
    and several numbers (`124/62`, `0; 124`). What is no tempo, 0 included, is left out. None at all
    if there is anything else in the text, a doubt for example (`120 or 60`).
    """
    if not text or len(text) > MAX_TEMPO_LENGTH:
        return ()
    plain = unicodedata.normalize("NFKC", text).casefold().translate(_DASHES)
    plain = " ".join(_AROUND.sub(" ", plain).split())
    if not _NUMBERS.fullmatch(plain):
        return ()
    ends = _RANGE.fullmatch(plain)
    found = [(bpm, number) for number in re.findall(_NUMBER, plain) if (bpm := _tempo(number))]
    if ends and len(found) == 2 and _near(found[0][0], found[1][0]):
        return (round((found[0][0] + found[1][0]) / 2, 4),)
    # Of two ways to write one tempo the one with more digits is meant, whichever comes first.
    readings: list[tuple[float, str]] = []
    for bpm, number in found:
        same = next((i for i, (other, _) in enumerate(readings) if _near(bpm, other)), None)
        if same is None:
            readings.append((bpm, number))
        elif len(number) > len(readings[same][1]):
            readings[same] = (bpm, number)
    return tuple(bpm for bpm, _ in readings)


def parse_bpm(text: str | None, estimate: float | None = None) -> float | None:
    """The tempo that a text means [BPM]; None if it means none or several that exclude each other.

    Several that count one tempo differently (`124/62`) are all meant: it is the one nearest to
    `estimate` [BPM], the audio's, or without that the first.
    """
    tempi = read_tempi(text)
    if not tempi or not all(
        any(_near(tempo, tempi[0] * ratio) for ratio in OF_ONE_PULSE) for tempo in tempi
    ):
        return None
    if not estimate:
        return tempi[0]
    return min(tempi, key=lambda tempo: abs(math.log(tempo / estimate)))


def _tempo(number: str) -> float | None:
    bpm = float(number.replace(",", "."))
    return bpm if is_tempo(bpm) else None


def _near(a: float, b: float) -> bool:
    return abs(math.log(a / b)) <= math.log1p(TOLERANCE)


def one_line(text: str, longest: int = 500) -> str:
    """A text from a site as one printable line of at most `longest` characters."""
    return "".join(c for c in " ".join(text.split()) if c.isprintable())[:longest]
