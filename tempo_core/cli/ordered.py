"""Results of work in threads, in the order of the tasks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


def in_order(results: Iterable[tuple[tuple[int, T], R]]) -> Iterator[tuple[T, R]]:
    """Tasks with their results, each as soon as those before it are there.

    Parameters
    ----------
    results
        ((number of the task from 0, task), result), as `parallel` yields them. Where it ends early,
        what is there of the rest follows.
    """
    ready: dict[int, tuple[T, R]] = {}
    n = 0
    for (number, task), result in results:
        ready[number] = task, result
        while n in ready:
            yield ready.pop(n)
            n += 1
    for number in sorted(ready):
        yield ready[number]
