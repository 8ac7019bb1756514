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

    `help` describes it for people. `is_file` says that the value is the path of a file, not a text.
    `secret` values are shown nowhere. `environment` names a variable that gives the value where no
    option does. `flag` is the name of the option, by default made from `name`. `in_config` False
    means that it can only be given as an option.
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
        """The option of the command line, such as `--getsongbpm-key`."""
        return self.flag or f"--{self.name.replace('_', '-')}"


class About(NamedTuple):
    """Everything that is known of a source without asking it.

    Parameters
    ----------
    family
        Where the values originally come from: two sources of one family are one witness.
    url
        Address of the site or interface; empty for a source that uses no network.
    licence
        The terms of the values, in a few words.
    trainable
        Whether those allow to train a model on the values.
    make
        Makes the source from a session, an address without a slash at the end, and the values of
        `settings` by their names; None where nothing was given. It raises ConfigError if something
        is missing.
    robots
        Whether robots.txt applies; it does not to an interface that is documented for programs.
    attribution
        What has to be said where the values are shown.
    settings
        The settings that are this source's own.
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


DERIVED_FROM_SPOTIFY = "derived from Spotify, whose terms forbid training models on its content"
