"""The commands of the plugin: every module in this package is a command.

A module has three functions: `subcommand()` declares the command and its options, `check(opts,
settings)` raises a `UserError` about options that make no sense, and `run(plugin, lib, settings,
query)` does the work with the options merged into the settings. Two constants are optional:
`SECTION` is the section of the settings that the options override, and `OWN` are options that the
configuration does not set (see `options.merged`). beets loads the commands at every start, so the
modules that do the work are imported in `run`.
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
    """The part of the plugin that commands use."""

    config: Any
    _log: BeetsLogger

    def require_types(self) -> None:
        """Raise a `UserError` if a field cannot hold the values that a command sets."""


def subcommands(plugin: Plugin) -> list[ui.Subcommand]:
    """The commands of all modules in this package, as beets calls them."""
    found = []
    for name in sorted(module.name for module in iter_modules(__path__)):
        module = import_module(f"{__name__}.{name}")
        subcommand: ui.Subcommand = module.subcommand()
        subcommand.func = guarded(partial(_run, module, plugin))
        found.append(subcommand)
    return found


def _run(module: Any, plugin: Plugin, lib: Library, opts: Values, query: list[str]) -> None:
    """Run the command in a module with the options that beets parsed."""
    settings = load(plugin.config)
    settle(opts)
    module.check(opts, settings)
    section, own = getattr(module, "SECTION", None), getattr(module, "OWN", ())
    module.run(plugin, lib, merged(settings, opts, section, own), query)
