"""Training of the whole tempo network with lightning, for the method `fit`.

The batches of a run are a function of (seed, epoch, step) alone: a run that was killed goes on from
its last epoch to the same result, one that was asked to end from its last step, and several
processes share a batch instead of each drawing its own. Part of each batch is from the guard set,
whose octave is left open, so that the network keeps finding the rate of other music.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from tempo_core.model import Checkpoint
from tempo_core.network import Network
from tempo_core.task import Array
from tempo_core.task import Batch as Windows
from tempo_core.tasks.tempo.axis import answerable
from tempo_core.tasks.tempo.config import TempoConfig
from tempo_core.tasks.tempo.decode import activate, encode, highest, mean_scores
from tempo_core.tasks.tempo.network import build

from ..evaluation.history import Row
from ..inputs import augment
from ..inputs.cache import Views, read_views
from ..inputs.examples import DrawOptions, example, full_windows
from ..inputs.recordings import Recording, digest_of
from ..recipes.reading import write_recipe
from ..recipes.recipe import FitRecipe
from ..tasks import tempo
from ..torch_ops import Learnable, tensors, usable
from .epochs import (
    BatchesByNumber,
    FitRun,
    TempoModule,
    check_accelerator,
    made_of,
    run_digest,
    train,
)
from .frozen import ensemble
from .guard import Guard

Batch = tuple[Tensor, Tensor, Tensor]
# The network's two inputs, the weights of the windows, and their targets.
Hearing = tuple[Array, Array, NDArray[np.float64], Array]
HELD_WINDOWS = 6  # of a recording, at most, while validating
OPEN_RATIOS = (1.0, 2.0, 0.5)  # of the readings of a replayed clip to its tempo


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


class Batches(BatchesByNumber[Batch]):
    """Batches of windows of the recordings, and of rendered clips."""

    def __init__(
        self, data: FitData, config: TempoConfig, recipe: FitRecipe, rank: int = 0, world: int = 1
    ) -> None:
        n_own = recipe.batch if data.guard is None else round(recipe.batch * (1 - recipe.replay))
        super().__init__(recipe, len(data.train), n_own, rank, world)
        self.corpus, self.guard, self.config, self.recipe = data.train, data.guard, config, recipe
        changes = recipe.augmentation
        self.options = DrawOptions(
            changes.stretch, weighed=recipe.weighed, tone=changes.tone, masked=changes.masked
        )

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
            self.options,
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


class Learning(TempoModule[FitRecipe]):
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
        super().__init__(recipe, [recording.bpm for recording in data.validation.recordings])
        self.network = network.requires_grad_(True)
        self.config, self.data = config, data
        self.register_buffer(
            "unanswerable", torch.from_numpy(~answerable(config.grid)), persistent=False
        )
        self.used: Network | None = None  # the network of this epoch, for validation

    def batches(self, rank: int, world: int) -> Batches:
        return Batches(self.data, self.config, self.recipe, rank, world)

    def val_dataloader(self) -> DataLoader[Hearing]:
        held = Held(self.data.validation, self.config, self.recipe.weighed)
        return DataLoader(held, batch_size=None, collate_fn=lambda item: item)

    def on_train_start(self) -> None:
        self.on_train_epoch_start()  # which lightning leaves out where a run goes on in an epoch

    def on_train_epoch_start(self) -> None:
        if not self.recipe.from_scratch:
            # The running means were learned from more music than one person has.
            for module in self.modules():
                if isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d)):
                    module.eval()

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
        return self.learned(loss, len(maps))

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

    def masked(self, logits: Tensor) -> Tensor:
        """Logits with -inf in the bins that are no answer."""
        assert isinstance(self.unanswerable, Tensor)
        return logits.masked_fill(self.unanswerable, -torch.inf)


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
    folder = run_folder(base, data, recipe, run)
    torch.manual_seed(recipe.seed)
    network = Learnable(build(base.front_end, base.config))
    if not recipe.from_scratch:
        network.load_state_dict(tensors(base.network.weights))
    if run.processes.is_first:
        write_recipe(folder, "tempo" if recipe.from_scratch else "fit", recipe, _made(base, data))
    state, history = train(Learning(network, data, base.config, recipe), run, folder)
    network.load_state_dict(state)
    return usable(network), history


def run_folder(
    base: Checkpoint[TempoConfig], data: FitData, recipe: FitRecipe, run: FitRun
) -> Path:
    """The folder of what a run logs and keeps; its name is by what the result depends on."""
    depends_on = {
        "recipe": asdict(recipe),
        "base": base.source,
        "data": [digest_of(data.train.recordings), digest_of(data.validation.recordings)],
        "guard": None if data.guard is None else len(data.guard),
    }
    return run.folder / f"fit-{run_digest(depends_on)}"


def _made(base: Checkpoint[TempoConfig], data: FitData) -> dict[str, Any]:
    """What the result depends on beside the recipe, for those who repeat the run."""
    return {"base": base.source, **made_of(data.train.recordings, data.validation.recordings)}
