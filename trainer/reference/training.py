"""Training of the reference networks on a training set, in epochs, from random weights."""

from __future__ import annotations

from dataclasses import asdict
from functools import partial
from pathlib import Path

import torch
from threadpoolctl import threadpool_limits
from torch import Tensor, nn
from torch.utils.data import DataLoader

from tempo_core.config import FrontEnd, Windows
from tempo_core.errors import AudioError

from ..evaluation.history import Row, pack
from ..inputs.recordings import digest_of
from ..learning.epochs import FitRun, TempoModule, check_accelerator, made_of, run_digest, train
from ..learning.job import Failure, Job, hear_all, refuse_nothing
from ..learning.labels import TempoLabels
from ..learning.network import RUNS, check_splits
from ..recipes.reading import reference_recipe, write_recipe
from ..recipes.recipe import ReferenceRecipe
from ..trainingset import memory
from ..trainingset.tables import CACHE
from .estimator import Answers, Pooling, ReferenceModel
from .networks import REFERENCES, Reference, n_frames
from .windows import Batch, HeldWindows, WindowBatches, WindowSet, features_file

FEATURES = "features"  # folder of spectrograms, in the cache of the training set
INTERRUPTED = "interrupted; run the same again to go on"


class ReferenceLearning(TempoModule[ReferenceRecipe]):
    """A reference network as lightning trains it."""

    def __init__(
        self, reference: Reference, data: tuple[WindowSet, WindowSet], recipe: ReferenceRecipe
    ) -> None:
        windows, self.held = data
        super().__init__(recipe, [recording.bpm for recording in self.held.recordings])
        self.reference, self.windows = reference, windows
        self.network = reference.make(FrontEnd(), plan_of(recipe))

    def batches(self, rank: int, world: int) -> WindowBatches:
        return WindowBatches(self.windows, self.reference.view, self.recipe, rank, world)

    def val_dataloader(self) -> DataLoader[Batch]:
        length = n_frames(FrontEnd(), plan_of(self.recipe))
        held = HeldWindows(self.held, self.reference.view, length)
        return DataLoader(held, batch_size=None)

    def training_step(self, batch: Batch, _number: int) -> Tensor:
        seen, tempi = batch
        loss = self.reference.loss(self.network(seen), tempi)
        return self.learned(loss, len(seen))

    def validation_step(self, batch: Batch, _number: int) -> None:
        seen, tempi = batch
        output = self.network(seen)
        loss = self.reference.loss(output, tempi)
        self.log("validation_loss", loss, prog_bar=True, batch_size=1, sync_dist=True)
        found = Answers(self.reference.decode(output).cpu().numpy())
        self.answers.append(found.pooled(self.recipe.pool))


def plan_of(recipe: ReferenceRecipe) -> Windows:
    """The windows that a network with this recipe learns from and answers by."""
    return Windows(recipe.window, recipe.hop)


def train_network(
    name: str, data: tuple[WindowSet, WindowSet], recipe: ReferenceRecipe, run: FitRun, folder: Path
) -> tuple[nn.Module, list[Row]]:
    """Train a reference network, going on from what an earlier run left in the folder.

    Parameters
    ----------
    name
        A key of `REFERENCES`.
    data
        What to learn from, and what to choose the best epoch by.
    folder
        For logs and checkpoints.

    Returns
    -------
    The network of the best epoch, and what was logged of every epoch.

    Raises
    ------
    Stopped
        If `run.stop` returned True.
    ConfigError
        If the accelerator is not there.
    """
    check_accelerator(run.accelerator, run.devices)
    torch.manual_seed(recipe.seed)
    learning = ReferenceLearning(REFERENCES[name], data, recipe)
    state, history = train(learning, run, folder)
    network = learning.network
    network.load_state_dict(state)
    return network.cpu().eval().requires_grad_(False), history


def train_reference(
    labels: TempoLabels, name: str, job: Job
) -> tuple[ReferenceModel, Path, list[Failure]]:
    """Train a reference network on a training set.

    Returns
    -------
    The network of the best epoch on the validation split; the folder of the run, in that of the
    training set, with recipe, logs and checkpoints; and the files that could not be used.

    Raises
    ------
    ConfigError
        If a split is empty, nothing in it can be read, or the recipe is none.
    Stopped
        If the run was to stop; the next one goes on from the last epoch.
    Dismissed
        In all processes of the run but the first.
    """
    options = job.options
    recipe = reference_recipe(name, options.recipe, seed=options.seed, epochs=options.epochs)
    check_splits(labels, "")
    train_set, failed = _window_set(labels, "train", recipe, job)
    held, gone = _window_set(labels, "validation", recipe, job)
    digests = [digest_of(train_set.recordings), digest_of(held.recordings)]
    depends_on = {"recipe": asdict(recipe), "data": digests}
    folder = labels.folder / RUNS / f"{name}-{run_digest(depends_on)}"
    made = made_of(train_set.recordings, held.recordings)
    if job.processes.is_first:
        write_recipe(folder, name, recipe, made)
    torch.set_num_threads(options.jobs if options.devices == 1 else 1)
    run = FitRun(
        folder, options.devices, options.accelerator, job.stop, options.quiet, job.processes
    )
    network, history = train_network(name, (train_set, held), recipe, run, folder)
    torch.set_num_threads(1)
    threadpool_limits(1, user_api="blas")
    card = {
        "summary": f"{name}, {len(train_set)} labels, seed {recipe.seed}",
        "n_labels": len(train_set),
        "recipe": asdict(recipe),
        memory.CARD_KEY: memory.pack(memory.remember(labels.for_training)),
        "history": pack(history),
        **made,
    }
    model = ReferenceModel(name, network, FrontEnd(), plan_of(recipe), Pooling(recipe.pool), card)
    return model, folder, [*failed, *gone]


def _window_set(
    labels: TempoLabels, split: str, recipe: ReferenceRecipe, job: Job
) -> tuple[WindowSet, list[Failure]]:
    """Recordings of a split with their features in the cache, and those that cannot be read.

    Only the first process of a run reads recordings, and knows those that cannot be read.
    """
    recordings, folder = labels.of_split(split), labels.folder / CACHE / FEATURES
    folder.mkdir(parents=True, exist_ok=True)
    front_end, windows = FrontEnd(), plan_of(recipe)
    make = partial(features_file, front_end=front_end, windows=windows, folder=folder)
    failed: list[Failure] = []

    def fill() -> dict[str, str]:
        """The name of each recording's file, by number."""
        paths, gone = hear_all(
            [r.path for r in recordings], lambda k: make(recordings[k].path), job, INTERRUPTED,
            (AudioError,),
        )  # fmt: skip
        failed.extend(gone)
        refuse_nothing(len(paths), failed)
        return {str(k): path.name for k, path in paths.items()}

    names = job.processes.once(f"features of {split}", fill, job.stop)
    kept = [recordings[int(k)] for k in names]
    paths = [folder / name for name in names.values()]
    return WindowSet.of(kept, paths, front_end, windows), failed
