"""Tests of the HTML report on labels: self-contained, safe to open, and correct."""

from __future__ import annotations

import dataclasses
import re
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest
from bs4 import BeautifulSoup

from tempo_core.errors import LabelError
from tempo_core.labels.key_check import compare_keys
from tempo_core.labels.record import LabelVerdict, Record, Status, TrackQuery
from tempo_core.labels.report import VERDICT_STYLES, ReportLine, plot, render, write_report

EVIL = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>"


def line(name: str, bpm: float, estimate: float, verdict: LabelVerdict, **more: Any) -> ReportLine:
    record = Record(
        "id", "musicstax", Status.FOUND, "", "A", name, "2026", 1, bpm=bpm, raw_bpm=f"{bpm:g}",
        estimate_bpm=estimate, verdict=verdict, match_title=name, match_artist="A",
        **{"url": "https://musicstax.com/track/x/1", **more},
    )  # fmt: skip
    keys = compare_keys(TrackQuery(name, ("A",), estimate_key=record.estimate_key), (record,))
    return ReportLine(f"A - {name}", f"/{name}.mp3", Status.FOUND, record, (record,), keys)


REPORT_LINES = [
    line("Right", 128, 127.98, LabelVerdict.AGREE, key="A", estimate_key="A"),
    line("Half", 64, 127.98, LabelVerdict.OCTAVE, key="Cm", estimate_key="Gm"),
    line("Third", 60, 180, LabelVerdict.TRIPLE),
    line("Waltz", 150, 100, LabelVerdict.METER),
    line("Wrong", 115, 100, LabelVerdict.CONFLICT, key="C", estimate_key="F#"),
    line("Unknown", 115, 0, LabelVerdict.NO_ESTIMATE),
    ReportLine(
        "A - Missing", "/m.mp3", Status.NOT_FOUND, None,
        (Record("id", "deezer", Status.NOT_FOUND, "nothing found", "A", "Missing", "2026", 1),),
    ),
    ReportLine("A - Left", "/l.mp3", None, None, ()),
]  # fmt: skip


def test_it_lists_what_to_review_worst_first() -> None:
    page = BeautifulSoup(render(REPORT_LINES), "html.parser")
    heading = page.find("h2", string="To review")
    assert heading is not None
    table = heading.find_next("table")
    assert table is not None
    rows = [[cell.get_text() for cell in row.select("td")] for row in table.select("tbody tr")]
    assert [(row[0], row[1]) for row in rows] == [
        ("conflict", "A - Wrong"), ("meter", "A - Waltz"), ("triple", "A - Third"),
        ("octave", "A - Half"),
    ]  # fmt: skip
    assert rows[3][2:5] == ["64", "127.98", "musicstax"]
    text = page.get_text(" ")
    assert "8 tracks: 6 found, 1 not found, 1 not asked yet" in text
    assert "deezer: nothing found" in text
    assert "licence: derived from Spotify" in text


def test_it_counts_keys_and_lists_differing_ones_worst_first() -> None:
    page = BeautifulSoup(render(REPORT_LINES), "html.parser")
    heading = page.find("h2", string="Keys to review")
    assert heading is not None
    counts, differing = heading.find_next("ul"), heading.find_next("table")
    assert counts is not None
    assert differing is not None
    assert counts.get_text() == "these and the audio: 1 same, 1 fifth, 1 conflict"
    rows = [[cell.get_text() for cell in r.select("td")] for r in differing.select("tbody tr")]
    assert [cells[:4] for cells in rows] == [
        ["conflict", "A - Wrong", "musicstax C", "F#"],
        ["fifth", "A - Half", "musicstax Cm", "Gm"],
    ]


def test_the_plot_puts_every_ratio_on_its_line() -> None:
    svg = plot([item.chosen for item in REPORT_LINES if item.chosen])
    root = ET.fromstring(svg)
    space = "{http://www.w3.org/2000/svg}"
    groups = root.findall(f"{space}g")
    assert len(groups) == 5  # the one without an estimate has no place
    (circle,) = groups[0].findall(f"{space}circle")
    x, y = float(circle.get("cx", 0)), float(circle.get("cy", 0))
    diagonal = [p for p in root.findall(f"{space}path") if p.get("stroke") == "#666"]
    x1, y1, x2, y2 = map(float, re.findall(r"[\d.]+", diagonal[0].get("d", "")))
    assert (y - y1) / (x - x1) == pytest.approx((y2 - y1) / (x2 - x1), abs=0.01)
    titles = [group.findtext(f"{space}title") for group in groups]
    assert titles[1] == "A - Half: published 64, estimated 127.98"
    for _, _, name in VERDICT_STYLES.values():
        assert f"{name} (1)" in svg


def test_a_hostile_page_stays_text() -> None:
    evil = line(EVIL, 64, 128, LabelVerdict.OCTAVE, url="javascript:alert(3)", raw_key=EVIL)
    text = render([evil, ReportLine(EVIL, EVIL, Status.NOT_FOUND, None, evil.records)])
    page = BeautifulSoup(text, "html.parser")
    assert not page.select("script, img, iframe, object, link")
    assert not [link for link in page.select("a") if "javascript" in str(link["href"])]
    assert EVIL in page.get_text()
    assert not [tag for tag in page.find_all(True) if any(a.startswith("on") for a in tag.attrs)]


ODD = "\x00a\x1b[31m\x7f\x9b\udcff\ud800\uffff\u202eb\r"


def test_whatever_names_are_made_of_it_is_html(tmp_path: Path) -> None:
    odd = line(ODD, 64, 128, LabelVerdict.CONFLICT, raw_key=ODD, key="C", estimate_key="F#")
    odd = dataclasses.replace(odd, path=f"/{ODD}.mp3")
    lost = ReportLine(ODD, f"/{ODD}/2.mp3", Status.NOT_FOUND, None, odd.records)
    write_report(tmp_path / "report.html", [odd, lost])
    text = (tmp_path / "report.html").read_bytes().decode()
    assert not re.search(
        "[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff\u202a-\u202e]", text
    )
    shown = "\\x00a\\x1b[31m\\x7f\\x9b\\xff\\ud800\\uffff\\u202eb\\x0d"
    told = BeautifulSoup(text, "html.parser").get_text("\n")
    assert f"/{shown}.mp3" in told
    assert f"/{shown}/2.mp3" in told


def test_each_table_of_tracks_has_their_files() -> None:
    page = BeautifulSoup(render(REPORT_LINES), "html.parser")
    for heading, file in (
        ("To review", "/Wrong.mp3"),
        ("Keys to review", "/Half.mp3"),
        ("Without a label", "/m.mp3"),
    ):
        title = page.find("h2", string=heading)
        assert title is not None
        table = title.find_next("table")
        assert table is not None
        assert [cell.get_text() for cell in table.select("th")][-1] == "file"
        assert file in [row.select("td")[-1].get_text() for row in table.select("tbody tr")]


def test_tracks_without_anything_to_go_by_are_a_number() -> None:
    record = Record("id", "tags", Status.SKIPPED, "lacks a BPM in its tags", "A", "B", "2026", 1)
    silent = [
        ReportLine(f"A - {n}", f"/{n}.mp3", Status.SKIPPED, None, (record,)) for n in range(300)
    ]
    text = render([*REPORT_LINES, *silent])
    assert "300 more say nothing that a source could be asked by" in text
    assert "/299.mp3" not in text


def test_it_loads_nothing() -> None:
    page = BeautifulSoup(render(REPORT_LINES), "html.parser")
    policy = page.find("meta", attrs={"http-equiv": "Content-Security-Policy"})
    assert policy is not None
    assert str(policy["content"]).startswith("default-src 'none'")
    assert not page.find_all(src=True)
    assert "url(" not in str(page)


def test_it_names_whom_the_data_is_from() -> None:
    record = Record("id", "getsongbpm", Status.FOUND, "", "A", "T", "2026", 1, bpm=100)
    text = render([ReportLine("A - T", "/t", Status.FOUND, record, (record,))])
    assert '<a href="https://getsongbpm.com">GetSongBPM</a>' in text


def test_nothing_to_say(tmp_path: Path) -> None:
    assert "No track has both" in render([])
    write_report(tmp_path / "r.html", [])
    assert [path.name for path in tmp_path.iterdir()] == ["r.html"]
    with pytest.raises(LabelError, match="cannot be written"):
        write_report(tmp_path / "no" / "r.html", REPORT_LINES)
