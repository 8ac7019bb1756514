"""Checkpoints of a training run without pickles: tensors as safetensors, everything else as JSON.

lightning's own checkpoints are pickles, which run code when they are read. What it hands over is
nested dicts, lists, tuples, numbers, strings and tensors; those are written into one file, in one
step, so that a run that is killed at any moment leaves the previous checkpoint or the new one.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch.plugins.io import CheckpointIO
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from tempo_core.checkpoint import metadata
from tempo_core.errors import CheckpointError
from tempo_core.files import replace_file

# Tuples, dicts and tensors are objects with one of these names as their only key.
TENSOR, TUPLE, PAIRS = "__tensor__", "__tuple__", "__pairs__"


def pack(value: Any, tensors: dict[str, Tensor]) -> Any:
    """A value in types that JSON has; its tensors are added to `tensors`, by number.

    Raises
    ------
    CheckpointError
        If something in it is neither plain nor a tensor.
    """
    if isinstance(value, Tensor):
        name = str(len(tensors))
        # A copy: safetensors refuses two names for one piece of memory.
        tensors[name] = value.detach().cpu().contiguous().clone()
        return {TENSOR: name}
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, list):
        return [pack(item, tensors) for item in value]
    if isinstance(value, tuple):
        return {TUPLE: [pack(item, tensors) for item in value]}
    if isinstance(value, dict):
        return {PAIRS: [[pack(k, tensors), pack(v, tensors)] for k, v in value.items()]}
    raise CheckpointError(
        f"a training checkpoint holds plain values and tensors, not {type(value).__name__}; "
        "keep that out of the state"
    )


def unpack(value: Any, tensors: dict[str, Tensor]) -> Any:
    """The value that `pack` made this JSON of, with tensors by their numbers."""
    if isinstance(value, list):
        return [unpack(item, tensors) for item in value]
    if isinstance(value, dict):
        ((kind, content),) = value.items()
        if kind == TENSOR:
            return tensors[content]
        if kind == TUPLE:
            return tuple(unpack(item, tensors) for item in content)
        return {unpack(k, tensors): unpack(v, tensors) for k, v in content}
    return value


class PlainCheckpointIO(CheckpointIO):
    """The reader and writer of checkpoints that lightning gets as `Trainer(plugins=…)`."""

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | os.PathLike[str], storage_options: Any = None
    ) -> None:
        """Write a checkpoint atomically.

        Raises
        ------
        CheckpointError
            If it cannot be written; the previous one stays as it was.
        """
        tensors: dict[str, Tensor] = {}
        text = json.dumps(pack(checkpoint, tensors))
        data = save(tensors, {"checkpoint": text})
        path = Path(path)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            replace_file(path, data)
        except OSError as error:
            raise CheckpointError(
                f"{path}: the training checkpoint cannot be written ({error.strerror}); make room "
                "and run the same again, it goes on from the last one"
            ) from error

    def load_checkpoint(
        self, path: str | os.PathLike[str], map_location: Any = None, weights_only: Any = None
    ) -> dict[str, Any]:
        """Read a checkpoint.

        Raises
        ------
        CheckpointError
            If it is missing, or was not written by `save_checkpoint`.
        """
        try:
            data = Path(path).read_bytes()
            tensors = load(data)
            checkpoint: dict[str, Any] = unpack(json.loads(metadata(data)["checkpoint"]), tensors)
        except (OSError, SafetensorError, KeyError, ValueError, TypeError, RecursionError) as error:
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise CheckpointError(
                f"{path}: is not a checkpoint of a training run ({reason}); "
                "delete the folder it is in to begin anew"
            ) from error
        if isinstance(map_location, (str, torch.device)):
            tensors = {name: value.to(map_location) for name, value in tensors.items()}
            checkpoint = unpack(json.loads(metadata(data)["checkpoint"]), tensors)
        return checkpoint

    def remove_checkpoint(self, path: str | os.PathLike[str]) -> None:
        """Delete a checkpoint that a newer one replaces."""
        Path(path).unlink(missing_ok=True)
