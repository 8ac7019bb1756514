"""Settings of the tags task."""

from __future__ import annotations

from dataclasses import dataclass

from ...config import Config, names, setting

MOST_TAGS = 2000  # of one model


@dataclass(frozen=True)
class TagsModel(Config):
    """Sizes of the network."""

    n_channels: int = setting(16, 1, 64)  # of the first convolution; those after it have more
    n_merged: int = setting(192, 1, 1024)  # of the convolution over time
    n_dims: int = setting(128, 2, 1024)  # of the embedding
    dropout: float = setting(0.1, 0.0, 0.9)


_MODEL = TagsModel()


@dataclass(frozen=True)
class TagsConfig(Config):
    """Everything that a model of tags is configured by.

    `tags` are what its head answers, each as `field:name`, see `tempo_core.sound_tags.Tag`.
    """

    model: TagsModel = _MODEL
    tags: tuple[str, ...] = names(MOST_TAGS)
