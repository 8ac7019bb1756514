"""Tests of replacing files in one step."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from tempo_core.files import replace_file

posix = pytest.mark.skipif(os.name == "nt", reason="pipes and links are of other systems")


def test_the_old_one_or_the_new_one(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    for data in (b"old", b"new"):
        replace_file(path, data)
        assert path.read_bytes() == data
    assert list(tmp_path.iterdir()) == [path]


def test_what_cannot_be_written_leaves_nothing_behind(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.mkdir()
    with pytest.raises(IsADirectoryError):
        replace_file(path, b"new")
    assert list(tmp_path.iterdir()) == [path]
    assert list(path.iterdir()) == []


def test_a_folder_that_is_gone_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        replace_file(tmp_path / "gone" / "a.json", b"new")


@pytest.mark.parametrize("name", ["a" * 255, "夜" * 85])
def test_a_name_may_be_as_long_as_the_system_allows(name: str, tmp_path: Path) -> None:
    replace_file(tmp_path / name, b"new")
    assert [path.name for path in tmp_path.iterdir()] == [name]


@posix
def test_where_a_link_leads_is_replaced(tmp_path: Path) -> None:
    for target in ("kept.json", "new.json"):  # the second is not there yet
        link = tmp_path / f"link to {target}"
        link.symlink_to(target)
    (tmp_path / "kept.json").write_bytes(b"old")
    for link in sorted(tmp_path.glob("link *")):
        replace_file(link, b"new")
        assert link.is_symlink()
        assert link.resolve().read_bytes() == b"new"
    assert len(list(tmp_path.iterdir())) == 4


@posix
def test_a_pipe_and_a_device_are_written_to(tmp_path: Path) -> None:
    """They are not files that can be replaced: root would lose /dev/null by that."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    replace_file(pipe, b"new")
    assert os.read(reader, 10) == b"new"
    os.close(reader)
    assert pipe.is_fifo()
    with pytest.raises(OSError, match=os.strerror(errno.ENXIO)):
        replace_file(pipe, b"nobody reads it")
    terminal, device = os.openpty()
    replace_file(Path(os.ttyname(device)), b"new")
    assert os.read(terminal, 10) == b"new"
    os.close(device)
    os.close(terminal)
    assert list(tmp_path.iterdir()) == [pipe]
