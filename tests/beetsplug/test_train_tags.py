"""Tests of `beet tempo-train --task tags`, from a library to a model that is in use."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from beets.library import Item

from tempo_core import checkpoint, in_use
from tempo_core.embeddings import Embeddings
from tempo_core.tasks.tags.decode import embedding_name
from tests.rows import mostly_slow

from .conftest import Beet

SHIPPED = checkpoint.load(checkpoint.resolve("shipped", "tags"), "tags")
Clicks = list[tuple[Path, float]]


@pytest.fixture(scope="session")
def heard(clicks: Clicks, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store in which forty files sound like one of two genres each."""
    rng = np.random.default_rng(0)
    n_dims = SHIPPED.config.model.n_dims
    sounds = rng.standard_normal((2, n_dims))
    path = tmp_path_factory.mktemp("heard") / "tempo-sounds.db"
    with Embeddings(path, embedding_name(SHIPPED)) as store:
        for k, (file, _) in enumerate(clicks):
            store.put(file, sounds[genre_of(k)] + rng.standard_normal(n_dims))
    return path


def genre_of(k: int) -> int:
    """The genre of a track, 0 or 1, such that each of ten artists has both."""
    return (k + k // 10) % 2


@pytest.fixture
def tagged(beet: Beet, clicks: Clicks, home: Path, heard: Path) -> Beet:
    """A library of forty tracks by ten artists, whose sounds are known and go by their genres."""
    beet.configure(tempo={"tags": {"min_tracks": 10}})
    shutil.copyfile(heard, home / "tempo-sounds.db")
    library = beet.library
    with library.transaction():
        for k, (path, _) in enumerate(clicks):
            genre = genre_of(k)
            item = Item.from_path(os.fsencode(path))
            item.update({
                "title": f"Song {k}", "artist": f"Band {k % 10}",
                "genres": [("Jazz", "Hip-Hop")[genre]], "mood": ("calm; Late", "wild, late")[genre],
            })  # fmt: skip
            library.add(item)
    return beet


def test_genres_are_learned_and_used(tagged: Beet) -> None:
    run = tagged("tempo-train", "--task", "tags")
    assert run.code == 0, run.err
    lines = run.out.splitlines()
    assert lines[0].startswith("tempo-train: learned (tags) from the genres of 40 tracks by 10 art")
    assert "tempo-train:   Jazz: 20 of 40 tracks, AUC 1.00" in run.out
    assert lines[-1].startswith("tempo-train: `beet tempo-tags` brings sound_tags up to date")
    path = in_use.active("tags")
    assert path is not None
    tags = checkpoint.load(path, "tags").config.tags
    assert {"genres:Jazz", "genres:Hip-Hop", *SHIPPED.config.tags} == set(tags)
    assert in_use.active() is None
    run = tagged("tempo-tags")
    assert run.code == 0, run.err
    assert len(tagged.items("sound:hip-hop,0.7..")) == 20


def test_any_field_is_learned_from_and_the_others_are_kept(tagged: Beet) -> None:
    assert tagged("tempo-train", "--task", "tags").code == 0
    run = tagged("tempo-train", "--task", "tags", "--field", "mood")
    assert run.code == 0, run.err
    assert "tempo-train: left out, as hardly a track is known to be without it: Late (40" in run.out
    path = in_use.active("tags")
    assert path is not None
    assert set(checkpoint.load(path, "tags").config.tags) - set(SHIPPED.config.tags) == {
        "genres:Jazz", "genres:Hip-Hop", "mood:calm", "mood:wild",
    }  # fmt: skip


def test_what_would_be_learned_from_is_shown(tagged: Beet) -> None:
    """What a suggestion filled in is no label."""
    item = tagged.item("title:='Song 0'")
    item["sound_suggested"] = "genres"
    item.store()
    tagged.configure(tempo={"tags": {"min_tracks": 10, "merge": {"jazz": "Swing"}}})
    run = tagged("tempo-train", "--task", "tags", "--field", "genre", "-p")  # its older name
    assert run.code == 0, run.err
    lines = run.out.splitlines()
    assert "Band 1 - Song 1: Hip-Hop" in lines
    assert "Band 2 - Song 2: Jazz" in lines
    assert not [line for line in lines if "Song 0:" in line]
    assert lines[-1] == (
        "tempo-train: would learn from the genres of 39 tracks: Hip-Hop (20), Swing (19)"
    )
    assert not in_use.folder().exists()


def test_a_field_that_nobody_fills(tagged: Beet) -> None:
    run = tagged("tempo-train", "--task", "tags", "--field", "grouping")
    assert run.code == 1
    (line,) = run.err.splitlines()
    assert "0 tracks with grouping, and no tag that can be learned" in line
    run = tagged("tempo-train", "--task", "tags", "--field", "grouping", "-p")
    assert run.out.splitlines()[-1].endswith("of 0 tracks: no tags")


@mostly_slow("field", ["sound_tags", "path", "artist", "year"], quick=2)
def test_fields_that_are_no_tags_of_anybody_s(tagged: Beet, field: str) -> None:
    run = tagged("tempo-train", "--task", "tags", "--field", field)
    assert run.code == 1
    (line,) = run.err.splitlines()
    told = "the analysis wrote itself is no label" if field == "sound_tags" else "no tag that can"
    assert told in line


def test_the_field_is_of_the_task_tags(tagged: Beet) -> None:
    run = tagged("tempo-train", "--field", "mood")
    assert run.code == 1
    assert "--field is for --task tags" in run.err
    run = tagged("tempo-train", "--task", "tags", "--field", "a:b")
    assert "--field a:b: give the name of a field" in run.err
    run = tagged("tempo-train", "--task", "tags", "--epochs", "3")
    assert "--epochs is not for --task tags" in run.err


@pytest.mark.parametrize(
    ("tags", "told"),
    [
        ({"min_tracks": 0}, "min_tracks"),
        ({"field": "a b"}, "field"),
        ({"merge": ["a"]}, "merge"),
        ({"merge": {"a": ""}}, "merge"),
        ({"drop": "a"}, "drop"),
        ({"drop": [None]}, "drop"),
        ({"droop": []}, "did you mean drop?"),
    ],
)
def test_bad_settings(beet: Beet, tags: dict[str, object], told: str) -> None:
    beet.configure(tempo={"tags": tags})
    run = beet("tempo-train", "--task", "tags")
    assert run.code == 1
    assert told in run.err


@pytest.mark.parametrize("field", ["", "a b", "sound_tags", "SOUND_TAGS", "Tempo_Source", "é"])
def test_a_field_that_has_no_labels_is_refused(beet: Beet, field: str) -> None:
    run = beet("tempo-train", "--task", "tags", "--field", field)
    assert run.code == 1
    assert "--field" in run.err


def test_a_field_is_one_however_it_is_written(tagged: Beet) -> None:
    run = tagged("tempo-train", "--task", "tags", "--pretend", "--field", "GENRES")
    assert run.code == 0
    assert "would learn from the genres of" in run.out


@pytest.mark.slow
def test_tracks_that_were_never_heard_are(beet: Beet, clicks: Clicks, home: Path) -> None:
    """Clicks of two kinds of tempo, which sound alike: nothing is learned, and all is kept."""
    beet.configure(tempo={"tags": {"min_tracks": 10}})
    for k, (path, bpm) in enumerate(clicks):
        beet.add(path, artist=f"Band {k % 8}", genres=["Rock" if int(bpm) % 3 else "Jazz"])
    run = beet("tempo-train", "--task", "tags")
    assert "sure" in run.out + run.err
    with Embeddings(home / "tempo-sounds.db", embedding_name(SHIPPED)) as store:
        assert len(store.all()[0]) == len(clicks)
