"""What `pace:` finds at each probability: `python benchmarks/pace_threshold.py DATA CLIPS`.

DATA has `songs.tsv`, `rhythm.tsv` and `charts.tsv` with the columns `file`, `split`, `bpm` and, if
people name other paces of a track, `alt`; `paces.tsv` has the paces that a person found in other
songs. Only the validation splits are used, on which no model was trained. CLIPS are rendered clips
that no model was trained on, with their scores.

Nobody says of a song at which pace one can *not* move, so the precision of half and double on real
recordings is bounded by what labels can tell:

- *by clips*: the share of offers that the notes confirm, on clips whose estimated tempo is in the
  same range, weighted by where the recordings' offers are. Clips are easier to hear than records.
- *by a person*: at most as many offers in a range of tempi can be right as a person, who listed all
  paces of some songs, would find there. An upper bound.
- *by names*: of songs of which people name a half or a double at all, the share of offers that are
  named. A lower bound, since what is not named is not denied.
"""

from __future__ import annotations

import csv
import json
import math
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from tempo_core import Estimator
from tempo_core.errors import TempoError
from tempo_core.levels import is_same
from trainer.synthesis.notes import Score
from trainer.synthesis.paces import compatibility

TABLES = ("songs", "rhythm", "charts")
THRESHOLDS = (0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 0.98)
# [BPM] in each range the person listed 18 songs or more.
RANGES = tuple(pairwise((0.0, 110.0, 130.0, 145.0, 165.0, math.inf)))
RATIOS = (0.5, 2.0)
LEAST_PRECISION = 0.8
Paces = tuple[float, list[float]]  # [BPM] tempo that people count, and all paces


@dataclass(frozen=True)
class Track:
    """A track as it was estimated, and what is known of it.

    `bpm` and `paces` (tempo, probability) are the estimate; `named` are the paces [BPM] that people
    name, and `score` are the notes of a clip.
    """

    bpm: float
    paces: tuple[tuple[float, float], ...]
    named: tuple[float, ...] = ()
    score: Score | None = None

    def offered(self, least: float) -> list[float]:
        """Paces [BPM] of at least a probability, `bpm` always among them."""
        found = [bpm for bpm, probability in self.paces if probability >= least]
        return found if near(self.bpm, found) else [self.bpm, *found]


def near(tempo: float, paces: Sequence[float]) -> bool:
    """Whether a tempo is the same as one of some paces [BPM]."""
    return any(is_same(pace, tempo) for pace in paces)


def rows(path: Path) -> Iterator[dict[str, str]]:
    """The rows of a table."""
    with path.open() as file:
        yield from csv.DictReader(file, delimiter="\t")


def listen(estimator: Estimator, path: Path) -> tuple[float, tuple[tuple[float, float], ...]]:
    """The estimated tempo of a file and its paces."""
    found = estimator.estimate(path)
    return found.bpm, tuple((pace.bpm, pace.probability) for pace in found.paces)


def recordings(data: Path, estimator: Estimator) -> Iterator[Track]:
    """The validation recordings of all tables."""
    for table in TABLES:
        for row in rows(data / f"{table}.tsv"):
            if row["split"] != "validation":
                continue
            try:
                bpm, paces = listen(estimator, data / row["file"])
            except TempoError as error:
                print(f"{row['file']}: {error}", file=sys.stderr)
                continue
            named = [float(name) for name in (row.get("alt") or "").split(";") if name.strip()]
            yield Track(bpm, paces, tuple(name for name in named if not near(name, [bpm])))


def rendered(clips: Path, estimator: Estimator) -> Iterator[Track]:
    """The clips of a folder."""
    for row in rows(clips / "clips.tsv"):
        path = clips / row["file"]
        score = Score.from_json(path.with_suffix(".score").read_text())
        yield Track(*listen(estimator, path), score=score)


def offers(tracks: Sequence[Track], ratio: float, least: float) -> list[list[Track]]:
    """For each of `RANGES`, the tracks whose half or double is offered."""
    found = [t for t in tracks if near(t.bpm * ratio, t.offered(least))]
    return [[t for t in found if low <= t.bpm < high] for low, high in RANGES]


def precision_by_clips(real: Sequence[Track], clips: Sequence[Track], least: float) -> float:
    """Share of right offers among clips, where the offers of the recordings are."""
    right, total = 0.0, 0
    for ratio in RATIOS:
        for here, there in zip(
            offers(real, ratio, least), offers(clips, ratio, least), strict=True
        ):
            truth = [compatibility(t.score, t.bpm * ratio) for t in there if t.score is not None]
            if truth:  # else no clip tells anything of such recordings
                right += len(here) * sum(truth) / len(truth)
                total += len(here)
    return right / total if total else math.nan


def precision_by_person(real: Sequence[Track], said: Sequence[Paces], least: float) -> float:
    """Greatest share of offers that can be right if a person finds as much in all tracks."""
    right, total = 0.0, 0
    for ratio in RATIOS:
        for (low, high), here in zip(RANGES, offers(real, ratio, least), strict=True):
            alike = [(tempo, paces) for tempo, paces in said if low <= tempo < high]
            share = sum(near(tempo * ratio, paces) for tempo, paces in alike) / len(alike)
            right += min(len(here), share * sum(low <= t.bpm < high for t in real))
            total += len(here)
    return right / total if total else math.nan


def precision_by_names(real: Sequence[Track], least: float) -> float:
    """Share of offers that people name, of songs of which they name a half or a double."""
    named = [t for t in real if any(near(t.bpm * ratio, t.named) for ratio in RATIOS)]
    found = [
        near(t.bpm * ratio, t.named)
        for ratio in RATIOS
        for group in offers(named, ratio, least)
        for t in group
    ]
    return sum(found) / len(found) if found else math.nan


def per_cent(tracks: Sequence[Paces], holds: Callable[[float, list[float]], bool]) -> str:
    """Share of tracks for which `holds` is True, as text."""
    return f"{100 * sum(holds(*track) for track in tracks) / len(tracks):.0f} %"


def line(name: str, tracks: Sequence[Paces], *more: str) -> str:
    """A line of the table, for one threshold."""
    cells = (
        name,
        per_cent(tracks, lambda _, paces: any(pace < 90.5 for pace in paces)),
        per_cent(tracks, lambda _, paces: any(169.5 <= pace < 180.5 for pace in paces)),
        per_cent(tracks, lambda tempo, paces: near(tempo / 2, paces)),
        per_cent(tracks, lambda tempo, paces: near(tempo * 2, paces)),
        f"{sum(len(paces) for _, paces in tracks) / len(tracks):.2f}",
        *more,
    )
    return f"| {' | '.join(cells)} |"


def main(data: Path, folder: Path) -> None:
    """Estimate all tracks, print the table, and the least threshold at which all three suffice."""
    estimator = Estimator(windows="all")
    real, clips = list(recordings(data, estimator)), list(rendered(folder, estimator))
    lists = [[float(pace) for pace in row["paces"].split()] for row in rows(data / "paces.tsv")]
    said = [(paces[0], paces) for paces in lists]
    n_named = sum(len(track.named) for track in real)
    head = (
        "at least", "..90", "170..180", "half", "double", "paces", f"named, of {n_named}",
        "right by clips", "by a person, at most", "by names, at least",
    )  # fmt: skip
    print(f"{len(real)} recordings, {len(clips)} clips\n\n| {' | '.join(head)} |")
    print(f"|{'---|' * len(head)}")
    enough: list[float] = []
    for least in THRESHOLDS:
        found = sum(near(name, t.offered(least)) for t in real for name in t.named)
        shares = (
            precision_by_clips(real, clips, least),
            precision_by_person(real, said, least),
            precision_by_names(real, least),
        )
        tracks = [(t.bpm, t.offered(least)) for t in real]
        print(line(f"{least:g}", tracks, f"{found}", *(f"{100 * x:.0f} %" for x in shares)))
        if min(shares) >= LEAST_PRECISION:
            enough.append(least)
    print(line(f"a person, {len(said)} other songs", said, "", "", "", ""))
    print(json.dumps({"precision": LEAST_PRECISION, "from": min(enough, default=None)}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
