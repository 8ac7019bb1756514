"""The figures of estimated keys as text for a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from .key_answers import KeyAnswer
from .key_figures import (
    INTERVALS,
    NO_KEY,
    KeyFigures,
    key_figures_of,
    keys_by_estimator,
    surest_wrong,
)
from .text_tables import aligned, number, percent

N_PRINTED = 10  # wrong keys on the terminal; a table has all of them


def key_table(figures: Mapping[str, KeyFigures]) -> list[tuple[str, ...]]:
    """The main figures: a header, then one row for each estimator and set."""
    rows: list[tuple[str, ...]] = [
        ("key estimator", "set", "tracks", "failed", "weighted", "(95 %)", "exact", "(95 %)",
         "fifth", "relative", "parallel", "other", "ECE"),
    ]  # fmt: skip
    for name, own in figures.items():
        for set_, m in {"all": own.all, **own.sets}.items():
            rows.append((
                name, set_, str(m.n), str(m.n_failed), percent(m.weighted),
                _interval(m.weighted_interval), percent(m.exact), _interval(m.exact_interval),
                *(str(m.relations[relation]) for relation in list(m.relations)[1:]),
                number(m.ece, 3),
            ))  # fmt: skip
    return rows


def _interval(interval: tuple[float, float]) -> str:
    low, high = interval
    return f"({100 * low:.0f}-{100 * high:.0f})"


def confusion_table(name: str, figures: KeyFigures) -> list[tuple[str, ...]]:
    """What one estimator takes for what: a header with the intervals, then a row a mode."""
    rows: list[tuple[str, ...]] = [
        (f"{name}, semitones up from the label's root", "", *map(str, range(INTERVALS)), NO_KEY)
    ]
    for row, counts in figures.confusion.items():
        if any(counts):
            rows.append((row, "", *(str(count) if count else "." for count in counts)))
    return rows


def told_keys(answers: Sequence[KeyAnswer]) -> Iterator[str]:
    """The figures, what the first estimator takes for what, and its surest wrong answers."""
    if not answers:
        return
    figures = key_figures_of(answers)
    name, first = next(iter(figures.items()))
    yield from aligned(key_table(figures))
    yield from aligned(confusion_table(name, first))
    for answer in surest_wrong(keys_by_estimator(answers)[name])[:N_PRINTED]:
        yield f"  {wrong_key_line(answer)}"


def wrong_key_line(answer: KeyAnswer) -> str:
    """One wrong answer: the track, the label, the estimate, and how sure it is."""
    track = answer.track
    sure = "" if answer.confidence is None else f", confidence {answer.confidence:.2f}"
    return (
        f"{track.name or track.path.name}: key {answer.reference}, analysed as {answer.estimate}"
        f"{sure}"
    )


def left_out(tempi: Sequence[object], keys: Sequence[object]) -> list[str]:
    """A sentence if no track has a tempo, or none has a key; nothing if both are there."""
    if keys and not tempi:
        return ["No track has a labelled tempo, so only keys are measured."]
    if tempi and not keys:
        return ["No track has a known key, so only tempi are measured."]
    return []
