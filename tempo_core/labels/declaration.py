"""What a label source declares: its terms, its settings, and how it is made.

Loaded whenever beets starts, so this module imports nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .http.session import PoliteSession
    from .source import LabelSource


class SourceSetting(NamedTuple):
    """A setting that one source needs, in the plugin's configuration and on the command line.

    `help` is shown to users. `is_file` says that the value is the path of a file, not a text.
    `secret` values are never shown. `environment` names an environment variable that is read if the
    option is not given, empty for none. `flag` is the name of the option, by default made from
    `name`. `in_config` False means that the setting can only be given as an option.
    """

    name: str
    help: str
    is_file: bool = False
    secret: bool = False
    environment: str = ""
    flag: str = ""
    in_config: bool = True

    @property
    def option(self) -> str:
        """Name of the command-line option, such as `--getsongbpm-key`."""
        return self.flag or f"--{self.name.replace('_', '-')}"


class About(NamedTuple):
    """Description of a source that needs no request to it.

    Parameters
    ----------
    family
        Origin of the values. Sources of the same family do not confirm one another.
    url
        Address of the site or interface; empty for a source that uses no network.
    licence
        Terms of use of the values, in a few words.
    trainable
        Whether these terms allow training a model on the values.
    make
        Function that makes the source from a session, an address without a slash at the end, and
        the values of `settings` by name, None for those not given. It raises ConfigError if a
        required value is missing.
    robots
        Whether robots.txt applies. It does not apply to interfaces documented for programs.
    attribution
        Text that must be shown together with the values, empty if none is required.
    settings
        Settings that only this source has.
    """

    title: str
    family: str
    url: str
    licence: str
    trainable: bool
    make: Callable[[PoliteSession, str, Mapping[str, Any]], LabelSource]
    robots: bool = True
    attribution: str = ""
    settings: tuple[SourceSetting, ...] = ()


# The setting of all sources that read a file of labels; the content says which of them it is for.
IMPORT = SourceSetting(
    "import_file",
    "Take labels from this table, rekordbox XML or Traktor collection first.",
    is_file=True,
    flag="--import",
    in_config=False,
)
DERIVED_FROM_SPOTIFY = "derived from Spotify, whose terms forbid training models on its content"
