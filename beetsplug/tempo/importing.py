"""Analysis of tracks during an import. No error here may abort the import."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Literal

import beets
from beets import ui
from beets.importer import Action

from tempo_core.background import Stopped, leave_with
from tempo_core.console import explain, shown
from tempo_core.errors import TempoError

from .applying import apply_found, hold
from .camelot_tags import code_key
from .choosing import lacking
from .estimating import estimate_tasks, load_estimator
from .file_keys import correct_key, remember_key
from .grids import has_beats
from .items import locked_tempo, own, set_or_clear
from .keeping import (
    FAILURE,
    ORIGINAL,
    ORIGINS,
    PENDING,
    announce,
    announce_by_hand,
    catch_up,
    forget_failure,
    keep,
    note_failure,
    pending,
    renew_failure,
    store,
)
from .key_fields import is_key_asked, is_key_done
from .marking import ALL_MARKED
from .origin import is_done
from .progress import describe, name_of
from .skipping import NotMusic
from .sound_queries import SOUND_TAGS
from .sounds import Sounds, item_imported_again

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from beets.importer import ImportTask
    from beets.library import Item
    from beets.logging import BeetsLogger

    from tempo_core import Estimator

    from .estimating import Found, Sound


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
        # Ids of tracks of which the library says something else than beets reads from the file:
        # a tempo or key that it misreads, a Camelot code.
        self._misread: set[int | None] = set()
        # What tracks sound like, by their ids, until their files are where they are to be.
        self._heard: dict[int | None, Sound] = {}
        self._sounds: Sounds | None = None

    def analyse(self, task: ImportTask, settings: Any) -> None:
        """Analyse and store those tracks of a task that need it; every error becomes a warning."""
        try:
            for item in task.imported_items():
                if correct_key(item):
                    self._misread.add(item.id)
                    store(item, _aborted())
                self._hold(item, settings)
            self._analyse(task, settings)
            self._code(task, settings)
        except Stopped:  # the import itself was stopped
            return
        except Exception as error:
            # An exception in a stage would abort the import in the middle.
            self._log.warning("analysis skipped: {}", explain(error))

    def _analyse(self, task: ImportTask, settings: Any) -> None:
        """Analyse and store the tracks of a task; an error with one track is a warning."""
        for item in task.imported_items():
            _reread_markers(item)
        not_music = NotMusic(settings.skip)
        items = []
        for item in task.imported_items():
            tasks = _lacking(item, settings)
            if tasks and not_music(item):
                self._log.info("{}: skipped, not music", shown(name_of(item)))
            elif tasks:
                items.append((item, tasks))
        if not items or self.estimator is False:
            return
        if self.estimator is None:
            self.estimator = False  # if loading fails, only this album causes a warning
            self.estimator = load_estimator(settings, _aborted())
        estimator = self.estimator
        for item, result in estimate_tasks(estimator, items, settings, _aborted()):
            try:
                self._keep(item, result, estimator.sources, settings)
            except Exception as error:
                self._log.warning("{}: {}", shown(item.path), explain(error))

    def _hold(self, item: Item, settings: Any) -> None:
        """Give a locked track back the tempo that the import took from its file or a tagger."""
        if hold(item):
            self._misread.add(item.id)
            if _writes(settings):
                announce_by_hand(item, *_words())
            store(item, _aborted())

    def _code(self, task: ImportTask, settings: Any) -> None:
        """Put the Camelot codes of the tracks of a task where `camelot_in` says, and store them."""
        for item in task.imported_items():
            names = code_key(item, settings.camelot_in)
            if names:
                self._misread.add(item.id)  # the file does not say it yet
                self._announce(item, names, settings)
                store(item, _aborted())

    def _announce(self, item: Item, names: Iterable[str], settings: Any) -> None:
        """Note which tags of a track are to be written; does not store the item.

        The file is written in `write`; in the stage of the analysis it may still be the original.
        If the import is killed before that, the next `beet tempo` writes the tags.
        """
        if names and _writes(settings):
            announce(item, names, *_words())

    def _keep(
        self, item: Item, result: Found | Exception, sources: Mapping[str, str], settings: Any
    ) -> None:
        """Store the result for a track; an exception is stored as its failure and then raised."""
        if isinstance(result, Exception):
            note_failure(item, result)
            store(item, _aborted())
            raise result
        if result.problem:
            note_failure(item, TempoError(result.problem))
        else:
            forget_failure(item)
        # The file may say a tempo or a key under a name that beets does not read.
        if catch_up(item, result.marked):
            self._misread.add(item.id)
        applied = apply_found(item, result, sources, settings)
        if result.sound is not None:
            self._heard[item.id] = result.sound
        self._announce(item, applied.tags, settings)
        # After this stage the importer reads the item from the database again.
        store(item, _aborted())
        self._log.info("{}", describe(item, result, applied))
        if result.problem:
            self._log.warning("{}: {}", shown(item.path), result.problem)

    def write(self, task: ImportTask, settings: Any) -> None:
        """Write tempo and key to files that were imported "as is"; beets itself writes all others.

        An error with a track becomes a warning; its tempo and key are in the library.
        """
        for item in task.imported_items():
            as_is = task.choice_flag is Action.ASIS
            try:
                if as_is and item.id in self._misread:
                    _keep_from_update(item)
                self._write(item, as_is, _writes(settings))
                if remember_key(item):
                    store(item, _aborted())
            except Exception as error:
                self._log.warning("{}: {}", shown(item.path), explain(error))

    def keep_sounds(self, task: ImportTask) -> None:
        """Keep what the tracks of a task sound like, now that their files are in their places.

        An error with a track becomes a warning.
        """
        for item in task.imported_items():
            try:
                self._keep_sound(item)
            except Exception as error:
                self._log.warning("{}: {}", shown(item.path), explain(error))

    def _keep_sound(self, item: Item) -> None:
        sound = self._heard.pop(item.id, None)
        if sound is not None and self.estimator:
            if self._sounds is None:
                self._sounds = Sounds(item.db, self.estimator, self._log)
            self._sounds.keep(item.path, sound)
        elif own(item, SOUND_TAGS) is not None:
            item_imported_again(item, self._log)

    def _write(self, item: Item, as_is: bool, write: bool) -> None:
        """Write tempo and key of a track if beets did not, and store that nothing is pending.

        Parameters
        ----------
        as_is
            The track was imported "as is", so that beets did not write its tags.
        write
            Whether tags may be written at all.
        """
        ours = [
            name
            for marked, origin_of in ORIGINS.items()
            if origin_of(item).startswith("model:")
            for name in marked.tags
        ]
        if own(item, FAILURE):
            renew_failure(item)  # the file is now a copy with the same audio
            store(item, _aborted())
        if not (pending(item) or (as_is and ours)):
            return
        problem = None
        if not as_is:
            set_or_clear(item, PENDING, None)  # beets has written it
        elif write:
            # From here on the file belongs to the library and is not an original.
            names = {*pending(item), *ours}
            set_or_clear(item, PENDING, None)
            problem = keep(item, names, write, _aborted())
        if as_is and (problem or not write):
            _keep_from_update(item)
        store(item, _aborted())
        if problem:
            raise problem


def _keep_from_update(item: Item) -> None:
    """Let `beet update` take the file for read; otherwise it brings back what the file says.

    A copy is newer than the time that beets stored, also if it says the same. Does not store the
    item.
    """
    item.mtime = item.current_mtime()


def _lacking(item: Item, settings: Any) -> tuple[str, ...]:
    """The tasks to ask about a track; with `force` all of them, but for a locked tempo."""
    is_locked = locked_tempo(item) is not None
    if settings.force:
        return lacking(
            settings.tasks, has_tempo=is_locked, has_key=False, has_beats=is_locked, has_tags=False
        )
    has_tempo = is_done(item) or is_locked
    # Somebody's key is no reason to listen, but compared with what is heard for the tempo.
    has_key = is_key_done(item) and (has_tempo or is_key_asked(item))
    return lacking(
        settings.tasks,
        has_tempo=has_tempo,
        has_key=has_key,
        has_beats=is_locked or has_beats(item),
        has_tags=own(item, SOUND_TAGS) is not None,
    )


def _reread_markers(item: Item) -> None:
    """Read markers of a track from its file that do not belong to its fields, and store them."""
    reread = [marked for marked in ALL_MARKED if marked.reread_marker(item)]
    if reread:
        store(item, _aborted())


def _writes(settings: Any) -> bool:
    """Whether the settings of beets and of the plugin allow tags to be written."""
    return ui.should_write() and settings.write is not False


def _words() -> list[str]:
    """`ORIGINAL` if the import copies or links, so that what it finds does not become its own."""
    chosen = beets.config["import"]
    copies = any(chosen[name].get() for name in ("copy", "link", "hardlink", "reflink"))
    return [ORIGINAL] if copies and not chosen["move"].get() else []


def _aborted() -> Callable[[], bool]:
    """A function that says whether the import was stopped: beets then sets a flag of the thread."""
    leave_with(0)  # the exit status of beets after an import; a track that hangs is only a warning
    thread = threading.current_thread()
    return lambda: getattr(thread, "abort_flag", False)
