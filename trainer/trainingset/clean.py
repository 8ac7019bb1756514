"""Rules for which tracks are left out of a training set.

These are labels that are no tempo or belong to another recording, audio that cannot be learned
from, and copies of a recording. Each rule takes what is known of a track and returns a
`DroppedTrack`, or None if the track passes. The thresholds are chosen so that a right label is
seldom lost: one wrong label in a hundred does little harm.
"""

from __future__ import annotations

import dataclasses
import enum
import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from tempo_core.addresses import as_text
from tempo_core.console import explain
from tempo_core.errors import StorageError
from tempo_core.labels.matching import ComparedRecording, MatchPair, Outcome, version_gate

from .fingerprint import same_recordings
from .listen import Listening, contradicts
from .split import Ties
from .tables import CollectedTrack, DroppedTrack, LabelledTrack, absolute
from .trust import TrustedLabel, choose, format_labels, parse_labels


class Reason(str, enum.Enum):
    """The reason for which a track is left out, as it is written in `dropped.tsv`."""

    NO_LABEL = "no label"
    BAD_LABEL = "bad label"  # not a number, or outside the tempi that can be learned
    CONFLICT = "conflicting labels"  # two labels of equal trust, more than 4 % apart
    VERSION = "other version"  # the label belongs to a live version, a remix, …
    MISSING = "missing file"
    UNREADABLE = "unreadable"
    TRUNCATED = "truncated"  # much less audio than the container states
    TOO_SHORT = "too short"
    TOO_LONG = "too long"  # for example a mix or an audiobook
    SILENT = "silent"
    UNSTEADY = "changing tempo"
    CONTRADICTED = "contradicts audio"  # the audio's tempo is no simple ratio of the label
    DUPLICATE = "duplicate"


FAILURES = (Reason.MISSING, Reason.UNREADABLE)  # the user should look at these files

COMPLETE_SHARE = 0.9  # least share of the stated length that a complete file has
SHORTEST_TRACK = 6.0  # [s] least length of a track: the shorter windows of training
LONGEST_TRACK = 900.0  # [s] greatest length of a track
MOSTLY_SILENT = 0.5  # greatest share of silent seconds
# Greatest share of a track at another tempo than its own; above it, no single label is right.
# A song with a slow introduction, or a clip of half a minute with a break in it, is below.
UNSTEADY_SHARE = 0.3
SURE_CONTRADICTION = 0.3  # least confidence of an estimate that may contradict a label


def labels_of(track: LabelledTrack) -> tuple[TrustedLabel, ...]:
    """All labels of a track, the most trusted one first."""
    return (TrustedLabel(track.bpm, track.label_source), *parse_labels(track.other_labels))


def with_labels(track: LabelledTrack, labels: Sequence[TrustedLabel]) -> LabelledTrack:
    """The track with the best of these labels in place of its own."""
    best, others = choose(labels)
    if best is None:
        return dataclasses.replace(track, bpm=0.0, label_source="", other_labels="")
    return dataclasses.replace(
        track, bpm=best.bpm, label_source=best.source, other_labels=format_labels(others)
    )


def merge(same: Sequence[LabelledTrack]) -> LabelledTrack:
    """One track made of several with the same path, which hold several labels of it."""
    labels = [label for track in same for label in labels_of(track)]
    best = with_labels(same[0], labels)
    # The other fields come from the track with the best label; the key from any that has one.
    known = next(
        (t for t in same if (t.bpm, t.label_source) == (best.bpm, best.label_source)), best
    )
    key = known.key or next((t.key for t in same if t.key), "")
    return dataclasses.replace(known, other_labels=best.other_labels, key=key)


def merged(tracks: Iterable[LabelledTrack]) -> list[LabelledTrack]:
    """One track for each path, sorted by path, with the best of its labels."""
    by_path: dict[Path, list[LabelledTrack]] = defaultdict(list)
    for track in tracks:
        path = absolute(track.path)
        by_path[path].append(dataclasses.replace(track, path=path))
    best = [merge(same) for same in by_path.values()]
    return sorted(best, key=lambda track: os.fsencode(track.path))


def check_label(track: LabelledTrack) -> DroppedTrack | None:
    """The reason why a track's label cannot be learned from; None if it can be."""
    label = TrustedLabel(track.bpm, track.label_source)
    if not track.bpm:
        return drop(track, Reason.NO_LABEL)
    if not label.usable:
        return drop(track, Reason.BAD_LABEL, f"{label}")
    rivals = [other for other in parse_labels(track.other_labels) if other.rank == label.rank]
    if rivals:
        return drop(track, Reason.CONFLICT, format_labels([label, *rivals]))
    if track.label_title:
        sides = (
            ComparedRecording(title, (), "", None, None)
            for title in (track.title, track.label_title)
        )
        outcome, what = version_gate(MatchPair(*sides))
        if outcome is Outcome.REJECTED:
            told = f"{what.removeprefix('version: ')}, the label is of {track.label_title!r}"
            return drop(track, Reason.VERSION, told)
    return None


def check_audio(track: LabelledTrack, heard: Listening, sr: int) -> DroppedTrack | None:
    """The reason why a track's audio cannot be learned from or contradicts its label, or None.

    Parameters
    ----------
    sr
        Sample rate [Hz] at which the track was listened to.
    """
    duration = heard.duration(sr)
    if max(duration, heard.stated) > LONGEST_TRACK:
        return drop(track, Reason.TOO_LONG, f"{max(duration, heard.stated):.0f} s")
    if duration < COMPLETE_SHARE * heard.stated and heard.stated - duration > 1:
        return drop(track, Reason.TRUNCATED, f"{duration:.1f} of {heard.stated:.1f} s")
    if duration < SHORTEST_TRACK:
        return drop(track, Reason.TOO_SHORT, f"{duration:.2f} s")
    if heard.silent > MOSTLY_SILENT:
        return drop(track, Reason.SILENT, f"{100 * heard.silent:.0f} % of the time")
    if TrustedLabel(track.bpm, track.label_source).rank == 0:
        # A person who states or corrects a tempo does so because the estimate was wrong.
        return None
    if heard.confidence >= SURE_CONTRADICTION and contradicts(track.bpm, heard.bpm):
        return drop(track, Reason.CONTRADICTED, f"label {track.bpm:g}, audio {heard.bpm:.1f}")
    if heard.elsewhere > UNSTEADY_SHARE:
        told = f"{100 * heard.elsewhere:.0f} % of it at another tempo than {heard.bpm:.1f}"
        return drop(track, Reason.UNSTEADY, told)
    return None


def duplicates(
    tracks: Sequence[CollectedTrack], heard: Sequence[Listening], fps: float
) -> Iterator[tuple[int, int]]:
    """Pairs of indices (i, j) of tracks that are one recording.

    Such tracks have similar fingerprints, files of the same content, or one MusicBrainz recording.

    Parameters
    ----------
    heard
        What was heard in each track, in the order of `tracks`; empty if fingerprints are unknown.
    fps
        Frames per second of the features that the fingerprints were made of.
    """
    yield from same_recordings([one.fingerprint for one in heard], fps)
    for name in ("id", "recording_id"):
        groups = defaultdict(list)
        for k, track in enumerate(tracks):
            if getattr(track, name):
                groups[getattr(track, name)].append(k)
        yield from ((group[0], k) for group in groups.values() for k in group[1:])


def keep_one(
    copies: Sequence[CollectedTrack],
) -> tuple[CollectedTrack | None, list[DroppedTrack]]:
    """The copy of a recording to keep, with the best label of all copies, and the dropped copies.

    The copy with the most trusted label is kept; among several such, the longest one. Lengths are
    compared in tens of seconds, because some more silence at the ends makes no better copy. If
    labels of equal trust contradict each other, no copy is kept and the first item is None.
    """

    def preference(track: CollectedTrack) -> tuple[int, float, str]:
        """Sort key: the copy to keep comes first."""
        rank = TrustedLabel(track.bpm, track.label_source).rank
        return rank, -round(track.duration, -1), str(track.path)

    best, *others = sorted(copies, key=preference)
    labels = [label for copy in (best, *others) for label in labels_of(copy)]
    key = best.key or next((copy.key for copy in others if copy.key), "")
    merged = dataclasses.replace(with_labels(best, labels), key=key)
    assert isinstance(merged, CollectedTrack)
    problem = check_label(dataclasses.replace(merged, label_title=""))
    if problem is not None:
        return None, [
            drop(copy, Reason.CONFLICT, f"copies of one recording: {problem.detail}")
            for copy in (best, *others)
        ]
    return merged, [drop(copy, Reason.DUPLICATE, f"of {as_text(best.path)}") for copy in others]


def without_copies(
    tracks: Sequence[CollectedTrack], pairs: Iterable[tuple[int, int]]
) -> tuple[list[CollectedTrack], list[DroppedTrack]]:
    """One track for each recording, and the copies that are dropped.

    Parameters
    ----------
    pairs
        Pairs of indices of tracks that are one recording.
    """
    ties = Ties()
    for i, j in pairs:
        ties.tie((str(i), str(j)))
    groups: dict[str, list[CollectedTrack]] = defaultdict(list)
    for k, track in enumerate(tracks):
        groups[ties.root(str(k))].append(track)
    kept, dropped = [], []
    for group in groups.values():
        if len(group) == 1:
            kept.append(group[0])
            continue
        best, others = keep_one(group)
        kept += [best] if best is not None else []
        dropped += others
    return kept, dropped


def drop(track: LabelledTrack, reason: Reason, detail: str = "") -> DroppedTrack:
    """The row of `dropped.tsv` for a track that is left out."""
    return DroppedTrack(track.path, reason.value, detail)


def failure(track: LabelledTrack, error: Exception) -> DroppedTrack:
    """The row of `dropped.tsv` for a file whose processing raised an error.

    Raises
    ------
    OSError, StorageError
        If the error is one of the operating system, which says nothing about the file itself.
    """
    if isinstance(error, (OSError, StorageError)):
        raise error
    return drop(track, Reason.UNREADABLE, explain(error))
