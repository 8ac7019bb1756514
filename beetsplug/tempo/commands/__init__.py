"""The commands of the plugin, a module each; a module that lies here is a command.

It has `subcommand()`, which declares the command and its options, `check(opts, settings)`, which
refuses options that make no sense together, and `run(plugin, lib, settings, query)`, which does the
work with the options merged into the settings. `SECTION` names the section of the settings whose
names its options share, `OWN` the options that the configuration has no say in; both may be left
out. beets asks for the commands at every start, so that what does the work is imported by `run`.
"""

from __future__ import annotations

from functools import partial
from importlib import import_module
from pkgutil import iter_modules
from typing import TYPE_CHECKING, Any, Protocol

from ..guarding import guarded
from ..options import merged, settle
from ..settings import load

if TYPE_CHECKING:
    from optparse import Values

    from beets import ui
    from beets.library import Library
    from beets.logging import BeetsLogger


class Plugin(Protocol):
    """What a command gets of the plugin."""

    config: Any
    _log: BeetsLogger

    def require_types(self) -> None:
        """Raise `UserError` if a field cannot hold what is going to be written."""


def subcommands(plugin: Plugin) -> list[ui.Subcommand]:
    """All commands, ready to be called by beets."""
    found = []
    for name in sorted(module.name for module in iter_modules(__path__)):
        module = import_module(f"{__name__}.{name}")
        subcommand: ui.Subcommand = module.subcommand()
        subcommand.func = guarded(partial(_run, module, plugin))
        found.append(subcommand)
    return found


def _run(module: Any, plugin: Plugin, lib: Library, opts: Values, query: list[str]) -> None:
    settings = load(plugin.config)
    settle(opts)
    module.check(opts, settings)
    section, own = getattr(module, "SECTION", None), getattr(module, "OWN", ())
    module.run(plugin, lib, merged(settings, opts, section, own), query)
