"""What a task is: a row of functions and plain data that training and use both read.

`features → view → model → activate → pool → decode` is the path of a track; training adds `encode`
and `loss` and nothing else, so that a validation figure is what a user gets.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import Tensor


@dataclass(frozen=True)
class Task:
    """One row of the table of tasks.

    The signatures differ in what a task's labels and results are; they are given in the module of
    each task under `tempo_core.tasks`.
    """

    name: str
    view: Callable[..., Any]  # features → network inputs
    encode: Callable[..., Tensor]  # label → target
    loss: Callable[[Tensor, Tensor], Tensor]  # logits, targets → scalar
    activate: Callable[..., Tensor]  # logits → scores
    pool: Callable[[Tensor], Tensor]  # scores of all windows → scores of the track
    decode: Callable[..., Any]  # scores of the track → result
