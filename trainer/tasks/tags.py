"""Loss of the tags task: agreement with the tagger that it learns from."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

TAGS, SQUARES = 5.0, 0.5  # weights beside that of the direction


def loss(tags: Tensor, dims: Tensor, true_tags: Tensor, true_dims: Tensor) -> Tensor:
    """Cross-entropy of the tags, square error and direction of the tagger's own embedding.

    Parameters
    ----------
    tags
        (n, n_tags) logits.
    dims
        (n, n_dims) the tagger's embedding as it is guessed.
    true_tags
        (n, n_tags) the tagger's probabilities.
    true_dims
        (n, n_dims) its embedding, each number of mean 0 and variance 1.
    """
    words = F.binary_cross_entropy_with_logits(tags, true_tags)
    direction = (1 - F.cosine_similarity(dims, true_dims)).mean()
    return TAGS * words + SQUARES * F.mse_loss(dims, true_dims) + direction
