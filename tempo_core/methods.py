"""The methods of learning from a user's labels, a row each.

Settings, commands and the trainer read these rows. A row names a module of `trainer.learning`,
whose function `learn` does the work. The rows stand here because beets reads them at every start,
when nothing of the trainer may be loaded.
"""

from __future__ import annotations

from dataclasses import dataclass

AUTO = "auto"  # the method that the number of labels calls for


@dataclass(frozen=True)
class Method:
    """One method of learning.

    Attributes
    ----------
    task
        The task whose model is learned, a name in `tempo_core.tasks.TASKS`.
    module
        The module of `trainer.learning` with the method's function `learn`.
    labels_from
        The number of labels from which on `auto` means this method, at least 0.
    about
        What the method does, for people who choose one.
    options
        The options of `tempo-core train` that only some methods have a use for, and this one has.
    of_library
        Whether a beets library can have such labels.
    needs_views
        Whether the method trains on the network's inputs of all recordings, which a training set
        can hold (`tempo-core build --cache`).
    """

    name: str
    task: str
    module: str
    labels_from: int
    about: str
    options: tuple[str, ...] = ()
    of_library: bool = True
    needs_views: bool = False


METHODS = (
    Method("shift", "tempo", "prior", 0, "learns where you count twice or half", ("guard",)),
    Method(
        "adapt", "tempo", "prior", 50, "learns how you count, by tempo and by sound",
        ("epochs", "guard"),
    ),
    Method(
        "fit", "tempo", "network", 1000, "trains the whole network",
        ("from_scratch", "epochs", "nodes", "devices", "accelerator", "guard"), needs_views=True,
    ),
    Method("paces", "pace", "paces", 0, "learns at which paces you move"),
    Method("keys", "key", "keys", 0, "learns which keys you give"),
    Method("tags", "tags", "tags", 0, "learns your own tags", ("field", "min_tracks")),
    Method(
        "notes", "notes", "notes", 0, "learns from recordings whose notes you have",
        ("epochs",), of_library=False,
    ),
)  # fmt: skip


def of_task(task: str) -> tuple[Method, ...]:
    """The methods of a task, from the one for the fewest labels to the one for the most."""
    return tuple(method for method in METHODS if method.task == task)


def names(task: str) -> tuple[str, ...]:
    """What may be chosen for a task: `auto`, and its methods from the least labels to the most."""
    return (AUTO, *(method.name for method in of_task(task)))


def tasks() -> tuple[str, ...]:
    """The tasks that can be learned, in the order of their first rows."""
    return tuple(dict.fromkeys(method.task for method in METHODS))


def tasks_of_libraries() -> tuple[str, ...]:
    """The tasks that can be learned from the labels in a beets library."""
    return tuple(dict.fromkeys(method.task for method in METHODS if method.of_library))


def choices() -> tuple[str, ...]:
    """`auto`, and the names of all methods of tasks that have more than one."""
    return (AUTO, *(m.name for m in METHODS if len(of_task(m.task)) > 1))


def options(task: str) -> tuple[str, ...]:
    """The options that some methods of a task have a use for; `method` if there are several."""
    several = ("method",) if len(of_task(task)) > 1 else ()
    named = (name for method in of_task(task) for name in method.options)
    return tuple(dict.fromkeys((*several, *named)))


def with_option(name: str) -> tuple[str, ...]:
    """The names of the methods that have a use for an option."""
    return tuple(method.name for method in METHODS if name in method.options)


def for_labels(task: str, n_labels: int) -> Method:
    """The method that `auto` means for a number of labels."""
    return [method for method in of_task(task) if method.labels_from <= n_labels][-1]
