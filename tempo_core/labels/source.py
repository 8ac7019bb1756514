"""Interface of a label source, and the settings that a user can make for the sources."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from .http.session import PoliteSession
from .record import Candidate, TrackQuery


class LabelSource(Protocol):
    """A site or file with published values of recordings.

    `parser_version` has to be raised when the same page would be read differently. Earlier answers
    are then read again from the cache.
    """

    name: str
    parser_version: int

    def missing(self, track: TrackQuery) -> str:
        """Description of the data that the source needs and the track lacks; empty if none."""
        ...

    def search(self, track: TrackQuery) -> Iterator[list[Candidate]]:
        """Yield candidates, one list for each query; a query is sent when its list is requested.

        Raises
        ------
        SourceError
            If the source cannot answer.
        """
        ...

    def label(self, candidate: Candidate) -> Candidate:
        """Complete a candidate with the data of its own page, above all tempo and key.

        Raises
        ------
        SourceError
            If the source cannot answer.
        """
        ...


@dataclass(frozen=True)
class SourceSettings:
    """Settings that a user has made for the sources.

    `urls` has addresses that replace the usual ones, by the names of the sources. `values` has the
    values of each `SourceSetting` by its name: texts or paths, None where nothing is set.
    """

    urls: Mapping[str, str] = field(default_factory=dict)
    values: Mapping[str, Any] = field(default_factory=dict, repr=False)  # contains secret keys


class ByName:
    """Base class of the sources that are searched by title and artist; see `LabelSource`."""

    def __init__(self, session: PoliteSession, base_url: str) -> None:
        self._session = session
        self._base_url = base_url

    def missing(self, track: TrackQuery) -> str:
        return "" if track.title and track.artist else "title and artist"
