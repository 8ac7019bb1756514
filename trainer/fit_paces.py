"""Weights of the evidence for paces: `python -m trainer.fit_paces --data DIR`.

Logistic regression on songs whose tempo and alternative tempi (published, or plausible to a
listener) are known. Those are compatible; other candidates count as not, but for half and double of
the tempo: most music can be moved to at those, and that nobody published it says nothing. It prints
the constants of `tempo_core.paces` and how well they do on the validation split.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import click
import joblib
import numpy as np
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from tempo_core import checkpoint
from tempo_core.audio import read_excerpts
from tempo_core.checkpoint import Checkpoint
from tempo_core.estimate import analyse, excerpt_features, posterior
from tempo_core.paces import SAME, candidates, evidence, pulse_strength

from .dataset import Recording, by_split, read_songs

RIDGE = 1e-2  # keeps weights finite where a feature separates perfectly


@dataclass(frozen=True)
class Judged:
    """One candidate of a song: evidence with a leading 1, and what is known of it."""

    evidence: tuple[float, ...]
    compatible: bool
    labelled: bool  # it is the tempo people count


def judged_candidates(recording: Recording, model: Checkpoint) -> list[Judged]:
    """All candidates of a song of which something is known.

    The labelled tempo stands in for the estimate, so that wrong octaves do not teach anything.
    """
    excerpts = read_excerpts(recording.path, model.front_end.sr, None)
    with torch.inference_mode():
        analysis = analyse(excerpt_features(excerpts, model), model)
        scores = posterior(analysis)
        strength = pulse_strength(analysis.pulse)
    known = (recording.bpm, *recording.alternatives)
    judged = []
    for tempo in candidates(recording.bpm, strength, model.grid):
        compatible = any(abs(tempo / k - 1) <= SAME for k in known)
        octave = any(abs(tempo / (k * recording.bpm) - 1) <= SAME for k in (1 / 2, 2))
        if compatible or not octave:
            x = (1.0, *evidence(tempo, scores, strength, model.grid))
            labelled = abs(tempo / recording.bpm - 1) <= SAME
            judged.append(Judged(x, compatible, labelled))
    return judged


def logistic_regression(x: NDArray[np.float64], y: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Maximum-likelihood weights (n_features,) of (n, n_features) on (n,) by Newton's method."""
    weights = np.zeros(x.shape[1])
    for _ in range(30):
        p = 1 / (1 + np.exp(-x @ weights))
        hessian = (x * (p * (1 - p))[:, None]).T @ x + RIDGE * np.eye(x.shape[1])
        weights += np.linalg.solve(hessian, x.T @ (y - p) - RIDGE * weights)
    return weights


def _gather(recordings: Sequence[Recording], model: Checkpoint, jobs: int) -> list[list[Judged]]:
    tasks = (joblib.delayed(judged_candidates)(r, model) for r in recordings)
    run = joblib.Parallel(n_jobs=jobs, prefer="threads", return_as="generator")(tasks)
    return list(tqdm(run, total=len(recordings), unit="track"))


@click.command()
@click.option("--data", type=click.Path(exists=True, file_okay=False, path_type=Path),
              required=True, help="Folder with songs.tsv.")  # fmt: skip
@click.option("--model", default="default", show_default=True)
@click.option("--jobs", default=2, show_default=True)
def main(data: Path, model: str, jobs: int) -> None:
    """Fit the weights on the training songs and report on the validation songs."""
    torch.set_num_threads(1)
    loaded = checkpoint.load(checkpoint.resolve(model))
    songs = read_songs(data)
    train = [row for rows in _gather(by_split(songs, "train"), loaded, jobs) for row in rows]
    x = np.array([judged.evidence for judged in train])
    y = np.array([judged.compatible for judged in train])
    weights = logistic_regression(x, y)
    names = ("INTERCEPT", "POSTERIOR", "PULSE", "DISTANCE")
    click.echo(f"{', '.join(names)} = {', '.join(f'{w:.2f}' for w in weights)}")
    held_out = _gather(by_split(songs, "validation"), loaded, jobs)
    right, total, first, ranked, pairs = 0, 0, 0, 0, 0
    for rows in held_out:
        scores = np.array([judged.evidence for judged in rows]) @ weights
        compatible = np.array([judged.compatible for judged in rows])
        right += int(((scores > 0) == compatible).sum())
        total += len(rows)
        labelled = np.array([judged.labelled for judged in rows])
        first += int(scores[labelled].max() > 0)
        alternative = scores[compatible & ~labelled]
        ranked += sum(int(a > b) for a in alternative for b in scores[~compatible])
        pairs += len(alternative) * int((~compatible).sum())
    click.echo(f"candidates right: {right / total:.3f} of {total}")
    click.echo(f"labelled tempo compatible: {first / len(held_out):.3f} of {len(held_out)}")
    click.echo(f"alternative above non-alternative: {ranked / pairs:.3f} of {pairs} pairs")


if __name__ == "__main__":
    main()
