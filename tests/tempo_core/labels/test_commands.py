"""Tests of `tempo-core labels` and `tempo-core demo-site` on the command line."""

from __future__ import annotations

import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import requests
from click.testing import CliRunner, Result

from tempo_core.cli import main
from tempo_core.console import escaped
from tempo_core.labels.demo_site import DemoSite, Entry
from tempo_core.labels.store import Store
from tempo_core.reading import NOT_REGULAR
from trainer.trainingset.gather import read_labels as read_labels_table

MakeAudio = Callable[..., Path]
ROOT = Path(__file__).parents[3]


@pytest.fixture
def files(make_audio: MakeAudio, site: DemoSite) -> list[Path]:
    """Three songs; the site has one with its tempo and one with half of it."""
    tempi = {"House Song": 126, "Half Song": 98, "No Song": 110}
    site.entries[:] = [
        Entry("House Song", "Singer", 126, "A Minor", duration=8),
        Entry("Half Song", "Singer", 49, duration=8),
    ]
    return [
        make_audio(f"{title}.flac", bpm=bpm, duration=8, title=title, artist="Singer")
        for title, bpm in tempi.items()
    ]


@pytest.fixture
def labels(site: DemoSite, tmp_path: Path) -> Callable[..., Result]:
    def run(*args: object) -> Result:
        options = ["--database", tmp_path / "l.db", "--interval", 0, "--source", "musicstax"]
        options += ["--url", f"musicstax={site.urls['musicstax']}"]
        return CliRunner().invoke(main, ["labels", *map(str, (*options, *args))])

    return run


def test_labels_are_found_and_checked(
    files: list[Path], labels: Callable[..., Result], tmp_path: Path
) -> None:
    report, table = tmp_path / "r.html", tmp_path / "t.tsv"
    run = labels("--report", report, "--export", table, *files)
    assert run.exit_code == 0, run.output
    first, second, third, summary = run.stdout.splitlines()
    assert re.fullmatch(
        r"Singer - House Song: 126 BPM, Am \(musicstax\), the audio agrees \(12[56].*", first
    )
    assert "49 BPM (musicstax), an octave off the audio's" in second
    assert third.startswith("Singer - No Song: not found (musicstax: none of 2 is this ")
    assert summary.startswith(
        "3 tracks: 2 found (1 agree, 1 octave), 1 not found, keys 1 conflict; "
    )
    assert "Half Song" in report.read_text()
    assert table.read_text().splitlines()[1].endswith("\t126\tA min")
    again = labels("--no-estimate", "-q", *files)
    assert (again.exit_code, again.output) == (0, "")
    imported = CliRunner().invoke(
        main,
        ["labels", "--no-estimate", "--database", str(tmp_path / "x.db"), "--import", str(table),
         *map(str, files)],
    )  # fmt: skip
    assert "126 BPM, Am (tsv), not analysed yet" in imported.stdout


def test_a_failure_is_a_line_and_the_exit_status(
    files: list[Path], labels: Callable[..., Result], site: DemoSite, bad_files: dict[str, Path]
) -> None:
    site.entries.append(Entry("No Song", "Singer", 110, duration=8, trouble="redesigned"))
    run = labels("--no-estimate", bad_files["text"], *files)
    assert run.exit_code == 1
    first, second = run.stderr.splitlines()
    assert first.startswith(f"{bad_files['text']}: ")
    assert second == f"{files[2]}: musicstax: the track's page has another layout"
    assert "2 found" in run.stdout


def test_pretending_asks_nothing(
    files: list[Path], labels: Callable[..., Result], site: DemoSite, tmp_path: Path
) -> None:
    run = labels("-p", *files)
    assert run.exit_code == 0
    line = "Singer - House Song: would ask musicstax for 'Singer House Song'"
    assert run.stdout.splitlines()[0] == line
    assert site.hits == []
    assert not (tmp_path / "l.db").exists()


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("--source", "spotify"), "no source 'spotify'"),
        (("--url", "musicstax"), "NAME=ADDRESS"),
        (("--url", "musicstax=ftp://x"), "address of musicstax"),
        (("--url", "nothing=http://x"), "no source 'nothing'"),
        (("--interval", "-1"), "--interval"),
        (("--contact", "a\nb"), "contact"),
        (("--source", "getsongbpm"), "needs a key"),
        (("--source", "acousticbrainz"), "acousticbrainz-index"),
        (("--import", "missing.tsv"), "missing.tsv: cannot be read"),
    ],
)
def test_bad_options_are_one_error(
    args: tuple[str, ...], message: str, labels: Callable[..., Result], site: DemoSite
) -> None:
    run = labels(*args, "--no-estimate", "song.mp3")
    assert run.exit_code != 0
    assert message in run.stderr
    assert "Traceback" not in run.output
    assert site.hits == []


def test_an_index_is_made(tmp_path: Path) -> None:
    mbid = "0b7b1ac4-6a8f-4e5d-9c51-0a5b8f0d7f11"
    (tmp_path / "rhythm.csv").write_text(f"mbid,submission_offset,bpm\n{mbid},0,120\n")
    index = tmp_path / "ab.db"
    args = ["acousticbrainz-index", str(tmp_path / "rhythm.csv"), "-o", str(index)]
    run = CliRunner().invoke(main, args)
    assert (run.exit_code, run.stdout) == (0, f"{index}: 1 recordings\n")
    run = CliRunner().invoke(main, [*args[:1], str(tmp_path / "no.csv"), *args[2:]])
    assert run.exit_code == 1
    assert "cannot be read" in run.stderr


def test_the_demo_site_serves_and_shows_who_asked(tmp_path: Path) -> None:
    catalogue = tmp_path / "catalogue.json"
    catalogue.write_text(json.dumps([{"title": "Song", "artist": "Singer", "bpm": 99}]))
    command = [sys.executable, "-m", "tempo_core.cli", "demo-site", "--port", "0"]
    command += ["--catalogue", str(catalogue), "--crawl-delay", "0.5"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
    try:
        assert process.stdout
        url = process.stdout.readline().split()[1]
        root = url.removesuffix("/musicstax")
        answer = requests.get(f"{root}/robots.txt", timeout=10)
        assert "Crawl-delay: 0.5" in answer.text
        answer = requests.get(f"{url}/search", params={"q": "singer song"}, timeout=10)
        assert answer.text.count("search-song-details") > 3  # the song and decoys
        hits = requests.get(f"{root}/hits", timeout=10).json()
        assert [hit["path"] for hit in hits] == ["/robots.txt", "/musicstax/search?q=singer+song"]
        process.send_signal(signal.SIGINT)
        begin = time.monotonic()
        assert process.wait(10) == 0
        assert time.monotonic() - begin < 2
    finally:
        process.kill()
        process.communicate()


def test_a_catalogue_that_is_none(tmp_path: Path, site: DemoSite) -> None:
    path = tmp_path / "c.json"
    for text in ("[", '[{"name": 1}]', '[{"title": "a", "artist": "b", "trouble": "war"}]', "3"):
        path.write_text(text)
        run = CliRunner().invoke(main, ["demo-site", "--port", "0", "--catalogue", str(path)])
        assert run.exit_code == 1
        assert str(path) in run.stderr
    run = CliRunner().invoke(main, ["demo-site", "--port", site.url.rpartition(":")[2]])
    assert run.exit_code == 1
    assert "cannot be used" in run.stderr


def _labels(*args: object) -> Result:
    return CliRunner().invoke(main, ["labels", *map(str, args)])


def test_names_of_any_bytes(make_audio: MakeAudio, tmp_path: Path) -> None:
    folder = tmp_path / "music"
    folder.mkdir()
    names = [b"\xff\xfe.mp3", b"tab\tline\n.mp3", b"esc\x1b[2J.mp3"]
    rows = ["title\tartist\talbum\tgenre\tpath\ttempo\tkey"]
    for number, name in enumerate(names):
        song = make_audio("a.mp3", duration=8, bpm=126, title=f"T{number}", artist="A")
        song.rename(folder / os.fsdecode(name))
        rows.append(f"T{number}\tA\tNA\tNA\t{escaped(str(folder / os.fsdecode(name)))}\t126\tNA")
    table = tmp_path / "tempi.tsv"
    table.write_text("\n".join(rows) + "\n")
    export, report, database = tmp_path / "x.tsv", tmp_path / "r.html", tmp_path / "l.db"
    for _ in range(2):  # the second run finds what the first has kept
        run = _labels(
            "--database",
            database,
            "--import",
            table,
            "--export",
            export,
            "--report",
            report,
            folder,
        )
        assert run.exit_code == 0, run.output
        assert "\x1b" not in run.output
        assert run.stdout.count(": 126 BPM (tsv)") == 3
    lines = export.read_text().splitlines()
    assert len(lines) == 1 + len(names)
    assert {line.count("\t") for line in lines} == {6}
    found = {os.fsencode(path.name) for path in read_labels_table(export)}
    assert found == set(names)
    with Store(database, read_only=True) as store:
        assert {os.fsencode(Path(record.path).name) for record in store} == set(names)
    assert report.read_text()


def test_a_store_of_an_earlier_version_is_read(make_audio: MakeAudio, tmp_path: Path) -> None:
    path = make_audio("a.mp3", duration=8, bpm=126, title="T", artist="A")
    database = tmp_path / "l.db"
    assert _labels("--database", database, "--no-estimate", path).exit_code == 0
    table = tmp_path / "t.tsv"
    table.write_text(
        f"title\tartist\talbum\tgenre\tpath\ttempo\tkey\nT\tA\tNA\tNA\t{path}\t126\tNA\n"
    )
    assert _labels("--database", database, "--import", table, path).exit_code == 0
    connection = sqlite3.connect(database)
    with connection:
        assert connection.execute("SELECT typeof(path) FROM labels").fetchone() == ("blob",)
        connection.execute("UPDATE labels SET path = CAST(path AS TEXT)")
        assert connection.execute("SELECT typeof(path) FROM labels").fetchone() == ("text",)
    connection.close()
    with Store(database) as store:
        assert [record.path for record in store] == [str(path)]
    assert (
        "126 BPM (tsv)"
        in _labels("--database", database, "--source", "tsv", "--import", table, path).stdout
    )


def test_what_is_no_file_is_one_line_at_once(make_audio: MakeAudio, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.mp3")
    (tmp_path / "zero.mp3").symlink_to("/dev/zero")
    path = make_audio("a.mp3", duration=8, bpm=126, title="T", artist="A")
    begin = time.monotonic()
    odd = [tmp_path / "pipe.mp3", tmp_path / "zero.mp3"]
    run = _labels("--database", tmp_path / "l.db", "--no-estimate", *odd, path)
    assert time.monotonic() - begin < 10
    assert run.exit_code == 1
    assert run.stderr.splitlines() == [f"{name}: {NOT_REGULAR}" for name in odd]
    assert run.stdout.startswith("A - T: ")


@pytest.mark.slow
def test_tags_that_take_for_ever_are_one_line(
    make_audio: MakeAudio, tmp_path: Path, hang: Callable[[Path], None]
) -> None:
    slow, path = make_audio("slow.mp3", duration=3), make_audio("a.mp3", duration=3, title="T")
    hang(slow)
    run = _labels(
        "--database", tmp_path / "l.db", "--no-estimate", "--time-limit", 0.5, slow, path, slow
    )
    told = f"{slow}: given up after 0.5 s, the time limit for one file"
    assert run.stderr.splitlines() == [told, told]
    assert run.stdout.splitlines()[-1].startswith("1 track: ")
    assert run.exit_code == 1


def test_a_store_that_is_none_is_one_line(make_audio: MakeAudio, tmp_path: Path) -> None:
    path = make_audio("a.mp3", duration=3, title="T")
    database = tmp_path / "l.db"
    database.write_bytes(b"no database" * 100)
    run = _labels("--database", database, "--no-estimate", path)
    assert run.exit_code == 1
    assert run.stderr.startswith(f"Error: {database}: is not a usable label store")
    assert run.stderr.count("\n") == 1


def test_a_dash_prints_the_table(
    files: list[Path],
    labels: Callable[..., Result],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What is told besides goes to stderr then."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    told = labels("--export", tmp_path / "t.tsv", *files).stdout
    run = labels("--export", "-", *files)
    assert run.exit_code == 0
    assert run.stdout == (tmp_path / "t.tsv").read_text()
    assert len(run.stderr.splitlines()) == len(told.splitlines())
    assert labels("--report", "-", *files).stdout.startswith("<!doctype html>")
    assert "cannot both be printed" in labels("--report", "-", "--export", "-", *files).stderr
    assert not list(Path().iterdir())


def test_a_database_is_not_printed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    run = CliRunner().invoke(main, ["acousticbrainz-index", "dump.csv", "-o", "-"])
    assert run.exit_code == 2
    assert "a database cannot be printed" in run.stderr


def test_an_interval_is_a_number(tmp_path: Path) -> None:
    """Every time is longer than one that is none: sites would be asked without a pause."""
    run = CliRunner().invoke(main, ["labels", "--interval", "nan", str(tmp_path / "a.mp3")])
    assert run.exit_code == 2
    assert "is not a finite number" in run.stderr
