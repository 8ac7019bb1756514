"""How good a model is: `python -m trainer.evaluate --data DIR --out DIR`.

The figures come from the estimator that users run, on files, whole recordings at a time.
"""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import click
import joblib
import numpy as np
from numpy.typing import ArrayLike, NDArray
from tqdm import tqdm

from tempo_core.errors import AudioError
from tempo_core.estimate import Estimate, Estimator

from .dataset import Recording, by_split, read_clips, read_rhythm, read_songs

TOLERANCE = 0.04
# Ratios of an estimate to the reference that Accuracy 2 forgives (Gouyon et al. 2006).
LEVELS = (1 / 3, 1 / 2, 1.0, 2.0, 3.0)
N_BINS = 10  # of the reliability diagram


def within(
    reference: ArrayLike, estimate: ArrayLike, tolerance: float = TOLERANCE
) -> NDArray[np.bool_]:
    """Whether each estimate lies within the relative `tolerance` of its reference.

    Parameters
    ----------
    reference, estimate
        (n,) tempi [BPM], > 0.

    Raises
    ------
    ValueError
        If the shapes differ, or a tempo is not a positive number.
    """
    reference, estimate = np.asarray(reference, float), np.asarray(estimate, float)
    if reference.shape != estimate.shape:
        raise ValueError(f"{reference.shape} references, {estimate.shape} estimates: must match")
    if not (np.isfinite(reference).all() and (reference > 0).all()):
        raise ValueError("reference tempi must be positive numbers")
    if not (np.isfinite(estimate).all() and (estimate > 0).all()):
        raise ValueError("estimated tempi must be positive numbers")
    # The slack lets a value on the boundary count in spite of rounding.
    return np.abs(estimate - reference) <= tolerance * reference * (1 + 1e-9)


def acc1(reference: ArrayLike, estimate: ArrayLike) -> float:
    """Accuracy 1: share of estimates within 4 %, in 0..1."""
    return float(within(reference, estimate).mean())


def acc2(reference: ArrayLike, estimate: ArrayLike) -> float:
    """Accuracy 2: share within 4 % of the reference or ⅓, ½, 2 or 3 times it, in 0..1."""
    reference = np.asarray(reference, float)
    return float(np.any([within(reference * k, estimate) for k in LEVELS], axis=0).mean())


def expected_calibration_error(confidence: ArrayLike, correct: ArrayLike) -> float:
    """Mean gap between confidence and accuracy over ten bins of equal width, by their counts.

    Source: Guo et al., "On calibration of modern neural networks", ICML 2017.
    """
    confidence, correct = np.asarray(confidence, float), np.asarray(correct, float)
    bins = np.minimum((confidence * N_BINS).astype(int), N_BINS - 1)
    gap = 0.0
    for k in np.unique(bins):
        inside = bins == k
        gap += inside.mean() * abs(confidence[inside].mean() - correct[inside].mean())
    return float(gap)


def bootstrap_interval(
    values: ArrayLike, groups: Sequence[str], seed: int = 0, n_draws: int = 2000
) -> tuple[float, float]:
    """95 % interval of the mean of `values` (n,), drawing whole groups with replacement.

    Recordings of one artist resemble each other, so the artist is what is drawn (cluster bootstrap;
    Efron & Tibshirani, "An introduction to the bootstrap", 1993).

    Raises
    ------
    ValueError
        If there is nothing to draw from, or not one group a value.
    """
    values = np.asarray(values, float)
    if not values.size or values.size != len(groups):
        raise ValueError(f"{values.size} values, {len(groups)} groups: give one group a value")
    _, index = np.unique(np.asarray(groups), return_inverse=True)
    sums, counts = np.bincount(index, weights=values), np.bincount(index)
    rng = np.random.default_rng(seed)
    drawn = rng.integers(0, sums.size, size=(n_draws, sums.size))
    means = sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1)
    low, high = np.percentile(means, [2.5, 97.5])
    return float(low), float(high)


@dataclass(frozen=True)
class Metrics:
    """Figures of one set of recordings; shares in 0..1, intervals of 95 % by `group`."""

    n: int
    n_failed: int
    acc1: float
    acc1_interval: tuple[float, float]
    acc2: float
    acc2_interval: tuple[float, float]
    within_1_percent: float  # of the octave-correct
    within_0_1_bpm: float  # of the octave-correct
    within_0_1_bpm_interval: tuple[float, float]
    within_0_5_bpm: float  # of the octave-correct
    ece: float
    alternative: float  # share of wrong octaves that are a published or plausible alternative


def _right(
    recordings: Sequence[Recording],
    estimates: Sequence[Estimate | None],
    accuracy: Callable[[ArrayLike, ArrayLike], float],
) -> NDArray[np.float64]:
    """(n,) 1 where an estimate is right by this accuracy, 0 where it is wrong or there is none."""
    return np.array(
        [
            0.0 if e is None else accuracy([r.bpm], [e.bpm])
            for r, e in zip(recordings, estimates, strict=True)
        ]
    )


def measure(recordings: Sequence[Recording], estimates: Sequence[Estimate | None]) -> Metrics:
    """Compare estimates (None where one failed) with the recordings' labels.

    A failed recording counts as wrong.
    """
    pairs = [(r, e) for r, e in zip(recordings, estimates, strict=True) if e is not None]
    if not pairs:
        raise ValueError("nothing to measure: no recording could be estimated")
    all_groups = [r.group for r in recordings]
    right = _right(recordings, estimates, acc1)
    right_but_octave = _right(recordings, estimates, acc2)
    reference = np.array([r.bpm for r, _ in pairs])
    estimate = np.array([e.bpm for _, e in pairs])
    correct = within(reference, estimate)
    error = np.abs(estimate - reference)[correct]
    groups = [r.group for (r, _), ok in zip(pairs, correct, strict=True) if ok]
    # Labels are given to 0.1 and estimates to 0.01: half a digit of slack on the boundary.
    precise = error <= 0.1 + 0.005
    wrong = [(r, e) for (r, e), ok in zip(pairs, correct, strict=True) if not ok]
    known = [any(abs(e.bpm / a - 1) <= TOLERANCE for a in r.alternatives) for r, e in wrong]
    return Metrics(
        n=len(recordings),
        n_failed=len(recordings) - len(pairs),
        acc1=float(right.mean()),
        acc1_interval=bootstrap_interval(right, all_groups),
        acc2=float(right_but_octave.mean()),
        acc2_interval=bootstrap_interval(right_but_octave, all_groups),
        within_1_percent=float((error <= 0.01 * reference[correct]).mean()),
        within_0_1_bpm=float(precise.mean()),
        within_0_1_bpm_interval=(
            bootstrap_interval(precise, groups) if groups else (math.nan, math.nan)
        ),
        within_0_5_bpm=float((error <= 0.5).mean()),
        ece=expected_calibration_error([e.confidence for _, e in pairs], correct),
        alternative=float(np.mean(known)) if known else math.nan,
    )


def by_style(
    recordings: Sequence[Recording], estimates: Sequence[Estimate | None]
) -> dict[str, tuple[int, float, float]]:
    """(number, Accuracy 1, Accuracy 2) of each style of rendered clips, the worst first."""
    styles = np.array([r.source.partition(":")[2] for r in recordings])
    right = _right(recordings, estimates, acc1)
    right_but_octave = _right(recordings, estimates, acc2)
    rows = {}
    for style in np.unique(styles).tolist():
        of = styles == style
        rows[style] = (int(of.sum()), float(right[of].mean()), float(right_but_octave[of].mean()))
    return dict(sorted(rows.items(), key=lambda row: (row[1][2], row[1][1])))


def estimate_recordings(
    estimator: Estimator, recordings: Sequence[Recording], jobs: int = 2
) -> list[Estimate | None]:
    """Estimates in order; None for a recording that cannot be read (which is printed)."""

    def one(recording: Recording) -> Estimate | None:
        try:
            return estimator.estimate(recording.path)
        except AudioError as error:
            click.echo(f"{recording.path}: {error}", err=True)
            return None

    tasks = (joblib.delayed(one)(r) for r in recordings)
    run = joblib.Parallel(n_jobs=jobs, prefer="threads", return_as="generator")(tasks)
    return list(tqdm(run, total=len(recordings), unit="track", desc="estimating"))


def plot_reliability(
    confidence: Sequence[float], correct: Sequence[bool], title: str, path: Path
) -> None:
    """Reliability diagram as PNG: accuracy against confidence, point size by count."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot as plt

    c, ok = np.asarray(confidence), np.asarray(correct, float)
    bins = np.minimum((c * N_BINS).astype(int), N_BINS - 1)
    figure, axes = plt.subplots(figsize=(5, 5), layout="constrained")
    axes.plot([0, 1], [0, 1], color="0.6", linestyle="--", label="perfectly calibrated")
    for k in np.unique(bins):
        inside = bins == k
        x, y, n = c[inside].mean(), ok[inside].mean(), int(inside.sum())
        axes.scatter(x, y, s=25 + 3 * n, color="tab:blue", zorder=3)
        axes.annotate(f"{n}", (x, y), xytext=(0, -16), textcoords="offset points", ha="center")
    axes.set(
        xlim=(0, 1.03), ylim=(0, 1.05), xlabel="confidence", ylabel="share of right tempi (4 %)"
    )
    axes.set_title(title)
    axes.legend(loc="upper left")
    figure.savefig(path, dpi=110)
    plt.close(figure)


@click.command()
@click.option("--data", type=click.Path(exists=True, file_okay=False, path_type=Path),
              help="Folder with songs.tsv and rhythm.tsv.")  # fmt: skip
@click.option("--clips", type=click.Path(exists=True, file_okay=False, path_type=Path),
              help="Folder with clips.tsv of trainer.synthesis.")  # fmt: skip
@click.option("--split", default="validation", show_default=True)
@click.option("--model", default="default", show_default=True)
@click.option("--windows", default="6", show_default=True, help="As for tempo-core estimate.")
@click.option("--jobs", default=2, show_default=True)
@click.option("--out", type=click.Path(path_type=Path), required=True,
              help="Folder for figures.json, tracks.tsv and reliability.png.")  # fmt: skip
def main(
    data: Path | None, clips: Path | None, split: str, model: str, windows: str, jobs: int,
    out: Path,
) -> None:  # fmt: skip
    """Measure a model on labelled recordings, by set and together."""
    sets: dict[str, list[Recording]] = {}
    if data is not None:
        sets["songs"] = by_split(read_songs(data), split)
        sets["rhythm"] = by_split(read_rhythm(data), split)
    if clips is not None:
        sets["synthesis"] = by_split(read_clips(clips), split)
    if not any(sets.values()):
        raise click.UsageError("nothing to measure: give --data or --clips")
    out.mkdir(parents=True, exist_ok=True)
    estimator = Estimator(model, windows if windows == "all" else int(windows))
    figures: dict[str, object] = {"model": estimator.source, "split": split, "windows": windows}
    confidence: list[float] = []
    correct: list[bool] = []
    with (out / "tracks.tsv").open("w", newline="") as file:
        writer = csv.writer(file, delimiter="\t", lineterminator="\n")
        writer.writerow(["set", "file", "bpm", "estimate", "ratio", "confidence", "alternatives"])
        for name, recordings in sets.items():
            estimates = estimate_recordings(estimator, recordings, jobs)
            figures[name] = asdict(measure(recordings, estimates))
            click.echo(f"{name}: {json.dumps(figures[name])}")
            if name == "synthesis":
                figures["styles"] = styles = by_style(recordings, estimates)
                for style, (n, first, second) in styles.items():
                    click.echo(f"  {style:24} {n:4}  {100 * first:5.1f} / {100 * second:5.1f}")
            for r, e in zip(recordings, estimates, strict=True):
                if e is None:
                    writer.writerow([name, r.path.name, r.bpm, "", "", "", ""])
                    continue
                alternatives = ";".join(f"{a:g}" for a in r.alternatives)
                ratio = f"{e.bpm / r.bpm:.3f}"
                writer.writerow(
                    [name, r.path.name, r.bpm, e.bpm, ratio, e.confidence, alternatives]
                )
                if name != "synthesis":
                    confidence.append(e.confidence)
                    correct.append(bool(within([r.bpm], [e.bpm])[0]))
    if confidence:
        figures["real"] = {
            "n": len(correct),
            "ece": expected_calibration_error(confidence, correct),
        }
        title = f"{len(correct)} real recordings, {split}"
        plot_reliability(confidence, correct, title, out / "reliability.png")
    (out / "figures.json").write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
