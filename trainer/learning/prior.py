"""Learning how somebody counts from tens to hundreds of labels: only the prior moves.

Where the rate is was learned from much more music than one person has labelled, and stays as it is.
What is learned is the prior over the axis, which carries the counting convention (see the network),
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
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar, cast

import numpy as np
import torch
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits
from torch import Tensor, nn

from tempo_core import task
from tempo_core.heard import Heard
from tempo_core.levels import ACCURACY_2
from tempo_core.model import Checkpoint
from tempo_core.network import Network, Ops, shapes
from tempo_core.task import Batch, Scored
from tempo_core.tasks.tempo.axis import answerable, near, tempo_axis
from tempo_core.tasks.tempo.config import TempoConfig, TempoGrid
from tempo_core.tasks.tempo.decode import activate
from tempo_core.tasks.tempo.network import Ensemble, build
from tempo_core.tasks.tempo.row import TASK

from ..inputs.hearing import hear_file, in_parts, tempo_of
from ..inputs.recordings import Recording
from ..torch_ops import Learnable, learnable, usable
from .guard import Guard

T = TypeVar("T")
Model = Checkpoint[TempoConfig]
FINER = 3  # so many knots for one of the shipped prior: a convention may have an edge
FEW_KNOTS = 40  # fewer than that can be made finer
TILT = 2.0  # [nats an octave] standard deviation of the tilt
WRONG = 1e-3  # share of labels that are simply wrong
ELSEWHERE = 0.02  # probability of a tempo that is right by chance


@dataclass(frozen=True)
class Frozen:
    """Windows after the part of the network that is not learned.

    `rate` are (n_windows, n_members, n_bins) logits, `pooled` (n_windows, n_members, 2 * n_rate)
    summaries of the rhythm and `statistics` (n_windows, 4 * n_mels) those of the sound: arrays of
    NumPy, or of torch where something is learned from them.
    """

    rate: Any
    pooled: Any
    statistics: Any

    def __len__(self) -> int:
        return len(self.rate)

    def tensors(self) -> Frozen:
        """The same for torch."""
        return Frozen(*map(torch.from_numpy, (self.rate, self.pooled, self.statistics)))


@dataclass(frozen=True)
class Listened:
    """A recording as the estimator hears it, for models that differ in their prior.

    `heard` is what the answer is refined by, `batches` are the windows without what the network
    sees of them, in the order of `frozen`. `before` is what the model in use answers [BPM].
    """

    recording: Recording
    frozen: Frozen
    heard: Heard
    batches: Sequence[Batch]
    before: float


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


def ensemble(network: Network | Learnable) -> Ensemble:
    """What a tempo network does."""
    return cast(Ensemble, network.definition)


def freeze(network: Network, periodicity: Any, statistics: Any) -> Frozen:
    """Run the part that is not learned on the network's two inputs."""
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


def hear_both(path: Path, first: Model, second: Model) -> tuple[Heard, Heard]:
    """Hear a file for two models, once where both want to hear the same.

    Raises
    ------
    AudioError
        If it cannot be used.
    """
    heard = hear_file(path, first)
    same = first.spectrum.sr == second.spectrum.sr and first.windows == second.windows
    return heard, heard if same else hear_file(path, second)


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
    heard, as_before = hear_both(recording.path, model, current or model)
    batches = TASK.view(heard, {}, model)
    frozen = join([freeze(model.network, *batch.inputs) for batch in batches])
    bare = [dataclasses.replace(batch, inputs=()) for batch in batches]
    track = Listened(recording, frozen, heard.settled(windows=False), bare, 0.0)
    before = answer(track, model) if current is None else tempo_of(as_before, current).bpm
    return dataclasses.replace(track, before=before)


def logits(network: Network | Learnable, windows: Frozen) -> Any:
    """(n_windows, n_bins): what the network says about windows it has heard."""
    ops: Ops = network.ops
    rate = ops.mean(windows.rate, 1)
    return ensemble(network).combine(ops, rate, priors(network, windows))


def priors(network: Network | Learnable, windows: Frozen) -> Any:
    """(n_windows, n_bins) log-priors."""
    whole = ensemble(network)
    ops: Ops = network.ops
    parts = [
        whole.member.log_prior(ops.at(f"members.{k}"), windows.pooled[:, k], windows.statistics)
        for k in range(whole.n_members)
    ]
    return ops.mean(ops.stack(parts), 0)


def scored_by(track: Listened, model: Model) -> list[Scored]:
    """What a model that differs in its prior says of the windows of a track."""
    scores = activate(logits(model.network, track.frozen), model.config, model.temperature)
    ends = np.cumsum([len(batch.which) for batch in track.batches])[:-1]
    return list(zip(track.batches, np.split(scores, ends), strict=True))


def answer(track: Listened, model: Model) -> float:
    """What the estimator answers for a track with a model that differs in its prior [BPM]."""
    return task.answer(TASK, scored_by(track, model), track.heard, {}, model).bpm


@dataclass(frozen=True)
class _Labels:
    """Windows of all tracks, and of each bin whether it is right for them, (n_windows, n_bins)."""

    windows: Frozen
    right: Tensor
    weight: Tensor  # (n_windows,) of each, so that tracks count alike; sums to 1
    n: int  # tracks


def _near(bpm: Sequence[float], grid: TempoGrid) -> Tensor:
    """(n,) → (n, n_bins): 1 where a bin counts as this tempo."""
    return torch.from_numpy(np.stack([near(one, grid) for one in bpm])).float()


def _labels(tracks: Sequence[Labelled], grid: TempoGrid) -> _Labels:
    windows = join([track.frozen for track in tracks]).tensors()
    counts = torch.tensor([len(track.frozen) for track in tracks])
    of_track = torch.repeat_interleave(torch.arange(len(tracks)), counts)
    weight = (1.0 / (counts * len(tracks)))[of_track]
    right = _near([track.recording.bpm for track in tracks], grid)
    return _Labels(windows, right[of_track], weight, len(tracks))


def _answerable(grid: TempoGrid) -> Tensor:
    return torch.from_numpy(answerable(grid))


def _surprise(logits_: Tensor, right: Tensor, allowed: Tensor) -> Tensor:
    """(n_windows,) negative log of the mass near the label, which is wrong now and then."""
    scores = logits_.masked_fill(~allowed, -torch.inf).softmax(dim=-1)
    mass = (scores * right).sum(dim=-1)
    return -((1 - WRONG) * mass + WRONG * ELSEWHERE).log()


def shift(model: Model, tracks: Sequence[Labelled]) -> Model:
    """The model with its prior tilted: one number, by maximum a posteriori."""
    model = adaptable(model)
    grid = model.config.grid
    data, allowed = _labels(tracks, grid), _answerable(grid)
    octaves = torch.from_numpy(np.log2(tempo_axis(grid) / grid.bpm_min)).float()
    network = learnable(model.network)
    with torch.no_grad():
        rate, prior = data.windows.rate.mean(dim=1), priors(network, data.windows)

        def cost(tilt: float) -> float:
            found = ensemble(network).combine(network.ops, rate, prior + tilt * octaves)
            surprise = _surprise(found, data.right, allowed) * data.weight
            return float(surprise.sum()) * data.n + 0.5 * (tilt / TILT) ** 2

        tilt = min((k / 20 for k in range(-120, 121)), key=cost)
        for last in _last_layers(network):
            last.bias.add_(tilt * torch.linspace(0, float(octaves[-1]), len(last.bias)))
    return dataclasses.replace(model, network=usable(network))


def adapt(
    model: Model,
    tracks: Sequence[Labelled],
    guard: Guard | None,
    recipe: Recipe = Recipe(),
    progress: Callable[[], object] = lambda: None,
) -> Model:
    """The model with another prior, learned from labelled tracks.

    Parameters
    ----------
    guard
        For replay; None without.
    progress
        Called after each of the `recipe.steps` steps.
    """
    model = adaptable(model)
    network, grid = learnable(model.network), model.config.grid
    data = _labels(tracks, grid)
    _learn_curve(network, grid, data, recipe)
    replay = None if guard is None else _replay(model, guard)
    _learn_sound(network, grid, data, replay, recipe, progress)
    return dataclasses.replace(model, network=usable(network))


def adaptable(model: Model) -> Model:
    """A copy with a finer prior that decides among octaves only; its answers are nearly the same.

    So another prior cannot cost the rate, and may have edges.
    """
    size, network = model.config.model, model.network
    n_new = size.n_prior if size.n_prior >= FEW_KNOTS else (size.n_prior - 1) * FINER + 1
    finer = dataclasses.replace(size, n_prior=n_new, separate_octave=True)
    config = dataclasses.replace(model.config, model=finer)
    definition = build(model.front_end, config)
    weights: dict[str, NDArray[Any]] = {}
    for name, shape in shapes(definition.layers).items():
        value = network.weights[name]
        if value.shape != shape:  # of the prior's last layer: (n_prior, …)
            columns = value.reshape(size.n_prior, -1).T
            value = network.ops.interpolate(columns, n_new).T.reshape(shape)
        weights[name] = value
    return dataclasses.replace(model, network=Network(definition, weights), config=config)


def _last_layers(network: Learnable) -> list[nn.Linear]:
    """What gives the knots of the prior, of every member."""
    names = [f"members.{k}.prior.3" for k in range(ensemble(network).n_members)]
    return [cast(nn.Linear, network.get_submodule(name)) for name in names]


def _learn_curve(network: Learnable, grid: TempoGrid, data: _Labels, recipe: Recipe) -> None:
    """Scale the prior by one number and add one curve to it, in place.

    The curve is piecewise flat as far as the labels allow (total variation): a range of tempi is
    two steps.
    """
    allowed, last_layers = _answerable(grid), _last_layers(network)
    with torch.no_grad():
        rate, prior = data.windows.rate.mean(dim=1), priors(network, data.windows)
    gate = torch.ones(1, requires_grad=True)
    curve = torch.zeros(1, len(last_layers[0].bias), requires_grad=True)
    optimizer = torch.optim.LBFGS([gate, curve], max_iter=150, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimizer.zero_grad()
        spread = network.ops.interpolate(curve, grid.n_bins)
        found = ensemble(network).combine(network.ops, rate, gate * prior + spread)
        surprise = _surprise(found, data.right, allowed)
        # The constant makes the absolute value smooth where it is 0.
        steps = (curve.diff().square() + 0.05**2).sqrt().sum()
        penalty = recipe.gate * (gate - 1).square().sum() + recipe.steps_in_curve * steps
        loss = (surprise * data.weight).sum() + penalty / data.n
        loss.backward()
        return loss

    optimizer.step(closure)
    with torch.no_grad():
        for last in last_layers:
            last.weight *= gate
            last.bias.mul_(gate).add_(curve[0])


@dataclass(frozen=True)
class _Replay:
    windows: Frozen
    right: Tensor  # (n, n_bins) 1 at the tempo, its third, half, double and triple


def _replay(model: Model, guard: Guard) -> _Replay:
    found = [_near([bpm * k for bpm in guard.bpm], model.config.grid) for k in ACCURACY_2]
    frozen = freeze(model.network, *guard.inputs())
    return _Replay(frozen.tensors(), torch.stack(found).amax(dim=0))


def _learn_sound(
    network: Learnable,
    grid: TempoGrid,
    data: _Labels,
    replay: _Replay | None,
    recipe: Recipe,
    progress: Callable[[], object],
) -> None:
    """Learn the timbre branch and the prior, near what they are, in place.

    Which octave the guard set is counted in is for the labels to say; its rate has to stay found.
    """
    torch_rng = torch.Generator().manual_seed(recipe.seed)
    allowed = _answerable(grid)
    learned = []
    for k in range(ensemble(network).n_members):
        for part in ("timbre", "prior"):
            layers = network.get_submodule(f"members.{k}.{part}").children()
            learned += [p for m in layers if isinstance(m, nn.Linear) for p in m.parameters()]
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
    network.requires_grad_(False)


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
    threadpool_limits(1, user_api="blas")
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
