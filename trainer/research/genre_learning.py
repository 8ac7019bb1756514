"""Learning how somebody counts by genre: `python -m trainer.research.genre_learning`.

An imagined person counts hip-hop twice as fast, drum and bass half as fast, and all else as it is
labelled; another one counts as labelled throughout. Recordings whose genre is known are divided
into five folds by artist. Labels are drawn from four of them, and the model is measured on the
fifth, there on recordings that the model has not learned from either:

- `known`: genres are known while learning and in use;
- `withheld`: the same models, but the genres are not known in use, which is the same as learning
  without genres;
- `shuffled`: every recording has the genre of another one, while learning and in use;
- `wrong`: learned with the right genres, but in use every recording has that of another one.

Finished draws are stored in `--out`, so an interrupted run continues.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

import click
import numpy as np
import torch

from tempo_core import checkpoint, in_use
from tempo_core.cli.command import Command
from tempo_core.genres import families_of

from .. import options
from ..evaluation.metrics import acc1, acc2, bootstrap_interval
from ..files import kept, read_tsv
from ..inputs.recordings import Recording, digest_of, read_clips, read_songs
from ..learning import guard as guards
from ..learning.compare import guard_answers
from ..learning.frozen import Model
from ..learning.guard import Guard
from ..learning.prior import folds_of
from ..learning.prior_fitting import PriorRecipe, adapt
from .learning_curve import CurveTrack, answers, counted, hear, with_genres

LABEL_COUNTS = (50, 100, 200)
WAYS = ("known", "withheld", "shuffled", "wrong")


def read_charts_with_genre(folder: Path) -> list[Recording]:
    """The recordings of `charts.tsv` that have a genre and a label that the audio supports.

    Some genres are of a whole catalogue; the table marks them by a tilde.
    """
    return [
        Recording(
            folder / row["file"], "charts", ((float(row["bpm"]), 1.0),), row["split"],
            row["artist"] or row["file"], genre=row["genre"].lstrip("~"),
        )
        for row in read_tsv(folder / "charts.tsv")
        if row["genre"] and not row["doubtful"]
    ]  # fmt: skip


def read_drum_and_bass(folder: Path) -> list[Recording]:
    """Rendered clips of drum and bass, of which there are hardly any recordings."""
    clips = [r for r in read_clips(folder) if r.source == "synthesis:dnb"]
    return [replace(r, genre="drum and bass", split="test") for r in clips]


def by_genre(recording: Recording) -> float:
    """The tempo [BPM] with hip-hop counted twice as fast and drum and bass half as fast."""
    families, bpm = families_of(recording.genre), recording.bpm
    if "hip hop" in families and bpm < 100:
        return 2 * bpm
    return bpm / 2 if "drum and bass" in families and bpm > 120 else bpm


def as_labelled(recording: Recording) -> float:
    """The tempo [BPM] of the label."""
    return recording.bpm


PERSONS: Mapping[str, Callable[[Recording], float]] = {"genre": by_genre, "plain": as_labelled}


def is_unheard(recording: Recording, base: Model) -> bool:
    """Whether a model has not learned from a recording, by the sources on its card."""
    learned_from = base.card.get("data", {})
    return recording.split != "train" or recording.source.partition(":")[0] not in learned_from


def one_fold(
    tracks: Sequence[CurveTrack], fold: int, n_labels: int, seed: int, base: Model, guard: Guard
) -> dict[str, Any]:
    """Answers [BPM] for the unheard tracks of one fold, by each way, learned from the others.

    Tracks have the labels of the imagined person. The entry `guard` has the share of the guard set
    whose rate is found.
    """
    folds = np.array(folds_of([t.recording.group for t in tracks], seed))
    rng = np.random.default_rng([seed, n_labels, fold])
    drawn = rng.permutation(np.flatnonzero(folds != fold))[:n_labels].tolist()
    own = np.flatnonzero(folds == fold).tolist()
    measured = [k for k in own if is_unheard(tracks[k].recording, base)]
    true = [t.recording.genre for t in tracks]
    other = [true[k] for k in rng.permutation(len(true)).tolist()]
    nothing = [""] * len(true)
    recipe, replayed = PriorRecipe(seed=seed), guard.part(replay=True)

    def learn(genres: Sequence[str]) -> Model:
        told = with_genres(tracks, genres)
        return adapt(base, [told[k] for k in drawn], replayed, recipe)

    def ask(model: Model, genres: Sequence[str]) -> list[float]:
        told = with_genres(tracks, genres)
        return answers([told[k] for k in measured], model)

    knowing = learn(true)
    found = {
        "known": ask(knowing, true),
        "withheld": ask(knowing, nothing),
        "shuffled": ask(learn(other), other),
        "wrong": ask(knowing, other),
    }
    compared = guard.part(replay=False)
    return {
        "measured": measured,
        **found,
        "guard": acc2(compared.bpm, guard_answers(compared, knowing)),
        "genres": list(knowing.config.genres),
    }


def line(
    name: str, recordings: Sequence[Recording], plain: Sequence[float], bpm: Sequence[float]
) -> str:
    """Accuracy 1 of answers [BPM]: of all, of what the person counts otherwise, and of the rest.

    Parameters
    ----------
    plain
        Tempi [BPM] as labelled, by which it is seen what the person counts otherwise.
    """
    right = np.array([acc1([r.bpm], [one]) for r, one in zip(recordings, bpm, strict=True)])
    otherwise = np.array(
        [abs(r.bpm / one - 1) > 0.01 for r, one in zip(recordings, plain, strict=True)]
    )
    low, high = bootstrap_interval(right, [r.group for r in recordings])
    parts = [f"{100 * right.mean():.1f} ({100 * low:.1f}-{100 * high:.1f})"]
    if otherwise.any():
        parts.append(f"counted otherwise {100 * right[otherwise].mean():.1f} of {otherwise.sum()}")
    parts.append(f"alike {100 * right[~otherwise].mean():.1f} of {(~otherwise).sum()}")
    return f"{name}: {', '.join(parts)}"


@click.command(cls=Command)
@click.option("--data", type=click.Path(exists=True, file_okay=False, path_type=Path),
              required=True, help="Folder with songs.tsv and charts.tsv.")  # fmt: skip
@click.option("--clips", type=click.Path(exists=True, file_okay=False, path_type=Path),
              required=True, help="Folder with rendered clips of drum and bass.")  # fmt: skip
@options.cache
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder of results.")
@click.option("--only", type=click.Choice(list(PERSONS)), multiple=True,
              help="This person only.")  # fmt: skip
@click.option("--labels", type=int, multiple=True, default=LABEL_COUNTS, show_default=True)
@click.option("--draws", default=3, show_default=True, help="Of labels and folds.")
@click.option("--model", default=in_use.SHIPPED, show_default=True, help="To learn from.")
def main(
    data: Path, clips: Path, cache: Path, out: Path, only: tuple[str, ...],
    labels: tuple[int, ...], draws: int, model: str,
) -> None:  # fmt: skip
    """Draw, learn, measure; print the shares of right answers."""
    base = checkpoint.load(checkpoint.resolve(model))
    guard = guards.load(base)
    out.mkdir(parents=True, exist_ok=True)
    recordings = [*read_songs(data), *read_charts_with_genre(data), *read_drum_and_bass(clips)]
    genres = [r.genre for r in recordings]
    arguments = [base.source, digest_of(recordings), genres, asdict(PriorRecipe())]
    torch.set_num_threads(1)

    @functools.cache
    def heard() -> list[CurveTrack]:
        path = out / f"heard-{base.hash}-{digest_of(recordings)}.safetensors"
        return hear(recordings, base, cache, 1, path)

    def of_fold(person: str, n_labels: int, seed: int, fold: int) -> dict[str, Any]:
        tracks = counted(heard(), PERSONS[person])
        return one_fold(tracks, fold, n_labels, seed, base, guard)

    unheard = [k for k, r in enumerate(recordings) if is_unheard(r, base)]
    for person in only or PERSONS:
        told = [replace(r, tempi=((PERSONS[person](r), 1.0),)) for r in recordings]
        before = answers([heard()[k] for k in unheard], base)
        plain = [recordings[k].bpm for k in unheard]
        click.echo(f"{person} 0 {line('shipped', [told[k] for k in unheard], plain, before)}")
        for n_labels in labels:
            results = [
                [
                    kept(out, f"{person}-{n_labels}-{seed}-{fold}", arguments,
                         partial(of_fold, person, n_labels, seed, fold))
                    for fold in range(5)
                ]
                for seed in range(draws)
            ]  # fmt: skip
            rows = [k for folds in results for one in folds for k in one["measured"]]
            for way in WAYS:
                bpm = [b for folds in results for one in folds for b in one[way]]
                text = line(way, [told[k] for k in rows], [recordings[k].bpm for k in rows], bpm)
                click.echo(f"{person} {n_labels} {text}")
            rates = [100 * one["guard"] for folds in results for one in folds]
            lowest = f"lowest {min(rates):.1f}"
            click.echo(f"{person} {n_labels} guard rate {np.mean(rates):.1f} ({lowest})")


if __name__ == "__main__":
    main()
