"""Results of several tasks for one track, of which some may have failed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from .background import Stopped
from .console import explain


class Answers(dict[str, Any]):
    """Results of tasks by their names; asking for the result of one that failed raises its error.

    A task that fails does not take the results of others with it, only of those that need it.

    Attributes
    ----------
    failures
        The errors of the tasks that have no result, by their names.
    """

    def __init__(
        self,
        results: Mapping[str, Any] | None = None,
        failures: Mapping[str, Exception] | None = None,
    ) -> None:
        super().__init__(results or {})
        self.failures: dict[str, Exception] = dict(failures or {})

    def __missing__(self, name: str) -> Any:
        raise self.failures.get(name) or KeyError(name)

    def take(self, names: Iterable[str], function: Callable[[], Mapping[str, Any]]) -> None:
        """Take over the results that a function returns for tasks, or its error for all of them.

        Parameters
        ----------
        names
            The tasks.
        function
            Returns results by name; those of `Answers` with their failures.

        Raises
        ------
        Stopped, MemoryError
            If the function does: these do not concern the tasks alone.
        """
        try:
            found = function()
        except (Stopped, MemoryError):
            raise
        except Exception as error:
            # Without the places in the code: they lead back here, so that what was heard of the
            # track would stay in memory until Python looks for such circles.
            found = Answers({}, dict.fromkeys(names, error.with_traceback(None)))
        self.update(found)
        self.failures = {n: e for n, e in self.failures.items() if n not in found}
        self.failures |= failures_of(found)

    def require_one(self) -> None:
        """Raise the first error if no task has a result."""
        if not self:
            for error in self.failures.values():
                raise error

    def ordered(self, names: Iterable[str]) -> Answers:
        """The same in the order of some names."""
        names = list(names)
        return Answers(
            {name: self[name] for name in names if name in self},
            {name: self.failures[name] for name in names if name in self.failures},
        )


def failures_of(results: Mapping[str, Any]) -> dict[str, Exception]:
    """The errors of the tasks that have no result, by their names."""
    return results.failures if isinstance(results, Answers) else {}


def told_failures(failures: Mapping[str, Exception]) -> str:
    """Errors of tasks in one line, an error of several tasks once; empty if there are none."""
    names: dict[int, list[str]] = {}
    for name, error in failures.items():
        names.setdefault(id(error), []).append(name)
    errors = {id(error): error for error in failures.values()}
    return "; ".join(f"{', '.join(of)}: {explain(errors[key])}" for key, of in names.items())
