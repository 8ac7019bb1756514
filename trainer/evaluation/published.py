"""Published data sets of labelled recordings, read with mirdata's loaders.

mirdata has a list of the files of each data set (its index) and reads their annotations. The user
provides the audio: nothing is downloaded unless the user asks for it.
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

INSTALL_MIRDATA = "pip install 'beets-tempo[datasets]'"


@dataclass(frozen=True)
class PublishedLabel:
    """The label of a track in a data set.

    `alternatives` are further tempi [BPM]. `weight` is the salience of `bpm` compared to the first
    of them, 0..1, None if unknown.
    """

    bpm: float
    alternatives: tuple[float, ...] = ()
    weight: float | None = None


def one_tempo(track: Any) -> PublishedLabel | None:
    """The label of a track with a single tempo, None if it has none."""
    return None if track.tempo is None else PublishedLabel(float(track.tempo))


def gtzan_tempo(track: Any) -> PublishedLabel | None:
    """The label of a track of GTZAN, None if it has none.

    It is read here because the reader in mirdata 1.0 needs a numpy before 2.4.
    """
    path = track.tempo_path
    return None if path is None else PublishedLabel(float(Path(path).read_text().split()[0]))


def weighed_tempi(track: Any) -> PublishedLabel | None:
    """The label of a track of GiantSteps (version 2 of the labels), None if it has none.

    The share of taps at each tempo is its weight.

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


# Functions that read the label of a mirdata track, by the name of the data set: those that have a
# tempo for each whole recording.
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
    """Labelled tracks of a published data set, and one message for each without a usable label.

    Parameters
    ----------
    name
        A key of `DATASETS`.
    home
        Folder of the data set, laid out as mirdata wants it.
    version
        mirdata's name of the data set's version, such as `mini` for gtzan_genre.
    index
        File with mirdata's index of the data set; None for mirdata's own copy.
    download
        Whether to fetch the index, and audio and annotations if they are offered.

    Raises
    ------
    ConfigError
        If mirdata, the index or the audio is missing, or there is no such data set.
    """
    dataset = _open(name, home, version, index, download)
    ids = _track_ids(dataset, name)
    tracks, problems = [], []
    n_missing = 0
    for track_id in ids:
        track = dataset.track(track_id)
        n_missing += not Path(track.audio_path).exists()
        try:
            tracks.append(_labelled(name, track_id, track))
        except (OSError, ValueError, KeyError, TypeError, IndexError, StopIteration) as error:
            problems.append(f"{name}, track {track_id}: {error or type(error).__name__}")
    if n_missing == len(ids):
        raise ConfigError(
            f"{name}: none of its {len(ids)} audio files is under {home}; put them where mirdata "
            f"looks for them (the first as {Path(dataset.track(ids[0]).audio_path)})"
            if ids
            else f"{dataset.index_path}: an empty index"
        )
    return tracks, problems


def _open(name: str, home: Path, version: str, index: Path | None, download: bool) -> Any:
    """The data set as mirdata has it; parameters as in `read_dataset`.

    Raises
    ------
    ConfigError
        If mirdata is missing, there is no such data set, or it cannot be downloaded.
    """
    if name not in DATASETS:
        raise ConfigError(f"no data set {name!r} with tempi; give one of {', '.join(DATASETS)}")
    try:
        import mirdata
    except ImportError as error:
        raise ConfigError(
            f"published data sets need mirdata ({error}): {INSTALL_MIRDATA}"
        ) from error
    try:
        dataset = mirdata.initialize(name, data_home=str(home), version=version)
    except (ValueError, KeyError) as error:
        raise ConfigError(f"{name}: {error}") from error
    if index is not None:
        dataset.index_path = str(index)
    if download:
        _download(dataset, name)
    return dataset


def _track_ids(dataset: Any, name: str) -> list[str]:
    """mirdata's names of all tracks of a data set.

    Raises
    ------
    ConfigError
        If the index is missing or cannot be read.
    """
    try:
        ids: list[str] = dataset.track_ids
    except FileNotFoundError as error:
        raise ConfigError(
            f"{name}: its index ({Path(dataset.index_path).name}) is not on this computer; add "
            "--download to fetch it and what else is offered, or --index with a copy of it"
        ) from error
    except (json.JSONDecodeError, AttributeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{dataset.index_path}: is no index of mirdata's ({error})") from error
    return ids


def _labelled(name: str, track_id: str, track: Any) -> LabelledRecording:
    """A track of a data set with its label.

    Raises
    ------
    ValueError
        If it has no tempo. Further exceptions come from the reader of the annotations.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # warnings of mirdata's readers mean nothing to the user
        label, genre = DATASETS[name](track), str(getattr(track, "genre", None) or "")
    if label is None or not (math.isfinite(label.bpm) and label.bpm > 0):
        raise ValueError("it has no tempo")
    return LabelledRecording(
        path=Path(track.audio_path),
        bpm=label.bpm,
        set=name,
        name=track_id,
        group=track_id,
        genre=genre,
        alternatives=label.alternatives,
        weight=label.weight,
    )


def _download(dataset: Any, name: str) -> None:
    """Download whatever a data set offers.

    Raises
    ------
    ConfigError
        If that fails.
    """
    told = io.StringIO()
    try:
        # mirdata prints instructions for files that cannot be downloaded.
        with contextlib.redirect_stdout(told):
            dataset.download()
    except Exception as error:  # mirdata and the network raise errors of many kinds
        raise ConfigError(f"{name}: cannot be downloaded ({error})") from error
