"""Train the tempo network: `python -m trainer.fit --data … --clips … --cache … --out …`."""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TextIO, TypeVar

import click
import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from tempo_core import checkpoint
from tempo_core.audio import read_excerpts, sounding
from tempo_core.checkpoint import Checkpoint
from tempo_core.config import FrontEnd, Model, TempoGrid, Windows
from tempo_core.estimate import Analysis, analyse, excerpt_features, posterior
from tempo_core.model import Ensemble, TempoNet
from tempo_core.task import Task
from tempo_core.tasks import TASKS, tempo
from tempo_core.tasks.tempo import answerable

from . import augment, dataset, options
from .dataset import MARGIN, Recording, Views
from .metrics import progress, within

VALIDATED = 150  # steps


@dataclass(frozen=True)
class Phase:
    """A stretch of training with one learning-rate cycle."""

    steps: int
    learning_rate: float  # at its highest
    # Whether a label whose octave is uncertain counts with all its readings, or as the first one.
    # Learning begins from what the labels say; later, what was learned may overrule them.
    open_labels: bool


@dataclass(frozen=True)
class Recipe:
    """Everything about a training run but the data."""

    phases: tuple[Phase, ...] = (Phase(1500, 3e-3, False), Phase(450, 1e-3, True))
    batch: int = 48
    weight_decay: float = 1e-2
    seed: int = 0
    # How often each source is drawn. The few popular songs with human labels count most: they carry
    # the octave convention; the synthesis teaches the rate.
    shares: tuple[tuple[str, float], ...] = (
        ("songs", 0.25), ("rhythm", 0.2), ("consensus", 0.3), ("synthesis", 0.25),
    )  # fmt: skip
    average: float = 0.995  # decay of the moving average of the weights that is kept
    augment: bool = True
    # [bins] The furthest a recording is stretched: half as far as the inputs allow, because how
    # people count depends on the tempo itself, too.
    stretched: int = MARGIN // 2


class Sampler:
    """Draws augmented batches: recordings by source share, then one window of each at random."""

    def __init__(
        self,
        recordings: Sequence[Recording],
        views: Sequence[Views],
        grid: TempoGrid,
        recipe: Recipe,
    ):
        shares = dict(recipe.shares)
        kinds = np.array([r.source.partition(":")[0] for r in recordings])
        weights = np.zeros(len(recordings))
        for kind in set(kinds):
            weights[kinds == kind] = shares[kind] / (kinds == kind).sum()
        self.weights = weights / weights.sum()
        self.recordings, self.views, self.grid, self.recipe = recordings, views, grid, recipe
        self.task: Task = TASKS["tempo"]

    def draw(
        self, rng: np.random.Generator, open_labels: bool = True
    ) -> tuple[Tensor, Tensor, Tensor]:
        """A batch of the network's two inputs, see `tempo.view`, and its targets."""
        maps, statistics, targets = [], [], []
        for i in rng.choice(len(self.weights), size=self.recipe.batch, p=self.weights):
            stretched = self.recipe.stretched if self.recipe.augment else None
            periodicity, sound, target = example(
                self.recordings[i], self.views[i], self.grid, rng, stretched, open_labels
            )
            maps.append(periodicity)
            statistics.append(sound)
            targets.append(target)
        return (
            torch.from_numpy(np.stack(maps)),
            torch.from_numpy(np.stack(statistics)),
            torch.stack(targets),
        )


def example(
    recording: Recording,
    views: Views,
    grid: TempoGrid,
    rng: np.random.Generator,
    stretched: int | None,
    open_labels: bool = True,
) -> tuple[np.ndarray, np.ndarray, Tensor]:
    """One window at random as the network's two inputs, and its target.

    Parameters
    ----------
    stretched
        By how much at most [bins], None for no augmentation at all.
    """
    k = rng.integers(len(views.maps))
    change = augment.NOTHING
    if stretched is not None:
        change = augment.draw(rng, views.maps.shape[2], stretched)
    factor = change.stretch(grid.bins_per_octave)
    readings = recording.tempi
    if not open_labels and readings[0][1] > 0.5:
        readings = readings[:1]
    tempi = [(bpm * factor, weight) for bpm, weight in readings]
    return (
        augment.apply_to_map(views.maps[k], change),
        augment.apply_to_statistics(views.statistics[k], change),
        TASKS["tempo"].encode(tempi, grid),
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


def validation(
    recordings: Sequence[Recording], views: Sequence[Views], grid: TempoGrid
) -> Validate:
    """What says how good a network is by now on recordings that it does not learn from."""

    def validate(network: nn.Module) -> dict[str, float]:
        with torch.inference_mode():
            scores = [tempo.activate(network(*full_windows(one)), grid) for one in views]
            found = [tempo.decode(tempo.pool(one), grid).bpm for one in scores]
        return progress([r.bpm for r in recordings], found)

    return validate


def fit(
    sampler: Sampler,
    make: Callable[[], N],
    recipe: Recipe,
    log: Path,
    validate: Validate | None = None,
) -> N:
    """Train the network that `make` builds; its weights are the moving average over the last steps.

    The network takes the two inputs that the sampler draws and returns logits (batch, n_bins).
    What `validate` says of the average goes into the log every `VALIDATED` steps.
    """
    torch.manual_seed(recipe.seed)
    rng = np.random.default_rng(recipe.seed)
    network = make()
    with log.open("w") as file:
        for number, phase in enumerate(recipe.phases, 1):
            network = _fit_phase(sampler, network, phase, recipe, rng, file, number, validate)
    return network.eval()


def _fit_phase(
    sampler: Sampler,
    network: N,
    phase: Phase,
    recipe: Recipe,
    rng: np.random.Generator,
    log: TextIO,
    number: int,
    validate: Validate | None,
) -> N:
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
    unanswerable = ~answerable(sampler.grid)
    started, losses = time.monotonic(), []
    network.train()
    for step in range(1, phase.steps + 1):
        maps, statistics, targets = sampler.draw(rng, phase.open_labels)
        logits = network(maps, statistics).masked_fill(unanswerable, -torch.inf)
        loss = sampler.task.loss(logits, targets)
        losses.append(descend(loss, network, optimizer, schedule))
        average.update_parameters(network)
        if step % 50 == 0 or step == phase.steps:
            row = {
                "phase": number,
                "step": step,
                "loss": round(float(np.mean(losses[-50:])), 4),
                "seconds": round(time.monotonic() - started),
            }
            if validate is not None and (step % VALIDATED == 0 or step == phase.steps):
                row.update(validate(average.module.eval()))
            log.write(json.dumps(row) + "\n")
            log.flush()
            click.echo(
                f"seed {recipe.seed}  phase {number}  step {step}/{phase.steps}  "
                f"loss {row['loss']}  {row['seconds']} s",
                err=True,
            )
    kept = average.module
    assert isinstance(kept, type(network))
    return kept


def fit_member(
    sampler: Sampler,
    front_end: FrontEnd,
    model: Model,
    recipe: Recipe,
    out: Path,
    validate: Validate | None = None,
) -> TempoNet:
    """Train one member, or read it from `out` if an interrupted run had finished it."""
    key = f"{recipe}{replace(model, n_members=1)}{digest_of(sampler.recordings)}"
    name = f"member-{recipe.seed}-{hashlib.sha256(key.encode()).hexdigest()[:8]}"
    path = out / f"{name}.safetensors"
    if path.exists():
        network = TempoNet(front_end, sampler.grid, model)
        network.load_state_dict(load_file(path))
        return network.eval()
    network = fit(
        sampler,
        lambda: TempoNet(front_end, sampler.grid, model),
        recipe,
        out / f"{name}.jsonl",
        validate,
    )
    temporary = path.with_suffix(".part")
    save_file(network.state_dict(), temporary)
    temporary.replace(path)
    return network


def calibrate(
    recordings: Sequence[Recording], analyses: Sequence[Analysis], grid: TempoGrid
) -> float:
    """The temperature under which the confidence is most probable, given what was right.

    Parameters
    ----------
    analyses
        Of the recordings, by the estimator, at temperature 1.

    Notes
    -----
    The confidence is the posterior mass at the answer, so this fits the figure that users see
    (temperature scaling: Guo et al., "On calibration of modern neural networks", ICML 2017).
    """
    task = TASKS["tempo"]
    logits = [analysis.scores.log() for analysis in analyses]
    best = (math.inf, 1.0)
    for temperature in np.geomspace(0.4, 2.5, 43):
        surprise = 0.0
        for recording, analysis, window_logits in zip(recordings, analyses, logits, strict=True):
            scores = task.activate(window_logits, grid, float(temperature))
            peak = task.decode(posterior(replace(analysis, scores=scores)), grid)
            right = bool(within([recording.bpm], [peak.bpm])[0])
            p = min(max(peak.mass, 1e-3), 1 - 1e-3)
            surprise -= math.log(p if right else 1 - p)
        best = min(best, (surprise, float(temperature)))
    return round(best[1], 3)


def analyse_recording(path: Path, model: Checkpoint) -> Analysis:
    """All windows of a file, as the estimator analyses them.

    Raises
    ------
    AudioError
        If the file cannot be used.
    """
    sr = model.front_end.sr
    excerpts = read_excerpts(path, sr, None)
    with torch.inference_mode():
        return analyse(excerpt_features(sounding(excerpts, sr) or excerpts, model), model)


def full_windows(views: Views) -> tuple[Tensor, Tensor]:
    """The two network inputs of the windows that the estimator would use."""
    maps = views.maps[: views.n_full, ..., MARGIN:-MARGIN].astype(np.float32)
    return torch.from_numpy(maps), torch.from_numpy(views.statistics[: views.n_full])


def digest_of(recordings: Sequence[Recording]) -> str:
    """First 16 hex digits of a SHA-256 over the training files' names and labels."""
    lines = sorted(f"{r.source}\t{r.path.name}\t{r.tempi}" for r in recordings)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]


@click.command(cls=options.Command)
@options.data
@options.clips
@options.cache
@click.option("--out", type=click.Path(path_type=Path), required=True,
              help="Folder for the model and its training log.")  # fmt: skip
@click.option("--steps", type=int, help="Of each phase; for trying things out.")
@click.option("--members", default=Model.n_members, show_default=True, help="Networks to train.")
@click.option("--seed", default=0, show_default=True, help="Of the first member.")
@click.option("--jobs", default=2, show_default=True, help="Processes and threads.")
def main(
    data: Path,
    clips: Path,
    cache: Path,
    out: Path,
    steps: int | None,
    members: int,
    seed: int,
    jobs: int,
) -> None:
    """Train, calibrate on the validation split, and write a model file.

    Members that an earlier run has finished are kept, so an interrupted run goes on, and members
    may be trained by runs side by side.
    """
    front_end, windows, grid = FrontEnd(), Windows(), TempoGrid()
    model = Model(n_members=members)
    recipe = Recipe()
    if steps is not None:
        recipe = replace(recipe, phases=tuple(replace(p, steps=steps) for p in recipe.phases))
    recordings = [
        *dataset.read_songs(data),
        *dataset.read_rhythm(data),
        *dataset.read_consensus(data),
        *dataset.read_clips(clips),
    ]
    views = dataset.load_views(recordings, front_end, windows, grid, cache, jobs)
    torch.set_num_threads(jobs)
    train = [i for i, r in enumerate(recordings) if r.split == "train"]
    held = [
        i for i, r in enumerate(recordings)
        if r.split == "validation" and not r.source.startswith("synthesis")
    ]  # fmt: skip
    held_out = [recordings[i] for i in held]
    validate = validation(held_out, [views[i] for i in held], grid)
    out.mkdir(parents=True, exist_ok=True)
    trained_on = [recordings[i] for i in train]
    sampler = Sampler(trained_on, [views[i] for i in train], grid, recipe)
    seeds = range(seed, seed + model.n_members)
    network = Ensemble(
        [
            fit_member(sampler, front_end, model, replace(recipe, seed=s), out, validate)
            for s in seeds
        ],
        grid,
    ).eval()
    filterbank = dataset.filterbank(front_end)
    uncalibrated = Checkpoint(
        "tempo", "", front_end, windows, grid, model, filterbank, network, 1.0, {}
    )
    analyses = [analyse_recording(r.path, uncalibrated) for r in held_out]
    temperature = calibrate(held_out, analyses, grid)
    counts = Counter(r.source.partition(":")[0] for r in trained_on)
    card = {
        "summary": f"{len(trained_on)} recordings, seeds {list(seeds)}",
        "data": dict(counts),
        "data_digest": digest_of(trained_on),
        "recipe": asdict(recipe),
        "versions": {"torch": torch.__version__, "numpy": np.__version__},
    }
    path = checkpoint.save(
        out,
        "tempo",
        network,
        filterbank,
        {"front_end": front_end, "windows": windows, "grid": grid, "model": model},
        temperature,
        card,
    )
    click.echo(f"{path} ({path.stat().st_size / 1e3:.0f} kB), temperature {temperature}")


if __name__ == "__main__":
    main()
