"""What the key network sees of recordings and painted music, computed as in use and kept."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tempo_core.audio import AudioFile
from tempo_core.config import HarmonyFrontEnd, Windows
from tempo_core.spectrum import Array, LogFrequency, band_centres
from tempo_core.tasks.key.tuning import estimate_tuning, retuned
from tempo_core.tasks.key.view import prepare

from . import kept
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
    about = f"harmony {LAYOUT} {front_end.digest()}"
    return kept.load_features(paths, about, partial(features_of, front_end=front_end), cache, jobs)
