"""Tests that wrong options and settings are refused in one line, before anything is done."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from beets.library import Item

from .conftest import Beet

COMMANDS = ("tempo", "tempo-labels", "tempo-mix", "tempo-notes", "tempo-train", "tempo-eval")
CONTRADICTION = "-w and -W contradict each other; leave one out"


@pytest.fixture
def filled(beet: Beet) -> Beet:
    """A library of tracks with given tempi but no files, so that decoding would be an error."""
    library = beet.library
    for number in range(2):
        library.add(Item(title=f"t{number}", artist="a", path=f"/{number}.mp3".encode(), bpm=100))
    return beet


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("tempo", "-w", "-W"), CONTRADICTION),
        (("tempo", "-W", "-w"), CONTRADICTION),
        (("tempo", "--nowrite", "-q", "--write"), CONTRADICTION),
        (("tempo", "-t", "0"), "--threads must be a whole number from 1"),
        (("tempo", "-t", "-3"), "--threads must be a whole number from 1"),
        (("tempo", "--format", "$title"), "--format is for --cadence"),
        (("tempo", "--cadence", "90..110", "-f"), "-f does nothing with --cadence"),
        (("tempo", "--cadence", "90..110", "-q"), "-q does nothing with --cadence"),
        (("tempo", "--cadence", "90..110", "-w"), "-w/-W does nothing with --cadence"),
        (("tempo", "--cadence", "90..110", "-a"), "-a does nothing with --cadence"),
        (("tempo", "--cadence", "90..110", "-t", "2"), "--threads does nothing with --cadence"),
        (("tempo", "--cadence", "90..x"), "--cadence 'x' is not an int or a float"),
        (("tempo", "--cadence", "90..110@2"), "--cadence '2' is not a probability from 0 to 1"),
        (("tempo", "--cadence", "nan"), "--cadence 'nan' is not a tempo"),
        (
            ("tempo", "--half", "--double"),
            "--half and --double contradict each other; leave one out",
        ),
        (("tempo", "--set", "90", "--nudge", "1.1"), "--set and --nudge contradict each other"),
        (("tempo", "--half", "--review"), "--half and --review contradict each other"),
        (("tempo", "--tap", "--cadence", "90..110"), "--tap and --cadence contradict each other"),
        (("tempo", "--half", "--unlock"), "--half and --unlock contradict each other"),
        (("tempo", "--lock", "--unlock"), "--lock and --unlock contradict each other"),
        (("tempo", "--unlock", "-w"), "-w/-W does nothing with --unlock"),
        (("tempo", "--half", "-f"), "-f does nothing with --half, which analyses nothing"),
        (("tempo", "--lock", "-t", "2"), "--threads does nothing with --lock"),
        (("tempo", "--tap", "--tasks", "key"), "--tasks does nothing with --tap"),
        (("tempo", "--set", "90", "--retry"), "--retry does nothing with --set"),
        (("tempo", "--half", "--format", "$title"), "--format is for --cadence"),
        (("tempo", "--tap", "-a"), "-a does nothing with --tap"),
        (("tempo", "--review", "--lock"), "--lock is a key in --review"),
        (("tempo", "--review", "-q"), "-q does nothing with --review"),
        (("tempo", "--review", "-f"), "-f does nothing with --review"),
        *(
            (("tempo", "--set", bpm), "--set must be a tempo from 20 to 400 BPM")
            for bpm in ("0", "19", "-5", "401", "nan", "inf")
        ),
        *(
            (("tempo", "--nudge", ratio), "--nudge must be a ratio above 0")
            for ratio in ("0", "-1", "nan", "inf")
        ),
        (("tempo", "--cadence", "90..110", "--lock"), "--lock does nothing with --cadence"),
        (("tempo-mix", "--pitch", "nan"), "--pitch must be a percentage from 0 to 99"),
        (("tempo-mix", "--pitch", "inf"), "--pitch must be a percentage from 0 to 99"),
        (("tempo-mix", "--pitch", "-1"), "--pitch must be a percentage from 0 to 99"),
        (("tempo-mix", "--pitch", "100"), "--pitch must be a percentage from 0 to 99"),
        (("tempo-mix", "--max", "0"), "--max must be a whole number from 1"),
        (("tempo-mix", "--max", "-5"), "--max must be a whole number from 1"),
        (("tempo-labels", "-w", "-W"), CONTRADICTION),
        (("tempo-labels", "--apply", "-W", "-w"), CONTRADICTION),
        (("tempo-labels", "-w"), "-w does nothing without --apply"),
        (("tempo-labels", "-p", "--report", "{tmp}/r.html"), "--report writes a file"),
        (("tempo-labels", "-p", "--export", "{tmp}/t.tsv"), "--export writes a file"),
        (("tempo-labels", "--trainable"), "--trainable is for --export"),
        (("tempo-labels", "--max-requests", "-1"), "--max-requests must be a whole number from 0"),
        (("tempo-labels", "--report", "{tmp}"), "--report needs the name of a file"),
        (("tempo-labels", "--report", ""), "--report needs the name of a file"),
        (("tempo-labels", "--report", "{tmp}/no/r.html"), "--report {tmp}/no/r.html: there is no"),
        (("tempo-labels", "--export", "{tmp}/no/t.tsv"), "--export {tmp}/no/t.tsv: there is no"),
        (
            ("tempo-labels", "--export", "{tmp}/x", "--report", "{tmp}/../{name}/x"),
            "--report and --export must be two files",
        ),
        (("tempo-labels", "--source", "spotify"), "no source 'spotify'"),
        (("tempo-labels", "--import", "{tmp}/no.tsv"), "{tmp}/no.tsv"),
        (("tempo-train", "-t", "0"), "--threads must be a whole number from 1"),
        (("tempo-train", "--epochs", "0"), "--epochs must be a whole number from 1"),
        (("tempo-train", "--devices", "-1"), "--devices must be a whole number from 1"),
        (("tempo-train", "--seed", "-1"), "--seed must be a whole number from 0"),
        (("tempo-train", "--seed", "4294967296"), "--seed must be a whole number from 0"),
        (
            ("tempo-train", "--no-install", "--install-anyway"),
            "--no-install and --install-anyway contradict each other",
        ),
        (("tempo-train", "--from-scratch", "--method", "adapt"), "--from-scratch is a way to fit"),
        (("tempo-train", "--from-scratch", "--method", "shift"), "--from-scratch is a way to fit"),
        (("tempo-train", "--method", "shift", "--epochs", "3"), "--epochs is for adapt and fit"),
        (("tempo-train", "--method", "adapt", "--devices", "2"), "--devices is for fit"),
        (("tempo-train", "--method", "adapt", "--accelerator", "gpu"), "--accelerator is for fit"),
        (("tempo-train", "--task", "pace", "--method", "fit"), "--method is not for --task pace"),
        (("tempo-train", "--task", "pace", "--epochs", "3"), "--epochs is not for --task pace"),
        (("tempo-train", "--task", "pace", "--guard", "x"), "--guard is not for --task pace"),
        (("tempo-train", "--out", "{tmp}/file"), "--out {tmp}/file is a file, not a folder"),
        (("tempo-eval", "-t", "0"), "--threads must be a whole number from 1"),
        (("tempo-eval", "--report", "{tmp}/no/r.html"), "--report {tmp}/no/r.html: there is no"),
        (("tempo-eval", "--report", "{tmp}"), "--report needs the name of a file"),
        (("tempo-notes",), "--out says where to write; `notes: out:` in the configuration does"),
        (("tempo-notes", "--out", "{tmp}/file"), "--out {tmp}/file is a file, not a folder"),
        (("tempo-notes", "--out", "o", "--grid", "8"), "--grid is for --quantize"),
        (("tempo-notes", "--out", "o", "--threshold", "1"), "--threshold must be a number between"),
        (("tempo-notes", "--out", "o", "--threshold", "nan"), "--threshold must be a number betw"),
        (("tempo-notes", "--out", "o", "--path", "/"), "--path needs a template such as"),
        (("tempo-eval", "--out", "{tmp}/file"), "--out {tmp}/file is a file, not a folder"),
    ],
)
def test_what_makes_no_sense_is_refused(
    args: Sequence[str], message: str, filled: Beet, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("mine")
    before = hashlib.sha256(filled.database.read_bytes()).digest()
    files = sorted(tmp_path.rglob("*"))
    names = {"tmp": str(tmp_path), "name": tmp_path.name}
    query = ["title:t0"] if args[0] == "tempo-mix" else []
    run = filled(*(arg.format(**names) for arg in args), *query)
    assert (run.code, run.out) == (1, "")
    assert run.err.startswith(f"error: {message.format(**names)}")
    assert run.err.count("\n") == 1
    assert hashlib.sha256(filled.database.read_bytes()).digest() == before
    assert sorted(tmp_path.rglob("*")) == files
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.parametrize(
    "args",
    [
        ("tempo", "-p", "-w", "-w"),
        ("tempo", "-p", "-W"),
        ("tempo", "-p", "-W", "--half", "--lock", "title:t0"),
        ("tempo", "-p", "--nudge", "1.01", "-a", "album:none"),
        ("tempo", "-p", "--unlock"),
        ("tempo", "-p", "--review", "--retry"),
        ("tempo-labels", "-W"),
        ("tempo-labels", "-p", "--apply", "-w"),
        ("tempo-mix", "--pitch", "0", "title:t0"),
        ("tempo-train", "-p", "--from-scratch", "--method", "fit"),
        ("tempo-train", "-p", "--task", "pace", "--seed", "3"),
    ],
)
def test_what_makes_sense_is_not(args: Sequence[str], filled: Beet) -> None:
    run = filled(*args)
    assert "contradict" not in run.err
    assert " does nothing" not in run.err
    assert " is for " not in run.err
    assert "must be" not in run.err


@pytest.mark.parametrize("command", COMMANDS)
def test_unknown_options_are_refused(command: str, filled: Beet) -> None:
    run = filled(command, "--thraeds", "3")
    assert run.code == 2
    assert "no such option: --thraeds" in run.err


WRONG_SETTINGS: list[tuple[dict[str, Any], str]] = [
    ({"thraeds": 3}, "tempo.thraeds: unknown setting; did you mean threads?"),
    ({"labels": {"intervall": 3}}, "tempo.labels.intervall: unknown setting; did you mean int"),
    ({"train": {"x": 3}}, "tempo.train.x: unknown setting; known are folder, "),
    ({"labels": 3}, "tempo.labels must have settings in it, or be left out"),
    ({"labels": None}, "tempo.labels must have settings in it, or be left out"),
    ({"train": ["method"]}, "tempo.train must have settings in it, or be left out"),
    ({"labels": {"urls": {"spotify": "x"}}}, "tempo.labels.urls: no source 'spotify'"),
    ({"labels": {"interval": float("inf")}}, "tempo.labels.interval: must be a number of sec"),
    ({"labels": {"interval": float("nan")}}, "tempo.labels.interval: must be a number of sec"),
    ({"train": {"cache_size": float("inf")}}, "tempo.train.cache_size: must be a number of g"),
    ({"range": [60, float("inf")]}, "tempo.range: must be two tempi"),
    ({"range": [float("nan"), 90]}, "tempo.range: must be two tempi"),
    ({"range": [True, 90]}, "tempo.range: must be two tempi"),
    ({"threads": True}, "tempo.threads: must be a whole number from 1"),
    ({"notes": {"grid": 5}}, "tempo.notes.grid: must be one of 4, 8, 8t, 16, 16t, 32"),
    ({"notes": {"threshold": 2}}, "tempo.notes.threshold: must be a number between 0 and 1"),
    ({"notes": {"formt": 3}}, "tempo.notes.formt: unknown setting; did you mean format?"),
    ({"windows": -1}, "tempo.windows: must be a whole number from 1, or all"),
]


@pytest.mark.parametrize(
    ("command", "settings", "message"),
    [
        # All commands read the settings in the same way; by default each is tried with one.
        pytest.param(command, *wrong, marks=[pytest.mark.slow] if k % len(COMMANDS) != j else [])
        for k, wrong in enumerate(WRONG_SETTINGS)
        for j, command in enumerate(COMMANDS)
    ],
)
def test_settings_that_make_no_sense_are_refused(
    command: str, settings: dict[str, Any], message: str, filled: Beet
) -> None:
    filled.configure(tempo=settings)
    run = filled(command, *(["title:t0"] if command == "tempo-mix" else []))
    assert (run.code, run.out) == (1, "")
    assert run.err.startswith(f"configuration error: {message}")
    assert run.err.count("\n") == 1
    assert filled("ls").code == 0  # beets itself does without them


@pytest.mark.parametrize("command", COMMANDS)
def test_help_shows_the_query_and_what_it_does(command: str, beet: Beet) -> None:
    run = beet(command, "--help")
    usage, _, about, *_ = run.out.split("\n")
    assert re.fullmatch(rf"Usage: \S+ {command} \[options\] \[QUERY\.\.\.\]", usage)
    assert about.split()[0] in ("Listens", "Looks", "Lists", "Learns", "Compares", "Writes")
    assert beet("help", command).out == run.out
