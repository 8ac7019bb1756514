"""The part of an evaluation's report that is about keys."""

from __future__ import annotations

import html
from collections.abc import Iterator, Mapping, Sequence

from matplotlib.figure import Figure

from tempo_core.markup import table

from . import plots
from .key_answers import KeyAnswer
from .key_figures import (
    KeyFigures,
    key_confidences,
    key_figures_of,
    keys_by_estimator,
    surest_wrong,
)
from .key_plots import key_confusion
from .key_tables import key_table
from .metrics import reliability, signed
from .report_parts import MOST_ROWS, figure, more, path_cell, scroll
from .text_tables import percent


def key_pictures(answers: Sequence[KeyAnswer]) -> dict[str, Figure]:
    """The plots about keys by the stem of their file's name, without empty ones."""
    estimators = keys_by_estimator(answers)
    found = {
        f"keys-{k}": key_confusion(own) for k, own in enumerate(key_figures_of(answers).values(), 1)
    }
    stated = {name: key_confidences(own) for name, own in estimators.items()}
    bins = {name: reliability(*pairs) for name, pairs in stated.items() if pairs[0]}
    if bins:
        found["key-reliability"] = plots.calibration(bins, "share of right keys")
    return found


def key_parts(answers: Sequence[KeyAnswer], pictures: Mapping[str, bytes]) -> Iterator[str]:
    """The parts about keys as HTML, from top to bottom; none if there are no answers."""
    figures = key_figures_of(answers)
    if not figures:
        return
    first = next(iter(figures))
    yield "<h2>Keys</h2>"
    yield f'<p class="headline">{html.escape(key_headline(first, figures[first]))}</p>'
    told = [text for name, own in figures.items() if (text := compared(first, name, own))]
    if told:
        yield "<ul>" + "".join(f"<li>{html.escape(text)}</li>" for text in told) + "</ul>"
    head, *rows = key_table(figures)
    yield scroll(table(head, rows, range(2, len(head))))
    yield (
        '<p class="note">Weighted: the score of the MIREX contest in %: the same key 1, a fifth up '
        "0.5, relative 0.3, parallel 0.2. Exact: the very key. ECE: expected calibration error. In "
        "brackets the 95 % interval, drawn by artist. A track without an answer counts as "
        "wrong.</p>"
    )
    yield '<div class="pair">'
    for k, name in enumerate(figures, 1):
        yield figure(pictures[f"keys-{k}"], f"{name}: what is taken for what; 0 is the same root.")
    yield "</div>"
    if "key-reliability" in pictures:
        yield figure(
            pictures["key-reliability"],
            "Share of right keys among the tracks of a confidence; on the line a confidence means "
            "what it says.",
        )
    yield from _lists(answers, keys_by_estimator(answers)[first])


def key_headline(name: str, own: KeyFigures) -> str:
    """The main figures of an estimator in a sentence."""
    m = own.all
    low, high = m.weighted_interval
    return (
        f"{name} finds the very key of {percent(m.exact)} % of {m.n} tracks; weighted key score "
        f"{percent(m.weighted)} % (95 % interval {100 * low:.0f} to {100 * high:.0f})."
    )


def compared(first: str, name: str, own: KeyFigures) -> str:
    """A sentence that compares another estimator to the first one; empty for the first one."""
    if own.ahead is None or own.ahead_interval is None:
        return ""
    low, high = own.ahead_interval
    text = (
        f"{name}: weighted key score {percent(own.all.weighted)} %, {signed(own.ahead)} points "
        f"beside {first} (95 % interval {signed(low)} to {signed(high)})"
    )
    return f"{text}." if low > 0 or high < 0 else f"{text}: that may be chance."


def _lists(answers: Sequence[KeyAnswer], own: Sequence[KeyAnswer]) -> Iterator[str]:
    """The wrong answers of the first estimator (`own`), and the tracks that failed."""
    yield "<h2>Keys to look at</h2>"
    wrong = surest_wrong(own)
    if wrong:
        rows = [
            (a.track.name or a.track.path.name, str(a.reference), str(a.estimate),
             "" if a.confidence is None else f"{a.confidence:.2f}", a.track.set,
             path_cell(a.track.path))
            for a in wrong[:MOST_ROWS]
        ]  # fmt: skip
        yield '<p class="note">Both sides err. First those that the estimator is surest of.</p>'
        yield scroll(table(("track", "label", "estimate", "confidence", "set", "file"), rows, (3,)))
        yield more(len(wrong), "keys.tsv")
    else:
        yield "<p>None: every estimated key agrees with its label.</p>"
    failures = [answer for answer in answers if answer.failure]
    if failures:
        yield "<h2>Keys not estimated</h2>"
        cells = [(a.estimator, a.failure, path_cell(a.track.path)) for a in failures[:MOST_ROWS]]
        yield scroll(table(("estimator", "why", "file"), cells))
        yield more(len(failures), "keys.tsv")
