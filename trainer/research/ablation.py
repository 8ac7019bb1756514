"""Ablation study of the tempo network: `python -m trainer.research.ablation --help`.

Every variant is trained in the same way, for less time than the shipped model, and measured on the
validation splits. Results of finished variants are stored in `--out`, so an interrupted run
continues, and several runs may share the work (`--only`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path

import click
import numpy as np
import torch
from torch import Tensor, nn

from tempo_core.cli.command import Command
from tempo_core.config import FrontEnd, Windows
from tempo_core.levels import HARMONICS
from tempo_core.spectrum import Array
from tempo_core.tasks.tempo.axis import tempo_axis
from tempo_core.tasks.tempo.config import TempoConfig
from tempo_core.tasks.tempo.decode import highest, mass_near
from tempo_core.tasks.tempo.network import Member

from .. import options
from ..evaluation.metrics import acc1, acc2
from ..files import kept
from ..inputs.cache import Views
from ..inputs.examples import full_windows
from ..inputs.recordings import (
    Recording,
    digest_of,
    read_clips,
    read_consensus,
    read_rhythm,
    read_songs,
)
from ..inputs.views import load_views
from ..making.tempo import Phase, TempoRecipe, WindowSampler, fit, posterior_of
from ..tasks import tempo
from ..torch_ops import Learnable

ABLATION_PHASES = (Phase(600, 3e-3, False), Phase(180, 1e-3, True))
ABLATION_BATCH = 32
SOURCES = ("songs", "rhythm", "consensus", "synthesis")


def plain(front_end: FrontEnd, config: TempoConfig) -> nn.Module:
    """One member of the shipped network."""
    return Learnable(Member(front_end, config, HARMONICS))


class Without(nn.Module):
    """A network with one of its inputs set to zero.

    Parameters
    ----------
    map_
        Index of the kind of map that is set to zero; None for none.
    statistics
        Whether the statistics are set to zero.
    """

    def __init__(self, network: nn.Module, map_: int | None = None, statistics: bool = False):
        super().__init__()
        self.network, self.map, self.statistics = network, map_, statistics

    def forward(self, maps: Tensor, statistics: Tensor) -> Tensor:
        if self.map is not None:
            keep = torch.ones(maps.shape[1])
            keep[self.map] = 0
            maps = maps * keep[:, None, None]
        return self.network(maps, statistics * (not self.statistics))


class LinearAxis(nn.Module):
    """The network on a linear tempo axis with as many bins; its input and output are resampled."""

    def __init__(self, front_end: FrontEnd, config: TempoConfig):
        super().__init__()
        # On a linear axis a harmonic is not a fixed shift.
        self.network = without_harmonics(front_end, config)
        grid = config.grid
        tempi = torch.from_numpy(tempo_axis(grid)).float()
        linear = torch.linspace(float(tempi[0]), float(tempi[-1]), grid.n_bins)
        positions = grid.bins_per_octave * (linear / grid.bpm_min).log2()
        spacing = float(linear[1] - linear[0])
        self.to_linear = _hat(positions, grid.n_bins)
        self.to_log = _hat((tempi - linear[0]) / spacing, grid.n_bins)

    def forward(self, maps: Tensor, statistics: Tensor) -> Tensor:
        logits = self.network(maps @ self.to_linear, statistics)
        return logits @ self.to_log


def _hat(positions: Tensor, n: int) -> Tensor:
    """Matrix (n, n_positions) that interpolates n values linearly at `positions` (n_positions,)."""
    distance = (torch.arange(n)[:, None] - positions[None]).abs()
    return (1 - distance).clamp_min(0).float()


def without_harmonics(front_end: FrontEnd, config: TempoConfig) -> nn.Module:
    """A network that sees each tempo without its harmonics."""
    return Learnable(Member(front_end, config, ratios=(1.0,)))


def hierarchical_loss(logits: Tensor, targets: Tensor, bins_per_octave: int) -> Tensor:
    """The loss of the tempo plus the loss of the tempo up to octaves, see `tasks.tempo.loss`."""

    def folded(x: Tensor) -> Tensor:
        return x.unflatten(-1, (-1, bins_per_octave))

    base = torch.logsumexp(folded(logits), dim=-2).log_softmax(dim=-1)
    target = folded(targets.sum(dim=1)).sum(dim=-2)
    return tempo.loss(logits, targets) - (target * base).sum(dim=-1).mean()


Make = Callable[[FrontEnd, TempoConfig], nn.Module]


@dataclass(frozen=True)
class Variant:
    """One row of the table: how network, recipe or loss differ from the shipped ones."""

    name: str
    make: Make = plain
    recipe: Callable[[TempoRecipe], TempoRecipe] = field(default=lambda recipe: recipe)
    hierarchical: bool = False


def _without_source(name: str) -> Callable[[TempoRecipe], TempoRecipe]:
    """A change of a recipe: recordings of a source are not trained on."""

    def change(recipe: TempoRecipe) -> TempoRecipe:
        return replace(recipe, shares=tuple((k, 0.0 if k == name else s) for k, s in recipe.shares))

    return change


VARIANTS = (
    Variant("base"),
    Variant("no autocorrelation", lambda *c: Without(plain(*c), map_=0)),
    Variant("no Fourier transform", lambda *c: Without(plain(*c), map_=1)),
    Variant("no correlation with the bass", lambda *c: Without(plain(*c), map_=2)),
    Variant("no harmonic stacking", without_harmonics),
    Variant("linear tempo axis", LinearAxis),
    Variant("no timbre branch", lambda *c: Without(plain(*c), statistics=True)),
    *(Variant(f"no {name}", recipe=_without_source(name)) for name in SOURCES),
    Variant("no augmentation", recipe=lambda r: replace(r, augment=False)),
    Variant(
        "open octaves from the start",
        recipe=lambda r: replace(r, phases=tuple(replace(p, open_labels=True) for p in r.phases)),
    ),
    Variant(
        "labels as they are to the end",
        recipe=lambda r: replace(r, phases=tuple(replace(p, open_labels=False) for p in r.phases)),
    ),
    Variant("hierarchical head", hierarchical=True),
)


def measure(
    network: nn.Module, recordings: list[Recording], views: list[Views],
    config: TempoConfig,
) -> dict[str, float]:  # fmt: skip
    """Accuracy 1 and 2, and the mean negative log of the mass within 4 % of the label."""

    def run(periodicity: Array, statistics: Array) -> Array:
        with torch.inference_mode():
            logits = network(torch.from_numpy(periodicity), torch.from_numpy(statistics))
        return np.asarray(logits.numpy())

    bpm, masses, grid = [], [], config.grid
    for recording, view in zip(recordings, views, strict=True):
        posterior = posterior_of(run, full_windows(view), config)
        bpm.append(highest(posterior, grid).bpm)
        masses.append(max(1e-3, mass_near(posterior, grid, recording.bpm)))
    reference = [r.bpm for r in recordings]
    return {
        "acc1": acc1(reference, bpm),
        "acc2": acc2(reference, bpm),
        "surprise": float(-np.log(masses).mean()),
    }


@click.command(cls=Command)
@options.data
@options.clips
@options.cache
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder of results.")
@click.option("--only", multiple=True, type=click.Choice([v.name for v in VARIANTS]),
              help="Train this variant only; may be given more than once.")  # fmt: skip
@click.option("--seed", "seeds", multiple=True, type=int, default=(0,), show_default=True)
@click.option("--jobs", default=1, show_default=True, help="Threads.")
def main(
    data: Path,
    clips: Path,
    cache: Path,
    out: Path,
    only: tuple[str, ...],
    seeds: tuple[int, ...],
    jobs: int,
) -> None:
    """Train every variant and print the table."""
    front_end, windows, config = FrontEnd(), Windows(), TempoConfig()
    recordings = [
        *read_songs(data),
        *read_rhythm(data),
        *read_consensus(data),
        *read_clips(clips),
    ]
    views = load_views(recordings, front_end, windows, config.grid, cache, jobs)
    torch.set_num_threads(jobs)
    out.mkdir(parents=True, exist_ok=True)
    train = [i for i, r in enumerate(recordings) if r.split == "train"]
    held_out = {
        source: [
            i for i, r in enumerate(recordings) if r.split == "validation" and r.source == source
        ]
        for source in ("songs", "rhythm")
    }
    digests = [digest_of([recordings[i] for i in part]) for part in (train, *held_out.values())]
    for variant in VARIANTS:
        for seed in seeds:
            if only and variant.name not in only:
                continue
            recipe = variant.recipe(
                TempoRecipe(phases=ABLATION_PHASES, batch=ABLATION_BATCH, seed=seed)
            )
            name = f"{variant.name.replace(' ', '-')}-{seed}"

            def run(
                variant: Variant = variant, recipe: TempoRecipe = recipe, name: str = name
            ) -> dict[str, dict[str, float]]:
                sampler = WindowSampler(
                    [recordings[i] for i in train], [views[i] for i in train], config, recipe
                )
                if variant.hierarchical:
                    sampler.loss = partial(
                        hierarchical_loss, bins_per_octave=config.grid.bins_per_octave
                    )
                make = partial(variant.make, front_end, config)
                network = fit(sampler, make, recipe, out / f"{name}.jsonl")
                return {
                    source: measure(
                        network, [recordings[i] for i in part], [views[i] for i in part], config
                    )
                    for source, part in held_out.items()
                }

            figures = kept(out, name, [asdict(recipe), digests], run)
            text = "  ".join(
                f"{name} {100 * f['acc1']:.1f} / {100 * f['acc2']:.1f}, {f['surprise']:.2f}"
                for name, f in figures.items()
            )
            click.echo(f"{variant.name:32} seed {seed}  {text}")


if __name__ == "__main__":
    main()
