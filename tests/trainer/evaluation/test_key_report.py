"""Tests of the report's part on keys: alone, beside tempi, drawn again, and safe for any name."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from bs4 import BeautifulSoup
from click.testing import CliRunner

from tempo_core.cli import main
from trainer.evaluation import report, saving
from trainer.evaluation.key_answers import KeyAnswer

from .test_key_figures import FOUND
from .test_report import answers_of

ABOUT = saving.RunInfo("Key of 6 tracks", "all", "6", "0.1", ("A note.",))
BASELINE = [KeyAnswer(a.track, "krumhansl", a.reference) for a in FOUND]
EVIL = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>"


def test_keys_alone_are_a_report_and_drawn_again(tmp_path: Path) -> None:
    saving.save(tmp_path, ABOUT, [], [*FOUND, *BASELINE])
    path = report.write_report(tmp_path, ABOUT, [], keys=[*FOUND, *BASELINE])
    text = path.read_text()
    page = BeautifulSoup(text, "html.parser")
    told = page.get_text(" ")
    assert "A note." in told
    assert "key finds the very key of 16.7 % of 6 tracks; weighted key score 33.3 %" in told
    assert "krumhansl: weighted key score 100.0 %, +66.7 points beside key" in told
    assert "Estimate against label" not in told
    names = ["key-reliability.png", "keys-1.png", "keys-2.png"]
    assert sorted(p.name for p in (tmp_path / "plots").iterdir()) == names
    assert len(page.find_all("img")) == 3
    heading = page.find("h2", string="Keys to look at")
    assert heading is not None
    rows = heading.find_next("table").select("tbody tr")  # type: ignore[union-attr]
    assert [row.select("td")[2].get_text() for row in rows] == ["D#", "G", "Am", "A"]
    figures = json.loads((tmp_path / "figures.json").read_text())["keys"]["key"]
    assert figures["all"]["exact"] == 1 / 6
    assert len(figures["reliability"]) == 5
    worst = (tmp_path / "worst-keys.tsv").read_text().splitlines()
    assert worst[1].split("\t")[1:4] == ["Am", "D#", "0.9"]
    path.unlink()
    assert CliRunner().invoke(main, ["plot", str(tmp_path)]).exit_code == 0
    assert path.read_text() == text


@pytest.mark.slow
def test_beside_tempi_and_then_without_keys(tmp_path: Path) -> None:
    tempi = answers_of("model", 100.0, 120.0, 140.1)
    saving.save(tmp_path, ABOUT, tempi, FOUND)
    text = report.write_report(tmp_path, ABOUT, tempi, keys=FOUND).read_text()
    assert "Estimate against label" in text
    assert "<h2>Keys</h2>" in text
    saving.save(tmp_path, ABOUT, tempi)
    assert saving.load(tmp_path) == (ABOUT, tempi, [])  # nothing of the run before


def test_names_are_text_whatever_they_contain() -> None:
    found = [replace(a, track=replace(a.track, name=EVIL, set=EVIL)) for a in FOUND]
    pictures = dict.fromkeys(("keys-1", "key-reliability"), b"")
    page = BeautifulSoup(report.render(ABOUT, [], pictures, found), "html.parser")
    assert not page.select("script, iframe, object, link")
    assert not [tag for tag in page.find_all(True) if any(a.startswith("on") for a in tag.attrs)]
    assert EVIL in page.get_text()
