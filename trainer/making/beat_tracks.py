"""Recordings with known beats, and the folds of them that the beats network learns from."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tempo_core.audio import read_excerpts
from tempo_core.spectrum import Spectrum
from tempo_core.tasks.beats.bars import BARS
from tempo_core.tasks.folding import fold_beats, prepare

from ..files import read_tsv
from ..inputs import kept

Array = NDArray[np.float32]

LAYOUT = 1  # version of the kept features
WIDTH = 0.7  # [cells] standard deviation of a target
MOST_MOVED = 2  # bands by which the spectrum of an example is moved at most
SPREAD = 0.0015  # relative, standard deviation of the tempo that is given to the network
TRUSTED = ("high", "medium")  # charts to learn from
OCTAVES = {1.0: 0.8, 2.0: 0.1, 0.5: 0.1}  # how often a track is counted at a ratio of its tempo


@dataclass(frozen=True)
class BeatTrack:
    """A recording with known beats.

    `beats` (n,) are their times [s]; `downbeat` is the index of one that begins a bar and `metre`
    the beats of a bar, both None if they are not known.
    """

    path: Path
    split: str
    bpm: float
    beats: NDArray[np.float64]
    downbeat: int | None = None
    metre: int | None = None


def read_beat_clips(folder: Path, duration: float = 30.0) -> list[BeatTrack]:
    """The clips of `clips.tsv`, whose beats are known exactly, of `duration` [s] each."""
    tracks = []
    for row in read_tsv(folder / "clips.tsv"):
        bpm, first = float(row["bpm"]), float(row["first_beat"])
        beats = np.arange(first, duration, 60 / bpm)
        downbeat = round((float(row["downbeat"]) - first) * bpm / 60)
        path = folder / row["file"]
        split = row.get("split") or "test"
        tracks.append(BeatTrack(path, split, bpm, beats, downbeat, int(row["beats"])))
    return tracks


def read_beat_charts(folder: Path, trust: Sequence[str] = TRUSTED) -> list[BeatTrack]:
    """The recordings of `charts.tsv` with times of beats, right to some 30 ms; bars are unknown.

    Parameters
    ----------
    trust
        Kinds of `trust` in the table. Where it is low, a quarter of the charts have their beats at
        places where no music has any, such as two fifths of a beat.
    """
    return [
        BeatTrack(
            folder / row["file"], row["split"], float(row["bpm"]),
            np.array([float(line) for line in (folder / row["beats"]).read_text().split()]),
        )
        for row in read_tsv(folder / "charts.tsv")
        if row["beats"] and row["trust"] in trust and not row["doubtful"]
    ]  # fmt: skip


def load_features(
    tracks: Sequence[BeatTrack], spectrum: Spectrum, cache: Path, jobs: int
) -> list[NDArray[np.float16]]:
    """(n_mels, n_frames) of each track, in order, from the cache or computed and put there.

    Raises
    ------
    AudioError
        If one of them cannot be used.
    """
    about = f"beats {LAYOUT} {spectrum.key}"
    paths = [track.path for track in tracks]
    return kept.load_features(paths, about, partial(features_of, spectrum=spectrum), cache, jobs)


def features_of(path: Path, spectrum: Spectrum) -> Array:
    """(n_mels, n_frames) of a whole file.

    Raises
    ------
    AudioError
        If the file cannot be used.
    """
    audio = np.concatenate([e.audio for e in read_excerpts(path, spectrum.sr, None)])
    return spectrum.features(audio)


def usable_octaves(track: BeatTrack) -> dict[float, float]:
    """Ratios at which a track may be counted, with their weights.

    At half the tempo it must be known which of two beats begins the bar.
    """
    duple = track.downbeat is not None and track.metre in (2, 4)
    return {r: w for r, w in OCTAVES.items() if r >= 1 or duple}


def counted(track: BeatTrack, ratio: float) -> NDArray[np.float64]:
    """(n,) times of the beats [s] at a ratio of the tempo, one of `OCTAVES`."""
    if ratio == 2:
        between = (track.beats[1:] + track.beats[:-1]) / 2
        return np.sort(np.concatenate([track.beats, between]))
    if ratio == 0.5:
        return track.beats[(track.downbeat or 0) % 2 :: 2]
    return track.beats


@dataclass(frozen=True)
class BeatExample:
    """A fold (n_channels, n_beats, n_phases) with targets, see `trainer.tasks.beats.loss`."""

    fold: Array
    beats: Array
    bars: Array


def example(
    track: BeatTrack,
    features: NDArray[np.float16],
    fps: float,
    n_beats: int,
    n_phases: int,
    gains: Array,
    rng: np.random.Generator,
    seconds: float = 12.0,
) -> BeatExample | None:
    """A fold of a random stretch of a track, at about its tempo or an octave of it.

    Parameters
    ----------
    gains
        (n_mels, 1) factors of the bands.
    seconds
        Length of the windows that are used.

    Returns
    -------
    None if so many beats do not fit into a window, or too few of them are known.
    """
    octaves = usable_octaves(track)
    weights = np.array(list(octaves.values()))
    ratio = float(rng.choice(list(octaves), p=weights / weights.sum()))
    bpm = track.bpm * ratio * float(np.exp(rng.normal(0, SPREAD)))
    period, n_frames = 60 / bpm, min(features.shape[1], round(seconds * fps))
    if n_beats * period > (n_frames - 1) / fps:
        return None
    first_frame = int(rng.integers(0, features.shape[1] - n_frames + 1))
    window = features[:, first_frame : first_frame + n_frames].astype(np.float32)
    moved = int(rng.integers(-MOST_MOVED, MOST_MOVED + 1))
    bands = np.clip(np.arange(len(window)) + moved, 0, len(window) - 1)
    window = window[bands] * gains
    slack = (n_frames - 1) / fps - n_beats * period
    begin = first_frame / fps + float(rng.uniform(0, slack))
    fold = fold_beats(
        prepare(window), fps, [bpm], [begin * fps - first_frame + 0.5], n_beats, n_phases
    )[0]
    beats = counted(track, ratio)
    target = beat_targets((beats - begin) / period, n_beats, n_phases)
    if (target.sum(axis=1) > 0).mean() < 0.75:
        return None
    bars = bar_target(track, begin, period, n_beats) if ratio == 1 else np.zeros(len(BARS))
    return BeatExample(fold, target, np.asarray(bars, np.float32))


def beat_targets(positions: NDArray[np.float64], n_beats: int, n_phases: int) -> Array:
    """(n_beats, n_phases) distribution of the beat in each row, from their places [rows]."""
    target = np.zeros((n_beats, n_phases), np.float32)
    cells = (np.arange(n_phases) + 0.5) / n_phases
    for position in positions[(positions >= 0) & (positions < n_beats)]:
        away = (cells - position % 1 + 0.5) % 1 - 0.5
        weights = np.exp(-0.5 * (away * n_phases / WIDTH) ** 2)
        target[math.floor(position)] = weights / weights.sum()
    return target


def bar_target(track: BeatTrack, begin: float, period: float, n_beats: int) -> Array:
    """(n_bars,) distribution over `BARS` for a fold of `n_beats` rows that begins at `begin` [s].

    Bars of two beats are counted in fours from either; what is told apart knows no others.
    """
    target = np.zeros(len(BARS), np.float32)
    if track.downbeat is None or track.metre is None:
        return target
    rows = np.floor((track.beats[track.downbeat % track.metre :: track.metre] - begin) / period)
    middle = int(rows[np.abs(rows - n_beats / 2).argmin()])
    for k, (length, first) in enumerate(BARS):
        if track.metre == length and middle % length == first:
            target[k] = 1.0
        elif track.metre == 2 and length == 4 and (middle - first) % 2 == 0:
            target[k] = 0.5
    return target
