"""Training of the reference networks, with the same recordings as the default one."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import joblib
import numpy as np
import torch
from threadpoolctl import threadpool_limits
from torch import Tensor, nn
from tqdm import tqdm

from tempo_core.audio import AudioFile
from tempo_core.config import FrontEnd, Windows
from tempo_core.levels import TOLERANCE
from tempo_core.spectrum import Array, Mel

from ...inputs import augment
from ...inputs.cache import hash_file
from ...inputs.hearing import hear
from ...inputs.recordings import Recording
from ...inputs.views import filterbank
from ...making.tempo import descend
from .estimator import answers, padded
from .networks import Reference, fold, n_frames

HELD_OUT_SHARE = 0.2  # share of the windows that `measure_leak` keeps from training


@dataclass(frozen=True)
class ReferenceSettings:
    """Settings of the training of one reference network."""

    steps: int = 900
    batch: int = 32
    learning_rate: float = 2e-3  # at its highest
    weight_decay: float = 1e-2
    seed: int = 0
    augment: bool = True
    # How often each source is drawn; one that is missing is never drawn.
    shares: tuple[tuple[str, float], ...] = (("songs", 0.3), ("rhythm", 0.3), ("synthesis", 0.4))


def load_features(
    recordings: Sequence[Recording],
    front_end: FrontEnd,
    windows: Windows,
    cache: Path,
    jobs: int = 1,
) -> list[np.ndarray]:
    """Features (n_mels, n_frames) float16 of the music in each recording, read when they are used.

    They are computed once for each content and configuration, and kept in `cache`.

    Raises
    ------
    AudioError
        If a file cannot be read.
    """
    cache.mkdir(parents=True, exist_ok=True)
    tasks = (joblib.delayed(_heard_features)(r.path, front_end, windows, cache) for r in recordings)
    run = joblib.Parallel(n_jobs=jobs, return_as="generator")(tasks)
    paths = tqdm(run, total=len(recordings), unit="file", desc="reading audio", disable=None)
    return [np.load(path, mmap_mode="r", allow_pickle=False) for path in paths]


def _heard_features(path: Path, front_end: FrontEnd, windows: Windows, cache: Path) -> Path:
    """The cache file with the features of a recording, see `load_features`."""
    threadpool_limits(1, user_api="blas")  # the parallelism is over files
    digest = hash_file(path)
    digest.update(f"heard {front_end.digest()} {windows.digest()}".encode())
    target = cache / f"{digest.hexdigest()[:32]}.npy"
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


class RandomWindows:
    """Sampler of batches: it draws recordings by their source's share, and a window in each."""

    def __init__(
        self, recordings: Sequence[Recording], features: Sequence[np.ndarray],
        front_end: FrontEnd, windows: Windows, settings: ReferenceSettings,
    ) -> None:  # fmt: skip
        shares = dict(settings.shares)
        kinds = np.array([r.source.partition(":")[0] for r in recordings])
        weights = np.zeros(len(recordings))
        for kind in set(kinds.tolist()):
            weights[kinds == kind] = shares.get(kind, 0.0) / (kinds == kind).sum()
        self._weights = weights / weights.sum()
        self._recordings, self._features, self._settings = recordings, features, settings
        self._n_mels, self._length = front_end.n_mels, n_frames(front_end, windows)

    def draw(self, rng: np.random.Generator) -> tuple[Array, Tensor]:
        """A random batch: features (batch, n_mels, n_frames) and tempi (batch,) [BPM]."""
        windows, tempi = [], []
        for i in rng.choice(len(self._weights), self._settings.batch, p=self._weights):
            change = (
                augment.draw(rng, self._n_mels) if self._settings.augment else augment.NO_CHANGE
            )
            stretch = change.stretch(bins_per_octave=36)
            room = self._features[i].shape[1] - 1 - self._length * stretch
            first = rng.uniform(0, room) if room > 0 else 0.0
            window = augment.stretched_window(self._features[i], first, self._length, stretch)
            window *= np.exp(change.tone)[:, None]
            window[change.masked] = 0
            windows.append(window)
            tempi.append(self._recordings[i].bpm * stretch)
        return np.stack(windows), torch.tensor(tempi)


class ListedWindows:
    """Sampler of batches from given windows."""

    def __init__(self, windows: Array, bpm: Tensor, settings: ReferenceSettings) -> None:
        self._windows, self._bpm, self._batch = windows, bpm, settings.batch

    def draw(self, rng: np.random.Generator) -> tuple[Array, Tensor]:
        """A random batch, as from `RandomWindows.draw`."""
        chosen = rng.integers(0, len(self._bpm), self._batch)
        return self._windows[chosen].astype(np.float32), self._bpm[chosen]


def train(
    reference: Reference,
    source: RandomWindows | ListedWindows,
    front_end: FrontEnd,
    windows: Windows,
    settings: ReferenceSettings,
) -> nn.Module:
    """A trained network of this design."""
    torch.manual_seed(settings.seed)  # the initial weights and the dropout know no other way
    rng = np.random.default_rng(settings.seed)
    network = reference.make(front_end, windows)
    optimizer = torch.optim.AdamW(
        network.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, settings.learning_rate, total_steps=settings.steps
    )
    losses: list[float] = []
    bar = tqdm(range(settings.steps), unit="step", desc=reference.name, mininterval=5, disable=None)
    for _ in bar:
        features, bpm = source.draw(rng)
        loss = reference.loss(network(torch.from_numpy(reference.view(features))), bpm)
        losses.append(descend(loss, network, optimizer, schedule))
        bar.set_postfix(loss=f"{np.mean(losses[-50:]):.3f}", refresh=False)
    return network.eval()


@dataclass(frozen=True)
class WindowErrors:
    """Figures of single windows, with labels folded into the octave of the classes."""

    n: int
    acc1: float
    median: float  # [BPM]
    mean: float  # [BPM]


@dataclass(frozen=True)
class Leak:
    """Figures of one network on windows of known recordings and of unknown ones."""

    n_training_windows: int
    known: WindowErrors  # windows it has not seen, of recordings it has seen others of
    unknown: WindowErrors  # windows of other recordings, of other artists


def cut(
    recordings: Sequence[Recording],
    features: Sequence[np.ndarray],
    front_end: FrontEnd,
    windows: Windows,
) -> tuple[Array, Tensor]:
    """All windows of recordings, each overlapping the next by half, and their labels [BPM]."""
    length = n_frames(front_end, windows)
    cuts, bpm = [], []
    for recording, whole in zip(recordings, features, strict=True):
        all_of_it = padded(np.array(whole), length)
        for start in range(0, all_of_it.shape[-1] - length + 1, length // 2):
            cuts.append(all_of_it[:, start : start + length])
            bpm.append(recording.bpm)
    return np.stack(cuts), torch.tensor(bpm)


def measure_leak(
    reference: Reference,
    known: tuple[Array, Tensor],
    unknown: tuple[Array, Tensor],
    front_end: FrontEnd,
    windows: Windows,
    settings: ReferenceSettings,
) -> Leak:
    """Train on a random part of the windows of known recordings, and measure on other windows.

    This is the split by window of the project this one grew from: half-overlapping windows of one
    recording are on both sides of it.
    """
    order = np.random.default_rng(settings.seed).permutation(len(known[1]))
    n_out = round(HELD_OUT_SHARE * len(order))
    out, inside = order[:n_out], order[n_out:]
    source = ListedWindows(known[0][inside], known[1][inside], settings)
    network = train(reference, source, front_end, windows, settings)

    def errors(cuts: Array, bpm: Tensor) -> WindowErrors:
        found = [
            answers(reference, network, cuts[k : k + 64].astype(np.float32)).bpm
            for k in range(0, len(cuts), 64)
        ]
        label = fold(bpm).numpy()
        error = np.abs(fold(torch.from_numpy(np.concatenate(found))).numpy() - label)
        right = (error <= TOLERANCE * label).mean()
        return WindowErrors(len(label), float(right), float(np.median(error)), float(error.mean()))

    return Leak(len(inside), errors(known[0][out], known[1][out]), errors(*unknown))
