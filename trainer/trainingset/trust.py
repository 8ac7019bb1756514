"""Whose tempo counts where several are known of one track, written as data.

The estimates of this program are never labels: a model that learns what it said itself learns
nothing.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from tempo_core.labels.crosscheck import same_tempo

# Most trusted first; what stands behind a colon (the site of a published label) does not matter.
TRUST = (
    "manual",  # a person said so, or corrected what this program said
    "table",  # a table that a person made for this purpose
    "label",  # published, about this very recording, and the audio agrees
    "field",  # in the `bpm` field of a library: another program, or a person
    "tag",  # in the file: whoever wrote it
)
ESTIMATE = "model"  # never a label
# Tempi [BPM] that can be learnt: those that the network may answer.
SLOWEST, FASTEST = 30.0, 300.0


@dataclass(frozen=True)
class TrustedLabel:
    """A tempo [BPM] and who said it: a word of `TRUST`, with a site after a colon, or any other."""

    bpm: float
    source: str

    @property
    def rank(self) -> int:
        """0 for the most trusted."""
        kind = self.source.partition(":")[0]
        return TRUST.index(kind) if kind in TRUST else len(TRUST)

    @property
    def usable(self) -> bool:
        """Whether this is a tempo at all."""
        return math.isfinite(self.bpm) and SLOWEST <= self.bpm <= FASTEST

    def __str__(self) -> str:
        return f"{self.source} {self.bpm:g}"


def choose(labels: Iterable[TrustedLabel]) -> tuple[TrustedLabel | None, tuple[TrustedLabel, ...]]:
    """The label that counts, and those that contradict it by more than 4 %.

    What is no tempo counts only where there is nothing else, so that it can be reported. None if
    nobody said anything.
    """
    known = [label for label in labels if label.source.partition(":")[0] != ESTIMATE and label.bpm]
    known.sort(key=lambda label: (not label.usable, label.rank))
    if not known:
        return None, ()
    best, *others = known
    contradicting = (o for o in others if o.usable and best.usable and not agree(best, o))
    return best, tuple(dict.fromkeys(contradicting))


def agree(a: TrustedLabel, b: TrustedLabel) -> bool:
    """Whether two labels say the same, within 4 %."""
    return same_tempo(a.bpm, b.bpm)


def format_labels(labels: Iterable[TrustedLabel]) -> str:
    """Labels as they stand in a table: `tag 97; label:acousticbrainz 128.2`."""
    return "; ".join(map(str, labels))


def parse_labels(text: str) -> tuple[TrustedLabel, ...]:
    """The labels that `format_labels` wrote; what it did not write is left out."""
    found = []
    for part in text.split(";"):
        source, _, bpm = part.strip().rpartition(" ")
        try:
            found.append(TrustedLabel(float(bpm), source))
        except ValueError:
            continue
    return tuple(found)
