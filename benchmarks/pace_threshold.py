"""Tracks that `pace:` finds at each probability: `python benchmarks/pace_threshold.py DATA`.

DATA has `songs.tsv`, `rhythm.tsv` and `charts.tsv` with the columns `file`, `split`, `bpm` and, if
people name other paces of a track, `alt`; `paces.tsv` has the paces that a person found in other
songs. Only the validation splits are used, on which no model was trained.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from tempo_core import Estimate, Estimator
from tempo_core.errors import TempoError
from tempo_core.levels import is_same

TABLES = ("songs", "rhythm", "charts")
THRESHOLDS = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98)
Paces = tuple[float, list[float]]  # [BPM] tempo that people count, and all paces


def near(tempo: float, paces: Sequence[float]) -> bool:
    """Whether a tempo is the same as one of some paces [BPM]."""
    return any(is_same(pace, tempo) for pace in paces)


def per_cent(tracks: Sequence[Paces], holds: Callable[[float, list[float]], bool]) -> str:
    """Share of tracks for which `holds` is True, as text."""
    return f"{100 * sum(holds(*track) for track in tracks) / len(tracks):.0f} %"


def row(name: str, tracks: Sequence[Paces], named: str) -> str:
    """A row of the table, for one threshold."""
    cells = (
        name,
        per_cent(tracks, lambda _, paces: any(pace < 90.5 for pace in paces)),
        per_cent(tracks, lambda _, paces: any(169.5 <= pace < 180.5 for pace in paces)),
        per_cent(tracks, lambda tempo, paces: near(tempo / 2, paces)),
        per_cent(tracks, lambda tempo, paces: near(tempo * 2, paces)),
        named,
        f"{sum(len(paces) for _, paces in tracks) / len(tracks):.2f}",
    )
    return f"| {' | '.join(cells)} |"


def main(data: Path) -> None:
    """Estimate all tracks and print the table."""
    estimator = Estimator(windows="all")
    heard: list[tuple[Estimate, list[float]]] = []
    for table in TABLES:
        with (data / f"{table}.tsv").open() as file:
            for line in csv.DictReader(file, delimiter="\t"):
                if line["split"] != "validation":
                    continue
                try:
                    estimate = estimator.estimate(data / line["file"])
                except TempoError as error:
                    print(f"{line['file']}: {error}", file=sys.stderr)
                    continue
                names = (line.get("alt") or "").split(";")
                others = [float(name) for name in names if name.strip()]
                heard.append((estimate, [bpm for bpm in others if not near(bpm, [estimate.bpm])]))
    n_named = sum(len(others) for _, others in heard)
    head = ("at least", "..90", "170..180", "half", "double", f"named, of {n_named}", "paces")
    print(f"{len(heard)} recordings\n\n| {' | '.join(head)} |\n|{'---|' * len(head)}")
    for least in THRESHOLDS:
        tracks, found = [], 0
        for estimate, others in heard:
            paces = [pace.bpm for pace in estimate.paces if pace.probability >= least]
            own = [] if near(estimate.bpm, paces) else [estimate.bpm]  # `bpm` always counts
            tracks.append((estimate.bpm, [*own, *paces]))
            found += sum(near(bpm, paces) for bpm in others)
        print(row(f"{least:g}", tracks, f"{found}"))
    with (data / "paces.tsv").open() as file:
        lines = [line["paces"].split() for line in csv.DictReader(file, delimiter="\t")]
    said = [(float(paces[0]), [float(pace) for pace in paces]) for paces in lines]
    print(row(f"a person, {len(said)} other songs", said, ""))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
