"""Recordings with labels, and their features: one table in, one cached array a recording out.

A *recording* is the unit of every split and of every figure; windows are drawn from it during
training and never listed.
"""

from __future__ import annotations

import csv
import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import joblib
import librosa
import numpy as np
import torch
from tqdm import tqdm

from tempo_core.audio import check, read_excerpts
from tempo_core.config import FrontEnd, TempoGrid, Windows
from tempo_core.errors import AudioError, ConfigError
from tempo_core.features import mel_spectrogram
from tempo_core.tasks import tempo
from tempo_core.windows import sliding_windows

from .cache import (
    Recipe,
    Views,
    cache_file,
    hash_file,
    read_keys,
    read_notes,
    read_views,
    stamp,
    thin,
    touch,
    write_views,
)


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


def filterbank(front_end: FrontEnd) -> torch.Tensor:
    """(n_mels, n_fft // 2 + 1) Slaney-style triangular mel filters, from librosa."""
    return torch.from_numpy(
        librosa.filters.mel(
            sr=front_end.sr,
            n_fft=front_end.n_fft,
            n_mels=front_end.n_mels,
            fmin=front_end.fmin,
            fmax=front_end.fmax,
        )
    )


def _rows(table: Path) -> list[dict[str, str]]:
    if not table.exists():
        raise ConfigError(f"no table {table}; give the folder that holds it")
    with table.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def read_songs(folder: Path) -> list[Recording]:
    """`songs.tsv`: popular songs, the tempo as people count it."""
    return [
        Recording(
            folder / row["file"], "songs", ((float(row["bpm"]), 1.0),), row["split"], row["artist"],
            tuple(float(x) for x in row["alt"].split(";") if x), row["genre"],
        )
        for row in _rows(folder / "songs.tsv")
    ]  # fmt: skip


def read_rhythm(folder: Path, doubtful: bool = False) -> list[Recording]:
    """`rhythm.tsv`: rhythm-game songs; with `doubtful` also those whose chart no audio supports."""
    return [
        Recording(
            folder / row["file"], "rhythm", ((float(row["bpm"]), 1.0),), row["split"], row["song"]
        )
        for row in _rows(folder / "rhythm.tsv")
        if doubtful or not row["doubtful"]
    ]


# Two estimators that agree have found the rate, but share the habit of counting slowly: how
# probable their answer, its double and its half are.
AGREED = ((1.0, 0.6), (2.0, 0.25), (0.5, 0.15))


def read_consensus(folder: Path) -> list[Recording]:
    """`consensus.tsv`: the rate is known, the octave is not; see `AGREED`."""
    recordings = []
    for row in _rows(folder / "consensus.tsv"):
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
        for i, row in enumerate(_rows(folder / "clips.tsv"))
    ]  # fmt: skip


MARGIN = 12  # [bins] a third of an octave on a grid of 36
SHORT = 0.5  # share of a window that the extra, shorter training windows are long


def wide(grid: TempoGrid) -> TempoGrid:
    """The grid with `MARGIN` bins more on both sides."""
    bpm_min = grid.bpm_min * 2.0 ** (-MARGIN / grid.bins_per_octave)
    return dataclasses.replace(grid, bpm_min=bpm_min, n_bins=grid.n_bins + 2 * MARGIN)


def short(windows: Windows) -> Windows:
    """The extra, shorter windows of training, so that a short track is nothing new."""
    return Windows(windows.duration * SHORT, windows.duration * 2 * SHORT)


def views_of(
    path: Path,
    front_end: FrontEnd,
    windows: Windows,
    grid: TempoGrid,
    n_windows: int | None = None,
) -> Views:
    """Decode a file and compute what the network sees of it, as the estimator does.

    Beside the sliding windows there are half as long ones, so that a short track is nothing new to
    the network. Of more than `n_windows` in all only so many are computed, evenly spread.

    Raises
    ------
    AudioError
        If the file cannot be used.
    """
    excerpts = read_excerpts(path, front_end.sr, None)
    check(excerpts, front_end.sr)
    audio = torch.from_numpy(excerpts[0].audio)
    features = mel_spectrogram(audio, front_end, filterbank(front_end))
    full, half = (
        sliding_windows(features, front_end.fps, plan) for plan in (windows, short(windows))
    )
    if n_windows is not None:
        kept = thin(len(full), len(half), n_windows)
        full, half = full[kept[0]], half[kept[1]]
    maps, statistics = [], []
    for pieces in (full, half):
        if len(pieces):
            periodicity, stats = tempo.view(pieces, front_end.fps, wide(grid))
            maps.append(periodicity.half().numpy())
            statistics.append(stats.numpy())
    return Views(np.concatenate(maps), np.concatenate(statistics), len(full))


def load_views(
    recordings: Sequence[Recording],
    front_end: FrontEnd,
    windows: Windows,
    grid: TempoGrid,
    cache: Path,
    jobs: int = 2,
) -> list[Views]:
    """Views of every recording, in order, from the cache or computed and put there.

    The cache is keyed by the file's content and the configuration, so nothing stale can be read; an
    interrupted run goes on where it stopped. Where `build` made the cache smaller than the set, a
    recording has only some of its windows.
    """
    recipe = Recipe(front_end, windows, grid)
    return [read_views(path) for path in cache_views(recordings, recipe, cache, jobs)]


def cache_views(
    recordings: Sequence[Recording], recipe: Recipe, cache: Path, jobs: int = 2, quiet: bool = False
) -> list[Path]:
    """The cache file of every recording, in order, see `load_views`."""
    cache.mkdir(parents=True, exist_ok=True)
    known = read_keys(cache, recipe)
    tasks = (
        joblib.delayed(_cached)(r.path, recipe, cache, known.get(stamp(r.path))) for r in recordings
    )
    results = joblib.Parallel(n_jobs=jobs, return_as="generator")(tasks)
    hidden = True if quiet else None
    return list(
        tqdm(results, total=len(recordings), unit="file", desc="reading audio", disable=hidden)
    )


def _cached(path: Path, recipe: Recipe, cache: Path, key: str | None) -> Path:
    torch.set_num_threads(1)
    target = cache_file(cache, key or recipe.key(hash_file(path)))
    if read_notes(target) is not None:
        touch(target)
        return target
    try:
        views = views_of(path, recipe.front_end, recipe.windows, recipe.grid)
    except AudioError as error:
        raise AudioError(f"{path}: {error}") from error
    write_views(views, target, digest=recipe.digest())
    return target


def by_split(recordings: Iterable[Recording], split: str) -> list[Recording]:
    """The recordings of one split."""
    return [r for r in recordings if r.split == split]
