"""Share of published labels that are accepted and of those that are right, with and without the
gates of the matching and the cross-check with the audio.

The tracks are generated. For each of them the demo site has one of these, drawn by the seed: a
right page; a page with half or double the tempo; a page with the same name and the tempo of another
recording, of another or the same length; only pages of other versions, most of them with other
values; or nothing. Every page is among decoys. Some of the tracks are live recordings or remixes,
names are written in several ways, and lengths differ a little, as on real sites.
"""

from __future__ import annotations

import dataclasses
import tempfile
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import bench
import numpy as np
from rapidfuzz import fuzz

from tempo_core import Estimator
from tempo_core.labels.crosscheck import check_tempo, same_tempo
from tempo_core.labels.demo_site import DemoSite, Entry, decoys
from tempo_core.labels.http.session import PoliteSession, SessionOptions
from tempo_core.labels.lookup import Run
from tempo_core.labels.record import LabelVerdict, Record, TrackQuery
from tempo_core.labels.source import SourceSettings
from tempo_core.labels.sources import make_sources, manners
from tempo_core.labels.store import Store
from tempo_core.labels.titles import normalise

# Shares of the kinds of pages. Evaluations of such labels found two thirds right and a fifth an
# octave off. How often a page is that of another version is not known; a tenth is a guess.
KINDS = {
    "right": 0.60, "octave": 0.18, "page of another length": 0.05, "page of the same length": 0.04,
    "only other versions": 0.08, "nothing": 0.05,
}  # fmt: skip
TITLES = ("Harbour", "Copper", "Meridian", "Lantern", "Cinder", "Velvet", "Orbit", "Saltwater")
THINGS = ("Lights", "Road", "Machine", "Season", "Letters", "Garden", "Signal", "Weather")
ARTISTS = ("Glass Elevator", "The Lintels", "Subfloor", "Two Left Feet", "Mira Holm", "Oak & Iron")
VERSIONS = {"": 0.85, " (Live)": 0.08, " (Nightshift Remix)": 0.07}  # shares among the tracks
# Shares of the ways in which a page writes a title.
SPELLINGS = {
    "{}": 0.6, "{} - 2011 Remaster": 0.1, "{} (feat. Mira Holm)": 0.1, "{} - Radio Edit": 0.1,
    "{} (Album Version)": 0.05, "{} (Bonus)": 0.05,
}  # fmt: skip
# Standard deviation of the length of a page from that of the track [s]: usually, and for a tenth.
ROUNDING, ANOTHER_FADE = 1.0, 5.0
OCTAVE_ERRORS = 0.12  # share of real songs for which the estimate is an octave off
Tempi = Sequence[float | None]
LENGTH = (150.0, 320.0)  # [s] lowest and highest length in the tags; the audio is an excerpt


@dataclass(frozen=True)
class Case:
    """A track, its true tempo [BPM], the kind of its pages (of `KINDS`), and the pages."""

    track: TrackQuery
    bpm: float
    kind: str
    pages: tuple[Entry, ...]


def make_cases(music: Sequence[bench.Track], seed: int) -> list[Case]:
    """Draw the names, lengths and pages of the tracks."""
    rng = np.random.default_rng(seed)
    names = [(title, thing, artist) for title in TITLES for thing in THINGS for artist in ARTISTS]
    order = rng.permutation(len(names))
    cases = []
    for number, file in enumerate(music):
        title, thing, artist = names[order[number % len(names)]]
        name = f"{title} {thing}" + (f" {number // len(names) + 2}" if number >= len(names) else "")
        kind = str(rng.choice(list(KINDS), p=list(KINDS.values())))
        length = float(rng.uniform(*LENGTH))
        layout = str(rng.choice(["2022", "2024"]))
        ours = name + str(rng.choice(list(VERSIONS), p=list(VERSIONS.values())))
        spelling = str(rng.choice(list(SPELLINGS), p=list(SPELLINGS.values())))
        spread = ANOTHER_FADE if rng.random() < 0.1 else ROUNDING
        theirs = length + float(rng.normal(0, spread))
        own = Entry(
            spelling.format(ours),
            artist,
            round(file.bpm),
            "A Minor",
            "Album",
            theirs,
            layout=layout,
        )
        other_bpm: int = round(file.bpm * float(rng.choice([0.83, 0.9, 1.1, 1.21])))
        # The original version; it has another tempo if the track is a live recording or a remix.
        usual = dataclasses.replace(own, title=name, bpm=own.bpm if ours == name else other_bpm)
        around = [e for e in decoys(usual) if e.title != ours or e.artist != artist]
        if ours != name:
            around.append(usual)
        match kind:
            case "right":
                pages = [own, *around]
            case "octave":
                factor = 0.5 if file.bpm > 100 else 2.0
                pages = [dataclasses.replace(own, bpm=round(file.bpm * factor)), *around]
            case "page of another length":
                shift = float(rng.uniform(15, 70) * rng.choice([-1, 1]))
                wrong = dataclasses.replace(own, bpm=other_bpm, duration=length + shift)
                pages = [wrong, *around]
            case "page of the same length":
                pages = [dataclasses.replace(own, bpm=other_bpm), *around]
            case "only other versions":
                # A third of them has the values of the right page.
                keep = rng.random() < 1 / 3
                pages = [e if keep else dataclasses.replace(e, bpm=other_bpm) for e in around]
            case _:
                pages = []
        track = TrackQuery(ours, (artist,), "Album", duration=length, path=str(file.path))
        cases.append(Case(track, file.bpm, kind, tuple(pages)))
    return cases


def look_up(cases: Iterable[Case], site: DemoSite, folder: Path) -> list[Record | None]:
    """The label that a look-up chooses for each case, None if it finds none."""
    settings = SourceSettings(site.urls)
    hosts = manners(["musicstax"], settings, 0.0)
    with PoliteSession(hosts, SessionOptions(cache=folder / "pages.db")) as session:
        sources = make_sources(["musicstax"], settings, session)
        with Store(folder / "labels.db") as store:
            run = Run(sources, store, session)
            return [labelled.chosen for labelled in run.label(case.track for case in cases)]


def first_hit(case: Case, site: DemoSite) -> Entry | None:
    """The first search result if it has 70 % of the words: a simple matching for comparison."""
    stop = {"feat", "ft", "featuring", "with", "and", "remix", "mix", "edit", "the", "a"}
    wanted = set(normalise(f"{case.track.title} {case.track.artist}").split()) - stop
    for entry in site.find(f"{case.track.artist} {case.track.title}")[:1]:
        words = set(normalise(f"{entry.title} {entry.artist}").split())
        if len(wanted & words) >= 0.7 * len(wanted):
            return entry
    return None


def most_alike(case: Case, site: DemoSite) -> Entry | None:
    """The search result with the highest score of rapidfuzz, if that is at least 90 of 100."""
    wanted = normalise(f"{case.track.artist} {case.track.title}")
    found = [
        (fuzz.WRatio(wanted, normalise(f"{entry.artist} {entry.title}")), entry)
        for entry in site.find(f"{case.track.artist} {case.track.title}")
    ]
    score, best = max(found, key=lambda pair: pair[0], default=(0.0, None))
    return best if score >= 90 else None


def row(name: str, cases: Sequence[Case], tempi: Tempi) -> str:
    """Row of the table with precision and recall of a way to choose labels.

    Precision is the share of accepted labels within 4 % of the true tempo, and of the tempo or its
    octaves. Recall is the share of tracks with a right page whose right label was accepted.
    """
    accepted = [(c, t) for c, t in zip(cases, tempi, strict=True) if t]
    right = [c for c, t in accepted if same_tempo(t, c.bpm)]
    n_offered = sum(case.kind == "right" for case in cases)
    n_found = sum(case.kind == "right" for case in right)
    octaves = [
        t for c, t in accepted if any(same_tempo(t, c.bpm * factor) for factor in (0.5, 1, 2))
    ]
    wrong = Counter(case.kind for case, tempo in accepted if not same_tempo(tempo, case.bpm))
    told = ", ".join(f"{kind} {n}" for kind, n in wrong.most_common()) or "none"
    return (
        f"| {name} | {len(accepted)} | {_percent(len(right), len(accepted))} "
        f"| {_percent(len(octaves), len(accepted))} | {_percent(n_found, n_offered)} | {told} |"
    )


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %" if whole else "-"


def main() -> None:
    parser = bench.arguments(__doc__)
    parser.add_argument("--tracks", type=int, default=300, help="how many (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    music = bench.tracks(options.cache, options.tracks, 16, formats=("flac",))
    cases = make_cases(music, options.seed)
    estimator = Estimator()
    cases = [
        dataclasses.replace(
            c,
            track=dataclasses.replace(
                c.track, estimate_bpm=estimator.estimate(c.track.path).bpm
            ),
        )
        for c in cases
    ]  # fmt: skip
    heard = Counter(
        same_tempo(case.track.estimate_bpm, case.bpm) for case in cases if case.track.estimate_bpm
    )
    pages = [page for case in cases for page in case.pages]

    with tempfile.TemporaryDirectory() as name, DemoSite(pages, with_decoys=False) as site:
        folder = Path(name)
        first = [page_bpm(first_hit(case, site)) for case in cases]
        alike = [page_bpm(most_alike(case, site)) for case in cases]
        gated = [r.bpm if r else None for r in look_up(cases, site, folder)]

    estimates = [case.track.estimate_bpm for case in cases]
    rng = np.random.default_rng(options.seed + 1)
    # On real songs the shipped model is an octave off for about one in eight (docs/accuracy.md).
    real = [
        e and e * (float(rng.choice([0.5, 2.0])) if rng.random() < OCTAVE_ERRORS else 1.0)
        for e in estimates
    ]

    def agreeing(tempi: Tempi, estimates: Tempi) -> Tempi:
        return [
            label if check_tempo(label, estimate) is LabelVerdict.AGREE else None
            for label, estimate in zip(tempi, estimates, strict=True)
        ]

    kinds = Counter(case.kind for case in cases)
    bench.report(
        f"Labels of {len(cases)} tracks, seed {options.seed}",
        [
            f"Published: {', '.join(f'{kind} {kinds[kind]}' for kind in KINDS)}. The estimate is "
            f"within 4 % of the truth for {heard[True]} of {len(cases)}.",
            "",
            "| | accepted | precision | up to the octave | recall | wrong ones accepted |",
            "|---|---:|---:|---:|---:|---|",
            row("first hit with 70 % of the words", cases, first),
            row("most alike", cases, alike),
            row("gates", cases, gated),
            row("most alike, cross-check", cases, agreeing(alike, estimates)),
            row("gates, cross-check", cases, agreeing(gated, estimates)),
            row("most alike, cross-check with octave errors", cases, agreeing(alike, real)),
            row("gates, cross-check with octave errors", cases, agreeing(gated, real)),
        ],
    )


def page_bpm(page: Entry | None) -> float | None:
    """The tempo [BPM] on a page; None without a page."""
    return page.bpm if page is not None else None


if __name__ == "__main__":
    main()
