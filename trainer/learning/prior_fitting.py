"""How `shift` and `adapt` change the prior of the tempo network over its axis.

The rate was learned from much more music than one person has labelled, and stays as it is. Only the
prior is learned, which carries the counting convention (see the network), and it is made to decide
among the octaves of a tempo only, so that the rate cannot suffer.

- `shift`, for a handful of labels: one number, a tilt of the prior towards faster or slower.
- `adapt`: first the weight of the sound in the prior and a new curve over the axis, the same for
  all music and with few steps (for a convention such as "everything between 85 and 170"); then the
  branch that hears the sound, held near the weights it had (L2-SP: Li et al., "Explicit inductive
  bias for transfer learning with convolutional networks", ICML 2018).

Where genres are known, `adapt` learns a second branch from the tracks that have one. In its first
step each family of genres has a curve of its own beside the one for all; so a convention that goes
by genre is learned as such, and the sound need not account for it. A curve costs the more the
steeper it is, and many labels can pay for that, a few cannot: families with few labels are counted
like all others. Tracks of unknown genre are answered by the first branch, as if there were no
genres.

All penalties are those of a prior over the parameters, so that they count less the more labels
there are.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from tempo_core.genres import families_of, membership, names_of
from tempo_core.levels import ACCURACY_2
from tempo_core.network import Network, shapes
from tempo_core.tasks.tempo.axis import answerable, near, tempo_axis
from tempo_core.tasks.tempo.config import MOST_FAMILIES, TempoGrid
from tempo_core.tasks.tempo.network import BY_GENRE, GENRES, MEMBERS, build

from ..inputs.recordings import Recording
from ..torch_ops import Learnable, learnable, usable
from .frozen import Frozen, Model, ensemble, freeze, join
from .guard import Guard

FINER = 3  # knots in place of one of the shipped prior: a convention may have an edge
FEW_KNOTS = 40  # a prior with fewer knots than that is made finer
LEAST_TRACKS = 5  # of a family of genres that has a curve
TILT = 2.0  # [nats an octave] standard deviation of the tilt
WRONG = 1e-3  # share of labels that are simply wrong
ELSEWHERE = 0.02  # probability of a tempo that is right by chance


class HasLabel(Protocol):
    """A track with its label and its windows: all that learning a prior needs of it."""

    @property
    def recording(self) -> Recording: ...
    @property
    def frozen(self) -> Frozen: ...


@dataclass(frozen=True)
class PriorRecipe:
    """How `adapt` learns. Penalties are given for one label and divided by the number of labels."""

    gate: float = 5.0  # on how far the weight of the sound is from what it was
    steps_in_curve: float = 0.6  # on the total variation of the curve
    steps_by_genre: float = 0.8  # on the total variation of the curve of each family of genres
    slope_by_genre: float = 0.02  # on the squares of its steps: related families share one
    weights: float = 6.0  # on the distance from the weights before
    replay: float = 1.0  # weight of the guard set's rate
    noise: float = 0.5  # on the statistics of the sound, in their standard deviations
    steps: int = 150
    learning_rate: float = 3e-3
    batch: int = 1500  # windows
    seed: int = 0


@dataclass(frozen=True)
class _Labels:
    """Windows of all tracks; `right` (n_windows, n_bins) is 1 where a bin is the label's tempo.

    `genres` (n_windows, n_families) is 1 for the families of genres that a track is of; None is
    without genres.
    """

    windows: Frozen
    right: Tensor
    weight: Tensor  # (n_windows,) the same for each track in sum; the sum of all is 1
    n_tracks: int
    genres: Tensor | None = None

    @property
    def part(self) -> str:
        """The part of the network that learns from these labels."""
        return MEMBERS if self.genres is None else BY_GENRE


def _near(bpm: Sequence[float], grid: TempoGrid) -> Tensor:
    """(n,) → (n, n_bins): 1 where a bin counts as this tempo."""
    return torch.from_numpy(np.stack([near(one, grid) for one in bpm])).float()


def _labels(
    tracks: Sequence[HasLabel], grid: TempoGrid, families: Sequence[str] | None = None
) -> _Labels:
    """Labels of tracks, for the branch that knows genres if `families` are given."""
    windows = join([track.frozen for track in tracks]).tensors()
    counts = torch.tensor([len(track.frozen) for track in tracks])
    of_track = torch.repeat_interleave(torch.arange(len(tracks)), counts)
    weight = (1.0 / (counts * len(tracks)))[of_track]
    right = _near([track.recording.bpm for track in tracks], grid)
    genres = None
    if families is not None:
        own = [membership(track.recording.genre, families)[1:] for track in tracks]
        genres = torch.from_numpy(np.stack(own))[of_track]
    return _Labels(windows, right[of_track], weight, len(tracks), genres)


def _answerable(grid: TempoGrid) -> Tensor:
    return torch.from_numpy(answerable(grid))


def _surprise(logits_: Tensor, right: Tensor, allowed: Tensor) -> Tensor:
    """(n_windows,) negative log of the mass near the label, where some labels are wrong."""
    scores = logits_.masked_fill(~allowed, -torch.inf).softmax(dim=-1)
    mass = (scores * right).sum(dim=-1)
    return -((1 - WRONG) * mass + WRONG * ELSEWHERE).log()


def shift(model: Model, tracks: Sequence[HasLabel]) -> Model:
    """The model with its prior tilted: one number, by maximum a posteriori."""
    model = adaptable(model)
    grid = model.config.grid
    data, allowed = _labels(tracks, grid), _answerable(grid)
    octaves = torch.from_numpy(np.log2(tempo_axis(grid) / grid.bpm_min)).float()
    network = learnable(model.network)
    with torch.no_grad():
        rate, prior = data.windows.rate.mean(dim=1), _log_prior(network, data.windows)

        def cost(tilt: float) -> float:
            found = ensemble(network).combine(network.ops, rate, prior + tilt * octaves)
            surprise = _surprise(found, data.right, allowed) * data.weight
            return float(surprise.sum()) * data.n_tracks + 0.5 * (tilt / TILT) ** 2

        tilt = min((k / 20 for k in range(-120, 121)), key=cost)
        for last in _last_layers(network):
            last.bias.add_(tilt * torch.linspace(0, float(octaves[-1]), len(last.bias)))
    return dataclasses.replace(model, network=usable(network))


def adapt(
    model: Model,
    tracks: Sequence[HasLabel],
    guard: Guard | None,
    recipe: PriorRecipe = PriorRecipe(),
    progress: Callable[[], object] = lambda: None,
) -> Model:
    """The model with a prior that was learned from labelled tracks, by their genres where known.

    Parameters
    ----------
    guard
        Rendered music whose rate has to stay found; None is without.
    progress
        Called after each of the `recipe.steps` steps, which are twice as many if genres are known
        (see `n_steps`).
    """
    known = [track for track in tracks if names_of(track.recording.genre)]
    families = common_families([track.recording.genre for track in known])
    model = adaptable(model, families)
    network, grid = learnable(model.network), model.config.grid
    replay = None if guard is None else _replay(model, guard)
    learned_from = [_labels(tracks, grid)]
    if families:
        learned_from.append(_labels(known, grid, families))
    for data in learned_from:
        _learn_curves(network, grid, data, recipe)
        _learn_sound(network, grid, data, replay, recipe, progress)
    return dataclasses.replace(model, network=usable(network))


def n_steps(genres: Sequence[str], recipe: PriorRecipe) -> int:
    """Number of steps of `adapt` for tracks of these genres."""
    return recipe.steps * (2 if common_families(genres) else 1)


def common_families(genres: Sequence[str]) -> tuple[str, ...]:
    """The families of genres that enough tracks are of to be learned, by their names.

    Parameters
    ----------
    genres
        The genre of each track as people write it; empty if unknown.
    """
    counts = Counter(family for genre in genres for family in families_of(genre))
    common = [name for name, n in counts.most_common(MOST_FAMILIES) if n >= LEAST_TRACKS]
    return tuple(sorted(common))


def adaptable(model: Model, families: tuple[str, ...] = ()) -> Model:
    """A copy with a finer prior that decides among octaves only; its answers are nearly the same.

    A prior that is learned from then on cannot cost the rate, and it may have edges. With families
    of genres it has a second branch as well, equal to the first, and curves that are flat.
    """
    size, network = model.config.model, model.network
    n_new = size.n_prior if size.n_prior >= FEW_KNOTS else (size.n_prior - 1) * FINER + 1
    finer = dataclasses.replace(size, n_prior=n_new, separate_octave=True)
    config = dataclasses.replace(model.config, model=finer, genres=families)
    definition = build(model.front_end, config)
    weights: dict[str, NDArray[Any]] = {}
    for name, shape in shapes(definition.layers).items():
        if name.startswith(f"{GENRES}."):
            weights[name] = np.zeros(shape, np.float32)
            continue
        value = network.weights[name.replace(BY_GENRE, MEMBERS)]
        if value.shape != shape:  # of the prior's last layer: (n_prior, …)
            columns = value.reshape(size.n_prior, -1).T
            value = network.ops.interpolate(columns, n_new).T.reshape(shape)
        weights[name] = value
    return dataclasses.replace(model, network=Network(definition, weights), config=config)


def without_genres(model: Model) -> Model:
    """The model with its first branch alone, which counts every track as one of unknown genre."""
    config = dataclasses.replace(model.config, genres=())
    definition = build(model.front_end, config)
    weights = {name: model.network.weights[name] for name in shapes(definition.layers)}
    return dataclasses.replace(model, network=Network(definition, weights), config=config)


def _last_layers(network: Learnable, part: str = MEMBERS) -> list[nn.Linear]:
    """The layer of each branch of a part that gives the knots of its prior."""
    names = [f"{part}.{k}.prior.3" for k in range(ensemble(network).n_members)]
    return [cast(nn.Linear, network.get_submodule(name)) for name in names]


def _log_prior(network: Learnable, windows: Frozen, part: str = MEMBERS) -> Tensor:
    """(n_windows, n_bins) log-priors by the branches of one part."""
    whole = ensemble(network)
    found: Tensor = whole.log_prior(network.ops, part, windows.summaries, windows.statistics)
    return found


def _learn_curves(network: Learnable, grid: TempoGrid, data: _Labels, recipe: PriorRecipe) -> None:
    """Scale the prior by one number, add one curve to it, and learn those of genres, in place.

    The curves are piecewise flat as far as the labels allow (total variation): a range of tempi is
    two steps.
    """
    allowed, last_layers = _answerable(grid), _last_layers(network, data.part)
    n_knots = len(last_layers[0].bias)
    with torch.no_grad():
        rate, prior = data.windows.rate.mean(dim=1), _log_prior(network, data.windows, data.part)
    gate = torch.ones(1, requires_grad=True)
    curve = torch.zeros(1, n_knots, requires_grad=True)
    n_families = 0 if data.genres is None else data.genres.shape[1]
    of_genres = torch.zeros(n_families, n_knots, requires_grad=True)
    optimizer = torch.optim.LBFGS(
        [gate, curve, of_genres], max_iter=150, line_search_fn="strong_wolfe"
    )

    def closure() -> Tensor:
        optimizer.zero_grad()
        added = curve if data.genres is None else curve + data.genres @ of_genres
        spread = network.ops.interpolate(added, grid.n_bins)
        found = ensemble(network).combine(network.ops, rate, gate * prior + spread)
        surprise = _surprise(found, data.right, allowed)
        penalty = (
            recipe.gate * (gate - 1).square().sum()
            + recipe.steps_in_curve * _variation(curve)
            + recipe.steps_by_genre * _variation(of_genres)
            + recipe.slope_by_genre * of_genres.diff().square().sum()
        )
        loss = (surprise * data.weight).sum() + penalty / data.n_tracks
        loss.backward()
        return loss

    optimizer.step(closure)
    with torch.no_grad():
        for last in last_layers:
            last.weight *= gate
            last.bias.mul_(gate).add_(curve[0])
        if n_families:
            cast(nn.Linear, network.get_submodule(GENRES)).weight.copy_(of_genres.T)


def _variation(curves: Tensor) -> Tensor:
    """Sum of the steps of curves (n, n_knots), smooth where they are flat."""
    return (curves.diff().square() + 0.05**2).sqrt().sum()


@dataclass(frozen=True)
class _Replay:
    """Windows of the guard set, and the bins that count as their rate."""

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
    recipe: PriorRecipe,
    progress: Callable[[], object],
) -> None:
    """Learn the timbre branch and the prior in place, near the weights they have.

    The labels decide in which octave the guard set is counted; its rate has to stay found. What
    curves of genres add to the prior stays.
    """
    torch_rng = torch.Generator().manual_seed(recipe.seed)
    allowed = _answerable(grid)
    learned = []
    whole = ensemble(network)
    for k in range(whole.n_members):
        for part in ("timbre", "prior"):
            layers = network.get_submodule(f"{data.part}.{k}.{part}").children()
            learned += [p for m in layers if isinstance(m, nn.Linear) for p in m.parameters()]
    start = [p.detach().clone() for p in learned]
    for parameter in learned:
        parameter.requires_grad_(True)
    optimizer = torch.optim.Adam(learned, lr=recipe.learning_rate)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, recipe.learning_rate, total_steps=recipe.steps
    )

    def logits(some: Frozen, genres: Tensor | None = None) -> Tensor:
        prior = _log_prior(network, some, data.part)
        if genres is not None:
            prior = prior + whole.curves(network.ops, genres)
        found: Tensor = whole.combine(network.ops, some.rate.mean(dim=1), prior)
        return found

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
        genres = None if data.genres is None else data.genres[rows]
        surprise = _surprise(logits(batch, genres), data.right[rows], allowed)
        loss = (surprise * weight).sum()
        distance = sum((p - q).square().sum() for p, q in zip(learned, start, strict=True))
        loss = loss + recipe.weights / data.n_tracks * distance
        if replay is not None and recipe.replay:
            kept = _surprise(logits(replay.windows), replay.right, allowed)
            loss = loss + recipe.replay * kept.mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        progress()
    network.requires_grad_(False)
