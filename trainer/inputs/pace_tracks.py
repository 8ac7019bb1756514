"""Inputs of the pace network for a track, in training the same as in use.

The estimator itself listens to a track. It has one more task after that of the tempo, whose result
is everything that the pace task would get. These results are stored in files, because listening is
the slowest step; folding at a candidate tempo is fast and done when it is needed.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from safetensors import safe_open
from safetensors.numpy import save_file

from tempo_core.errors import AudioError
from tempo_core.estimate import Estimator
from tempo_core.heard import Heard, Window, thinned
from tempo_core.loading import load_rows
from tempo_core.model import Checkpoint
from tempo_core.paces import SAME_PACE
from tempo_core.task import Batch, Results, Scored, Task, score
from tempo_core.tasks.pace.candidates import candidates
from tempo_core.tasks.pace.config import PaceConfig
from tempo_core.tasks.pace.row import TASK, clear_windows, pool, view_of
from tempo_core.tasks.tempo.config import TempoConfig, TempoGrid
from tempo_core.tasks.tempo.decode import Tempo
from tempo_core.tasks.tempo.rhythm import clarity
from tempo_core.tasks.tempo.row import TASK as TEMPO

from .cache import hash_file

if TYPE_CHECKING:
    from ..synthesis.notes import Score

TRACK_LAYOUT = 2  # version of the stored files; raise it when their layout or content changes


@dataclass(frozen=True)
class HeardTrack:
    """Everything that the estimator knows of a track when it judges paces.

    `windows` are those with sound, with their weights. `bpm` is the answer of the tempo model.
    `strength` (n_bins,) is the strength of the pulse at each tempo of the `grid`.
    """

    windows: tuple[Window, ...]
    bpm: float
    strength: NDArray[np.float64]
    grid: TempoGrid


def _nothing(heard: Heard, results: Results, checkpoint: Checkpoint[TempoConfig]) -> list[Batch]:
    """The inputs of a task that needs no network: none."""
    return []


def _as_heard(
    pooled: Any, heard: Heard, results: Results, checkpoint: Checkpoint[TempoConfig]
) -> HeardTrack:
    """The result of the task: what was heard and the tempo, as the pace task would get them."""
    tempo: Tempo = results["tempo"]
    windows = thinned(heard.windows(checkpoint.spectrum, tempo.plan, clarity))
    return HeardTrack(tuple(windows), tempo.bpm, tempo.strength, tempo.grid)


# A task without a network whose result is what was heard.
AS_HEARD: Task[TempoConfig, Any, None, HeardTrack] = Task(
    name="track",
    config=TempoConfig,
    network=TEMPO.network,
    view=_nothing,
    encode=TEMPO.encode,
    activate=TEMPO.activate,
    pool=lambda scored, config: None,
    decode=_as_heard,
    columns=lambda track: {},
    needs=("tempo",),
)


def listener(model: Path) -> Estimator:
    """The estimator that listens to tracks, with a tempo model; threads may share it.

    Raises
    ------
    CheckpointError
        If the model cannot be used.
    """
    ((task, loaded),) = load_rows(("tempo",), {"tempo": model})
    return Estimator.of([(task, loaded), (AS_HEARD, loaded)])


def track_of(path: Path, listener: Estimator) -> HeardTrack:
    """Listen to a file.

    Raises
    ------
    AudioError
        If the file cannot be used.
    """
    track: HeardTrack = listener.results(path)[AS_HEARD.name]
    return track


def keep(path: Path, listener: Estimator, model: Path, cache: Path) -> Path:
    """The file in `cache` with what was heard of a track; it is written if it is missing.

    It is found by the content of the audio file and the name of the tempo model.

    Parameters
    ----------
    path
        The audio file.
    listener
        Estimator with the tempo model, see `listener`.
    model
        File of the tempo model.

    Raises
    ------
    AudioError
        If the audio file cannot be used.
    """
    key = hash_file(path)
    key.update(f"layout {TRACK_LAYOUT} {model.name}".encode())
    target = cache / f"{key.hexdigest()[:32]}.safetensors"
    if not target.exists():
        try:
            track = track_of(path, listener)
        except AudioError as error:
            raise AudioError(f"{path}: {error}") from error
        temporary = target.with_suffix(f".{os.getpid()}.part")
        write_track(track, temporary)
        temporary.replace(target)
    return target


def write_track(track: HeardTrack, path: Path) -> None:
    """Write what was heard of a track to a file, with all windows joined along the time axis."""
    windows = track.windows
    arrays = {
        "features": np.concatenate([window.features for window in windows], axis=1),
        "n_frames": np.array([window.features.shape[1] for window in windows]),
        "weights": np.array([window.weight for window in windows]),
        "starts": np.array([window.start for window in windows]),
        "strength": track.strength,
    }
    grid = json.dumps(track.grid.to_dict())
    save_file(arrays, path, {"bpm": repr(track.bpm), "grid": grid})


def read_track(path: Path) -> HeardTrack:
    """Read what was heard of a track from a file of `write_track`."""
    with safe_open(path, "numpy") as file:
        arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        metadata = file.metadata()
    ends = np.cumsum(arrays["n_frames"])
    parts = np.split(arrays["features"], ends[:-1], axis=1)
    weights, starts = arrays["weights"].tolist(), arrays["starts"].tolist()
    windows = map(Window, parts, weights, starts)
    grid = TempoGrid.from_dict(json.loads(metadata["grid"]))
    return HeardTrack(tuple(windows), float(metadata["bpm"]), arrays["strength"], grid)


@dataclass(frozen=True)
class Case:
    """A track with candidate tempi (n of them) and whether each is compatible.

    `targets` (n,) are 1 for compatible, 0 for not compatible and NaN for unknown. If there is a
    `score`, the targets are those of the whole clip, while parts of it get theirs from the score.
    """

    track: HeardTrack
    headline: float  # [BPM] tempo that the candidates are made from
    tempi: tuple[float, ...]
    targets: NDArray[np.float64]
    score: Score | None = None


def manual_case(track: HeardTrack, paces: Sequence[float]) -> Case:
    """The case of a track whose owner stated all paces [BPM] at which one can move to it.

    Only these are compatible; those that are not among the candidates are added to them.
    """
    tempi = list(candidates(track.bpm, track.strength, track.grid))
    tempi += [p for p in paces if all(abs(p / t - 1) > SAME_PACE for t in tempi)]
    targets = [float(any(abs(t / p - 1) <= SAME_PACE for p in paces)) for t in tempi]
    return Case(track, track.bpm, tuple(tempi), np.array(targets))


def batches(case: Case, model: Checkpoint[PaceConfig]) -> list[Batch]:
    """The inputs of a pace model's network for a case, the same as in use."""
    track = case.track
    windows = clear_windows(track.windows)
    return view_of(windows, case.tempi, case.headline, track.strength, track.grid, model)


def probabilities(scored: Sequence[Scored], n: int) -> NDArray[np.float64]:
    """Probabilities (n,) of the candidates; 0 for those too slow for what was heard of the track.

    Parameters
    ----------
    scored
        Results of the network for `batches`.
    n
        Number of candidates.
    """
    found = np.zeros(n)
    pooled = pool(scored)
    found[: len(pooled)] = np.nan_to_num(pooled)
    return found


def judged(case: Case, model: Checkpoint[PaceConfig]) -> NDArray[np.float64]:
    """The probability (n,) of each candidate as the estimator computes it; 0 if it has none."""
    return probabilities(score(TASK, batches(case, model), model), len(case.tempi))
