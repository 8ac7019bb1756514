"""The layers that have weights, as plain data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Conv:
    """A convolution over one axis or two.

    `kernel` and `padding` have a number for each axis; what lies outside is zero, or, where the
    axes are circles, the other end.
    """

    n_in: int
    n_out: int
    kernel: Shape
    padding: Shape
    circular: bool = False

    def shapes(self) -> dict[str, Shape]:
        """Of its weights, by name."""
        return {"weight": (self.n_out, self.n_in, *self.kernel), "bias": (self.n_out,)}


@dataclass(frozen=True)
class Norm:
    """An affine normalisation of each of `n` channels by its mean and variance in training."""

    n: int

    def shapes(self) -> dict[str, Shape]:
        """Of its weights, by name."""
        names = ("weight", "bias", "running_mean", "running_var")
        return {**dict.fromkeys(names, (self.n,)), "num_batches_tracked": ()}


@dataclass(frozen=True)
class Linear:
    """A matrix product and an offset."""

    n_in: int
    n_out: int

    def shapes(self) -> dict[str, Shape]:
        """Of its weights, by name."""
        return {"weight": (self.n_out, self.n_in), "bias": (self.n_out,)}


Layer = Conv | Norm | Linear


def shapes(layers: Mapping[str, Layer]) -> dict[str, Shape]:
    """Of all weights of a network, by the names they have in a model file."""
    return {
        f"{name}.{part}": shape
        for name, layer in layers.items()
        for part, shape in layer.shapes().items()
    }


def under(prefix: str, layers: Mapping[str, Layer]) -> dict[str, Layer]:
    """The layers of a part of a network, by their names in the whole."""
    return {f"{prefix}.{name}": layer for name, layer in layers.items()}
