"""Analysis of tracks during an import. No error here may abort the import."""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Literal

import beets
from beets import ui
from beets.importer import Action
from beets.util import syspath
from mediafile import MediaFile, UnreadableFileError

from tempo_core.background import Stopped, leave_with
from tempo_core.console import explain, shown
from tempo_core.tempi import parse_marker

from .applying import apply_estimate
from .estimating import estimate_all, load_estimator
from .file_keys import correct_key, remember_key
from .items import own, same_file, set_or_clear
from .keeping import (
    FAILURE,
    ORIGINAL,
    PENDING,
    TEMPO_FIELDS,
    announce,
    forget_failure,
    keep,
    note_failure,
    pending,
    renew_failure,
    store,
)
from .key_fields import apply_key
from .marking import MARKER
from .origin import Decision, is_done, is_ours
from .progress import describe

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from beets.importer import ImportTask
    from beets.library import Item
    from beets.logging import BeetsLogger

    from tempo_core import Estimate, Estimator


class ImportAnalysis:
    """Analysis of all tracks that a process imports; the estimator is loaded once for all of them.

    Parameters
    ----------
    log
        Log for results and warnings.
    """

    def __init__(self, log: BeetsLogger) -> None:
        self._log = log
        # None until a track needs the estimator; False if it could not be loaded.
        self.estimator: Estimator | Literal[False] | None = None

    def analyse(self, task: ImportTask, settings: Any) -> None:
        """Analyse and store those tracks of a task that need it; every error becomes a warning."""
        try:
            for item in task.imported_items():
                if correct_key(item):
                    store(item, _aborted())
            self._analyse(task, settings)
        except Stopped:  # the import itself was stopped
            return
        except Exception as error:
            # An exception in a stage would abort the import in the middle.
            self._log.warning("analysis skipped: {}", explain(error))

    def _analyse(self, task: ImportTask, settings: Any) -> None:
        """Analyse and store the tracks of a task; an error with one track is a warning."""
        for item in task.imported_items():
            _reread_marker(item)
        items = [item for item in task.imported_items() if settings.force or not is_done(item)]
        if not items or self.estimator is False:
            return
        if self.estimator is None:
            self.estimator = False  # if loading fails, only this album causes a warning
            self.estimator = load_estimator(settings, _aborted())
        estimator = self.estimator
        results = estimate_all(
            estimator.estimate, items, settings.threads, _aborted(), settings.time_limit
        )
        for item, result in results:
            try:
                self._keep(item, result, estimator.sources, settings)
            except Exception as error:
                self._log.warning("{}: {}", shown(item.path), explain(error))

    def _keep(
        self, item: Item, result: Estimate | Exception, sources: Mapping[str, str], settings: Any
    ) -> None:
        """Store the result for a track; an exception is stored as its failure and then raised."""
        if isinstance(result, Exception):
            note_failure(item, result)
            store(item, _aborted())
            raise result
        forget_failure(item)
        verdict = apply_estimate(
            item,
            result,
            sources["tempo"],
            force=settings.force,
            min_confidence=settings.min_confidence,
        )
        has_key = apply_key(item, result, sources.get("key", ""), force=settings.force)
        names = list(TEMPO_FIELDS if verdict is Decision.SET else ())
        names += ["initial_key"] * has_key
        if names and _writes(settings):
            # The file is written in write(); at this point it may still be the original. If the
            # import is killed before that, the next `beet tempo` writes the tags.
            announce(item, names, *([ORIGINAL] if _leaves_originals() else []))
        # After this stage the importer reads the item from the database again.
        store(item, _aborted())
        self._log.info("{}", describe(item, result, verdict))

    def write(self, task: ImportTask, settings: Any) -> None:
        """Write the tempo to files that were imported "as is"; beets itself writes all others.

        An error with a track becomes a warning; the tempo of that track is in the library.
        """
        for item in task.imported_items():
            try:
                self._write(item, task.choice_flag is Action.ASIS, _writes(settings))
                if remember_key(item):
                    store(item, _aborted())
            except Exception as error:
                self._log.warning("{}: {}", shown(item.path), explain(error))

    def _write(self, item: Item, as_is: bool, write: bool) -> None:
        """Write the tempo of a track if beets did not, and store that nothing is pending.

        Parameters
        ----------
        as_is
            The track was imported "as is", so that beets did not write its tags.
        write
            Whether tags may be written at all.
        """
        if own(item, FAILURE) and not pending(item):
            renew_failure(item)  # the file is now a copy with the same audio
            store(item, _aborted())
            return
        if not (pending(item) or (as_is and is_ours(item))):
            return
        problem = None
        if not as_is:
            set_or_clear(item, PENDING, None)  # beets has written it
        elif write:
            # From here on the file belongs to the library and is not an original.
            names = {*pending(item), *(TEMPO_FIELDS if is_ours(item) else ())}
            set_or_clear(item, PENDING, None)
            problem = keep(item, names, write, _aborted())
        if as_is and (problem or not write):
            # The copy is newer than the time that beets stored. Without this, `beet update` would
            # read the file, which has no tempo, and delete the tempo in the library.
            item.mtime = item.current_mtime()
        store(item, _aborted())
        if problem:
            raise problem


def _reread_marker(item: Item) -> None:
    """Read the marker of a track from its file if the marker does not belong to its `bpm`.

    When a track is imported again, `bpm` comes from the file and the marker, a flexible field, from
    the library, so that they may belong to different tempi.
    """
    marker = parse_marker(own(item, MARKER))
    if marker is None or marker.is_of(item.bpm):
        return
    with suppress(UnreadableFileError), same_file(item):
        item[MARKER] = getattr(MediaFile(syspath(item.path)), MARKER)
    store(item, _aborted())


def _writes(settings: Any) -> bool:
    """Whether the settings of beets and of the plugin allow tags to be written."""
    return ui.should_write() and settings.write is not False


def _leaves_originals() -> bool:
    """Whether the import copies or links, so that the files it finds do not become its own."""
    chosen = beets.config["import"]
    if chosen["move"].get():
        return False
    return any(chosen[name].get() for name in ("copy", "link", "hardlink", "reflink"))


def _aborted() -> Callable[[], bool]:
    """A function that says whether the import was stopped: beets then sets a flag of the thread."""
    leave_with(0)  # the exit status of beets after an import; a track that hangs is only a warning
    thread = threading.current_thread()
    return lambda: getattr(thread, "abort_flag", False)
