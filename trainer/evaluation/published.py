"""Published data sets of labelled recordings, through mirdata's loaders.

mirdata knows which files a data set consists of (its index) and reads their annotations. The audio
is the user's: nothing is downloaded unless that is asked for.
"""

from __future__ import annotations

import contextlib
import io
import json
import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tempo_core.errors import ConfigError

from .answers import LabelledRecording

EXTRA = "pip install 'beets-tempo[datasets]'"


@dataclass(frozen=True)
class PublishedLabel:
    """What a data set says of a track; `weight` is the salience of the first of two tempi."""

    bpm: float
    alternatives: tuple[float, ...] = ()
    weight: float | None = None


def one_tempo(track: Any) -> PublishedLabel | None:
    """The label of a track with a single tempo."""
    return None if track.tempo is None else PublishedLabel(float(track.tempo))


def gtzan_tempo(track: Any) -> PublishedLabel | None:
    """The same for GTZAN, whose reader of mirdata 1.0 needs a numpy before 2.4."""
    path = track.tempo_path
    return None if path is None else PublishedLabel(float(Path(path).read_text().split()[0]))


def weighed_tempi(track: Any) -> PublishedLabel | None:
    """The tempi of GiantSteps, version 2 of the labels, with the share of taps as their weight.

    Schreiber & Müller, "A crowdsourced experiment for tempo estimation of electronic dance music",
    ISMIR 2018.
    """
    data = track.tempo_v2
    if data is None or not len(data.tempos):
        return None
    weights = np.ones(len(data.tempos)) if data.confidence is None else np.asarray(data.confidence)
    order = np.argsort(-weights, kind="stable")
    pairs = [(float(data.tempos[k]), float(weights[k])) for k in order if data.tempos[k] > 0]
    if not pairs:
        return None
    (bpm, most), *others = pairs
    total = most + (others[0][1] if others else 0.0)
    return PublishedLabel(
        bpm, tuple(b for b, _ in others), most / total if others and total > 0 else None
    )


# The data sets of mirdata that have a tempo for each whole recording.
DATASETS: dict[str, Callable[[Any], PublishedLabel | None]] = {
    "ballroom": one_tempo,
    "brid": one_tempo,
    "giantsteps_tempo": weighed_tempi,
    "gtzan_genre": gtzan_tempo,
    "hainsworth": one_tempo,
}


def read_dataset(
    name: str,
    home: Path,
    version: str = "default",
    index: Path | None = None,
    download: bool = False,
) -> tuple[list[LabelledRecording], list[str]]:
    """Labelled tracks of a published data set, and a line about each that has no usable label.

    Parameters
    ----------
    name
        A key of `DATASETS`.
    home
        Folder of the data set, laid out as mirdata wants it.
    version
        mirdata's name for it, such as `mini` of gtzan_genre.
    index
        mirdata's index of the data set from elsewhere; None for the one that mirdata keeps.
    download
        Fetch the index, and audio and annotations where they are offered.

    Raises
    ------
    ConfigError
        If mirdata, the index or the audio is missing, or there is no such data set.
    """
    if name not in DATASETS:
        raise ConfigError(f"no data set {name!r} with tempi; give one of {', '.join(DATASETS)}")
    try:
        import mirdata
    except ImportError as error:
        raise ConfigError(f"published data sets need mirdata ({error}): {EXTRA}") from error
    try:
        dataset = mirdata.initialize(name, data_home=str(home), version=version)
    except (ValueError, KeyError) as error:
        raise ConfigError(f"{name}: {error}") from error
    if index is not None:
        dataset.index_path = str(index)
    if download:
        _download(dataset, name)
    try:
        ids = dataset.track_ids
    except FileNotFoundError as error:
        raise ConfigError(
            f"{name}: its index ({Path(dataset.index_path).name}) is not on this computer; add "
            "--download to fetch it and what else is offered, or --index with a copy of it"
        ) from error
    except (json.JSONDecodeError, AttributeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{dataset.index_path}: is no index of mirdata's ({error})") from error
    tracks, problems = [], []
    n_missing = 0
    for track_id in ids:
        track = dataset.track(track_id)
        path = Path(track.audio_path)
        n_missing += not path.exists()
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # mirdata's own business
                label, genre = DATASETS[name](track), str(getattr(track, "genre", None) or "")
            if label is None or not (math.isfinite(label.bpm) and label.bpm > 0):
                raise ValueError("it has no tempo")
        except (OSError, ValueError, KeyError, TypeError, IndexError, StopIteration) as error:
            problems.append(f"{name}, track {track_id}: {error or type(error).__name__}")
            continue
        tracks.append(
            LabelledRecording(
                path=path,
                bpm=label.bpm,
                set=name,
                name=track_id,
                group=track_id,
                genre=genre,
                alternatives=label.alternatives,
                weight=label.weight,
            )
        )
    if n_missing == len(ids):
        raise ConfigError(
            f"{name}: none of its {len(ids)} audio files is under {home}; put them where mirdata "
            f"looks for them (the first as {Path(dataset.track(ids[0]).audio_path)})"
            if ids
            else f"{dataset.index_path}: an empty index"
        )
    return tracks, problems


def _download(dataset: Any, name: str) -> None:
    told = io.StringIO()
    try:
        with contextlib.redirect_stdout(told):  # how to get what cannot be downloaded
            dataset.download()
    except Exception as error:  # whatever the network does
        raise ConfigError(f"{name}: cannot be downloaded ({error})") from error
