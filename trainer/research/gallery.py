"""Picture of the worst errors: `python -m trainer.research.gallery --data … --out errors.png`.

Each row shows the tempogram of a recording with its label and the answer, the posterior beside it,
and a description of the error.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np

from tempo_core import checkpoint
from tempo_core.cli.command import Command
from tempo_core.config import Windows
from tempo_core.estimate import Estimate, Estimator
from tempo_core.levels import ACCURACY_2, OCTAVES, is_level, is_same
from tempo_core.model import Checkpoint
from tempo_core.task import ask
from tempo_core.tasks.tempo.axis import tempo_axis
from tempo_core.tasks.tempo.config import TempoConfig, TempoGrid
from tempo_core.tasks.tempo.decode import mean_scores, pulse_strength
from tempo_core.tasks.tempo.rhythm import clarity
from tempo_core.tasks.tempo.row import TASK
from tempo_core.tasks.tempo.view import batches_of

from .. import options
from ..evaluation.asking import estimate_recordings
from ..inputs.databases import Databases, Decided
from ..inputs.hearing import hear_file
from ..inputs.recordings import (
    TRAINING_KINDS,
    Recording,
    by_split,
    read_charts,
    read_rhythm,
    read_songs,
)

PICTURE_WINDOWS = Windows(8.0, 1.0)  # [s] finer in time than the network's windows
SAME_BIN = 0.01  # relative distance, half a step of the grid
STRONGER_PULSE = 2.0  # ratio of pulse strengths from which on the label is doubtful


@dataclass(frozen=True)
class Picture:
    """Data that are drawn of one recording.

    `tempogram` (n_bins, n_times) is the strength of the pulse, and `posterior` (n_bins,) the mean
    of the network's scores over the windows.
    """

    tempogram: np.ndarray
    posterior: np.ndarray


def picture(path: Path, model: Checkpoint[TempoConfig]) -> Picture:
    """Tempogram and posterior of a whole recording.

    Raises
    ------
    AudioError
        If the file cannot be read.
    """
    heard, spectrum = hear_file(path, model, None), model.spectrum
    columns = [
        pulse_strength(periodicity.mean(axis=1))
        for batch in batches_of(
            heard.windows(spectrum, PICTURE_WINDOWS, clarity), spectrum.fps, model.config.grid
        )
        for periodicity in batch.inputs[0]
    ]
    posterior = mean_scores(ask(TASK, heard, {}, model))
    return Picture(np.stack(columns, axis=1), posterior)


def verdict(
    recording: Recording,
    estimate: Estimate,
    shown: Picture,
    grid: TempoGrid,
    decided: Sequence[Decided] = (),
) -> str:
    """A description of the error, in words, with what people `decided` elsewhere."""
    said = "".join(f"; {one.source}: {one.bpm:.4g}" for one in decided)
    return _what_went_wrong(recording, estimate, shown, grid) + said


def _what_went_wrong(
    recording: Recording, estimate: Estimate, shown: Picture, grid: TempoGrid
) -> str:
    ratio = estimate.bpm / recording.bpm
    level = next((k for k in ACCURACY_2 if is_same(ratio, k)), None)
    if level is not None and level != 1:
        name = {1 / 3: "a third", 1 / 2: "half", 2.0: "twice", 3.0: "three times"}[level]
        known = any(is_same(estimate.bpm, a) for a in recording.alternatives)
        also = "; this tempo is published or plausible, too" if known else ""
        return f"counted at {name} the label{also}"
    at_label, at_estimate = (
        strength_at(shown.tempogram.mean(axis=1), bpm, grid)
        for bpm in (recording.bpm, estimate.bpm)
    )
    if at_estimate > STRONGER_PULSE * at_label:
        times = at_estimate / max(at_label, 1e-3)
        return f"the audio pulses {times:.1f} times as strongly at the answer: is the label right?"
    return f"another tempo, {ratio:.3f} of the label"


def name(recording: Recording) -> str:
    """What a recording is called: artist and title, as far as they are known, in few letters."""
    return f"{recording.group}, {recording.title}"[:60] if recording.title else recording.group


def strength_at(strength: np.ndarray, bpm: float, grid: TempoGrid) -> float:
    """The highest value of `strength` (n_bins,) within 1 % of a tempo or of its half or double.

    The tolerance of labels would be too large: a pulse at 175 also shows at two thirds of it, which
    is near 120.
    """
    octaves = bpm * np.array(OCTAVES)
    distance = np.abs(np.log(tempo_axis(grid) / octaves[:, None]))
    return float(strength[(distance <= math.log(1 + SAME_BIN)).any(axis=0)].max())


def worst(
    recordings: Sequence[Recording], estimates: Sequence[Estimate | None], count: int
) -> list[tuple[Recording, Estimate]]:
    """The worst `count` wrong answers: first those with no octave error, then by confidence."""

    def badness(pair: tuple[Recording, Estimate]) -> tuple[bool, float]:
        return not is_level(pair[1].bpm, pair[0].bpm, ACCURACY_2), pair[1].confidence

    wrong = [
        (r, e)
        for r, e in zip(recordings, estimates, strict=True)
        if e is not None and not is_same(e.bpm, r.bpm)
    ]
    return sorted(wrong, key=badness, reverse=True)[:count]


def draw(
    rows: Sequence[tuple[Recording, Estimate, Picture]],
    grid: TempoGrid,
    path: Path,
    decided: Sequence[Sequence[Decided]] = (),
) -> None:
    """Draw a PNG with one row for each recording, with what people `decided` for each elsewhere."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot as plt

    tempi = tempo_axis(grid)
    figure, axes = plt.subplots(
        len(rows), 2, figsize=(10, 2.3 * len(rows)), layout="constrained", squeeze=False,
        sharey=True, width_ratios=(5, 1),
    )  # fmt: skip
    ticks = [40, 60, 90, 120, 180, 240, 360]
    said = [*decided, *[()] * (len(rows) - len(decided))]
    for (left, right), (recording, estimate, shown), others in zip(axes, rows, said, strict=True):
        times = PICTURE_WINDOWS.duration / 2 + PICTURE_WINDOWS.hop * np.arange(
            shown.tempogram.shape[1]
        )
        left.pcolormesh(times, tempi, shown.tempogram, cmap="magma", shading="nearest")
        right.plot(shown.posterior, tempi, color="tab:blue")
        for axis in (left, right):
            axis.axhline(recording.bpm, color="lime", label="label")
            axis.axhline(estimate.bpm, color="cyan", linestyle="--", label="answer")
            for other in recording.alternatives:
                axis.axhline(other, color="white", linestyle=":", label="also published")
            for one in others:
                axis.axhline(one.bpm, color="magenta", linestyle="-.", label="people's database")
        left.set_yscale("log")
        left.set_yticks(ticks, [str(t) for t in ticks])
        left.minorticks_off()
        left.set_ylim(30, 400)
        left.set_ylabel("BPM")
        left.set_title(
            f"{recording.source} {recording.path.stem} ({name(recording)}): label "
            f"{recording.bpm:g}, answer {estimate.bpm:g}, confidence {estimate.confidence:.2f}\n"
            f"{verdict(recording, estimate, shown, grid, others)}",
            fontsize=9, loc="left",
        )  # fmt: skip
        right.set_xticks([])
    handles = {
        text: handle
        for axis in axes[:, 0]
        for handle, text in zip(*axis.get_legend_handles_labels(), strict=True)
    }
    axes[0, 0].legend(handles.values(), handles.keys(), loc="upper right", fontsize=7)
    axes[-1, 0].set_xlabel("s")
    axes[-1, 1].set_xlabel("posterior")
    figure.savefig(path, dpi=80)
    plt.close(figure)


@click.command(cls=Command)
@options.data
@click.option("--split", default="validation", show_default=True)
@click.option("--model", default="default", show_default=True)
@click.option("--count", default=10, show_default=True, help="How many of the worst.")
@click.option("--jobs", default=2, show_default=True)
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), required=True,
              help="The PNG to write.")  # fmt: skip
def main(data: Path, split: str, model: str, count: int, jobs: int, out: Path) -> None:
    """Draw the worst errors on the labelled recordings and say what they are."""
    charts = [r for r in read_charts(data) if r.genre not in TRAINING_KINDS]
    recordings = by_split([*read_songs(data), *read_rhythm(data), *charts], split)
    estimates = estimate_recordings(Estimator(model), recordings, jobs)
    loaded = checkpoint.load(checkpoint.resolve(model))
    rows = [(r, e, picture(r.path, loaded)) for r, e in worst(recordings, estimates, count)]
    if not rows:
        raise click.ClickException("nothing to draw: every answer is right")
    databases = Databases(data)
    decided = [databases.look_up(r.group, r.title) for r, _, _ in rows]
    for (r, e, shown), others in zip(rows, decided, strict=True):
        click.echo(
            f"{r.source}\t{r.path.stem}\t{name(r)}\t{r.bpm:g}\t{e.bpm:g}\t{e.confidence:.2f}\t"
            f"{verdict(r, e, shown, loaded.config.grid, others)}"
        )
    draw(rows, loaded.config.grid, out, decided)
    click.echo(f"{out}")


if __name__ == "__main__":
    main()
