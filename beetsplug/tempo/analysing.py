"""The work of `beet tempo`: analysing tracks, storing the results and writing tags."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from beets import ui
from beets.exceptions import UserError

from tempo_core.background import Stopped, interruptible
from tempo_core.engines.schedulers import open_engine
from tempo_core.errors import ClusterError, ConfigError, TempoError
from tempo_core.extras import advice

from .applying import apply_found
from .camelot_tags import code_key, coded_text
from .choosing import Work, choose, settle, settle_keys
from .estimating import estimate_tasks, load_estimator
from .file_keys import remember_key
from .guarding import library_errors
from .keeping import (
    catch_up,
    finish,
    forget_failure,
    keep,
    note_failure,
    store,
    store_all,
    tried,
)
from .progress import AnalysisProgress, Progress, name_of
from .selecting import BATCH_SIZE, as_it_is, each_item, items_of
from .settings import path_of
from .sounds import Sounds

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from beets.library import Item, Library
    from beets.logging import BeetsLogger

    from tempo_core import Estimator
    from tempo_core.engines import Engine

    from .estimating import Found


def analyse_library(lib: Library, args: list[str], settings: Any, log: BeetsLogger) -> None:
    """Analyse the tracks that match a query, store and write the results, and print a summary.

    Raises
    ------
    UserError
        If the model cannot be loaded, a track failed, the library cannot be used, or the run was
        interrupted.
    """
    with library_errors("nothing was analysed"):
        if not settings.pretend:
            # An analysis of the key alone leaves the fields of the tempo as they are.
            (settle if "tempo" in settings.tasks else settle_keys)(lib)
        work = choose(lib, args, settings)
    progress = AnalysisProgress(
        len(work.analyse) + len(work.finish),
        work.done,
        work.skipped,
        work.not_music,
        what="tempo" if "tempo" in settings.tasks else "key",
        quiet=settings.quiet,
        pretend=settings.pretend,
        log=log,
    )
    with library_errors(progress.summary):
        if work.analyse or work.finish:
            _work(lib, work, settings, progress, log)
        if work.unread:
            _read_keys(lib, work.unread, settings, log)
        if work.to_code:
            _code_keys(lib, work.to_code, settings, progress, log)
    if progress.failed:
        raise UserError(progress.summary())
    if not settings.quiet:
        ui.print_(f"tempo: {progress.summary()}")


def _work(
    lib: Library, work: Work, settings: Any, progress: AnalysisProgress, log: BeetsLogger
) -> None:
    """Write the tags that an earlier run left unwritten, then analyse.

    Raises
    ------
    UserError
        If the model cannot be loaded or the run was interrupted.
    """
    with interruptible() as stop, progress:
        _finish(lib, work.finish, settings, progress, stop.is_set)
        if work.analyse:
            try:
                estimator = load_estimator(settings, stop.is_set)
            except (TempoError, ImportError) as error:
                raise UserError(str(error)) from error
            analysis = _Analysis(settings, progress, stop.is_set, log)
            with _cluster_errors(progress), _engine(settings, stop.is_set) as engine:
                analysis.run(lib, work, estimator, engine)
    if stop.is_set():
        raise UserError(f"interrupted: {progress.summary()}; the next run continues from here")


@contextmanager
def _engine(settings: Any, stopped: Callable[[], bool]) -> Iterator[Engine | None]:
    """Context with the engine of the cluster in the settings; None for threads."""
    if not settings.scheduler:
        yield None
        return
    config = path_of(settings.cluster_config)
    with open_engine(settings.scheduler, settings.threads, config, stopped, ui.print_) as engine:
        yield engine


@contextmanager
def _cluster_errors(progress: AnalysisProgress) -> Iterator[None]:
    """Turn errors of a cluster into a `UserError`: a line about it, and one with the summary."""
    try:
        with suppress(Stopped):  # while the cluster was opened; the caller tells of it
            yield
    except ImportError as error:
        raise UserError(f"a cluster needs more packages ({error}): {advice(error)}") from error
    except (ClusterError, ConfigError) as error:
        raise UserError(f"{error}\ntempo: {progress.summary()}") from error


def _finish(
    lib: Library,
    ids: list[int],
    settings: Any,
    progress: AnalysisProgress,
    stopped: Callable[[], bool],
) -> None:
    """Write the tags that an interrupted run left unwritten."""
    for item in each_item(lib, ids):
        if stopped():
            return
        problem = None if settings.pretend else tried(partial(finish, item, stopped))
        if problem:
            progress.failure(item, problem)
        else:
            progress.finished(item)


class _Analysis:
    """Analysis of tracks whose results are stored, written and shown one by one.

    Parameters
    ----------
    settings
        Settings merged with the options of the command.
    progress
        Progress to report each track to.
    stopped
        Whether the run was interrupted.
    """

    def __init__(
        self,
        settings: Any,
        progress: AnalysisProgress,
        stopped: Callable[[], bool],
        log: BeetsLogger,
    ) -> None:
        self._log = log
        self._sounds: Sounds | None = None
        self._settings = settings
        self._progress = progress
        self._stopped = stopped
        self._write = ui.should_write(settings.write)

    def run(self, lib: Library, work: Work, estimator: Estimator, engine: Engine | None) -> None:
        """Analyse those tracks of the library for which there is work; no engine: in threads."""
        settings = self._settings
        items = (
            (item, work.tasks_of(item.id, settings.tasks)) for item in each_item(lib, work.analyse)
        )
        known = None
        if "tags" in settings.tasks and not settings.pretend:
            self._sounds = Sounds(lib, estimator, self._log)
            known = None if settings.force else self._sounds.known
        results = estimate_tasks(estimator, items, settings, self._stopped, known, engine)
        for heard, result in results:
            # Read again, so that changes made to the item during its analysis are not lost.
            item = as_it_is(lib, heard)
            if item is None:  # removed from the library meanwhile
                self._progress.advance()
            elif isinstance(result, Exception):
                self._fail(item, result)
            else:
                self._apply(item, result, estimator.sources)

    def _fail(self, item: Item, error: Exception) -> None:
        """Store and report the failure of a track."""
        note_failure(item, error)
        if not self._settings.pretend:
            tried(partial(store, item, self._stopped))
        self._progress.failure(item, error)

    def _apply(self, item: Item, found: Found, sources: Mapping[str, str]) -> None:
        """Store, write and report what was found out about a track."""
        if self._sounds is not None:
            # Before the library, so that a run that is killed in between listens again.
            self._sounds.keep(item.path, found.sound)
        forget_failure(item)
        catch_up(item, found.marked)
        applied = apply_found(item, found, sources, self._settings)
        coded = code_key(item, self._settings.camelot_in)
        self._progress.n_coded += bool(coded)
        problem = None
        if not self._settings.pretend:
            names = [*applied.tags, *coded]
            problem = tried(partial(_store, item, names, self._write, self._stopped))
            if found.problem and problem is None:
                # Afterwards, because a failure is known by the times of the file.
                note_failure(item, TempoError(found.problem))
                problem = tried(partial(store, item, self._stopped))
        if problem:
            self._progress.failure(item, problem)
        else:
            self._progress.result(item, found, applied)


def _store(
    item: Item, names: Iterable[str], write: bool, stopped: Callable[[], bool]
) -> Exception | None:
    """Store an item, write fields to its file, and store its key; returns an error of the file."""
    problem = keep(item, names, write, stopped)
    if remember_key(item):  # afterwards, because writing changes the times of the file
        store(item, stopped)
    return problem


def _code_keys(
    lib: Library, ids: list[int], settings: Any, counts: AnalysisProgress, log: BeetsLogger
) -> None:
    """Bring the Camelot codes of tracks that were not analysed up to date.

    Parameters
    ----------
    counts
        Progress of the analysis, which counts them.

    Raises
    ------
    UserError
        If the run was interrupted.
    """
    write = ui.should_write(settings.write)
    progress = Progress(len(ids), quiet=settings.quiet, pretend=settings.pretend, log=log)
    with interruptible() as stop, progress:
        for item in items_of(lib, ids):
            names = code_key(item, settings.camelot_in)
            problem = None
            if names and not settings.pretend:
                problem = tried(partial(_store, item, names, write, stop.is_set))
            if problem:
                progress.failure(item, problem)
            elif names:
                counts.n_coded += 1
                progress.line(f"{name_of(item)}: {coded_text(item, names)}")
            else:
                progress.advance()
            if stop.is_set():
                raise UserError(
                    "interrupted while Camelot codes were written; the next run continues from here"
                )
    counts.failed += progress.failed


def _read_keys(lib: Library, ids: list[int], settings: Any, log: BeetsLogger) -> None:
    """Read the keys of tracks from their files and store them.

    Raises
    ------
    UserError
        If the run was interrupted.
    """
    progress = Progress(len(ids), quiet=settings.quiet, pretend=False, log=log)
    with interruptible() as stop, progress:
        for start in range(0, len(ids), BATCH_SIZE):
            read = []
            for item in items_of(lib, ids[start : start + BATCH_SIZE]):
                if not stop.is_set() and remember_key(item):
                    read.append(item)
                progress.advance()
            store_all(lib, read, stop.is_set)
            if stop.is_set():
                raise UserError(
                    "interrupted while keys were read; the next run continues from here"
                )
            if not read:  # no key of this batch could be read: the disk may not be mounted
                return
