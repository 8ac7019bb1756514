"""The sources of labels. Every package in this folder is a source and is found automatically.

The `__init__` of a source declares it in `ABOUT`. It is loaded whenever beets starts, so it imports
nothing but `declaration`. The module `source` of the package sends requests and reads answers, and
is only loaded when the source is used. Parsers are pure functions from texts to candidates, so that
they can be tested without a network.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from ...errors import ConfigError
from ..declaration import IMPORT

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from ..declaration import About, SourceSetting
    from ..http.session import Manners, PoliteSession
    from ..source import LabelSource, SourceSettings


def _find() -> dict[str, About]:
    """Descriptions of all sources, by the names of the packages in this folder."""
    names = sorted(path.parent.name for path in Path(__file__).parent.glob("*/__init__.py"))
    return {name: import_module(f"{__name__}.{name}").ABOUT for name in names}


ABOUT: Mapping[str, About] = _find()


# Sources that read a file, which the option `--import` names.
IMPORTED = tuple(name for name, about in ABOUT.items() if IMPORT in about.settings)


def source_settings() -> list[SourceSetting]:
    """The settings of all sources, each once."""
    return list(dict.fromkeys(setting for about in ABOUT.values() for setting in about.settings))


def check_names(names: Iterable[str]) -> None:
    """Check that all names are names of sources.

    Raises
    ------
    ConfigError
        If a name is unknown; the message lists all sources.
    """
    for name in names:
        if name not in ABOUT:
            raise ConfigError(f"no source {name!r}; there are {', '.join(ABOUT)}")


def address_of(name: str, settings: SourceSettings) -> str:
    """The address of a source, without a slash at the end; empty if it uses no network."""
    return (settings.urls.get(name) or ABOUT[name].url).rstrip("/")


def manners(names: Sequence[str], settings: SourceSettings, interval: float) -> dict[str, Manners]:
    """Rules for asking each host of the sources, by origin.

    `interval` is the least time between two requests [s].

    Raises
    ------
    ConfigError
        If an address is invalid.
    """
    from ..http.addresses import origin_of, without_secrets
    from ..http.session import Manners

    hosts: dict[str, Manners] = {}
    for name in names:
        url = address_of(name, settings)
        if not url:
            continue
        origin = origin_of(url)
        if not origin:
            raise ConfigError(
                f"the address of {name} is {without_secrets(url)!r}; give one with http:// or "
                "https://, without a user and password"
            )
        robots = ABOUT[name].robots or (origin in hosts and hosts[origin].robots)
        hosts[origin] = Manners(interval, robots)
    return hosts


def make_sources(
    names: Sequence[str], settings: SourceSettings, session: PoliteSession
) -> list[LabelSource]:
    """Make the sources with the given names, in the same order.

    Raises
    ------
    ConfigError
        If a name is unknown, or a source lacks a setting.
    """
    check_names(names)
    sources = []
    for name in names:
        about = ABOUT[name]
        values = {setting.name: settings.values.get(setting.name) for setting in about.settings}
        sources.append(about.make(session, address_of(name, settings), values))
    return sources
