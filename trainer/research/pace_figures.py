"""Figures of a pace model: `python -m trainer.research.pace_figures --help`.

For rendered clips the notes tell what is right, for real songs their tempo and known alternatives.
The figures are printed and written, with a table of all candidates and pictures of the music folded
at the candidates that were judged worst.
"""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import click
import matplotlib
import numpy as np
from numpy.typing import ArrayLike
from PIL import Image

from tempo_core import checkpoint
from tempo_core.cli.command import Command
from tempo_core.levels import RELATIONS
from tempo_core.model import Checkpoint
from tempo_core.paces import COMPATIBLE, OFFERED, SAME_PACE
from tempo_core.tasks.pace.config import PaceConfig
from tempo_core.tasks.pace.folds import folds
from tempo_core.tasks.pace.row import clear_windows

from ..evaluation.metrics import expected_calibration_error
from ..files import read_tsv
from ..inputs.pace_tracks import Case, judged
from ..inputs.recordings import Recording, by_split, read_songs
from ..making.pace_cases import clip_cases, load_tracks, song_case
from ..synthesis.notes import Sources
from ..synthesis.paces import compatibility

matplotlib.use("Agg")
from matplotlib import pyplot as plt

TEMPO_RANGES = (
    40,
    80,
    90,
    100,
    110,
    130,
    145,
    165,
    330,
)  # [BPM] ranges in which tracks are compared
ALIKE_TEMPI = 0.1  # relative distance of candidates that `without_listening` compares


@dataclass(frozen=True)
class Judgement:
    """One candidate of one track, with its target (NaN if unknown) and estimated probability."""

    group: str  # the style or artist
    name: str
    case: Case
    bpm: float  # [BPM] that people count
    tempo: float
    target: float
    probability: float

    @property
    def ratio(self) -> str:
        """The ratio of the candidate to the tempo that people count, or `other`."""
        found = self.tempo / self.bpm
        near = min(RELATIONS, key=lambda ratio: abs(found / ratio - 1))
        return f"{near:.2f}" if abs(found / near - 1) <= SAME_PACE else "other"


def judgements(
    tracks: Sequence[tuple[Recording, Case]], model: Checkpoint[PaceConfig]
) -> list[Judgement]:
    """All candidates of all tracks."""
    found = []
    for recording, case in tracks:
        group = recording.source.partition(":")[2] or recording.group
        for tempo, target, p in zip(case.tempi, case.targets, judged(case, model), strict=True):
            name = recording.path.name
            found.append(Judgement(group, name, case, recording.bpm, tempo, target, p))
    return found


def area_under_curve(scores: ArrayLike, targets: ArrayLike) -> float:
    """AUC: probability that a compatible candidate scores above another one; ties count half."""
    scores, targets = np.asarray(scores, float), np.asarray(targets, bool)
    _, index, counts = np.unique(scores, return_inverse=True, return_counts=True)
    rank = (np.cumsum(counts) - (counts - 1) / 2)[index]
    n = int(targets.sum())
    return float((rank[targets].sum() - n * (n + 1) / 2) / (n * (targets.size - n)))


def balanced_accuracy(scores: ArrayLike, targets: ArrayLike) -> float:
    """Accuracy in which compatible candidates have the same total weight as the others."""
    right = (np.asarray(scores, float) >= COMPATIBLE) == np.asarray(targets, bool)
    targets = np.asarray(targets, bool)
    parts = [right[targets == known].mean() for known in (True, False) if (targets == known).any()]
    return float(np.mean(parts))


def measure(found: Sequence[Judgement]) -> dict[str, float]:
    """Figures of the candidates with a known target."""
    known = [j for j in found if not np.isnan(j.target)]
    scores = np.array([j.probability for j in known])
    targets = np.array([j.target >= 0.5 for j in known])
    other = np.array([j.ratio != "1.00" for j in known])
    return {
        "tracks": len({j.name for j in known}),
        "candidates": len(known),
        "compatible": float(targets.mean()),
        "accuracy": float(((scores >= COMPATIBLE) == targets).mean()),
        "balanced accuracy": balanced_accuracy(scores, targets),
        "balanced accuracy without the tempo itself": balanced_accuracy(
            scores[other], targets[other]
        ),
        "auc": area_under_curve(scores, targets),
        "auc without the tempo itself": area_under_curve(scores[other], targets[other]),
        "ece": expected_calibration_error(scores, targets),
    }


def without_listening(found: Sequence[Judgement]) -> dict[str, float]:
    """Figures of a guess from ratio and tempo alone: the mean target of such candidates elsewhere.

    The network has to be better than this to show that it uses the audio.
    """
    tempo = np.array([j.tempo for j in found])
    ratio = np.array([j.ratio for j in found])
    name = np.array([j.name for j in found])
    target = np.array([j.target for j in found])
    guessed = []
    for j in found:
        alike = (ratio == j.ratio) & (name != j.name) & (np.abs(tempo / j.tempo - 1) < ALIKE_TEMPI)
        guess = float(target[alike].mean()) if alike.any() else float(target.mean())
        guessed.append(replace(j, probability=guess))
    return measure(guessed)


def measure_songs(found: Sequence[Judgement]) -> dict[str, float]:
    """Figures of songs: whether the tempo is compatible, and whether alternatives rank higher."""
    names = sorted({j.name for j in found})
    own, pairs, all_pairs = [], [], []
    for name in names:
        of_song = [j for j in found if j.name == name]
        own.append(max(j.probability for j in of_song if j.ratio == "1.00") >= COMPATIBLE)
        known = [j.probability for j in of_song if j.target == 1 and j.ratio != "1.00"]
        against = [j.probability for j in of_song if j.target == 0]
        open_ = [j.probability for j in of_song if np.isnan(j.target)]
        pairs += [a > b for a in known for b in against]
        all_pairs += [a > b for a in known for b in against + open_]
    alternatives = [j.probability for j in found if j.target == 1 and j.ratio != "1.00"]
    return {
        "songs": len(names),
        "tempo compatible": float(np.mean(own)),
        "alternatives": len(alternatives),
        "alternatives compatible": float(np.mean(np.array(alternatives) >= COMPATIBLE)),
        "alternative above non-alternative": float(np.mean(pairs)),
        "pairs": len(pairs),
        "alternative above anything else": float(np.mean(all_pairs)),
        "all pairs": len(all_pairs),
    }


def measure_genres(
    found: Sequence[Judgement], genres: Mapping[str, str]
) -> dict[str, dict[str, float]]:
    """Figures of songs by genre: how many have half and double, and how many named paces are found.

    Both from the probability on that a pace is offered. Nobody says of a song that a pace does not
    fit, so a share that is too high shows only beside that of other genres.

    Parameters
    ----------
    genres
        The genre of each song, by the name of its file.
    """
    table = {}
    for genre, judged_ in by(found, lambda j: genres[j.name]).items():
        n_songs = len({j.name for j in judged_})
        named = [j.probability >= OFFERED for j in judged_ if j.target == 1 and j.ratio != "1.00"]
        offers = Counter(j.ratio for j in judged_ if j.probability >= OFFERED)
        table[genre] = {
            "songs": n_songs, "half": offers["0.50"] / n_songs, "double": offers["2.00"] / n_songs,
            "named": len(named), "named offered": int(sum(named)),
        }  # fmt: skip
    return table


def accuracy(found: Sequence[Judgement]) -> float:
    """Share of candidates that are on the right side of `COMPATIBLE`."""
    return float(np.mean([(j.probability >= COMPATIBLE) == (j.target >= 0.5) for j in found]))


def offered(found: Sequence[Judgement]) -> list[tuple[float, list[float]]]:
    """(tempo, tempi that the model finds compatible) of each track [BPM]."""
    tracks = by(found, lambda j: j.name).values()
    return [
        (js[0].bpm, [j.tempo for j in js if j.probability >= COMPATIBLE or j.ratio == "1.00"])
        for js in tracks
    ]


def by(found: Sequence[Judgement], key: Callable[[Judgement], str]) -> dict[str, list[Judgement]]:
    """Candidates in groups by their key, sorted."""
    groups: dict[str, list[Judgement]] = {}
    for judgement in found:
        groups.setdefault(key(judgement), []).append(judgement)
    return dict(sorted(groups.items()))


def profile(tracks: Sequence[tuple[float, Sequence[float]]]) -> dict[str, object]:
    """How many paces tracks have, and at which ratios; `tracks` are (tempo, all paces) [BPM]."""
    numbers = Counter(len(paces) for _, paces in tracks)
    ratios: Counter[str] = Counter()
    for tempo, paces in tracks:
        for found in paces:
            near = min(RELATIONS, key=lambda ratio: abs(found / tempo / ratio - 1))
            ratios["other" if abs(found / tempo / near - 1) > 0.06 else f"{near:.2f}"] += 1
    ratios.pop("1.00", None)
    total = sum(ratios.values())
    return {
        "tracks": len(tracks),
        "paces": {str(n): count / len(tracks) for n, count in sorted(numbers.items())},
        "extra paces": total,
        "ratios": {ratio: count / total for ratio, count in ratios.most_common()},
    }


def by_tempo(tracks: Sequence[tuple[float, Sequence[float]]]) -> dict[str, list[float]]:
    """[tracks, share with half, share with double] for ranges of the tempo."""
    table = {}
    for low, high in pairwise(TEMPO_RANGES):
        inside = [(tempo, paces) for tempo, paces in tracks if low <= tempo < high]
        shares = [
            float(np.mean([any(abs(p / tempo / r - 1) <= 0.06 for p in paces)
                           for tempo, paces in inside]))
            for r in (0.5, 2.0)
        ] if inside else []  # fmt: skip
        table[f"{low}..{high}"] = [len(inside), *shares]
    return table


def read_paces(data: Path) -> list[tuple[float, list[float]]]:
    """The songs of `paces.tsv`, each as (marked tempo, all paces) [BPM]."""
    rows = [[float(p) for p in row["paces"].split()] for row in read_tsv(data / "paces.tsv")]
    return [(paces[0], paces) for paces in rows]


def draw(
    found: Sequence[Judgement], model: Checkpoint[PaceConfig], out: Path, columns: int = 4
) -> None:
    """Draw folded onsets: each row is a beat, time within it goes to the right, onsets are dark."""
    n_rows = -(-len(found) // columns)
    figure, axes = plt.subplots(
        n_rows, columns, figsize=(2.6 * columns, 1.9 * n_rows), squeeze=False
    )
    for ax, judgement in zip(axes.flat, found, strict=False):
        windows = clear_windows(judgement.case.track.windows)
        view = folds(windows, [judgement.tempo], model.spectrum.fps, model.config.model)
        if view:
            onsets = view[0][1][0, model.front_end.n_mels // 2 :]
            ax.imshow(onsets.mean(axis=0), aspect="auto", cmap="gray_r", interpolation="nearest")
        known = {1.0: "compatible", 0.0: "not"}.get(float(judgement.target), "unknown")
        ax.set_title(
            f"{judgement.group[:22]} {judgement.bpm:.0f} at {judgement.tempo:.1f}\n"
            f"{known}, {judgement.probability:.2f}",
            fontsize=7, loc="left", pad=2,
        )  # fmt: skip
        ax.set(xticks=[], yticks=[])
    for ax in axes.flat[len(found) :]:
        ax.axis("off")
    figure.tight_layout(pad=0.4)
    picture = io.BytesIO()
    figure.savefig(picture, dpi=100)
    plt.close(figure)
    Image.open(picture).convert("RGB").quantize(32).save(out, "PNG")


def ambiguous(found: Sequence[Judgement], n: int) -> list[Judgement]:
    """The `n` worst mistakes, and as many candidates closest to an even chance."""
    known = [j for j in found if not np.isnan(j.target)]
    wrong = sorted(known, key=lambda j: -abs(j.target - j.probability))[:n]
    even = sorted(known, key=lambda j: abs(j.probability - COMPATIBLE))
    return wrong + [j for j in even if j not in wrong][:n]


@click.command(cls=Command)
@click.option("--data", type=click.Path(exists=True, file_okay=False, path_type=Path),
              required=True, help="Folder with songs.tsv, paces.tsv and midi/.")  # fmt: skip
@click.option("--clips", type=click.Path(exists=True, file_okay=False, path_type=Path),
              required=True, help="Rendered clips, best those of a balanced set.")  # fmt: skip
@click.option("--split", default="test", show_default=True, help="Of the clips.")
@click.option("--cache", type=click.Path(file_okay=False, path_type=Path), required=True)
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), required=True)
@click.option("--model", default="default", show_default=True, help="Pace model.")
@click.option("--tempo-model", default="default", show_default=True)
@click.option("--jobs", default=2, show_default=True)
def main(
    data: Path, clips: Path, split: str, cache: Path, out: Path, model: str, tempo_model: str,
    jobs: int,
) -> None:  # fmt: skip
    """Measure a pace model on rendered clips and on real songs."""
    out.mkdir(parents=True, exist_ok=True)
    loaded = checkpoint.load(checkpoint.resolve(model, "pace"), "pace")
    path = checkpoint.resolve(tempo_model)
    sources = Sources(data / "midi", data / "samples")
    rendered = clip_cases(clips, sources, path, cache, jobs, all_headlines=False)
    on_clips = judgements([(r, cases[0]) for r, cases in rendered if r.split == split], loaded)
    songs = by_split(read_songs(data), "validation")
    tracks = load_tracks([song.path for song in songs], path, cache / "tracks", jobs)
    on_songs = judgements(
        [(s, song_case(t, s, s.bpm)) for s, t in zip(songs, tracks, strict=True)], loaded
    )
    scores = [cases[0].score for _, cases in rendered]
    truth = [
        (score.bpm, [score.bpm * r for r in RELATIONS if compatibility(score, score.bpm * r)])
        for score in scores if score is not None
    ]  # fmt: skip
    figures = {
        "clips": measure(on_clips),
        "clips without listening": without_listening(on_clips),
        "half and double": measure([j for j in on_clips if j.ratio in ("0.50", "2.00")]),
        "half and double without listening": without_listening(
            [j for j in on_clips if j.ratio in ("0.50", "2.00")]
        ),
        **{
            f"{name} alone": measure([j for j in on_clips if j.ratio == ratio])
            for name, ratio in (("half", "0.50"), ("double", "2.00"))
        },
        "songs": measure_songs(on_songs),
        "genres": measure_genres(on_songs, {s.path.name: s.genre for s in songs}),
        "styles": {
            s: {"tracks": len({j.name for j in js}), "accuracy": accuracy(js)}
            for s, js in by(on_clips, lambda j: j.group).items()
        },
        "ratios": {
            r: {"n": len(js), "compatible": float(np.mean([j.target for j in js])),
                "accuracy": accuracy(js)}
            for r, js in by(on_clips, lambda j: j.ratio).items()
        },
        "a person's": profile(read_paces(data)),
        "definition's": profile(truth),
        "model's on songs": profile(offered(on_songs)),
        "a person's by tempo": by_tempo(read_paces(data)),
        "definition's by tempo": by_tempo(truth),
        "model's by tempo, on songs": by_tempo(offered(on_songs)),
    }  # fmt: skip
    (out / "figures.json").write_text(json.dumps(figures, indent=2) + "\n")
    for name, values in figures.items():
        click.echo(f"{name}: {json.dumps(values)}")
    with (out / "candidates.tsv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, delimiter="\t", lineterminator="\n")
        writer.writerow(["name", "group", "bpm", "ratio", "tempo", "compatible", "probability"])
        for j in [*on_songs, *on_clips]:
            target = "" if np.isnan(j.target) else f"{j.target:g}"
            writer.writerow(
                [j.name, j.group, f"{j.bpm:g}", j.ratio, f"{j.tempo:.2f}", target,
                 f"{j.probability:.3f}"]
            )  # fmt: skip
    draw(ambiguous(on_clips, 12), loaded, out / "clips.png")
    draw(ambiguous(on_songs, 12), loaded, out / "songs.png")


if __name__ == "__main__":
    main()
