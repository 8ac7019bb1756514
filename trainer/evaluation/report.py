"""The report of an evaluation as one HTML file: figures, comparisons, plots and labels to check.

The file is self-contained: plots are embedded, nothing is loaded and no script runs. Names, genres
and paths are escaped, whatever they contain.
"""

from __future__ import annotations

import html
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from matplotlib.figure import Figure

from tempo_core.markup import page, table

from ..files import write_bytes
from . import plots
from .answers import ANSWERS_TABLE, Answer
from .figures import EvaluationFigures, by_estimator, figures_of, worst
from .history import HISTORY, Row, read_history
from .key_answers import KeyAnswer
from .key_report import key_parts, key_pictures
from .measuring import sure, sure_octave
from .metrics import reliability, signed
from .report_parts import MOST_ROWS, figure, more, path_cell, scroll
from .saving import RunInfo, load
from .text_tables import number, percent, told_paces
from .text_tables import table as main_figures

REPORT_FILE = "report.html"
PLOTS_FOLDER = "plots"
REPORT_STYLE = """
h2 { margin-top: 2.2rem; }
figure { margin: 1rem 0; }
figcaption { color: #555; max-width: 42rem; }
figure img { width: 41rem; }
.pair { display: flex; flex-wrap: wrap; gap: 0 1.5rem; }
.pair figure { flex: 1 1 24rem; min-width: 0; max-width: 41rem; }
.scroll { overflow-x: auto; }
.scroll th, td.number { white-space: nowrap; }
.path { display: inline-block; min-width: 14rem; overflow-wrap: anywhere; font-size: 13px; }
.headline { font-size: 1.15rem; max-width: 48rem; }
"""


def redraw(folder: Path) -> Path:
    """Write the plots and the report of a saved evaluation again; return the path of the report.

    Raises
    ------
    ConfigError
        If there is no evaluation in the folder, or it is damaged.
    """
    about, answers, keys = load(folder)
    log = folder / HISTORY
    history = read_history(log) if log.exists() else []
    return write_report(folder, about, answers, history, keys=keys)


def write_report(
    folder: Path,
    about: RunInfo,
    answers: Sequence[Answer],
    history: Sequence[Row] = (),
    name: Path | None = None,
    keys: Sequence[KeyAnswer] = (),
) -> Path:
    """Write the report, and its plots also as files of their own; return the path of the report.

    Parameters
    ----------
    history
        Rows of the training log of the first estimator's model; none if it is unknown.
    name
        File to write the report to; None for `report.html` in the folder.
    keys
        Answers about keys; none if no key is known.
    """
    drawn = {**figures(answers, history), **key_pictures(keys)}
    pictures = {stem: draw(one) for stem, one in drawn.items()}
    (folder / PLOTS_FOLDER).mkdir(parents=True, exist_ok=True)
    for stem, data in pictures.items():
        write_bytes(folder / PLOTS_FOLDER / f"{stem}.png", data)
    path = name or folder / REPORT_FILE
    text = render(about, answers, pictures, keys)
    # Bytes of a path that are not UTF-8 are shown as a replacement character.
    write_bytes(path, text.encode("utf-8", "replace"))
    return path


def draw(drawn: Figure) -> bytes:
    """A figure as PNG; characters that the font lacks are drawn as boxes, without a warning."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from font")
        return plots.png(drawn)


def figures(answers: Sequence[Answer], history: Sequence[Row] = ()) -> dict[str, Figure]:
    """The plots about tempi by the stem of their file's name, without empty ones."""
    if not answers:
        return {}
    estimators = by_estimator(answers)
    found = {
        f"estimates-{k}": plots.estimate_against_label(own)
        for k, own in enumerate(estimators.values(), 1)
    }
    numbers = figures_of(answers)
    found["errors"] = plots.errors(estimators)
    found["octaves"] = plots.octaves({name: f.confusion for name, f in numbers.items()})
    for stem, stating, label in (
        ("reliability", sure, "share of right tempi (4 %)"),
        ("octave-reliability", sure_octave, "share of right octaves"),
    ):
        stated = {name: stating(own) for name, own in estimators.items()}
        bins = {name: reliability(*pairs) for name, pairs in stated.items() if pairs[0]}
        if bins:
            found[stem] = plots.calibration(bins, label)
    found["tempi"] = plots.parts({n: f.decades for n, f in numbers.items()}, "label [BPM]")
    if any(f.genres for f in numbers.values()):
        found["genres"] = plots.parts({n: f.genres for n, f in numbers.items()}, "genre")
    if history:
        found["training"] = plots.training(history)
    return found


def render(
    about: RunInfo,
    answers: Sequence[Answer],
    pictures: Mapping[str, bytes],
    keys: Sequence[KeyAnswer] = (),
) -> str:
    """The report as HTML; `pictures` are the plots as PNG, by the stems of their files' names."""
    tempi = _parts(answers, figures_of(answers), pictures) if answers else ()
    parts = [*_top(about), *tempi, *key_parts(keys, pictures)]
    return page(about.title, parts, REPORT_STYLE)


def _top(about: RunInfo) -> Iterator[str]:
    """The title, and what is to be said of all figures."""
    yield f"<h1>{html.escape(about.title)}</h1>"
    yield f'<p class="note">{html.escape(facts(about))}</p>'
    for note in about.notes:
        yield f"<p><strong>{html.escape(note)}</strong></p>"


def _parts(
    answers: Sequence[Answer],
    numbers: Mapping[str, EvaluationFigures],
    pictures: Mapping[str, bytes],
) -> Iterator[str]:
    """The parts about tempi as HTML, from top to bottom."""
    estimators = by_estimator(answers)
    yield from _summary(numbers)
    yield from _plots(list(estimators), pictures)
    paces = told_paces(answers)
    if paces:
        yield "<h2>Paces</h2><ul>" + "".join(f"<li>{html.escape(t)}</li>" for t in paces) + "</ul>"
    yield from _lists(answers, next(iter(estimators.values())))


def _summary(numbers: Mapping[str, EvaluationFigures]) -> Iterator[str]:
    """The main figures and the table of all figures."""
    first = next(iter(numbers))
    yield f'<p class="headline">{html.escape(headline(first, numbers[first]))}</p>'
    told = [text for name, own in numbers.items() if (text := compared(first, name, own))]
    if told:
        yield "<ul>" + "".join(f"<li>{html.escape(text)}</li>" for text in told) + "</ul>"
    head, *rows = main_figures(numbers)
    yield scroll(table(head, rows, range(2, len(head))))
    yield (
        '<p class="note">Shares of the tracks in %: within 4 % of the label (Accuracy 1), within '
        "8 %, within 4 % of it or of a third, half, twice or three times it (octave: Accuracy 2), "
        "within 1 % and within 10 BPM. Mean, median and 95 %: distance from the label in BPM. "
        "P-score: "
        "MIREX, for labels with two tempi. ECE: expected calibration error, of the confidence and "
        "of that in the octave where the rate is right. In brackets the 95 % interval, drawn by "
        "artist or song. A track that failed counts as wrong.</p>"
    )


def _plots(estimators: Sequence[str], pictures: Mapping[str, bytes]) -> Iterator[str]:
    """The plots with their headings and captions.

    Parameters
    ----------
    estimators
        Names of the estimators.
    pictures
        Plots as PNG, by the names of `figures`.
    """
    if "training" in pictures:
        yield "<h2>Training</h2>"
        yield figure(
            pictures["training"],
            "How the first model was trained: after each epoch, on what it learned from (loss) and "
            "on recordings that were held back (all else).",
        )
    yield "<h2>Estimate against label</h2>"
    yield '<div class="pair">'
    for k, name in enumerate(estimators, 1):
        yield figure(
            pictures[f"estimates-{k}"],
            f"{name}: each track a mark. The lines are simple ratios of the label.",
        )
    yield "</div><h2>Errors</h2>"
    yield '<div class="pair">'
    yield figure(pictures["errors"], "Distance of the estimate from the label.")
    yield figure(pictures["octaves"], "What the estimate is of the label, within 4 %.")
    yield "</div>"
    if "reliability" in pictures:
        yield '<h2>Confidence</h2><div class="pair">'
        yield figure(
            pictures["reliability"],
            "Share of right tempi among the tracks of a confidence; the larger a mark, the more "
            "tracks. On the line a confidence means what it says.",
        )
        if "octave-reliability" in pictures:
            yield figure(
                pictures["octave-reliability"],
                "The same of the octave: share of right tempi by how sure the octave is, among "
                "the tracks whose tempo is right up to the octave.",
            )
        yield "</div>"
    yield "<h2>By tempo"
    yield (" and genre" if "genres" in pictures else "") + '</h2><div class="pair">'
    yield figure(pictures["tempi"], "Accuracy by the labelled tempo; in brackets the tracks.")
    if "genres" in pictures:
        yield figure(pictures["genres"], "Accuracy by genre; in brackets the tracks.")
    yield "</div>"


def _lists(answers: Sequence[Answer], own: Sequence[Answer]) -> Iterator[str]:
    """The lists of wrong answers of the first estimator (`own`) and of tracks that failed."""
    yield "<h2>Disagreements to look at</h2>"
    if any(answer.estimate is not None for answer in own):
        yield _disagreements(worst(own))
    else:
        yield "<p>Nothing was estimated.</p>"
    failures = [answer for answer in answers if answer.failure]
    if failures:
        yield "<h2>Not estimated</h2>"
        rows = [(a.estimator, a.failure, path_cell(a.path)) for a in failures[:MOST_ROWS]]
        yield scroll(table(("estimator", "why", "file"), rows))
        yield more(len(failures), ANSWERS_TABLE)


def headline(name: str, own: EvaluationFigures) -> str:
    """The main figures of an estimator in one or two sentences."""
    m = own.all
    low, high = m.acc1_interval
    text = (
        f"{name} is right within 4 % for {percent(m.acc1)} % of {m.n} tracks (95 % interval "
        f"{100 * low:.0f} to {100 * high:.0f}), up to the octave for {percent(m.acc2)} %."
    )
    if m.n_failed < m.n:
        text += (
            f" {percent(m.within_10_bpm_of_all)} % are within 10 BPM. Half of the estimates are "
            f"within {number(m.error_percentiles['50'], 2)} BPM of the label, and 95 % within "
            f"{number(m.error_percentiles['95'], 1)} BPM."
        )
    return text


def compared(first: str, name: str, own: EvaluationFigures) -> str:
    """A sentence that compares another estimator to the first one; empty for the first one."""
    if own.ahead is None or own.ahead_interval is None:
        return ""
    low, high = own.ahead_interval
    points = f"{100 * abs(own.ahead):.1f}"
    known = f"(95 % interval {signed(low)} to {signed(high)})"
    if points == "0.0":
        return f"{name}: {percent(own.all.acc1)} %, as many as {first} {known}."
    what = "more" if own.ahead > 0 else "fewer"
    text = f"{name}: {percent(own.all.acc1)} %, {points} points {what} than {first} {known}"
    return f"{text}." if low > 0 or high < 0 else f"{text}: that may be chance."


def facts(about: RunInfo) -> str:
    """The split, the number of windows and the version of the program, in one line."""
    split = "all splits" if about.split == "all" else f"split {about.split}"
    windows = "the whole track" if about.windows == "all" else f"at most {about.windows} windows"
    return f"{split}; {windows} listened to; beets-tempo {about.package}"


def _disagreements(wrong: Sequence[Answer]) -> str:
    """The list of wrong answers to check, as HTML."""
    if not wrong:
        return "<p>None: every estimate agrees with its label.</p>"
    rows = [
        (
            a.name or a.path.name,
            f"{a.bpm:g}",
            f"{a.estimate:g}",
            f"{a.ratio:.2f}",
            "" if a.confidence is None else f"{a.confidence:.2f}",
            a.set,
            path_cell(a.path),
        )
        for a in wrong[:MOST_ROWS]
    ]
    head = ("track", "label", "estimate", "ratio", "confidence", "set", "file")
    note = (
        '<p class="note">Both sides err: listen before you correct a label. First those that no '
        "octave explains, then those that the estimator is surest of.</p>"
    )
    return note + scroll(table(head, rows, (1, 2, 3, 4))) + more(len(wrong), ANSWERS_TABLE)
