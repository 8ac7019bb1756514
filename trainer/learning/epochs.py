"""Training in epochs with lightning: what all networks that are trained so have in common.

Batches and dropout are functions of (seed, epoch, step) alone, and everything else that a run needs
is in a checkpoint: after each epoch, and after the last step of a run that its scheduler ends. So a
run that was killed goes on from there to the same result, and several processes share a batch
instead of each drawing its own.
"""

from __future__ import annotations

import hashlib
import json
import logging
import sys
import warnings
from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from threading import Event
from typing import Any, Generic, TypeVar

import lightning
import torch
from lightning.pytorch import Trainer, callbacks, loggers
from lightning.pytorch.accelerators import CPUAccelerator, CUDAAccelerator, MPSAccelerator
from lightning.pytorch.plugins.environments import LightningEnvironment
from lightning.pytorch.strategies import DDPStrategy, Strategy
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from tempo_core.background import Stopped
from tempo_core.errors import ConfigError

from ..evaluation.history import Row
from ..evaluation.metrics import progress
from ..inputs.recordings import Recording, digest_of
from ..recipes.recipe import EpochRecipe
from .plain_checkpoint import PlainCheckpointIO
from .processes import ALONE, GONE, Processes

B = TypeVar("B")  # a batch
R = TypeVar("R", bound=EpochRecipe)
ENDED = "ended as asked; what was learned so far is kept, run the same again to go on"


@dataclass(frozen=True)
class FitRun:
    """Where and how a run takes place.

    Attributes
    ----------
    folder
        For checkpoints and logs (CSV, TensorBoard). A run with the same data and recipe that was
        killed goes on from what it finds there.
    devices, accelerator
        Processes on the CPU, or GPUs, of each computer, and their kind as lightning names it.
    stop
        Asked after each batch; once it returns True, the run is abandoned. None is never.
    processes
        Those that were started from outside; otherwise lightning starts one for each device.
    """

    folder: Path
    devices: int = 1
    accelerator: str = "cpu"
    stop: Callable[[], bool] | None = None
    quiet: bool = False
    processes: Processes = ALONE


class BatchesByNumber(Dataset[B]):
    """Batches by number: item k is step `k % steps` of epoch `k // steps`.

    Of each batch it is the part of one process, number `rank` of `world`.

    Parameters
    ----------
    n_recordings
        Recordings to learn from.
    n_own
        Windows in a batch that are theirs.
    """

    def __init__(
        self, recipe: EpochRecipe, n_recordings: int, n_own: int, rank: int, world: int
    ) -> None:
        self.n_own, self.rank, self.world = n_own, rank, world
        self.steps = min(recipe.most_steps, max(1, round(n_recordings * recipe.passes / n_own)))
        self._length = self.steps * recipe.epochs

    def __len__(self) -> int:
        return self._length


class InOrder(Sampler[int]):
    """Numbers of the batches of the current epoch, in order, also where a killed run goes on.

    `place` gives the number of the current epoch, and how many of its steps are done.
    """

    def __init__(self, steps: int, place: Callable[[], tuple[int, int]]) -> None:
        self.steps, self.place = steps, place

    def __iter__(self) -> Iterator[int]:
        epoch, done = self.place()
        for step in range(done, self.steps):
            yield epoch * self.steps + step

    def __len__(self) -> int:
        return self.steps


class EpochModule(lightning.LightningModule, Generic[R]):
    """A network in training by a recipe; what it learns from and how is left to subclasses.

    `validation_step` logs `validation_loss`. `monitor` and `mode` (`min` or `max`) say by which of
    what is logged the best epoch is chosen, and the end of the training.
    """

    monitor, mode = "validation_loss", "min"

    def __init__(self, recipe: R) -> None:
        super().__init__()
        self.recipe = recipe
        self.losses, self.n_learned = torch.zeros(()), 0  # of this epoch so far: a sum, examples

    @abstractmethod
    def told(self, metrics: Mapping[str, float]) -> str:
        """What was logged of an epoch on held-out recordings, as part of a line for people."""

    @abstractmethod
    def batches(self, rank: int, world: int) -> BatchesByNumber[Any]:
        """What one process, number `rank` of `world`, learns from."""

    def train_dataloader(self) -> DataLoader[Any]:
        batches = self.batches(self.trainer.global_rank, self.trainer.world_size)
        done = self.trainer.fit_loop.epoch_loop.batch_progress.current
        in_order = InOrder(batches.steps, lambda: (self.current_epoch, done.ready))
        return DataLoader(batches, batch_size=None, sampler=in_order)

    def learned(self, loss: Tensor, n: int) -> Tensor:
        """The loss of a step on `n` examples, which becomes part of the epoch's mean."""
        self.losses = self.losses.to(loss.device) + n * loss.detach()
        self.n_learned += n
        return loss

    def on_train_batch_end(self, *_: Any) -> None:
        # Lightning can take the mean as well, but forgets it where a run goes on in an epoch.
        if self.trainer.is_last_batch:
            mean = self.losses / self.n_learned
            self.log("loss", mean, on_step=False, on_epoch=True, prog_bar=True, batch_size=1)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["losses"] = self.losses, self.n_learned

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        # Those of an earlier version end with an epoch and have none.
        self.losses, self.n_learned = checkpoint.get("losses", (self.losses, 0))

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        if batch_idx == 0:
            self.losses, self.n_learned = torch.zeros(()), 0
        # Dropout is a function of the step, too, so its state need not be in a checkpoint.
        place = f"{self.recipe.seed} {self.current_epoch} {batch_idx} {self.global_rank}"
        torch.manual_seed(int.from_bytes(hashlib.sha256(place.encode()).digest()[:8], "little"))

    def configure_optimizers(self) -> Any:
        recipe = self.recipe
        optimizer = torch.optim.AdamW(
            self.parameters(), recipe.learning_rate, weight_decay=recipe.weight_decay
        )
        schedule = schedule_of(optimizer, recipe, self.batches(0, 1).steps * recipe.epochs)
        return [optimizer], [{"scheduler": schedule, "interval": "step"}]


class TempoModule(EpochModule[R]):
    """A network for tempi in training.

    `validation_step` appends the tempo of each recording [BPM] to `answers`; how good the tempi are
    is logged at the end of the epoch.
    """

    def __init__(self, recipe: R, held_tempi: Sequence[float]) -> None:
        super().__init__(recipe)
        self.held_tempi = held_tempi
        self.answers: list[float] = []  # of this validation so far, in order of the recordings

    def on_validation_epoch_end(self) -> None:
        """Log how good the network is on recordings that it does not learn from."""
        figures = progress(list(self.held_tempi), self.answers)
        self.answers = []
        self.log_dict(figures, sync_dist=True)

    def told(self, metrics: Mapping[str, float]) -> str:
        return (
            f"right {100 * metrics['validation_acc1']:.1f} %, "
            f"half within {metrics['validation_error_50']:.2f} BPM"
        )


def schedule_of(
    optimizer: torch.optim.Optimizer, recipe: EpochRecipe, n_steps: int
) -> torch.optim.lr_scheduler.LRScheduler:
    """The learning rate over all steps of a run, as the recipe says."""
    schedules = torch.optim.lr_scheduler
    if recipe.schedule == "cosine":
        return schedules.CosineAnnealingLR(optimizer, n_steps)
    if recipe.schedule == "constant":
        return schedules.ConstantLR(optimizer, 1.0, 0)
    return schedules.OneCycleLR(optimizer, recipe.learning_rate, total_steps=n_steps)


def train(
    learning: EpochModule[Any], run: FitRun, folder: Path
) -> tuple[dict[str, Tensor], list[Row]]:
    """Train a network, going on where an earlier run in the folder was when it ended.

    Returns the state of the best epoch's `network`, and what was logged of every epoch.

    Raises
    ------
    Stopped
        If `run.stop` returned True.
    Dismissed
        In all processes but the first of `run.processes`.
    CheckpointError
        If a checkpoint cannot be written or read.
    ConfigError
        If another process was ended.
    """
    io = PlainCheckpointIO()
    if run.processes.is_first:
        for part in folder.glob(".*.part"):  # of a checkpoint when a run was killed
            part.unlink(missing_ok=True)
    last = folder / "last.safetensors"
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    with warnings.catch_warnings():
        # Advice about workers, intervals of logging and folders that are not empty.
        warnings.filterwarnings("ignore", module="lightning")
        warnings.filterwarnings("ignore", module="torch.optim.lr_scheduler")
        trainer = _trainer(learning, run, folder, io)
        # Lightning would go on for an epoch where a run had ended for want of progress.
        if not (last.exists() and _ended_early(trainer, io.load_checkpoint(last))):
            with _in_epochs(run.processes):
                trainer.fit(learning, ckpt_path=last if last.exists() else None)
    run.processes.dismiss()
    best = io.load_checkpoint(folder / "best.safetensors")["state_dict"]
    state = {k.removeprefix("network."): v for k, v in best.items() if k.startswith("network.")}
    return state, io.load_checkpoint(last)["callbacks"][History.state_key]["rows"]


@contextmanager
def _in_epochs(processes: Processes) -> Iterator[None]:
    """Context of the training itself, in which processes depend on each other.

    Raises
    ------
    ConfigError
        If another process was ended.
    """
    processes.in_epochs.set()
    try:
        yield
    except RuntimeError as error:
        # What gloo raises has no class of its own.
        if isinstance(error, torch.distributed.DistError) or "gloo" in str(error):
            raise ConfigError(GONE) from error
        raise
    finally:
        processes.in_epochs.clear()


def _ended_early(trainer: Trainer, checkpoint: Mapping[str, Any]) -> bool:
    """Whether the run whose last epoch this is ended since it got no better."""
    early = trainer.early_stopping_callback
    state = checkpoint["callbacks"].get(early.state_key, {}) if early else {}
    return bool(state) and (state["stopped_epoch"] > 0 or state["wait_count"] >= state["patience"])


def made_of(
    training: Sequence[Recording], validation: Sequence[Recording]
) -> dict[str, dict[str, str]]:
    """Versions and data that the result of a run depends on, to be written beside its recipe."""
    names = ("beets-tempo", "torch", "numpy", "lightning")
    return {
        "data": {"train": digest_of(training), "validation": digest_of(validation)},
        "versions": {name: version(name) for name in names},
    }


def run_digest(depends_on: Mapping[str, Any]) -> str:
    """Eight hexadecimal digits of plain values that the result of a run depends on."""
    return hashlib.sha256(json.dumps(depends_on, sort_keys=True).encode()).hexdigest()[:8]


class History(callbacks.Callback):
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


class Ending(callbacks.Callback):
    """Ends a run that is asked to end, in all processes after the same step, with a checkpoint.

    It takes the place of that of the last epoch, which is older in any case.
    """

    def __init__(self, processes: Processes, last: Path) -> None:
        self.processes, self.last = processes, last

    def on_train_epoch_start(self, trainer: Trainer, *_: Any) -> None:
        if self._is_asked(trainer):  # after the last step of an epoch, and its checkpoint
            raise Stopped(ENDED)

    def on_train_batch_end(self, trainer: Trainer, *_: Any) -> None:
        # After the last step the validation is due, from which lightning does not go on.
        if not trainer.is_last_batch and self._is_asked(trainer):
            trainer.save_checkpoint(self.last)
            raise Stopped(ENDED)

    def _is_asked(self, trainer: Trainer) -> bool:
        """Whether any of the processes is asked to end."""
        if not self._any(trainer, self.processes.asked):
            return False
        if self._any(trainer, self.processes.requeue):
            self.processes.requeue.set()
        return True

    def _any(self, trainer: Trainer, event: Event) -> bool:
        return trainer.strategy.reduce_boolean_decision(event.is_set(), all=False)


class EpochLines(callbacks.Callback):
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
            learning = trainer.lightning_module
            assert isinstance(learning, EpochModule)
            print(
                f"epoch {trainer.current_epoch + 1}/{trainer.max_epochs}: loss "
                f"{metrics['loss']:.3f}; held back: loss {metrics['validation_loss']:.3f}, "
                f"{learning.told(metrics)}",
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


def _trainer(
    learning: EpochModule[Any], run: FitRun, folder: Path, io: PlainCheckpointIO
) -> Trainer:
    """The trainer of lightning that keeps the best and the last epoch in a folder."""
    # Two: what lightning calls `save_last` skips the epochs that are not the best.
    best_and_last = [
        callbacks.ModelCheckpoint(
            folder, name, monitor=monitor, mode=learning.mode, save_on_train_epoch_end=True,
            enable_version_counter=False,
        )
        for name, monitor in (("best", learning.monitor), ("last", None))
    ]  # fmt: skip
    for kept in best_and_last:
        kept.FILE_EXTENSION = ".safetensors"
    strategy: str | Strategy = "auto"
    backend = "gloo" if run.accelerator == "cpu" else None
    processes = run.processes
    if processes.environment is not None:
        strategy = DDPStrategy(process_group_backend=backend)
    elif run.devices > 1:
        strategy = DDPStrategy(start_method="spawn", process_group_backend=backend)
    bar = not run.quiet and sys.stdout.isatty() and sys.stderr.isatty()
    return Trainer(
        accelerator=run.accelerator,
        devices=run.devices,
        num_nodes=processes.world // run.devices or 1,
        strategy=strategy,
        max_epochs=learning.recipe.epochs,
        callbacks=[
            *best_and_last,
            History(),
            callbacks.EarlyStopping(
                learning.monitor, mode=learning.mode, patience=learning.recipe.patience
            ),
            EpochLines(run.stop, lines=not bar and not run.quiet),
            # One that lightning starts cannot be asked.
            *([] if processes is ALONE else [Ending(processes, folder / "last.safetensors")]),
        ],
        logger=[
            # Each row is written at once, so that the curve of a killed run is complete.
            loggers.CSVLogger(folder, "csv", flush_logs_every_n_steps=1),
            loggers.TensorBoardLogger(folder, "tensorboard"),
        ],
        # Named, since lightning takes a script that sbatch runs for one of several processes.
        plugins=[io, processes.environment or LightningEnvironment()],
        default_root_dir=folder,
        gradient_clip_val=1.0,
        num_sanity_val_steps=0,
        enable_progress_bar=bar,
        enable_model_summary=False,
        log_every_n_steps=10,
        use_distributed_sampler=False,
        deterministic=True,
    )
