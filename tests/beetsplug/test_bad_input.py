"""Tests of `beet tempo` on files that are no music: one message each, and exit status 1."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from beets.library import Item
from mediafile import MediaFile

from tests.rows import mostly_slow

from ..audio import drum_pattern, write_audio
from ..conftest import MakeAudio
from .conftest import Beet, BpmOf


def add(beet: Beet, *paths: Path) -> None:
    """Add paths to the library without reading the files, as if they had been music earlier."""
    library = beet.library
    for path in paths:
        item = Item(path=os.fsencode(path), title=path.stem, artist="B", mtime=1)
        item.mtime = 1
        library.add(item)


def test_each_bad_file_is_one_line(
    beet: Beet, make_audio: MakeAudio, bad_files: dict[str, Path], bpm_of: BpmOf
) -> None:
    good = make_audio("good.mp3", duration=8, bpm=126, title="good")
    add(beet, *bad_files.values(), good)
    before = {path: path.read_bytes() for path in bad_files.values() if path.is_file()}
    run = beet("tempo")
    assert run.code == 1
    *failures, summary = run.err.splitlines()
    for kind, path in bad_files.items():
        (line,) = (line for line in failures if line.startswith(f"tempo: {path}: "))
        assert len(line) > len(f"tempo: {path}: ") + 5, kind
    n = len(bad_files)
    assert len(failures) == n
    assert summary == (
        f"error: {n + 1} tracks analysed: 1 set, 0 kept, {n} failed; 0 had a tempo already; "
        "keys: 1 set"
    )
    assert beet.item("title:good").bpm == MediaFile(good).bpm == bpm_of(good)
    assert all(path.read_bytes() == content for path, content in before.items())
    for item in beet.items("^title:good"):
        assert item.bpm == 0
        assert "tempo_source" not in item
    again = beet("tempo", "--retry")
    assert again.err.splitlines()[-1].startswith(f"error: {n} tracks analysed: 0 set")


@mostly_slow(
    ("name", "sr", "channels", "duration"),
    [
        ("low.wav", 8000, 1, 8),
        ("high.flac", 192_000, 2, 8),
        ("six.flac", 48_000, 6, 8),
        ("brief.mp3", 44_100, 2, 4),
    ],
    quick=(2, 3),
)
def test_unusual_music_is_music(
    name: str,
    sr: int,
    channels: int,
    duration: float,
    beet: Beet,
    make_audio: MakeAudio,
    bpm_of: BpmOf,
) -> None:
    path = make_audio(name, sr=sr, channels=channels, duration=duration, bpm=126)
    add(beet, path)
    run = beet("tempo")
    assert (run.code, run.err) == (0, "")
    assert MediaFile(path).bpm == beet.item().bpm == bpm_of(path)


def test_a_truncated_file_is_analysed_as_far_as_it_goes(
    beet: Beet, make_audio: MakeAudio, bpm_of: BpmOf
) -> None:
    path = make_audio("a.mp3", duration=16, bpm=126)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    add(beet, path)
    assert beet("tempo").code == 0
    assert beet.item().bpm == bpm_of(path)


def test_a_wrong_extension_does_not_matter(
    beet: Beet, make_audio: MakeAudio, bpm_of: BpmOf
) -> None:
    path = make_audio("a.mp3", duration=8, bpm=126)
    path = path.rename(path.with_suffix(".ogg"))
    add(beet, path)
    assert beet("tempo").code == 0
    assert MediaFile(path).bpm == bpm_of(path)


def test_one_bad_sample_spoils_its_file_only(beet: Beet, tmp_path: Path) -> None:
    samples = drum_pattern(126, 8, 22050, "house", np.random.default_rng(0))
    samples[5000] = np.nan
    path = write_audio(tmp_path / "nan.wav", samples, 22050, subtype="FLOAT")
    add(beet, path)
    run = beet("tempo")
    assert run.code == 1
    assert run.err.startswith(f"tempo: {path}: ")


@pytest.mark.skipif(os.getuid() == 0, reason="root may read everything")
def test_an_unreadable_file(beet: Beet, make_audio: MakeAudio) -> None:
    path = make_audio("a.mp3", duration=8)
    add(beet, path)
    path.chmod(0)
    run = beet("tempo")
    assert run.code == 1
    assert run.err.startswith(f"tempo: {path}: ")


def test_a_library_path_that_is_not_unicode(beet: Beet, make_audio: MakeAudio) -> None:
    path = make_audio("a.mp3", duration=8, bpm=126)
    raw = os.fsencode(path.parent) + b"/\xff.mp3"
    os.rename(path, raw)  # noqa: PTH104
    missing = os.fsencode(path.parent) + b"/\xfe.mp3"
    for item_path in (raw, missing):
        item = Item(path=item_path)
        beet.library.add(item)
    run = beet("tempo")
    assert run.code == 1
    assert "no such file" in run.err.splitlines()[0]
    assert [bool(item.bpm) for item in sorted(beet.items(), key=lambda i: i.path)] == [False, True]
