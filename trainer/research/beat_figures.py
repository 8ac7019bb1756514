"""Figures of a beats model: `python -m trainer.research.beat_figures --help`.

The beats of rendered clips are known exactly; those of charted recordings were placed by people, to
some 30 ms. Files are estimated as a user's are. The figures are about tracks whose tempo is right,
beside those of `librosa.beat.beat_track` on the same tracks, which is once left alone and once told
the tempo.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path

import click
import joblib
import librosa
import matplotlib
import mir_eval
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from tempo_core import Estimator
from tempo_core.audio import read_excerpts
from tempo_core.cli.command import Command
from tempo_core.levels import TOLERANCE, is_same

from ..evaluation.metrics import expected_calibration_error
from ..files import read_tsv
from ..making.beat_tracks import BeatTrack, read_beat_charts, read_beat_clips

matplotlib.use("Agg")
from matplotlib import pyplot as plt

Times = NDArray[np.float64]

WINDOW = 0.07  # [s] to both sides of a beat in which an estimated one is right
TRUSTS = ("high", "medium", "low")  # of the grids of charts
LIBROSA_SR = 22050  # [Hz]


@dataclass(frozen=True)
class Judged:
    """What was found of one track.

    `f` is the F-measure within `WINDOW`, `error` the median distance [s] of the true beats from the
    nearest estimated one, `bias` likewise with its sign; NaN without a grid. `downbeat` is whether
    the claimed bars begin where they do; None if none are claimed or it is not known.
    `librosa` and `librosa_told` are F-measures of librosa, alone and with the tempo given.
    """

    name: str
    group: str
    bpm: float
    estimated: float
    steady: bool
    confidence: float
    f: float
    error: float
    bias: float
    in_fours: bool
    downbeat: bool | None
    downbeat_confidence: float | None
    librosa: float = float("nan")
    librosa_told: float = float("nan")

    @property
    def has_right_tempo(self) -> bool:
        """Whether the tempo is within 4 % of the true one."""
        return is_same(self.estimated, self.bpm, TOLERANCE)


def f_measure(reference: Times, estimated: Times) -> float:
    """F-measure of beats [s] within `WINDOW`; all beats count, also those of the first seconds."""
    return float(mir_eval.beat.f_measure(reference, estimated, WINDOW))


def judge(track: BeatTrack, group: str, estimator: Estimator, beside: bool) -> Judged:
    """Estimate a track and compare it with what is known.

    Parameters
    ----------
    beside
        Whether librosa is asked as well.
    """
    results = estimator.results(track.path)
    tempo, found = results["tempo"], results["beats"]
    audio = read_excerpts(track.path, LIBROSA_SR, None)[0].audio
    duration = audio.size / LIBROSA_SR
    reference = track.beats[(track.beats >= 0) & (track.beats < duration)]
    f = error = bias = float("nan")
    downbeat = None
    if found.grid is not None:
        beats = list(found.grid.beats(duration))
        times = np.array([time for time, _ in beats])
        f = f_measure(reference, times)
        away = times[np.abs(reference[:, None] - times).argmin(axis=1)] - reference
        error, bias = float(np.median(np.abs(away))), float(np.median(away))
        if found.downbeat_confidence is not None and track.downbeat is not None and track.metre:
            claimed = np.array([time for time, beat in beats if beat == 1])
            true = track.beats[track.downbeat % track.metre :: track.metre]
            nearest = np.abs(true[:, None] - claimed).min(axis=1)
            downbeat = bool(np.median(nearest) < WINDOW)
    alone = told = float("nan")
    if beside:
        _, beats_alone = librosa.beat.beat_track(y=audio, sr=LIBROSA_SR, units="time")
        _, beats_told = librosa.beat.beat_track(y=audio, sr=LIBROSA_SR, units="time", bpm=track.bpm)
        alone, told = f_measure(reference, beats_alone), f_measure(reference, beats_told)
    return Judged(
        track.path.name, group, track.bpm, tempo.bpm,
        found.grid is not None and found.grid.is_steady, found.confidence, f, error, bias,
        track.metre == 4, downbeat, found.downbeat_confidence, alone, told,
    )  # fmt: skip


def measure(judged: Sequence[Judged]) -> dict[str, float | int]:
    """Figures of tracks: of those with the right tempo, and of these the ones that are steady."""
    right = [j for j in judged if j.has_right_tempo]
    steady = [j for j in right if j.steady]
    figures: dict[str, float | int] = {
        "tracks": len(judged), "right_tempo": len(right), "steady": len(steady),
    }  # fmt: skip
    if not steady:
        return figures
    figures |= {
        "f": _mean([j.f for j in steady]),
        "f_of_all_right": _mean([0.0 if np.isnan(j.f) else j.f for j in right]),
        "median_error_ms": round(1e3 * float(np.median([j.error for j in steady])), 1),
        "bias_ms": round(1e3 * float(np.median([j.bias for j in steady])), 1),
        "within_25_ms": _mean([j.error <= 0.025 for j in steady]),
        "ece": _calibration([(j.confidence, j.f > 0.9) for j in steady]),
    }
    if any(not np.isnan(j.librosa) for j in steady):
        figures["librosa_f"] = _mean([j.librosa for j in steady])
        figures["librosa_told_f"] = _mean([j.librosa_told for j in steady])
    fours = [j for j in steady if j.in_fours]
    if fours:
        claimed = [j for j in fours if j.downbeat is not None]
        figures["bars"] = len(fours)
        figures["bars_claimed"] = _mean([j.downbeat is not None for j in fours])
        figures["downbeat_right_of_claimed"] = _mean([bool(j.downbeat) for j in claimed])
        figures["downbeat_right_of_all"] = _mean([bool(j.downbeat) for j in fours])
        figures["downbeat_ece"] = _calibration(
            [(j.downbeat_confidence or 0.0, bool(j.downbeat)) for j in claimed]
        )
    return figures


def _mean(values: Sequence[float | bool]) -> float:
    return round(float(np.mean(values)), 4) if values else float("nan")


def _calibration(judged: Sequence[tuple[float, bool]]) -> float:
    confidences, right = zip(*judged, strict=True) if judged else ((), ())
    return round(expected_calibration_error(np.array(confidences), np.array(right)), 4)


def draw(groups: dict[str, list[Judged]], to: Path) -> None:
    """A picture: how far beats are off, by kind of track, and how often claimed bars are right."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
    for name, judged in groups.items():
        errors = sorted(1e3 * j.error for j in judged if j.has_right_tempo and j.steady)
        share = np.arange(1, len(errors) + 1) / max(1, len(errors))
        left.plot(errors, 100 * share, label=f"{name} ({len(errors)})")
    left.set(
        xscale="log",
        xlim=(0.5, 300),
        ylim=(0, 100),
        xlabel="median distance from the true beats [ms]",
        ylabel="tracks [%]",
    )
    left.axvline(25, color="grey", linewidth=0.8, linestyle=":")
    left.legend(frameon=False, fontsize=8)
    claimed = [
        j
        for judged in groups.values()
        for j in judged
        if j.downbeat is not None and j.has_right_tempo and j.steady
    ]
    edges = np.linspace(0.5, 1, 6)
    for low, high in pairwise(edges):
        inside = [j for j in claimed if low <= (j.downbeat_confidence or 0) <= high]
        if inside:
            at = _mean([j.downbeat_confidence or 0 for j in inside])
            right.plot(at, _mean([bool(j.downbeat) for j in inside]), "o", color="C0")
            right.annotate(str(len(inside)), (at, _mean([bool(j.downbeat) for j in inside])),
                           xytext=(4, -10), textcoords="offset points", fontsize=7)  # fmt: skip
    right.plot([0.4, 1], [0.4, 1], color="grey", linewidth=0.8, linestyle=":")
    right.set(xlim=(0.48, 1.02), ylim=(0.3, 1.03), xlabel="confidence of the downbeat",
              ylabel="share that is right")  # fmt: skip
    figure.savefig(to, dpi=130)
    plt.close(figure)


@click.command(cls=Command)
@click.option("--data", type=click.Path(exists=True, file_okay=False, path_type=Path),
              required=True, help="Folder with charts.tsv.")  # fmt: skip
@click.option("--clips", type=click.Path(exists=True, file_okay=False, path_type=Path),
              required=True, help="Rendered clips, best those of a balanced set.")  # fmt: skip
@click.option("--split", default="test", show_default=True, help="Of the clips.")
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), required=True)
@click.option("--model", default="default", show_default=True, help="Beats model.")
@click.option("--jobs", default=2, show_default=True)
def main(data: Path, clips: Path, split: str, out: Path, model: str, jobs: int) -> None:
    """Measure a beats model on rendered clips and on charted recordings."""
    out.mkdir(parents=True, exist_ok=True)
    estimator = Estimator(windows="all", tasks=("tempo", "beats"), models={"beats": model})
    trust = {Path(row["file"]).name: row["trust"] for row in read_tsv(data / "charts.tsv")}
    tracks = [
        (t, f"charts, {trust[t.path.name]}", True)
        for t in read_beat_charts(data, TRUSTS)
        if t.split == "validation"
    ]
    tracks += [(t, "clips", True) for t in read_beat_clips(clips) if t.split == split]
    work = (joblib.delayed(judge)(t, group, estimator, beside) for t, group, beside in tracks)
    results = joblib.Parallel(jobs, return_as="generator", backend="threading")(work)
    judged = list(tqdm(results, total=len(tracks), unit="file", disable=None))
    groups: dict[str, list[Judged]] = {}
    for j in judged:
        groups.setdefault(j.group, []).append(j)
    charts = [j for j in judged if j.group.startswith("charts")]
    sure = [j for j in charts if not j.group.endswith("low")]
    figures = {
        **{group: measure(js) for group, js in groups.items()},
        "charts, high and medium": measure(sure),
        "charts": measure(charts),
    }
    (out / "figures.json").write_text(json.dumps(figures, indent=2) + "\n")
    for name, values in figures.items():
        click.echo(f"{name}: {json.dumps(values)}")
    with (out / "tracks.tsv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(asdict(judged[0])), delimiter="\t", lineterminator="\n")
        writer.writeheader()
        writer.writerows(asdict(j) for j in judged)
    draw({"charts, high and medium": sure, "clips": groups.get("clips", [])}, out / "beats.png")


if __name__ == "__main__":
    main()
