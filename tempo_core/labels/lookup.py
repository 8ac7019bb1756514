"""Lookup of tracks at the sources: which sources are asked, and which answers are accepted.

Sources are asked in the order in which they are given. As soon as a label agrees with the audio, no
further source is asked, which spares the sites needless requests.
"""

from __future__ import annotations

import dataclasses
import datetime
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from ..background import Background, Stopped
from ..keys import parse_key
from .crosscheck import check_key, check_tempo, same_tempo
from .http.errors import BudgetSpent, Closed, SourceError
from .http.session import PoliteSession
from .key_check import KeyCheck, compare_keys
from .matching import GATES, Gate, Match, Outcome, judge
from .record import Candidate, LabelVerdict, Record, Status, TrackQuery, parse_bpm, read_tempi
from .source import LabelSource
from .sources import ABOUT
from .store import Store

MAX_PAGES_PER_QUERY = 3  # pages of candidates fetched for one query to one source
MAX_FAILURES = 3  # failures in a row after which a source is no longer asked in the run


@dataclass(frozen=True)
class LookedUp:
    """Result of the lookup of a track.

    `records` has at most one record of each source. `asked` names the sources that were asked in
    this run. `left` names those that would have been asked but were not, because they no longer
    answer or the requests of the run are used up. `chosen` is the record with the label, None if
    there is no label.
    """

    track: TrackQuery
    records: tuple[Record, ...]
    asked: tuple[str, ...]
    left: tuple[str, ...]
    chosen: Record | None

    @property
    def status(self) -> Status | None:
        """The most favourable status of all records; None if there is no record."""
        order = (
            Status.FOUND, Status.AMBIGUOUS, Status.RETRYABLE, Status.BLOCKED,
            Status.PARSE_ERROR, Status.NOT_FOUND, Status.SKIPPED,
        )  # fmt: skip
        statuses = {record.status for record in self.records}
        return next((status for status in order if status in statuses), None)

    @property
    def keys(self) -> KeyCheck:
        """What sources, tags and audio say about the key."""
        return compare_keys(self.track, self.records)

    @property
    def failures(self) -> tuple[Record, ...]:
        """Records of sources that were asked in this run and failed."""
        return tuple(r for r in self.records if r.status.failed and r.source in self.asked)


def look_up(track: TrackQuery, source: LabelSource, gates: Sequence[Gate] = GATES) -> Record:
    """Ask one source about one track; a failure that concerns only this track is a record, too.

    The track must have everything that the source needs, see `LabelSource.missing`.

    Raises
    ------
    SourceError
        If the source must not be asked again in this run.
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
    """Candidates with a tempo that may be the track, and counts of the reasons against the others.

    Queries are sent until one of them finds such a candidate.
    """
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
                if n_pages == MAX_PAGES_PER_QUERY:
                    break
                n_pages += 1
                try:
                    candidate = source.label(candidate)
                except SourceError as error:
                    if error.status is not Status.NOT_FOUND:
                        raise
                    reasons["its page is gone"] += 1
                    continue
                match = judge(track, candidate, gates)  # the page may have added data
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
    """Sort key for candidates, likeliest first: outcome, ISRC, title score, duration difference."""
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
    """Record of the answer of a source: a label, or the reason why there is none.

    `record` is empty except for track and source, `hopeful` and `reasons` are those of
    `_candidates`.
    """
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
    """Record completed with a status and the data of a candidate."""
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
    """A run that asks the sources about tracks and keeps the answers in a store.

    Attributes: `stopped_sources` names the sources that are no longer asked in this run, `spent`
    says that no more requests may be sent.

    Parameters
    ----------
    sources
        Sources in the order in which they are asked.
    store
        Store that each answer is written to as soon as it arrives.
    session
        Session of the sources; closed when the run ends.
    force
        Ask again about tracks whose answer is already known.
    gates
        Conditions that a candidate must meet; other values than the default are for measurements.
    on_stop
        Called with a message when a source is no longer asked in this run.
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
        """Number of requests sent so far."""
        return self._session.n_requests

    def label(
        self, tracks: Iterable[TrackQuery], stopped: Callable[[], bool] = lambda: False
    ) -> Iterator[LookedUp]:
        """Look up each track, and yield the results in the same order.

        Parameters
        ----------
        stopped
            Polled during the run; as soon as it returns True, the run ends without waiting for the
            pending answer.

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
        """Look up one track at the sources in their order."""
        known = self._store.current(track.id)
        records, asked, left = [], [], []
        for source in self._sources:
            missing = source.missing(track)
            if missing:  # not stored, because the next run finds this out without a request
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
        """Ask a source about a track, in the background if it is a site, and store its answer.

        `known` is its last answer, None if there is none.
        """
        try:
            ask = partial(look_up, track, source, self._gates)
            # What has no network answers at once, and sooner than another thread would begin.
            record = background.call(ask) if needs_network(source) else ask()
        except SourceError as error:
            self._stop(source, str(error))
            record = _empty(track, source, error.status, str(error))
        except (BudgetSpent, Closed, Stopped):
            raise
        except Exception as error:  # a bug or an unforeseen page must not end the whole run
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
            return known  # sources without network are asked each time; store only new answers
        self._store.add(record)
        return record

    def _stop(self, source: LabelSource, message: str) -> None:
        """Do not ask a source again in this run."""
        self.stopped_sources.add(source.name)
        self._on_stop(message)


def is_open(record: Record | None, source: LabelSource, force: bool) -> bool:
    """Whether to ask a source about a track; `record` is its last answer, None if there is none."""
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
    """Record updated with the current path and estimates of the track, and with the verdicts."""
    return dataclasses.replace(
        record,
        path=track.path,
        estimate_bpm=track.estimate_bpm,
        estimate_key=track.estimate_key,
        verdict=check_tempo(record.bpm, track.estimate_bpm),
        key_verdict=check_key(record.key, track.estimate_key),
    )


def choose(records: Sequence[Record]) -> Record | None:
    """Choose the record with the label of a track, None if no source has found a tempo.

    It is the one whose tempo most sources share, counting sources of one `About.family` only once.
    Among equals, one that agrees with the audio comes first, then the order of `records` decides.
    """
    found = [(r, r.bpm) for r in records if r.status is Status.FOUND and r.bpm]

    def weight(label: tuple[Record, float]) -> tuple[int, bool]:
        record, bpm = label
        supporters = {ABOUT[r.source].family for r, other in found if same_tempo(other, bpm)}
        return len(supporters), record.verdict is LabelVerdict.AGREE

    return max(found, key=weight)[0] if found else None


def _empty(track: TrackQuery, source: LabelSource, status: Status, message: str) -> Record:
    """Record of a source about a track without any label."""
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
    """Whether two records have the same status and published values."""
    names = ("status", "message", "source_id", "url", "raw_bpm", "raw_key", "parser_version")
    return all(getattr(a, name) == getattr(b, name) for name in names)


def _now() -> str:
    """Current time, ISO 8601, UTC."""
    return datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")
