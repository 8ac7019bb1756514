"""How `keys` fits the key network to the keys that somebody gives their tracks.

The whole network learns, in small steps from the weights it has, and is held near them. Half of
what it is shown are painted clips whose key is known, so that it goes on finding those. Every
example is a random stretch that is moved up or down, so that a key stands for all twelve.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from tempo_core import task
from tempo_core.config import HarmonyFrontEnd
from tempo_core.keys import Key
from tempo_core.model import Checkpoint
from tempo_core.spectrum import Array
from tempo_core.task import Batch
from tempo_core.tasks.key.config import KeyConfig
from tempo_core.tasks.key.decode import key_of, number_of, pool, posterior
from tempo_core.tasks.key.row import TASK

from ..inputs.hearing import hear_file
from ..tasks.key import loss
from ..torch_ops import learnable, usable
from .job import Job
from .key_guard import PaintedClip

Floats = NDArray[np.float64]
Model = Checkpoint[KeyConfig]

STEPS, LEARNING_RATE = 150, 3e-4
N_OWN, N_REPLAYED = 6, 4  # examples of a step: of the tracks, and painted clips
N_FRAMES = 32  # of an example, 0.4 s each
HIGHEST = 5  # [semitones] that an example is moved by at most
ANCHOR = 0.1  # weight of the squared distance from the weights before
TEMPERATURES = np.geomspace(0.2, 3.0, 60)


@dataclass(frozen=True)
class SeenTrack:
    """What the network sees of a track, as half precision numbers, and the key it was given."""

    batches: tuple[Batch, ...]
    key: Key


def see(path: Path, key: Key, model: Model) -> SeenTrack:
    """Hear a file as the estimator does.

    Raises
    ------
    AudioError
        If it cannot be used.
    """
    batches = TASK.view(hear_file(path, model), {}, model)
    kept = [replace(b, inputs=tuple(x.astype(np.float16) for x in b.inputs)) for b in batches]
    return SeenTrack(tuple(kept), key)


def scores_of(track: SeenTrack, model: Model) -> Floats:
    """(24,) scores that a model gives a track, at its temperature."""
    batches = [
        replace(b, inputs=tuple(x.astype(np.float32) for x in b.inputs)) for b in track.batches
    ]
    return pool(task.score(TASK, batches, model), model.config).scores


def answer_of(scores: Floats) -> Key:
    """The key with the highest score."""
    return key_of(int(scores.argmax()))


def fit(tracks: Sequence[SeenTrack], clips: Sequence[PaintedClip], base: Model, job: Job) -> Model:
    """The model fitted to the keys of tracks, with the temperature that it had.

    Raises
    ------
    Stopped
        If the run was to stop.
    """
    rng = np.random.default_rng(job.options.seed)
    torch.manual_seed(job.options.seed)  # of the dropout
    network = learnable(base.network).train().requires_grad_(True)
    for module in network.modules():
        if isinstance(module, torch.nn.modules.batchnorm._BatchNorm):
            module.eval()  # a handful of examples would only spoil its statistics
    weights = list(network.parameters())
    anchor = [p.detach().clone() for p in weights]
    optimiser = torch.optim.Adam(weights, LEARNING_RATE)
    for step in range(STEPS):
        job.check_going_on()
        drawn = [_of_track(tracks[int(rng.integers(len(tracks)))], rng) for _ in range(N_OWN)]
        drawn += [_of_clip(clips[int(rng.integers(len(clips)))]) for _ in range(N_REPLAYED)]
        moved = [_example(spectra, key, base.front_end, rng) for spectra, key in drawn]
        inputs = torch.from_numpy(np.stack([spectra for spectra, _ in moved]))
        errors = loss(network(inputs), torch.tensor([key for _, key in moved]))
        apart = sum(
            ((p - a).square().sum() for p, a in zip(weights, anchor, strict=True)),
            start=torch.zeros(()),
        )
        optimiser.param_groups[0]["lr"] = LEARNING_RATE * (1 - step / STEPS)
        optimiser.zero_grad()
        (errors + ANCHOR * apart).backward()
        torch.nn.utils.clip_grad_norm_(weights, 1.0)
        optimiser.step()
    return replace(base, network=usable(network.eval()))


def _of_track(track: SeenTrack, rng: np.random.Generator) -> tuple[Array, int]:
    """One excerpt of a track, the longer ones more often, and the number of its key."""
    lengths = np.concatenate([batch.weights for batch in track.batches])
    chosen = int(rng.choice(len(lengths), p=lengths / lengths.sum()))
    excerpts = [excerpt for batch in track.batches for excerpt in batch.inputs[0]]
    return excerpts[chosen], number_of(track.key)


def _of_clip(clip: PaintedClip) -> tuple[Array, int]:
    return clip.spectra, number_of(clip.key)


def _example(
    spectra: Array, key: int, front_end: HarmonyFrontEnd, rng: np.random.Generator
) -> tuple[Array, int]:
    """A random stretch, `N_FRAMES` long, moved by some semitones; and the number of its key."""
    n_frames = spectra.shape[-1]
    start = int(rng.integers(max(1, n_frames - N_FRAMES + 1)))
    places = (start + np.arange(N_FRAMES)) % n_frames  # what is too short goes round
    semitones = int(rng.integers(-HIGHEST, HIGHEST + 2))
    n_moved = front_end.bands_per_semitone * semitones
    moved = np.roll(spectra[:, :, places].astype(np.float32), n_moved, axis=1)
    if n_moved > 0:
        moved[:, :n_moved] = 0
    elif n_moved < 0:
        moved[:, n_moved:] = 0
    return moved, (key + semitones) % 12 + 12 * (key // 12)


def fit_temperature(scores: Sequence[Floats], keys: Sequence[Key]) -> float:
    """The temperature at which the confidence has the highest likelihood, given what was right.

    Parameters
    ----------
    scores
        (24,) for each track, at temperature 1.

    Notes
    -----
    Temperature scaling: Guo et al., "On calibration of modern neural networks", ICML 2017. It is
    the confidence of the answer that is fitted, because that is the number that users see.
    """
    right = np.array([answer_of(s) == key for s, key in zip(scores, keys, strict=True)])
    best = (math.inf, 1.0)
    for temperature in TEMPERATURES.tolist():
        sure = np.array([posterior(s / temperature).max() for s in scores]).clip(1e-3, 1 - 1e-3)
        surprise = -float(np.log(np.where(right, sure, 1 - sure)).sum())
        best = min(best, (surprise, temperature))
    return round(best[1], 3)
