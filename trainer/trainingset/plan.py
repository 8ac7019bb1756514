"""Forecast of a training run: which labels it would use, as far as that is known without listening.

Nothing is written and no audio is opened. What an earlier run over the same folder found by
listening is read from its tables.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from tempo_core.console import counted
from tempo_core.errors import ConfigError

from . import clean as cleaning
from .clean import Reason, drop, merged, without_copies
from .enough import check
from .split import SPLIT_FILE, divide, read_split
from .tables import (
    DROPPED,
    TRACKS,
    CollectedTrack,
    DroppedTrack,
    LabelledTrack,
    collected,
    read_table,
)
from .trust import TrustedLabel

R = TypeVar("R", CollectedTrack, DroppedTrack)
# Reasons that were found by listening and hold whatever the label is.
FOUND_BY_LISTENING = (
    Reason.UNREADABLE, Reason.TRUNCATED, Reason.TOO_SHORT, Reason.TOO_LONG, Reason.SILENT,
    Reason.DUPLICATE,
)  # fmt: skip


@dataclass(frozen=True)
class Plan:
    """Forecast of a training run.

    `used` are the tracks that would be used, with their `split`, and `dropped` those that would be
    left out. `unheard` counts the used tracks that have not been listened to yet. `problem` says
    why the run would fail; it is empty if it would not.
    """

    used: list[CollectedTrack]
    dropped: list[DroppedTrack]
    unheard: int
    problem: str

    @property
    def learned(self) -> list[CollectedTrack]:
        """Tracks that a model would learn from; the rest of `used` would test it."""
        return [] if self.problem else [track for track in self.used if track.split != "test"]

    def summary(self) -> list[str]:
        """The forecast in a few lines for the user, the result in the last one."""
        lines = []
        if self.dropped:
            told = _counts(track.reason for track in self.dropped)
            lines.append(f"would leave out {len(self.dropped)}: {told}")
        if self.unheard:
            lines.append(
                f"{self.unheard} were not listened to yet; that decides which of them are left out "
                "as well: another tempo in the audio, a changing one, no whole song, a copy"
            )
        if self.problem:
            return [*lines, f"would learn from nothing: {self.problem}"]
        learned = self.learned
        if len(learned) < len(self.used):
            lines.append(
                f"would judge the result by {counted(len(self.used) - len(learned), 'other')}"
            )
        most = "up to " if self.unheard else ""
        told = _counts(track.label_source for track in learned)
        return [*lines, f"would learn from {most}{counted(len(learned), 'label')}: {told}"]


def plan(tracks: Iterable[LabelledTrack], folder: Path, seed: int = 0) -> Plan:
    """Forecast what a training run over these labels would do.

    Parameters
    ----------
    folder
        Folder of the training set; it need not exist.
    seed
        Seed of the run, which decides which tracks are held out.

    Raises
    ------
    ConfigError
        If something in the folder is not a training set.
    """
    heard = {track.path: track for track in _table(folder / TRACKS, CollectedTrack)}
    refused = {track.path: track for track in _table(folder / DROPPED, DroppedTrack)}
    dropped, passed = [], []
    for track in merged(tracks):
        problem = cleaning.check_label(track) or _found_before(track, refused.get(track.path))
        if problem is None:
            known = heard.get(track.path)
            # Until it has been listened to, a file counts as a recording of its own.
            passed.append(
                collected(track, known.id, known.duration)
                if known
                else collected(track, f"unheard {track.path}", 0.0)
            )
        else:
            dropped.append(problem)
    pairs = list(cleaning.duplicates(passed, [], 1.0))
    used, copies = without_copies(passed, pairs)
    unheard = sum(track.path not in heard for track in used)
    try:
        placed, _ = divide(
            used, [(passed[i], passed[j]) for i, j in pairs], read_split(folder / SPLIT_FILE), seed
        )
        used = [
            dataclasses.replace(track, group=placed[track.path][0], split=placed[track.path][1])
            for track in used
        ]
        check(used)
    except ConfigError as error:
        problem_found = str(error) if used else "no label is left"
        return Plan(used, [*dropped, *copies], unheard, problem_found)
    return Plan(used, [*dropped, *copies], unheard, "")


def _table(path: Path, kind: type[R]) -> list[R]:
    """The rows of a table, none if the file does not exist."""
    return read_table(path, kind) if path.exists() else []


def _found_before(track: LabelledTrack, earlier: DroppedTrack | None) -> DroppedTrack | None:
    """The reason why the audio of a track keeps it out, as far as that is known; else None.

    Parameters
    ----------
    earlier
        The track's row in the table of an earlier run, None if it has none.
    """
    if not track.path.is_file():
        return drop(track, Reason.MISSING)
    if earlier is None:
        return None
    if earlier.reason in FOUND_BY_LISTENING:
        return earlier
    if TrustedLabel(track.bpm, track.label_source).rank == 0:  # a person stated it
        return None
    same_label = earlier.detail.startswith(f"label {track.bpm:g}, ")
    if earlier.reason == Reason.UNSTEADY or (earlier.reason == Reason.CONTRADICTED and same_label):
        return earlier
    return None


def _counts(names: Iterable[str]) -> str:
    """How often each name occurs, most frequent first: `manual 3, tag 1`."""
    return ", ".join(f"{name} {n}" for name, n in Counter(names).most_common())
