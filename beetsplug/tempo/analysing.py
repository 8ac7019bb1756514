"""What `beet tempo` does with the tracks that its query matches."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from beets import ui
from beets.exceptions import UserError

import tempo_core
from tempo_core.background import TIME_LIMIT, call, interruptible, parallel
from tempo_core.errors import TempoError

from .applying import apply_estimate, set_pace_fields
from .choosing import (
    BATCH,
    FAILED,
    STATED,
    TO_ANALYSE,
    TO_FINISH,
    UNREAD,
    Selection,
    as_it_is,
    each_item,
    items_of,
    settle,
)
from .file_keys import remember_key
from .guarding import library_errors
from .keeping import (
    TEMPO,
    catch_up,
    fails_again,
    finish,
    forget_failure,
    keep,
    note_failure,
    store,
    store_all,
    tried,
)
from .origin import Decision
from .progress import AnalysisProgress, Progress
from .stated import stated_paces

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from beets.library import Item, Library
    from beets.logging import BeetsLogger

    from tempo_core import Estimate, Estimator


@dataclass(frozen=True)
class Work:
    """What is to be done, as ids of tracks, and how many there is nothing to do for.

    `skipped` tracks failed before and are unchanged. Of `unread` tracks nothing is missing but the
    key that their file says.
    """

    analyse: list[int]
    finish: list[int]
    done: int
    skipped: int
    unread: list[int] = field(default_factory=list)


def analyse_library(lib: Library, args: list[str], settings: Any, log: BeetsLogger) -> None:
    """Analyse what matches, store and write the results, and say what happened.

    Raises
    ------
    UserError
        If there is no model, a track failed, the library cannot be written or the run was
        interrupted.
    """
    with library_errors("nothing was analysed"):
        if not settings.pretend:
            settle(lib)
        work = choose(lib, args, settings)
    progress = AnalysisProgress(
        len(work.analyse) + len(work.finish),
        work.done,
        work.skipped,
        quiet=settings.quiet,
        pretend=settings.pretend,
        log=log,
    )
    with library_errors(progress.summary):
        if work.analyse or work.finish:
            _work(lib, work, settings, progress)
        if work.unread:
            _read_keys(lib, work.unread, settings, log)
    if progress.failed:
        raise UserError(progress.summary())
    if not settings.quiet:
        ui.print_(f"tempo: {progress.summary()}")


def choose(lib: Library, args: list[str], settings: Any) -> Work:
    """What there is to do for the tracks that match."""
    album = bool(settings.get("album"))
    selection = Selection(lib, args, album=album, pretend=settings.pretend)
    if not settings.pretend:
        # What a person stated about paces since the analysis holds without a new one.
        for item in items_of(lib, selection.ids(STATED)):
            if stated_paces(item) is not None and set_pace_fields(item):
                store(item)
    if settings.force:
        return Work(selection.ids(), [], 0, 0)
    analyse, total = selection.ids(TO_ANALYSE), selection.count()
    write = ui.should_write(settings.write)
    to_finish = selection.ids(TO_FINISH) if write else []
    done = total - len(analyse)
    unread = [] if settings.pretend else selection.ids(UNREAD)
    if settings.get("retry"):
        return Work(analyse, to_finish, done, 0, unread)
    hopeless = {item.id for item in items_of(lib, selection.ids(FAILED)) if fails_again(item)}
    again = [id_ for id_ in analyse if id_ not in hopeless]
    return Work(
        again,
        [id_ for id_ in to_finish if id_ not in hopeless],
        done,
        len(hopeless.intersection(analyse)) + len(hopeless.intersection(to_finish)),
        unread,
    )


def _work(lib: Library, work: Work, settings: Any, progress: AnalysisProgress) -> None:
    with interruptible() as stop, progress:
        _finish(lib, work.finish, settings, progress, stop.is_set)
        if work.analyse:
            try:
                estimator = load_estimator(settings, stop.is_set)
            except (TempoError, ImportError) as error:
                raise UserError(str(error)) from error
            _analyse(lib, work.analyse, estimator, settings, progress, stop.is_set)
    if stop.is_set():
        raise UserError(f"interrupted: {progress.summary()}; the next run continues from here")


def _finish(
    lib: Library,
    ids: list[int],
    settings: Any,
    progress: AnalysisProgress,
    stopped: Callable[[], bool],
) -> None:
    """Write what a run that was interrupted left to be written."""
    for item in each_item(lib, ids):
        if stopped():
            return
        problem = None if settings.pretend else tried(partial(finish, item, stopped))
        if problem:
            progress.failure(item, problem)
        else:
            progress.finished(item)


def _analyse(
    lib: Library,
    ids: list[int],
    estimator: Any,
    settings: Any,
    progress: AnalysisProgress,
    stopped: Callable[[], bool],
) -> None:
    write = ui.should_write(settings.write)
    items = each_item(lib, ids)
    results = estimate_all(
        estimator.estimate, items, settings.threads, stopped, settings.time_limit
    )
    for heard, result in results:
        # Whoever changed or removed it while it was listened to is right.
        item = as_it_is(lib, heard)
        if item is None:
            progress.advance()
            continue
        if isinstance(result, Exception):
            note_failure(item, result)
            if not settings.pretend:
                tried(partial(store, item, stopped))
            progress.failure(item, result)
            continue
        forget_failure(item)
        catch_up(item)
        verdict = apply_estimate(
            item,
            result,
            estimator.source,
            force=settings.force,
            min_confidence=settings.min_confidence,
        )
        problem = None
        if not settings.pretend:
            names = TEMPO if verdict is Decision.SET else ()
            problem = tried(partial(_store, item, names, write, stopped))
        if problem:
            progress.failure(item, problem)
        else:
            progress.result(item, result, verdict)


def _store(
    item: Item, names: Iterable[str], write: bool, stopped: Callable[[], bool]
) -> Exception | None:
    problem = keep(item, names, write, stopped)
    if remember_key(item):  # of the file as it is now
        store(item, stopped)
    return problem


def _read_keys(lib: Library, ids: list[int], settings: Any, log: BeetsLogger) -> None:
    """Note the key that files say, where that is not known.

    Raises
    ------
    UserError
        If it was interrupted.
    """
    progress = Progress(len(ids), quiet=settings.quiet, pretend=False, log=log)
    with interruptible() as stop, progress:
        for start in range(0, len(ids), BATCH):
            read = []
            for item in items_of(lib, ids[start : start + BATCH]):
                if not stop.is_set() and remember_key(item):
                    read.append(item)
                progress.advance()
            store_all(lib, read, stop.is_set)
            if stop.is_set():
                raise UserError(
                    "interrupted while keys were read; the next run continues from here"
                )
            if not read:  # none of the files is there: the disk is not, or at least not today
                return


def load_estimator(settings: Any, stopped: Callable[[], bool]) -> Estimator:
    """The engine as configured; takes some seconds, if it is not to stop before.

    Raises
    ------
    Stopped
        If it was.
    CheckpointError, ConfigError
        See `tempo_core.Estimator`.
    """
    return call(
        lambda: tempo_core.Estimator(
            model=settings.model,
            windows=settings.windows,
            bpm_range=settings.range,
            tasks=settings.tasks,
        ),
        stopped,
    )


def estimate_all(
    estimate: Callable[[bytes], Estimate],
    items: Iterable[Item],
    threads: int,
    stopped: Callable[[], bool],
    time_limit: float = TIME_LIMIT,
) -> Iterator[tuple[Item, Estimate | Exception]]:
    """Analyse items in parallel and yield each with its result, in the order they get ready.

    Parameters
    ----------
    estimate
        From an absolute path to a result, thread-safe. What it raises is yielded as the result.
    items
        Consumed as needed, so that neither items nor results pile up.
    threads
        Number of tracks analysed at a time.
    stopped
        Asked ten times a second; once it says True, running analyses are abandoned.
    time_limit
        For each track [s].
    """
    # beets stores paths relative to the library, and only the calling thread knows which library:
    # the workers get the absolute path.
    tasks = ((item, item.path) for item in items)
    found = parallel(lambda task: estimate(task[1]), tasks, threads, stopped, time_limit)
    for (item, _), result in found:
        yield item, result
