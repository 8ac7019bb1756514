"""Tests of the sheet of a set: what is on it, and that it is whole whatever the names are."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from lxml import html as parser

from tempo_core.keys import parse_key
from tempo_core.mixing.sheet import Sheet, SheetTrack, told_time
from tempo_core.mixing.sheet_pictures import course_picture, wheel
from tempo_core.mixing.transitions import Transition

NAMES = (
    "<script>alert(1)</script>",
    'a "quote" & \'s',
    "\x1b[31m\n",
    "\udce9",
    "夜\u202eb",
    "",
    "x" * 900,
)


def track(
    title: str = "Night Bus", tempo: float = 174.0, key: str = "Am", energy: float = 5.0,
    length: float = 240.0, way: Transition | None = None, is_loud: bool = True, artist: str = "S",
) -> SheetTrack:  # fmt: skip
    return SheetTrack(title, artist, tempo, parse_key(key), energy, length, is_loud, way)


def sheet(*tracks: SheetTrack) -> str:
    return Sheet(tracks, "up", [5.0] * len(tracks), 6.0).html()


def cells(page: str) -> list[list[str]]:
    rows = parser.fromstring(page).findall(".//tbody/tr")
    return [[" ".join(cell.text_content().split()) for cell in row] for row in rows]


def test_it_has_the_tracks_and_their_transitions() -> None:
    page = sheet(
        track(),
        track("Milestones", 87.5, "Em", 2.5, 3600, Transition(-0.57, 2.0, "neighbour")),
        track("Last Stop", 171.0, "", 10, 60, Transition(2.3, 0.5, "unknown")),
    )
    assert cells(page) == [
        ["1", "0:00", "Night BusS", "174.00", "8A Am", "begin here", "5.0", "4:00"],
        ["2", "4:00", "MilestonesS", "87.50", "9A Em", "-0.6 %neighbour key, double time",
         "2.5", "1:00:00"],
        ["3", "1:04:00", "Last StopS", "171.00", "unknown", "+2.3 %key unknown, half time",
         "10.0", "1:00"],
    ]  # fmt: skip
    text = parser.fromstring(page).text_content()
    assert "1:05:00" in text
    # 87.5 counts as 175 beside the first, and 171 is counted as it is again.
    assert "171.0 to 175.0 BPM" in text
    assert "2.3 %" in text


@pytest.mark.parametrize("name", NAMES)
def test_any_name_is_text_and_nothing_else(name: str) -> None:
    page = sheet(track(name, artist=name), track(name, way=Transition(0.0, 1.0, "same")))
    page.encode()
    tree = parser.fromstring(page)
    assert not tree.findall(".//script")
    assert len(cells(page)) == 2
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e]", page)


def test_nothing_is_loaded_and_nothing_runs() -> None:
    page = sheet(track(), track(way=Transition(0.0, 1.0, "same")))
    assert "default-src 'none'" in page
    assert not re.search(r"""\b(src|href|on\w+)\s*=|url\(|@import|https?:""", page)


def test_lengths_and_loudness_that_are_unknown() -> None:
    page = sheet(track(length=0), track(way=Transition(0.0, 1.0, "same"), is_loud=False))
    assert [row[1] for row in cells(page)] == ["0:00", ""]
    assert "over 4:00" in page
    assert "which 1 of 2 tracks have" in page
    assert "unknown" in sheet(track(length=0, is_loud=False))
    assert "tempo alone" in sheet(track(is_loud=False))


def test_pictures_stay_within_their_bounds() -> None:
    tracks = [track(f"t{k}", 60 + 3 * k, energy=k / 4) for k in range(40)]
    (slots,) = (list(Sheet(tracks, "up", [5.0] * 40, 6.0)._slots()),)
    picture = course_picture(slots)
    width, height = map(float, re.findall(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', picture)[0])
    for x, y in re.findall(r' x="([-\d.]+)" y="([-\d.]+)"', picture):
        assert 0 <= float(x) <= width
        assert 0 <= float(y) <= height
    assert picture.count("<g>") == 40
    assert course_picture(slots[:1]).count("<g>") == 1


def test_the_wheel_counts_keys() -> None:
    picture = wheel([parse_key(key) for key in ("Am", "Am", "", "C")])
    assert picture.count("<path") == 24
    assert re.search(r">8A</tspan><tspan[^>]*>\u00d7 2<", picture)
    assert "polyline" not in wheel([None])


@pytest.mark.parametrize(("seconds", "told"), [(0, "0:00"), (59.6, "1:00"), (3725, "1:02:05")])
def test_times(seconds: float, told: str) -> None:
    assert told_time(seconds) == told


@pytest.mark.slow
@pytest.mark.parametrize("width", [600, 800, 1000, 1120, 1400])
def test_the_wheel_covers_nothing_in_a_browser(width: int, tmp_path: Path) -> None:
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        pytest.skip("no browser that can be asked")
    asked = """<script>addEventListener("load", () => {
      const box = name => document.querySelector(name).getBoundingClientRect();
      const [t, w] = [box("table"), box(".wheel")];
      const covered = t.right > w.left && t.left < w.right && t.bottom > w.top && t.top < w.bottom;
      document.body.dataset.covered = covered; });</script>"""
    tracks = [track("A title of some words", 128.01, "C#", 7.2, 3600)] + [
        track("Another one", 124, "G#", 6.7, 250, Transition(9.4, 0.5, "neighbour"))
    ] * 3
    path = tmp_path / "sheet.html"
    page = re.sub("<meta http-equiv=[^>]*>", "", sheet(*tracks))  # which forbids all scripts
    path.write_text(page + asked, encoding="utf-8")
    shown = subprocess.run(
        [browser, "--headless", "--no-sandbox", "--disable-gpu", f"--window-size={width},1000",
         f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom", path.as_uri()],
        capture_output=True, text=True, timeout=60,
    ).stdout  # fmt: skip
    assert 'data-covered="false"' in shown
