"""Asking the sources about tracks: which is asked, which of its answers is believed, what is kept.

The order of the sources is the order of asking. The next one is asked only while no label agrees
with the audio, which spares the sites requests for a second opinion where there is no doubt.
"""

from __future__ import annotations

import dataclasses
import datetime
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from ..background import Background, Stopped
from ..keys import parse_key
from .crosscheck import check_key, check_tempo, same_tempo
from .http.errors import BudgetSpent, Closed, SourceError
from .http.session import PoliteSession
from .matching import GATES, Gate, Match, Outcome, judge
from .record import Candidate, LabelVerdict, Record, Status, TrackQuery, parse_bpm, read_tempi
from .source import LabelSource
from .sources import ABOUT
from .store import Store

MAX_PAGES_PER_TRACK = 3  # pages of candidates that are fetched for one track from one source
MAX_FAILURES = 3  # in a row, after which a source is left alone for the rest of the run


@dataclass(frozen=True)
class LookedUp:
    """What is known about a track after a run.

    `records` has one record a source; `asked` names the sources that were asked just now. `left`
    names those that should have been but were not: blocked, out of order, or the requests were
    spent. `chosen` is the label, None if there is none.
    """

    track: TrackQuery
    records: tuple[Record, ...]
    asked: tuple[str, ...]
    left: tuple[str, ...]
    chosen: Record | None

    @property
    def status(self) -> Status | None:
        """The most favourable status of all sources; None if none was asked yet."""
        order = (
            Status.FOUND, Status.AMBIGUOUS, Status.RETRYABLE, Status.BLOCKED,
            Status.PARSE_ERROR, Status.NOT_FOUND, Status.SKIPPED,
        )  # fmt: skip
        statuses = {record.status for record in self.records}
        return next((status for status in order if status in statuses), None)

    @property
    def failures(self) -> tuple[Record, ...]:
        """Records of this run that say that something went wrong."""
        return tuple(r for r in self.records if r.status.failed and r.source in self.asked)


def look_up(track: TrackQuery, source: LabelSource, gates: Sequence[Gate] = GATES) -> Record:
    """Ask one source about one track that lacks nothing; every way this can end is a record.

    Raises
    ------
    SourceError
        If the source need not be asked again in this run.
    BudgetSpent, Closed
        See `PoliteSession.get`.
    """
    record = _empty(track, source, Status.NOT_FOUND, "")
    try:
        return _decide(track, record, *_candidates(track, source, gates))
    except SourceError as error:
        if error.final:
            raise
        return dataclasses.replace(record, status=error.status, message=str(error))


JudgedCandidate = tuple[Candidate, Match]


def _candidates(
    track: TrackQuery, source: LabelSource, gates: Sequence[Gate]
) -> tuple[list[JudgedCandidate], Counter[str]]:
    """Candidates with a tempo that may be the track, and counts of the reasons against others."""
    reasons: Counter[str] = Counter()
    hopeful: list[JudgedCandidate] = []
    seen: set[tuple[str, str]] = set()
    for found in source.search(track):
        new = [c for c in found if not c.source_id or (c.source_id, c.url) not in seen]
        seen |= {(candidate.source_id, candidate.url) for candidate in new}
        judged = [(candidate, judge(track, candidate, gates)) for candidate in new]
        reasons.update(m.reason for _, m in judged if m.outcome is Outcome.REJECTED)
        promising = [pair for pair in judged if pair[1].outcome is not Outcome.REJECTED]
        promising.sort(key=_rank)
        n_pages = 0
        for candidate, match in promising:
            if not candidate.complete:
                if n_pages == MAX_PAGES_PER_TRACK:
                    break
                n_pages += 1
                try:
                    candidate = source.label(candidate)
                except SourceError as error:
                    if error.status is not Status.NOT_FOUND:
                        raise
                    reasons["its page is gone"] += 1
                    continue
                match = judge(track, candidate, gates)  # again, with what its page adds
            if match.outcome is Outcome.REJECTED:
                reasons[match.reason] += 1
            elif parse_bpm(candidate.raw_bpm) is None:
                tempi = read_tempi(candidate.raw_bpm)
                if tempi:
                    told = " or ".join(f"{tempo:g}" for tempo in tempi)
                    match = Match(Outcome.DOUBTFUL, f"tempo ({told})", match.scores)
                    hopeful.append((candidate, match))
                else:
                    reasons["no tempo there"] += 1
            else:
                hopeful.append((candidate, match))
        if hopeful:
            break
    return hopeful, reasons


def _rank(pair: JudgedCandidate) -> tuple[int, bool, float, float]:
    """Sort key, the likeliest first: outcome, ISRC, likeness of titles, difference in duration."""
    scores = pair[1].scores
    return (
        pair[1].outcome.value,
        "isrc" not in scores,
        -scores["title"],
        abs(scores.get("duration", 3600.0)),
    )


def _decide(
    track: TrackQuery, record: Record, hopeful: list[JudgedCandidate], reasons: Counter[str]
) -> Record:
    """The record of what a source offers: a label, or the reason why there is none."""
    accepted = sorted((p for p in hopeful if p[1].outcome is Outcome.ACCEPTED), key=_rank)
    if not accepted and hopeful:
        candidate, match = hopeful[0]
        message = f"perhaps, but for the {match.reason}"
        return _with(record, candidate, match, Status.AMBIGUOUS, message)
    if not accepted:
        n_seen = reasons.total()
        told = ", ".join(f"{reason} {n}x" for reason, n in reasons.most_common(3))
        message = f"none of {n_seen} is this recording: {told}" if n_seen else "nothing found"
        return dataclasses.replace(record, message=message)
    confirmed = [pair for pair in accepted if "isrc" in pair[1].scores] or accepted
    tempi = [parse_bpm(c.raw_bpm, track.estimate_bpm) or 0.0 for c, _ in confirmed]
    if not all(same_tempo(tempo, tempi[0]) for tempo in tempi):
        told = " or ".join(f"{tempo:g}" for tempo in dict.fromkeys(tempi))
        return _with(record, *confirmed[0], Status.AMBIGUOUS, f"equally good candidates: {told}")
    candidate, match = confirmed[0]
    record = _with(record, candidate, match, Status.FOUND, "")
    key = parse_key(candidate.raw_key or "")
    return dataclasses.replace(record, bpm=tempi[0], key=None if key is None else str(key))


def _with(
    record: Record, candidate: Candidate, match: Match, status: Status, message: str
) -> Record:
    return dataclasses.replace(
        record,
        status=status,
        message=message,
        source_id=candidate.source_id,
        url=candidate.url,
        raw_bpm=candidate.raw_bpm,
        raw_key=candidate.raw_key,
        match_title=candidate.title,
        match_artist=", ".join(candidate.artists),
        match_duration=candidate.duration,
        match_isrc=candidate.isrc,
        scores=match.scores,
    )


class Run:
    """A run over tracks: asks the sources about each, and keeps the answers in one store.

    Parameters
    ----------
    sources
        In the order in which they are asked.
    store
        Keeps every answer as soon as it comes.
    session
        Session of the sources, closed when the run ends.
    force
        Ask again about what is known.
    gates
        Conditions that a candidate must meet; others than the default are for measurements.
    on_stop
        Told why a source is left alone for the rest of the run.
    """

    def __init__(
        self,
        sources: Sequence[LabelSource],
        store: Store,
        session: PoliteSession,
        *,
        force: bool = False,
        gates: Sequence[Gate] = GATES,
        on_stop: Callable[[str], None] = lambda message: None,
    ) -> None:
        self.stopped_sources: set[str] = set()
        self.spent = False
        self._sources = sources
        self._store = store
        self._session = session
        self._force = force
        self._gates = gates
        self._on_stop = on_stop
        self._failures: Counter[str] = Counter()

    @property
    def n_requests(self) -> int:
        """How many requests were sent."""
        return self._session.n_requests

    def label(
        self, tracks: Iterable[TrackQuery], stopped: Callable[[], bool] = lambda: False
    ) -> Iterator[LookedUp]:
        """Ask about each track what is not known, and yield it with all that is known then.

        Parameters
        ----------
        stopped
            Once it says True, the answer that is being waited for is abandoned and the run ends.

        Raises
        ------
        LabelError
            If the store cannot be written.
        """
        background = Background(stopped)
        try:
            for track in tracks:
                if stopped():
                    return
                yield self._label(track, background)
        except (Stopped, Closed):
            return
        finally:
            self._session.close()
            background.close()

    def _label(self, track: TrackQuery, background: Background) -> LookedUp:
        known = self._store.current(track.id)
        records, asked, left = [], [], []
        for source in self._sources:
            missing = source.missing(track)
            if missing:  # nothing to keep: what a track lacks is seen again at no cost
                records.append(_empty(track, source, Status.SKIPPED, f"lacks {missing}"))
                continue
            record = known.get(source.name)
            if is_open(record, source, self._force):
                if source.name in self.stopped_sources or (self.spent and needs_network(source)):
                    left.append(source.name)
                else:
                    try:
                        record = self._ask(track, source, record, background)
                    except BudgetSpent:
                        self.spent = True
                        left.append(source.name)
                    else:
                        asked.append(source.name)
            if record is None:
                continue
            checked = cross_check(record, track)
            if checked != record:
                self._store.update(checked)
            records.append(checked)
            if checked.status is Status.FOUND and checked.verdict is LabelVerdict.AGREE:
                break  # no second opinion needed
        return LookedUp(track, tuple(records), tuple(asked), tuple(left), choose(records))

    def _ask(
        self, track: TrackQuery, source: LabelSource, known: Record | None, background: Background
    ) -> Record:
        try:
            record = background.call(lambda: look_up(track, source, self._gates))
        except SourceError as error:
            self._stop(source, str(error))
            record = _empty(track, source, error.status, str(error))
        except (BudgetSpent, Closed, Stopped):
            raise
        except Exception as error:  # a bug, or a page nobody thought of, costs one track
            told = " ".join(f"{type(error).__name__}: {error}".split())[:200]
            record = _empty(track, source, Status.PARSE_ERROR, told)
        if record.status is Status.RETRYABLE and source.name not in self.stopped_sources:
            self._failures[source.name] += 1
            if self._failures[source.name] == MAX_FAILURES:
                message = f"{source.name} is not asked any more: {MAX_FAILURES} failures in a row"
                self._stop(source, message)
        else:
            self._failures[source.name] = 0
        if known is not None and not needs_network(source) and _same_answer(known, record):
            return known  # looked up again because that costs nothing, and nothing is new
        self._store.add(record)
        return record

    def _stop(self, source: LabelSource, message: str) -> None:
        self.stopped_sources.add(source.name)
        self._on_stop(message)


def is_open(record: Record | None, source: LabelSource, force: bool) -> bool:
    """Whether a source is to be asked about a track of which it has said `record`."""
    return (
        record is None
        or force
        or not needs_network(source)
        or not record.status.settled
        or record.parser_version != source.parser_version
    )


def needs_network(source: LabelSource) -> bool:
    """Whether the source sends requests over the network."""
    return bool(ABOUT[source.name].url)


def cross_check(record: Record, track: TrackQuery) -> Record:
    """The record compared with the present estimate, and with the present path of the file."""
    return dataclasses.replace(
        record,
        path=track.path,
        estimate_bpm=track.estimate_bpm,
        estimate_key=track.estimate_key,
        verdict=check_tempo(record.bpm, track.estimate_bpm),
        key_verdict=check_key(record.key, track.estimate_key),
    )


def choose(records: Sequence[Record]) -> Record | None:
    """The record whose tempo has the most independent sources; of several, one that the audio
    confirms, then the first.

    Sources that copy from one another are one witness (`About.family`).
    """
    found = [(r, r.bpm) for r in records if r.status is Status.FOUND and r.bpm]

    def weight(label: tuple[Record, float]) -> tuple[int, bool]:
        record, bpm = label
        supporters = {ABOUT[r.source].family for r, other in found if same_tempo(other, bpm)}
        return len(supporters), record.verdict is LabelVerdict.AGREE

    return max(found, key=weight)[0] if found else None


def _empty(track: TrackQuery, source: LabelSource, status: Status, message: str) -> Record:
    return Record(
        track=track.id,
        source=source.name,
        status=status,
        message=message,
        artist=track.artist,
        title=track.title,
        fetched_at=_now(),
        parser_version=source.parser_version,
        path=track.path,
    )


def _same_answer(a: Record, b: Record) -> bool:
    names = ("status", "message", "source_id", "url", "raw_bpm", "raw_key", "parser_version")
    return all(getattr(a, name) == getattr(b, name) for name in names)


def _now() -> str:
    return datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")
