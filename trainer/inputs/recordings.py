"""Labelled recordings, read from the tables of songs, rhythm games, charts, consensus and clips.

A *recording* is the unit of splits and figures. Windows are drawn from it during training and are
not listed anywhere.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
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
    title: str = field(default="", kw_only=True)  # to be shown, empty if unknown

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
            key=parse_key(row.get("key", "")), title=row["title"],
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


# How probable it is that the octave of a chart's label is the one people count, by its `trust`; the
# rest is shared by half and double. In five folds labels as they are did better than 0.6 for medium
# and 0.25 for low: see the archive of experiments.
CHART_TRUST = {"high": 1.0, "medium": 1.0, "low": 1.0}
# Kinds of charts that nothing is measured on: the tempo is from somebody's memory or from a tag.
TRAINING_KINDS = frozenset({"recalled", "tag"})


def read_charts(
    folder: Path, trust: Mapping[str, float] = CHART_TRUST, doubtful: bool = False
) -> list[Recording]:
    """The recordings of `charts.tsv`, whose tempo people charted; the source is `charts:<trust>`.

    Their genre is the kind of chart.

    Parameters
    ----------
    trust
        Probability that the label has the right octave, by the trust written in the table.
    doubtful
        Whether songs are included whose label is not supported by the audio.
    """
    return [
        Recording(
            folder / row["file"], f"charts:{row['trust']}",
            octaves(float(row["bpm"]), trust[row["trust"]]), row["split"], row["artist"],
            genre=row["kind"], title=row["title"],
        )
        for row in read_tsv(folder / "charts.tsv")
        if doubtful or not row["doubtful"]
    ]  # fmt: skip


def octaves(bpm: float, weight: float) -> tuple[tuple[float, float], ...]:
    """Readings of a tempo [BPM] whose octave is right with this probability, itself the first."""
    if weight >= 1:
        return ((bpm, 1.0),)
    rest = (1 - weight) / 2
    return ((bpm, weight), (2 * bpm, rest), (bpm / 2, rest))


def apart(recordings: Sequence[Recording]) -> list[Recording]:
    """Recordings without those to learn from whose artist is held out in another table."""
    held = {artist_of(r) for r in recordings if r.split == "validation"} - {""}
    return [r for r in recordings if r.split != "train" or artist_of(r) not in held]


def artist_of(recording: Recording) -> str:
    """The artist without case, spaces and punctuation, empty if the group is not the artist."""
    if recording.source.partition(":")[0] not in ("songs", "charts"):
        return ""
    return "".join(c for c in recording.group.casefold() if c.isalnum())


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
