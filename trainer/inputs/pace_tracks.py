"""What the pace network sees of a track, in training as in use.

A track is listened to by the estimator itself, with one more row beside the tempo's: its result is
what the pace task would have been shown. That is kept in files, as nothing else takes as long;
folding at a candidate tempo is cheap and done when it is wanted.
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
    from ..synthesis.paces import Score

LAYOUT = 2  # of the kept files, and of what is in them


@dataclass(frozen=True)
class HeardTrack:
    """One track as the estimator has it when it judges paces.

    `windows` are those of what sounds, with their weights. `bpm` is what the tempo model answers,
    `strength` (n_bins,) that of the pulse at each tempo of the `grid`.
    """

    windows: tuple[Window, ...]
    bpm: float
    strength: NDArray[np.float64]
    grid: TempoGrid


def _nothing(heard: Heard, results: Results, checkpoint: Checkpoint[TempoConfig]) -> list[Batch]:
    return []


def _as_heard(
    pooled: Any, heard: Heard, results: Results, checkpoint: Checkpoint[TempoConfig]
) -> HeardTrack:
    tempo: Tempo = results["tempo"]
    windows = thinned(heard.windows(checkpoint.spectrum, tempo.plan, clarity))
    return HeardTrack(tuple(windows), tempo.bpm, tempo.strength, tempo.grid)


# A row that asks no network: its result is what was heard.
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
    """Who hears tracks, with a tempo model; in any number of threads.

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
        If it cannot be used.
    """
    track: HeardTrack = listener.results(path)[AS_HEARD.name]
    return track


def keep(path: Path, listener: Estimator, model: Path, cache: Path) -> Path:
    """The file in `cache` with a track as it was heard with a tempo model; written if need be.

    It is found by the content of the audio file and the model.

    Raises
    ------
    AudioError
        If the audio file cannot be used.
    """
    key = hash_file(path)
    key.update(f"layout {LAYOUT} {model.name}".encode())
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
    """Write one kept file, the windows one after another."""
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
    """Read one kept file."""
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
    """A track with candidates and what is known of each.

    `targets` (n,) are 1 for compatible, 0 for not, NaN for unknown. With a `score` they are those
    of the whole clip, and parts of it are judged by their own notes.
    """

    track: HeardTrack
    headline: float  # [BPM] that the candidates are relatives of
    tempi: tuple[float, ...]
    targets: NDArray[np.float64]
    score: Score | None = None


def manual_case(track: HeardTrack, paces: Sequence[float]) -> Case:
    """A track whose owner said at which paces one can move to it: at these and at no others."""
    tempi = list(candidates(track.bpm, track.strength, track.grid))
    tempi += [p for p in paces if all(abs(p / t - 1) > SAME_PACE for t in tempi)]
    targets = [float(any(abs(t / p - 1) <= SAME_PACE for p in paces)) for t in tempi]
    return Case(track, track.bpm, tuple(tempi), np.array(targets))


def batches(case: Case, model: Checkpoint[PaceConfig]) -> list[Batch]:
    """What the network of a pace model is shown of a case: the same as in use."""
    track = case.track
    windows = clear_windows(track.windows)
    return view_of(windows, case.tempi, case.headline, track.strength, track.grid, model)


def probabilities(scored: Sequence[Scored], n: int) -> NDArray[np.float64]:
    """(n,) of the candidates; 0 for those that are too slow for what was heard of the track."""
    found = np.zeros(n)
    pooled = pool(scored)
    found[: len(pooled)] = np.nan_to_num(pooled)
    return found


def judged(case: Case, model: Checkpoint[PaceConfig]) -> NDArray[np.float64]:
    """(n,) probability of each candidate as the estimator has it; 0 where it has none."""
    return probabilities(score(TASK, batches(case, model), model), len(case.tempi))
