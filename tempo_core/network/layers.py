"""Descriptions of the layers that have weights, as plain data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Conv:
    """A convolution over one axis or two.

    `kernel` and `padding` have one number for each axis. The padding is zeros, or, if `circular`,
    values from the other end of the axis.
    """

    n_in: int
    n_out: int
    kernel: Shape
    padding: Shape
    circular: bool = False

    def shapes(self) -> dict[str, Shape]:
        """Shapes of the weights, by name."""
        return {"weight": (self.n_out, self.n_in, *self.kernel), "bias": (self.n_out,)}


@dataclass(frozen=True)
class Norm:
    """An affine normalisation of `n` channels, each by its mean and variance during training."""

    n: int

    def shapes(self) -> dict[str, Shape]:
        """Shapes of the weights, by name."""
        names = ("weight", "bias", "running_mean", "running_var")
        return {**dict.fromkeys(names, (self.n,)), "num_batches_tracked": ()}


@dataclass(frozen=True)
class Linear:
    """A matrix product and an offset."""

    n_in: int
    n_out: int

    def shapes(self) -> dict[str, Shape]:
        """Shapes of the weights, by name."""
        return {"weight": (self.n_out, self.n_in), "bias": (self.n_out,)}


Layer = Conv | Norm | Linear


def shapes(layers: Mapping[str, Layer]) -> dict[str, Shape]:
    """Shapes of all weights of a network, by their names in a model file."""
    return {
        f"{name}.{part}": shape
        for name, layer in layers.items()
        for part, shape in layer.shapes().items()
    }


def under(prefix: str, layers: Mapping[str, Layer]) -> dict[str, Layer]:
    """Layers of a part of a network, by their names in the whole network."""
    return {f"{prefix}.{name}": layer for name, layer in layers.items()}
