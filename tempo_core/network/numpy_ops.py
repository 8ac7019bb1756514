"""Operations of networks in NumPy, and networks with their weights, ready to be used."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from .layers import Conv, Linear, Norm
from .ops import Definition

Array = NDArray[np.float32]
EPSILON = 1e-5  # added to a variance, as torch does


class Network:
    """A network with its weights; call it with its inputs.

    Parameters
    ----------
    definition
        Layers and forward pass.
    weights
        float32, by their names in a model file; all of the layers' weights in their shapes.
    """

    def __init__(self, definition: Definition, weights: Mapping[str, NDArray[Any]]):
        self.definition = definition
        self.weights = dict(weights)
        self.ops = NumpyOps(definition, self.weights)

    def __call__(self, *inputs: Array) -> Array:
        """Inputs, each (batch, …) float32 → logits (batch, …)."""
        found: Array = self.definition.forward(self.ops, *inputs)
        return found


class NumpyOps:
    """`ops.Ops` for float32 arrays; a normalisation is folded into the convolution before it."""

    def __init__(
        self,
        definition: Definition,
        weights: Mapping[str, NDArray[Any]],
        prefix: str = "",
        folded: dict[tuple[str, str | None], tuple[Array, Array]] | None = None,
    ):
        self._definition, self._weights, self._prefix = definition, weights, prefix
        # Matrices and biases of the convolutions, by (name, name of the norm); made on first use.
        self._folded = {} if folded is None else folded

    def at(self, name: str) -> NumpyOps:
        prefix = f"{self._prefix}{name}."
        return NumpyOps(self._definition, self._weights, prefix, self._folded)

    def conv(self, name: str, x: Array, norm: str | None = None) -> Array:
        layer = self._definition.layers[self._prefix + name]
        assert isinstance(layer, Conv)
        matrix, bias = self._matrix(name, norm)
        padded = x
        if any(layer.padding):
            around = [(0, 0), (0, 0), *((n, n) for n in layer.padding)]
            padded = np.pad(x, around, "wrap" if layer.circular else "constant")
        places = tuple(
            size - kernel + 1 for size, kernel in zip(padded.shape[2:], layer.kernel, strict=True)
        )
        axes = tuple(range(2, x.ndim))
        # For each place of the kernel, a view as wide as the output: that copies long runs of
        # neighbours at a time, where a view as small as the kernel would copy short ones.
        columns = sliding_window_view(padded, places, axis=axes).reshape(
            len(x), matrix.shape[1], -1
        )
        found = matrix @ columns
        found += bias
        return found.reshape(len(x), layer.n_out, *places)

    def norm(self, name: str, x: Array) -> Array:
        scale, offset = self._affine(name)
        shape = (-1, *(1 for _ in x.shape[2:]))
        return x * scale.reshape(shape) + offset.reshape(shape)

    def linear(self, name: str, x: Array) -> Array:
        assert isinstance(self._definition.layers[self._prefix + name], Linear)
        return x @ self._weight(f"{name}.weight").T + self._weight(f"{name}.bias")

    def dropout(self, x: Array, share: float, *, channels: bool = False) -> Array:
        return x

    def elu(self, x: Array) -> Array:
        below = np.minimum(x, 0)
        np.exp(below, out=below)
        below -= 1
        return np.maximum(x, 0) + below

    def maximum(self, a: Array, b: Array) -> Array:
        return np.maximum(a, b)

    def mean(self, x: Array, axis: int) -> Array:
        return np.asarray(x.mean(axis=axis))

    def max(self, x: Array, axis: int) -> Array:
        return np.asarray(x.max(axis=axis))

    def cat(self, parts: Sequence[Array], axis: int) -> Array:
        return np.concatenate(parts, axis=axis)

    def stack(self, parts: Sequence[Array]) -> Array:
        return np.stack(parts)

    def shift(self, x: Array, places: int) -> Array:
        moved = np.zeros_like(x)
        if places >= 0:
            moved[..., : x.shape[-1] - places] = x[..., places:]
        else:
            moved[..., -places:] = x[..., :places]
        return moved

    def interpolate(self, x: Array, n: int) -> Array:
        if x.shape[-1] == 1:
            return np.repeat(x, n, axis=-1)
        place = np.arange(n) * ((x.shape[-1] - 1) / max(1, n - 1))
        lower = np.minimum(place.astype(int), x.shape[-1] - 2)
        weight = (place - lower).astype(np.float32)
        return x[..., lower] * (1 - weight) + x[..., lower + 1] * weight

    def masked(self, x: Array, where: Any, value: float) -> Array:
        return np.where(where, np.float32(value), x)

    def plus(self, x: Array, constant: Any) -> Array:
        return np.asarray(x + constant)

    def softmax(self, x: Array) -> Array:
        weights = np.exp(x - x.max(axis=-1, keepdims=True))
        weights /= weights.sum(axis=-1, keepdims=True)
        return np.asarray(weights)

    def logsumexp(self, x: Array, axis: int) -> Array:
        highest = x.max(axis=axis, keepdims=True)
        return np.asarray(highest + np.log(np.exp(x - highest).sum(axis=axis, keepdims=True)))

    def _weight(self, name: str) -> Array:
        return self._weights[self._prefix + name]

    def _affine(self, name: str) -> tuple[Array, Array]:
        """Scale (n,) and offset (n,) that a normalisation amounts to."""
        layer = self._definition.layers[self._prefix + name]
        assert isinstance(layer, Norm)
        parts = ("weight", "bias", "running_mean", "running_var")
        weight, bias, mean, variance = (self._weight(f"{name}.{p}").astype(float) for p in parts)
        scale = weight / np.sqrt(variance + EPSILON)
        return scale.astype(np.float32), (bias - mean * scale).astype(np.float32)

    def _matrix(self, name: str, norm: str | None) -> tuple[Array, Array]:
        """Matrix (n_out, n_in * kernel size) and bias (n_out, 1) of a convolution.

        The normalisation after it is folded in, if one is named.
        """
        key = (self._prefix + name, norm)
        if key not in self._folded:
            weight = self._weight(f"{name}.weight")
            matrix, bias = weight.reshape(len(weight), -1), self._weight(f"{name}.bias")
            if norm is not None:
                scale, offset = self._affine(norm)
                matrix, bias = matrix * scale[:, None], bias * scale + offset
            self._folded[key] = np.ascontiguousarray(matrix), bias[:, None].copy()
        return self._folded[key]
