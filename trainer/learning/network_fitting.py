"""Training of the whole tempo network with lightning, for the method `fit`.

The batches of a run are a function of (seed, epoch, step) alone: a run that was killed goes on from
its last epoch to the same result, and several processes share a batch instead of each drawing its
own. Part of each batch is from the guard set, whose octave is left open, so that the network keeps
finding the rate of other music.
"""

from __future__ import annotations

import hashlib
import json
import logging
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import lightning
import numpy as np
import torch
from lightning.pytorch import Trainer, callbacks, loggers
from lightning.pytorch.accelerators import CPUAccelerator, CUDAAccelerator, MPSAccelerator
from lightning.pytorch.strategies import DDPStrategy, Strategy
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, Sampler

from tempo_core.background import Stopped
from tempo_core.errors import ConfigError
from tempo_core.model import Checkpoint
from tempo_core.network import Network
from tempo_core.task import Array
from tempo_core.task import Batch as Windows
from tempo_core.tasks.tempo.axis import answerable
from tempo_core.tasks.tempo.config import TempoConfig
from tempo_core.tasks.tempo.decode import activate, encode, highest, mean_scores
from tempo_core.tasks.tempo.network import build

from ..evaluation.history import Row
from ..evaluation.metrics import progress
from ..inputs import augment
from ..inputs.cache import Views, read_views
from ..inputs.examples import DrawOptions, example, full_windows
from ..inputs.recordings import Recording, digest_of
from ..tasks import tempo
from ..torch_ops import Learnable, tensors, usable
from .frozen import ensemble
from .guard import Guard
from .plain_checkpoint import PlainCheckpointIO

Batch = tuple[Tensor, Tensor, Tensor]
# The network's two inputs, the weights of the windows, and their targets.
Hearing = tuple[Array, Array, NDArray[np.float64], Array]
HELD_WINDOWS = 6  # of a recording, at most, while validating
OPEN_RATIOS = (1.0, 2.0, 0.5)  # of the readings of a replayed clip to its tempo


@dataclass(frozen=True)
class FitRecipe:
    """How `fit` learns: everything about a run but the data and where it runs."""

    epochs: int = 12
    learning_rate: float = 6e-4  # at its highest
    batch: int = 48  # windows
    replay: float = 0.25  # share of the batch that is from the guard set
    passes: float = 4.0  # windows of each track in an epoch
    most_steps: int = 200  # in an epoch, at most
    # The most a track is stretched [bins]. Little, because its label moves with it, and a
    # convention may count the faster or slower track in another octave.
    stretched: int = 2
    weight_decay: float = 1e-2
    patience: int = 4  # epochs without a better validation loss
    from_scratch: bool = False
    # Whether windows with a clear pulse are drawn more often, and count for more while validating,
    # as in use; else all count alike.
    weighed: bool = True
    seed: int = 0


def recipe_from_scratch(seed: int, epochs: int | None = None) -> FitRecipe:
    """The recipe of the shipped model: faster and longer learning, with much stretching."""
    return FitRecipe(
        epochs or 30, learning_rate=3e-3, stretched=augment.STRETCH_MARGIN, patience=8, seed=seed,
        from_scratch=True,
    )  # fmt: skip


@dataclass
class Corpus:
    """Recordings and the files of their views, opened when they are first used.

    Pickled for another process it holds the names of the files, not their content.
    """

    recordings: Sequence[Recording]
    paths: Sequence[Path]

    def __post_init__(self) -> None:
        self._opened: dict[int, Views] = {}

    def __getstate__(self) -> dict[str, Any]:
        return {"recordings": self.recordings, "paths": self.paths, "_opened": {}}

    def __len__(self) -> int:
        return len(self.recordings)

    def views(self, i: int) -> Views:
        """Views of one recording."""
        if i not in self._opened:
            self._opened[i] = read_views(self.paths[i])
        return self._opened[i]


@dataclass(frozen=True)
class FitData:
    """Recordings to learn from and to validate on, and rendered music to replay, or None."""

    train: Corpus
    validation: Corpus
    guard: Guard | None


@dataclass(frozen=True)
class FitRun:
    """Where and how a run takes place.

    Attributes
    ----------
    folder
        For checkpoints and logs (CSV, TensorBoard). A run with the same data and recipe that was
        killed goes on from what it finds there.
    devices, accelerator
        Processes on the CPU, or GPUs, and their kind as lightning names it.
    stop
        Asked after each batch; once it returns True, the run is abandoned. None is never.
    """

    folder: Path
    devices: int = 1
    accelerator: str = "cpu"
    stop: Callable[[], bool] | None = None
    quiet: bool = False


class Batches(Dataset[Batch]):
    """Batches by number: item k is step `k % steps` of epoch `k // steps`.

    Of each batch it is the part of one process, number `rank` of `world`.
    """

    def __init__(
        self, data: FitData, config: TempoConfig, recipe: FitRecipe, rank: int = 0, world: int = 1
    ) -> None:
        self.corpus, self.guard, self.config, self.recipe = data.train, data.guard, config, recipe
        self.rank, self.world = rank, world
        n_own = recipe.batch if data.guard is None else round(recipe.batch * (1 - recipe.replay))
        self.steps = min(recipe.most_steps, max(1, round(len(data.train) * recipe.passes / n_own)))
        self.n_own = n_own

    def __len__(self) -> int:
        return self.steps * self.recipe.epochs

    def __getitem__(self, k: int) -> Batch:
        epoch, step = divmod(k, self.steps)
        place = [self.recipe.seed, epoch, step]
        chosen = np.random.default_rng(place).integers(2**62, size=self.recipe.batch)
        maps: list[Array] = []
        statistics: list[Array] = []
        targets: list[Array] = []
        for j in range(self.rank, self.recipe.batch, self.world):
            rng = np.random.default_rng([*place, j])
            draw = self.own if j < self.n_own else self.replayed
            parts = draw(int(chosen[j]), rng)
            for found, part in zip((maps, statistics, targets), parts, strict=True):
                found.append(part)
        maps_, statistics_, targets_ = (
            torch.from_numpy(np.stack(parts)) for parts in (maps, statistics, targets)
        )
        return maps_, statistics_, targets_

    def own(self, drawn: int, rng: np.random.Generator) -> tuple[Array, Array, Array]:
        """Inputs and target of a window of the user's recording number `drawn` (modulo)."""
        i = drawn % len(self.corpus)
        return example(
            self.corpus.recordings[i], self.corpus.views(i), self.config, rng,
            DrawOptions(self.recipe.stretched, weighed=self.recipe.weighed),
        )  # fmt: skip

    def replayed(self, drawn: int, rng: np.random.Generator) -> tuple[Array, Array, Array]:
        """Inputs and target of the rendered clip number `drawn` (modulo), its octave left open."""
        assert self.guard is not None
        i = drawn % len(self.guard)
        readings = [(self.guard.bpm[i] * ratio, 1 / len(OPEN_RATIOS)) for ratio in OPEN_RATIOS]
        change = augment.draw(rng, 2 * self.guard.maps.shape[2], 0)
        maps = np.repeat(self.guard.maps[i], 2, axis=1)
        maps[:, change.masked] = 0.0
        return (
            maps,
            augment.apply_to_statistics(self.guard.statistics[i], change),
            encode(readings, self.config),
        )


class _InOrder(Sampler[int]):
    """Numbers of the batches of the current epoch, in order, also where a killed run goes on."""

    def __init__(self, steps: int, epoch: Callable[[], int]) -> None:
        self.steps, self.epoch = steps, epoch

    def __iter__(self) -> Iterator[int]:
        for step in range(self.steps):
            yield self.epoch() * self.steps + step

    def __len__(self) -> int:
        return self.steps


class Held(Dataset[Hearing]):
    """Recordings to validate on: a few of the estimator's windows of each, and its target."""

    def __init__(self, corpus: Corpus, config: TempoConfig, weighed: bool) -> None:
        self.corpus, self.config, self.weighed = corpus, config, weighed

    def __len__(self) -> int:
        return len(self.corpus)

    def __getitem__(self, i: int) -> Hearing:
        views = self.corpus.views(i)
        n = views.n_full
        rows = np.linspace(0, n - 1, min(HELD_WINDOWS, n)).round().astype(int)
        heard = full_windows(views, self.weighed, rows)
        target = encode(self.corpus.recordings[i].tempi, self.config)
        maps, statistics = heard.inputs
        return maps, statistics, heard.weights, np.stack([target] * len(rows))


class Learning(lightning.LightningModule):
    """The tempo network as lightning trains it; `tempo.loss` is taken for each member by itself.

    Validation runs the network as it runs in use, without torch.
    """

    def __init__(
        self,
        network: Learnable,
        data: FitData,
        config: TempoConfig,
        recipe: FitRecipe,
    ) -> None:
        super().__init__()
        self.network = network.requires_grad_(True)
        self.config, self.recipe, self.data = config, recipe, data
        self.register_buffer(
            "unanswerable", torch.from_numpy(~answerable(config.grid)), persistent=False
        )
        self.used: Network | None = None  # the network of this epoch, for validation
        self.answers: list[
            float
        ] = []  # of this validation so far [BPM], in order of the recordings

    def train_dataloader(self) -> DataLoader[Batch]:
        rank, world = self.trainer.global_rank, self.trainer.world_size
        batches = Batches(self.data, self.config, self.recipe, rank, world)
        return DataLoader(
            batches, batch_size=None, sampler=_InOrder(batches.steps, lambda: self.current_epoch)
        )

    def val_dataloader(self) -> DataLoader[Hearing]:
        held = Held(self.data.validation, self.config, self.recipe.weighed)
        return DataLoader(held, batch_size=None, collate_fn=lambda item: item)

    def on_train_epoch_start(self) -> None:
        if not self.recipe.from_scratch:
            # The running means were learned from more music than one person has.
            for module in self.modules():
                if isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d)):
                    module.eval()

    def on_train_batch_start(self, batch: Batch, batch_idx: int) -> None:
        # Dropout is a function of the step, too, so its state need not be in a checkpoint.
        place = f"{self.recipe.seed} {self.current_epoch} {batch_idx} {self.global_rank}"
        torch.manual_seed(int.from_bytes(hashlib.sha256(place.encode()).digest()[:8], "little"))

    def training_step(self, batch: Batch, _number: int) -> Tensor:
        maps, statistics, targets = batch
        parts = []
        whole = ensemble(self.network)
        for k in range(whole.n_members):
            ops = self.network.ops.at(f"members.{k}")
            rate, pooled = whole.member.find_rate(ops, maps)
            prior = whole.member.log_prior(ops, pooled, statistics)
            logits = whole.combine(self.network.ops, rate, prior)
            parts.append(tempo.loss(self.masked(logits), targets))
        loss = torch.stack(parts).mean()
        self.log("loss", loss, on_step=False, on_epoch=True, prog_bar=True, batch_size=len(maps))
        return loss

    def on_validation_epoch_start(self) -> None:
        self.used = usable(self.network)

    def validation_step(self, held: Hearing, _number: int) -> None:
        maps, statistics, weights, targets = held
        assert self.used is not None
        logits = self.used(maps, statistics)
        masked = np.where(answerable(self.config.grid), logits, np.float32(-np.inf))
        loss = tempo.loss(torch.from_numpy(masked), torch.from_numpy(targets)).to(self.device)
        self.log("validation_loss", loss, prog_bar=True, batch_size=1, sync_dist=True)
        windows = Windows((), np.arange(len(weights)), weights)
        scores = activate(logits, self.config)
        self.answers.append(highest(mean_scores([(windows, scores)]), self.config.grid).bpm)

    def on_validation_epoch_end(self) -> None:
        """Log how good the network is on recordings that it does not learn from."""
        labels = [recording.bpm for recording in self.data.validation.recordings]
        figures = progress(labels, self.answers)
        self.answers = []
        self.log_dict(figures, sync_dist=True)

    def masked(self, logits: Tensor) -> Tensor:
        """Logits with -inf in the bins that are no answer."""
        assert isinstance(self.unanswerable, Tensor)
        return logits.masked_fill(self.unanswerable, -torch.inf)

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.AdamW(
            self.parameters(), self.recipe.learning_rate, weight_decay=self.recipe.weight_decay
        )
        steps = Batches(self.data, self.config, self.recipe).steps
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimizer, self.recipe.learning_rate, total_steps=steps * self.recipe.epochs
        )
        return [optimizer], [{"scheduler": schedule, "interval": "step"}]


class _History(callbacks.Callback):
    """The figures of every epoch, as part of the checkpoints, so that a resumed run has all."""

    state_key = "history"

    def __init__(self) -> None:
        self.rows: list[Row] = []

    def state_dict(self) -> dict[str, Any]:
        return {"rows": self.rows}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.rows = list(state_dict["rows"])

    def on_train_epoch_end(self, trainer: Trainer, *_: Any) -> None:
        metrics = {name: float(value) for name, value in trainer.callback_metrics.items()}
        self.rows.append({"epoch": float(trainer.current_epoch), **metrics})


class _EpochLines(callbacks.Callback):
    """Prints a line for each epoch where there is no progress bar; ends a run that is to stop."""

    def __init__(self, stop: Callable[[], bool] | None, lines: bool) -> None:
        self.stop, self.lines = stop, lines

    def __getstate__(self) -> dict[str, Any]:  # the first process ends the others
        return {"stop": None, "lines": self.lines}

    def on_train_batch_end(self, trainer: Trainer, *_: Any) -> None:
        if self.stop is not None and self.stop():
            raise Stopped("interrupted; run the same again to go on from the last epoch")

    def on_train_epoch_end(self, trainer: Trainer, *_: Any) -> None:
        if self.lines and trainer.is_global_zero:
            metrics = {k: float(v) for k, v in trainer.callback_metrics.items()}
            print(
                f"epoch {trainer.current_epoch + 1}/{trainer.max_epochs}: loss "
                f"{metrics['loss']:.3f}; held back: loss {metrics['validation_loss']:.3f}, "
                f"right {100 * metrics['validation_acc1']:.1f} %, "
                f"half within {metrics['validation_error_50']:.2f} BPM",
                file=sys.stderr,
            )


def check_accelerator(accelerator: str, devices: int) -> None:
    """Refuse an accelerator that this computer does not have.

    Raises
    ------
    ConfigError
        If there is no such accelerator, or fewer devices than `devices`.
    """
    known = {"cpu": CPUAccelerator, "gpu": CUDAAccelerator, "cuda": CUDAAccelerator,
             "mps": MPSAccelerator}  # fmt: skip
    if accelerator == "auto":
        return
    if accelerator not in known:
        raise ConfigError(f"accelerator {accelerator!r} is none of {', '.join(known)}, auto")
    kind = known[accelerator]
    if accelerator == "gpu" and not kind.is_available():
        kind = MPSAccelerator
    if not kind.is_available():
        raise ConfigError(
            f"no {accelerator} that can be used is in this computer; leave --accelerator out"
        )
    if kind is not CPUAccelerator and devices > kind.auto_device_count():
        n = kind.auto_device_count()
        raise ConfigError(f"{devices} devices are wanted, there are {n}; give --devices {n}")


def finetune(
    base: Checkpoint[TempoConfig], data: FitData, recipe: FitRecipe, run: FitRun
) -> tuple[Network, list[Row]]:
    """Train from the weights of `base`, or a network of its shape from scratch.

    Returns the best epoch's network, and what was logged of every epoch.

    Raises
    ------
    Stopped
        If `run.stop` returned True.
    ConfigError
        If the accelerator is not there.
    CheckpointError
        If a checkpoint cannot be written or read.
    """
    check_accelerator(run.accelerator, run.devices)
    folder = run.folder / f"fit-{_digest(base, data, recipe)}"
    torch.manual_seed(recipe.seed)
    network = Learnable(build(base.front_end, base.config))
    if not recipe.from_scratch:
        network.load_state_dict(tensors(base.network.weights))
    learning = Learning(network, data, base.config, recipe)
    io = PlainCheckpointIO()
    last = folder / "last.safetensors"
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    with warnings.catch_warnings():
        # Advice about workers, intervals of logging and folders that are not empty.
        warnings.filterwarnings("ignore", module="lightning")
        warnings.filterwarnings("ignore", module="torch.optim.lr_scheduler")
        trainer = _trainer(recipe, run, folder, io)
        trainer.fit(learning, ckpt_path=last if last.exists() else None)
    best = io.load_checkpoint(folder / "best.safetensors")["state_dict"]
    network.load_state_dict(
        {k.removeprefix("network."): v for k, v in best.items() if k.startswith("network.")}
    )
    history = io.load_checkpoint(last)["callbacks"][_History.state_key]["rows"]
    return usable(network), history


def _digest(base: Checkpoint[TempoConfig], data: FitData, recipe: FitRecipe) -> str:
    """Eight hexadecimal digits of what the result of a run depends on."""
    key = {
        "recipe": asdict(recipe),
        "base": base.source,
        "data": [digest_of(data.train.recordings), digest_of(data.validation.recordings)],
        "guard": None if data.guard is None else len(data.guard),
    }
    return hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()[:8]


def _trainer(recipe: FitRecipe, run: FitRun, folder: Path, io: PlainCheckpointIO) -> Trainer:
    """The trainer of lightning that keeps the best and the last epoch in a folder."""
    # Two: what lightning calls `save_last` skips the epochs that are not the best.
    best_and_last = [
        callbacks.ModelCheckpoint(
            folder, name, monitor=monitor, save_on_train_epoch_end=True,
            enable_version_counter=False,
        )
        for name, monitor in (("best", "validation_loss"), ("last", None))
    ]  # fmt: skip
    for kept in best_and_last:
        kept.FILE_EXTENSION = ".safetensors"
    strategy: str | Strategy = "auto"
    if run.devices > 1:
        backend = "gloo" if run.accelerator == "cpu" else None
        strategy = DDPStrategy(start_method="spawn", process_group_backend=backend)
    bar = not run.quiet and sys.stdout.isatty() and sys.stderr.isatty()
    return Trainer(
        accelerator=run.accelerator,
        devices=run.devices,
        strategy=strategy,
        max_epochs=recipe.epochs,
        callbacks=[
            *best_and_last,
            _History(),
            callbacks.EarlyStopping("validation_loss", patience=recipe.patience),
            _EpochLines(run.stop, lines=not bar and not run.quiet),
        ],
        logger=[
            # Each row is written at once, so that the curve of a killed run is complete.
            loggers.CSVLogger(folder, "csv", flush_logs_every_n_steps=1),
            loggers.TensorBoardLogger(folder, "tensorboard"),
        ],
        plugins=[io],
        gradient_clip_val=1.0,
        num_sanity_val_steps=0,
        enable_progress_bar=bar,
        enable_model_summary=False,
        log_every_n_steps=10,
        use_distributed_sampler=False,
        deterministic=True,
    )
