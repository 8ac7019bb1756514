"""A model as it is used: a network with its weights, and all that belongs to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from .config import Config, Windows
from .network.numpy_ops import Network
from .spectrum import Spectrum

C = TypeVar("C", bound=Config)


@dataclass(frozen=True, eq=False)
class Checkpoint(Generic[C]):
    """What a model file holds."""

    name: str  # task and date, e.g. `tempo-20261121`
    hash: str  # first 8 hex digits of the file's SHA-256
    task: str  # what it answers, a name in the table of tasks
    front_end: Any  # the configuration of the spectrum
    windows: Windows
    config: C
    filterbank: NDArray[np.float32]  # (n_bands, n_fft // 2 + 1)
    spectrum: Spectrum  # the front end that these two make
    network: Network
    temperature: float  # the logits are divided by it
    card: Mapping[str, Any]  # data, recipe, seed, figures

    @property
    def source(self) -> str:
        """What is written into `tempo_source`: `model:<name>@<hash>`."""
        return f"model:{self.name}@{self.hash}"
