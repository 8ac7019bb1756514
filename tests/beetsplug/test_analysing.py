"""Tests of `beet tempo`: what it analyses, stores, writes, prints and returns."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import mutagen
import pytest
from beets import ui
from mediafile import MediaFile

import tempo_core
from beetsplug.tempo.applying import agreeing_tempo
from tempo_core import CheckpointError
from tempo_core.paces import parse_paces
from tests.rows import mostly_slow

from ..conftest import MakeAudio
from .conftest import Beet, BpmOf, TempoOf

Tree = dict[str, tuple[int, int, bytes]]


def state(folder: Path) -> Tree:
    """State of all files under a folder, which a command could change."""
    return {
        str(path): (path.stat().st_mtime_ns, path.stat().st_ino, path.read_bytes())
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture
def song(make_audio: MakeAudio) -> Path:
    return make_audio("songs/a.mp3", duration=8, bpm=126, artist="B", title="A", albumartist="B")


@pytest.fixture
def bpm(song: Path, bpm_of: BpmOf) -> int:
    return bpm_of(song)


@pytest.fixture
def songs(song: Path, make_audio: MakeAudio) -> list[Path]:
    other = make_audio("songs/b.flac", duration=8, bpm=98, artist="B", title="C", albumartist="B")
    return [song, other]


@pytest.fixture
def tempi(songs: list[Path], bpm_of: BpmOf) -> list[int]:
    return [bpm_of(path) for path in songs]


@pytest.fixture
def conflict(song: Path, tempo_of: TempoOf) -> int:
    """Tempo [BPM] that fits none of the song's paces."""
    return next(n for n in range(100, 300) if agreeing_tempo(n, tempo_of(song)) is None)


def test_a_library_is_analysed(beet: Beet, songs: list[Path], tempo_of: TempoOf) -> None:
    beet.add(*songs)
    estimates = [tempo_of(path) for path in songs]
    run = beet("tempo")
    assert run.code == 0
    lines = run.out.splitlines()
    assert sorted(lines[:-1]) == [
        f"B - {title}: {estimate.bpm:.2f} BPM (confidence {estimate.confidence:.2f}), "
        f"{estimate.key} (confidence {estimate.key_confidence:.2f})"
        for title, estimate in zip("AC", estimates, strict=True)
    ]
    assert lines[-1] == (
        "tempo: 2 tracks analysed: 2 set, 0 kept, 0 failed; 0 had a tempo already; keys: 2 set"
    )
    for path, item, estimate in zip(songs, beet.items("title+"), estimates, strict=True):
        assert item.tempo_bpm == estimate.bpm
        assert item.bpm == MediaFile(path).bpm == round(estimate.bpm)
        assert item.tempo_confidence == estimate.confidence
        assert item.tempo_source.startswith("model:")
        assert parse_paces(item.tempo_paces)[0].bpm == estimate.paces[0].bpm


def test_nothing_drifts_afterwards(beet: Beet, songs: list[Path]) -> None:
    """Tags are whole numbers: beets would cut a fraction off and see a change at every update."""
    beet.add(*songs)
    beet("tempo")
    before = [dict(item) for item in beet.items()]
    for command in ("update", "write"):
        run = beet(command)
        assert (run.code, run.out, run.err) == (0, "", "")
    assert [dict(item) for item in beet.items()] == before
    again = beet("tempo")
    assert again.out == (
        "tempo: 0 tracks analysed: 0 set, 0 kept, 0 failed; 2 had a tempo already\n"
    )


def test_nothing_drifts_without_tags_either(
    beet: Beet, songs: list[Path], tempi: list[int]
) -> None:
    """`beet update` keeps the tempo in the library if the files have not changed."""
    beet.add(*songs)
    files = state(songs[0].parent)
    beet("tempo", "-W")
    assert state(songs[0].parent) == files
    assert beet("update").out == ""
    assert [item.bpm for item in beet.items("title+")] == tempi
    beet("write")  # later, by beets itself
    assert [MediaFile(path).bpm for path in songs] == tempi


@mostly_slow(
    ("args", "settings", "written"),
    [
        ([], {}, True),
        (["-W"], {}, False),
        ([], {"import": {"write": False}}, False),
        (["-w"], {"import": {"write": False}}, True),
        ([], {"tempo": {"write": False}}, False),
        ([], {"import": {"write": False}, "tempo": {"write": True}}, True),
        (["-W"], {"tempo": {"write": True}}, False),
    ],
    quick=4,
)
def test_who_decides_about_tags(
    args: list[str], settings: dict[str, Any], written: bool, beet: Beet, song: Path, bpm: int
) -> None:
    beet.configure(**settings)
    beet.add(song)
    assert beet("tempo", *args).code == 0
    assert beet.item().bpm == bpm
    assert MediaFile(song).bpm == (bpm if written else None)


def test_only_what_matches_is_analysed(beet: Beet, songs: list[Path], tempi: list[int]) -> None:
    beet.add(*songs)
    beet("tempo", "title:A")
    assert [item.bpm for item in beet.items("title+")] == [tempi[0], 0]
    assert beet("tempo", "title:nothing").code == 0


def test_albums_can_be_matched(beet: Beet, songs: list[Path], tempi: list[int]) -> None:
    beet.add(*songs)
    library = beet.library
    library.add_album(list(library.items("title:C"))).store()
    run = beet("tempo", "-a")
    assert "tempo: 1 track analysed" in run.out
    assert [item.bpm for item in beet.items("title+")] == [0, tempi[1]]


def test_a_tag_that_agrees_is_kept(beet: Beet, song: Path, tempo_of: TempoOf) -> None:
    estimate = tempo_of(song)
    tag = int(estimate.bpm) - 1
    beet.add(song, bpm=tag, initial_key="C")
    files = state(song.parent)
    run = beet("tempo")
    assert f"B - A: kept {tag} BPM, analysed as {estimate.bpm:.2f} BPM" in run.out
    assert "1 kept" in run.out
    item = beet.item()
    assert (item.bpm, item.tempo_bpm, item.tempo_source) == (tag, estimate.bpm, "tag")
    assert state(song.parent) == files
    assert "0 tracks analysed" in beet("tempo").out


def test_a_tag_that_disagrees_is_kept_and_reported(
    beet: Beet, song: Path, conflict: int, tempo_of: TempoOf
) -> None:
    estimate = tempo_of(song)
    beet.add(song, bpm=conflict, initial_key="C")
    files = state(song.parent)
    run = beet("tempo")
    assert f"B - A: kept {conflict} BPM, in conflict with {estimate.bpm:.2f} BPM" in run.out
    assert "1 kept in conflict with the analysis" in run.out
    item = beet.item()
    assert (item.bpm, item.tempo_bpm) == (conflict, estimate.bpm)
    assert item.tempo_source == "tag"
    assert state(song.parent) == files
    assert "0 tracks analysed" in beet("tempo").out


def test_a_fractional_tag_is_kept_as_it_is(beet: Beet, make_audio: MakeAudio) -> None:
    """A fractional tag, of which beets has the nearest whole number, stays in the file."""
    path = make_audio("a.flac", duration=8, bpm=126)
    media = mutagen.File(path)
    media["bpm"] = "125.98"
    media.save()
    beet.add(path)
    beet("tempo")
    assert beet.item().bpm == 126
    assert mutagen.File(path)["bpm"] == ["125.98"]


@mostly_slow("how", ["-f", "--force", "configured"], quick=1)
def test_force_overwrites(how: str, beet: Beet, song: Path, conflict: int, bpm: int) -> None:
    if how == "configured":
        beet.configure(tempo={"force": True})
    beet.add(song, bpm=conflict)
    beet("tempo", *([] if how == "configured" else [how]))
    item = beet.item()
    assert (item.bpm, MediaFile(song).bpm) == (bpm, bpm)
    assert item.tempo_source.startswith("model:")


def test_zero_counts_as_missing(beet: Beet, song: Path, bpm: int) -> None:
    """BPM 0, which beets writes into files without a tempo (beets #645), counts as missing."""
    media = MediaFile(song)
    media.bpm = 0
    media.save()
    beet.add(song)
    beet("tempo")
    assert beet.item().bpm == MediaFile(song).bpm == bpm


def test_pretending_changes_nothing(beet: Beet, songs: list[Path]) -> None:
    beet.add(*songs)
    beet("ls")  # let beets do its own housekeeping first
    before, files = beet.database.read_bytes(), state(songs[0].parent)
    for args in (["-p"], ["-fp", "-w"]):
        run = beet("tempo", *args)
        assert "B - A: " in run.out
        assert run.out.splitlines()[-1].startswith("tempo: would have: 2 tracks analysed: 2 set")
        assert run.code == 0
    assert beet.database.read_bytes() == before
    assert state(songs[0].parent) == files


@pytest.mark.parametrize("configured", [True, False])
def test_quiet_prints_nothing(configured: bool, beet: Beet, song: Path, bpm: int) -> None:
    beet.configure(tempo={"quiet": configured})
    beet.add(song)
    run = beet("tempo", *([] if configured else ["-q"]))
    assert (run.code, run.out, run.err) == (0, "", "")
    assert beet.item().bpm == bpm


def test_paths_reach_the_workers_absolute(beet: Beet, song: Path, bpm: int) -> None:
    """Threads get absolute paths; relative ones need the library, which they do not know."""
    inside = beet.music / "deep" / song.name
    inside.parent.mkdir()
    song.rename(inside)
    beet.add(inside)
    with beet.library.transaction() as tx:
        (row,) = tx.query("SELECT path FROM items")
    assert bytes(row["path"]) == b"deep/a.mp3"
    assert beet("tempo", "-t", "2").code == 0
    assert beet.item().bpm == bpm


def test_failures_are_one_line_each_and_exit_with_1(
    beet: Beet, songs: list[Path], bpm: int
) -> None:
    beet.add(*songs)
    songs[1].unlink()
    run = beet("tempo")
    assert run.code == 1
    assert run.err.splitlines() == [
        f"tempo: {songs[1]}: no such file",
        "error: 2 tracks analysed: 1 set, 0 kept, 1 failed; 0 had a tempo already; keys: 1 set",
    ]
    assert beet.item("title:A").bpm == bpm
    assert "analysed" not in run.out  # the summary appears once
    quiet = beet("tempo", "-q")
    assert (quiet.code, quiet.out, quiet.err.count("\n")) == (1, "", 2)


def test_a_tag_that_cannot_be_written_is_a_failure(
    beet: Beet, songs: list[Path], tempi: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """If a tag cannot be written, the track counts as failed and the library has the tempo."""
    beet.add(*songs)
    replace = Path.replace

    def fail(self: Path, target: Path) -> Path:
        if target.suffix == ".mp3":
            raise PermissionError(13, "Permission denied")
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", fail)
    run = beet("tempo")
    assert run.code == 1
    assert run.err.splitlines() == [
        f"tempo: {songs[0]}: cannot write the tag: Permission denied",
        "error: 2 tracks analysed: 1 set, 0 kept, 1 failed; 0 had a tempo already; keys: 1 set",
    ]
    assert [item.bpm for item in beet.items("title+")] == tempi
    assert [MediaFile(path).bpm for path in songs] == [None, tempi[1]]
    assert beet("update").out == ""


def test_a_bug_in_the_engine_costs_one_track(
    beet: Beet, songs: list[Path], tempi: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Buggy(tempo_core.Estimator):
        def results(self, path: Any, genres: Any = None) -> Any:
            if os.fsdecode(path).endswith("mp3"):
                raise ZeroDivisionError("division by zero")
            return super().results(path, genres)

    monkeypatch.setattr(tempo_core, "Estimator", Buggy, raising=False)
    beet.add(*songs)
    run = beet("tempo")
    assert run.code == 1
    assert run.err.splitlines()[0] == f"tempo: {songs[0]}: ZeroDivisionError: division by zero"
    assert [item.bpm for item in beet.items("title+")] == [0, tempi[1]]


def test_a_track_removed_meanwhile_is_passed_over(
    beet: Beet, songs: list[Path], tempi: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    beet.add(*songs)
    beet.configure(tempo={"threads": 1})
    get_item = beet.library.__class__.get_item
    monkeypatch.setattr(
        beet.library.__class__,
        "get_item",
        lambda self, id_: get_item(self, id_) if id_ == 2 else None,
    )
    assert beet("tempo").code == 0
    assert [item.bpm for item in beet.items("title+")] == [0, tempi[1]]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("threads", 0),
        ("threads", "two"),
        ("threads", True),
        ("windows", 0),
        ("windows", "some"),
        ("range", 120),
        ("range", [155, 78]),
        ("range", ["a", "b"]),
        ("range", [78, 100, 155]),
        ("force", "maybe"),
        ("write", "maybe"),
        ("quiet", "maybe"),
        ("auto", "maybe"),
        ("model", 5),
    ],
)
def test_bad_settings_are_one_line(name: str, value: Any, beet: Beet, song: Path) -> None:
    beet.add(song)
    beet.configure(tempo={name: value})
    for command in (["tempo"], ["import", "-A", song]):
        run = beet(*command)
        assert run.code == 1
        assert run.err.startswith(f"configuration error: tempo.{name}")
        assert run.err.count("\n") == 1
        assert run.out == ""
    assert beet.item().bpm == 0


@pytest.mark.parametrize(
    ("name", "value"), [("range", [90, 180]), ("windows", 2), ("windows", "all"), ("threads", 1)]
)
def test_good_settings_are_used(name: str, value: Any, beet: Beet, song: Path) -> None:
    beet.add(song)
    beet.configure(tempo={name: value})
    assert beet("tempo").code == 0
    assert beet.item().bpm


def test_settings_reach_the_engine(beet: Beet, song: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []

    def estimator(**settings: Any) -> Any:
        seen.append(settings)
        raise CheckpointError("enough")

    monkeypatch.setattr(tempo_core, "Estimator", estimator, raising=False)
    beet.add(song)
    beet.configure(tempo={"model": "mine", "windows": "all", "range": [78, 155]})
    beet("tempo")
    assert seen == [
        {
            "model": "mine",
            "windows": "all",
            "bpm_range": (78, 155),
            "tasks": ["tempo", "pace", "key", "beats"],
        }
    ]


@pytest.mark.parametrize("threads", ["0", "-3", "x"])
def test_bad_number_of_threads(threads: str, beet: Beet) -> None:
    run = beet("tempo", "-t", threads)
    assert run.code != 0
    assert "-t" in run.err


def test_a_missing_model_is_one_error_before_any_work(beet: Beet, song: Path) -> None:
    beet.add(song)
    beet.configure(tempo={"model": "no-such-model"})
    files, library = state(song.parent), beet.database.read_bytes()
    run = beet("tempo")
    assert run.code == 1
    assert run.err.startswith("error: ")
    assert "no-such-model" in run.err
    assert run.err.count("\n") == 1
    assert run.out == ""
    assert state(song.parent) == files
    assert beet.database.read_bytes() == library


def test_a_tampered_model_is_one_error_before_any_work(
    beet: Beet, song: Path, tmp_path: Path
) -> None:
    (shipped, *_) = (Path(tempo_core.__file__).parent / "models").glob("*.safetensors")
    content = bytearray(shipped.read_bytes())
    content[-1] ^= 1
    tampered = tmp_path / shipped.name
    tampered.write_bytes(content)
    beet.add(song)
    beet.configure(tempo={"model": str(tampered)})
    files, library = state(song.parent), beet.database.read_bytes()
    run = beet("tempo")
    assert run.code == 1
    assert run.err.startswith("error: ")
    assert run.err.count("\n") == 1
    assert (run.out, state(song.parent), beet.database.read_bytes()) == ("", files, library)
    imported = beet("import", "-A", song.parent)  # goes on without
    assert imported.code == 0
    assert "analysis skipped" in imported.err


# What a terminal shows.


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make stdout and stderr look like a terminal to the next command."""
    main = ui.main

    def on_terminal(args: list[str]) -> None:
        for stream in (sys.stdout, sys.stderr):
            monkeypatch.setattr(stream, "isatty", lambda: True, raising=False)
        main(args)

    monkeypatch.setattr(ui, "main", on_terminal)


@pytest.mark.usefixtures("terminal")
def test_a_terminal_shows_progress(beet: Beet, songs: list[Path]) -> None:
    missing = songs[0].with_name("missing.mp3")
    songs[0].rename(missing)
    beet.add(missing, songs[1])
    missing.unlink()
    run = beet("tempo")
    assert run.code == 1
    assert "2/2" in run.err
    assert "failed=1" in run.err
    # A log line stands on a line of its own, above the bar.
    lines = run.err.replace("\r", "\n").split("\n")
    assert f"tempo: {missing}: no such file" in lines
    assert (
        lines[-2]
        == "error: 2 tracks analysed: 1 set, 0 kept, 1 failed; 0 had a tempo already; keys: 1 set"
    )
    assert run.out == ""


@pytest.mark.usefixtures("terminal")
def test_a_terminal_ends_with_the_summary(beet: Beet, songs: list[Path]) -> None:
    beet.add(*songs)
    run = beet("tempo")
    assert run.out == (
        "tempo: 2 tracks analysed: 2 set, 0 kept, 0 failed; 0 had a tempo already; keys: 2 set\n"
    )


@pytest.mark.usefixtures("terminal")
@pytest.mark.parametrize("args", [["tempo", "-p"], ["-v", "tempo"]])
def test_a_terminal_shows_lines_on_request(args: list[str], beet: Beet, song: Path) -> None:
    beet.add(song)
    assert "B - A: " in beet(*args).out


@pytest.mark.usefixtures("terminal")
def test_a_quiet_terminal_stays_empty(beet: Beet, song: Path) -> None:
    beet.add(song)
    run = beet("tempo", "-q")
    assert (run.out, run.err) == ("", "")


def test_help_names_every_option(beet: Beet) -> None:
    out = beet("tempo", "--help").out
    for option in ("--force", "--pretend", "--quiet", "--write", "--nowrite", "--threads"):
        assert option in out
