"""beets plugin that estimates tempo: `beet tempo`, analysis on import, `pace:` queries, `$camelot`.

Nothing here or in the modules below loads the engine until there is something to analyse: beets
imports its plugins for every command.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from beets import ui
from beets.dbcore import types
from beets.exceptions import UserError
from beets.importer import Action
from beets.plugins import BeetsPlugin

import tempo_core
from tempo_core.errors import TempoError
from tempo_core.keys import camelot

from .analysing import Verdict, apply_estimate, estimate_all, interruptible, is_done, is_ours
from .progress import Progress, describe, explain, show
from .queries import AlbumPaceQuery, PaceQuery
from .settings import DEFAULTS, TEMPLATE
from .writing import TagError, write_bpm

if TYPE_CHECKING:
    from optparse import Values

    from beets.importer import ImportSession, ImportTask
    from beets.library import Item, Library

    from tempo_core import Estimator


class Decimal2(types.NullFloat):
    """A number shown with two decimals, missing where it is not set.

    All instances are equal, so that a second plugin may declare the same field the same way.
    """

    def __init__(self) -> None:
        super().__init__(digits=2)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, types.NullFloat) and other.digits == self.digits

    def __hash__(self) -> int:
        return hash(self.digits)


class TempoPlugin(BeetsPlugin):
    item_types: ClassVar[dict[str, types.Type]] = {
        "tempo_bpm": Decimal2(),
        "tempo_confidence": Decimal2(),
        "tempo_half": Decimal2(),
        "tempo_double": Decimal2(),
        "tempo_triple": Decimal2(),
        "tempo_paces": types.STRING,
        "tempo_source": types.STRING,
    }
    item_queries: ClassVar = {"pace": PaceQuery}
    album_queries: ClassVar = {"pace": AlbumPaceQuery}

    def __init__(self) -> None:
        super().__init__()
        self.config.add(DEFAULTS)
        self.template_fields["camelot"] = lambda item: camelot(item.initial_key or "") or ""
        self.register_listener("import_begin", self.import_begin)
        self.import_stages = [self.imported]
        self.register_listener("import_task_files", self.import_task_files)
        # The import's engine: None until the first track needs it, False if it cannot be loaded.
        self._import_estimator: Estimator | Literal[False] | None = None

    # The command.

    def commands(self) -> list[ui.Subcommand]:
        command = ui.Subcommand("tempo", help="estimate the tempo of tracks and write it to them")
        add = command.parser.add_option
        add(
            "-f",
            "--force",
            action="store_true",
            default=None,
            help="analyse tracks that have a tempo already, and overwrite it",
        )
        add(
            "-p",
            "--pretend",
            action="store_true",
            default=False,
            help="show what would be done, write nothing",
        )
        add("-q", "--quiet", action="store_true", default=None, help="show nothing but failures")
        add(
            "-w",
            "--write",
            action="store_true",
            default=None,
            help="write the tempo to the files' tags",
        )
        add(
            "-W",
            "--nowrite",
            dest="write",
            action="store_false",
            help="change the library only, not the files' tags",
        )
        add("-t", "--threads", type="int", default=None, help="tracks to analyse at a time")
        command.parser.add_album_option()
        command.func = self.command
        return [command]

    def command(self, lib: Library, opts: Values, args: list[str]) -> None:
        """`beet tempo [query]`."""
        settings = self.config.get(TEMPLATE)
        settings.update({name: value for name, value in vars(opts).items() if value is not None})
        if settings.threads < 1:
            raise UserError("--threads must be a whole number from 1")
        try:
            self._run(lib, args, settings)
        except KeyboardInterrupt:
            raise UserError("interrupted") from None

    def _run(self, lib: Library, args: list[str], settings: Any) -> None:
        if settings.get("album"):
            items = [item for album in lib.albums(args) for item in album.items()]
        else:
            items = list(lib.items(args))
        # From here on only their ids, because a hundred thousand items are a lot of memory.
        ids: list[Any] = [item.id for item in items if settings.force or not is_done(item)]
        progress = Progress(
            len(ids),
            len(items) - len(ids),
            quiet=settings.quiet,
            pretend=settings.pretend,
            log=self._log,
        )
        del items
        if ids:
            try:
                estimator = _load_estimator(settings)
            except (TempoError, ImportError) as error:
                raise UserError(str(error)) from error
            write = ui.should_write(settings.write) and not settings.pretend
            tracks = (item for id_ in ids if (item := lib.get_item(id_)))
            with interruptible() as stop, progress:
                for item, result in estimate_all(
                    estimator.estimate, tracks, settings.threads, stop.is_set
                ):
                    if isinstance(result, Exception):
                        progress.failure(item, result)
                        continue
                    verdict = apply_estimate(item, result, estimator.source, force=settings.force)
                    problem = None
                    if write and verdict is Verdict.SET:
                        problem = _try_write(item)
                    if not settings.pretend:
                        item.store()
                    if problem:
                        progress.failure(item, problem)
                    else:
                        progress.result(item, result, verdict)
            if stop.is_set():
                raise UserError(
                    f"interrupted: {progress.summary()}; the next run continues from here"
                )
        if progress.failed:
            raise UserError(progress.summary())
        if not settings.quiet:
            ui.print_(f"tempo: {progress.summary()}")

    # The import.

    def import_begin(self, session: ImportSession) -> None:
        """Refuse bad settings now: in the middle of an import there is no good way to."""
        self.config.get(TEMPLATE)

    def imported(self, session: ImportSession, task: ImportTask) -> None:
        """Analyse what is being imported, before its files are copied or moved."""
        try:
            self._analyse_import(task)
        except Exception as error:
            # An exception here would abort the import and leave it half done.
            self._log.warning("analysis skipped: {}", explain(error))

    def _analyse_import(self, task: ImportTask) -> None:
        settings = self.config.get(TEMPLATE)
        items = [item for item in task.imported_items() if settings.force or not is_done(item)]
        if not settings.auto or not items or self._import_estimator is False:
            return
        if self._import_estimator is None:
            # Kept over all the imports of this process; after a failure it stays away.
            self._import_estimator = False
            self._import_estimator = _load_estimator(settings)
        estimator: Any = self._import_estimator
        for item, result in estimate_all(estimator.estimate, items, settings.threads, _aborted):
            if isinstance(result, Exception):
                self._log.warning("{}: {}", show(item.path), explain(result))
                continue
            verdict = apply_estimate(item, result, estimator.source, force=settings.force)
            # The importer reads the item from the database again after this stage. The file is
            # left to import_task_files: in copy mode it is still the original.
            item.store()
            self._log.info("{}", describe(item, result, verdict))

    def import_task_files(self, session: ImportSession, task: ImportTask) -> None:
        """Write the tempo to files that were imported as they are: beets writes all others."""
        settings = self.config.get(TEMPLATE)
        if not settings.auto or task.choice_flag is not Action.ASIS:
            return
        write = ui.should_write() and settings.write is not False
        for item in task.imported_items():
            if not is_ours(item):
                continue
            problem = _try_write(item) if write else None
            if problem:
                self._log.warning("{}: {}", show(item.path), problem)
            if problem or not write:
                # The copy is newer than what beets remembers, and `beet update` would take the
                # missing tempo from it.
                item.mtime = item.current_mtime()
            item.store()


def _load_estimator(settings: Any) -> Estimator:
    return tempo_core.Estimator(
        model=settings.model, windows=settings.windows, bpm_range=settings.range
    )


def _try_write(item: Item) -> TagError | None:
    try:
        write_bpm(item)
    except TagError as error:
        return error
    return None


def _aborted() -> bool:
    """Whether the import was told to stop; beets tells its threads by a flag."""
    return getattr(threading.current_thread(), "abort_flag", False)
