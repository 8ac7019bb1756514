"""The sheet of a set: a page with its tempo, its energy and its keys, to look at and to print.

The page is complete in itself: pictures are SVG in it, nothing is loaded from elsewhere, there is
no script, and all names are escaped.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ..console import counted
from ..keys import Key
from ..markup import Markup, escape, page, table
from .sheet_pictures import Slot, colour_of, course_picture, wheel
from .transitions import Transition

STYLE = """
:root { --paper: #fff; --ink: #1d2330; --dim: #5d6675; --line: #d9dde4; --soft: #f3f5f8;
        --curve: #2b6cb0; --bar: #c9d6e6; --sector: #e9edf2; color-scheme: light; }
@media (prefers-color-scheme: dark) {
  :root { --paper: #161a22; --ink: #e6e9ef; --dim: #9aa4b5; --line: #343c4a; --soft: #1e2430;
          --curve: #7db4ee; --bar: #3d4d63; --sector: #2a3240; color-scheme: dark; } }
@media print {
  :root { --paper: #fff; --ink: #000; --dim: #444; --line: #bbb; --soft: #fff;
          --curve: #1a4f8a; --bar: #c9d6e6; --sector: #eee; color-scheme: light; }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  body { margin: 0; font-size: 11px; max-width: none; }
  .scroll svg { min-width: 0 !important; } }
@media print { .list { display: block; } tr, svg, figure { break-inside: avoid; } }
@page { size: A4 landscape; margin: 12mm; }
* { box-sizing: border-box; }
body { background: var(--paper); color: var(--ink); }
h1 { font-size: 1.7rem; line-height: 1.2; margin: 0 0 .3rem; overflow-wrap: anywhere; }
h2 { font-size: 1.1rem; margin: 1.6rem 0 .4rem; }
.facts { display: flex; flex-wrap: wrap; gap: .3rem 2rem; margin: .8rem 0 1.2rem; padding: 0; }
.facts div { min-width: 5rem; }
.facts dt { color: var(--dim); font-size: .8rem; }
.facts dd { margin: 0; font-size: 1.15rem; font-variant-numeric: tabular-nums; }
.note, .by { color: var(--dim); }
.note { max-width: 48rem; font-size: .87rem; }
.by { font-size: .87em; }
figure { margin: 0; }
.scroll { overflow-x: auto; border: 1px solid var(--line); border-radius: 8px; padding: 4px; }
.scroll svg { display: block; width: 100%; margin: 0 auto; }
.wheel svg { display: block; width: 21rem; margin: 0 auto; }
svg text { font-family: system-ui, sans-serif; fill: var(--ink); }
svg .dim { fill: var(--dim); }
.list { display: flex; flex-wrap: wrap; gap: 0 2rem; align-items: flex-start; }
.list > .tracks { flex: 1 1 43rem; min-width: 0; }
.list > .wheel { flex: 0 1 21rem; margin: 0 auto; }
table { width: 100%; margin: 0; }
th, td { border-color: var(--line); padding: .3rem .5rem; }
th { border-bottom-color: var(--dim); font-size: .8rem; color: var(--dim); font-weight: 600; }
td:nth-child(3) { overflow-wrap: anywhere; min-width: 7.5rem; }
td:not(:nth-child(3)), th { white-space: nowrap; }
td:first-child, th:first-child { padding-left: 0; }
.code { display: inline-block; min-width: 2.4em; padding: 0 .35em; border-radius: 4px;
        text-align: center; color: #14181f; white-space: nowrap; }
.meter { display: inline-block; width: 3.2rem; height: .55rem; border-radius: 3px;
         background: var(--sector); vertical-align: middle; }
.meter i { display: block; height: 100%; border-radius: 3px; background: var(--curve); }
@media (max-width: 40rem) {
  body { margin: 1rem auto; }
  h1 { font-size: 1.35rem; }
  th, td { padding: .3rem .25rem; font-size: .87rem; }
  td .key { display: block; }
  td:nth-child(6) { white-space: normal; }
  th:nth-child(2), td:nth-child(2), th:nth-child(7), td:nth-child(7),
  th:nth-child(8), td:nth-child(8) { display: none; } }
"""
# How each curve of energy is called on the page.
CURVE_NAMES = {"up": "rising", "down": "falling", "wave": "in waves", "flat": "even"}
UNTITLED = "untitled"


@dataclass(frozen=True)
class SheetTrack:
    """A track of the set.

    Attributes
    ----------
    title, artist
        As written; empty if unknown.
    tempo
        [BPM], as people count.
    key
        None if it is unknown.
    energy
        From 0 to 10.
    length
        [s], 0 if unknown.
    is_loudness_known
        Whether loudness takes part in the energy.
    transition
        How it follows the track before it; None for the first.
    """

    title: str
    artist: str
    tempo: float
    key: Key | None
    energy: float
    length: float
    is_loudness_known: bool
    transition: Transition | None


@dataclass(frozen=True)
class Sheet:
    """A set for its page.

    Attributes
    ----------
    tracks
        In their order, one at least.
    curve
        How energy should go, one of `CURVES`.
    wanted
        Energy that each track should have, from 0 to 10.
    pitch
        Largest change of speed [%] that was accepted.
    """

    tracks: Sequence[SheetTrack]
    curve: str
    wanted: Sequence[float]
    pitch: float

    def html(self) -> str:
        """The page."""
        first, last = (self.tracks[k].title or UNTITLED for k in (0, -1))
        slots = list(self._slots())
        parts = [
            f"<h1>From <bdi>{escape(first)}</bdi> to <bdi>{escape(last)}</bdi></h1>",
            self._facts(slots),
            f'<figure class="scroll">{course_picture(slots)}</figure>',
            f'<p class="note">{self._reading()}</p>',
            '<div class="list"><div class="tracks">' + self._table() + "</div>",
            f'<figure class="wheel">{wheel([track.key for track in self.tracks])}</figure></div>',
        ]
        return page(f"Set: {counted(len(self.tracks), 'track')} from {first}", parts, STYLE)

    def _slots(self) -> Iterator[Slot]:
        """The tracks as the picture shows them."""
        counting = 1.0
        for track, wanted in zip(self.tracks, self.wanted, strict=True):
            way = track.transition
            counting = counting * way.ratio if way else 1.0
            yield Slot(
                f"{track.artist} - {track.title}" if track.artist else track.title,
                track.tempo, counting * track.tempo, track.key, track.energy, wanted,
                way.pitch if way else None, way.relation if way else "",
            )  # fmt: skip

    def _facts(self, slots: Sequence[Slot]) -> str:
        """What the whole set is like."""
        lengths = [track.length for track in self.tracks]
        total = told_time(sum(lengths)) if any(lengths) else "unknown"
        if any(lengths) and not all(lengths):
            total = f"over {total}"
        tempi = [slot.mixed_at for slot in slots]
        changes = [abs(slot.pitch) for slot in slots if slot.pitch is not None]
        facts = {
            "Tracks": str(len(self.tracks)),
            "Played whole": total,
            "Tempo, as the first is counted": f"{min(tempi):.1f} to {max(tempi):.1f} BPM",
            "Largest change of speed": f"{max(changes, default=0):.1f} %",
            "Energy": CURVE_NAMES[self.curve],
        }
        told = "".join(f"<div><dt>{name}</dt><dd>{fact}</dd></div>" for name, fact in facts.items())
        return f'<dl class="facts">{told}</dl>'

    def _reading(self) -> str:
        """How to read the picture, and what energy is made of."""
        n_known = sum(track.is_loudness_known for track in self.tracks)
        n = len(self.tracks)
        made_of = "tempo alone, since no track has a ReplayGain"
        if n_known == n:
            made_of = "tempo and loudness (by ReplayGain)"
        elif n_known:
            made_of = f"tempo and loudness (by ReplayGain, which {n_known} of {n} tracks have)"
        return (
            "Above, the tempo of each track as it is counted beside the one before it, in the "
            "colour of its key; between two tracks, the change of speed at which the second meets "
            f"the first, {self.pitch:g} % at most. Below, energy (bars) and the curve asked for "
            f"(dashes): from 0 to 10 within the crate, by {made_of}."
        )

    def _table(self) -> str:
        """The tracks, a row each."""
        head = ("#", "Start", "Track", "BPM", "Key", "Mix", "Energy", "Length")
        return table(head, self._rows(), (0, 1, 3, 7))

    def _rows(self) -> Iterator[tuple[str, ...]]:
        begin: float | None = 0.0
        for number, track in enumerate(self.tracks, 1):
            yield (
                str(number),
                "" if begin is None else told_time(begin),
                Markup(
                    f"<b><bdi>{escape(track.title or UNTITLED)}</bdi></b><br>"
                    f'<span class="by"><bdi>{escape(track.artist)}</bdi></span>'
                ),
                f"{track.tempo:.2f}",
                Markup(key_code(track.key)),
                Markup(_told(track.transition)),
                Markup(
                    f'<span class="meter"><i style="width:{10 * track.energy:.0f}%"></i></span> '
                    f"{track.energy:.1f}"
                ),
                told_time(track.length) if track.length else "",
            )
            # After a track of unknown length nobody knows when the next one starts.
            begin = begin + track.length if begin is not None and track.length else None


def key_code(key: Key | None) -> str:
    """HTML of a key by its place on the Camelot wheel, in the colour of this place."""
    if key is None:
        return '<span class="by">unknown</span>'
    colour = colour_of(key)
    code = f'<span class="code" style="background:{colour}">{key.camelot}</span>'
    return f'{code} <span class="by key">{key}</span>'


def _told(way: Transition | None) -> str:
    """HTML about a transition."""
    if way is None:
        return '<span class="by">begin here</span>'
    harmony = "key unknown" if way.harmony == "unknown" else f"{way.harmony} key"
    about = f"{harmony}, {way.relation}" if way.relation else harmony
    return f'{round(way.pitch, 1) + 0.0:+.1f} %<br><span class="by">{about}</span>'


def told_time(seconds: float) -> str:
    """A duration [s] as `1:02:03` or `2:03`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
