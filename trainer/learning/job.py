"""What every learning method is given, and what it returns."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from tqdm import tqdm

from tempo_core.background import Stopped, parallel
from tempo_core.console import counted
from tempo_core.engines import Engine
from tempo_core.errors import ConfigError
from tempo_core.methods import Method
from tempo_core.model import Checkpoint

from .options import LearnOptions
from .processes import ALONE, Processes

T = TypeVar("T")
Failure = tuple[Path, Exception]  # a file that could not be used, and the reason
FROM_THE_BEGINNING = "interrupted; run the same again to begin anew"
WHAT_IS_KEPT = "interrupted; what was listened to is kept, run the same again to go on"
# What is left of a run that did not end by itself soon after Ctrl-C, by its task. Of the tempo it
# depends on the method.
LEFT_OF = {
    "pace": WHAT_IS_KEPT, "tags": WHAT_IS_KEPT, "key": FROM_THE_BEGINNING,
    "notes": FROM_THE_BEGINNING,
}  # fmt: skip


def told_stopped(error: Stopped, task: str) -> str:
    """What to say of a run that was interrupted: what its method says, if there was time for it."""
    return LEFT_OF.get(task, str(error)) if str(error) == "interrupted" else str(error)


@dataclass(frozen=True)
class Job:
    """A learning run: its method, its options, and whether it is to go on.

    `stop` is asked between steps; once it returns True, the run is abandoned. `processes` are those
    that share the run. `engine` is that of a cluster, for the methods that can use one; None for
    threads.
    """

    method: Method
    options: LearnOptions
    stop: Callable[[], bool]
    processes: Processes = ALONE
    engine: Engine | None = None

    def check_going_on(self, message: str = FROM_THE_BEGINNING) -> None:
        """End the run if it is to stop.

        Raises
        ------
        Stopped
            With `message`, if `stop` returned True.
        """
        if self.stop():
            raise Stopped(message)

    def progress_bar(self, what: str, total: int, unit: str = "it") -> tqdm[Any]:
        """A progress bar on stderr, hidden where that is no terminal or all is to be quiet."""
        return tqdm(desc=what, total=total, unit=unit, disable=True if self.options.quiet else None)


@dataclass(frozen=True)
class Proposal:
    """A learned model that was compared with the one in use, and is not written yet.

    Attributes
    ----------
    model
        The model with its card.
    learned
        What it was learned from, such as `learned (shift) from 8 labels`.
    comparison
        Lines with figures before and after.
    installable
        Whether it is good enough to be used from now on.
    reason
        Why, or why not, in one sentence without a subject: `it is better …`.
    failed
        Files that could not be used.
    gain
        The share of right answers before and after, in short; empty where there is none.
    run
        Folder of the recipe, the logs and the checkpoints; None if the method has none.
    """

    model: Checkpoint[Any]
    learned: str
    comparison: tuple[str, ...]
    installable: bool
    reason: str
    failed: tuple[Failure, ...]
    gain: str = ""
    run: Path | None = None


def hear_all(
    paths: Sequence[Path],
    hear: Callable[[int], T],
    job: Job,
    interrupted: str = FROM_THE_BEGINNING,
    expected: tuple[type[Exception], ...] = (Exception,),
) -> tuple[dict[int, T], list[Failure]]:
    """Listen to files in threads.

    Parameters
    ----------
    hear
        Gets the number of a file in `paths` and returns what is kept of it.
    interrupted
        The message if the run was to stop.
    expected
        Exceptions by which a file fails alone; all others end the run.

    Returns
    -------
    What `hear` returned by number, and the files for which it raised, both in the order of `paths`.

    Raises
    ------
    Stopped
        If the run was to stop.
    """
    options, numbers = job.options, range(len(paths))
    results = parallel(hear, numbers, options.jobs, job.stop, options.time_limit)
    return gather(paths, results, job, interrupted, expected)


def gather(
    paths: Sequence[Path],
    results: Iterable[tuple[int, T | Exception]],
    job: Job,
    interrupted: str = FROM_THE_BEGINNING,
    expected: tuple[type[Exception], ...] = (Exception,),
) -> tuple[dict[int, T], list[Failure]]:
    """What was heard in files, as `hear_all` returns it.

    Parameters
    ----------
    results
        The number of each file in `paths`, with what was heard or why nothing was, as they come.
    """
    heard: dict[int, T] = {}
    failed: dict[int, Exception] = {}
    with job.progress_bar("listening", len(paths), "track") as bar:
        for k, result in results:
            bar.update()
            if isinstance(result, expected):
                failed[k] = result
            elif isinstance(result, Exception):
                raise result
            else:
                heard[k] = result
    job.check_going_on(interrupted)
    return dict(sorted(heard.items())), [(paths[k], error) for k, error in sorted(failed.items())]


def and_why(failed: Sequence[Failure]) -> str:
    """Behind a message about too few files: how many could not be used, and why the first."""
    if not failed:
        return ""
    path, error = failed[0]
    told = str(error).removeprefix(f"{path}: ")
    return f" ({counted(len(failed), 'other')} could not be used; the first: {path}: {told})"


def refuse_nothing(n: int, failed: Sequence[Failure]) -> None:
    """Refuse to go on without a single usable recording.

    Raises
    ------
    ConfigError
        If `n` recordings are 0, with the first failure.
    """
    if n == 0:
        path, error = failed[0]
        raise ConfigError(f"no recording can be read; the first: {path}: {error}")
