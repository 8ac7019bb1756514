"""Comparison of a published tempo or key with the estimate from the audio.

Neither is assumed to be right. A published tempo is often an estimate as well: on 3,795 tracks with
human annotations, the analyser behind most song-information sites was right on 64 %, and on 84 % up
to the octave (Percival and Tzanetakis 2014, evaluated by tempo_eval). So if the two disagree, the
label is as likely to be wrong as the estimate.
"""

from __future__ import annotations

import math

from ..keys import Key, parse_key
from ..levels import TOLERANCE, is_level
from .record import KeyVerdict, LabelVerdict

# Ratios of label to estimate for each verdict, the simplest first.
VERDICT_RATIOS = {
    LabelVerdict.AGREE: (1.0,),
    LabelVerdict.OCTAVE: (2.0, 1 / 2, 4.0, 1 / 4),
    LabelVerdict.TRIPLE: (3.0, 1 / 3),
    LabelVerdict.METER: (3 / 2, 2 / 3, 4 / 3, 3 / 4),
}


def check_tempo(label: float | None, estimate: float | None) -> LabelVerdict:
    """Compare a published with an estimated tempo [BPM], each None if unknown.

    The verdict is the first of `VERDICT_RATIOS` with a ratio that holds within 4 %.
    """
    if not label or not estimate:
        return LabelVerdict.NO_ESTIMATE
    for verdict, ratios in VERDICT_RATIOS.items():
        if is_level(label, estimate, ratios):
            return verdict
    return LabelVerdict.CONFLICT


def same_tempo(a: float, b: float) -> bool:
    """Whether two tempi are within 4 % of each other."""
    return abs(math.log(a / b)) <= math.log1p(TOLERANCE)


def check_key(label: str | None, estimate: str | None) -> KeyVerdict:
    """Compare two keys said of a track, in any notation, each None if unknown.

    The verdicts are the classes of the MIREX audio key task.
    """
    ours, theirs = parse_key(label or ""), parse_key(estimate or "")
    if ours is None or theirs is None:
        return KeyVerdict.NO_ESTIMATE
    if ours == theirs:
        return KeyVerdict.SAME
    if ours.minor == theirs.minor and (ours.pitch_class - theirs.pitch_class) % 12 in (5, 7):
        return KeyVerdict.FIFTH
    if ours.minor != theirs.minor and _relative(ours) == theirs:
        return KeyVerdict.RELATIVE
    if ours.pitch_class == theirs.pitch_class:
        return KeyVerdict.PARALLEL
    return KeyVerdict.CONFLICT


def _relative(key: Key) -> Key:
    """The relative major or minor of a key."""
    return Key((key.pitch_class + (3 if key.minor else -3)) % 12, not key.minor)
