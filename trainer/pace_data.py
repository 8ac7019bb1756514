"""What the pace network learns from: the features of a track, and what its tempo model says of it.

Decoding and the tempo model are the same for every recipe, so they run once a track and what comes
out is kept in a cache; folding at a candidate tempo is cheap and happens while training.
"""

from __future__ import annotations

import csv
import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import joblib
import numpy as np
import torch
from safetensors import safe_open
from safetensors.numpy import save_file
from tqdm import tqdm

from tempo_core import checkpoint
from tempo_core.audio import check, read_excerpts
from tempo_core.errors import AudioError, ConfigError
from tempo_core.estimate import analyse, excerpt_features, from_analysis, posterior
from tempo_core.paces import pulse_strength

from .pace_truth import Score, score_of
from .score import Sources
from .synthesis import attempts

LAYOUT = 1  # of the cached files


@dataclass(frozen=True)
class Track:
    """One track as the estimator has it when it judges paces.

    `features` are (n_mels, n_frames) float16 mel magnitudes with mean 1; `posterior` and `strength`
    (n_bins,) float32 as `paces.evidence` takes them; `bpm` is what the tempo model answers.
    """

    features: np.ndarray
    posterior: np.ndarray
    strength: np.ndarray
    bpm: float


def track_of(path: Path, model: checkpoint.Checkpoint) -> Track:
    """Decode a file and run the tempo model on it.

    Raises
    ------
    AudioError
        If the file cannot be used.
    """
    excerpts = read_excerpts(path, model.front_end.sr, None)
    check(excerpts, model.front_end.sr)
    with torch.inference_mode():
        pieces = excerpt_features(excerpts, model)
        analysis = analyse(pieces, model)
        bpm = from_analysis(analysis, model).bpm
    features = pieces[0][0].numpy()
    return Track(
        (features / max(1e-8, float(features.mean()))).clip(0, 6e4).astype(np.float16),
        posterior(analysis).numpy(),
        pulse_strength(analysis.pulse).numpy(),
        bpm,
    )


def load_tracks(paths: Sequence[Path], model_path: Path, cache: Path, jobs: int = 1) -> list[Track]:
    """Tracks of files, in order, from the cache or computed and put there.

    The cache is keyed by the file's content and the tempo model; an interrupted run goes on where
    it stopped.
    """
    cache.mkdir(parents=True, exist_ok=True)
    tasks = (joblib.delayed(_cached)(path, model_path, cache) for path in paths)
    results = joblib.Parallel(n_jobs=jobs, return_as="generator")(tasks)
    return [read_track(p) for p in tqdm(results, total=len(paths), unit="file", desc="features")]


def read_track(path: Path) -> Track:
    """Read one cache file."""
    with safe_open(path, "numpy") as file:
        return Track(
            file.get_tensor("features"),
            file.get_tensor("posterior"),
            file.get_tensor("strength"),
            float(file.metadata()["bpm"]),
        )


_loaded: dict[Path, checkpoint.Checkpoint] = {}  # of this process


def _cached(path: Path, model_path: Path, cache: Path) -> Path:
    torch.set_num_threads(1)
    key = hashlib.sha256(path.read_bytes())
    key.update(f"layout {LAYOUT} {model_path.name}".encode())
    target = cache / f"{key.hexdigest()[:32]}.safetensors"
    if not target.exists():
        if model_path not in _loaded:
            _loaded[model_path] = checkpoint.load(model_path)
        try:
            track = track_of(path, _loaded[model_path])
        except AudioError as error:
            raise AudioError(f"{path}: {error}") from error
        temporary = target.with_suffix(f".{os.getpid()}.part")
        arrays = {
            "features": track.features,
            "posterior": track.posterior,
            "strength": track.strength,
        }
        save_file(arrays, temporary, {"bpm": repr(track.bpm)})
        temporary.replace(target)
    return target


def score_of_clip(row: dict[str, str], sources: Sources, duration: float = 30.0) -> Score:
    """The onsets of a rendered clip, recomputed from its row in `clips.tsv`.

    Raises
    ------
    ConfigError
        If the row is not what this version of the synthesis would render.
    """
    seed, index = Path(row["file"]).stem.split("-")
    balanced = row["split"] == "test"
    for clip, _ in attempts(int(index), int(seed), sources, duration, balanced=balanced):
        if (clip.style.name, clip.bpm) == (row["style"], float(row["bpm"])):
            return score_of(clip)
    raise ConfigError(
        f"{row['file']} is not what this version of the synthesis renders; render the clips again"
    )


def load_scores(folder: Path, sources: Sources | None, cache: Path, jobs: int = 1) -> list[Score]:
    """The onsets of all clips of a folder, in the order of its table.

    Clips of a synthesis that did not write them yet have theirs recomputed from `sources`, without
    rendering, and kept in `cache`.
    """
    cache.mkdir(parents=True, exist_ok=True)
    with (folder / "clips.tsv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    tasks = (joblib.delayed(_score)(folder, row, sources, cache) for row in rows)
    scores = joblib.Parallel(n_jobs=jobs, return_as="generator")(tasks)
    return list(tqdm(scores, total=len(rows), unit="clip", desc="scores"))


def _score(folder: Path, row: dict[str, str], sources: Sources | None, cache: Path) -> Score:
    written = (folder / row["file"]).with_suffix(".score")
    kept = cache / written.name
    for path in (written, kept):
        if path.exists():
            return Score.from_json(path.read_text())
    if sources is None:
        raise ConfigError(
            f"{written} is missing; say with --midi and --samples what it was made of"
        )
    score = score_of_clip(row, sources)
    temporary = kept.with_suffix(f".{os.getpid()}.part")
    temporary.write_text(score.to_json())
    temporary.replace(kept)
    return score
