"""Train the tempo network: `python -m trainer.making.tempo --help`."""

from __future__ import annotations

import hashlib
import json
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, TextIO, TypeVar

import click
import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from tempo_core import checkpoint
from tempo_core.cli.command import Command
from tempo_core.config import FrontEnd, Windows
from tempo_core.model import Checkpoint
from tempo_core.network import Network
from tempo_core.spectrum import Mel
from tempo_core.task import Array, Batch, Scored, ask
from tempo_core.tasks.tempo.axis import answerable
from tempo_core.tasks.tempo.config import Model, TempoConfig, TempoGrid
from tempo_core.tasks.tempo.decode import activate, highest, mean_scores
from tempo_core.tasks.tempo.network import Member, build
from tempo_core.tasks.tempo.row import TASK

from .. import options
from ..evaluation.calibration import calibrate_both
from ..evaluation.metrics import progress
from ..inputs.cache import Views
from ..inputs.examples import DrawOptions, example, full_windows
from ..inputs.hearing import hear_file
from ..inputs.recordings import (
    Recording,
    apart,
    by_split,
    digest_of,
    read_charts,
    read_clips,
    read_consensus,
    read_rhythm,
    read_songs,
)
from ..inputs.views import STRETCH_MARGIN, filterbank, load_views
from ..tasks import tempo
from ..torch_ops import Learnable, tensors, usable

LOGGED, VALIDATED = 50, 150  # every so many steps


@dataclass(frozen=True)
class Phase:
    """A part of a training run, with one cycle of the learning rate."""

    steps: int
    learning_rate: float  # at its highest
    # Whether a label whose octave is uncertain counts with all its readings, or as the first one.
    # Learning begins from what the labels say; later, what was learned may overrule them.
    open_labels: bool


@dataclass(frozen=True)
class TempoRecipe:
    """How the tempo network is trained: everything about a run but the data."""

    phases: tuple[Phase, ...] = (Phase(1500, 3e-3, False), Phase(450, 1e-3, True))
    batch: int = 48
    weight_decay: float = 1e-2
    seed: int = 0
    # How often each source is drawn. The few popular songs and charts with human labels are drawn
    # often: they carry the octave convention; the synthesis teaches the rate.
    shares: tuple[tuple[str, float], ...] = (
        ("songs", 0.25), ("rhythm", 0.25), ("charts", 0.18), ("consensus", 0.17),
        ("synthesis", 0.15),
    )  # fmt: skip
    average: float = 0.995  # decay of the moving average of the weights that is kept
    augment: bool = True
    # The furthest a recording is stretched [bins]: half as far as the inputs allow, because how
    # people count depends on the tempo itself, too.
    stretched: int = STRETCH_MARGIN // 2
    # Whether windows with a clear pulse are drawn more often, and count for more while validating,
    # as in use; else all count alike.
    weighed: bool = True
    # Whether the network computes in bfloat16, which takes two thirds of the time on processors
    # that can (the weights and the gradients stay in 32 bits), and changes no figure.
    half: bool = True
    begun_from: str = ""  # hash of the model whose weights learning begins from, if any
    # How far the weights that are kept go from those it began from towards those it ended with.
    way: float = 1.0


# Learning on from a model takes a third of the steps, with the octaves open from the start. Going
# part of the way keeps what it knew of the music that there is less of now (Wortsman et al.,
# "Robust fine-tuning of zero-shot models", CVPR 2022).
LEARNING_ON, PART_OF_THE_WAY = (Phase(600, 1e-3, True),), 0.9
# More rendered music than in a training from the beginning: it holds the styles that are rare.
SHARES_LEARNING_ON = (
    ("songs", 0.23), ("rhythm", 0.25), ("charts", 0.17), ("consensus", 0.15), ("synthesis", 0.2),
)  # fmt: skip


class WindowSampler:
    """Draws augmented batches: recordings by the share of their source, then a window of each."""

    def __init__(
        self,
        recordings: Sequence[Recording],
        views: Sequence[Views],
        config: TempoConfig,
        recipe: TempoRecipe,
    ):
        shares = dict(recipe.shares)
        kinds = np.array([r.source.partition(":")[0] for r in recordings])
        weights = np.zeros(len(recordings))
        for kind in set(kinds):
            weights[kinds == kind] = shares[kind] / (kinds == kind).sum()
        self.weights = weights / weights.sum()
        self.recordings, self.views, self.config, self.recipe = recordings, views, config, recipe
        self.loss: Callable[[Tensor, Tensor], Tensor] = tempo.loss

    def draw(
        self, rng: np.random.Generator, open_labels: bool = True
    ) -> tuple[Tensor, Tensor, Tensor]:
        """A batch: the network's two inputs, see `view.inputs_of`, and its targets."""
        recipe = self.recipe
        options = DrawOptions(
            recipe.stretched if recipe.augment else None, open_labels, recipe.weighed
        )
        maps, statistics, targets = [], [], []
        for i in rng.choice(len(self.weights), size=self.recipe.batch, p=self.weights):
            periodicity, sound, target = example(
                self.recordings[i], self.views[i], self.config, rng, options
            )
            maps.append(periodicity)
            statistics.append(sound)
            targets.append(target)
        return (
            torch.from_numpy(np.stack(maps)),
            torch.from_numpy(np.stack(statistics)),
            torch.from_numpy(np.stack(targets)),
        )


def descend(
    loss: Tensor,
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    schedule: torch.optim.lr_scheduler.LRScheduler,
) -> float:
    """One step down the clipped gradient of a batch's loss; returns the loss."""
    optimizer.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
    optimizer.step()
    schedule.step()
    return float(loss.detach())


N = TypeVar("N", bound=nn.Module)
Validate = Callable[[nn.Module], dict[str, float]]
Run = Callable[[Array, Array], Array]  # the network's two inputs → logits (batch, n_bins)


def posterior_of(run: Run, batch: Batch, config: TempoConfig) -> NDArray[np.float64]:
    """(n_bins,) scores of a recording, pooled over its windows as in use."""
    periodicity, statistics = batch.inputs
    scores = activate(run(periodicity, statistics), config)
    return mean_scores([(replace(batch, inputs=()), scores)])


def validation(
    recordings: Sequence[Recording],
    views: Sequence[Views],
    config: TempoConfig,
    weighed: bool = True,
) -> Validate:
    """A function that measures a network on recordings that it does not learn from.

    The network runs as in use, without torch. The figures are those of `metrics.progress`.
    """

    def validate(network: nn.Module) -> dict[str, float]:
        assert isinstance(network, Learnable)
        run = usable(network)
        found = [
            highest(posterior_of(run, full_windows(one, weighed), config), config.grid).bpm
            for one in views
        ]
        return progress([r.bpm for r in recordings], found)

    return validate


def fit(
    sampler: WindowSampler,
    make: Callable[[], N],
    recipe: TempoRecipe,
    log: Path,
    validate: Validate | None = None,
) -> N:
    """Train the network that `make` builds; its weights are the moving average over the last steps.

    Parameters
    ----------
    make
        Builds a network that takes the two inputs that the sampler draws and returns logits
        (batch, n_bins).
    log
        File for a line of JSON every `LOGGED` steps.
    validate
        Gets the average every `VALIDATED` steps; what it returns is logged.
    """
    torch.manual_seed(recipe.seed)
    rng = np.random.default_rng(recipe.seed)
    network = make()
    with log.open("w") as file:
        for number, phase in enumerate(recipe.phases, 1):
            phase_log = _PhaseLog(file, number, phase.steps, recipe.seed, validate)
            network = _fit_phase(sampler, network, phase, recipe, rng, phase_log)
    return network.eval()


@dataclass(frozen=True)
class _PhaseLog:
    """The log of one phase, in a file and on stderr."""

    file: TextIO
    number: int
    n_steps: int
    seed: int
    validate: Validate | None
    started: float = field(default_factory=time.monotonic)  # [s]

    def write(self, step: int, losses: Sequence[float], average: nn.Module) -> None:
        """Add a line, if it is time for one: the losses so far, and figures of the average."""
        if step % LOGGED and step != self.n_steps:
            return
        row = {
            "phase": self.number,
            "step": step,
            "loss": round(float(np.mean(losses[-LOGGED:])), 4),
            "seconds": round(time.monotonic() - self.started),
        }
        if self.validate is not None and (step % VALIDATED == 0 or step == self.n_steps):
            row.update(self.validate(average.eval()))
        self.file.write(json.dumps(row) + "\n")
        self.file.flush()
        click.echo(
            f"seed {self.seed}  phase {self.number}  step {step}/{self.n_steps}  "
            f"loss {row['loss']}  {row['seconds']} s",
            err=True,
        )


def _fit_phase(
    sampler: WindowSampler,
    network: N,
    phase: Phase,
    recipe: TempoRecipe,
    rng: np.random.Generator,
    log: _PhaseLog,
) -> N:
    """Train through one phase; returns the moving average of the network."""
    average = torch.optim.swa_utils.AveragedModel(
        network,
        multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(recipe.average),
        use_buffers=True,
    )
    optimizer = torch.optim.AdamW(
        network.parameters(), lr=phase.learning_rate, weight_decay=recipe.weight_decay
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, phase.learning_rate, total_steps=phase.steps
    )
    unanswerable = torch.from_numpy(~answerable(sampler.config.grid))
    losses: list[float] = []
    network.train()
    for step in range(1, phase.steps + 1):
        maps, statistics, targets = sampler.draw(rng, phase.open_labels)
        with torch.autocast("cpu", torch.bfloat16, enabled=recipe.half):
            logits = network(maps, statistics)
        logits = logits.float().masked_fill(unanswerable, -torch.inf)
        loss = sampler.loss(logits, targets)
        losses.append(descend(loss, network, optimizer, schedule))
        average.update_parameters(network)
        log.write(step, losses, average.module)
    kept = average.module
    assert isinstance(kept, type(network))
    return kept


def fit_member(
    sampler: WindowSampler,
    front_end: FrontEnd,
    recipe: TempoRecipe,
    out: Path,
    validate: Validate | None = None,
    begin: Checkpoint[TempoConfig] | None = None,
) -> Learnable:
    """Train one member, or read it from `out` if an interrupted run had finished it.

    With `begin`, learning begins from a member of that model, the one whose number is the seed.
    """
    config = sampler.config
    # The name that the recipe's class had: members of earlier runs are found by it.
    recipe_text = repr(recipe).replace(TempoRecipe.__name__, "Recipe", 1)
    key = f"{recipe_text}{replace(config.model, n_members=1)}{digest_of(sampler.recordings)}"
    name = f"member-{recipe.seed}-{hashlib.sha256(key.encode()).hexdigest()[:8]}"
    path = out / f"{name}.safetensors"
    if path.exists():
        network = Learnable(Member(front_end, config))
        network.load_state_dict(load_file(path))
        return network.eval()

    def make() -> Learnable:
        made = Learnable(Member(front_end, config))
        if begin is not None:
            made.load_state_dict(tensors(member_weights(begin, recipe.seed)))
        return made

    network = fit(
        sampler,
        make,
        recipe,
        out / f"{name}.jsonl",
        validate,
    )
    if begin is not None:
        network.load_state_dict(
            part_way(tensors(member_weights(begin, recipe.seed)), network.state_dict(), recipe.way)
        )
    temporary = path.with_suffix(".part")
    save_file(network.state_dict(), temporary)
    temporary.replace(path)
    return network


def member_weights(model: Checkpoint[TempoConfig], k: int) -> dict[str, NDArray[Any]]:
    """Weights of member `k` of a model; the members are numbered over and over."""
    prefix = f"members.{k % model.config.model.n_members}."
    return {
        name.removeprefix(prefix): value
        for name, value in model.network.weights.items()
        if name.startswith(prefix)
    }


def part_way(
    before: Mapping[str, Tensor], after: Mapping[str, Tensor], way: float
) -> dict[str, Tensor]:
    """Weights between two states of a network; `way` 0 is before, 1 after."""
    return {
        name: torch.lerp(before[name], value, way) if value.is_floating_point() else value
        for name, value in after.items()
    }


def score_recording(path: Path, model: Checkpoint[TempoConfig]) -> list[Scored]:
    """The scores a model gives all windows of a file.

    Raises
    ------
    AudioError
        If the file cannot be used.
    """
    return ask(TASK, hear_file(path, model, None), {}, model)


def together(networks: Sequence[Learnable], front_end: FrontEnd, config: TempoConfig) -> Network:
    """One network for use, of members that were trained alone."""
    weights = {
        f"members.{k}.{name}": value
        for k, network in enumerate(networks)
        for name, value in usable(network).weights.items()
    }
    return Network(build(front_end, config), weights)


def new_model(
    front_end: FrontEnd, windows: Windows, config: TempoConfig, network: Network
) -> Checkpoint[TempoConfig]:
    """A model that is not calibrated yet, with an empty card."""
    filters = filterbank(front_end)
    return Checkpoint(
        name="tempo", hash="", task="tempo", front_end=front_end, windows=windows, config=config,
        filterbank=filters, spectrum=Mel(front_end, filters), network=network,
        temperature=1.0, card={},
    )  # fmt: skip


def read_all(data: Path, clips: Path) -> tuple[list[Recording], list[Recording]]:
    """All recordings to learn from, and the real ones that are held out."""
    recordings = apart([
        *read_songs(data), *read_rhythm(data), *read_charts(data), *read_consensus(data),
        *read_clips(clips),
    ])  # fmt: skip
    held_out = [
        r for r in by_split(recordings, "validation") if not r.source.startswith("synthesis")
    ]
    return by_split(recordings, "train"), held_out


# How much a held-out chart counts for the calibration, by the trust of its octave; others count 1.
CALIBRATION_TRUST = {"charts:medium": 0.5, "charts:low": 0.0}


def octave_trust(recordings: Sequence[Recording]) -> list[float]:
    """(n,) how much each recording counts for the calibration, in 0..1."""
    return [CALIBRATION_TRUST.get(r.source, 1.0) for r in recordings]


def calibrated(
    model: Checkpoint[TempoConfig],
    trained_on: Sequence[Recording],
    held_out: Sequence[Recording],
    card: dict[str, Any],
    out: Path,
) -> Path:
    """Calibrate a model on held-out recordings, and write its file; returns its path.

    Charts count by the trust of their octave, see `CALIBRATION_TRUST`.

    Parameters
    ----------
    card
        What the model's card says beside what it was trained on, and with what.
    """
    scored = [score_recording(r.path, model) for r in held_out]
    trust = octave_trust(held_out)
    temperature, octave = calibrate_both(held_out, scored, model.config, trust)
    about = {
        **card,
        "data": dict(Counter(r.source.partition(":")[0] for r in trained_on)),
        "data_digest": digest_of(trained_on),
        "versions": {"torch": torch.__version__, "numpy": np.__version__},
    }
    return checkpoint.save(out, replace(model, temperature=temperature, octave=octave, card=about))


@click.command(cls=Command)
@options.data
@options.clips
@options.cache
@click.option("--out", type=click.Path(path_type=Path), required=True,
              help="Folder for the model and its training log.")  # fmt: skip
@click.option("--steps", type=int, help="Of each phase; for trying things out.")
@click.option("--begin", help="Name or path of a model to begin from; a shorter training.")
@click.option("--members", default=Model.n_members, show_default=True, help="Networks to train.")
@click.option("--seed", default=0, show_default=True, help="Of the first member.")
@click.option("--jobs", default=2, show_default=True, help="Processes and threads.")
def main(
    data: Path,
    clips: Path,
    cache: Path,
    out: Path,
    steps: int | None,
    begin: str | None,
    members: int,
    seed: int,
    jobs: int,
) -> None:
    """Train, calibrate on the validation split, and write a model file.

    Members that an earlier run has finished are kept, so an interrupted run goes on, and members
    may be trained by runs side by side.
    """
    front_end, windows = FrontEnd(), Windows()
    config = TempoConfig(TempoGrid(), Model(n_members=members))
    recipe = TempoRecipe()
    begun = None if begin is None else checkpoint.load(checkpoint.resolve(begin))
    if begun is not None:
        recipe = replace(
            recipe,
            phases=LEARNING_ON,
            average=0.99,
            shares=SHARES_LEARNING_ON,
            begun_from=begun.hash,
            way=PART_OF_THE_WAY,
        )
    if steps is not None:
        recipe = replace(recipe, phases=tuple(replace(p, steps=steps) for p in recipe.phases))
    trained_on, held_out = read_all(data, clips)
    both = [*trained_on, *held_out]
    views = load_views(both, front_end, windows, config.grid, cache, jobs)
    torch.set_num_threads(jobs)
    validate = validation(held_out, views[len(trained_on) :], config, recipe.weighed)
    out.mkdir(parents=True, exist_ok=True)
    sampler = WindowSampler(trained_on, views[: len(trained_on)], config, recipe)
    seeds = range(seed, seed + members)
    trained = [
        fit_member(sampler, front_end, replace(recipe, seed=s), out, validate, begun) for s in seeds
    ]
    network = together(trained, front_end, config)
    uncalibrated = new_model(front_end, windows, config, network)
    card = {
        "summary": f"{len(trained_on)} recordings, seeds {list(seeds)}",
        "recipe": asdict(recipe),
    }
    path = calibrated(uncalibrated, trained_on, held_out, card, out)
    click.echo(f"{path} ({path.stat().st_size / 1e3:.0f} kB)")


if __name__ == "__main__":
    main()
