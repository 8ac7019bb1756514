"""From the embeddings of pieces to that of a track, and to its tags."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import AudioError
from ...heard import Heard
from ...model import Checkpoint
from ...sound_tags import LEAST, Tag, format_tags
from ...spectrum import Array
from ...task import Results, Scored
from .config import TagsConfig
from .network import HEAD

Embedding = NDArray[np.float16]
ENOUGH_PIECES = 16  # some 48 s; more changes little


@dataclass(frozen=True, eq=False)
class Tagging:
    """What a track sounds like.

    Attributes
    ----------
    embedding
        (n_dims,) as it is stored; that of a track is the mean of those of its pieces.
    tags
        Probability of each tag of the model, in 0..1, by the tags.
    """

    embedding: Embedding
    tags: dict[Tag, float]


def encode(label: Array, config: TagsConfig | None = None) -> Array:
    """Probabilities of tags (n_tags,) → the same."""
    return np.asarray(label, np.float32)


def activate(logits: Array, config: TagsConfig | None = None, temperature: float = 1.0) -> Array:
    """Embeddings (n, n_dims), as they are."""
    return logits


def pool(scored: Sequence[Scored], config: TagsConfig | None = None) -> Embedding:
    """The mean of the embeddings of all pieces, (n_dims,)."""
    mean = np.concatenate([scores for _, scores in scored]).mean(axis=0)
    with np.errstate(over="ignore"):  # too large numbers become infinite, which `decode` refuses
        return mean.astype(np.float16)


def decode(
    pooled: Embedding, heard: Heard, results: Results, checkpoint: Checkpoint[TagsConfig]
) -> Tagging:
    """The tags that follow from the embedding.

    Raises
    ------
    AudioError
        If the embedding is not finite, which the weights of a model file may cause: what is no
        number would be kept, and compared with others.
    """
    if not np.isfinite(pooled).all():
        raise AudioError("sounds like nothing that the model can put into numbers")
    return Tagging(pooled, tags_from(pooled, checkpoint))


def tag_probabilities(embeddings: NDArray[Any], checkpoint: Checkpoint[TagsConfig]) -> Array:
    """Embeddings of tracks (n, n_dims) → probabilities (n, n_tags) of the tags of a model."""
    if not checkpoint.config.tags:
        return np.zeros((len(embeddings), 0), np.float32)
    # Weights of a model file may be as large as numbers can be: what is none then is not likely.
    with np.errstate(over="ignore", invalid="ignore"):
        logits = checkpoint.network.ops.linear(HEAD, embeddings.astype(np.float32))
    logits = np.where(np.isnan(logits), -np.inf, logits)
    return np.asarray(0.5 * (1 + np.tanh(0.5 * logits)), np.float32)  # so nothing overflows


def tags_from(embedding: Embedding, checkpoint: Checkpoint[TagsConfig]) -> dict[Tag, float]:
    """Embedding of one track (n_dims,) → probability of each tag of a model."""
    (probabilities,) = tag_probabilities(embedding[None], checkpoint)
    return dict(zip(tags_of(checkpoint.config), probabilities.tolist(), strict=True))


def tag_texts(probabilities: Array, tags: Sequence[Tag]) -> list[str]:
    """What `sound_tags.format_tags` writes of each row of probabilities (n, n_tags)."""
    learned = {tag.word for tag in tags if tag.field}
    # Only the likely ones are looked at one by one, of hundreds; but for an unlikely one that was
    # learned, the word of the package that is written alike must not stand.
    counts = np.array([bool(tag.field) or tag.word not in learned for tag in tags], bool)
    likely = (probabilities.astype(np.float64) >= LEAST) & counts
    return [
        format_tags({tags[k]: float(row[k]) for k in np.flatnonzero(are_likely).tolist()})
        for row, are_likely in zip(probabilities, likely, strict=True)
    ]


def tags_of(config: TagsConfig) -> tuple[Tag, ...]:
    """The tags of a model, in the order of its head."""
    return tuple(Tag.parse(text) for text in config.tags)


def embedding_name(checkpoint: Checkpoint[TagsConfig]) -> str:
    """Name of the embeddings of a model: 16 hex digits.

    Two models have the same if they differ in their tags alone; then the embeddings that one made
    are as good for the other.
    """
    digest = hashlib.sha256(checkpoint.spectrum.key.encode())
    for name, weight in sorted(checkpoint.network.weights.items()):
        if not name.startswith(f"{HEAD}."):
            digest.update(name.encode())
            digest.update(np.ascontiguousarray(weight).tobytes())
    return digest.hexdigest()[:16]


def enough(scored: Sequence[Scored], config: TagsConfig) -> bool:
    """Whether more would hardly change the answer."""
    return sum(len(scores) for _, scores in scored) >= ENOUGH_PIECES


def columns(tagging: Tagging) -> dict[str, Any]:
    """The values of `columns.COLUMNS`."""
    return {"sound_tags": tagging.tags}
