"""How far clicks without a grid are from the beats: `python benchmarks/clicks.py DATA`.

DATA has `charts.tsv` with the columns `file`, `split`, `bpm`, `beats` (a file of beat times in the
clip [s]) and `doubtful`. Ten seconds from the middle of each clip of the validation split that
keeps its tempo are given clicks at the tempo of the chart, where `tempo_core.clicks` finds them to
fit.
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path

import numpy as np

from tempo_core.audio import read_excerpts
from tempo_core.clicks import best_phase

SR, START, DURATION = 44100, 15.0, 10.0  # [Hz], [s]
STEADY = 0.01  # [s] by which the distance of two beats differs at most from the mean


def main() -> None:
    """Measure and print."""
    data = Path(sys.argv[1])
    with (data / "charts.tsv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    errors = []
    for row in rows:
        if row["split"] != "validation" or not row["beats"] or row["doubtful"]:
            continue
        times = np.loadtxt(data / row["beats"], ndmin=2)[:, 0]
        beats = times[(times >= START) & (times < START + DURATION)] - START
        steps = np.diff(beats)
        if len(beats) < 6 or np.abs(steps - steps.mean()).max() > STEADY:
            continue
        period = float(steps.mean())
        (excerpt,) = read_excerpts(data / row["file"], SR, [(START, DURATION)])
        found = best_phase(excerpt.audio, SR, 60 / period)
        errors.append(((found - beats[0] + period / 2) % period - period / 2, period))
    off = np.abs([error for error, _ in errors])
    between = np.mean([abs(error) > 0.4 * period for error, period in errors])
    print(
        f"{len(errors)} clips: median {1000 * np.median(off):.0f} ms from the beats of the chart, "
        f"{np.mean(off <= 0.07):.0%} within 70 ms, {between:.0%} between the beats"
    )


if __name__ == "__main__":
    main()
