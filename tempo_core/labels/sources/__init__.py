"""Where labels come from: one module a source, one small interface, and what each may be used for.

A source searches, in rounds from the most specific query to the least, and then tells what it knows
of a candidate. Parsing is pure: functions from text to candidates, testable without a network.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from ...errors import ConfigError
from ..record import Candidate, Track

if TYPE_CHECKING:
    from ..http import Manners, PoliteSession


class Source(Protocol):
    """What asks one site or file.

    `parser_version` is raised when the same page would be read differently: answers from before are
    then read again, from the cache.
    """

    name: str
    parser_version: int

    def missing(self, track: Track) -> str:
        """What the track lacks to be asked about, empty if nothing."""
        ...

    def search(self, track: Track) -> Iterator[list[Candidate]]:
        """Candidates, one list a query; the caller stops when it has what it wants.

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
class About:
    """What everybody should know about a source.

    `family` is where its values originally come from: two sources of one family are one witness.
    `url` is empty for a source that uses no network. `trainable` says whether the licence of the
    values allows to train a model on them; `licence` says why.
    """

    title: str
    family: str
    url: str
    licence: str
    trainable: bool
    robots: bool = True
    attribution: str = ""


_SPOTIFY = "derived from Spotify, whose terms forbid training models on its content"

ABOUT: Mapping[str, About] = {
    "tags": About("the files' own tags", "tags", "", "your own", True),
    "acousticbrainz": About(
        "AcousticBrainz dump", "acousticbrainz", "", "public domain (CC0)", True
    ),
    "tsv": About("a table", "tsv", "", "whatever the table's is; not known here", False),
    "musicstax": About("MusicStax", "spotify", "https://musicstax.com", _SPOTIFY, False),
    "songbpm": About("SongBPM", "spotify", "https://songbpm.com", _SPOTIFY, False),
    "getsongbpm": About(
        "GetSongBPM", "getsongbpm", "https://api.getsong.co",
        "free with a link to getsongbpm.com; training is not mentioned", False, robots=False,
        attribution="BPM and key data by GetSongBPM, https://getsongbpm.com",
    ),
    "deezer": About(
        "Deezer", "deezer", "https://api.deezer.com",
        "Deezer's terms for its interface; training is not mentioned", False, robots=False,
    ),
    "reccobeats": About(
        "ReccoBeats", "spotify", "https://api.reccobeats.com/v1", _SPOTIFY, False, robots=False
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Settings:
    """What sources need beside a session: addresses, a key, files. See `make_sources`."""

    urls: Mapping[str, str]
    getsongbpm_key: str = field(default="", repr=False)
    acousticbrainz: Path | None = None
    tsv: Path | None = None

    def url(self, name: str) -> str:
        """The address of a source, without a slash at the end; empty if it uses no network."""
        return (self.urls.get(name) or ABOUT[name].url).rstrip("/")


def check_names(names: list[str]) -> None:
    """Refuse names of sources that do not exist.

    Raises
    ------
    ConfigError
        With the names that do.
    """
    for name in names:
        if name not in ABOUT:
            raise ConfigError(f"no source {name!r}; there are {', '.join(ABOUT)}")


def manners(names: list[str], settings: Settings, interval: float) -> dict[str, Manners]:
    """How each host of the sources wants to be treated, by origin.

    Raises
    ------
    ConfigError
        If an address is none.
    """
    from ..http import Manners, origin_of, without_secrets

    hosts: dict[str, Manners] = {}
    for name in names:
        url = settings.url(name)
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


def make_sources(names: list[str], settings: Settings, session: PoliteSession) -> list[Source]:
    """Make sources by name, in that order.

    Raises
    ------
    ConfigError
        If a name is unknown, or a source lacks a setting.
    """
    check_names(names)
    makers: dict[str, Callable[[Any], Source]] = {
        "tags": lambda m: m.Tags(),
        "acousticbrainz": lambda m: m.AcousticBrainz(settings.acousticbrainz),
        "tsv": lambda m: m.Table(settings.tsv),
        "musicstax": lambda m: m.MusicStax(session, settings.url("musicstax")),
        "songbpm": lambda m: m.SongBpm(session, settings.url("songbpm")),
        "getsongbpm": lambda m: m.GetSongBpm(
            session, settings.url("getsongbpm"), settings.getsongbpm_key
        ),
        "deezer": lambda m: m.Deezer(session, settings.url("deezer")),
        "reccobeats": lambda m: m.ReccoBeats(session, settings.url("reccobeats")),
    }
    return [makers[name](import_module(f"{__name__}.{name}")) for name in names]
