"""Models for tests: parts of the shipped models, and networks with random weights."""

from __future__ import annotations

import dataclasses
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tempo_core import checkpoint
from tempo_core.network import Definition, Network, shapes


@lru_cache
def filterbank() -> NDArray[np.float32]:
    """The filter bank of the shipped tempo model, (40, 513), which fits `FrontEnd()`."""
    return checkpoint.load(checkpoint.resolve("shipped")).filterbank


def random_network(definition: Definition, seed: int = 0) -> Network:
    """A network with random weights and statistics of normalisation.

    The weights are scaled so that every layer keeps the level of its input.
    """
    rng = np.random.default_rng(seed)
    weights: dict[str, NDArray[np.float32] | NDArray[np.int64]] = {}
    for name, shape in shapes(definition.layers).items():
        if name.endswith("num_batches_tracked"):
            weights[name] = np.array(7, np.int64)
        elif name.endswith("running_var"):
            weights[name] = rng.uniform(0.3, 3.0, shape).astype(np.float32)
        else:
            n_in = max(1, int(np.prod(shape[1:])))
            weights[name] = (rng.standard_normal(shape) / np.sqrt(n_in)).astype(np.float32)
    return Network(definition, weights)


def counting_hip_hop_twice(folder: Path) -> Path:
    """A model file: the shipped model, which counts hip-hop twice as fast where it is known."""
    from trainer.learning.prior_fitting import adaptable

    model = adaptable(checkpoint.load(checkpoint.resolve("shipped")), ("hip hop",))
    octaves = np.linspace(0, 5, model.config.model.n_prior)
    # A hill between 140 and 240 BPM, which is the double of 70 to 120.
    hill = 12 * ((octaves > np.log2(140 / 20)) & (octaves < np.log2(240 / 20)))
    weights = {**model.network.weights, "genres.weight": hill[:, None].astype(np.float32)}
    network = Network(model.network.definition, weights)
    return checkpoint.save(folder, dataclasses.replace(model, network=network))
