"""What a network may do to its input, beside what arrays of both kinds do alike.

Those are arithmetic, comparison, `abs`, slices and `reshape`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from .layers import Layer

Array = Any  # of NumPy or of torch, as the operations have it


class Ops(Protocol):
    """The operations, bound to the weights of a network.

    Axes are counted from 0, the batch's; negative ones from the end.
    """

    def at(self, name: str) -> Ops:
        """The operations of a part of the network: layers are named from there on."""

    def conv(self, name: str, x: Array, norm: str | None = None) -> Array:
        """(batch, n_in, …) → (batch, n_out, …), followed by a normalisation if one is named."""

    def norm(self, name: str, x: Array) -> Array:
        """Normalise channels, (batch, n, …)."""

    def linear(self, name: str, x: Array) -> Array:
        """(batch, n_in) → (batch, n_out)."""

    def dropout(self, x: Array, share: float, *, channels: bool = False) -> Array:
        """Forget a share of the values, or of whole channels; nothing outside of training."""

    def elu(self, x: Array) -> Array:
        """Exponential linear unit."""

    def maximum(self, a: Array, b: Array) -> Array:
        """The larger of two arrays at each place."""

    def mean(self, x: Array, axis: int) -> Array:
        """Mean over an axis, which goes."""

    def max(self, x: Array, axis: int) -> Array:
        """Maximum over an axis, which goes."""

    def cat(self, parts: Sequence[Array], axis: int) -> Array:
        """Join arrays along an axis."""

    def stack(self, parts: Sequence[Array]) -> Array:
        """Arrays of one shape along a new first axis."""

    def shift(self, x: Array, places: int) -> Array:
        """`x[..., k + places]` at place k of the last axis; zero where that is outside."""

    def interpolate(self, x: Array, n: int) -> Array:
        """The last axis drawn out to `n` places, linearly, both ends kept."""

    def masked(self, x: Array, where: Any, value: float) -> Array:
        """`value` where the NumPy mask, shaped like the last axes of `x`, is true."""

    def logsumexp(self, x: Array, axis: int) -> Array:
        """Logarithm of the sum of exponentials over an axis, which stays."""


class Definition(Protocol):
    """A network without weights."""

    @property
    def layers(self) -> Mapping[str, Layer]:
        """What has weights, by name, in the order in which it is made."""

    def forward(self, ops: Ops, *inputs: Array) -> Array:
        """Inputs, each (batch, …) → logits (batch, …)."""
