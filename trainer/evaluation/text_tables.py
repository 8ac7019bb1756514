"""The figures of an evaluation as text for a terminal."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

from .answers import Answer
from .figures import EvaluationFigures, by_estimator
from .measuring import measure_paces


def table(figures: Mapping[str, EvaluationFigures]) -> list[tuple[str, ...]]:
    """The main figures as text: a header, then one row for each estimator and set."""
    rows: list[tuple[str, ...]] = [
        ("estimator", "set", "tracks", "failed", "in 4 %", "(95 %)", "in 8 %", "octave", "in 1 %",
         "in 10 BPM", "mean", "median", "95 %", "P-score", "ECE",
         "octave ECE"),
    ]  # fmt: skip
    for name, own in figures.items():
        for set_, m in {"all": own.all, **own.sets}.items():
            low, high = m.acc1_interval
            rows.append((
                name, set_, str(m.n), str(m.n_failed), percent(m.acc1),
                f"({100 * low:.0f}-{100 * high:.0f})", percent(m.within_8_percent_of_all),
                percent(m.acc2), percent(m.within_1_percent_of_all),
                percent(m.within_10_bpm_of_all), number(m.error_mean, 1),
                number(m.error_percentiles["50"], 2), number(m.error_percentiles["95"], 1),
                number(m.p_score, 3), number(m.ece, 3),
                number(m.octave_ece, 3),
            ))  # fmt: skip
    return rows


def told_paces(answers: Sequence[Answer]) -> list[str]:
    """Figures of the judged paces as text, one sentence for each estimator that judges paces."""
    lines = []
    for name, own in by_estimator(answers).items():
        found = measure_paces(own)
        if found is not None and found.n_candidates:
            lines.append(
                f"{name}, paces of {found.n_tracks} tracks: {percent(found.accuracy)} % of "
                f"{found.n_candidates} candidates judged as stated; {percent(found.offered)} % of "
                f"the stated paces offered, {percent(found.stated)} % of the offered ones stated"
            )
    return lines


def percent(share: float) -> str:
    """A share in 0..1 as text in percent with one decimal, a dash for NaN."""
    return number(100 * share, 1)


def number(value: float, digits: int) -> str:
    """A number as text with this many decimals, a dash for NaN."""
    return "-" if math.isnan(value) else f"{value:.{digits}f}"


def aligned(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Rows (at least one) as lines of text; two columns are left-aligned, the others right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = [
            cell.ljust(width) if k < 2 else cell.rjust(width)
            for k, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        yield "  ".join(cells).rstrip()
