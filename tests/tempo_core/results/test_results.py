"""Tests of the output of a run: rows in files, and going on after a run that was stopped."""

from __future__ import annotations

import csv
import json
import os
import shutil
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet
from pyarrow.json import read_json

from tempo_core.console import unescaped
from tempo_core.errors import ConfigError
from tempo_core.results.formats import FORMATS, Format
from tempo_core.results.results import Results, check_output, journal_of
from tempo_core.results.rows import Row, shown_by
from tempo_core.results.tracks import Track

COLUMNS = shown_by(["tempo", "key"])
ENDINGS = sorted(FORMATS)


def row_of(path: str) -> Row:
    """The row of a track: that of every fifth is an error."""
    number = int(path)
    if number % 5 == 4:
        return Row(path, None, f"bad {path}")
    values = {"bpm": 60.0 + number, "confidence": 0.5, "key": "Am", "key_confidence": 0.25}
    return Row(path, values, None)


def tracks_of(numbers: Sequence[int]) -> list[Track]:
    return [Track(k, str(number)) for k, number in enumerate(numbers)]


def form_of(path: Path) -> Format:
    return FORMATS[path.suffix](COLUMNS)


def run(path: Path, numbers: Sequence[int], **options: Any) -> list[str]:
    """A run from the beginning to the end; the paths of tracks that it had to do."""
    with Results(path, form_of(path), "tests", **options) as results:
        done = []
        for track in results.new(tracks_of(numbers)):
            results.add(row_of(track.path))
            done.append(track.path)
        results.finish()
    return done


def read(path: Path) -> list[tuple[str, float | None, str]]:
    """(path, bpm, error) of each row of an output."""
    if path.suffix == ".tsv":
        with path.open(encoding="utf-8", newline="") as file:
            rows: list[dict[str, Any]] = list(csv.DictReader(file, delimiter="\t"))
    elif path.suffix == ".jsonl":
        rows = [json.loads(line) for line in path.read_text().splitlines()]
    else:
        rows = parquet.read_table(path).to_pylist()
    return [(row["path"], float(row["bpm"]) if row["bpm"] else None, row["error"] or "")
            for row in rows]  # fmt: skip


def expected(numbers: Sequence[int]) -> list[tuple[str, float | None, str]]:
    rows = [row_of(str(number)) for number in numbers]
    return [(row.path, row.values["bpm"] if row.values else None, row.error or "") for row in rows]


@pytest.mark.parametrize("ending", ENDINGS)
def test_every_track_has_a_row(tmp_path: Path, ending: str) -> None:
    out = tmp_path / f"out{ending}"
    assert len(run(out, range(30))) == 30
    assert read(out) == expected(range(30))


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_second_run_does_only_what_is_new(tmp_path: Path, ending: str) -> None:
    out = tmp_path / f"out{ending}"
    run(out, range(10))
    before = out.read_bytes()
    assert run(out, range(10)) == []
    assert out.read_bytes() == before
    assert run(out, [3, 12, 5, 11]) == ["12", "11"]
    assert read(out) == expected([*range(10), 12, 11])


@pytest.mark.parametrize("ending", ENDINGS)
def test_what_failed_is_tried_again_on_request(tmp_path: Path, ending: str) -> None:
    out = tmp_path / f"out{ending}"
    run(out, range(10))
    assert run(out, range(10), retry=True) == ["4", "9"]
    assert sorted(read(out)) == sorted(expected(range(10)))


def test_a_track_that_is_named_twice_has_one_row(tmp_path: Path) -> None:
    out = tmp_path / "out.tsv"
    with Results(out, form_of(out), "tests") as results:
        given_out = list(results.new(tracks_of([1, 2, 1])))
        for track in reversed(given_out):
            results.add(row_of(track.path))
        assert list(results.new(tracks_of([2, 1]))) == []
        results.finish()
    assert read(out) == expected([1, 2])


def test_rows_are_in_the_order_of_the_tracks_or_as_they_come(tmp_path: Path) -> None:
    for ordered in (True, False):
        out = tmp_path / f"out{ordered}.jsonl"
        with Results(out, form_of(out), "tests", ordered=ordered) as results:
            for track in reversed(list(results.new(tracks_of(range(8))))):
                results.add(row_of(track.path))
            results.finish()
        assert read(out) == expected(range(8) if ordered else range(7, -1, -1))


@pytest.mark.parametrize("ending", ENDINGS)
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_a_run_that_was_killed_goes_on(
    tmp_path_factory: pytest.TempPathFactory, ending: str, data: st.DataObject
) -> None:
    n = data.draw(st.integers(1, 14))
    order = data.draw(st.permutations(range(n)))
    ordered = data.draw(st.booleans())
    n_done = data.draw(st.integers(0, n))
    # When the machine went down, what of output and of journal had reached the disk.
    kept = [data.draw(st.integers(0, n_done)) for _ in range(2)]
    syncs = data.draw(st.sets(st.integers(0, n)))
    folder = tmp_path_factory.mktemp("killed")
    out, after = folder / f"out{ending}", folder / "after" / f"out{ending}"
    after.parent.mkdir()
    with Results(out, form_of(out), "tests", ordered=ordered) as results:
        given_out = {int(track.path): track for track in results.new(tracks_of(range(n)))}
        for k, number in enumerate([*order[:n_done], None]):
            for kind, moment in zip(("output", "journal"), kept, strict=True):
                if k == moment:
                    copy(out, after, kind)
            if number is not None:
                results.add(row_of(given_out[number].path))
            if k in syncs:
                results._sync()
    done = run(after, range(n), ordered=ordered)
    # What the journal has is not done again, and everything else is.
    assert sorted(done) == sorted(str(number) for number in order[kept[1] :])
    assert sorted(read(after)) == sorted(expected(range(n)))
    if ordered and kept[1] == 0:
        assert read(after) == expected(range(n))


def copy(out: Path, after: Path, kind: str) -> None:
    """Copy output or journal as they are at this moment, in the middle of a run."""
    names = [out.name] if kind == "output" else [
        f"{journal_of(out).name}{end}" for end in ("", "-wal")
    ]  # fmt: skip
    for name in names:
        if (out.parent / name).exists():
            shutil.copy(out.parent / name, after.parent / name)


def test_an_output_that_was_changed_is_made_good_from_the_journal(tmp_path: Path) -> None:
    out = tmp_path / "out.tsv"
    run(out, range(6))
    before = out.read_bytes()
    out.write_bytes(before.replace(b"60.0", b"61.0"))
    run(out, range(6))
    out.unlink()
    run(out, range(6))
    assert out.read_bytes() == before
    out.write_bytes(before + b"7\t67.0\thalf a row")  # as a run leaves it that was killed
    run(out, range(6))
    assert out.read_bytes() == before


def test_an_output_that_was_edited_in_the_middle_is_made_again(tmp_path: Path) -> None:
    out = tmp_path / "out.tsv"
    run(out, range(100))
    before = out.read_bytes()
    out.write_bytes(before.replace(b"\n2\t62.0\t", b"\n2\t92.0\t"))
    assert out.read_bytes() != before
    run(out, range(100))
    assert out.read_bytes() == before


@pytest.mark.parametrize("damage", [b"hello", b""])
def test_a_damaged_parquet_file_is_made_again(tmp_path: Path, damage: bytes) -> None:
    out = tmp_path / "out.parquet"
    run(out, range(8))
    out.write_bytes(damage)
    assert run(out, range(8)) == []
    assert read(out) == expected(range(8))
    with out.open("ab") as file:
        file.write(b"more")
    run(out, range(8))
    assert read(out) == expected(range(8))


@pytest.mark.parametrize("ending", ENDINGS)
def test_what_failed_and_is_not_named_now_keeps_its_row(tmp_path: Path, ending: str) -> None:
    out = tmp_path / f"out{ending}"
    run(out, range(10))
    assert run(out, [9, 10], retry=True) == ["9", "10"]
    assert read(out) == expected(range(11))  # in its place


@pytest.mark.parametrize("ending", ENDINGS)
def test_trying_again_replaces_a_row_when_there_is_another(tmp_path: Path, ending: str) -> None:
    out = tmp_path / f"out{ending}"
    run(out, range(10))
    good = Row("4", {"bpm": 64.0, "confidence": 0.5}, None)
    with Results(out, form_of(out), "tests", retry=True) as results:
        tracks = list(results.new(tracks_of(range(10))))
        assert read(out) == expected(range(10))
        results.add(good)  # and the run is stopped before track 9 is done
    assert [track.path for track in tracks] == ["4", "9"]
    wanted = expected(range(10))
    wanted[4] = ("4", 64.0, "")
    assert run(out, range(10)) == []
    assert read(out) == wanted


def test_the_same_name_in_another_folder_is_another_track(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out.tsv"
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        monkeypatch.chdir(tmp_path / name)
        assert run(out, [1]) == ["1"]
    with Results(out, form_of(out), "tests") as results:
        assert list(results.new([Track(0, "./1"), Track(1, "../b/1"), Track(2, "../a/1")])) == []
    assert read(out) == expected([1, 1])


def test_a_database_of_something_else_stays_as_it_is(tmp_path: Path) -> None:
    out = tmp_path / "out.tsv"
    with sqlite3.connect(journal_of(out)) as other:
        other.execute("CREATE TABLE items (id INTEGER)")
    other.close()
    before = journal_of(out).read_bytes()
    with pytest.raises(ConfigError, match="is a database of something else"):
        Results(out, form_of(out), "tests")
    assert journal_of(out).read_bytes() == before


def test_names_that_are_no_text(tmp_path: Path) -> None:
    name = b"a\tb\xff\n\xe4".decode("utf-8", "surrogateescape")
    for ending in ENDINGS:
        out = tmp_path / f"out{ending}"
        with Results(out, form_of(out), "tests") as results:
            for track in results.new([Track(0, name)]):
                results.add(Row(track.path, None, "no such file"))
            results.finish()
        ((path, _, error),) = read(out)
        assert error == "no such file"
        assert "\n" not in path or ending != ".tsv"
        assert path.startswith("a")


def test_somebody_elses_file_is_left_alone(tmp_path: Path) -> None:
    out = tmp_path / "out.tsv"
    out.write_text("my own table")
    with pytest.raises(ConfigError, match="is there already"):
        check_output(out)
    journal_of(out).touch()
    with pytest.raises(ConfigError, match="is there already"):
        check_output(out)
    with pytest.raises(ConfigError, match="there is no folder"):
        check_output(tmp_path / "no folder" / "out.tsv")
    with pytest.raises(ConfigError, match=r"must end with \.tsv, \.jsonl, \.parquet"):
        check_output(tmp_path / "out.csv")
    (tmp_path / "folder.tsv").mkdir()
    with pytest.raises(ConfigError, match="is no file"):
        check_output(tmp_path / "folder.tsv")


def test_results_of_other_models_are_not_mixed(tmp_path: Path) -> None:
    out = tmp_path / "out.tsv"
    run(out, range(3))
    with pytest.raises(ConfigError, match=r"holds results of other settings.*tests.*others"):
        Results(out, form_of(out), "others")


@pytest.mark.slow
def test_two_runs_do_not_write_one_output(tmp_path: Path) -> None:
    out = tmp_path / "out.tsv"
    with (
        Results(out, form_of(out), "tests"),
        pytest.raises(ConfigError, match="another run is using it"),
    ):
        Results(out, form_of(out), "tests")


def test_a_journal_that_is_none(tmp_path: Path) -> None:
    out = tmp_path / "out.tsv"
    journal_of(out).write_text("no database" * 1000)
    with pytest.raises(Exception, match="cannot be used"):
        Results(out, form_of(out), "tests")
    assert journal_of(out).read_text() == "no database" * 1000


def test_a_name_that_is_no_text_is_the_same_in_every_format(tmp_path: Path) -> None:
    """Arrow, as many programs, refuses JSON with half of a surrogate pair in it."""
    names = [os.fsdecode(b"b\xff.mp3"), "back\\slash.mp3", "tab\t\u202e.mp3"]
    rows = [Row(name, None, "no such file") for name in names]
    found = {}
    for ending in ENDINGS:
        out = tmp_path / f"out{ending}"
        with Results(out, form_of(out), "tests") as results:
            for track in results.new([Track(k, name) for k, name in enumerate(names)]):
                results.add(rows[track.number])
            results.finish()
        found[ending] = [path for path, _, _ in read(out)]
    assert found[".jsonl"] == found[".tsv"] == found[".parquet"]
    assert [unescaped(path) for path in found[".jsonl"]] == names
    assert read_json(tmp_path / "out.jsonl")["path"].to_pylist() == found[".tsv"]
