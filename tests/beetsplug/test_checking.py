"""Tests of `beet tempo-tags --check`: labels that contradict the sound."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from .conftest import ROOT, Beet
from .sounds import hear

WRONG = "house 3"  # a track that is labelled as rock


@pytest.fixture
def heard(beet: Beet) -> Beet:
    """A library of 12 tracks of each of two genres that sound apart, and one wrong label."""
    rng = np.random.default_rng(0)
    beet.configure(tempo={"tags": {"min_tracks": 8}})
    for genre, middle in (("Rock", [3.0, 0, 0]), ("House", [0.0, 3, 0])):
        names = [f"{genre.lower()} {k}" for k in range(12)]
        sounds = {name: (rng.normal(middle, 1)).tolist() for name in names if name != WRONG}
        hear(beet, sounds, genres=[genre], mood="calm; loud" if genre == "Rock" else "calm")
    hear(beet, {WRONG: [0.0, 3, 0]}, genres=["Rock"])
    return beet


def state(beet: Beet) -> dict[str, str]:
    """The contents of all files of a library but those of the report."""
    folder = beet.database.parent
    return {
        str(path): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
        and "report" not in path.parts
        and not path.name.endswith(("-wal", "-shm"))
    }


def test_the_wrong_label_comes_first_and_nothing_is_changed(heard: Beet) -> None:
    before = state(heard)
    run = heard("tempo-tags", "--check", "--least", "0.5")
    assert (run.code, run.err) == (0, "")
    first, *_, last = run.out.splitlines()
    assert "labelled Rock, sounds like House  artist 1 - house 3" in first
    assert 0.5 <= float(first.split()[0]) <= 1
    assert "of 24 labels in genres are doubtful (0.5 or more)" in last
    assert state(heard) == before


def test_the_query_says_what_is_listed_not_what_is_learned_from(heard: Beet) -> None:
    listed = heard("tempo-tags", "--check", "--least", "0", "title:house 3")
    (line, summary) = listed.out.splitlines()
    assert "house 3" in line
    assert "1 of 1 label in genres" in summary
    assert "the labels of 24 tracks" in summary
    assert line in heard("tempo-tags", "--check", "--least", "0").out.splitlines()
    assert heard("tempo-tags", "--check", "-q").out == ""


def test_another_field_and_several_labels_of_a_track(heard: Beet) -> None:
    run = heard("tempo-tags", "--check", "--field", "mood", "--least", "0")
    # All are calm, so that nothing can be known of it.
    assert "labelled calm" not in run.out
    assert "labelled loud, no other tag to compare with  artist" in run.out
    assert "12 of 12 labels in mood" in run.out


def test_the_report(heard: Beet, tmp_path: Path) -> None:
    folder = tmp_path / "report"
    run = heard("tempo-tags", "--check", "--report", folder, "title:house 3")
    assert run.code == 0
    assert f"report: {folder / 'report.html'}" in run.out
    text = (folder / "report.html").read_text()
    assert "genres of 24 tracks" in text
    rows = (folder / "tracks.tsv").read_text().splitlines()
    assert len(rows) == 25  # all, whatever was asked for
    assert "artist 1 - house 3" in rows[1]
    assert (folder / "plots" / "map.png").stat().st_size > 5000


def test_what_was_not_listened_to_is_said(heard: Beet) -> None:
    hear(heard, {"unheard": []}, genres=["Rock"])
    run = heard("tempo-tags", "--check")
    assert run.code == 0
    assert "1 track with genres not listened to yet; `beet tempo-tags` does" in run.err
    assert "24 tracks" in run.out


def test_too_few_labels(beet: Beet) -> None:
    run = beet("tempo-tags", "--check")
    assert run.code == 1
    assert run.err.strip() == "error: 0 tracks with genres, and no tag of which enough is known"
    hear(beet, {"a": [1.0], "b": []}, genres=["Rock"])
    run = beet("tempo-tags", "--check")
    assert run.code == 1
    assert "1 track with genres, and no tag of which enough is known (left out, as" in run.err
    assert "1 more were not listened to" in run.err


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (["--check", "--suggest"], "--suggest and --check contradict each other"),
        (["--check", "-f"], "-f does nothing with --check"),
        (["--check", "--apply"], "--apply is for --suggest"),
        (["--check", "--least", "2"], "--least must be a probability"),
        (["--check", "--field", "a b"], "--field a b: give the name of a field"),
        (["--check", "--field", "sound_tags"], "what the analysis wrote itself is no label"),
        (["--suggest", "--report", "x"], "--report is for --check"),
        (["--check", "--report", str(ROOT / "Makefile")], "is a file, not a folder"),
    ],
)
def test_options_that_make_no_sense(beet: Beet, args: list[str], told: str) -> None:
    run = beet("tempo-tags", *args)
    assert run.code == 1
    assert told in run.err


@pytest.mark.slow
def test_without_the_packages_for_learning(beet: Beet) -> None:
    code = "import sys; sys.modules['sklearn'] = None; from beets.ui import main; main()"
    run = subprocess.run(
        [sys.executable, "-c", code, "tempo-tags", "--check"],
        capture_output=True, text=True, cwd=ROOT,
    )  # fmt: skip
    assert run.returncode == 1
    (line,) = run.stderr.splitlines()
    assert line.startswith("error: tempo-tags --check needs more packages (")
    assert line.endswith("pip install 'beets-tempo[train]'")
