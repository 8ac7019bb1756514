"""Labels from a table; see `tempo_core.labels.tables` for its format."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ....console import unescaped
from ....errors import ConfigError
from ...record import Candidate, TrackQuery
from ...tables import read_table
from ...titles import normalise


class Table:
    """Source that finds a row of the table by path, or by artist and title; see `LabelSource`."""

    name = "tsv"
    parser_version = 1

    def __init__(self, path: Path | None) -> None:
        if path is None:
            raise ConfigError("tsv needs a table; name its file")
        self._by_path: dict[str, Candidate] = {}
        self._by_name: dict[tuple[str, str], list[Candidate]] = {}
        for candidate, file in read_table(path):
            if file:
                self._by_path[file] = self._by_path[unescaped(file)] = candidate
            name = (normalise(candidate.artists[0]), normalise(candidate.title))
            self._by_name.setdefault(name, []).append(candidate)

    def missing(self, track: TrackQuery) -> str:
        return "" if track.title or track.path else "a title"

    def search(self, track: TrackQuery) -> Iterator[list[Candidate]]:
        if track.path in self._by_path:
            yield [self._by_path[track.path]]
        yield self._by_name.get((normalise(track.artist), normalise(track.title)), [])

    def label(self, candidate: Candidate) -> Candidate:
        return candidate
