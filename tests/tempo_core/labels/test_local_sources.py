"""Tests of sources without a network: tags, tables and the AcousticBrainz dump."""

from __future__ import annotations

import io
import sqlite3
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mutagen
import pytest
from mediafile import MediaFile
from mutagen.id3 import TBPM, TKEY

from tempo_core.compression import zstd
from tempo_core.errors import AudioError, LabelError
from tempo_core.labels.files import counting_tempo, read_track
from tempo_core.labels.lookup import look_up
from tempo_core.labels.record import Record, Status, TrackQuery
from tempo_core.labels.sources.acousticbrainz import source as acousticbrainz
from tempo_core.labels.sources.tags.source import Tags
from tempo_core.labels.sources.tsv.source import Table
from tempo_core.labels.tables import write_table

MakeAudio = Callable[..., Path]

MBID = "0b7b1ac4-6a8f-4e5d-9c51-0a5b8f0d7f11"
OTHER = "11111111-2222-3333-4444-555555555555"


# Tags.


@pytest.mark.parametrize("suffix", ["mp3", "flac", "ogg", "opus", "m4a", "wma", "aiff"])
def test_tags_of_every_format(suffix: str, make_audio: MakeAudio) -> None:
    path = make_audio(f"a.{suffix}", duration=4)
    media = MediaFile(path)
    media.update(
        {
            "title": "Song", "artist": "Singer", "artist_sort": "Singer, A", "album": "Album",
            "genre": "House", "isrc": "GBDUW0000059", "mb_trackid": MBID, "bpm": 127,
            "initial_key": "F#m",
        }
    )  # fmt: skip
    media.save()
    track = read_track(path)
    assert (track.title, track.artists) == ("Song", ("Singer", "Singer, A"))
    assert (track.album, track.genre, track.isrc) == ("Album", "House", "GBDUW0000059")
    assert (track.recording_id, track.path) == (MBID, str(path))
    assert (track.tag_bpm, track.tag_key) == ("127", "F#m")
    assert track.duration == pytest.approx(4, abs=0.2)


def test_tags_are_read_verbatim(make_audio: MakeAudio) -> None:
    path = make_audio("a.flac", duration=4, title="Song", artist="Singer")
    file = mutagen.File(path)
    file["bpm"], file["initialkey"] = "127.98", "F# minor"  # beets makes 127 and Fm of these
    file.save()
    record = look_up(read_track(path), Tags())
    assert (record.status, record.bpm, record.key) == (Status.FOUND, 127.98, "F#m")
    assert (record.raw_bpm, record.raw_key) == ("127.98", "F# minor")


@pytest.mark.parametrize(
    ("precise", "whole", "marker", "counting"),
    [
        ("127.98", "128", "", "127.98"),
        ("127.98", "", "", "127.98"),
        ("", "128", "", "128"),
        ("none", "128", "", "128"),
        ("none", "", "", "none"),
        ("127.98", "140", "", "127.98"),
        ("127.98", "140", "127.98 model:a@1", "140"),
        ("127.98", "128", "127.98 model:a@1", "127.98"),
        ("127.98", "0", "127.98 model:a@1", "127.98"),
        ("64.5", "128", "127.98 model:a@1", "64.5"),
    ],
)
def test_which_tag_of_an_mp4_counts(precise: str, whole: str, marker: str, counting: str) -> None:
    assert counting_tempo(precise, whole, marker) == counting


def test_a_precise_tag_counts_more_than_a_whole_number(make_audio: MakeAudio) -> None:
    path = make_audio("a.m4a", duration=4)
    file = mutagen.File(path)
    file["tmpo"] = [127]
    file["----:com.apple.iTunes:BPM"] = b"127.98"
    file.save()
    assert read_track(path).tag_bpm == "127.98"


@pytest.mark.parametrize(
    ("tags", "bpm", "key"),
    [
        ({"bpm": ["0", "128"]}, 128, None),
        ({"bpm": ["0"], "tempo": ["128"]}, 128, None),
        ({"bpm": ["124/62"]}, 124, None),
        ({"bpm": ["~124,5 BPM"]}, 124.5, None),
        ({"bpm": ["128"], "initialkey": ["o", "Es-Dur"]}, 128, "D#"),
        ({"bpm": ["128"], "initialkey": ["-"], "key": ["fis-Moll"]}, 128, "F#m"),
        ({"bpm": ["128"], "initialkey": ["8A - 7"]}, 128, "Am"),
    ],
)
def test_a_later_value_counts_where_the_first_is_none(
    tags: dict[str, list[str]], bpm: float, key: str | None, make_audio: MakeAudio
) -> None:
    path = make_audio("a.flac", duration=4, title="Song")
    file = mutagen.File(path)
    file.update(tags)
    file.save()
    record = look_up(read_track(path), Tags())
    assert (record.status, record.bpm, record.key) == (Status.FOUND, bpm, key)


def test_several_values_of_an_id3_frame(make_audio: MakeAudio) -> None:
    path = make_audio("a.mp3", duration=4, title="Song")
    file = mutagen.File(path)
    file.tags.add(TBPM(encoding=3, text=["0", "127.98"]))
    file.tags.add(TKEY(encoding=3, text=["o", "Gb minor"]))
    file.save()
    record = look_up(read_track(path), Tags())
    assert (record.bpm, record.key) == (127.98, "F#m")
    assert (record.raw_bpm, record.raw_key) == ("0; 127.98", "o; Gb minor")


def test_a_files_own_tag_needs_no_artist(make_audio: MakeAudio) -> None:
    """A tag in the file itself is a label also without an artist to match."""
    for tags in ({}, {"title": "Song"}, {"title": "Song", "artist": "Various Artists"}):
        path = make_audio("a.flac", duration=4, **tags)
        file = mutagen.File(path)
        file["bpm"] = "128"
        file.save()
        record = look_up(read_track(path), Tags())
        assert (record.status, record.bpm) == (Status.FOUND, 128)


def test_tempi_that_exclude_each_other_are_for_a_person(make_audio: MakeAudio) -> None:
    path = make_audio("a.flac", duration=4, title="Song")
    file = mutagen.File(path)
    file["bpm"] = "90-140"
    file.save()
    record = look_up(read_track(path), Tags())
    assert (record.status, record.bpm, record.raw_bpm) == (Status.AMBIGUOUS, None, "90-140")
    assert record.message == "perhaps, but for the tempo (90 or 140)"


def test_a_file_without_tags(make_audio: MakeAudio, bad_files: dict[str, Path]) -> None:
    track = read_track(make_audio("a.wav", duration=4))
    assert (track.title, track.artists, track.tag_bpm) == ("", (), None)
    assert Tags().missing(track)
    for kind in ("missing", "empty", "text", "noise bytes"):
        with pytest.raises(AudioError) as error:
            read_track(bad_files[kind])
        assert "\n" not in str(error.value)


# Tables.

TABLE_HEADER = "title\tartist\talbum\tgenre\tpath\ttempo\tkey\n"


def test_a_table_is_read_by_path_and_by_name(tmp_path: Path) -> None:
    table = tmp_path / "data.tsv"
    table.write_text(
        TABLE_HEADER + 'Song "A"\tSinger\tNA\tNA\t/music/a.mp3\t128.0\tC# Maj\n'
        "Song B\tSinger\tAlbum\tPop\t/music/b.mp3\tNA\tNA\n"
        "Song C\tSinger\tAlbum\tPop\t/music/c.mp3\t0.0\t\n"
        "Song D\tSinger\tAlbum\tPop\t/music/d.mp3\t99\tF min\n"
    )
    source = Table(table)
    by_path = look_up(TrackQuery('Song "A"', ("Singer",), path="/music/a.mp3"), source)
    assert (by_path.status, by_path.bpm, by_path.key) == (Status.FOUND, 128.0, "C#")
    by_name = look_up(TrackQuery("song d", ("SINGER",), path="/elsewhere.mp3"), source)
    assert (by_name.bpm, by_name.key, by_name.source_id) == (99, "Fm", "line 5")
    for title in ("Song B", "Song C", "Song E"):
        assert look_up(TrackQuery(title, ("Singer",)), source).status is Status.NOT_FOUND
    # The path says which file it is, and the gates whether it is still the same recording.
    moved = look_up(TrackQuery("Song D (Live)", ("Singer",), path="/music/d.mp3"), source)
    assert moved.status is Status.NOT_FOUND


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"title\tartist\n", "has no column album, genre, key, path, tempo"),
        (b"\xff\xfe", "cannot be read"),
        (b"", "has no column"),
    ],
)
def test_what_is_no_table(content: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / "x.tsv").write_bytes(content)
    with pytest.raises(LabelError, match=message):
        Table(tmp_path / "x.tsv")
    with pytest.raises(LabelError, match=r"as a table \(No such file or dir[^'\]]*$"):
        Table(tmp_path / "missing.tsv")


def _label(bpm: float | None, key: str | None, status: Status = Status.FOUND) -> Record:
    return Record("id", "tags", status, "", "A", "T", "2026", 1, bpm=bpm, key=key)


def test_a_table_that_is_written_reads_back(tmp_path: Path) -> None:
    path = tmp_path / "out.tsv"
    tracks = [
        TrackQuery(f"Song\t{i}", ("Singer\nX",), album="Album", path=f"/{i}.mp3") for i in range(4)
    ]
    rows = [
        (tracks[0], _label(127.98, "C#"), True),
        (tracks[1], _label(None, None, Status.NOT_FOUND), True),
        (tracks[2], None, False),
        (tracks[3], _label(99.0, "Fm"), True),
    ]
    assert write_table(path, rows) == 2
    assert path.read_text().splitlines() == [
        "title\tartist\talbum\tgenre\tpath\ttempo\tkey",
        "Song 0\tSinger X\tAlbum\tNA\t/0.mp3\t127.98\tC# Maj",
        "Song 1\tSinger X\tAlbum\tNA\t/1.mp3\tNA\tNA",
        "Song 2\tSinger X\tAlbum\tNA\t/2.mp3\t0.0\t",
        "Song 3\tSinger X\tAlbum\tNA\t/3.mp3\t99\tF min",
    ]
    source = Table(path)
    found = [look_up(track, source) for track in tracks]
    assert [record.bpm for record in found] == [127.98, None, None, 99]
    assert [record.key for record in found] == ["C#", None, None, "Fm"]
    assert sorted(tmp_path.iterdir()) == [path]
    with pytest.raises(LabelError, match="cannot be written"):
        write_table(tmp_path / "no" / "out.tsv", rows)


# The AcousticBrainz dump.

RHYTHM = (
    "mbid,submission_offset,bpm,danceability\n"
    f"{MBID},0,127.9,1.1\n{MBID.upper()},1,128.1,1.1\n{MBID},2,64.0,1.1\n"
    f"{OTHER},0,100,1\n{OTHER},1,50,1\n"
    "no-id,0,100,1\n,,,\n33333333-2222-3333-4444-555555555555,0,nan,1\n"
)
TONAL = (
    "mbid,submission_offset,key_key,key_scale\n"
    f"{MBID},0,A#,minor\n{MBID},1,A#,minor\n{MBID},2,F,major\n{OTHER},0,C,major\n{OTHER},1,G,major\n"
)


def pack(folder: Path, form: str) -> list[Path]:
    """Write the two tables as the dump has them, or unpacked."""
    paths = []
    for name, text in (("rhythm", RHYTHM), ("tonal", TONAL)):
        data, path = text.encode(), folder / f"{name}.{form}"
        if form == "tar.zst":
            stream = io.BytesIO()
            with tarfile.open(fileobj=stream, mode="w") as archive:
                for member, content in (("a/README", b"x"), (f"a/{name}.csv", data)):
                    info = tarfile.TarInfo(member)
                    info.size = len(content)
                    archive.addfile(info, io.BytesIO(content))
            data = stream.getvalue()
        path.write_bytes(zstd.compress(data) if form.endswith("zst") else data)
        paths.append(path)
    return paths


@pytest.mark.parametrize("form", ["csv", "csv.zst", "tar.zst"])
def test_the_dump_is_indexed_and_looked_up(form: str, tmp_path: Path) -> None:
    target = tmp_path / "index" / "acousticbrainz.db"
    assert acousticbrainz.build(pack(tmp_path, form), target) == 2
    source = acousticbrainz.AcousticBrainz(target)
    record = look_up(TrackQuery("Song", ("Singer",), recording_id=MBID), source)
    assert (record.status, record.bpm, record.key) == (Status.FOUND, 127.9, "A#m")
    # Two submissions that contradict each other are no label.
    record = look_up(TrackQuery("Song", ("Singer",), recording_id=OTHER), source)
    assert (record.status, record.bpm, record.key) == (Status.AMBIGUOUS, None, None)
    unknown = "99999999-2222-3333-4444-555555555555"
    record = look_up(TrackQuery("Song", ("Singer",), recording_id=unknown), source)
    assert record.status is Status.NOT_FOUND
    for bad in (None, "", "x", "' OR 1"):
        assert source.missing(TrackQuery("Song", ("Singer",), recording_id=bad))
    assert sorted(path.name for path in target.parent.iterdir()) == ["acousticbrainz.db"]


@pytest.mark.parametrize("form", ["csv", "csv.zst", "tar.zst"])
def test_what_a_dump_is_its_name_does_not_say(form: str, tmp_path: Path) -> None:
    names = {"csv": "a.tar.zst", "csv.zst": "a.csv", "tar.zst": "a"}
    dumps = [path.rename(path.with_name(names[form] + str(k)))
             for k, path in enumerate(pack(tmp_path, form))]  # fmt: skip
    assert acousticbrainz.build(dumps, tmp_path / "acousticbrainz.db") == 2


def test_an_id_needs_no_artist(tmp_path: Path) -> None:
    target = tmp_path / "acousticbrainz.db"
    acousticbrainz.build(pack(tmp_path, "csv"), target)
    source = acousticbrainz.AcousticBrainz(target)
    assert look_up(TrackQuery("Song", (), recording_id=MBID), source).bpm == 127.9


def test_a_dump_that_cannot_be_read_leaves_nothing(tmp_path: Path) -> None:
    target = tmp_path / "acousticbrainz.db"
    (rhythm, _) = pack(tmp_path, "csv.zst")
    broken: dict[str, Any] = {
        "half.csv.zst": rhythm.read_bytes()[:-9],
        "noise.csv.zst": b"noise" * 50,
        "noise.tar.zst": zstd.compress(b"noise" * 500),
        "other.csv": b"a,b\n1,2\n",
        "mbid.csv": b"mbid,loudness\n1,2\n",
    }
    for name, content in broken.items():
        path = tmp_path / name
        path.write_bytes(content)
        with pytest.raises(LabelError, match=name):
            acousticbrainz.build([path], target)
        assert not target.exists()
    with pytest.raises(LabelError, match="cannot be read"):
        acousticbrainz.build([tmp_path / "missing.csv"], target)
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_a_file_that_is_no_index(tmp_path: Path) -> None:
    for name, content in (("text.db", b"text" * 500), ("empty.db", b"")):
        (tmp_path / name).write_bytes(content)
    sqlite3.connect(tmp_path / "other.db").close()
    for name in ("text.db", "empty.db", "other.db", "missing.db"):
        with pytest.raises(LabelError, match=name):
            acousticbrainz.AcousticBrainz(tmp_path / name)
