"""Tests of `tempo-core build` and its sources of labels."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from mediafile import MediaFile

from tempo_core.cli import main
from tempo_core.errors import ConfigError
from tempo_core.labels.files import read_track
from tempo_core.labels.record import LabelVerdict, Record, Status
from tempo_core.labels.store import Store
from tempo_core.reading import NOT_REGULAR
from trainer.trainingset.clean import Reason, check_label, merge
from trainer.trainingset.gather import find_files, gather, read_labels
from trainer.trainingset.tables import (
    DROPPED,
    DroppedTrack,
    LabelledTrack,
    read_collection,
    read_table,
)

MakeAudio = Callable[..., Path]


def run(*args: object) -> Result:
    return CliRunner().invoke(main, ["build", *map(str, args)])


def table(folder: Path, text: str, name: str = "labels.tsv") -> Path:
    path = folder / name
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    return path


def labels(files: list[Path], **known: object) -> list[tuple[float, str]]:
    values: dict = {"table": {}, "store": None, "problems": [], **known}
    return [(track.bpm, track.label_source) for track in gather(files, **values)]


def test_a_table(tmp_path: Path) -> None:
    rows = 'path\tbpm\tartist\tyear\tfoo\nsub/a.mp3\t128.5\tA "x" B\t1999-02-03\t1\n/b.mp3\t97\n'
    found = read_labels(table(tmp_path, rows))
    assert list(found) == [tmp_path / "sub/a.mp3", Path("/b.mp3")]
    first = found[tmp_path / "sub/a.mp3"]
    assert (first.bpm, first.artist, first.year, first.label_source) == (
        128.5, 'A "x" B', 1999, "table",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("column", "text", "key"),
    [("key", "F# minor", "F#m"), ("initial_key", "Bb", "A#"), ("key", "8A", "Am"),
     ("key", "NA", ""), ("key", "loud", ""), ("genre", "Am", "")],
)  # fmt: skip
def test_a_key_travels_with_its_track(column: str, text: str, key: str, tmp_path: Path) -> None:
    (row,) = read_labels(table(tmp_path, f"path\tbpm\t{column}\n/a.mp3\t97\t{text}\n")).values()
    assert row.key == key
    (track, *_) = gather([row.path], {row.path: row}, None, [])
    assert track.key == key


def test_the_key_of_a_tag_and_of_another_label_of_the_track(
    make_audio: MakeAudio, tmp_path: Path
) -> None:
    path = make_audio("a.mp3", bpm=120, duration=2, initial_key="Ebm")
    media = MediaFile(path)
    media.bpm = 120
    media.save()
    (track,) = gather([path], {}, None, [])
    assert (track.bpm, track.key) == (120, "D#m")
    merged = merge([replace(track, key=""), replace(track, bpm=60.0, label_source="x")])
    assert (merged.bpm, merged.key) == (120, "D#m")


def test_a_table_of_tempo_labels(tmp_path: Path) -> None:
    """A table of labels as `beet tempo-labels --export` writes it can be read."""
    rows = (
        'title\tartist\talbum\tgenre\tpath\ttempo\tkey\n"Heroes\tBowie\tNA\tNA\t/a.mp3\t112\tNA\n'
    )
    (track,) = read_labels(table(tmp_path, rows)).values()
    assert (track.bpm, track.title, track.album) == (112.0, '"Heroes', "")


def test_a_table_that_contradicts_itself(tmp_path: Path) -> None:
    rows = "path\tbpm\n/a.mp3\t97\n/a.mp3\t128\n/b.mp3\t97\n/b.mp3\t97.5\n"
    a, b = read_labels(table(tmp_path, rows)).values()
    assert (a.bpm, a.other_labels) == (97, "table 128")
    assert (b.bpm, b.other_labels) == (97, "")
    (track, *_) = gather([a.path], {a.path: a}, None, [])
    problem = check_label(track)
    assert problem is not None
    assert problem.reason == Reason.CONFLICT


def test_a_table_with_commas(tmp_path: Path) -> None:
    rows = '\ufefffile,BPM\n"a, b.mp3","128"\n'
    for name in ("labels.csv", "labels.tsv", "labels"):  # what it is, its name does not say
        (path,) = read_labels(table(tmp_path, rows, name))
        assert path == tmp_path / "a, b.mp3"


@pytest.mark.parametrize(
    ("text", "bpm"),
    [("128,5", 128.5), ("NaN", math.nan), ("fast", math.nan), ("", 0), ("NA", 0), ("0", 0)],
)
def test_numbers_as_people_write_them(text: str, bpm: float, tmp_path: Path) -> None:
    (track,) = read_labels(table(tmp_path, f"path\tbpm\n/a\t{text}\n")).values()
    assert track.bpm == pytest.approx(bpm, nan_ok=True)


@pytest.mark.parametrize(
    ("text", "told"),
    [("", "no column bpm or path"), ("path\ttempi\n", "no column bpm"), ("a\0b", "no column")],
)
def test_what_is_no_table(text: str, told: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=told):
        read_labels(table(tmp_path, text))
    with pytest.raises(ConfigError, match="cannot be read"):
        read_labels(tmp_path / "missing.tsv")


def test_files_in_folders(tmp_path: Path) -> None:
    for name in ("b/2.mp3", "b/1.FLAC", "b/c/3.opus", "b/cover.jpg", "b/Talk/4.mp3", "x.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    found = find_files([tmp_path / "b", tmp_path / "x.txt", tmp_path / "b/2.mp3"], ["*/Talk/*"])
    assert [path.name for path in found] == ["1.FLAC", "2.mp3", "3.opus", "x.txt"]


def test_tags_and_what_outranks_them(make_audio: MakeAudio, tmp_path: Path) -> None:
    path = make_audio("a.mp3", duration=2, bpm=126, title="T", artist="A")
    assert labels([path]) == [(0.0, "")]
    tagged = make_audio("b.mp3", duration=2, title="T", artist="A")
    import mutagen

    file = mutagen.File(str(tagged))
    file.tags.add(mutagen.id3.TBPM(encoding=3, text=["126.5"]))
    file.save()
    row = LabelledTrack(tagged, 63.0, "table", artist="Other")
    assert labels([tagged]) == [(126.5, "tag")]
    assert labels([tagged], table={tagged: row}) == [(63.0, "table"), (126.5, "tag")]
    (track, _) = gather([tagged], {tagged: row}, None, [])
    assert (track.artist, track.title) == ("Other", "T")


@pytest.mark.parametrize(
    ("source", "verdict", "usable"),
    [
        ("acousticbrainz", LabelVerdict.AGREE, True),
        ("acousticbrainz", LabelVerdict.OCTAVE, False),
        ("acousticbrainz", LabelVerdict.NO_ESTIMATE, False),
        ("musicstax", LabelVerdict.AGREE, False),
    ],
)
def test_labels_of_the_store(
    source: str, verdict: LabelVerdict, usable: bool, make_audio: MakeAudio, tmp_path: Path
) -> None:
    path = make_audio("a.flac", duration=2, title="T", artist="A")
    track = read_track(path)
    with Store(tmp_path / "labels.db") as store:
        store.add(
            Record(track.id, source, Status.FOUND, "", "A", "T", "2024-01-01T00:00:00+00:00", 1,
                   bpm=126.0, verdict=verdict, match_title="T")
        )  # fmt: skip
        expected = (126.0, f"label:{source}") if usable else (0.0, "")
        assert labels([path], store=store) == [expected]


def test_a_tag_that_is_there_no_more_is_no_label(make_audio: MakeAudio, tmp_path: Path) -> None:
    path = make_audio("a.flac", duration=2, title="T", artist="A")
    track = read_track(path)
    with Store(tmp_path / "labels.db") as store:
        store.add(
            Record(track.id, "tags", Status.FOUND, "", "A", "T", "2024-01-01T00:00:00+00:00", 1,
                   bpm=126.0, verdict=LabelVerdict.AGREE, match_title="T")
        )  # fmt: skip
        assert labels([path], store=store, sources=("tags",)) == [(0.0, "")]
        media = MediaFile(path)
        media.bpm = 126
        media.save()
        assert labels([path], store=store, sources=("tags",)) == [(126.0, "tag")] * 2


def test_unreadable_tags_are_a_problem_unless_a_table_knows(bad_files: dict[str, Path]) -> None:
    path, problems = bad_files["text"], []  # type: ignore[var-annotated]
    assert labels([path], problems=problems) == [(0.0, "")]
    assert [found for found, _ in problems] == [path]
    row = LabelledTrack(path, 120.0, "table")
    assert labels([path], table={path: row}, problems=problems) == [(120.0, "table")]
    assert len(problems) == 1


@pytest.fixture
def music(songs: list[LabelledTrack], tmp_path: Path) -> Path:
    rows = [f"{track.path}\t{track.bpm:g}\t{track.artist}" for track in songs]
    return table(tmp_path, "\n".join(["path\tbpm\tartist", *rows, ""]))


@pytest.mark.slow
def test_the_command(music: Path, songs: list[LabelledTrack], tmp_path: Path) -> None:
    done = run("--out", tmp_path / "set", "--labels", music, "--jobs", 2, "--no-cache")
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout == "kept 6: train 4, validation 1, test 1\n"
    assert len(read_collection(tmp_path / "set")) == 6
    # With a table and files only these files; what is missing makes it fail, and nothing else.
    missing = os.fsdecode(b"/no/such \xff\nfile.mp3")
    more = [*(track.path for track in songs[:4]), missing]
    done = run("--out", tmp_path / "set", "--labels", music, "--no-cache", *more)
    assert done.exit_code == 1
    assert done.stderr.startswith("/no/such")
    assert done.stderr.count("\n") == 1
    assert "kept 4: " in done.stdout
    assert "dropped 1: no label 1" in done.stdout
    (lost,) = read_table(tmp_path / "set" / DROPPED, DroppedTrack)
    assert str(lost.path) == missing


@pytest.mark.slow
def test_what_is_no_file_does_not_hold_the_command_up(
    music: Path, make_audio: MakeAudio, tmp_path: Path
) -> None:
    odd = tmp_path / "odd"
    odd.mkdir()
    os.mkfifo(odd / "pipe.mp3")
    (odd / "zero.mp3").symlink_to("/dev/zero")
    os.mkfifo(odd / "labelled.mp3")
    endless = make_audio("endless.flac", duration=3)
    with endless.open("rb+") as file:
        file.truncate(1 << 40)
    with music.open("a") as labels:
        labels.write(f"odd/labelled.mp3\t120\tX\n{endless}\t120\tY\n")
    begin = time.monotonic()
    done = run("--out", tmp_path / "set", "--labels", music, "--no-cache", "--time-limit", 1)
    assert time.monotonic() - begin < 40
    assert done.exit_code == 1
    assert f"{odd / 'labelled.mp3'}: unreadable {NOT_REGULAR}" in done.stderr
    assert f"{endless}: unreadable given up after 1 s" in done.stderr
    assert "kept 6: " in done.stdout
    done = run("--out", tmp_path / "set", "--labels", music, "--no-cache", odd)
    assert "no track is left" in done.stderr
    assert done.stderr.count(NOT_REGULAR) == 2  # of the third the table knows a label


def test_the_command_in_trouble(music: Path, tmp_path: Path) -> None:
    out = tmp_path / "set"
    for args, told in (
        ((), "give files or folders"),
        (("--labels-db", tmp_path / "none.db", tmp_path), "no label store"),
        ((tmp_path,), "no track is left"),
        (("--labels", tmp_path / "none.tsv"), "cannot be read"),
        (("--source", "nobody", tmp_path), "nobody"),
        (("--model", "nothing", tmp_path), "nothing"),
    ):
        done = run("--out", out, "--no-cache", *args)
        assert done.exit_code in (1, 2)
        assert told in done.stderr
        assert "Traceback" not in done.output
    done = run("--out", music / "inside a file", "--labels", music, "--no-cache")
    assert done.exit_code == 1
    assert "cannot be written (Not a directory)" in done.stderr
    done = run("--out", out, "--labels", music, "--cache-size", 0.000001)
    assert done.exit_code == 1
    assert "times the space" in done.stderr
    assert len(read_collection(out)) == 6


def test_asking_for_help_loads_nothing_heavy() -> None:
    import subprocess
    import sys

    code = "import sys; from trainer.commands.build import build; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
    assert "training set" in run("--help").stdout
