"""What the key network sees of recordings and painted music, computed as in use and kept."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import joblib
import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file
from tqdm import tqdm

from tempo_core.audio import AudioFile
from tempo_core.config import HarmonyFrontEnd, Windows
from tempo_core.errors import AudioError
from tempo_core.spectrum import Array, LogFrequency, band_centres
from tempo_core.tasks.key.tuning import estimate_tuning, retuned
from tempo_core.tasks.key.view import prepare

from .cache import hash_file
from .hearing import hear

LAYOUT = 1  # of the kept files; raise it when what is in them changes


def spectrum_of(front_end: HarmonyFrontEnd) -> LogFrequency:
    """The front end of harmony, ready to be used."""
    return LogFrequency(front_end, band_centres(front_end))


def features_of(path: Path, front_end: HarmonyFrontEnd) -> Array:
    """(n_bands, n_frames) of all that sounds in a file.

    Raises
    ------
    AudioError
        If the file cannot be used.
    """
    with AudioFile(path) as file:
        heard = hear(file, front_end.sr, Windows(), None)
    return np.concatenate([s.features for s in heard.sounds(spectrum_of(front_end))], axis=1)


def seen(features: Array, front_end: HarmonyFrontEnd) -> Array:
    """Features → (2, n_bands, n_frames // 2): tuned and prepared for the network."""
    tuning = estimate_tuning([features], front_end.bands_per_semitone)
    tuned = retuned(features, tuning, front_end.bands_per_semitone)
    return prepare(tuned, 12 * front_end.bands_per_semitone)


def load_features(
    paths: Sequence[Path], front_end: HarmonyFrontEnd, cache: Path, jobs: int
) -> list[NDArray[np.float16]]:
    """Features of files, in order, from the cache or computed and put there.

    Raises
    ------
    AudioError
        If one of them cannot be used.
    """
    cache.mkdir(parents=True, exist_ok=True)
    tasks = (joblib.delayed(_load)(path, front_end, cache) for path in paths)
    results = joblib.Parallel(n_jobs=jobs, return_as="generator")(tasks)
    return list(tqdm(results, total=len(paths), unit="file", desc="reading audio", disable=None))


def _load(path: Path, front_end: HarmonyFrontEnd, cache: Path) -> NDArray[np.float16]:
    key = hash_file(path)
    key.update(f"harmony {LAYOUT} {front_end.digest()}".encode())
    target = cache / f"{key.hexdigest()[:32]}.safetensors"
    if not target.exists():
        try:
            features = features_of(path, front_end).astype(np.float16)
        except AudioError as error:
            raise AudioError(f"{path}: {error}") from error
        temporary = target.with_suffix(f".{os.getpid()}.part")
        save_file({"features": features}, temporary)
        temporary.replace(target)
    found: NDArray[np.float16] = load_file(target)["features"]
    return found
