"""Data of a lookup: the track asked about, the candidates of a source, and the stored record."""

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
# Texts that people and programs write around a tempo, and between two tempi.
_AROUND = re.compile(r"\bb\.?p\.?m\b\.?|(?<=[0-9])bpm\b|\b(?:ca|circa|approx|about)\b\.?|[~≈♩=:?]")
_BETWEEN = r"\s*(?:[/;|&()-]|\.\.|,(?=\s)|\bto\b|\s)\s*"
_NUMBERS = re.compile(rf"{_NUMBER}(?:{_BETWEEN}{_NUMBER})*\s*\)?")
_RANGE = re.compile(rf"({_NUMBER})\s*(?:-|\.\.|\bto\b)\s*({_NUMBER})")
_DASHES = str.maketrans(dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2212", "-"))
MAX_TEMPO_LENGTH = 100  # [characters] longer texts are not read as a tempo


class Status(enum.Enum):
    """Result of asking a source about a track."""

    FOUND = "found"
    NOT_FOUND = "not_found"
    AMBIGUOUS = "ambiguous"  # several recordings fit, and their tempi differ
    BLOCKED = "blocked"  # the site refuses to be asked by a program
    RETRYABLE = "retryable"  # a failure that may be temporary
    PARSE_ERROR = "parse_error"  # the answer is not of the expected form
    SKIPPED = "skipped"  # the track lacks data that this source needs

    @property
    def failed(self) -> bool:
        """Whether the source could not be asked or understood."""
        return self in (Status.BLOCKED, Status.RETRYABLE, Status.PARSE_ERROR)

    @property
    def settled(self) -> bool:
        """Whether asking again would most likely give the same result."""
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
    """Relation of two keys that were said of a track: a class of the MIREX key task."""

    SAME = "same"
    FIFTH = "fifth"
    RELATIVE = "relative"
    PARALLEL = "parallel"
    CONFLICT = "conflict"
    NO_ESTIMATE = "no_estimate"

    @classmethod
    def _missing_(cls, value: object) -> KeyVerdict | None:
        return cls.CONFLICT if value == "other" else None  # its name in older stores


@dataclass(frozen=True)
class TrackQuery:
    """A recording to find a label for, described by its tags and its audio.

    `artists` are names of the artist: the tagged name first, then other names of the same artist
    (sort name, credited name). `duration` is in seconds. Where it was noted and not measured,
    `file_duration` is that of the file [s]. `estimate_bpm` and `estimate_key` are the estimates
    from the audio, None if it was not analysed. `tag_bpm` and `tag_key` are the values in the
    tags, verbatim.
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
        """The tagged name of the artist, empty if there is none."""
        return self.artists[0] if self.artists else ""

    @property
    def name(self) -> str:
        """Name of the track for messages: `Artist - Title`, or the path if it has no title."""
        return f"{self.artist} - {self.title}" if self.title else self.path

    @property
    def id(self) -> str:
        """Identifier of the track in the store, made from its tags and not from its path.

        So a file that is moved keeps its labels, and one whose title is corrected loses them.
        """
        duration = None if self.duration is None else round(self.duration)
        words = [*self.artists, self.title, self.album, duration, self.isrc, self.recording_id]
        return hashlib.sha256(json.dumps(words).encode()).hexdigest()[:24]


@dataclass(frozen=True)
class Candidate:
    """A recording as a source describes it.

    `raw_bpm` and `raw_key` are the published values, verbatim, None if not known. `complete` says
    that the source has no further data, so that no page about the recording has to be fetched.
    `certain` says that the candidate is the track beyond doubt, for example because it comes from
    the tags of the file or was found by an id of the recording.
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
    """The answer of one source about one track: a row of the store.

    `raw_bpm` and `raw_key` are the published values, verbatim; `bpm` [BPM] and `key` are read from
    them. The fields `match_…` describe the recording found, `scores` are those of `Match`.
    `estimate_bpm` and `estimate_key` are the estimates from the audio that `verdict` and
    `key_verdict` compare with.
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
    """All tempi [BPM] that a text may mean, each once.

    Accepted are `128`, `127,98`, `~128 BPM`, a range (`124.0-126.0`, its middle if it is narrow),
    and several numbers (`124/62`, `0; 124`). Numbers that cannot be a tempo, such as 0, are left
    out. The result is empty if the text has anything else in it (`120 or 60`).
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
    # If a tempo is written twice, the number with more digits is the more precise one.
    readings: list[tuple[float, str]] = []
    for bpm, number in found:
        same = next((i for i, (other, _) in enumerate(readings) if _near(bpm, other)), None)
        if same is None:
            readings.append((bpm, number))
        elif len(number) > len(readings[same][1]):
            readings[same] = (bpm, number)
    return tuple(bpm for bpm, _ in readings)


def parse_bpm(text: str | None, estimate: float | None = None) -> float | None:
    """Read the tempo that a text means [BPM]; None if it means none or contradicting ones.

    Several tempi that count the same pulse (`124/62`) do not contradict each other. Then the one
    nearest to `estimate` [BPM] is returned, or the first if there is no estimate.
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
    """A number as a tempo [BPM]; None if it cannot be one."""
    bpm = float(number.replace(",", "."))
    return bpm if is_tempo(bpm) else None


def _near(a: float, b: float) -> bool:
    """Whether two tempi [BPM] count as the same."""
    return abs(math.log(a / b)) <= math.log1p(TOLERANCE)


def one_line(text: str, longest: int = 500) -> str:
    """A text from a site as one line of at most `longest` printable characters."""
    return "".join(c for c in " ".join(text.split()) if c.isprintable())[:longest]
