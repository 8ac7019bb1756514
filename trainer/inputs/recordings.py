"""Recordings with labels, as the tables of songs, rhythm games, consensus and clips list them.

A *recording* is the unit of every split and of every figure; windows are drawn from it during
training and never listed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..files import read_tsv


@dataclass(frozen=True)
class Recording:
    """One labelled recording.

    `tempi` are (BPM, weight) with weights that sum to 1: a single pair, or several readings where
    the label is only sure up to an octave. `alternatives` are other tempi that are published or
    plausible; they are for evaluation.
    """

    path: Path
    source: str
    tempi: tuple[tuple[float, float], ...]
    split: str
    group: str  # what must not be on both sides of a split: the artist, or the song
    alternatives: tuple[float, ...] = ()
    genre: str = ""  # as the table has it, empty where it says nothing

    @property
    def bpm(self) -> float:
        """The tempo people count [BPM]."""
        return self.tempi[0][0]


def read_songs(folder: Path) -> list[Recording]:
    """`songs.tsv`: popular songs, the tempo as people count it."""
    return [
        Recording(
            folder / row["file"], "songs", ((float(row["bpm"]), 1.0),), row["split"], row["artist"],
            tuple(float(x) for x in row["alt"].split(";") if x), row["genre"],
        )
        for row in read_tsv(folder / "songs.tsv")
    ]  # fmt: skip


def read_rhythm(folder: Path, doubtful: bool = False) -> list[Recording]:
    """`rhythm.tsv`: rhythm-game songs; with `doubtful` also those whose chart no audio supports."""
    return [
        Recording(
            folder / row["file"], "rhythm", ((float(row["bpm"]), 1.0),), row["split"], row["song"]
        )
        for row in read_tsv(folder / "rhythm.tsv")
        if doubtful or not row["doubtful"]
    ]


# Two estimators that agree have found the rate, but share the habit of counting slowly: how
# probable their answer, its double and its half are.
AGREED = ((1.0, 0.6), (2.0, 0.25), (0.5, 0.15))


def read_consensus(folder: Path) -> list[Recording]:
    """`consensus.tsv`: the rate is known, the octave is not; see `AGREED`."""
    recordings = []
    for row in read_tsv(folder / "consensus.tsv"):
        bpm = float(row["bpm"])
        if row["agreement"] == "octave":
            tempi: tuple[tuple[float, float], ...] = ((bpm, 0.5), (float(row["other_bpm"]), 0.5))
        else:
            tempi = tuple((bpm * ratio, weight) for ratio, weight in AGREED)
        recordings.append(Recording(folder / row["file"], "consensus", tempi, "train", row["file"]))
    return recordings


def read_clips(folder: Path) -> list[Recording]:
    """`clips.tsv` of `trainer.synthesis`; without a split every tenth clip is for validation."""
    return [
        Recording(
            folder / row["file"], f"synthesis:{row['style']}", ((float(row["bpm"]), 1.0),),
            row.get("split") or ("validation" if i % 10 == 0 else "train"), row["file"],
        )
        for i, row in enumerate(read_tsv(folder / "clips.tsv"))
    ]  # fmt: skip


def by_split(recordings: Iterable[Recording], split: str) -> list[Recording]:
    """The recordings of one split."""
    return [r for r in recordings if r.split == split]


def digest_of(recordings: Sequence[Recording]) -> str:
    """First 16 hex digits of a SHA-256 over the training files' names and labels."""
    lines = sorted(f"{r.source}\t{r.path.name}\t{r.tempi}" for r in recordings)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]
