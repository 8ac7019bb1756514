"""Configuration of tempo models: their tempo axis and the size of their networks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ...config import Config, names, setting

MOST_FAMILIES = 64  # of genres by which a model counts


@dataclass(frozen=True)
class TempoGrid(Config):
    """A logarithmic tempo axis [BPM], on which equal ratios are equal distances."""

    bpm_min: float = setting(20.0, 1.0, 300.0)
    n_bins: int = setting(180, 16, 4096)
    bins_per_octave: int = setting(36, 4, 512)
    # [BPM] range of answers. The axis is wider, so that harmonics and sub-harmonics of every answer
    # are on it.
    answer_min: float = setting(30.0, 1.0, 1000.0)
    answer_max: float = setting(300.0, 1.0, 1000.0)

    def __post_init__(self) -> None:
        super().__post_init__()
        octaves = self.n_bins / self.bins_per_octave
        # The network looks two octaves up and down from each tempo.
        self.require(2 < octaves <= 12, "n_bins", "must be more than 2 and at most 12 octaves")
        self.require(self.answer_min < self.answer_max, "answer_min", "must be below answer_max")
        top = self.bpm_min * 2.0 ** ((self.n_bins - 1) / self.bins_per_octave)
        self.require(self.bpm_min <= self.answer_min, "answer_min", "must be on the axis")
        self.require(self.answer_max <= top, "answer_max", f"must be on the axis, up to {top:.0f}")


@dataclass(frozen=True)
class Model(Config):
    """Size of the networks, and their number `n_members` in the ensemble; see network.py."""

    channels: tuple[int, ...] = setting((16, 32, 40), 1, 256)
    n_rate: int = setting(48, 1, 512)
    n_timbre: int = setting(32, 1, 512)
    n_prior: int = setting(16, 2, 1024)
    dropout: float = setting(0.1, 0.0, 0.95)
    n_members: int = setting(2, 1, 64)
    # Whether the prior only decides among the octaves of a tempo, so that a newly learned prior
    # cannot change which rate is found.
    separate_octave: bool = False


_GRID, _MODEL = TempoGrid(), Model()


@dataclass(frozen=True)
class TempoConfig(Config):
    """Configuration of a tempo model.

    `genres` are the families of genres (`tempo_core.genres`) by which it counts, where the genre of
    a track is known; none in the shipped model.
    """

    grid: TempoGrid = _GRID
    model: Model = _MODEL
    genres: tuple[str, ...] = names(MOST_FAMILIES)


def upgrade(values: dict[str, Any], layout: int) -> dict[str, Any]:
    """Plain values of a configuration in an older layout of model files → in today's layout.

    Before layout 3 there was no `separate_octave`, and the prior was never separate. A model from
    before there were `genres` has none.
    """
    values = {"genres": [], **values}
    if layout >= 3 or not isinstance(values.get("model"), dict):
        return values
    return {**values, "model": {**values["model"], "separate_octave": False}}
