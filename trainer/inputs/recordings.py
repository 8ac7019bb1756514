"""Labelled recordings, read from the tables of songs, rhythm games, consensus and clips.

A *recording* is the unit of splits and figures. Windows are drawn from it during training and are
not listed anywhere.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tempo_core.keys import Key, parse_key

from ..files import read_tsv


@dataclass(frozen=True)
class Recording:
    """One labelled recording.

    `tempi` are pairs (BPM, weight), whose weights sum to 1: a single pair, or several readings if
    the label's octave is uncertain. `alternatives` are other tempi [BPM] that are published or
    plausible; they are only used in evaluation.
    """

    path: Path
    source: str
    tempi: tuple[tuple[float, float], ...]
    split: str
    group: str  # artist or song; recordings of one group have to be in the same split
    alternatives: tuple[float, ...] = ()
    genre: str = ""  # as written in the table, empty if unknown
    key: Key | None = field(default=None, kw_only=True)  # only used in evaluation

    @property
    def bpm(self) -> float:
        """The tempo [BPM] that people count: the first reading."""
        return self.tempi[0][0]


def read_songs(folder: Path) -> list[Recording]:
    """The recordings of `songs.tsv`: popular songs with the tempo as people count it."""
    return [
        Recording(
            folder / row["file"], "songs", ((float(row["bpm"]), 1.0),), row["split"], row["artist"],
            tuple(float(x) for x in row["alt"].split(";") if x), row["genre"],
            key=parse_key(row.get("key", "")),
        )
        for row in read_tsv(folder / "songs.tsv")
    ]  # fmt: skip


def read_rhythm(folder: Path, doubtful: bool = False) -> list[Recording]:
    """The recordings of `rhythm.tsv`: songs of rhythm games.

    With `doubtful`, songs whose label is not supported by the audio are included.
    """
    return [
        Recording(
            folder / row["file"], "rhythm", ((float(row["bpm"]), 1.0),), row["split"], row["song"]
        )
        for row in read_tsv(folder / "rhythm.tsv")
        if doubtful or not row["doubtful"]
    ]


# Readings of a tempo on which two estimators agree, as (factor, probability). Their answer has the
# right pulse, but both tend to count too slowly.
CONSENSUS_READINGS = ((1.0, 0.6), (2.0, 0.25), (0.5, 0.15))


def read_consensus(folder: Path) -> list[Recording]:
    """The recordings of `consensus.tsv`, whose octave is uncertain; see `CONSENSUS_READINGS`."""
    recordings = []
    for row in read_tsv(folder / "consensus.tsv"):
        bpm = float(row["bpm"])
        if row["agreement"] == "octave":
            tempi: tuple[tuple[float, float], ...] = ((bpm, 0.5), (float(row["other_bpm"]), 0.5))
        else:
            tempi = tuple((bpm * ratio, weight) for ratio, weight in CONSENSUS_READINGS)
        recordings.append(Recording(folder / row["file"], "consensus", tempi, "train", row["file"]))
    return recordings


def read_clips(folder: Path) -> list[Recording]:
    """The recordings of `clips.tsv`, which `trainer.synthesis` writes.

    If the table has no splits, every tenth clip is for validation.
    """
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
    """First 16 hex digits of a SHA-256 of the recordings' sources, file names and labels."""
    lines = sorted(f"{r.source}\t{r.path.name}\t{r.tempi}" for r in recordings)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]
