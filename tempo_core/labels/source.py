"""What a label source can be asked, and what a user can set for it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from .http.session import PoliteSession
from .record import Candidate, TrackQuery


class LabelSource(Protocol):
    """A site or file that is asked for published values of recordings.

    `parser_version` is raised when the same page would be read differently: answers from before are
    then read again, from the cache.
    """

    name: str
    parser_version: int

    def missing(self, track: TrackQuery) -> str:
        """What the track lacks to be asked about, empty if nothing."""
        ...

    def search(self, track: TrackQuery) -> Iterator[list[Candidate]]:
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
class SourceSettings:
    """What a user has set for the sources.

    `urls` has other addresses than the usual ones, by the names of the sources. `values` has the
    values of `SourceSetting`, by their names: texts, paths, None where nothing is set.
    """

    urls: Mapping[str, str] = field(default_factory=dict)
    values: Mapping[str, Any] = field(default_factory=dict, repr=False)  # there are keys in it


class ByName:
    """Base of the sources that are searched by title and artist; see `LabelSource`."""

    def __init__(self, session: PoliteSession, base_url: str) -> None:
        self._session = session
        self._base_url = base_url

    def missing(self, track: TrackQuery) -> str:
        return "" if track.title and track.artist else "title and artist"
