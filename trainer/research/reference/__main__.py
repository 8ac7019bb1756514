"""Train the reference networks and the default one alike, and compare them.

`python -m trainer.research.reference --data … --clips … --cache … --out …`. All learn from the same
recordings: the training splits of songs.tsv and rhythm.tsv and the training clips. All are measured
on the validation splits, on files, as `tempo-core evaluate` does. What is finished is kept in
`--out`, by its arguments: an interrupted run goes on, and no other one is taken for it.
"""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click
import numpy as np
import torch

from tempo_core import checkpoint
from tempo_core.cli.command import Command
from tempo_core.config import FrontEnd, Windows
from tempo_core.estimate import Estimate, Estimator
from tempo_core.tasks.tempo.config import Model, TempoConfig
from tempo_core.tasks.tempo.network import Member

from ... import options
from ...evaluation.metrics import acc1, acc2
from ...files import kept
from ...inputs.recordings import Recording, by_split, digest_of, read_clips, read_rhythm, read_songs
from ...inputs.views import filterbank, load_views
from ...making.tempo import Phase, TempoRecipe, WindowSampler, fit, new_model, together
from ...torch_ops import Learnable
from .estimator import POOLS, ReferenceEstimator
from .networks import REFERENCES, fold
from .training import RandomWindows, ReferenceSettings, cut, load_features, measure_leak, train

DEFAULT_DESIGN = "tempo"  # the network of the package
REFERENCE_PHASES = (Phase(780, 3e-3, False),)
REFERENCE_BATCH = 32
SHARES = dict(ReferenceSettings.shares)


def train_default(
    recordings: Sequence[Recording], cache: Path, out: Path, steps: int | None, seed: int
) -> Path:
    """Train one default network as `trainer.making.tempo` does, and return its file."""
    front_end, windows = FrontEnd(), Windows()
    config = TempoConfig(model=Model(n_members=1))
    phases = tuple(dataclasses.replace(p, steps=steps or p.steps) for p in REFERENCE_PHASES)
    shares = (*SHARES.items(), ("consensus", 0.0))
    recipe = TempoRecipe(phases=phases, batch=REFERENCE_BATCH, seed=seed, shares=shares)
    views = load_views(recordings, front_end, windows, config.grid, cache, jobs=1)
    torch.set_num_threads(1)
    sampler = WindowSampler(recordings, views, config, recipe)
    network = fit(
        sampler,
        lambda: Learnable(Member(front_end, config)),
        recipe,
        out / f"{DEFAULT_DESIGN}.jsonl",
    )
    card = {
        "summary": f"{len(recordings)} recordings, seed {seed}, for comparison only",
        "data_digest": digest_of(recordings),
    }
    model = new_model(front_end, windows, config, together([network], front_end, config))
    return checkpoint.save(out, dataclasses.replace(model, card=card))


def save_reference(out: Path, name: str, network: torch.nn.Module, card: dict[str, Any]) -> Path:
    """Write a model file of a reference network, with the default front end and windows."""
    front_end = FrontEnd()
    header = {
        "task": name,
        "temperature": 1.0,
        "card": card,
        "front_end": front_end.to_dict(),
        "windows": Windows().to_dict(),
    }
    weights = {key: value.numpy() for key, value in network.state_dict().items()}
    return checkpoint.write(out, header, filterbank(front_end), weights)


def train_reference(
    name: str, recordings: Sequence[Recording], cache: Path, out: Path, settings: ReferenceSettings
) -> Path:
    """Train one reference network, and return its file."""
    front_end, windows = FrontEnd(), Windows()
    features = load_features(recordings, front_end, windows, cache)
    source = RandomWindows(recordings, features, front_end, windows, settings)
    network = train(REFERENCES[name], source, front_end, windows, settings)
    card = {
        "summary": f"{len(recordings)} recordings, seed {settings.seed}, for comparison only",
        "data_digest": digest_of(recordings),
        "settings": dataclasses.asdict(settings),
    }
    return save_reference(out, name, network, card)


def measure(
    estimate: Callable[[Path], Estimate], recordings: Sequence[Recording]
) -> dict[str, float]:
    """Accuracies, errors and computing time on files, one at a time in one thread."""
    estimate(recordings[0].path)  # what is done once only is not part of the time
    started = time.monotonic()
    found = np.array([estimate(r.path).bpm for r in recordings])
    seconds = (time.monotonic() - started) / len(recordings)
    label = np.array([r.bpm for r in recordings])
    folded = [fold(torch.from_numpy(x)).numpy() for x in (label, found)]
    return {
        "n": len(recordings),
        "acc1": acc1(label, found),
        "acc2": acc2(label, found),
        "mean_error": float(np.abs(found - label).mean()),
        "median_error": float(np.median(np.abs(found - label))),
        "folded_acc1": acc1(*folded),
        "folded_mean_error": float(np.abs(folded[1] - folded[0]).mean()),
        "seconds": seconds,
    }


def n_parameters(path: Path) -> int:
    """Number of weights in a model file, without those that only count batches."""
    weights = checkpoint.read(path).weights
    running = ("running_mean", "running_var", "num_batches_tracked")
    return sum(w.size for name, w in weights.items() if not name.endswith(running))


@click.command(cls=Command)
@options.data
@options.clips
@options.cache
@click.option("--features", type=click.Path(path_type=Path),
              help="Folder for spectrograms; by default one in --cache.")  # fmt: skip
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder of results.")
@click.option("--only", multiple=True, type=click.Choice([DEFAULT_DESIGN, *REFERENCES, "leak"]),
              help="Do this only; may be given more than once.")  # fmt: skip
@click.option("--steps", type=int, help="For trying things out.")
@click.option("--seed", default=0, show_default=True)
def main(
    data: Path, clips: Path, cache: Path, features: Path | None, out: Path, only: tuple[str, ...],
    steps: int | None, seed: int,
) -> None:  # fmt: skip
    """Train the reference networks and the default one alike, and compare them."""
    torch.set_num_threads(1)
    out.mkdir(parents=True, exist_ok=True)
    features = features or cache / "features"
    labelled = [*read_songs(data), *read_rhythm(data)]
    recordings = by_split([*labelled, *read_clips(clips)], "train")
    held_out = {
        source: [r for r in by_split(labelled, "validation") if r.source == source]
        for source in ("songs", "rhythm")
    }
    settings = ReferenceSettings(seed=seed)
    if steps is not None:
        settings = dataclasses.replace(settings, steps=steps)
    measured = [digest_of(rs) for rs in held_out.values()]
    arguments = [dataclasses.asdict(settings), steps, digest_of(recordings), measured]
    for name in only or (DEFAULT_DESIGN, *REFERENCES, "leak"):
        if name == "leak":
            leak = kept(
                out, f"{name}-{seed}", arguments, lambda: _leak(labelled, features, settings)
            )
            click.echo(f"leak: {json.dumps(leak)}")
            continue

        def run(name: str = name) -> dict[str, Any]:
            started = time.monotonic()
            if name == DEFAULT_DESIGN:
                file = train_default(recordings, cache, out, steps, seed)
            else:
                file = train_reference(name, recordings, features, out, settings)
            minutes = (time.monotonic() - started) / 60
            figures: dict[str, Any] = {
                "file": file.name, "parameters": n_parameters(file), "minutes": round(minutes, 1),
            }  # fmt: skip
            for pool in POOLS if name != DEFAULT_DESIGN else ("mean",):
                estimator = (
                    Estimator(file, "all")
                    if name == DEFAULT_DESIGN
                    else ReferenceEstimator(file, pool=pool)
                )
                figures[pool] = {s: measure(estimator.estimate, rs) for s, rs in held_out.items()}
            return figures

        figures = kept(out, f"{name}-{seed}", arguments, run)
        click.echo(f"{name}: {json.dumps(figures)}")


def _leak(
    labelled: Sequence[Recording], features: Path, settings: ReferenceSettings
) -> dict[str, Any]:
    front_end, windows = FrontEnd(), Windows()
    sides = []
    for split in ("train", "validation"):
        recordings = by_split(labelled, split)
        loaded = load_features(recordings, front_end, windows, features)
        sides.append(cut(recordings, loaded, front_end, windows))
    plain = dataclasses.replace(settings, augment=False)
    leak = measure_leak(REFERENCES["convblocks"], sides[0], sides[1], front_end, windows, plain)
    return dataclasses.asdict(leak)


if __name__ == "__main__":
    main()
