"""What `beet tempo` does with the tracks that its query matches."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from beets import ui
from beets.exceptions import UserError

from tempo_core.background import interruptible
from tempo_core.errors import TempoError

from .analysing import (
    Verdict,
    apply_estimate,
    estimate_all,
    is_done,
    load_estimator,
    set_pace_fields,
)
from .progress import AnalysisProgress
from .stated import stated_paces
from .writing import try_write

if TYPE_CHECKING:
    from beets.library import Library
    from beets.logging import BeetsLogger


def analyse_library(lib: Library, args: list[str], settings: Any, log: BeetsLogger) -> None:
    """Analyse what matches, store and write the results, and say what happened.

    Raises
    ------
    UserError
        If there is no model, a track failed or the run was interrupted.
    """
    if settings.get("album"):
        items = [item for album in lib.albums(args) for item in album.items()]
    else:
        items = list(lib.items(args))
    if not settings.pretend:
        # What a person stated about paces since the analysis holds without a new one.
        for item in items:
            if stated_paces(item) is not None and is_done(item) and set_pace_fields(item):
                item.store()
    # From here on only their ids, because a hundred thousand items are a lot of memory.
    ids: list[Any] = [item.id for item in items if settings.force or not is_done(item)]
    progress = AnalysisProgress(
        len(ids),
        len(items) - len(ids),
        quiet=settings.quiet,
        pretend=settings.pretend,
        log=log,
    )
    del items
    if ids:
        _analyse(lib, ids, settings, progress)
    if progress.failed:
        raise UserError(progress.summary())
    if not settings.quiet:
        ui.print_(f"tempo: {progress.summary()}")


def _analyse(lib: Library, ids: list[int], settings: Any, progress: AnalysisProgress) -> None:
    write = ui.should_write(settings.write) and not settings.pretend
    items = (item for id_ in ids if (item := lib.get_item(id_)))
    with interruptible() as stop, progress:
        try:
            estimator = load_estimator(settings, stop.is_set)
        except (TempoError, ImportError) as error:
            raise UserError(str(error)) from error
        for item, result in estimate_all(
            estimator.estimate, items, settings.threads, stop.is_set, settings.time_limit
        ):
            if isinstance(result, Exception):
                progress.failure(item, result)
                continue
            verdict = apply_estimate(item, result, estimator.source, force=settings.force)
            problem = try_write(item) if write and verdict is Verdict.SET else None
            if not settings.pretend:
                item.store()
            if problem:
                progress.failure(item, problem)
            else:
                progress.result(item, result, verdict)
    if stop.is_set():
        raise UserError(f"interrupted: {progress.summary()}; the next run continues from here")
