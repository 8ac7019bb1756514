"""Learning how somebody counts from tens to hundreds of labels: only the prior moves.

Where the rate is was learned from much more music than one person has labelled, and stays as it is.
What is learned is the prior over the axis, which carries the counting convention (see `model.py`),
and it is made to decide among the octaves of a tempo only, so that the rate cannot suffer. A track
needs to be heard once, and an epoch is a few small matrix products:

- `shift`, for a handful of labels: one number, a tilt of the prior towards faster or slower.
- `adapt`: first how much the sound has to say at all and a new curve over the axis, the same for
  all music, of few steps (what "everything between 85 and 170" needs); then the branch that hears
  the sound, held near the weights it had (L2-SP: Li et al., "Explicit inductive bias for transfer
  learning with convolutional networks", ICML 2018).

All penalties are those of a prior over the parameters, so that they count less the more labels
there are.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar, cast

import torch
from torch import Tensor, nn

from tempo_core import listening
from tempo_core.audio import AudioFile, check
from tempo_core.checkpoint import Checkpoint
from tempo_core.config import TempoGrid
from tempo_core.estimate import (
    DEFAULT_WINDOWS,
    Analysis,
    Estimate,
    Heard,
    excerpt_features,
    from_analysis,
    hear,
    score,
)
from tempo_core.features import tempo_axis
from tempo_core.model import Ensemble, TempoNet, build
from tempo_core.tasks import tempo

from .dataset import Recording
from .guard import Guard
from .metrics import LEVELS

T = TypeVar("T")
FINER = 3  # so many knots for one of the shipped prior: a convention may have an edge
FEW_KNOTS = 40  # fewer than that can be made finer
TILT = 2.0  # [nats an octave] standard deviation of the tilt
WRONG = 1e-3  # share of labels that are simply wrong
ELSEWHERE = 0.02  # probability of a tempo that is right by chance


@dataclass(frozen=True)
class Frozen:
    """Windows after the part of the network that is not learned.

    `rate` are (n_windows, n_members, n_bins) logits, `pooled` (n_windows, n_members, 2 * n_rate)
    summaries of the rhythm and `statistics` (n_windows, 4 * n_mels) those of the sound.
    """

    rate: Tensor
    pooled: Tensor
    statistics: Tensor

    def __len__(self) -> int:
        return len(self.rate)


@dataclass(frozen=True)
class Listened:
    """A recording as the estimator hears it; scores of any prior can be put into `analysis`.

    `before` is what the model in use answers.
    """

    recording: Recording
    frozen: Frozen
    analysis: Analysis
    before: Estimate


class Labelled(Protocol):
    """What learning needs of a track: its label, and its windows."""

    @property
    def recording(self) -> Recording: ...
    @property
    def frozen(self) -> Frozen: ...


@dataclass(frozen=True)
class Recipe:
    """How `adapt` learns. Penalties are those for one label; they are divided by their number."""

    gate: float = 5.0  # on how far the say of the sound is from what it was
    steps_in_curve: float = 0.6  # on the total variation of the curve
    weights: float = 6.0  # on the distance from the weights before
    replay: float = 1.0  # weight of the guard set's rate
    noise: float = 0.5  # on the statistics of the sound, in their standard deviations
    steps: int = 150
    learning_rate: float = 3e-3
    batch: int = 1500  # windows
    seed: int = 0


def members(network: Ensemble) -> list[TempoNet]:
    """The networks of an ensemble."""
    return [cast(TempoNet, member) for member in network.members]


def freeze(network: Ensemble, periodicity: Tensor, statistics: Tensor) -> Frozen:
    """Run the part that is not learned."""
    with torch.inference_mode():
        found = [member.find_rate(periodicity) for member in members(network)]
    rate, pooled = (torch.stack(parts, dim=1).clone() for parts in zip(*found, strict=True))
    return Frozen(rate, pooled, statistics.clone())


def hear_file(path: Path, model: Checkpoint, n_windows: int = DEFAULT_WINDOWS) -> Heard:
    """Hear a file as the estimator does that never stops early.

    Raises
    ------
    AudioError
        If it cannot be used.
    """
    sr = model.front_end.sr
    with AudioFile(path) as file, torch.inference_mode():
        excerpts = listening.music(file, sr, model.windows, n_windows)
        if not excerpts:
            excerpts = file.read(sr, [(0.0, listening.WHOLE)])
            check(excerpts, sr)
        return hear(excerpt_features(excerpts, model), model)


def hear_both(path: Path, first: Checkpoint, second: Checkpoint) -> tuple[Heard, Heard]:
    """Hear a file for two models, once where both want to hear the same.

    Raises
    ------
    AudioError
        If it cannot be used.
    """
    heard = hear_file(path, first)
    same = all(
        getattr(first, name) == getattr(second, name) for name in ("front_end", "windows", "grid")
    )
    return heard, heard if same else hear_file(path, second)


def estimate(heard: Heard, model: Checkpoint) -> Estimate:
    """What the estimator answers for a file it has heard."""
    with torch.inference_mode():
        return from_analysis(score(heard, model), model)


def listen(recording: Recording, model: Checkpoint, current: Checkpoint | None = None) -> Listened:
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
    heard, as_before = hear_both(recording.path, model, current or model)
    with torch.inference_mode():
        analysis = score(heard, model)
        before = from_analysis(analysis, model) if current is None else estimate(as_before, current)
    frozen = freeze(model.network, heard.periodicity, heard.statistics)
    return Listened(recording, frozen, analysis, before)


def logits(network: Ensemble, windows: Frozen) -> Tensor:
    """(n_windows, n_bins): what the network says about windows it has heard."""
    return network.combine(windows.rate.mean(dim=1), priors(network, windows))


def priors(network: Ensemble, windows: Frozen) -> Tensor:
    """(n_windows, n_bins) log-priors."""
    parts = [
        member.log_prior(windows.pooled[:, k], windows.statistics)
        for k, member in enumerate(members(network))
    ]
    return torch.stack(parts).mean(dim=0)


def analysis_by(track: Listened, model: Checkpoint) -> Analysis:
    """The analysis of a track by a model that differs in its prior."""
    with torch.no_grad():
        scores = tempo.activate(logits(model.network, track.frozen), model.grid, model.temperature)
    return dataclasses.replace(track.analysis, scores=scores)


def answer(track: Listened, model: Checkpoint) -> Estimate:
    """What the estimator answers for a track with a model that differs in its prior."""
    return from_analysis(analysis_by(track, model), model)


@dataclass(frozen=True)
class _Labels:
    """Windows of all tracks, and of each bin whether it is right for them, (n_windows, n_bins)."""

    windows: Frozen
    right: Tensor
    weight: Tensor  # (n_windows,) of each, so that tracks count alike; sums to 1
    n: int  # tracks


def _near(bpm: Tensor, grid: TempoGrid) -> Tensor:
    """(n,) → (n, n_bins): 1 where a bin counts as this tempo."""
    distance = (tempo_axis(grid)[None] / bpm[:, None]).log().abs()
    return (distance <= math.log(1 + tempo.TOLERANCE)).float()


def _labels(tracks: Sequence[Labelled], grid: TempoGrid) -> _Labels:
    parts = [track.frozen for track in tracks]
    windows = Frozen(
        torch.cat([p.rate for p in parts]),
        torch.cat([p.pooled for p in parts]),
        torch.cat([p.statistics for p in parts]),
    )
    counts = torch.tensor([len(p) for p in parts])
    of_track = torch.repeat_interleave(torch.arange(len(parts)), counts)
    bpm = torch.tensor([track.recording.bpm for track in tracks])
    weight = (1.0 / (counts * len(parts)))[of_track]
    return _Labels(windows, _near(bpm, grid)[of_track], weight, len(parts))


def _surprise(logits_: Tensor, right: Tensor, allowed: Tensor) -> Tensor:
    """(n_windows,) negative log of the mass near the label, which is wrong now and then."""
    scores = logits_.masked_fill(~allowed, -torch.inf).softmax(dim=-1)
    mass = (scores * right).sum(dim=-1)
    return -((1 - WRONG) * mass + WRONG * ELSEWHERE).log()


def shift(model: Checkpoint, tracks: Sequence[Labelled]) -> Checkpoint:
    """The model with its prior tilted: one number, by maximum a posteriori."""
    model = adaptable(model)
    grid = model.grid
    data, allowed = _labels(tracks, grid), tempo.answerable(grid)
    octaves = (tempo_axis(grid) / grid.bpm_min).log2()
    network = model.network
    with torch.no_grad():
        rate, prior = data.windows.rate.mean(dim=1), priors(network, data.windows)

        def cost(tilt: float) -> float:
            found = network.combine(rate, prior + tilt * octaves)
            surprise = _surprise(found, data.right, allowed) * data.weight
            return float(surprise.sum()) * data.n + 0.5 * (tilt / TILT) ** 2

        tilt = min((k / 20 for k in range(-120, 121)), key=cost)
        for member in members(network):
            bias = _last(member).bias
            bias.add_(tilt * torch.linspace(0, float(octaves[-1]), len(bias)))
    return model


def adapt(
    model: Checkpoint,
    tracks: Sequence[Labelled],
    guard: Guard | None,
    recipe: Recipe = Recipe(),
    progress: Callable[[], object] = lambda: None,
) -> Checkpoint:
    """The model with another prior, learned from labelled tracks.

    Parameters
    ----------
    guard
        For replay; None without.
    progress
        Called after each of the `recipe.steps` steps.
    """
    model = adaptable(model)
    data = _labels(tracks, model.grid)
    _learn_curve(model, data, recipe)
    replay = None if guard is None else _replay(model, guard)
    _learn_sound(model, data, replay, recipe, progress)
    return model


def adaptable(model: Checkpoint) -> Checkpoint:
    """A copy with a finer prior that decides among octaves only; its answers are nearly the same.

    So another prior cannot cost the rate, and may have edges.
    """
    n_prior = model.model.n_prior
    n_new = n_prior if n_prior >= FEW_KNOTS else (n_prior - 1) * FINER + 1
    config = dataclasses.replace(model.model, n_prior=n_new, separate_octave=True)
    network = build(model.front_end, model.grid, config)
    weights = model.network.state_dict()
    for name, value in network.state_dict().items():
        if value.shape != weights[name].shape:  # of the prior's last layer: (n_prior, …)
            rows = weights[name].reshape(n_prior, -1).T[:, None]
            made = nn.functional.interpolate(rows, n_new, mode="linear", align_corners=True)
            weights[name] = made[:, 0].T.reshape(value.shape)
    network.load_state_dict(weights)
    return dataclasses.replace(model, network=network.eval().requires_grad_(False), model=config)


def _last(member: TempoNet) -> nn.Linear:
    return cast(nn.Linear, member.prior[-1])


def _learn_curve(model: Checkpoint, data: _Labels, recipe: Recipe) -> None:
    """Scale the prior by one number and add one curve to it, in place.

    The curve is piecewise flat as far as the labels allow (total variation): a range of tempi is
    two steps.
    """
    grid = model.grid
    allowed = tempo.answerable(grid)
    with torch.no_grad():
        rate, prior = data.windows.rate.mean(dim=1), priors(model.network, data.windows)
    gate = torch.ones(1, requires_grad=True)
    curve = torch.zeros(1, model.model.n_prior, requires_grad=True)
    optimizer = torch.optim.LBFGS([gate, curve], max_iter=150, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimizer.zero_grad()
        spread = nn.functional.interpolate(
            curve[:, None], grid.n_bins, mode="linear", align_corners=True
        ).squeeze(1)
        found = model.network.combine(rate, gate * prior + spread)
        surprise = _surprise(found, data.right, allowed)
        # The constant makes the absolute value smooth where it is 0.
        steps = (curve.diff().square() + 0.05**2).sqrt().sum()
        penalty = recipe.gate * (gate - 1).square().sum() + recipe.steps_in_curve * steps
        loss = (surprise * data.weight).sum() + penalty / data.n
        loss.backward()
        return loss

    optimizer.step(closure)
    with torch.no_grad():
        for member in members(model.network):
            last = _last(member)
            last.weight *= gate
            last.bias.mul_(gate).add_(curve[0])


@dataclass(frozen=True)
class _Replay:
    windows: Frozen
    right: Tensor  # (n, n_bins) 1 at the tempo, its third, half, double and triple


def _replay(model: Checkpoint, guard: Guard) -> _Replay:
    bpm = torch.tensor(guard.bpm)
    right = torch.stack([_near(bpm * level, model.grid) for level in LEVELS]).amax(dim=0)
    return _Replay(freeze(model.network, *guard.inputs()), right)


def _learn_sound(
    model: Checkpoint,
    data: _Labels,
    replay: _Replay | None,
    recipe: Recipe,
    progress: Callable[[], object],
) -> None:
    """Learn the timbre branch and the prior, near what they are, in place.

    Which octave the guard set is counted in is for the labels to say; its rate has to stay found.
    """
    torch_rng = torch.Generator().manual_seed(recipe.seed)
    network, allowed = model.network, tempo.answerable(model.grid)
    learned = []
    for member in members(network):
        for part in (member.timbre, member.prior):
            learned += [p for m in part if isinstance(m, nn.Linear) for p in m.parameters()]
    start = [p.detach().clone() for p in learned]
    for parameter in learned:
        parameter.requires_grad_(True)
    optimizer = torch.optim.Adam(learned, lr=recipe.learning_rate)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, recipe.learning_rate, total_steps=recipe.steps
    )
    windows = data.windows
    deviation = windows.statistics.std(dim=0)
    for _ in range(recipe.steps):
        rows = torch.randperm(len(windows), generator=torch_rng)[: recipe.batch]
        noise = torch.randn(len(rows), len(deviation), generator=torch_rng)
        batch = Frozen(
            windows.rate[rows],
            windows.pooled[rows],
            windows.statistics[rows] + recipe.noise * deviation * noise,
        )
        weight = data.weight[rows] / data.weight[rows].sum()
        surprise = _surprise(logits(network, batch), data.right[rows], allowed)
        loss = (surprise * weight).sum()
        distance = sum((p - q).square().sum() for p, q in zip(learned, start, strict=True))
        loss = loss + recipe.weights / data.n * distance
        if replay is not None and recipe.replay:
            kept = _surprise(logits(network, replay.windows), replay.right, allowed)
            loss = loss + recipe.replay * kept.mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        progress()
    network.eval().requires_grad_(False)


def read_all(
    recordings: Sequence[Recording],
    hear_one: Callable[[Recording], T],
    jobs: int,
    stop: Callable[[], bool],
    quiet: bool = False,
    time_limit: float | None = None,
) -> tuple[list[T], list[tuple[Path, Exception]]]:
    """Listen to recordings in threads; what came of it, in order, and which files failed.

    Raises
    ------
    Stopped
        If `stop` said True.
    """
    from tqdm import tqdm

    from tempo_core.background import Stopped, parallel

    heard: dict[int, T] = {}
    failed = []
    torch.set_num_threads(1)
    with tqdm(
        desc="listening", total=len(recordings), unit="track", disable=True if quiet else None
    ) as bar:
        tasks = list(enumerate(recordings))
        results = parallel(lambda task: hear_one(task[1]), tasks, jobs, stop, time_limit)
        for (k, recording), result in results:
            bar.update()
            if isinstance(result, Exception):
                failed.append((recording.path, result))
            else:
                heard[k] = result
    if stop():
        raise Stopped("interrupted; run the same again to begin anew")
    return [heard[k] for k in sorted(heard)], failed
