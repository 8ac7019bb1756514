"""Windows of recordings as the reference networks learn from them, and are validated on."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from tempo_core.audio import AudioFile
from tempo_core.config import FrontEnd, Windows
from tempo_core.spectrum import Array, Mel

from ..inputs import augment
from ..inputs.cache import hash_file
from ..inputs.hearing import hear
from ..inputs.recordings import Recording
from ..inputs.views import filterbank
from ..learning.epochs import BatchesByNumber
from ..recipes.recipe import ReferenceRecipe
from .networks import n_frames

Batch = tuple[Tensor, Tensor]  # a network's input (batch, …), and tempi (batch,) [BPM]
View = Callable[[Array], Array]  # features (batch, n_mels, n_frames) → a network's input
BINS_PER_OCTAVE = 36  # of the steps in which recipes count a stretch
HELD_WINDOWS = 6  # of a recording, at most, while validating


def features_file(path: Path, front_end: FrontEnd, windows: Windows, folder: Path) -> Path:
    """The file with the features (n_mels, n_frames) float16 of the music in a recording.

    It is computed if it is missing; its name follows from the content of the recording and from
    the configuration.

    Raises
    ------
    AudioError
        If the recording cannot be used.
    """
    digest = hash_file(path)
    digest.update(f"heard {front_end.digest()} {windows.digest()}".encode())
    target = folder / f"{digest.hexdigest()[:32]}.npy"
    if not target.exists():
        with AudioFile(path) as file:
            heard = hear(file, front_end.sr, windows, None)
        sounds = heard.sounds(Mel(front_end, filterbank(front_end)))
        features = np.concatenate([sound.features for sound in sounds], axis=1)
        temporary = target.with_suffix(f".{os.getpid()}.part")
        with temporary.open("wb") as opened:
            np.save(opened, features.astype(np.float16))
        temporary.replace(target)
    return target


def padded(features: Array, length: int) -> Array:
    """Features (n_mels, n_frames), padded with silence if they are shorter than a window."""
    missing = length - features.shape[-1]
    return np.pad(features, ((0, 0), (0, missing))) if missing > 0 else features


def starts(n_all_frames: int, front_end: FrontEnd, windows: Windows) -> NDArray[np.int64]:
    """First frames of all windows of a recording of so many frames; at least one.

    They are `windows.hop` apart; a rest that is shorter than a window is left out.
    """
    last = max(0, n_all_frames - n_frames(front_end, windows))
    return np.arange(0, last + 1, max(1, round(windows.hop * front_end.fps)))


@dataclass(frozen=True)
class WindowSet:
    """Recordings, the files of their features, and the first frames of their windows.

    Of each recording there is at least one window. The features are read when they are used.
    """

    recordings: Sequence[Recording]
    paths: Sequence[Path]
    starts: Sequence[NDArray[np.int64]]

    @classmethod
    def of(
        cls,
        recordings: Sequence[Recording],
        paths: Sequence[Path],
        front_end: FrontEnd,
        windows: Windows,
    ) -> WindowSet:
        """All windows of the recordings."""
        lengths = [_opened(path).shape[1] for path in paths]
        return cls(recordings, paths, [starts(n, front_end, windows) for n in lengths])

    def __len__(self) -> int:
        return len(self.recordings)

    def features(self, i: int) -> Array:
        """Features (n_mels, n_frames) of one recording, float16."""
        return _opened(self.paths[i])

    def cut(self, i: int, firsts: Sequence[int], length: int) -> Array:
        """Windows (n, n_mels, length) of one recording, by their first frames."""
        whole = padded(self.features(i), length)
        return np.stack([whole[:, first : first + length] for first in firsts]).astype(np.float32)


def _opened(path: Path) -> Array:
    array: Array = np.load(path, mmap_mode="r", allow_pickle=False)
    return array


class WindowBatches(BatchesByNumber[Batch]):
    """Batches of augmented windows: recordings by lot, and a window of each by lot."""

    def __init__(
        self, windows: WindowSet, view: View, recipe: ReferenceRecipe, rank: int = 0, world: int = 1
    ) -> None:
        super().__init__(recipe, len(windows), recipe.batch, rank, world)
        self.windows, self.view, self.recipe = windows, view, recipe
        front_end = FrontEnd()
        self.n_mels = front_end.n_mels
        self.length = n_frames(front_end, Windows(recipe.window, recipe.hop))

    def __getitem__(self, k: int) -> Batch:
        place = [self.recipe.seed, *divmod(k, self.steps)]
        chosen = np.random.default_rng(place).integers(len(self.windows), size=self.recipe.batch)
        drawn = [
            self.draw(int(chosen[j]), np.random.default_rng([*place, j]))
            for j in range(self.rank, self.recipe.batch, self.world)
        ]
        features, tempi = zip(*drawn, strict=True)
        return torch.from_numpy(self.view(np.stack(features))), torch.tensor(tempi)

    def draw(self, i: int, rng: np.random.Generator) -> tuple[Array, float]:
        """A changed window (n_mels, length) of one recording, and its tempo [BPM]."""
        changes = self.recipe.augmentation
        change = augment.draw(rng, self.n_mels, changes.stretch, changes.tone, changes.masked)
        stretch = change.stretch(BINS_PER_OCTAVE)
        first = float(rng.choice(self.windows.starts[i]))
        whole = padded(self.windows.features(i), self.length)
        # A slower window needs fewer frames than there are, a faster one more.
        first = min(first, max(0.0, whole.shape[1] - 1 - self.length * stretch))
        window = augment.stretched_window(whole, first, self.length, stretch)
        window *= np.exp(change.tone)[:, None]
        window[change.masked] = 0
        return window, self.windows.recordings[i].bpm * stretch


class HeldWindows(Dataset[Batch]):
    """Recordings to validate on: a few windows of each, evenly spread and unchanged."""

    def __init__(self, windows: WindowSet, view: View, length: int) -> None:
        self.windows, self.view, self.length = windows, view, length

    def __len__(self) -> int:
        return len(self.windows)

    def __getitem__(self, i: int) -> Batch:
        firsts = self.windows.starts[i]
        n = min(HELD_WINDOWS, len(firsts))
        chosen = firsts[np.linspace(0, len(firsts) - 1, n).round().astype(int)]
        cut = self.windows.cut(i, chosen.tolist(), self.length)
        tempi = torch.full((n,), self.windows.recordings[i].bpm)
        return torch.from_numpy(self.view(cut)), tempi
