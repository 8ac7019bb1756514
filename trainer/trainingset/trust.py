"""Choice of the label that counts where a track has several, by how far their sources are trusted.

Estimates of this program are never labels: a model that learns from its own answers learns nothing.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from tempo_core.labels.crosscheck import same_tempo

# Sources of labels, most trusted first. What follows a colon (the site of a published label) does
# not matter.
TRUST = (
    "manual",  # a person stated it, or corrected an estimate of this program
    "table",  # in a table that a person made for training
    "label",  # published for this very recording, and the audio agrees
    "field",  # in the `bpm` field of a library, written by another program or a person
    "tag",  # in a tag of the file, whoever wrote it
)
ESTIMATE = "model"  # source of this program's own estimates, which are never labels
# Range of tempi [BPM] that can be learned: those that the network can answer.
SLOWEST, FASTEST = 30.0, 300.0


@dataclass(frozen=True)
class TrustedLabel:
    """A tempo [BPM] and its source: a word of `TRUST`, which a site may follow after a colon, or
    any other word, which is trusted least.
    """

    bpm: float
    source: str

    @property
    def rank(self) -> int:
        """Place of the source in `TRUST`: 0 for the most trusted, its length for unknown ones."""
        kind = self.source.partition(":")[0]
        return TRUST.index(kind) if kind in TRUST else len(TRUST)

    @property
    def usable(self) -> bool:
        """Whether the label is a tempo that can be learned."""
        return math.isfinite(self.bpm) and SLOWEST <= self.bpm <= FASTEST

    def __str__(self) -> str:
        return f"{self.source} {self.bpm:g}"


def choose(labels: Iterable[TrustedLabel]) -> tuple[TrustedLabel | None, tuple[TrustedLabel, ...]]:
    """The label that counts, and those that contradict it by more than 4 %.

    A label that is not a usable tempo counts only if there is no other, so that it can be reported.
    The first item is None if there is no label.
    """
    known = [label for label in labels if label.source.partition(":")[0] != ESTIMATE and label.bpm]
    known.sort(key=lambda label: (not label.usable, label.rank))
    if not known:
        return None, ()
    best, *others = known
    contradicting = (o for o in others if o.usable and best.usable and not agree(best, o))
    return best, tuple(dict.fromkeys(contradicting))


def agree(a: TrustedLabel, b: TrustedLabel) -> bool:
    """Whether the tempi of two labels are the same within 4 %."""
    return same_tempo(a.bpm, b.bpm)


def format_labels(labels: Iterable[TrustedLabel]) -> str:
    """Labels as text for one cell of a table: `tag 97; label:acousticbrainz 128.2`."""
    return "; ".join(map(str, labels))


def parse_labels(text: str) -> tuple[TrustedLabel, ...]:
    """The labels in a text of `format_labels`; parts that are no label are left out."""
    found = []
    for part in text.split(";"):
        source, _, bpm = part.strip().rpartition(" ")
        try:
            found.append(TrustedLabel(float(bpm), source))
        except ValueError:
            continue
    return tuple(found)
