"""Operations that networks are made of, for two back ends.

Beside these a forward pass may use what arrays of NumPy and torch do alike: arithmetic, comparison,
matrix products, `abs`, slices, `reshape` and `swapaxes`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from .layers import Layer

Array = Any  # an array of NumPy or a tensor of torch


class Ops(Protocol):
    """Operations that are bound to the weights of a network.

    Axis 0 is the batch; negative axes count from the end.
    """

    def at(self, name: str) -> Ops:
        """Operations of a part of the network; names of its layers lack the prefix `name`."""

    def conv(self, name: str, x: Array, norm: str | None = None) -> Array:
        """Convolution (batch, n_in, …) → (batch, n_out, …), then the normalisation `norm`."""

    def norm(self, name: str, x: Array) -> Array:
        """Normalisation of the channels of (batch, n, …)."""

    def linear(self, name: str, x: Array) -> Array:
        """Matrix product and offset, (batch, n_in) → (batch, n_out)."""

    def dropout(self, x: Array, share: float, *, channels: bool = False) -> Array:
        """Random zeros for a share of the values, or of whole channels; only during training."""

    def elu(self, x: Array) -> Array:
        """Exponential linear unit."""

    def maximum(self, a: Array, b: Array) -> Array:
        """The larger of two arrays at each place."""

    def mean(self, x: Array, axis: int) -> Array:
        """Mean over an axis, which is removed."""

    def max(self, x: Array, axis: int) -> Array:
        """Maximum over an axis, which is removed."""

    def cat(self, parts: Sequence[Array], axis: int) -> Array:
        """Arrays joined along an axis."""

    def stack(self, parts: Sequence[Array]) -> Array:
        """Arrays of one shape along a new first axis."""

    def shift(self, x: Array, places: int) -> Array:
        """`x[..., k + places]` at place k of the last axis; zero where that is outside."""

    def interpolate(self, x: Array, n: int) -> Array:
        """Linear interpolation of the last axis to `n` places; both ends keep their values."""

    def masked(self, x: Array, where: Any, value: float) -> Array:
        """`value` where the NumPy mask, shaped like the last axes of `x`, is true."""

    def plus(self, x: Array, constant: Any) -> Array:
        """The sum of an array and a NumPy array of constants, shaped like its last axes."""

    def softmax(self, x: Array) -> Array:
        """Exponentials of the values, divided by their sum over the last axis."""

    def logsumexp(self, x: Array, axis: int) -> Array:
        """Logarithm of the sum of exponentials over an axis, which is kept with length 1."""


class Definition(Protocol):
    """A network without weights: its layers and its forward pass."""

    @property
    def layers(self) -> Mapping[str, Layer]:
        """Layers with weights, by name, in the order in which training makes them."""

    def forward(self, ops: Ops, *inputs: Array) -> Array:
        """Inputs, each (batch, …) → logits (batch, …)."""
