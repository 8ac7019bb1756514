"""What may be set about the training of a network.

The defaults that training uses lie beside this module, a YAML file for each of `NAMES`; see
`reading`. Those of the classes are only for what is made in Python.
"""

from __future__ import annotations

from dataclasses import dataclass

from tempo_core.config import Config, choice, setting

NETWORKS = ("tempo", "convblocks", "mobilenet")  # that can be trained from scratch
NAMES = ("fit", *NETWORKS)  # what there are recipes for


@dataclass(frozen=True)
class Augmenting(Config):
    """How much windows are changed at random before a network learns from them.

    A window is stretched in time by up to `stretch` [bins of 1/36 octave], and its label with it.
    `tone` is the standard deviation of a random equaliser, on the logarithmic scale of the levels,
    `masked` the share of windows of which some neighbouring bands are silenced.
    """

    stretch: int = setting(12, 0, 12)
    tone: float = setting(0.3, 0.0, 3.0)
    masked: float = setting(0.3, 0.0, 1.0)


@dataclass(frozen=True)
class EpochRecipe(Config):
    """What the trainings in epochs share."""

    epochs: int = setting(12, 1, 100_000)
    learning_rate: float = setting(6e-4, 1e-8, 1.0)  # at its highest
    schedule: str = choice("one-cycle", "cosine", "constant")  # of the learning rate
    batch: int = setting(48, 2, 4096)  # windows
    passes: float = setting(4.0, 0.01, 1000.0)  # windows of each track in an epoch
    most_steps: int = setting(200, 1, 1_000_000)  # in an epoch, at most
    weight_decay: float = setting(1e-2, 0.0, 1.0)
    patience: int = setting(4, 1, 100_000)  # epochs without a better validation loss
    seed: int = setting(0, 0, 2**32 - 1)


@dataclass(frozen=True)
class FitRecipe(EpochRecipe):
    """How the default network is trained, by the method `fit` or from scratch.

    `replay` is the share of a batch that is from the guard set. With `weighed`, windows with a
    clear pulse are drawn more often, and count for more while validating, as in use; else all count
    alike. `from_scratch` is no key of a recipe file: it follows from what the recipe is for.
    """

    # The most a track is stretched is little, because its label moves with it, and a convention may
    # count the faster or slower track in another octave.
    augmentation: Augmenting = Augmenting(stretch=2)
    replay: float = setting(0.25, 0.0, 0.9)
    weighed: bool = True
    from_scratch: bool = False


@dataclass(frozen=True)
class ReferenceRecipe(EpochRecipe):
    """How a reference network is trained.

    It learns from windows of `window` seconds that begin every `hop` seconds; `pool` says how the
    tempi of some of them become that of a track.
    """

    window: float = setting(10.0, 6.0, 60.0)
    hop: float = setting(5.0, 0.5, 60.0)
    augmentation: Augmenting = Augmenting()
    pool: str = choice("median", "mode")
