"""Tests of splits: artists stay on one side, and no track moves from training to test."""

from __future__ import annotations

import dataclasses
import random
from collections import Counter
from pathlib import Path

import pytest

from tempo_core.errors import ConfigError
from trainer.trainingset.genres import main_genre
from trainer.trainingset.split import LARGEST_ALBUM, divide, members, read_split, write_split
from trainer.trainingset.tables import SPLITS, CollectedTrack


def track(n: int, artist: str, **known: str) -> CollectedTrack:
    path = Path(f"/music/{known.pop('folder', 'x')}/{n}.mp3")
    return CollectedTrack(
        path, 120.0, "tag", artist, known.get("title", f"Song {n}"), known.get("album", ""),
        recording_id=known.get("recording_id", ""), id=f"{n:016x}",
    )  # fmt: skip


def with_genres(n_artists: int, n_tracks: int, n_genres: int, seed: int) -> list[CollectedTrack]:
    """A collection in which most tracks of an artist are of one genre, and some have none."""
    rng = random.Random(seed)
    usual = {f"Artist {k}": min(int(rng.expovariate(0.4)), n_genres) for k in range(n_artists)}
    tracks = []
    for one in collection(n_artists, n_tracks, seed):
        kind = usual[one.artist] if rng.random() < 0.8 else rng.randrange(n_genres)
        name = "" if rng.random() < 0.1 else f"Genre {kind}; Music"
        tracks.append(dataclasses.replace(one, genre=name))
    return tracks


def distances(tracks: list[CollectedTrack], placed: dict[str, str]) -> dict[str, float]:
    """How far the genres of each split are from those of all: half the sum of differences, 0..1."""
    whole = Counter(main_genre(t.genre) for t in tracks)
    found = {}
    for split in SPLITS:
        own = Counter(main_genre(t.genre) for t in tracks if placed[t.id] == split)
        gaps = (abs(own[g] / own.total() - whole[g] / whole.total()) for g in whole)
        found[split] = sum(gaps) / 2
    return found


def sides(tracks: list[CollectedTrack], known: dict[str, str] | None = None, seed: int = 0):  # type: ignore[no-untyped-def]
    placed, decided = divide(tracks, [], known or {}, seed)
    return {t.id: placed[t.path][1] for t in tracks}, decided


def collection(n_artists: int, n_tracks: int, seed: int = 0) -> list[CollectedTrack]:
    rng = random.Random(seed)
    return [track(k, f"Artist {rng.randrange(n_artists)}") for k in range(n_tracks)]


def test_shares_and_artists() -> None:
    tracks = collection(60, 400)
    placed, _ = sides(tracks)
    counts = Counter(placed.values())
    assert counts["train"] == pytest.approx(280, abs=8)
    assert counts["validation"] == pytest.approx(80, abs=8)
    assert counts["test"] == pytest.approx(40, abs=8)
    of_artist: dict[str, set[str]] = {}
    for one in tracks:
        of_artist.setdefault(one.artist, set()).add(placed[one.id])
    assert all(len(found) == 1 for found in of_artist.values())


@pytest.mark.parametrize("seed", range(3))
def test_each_split_has_its_share_of_every_genre(seed: int) -> None:
    tracks = with_genres(160, 800, 8, seed)
    placed, _ = sides(tracks, seed=seed)
    far = distances(tracks, placed)
    assert far["train"] < 0.03
    assert far["validation"] < 0.06
    assert far["test"] < 0.12  # of some sixteen artists
    # Nothing else became worse: the sizes, and artists stay whole.
    counts = Counter(placed.values())
    assert counts["train"] == pytest.approx(560, abs=8)
    assert counts["test"] == pytest.approx(80, abs=8)
    assert len({(t.artist, placed[t.id]) for t in tracks}) == len({t.artist for t in tracks})
    # By chance it is otherwise.
    unknown = [dataclasses.replace(t, genre="") for t in tracks]
    by_chance = distances(tracks, sides(unknown, seed=seed)[0])
    for split in SPLITS:
        assert by_chance[split] > 2 * far[split]


def test_genres_do_not_move_what_is_decided() -> None:
    tracks = with_genres(60, 300, 5, 1)
    unknown = [dataclasses.replace(t, genre="") for t in tracks[:150]]
    before, known = sides(unknown)
    placed, _ = sides(tracks, known)
    assert before.items() <= placed.items()
    shuffled = tracks[:]
    random.Random(2).shuffle(shuffled)
    assert sides(shuffled, known)[0] == placed


@pytest.mark.parametrize("n_genres", [1, 60])
def test_one_genre_or_very_many_leave_the_sizes_right(n_genres: int) -> None:
    tracks = [dataclasses.replace(track(k, f"A{k}"), genre=f"G{k % n_genres}") for k in range(300)]
    counts = Counter(sides(tracks)[0].values())
    assert counts == {"train": 210, "validation": 60, "test": 30}


def test_the_first_genre_counts() -> None:
    assert main_genre("Hip-Hop,  Pop") == main_genre("hip-hop|Rap") == "hip-hop"
    assert main_genre(" ; Drum  and Bass") == "drum and bass"
    assert main_genre(" , ") == main_genre("") == ""


def test_one_artist_with_most_of_the_tracks() -> None:
    tracks = [track(k, "Prolific") for k in range(80)]
    tracks += [track(100 + k, f"Other {k}") for k in range(20)]
    placed, _ = sides(tracks)
    assert {placed[t.id] for t in tracks[:80]} == {"train"}
    counts = Counter(placed.values())
    assert counts["validation"] >= 10
    assert counts["test"] >= 4


def test_the_seed_decides_and_the_order_does_not() -> None:
    tracks = collection(60, 200)
    shuffled = tracks[:]
    random.Random(1).shuffle(shuffled)
    assert sides(tracks)[0] == sides(shuffled)[0]
    assert sides(tracks)[0] != sides(tracks, seed=1)[0]


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("Drake & Rihanna", "Rihanna"),
        ("Daft Punk; Pharrell Williams", "pharrell williams"),
        ("Beyoncé", "BEYONCE"),
        ("The Beatles", "Beatles"),
        ("A feat. Guest", "Guest"),
    ],
)
def test_whoever_plays_together_stays_together(a: str, b: str) -> None:
    for seed in range(6):
        tracks = [track(0, a), track(1, b), *collection(30, 60)[2:]]
        placed, _ = sides(tracks, seed=seed)
        assert placed[tracks[0].id] == placed[tracks[1].id]


def test_a_guest_in_the_title_is_an_artist() -> None:
    own = members(track(0, "Host", title="Song (feat. Guest)"))
    assert {"artist:host", "artist:guest"} <= set(own)


def test_without_an_artist_the_album_counts_then_the_folder() -> None:
    assert members(track(0, "", album="Live"))[0] == "album:live"
    assert members(track(0, "Various Artists", album="Live"))[0] == "album:live"
    a, b, c = (track(k, "", folder=f) for k, f in enumerate(("one", "one", "two")))
    assert members(a)[0] == members(b)[0] != members(c)[0]
    crowd = [track(k, "", folder="heap") for k in range(LARGEST_ALBUM + 1)]
    placed, _ = sides(crowd)
    assert set(placed.values()) == {"train", "validation", "test"}


def test_growth_changes_nobody() -> None:
    known: dict[str, str] = {}
    before: dict[str, str] = {}
    for n_tracks in (40, 80, 200, 400):
        placed, known = sides(collection(50, n_tracks, seed=3), known, seed=n_tracks)
        assert before.items() <= placed.items()
        before = placed
    assert 0.6 < Counter(before.values())["train"] / 400 < 0.8


def test_the_shares_are_right_again_after_growth() -> None:
    first = [track(k, f"A{k}") for k in range(10)]
    _, known = sides(first)
    placed, _ = sides(first + [track(100 + k, f"B{k}") for k in range(190)], known)
    assert Counter(placed.values()) == {"train": 140, "validation": 40, "test": 20}


@pytest.mark.parametrize(
    ("one", "other", "together"),
    [
        ("train", "test", "train"),
        ("train", "validation", "train"),
        ("validation", "test", "validation"),
        ("test", "test", "test"),
    ],
)
def test_groups_that_merge_go_where_nothing_is_lost(one: str, other: str, together: str) -> None:
    tracks = collection(30, 60)
    known = {"artist:left": one, "artist:right": other}
    tracks += [track(100, "Left"), track(101, "Right"), track(102, "Left & Right")]
    placed, decided = sides(tracks, known)
    assert {placed[t.id] for t in tracks[-3:]} == {together}
    assert decided["artist:left"] == decided["artist:right"] == together


def test_a_track_that_was_trained_on_stays_whatever_its_tags_say() -> None:
    tracks = collection(30, 60)
    placed, known = sides(tracks)
    moved = next(t for t in tracks if placed[t.id] == "train")
    owner = next(t for t in tracks if placed[t.id] == "test")
    # Tagged anew, so its content is another, too; then moved as well.
    for k, renamed in enumerate([track(int(moved.id, 16), owner.artist)]):
        changed = [
            CollectedTrack(renamed.path, 120.0, "tag", owner.artist, id=f"{9999 + k:016x}")
            if t is moved
            else t
            for t in tracks
        ]
        again, _ = sides(changed, known)
        assert again[changed[tracks.index(moved)].id] == "train"
        assert all(again[t.id] == "train" for t in changed if placed.get(t.id) == "train")


def test_copies_stand_together() -> None:
    tracks = collection(30, 60)
    other = track(500, "Somebody else entirely")
    for seed in range(5):
        placed, decided = divide(tracks, [(tracks[0], other)], {}, seed)
        assert decided["artist:somebody else entirely"] == placed[tracks[0].path][1]


@pytest.mark.parametrize(
    ("artists", "told"),
    [
        ([], "no track is left"),
        (["A"], "1 track by one artist"),
        (["A"] * 20, "20 tracks by one artist .*nothing can be held out"),
        (["A", "B"], "2 tracks by 2 artists"),
    ],
)
def test_what_cannot_be_divided(artists: list[str], told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        sides([track(k, artist) for k, artist in enumerate(artists)])


def test_three_artists_are_enough() -> None:
    placed, _ = sides([track(k, artist) for k, artist in enumerate("ABC")])
    assert sorted(placed.values()) == ["test", "train", "validation"]


def test_decisions_are_kept_in_a_file(tmp_path: Path) -> None:
    path = tmp_path / "split-1.tsv"
    assert read_split(path) == {}
    known = {"artist:beyonce": "train", 'artist:"quoted" name': "test", "file:0123": "validation"}
    write_split(path, known)
    assert read_split(path) == known


@pytest.mark.parametrize("text", ["", "member\n", "split\tmember\nlost\tartist:a\n", "a\tb\tc\n"])
def test_another_file_is_refused_and_kept(tmp_path: Path, text: str) -> None:
    path = tmp_path / "split-1.tsv"
    path.write_text(text)
    with pytest.raises(ConfigError, match=r"split-1\.tsv"):
        read_split(path)
    assert path.read_text() == text
