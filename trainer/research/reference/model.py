"""A trained network for tags in its file: weights as safetensors, everything else as JSON."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load, save

from tempo_core.checkpoint import metadata
from tempo_core.errors import CheckpointError, ConfigError, reason

from ...files import write_bytes
from ...recipes.reading import changed
from .inputs import firsts_of, inputs_of, windows_of
from .networks import TagNetwork
from .recipe import TagRecipe
from .training import window_scores

FILE = "model.safetensors"  # in the folder of its run
KIND = "reference-tags"


@dataclass(frozen=True)
class TagModel:
    """A network with the tags that it answers; `card` says what it was made of."""

    network: TagNetwork
    recipe: TagRecipe
    tags: tuple[str, ...]
    card: dict[str, Any]

    def save(self, path: Path) -> None:
        """Write it to a file.

        Raises
        ------
        StorageError
            If the file cannot be written.
        """
        header = {
            "kind": KIND, "recipe": self.recipe.to_dict(), "tags": self.tags, "card": self.card
        }  # fmt: skip
        write_bytes(path, save(dict(self.network.state_dict()), {"model": json.dumps(header)}))

    @classmethod
    def read(cls, path: Path) -> TagModel:
        """The model in a file that `save` wrote.

        Raises
        ------
        CheckpointError
            If the file is missing, or not such a model.
        """
        try:
            if not path.is_file():  # a pipe would wait for its writer
                raise ValueError("it is not a regular file")
            data = path.read_bytes()
            weights, header = load(data), json.loads(metadata(data)["model"])
            if header["kind"] != KIND:
                raise ValueError(f"it is of the kind {header['kind']!r}")
            recipe = changed(TagRecipe(), dict(header["recipe"]), str(path))
            tags = _checked(header["tags"])
            with torch.device("meta"):  # shapes without memory: a file may say anything
                wanted = {k: v.shape for k, v in TagNetwork(recipe, len(tags)).state_dict().items()}
            if {k: v.shape for k, v in weights.items()} != wanted:
                raise ValueError("its weights are not those of its recipe")
            if not all(torch.isfinite(weight).all() for weight in weights.values()):
                raise ValueError("its weights are no finite numbers")
            network = TagNetwork(recipe, len(tags))
            network.load_state_dict(weights)
            card = dict(header["card"])
        except (
            OSError, SafetensorError, ConfigError, KeyError, ValueError, TypeError, RecursionError
        ) as error:  # fmt: skip
            raise CheckpointError(
                f"{path}: is no model of this pipeline ({reason(error)}); give the {FILE} of a run"
            ) from error
        return cls(network.eval().requires_grad_(False), recipe, tags, card)

    def scores(self, path: Path) -> NDArray[np.float64]:
        """(n_tags,) probabilities of the tags of a file: the mean over windows that cover it.

        Raises
        ------
        AudioError
            If the file cannot be decoded, is silent or too short.
        """
        config = self.recipe.inputs
        inputs = inputs_of(path, config)
        windows = windows_of(inputs, firsts_of(len(inputs), config).tolist(), config)
        found = window_scores(self.network, torch.from_numpy(windows))
        return np.asarray(found.mean(axis=0))


def _checked(tags: Any) -> tuple[str, ...]:
    """The tags of a header; `ValueError` unless they are different lines of text."""
    right = isinstance(tags, list) and all(isinstance(t, str) and t.isprintable() for t in tags)
    if not right or not tags or len(set(tags)) != len(tags):
        raise ValueError("its tags are no names")
    return tuple(tags)
