"""Training of a network for tags, in epochs, with what all such trainings have in common."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from tempo_core.errors import ConfigError

from ...evaluation.history import Row
from ...evaluation.tag_figures import area, macro, precision
from ...learning.epochs import BatchesByNumber, EpochModule, FitRun, check_accelerator, train
from .inputs import firsts_of
from .networks import TagNetwork
from .recipe import TagRecipe
from .shards import Place

Batch = tuple[Tensor, Tensor]  # windows (batch, n_frames, …), truth (batch, n_tags)
MONITORS = {"auc_pr": ("validation_auc_pr", "max"), "loss": ("validation_loss", "min")}
HELD_WINDOWS = 6  # of a track, at most, while validating


@dataclass(frozen=True)
class Material:
    """Tracks in the cache and their tags; `truth` is (n_tracks, n_tags), 0 or 1."""

    places: Sequence[Place]
    truth: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.places)

    def part(self, which: NDArray[np.bool_]) -> Material:
        """Some of the tracks, by a mask (n_tracks,)."""
        return Material([self.places[k] for k in np.flatnonzero(which).tolist()], self.truth[which])


class WindowBatches(BatchesByNumber[Batch]):
    """Batches of windows: tracks by lot, and of each a window that begins anywhere in it."""

    def __init__(
        self, material: Material, recipe: TagRecipe, rank: int = 0, world: int = 1
    ) -> None:
        super().__init__(recipe, len(material), recipe.batch, rank, world)
        self.material, self.recipe = material, recipe

    def __getitem__(self, k: int) -> Batch:
        place = [self.recipe.seed, *divmod(k, self.steps)]
        rng = np.random.default_rng(place)
        chosen = rng.integers(len(self.material), size=self.recipe.batch)
        where = rng.random(self.recipe.batch)
        own = slice(self.rank, None, self.world)
        n_frames = self.recipe.inputs.n_frames
        windows = []
        for i, share in zip(chosen[own].tolist(), where[own].tolist(), strict=True):
            track = self.material.places[i]
            first = int(share * (max(0, track.length - n_frames) + 1))
            windows.append(track.read(first, n_frames))
        truth = self.material.truth[chosen[own]]
        return torch.from_numpy(np.stack(windows)).float(), torch.from_numpy(truth).float()


class HeldTracks(Dataset[Batch]):
    """Tracks to validate on: some windows of each, evenly spread, and the truth (n_tags,)."""

    def __init__(self, material: Material, recipe: TagRecipe, most: int | None = None) -> None:
        self.material, self.recipe, self.most = material, recipe, most

    def __len__(self) -> int:
        return len(self.material)

    def __getitem__(self, i: int) -> Batch:
        track, inputs = self.material.places[i], self.recipe.inputs
        firsts = firsts_of(track.length, inputs, self.most).tolist()
        windows = np.stack([track.read(first, inputs.n_frames) for first in firsts])
        return torch.from_numpy(windows).float(), torch.from_numpy(self.material.truth[i]).float()


class TagLearning(EpochModule[TagRecipe]):
    """A network for tags as lightning trains it; each tag is a question of its own."""

    def __init__(self, network: TagNetwork, training: Material, held: Material, recipe: TagRecipe):
        super().__init__(recipe)
        self.network, self.training_tracks, self.held = network, training, held
        self.monitor, self.mode = MONITORS[recipe.monitor]
        self.scores: list[NDArray[np.float64]] = []  # of this validation so far

    def batches(self, rank: int, world: int) -> WindowBatches:
        return WindowBatches(self.training_tracks, self.recipe, rank, world)

    def val_dataloader(self) -> DataLoader[Batch]:
        held = HeldTracks(self.held, self.recipe, HELD_WINDOWS)
        return DataLoader(held, batch_size=None)

    def training_step(self, batch: Batch, _number: int) -> Tensor:
        windows, truth = batch
        loss = nn.functional.binary_cross_entropy_with_logits(self.network(windows), truth)
        return self.learned(loss, len(truth))

    def validation_step(self, batch: Batch, _number: int) -> None:
        windows, truth = batch
        logits = self.network(windows)
        loss = nn.functional.binary_cross_entropy_with_logits(logits, truth.expand_as(logits))
        self.log("validation_loss", loss, prog_bar=True, batch_size=1, sync_dist=True)
        self.scores.append(logits.sigmoid().mean(dim=0).double().cpu().numpy())

    def on_validation_epoch_end(self) -> None:
        """Log how well the tags of held-out tracks are told."""
        scores, self.scores = np.stack(self.scores), []
        for name, figure in (("auc_roc", area), ("auc_pr", precision)):
            self.log(f"validation_{name}", macro(figure, self.held.truth, scores), sync_dist=True)

    def told(self, metrics: Mapping[str, float]) -> str:
        return (
            f"AUC-ROC {metrics['validation_auc_roc']:.3f}, "
            f"AUC-PR {metrics['validation_auc_pr']:.3f}"
        )


def train_network(
    training: Material, held: Material, recipe: TagRecipe, run: FitRun
) -> tuple[TagNetwork, list[Row]]:
    """Train a network, going on from what an earlier run left in the folder of the run.

    Returns
    -------
    The network of the best epoch, and what was logged of every epoch.

    Raises
    ------
    Stopped
        If `run.stop` returned True.
    ConfigError
        If the accelerator is not there, or nothing can be measured on the tracks to validate on.
    CheckpointError
        If a checkpoint cannot be written or read.
    """
    check_accelerator(run.accelerator, run.devices)
    if not len(training) or not len(held):
        raise ConfigError("no track is left to learn from, or none to validate on")
    if recipe.monitor == "auc_pr" and np.isnan(macro(precision, held.truth, held.truth)):
        raise ConfigError(
            "no tag is on some tracks of the validation side and not on others, so none can be "
            'measured there; give more tracks, or "monitor": "loss" in the recipe'
        )
    torch.manual_seed(recipe.seed)
    network = TagNetwork(recipe, training.truth.shape[1])
    state, history = train(TagLearning(network, training, held, recipe), run, run.folder)
    network.load_state_dict(state)
    return network.cpu().eval().requires_grad_(False), history


def scores_of(network: nn.Module, material: Material, recipe: TagRecipe) -> NDArray[np.float64]:
    """(n_tracks, n_tags) probabilities of tags: the mean over windows that cover each track."""
    held = HeldTracks(material, recipe)
    return np.stack([window_scores(network, held[i][0]).mean(axis=0) for i in range(len(held))])


def window_scores(network: nn.Module, windows: Tensor, at_once: int = 8) -> NDArray[np.float64]:
    """(n_windows, n_tags) probabilities for windows, some of which are asked at a time."""
    with torch.inference_mode():
        parts = [network(some).sigmoid().double() for some in windows.split(at_once)]
    return torch.cat(parts).numpy()
