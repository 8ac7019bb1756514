"""Tests of what a run stores for the next one: failures, and tags still to be written."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pytest
from beets.library import Item
from mediafile import MediaFile

from beetsplug.tempo import keeping
from beetsplug.tempo.applying import apply_estimate
from beetsplug.tempo.keeping import is_temporary
from beetsplug.tempo.origin import Decision, is_done, is_ours, origin
from tempo_core import AudioError, Estimate, Pace
from tests.rows import mostly_slow

from ..conftest import MakeAudio
from .conftest import Beet, BpmOf
from .test_analysing import terminal  # noqa: F401
from .test_bad_input import add

MODEL = "model:x@01234567"
HOUSE = Estimate(bpm=127.98, confidence=0.4, paces=(Pace(128.0, 0.97), Pace(64.0, 0.71)))


@pytest.fixture
def silent(beet: Beet, bad_files: dict[str, Path]) -> Path:
    add(beet, bad_files["silent"])
    return bad_files["silent"]


def test_a_track_that_fails_every_time_fails_once(beet: Beet, silent: Path) -> None:
    first = beet("tempo")
    assert (first.code, first.err.count("silent (")) == (1, 1)
    for args in ([], ["-W"], ["-q"], ["title:silent"], ["-p"]):
        again = beet("tempo", *args)
        assert (again.code, again.err) == (0, "")
        assert ("1 skipped that failed before and is unchanged" in again.out) == ("-q" not in args)
    assert beet("ls", "-f", "$tempo_failure", "tempo_failure::.").out.startswith("silent (")
    for args in (["--retry"], ["-f"]):
        assert beet("tempo", *args).code == 1


@mostly_slow("how", ["content", "time", "replaced", "permissions"], quick=(0, 3))
def test_a_track_that_failed_is_tried_again_when_its_file_changes(
    how: str, beet: Beet, silent: Path, make_audio: MakeAudio
) -> None:
    assert beet("tempo").code == 1
    if how == "content":
        music = make_audio("b.flac", duration=8, bpm=126, title="silent")
        silent.write_bytes(music.read_bytes())
    elif how == "time":
        os.utime(silent, (1e9, 1e9))
    elif how == "replaced":
        status = silent.stat()
        copy = silent.with_name("copy.flac")
        copy.write_bytes(silent.read_bytes())
        os.utime(copy, ns=(status.st_atime_ns, status.st_mtime_ns))
        copy.replace(silent)
    else:
        silent.chmod(0o600)
    run = beet("tempo")
    assert run.code == (0 if how == "content" else 1)
    if how == "content":
        assert "tempo_failure" not in beet.item()
        assert "tempo_failed_file" not in beet.item()
    assert beet("tempo").code == 0


def test_another_version_tries_again(
    beet: Beet, silent: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert beet("tempo").code == 1
    monkeypatch.setattr(keeping, "_version", lambda: "99")
    assert beet("tempo").code == 1
    assert beet("tempo").code == 0


def test_a_file_that_is_missing_may_come_back(beet: Beet, bad_files: dict[str, Path]) -> None:
    add(beet, bad_files["missing"])
    for _ in range(2):
        assert beet("tempo").code == 1
    assert "tempo_failure" not in beet.item()


def raised(error: Exception, cause: Exception | None) -> Exception:
    try:
        raise error from cause
    except Exception as caught:
        return caught


@pytest.mark.parametrize(
    ("error", "cause", "over"),
    [
        (AudioError("silent"), None, False),
        (AudioError("too long"), TimeoutError("60 s"), False),
        (AudioError("cannot be read"), OSError(errno.EIO, "Input/output error"), True),
        (AudioError("cannot be read"), PermissionError(errno.EACCES, "denied"), False),
        (AudioError("no such file"), FileNotFoundError(errno.ENOENT, "none"), True),
        (OSError(errno.ENOSPC, "No space left"), None, True),
        (OSError(errno.EMFILE, "Too many open files"), None, True),
        (OSError(errno.ESTALE, "Stale file handle"), None, True),
        (MemoryError(), None, True),
        (ImportError("half an installation"), None, True),
        (ZeroDivisionError("a bug"), None, False),
    ],
)
def test_what_may_be_over_next_time(error: Exception, cause: Exception | None, over: bool) -> None:
    assert is_temporary(raised(error, cause)) == over


def test_a_tag_that_cannot_be_written_is_not_tried_for_ever(
    beet: Beet, make_audio: MakeAudio, bpm_of: BpmOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = make_audio("a.mp3", duration=8, bpm=126, title="A")
    bpm = bpm_of(path)
    beet.add(path)

    def fail(*_args: object) -> None:
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", fail)
        assert beet("tempo").code == 1
        again = beet("tempo")
        assert again.code == 0
        assert "1 skipped that failed before" in again.out
        assert beet.item().tempo_failure == "cannot write the tag: Permission denied"
    assert "1 interrupted before and finished now" in beet("tempo", "--retry").out
    assert MediaFile(path).bpm == beet.item().bpm == bpm
    assert "tempo_failure" not in beet.item()


# What an analysis meant.


@pytest.mark.parametrize(
    ("fields", "force", "least", "verdict", "bpm", "source"),
    [
        ({}, False, 0.4, "set", 128, MODEL),
        ({}, False, 0.5, "unsure", 0, MODEL),
        ({}, True, 0.5, "unsure", 0, MODEL),
        ({"bpm": -90}, False, 0.5, "unsure", -90, MODEL),
        ({"bpm": 64}, False, 0.5, "kept", 64, "tag"),
        ({"bpm": 100}, False, 0.4, "conflict", 100, "tag"),
        ({"bpm": 100}, False, 0.5, "unsure", 100, "tag"),
        ({"bpm": 100, "tempo_source": "manual"}, True, 0.5, "unsure", 100, "manual"),
        ({"bpm": 100}, True, 0.4, "set", 128, MODEL),
        ({"bpm": 90, "tempo_bpm": 90.3, "tempo_source": "model:old@1"}, False, 0.4, "set", 128,
         MODEL),
        ({"bpm": 90, "tempo_bpm": 90.3, "tempo_source": "model:old@1"}, True, 0.5, "unsure", 90,
         "model:old@1"),
        ({"bpm": 90, "tempo_marker": "90.30 model:old@1"}, True, 0.5, "unsure", 90, "model:old@1"),
        ({"bpm": 90, "tempo_marker": "90.30 label:deezer"}, False, 0.4, "conflict", 90,
         "label:deezer"),
    ],
)  # fmt: skip
def test_verdicts(
    fields: dict[str, Any],
    force: bool,
    least: float,
    verdict: str,
    bpm: int,
    source: str,
    beet: Beet,
) -> None:
    beet.load()
    item = Item(**fields)
    item.mtime = 12345
    found = apply_estimate(item, HOUSE, MODEL, force=force, min_confidence=least)
    assert found.word == item.tempo_verdict == verdict
    assert (item.bpm, item.tempo_source, item.mtime) == (bpm, source, 12345)
    assert is_done(item)
    assert is_ours(item) == (bpm > 0 and source.startswith("model:"))
    if bpm > 0:
        assert origin(item) == source


def test_an_unsure_analysis_leaves_the_tempo_empty(beet: Beet, make_audio: MakeAudio) -> None:
    path = make_audio("a.mp3", duration=8, bpm=126, title="A", artist="B")
    content = path.read_bytes()
    beet.add(path)
    beet.configure(tempo={"min_confidence": 1.0, "tasks": ["tempo", "pace"]})
    run = beet("tempo")
    assert run.code == 0
    assert "B - A: unsure, bpm left at 0: 126." in run.out
    assert "1 left alone as unsure (beet ls tempo_verdict:unsure)" in run.out
    item = beet.item("tempo_verdict:unsure")
    assert (item.bpm, round(item.tempo_bpm)) == (0, 126)
    assert item.tempo_confidence
    assert path.read_bytes() == content
    assert "0 tracks analysed" in beet("tempo").out
    beet.configure(tempo={"min_confidence": 0})
    assert "0 tracks analysed" in beet("tempo").out
    assert "1 set" in beet("tempo", "-f", "tempo_verdict:unsure").out
    assert beet.item("tempo_verdict:set").bpm == 126


def test_an_unsure_analysis_on_import(beet: Beet, make_audio: MakeAudio) -> None:
    path = make_audio("new/a.mp3", duration=8, bpm=126, title="A", artist="B")
    beet.configure(tempo={"min_confidence": 1.0})
    beet("import", "-A", path.parent)
    item = beet.item()
    assert (item.bpm, item.tempo_verdict, MediaFile(item.filepath).bpm) == (0, "unsure", None)


@pytest.mark.parametrize("value", [-0.1, 1.1, "much", True, None])
def test_min_confidence_is_a_share(value: Any, beet: Beet) -> None:
    beet.configure(tempo={"min_confidence": value})
    run = beet("tempo")
    assert run.err == "configuration error: tempo.min_confidence: must be a number from 0 to 1\n"


@pytest.mark.usefixtures("terminal")
@pytest.mark.parametrize("quiet", [False, True])
def test_a_terminal_names_conflicts(
    quiet: bool, beet: Beet, make_audio: MakeAudio, monkeypatch: pytest.MonkeyPatch
) -> None:
    for title, bpm in (("kept", 126), ("wrong", 100)):
        path = make_audio(f"{title}.mp3", duration=8, bpm=126, title=title, artist="B")
        beet.add(path, bpm=bpm)
    run = beet("tempo", *(["-q"] if quiet else []))
    assert run.code == 0
    assert ("B - wrong: kept 100 BPM, in conflict with 126." in run.out) != quiet
    assert "B - kept" not in run.out
    assert ("1 kept in conflict with the analysis (beet ls tempo_verdict:conflict)" in run.out) != (
        quiet
    )
    assert beet("ls", "-f", "$title", "tempo_verdict:conflict").out == "wrong\n"
    assert beet("ls", "-f", "$title", "tempo_verdict:kept").out == "kept\n"


def test_every_verdict_can_be_asked_for() -> None:
    assert [verdict.word for verdict in Decision] == ["set", "kept", "conflict", "unsure"]
