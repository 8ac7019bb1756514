"""How good the shipped key model is in use: `python -m trainer.research.key_figures --help`.

On the keyed songs of a split, through the estimator as users run it: the figures, those of a
chromagram with Krumhansl's profiles, how well the confidence holds, and what a recording that is
out of tune or whose last third is in another key costs.
"""

from __future__ import annotations

import csv
from collections.abc import Callable
from functools import partial
from pathlib import Path

import click
import numpy as np
import scipy.signal
from numpy.typing import NDArray

from tempo_core.audio import read_excerpts
from tempo_core.cli.command import Command
from tempo_core.config import HarmonyFrontEnd
from tempo_core.estimate import Estimator
from tempo_core.excerpts import Excerpt
from tempo_core.keys import Key, parse_key
from tempo_core.tasks.key.decode import Tonality

from .. import options
from ..evaluation.keys import measure_keys
from ..evaluation.metrics import expected_calibration_error
from ..inputs.harmony import features_of
from ..synthesis.key_profiles import PROFILES, chroma, key_of_profile

Audio = NDArray[np.float32]


def faster(audio: Audio, semitones: float) -> Audio:
    """Audio played faster, so that it is so many semitones higher."""
    return np.asarray(
        scipy.signal.resample(audio, round(len(audio) / 2 ** (semitones / 12))), np.float32
    )


def with_another_end(audio: Audio, semitones: float) -> Audio:
    """Audio whose last third is so many semitones higher."""
    cut = len(audio) * 2 // 3
    return np.concatenate([audio[:cut], faster(audio[cut:], semitones)])


def report(name: str, keys: list[Key], found: list[Key | None]) -> None:
    """Print a line of figures."""
    metrics = measure_keys(keys, found)
    relations = ", ".join(f"{relation} {n}" for relation, n in metrics.relations.items())
    click.echo(
        f"{name}: weighted {metrics.weighted:.3f}, exact {metrics.exact:.3f} of {metrics.n}; "
        f"{relations}"
    )


@click.command(cls=Command)
@options.data
@click.option("--split", default="validation", show_default=True, help="Of songs.tsv.")
def main(data: Path, split: str) -> None:
    """Measure the key model on the songs of a split."""
    estimator, front_end = Estimator(tasks=("key",)), HarmonyFrontEnd()
    with (data / "songs.tsv").open(newline="", encoding="utf-8") as file:
        rows = [
            (data / row["file"], key)
            for row in csv.DictReader(file, delimiter="\t")
            if row["split"] == split and (key := parse_key(row["key"]))
        ]
    keys = [key for _, key in rows]
    answers: list[Tonality] = [estimator.results(path)["key"] for path, _ in rows]
    report("in use", keys, [answer.key for answer in answers])
    right = [answer.key == key for answer, key in zip(answers, keys, strict=True)]
    error = expected_calibration_error([answer.confidence for answer in answers], right)
    click.echo(f"expected calibration error {error:.3f}")
    krumhansl = PROFILES["krumhansl"]
    chromas = [chroma(features_of(path, front_end), front_end) for path, _ in rows]
    found = [key_of_profile(weights, krumhansl) for weights in chromas]
    report("chromagram and Krumhansl's profiles", keys, [*found])
    sr = front_end.sr
    pieces = [np.concatenate([e.audio for e in read_excerpts(p, sr, None)]) for p, _ in rows]

    def changed(change: Callable[[Audio], Audio]) -> list[Key | None]:
        heard = ([Excerpt(change(piece), 0.0)] for piece in pieces)
        return [estimator._from_excerpts(excerpts)["key"].key for excerpts in heard]

    for cents in (-40, 40):
        report(f"{cents:+} cents", keys, changed(partial(faster, semitones=cents / 100)))
    for semitones in (-5, -2, 1, 2):
        kept = changed(partial(with_another_end, semitones=semitones))
        same = sum(a == b.key for a, b in zip(kept, answers, strict=True))
        click.echo(f"last third {semitones:+} semitones: {same} of {len(keys)} keep their answer")


if __name__ == "__main__":
    main()
