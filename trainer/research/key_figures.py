"""How good the shipped key model is in use: `python -m trainer.research.key_figures --help`.

On the keyed songs of a split, through the estimator as users run it: the figures, those of a
chromagram with Krumhansl's profiles, how well the confidence holds, and what a recording costs that
is out of tune or whose last third is in another key. Then what it says of sounds that have no key.
The figures of the five folds are those on the model's card, from when it was made.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import click
import numpy as np
import scipy.signal
from numpy.typing import NDArray

from tempo_core import checkpoint
from tempo_core.audio import read_excerpts
from tempo_core.cli.command import Command
from tempo_core.config import HarmonyFrontEnd
from tempo_core.estimate import Estimator
from tempo_core.excerpts import Excerpt
from tempo_core.keys import Key, parse_key
from tempo_core.tasks.key.decode import Tonality, key_of

from .. import options
from ..evaluation.keys import key_score, measure_keys
from ..evaluation.metrics import expected_calibration_error
from ..inputs.harmony import features_of
from ..synthesis.key_profiles import PROFILES, chroma, key_of_profile
from .without_key import sounds

Audio = NDArray[np.float32]

CENTS = (-40, -20, 20, 40)
INTERVALS = tuple(k for k in range(-5, 7) if k)
# [semitones] from the middle between two semitones, within which both keys are as good.
UNDECIDED = 0.03


def faster(audio: Audio, semitones: float) -> Audio:
    """Audio played faster, so that it is so many semitones higher."""
    return np.asarray(
        scipy.signal.resample(audio, round(len(audio) / 2 ** (semitones / 12))), np.float32
    )


def with_another_end(audio: Audio, semitones: float) -> Audio:
    """Audio whose last third is so many semitones higher."""
    cut = len(audio) * 2 // 3
    return np.concatenate([audio[:cut], faster(audio[cut:], semitones)])


def report(name: str, keys: Sequence[Key], found: Sequence[Key | None]) -> None:
    """Print a line of figures."""
    metrics = measure_keys(keys, found)
    relations = ", ".join(f"{relation} {n}" for relation, n in metrics.relations.items())
    click.echo(
        f"{name}: weighted {metrics.weighted:.3f}, exact {metrics.exact:.3f} of {metrics.n}; "
        f"{relations}"
    )


def as_it_sounds(key: Key, tuning: float, found: Key | None) -> Key:
    """The key of music whose tuning [semitones from A 440] puts it nearest to another.

    Halfway between two of them it is the one that was found.
    """
    whole = round(tuning)
    nearest = Key((key.pitch_class + whole) % 12, key.minor)
    if 0.5 - abs(tuning - whole) > UNDECIDED:
        return nearest
    other = Key((nearest.pitch_class + (1 if tuning > whole else -1)) % 12, key.minor)
    return max(nearest, other, key=lambda one: key_score(one, found))


@click.command(cls=Command)
@options.data
@click.option("--split", default="validation", show_default=True, help="Of songs.tsv; or all.")
@click.option("--model", default="default", show_default=True, help="Model file.")
@click.option("--worst", default=0, show_default=True, help="Show so many of the surest errors.")
def main(data: Path, split: str, model: str, worst: int) -> None:
    """Measure the key model on the songs of a split, and on sounds without a key."""
    estimator, front_end = Estimator(tasks=("key",), models={"key": model}), HarmonyFrontEnd()
    loaded = checkpoint.load(checkpoint.resolve(model, "key"), "key")
    for name, figures in loaded.card["figures"].items():
        click.echo(f"when it was made, {name}: {figures}")
    with (data / "songs.tsv").open(newline="", encoding="utf-8") as file:
        rows = [
            (row, data / row["file"], key)
            for row in csv.DictReader(file, delimiter="\t")
            if split in (row["split"], "all") and (key := parse_key(row["key"]))
        ]
    paths, keys = [path for _, path, _ in rows], [key for _, _, key in rows]
    answers: list[Tonality] = [estimator.results(path)["key"] for path in paths]
    report("in use", keys, [answer.key for answer in answers])
    right = [answer.key == key for answer, key in zip(answers, keys, strict=True)]
    error = expected_calibration_error([answer.confidence for answer in answers], right)
    click.echo(f"expected calibration error {error:.3f}")
    wrong = [(a.confidence, row, a) for (row, _, k), a in zip(rows, answers, strict=True)
             if a.key != k]  # fmt: skip
    for confidence, row, answer in sorted(wrong, key=lambda one: -one[0])[:worst]:
        click.echo(f"  {row['artist']}, {row['title']}: {row['key']}, found "
                   f"{key_of(int(answer.posterior.argmax()))} at {confidence:.2f}")  # fmt: skip
    krumhansl = PROFILES["krumhansl"]
    chromas = [chroma(features_of(path, front_end), front_end) for path in paths]
    found = [key_of_profile(weights, krumhansl) for weights in chromas]
    report("chromagram and Krumhansl's profiles", keys, [*found])
    sr = front_end.sr
    pieces = [np.concatenate([e.audio for e in read_excerpts(p, sr, None)]) for p in paths]

    def asked(audio: Audio) -> Tonality:
        tonality: Tonality = estimator._from_excerpts([Excerpt(audio, 0.0)])["key"]
        return tonality

    def changed(change: Callable[[Audio], Audio]) -> list[Key | None]:
        return [asked(change(piece)).key for piece in pieces]

    tunings = np.array([answer.tuning for answer in answers])
    click.echo(
        f"{int((np.abs(tunings) > 0.1).sum())} of {len(keys)} are off A 440 by over 10 cents"
    )
    for cents in CENTS:
        moved = changed(partial(faster, semitones=cents / 100))
        report(f"{cents:+} cents, as labelled", keys, moved)
        heard = [as_it_sounds(k, t + cents / 100, f)
                 for k, t, f in zip(keys, tunings.tolist(), moved, strict=True)]  # fmt: skip
        report(f"{cents:+} cents, by the nearest semitone", heard, moved)
    shares = []
    for semitones in INTERVALS:
        kept = changed(partial(with_another_end, semitones=semitones))
        shares.append(sum(a == b.key for a, b in zip(kept, answers, strict=True)))
        click.echo(f"last third {semitones:+} semitones: {shares[-1]} of {len(keys)} keep theirs")
    click.echo(f"last third by any interval: {np.mean(shares) / len(keys):.3f} keep theirs")
    without(data, estimator, sr, worst)


def without(data: Path, estimator: Estimator, sr: int, worst: int) -> None:
    """Print what the model says of sounds that have no key."""
    said: dict[str, list[tuple[float, str, Key | None]]] = defaultdict(list)
    for kind, name, audio in sounds(data, sr):
        if not audio.any():  # silence is refused before a task is asked
            said[kind].append((0.0, name, None))
            continue
        tonality: Tonality = estimator._from_excerpts([Excerpt(audio, 0.0)])["key"]
        said[kind].append((tonality.confidence, name, tonality.key))
    for kind, answers in said.items():
        claimed = sorted((a for a in answers if a[2] is not None), key=lambda a: -a[0])
        click.echo(
            f"{kind}: {len(claimed)} of {len(answers)} are given a key, "
            f"median confidence {np.median([a[0] for a in answers]):.2f}, "
            f"highest {max(a[0] for a in answers):.2f}"
        )
        for confidence, name, key in claimed[:worst]:
            click.echo(f"  {name}: {key} at {confidence:.2f}")


if __name__ == "__main__":
    main()
