"""How often people count at a tempo: `human_tempi.tsv`, titles with the tempo people decided."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tempo_core.labels.titles import artist_names, parse_title

from ..files import read_tsv

WIDTH = 0.08  # [octaves] standard deviation of the kernel
LEAST = 1e-4  # density [per octave] of a tempo at which nobody in the table counts

Readings = tuple[tuple[float, float], ...]


class Counted:
    """Density of the tempi in a table, by a Gaussian kernel on the logarithmic axis.

    Parameters
    ----------
    tempi
        (n,) tempi [BPM] that people decided, > 0.
    """

    def __init__(self, tempi: Sequence[float] | NDArray[np.float64]):
        self.places = np.log2(np.asarray(tempi, float))

    @classmethod
    def read(cls, folder: Path) -> Counted:
        """The tempi of `human_tempi.tsv`."""
        return cls([float(row["bpm"]) for row in read_tsv(folder / "human_tempi.tsv")])

    def density(self, bpm: float) -> float:
        """How often people count at a tempo [BPM], per octave, at least `LEAST`."""
        distance = (np.log2(bpm) - self.places) / WIDTH
        kernel = np.exp(-0.5 * np.square(distance)) / (WIDTH * np.sqrt(2 * np.pi))
        return max(LEAST, float(kernel.mean()))

    def weigh(self, readings: Readings) -> Readings:
        """Readings (BPM, weight) of a label, weighed by how often people count so, likeliest first.

        The weights of the result sum to 1.
        """
        weights = [weight * self.density(bpm) for bpm, weight in readings]
        total = sum(weights)
        weighed = [(bpm, w / total) for (bpm, _), w in zip(readings, weights, strict=True)]
        return tuple(sorted(weighed, key=lambda reading: -reading[1]))


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
