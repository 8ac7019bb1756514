"""Tests of genres: names as people write them, their families, and models that count by them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from mutagen.id3 import ID3, TCON

from tempo_core import Estimator, genres
from tempo_core.genres import GenreTree, families_of, membership, names_of
from tempo_core.labels.files import read_track

from ..conftest import MakeAudio
from ..models import counting_hip_hop_twice


@pytest.mark.parametrize(
    ("written", "names"),
    [
        ("", ()),
        (" ; ", ()),
        ("Hip-Hop/Rap; Pop", ("hip-hop", "rap", "pop")),
        (["Rock", "rock", "Jazz|Soul"], ("rock", "jazz", "soul")),
        ("a\0b\\␀c", ("a", "b", "c")),
        ("R&B, Folk", ("r&b", "folk")),
        ("ゲームミュージック", ("ゲームミュージック",)),
    ],
)
def test_names(written: str | list[str], names: tuple[str, ...]) -> None:
    assert names_of(written) == names


def test_a_tag_may_hold_anything() -> None:
    found = names_of(";".join(f"{k} " * 1000 for k in range(1000)))
    assert len(found) == genres.MOST_NAMES
    assert max(map(len, found)) <= genres.LONGEST_NAME


@pytest.mark.parametrize(
    ("written", "families"),
    [
        ("Liquid Funk", {"electronic", "drum and bass"}),
        ("Drum & Bass", {"electronic", "drum and bass"}),
        ("Jungle", {"electronic", "drum and bass"}),
        ("Hip-Hop", {"hip hop"}),
        ("hip_hop", {"hip hop"}),
        ("hip-hop/R&B", {"hip hop", "r&b"}),
        ("Nightcore; Bubblegum Dance", {"nightcore", "electronic", "eurodance"}),
    ],
)
def test_families_are_those_of_the_tree_of_beets(written: str, families: set[str]) -> None:
    assert families_of(written) == families


def test_without_a_tree_a_name_is_a_family() -> None:
    tree = GenreTree()
    assert tree.families("liquid funk") == ("liquid funk",)
    assert tree.families("hip-hop") == ("hip hop",)


def test_other_spellings_of_names() -> None:
    tree = GenreTree(
        [{"rock": [{"punk rock": ["oi"]}, "surf rock"]}, "jazz"],
        {"punk rock": ["punk"], r"\1 rock": ["(surf)"]},
    )
    assert tree.families("punk") == ("rock", "punk rock")
    assert tree.families("surf") == ("rock", "surf rock")
    assert tree.families("oi") == ("rock", "punk rock")  # no deeper than two levels
    assert tree.families("Jazz") == ("jazz",)


def test_membership() -> None:
    families = ("drum and bass", "electronic", "hip hop")
    assert membership("dnb", families).tolist() == [1, 1, 1, 0]
    assert membership("polka", families).tolist() == [1, 0, 0, 0]
    assert membership("", families).tolist() == [0, 0, 0, 0]
    assert membership(["House", "Hip Hop"], families).tolist() == [1, 0, 1, 1]


def test_where_beets_is_not_installed_there_is_no_tree() -> None:
    code = (
        "import sys; sys.modules['beetsplug'] = None\n"
        "from tempo_core.genres import families_of\n"
        "print(sorted(families_of('Hip-Hop; Liquid Funk')))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['hip hop', 'liquid funk']"


def test_the_tree_is_read_without_loading_a_plugin() -> None:
    code = (
        "import sys\nfrom tempo_core.genres import families_of\n"
        "assert 'drum and bass' in families_of('jungle')\n"
        "assert not {'beets', 'beetsplug.lastgenre'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("ending", ["mp3", "m4a", "ogg"])
def test_several_genres_of_a_file_are_read(make_audio: MakeAudio, ending: str) -> None:
    path = make_audio(f"a.{ending}", duration=2, genres=["Trip-Hop", "Hip-Hop"])
    assert families_of(read_track(path).genre) >= {"hip hop", "downtempo"}


def test_a_genre_by_its_number(make_audio: MakeAudio) -> None:
    path = make_audio("a.mp3", duration=2, title="T")
    file = ID3(path)
    file.add(TCON(encoding=3, text=["(7)"]))
    file.save()
    assert read_track(path).genre == "Hip-Hop"


def test_a_model_counts_by_the_genre_where_it_is_known(
    make_audio: MakeAudio, tmp_path: Path
) -> None:
    path = make_audio("a.flac", duration=14, bpm=88, style="rock", genres=["Hip-Hop/Rap"])
    estimator = Estimator(counting_hip_hop_twice(tmp_path), tasks=["tempo"])
    assert estimator.counts_by_genre
    usual = Estimator("shipped", tasks=["tempo"])
    assert not usual.counts_by_genre
    once = usual.estimate(path).bpm
    assert estimator.estimate(path, "polka").bpm == pytest.approx(once, rel=0.005)
    assert estimator.estimate(path, "").bpm == pytest.approx(once, rel=0.005)
    assert estimator.estimate(path, ["Pop", "Trip-Hop; hip hop"]).bpm == pytest.approx(
        2 * once, rel=0.005
    )
    assert estimator.estimate(path).bpm == pytest.approx(2 * once, rel=0.005)  # as the tag says
    assert usual.estimate(path, "hip hop").bpm == once


def test_an_unknown_genre_is_answered_to_the_digit_as_without_genres(tmp_path: Path) -> None:
    from tempo_core import checkpoint
    from trainer.learning.prior_fitting import without_genres

    model = checkpoint.load(counting_hip_hop_twice(tmp_path))
    rng = np.random.default_rng(0)
    inputs = rng.random((3, 3, 40, 180), np.float32), rng.random((3, 160), np.float32)
    unknown = np.zeros((3, 2), np.float32)
    plain = without_genres(model).network(*inputs)
    np.testing.assert_array_equal(model.network(*inputs), plain)
    np.testing.assert_array_equal(model.network(*inputs, unknown), plain)
