"""What commands do with an engine: opening the one that their options name, files in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import TypeVar

import click
from click.core import ParameterSource

from ..console import echo
from ..engines import Engine, Threads, Work
from ..engines.schedulers import open_engine
from ..engines.sharing import shared_path
from .ordered import in_order

R = TypeVar("R")
Found = tuple[str, Exception | None]  # a path, and why it cannot be used
File = tuple[int, str]  # its number, and its path


@contextmanager
def command_engine(
    scheduler: str | None, jobs: int, config: Path | None, stopped: Callable[[], bool]
) -> Iterator[Engine]:
    """Context with the engine that `--scheduler`, `--jobs` and `--cluster-config` name.

    In it audio at addresses can be read, here and by the engine, where `--storages` says so.

    Raises
    ------
    UsageError
        If there are both threads and a scheduler.
    ClusterError, ConfigError, ImportError, Stopped
        See `open_engine`.
    """
    context = click.get_current_context()
    given = context.get_parameter_source("jobs")
    if scheduler is not None and given == ParameterSource.COMMANDLINE:
        raise click.UsageError("--jobs is for threads; leave it out with --scheduler")
    with ExitStack() as opened:
        storages = None
        if (path := context.params.get("storages")) is not None:
            from ..remote import active, read_storages

            storages = read_storages(path, _say)
            opened.enter_context(active(storages))
        engine = open_engine(scheduler, jobs, config, stopped, _say, storages)
        yield opened.enter_context(engine)


def _say(line: str) -> None:
    echo(line, err=True)


def each_in_order(
    engine: Engine,
    work: Work[File, R],
    files: Sequence[Found],
    stopped: Callable[[], bool],
    time_limit: float | None,
) -> Iterator[tuple[File, R | Exception]]:
    """Do some work on files; ((number, path), result or error) in the order of the files.

    Parameters
    ----------
    work
        Gets numbers and paths. Those of files that cannot be used are not given to it: their errors
        are the results.
    """
    unusable: deque[tuple[tuple[int, File], Exception]] = deque()

    def tasks() -> Iterator[File]:
        for number, (path, problem) in enumerate(files):
            if problem is None:
                yield number, path if isinstance(engine, Threads) else shared_path(path)
            else:
                unusable.append(((number, (number, path)), problem))

    def results() -> Iterator[tuple[tuple[int, File], R | Exception]]:
        with closing(engine.each(work, tasks(), stopped, time_limit)) as found:
            for (number, _), result in found:
                yield (number, (number, files[number][0])), result
                while unusable:
                    yield unusable.popleft()
        if not stopped():
            yield from unusable

    yield from in_order(results())
