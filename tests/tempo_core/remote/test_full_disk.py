"""Objects that need a temporary file where there is no room for one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from . import hostile
from .archives import archive, deflated
from .conftest import Storages
from .servers import Site

ROOM = 300_000  # [bytes] that a file may have here, in place of a disk that is full
LIMITED = f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, ({ROOM}, {ROOM})); "


def limited(code: str, *args: object, room: Path) -> subprocess.CompletedProcess[str]:
    """Run Python code where no file becomes larger than `ROOM`."""
    return subprocess.run(
        [sys.executable, "-c", LIMITED + code, *map(str, args)], capture_output=True, text=True,
        env=os.environ | {"TMPDIR": str(room)}, check=False,
    )  # fmt: skip


@pytest.mark.slow
def test_the_run_goes_on(
    site: Site, long: Path, short: Path, storages: Storages, tmp_path: Path
) -> None:
    site.answers["/whole.wav"] = hostile.whole(long.read_bytes())
    site.answers["/chunks.wav"] = hostile.chunked(long.read_bytes())
    packed, room = tmp_path / "a.zip", tmp_path / "room"
    packed.write_bytes(archive(deflated("a.wav", long.read_bytes())))
    room.mkdir()
    places = [f"{site.url}/whole.wav", f"{site.url}/chunks.wav", f"zip://a.wav::{packed}"]
    done = limited(
        "from tempo_core.cli import main; main()", "estimate", "--tasks", "tempo", *places, short,
        "--storages", storages(http=[site], zip=True), room=room,
    )  # fmt: skip
    assert done.returncode == 1
    said = f"a copy of it cannot be kept in {room} (File too large)"
    assert done.stderr.splitlines() == [
        *(f"{place}: {said}; TMPDIR can name a folder with more room" for place in places),
        "3 of 4 files failed",
    ]
    assert "short.flac: 120.00 BPM" in done.stdout
    assert list(room.iterdir()) == []


def test_what_did_not_fit_is_let_go(tmp_path: Path) -> None:
    code = (
        "from tempo_core.remote.spool import Spool; spool = Spool(); "
        f"spool.add(bytes({ROOM} - 10)); spool.add(bytes(20)); spool.close(); print('closed')"
    )
    done = limited(code, room=tmp_path)
    assert done.stdout == "closed\n", done.stderr
