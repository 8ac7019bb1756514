"""What happens to tracks on their way into the library. Nothing here may stop an import."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Literal

from beets import ui
from beets.importer import Action

from tempo_core.background import Stopped, leave_with

from .analysing import apply_estimate, estimate_all, is_done, is_ours, load_estimator
from .progress import describe, explain, show
from .writing import try_write

if TYPE_CHECKING:
    from collections.abc import Callable

    from beets.importer import ImportTask
    from beets.logging import BeetsLogger

    from tempo_core import Estimator


class ImportAnalysis:
    """The analysis of everything that this process imports, with one engine for all of it."""

    def __init__(self, log: BeetsLogger) -> None:
        self._log = log
        # None until the first track needs it, False after it could not be loaded.
        self.estimator: Estimator | Literal[False] | None = None

    def analyse(self, task: ImportTask, settings: Any) -> None:
        """Analyse and store the tracks of a task that need it; whatever goes wrong is a warning."""
        try:
            self._analyse(task, settings)
        except Stopped:  # the import itself
            return
        except Exception as error:
            # An exception in a stage would abort the import and leave it half done.
            self._log.warning("analysis skipped: {}", explain(error))

    def _analyse(self, task: ImportTask, settings: Any) -> None:
        items = [item for item in task.imported_items() if settings.force or not is_done(item)]
        if not items or self.estimator is False:
            return
        if self.estimator is None:
            self.estimator = False  # so that there is one warning, not one for each album
            self.estimator = load_estimator(settings, _aborted())
        estimator = self.estimator
        results = estimate_all(
            estimator.estimate, items, settings.threads, _aborted(), settings.time_limit
        )
        for item, result in results:
            if isinstance(result, Exception):
                self._log.warning("{}: {}", show(item.path), explain(result))
                continue
            verdict = apply_estimate(item, result, estimator.source, force=settings.force)
            # The importer reads the item from the database again after this stage. The file waits
            # until write(): in copy mode it is still the original.
            item.store()
            self._log.info("{}", describe(item, result, verdict))

    def write(self, task: ImportTask, settings: Any) -> None:
        """Write the tempo to files that were imported as they are: beets writes all others."""
        if task.choice_flag is not Action.ASIS:
            return
        write = ui.should_write() and settings.write is not False
        for item in task.imported_items():
            if not is_ours(item):
                continue
            problem = try_write(item) if write else None
            if problem:
                self._log.warning("{}: {}", show(item.path), explain(problem))
            if problem or not write:
                # The copy is newer than what beets remembers, and `beet update` would take the
                # missing tempo from it.
                item.mtime = item.current_mtime()
            item.store()


def _aborted() -> Callable[[], bool]:
    """What says whether the import was told to stop; beets tells its threads by a flag."""
    leave_with(0)  # as beets does; a track that hangs is only a warning here
    thread = threading.current_thread()
    return lambda: getattr(thread, "abort_flag", False)
