"""Folds over all real recordings: `python -m trainer.research.tempo_folds --help`.

The validation splits are small, so a song decides more than a point there. Here every labelled
recording of songs, rhythm games and charts is answered by a model that learned from none of its
artist, trained as the shipped one is. What was trained is kept in `--out`, so an interrupted run
goes on, and several runs may share the work (`--only`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import click
import torch
from tqdm import tqdm

from tempo_core import task
from tempo_core.cli.command import Command
from tempo_core.config import FrontEnd, Windows
from tempo_core.tasks.tempo.config import TempoConfig
from tempo_core.tasks.tempo.row import TASK

from .. import options
from ..evaluation.answers import ANSWERS_TABLE, Answer, write_answers
from ..evaluation.calibration import calibrate
from ..evaluation.figures import by_key, figures_of
from ..evaluation.labelled import labelled
from ..evaluation.measuring import Metrics, measure
from ..evaluation.metrics import right
from ..inputs.hearing import hear_file
from ..inputs.recordings import (
    TRAINING_KINDS,
    Recording,
    artist_of,
    by_split,
    read_charts,
    read_clips,
    read_consensus,
    read_rhythm,
    read_songs,
)
from ..inputs.views import load_views
from ..learning.prior import folds_of
from ..making.tempo import (
    TempoRecipe,
    WindowSampler,
    fit_member,
    new_model,
    octave_trust,
    score_recording,
    together,
)

FAST = 165.0  # [BPM] from here on people often count at half


def group_of(recording: Recording) -> str:
    """What must not be in two folds: the artist, or the song where only that is known."""
    return artist_of(recording) or f"{recording.source.partition(':')[0]} {recording.group}"


def line(name: str, metrics: Metrics) -> str:
    """A row of the table: Accuracy 1 with its interval, Accuracy 2, precision, calibration."""
    low, high = (f"{100 * share:.0f}" for share in metrics.acc1_interval)
    return (
        f"| {name} | {metrics.n} | {100 * metrics.acc1:.1f} ({low} to {high}) | "
        f"{100 * metrics.acc2:.1f} | {100 * metrics.within_0_1_bpm:.1f} | {metrics.ece:.3f} |"
    )


def table(answers: Sequence[Answer]) -> list[str]:
    """Figures per set, trust and kind of chart, and of fast music, as a table in Markdown."""
    figures = figures_of(answers)[answers[0].estimator]
    charts = [a for a in answers if a.set.startswith("charts")]
    fast = [a for a in answers if a.bpm >= FAST]
    parts = {
        "all": figures.all,
        **figures.sets,
        **{f"charts, {kind}": measure(part)
           for kind, part in sorted(by_key(charts, lambda a: a.genre).items())},
        **({f"labelled at {FAST:.0f} and more": measure(fast)} if fast else {}),
    }  # fmt: skip
    return [
        "| | recordings | Accuracy 1 | Accuracy 2 | within 0.1 BPM | calibration error |",
        "|---|---:|---:|---:|---:|---:|",
        *(line(name, metrics) for name, metrics in parts.items()),
    ]


@click.command(cls=Command)
@options.data
@options.clips
@options.cache
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder of results.")
@click.option("--folds", default=5, show_default=True)
@click.option("--only", type=int, multiple=True, help="Train this fold only; no figures then.")
@click.option("--steps", type=int, help="Of each phase; for trying things out.")
@click.option("--dropout", default=TempoConfig().model.dropout, show_default=True,
              help="Share of values that are dropped in training.")  # fmt: skip
@click.option("--members", default=1, show_default=True, help="Networks in each fold.")
@click.option("--seed", default=0, show_default=True, help="Of the folds and the first network.")
@click.option("--jobs", default=2, show_default=True, help="Processes and threads.")
def main(
    data: Path,
    clips: Path,
    cache: Path,
    out: Path,
    folds: int,
    only: tuple[int, ...],
    steps: int | None,
    dropout: float,
    members: int,
    seed: int,
    jobs: int,
) -> None:
    """Train in folds, answer every recording by a model of the other folds, print the figures."""
    front_end, windows, config = FrontEnd(), Windows(), TempoConfig()
    real = [*read_songs(data), *read_rhythm(data), *read_charts(data)]
    fold_of = folds_of([group_of(r) for r in real], seed, folds)
    others = [*read_consensus(data), *by_split(read_clips(clips), "train")]
    both = [*real, *others]
    views = load_views(both, front_end, windows, config.grid, cache, jobs)
    torch.set_num_threads(jobs)
    out.mkdir(parents=True, exist_ok=True)
    config = replace(config, model=replace(config.model, n_members=members, dropout=dropout))
    recipe = TempoRecipe()
    if steps is not None:
        recipe = replace(recipe, phases=tuple(replace(p, steps=steps) for p in recipe.phases))
    models = {}
    for fold in only or range(folds):
        chosen = [k for k in range(len(both)) if k >= len(real) or fold_of[k] != fold]
        learned = [both[k] for k in chosen]
        sampler = WindowSampler(learned, [views[k] for k in chosen], config, recipe)
        networks = [
            fit_member(sampler, front_end, replace(recipe, seed=s), out)
            for s in range(seed, seed + members)
        ]
        models[fold] = new_model(front_end, windows, config, together(networks, front_end, config))
    if only:
        return
    asked = [(r, f) for r, f in zip(real, fold_of, strict=True) if r.genre not in TRAINING_KINDS]
    scored = {r.path: score_recording(r.path, models[f]) for r, f in tqdm(asked, desc="listening")}
    answers = []
    for fold, model in models.items():
        # The temperature is fitted on the answers of the other folds.
        rest = [r for r, f in asked if f != fold]
        warm = calibrate(rest, [scored[r.path] for r in rest], model.config, octave_trust(rest))
        used = replace(model, temperature=warm)
        for recording in (r for r, f in asked if f == fold):
            heard = hear_file(recording.path, used)
            found = task.answer(TASK, task.ask(TASK, heard, {}, used), heard, {}, used)
            known = vars(labelled(recording))
            answers.append(
                Answer(**known, estimator="folds", estimate=found.bpm, confidence=found.confidence)
            )
    write_answers(out / ANSWERS_TABLE, answers)
    for row in table(answers):
        click.echo(row)
    click.echo(f"{int(right(answers).sum())} of {len(answers)} right")


if __name__ == "__main__":
    main()
