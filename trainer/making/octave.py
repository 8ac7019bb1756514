"""Learn the octave of the tempo model anew: `python -m trainer.making.octave --help`.

What a member of the model makes of the bands stays as it is, so every recording goes through that
part once. What follows is learned from all recordings, beginning from the weights there are: how
the multiples of a tempo together say its rate, and the prior over its octaves. That takes minutes,
where `trainer.making.tempo`, which learns all of it, takes a quarter of an hour for each member.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

import click
import numpy as np
import torch

from tempo_core import checkpoint
from tempo_core.cli.command import Command
from tempo_core.config import FrontEnd
from tempo_core.model import Checkpoint
from tempo_core.network import Network, Ops
from tempo_core.network.layers import Layer
from tempo_core.network.ops import Array
from tempo_core.tasks.tempo.config import TempoConfig
from tempo_core.tasks.tempo.network import Member

from .. import options
from ..inputs.cache import Views
from ..inputs.recordings import Recording
from ..inputs.views import load_views
from ..torch_ops import Learnable, tensors
from .tempo import Phase, TempoRecipe, WindowSampler, calibrated, fit, read_all, validation

OCTAVE_RECIPE = TempoRecipe(phases=(Phase(600, 1e-3, True),), average=0.99, banded=False)


class Head(Member):
    """What follows of a member after its bands are pooled.

    Its first input is what `Member.pool_bands` returns, as a map (batch, 1, channels, n_bins).
    """

    def __init__(self, front_end: FrontEnd, config: TempoConfig):
        super().__init__(front_end, config)
        self.layers: dict[str, Layer] = {
            name: layer for name, layer in self.layers.items()
            if not name.startswith(("blocks.", "bands."))
        }  # fmt: skip

    def find_rate(self, ops: Ops, periodicity: Array) -> tuple[Array, Array]:
        """Logits without the prior, and the rhythm summary, as of `Member.find_rate`."""
        return self.rate_of(ops, periodicity[:, 0])


def member_of(model: Checkpoint[TempoConfig], k: int) -> Network:
    """Member `k` of a model, as a network of its own."""
    prefix = f"members.{k}."
    weights = {
        name.removeprefix(prefix): value
        for name, value in model.network.weights.items()
        if name.startswith(prefix)
    }
    return Network(Member(model.front_end, model.config), weights)


def pooled(views: Sequence[Views], member: Network) -> list[Views]:
    """The same views after the part of a member that stays, for a `Head`.

    Beyond the ends of the axis there is more of it here, where in use there is nothing; that is
    some bins below 22 and above 570 BPM.
    """
    definition = member.definition
    assert isinstance(definition, Member)
    found = []
    for one in views:
        maps = np.asarray(one.maps, np.float32)
        channels = definition.pool_bands(member.ops, maps)
        found.append(replace(one, maps=channels[:, None].astype(np.float16)))
    return found


def begin(member: Network, front_end: FrontEnd, config: TempoConfig) -> Learnable:
    """The part of a member that is learned, with the weights it has."""
    head = Learnable(Head(front_end, config))
    known = head.state_dict()
    head.load_state_dict({**known, **tensors({n: member.weights[n] for n in _weights(known)})})
    return head


def _weights(state: dict[str, torch.Tensor]) -> list[str]:
    """Names of the weights in a module's state, without torch's counters of batches."""
    return [name for name in state if not name.endswith("num_batches_tracked")]


@click.command(cls=Command)
@options.data
@options.clips
@options.cache
@click.option("--model", default="shipped", show_default=True, help="Name or path to begin from.")
@click.option("--out", type=click.Path(path_type=Path), required=True,
              help="Folder for the model and its training log.")  # fmt: skip
@click.option("--steps", type=int, help="For trying things out.")
@click.option("--seed", default=0, show_default=True, help="Of the first member.")
@click.option("--jobs", default=2, show_default=True, help="Processes and threads.")
def main(
    data: Path,
    clips: Path,
    cache: Path,
    model: str,
    out: Path,
    steps: int | None,
    seed: int,
    jobs: int,
) -> None:
    """Learn, calibrate on the validation split, and write a model file."""
    start = checkpoint.load(checkpoint.resolve(model))
    config, recipe = start.config, OCTAVE_RECIPE
    if steps is not None:
        recipe = replace(recipe, phases=tuple(replace(p, steps=steps) for p in recipe.phases))
    trained_on, held_out = read_all(data, clips)
    both = [*trained_on, *held_out]
    views = load_views(both, start.front_end, start.windows, config.grid, cache, jobs)
    torch.set_num_threads(jobs)
    out.mkdir(parents=True, exist_ok=True)
    weights = dict(start.network.weights)
    for k in range(config.model.n_members):
        head = _learn(start, k, replace(recipe, seed=seed + k), (trained_on, held_out), views, out)
        found = head.state_dict()
        weights |= {f"members.{k}.{name}": found[name].numpy() for name in _weights(found)}
    network = Network(start.network.definition, weights)
    card = {
        "summary": f"{start.name}'s octave from {len(trained_on)} recordings",
        "begun_from": start.hash,
        "recipe": asdict(recipe),
    }
    path = calibrated(
        replace(start, network=network, temperature=1.0), trained_on, held_out, card, out
    )
    click.echo(f"{path} ({path.stat().st_size / 1e3:.0f} kB)")


def _learn(
    start: Checkpoint[TempoConfig],
    k: int,
    recipe: TempoRecipe,
    recordings: tuple[Sequence[Recording], Sequence[Recording]],
    views: Sequence[Views],
    out: Path,
) -> Learnable:
    """The learned part of member `k`; the recordings are those to learn from and those held out."""
    trained_on, held_out = recordings
    member = member_of(start, k)
    kept = pooled(views, member)
    validate = validation(held_out, kept[len(trained_on) :], start.config, recipe.weighed)
    sampler = WindowSampler(trained_on, kept[: len(trained_on)], start.config, recipe)
    log = out / f"octave-{recipe.seed}.jsonl"
    return fit(sampler, lambda: begin(member, start.front_end, start.config), recipe, log, validate)


if __name__ == "__main__":
    main()
