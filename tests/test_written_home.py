"""Tests that files written by version 0.1.0 (`written_home/by_0_1_0`) still work.

`written_home/make.py` made the folder; its `answers.json` has the output of version 0.1.0. The
tests run commands on the files, as a user does.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import sqlite3
import tarfile
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import mutagen
import pytest
from click.testing import CliRunner, Result

from tempo_core.cli import main

from .beetsplug.conftest import Beet, forget_beets
from .written_home.make import EVALUATE, FIELDS, FIT, FORMAT, IN_SET, LABELS, PACES, SONGS

WRITTEN = Path(__file__).parent / "written_home" / "by_0_1_0"
ANSWERS: dict[str, Any] = json.loads((WRITTEN / "answers.json").read_text())
OWNER = "/home/me/"  # in the paths that are in the folder
FILES = [song.file for song in SONGS]
LEARNED = (*ANSWERS["tempo"], ANSWERS["pace"])


def core(*args: object, status: int = 0) -> Result:
    """Run `tempo-core` with some arguments; fails on another exit status."""
    result = CliRunner().invoke(main, [str(arg) for arg in args])
    assert result.exit_code == status, result.output
    return result


@pytest.fixture(scope="session")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the folder with its archive of large files unpacked."""
    folder = tmp_path_factory.mktemp("written") / "me"
    shutil.copytree(WRITTEN, folder)
    large = folder / "large.tar.xz"
    with tarfile.open(large) as archive:
        archive.extractall(folder, filter="data")
    large.unlink()
    return folder


def move_in(unpacked: Path, home: Path) -> None:
    """Copy the folder to `home`, and adjust paths and times of files.

    Training sets and evaluations identify files by absolute path, size and modification time. Git
    does not store times, and the original home had another path, so both are corrected. Everything
    else stays as version 0.1.0 wrote it.
    """
    shutil.copytree(unpacked, home, dirs_exist_ok=True)
    for name, changed in ANSWERS["mtimes"].items():
        os.utime(home / name, ns=(changed, changed))
    now = f"{home}/"
    for path in (*home.rglob("*.tsv"), *home.rglob("*.jsonl"), *home.rglob("figures.json")):
        path.write_text(path.read_text().replace(OWNER, now))
    for path in home.rglob("keys-*.json"):  # names there are in hexadecimal digits
        path.write_text(path.read_text().replace(OWNER.encode().hex(), now.encode().hex()))
    for path in home.rglob("analysis.db"):
        with closing(sqlite3.connect(path)) as db, db:
            for (name,) in db.execute("SELECT path FROM files").fetchall():
                moved = name.replace(OWNER.encode(), now.encode())
                db.execute("UPDATE files SET path = ? WHERE path = ?", (moved, name))


@pytest.fixture
def me(home: Path, unpacked: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The home with the files of version 0.1.0, which is also the working directory."""
    move_in(unpacked, home)
    monkeypatch.chdir(home)
    return home


@pytest.fixture
def beet(home: Path, unpacked: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Beet]:
    """`beet` with the library and the configuration of version 0.1.0."""
    beet = Beet(home, capsys)
    move_in(unpacked, home)
    yield beet
    beet.close()
    forget_beets()


def silence(*files: Path) -> None:
    """Overwrite files with zeros without changing their size and modification time."""
    for file in files:
        status = file.stat()
        file.write_bytes(bytes(status.st_size))
        os.utime(file, ns=(status.st_mtime_ns, status.st_mtime_ns))


def contents(folder: Path) -> dict[Path, tuple[int, bytes]]:
    """Inode and content of each file in a folder, to find out whether files were changed."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {path: (path.stat().st_ino, path.read_bytes()) for path in files}


def assert_same(rows: Sequence[dict[str, Any]], expected: Sequence[dict[str, Any]]) -> None:
    """Fail if estimates differ from those of version 0.1.0 by more than rounding."""
    assert [row["path"] for row in rows] == [row["path"] for row in expected]
    for row, before in zip(rows, expected, strict=True):
        assert row["error"] == before["error"]
        if before["error"]:
            continue
        close = {"bpm": 0.011, "confidence": 1.1e-4, "stability": 0.011}
        for name, tolerance in close.items():
            assert row[name] == pytest.approx(before[name], abs=tolerance), (row["path"], name)
        paces, paces_before = (sorted(r["paces"], key=lambda p: p["bpm"]) for r in (row, before))
        for pace, pace_before in zip(paces, paces_before, strict=True):
            assert pace["bpm"] == pytest.approx(pace_before["bpm"], abs=0.11), row["path"]
            probability = pytest.approx(pace_before["probability"], abs=0.011)
            assert pace["probability"] == probability, (row["path"], pace["bpm"])


def estimate(*options: object, files: Sequence[str] = FILES) -> list[dict[str, Any]]:
    """Output of `tempo-core estimate` on the files."""
    args = ("estimate", "--format", "json", "--jobs", 1, *options, *files)
    return list(json.loads(core(*args, status=int(FILES[-1] in files)).stdout))


def fields(beet: Beet) -> dict[str, dict[str, str]]:
    """The line that `beet ls` prints about each track, by title."""
    rows = [line.split("\t") for line in beet("ls", "-f", FORMAT).out.splitlines()]
    return {row[0]: dict(zip(FIELDS, row, strict=True)) for row in rows}


@pytest.mark.slow
@pytest.mark.parametrize("name", ANSWERS["tempo"], ids=("layout 2", "layout 3"))
def test_a_learned_model_answers_as_before(me: Path, name: str) -> None:
    assert_same(estimate("--model", name), ANSWERS["estimates"][name])


def test_models_are_listed_and_the_one_before_can_be_used_again(me: Path) -> None:
    before, current, pace = LEARNED
    said = {name: ANSWERS["estimates"][name][:1] for name in (before, current)}
    listed = core("models").stdout.splitlines()
    # Shipped models are those of the version in use, learned ones stay.
    learned = [line for line in ANSWERS["models"] if set(line.split()[:2]) & set(LEARNED)]
    assert len(learned) == len(LEARNED)
    assert [line for line in learned if line not in listed] == []
    assert [line.split()[1] for line in listed if line.startswith("*")][:2] == [current, pace]
    assert_same(estimate(files=FILES[:1]), said[current])
    assert core("models", "rollback").stdout == f"{before} is in use\n"
    assert_same(estimate(files=FILES[:1]), said[before])
    assert core("models", "rollback", "--task", "pace").stdout == "shipped is in use\n"
    for name in (current, pace):
        assert core("models", "use", name).stdout == f"{name} is in use\n"
    assert core("models", "remove", before).stdout == f"{before} is deleted\n"
    assert_same(estimate(files=FILES[:1]), said[current])


def test_the_library_says_what_it_said(beet: Beet) -> None:
    assert [list(row.values()) for row in fields(beet).values()] == ANSWERS["fields"]
    for query, titles in ANSWERS["queries"].items():
        assert beet("ls", "-f", "$title", query).out.split() == titles, query


def test_what_is_done_stays_and_what_was_interrupted_is_finished(beet: Beet, home: Path) -> None:
    before, files = fields(beet), contents(beet.music)
    (killed,) = (home / song.file for song in SONGS if song.title == "Killed")
    assert "TXXX:BEETS_TEMPO" not in mutagen.File(killed)
    run = beet("tempo", "--tasks", "tempo,pace")
    # The silent one is tried again: a copy is another file.
    assert run.code == 1
    assert "Nothing.opus: silent" in run.err
    assert "0 set, 0 kept, 1 failed; 10 had a tempo already" in run.err
    after, files_after = fields(beet), contents(beet.music)
    assert before["Killed"].pop("tempo_pending") == "bpm tempo_marker"
    assert after["Killed"].pop("tempo_pending") == "$tempo_pending"
    assert after == before
    tags = mutagen.File(killed)
    assert str(tags["TBPM"]) == before["Killed"]["bpm"]
    assert str(tags["TXXX:BEETS_TEMPO"]) == before["Killed"]["tempo_marker"]
    assert {path for path in files if files_after[path] != files[path]} == {killed}
    again = beet("tempo", "--tasks", "tempo,pace", "^title:Nothing")
    assert (again.code, again.err) == (0, "")
    assert "0 tracks analysed: 0 set, 0 kept, 0 failed; 10 had a tempo already" in again.out


@pytest.mark.slow
def test_keys_are_added_to_what_was_analysed_without_them(beet: Beet) -> None:
    """The home was written when there were no estimated keys; everything else stays as it is."""
    beet("tempo", "--tasks", "tempo,pace")  # finishes what was interrupted
    before, files = fields(beet), contents(beet.music)
    run = beet("tempo", "^title:Nothing")
    assert (run.code, run.err) == (0, "")
    assert "0 set, 0 kept, 0 failed; " in run.out
    after = fields(beet)
    said = {title for title, row in before.items() if row["initial_key"]}
    found = {title for title, row in after.items() if row["initial_key"]} - said
    assert len(found) > 5
    for title in found:
        assert after[title].pop("initial_key") != before[title].pop("initial_key")
    assert after == before
    assert {path for path, content in contents(beet.music).items() if files[path] != content}
    assert beet("update", "^title:Nothing").out == ""
    assert "0 tracks analysed" in beet("tempo", "^title:Nothing").out


@pytest.mark.slow
def test_an_analysis_anew_leaves_everybody_their_own(beet: Beet) -> None:
    """Tracks whose fields were cleared are analysed again, with the same result as before."""
    before = fields(beet)
    assert beet("tempo", "-f", "tempo_source::^model:", "title:Found").code == 0
    for title in ("Tagged", "Corrected", "Published"):
        beet("modify", "-y", "-W", f"title:{title}", "tempo_bpm!", "tempo_verdict!")
    run = beet("tempo", "--tasks", "tempo,pace", "^title:Nothing", "^title:Killed")
    assert "3 tracks analysed: 0 set, 3 kept, 0 failed" in run.out
    after = fields(beet)
    for title in ("Found", "Tagged", "Corrected", "Published"):
        for name in ("bpm", "tempo_source", "tempo_verdict"):
            assert after[title][name] == before[title][name], (title, name)
        tempo = float(before[title]["tempo_bpm"])
        assert float(after[title]["tempo_bpm"]) == pytest.approx(tempo, abs=0.011)


def test_labels_of_the_library_are_known(beet: Beet) -> None:
    run = beet("tempo-labels")
    assert (run.code, run.err) == (0, "")
    assert run.out.splitlines() == ANSWERS["tempo-labels"]


def test_pages_are_read_from_the_cache(beet: Beet, home: Path) -> None:
    """If the label store is lost, the labels are found again from the stored pages."""
    (home / "labels.db").unlink()
    later = datetime.now(timezone.utc) + timedelta(days=1)  # a page is good for 90 days
    with closing(sqlite3.connect(home / "labels-pages.db")) as db, db:
        for key, value in db.execute("SELECT key, value FROM responses").fetchall():
            fresh = json.dumps({**json.loads(value), "expires": later.isoformat()})
            db.execute(
                "UPDATE responses SET value = ?, expires = ? WHERE key = ?",
                (fresh, int(later.timestamp()), key),
            )
    run = beet("tempo-labels")
    assert (run.code, run.err) == (0, "")
    assert run.out.splitlines() == ANSWERS["from pages"]


def test_labels_of_files_are_known(me: Path) -> None:
    """Tracks with a label of a site, with a label from a tag, and without a label."""
    chosen = [SONGS[k] for k in (0, 2, 7)]
    *told, summary = core(*LABELS, *(song.file for song in chosen)).stdout.splitlines()
    names = tuple(f"{song.artist} - {song.title}:" for song in chosen)
    said = [line for line in ANSWERS["labels"] if line.startswith(names)]
    estimated = re.compile(r"\d+\.\d+")  # its last digit may be another one
    assert [estimated.sub("", line) for line in told] == [estimated.sub("", line) for line in said]
    assert "; 0 requests, " in summary


def test_what_was_estimated_is_not_estimated_again(beet: Beet, home: Path) -> None:
    log = home / "tempo-eval" / "estimates.jsonl"
    before = log.read_text()
    run = beet("tempo-eval")
    assert (run.code, run.err) == (0, "")
    # A pace model knows by its place only what it has learned from, and that is another one.
    said = [line for line in ANSWERS["tempo-eval"] if "The pace model learned from" not in line]
    # Keys were not evaluated yet when the home was written.
    told = run.out.replace(f"{home}/", OWNER).splitlines()
    assert [line for line in told if line in said] == said
    assert any("weighted key score" in line for line in told if line not in said)
    assert log.read_text().startswith(before)
    assert all("key-" in line for line in log.read_text()[len(before) :].splitlines())


def test_the_training_set_of_the_library_is_known(beet: Beet) -> None:
    """The plan knows which labels the audio contradicts without decoding the audio again."""
    run = beet("tempo-train", "--pretend")
    assert (run.code, run.err) == (0, "")
    assert run.out.splitlines() == ANSWERS["tempo-train"]


def test_a_training_set_is_brought_up_to_date(me: Path) -> None:
    """A training set stays as it was, except that inputs of the network are computed again."""
    before = contents(me / "my-set" / "cache")
    tables = [me / "my-set" / name for name in ("tracks.tsv", "dropped.tsv")]
    texts, split = [table.read_text() for table in tables], me / "my-set" / "split-1.tsv"
    members = set(split.read_text().splitlines())
    build = core("build", "--out", "my-set", "--labels", "labels.tsv", "--cache", "--jobs", 1)
    assert build.stdout == "kept 3: train 1, validation 1, test 1\n"
    assert [table.read_text() for table in tables] == texts
    assert members < set(split.read_text().splitlines())  # what is new are the places
    after = contents(me / "my-set" / "cache")
    assert {path: after[path] for path in before} == before


def without_octave(figures: object) -> object:
    """Figures without those of the octave confidence, each of which has to be empty."""
    if not isinstance(figures, dict):
        return figures
    new = ("octave_ece", "octave_reliability")
    assert not any(figures.get(name) for name in new)
    return {name: without_octave(value) for name, value in figures.items() if name not in new}


@pytest.mark.slow
def test_an_evaluation_goes_on_without_its_audio(me: Path) -> None:
    log, figures = me / "evaluation" / "estimates.jsonl", me / "evaluation" / "figures.json"
    known, measured = log.read_text(), json.loads(figures.read_text())["estimators"]
    core("plot", "evaluation")
    silence(*(me / song.file for song in IN_SET))
    told = core(*EVALUATE).stdout.splitlines()
    # Keys were not evaluated yet when the home was written.
    told.remove("No track has a known key, so only tempi are measured.")
    # Nor was how sure the octave is, which answers of then do not say.
    table = [line for line in told if line.startswith(("estimator ", "tempo-20261128@"))]
    assert {line[-len("octave ECE") :].strip() for line in table} == {"octave ECE", "-"}
    assert [line.removesuffix("octave ECE").rstrip(" -") for line in told] == [
        line.rstrip() for line in ANSWERS["evaluate"]
    ]
    assert log.read_text() == known
    assert without_octave(json.loads(figures.read_text())["estimators"]) == measured


@pytest.mark.slow
def test_paces_are_learned_beside_the_features_of_before(me: Path) -> None:
    """Inputs of the network from version 0.1.0 are neither read nor changed."""
    folder = me / "statements" / "paces"
    before = contents(folder)
    assert len(before) == 2
    lines = core(*PACES).stdout.splitlines()
    assert lines[0].startswith("learned paces of 10 tracks: pace-")
    after = contents(folder)
    assert {path: after[path] for path in before} == before
    assert len(after) == 12


@pytest.mark.slow
def test_what_the_network_saw_is_learned_from_where_the_audio_is_gone(me: Path) -> None:
    cache = me / "my-set" / "cache"
    before = contents(cache)
    assert len(before) == 4  # three recordings, and which is whose
    for song in IN_SET[:2]:  # those of training and validation; the test is listened to
        (me / song.file).unlink()
    lines = core(*FIT).stdout.splitlines()
    assert lines[0].startswith("learned (fit) from 1 labels: tempo-")
    assert contents(cache) == before
