"""Fit the paces to somebody's own statements: `fit_paces`.

Who says of some tracks at which paces one can move to them teaches the network's last layers how
*they* move. What a rhythm looks like stays as it was learned, and the weights are held near where
they were, so that a few dozen tracks are enough and nothing else is forgotten.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tempo_core import checkpoint
from tempo_core.background import TIME_LIMIT, call, interrupted
from tempo_core.checkpoint import Checkpoint
from tempo_core.errors import AudioError, LabelError
from tempo_core.pace_model import PaceNet
from tempo_core.paces import COMPATIBLE
from tempo_core.tasks import pace

from .fit_paces import heard, save
from .pace_data import Case, load_tracks, manual_case

MIN_TRACKS = 10  # fewer say nothing about anybody's habits
N_FOLDS = 5  # of the cross validation
STEPS, RATE = 300, 1e-3
ANCHOR = 0.3  # weight of the squared distance from the weights before


@dataclass(frozen=True)
class Figures:
    """On tracks that were left out: share of candidates judged right, mean cross entropy."""

    accuracy: float
    surprise: float


@dataclass(frozen=True)
class Adapted:
    """A new pace model, and what it is worth on the user's own tracks.

    `failed` are the files that could not be used, with the reason.
    """

    path: Path
    n_tracks: int
    before: Figures
    after: Figures
    failed: tuple[tuple[Path, str], ...]


@dataclass(frozen=True)
class _Folds:
    """The folds of one track: what the last layers see, and the target of each."""

    inputs: Tensor  # (n_folds, n_inputs)
    candidate: NDArray[np.int64]  # (n_folds,) of which candidate
    targets: Tensor  # (n_candidates,)


def fit_paces(
    labelled: Sequence[tuple[Path, Sequence[float]]],
    model: Path,
    tempo_model: Path,
    cache: Path,
    out: Path,
    seed: int = 0,
    time_limit: float = TIME_LIMIT,
) -> Adapted:
    """Fit a pace model to tracks of which somebody stated the paces.

    Parameters
    ----------
    labelled
        Audio files, each with the tempi [BPM] that one can move to it at, and no others.
    model, tempo_model
        The pace model to begin with, and the tempo model whose tempi it judges.
    cache
        Folder for the features of the tracks; a run that was interrupted goes on from there.
    out
        Folder for the new model.
    time_limit
        For each track [s].

    Raises
    ------
    Stopped
        If Ctrl-C was pressed.
    LabelError
        If fewer than `MIN_TRACKS` tracks can be used.
    CheckpointError
        If a model cannot be used.
    """
    torch.set_num_threads(1)
    base = checkpoint.load(model, "pace")
    tracks: list[_Folds] = []
    failed: list[tuple[Path, str]] = []
    for path, paces in labelled:
        try:
            (track,) = call(
                partial(load_tracks, [path], tempo_model, cache, progress=False),
                interrupted,
                time_limit,
            )
        except (AudioError, OSError) as error:
            failed.append((path, str(error)))
            continue
        tracks.append(_folds(manual_case(track, paces, base.grid), base))
    if len(tracks) < MIN_TRACKS:
        raise LabelError(
            f"{len(tracks)} usable tracks with stated paces, at least {MIN_TRACKS} are needed; "
            "state more, for example with `beet modify tempo_paces_manual='87 174' QUERY`"
        )
    order = np.random.default_rng(seed).permutation(len(tracks))
    before, after = [], []
    for part in np.array_split(order, N_FOLDS):
        held_out = [tracks[i] for i in part]
        fitted = _fit([tracks[i] for i in order if i not in part], base)
        before += [_judge(track, base.network, base.temperature) for track in held_out]
        after += [_judge(track, fitted, base.temperature) for track in held_out]
    targets = np.concatenate([tracks[i].targets.numpy() for i in order])
    network = _fit(tracks, base)
    card: dict[str, object] = {
        "summary": f"{len(tracks)} tracks of one's own, from {base.name}-{base.hash}",
        "recipe": {"steps": STEPS, "rate": RATE, "anchor": ANCHOR, "seed": seed},
    }
    path = save(replace(base, network=network), card, out)
    return Adapted(
        path, len(tracks), _figures(before, targets), _figures(after, targets), tuple(failed)
    )


def _folds(case: Case, model: Checkpoint) -> _Folds:
    network = model.network
    assert isinstance(network, PaceNet)
    pieces = heard(case.track, model.front_end, model.windows)
    strength = torch.from_numpy(case.track.strength)
    known = pace.context(case.tempi, case.headline, strength, model.grid)
    inputs, numbers = [], []
    with torch.no_grad():
        for which, folds in pace.view(pieces, case.tempi, model.front_end.fps, model.model):
            inputs.append(torch.cat([network.rhythm(folds), known[which]], dim=1))
            numbers += which
    return _Folds(torch.cat(inputs), np.array(numbers), pace.encode(case.targets.tolist()))


def _fit(tracks: Sequence[_Folds], base: Checkpoint) -> PaceNet:
    """The network with its last layers fitted to candidates as they come."""
    network = copy.deepcopy(base.network)
    assert isinstance(network, PaceNet)
    inputs = torch.cat([track.inputs for track in tracks])
    targets = torch.cat([track.targets[track.candidate] for track in tracks])
    judge = network.judge.requires_grad_(True)
    anchor = [p.detach().clone() for p in judge.parameters()]
    optimiser = torch.optim.Adam(judge.parameters(), RATE)
    for _ in range(STEPS):
        logits = judge(inputs).squeeze(1) / base.temperature
        errors = pace.loss(logits, targets)
        apart = sum(
            ((p - a).square().sum() for p, a in zip(judge.parameters(), anchor, strict=True)),
            start=torch.zeros(()),
        )
        optimiser.zero_grad()
        (errors + ANCHOR / len(tracks) * apart).backward()
        optimiser.step()
    return network.requires_grad_(False)


def _judge(track: _Folds, network: torch.nn.Module, temperature: float) -> NDArray[np.float64]:
    """(n_candidates,) probabilities."""
    assert isinstance(network, PaceNet)
    with torch.no_grad():
        scores = pace.activate(network.judge(track.inputs).squeeze(1), temperature).numpy()
    n = len(track.targets)
    total = np.bincount(track.candidate, scores, n)
    return np.asarray(total / np.maximum(1, np.bincount(track.candidate, minlength=n)))


def _figures(parts: Sequence[NDArray[np.float64]], targets: NDArray[np.float32]) -> Figures:
    p = np.clip(np.concatenate(parts), 1e-4, 1 - 1e-4)
    right = (p >= COMPATIBLE) == (targets >= 0.5)
    surprise = -np.where(targets >= 0.5, np.log(p), np.log(1 - p))
    return Figures(float(right.mean()), float(surprise.mean()))
