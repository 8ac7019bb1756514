"""Tests of the analysis during an import, which must not change what the importer does."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import beets.plugins
import pytest
from beets import metadata_plugins
from beets.autotag import AlbumInfo, TrackInfo
from beets.importer import Action
from beets.library import Item
from mediafile import MediaFile

import tempo_core
from tempo_core import Estimate
from tests.rows import mostly_slow

from ..conftest import MakeAudio
from .conftest import ROOT, Beet, BpmOf
from .test_analysing import state

Tempi = dict[str, int]
TITLES = ("A", "C")


@pytest.fixture
def album(make_audio: MakeAudio) -> Path:
    """A folder of two songs in different formats, without any tempo."""
    for number, (name, title, bpm) in enumerate([("a.mp3", "A", 126), ("c.flac", "C", 98)], 1):
        path = make_audio(
            f"new/{name}",
            duration=8,
            bpm=bpm,
            artist="B",
            albumartist="B",
            album="L",
            title=title,
            track=number,
        )
    return path.parent


@pytest.fixture
def tempi(album: Path, bpm_of: BpmOf) -> Tempi:
    """The expected fields and tags of the two songs."""
    return {"A": bpm_of(album / "a.mp3"), "C": bpm_of(album / "c.flac")}


@pytest.fixture
def match(monkeypatch: pytest.MonkeyPatch) -> None:
    """Replace the online sources by one that knows the album under a better name."""

    def track(title: str, number: int) -> TrackInfo:
        return TrackInfo(title=title, track_id=title, artist="B", length=8, index=number)

    def albums(*_args: object) -> Iterator[AlbumInfo]:
        tracks = [track(title, number) for number, title in enumerate(TITLES, 1)]
        yield AlbumInfo(tracks=tracks, album="L", artist="B", album_id="1", label="found")

    def tracks(item: Item, artist: str, title: str) -> Iterator[TrackInfo]:
        yield track(title, item.track)

    monkeypatch.setattr(metadata_plugins, "candidates", albums)
    monkeypatch.setattr(metadata_plugins, "item_candidates", tracks)


def check_library(beet: Beet, tempi: Tempi) -> None:
    items = beet.items("title+")
    assert {item.title: item.bpm for item in items} == tempi
    for item in items:
        assert item.tempo_bpm == pytest.approx(item.bpm, abs=0.5)
        assert item.tempo_source.startswith("model:")


def file_tempi(beet: Beet) -> dict[str, int | None]:
    return {item.title: MediaFile(item.filepath).bpm for item in beet.items()}


def check_stable(beet: Beet) -> None:
    """Assert that neither `beet update` nor `beet write` would change anything."""
    before = [dict(item) for item in beet.items()]
    assert beet("update").out == ""
    assert "bpm" not in beet("write", "-p").out
    assert [dict(item) for item in beet.items()] == before


@mostly_slow("threaded", [True, False], quick=1)
@mostly_slow("flags", [[], ["-s"], ["-C"]], ids=["album", "singletons", "in place"], quick=(0, 2))
def test_as_is(flags: list[str], threaded: bool, beet: Beet, album: Path, tempi: Tempi) -> None:
    """An import "as is" writes the tag to the copy, not to the original, and updates `mtime`."""
    originals = state(album)
    beet.configure(threaded=threaded)
    run = beet("import", "-A", *flags, album)
    assert (run.code, run.err) == (0, f"{album}\n" if not flags or "-C" in flags else run.err)
    check_library(beet, tempi)
    assert file_tempi(beet) == tempi
    if "-C" not in flags:
        assert state(album) == originals
        assert all(item.filepath.is_relative_to(beet.music) for item in beet.items())
    check_stable(beet)


def test_as_is_touches_no_other_tag(beet: Beet, album: Path) -> None:
    """An import "as is" changes no tag but tempo and key (beets #6627)."""
    beet.load()  # so that the marker is a tag that is known
    before = {path.name: MediaFile(path).as_dict() for path in album.iterdir()}
    beet("import", "-AC", album)
    for path in album.iterdir():
        after = MediaFile(path).as_dict()
        for name in ("bpm", "tempo_marker", "initial_key", "tempo_key_marker"):
            assert after.pop(name)
            assert before[path.name].pop(name) is None
        assert after == before[path.name]


def test_moving(beet: Beet, album: Path, tempi: Tempi) -> None:
    beet.configure(**{"import": {"move": True, "copy": False}})
    beet("import", "-A", album)
    assert not any(album.iterdir())
    check_library(beet, tempi)
    assert file_tempi(beet) == tempi
    check_stable(beet)


@pytest.mark.parametrize("link", ["link", "hardlink"])
def test_linking(link: str, beet: Beet, album: Path, tempi: Tempi) -> None:
    """Symbolic links stay links, and the other name of a hard link is not changed."""
    originals = state(album)
    beet.configure(**{"import": {link: True, "copy": False}})
    beet("import", "-A", album)
    check_library(beet, tempi)
    assert file_tempi(beet) == tempi
    for item in beet.items():
        assert item.filepath.is_symlink() == (link == "link")
    if link == "hardlink":
        assert state(album) == originals
    check_stable(beet)


@mostly_slow("how", ["-W", "import.write", "tempo.write"], quick=(0, 2))
def test_as_is_without_tags(how: str, beet: Beet, album: Path, tempi: Tempi) -> None:
    originals = state(album)
    if how == "import.write":
        beet.configure(**{"import": {"write": False}})
    if how == "tempo.write":
        beet.configure(tempo={"write": False})
    beet("import", "-A", *(["-W"] if how == "-W" else []), album)
    check_library(beet, tempi)
    assert file_tempi(beet) == {"A": None, "C": None}
    assert state(album) == originals
    assert beet("update").out == ""  # the tempo survives it
    check_library(beet, tempi)


@pytest.mark.usefixtures("match")
@mostly_slow("threaded", [True, False], quick=1)
@mostly_slow("flags", [[], ["-s"], ["-W"]], ids=["album", "singletons", "nowrite"], quick=(0, 2))
def test_with_a_match(
    flags: list[str], threaded: bool, beet: Beet, album: Path, tempi: Tempi
) -> None:
    """If the album is matched, beets itself writes the tags, after the plugin's stage."""
    originals = state(album)
    beet.configure(threaded=threaded)
    run = beet("import", "-aq", *flags, album)
    assert run.code == 0
    check_library(beet, tempi)
    if not flags:
        assert beet.items()[0].label == "found"
    assert file_tempi(beet) == (dict.fromkeys(TITLES) if "-W" in flags else tempi)
    assert state(album) == originals
    if "-W" not in flags:
        check_stable(beet)


def test_other_plugins_listening_to_writes_are_no_trouble(
    beet: Beet, album: Path, tempi: Tempi
) -> None:
    """Other plugins that listen to writes do not disturb an import."""
    beet.configure(plugins=["tempo", "zero", "scrub"], zero={"fields": ["comments"]})
    assert beet("import", "-A", album).code == 0
    check_library(beet, tempi)
    assert file_tempi(beet) == tempi
    tempo = next(p for p in beets.plugins.find_plugins() if p.name == "tempo")
    mine = {
        event
        for event, listeners in beets.plugins.BeetsPlugin._raw_listeners.items()
        if any(getattr(listener, "__self__", None) is tempo for listener in listeners)
    }
    assert mine == {
        "pluginload", "cli_exit", "import_begin", "import_task_files", "item_moved", "item_removed",
    }  # fmt: skip


def test_a_tag_of_the_file_is_kept(beet: Beet, album: Path) -> None:
    media = MediaFile(album / "a.mp3")
    media.bpm = 111
    media.save()
    beet("import", "-A", album)
    item = beet.item("title:A")
    assert (item.bpm, MediaFile(item.filepath).bpm) == (111, 111)
    assert item.tempo_source
    check_stable(beet)


def test_force_applies_to_imports(beet: Beet, album: Path, tempi: Tempi) -> None:
    media = MediaFile(album / "a.mp3")
    media.bpm = 111
    media.save()
    beet.configure(tempo={"force": True})
    beet("import", "-A", album)
    check_library(beet, tempi)
    assert file_tempi(beet) == tempi


def test_auto_no_leaves_imports_alone(beet: Beet, album: Path, tempi: Tempi) -> None:
    beet.configure(tempo={"auto": False})
    assert beet("import", "-A", album).code == 0
    assert [item.bpm for item in beet.items()] == [0, 0]
    assert file_tempi(beet) == {"A": None, "C": None}
    assert beet("tempo").code == 0  # the command works all the same
    check_library(beet, tempi)


def test_importing_again_does_not_analyse_again(
    beet: Beet, album: Path, tempi: Tempi, monkeypatch: pytest.MonkeyPatch
) -> None:
    beet("import", "-A", album)
    calls: list[object] = []
    monkeypatch.setattr(
        tempo_core.Estimator, "results", lambda self, path, genres: calls.append(path)
    )
    assert beet("import", "-AL").code == 0
    assert calls == []
    check_library(beet, tempi)


def test_importing_again_what_was_never_written(beet: Beet, album: Path, tempi: Tempi) -> None:
    """A track whose tag was never written is analysed when it is imported again."""
    beet("import", "-AW", album)
    assert beet("import", "-AL").code == 0
    check_library(beet, tempi)
    assert file_tempi(beet) == tempi


def test_pretended_imports_analyse_nothing(beet: Beet, album: Path) -> None:
    assert beet("import", "-A", "--pretend", album).code == 0
    assert beet.items() == []


BAD = [
    "empty", "text", "noise bytes", "header only", "no samples", "too short", "silent", "all NaN",
    "no audio stream",
]  # fmt: skip


@mostly_slow("threaded", [True, False], quick=1)
def test_bad_files_never_stop_an_import(
    threaded: bool, beet: Beet, album: Path, tempi: Tempi, bad_files: dict[str, Path]
) -> None:
    """Bad files do not stop an import, as an exception in a stage would."""
    for kind in BAD:
        bad_files[kind].rename(album / f"{kind}{bad_files[kind].suffix}")
    beet.configure(threaded=threaded)
    run = beet("import", "-A", album)
    assert run.code == 0
    assert "Traceback" not in run.err
    items = beet.items()
    warnings = [line for line in run.err.splitlines() if line.startswith(f"tempo: {album}/")]
    # What mediafile cannot read at all, beets does not import.
    assert len(items) - len(TITLES) == len(warnings) >= 5
    for item in items:
        assert item.filepath.is_relative_to(beet.music)
        assert item.filepath.exists()
        assert item.bpm == tempi.get(item.title, 0)


@pytest.mark.slow
def test_unusual_audio_is_imported_like_any_other(
    beet: Beet, make_audio: MakeAudio, bpm_of: BpmOf
) -> None:
    for name, sr, channels in (
        ("low.wav", 8000, 1),
        ("high.flac", 192_000, 2),
        ("six.flac", 48_000, 6),
        ("renamed.mp3", 44_100, 2),
    ):
        path = make_audio(
            f"new/{name}", duration=8, bpm=126, sr=sr, channels=channels, title=name, artist="B"
        )
    path.rename(path.with_suffix(".ogg"))
    expected = {MediaFile(path).title: bpm_of(path) for path in path.parent.iterdir()}
    run = beet("import", "-A", path.parent)
    assert run.code == 0
    assert {item.title: item.bpm for item in beet.items()} == expected
    assert file_tempi(beet) == expected


def test_a_file_that_vanishes_meanwhile(
    beet: Beet, album: Path, tempi: Tempi, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that disappears during an import in place is a warning."""
    results = tempo_core.Estimator.results

    def vanish(self: Any, path: Any, genres: Any) -> Any:
        (album / "a.mp3").unlink(missing_ok=True)
        return results(self, path, genres)

    monkeypatch.setattr(tempo_core.Estimator, "results", vanish)
    beet.configure(tempo={"threads": 1})
    run = beet("import", "-AC", album)
    assert run.code == 0
    assert f"tempo: {album / 'a.mp3'}: no such file" in run.err
    assert {item.title: item.bpm for item in beet.items()} == {"A": 0, "C": tempi["C"]}


@mostly_slow("threaded", [True, False], quick=1)
def test_a_missing_model_is_one_warning(threaded: bool, beet: Beet, album: Path) -> None:
    """A missing model is one warning for the whole import and does not stop it."""
    (album / "second").mkdir()
    second = (album / "c.flac").rename(album / "second" / "c.flac")
    media = MediaFile(second)
    media.album = "M"
    media.save()
    beet.configure(threaded=threaded, tempo={"model": "no-such-model"})
    run = beet("import", "-A", album)
    assert run.code == 0
    assert len([line for line in run.err.splitlines() if line.startswith("tempo: ")]) == 1
    assert "no-such-model" in run.err
    items = beet.items()
    assert [item.bpm for item in items] == [0, 0]
    assert all(item.filepath.is_relative_to(beet.music) for item in items)


@pytest.mark.parametrize(
    "settings",
    [
        {"scheduler": "nowhere"},
        pytest.param({"cluster_config": 5}, marks=pytest.mark.slow),
        pytest.param({"labels": {"apply": "maybe"}}, marks=pytest.mark.slow),
        pytest.param({"notes": {"fromat": "midi"}}, marks=pytest.mark.slow),
    ],
)
def test_a_wrong_setting_of_a_command_is_none_of_an_import(
    settings: dict[str, Any], beet: Beet, album: Path, tempi: Tempi
) -> None:
    beet.configure(tempo=settings)
    run = beet("import", "-A", album)
    assert run.code == 0
    assert "configuration" not in run.err
    check_library(beet, tempi)


def test_a_tag_that_cannot_be_written_is_a_warning(
    beet: Beet, album: Path, tempi: Tempi, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_args: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "replace", fail)
    run = beet("import", "-A", album)
    assert run.code == 0
    assert run.err.count("cannot write the tag: Permission denied") == 2
    check_library(beet, tempi)
    assert beet("update").out == ""
    check_library(beet, tempi)


def test_an_aborted_import_does_not_wait(beet: Beet, album: Path) -> None:
    """Ctrl-C ends a running analysis, because an aborted import waits for its stages."""
    beet.configure(tempo={"threads": 1})
    beet.load()
    (plugin,) = (p for p in beets.plugins.find_plugins() if p.name == "tempo")
    analysed: list[bytes] = []

    class Slow:
        source = "model:slow@0123abcd"

        def results(self, path: bytes, genres: str) -> dict[str, Estimate]:
            analysed.append(path)
            time.sleep(0.3)
            return {"tempo": Estimate(100.0, 1.0, ())}

    class Task:
        choice_flag = Action.ASIS

        def imported_items(self) -> list[Item]:
            return items

    plugin._import.estimator = Slow()
    library = beet.library
    items = [Item(path=b"/%d.mp3" % i) for i in range(100)]
    for item in items:
        library.add(item)

    class Stage(threading.Thread):
        abort_flag = False

        def run(self) -> None:
            plugin.imported(None, Task())

    stage = Stage()
    stage.start()
    while not analysed:
        time.sleep(0.01)
    begin = time.monotonic()
    stage.abort_flag = True
    stage.join()
    assert time.monotonic() - begin < 2
    assert len(analysed) < 5


RAISER = """
import os
from beets.plugins import BeetsPlugin

class Raiser(BeetsPlugin):
    def __init__(self):
        super().__init__()
        self.register_listener({event!r}, self.fail)

    def fail(self, item=None, task=None, **kwargs):
        if task is not None:
            for item in task.imported_items():
                if item.title == "A":
                    os.unlink(item.path)
        elif item.title == "A":
            raise RuntimeError("no")
"""


@pytest.mark.parametrize("event", ["write", "after_write", "import_task_files"])
@pytest.mark.parametrize("flags", [[], ["-W"], ["-s"], ["-m"]])
@pytest.mark.slow
def test_what_another_plugin_does_to_a_file_is_a_warning(
    event: str, flags: list[str], beet: Beet, album: Path, tempi: Tempi, tmp_path: Path
) -> None:
    """An error of another plugin in writing, or a file that it took away, is a warning."""
    folder = tmp_path / "plugins"
    folder.mkdir()
    name = f"raising_{event}_on_import"  # Python loads a module of one name once
    (folder / f"{name}.py").write_text(RAISER.format(event=event))
    beet.configure(plugins=[name, "tempo"], pluginpath=[str(folder)])
    run = beet("import", "-A", *flags, album)
    assert run.code == 0
    assert "Traceback" not in run.err
    reasons = [line for line in run.err.splitlines() if line.startswith("tempo: ")]
    expected = event == "import_task_files" or "-W" not in flags
    assert len(reasons) == expected
    check_library(beet, tempi)
    for item in beet.items():
        assert item.filepath.is_relative_to(beet.music)
    assert MediaFile(beet.item("title:C").filepath).bpm == (None if "-W" in flags else tempi["C"])


@pytest.mark.slow
@pytest.mark.usefixtures("match")
@pytest.mark.parametrize("flags", ["-aq", pytest.param("-A", marks=pytest.mark.slow)])
@pytest.mark.parametrize("where", ["analysed", pytest.param("copied", marks=pytest.mark.slow)])
def test_a_killed_import_is_made_good(
    where: str, flags: str, beet: Beet, album: Path, tempi: Tempi
) -> None:
    originals = state(album)
    point = {
        "analysed": "importing.ImportAnalysis, 'analyse', True",
        "copied": "importing.ImportAnalysis, 'write', False",
    }[where]
    code = f"""
import os, signal, beets.ui
from beetsplug.tempo import importing
owner, name, after = {point}
function = getattr(owner, name)
def fatal(*args):
    if after:
        function(*args)
    os.kill(os.getpid(), signal.SIGKILL)
setattr(owner, name, fatal)
beets.ui.main(["import", {flags!r}, {str(album)!r}])
"""
    if flags == "-aq":
        code = code.replace("-aq", "-A")  # the source online is known to this process only
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, timeout=60
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert state(album) == originals
    for item in beet.items():
        assert item.tempo_pending == "original bpm initial_key tempo_key_marker tempo_marker"
    assert beet("tempo").code == 0
    check_library(beet, tempi)
    assert state(album) == originals
    copied = where == "copied"
    assert file_tempi(beet) == (tempi if copied else dict.fromkeys(TITLES))
    assert all("tempo_pending" not in item for item in beet.items())
    assert beet("update").out == ""
    # And the import itself can be repeated.
    beet("remove", "-f")
    assert beet("import", flags, album).code == 0
    check_library(beet, tempi)
    assert file_tempi(beet) == tempi


@pytest.mark.usefixtures("match")
def test_nothing_is_left_to_be_written_after_an_import(beet: Beet, album: Path) -> None:
    for flags in ("-A", "-aq"):
        beet("import", flags, album)
        assert len(beet.items()) == 2
        for item in beet.items():
            assert "tempo_pending" not in item
            assert MediaFile(item.filepath).tempo_marker == item.tempo_marker
        beet("remove", "-fd")


def test_a_track_that_failed_on_import_is_remembered(
    beet: Beet, album: Path, bad_files: dict[str, Path]
) -> None:
    bad_files["silent"].rename(album / "s.flac")
    beet("import", "-A", album)
    item = beet.item("tempo_failure::silent")
    assert item.bpm == 0
    run = beet("tempo")
    assert run.code == 0
    assert "1 skipped that failed before and is unchanged" in run.out
