"""The parts of a label source: what it says about itself, its settings, and what it can be asked.

Loaded whenever beets starts, so this module imports nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from .http.session import PoliteSession
    from .record import Candidate, Track


class LabelSource(Protocol):
    """A site or file that is asked for published values of recordings.

    `parser_version` is raised when the same page would be read differently: answers from before are
    then read again, from the cache.
    """

    name: str
    parser_version: int

    def missing(self, track: Track) -> str:
        """What the track lacks to be asked about, empty if nothing."""
        ...

    def search(self, track: Track) -> Iterator[list[Candidate]]:
        """Candidates, one list for each query; the caller stops when it has what it wants.

        Raises
        ------
        SourceError
            If the source cannot answer.
        """
        ...

    def label(self, candidate: Candidate) -> Candidate:
        """The candidate with everything that is known of it, above all its values.

        Raises
        ------
        SourceError
            If the source cannot answer.
        """
        ...


@dataclass(frozen=True)
class SourceSetting:
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


@dataclass(frozen=True)
class About:
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


@dataclass(frozen=True)
class SourceSettings:
    """What a user has set for the sources.

    `urls` has other addresses than the usual ones, by the names of the sources. `values` has the
    values of `SourceSetting`, by their names: texts, paths, None where nothing is set.
    """

    urls: Mapping[str, str] = field(default_factory=dict)
    values: Mapping[str, Any] = field(default_factory=dict, repr=False)  # there are keys in it


DERIVED_FROM_SPOTIFY = "derived from Spotify, whose terms forbid training models on its content"
