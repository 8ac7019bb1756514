"""The operations of `tempo_core.network` in torch, and networks that can be trained.

The definition of a network is in `tempo_core`; here its layers are torch modules with gradients.
Weights have the same names as in a model file, so that each form can be made of the other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from tempo_core.network import Conv, Definition, Layer, Linear, Network, Norm


def module_of(layer: Layer, n_axes: int) -> nn.Module:
    """A torch module with fresh weights for a layer.

    Parameters
    ----------
    n_axes
        Number of axes of the layer's input, without that of the batch.
    """
    if isinstance(layer, Linear):
        return nn.Linear(layer.n_in, layer.n_out)
    if isinstance(layer, Norm):
        return nn.BatchNorm2d(layer.n) if n_axes == 3 else nn.BatchNorm1d(layer.n)
    kind: Any = nn.Conv1d if len(layer.kernel) == 1 else nn.Conv2d
    mode = "circular" if layer.circular else "zeros"
    made: nn.Module = kind(
        layer.n_in, layer.n_out, layer.kernel, padding=layer.padding, padding_mode=mode
    )
    return made


class Learnable(nn.Module):
    """A network as a torch module that can be trained.

    Parameters
    ----------
    definition
        Layers of the network and its function.
    """

    def __init__(self, definition: Definition):
        super().__init__()
        self.definition = definition
        n_axes = 1
        for name, layer in definition.layers.items():
            if isinstance(layer, Conv):
                n_axes = 1 + len(layer.kernel)
            elif isinstance(layer, Linear):
                n_axes = 1
            _put(self, name, module_of(layer, n_axes))
        self.ops = TorchOps(self)

    def forward(self, *inputs: Tensor) -> Tensor:
        """Logits (batch, …) of the inputs, each (batch, …)."""
        found: Tensor = self.definition.forward(self.ops, *inputs)
        return found


def _put(whole: nn.Module, name: str, part: nn.Module) -> None:
    """Add a module under a dotted name, with empty modules for the names before the dots."""
    *path, last = name.split(".")
    for step in path:
        if step not in dict(whole.named_children()):
            whole.add_module(step, nn.Module())
        whole = whole.get_submodule(step)
    whole.add_module(last, part)


def learnable(network: Network) -> Learnable:
    """A trainable copy of a network with its weights, in evaluation mode and without gradients."""
    made = Learnable(network.definition)
    made.load_state_dict(tensors(network.weights))
    return made.eval().requires_grad_(False)


def tensors(weights: Mapping[str, NDArray[Any]]) -> dict[str, Tensor]:
    """Copies of weights as torch tensors."""
    return {name: torch.tensor(value) for name, value in weights.items()}


def usable(network: Learnable) -> Network:
    """The network for use, with a copy of the weights of a trained one."""
    weights = {
        name: value.detach().cpu().numpy().copy() for name, value in network.state_dict().items()
    }
    return Network(network.definition, weights)


class TorchOps:
    """The operations of `tempo_core.network.Ops` on tensors; see there for each of them."""

    def __init__(self, network: nn.Module):
        # In a tuple, torch does not register the network as a child of this part of itself.
        self._held = (network,)

    def at(self, name: str) -> TorchOps:
        return TorchOps(self._held[0].get_submodule(name))

    def _apply(self, name: str, x: Tensor) -> Tensor:
        found: Tensor = self._held[0].get_submodule(name)(x)
        return found

    def conv(self, name: str, x: Tensor, norm: str | None = None) -> Tensor:
        x = self._apply(name, x)
        return x if norm is None else self._apply(norm, x)

    def norm(self, name: str, x: Tensor) -> Tensor:
        return self._apply(name, x)

    def linear(self, name: str, x: Tensor) -> Tensor:
        return self._apply(name, x)

    def dropout(self, x: Tensor, share: float, *, channels: bool = False) -> Tensor:
        drop = nn.functional.dropout1d if channels else nn.functional.dropout
        return drop(x, share, training=self._held[0].training)

    def elu(self, x: Tensor) -> Tensor:
        return nn.functional.elu(x)

    def maximum(self, a: Tensor, b: Tensor) -> Tensor:
        return torch.maximum(a, b)

    def mean(self, x: Tensor, axis: int) -> Tensor:
        return x.mean(dim=axis)

    def max(self, x: Tensor, axis: int) -> Tensor:
        return x.amax(dim=axis)

    def cat(self, parts: Sequence[Tensor], axis: int) -> Tensor:
        return torch.cat(list(parts), dim=axis)

    def stack(self, parts: Sequence[Tensor]) -> Tensor:
        return torch.stack(list(parts))

    def shift(self, x: Tensor, places: int) -> Tensor:
        if places >= 0:
            return nn.functional.pad(x[..., places:], (0, places))
        return nn.functional.pad(x[..., :places], (-places, 0))

    def interpolate(self, x: Tensor, n: int) -> Tensor:
        drawn_out = nn.functional.interpolate(x[:, None], n, mode="linear", align_corners=True)
        return drawn_out[:, 0]

    def masked(self, x: Tensor, where: NDArray[np.bool_], value: float) -> Tensor:
        return x.masked_fill(torch.from_numpy(where).to(x.device), value)

    def plus(self, x: Tensor, constant: NDArray[np.float32]) -> Tensor:
        return x + torch.from_numpy(constant).to(x.device)

    def softmax(self, x: Tensor) -> Tensor:
        return x.softmax(dim=-1)

    def logsumexp(self, x: Tensor, axis: int) -> Tensor:
        return x.logsumexp(dim=axis, keepdim=True)
