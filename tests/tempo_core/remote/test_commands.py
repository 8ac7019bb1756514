"""The commands with audio at addresses: outputs, lists, journals, and trying again."""

from __future__ import annotations

import csv
import json
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.audio import click_track, write_audio
from tests.known_notes import played, song
from trainer.trainingset.tables import TRACKS

from . import hostile
from .conftest import Storages, run, some
from .s3_server import KEY, SECRET, S3Server
from .servers import Content, Exchange, Site

HEADERS = {"Authorization": "Bearer open-sesame-42"}


def rows_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def everything_under(folder: Path) -> bytes:
    """Content of all files of a folder but the settings."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return b"".join(path.read_bytes() for path in files if path.name != "storages.yaml")


@pytest.fixture
def secretly(site: Site, storages: Storages) -> Path:
    """Settings of the site with a secret, and of archives."""
    return storages(http=[{"site": site.url, "robots": False, "headers": HEADERS}], zip=True)


def test_rows_are_kept_and_failures_tried_again(
    site: Site, secretly: Path, short: Path, tmp_path: Path
) -> None:
    (tmp_path / "list").write_text(f"{site.url}/bad.flac\n{short}\n\n{site.url}/short.flac\n")
    out = tmp_path / "out.jsonl"
    command = ("estimate", f"{site.url}/long.wav", "--from", tmp_path / "list", "--out", out,
               "--windows", 2, "--tasks", "tempo", "--storages", secretly)  # fmt: skip
    result = run(*command)
    assert (result.exit_code, result.stdout) == (1, f"{out}: 4 tracks\n")
    rows = rows_of(out)
    assert [row["path"] for row in rows] == [
        f"{site.url}/long.wav", f"{site.url}/bad.flac", str(short), f"{site.url}/short.flac",
    ]  # fmt: skip
    assert [bool(row["error"]) for row in rows] == [False, True, False, False]
    assert {**rows[3], "path": ""} == {**rows[2], "path": ""}
    n = len(site.requests)
    assert run(*command).exit_code == 1
    assert len(site.requests) == n
    site.files["/bad.flac"] = short.read_bytes()
    assert run(*command).exit_code == 1
    assert len(site.requests) == n
    assert run(*command, "--retry").exit_code == 0
    assert {request.path for request in site.requests[n:]} == {"/bad.flac"}
    again = rows_of(out)
    assert again[1] == {**again[3], "path": f"{site.url}/bad.flac"}
    assert [again[k] for k in (0, 2, 3)] == [rows[k] for k in (0, 2, 3)]
    assert b"sesame" not in everything_under(tmp_path)


@pytest.mark.parametrize("ending", some([".tsv", ".parquet"], ".tsv"))
def test_other_outputs(ending: str, site: Site, secretly: Path, tmp_path: Path) -> None:
    out = tmp_path / f"out{ending}"
    args = ("estimate", f"{site.url}/short.flac", f"{site.url}/gone.flac", "--tasks", "tempo")
    assert run(*args, "--out", out, "--storages", secretly).exit_code == 1
    assert out.stat().st_size > 100
    assert b"sesame" not in everything_under(tmp_path)


@pytest.fixture
def music(tmp_path: Path, site: Site) -> Path:
    """A file of music of known notes, also at the site as `/music.flac`."""
    path = write_audio(tmp_path / "music.flac", played(song(4)), 22050)
    site.files["/music.flac"] = path.read_bytes()
    return path


@pytest.mark.slow
def test_notes(music: Path, site: Site, secretly: Path, tmp_path: Path) -> None:
    urls = (f"{site.url}/music.flac", f"{site.url}/gone.flac")
    result = run("notes", *urls, "-o", tmp_path / "there/", "--storages", secretly)
    assert result.exit_code == 1
    assert "gone.flac" in result.stderr
    assert run("notes", music, "-o", f"{tmp_path}/here/").exit_code == 0
    (here,), (there,) = ([*(tmp_path / name).iterdir()] for name in ("here", "there"))
    assert (there.name, there.read_bytes()) == (here.name, here.read_bytes())
    table = run("notes", music, "--format", "tsv")
    assert run("notes", urls[0], "--format", "tsv", "--storages", secretly).stdout == table.stdout


@pytest.mark.parametrize("name", [
    "..%2f..%2fevil.flac", "a/..%2f..%2fevil.flac", "%2e%2e/evil.flac", "evil.flac?x=/../../evil",
    "..", "%00.flac", "evil%0a.flac", "evil.flac#/../../evil", "x" * 300 + ".flac", "~.flac", "",
])  # fmt: skip
def test_outputs_stay_in_their_folder(
    name: str, music: Path, site: Site, secretly: Path, tmp_path: Path
) -> None:
    site.answers = dict.fromkeys(
        (f"/{n}".partition("?")[0].partition("#")[0] for n in (name, "evil.flac")),
        Content(music.read_bytes()),
    )
    folder = tmp_path / "a" / "b" / "out"
    folder.mkdir(parents=True)
    before = set(tmp_path.rglob("*"))
    result = run("beats", f"{site.url}/{name}", "-o", f"{folder}/", "--storages", secretly)
    assert "Traceback" not in result.output
    assert result.exception is None or isinstance(result.exception, SystemExit)
    made = set(tmp_path.rglob("*")) - before
    assert all(path.parent == folder for path in made)
    assert all("\n" not in path.name for path in made) or "%0a" in name


def test_beats_with_a_journal(site: Site, secretly: Path, short: Path, tmp_path: Path) -> None:
    """What is noted of a file at an address holds as long as the file is the same there."""
    site.files["/two.flac"] = site.files["/short.flac"]
    urls = (f"{site.url}/short.flac", f"{site.url}/two.flac", f"{site.url}/gone.flac")
    out = tmp_path / "out"
    args = ("beats", *urls, "-o", f"{out}/", "--journal", tmp_path / "j", "--storages", secretly)
    assert run(*args).exit_code == 1
    made = {path.name: path.stat().st_mtime_ns for path in out.iterdir()}
    assert len(made) == 2
    again = run(*args)
    assert again.exit_code == 1  # one is missing still
    assert "2 of 3 files were done before" in again.stderr
    assert {path.name: path.stat().st_mtime_ns for path in out.iterdir()} == made
    site.answers["/two.flac"] = Content(
        write_audio(tmp_path / "x.flac", click_track(90, 14, 22050), 22050).read_bytes(),
        '"2"', "Sun, 29 Nov 2026 10:00:00 GMT",
    )  # fmt: skip
    changed = run(*args)
    assert "1 of 3 files were done before" in changed.stderr
    assert b"sesame" not in everything_under(tmp_path)
    here = run("beats", short)
    there = run("beats", urls[0], "--storages", secretly)
    assert there.stdout == here.stdout.replace(str(short), urls[0])


def test_states_are_asked_for_at_the_same_time(
    site: Site, secretly: Path, short: Path, tmp_path: Path
) -> None:
    """Whether the files of a journal are as before is not asked of one after the other."""
    together, content = threading.Barrier(2), Content(short.read_bytes())

    def at_once(exchange: Exchange) -> None:
        together.wait(10)
        content(exchange)

    urls = [f"{site.url}/{k}.flac" for k in range(2)]
    args = ("beats", *urls, "-o", f"{tmp_path}/out/", "--journal", tmp_path / "j", "--jobs", 1)
    site.answers = {f"/{k}.flac": content for k in range(2)}
    assert run(*args, "--storages", secretly).exit_code == 0
    site.answers = {f"/{k}.flac": at_once for k in range(2)}
    again = run(*args, "--storages", secretly)
    assert again.exit_code == 0
    assert "2 of 2 files were done before" in again.stderr


@pytest.mark.slow
def test_the_limit_of_time_is_also_for_states(site: Site, secretly: Path, tmp_path: Path) -> None:
    """A silent server does not hold up a run for longer than that, twice: then the read fails."""
    site.answers["/short.flac"] = hostile.delayed(60, hostile.status(200))
    args = ("beats", f"{site.url}/short.flac", "-o", f"{tmp_path}/out/")
    begun = time.monotonic()
    result = run(*args, "--journal", tmp_path / "j", "--storages", secretly, "--time-limit", 1)
    assert result.exit_code == 1
    assert "given up after 1 s" in result.stderr
    assert time.monotonic() - begun < 10


def table(path: Path, places: Sequence[tuple[object, float]]) -> Path:
    """A table of labels."""
    with path.open("w", newline="") as file:
        rows = csv.writer(file, delimiter="\t")
        rows.writerow(["path", "bpm", "artist", "key"])
        rows.writerows((p, bpm, f"Band {k}", "C major") for k, (p, bpm) in enumerate(places))
    return path


@pytest.mark.slow
def test_evaluate(
    site: Site, secretly: Path, short: Path, long: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr("trainer.evaluation.plots.png", lambda _figure: b"\x89PNG")
    here = table(tmp_path / "here.tsv", [(short, 120), (long, 100), (tmp_path / "gone.wav", 99)])
    there = table(tmp_path / "there.tsv", [
        (f"{site.url}/{name}", bpm)
        for name, bpm in (("short.flac", 120), ("long.wav", 100), ("gone.wav", 99))
    ])  # fmt: skip
    common = ("--windows", 2, "--jobs", 1, "--storages", secretly)
    results = [
        run("evaluate", labels, "--out", tmp_path / labels.stem, *common)
        for labels in (here, there)
    ]  # fmt: skip
    assert [result.exit_code for result in results] == [1, 1]
    assert "gone.wav" in results[1].stderr
    figures = [
        json.loads((tmp_path / name / "figures.json").read_text())["estimators"]
        for name in ("here", "there")
    ]
    for one, two in zip(*(found.values() for found in figures), strict=True):
        assert one["all"]["acc1"] == two["all"]["acc1"] == pytest.approx(2 / 3)
    n = len(site.requests)
    run("evaluate", there, "--out", tmp_path / "there", *common)
    # Only whether they are still the same, once for tempi and once for keys.
    assert sum(request.n_sent for request in site.requests[n:]) < 4 * 70_000
    assert b"sesame" not in everything_under(tmp_path)


@pytest.mark.slow
def test_build(site: Site, secretly: Path, tmp_path: Path) -> None:
    here, there = [], []
    for k, bpm in enumerate((100, 110, 126)):
        path = write_audio(tmp_path / f"{k}.wav", click_track(bpm, 14, 22050), 22050)
        site.files[f"/{k}.wav"] = path.read_bytes()
        here.append((path, bpm))
        there.append((f"{site.url}/{k}.wav", bpm))
    there.append((f"{site.url}/gone.wav", 99))
    built = {}
    for name, places in (("here", here), ("there", there)):
        labels = table(tmp_path / f"{name}.tsv", places)
        result = run("build", "--labels", labels, "--no-cache", "-q", "--jobs", 1,
                     "--out", tmp_path / name, "--storages", secretly)  # fmt: skip
        assert result.exit_code == (1 if name == "there" else 0), result.output
        with (tmp_path / name / TRACKS).open(newline="") as file:
            rows = csv.DictReader(file, delimiter="\t")
            built[name] = [{k: v for k, v in row.items() if k != "path"} for row in rows]
        assert ("gone.wav" in result.stderr) == (name == "there")
    assert len(built["there"]) == 3
    assert [row["bpm"] for row in built["there"]] == [row["bpm"] for row in built["here"]]
    assert b"sesame" not in everything_under(tmp_path)


@pytest.mark.slow
def test_build_of_a_folder_in_a_bucket(
    s3: S3Server, storages: Storages, short: Path, tmp_path: Path
) -> None:
    client, places = s3.client(), []
    client.create_bucket(Bucket="archive")
    for key in ("a/b/1.flac", "a/2.flac", "c.flac", "a/Talk/3.flac", "a//2.flac"):
        client.put_object(Bucket="archive", Key=key, Body=short.read_bytes())
        if "//" not in key:
            places.append((f"s3://archive/{key}", 120))
    about = {"bucket": "archive", "endpoint": s3.url, "key": KEY, "secret": SECRET}
    labels, out = table(tmp_path / "labels.tsv", places), tmp_path / "out"
    result = run("build", "s3://archive/a/", "s3://archive/none/", "--labels", labels, "--no-cache",
                 "--exclude", "s3://archive/a/Talk/*", "--jobs", 1,
                 "--out", out, "--storages", storages(s3=[about]))  # fmt: skip
    assert [line for line in result.stderr.splitlines() if "s3://" in line] == [
        "s3://archive/a/2.flac: not used: s3://archive/a//2.flac has // or . in its path",
        "s3://archive/none: no such object in the bucket",
    ]
    told = everything_under(out)
    assert all(key in told for key in (b"s3://archive/a/b/1.flac", b"s3://archive/a/2.flac"))
    assert b"c.flac" not in told
    assert b"Talk" not in told


@pytest.mark.parametrize("place", some([
    "http://u:sesame@{host}/short.flac", "http://sesame@{host}/short.flac",
    "http://u:sesame%40@{host}/", "s3://sesame:sesame@archive/a.flac",
    "zip://a.flac::http://u:sesame@{host}/a.zip", "zip://::s3://sesame@archive/a.zip",
], "http://u:sesame@{host}/short.flac", "zip://::s3://sesame@archive/a.zip"))  # fmt: skip
@pytest.mark.parametrize("is_configured", [True, False])
def test_addresses_with_a_password_are_refused(
    place: str, is_configured: bool, site: Site, secretly: Path, tmp_path: Path
) -> None:
    url = place.format(host=site.url.removeprefix("http://"))
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "list").write_text(url)
    labels = table(tmp_path / "in" / "labels.tsv", [(url, 120)])
    out = tmp_path / "out"
    out.mkdir()
    for args in (
        ("estimate", url), ("estimate", url, "--format", "tsv"), ("notes", url), ("beats", url),
        ("estimate", "--from", tmp_path / "in" / "list", "--out", out / "a.jsonl"),
        ("notes", url, "-o", out, "--journal", out / "journal"),
        ("evaluate", labels, "--out", out / "evaluated"),
        ("build", "--labels", labels, "--out", out / "built"), ("build", url, "--out", out / "b"),
    ):  # fmt: skip
        result = run(*args, *(("--storages", secretly) if is_configured else ()))
        assert result.exit_code in (1, 2)
        assert "sesame" not in result.output, args
        assert "Traceback" not in result.output
    assert site.requests == []
    assert b"sesame" not in everything_under(out)


def test_secrets_of_s3_are_nowhere(s3: S3Server, storages: Storages, tmp_path: Path) -> None:
    s3.client().create_bucket(Bucket="archive")
    about = {"bucket": "archive", "endpoint": s3.url, "key": KEY, "secret": SECRET}
    out = tmp_path / "out.tsv"
    result = run(
        "estimate", "s3://archive/a.flac", "--out", out, "--storages", storages(s3=[about])
    )
    assert result.exit_code == 1
    for secret in (SECRET, KEY):
        assert secret not in result.output
        assert secret.encode() not in everything_under(tmp_path)


def test_one_bad_address_among_good_ones(site: Site, secretly: Path, tmp_path: Path) -> None:
    site.answers["/bad.flac"] = hostile.broken
    (tmp_path / "list").write_text("".join(f"{site.url}/short.flac?{k}\n" for k in range(6)))
    out = tmp_path / "out.jsonl"
    args = (f"{site.url}/bad.flac", "--from", tmp_path / "list", "--tasks", "tempo", "--jobs", 3)
    assert run("estimate", *args, "--out", out, "--storages", secretly).exit_code == 1
    rows = rows_of(out)
    assert [bool(row["error"]) for row in rows] == [True] + [False] * 6
    assert len({json.dumps({**row, "path": ""}) for row in rows[1:]}) == 1
