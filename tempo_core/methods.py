"""The ways to learn from a user's labels, a row each: what settings, commands and trainer go by.

A row names a module of `trainer.learning`, which does the learning. The rows stand here because
beets reads them at every start, when nothing of the trainer may be loaded.
"""

from __future__ import annotations

from dataclasses import dataclass

AUTO = "auto"  # the method that the number of labels calls for


@dataclass(frozen=True)
class Method:
    """One way to learn.

    Attributes
    ----------
    task
        What is learned, a name in `tempo_core.tasks.TASKS`.
    module
        The module of `trainer.learning` that does it.
    labels_from
        From how many labels on `auto` means this method, in 0..∞.
    about
        What it does, for people who choose.
    """

    name: str
    task: str
    module: str
    labels_from: int
    about: str


METHODS = (
    Method("shift", "tempo", "prior", 0, "learns where you count twice or half"),
    Method("adapt", "tempo", "prior", 50, "learns how you count, by tempo and by sound"),
    Method("fit", "tempo", "network", 1000, "trains the whole network"),
    Method("paces", "pace", "paces", 0, "learns at which paces you move"),
)


def names(task: str) -> tuple[str, ...]:
    """What may be chosen for a task: `auto`, and its methods from the least labels to the most."""
    return (AUTO, *(method.name for method in METHODS if method.task == task))


def tasks() -> tuple[str, ...]:
    """The tasks that can be learned, in the order of their first rows."""
    return tuple(dict.fromkeys(method.task for method in METHODS))
