"""How alike embeddings are: exact, all against a few, in blocks that fit into the cache.

All music has something in common, which would make everything alike. So the mean of all embeddings
is taken off first; what is left of two of them is compared by the angle between.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Similarities = NDArray[np.float32]
BLOCK = 4096  # embeddings that become 32-bit floats at a time


def mean_of(embeddings: NDArray[np.float16]) -> Similarities:
    """The mean (n_dims,) of embeddings (n, n_dims)."""
    sums = [block.astype(np.float32).sum(axis=0, dtype=np.float64) for block in _blocks(embeddings)]
    mean = np.sum(sums, axis=0) / max(1, len(embeddings))
    return np.asarray(mean, np.float32)


def directions(embeddings: NDArray[np.float16], mean: Similarities) -> Similarities:
    """Embeddings (n, n_dims) without what all have in common, each of length 1.

    One that is the mean itself has no direction and stays 0: it is like nothing.
    """
    centred = embeddings.astype(np.float32) - mean
    lengths = np.linalg.norm(centred, axis=1, keepdims=True)
    return np.divide(centred, lengths, out=np.zeros_like(centred), where=lengths > 0)


def similarities(embeddings: NDArray[np.float16], chosen: Sequence[int]) -> Similarities:
    """How alike each of some embeddings (n, n_dims) is to the chosen among them, -1 to 1, (n,).

    Of several chosen ones their mean direction counts, each as much as another.
    """
    mean = mean_of(embeddings)
    middle = directions(embeddings[list(chosen)], mean).mean(axis=0)
    length = float(np.linalg.norm(middle))
    if length > 0:
        middle /= length
    parts = [directions(block, mean) @ middle for block in _blocks(embeddings)]
    return np.concatenate(parts) if parts else np.zeros(0, np.float32)


def _blocks(embeddings: NDArray[np.float16]) -> list[NDArray[np.float16]]:
    return [embeddings[k : k + BLOCK] for k in range(0, len(embeddings), BLOCK)]
