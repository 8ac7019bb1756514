"""Learning curve of `adapt` by the number of labels: `python -m trainer.research.learning_curve`.

There are three imagined people: one counts like the shipped model, one counts hip-hop twice as fast
and drum and bass half as fast, and one counts everything between 85 and 170 BPM. Labels are drawn
from the training split, and every model is measured on recordings that neither it nor the shipped
model has learned from. No genre is told while learning; `genre_learning` measures what that brings.
Results of finished draws are stored in `--out`, so an interrupted run continues.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields, replace
from functools import partial
from pathlib import Path
from typing import Any

import click
import numpy as np
import torch
from safetensors.numpy import load_file, save_file
from tqdm import tqdm

from tempo_core import checkpoint, in_use
from tempo_core.cli.command import Command
from tempo_core.tasks.tempo.decode import activate, highest

from .. import options
from ..evaluation.metrics import acc1, acc2
from ..files import kept
from ..inputs.examples import full_windows
from ..inputs.recordings import Recording, digest_of, read_clips, read_rhythm, read_songs
from ..inputs.views import load_views
from ..learning import guard as guards
from ..learning.compare import errors, guard_answers
from ..learning.frozen import Frozen, Model, freeze, genres_of, join, logits
from ..learning.guard import Guard
from ..learning.prior_fitting import PriorRecipe, adapt, shift

LABEL_COUNTS = (25, 50, 100, 200, 400)  # numbers of labels to draw
SHIFT_BELOW = 50
HIP_HOP = ("boombap", "trap", "trap-slow", "drill", "phonk", "lofi")
N_WINDOWS = 6  # windows per recording, as many as the estimator uses


def style(recording: Recording) -> str:
    """The style of a rendered clip, the genre of any other recording."""
    return recording.source.partition(":")[2] or recording.genre


def is_hip_hop(recording: Recording) -> bool:
    """Whether the second person counts it as hip-hop."""
    return style(recording).startswith("hip-hop") or style(recording) in HIP_HOP


def plain(recording: Recording) -> float:
    """The tempo [BPM] as labelled."""
    return recording.bpm


def by_genre(recording: Recording) -> float:
    """The tempo [BPM] with hip-hop counted twice as fast and drum and bass half as fast."""
    bpm = recording.bpm
    if is_hip_hop(recording) and bpm < 100:
        return 2 * bpm
    return bpm / 2 if style(recording) == "dnb" and bpm > 120 else bpm


def in_range(recording: Recording) -> float:
    """The tempo [BPM] in the octave [85, 170)."""
    bpm = recording.bpm
    while bpm < 85:
        bpm *= 2
    while bpm >= 170:
        bpm /= 2
    return bpm


Convention = Callable[[Recording], float]
CONVENTIONS: dict[str, Convention] = {"plain": plain, "genre": by_genre, "range": in_range}


def concerned(recording: Recording) -> bool:
    """Whether a recording is of a genre that the second person counts in another way."""
    return is_hip_hop(recording) or style(recording) == "dnb"


@dataclass(frozen=True)
class CurveTrack:
    """A recording, and what the frozen layers of the network make of its windows."""

    recording: Recording
    frozen: Frozen


def counted(tracks: Sequence[CurveTrack], convention: Convention) -> list[CurveTrack]:
    """Tracks with labels of another convention."""
    return [
        replace(t, recording=replace(t.recording, tempi=((convention(t.recording), 1.0),)))
        for t in tracks
    ]


def with_genres(tracks: Sequence[CurveTrack], genres: Sequence[str]) -> list[CurveTrack]:
    """Tracks with other genres, one each; empty is unknown."""
    return [
        replace(track, recording=replace(track.recording, genre=genre))
        for track, genre in zip(tracks, genres, strict=True)
    ]


def hear(
    recordings: Sequence[Recording], base: Model, cache: Path, jobs: int, path: Path
) -> list[CurveTrack]:
    """Tracks with up to `N_WINDOWS` windows each, read from `path` or computed and stored there."""
    if not path.exists():
        views = load_views(recordings, base.front_end, base.windows, base.config.grid, cache, jobs)
        parts: list[Frozen] = []
        for one in tqdm(views, unit="track", desc="listening", disable=None):
            rows = np.unique(np.linspace(0, one.n_full - 1, N_WINDOWS).round().astype(int))
            parts.append(freeze(base.network, *full_windows(one, rows=rows).inputs))
        whole = join(parts)
        arrays = {field.name: getattr(whole, field.name) for field in fields(Frozen)}
        arrays["counts"] = np.array([len(part) for part in parts])
        temporary = path.with_suffix(".part")
        save_file(arrays, temporary)
        temporary.replace(path)
    arrays = load_file(path)
    ends = np.cumsum(arrays["counts"])[:-1]
    columns = [np.split(arrays[field.name], ends) for field in fields(Frozen)]
    heard = [Frozen(*row) for row in zip(*columns, strict=True)]
    return [CurveTrack(r, f) for r, f in zip(recordings, heard, strict=True)]


def answers(tracks: Sequence[CurveTrack], model: Model) -> list[float]:
    """A model's tempi [BPM] from the windows of each track, unweighted and without refinement."""
    found = []
    for track in tracks:
        genres = genres_of(track.recording, len(track.frozen), model)
        scores = activate(logits(model.network, track.frozen, genres), model.config)
        found.append(highest(scores.mean(axis=0), model.config.grid).bpm)
    return found


def pools(tracks: Sequence[CurveTrack], name: str) -> list[list[CurveTrack]]:
    """The groups of tracks from which labels are drawn in equal numbers.

    Parameters
    ----------
    name
        Name of the convention.
    """
    kinds: dict[str, list[CurveTrack]] = {"songs": [], "rhythm": [], "concerned": [], "clips": []}
    for track in tracks:
        source = track.recording.source
        if source in kinds:
            kinds[source].append(track)
        elif name == "genre" and concerned(track.recording):
            kinds["concerned"].append(track)
        else:
            kinds["clips"].append(track)
    # Nothing says which of the rhythm-game songs are drum and bass, so that person has none.
    middle = "concerned" if name == "genre" else "rhythm"
    return [kinds["songs"], kinds[middle], kinds["clips"]]


def draw(
    parts: Sequence[Sequence[CurveTrack]], n: int, rng: np.random.Generator
) -> list[CurveTrack]:
    """`n` random tracks, drawn as evenly from the parts as their sizes allow."""
    chosen: list[CurveTrack] = []
    # The smallest part comes first: the others make up for what it lacks.
    for k, part in enumerate(sorted(parts, key=len)):
        share = min(len(part), (n - len(chosen)) // (len(parts) - k))
        chosen += [part[i] for i in rng.permutation(len(part))[:share]]
    return chosen


def measured_sets(recordings: Sequence[Recording], name: str) -> dict[str, list[Recording]]:
    """The sets to measure on: by source, all together, and by whether the convention matters."""
    sets: dict[str, list[Recording]] = {"songs": [], "rhythm": [], "clips": []}
    for recording in recordings:
        rendered = recording.source.startswith("synthesis")
        sets["clips" if rendered else recording.source].append(recording)
    if name == "genre":
        del sets["rhythm"]
        # A collection like the one that labels are drawn from: as many clips of each kind.
        some = [r for r in sets["clips"] if concerned(r)]
        others = [r for r in sets["clips"] if not concerned(r)]
        order = np.random.default_rng(0).permutation(len(others))
        sets["clips"] = some + [others[i] for i in order[: len(some)]]
    everything = [r for part in sets.values() for r in part]
    sets["all"] = everything
    convention = CONVENTIONS[name]
    if name != "plain":
        changed = [abs(convention(r) / r.bpm - 1) > 0.01 for r in everything]
        for part, wanted in (("counted in another way", True), ("counted alike", False)):
            sets[part] = [r for r, c in zip(everything, changed, strict=True) if c == wanted]
    return sets


@dataclass(frozen=True)
class CurveFigures:
    """Figures of one set of recordings; shares are in 0..1."""

    n: int
    acc1: float
    acc2: float
    mean_error: float  # [BPM]
    within_10: float  # share within 10 BPM


def measure(
    recordings: Sequence[Recording], convention: Convention, bpm: Sequence[float]
) -> CurveFigures:
    """Figures of answers [BPM], one for each recording, with the labels of a convention."""
    counted_ = [replace(r, tempi=((convention(r), 1.0),)) for r in recordings]
    reference = [r.bpm for r in counted_]
    off = errors([r.bpm for r in counted_], bpm)
    return CurveFigures(
        len(counted_), acc1(reference, bpm), acc2(reference, bpm), off.mean, off.within_10
    )


@dataclass(frozen=True)
class CurveDraw:
    """One draw of labels: the `name` of the convention, the number of labels and the seed."""

    name: str
    n_labels: int
    seed: int


def one_draw(
    drawing: CurveDraw,
    pool: Sequence[CurveTrack],
    test: Sequence[CurveTrack],
    base: Model,
    guard: Guard,
) -> dict[str, object]:
    """Adapt the model to one draw of labels, and measure it; no labels mean the shipped model."""
    name, n, seed = drawing.name, drawing.n_labels, drawing.seed
    convention = CONVENTIONS[name]
    model = base
    if n:
        drawn = draw(pools(pool, name), n, np.random.default_rng([seed, n]))
        labelled = with_genres(counted(drawn, convention), [""] * len(drawn))
        if n < SHIFT_BELOW:
            model = shift(base, labelled)
        else:
            model = adapt(base, labelled, guard.part(replay=True), PriorRecipe(seed=seed))
    figures: dict[str, object] = {}
    found = {t.recording.path: bpm for t, bpm in zip(test, answers(test, model), strict=True)}
    for part, recordings in measured_sets([t.recording for t in test], name).items():
        bpm = [found[r.path] for r in recordings]
        figures[part] = asdict(measure(recordings, convention, bpm))
    compared = guard.part(replay=False)
    figures["guard"] = acc2(compared.bpm, guard_answers(compared, model))
    return figures


def plot(rows: dict[str, dict[int, list[float]]], guard: dict[str, dict[int, list[float]]],
         path: Path) -> None:  # fmt: skip
    """Accuracy 1 of all tracks and the guard's rate by labels, mean and range of the draws."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot as plt

    labels = {
        "plain": "as the shipped model",
        "genre": "hip-hop doubled, drum and bass halved",
        "range": "everything in [85, 170)",
    }
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 4), layout="constrained")
    for axes, values, title in (
        (left, rows, "Accuracy 1, recordings nobody learned from"),
        (right, guard, "Accuracy 2, guard set"),
    ):
        for k, (name, by_n) in enumerate(values.items()):
            sizes = sorted(by_n)
            # A logarithmic axis has no 0; side by side, equal curves can be told apart.
            aside = 1.05 ** (k - 1)
            x = [max(n, 12) * aside for n in sizes]
            mean = np.array([100 * np.mean(by_n[n]) for n in sizes])
            low = mean - np.array([100 * min(by_n[n]) for n in sizes])
            high = np.array([100 * max(by_n[n]) for n in sizes]) - mean
            # Of equal draws the mean is not exactly one of them.
            spread = np.maximum(0.0, np.stack([low, high]))
            axes.errorbar(x, mean, spread, marker="o", capsize=3, label=labels[name])
        axes.set_xscale("log")
        axes.set_xticks([12, *LABEL_COUNTS], ["0", *map(str, LABEL_COUNTS)])
        axes.minorticks_off()
        axes.set(xlabel="labels", ylabel="%", title=title)
        axes.grid(alpha=0.3)
    right.set_ylim(95, 100.2)
    figure.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=3)
    figure.savefig(path, dpi=110)
    plt.close(figure)


@click.command(cls=Command)
@click.option("--data", type=click.Path(exists=True, file_okay=False, path_type=Path),
              required=True, help="Folder with songs.tsv and rhythm.tsv.")  # fmt: skip
@click.option("--clips", type=click.Path(exists=True, file_okay=False, path_type=Path),
              required=True, help="Clips to draw labels from.")  # fmt: skip
@click.option("--test-clips", type=click.Path(exists=True, file_okay=False, path_type=Path),
              required=True, help="Clips to measure on (split test).")  # fmt: skip
@options.cache
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder of results.")
@click.option("--only", multiple=True, type=click.Choice(list(CONVENTIONS)),
              help="This convention only; may be given more than once.")  # fmt: skip
@click.option("--draws", default=5, show_default=True, help="Of labels, for each size.")
@click.option("--jobs", default=1, show_default=True, help="Threads.")
def main(
    data: Path, clips: Path, test_clips: Path, cache: Path, out: Path, only: tuple[str, ...],
    draws: int, jobs: int,
) -> None:  # fmt: skip
    """Draw, learn, measure; print the table and draw learning-curve.png."""
    base = checkpoint.load(checkpoint.resolve(in_use.SHIPPED))
    guard = guards.load(base)
    out.mkdir(parents=True, exist_ok=True)
    names = [name for name in CONVENTIONS if not only or name in only]
    todo = [
        (name, n, seed)
        for name in names
        for n in (0, *LABEL_COUNTS)
        for seed in range(draws if n else 1)
    ]
    recordings = [
        *read_songs(data),
        *read_rhythm(data),
        *read_clips(clips),
        *read_clips(test_clips),
    ]
    rendered = {r.path for r in read_clips(clips)}
    arguments = [base.source, digest_of(recordings), digest_of([*read_clips(clips)])]

    @functools.cache
    def heard() -> tuple[list[CurveTrack], list[CurveTrack]]:
        """Tracks to draw labels from and tracks to measure on, computed when first needed."""
        path = out / f"heard-{base.hash}-{digest_of(recordings)}.safetensors"
        tracks = hear(recordings, base, cache, jobs, path)
        unseen = [
            t for t in tracks
            if t.recording.split == "test"
            or (t.recording.split == "validation" and t.recording.path not in rendered)
        ]  # fmt: skip
        torch.set_num_threads(jobs)
        return [t for t in tracks if t.recording.split == "train"], unseen

    figures = {}
    for name, n, seed in todo:
        figures[name, n, seed] = kept(
            out,
            f"{name}-{n}-{seed}",
            arguments,
            partial(_drawn, CurveDraw(name, n, seed), heard, base, guard),
        )  # fmt: skip
    curves: dict[str, dict[int, list[float]]] = {}
    rate: dict[str, dict[int, list[float]]] = {}
    for name in names:
        curves[name], rate[name] = {}, {}
        for n in (0, *LABEL_COUNTS):
            found = [figures[name, n, seed] for seed in range(draws if n else 1)]
            curves[name][n] = [f["all"]["acc1"] for f in found]
            rate[name][n] = [f["guard"] for f in found]
            click.echo(f"{name} {n}: {_line(found)}")
    plot(curves, rate, out / "learning-curve.png")


def _drawn(
    drawing: CurveDraw,
    heard: Callable[[], tuple[list[CurveTrack], list[CurveTrack]]],
    base: Model,
    guard: Guard,
) -> dict[str, Any]:
    """The figures of a draw, which are also printed on stderr."""
    figures = one_draw(drawing, *heard(), base, guard)
    told = (drawing.name, drawing.n_labels, drawing.seed)
    click.echo(f"{told} {json.dumps(figures['all'])} guard {figures['guard']}", err=True)
    return figures


def _line(found: Sequence[dict[str, dict[str, float]]]) -> str:
    """The figures of every set as text: their mean over draws (lowest-highest)."""
    parts = []
    for part in found[0]:
        if part == "guard":
            values = [100 * float(f[part]) for f in found]  # type: ignore[arg-type]
            parts.append(f"guard rate {np.mean(values):.1f} ({min(values):.1f})")
            continue
        first = [100 * f[part]["acc1"] for f in found]
        second = [100 * f[part]["acc2"] for f in found]
        text = f"{part} {np.mean(first):.1f} ({min(first):.1f}-{max(first):.1f})"
        text += f" / {np.mean(second):.1f}"
        if part == "all":
            mean = np.mean([f[part]["mean_error"] for f in found])
            within = 100 * np.mean([f[part]["within_10"] for f in found])
            text += f", mean error {mean:.1f}, within 10 BPM {within:.1f} %"
        parts.append(text)
    return "; ".join(parts)


if __name__ == "__main__":
    main()
