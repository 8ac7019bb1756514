"""Comparison of the keys that are said of one track: among each other, and with that of the audio.

Neither is assumed to be right. Sources of one family have their values from one analyser, so they
are one witness and not compared with each other.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations

from ..keys import parse_key
from .crosscheck import check_key
from .record import KeyVerdict, Record, Status, TrackQuery
from .sources import ABOUT

AUDIO, TAGS = "audio", "tags"  # names of witnesses that are no published source
# From the least to the most serious: the order of points in the MIREX audio key task.
BY_SEVERITY = (
    KeyVerdict.NO_ESTIMATE, KeyVerdict.SAME, KeyVerdict.FIFTH, KeyVerdict.RELATIVE,
    KeyVerdict.PARALLEL, KeyVerdict.CONFLICT,
)  # fmt: skip


@dataclass(frozen=True)
class KeyCheck:
    """What is said of the key of a track.

    Attributes
    ----------
    said
        Pairs of a witness (a source, `tags` or `audio`) and the key that it says, in short form.
    among
        The most serious relation of two keys that were published or are in the tags; `NO_ESTIMATE`
        if there are no two of them.
    audio
        The most serious relation of one of these to the estimate from the audio.
    """

    said: tuple[tuple[str, str], ...] = ()
    among: KeyVerdict = KeyVerdict.NO_ESTIMATE
    audio: KeyVerdict = KeyVerdict.NO_ESTIMATE

    @property
    def verdict(self) -> KeyVerdict:
        """The more serious of both relations."""
        return worst((self.among, self.audio))

    @property
    def differs(self) -> bool:
        """Whether two keys are not the same."""
        return self.verdict not in (KeyVerdict.NO_ESTIMATE, KeyVerdict.SAME)

    def __str__(self) -> str:
        return ", ".join(f"{witness} {key}" for witness, key in self.said)


def worst(verdicts: Iterable[KeyVerdict]) -> KeyVerdict:
    """The most serious of verdicts, `NO_ESTIMATE` if there are none."""
    return max(verdicts, key=BY_SEVERITY.index, default=KeyVerdict.NO_ESTIMATE)


def compare_keys(track: TrackQuery, records: Sequence[Record]) -> KeyCheck:
    """Compare what the sources, the tags and the audio say about the key of a track."""
    published = {r.source: r.key for r in records if r.status is Status.FOUND and r.key}
    tagged = parse_key(track.tag_key or "")
    if tagged is not None:
        published.setdefault(TAGS, str(tagged))
    estimate = parse_key(track.estimate_key or "")
    heard = None if estimate is None else str(estimate)
    pairs = [
        check_key(published[a], published[b])
        for a, b in combinations(published, 2)
        if ABOUT[a].family != ABOUT[b].family
    ]
    said = tuple(published.items())
    return KeyCheck(
        said=said if heard is None else (*said, (AUDIO, heard)),
        among=worst(pairs),
        audio=worst(check_key(key, heard) for key in published.values()),
    )
