"""Messages about a lookup: one line for each track, and one for a whole run."""

from __future__ import annotations

from collections import Counter

from .lookup import LookedUp, Run
from .record import KeyVerdict, LabelVerdict, Status

# Texts about the comparison with the audio; the number is the estimate [BPM].
_VERDICT_TEXTS = {
    LabelVerdict.AGREE: "the audio agrees ({:g})",
    LabelVerdict.OCTAVE: "an octave off the audio's {:g}",
    LabelVerdict.TRIPLE: "a factor of three off the audio's {:g}",
    LabelVerdict.METER: "3:2 or 4:3 of the audio's {:g}",
    LabelVerdict.CONFLICT: "in conflict with the audio's {:g}",
}


def is_silent(looked_up: LookedUp) -> bool:
    """Whether a track needs no line, because it lacks the data that any of the sources needs.

    That is the case for most tracks of most collections.
    """
    return looked_up.status in (None, Status.SKIPPED) and not looked_up.left


def describe(looked_up: LookedUp) -> str:
    """Line about a track: its name and the result of the lookup."""
    name, chosen = looked_up.track.name, looked_up.chosen
    if chosen is not None and chosen.bpm:
        key = f", {chosen.key}" if chosen.key else ""
        says = _VERDICT_TEXTS.get(chosen.verdict, "not analysed yet").format(
            chosen.estimate_bpm or 0
        )
        keys = looked_up.keys
        differ = f"; keys: {keys.verdict.value} ({keys})" if keys.differs else ""
        return f"{name}: {chosen.bpm:g} BPM{key} ({chosen.source}), {says}{differ}"
    told = [f"{record.source}: {record.message}" for record in looked_up.records if record.message]
    told += [f"{source}: left for the next run" for source in looked_up.left]
    status = "left" if looked_up.status is None else looked_up.status.value.replace("_", " ")
    return f"{name}: {status} ({'; '.join(told)})" if told else f"{name}: {status}"


def describe_failures(looked_up: LookedUp) -> str:
    """Sources that failed at a track in this run, with the reasons; empty if none did."""
    return "; ".join(f"{record.source}: {record.message}" for record in looked_up.failures)


class Tally:
    """Counts of the tracks of a run, by the results of their lookups."""

    def __init__(self) -> None:
        self.statuses: Counter[Status | None] = Counter()
        self.verdicts: Counter[LabelVerdict] = Counter()
        self.lacking: Counter[str] = Counter()  # tracks that were skipped, by what they lack
        self.keys: Counter[KeyVerdict] = Counter()  # tracks of which several keys are said
        self.known = 0  # tracks whose answers were all known before
        self.left = 0  # tracks for which a source remains to be asked
        self.failed = 0  # tracks for which a source failed

    def add(self, looked_up: LookedUp) -> None:
        """Count a track."""
        self.statuses[looked_up.status] += 1
        if looked_up.status is Status.SKIPPED:
            self.lacking.update({record.message for record in looked_up.records})
        if looked_up.chosen is not None:
            self.verdicts[looked_up.chosen.verdict] += 1
        self.keys[looked_up.keys.verdict] += 1
        self.known += not (looked_up.asked or looked_up.left or is_silent(looked_up))
        self.left += bool(looked_up.left)
        self.failed += bool(looked_up.failures)

    def summary(self, run: Run) -> str:
        """Summary of the counts in one line."""
        n_tracks = self.statuses.total()
        found = f"{self.statuses[Status.FOUND]} found"
        said = [f"{self.verdicts[v]} {v.value.replace('_', ' ')}" for v in LabelVerdict]
        said = [text for text in said if not text.startswith("0 ")]
        parts = [f"{found} ({', '.join(said)})" if said else found]
        parts += [
            f"{self.statuses[status]} {status.value.replace('_', ' ')}"
            for status in Status
            if status not in (Status.FOUND, Status.SKIPPED) and self.statuses[status]
        ]
        if self.statuses[Status.SKIPPED]:
            told = ", ".join(message for message, _ in self.lacking.most_common(2))
            parts.append(f"{self.statuses[Status.SKIPPED]} skipped ({told})")
        compared = [v for v in KeyVerdict if v is not KeyVerdict.NO_ESTIMATE and self.keys[v]]
        if compared:
            parts.append("keys " + " ".join(f"{self.keys[v]} {v.value}" for v in compared))
        tail = [_count(run.n_requests, "request"), f"{self.known} known before"]
        if self.left:
            why = "the requests are spent" if run.spent else "see above"
            tail.append(f"{self.left} left for the next run ({why})")
        return f"{_count(n_tracks, 'track')}: {', '.join(parts)}; {', '.join(tail)}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
