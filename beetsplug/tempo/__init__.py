"""beets plugin for the tempo, the paces and the key of tracks; its commands are in `commands`.

beets imports all plugins for every command. So this module and the modules it imports load as
little as possible; functions import what does the work when they are called.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, ClassVar

from beets.plugins import BeetsPlugin, find_plugins

from . import fields
from .commands import subcommands
from .marking import media_fields
from .queries import AlbumPaceQuery, PaceQuery
from .settings import DEFAULTS, SECRETS, load_for_import
from .sound_queries import AlbumSoundQuery, SoundQuery
from .tempo_tags import read_decimals

if TYPE_CHECKING:
    from beets import ui
    from beets.dbcore import types
    from beets.importer import ImportSession, ImportTask
    from beets.library import Item, Library

    from .importing import ImportAnalysis


class TempoPlugin(BeetsPlugin):
    """The plugin as an object of beets: its fields, queries, commands and import stage.

    Attributes
    ----------
    foreign
        Fields that another plugin declares with another type: the name of that plugin and the type.
    """

    item_types: ClassVar[fields.Types] = fields.ITEM_TYPES
    item_queries: ClassVar = {"pace": PaceQuery, "sound": SoundQuery}
    album_queries: ClassVar = {"pace": AlbumPaceQuery, "sound": AlbumSoundQuery}

    def __init__(self) -> None:
        super().__init__()
        self.item_types = fields.item_types()  # type: ignore[misc]  # of this object alone
        self.foreign: dict[str, tuple[str, types.Type]] = {}
        self.config.add(DEFAULTS)
        for secret in SECRETS:
            self.config["labels"][secret].redact = True
        read_decimals()
        for name, field in media_fields():
            self.add_media_field(name, field)
        self.template_fields["camelot"] = fields.camelot_of
        self.template_fields["openkey"] = fields.open_key_of
        self.register_listener("import_begin", self.import_begin)
        self.import_stages = [self.imported]
        self.register_listener("import_task_files", self.import_task_files)
        self.register_listener("pluginload", self.withdraw_fields)
        self.register_listener("item_moved", self.item_moved)
        self.register_listener("item_removed", self.item_removed)
        self.register_listener("cli_exit", self.cli_exit)

    def commands(self) -> list[ui.Subcommand]:
        """The commands that the plugin adds to `beet`."""
        return subcommands(self)

    def item_moved(self, item: Item, source: bytes, destination: bytes) -> None:
        """Let what a track sounds like follow its file."""
        from .sounds import item_moved

        item_moved(item, destination, self._log)

    def item_removed(self, item: Item) -> None:
        """Forget where a track was that sounds like something."""
        from .sounds import item_removed

        item_removed(item, self._log)

    def cli_exit(self, lib: Library) -> None:
        """Note what is left of moves and removals at the end of a command."""
        from .following import FOLLOWING

        FOLLOWING.settle()

    def withdraw_fields(self) -> None:
        """Withdraw the types of fields that other plugins declare differently, with a warning.

        beets ends every command if two plugins declare different types for a field. One of these
        plugins is `types`, which declares what the user configured, so the other plugin's type is
        used. Template fields that another plugin has too are withdrawn likewise.
        """
        self.foreign = fields.declared_otherwise(self)
        for field, (name, _) in self.foreign.items():
            self._log.warning(
                "{} has the type that the plugin {} gives it, not its own; leave it out there",
                field, name,
            )  # fmt: skip
        own = {field: t for field, t in self.item_types.items() if field not in self.foreign}
        self.item_types = own  # type: ignore[misc]  # of this object alone
        for plugin in find_plugins():
            shared = self.template_fields.keys() & plugin.template_fields.keys()
            for field in shared if plugin is not self else ():
                self._log.warning("${} is the plugin {}'s, not this one's", field, plugin.name)
                del self.template_fields[field]

    def require_types(self) -> None:
        """Check that the fields can hold the values of the plugin, see `fields.require_types`."""
        fields.require_types(self.foreign)

    @cached_property
    def _import(self) -> ImportAnalysis:
        from .importing import ImportAnalysis

        return ImportAnalysis(self._log)

    def import_begin(self, session: ImportSession) -> None:
        """Check the settings at the start of an import, before it has changed anything."""
        if load_for_import(self.config).auto:
            self.require_types()

    def imported(self, session: ImportSession, task: ImportTask) -> None:
        """Analyse the tracks of an import task, before their files are copied or moved."""
        settings = load_for_import(self.config)
        if settings.auto:
            self._import.analyse(task, settings)

    def import_task_files(self, session: ImportSession, task: ImportTask) -> None:
        """Write the tags that beets does not write, after the files were copied or moved."""
        settings = load_for_import(self.config)
        if settings.auto:
            self._import.write(task, settings)
        self._import.keep_sounds(task)
