"""The tempi that people decided for songs, by title: `human_tempi.tsv`."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from tempo_core.labels.titles import artist_names, parse_title

from ..files import read_tsv


@dataclass(frozen=True)
class Decided:
    """A tempo [BPM] that people decided for a title, and where they did."""

    bpm: float
    source: str


class Databases:
    """What people decided, by title: the rows of `human_tempi.tsv`."""

    def __init__(self, folder: Path):
        self._rows: dict[str, list[tuple[frozenset[str], Decided]]] = defaultdict(list)
        for row in read_tsv(folder / "human_tempi.tsv"):
            decided = Decided(float(row["bpm"]), row["source"])
            names = artist_names([row["artist"]])
            self._rows[parse_title(row["title"]).core].append((names, decided))

    def look_up(self, artist: str, title: str) -> list[Decided]:
        """What was decided for a title of an artist; case and accents do not count."""
        names = artist_names([artist])
        rows = self._rows.get(parse_title(title).core, ()) if title else ()
        return [decided for others, decided in rows if others & names]
