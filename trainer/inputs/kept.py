"""Features of files, computed once and kept in a folder under what they depend on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import joblib
import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file
from tqdm import tqdm

from tempo_core.errors import AudioError
from tempo_core.files import part_of
from tempo_core.spectrum import Array

from .cache import hash_file


def load_features(
    paths: Sequence[Path], about: str, make: Callable[[Path], Array], cache: Path, jobs: int
) -> list[NDArray[np.float16]]:
    """Features of files, in order, from the cache or computed and put there.

    Parameters
    ----------
    about
        Everything except the content of a file that its features depend on.
    make
        Path → features; raises an AudioError if the file cannot be used.

    Raises
    ------
    AudioError
        If one of them cannot be used.
    """
    cache.mkdir(parents=True, exist_ok=True)
    tasks = (joblib.delayed(_load)(path, about, make, cache) for path in paths)
    results = joblib.Parallel(n_jobs=jobs, return_as="generator")(tasks)
    return list(tqdm(results, total=len(paths), unit="file", desc="reading audio", disable=None))


def _load(
    path: Path, about: str, make: Callable[[Path], Array], cache: Path
) -> NDArray[np.float16]:
    key = hash_file(path)
    key.update(about.encode())
    target = cache / f"{key.hexdigest()[:32]}.safetensors"
    if not target.exists():
        try:
            features = make(path).astype(np.float16)
        except AudioError as error:
            raise AudioError(f"{path}: {error}") from error
        # Another run may fill the same cache at once.
        temporary = part_of(target)
        save_file({"features": features}, temporary)
        temporary.replace(target)
    found: NDArray[np.float16] = load_file(target)["features"]
    return found
