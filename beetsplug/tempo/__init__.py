"""beets plugin that estimates tempo: `beet tempo`, analysis on import, `pace:` queries, `$camelot`.

beets imports its plugins for every command, so this module and the two it imports load next to
nothing; what does the work is imported when there is work.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, ClassVar

from beets import ui
from beets.dbcore import types
from beets.exceptions import UserError
from beets.plugins import BeetsPlugin

from .queries import AlbumPaceQuery, PaceQuery
from .settings import DEFAULTS, TEMPLATE

if TYPE_CHECKING:
    from optparse import Values

    from beets.importer import ImportSession, ImportTask
    from beets.library import Item, Library

    from .importing import ImportAnalysis


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
        "tempo_stability": Decimal2(),
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
        self.template_fields["camelot"] = camelot_of
        self.register_listener("import_begin", self.import_begin)
        self.import_stages = [self.imported]
        self.register_listener("import_task_files", self.import_task_files)

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
        from .command import analyse_library

        settings = self.config.get(TEMPLATE)
        settings.update({name: value for name, value in vars(opts).items() if value is not None})
        if settings.threads < 1:
            raise UserError("--threads must be a whole number from 1")
        try:
            analyse_library(lib, args, settings, self._log)
        except KeyboardInterrupt:
            raise UserError("interrupted") from None

    @cached_property
    def _import(self) -> ImportAnalysis:
        from .importing import ImportAnalysis

        return ImportAnalysis(self._log)

    def import_begin(self, session: ImportSession) -> None:
        """Refuse bad settings now: in the middle of an import there is no good way to."""
        self.config.get(TEMPLATE)

    def imported(self, session: ImportSession, task: ImportTask) -> None:
        """Analyse what is being imported, before its files are copied or moved."""
        settings = self.config.get(TEMPLATE)
        if settings.auto:
            self._import.analyse(task, settings)

    def import_task_files(self, session: ImportSession, task: ImportTask) -> None:
        """Write what beets does not, now that the files are where they belong."""
        settings = self.config.get(TEMPLATE)
        if settings.auto:
            self._import.write(task, settings)


def camelot_of(item: Item) -> str:
    """The `$camelot` field."""
    from tempo_core.keys import camelot

    return camelot(item.initial_key or "") or ""
