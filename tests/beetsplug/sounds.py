"""Libraries whose tracks were listened to, without listening, and models with other tags."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from beets.library import Item

from tempo_core import checkpoint, in_use
from tempo_core.embeddings import Embeddings
from tempo_core.network import Network
from tempo_core.tasks.tags.decode import embedding_name
from tempo_core.tasks.tags.network import HEAD, build

from .conftest import Beet

SHIPPED = checkpoint.load(checkpoint.resolve("shipped", "tags"), "tags")
N_DIMS = SHIPPED.config.model.n_dims


def store_of(beet: Beet) -> Embeddings:
    """The store of a library, for the shipped model."""
    return Embeddings(beet.database.with_name("tempo-sounds.db"), embedding_name(SHIPPED))


def hear(beet: Beet, sounds: Mapping[str, Sequence[float]], **fields: object) -> None:
    """Add tracks by their titles, with the first numbers of their embeddings; the rest are 0.

    An empty sequence is a track that was not listened to.
    """
    library = beet.library
    with store_of(beet) as store:
        for number, (title, numbers) in enumerate(sounds.items(), 1):
            path = beet.music / f"{title}.mp3"
            path.write_bytes(os.fsencode(title))
            item = Item(
                title=title.encode("utf-8", "replace").decode(), artist=f"artist {number}",
                album="a", path=bytes(path), length=100.0 + 20 * number,
            )  # fmt: skip
            item.update(fields)
            library.add(item)
            if len(numbers):
                embedding = np.zeros(N_DIMS)
                embedding[: len(numbers)] = numbers
                store.put(path, embedding, os.fsencode(title))


def learn(tags: Sequence[str], weights: Sequence[Sequence[float]]) -> Path:
    """Put a model to use with the shipped embedding and other tags: each the odds of its numbers.

    Parameters
    ----------
    tags
        As `field:name`.
    weights
        For each tag the first weights of the embedding; the rest are 0.
    """
    head = np.zeros((len(tags), N_DIMS), np.float32)
    for row, numbers in zip(head, weights, strict=True):
        row[: len(numbers)] = numbers
    config = dataclasses.replace(SHIPPED.config, tags=tuple(tags))
    all_ = {k: v for k, v in SHIPPED.network.weights.items() if not k.startswith(f"{HEAD}.")}
    all_[f"{HEAD}.weight"], all_[f"{HEAD}.bias"] = head, np.zeros(len(tags), np.float32)
    network = Network(build(SHIPPED.front_end, config), all_)
    in_use.folder().mkdir(parents=True, exist_ok=True)
    path = checkpoint.save(
        in_use.folder(), dataclasses.replace(SHIPPED, config=config, network=network)
    )
    in_use.activate(path.name, "tags")
    return path
