"""HTML report on a lookup: published tempi against estimates, and tracks to check.

The file is self-contained: the plot is SVG, nothing is loaded from elsewhere, there is no script,
and all texts from sites are escaped.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..console import counted
from ..errors import LabelError
from ..files import replace_file
from ..markup import Markup, escape, page, table
from .key_check import AUDIO, BY_SEVERITY, KeyCheck
from .lookup import LookedUp
from .record import KeyVerdict, LabelVerdict, Record, Status
from .sources import ABOUT
from .training import TRAINABLE_SOURCES, objection

LOWEST_BPM, HIGHEST_BPM = 40.0, 260.0  # [BPM] range of both axes
PLOT_SIZE, PLOT_MARGIN = 520, 56  # [pixels]
AXIS_TICKS = (50, 60, 70, 80, 100, 120, 140, 170, 200, 240)  # [BPM] on both axes
# Colour, shape and name of each verdict. The colours can be told apart with any kind of colour
# vision (Okabe and Ito); the shapes help where there is no colour.
VERDICT_STYLES = {
    LabelVerdict.AGREE: ("#009e73", "circle", "agrees"),
    LabelVerdict.OCTAVE: ("#e69f00", "square", "an octave off"),
    LabelVerdict.TRIPLE: ("#0072b2", "diamond", "a factor of three off"),
    LabelVerdict.METER: ("#cc79a7", "triangle", "3:2 or 4:3"),
    LabelVerdict.CONFLICT: ("#d55e00", "cross", "in conflict"),
}
# Ratios of published to estimated tempo that the plot has a line for, with their names.
RATIO_LINES = ((1.0, "1:1"), (2.0, "2:1"), (0.5, "1:2"), (1.5, "3:2"), (2 / 3, "2:3"))
# Verdicts on tracks that a person should check, in the order of the report.
REVIEWED_VERDICTS = (
    LabelVerdict.CONFLICT,
    LabelVerdict.METER,
    LabelVerdict.TRIPLE,
    LabelVerdict.OCTAVE,
)


NOTHING_SAID = KeyCheck()


@dataclass(frozen=True)
class ReportLine:
    """The part of the result of a lookup that the report needs, kept to save memory."""

    name: str
    path: str
    status: Status | None
    chosen: Record | None
    records: tuple[Record, ...]
    keys: KeyCheck = NOTHING_SAID

    @classmethod
    def of(cls, looked_up: LookedUp) -> ReportLine:
        """The line for the result of a lookup."""
        track = looked_up.track
        return cls(
            track.name, track.path, looked_up.status, looked_up.chosen, looked_up.records,
            looked_up.keys,
        )  # fmt: skip


def write_report(
    path: Path, lines: Sequence[ReportLine], trainable: Collection[str] = TRAINABLE_SOURCES
) -> None:
    """Write the report as one atomic replacement of the file.

    `trainable` names the sources whose labels may be used for training.

    Raises
    ------
    LabelError
        If the file cannot be written.
    """
    try:
        replace_file(path, render(lines, trainable).encode("utf-8", "backslashreplace"))
    except OSError as error:
        raise LabelError(f"{path}: cannot be written ({error.strerror})") from error


def render(lines: Sequence[ReportLine], trainable: Collection[str] = TRAINABLE_SOURCES) -> str:
    """HTML text of the report; see `write_report`."""
    labels = [line.chosen for line in lines if line.chosen is not None]
    plotted = [record for record in labels if record.verdict in VERDICT_STYLES]
    review = sorted(
        (
            line
            for line in lines
            if line.chosen is not None and line.chosen.verdict in REVIEWED_VERDICTS
        ),
        key=lambda line: REVIEWED_VERDICTS.index(line.chosen.verdict) if line.chosen else 0,
    )
    nothing = [line for line in lines if line.status is Status.SKIPPED]
    unsettled = [line for line in lines if line.status not in (Status.FOUND, Status.SKIPPED, None)]
    used = {record.source for line in lines for record in line.records}
    reasons = Counter(objection(line.chosen, trainable) for line in lines)
    parts = [
        "<h1>Published tempi against the audio</h1>",
        f"<p>{_count(lines)}</p>",
        plot(plotted) if plotted else "<p>No track has both a label and an analysis.</p>",
        "<h2>To review</h2>",
        _review(review),
        "<h2>Keys to review</h2>",
        _keys(lines),
        "<h2>Without a label</h2>",
        _unsettled(unsettled, len(nothing)),
        "<h2>What may be trained on</h2>",
        _training(reasons),
        "<h2>Sources</h2>",
        _sources(used),
    ]
    return page("Tempo labels", parts)


def plot(records: Iterable[Record]) -> str:
    """SVG plot of labels (vertical) against estimates (horizontal) with a mark for each track.

    Both axes are logarithmic, so that a constant ratio is a line parallel to the diagonal.
    """
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {PLOT_SIZE + 190} {PLOT_SIZE + 14}"'
        f' width="{PLOT_SIZE + 190}" height="{PLOT_SIZE + 14}" role="img"'
        ' font-family="system-ui, sans-serif" font-size="12">'
        "<title>Published tempo against estimated tempo</title>"
        f'<rect width="{PLOT_SIZE + 190}" height="{PLOT_SIZE + 14}" fill="#fff"/>'
    ]
    left, right, top, bottom = PLOT_MARGIN, PLOT_SIZE - 8, 8, PLOT_SIZE - PLOT_MARGIN
    for tick in AXIS_TICKS:
        x, y = _x(tick), _y(tick)
        parts.append(
            f'<path d="M{x:.1f} {top}V{bottom}M{left} {y:.1f}H{right}" stroke="#eee"/>'
            f'<text x="{x:.1f}" y="{bottom + 16}" text-anchor="middle">{tick}</text>'
            f'<text x="{left - 6}" y="{y + 4:.1f}" text-anchor="end">{tick}</text>'
        )
    for ratio, name in RATIO_LINES:
        low, high = max(LOWEST_BPM, LOWEST_BPM / ratio), min(HIGHEST_BPM, HIGHEST_BPM / ratio)
        style = 'stroke="#666"' if ratio == 1 else 'stroke="#bbb" stroke-dasharray="4 4"'
        x2, y2 = _x(high), _y(high * ratio)
        parts.append(
            f'<path d="M{_x(low):.1f} {_y(low * ratio):.1f}L{x2:.1f} {y2:.1f}" {style}/>'
            f'<text x="{x2 - 4:.1f}" y="{y2 + 14:.1f}" fill="#777" text-anchor="end">{name}</text>'
        )
    counts: Counter[LabelVerdict] = Counter()
    for record in records:
        if record.bpm and record.estimate_bpm and record.verdict in VERDICT_STYLES:
            counts[record.verdict] += 1
            colour, shape, _ = VERDICT_STYLES[record.verdict]
            told = escape(
                f"{record.artist} - {record.title}: published {record.bpm:g}, "
                f"estimated {record.estimate_bpm:g}"
            )
            mark = _mark(shape, _x(record.estimate_bpm), _y(record.bpm), colour)
            parts.append(f"<g><title>{told}</title>{mark}</g>")
    for row, (verdict, (colour, shape, name)) in enumerate(VERDICT_STYLES.items()):
        y = top + 14 + 22 * row
        parts.append(
            _mark(shape, PLOT_SIZE + 12, y, colour)
            + f'<text x="{PLOT_SIZE + 24}" y="{y + 4}">{name} ({counts[verdict]})</text>'
        )
    middle = (left + right) / 2
    parts.append(
        f'<text x="{middle}" y="{bottom + 40}" text-anchor="middle">estimate from the audio [BPM]'
        f'</text><text transform="translate(14 {(top + bottom) / 2}) rotate(-90)"'
        ' text-anchor="middle">published [BPM]</text></svg>'
    )
    return "".join(parts)


def _x(bpm: float) -> float:
    """Horizontal position of an estimate [pixels]."""
    return PLOT_MARGIN + _share(bpm) * (PLOT_SIZE - 8 - PLOT_MARGIN)


def _y(bpm: float) -> float:
    """Vertical position of a label [pixels, downwards]."""
    return PLOT_SIZE - PLOT_MARGIN - _share(bpm) * (PLOT_SIZE - PLOT_MARGIN - 8)


def _share(bpm: float) -> float:
    """Position of a tempo on an axis, from 0 to 1; tempi beyond its ends are put there."""
    return math.log(min(HIGHEST_BPM, max(LOWEST_BPM, bpm)) / LOWEST_BPM) / math.log(
        HIGHEST_BPM / LOWEST_BPM
    )


def _mark(shape: str, x: float, y: float, colour: str) -> str:
    """SVG element of a shape of `VERDICT_STYLES`."""
    paths = {
        "square": f"M{x - 4:.1f} {y - 4:.1f}h8v8h-8z",
        "diamond": f"M{x:.1f} {y - 5.5:.1f}l5.5 5.5l-5.5 5.5l-5.5 -5.5z",
        "triangle": f"M{x:.1f} {y - 5:.1f}l5 9h-10z",
        "cross": f"M{x - 4:.1f} {y - 4:.1f}l8 8m0 -8l-8 8",
    }
    if shape == "circle":
        return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4.5" fill="{colour}" fill-opacity=".75"/>'
    if shape == "cross":
        return f'<path d="{paths[shape]}" stroke="{colour}" stroke-width="2.5" fill="none"/>'
    return f'<path d="{paths[shape]}" fill="{colour}" fill-opacity=".8"/>'


def _count(lines: Sequence[ReportLine]) -> str:
    """Numbers of tracks by status, and of labels by verdict, as text."""
    statuses = Counter(line.status for line in lines)
    verdicts = Counter(line.chosen.verdict for line in lines if line.chosen)
    told = [f"{statuses[s]} {s.value.replace('_', ' ')}" for s in Status if statuses[s]]
    if statuses[None]:
        told.append(f"{statuses[None]} not asked yet")
    said = [f"{verdicts[v]} {v.value.replace('_', ' ')}" for v in LabelVerdict if verdicts[v]]
    tracks, labels = counted(len(lines), "track"), ", ".join(said) or "none"
    return f"{tracks}: {', '.join(told)}. Of the labels: {labels}."


def _review(lines: Sequence[ReportLine]) -> str:
    """Table of the tracks whose tempo a person should check."""
    if not lines:
        return "<p>Nothing: every label that could be checked agrees with the audio.</p>"
    rows = []
    for line in lines:
        record = line.chosen
        if record is None:
            continue
        others = ", ".join(
            f"{other.source} {other.bpm:g}"
            for other in line.records
            if other is not record and other.status is Status.FOUND and other.bpm
        )
        rows.append(
            (
                record.verdict.value,
                line.name,
                f"{record.raw_bpm or ''}",
                f"{record.estimate_bpm or 0:g}",
                _link(record),
                f"{record.match_artist} - {record.match_title}",
                others,
                line.path,
            )
        )
    note = (
        '<p class="note">Both sides err: listen before you correct. Half or double is usually a '
        "matter of how one counts; another tempo altogether usually is another recording.</p>"
    )
    return note + table(
        ("verdict", "track", "published", "audio", "source", "as", "others say", "file"),
        rows,
        (2, 3),
    )


def _keys(lines: Sequence[ReportLine]) -> str:
    """How the keys that are said of tracks relate, and the tracks on which they differ."""
    kinds = [verdict for verdict in BY_SEVERITY if verdict is not KeyVerdict.NO_ESTIMATE]
    counts = {
        "published and in tags, among each other": Counter(line.keys.among for line in lines),
        "these and the audio": Counter(line.keys.audio for line in lines),
    }
    told = [
        f"<li>{name}: {', '.join(f'{found[kind]} {kind.value}' for kind in kinds if found[kind])}"
        for name, found in counts.items()
        if any(found[kind] for kind in kinds)
    ]
    if not told:
        return "<p>No track has two keys that could be compared.</p>"
    overview = "<p>Tracks by the most serious difference:</p><ul>" + "".join(told) + "</ul>"
    return overview + _differing_keys([line for line in lines if line.keys.differs])


def _differing_keys(lines: Sequence[ReportLine]) -> str:
    """Table of the tracks on whose key sources, tags and audio differ, the worst first."""
    if not lines:
        return "<p>All of them agree.</p>"
    lines = sorted(lines, key=lambda line: -BY_SEVERITY.index(line.keys.verdict))
    rows = [
        (
            line.keys.verdict.value,
            line.name,
            ", ".join(f"{witness} {key}" for witness, key in line.keys.said if witness != AUDIO),
            dict(line.keys.said).get(AUDIO, ""),
            _link(line.chosen) if line.chosen else "",
            line.path,
        )
        for line in lines
    ]
    note = (
        '<p class="note">A fifth, the relative and the parallel key are easily taken for each '
        "other, by people and programs. A conflict usually is another recording, or a wrong "
        "label.</p>"
    )
    return note + table(("verdict", "track", "published", "audio", "source", "file"), rows)


def _unsettled(lines: Sequence[ReportLine], n_nothing: int) -> str:
    """Table of the tracks without a label, and the number of those that could not be looked up."""
    note = (
        f'<p class="note">{n_nothing} more say nothing that a source could be asked by, not even '
        "a BPM in their tags.</p>"
        if n_nothing
        else ""
    )
    if not lines:
        return note or "<p>None.</p>"
    rows = [
        (
            line.status.value.replace("_", " ") if line.status else "",
            line.name,
            "; ".join(f"{record.source}: {record.message}" for record in line.records),
            line.path,
        )
        for line in lines
    ]
    return note + table(("status", "track", "why", "file"), rows)


def _training(reasons: Counter[str]) -> str:
    """Table of the numbers of tracks by the reason why they may not be used for training."""
    rows = [(str(count), reason or "may be used") for reason, count in reasons.most_common()]
    note = (
        '<p class="note">A label counts if the audio agrees with it and its source\'s licence '
        "allows it; the configuration can name further sources.</p>"
    )
    return note + table(("tracks", ""), rows, (0,))


def _sources(names: Collection[str]) -> str:
    """Table of the sources with these names and their licences."""
    rows = []
    for name in ABOUT:
        if name in names:
            about = ABOUT[name]
            link = (
                'BPM and key data by <a href="https://getsongbpm.com">GetSongBPM</a>'
                if name == "getsongbpm"
                else ""
            )
            rows.append((name, Markup(link or escape(about.title)), about.licence))
    return table(("source", "", "licence of the values"), rows)


def _link(record: Record) -> Markup:
    """Name of the source, as a link to its page if the address is http(s)."""
    name = escape(record.source)
    if not record.url.startswith(("http://", "https://")):
        return Markup(name)
    return Markup(f'<a href="{escape(record.url)}" rel="noreferrer nofollow">{name}</a>')
