"""A loaded model: a network with its weights, and the settings that it was trained under."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from .config import UNSCALED, Config, OddsScaling, Windows
from .network.numpy_ops import Network
from .spectrum import Spectrum

C = TypeVar("C", bound=Config)


@dataclass(frozen=True, eq=False)
class Checkpoint(Generic[C]):
    """A loaded model file, ready to be used.

    Its network is for one task, and for the features that `spectrum` computes.
    """

    name: str  # task and date, e.g. `tempo-20261121`
    hash: str  # first 8 hex digits of the file's SHA-256
    task: str  # name of its task in `tempo_core.tasks.TASKS`
    front_end: Any  # configuration of the spectrum, of the kind `Task.front_end`
    windows: Windows
    config: C
    filterbank: NDArray[np.float32]  # (n_bands, n_fft // 2 + 1)
    spectrum: Spectrum  # made of `front_end` and `filterbank`
    network: Network
    temperature: float  # the logits are divided by it
    card: Mapping[str, Any]  # data, recipe, seed, figures
    octave: OddsScaling = UNSCALED  # of a tempo model: calibrates how sure its octave is

    @property
    def source(self) -> str:
        """Name of the model as an origin of tempi, for `tempo_source`: `model:<name>@<hash>`."""
        return f"model:{self.name}@{self.hash}"
