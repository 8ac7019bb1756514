"""Tests of the paths of the files that `beet tempo-notes` writes."""

from __future__ import annotations

from pathlib import Path

import pytest

from beetsplug.tempo.note_paths import RECORD, Owners, destination, named

from .conftest import Beet


@pytest.mark.parametrize(
    ("fields", "template", "path"),
    [
        ({}, None, "B/D/01 T.mid"),
        ({}, "$albumartist/$title", "B/T.mid"),
        ({}, "$title.mid", "T.mid"),
        ({"title": 'A: "B" / C?'}, "$title", "A_ _B_ _ C_.mid"),
        ({"title": "Mr. Blue"}, "$title", "Mr. Blue.mid"),
        ({"title": "..."}, "$title", "_._.mid"),
        ({"title": "con. "}, "x/$title", "x/con_.mid"),
        ({"title": "夜 ♯"}, "$title", "夜 ♯.mid"),
        ({"title": "x" * 400}, "$title", "x" * 196 + ".mid"),
        ({"albumartist": "../.."}, "$albumartist/$title", "_._._/T.mid"),
    ],
)
def test_paths_are_made_as_for_music(
    fields: dict[str, str], template: str | None, path: str, beet: Beet
) -> None:
    from beets.library import Item

    beet.load()
    values = {"title": "T", "artist": "A", "albumartist": "B", "album": "D", "track": 1, **fields}
    library = beet.library
    library.add(Item(path=b"/in/a.mp3", **values))
    library.path_formats = [("default", "$albumartist/$album/$track $title")]
    (item,) = library.items()
    assert destination(item, template, ".mid") == path


def test_a_name_is_as_long_as_a_name_may_be() -> None:
    assert len(named("夜" * 300, " (2).mid").encode()) <= 255
    assert named("a", ".mid") == "a.mid"


@pytest.fixture
def audio(tmp_path: Path) -> list[str]:
    paths = [tmp_path / f"{name}.mp3" for name in "abc"]
    for path in paths:
        path.touch()
    return list(map(str, paths))


def write(owners: Owners, folder: Path, wanted: str, audio: str) -> str:
    path = owners.take(wanted, audio)
    owners.note(path, wanted, audio)
    (folder / path).touch()
    return path


def test_tracks_of_one_destination_keep_their_files(tmp_path: Path, audio: list[str]) -> None:
    folder = tmp_path / "out"
    owners = Owners(folder)
    owners.open()
    given = [write(owners, folder, "T.mid", name) for name in audio]
    assert given == ["T.mid", "T (2).mid", "T (3).mid"]
    for order in (audio[::-1], audio[1:], audio[2:]):
        again = Owners(folder)
        assert [again.take("T.mid", name) for name in order] == [
            given[audio.index(name)] for name in order
        ]


def test_a_file_whose_track_is_gone_is_free(tmp_path: Path, audio: list[str]) -> None:
    folder = tmp_path / "out"
    owners = Owners(folder)
    owners.open()
    write(owners, folder, "T.mid", audio[0])
    assert Owners(folder).take("T.mid", audio[1]) == "T (2).mid"
    Path(audio[0]).unlink()
    assert Owners(folder).take("T.mid", audio[1]) == "T.mid"


def test_capitals_make_no_other_name(tmp_path: Path, audio: list[str]) -> None:
    owners = Owners(tmp_path / "out")
    assert owners.take("T.mid", audio[0]) == "T.mid"
    assert owners.take("t.mid", audio[1]) == "t (2).mid"


def test_a_record_that_was_cut_is_read_as_far_as_it_goes(tmp_path: Path, audio: list[str]) -> None:
    folder = tmp_path / "out"
    owners = Owners(folder)
    owners.open()
    for name in audio[:2]:
        write(owners, folder, "T.mid", name)
    record = folder / RECORD
    record.write_bytes(record.read_bytes()[:-3])
    again = Owners(folder)
    again.open()
    assert write(again, folder, "U\t\n\udcff.mid", audio[2]) == "U\t\n\udcff.mid"
    last = Owners(folder)
    assert last.take("T.mid", audio[0]) == "T.mid"
    assert last.take("U\t\n\udcff.mid", audio[0]) == "U\t\n\udcff (2).mid"
