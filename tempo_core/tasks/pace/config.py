"""Configuration of pace models: the folds, the size of the network, the tempo axis."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ...config import Config, setting
from ..tempo.config import TempoGrid


@dataclass(frozen=True)
class PaceModel(Config):
    """Size of the folds and of the pace network, see network.py."""

    n_beats: int = setting(16, 4, 128)
    n_phases: int = setting(24, 4, 192)  # of a beat; 24 can be divided by two, three and four
    n_channels: int = setting(24, 1, 256)
    n_hidden: int = setting(48, 1, 512)
    n_context: int = setting(35, 18, 512)  # 19 of these for the place on the axis, see context.py
    dropout: float = setting(0.15, 0.0, 0.95)
    n_folds: int = setting(3, 1, 16)  # of a candidate in a window, if so many fit
    turned: bool = True  # whether parts of a beat apart are compared, see `network.TURNS`
    by_ratio: bool = True  # whether each ratio to the headline has an offset of its own

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require(self.n_beats % 4 == 0, "n_beats", "must be a multiple of 4")


_GRID, _MODEL = TempoGrid(), PaceModel()


@dataclass(frozen=True)
class PaceConfig(Config):
    """Configuration of a pace model. `grid` is the axis of `Tempo.strength`, see context.py."""

    grid: TempoGrid = _GRID
    model: PaceModel = _MODEL


def upgrade(values: dict[str, Any], layout: int) -> dict[str, Any]:
    """Plain values of a configuration of any age → as they are today.

    Older models have no `turned`, `n_folds` and `by_ratio`: they compared nothing that is parts of
    a beat apart, saw a candidate once in a window, and were calibrated alike at all ratios.
    """
    model = values.get("model")
    if not isinstance(model, dict):
        return values
    return {**values, "model": {"n_folds": 1, "turned": False, "by_ratio": False, **model}}
