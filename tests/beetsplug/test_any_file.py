"""Tests of every command on a library with broken files, names of any bytes and hostile tags."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from beets.library import Item

from tempo_core.errors import TimeLimitError
from tempo_core.reading import NOT_REGULAR

from ..conftest import MakeAudio
from .conftest import Beet

HOSTILE = "T\x1b]0;x\x07\r\u202e"
COMMANDS = {
    "tempo": ("tempo", "-f"),
    "tempo-labels": ("tempo-labels",),
    "tempo-labels -p": ("tempo-labels", "-p"),
    "tempo-train -p": ("tempo-train", "-p"),
    "tempo-train": ("tempo-train", "--no-install"),
    "tempo-eval": ("tempo-eval",),
    "tempo --cadence": ("tempo", "--cadence", "60..240"),
}


@pytest.fixture
def library(beet: Beet, make_audio: MakeAudio, tmp_path: Path) -> Beet:
    """A library with a song of odd name and title, and with four files that are no audio."""
    good = os.fsencode(tmp_path) + b"/good \xff\x1b[2J.mp3"
    os.rename(make_audio("a.mp3", duration=8, bpm=126), good)  # noqa: PTH104
    folder = tmp_path / "special"
    folder.mkdir()
    os.mkfifo(folder / "pipe.mp3")
    (folder / "zero.mp3").symlink_to("/dev/zero")
    (folder / "link.mp3").symlink_to("pipe.mp3")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(folder / "socket.mp3"))
    paths = [good, *(os.fsencode(path) for path in sorted(folder.iterdir()))]
    for number, path in enumerate(paths):
        item = Item(path=path, title=HOSTILE, artist=f"A{number}", bpm=126, length=8)
        beet.library.add(item)
    return beet


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_ends_and_says_what_is_wrong(name: str, library: Beet) -> None:
    begin = time.monotonic()
    run = library(*COMMANDS[name])
    assert time.monotonic() - begin < 40
    for text in (run.out, run.err):
        assert not any(character in text for character in "\x1b\x07\r\u202e")
        assert "Traceback" not in text
    if name in ("tempo", "tempo-eval"):
        assert run.err.count(NOT_REGULAR) == 4
        assert run.code == 1
    elif name == "tempo-train":
        assert run.code == 1
    elif name.endswith("-p"):
        assert run.out.count(" - T\\x1b]0;x\\x07\\r\\u202e") == 5
        assert run.code == 0


def test_names_of_any_bytes_are_labelled_again_and_again(library: Beet, tmp_path: Path) -> None:
    for _ in range(2):
        run = library(
            "tempo-labels", "--export", tmp_path / "x.tsv", "--report", tmp_path / "x.html"
        )
        assert (run.code, run.err) == (0, "")
    assert "\\xff\\x1b[2J.mp3" in (tmp_path / "x.tsv").read_text()


@pytest.mark.slow
def test_a_file_that_hangs_is_one_line_and_the_run_goes_on(
    beet: Beet, make_audio: MakeAudio, hang: Callable[[Path], None]
) -> None:
    slow, good = make_audio("slow.mp3", duration=8), make_audio("good.mp3", duration=8, bpm=126)
    beet.add(slow, good)
    beet.configure(tempo={"threads": 1, "time_limit": 1})
    hang(slow)
    run = beet("tempo")
    assert run.code == 1
    assert run.err.splitlines()[0] == f"tempo: {slow}: {TimeLimitError(1)}"
    assert [bool(item.bpm) for item in beet.items()] == [False, True]


@pytest.mark.parametrize("limit", [0, -1, "soon", True])
def test_a_time_limit_that_makes_no_sense(limit: object, beet: Beet) -> None:
    beet.configure(tempo={"time_limit": limit})
    run = beet("tempo")
    assert run.code == 1
    assert "tempo.time_limit: must be a number of seconds above 0" in run.err


@pytest.mark.slow
@pytest.mark.parametrize("delay", [1.5, 4.0])
@pytest.mark.parametrize("name", ["tempo", "tempo-labels", "tempo-train", "tempo-eval", "import"])
def test_ctrl_c_ends_soon_with_a_normal_status(
    name: str, delay: float, beet: Beet, make_audio: MakeAudio, tmp_path: Path
) -> None:
    song = make_audio("a.flac", duration=90, bpm=126)
    folder = tmp_path / "songs"
    folder.mkdir()
    for number in range(30):
        path = Path(shutil.copy(song, folder / f"{number}.flac"))
        if name != "import":
            library = beet.library
            library.add(
                Item(path=os.fsencode(path), artist=f"A{number}", title="T", bpm=126, length=90)
            )
    beet.configure(tempo={"windows": "all"})
    args = (
        ["import", "-q", folder]
        if name == "import"
        else [name, *(["-f"] if name == "tempo" else [])]
    )
    process = beet.start(*args)
    time.sleep(delay)
    begin = time.monotonic()
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert time.monotonic() - begin < 4  # two on a machine that has nothing else to do
    assert process.returncode in (0, 1)
    assert "Traceback" not in err
