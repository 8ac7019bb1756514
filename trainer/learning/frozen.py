"""Recordings after the part of the tempo network that `shift` and `adapt` do not change.

A track needs to be heard once: what follows of the network is a few small matrix products.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import torch

from tempo_core import task
from tempo_core.genres import membership
from tempo_core.heard import Heard
from tempo_core.model import Checkpoint
from tempo_core.network import Network, Ops
from tempo_core.task import Batch, Scored
from tempo_core.tasks.tempo.config import TempoConfig
from tempo_core.tasks.tempo.decode import activate
from tempo_core.tasks.tempo.network import Ensemble
from tempo_core.tasks.tempo.row import TASK

from ..inputs.hearing import hear_file, in_parts, tempo_of
from ..inputs.recordings import Recording
from ..torch_ops import Learnable

Model = Checkpoint[TempoConfig]


@dataclass(frozen=True)
class Frozen:
    """Windows after the part of the network whose weights stay.

    `rate` are (n_windows, n_members, n_bins) logits, `pooled` (n_windows, n_members, 2 * n_rate)
    summaries of the rhythm and `statistics` (n_windows, 4 * n_mels) those of the sound: arrays of
    NumPy, or of torch where something is learned from them.
    """

    rate: Any
    pooled: Any
    statistics: Any

    def __len__(self) -> int:
        return len(self.rate)

    @property
    def summaries(self) -> list[Any]:
        """Summaries of the rhythm (n_windows, 2 * n_rate) of each member of the network."""
        return [self.pooled[:, k] for k in range(self.pooled.shape[1])]

    def tensors(self) -> Frozen:
        """The same windows as tensors of torch."""
        return Frozen(*map(torch.from_numpy, (self.rate, self.pooled, self.statistics)))


@dataclass(frozen=True)
class Listened:
    """A recording as the estimator hears it, for models that differ in their prior.

    `heard` holds what the answer is refined by, `batches` the windows without the network's inputs,
    in the order of `frozen`. `before` is the tempo that the model in use finds [BPM].
    """

    recording: Recording
    frozen: Frozen
    heard: Heard
    batches: Sequence[Batch]
    before: float


def ensemble(network: Network | Learnable) -> Ensemble:
    """The definition of a tempo network, which says how its members are combined."""
    return cast(Ensemble, network.definition)


def freeze(network: Network, periodicity: Any, statistics: Any) -> Frozen:
    """Run the part of a network whose weights stay on its two inputs, (n_windows, …) each."""
    whole = ensemble(network)
    rates, summaries = [], []
    for (some,) in in_parts(periodicity):
        found = [
            whole.member.find_rate(network.ops.at(f"members.{k}"), some)
            for k in range(whole.n_members)
        ]
        rates.append(np.stack([rate for rate, _ in found], axis=1))
        summaries.append(np.stack([pooled for _, pooled in found], axis=1))
    return Frozen(np.concatenate(rates), np.concatenate(summaries), np.array(statistics))


def join(parts: Sequence[Frozen]) -> Frozen:
    """Windows of several recordings, one after another."""
    names = [field.name for field in dataclasses.fields(Frozen)]
    return Frozen(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


def hear_both(recording: Recording, first: Model, second: Model) -> tuple[Heard, Heard]:
    """Hear a recording for two models, once where both want to hear the same.

    Raises
    ------
    AudioError
        If it cannot be used.
    """
    path, genres = recording.path, recording.genre
    heard = hear_file(path, first, genres=genres)
    same = first.spectrum.sr == second.spectrum.sr and first.windows == second.windows
    return heard, heard if same else hear_file(path, second, genres=genres)


def listen(recording: Recording, model: Model, current: Model | None = None) -> Listened:
    """Hear a recording for learning from `model`.

    Parameters
    ----------
    current
        The model in use, if it is another one.

    Raises
    ------
    AudioError
        If the file cannot be used.
    """
    heard, as_before = hear_both(recording, model, current or model)
    batches = TASK.view(heard, {}, model)
    frozen = join([freeze(model.network, *batch.inputs[:2]) for batch in batches])
    bare = [dataclasses.replace(batch, inputs=()) for batch in batches]
    track = Listened(recording, frozen, heard.settled(windows=False), bare, 0.0)
    before = answer(track, model) if current is None else tempo_of(as_before, current).bpm
    return dataclasses.replace(track, before=before)


def logits(network: Network | Learnable, windows: Frozen, genres: Any = None) -> Any:
    """(n_windows, n_bins) logits of a network for windows after the part whose weights stay.

    `genres` are those of the windows, as for the network.
    """
    ops: Ops = network.ops
    whole = ensemble(network)
    prior = whole.prior(ops, windows.summaries, windows.statistics, genres)
    return whole.combine(ops, ops.mean(windows.rate, 1), prior)


def genres_of(recording: Recording, n_windows: int, model: Model) -> Any:
    """(n_windows, 1 + n_genres) genres of the windows; None for a model that does not ask."""
    families = model.config.genres
    return np.tile(membership(recording.genre, families), (n_windows, 1)) if families else None


def scored_by(track: Listened, model: Model) -> list[Scored]:
    """The scores that a model with another prior gives the windows of a track."""
    genres = genres_of(track.recording, len(track.frozen), model)
    found = logits(model.network, track.frozen, genres)
    scores = activate(found, model.config, model.temperature)
    ends = np.cumsum([len(batch.which) for batch in track.batches])[:-1]
    return list(zip(track.batches, np.split(scores, ends), strict=True))


def answer(track: Listened, model: Model) -> float:
    """The tempo that the estimator finds in a track with a model with another prior [BPM]."""
    return task.answer(TASK, scored_by(track, model), track.heard, {}, model).bpm
