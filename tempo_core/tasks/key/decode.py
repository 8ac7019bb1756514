"""From scores to a key."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...heard import Heard
from ...keys import Key
from ...model import Checkpoint
from ...spectrum import Array
from ...task import Results, Scored
from .config import KeyConfig

N_KEYS = 24  # C major to B major, C minor to B minor
ENOUGH_SECONDS = 60.0  # of music; after that more is listened to only for other tasks
LEAST_SECONDS = 20.0  # of music; a few chords sound sure of any key that has them
SURE_CONFIDENCE = 0.9  # from which on less than `ENOUGH_SECONDS` is enough
# Standard deviation of the estimated tuning [semitones]. Halfway between two semitones a key is as
# likely as the next one; nothing else in the sound tells which is meant.
TUNING_ERROR = 0.025
# Share of the votes that no key has, whatever is heard: in noise and speech the votes are so spread
# that none comes near it.
NO_KEY = 0.3


@dataclass(frozen=True)
class Tonality:
    """The key of a track.

    Attributes
    ----------
    key
        None where nothing is likely enough, as in noise.
    confidence
        Probability of the most likely key, in 0..1.
    posterior
        (24,) probabilities of C major to B major and C minor to B minor; what is missing to 1 is
        that of no key.
    tuning
        How much higher than A 440 it is tuned [semitones], in -0.5..0.5.
    """

    key: Key | None
    confidence: float
    posterior: NDArray[np.float64]
    tuning: float


@dataclass(frozen=True)
class PooledKeys:
    """What all excerpts together say: (24,) how much each key is likelier than none; the tuning.

    `scores` are logarithms of ratios of probabilities.
    """

    scores: NDArray[np.float64]
    tuning: float


def key_of(number: int) -> Key:
    """The key of a place in the network's answer, 0..23."""
    return Key(number % 12, number >= 12)


def number_of(key: Key) -> int:
    """The inverse of `key_of`."""
    return key.pitch_class + (12 if key.minor else 0)


def encode(label: Key, config: KeyConfig | None = None) -> Array:
    """A key → (24,) 1 at its place."""
    target = np.zeros(N_KEYS, np.float32)
    target[number_of(label)] = 1.0
    return target


def activate(logits: Array, config: KeyConfig | None = None, temperature: float = 1.0) -> Array:
    """Logarithms of shares of votes (n, 24) → logarithms of ratios to `NO_KEY` at a temperature."""
    return np.asarray((logits - math.log(NO_KEY)) / temperature, np.float32)


def pool(scored: Sequence[Scored], config: KeyConfig | None = None) -> PooledKeys:
    """The mean of the probabilities of all that was heard, weighed by its length.

    Of a recording halfway between two semitones one excerpt may count as tuned higher, another as
    tuned lower; then the keys of one are moved to where those of the other are.
    """
    weights = np.concatenate([batch.weights for batch, _ in scored])
    turns = [batch.weights.sum() * np.exp(2j * np.pi * batch.summary) for batch, _ in scored]
    tuning = float(np.angle(sum(turns)) / (2 * np.pi))
    likely = [
        moved(posterior(scores.astype(np.float64)), round(batch.summary - tuning))
        for batch, scores in scored
    ]
    mean = weights @ np.concatenate(likely) / weights.sum()
    none = max(1.0 - float(mean.sum()), 1e-9)
    return PooledKeys(np.log(np.maximum(mean, 1e-12) / none), tuning)


def moved(keys: NDArray[np.float64], semitones: int) -> NDArray[np.float64]:
    """(…, 24) what is known of keys, of music that is so many semitones higher."""
    modes = keys.reshape(*keys.shape[:-1], 2, 12)
    return np.roll(modes, semitones, axis=-1).reshape(keys.shape)


def posterior(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """(…, 24) probabilities of scores, whose sum leaves that of no key."""
    highest = np.maximum(scores.max(axis=-1, keepdims=True), 0.0)
    likely = np.exp(scores - highest)
    return np.asarray(likely / (np.exp(-highest) + likely.sum(axis=-1, keepdims=True)))


def in_doubt(likely: NDArray[np.float64], tuning: float) -> NDArray[np.float64]:
    """(24,) probabilities that take into account that the tuning is an estimate."""
    beyond = 0.5 * math.erfc((0.5 - abs(tuning)) / TUNING_ERROR / math.sqrt(2))
    return (1 - beyond) * likely + beyond * moved(likely, 1 if tuning > 0 else -1)


def decode(
    pooled: PooledKeys, heard: Heard, results: Results, checkpoint: Checkpoint[KeyConfig]
) -> Tonality:
    """The most likely key, if it is likely enough."""
    likely = in_doubt(posterior(pooled.scores), pooled.tuning)
    best = int(likely.argmax())
    confidence = float(likely[best])
    is_enough = confidence >= checkpoint.config.least_confidence
    return Tonality(key_of(best) if is_enough else None, confidence, likely, pooled.tuning)


def enough(scored: Sequence[Scored], config: KeyConfig) -> bool:
    """Whether more would hardly change the answer."""
    seconds = sum(float(batch.weights.sum()) for batch, _ in scored)
    if seconds >= ENOUGH_SECONDS or seconds < LEAST_SECONDS:
        return seconds >= ENOUGH_SECONDS
    return bool(posterior(pool(scored).scores).max() >= SURE_CONFIDENCE)


def columns(tonality: Tonality) -> dict[str, Any]:
    """The values of `columns.COLUMNS`."""
    key = None if tonality.key is None else str(tonality.key)
    return {"key": key, "key_confidence": round(tonality.confidence, 4)}
