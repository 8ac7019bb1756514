"""Tests of the report on tags: its tables and pictures, of any number of tracks and tags."""

from __future__ import annotations

import csv
import sys
import types
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from bs4 import BeautifulSoup
from matplotlib.image import imread
from numpy.typing import NDArray

from tempo_core.errors import ConfigError
from tests.rows import mostly_slow
from trainer.evaluation import tag_plots
from trainer.evaluation.tag_doubts import find_doubtful
from trainer.evaluation.tag_report import TaggedTracks, tag_parts, write_tag_report

NAN = float("nan")
ODD = ["$x^2$ \\frac", "<b>東京</b>", "a" * 200, "عربي", "\udcff\x1b[31m", "Drum & Bass\nand more"]
PICTURES = ["calibration", "confusion", "map", "map-by-tag", "precision-recall"]


def library(n: int, tags: Sequence[str], seed: int = 0) -> TaggedTracks:
    """Tracks with one tag each, two by each artist, that mostly sound as their tags say."""
    rng = np.random.default_rng(seed)
    own = np.arange(n) // 2 % max(1, len(tags))
    truth = np.zeros((n, len(tags)))
    if tags:
        truth[np.arange(n), own] = 1
    noise = rng.normal(0, 1.2, truth.shape)
    probabilities = 1 / (1 + np.exp(-(3 * truth - 2 + noise)))
    embeddings = rng.normal(size=(n, 16)) + 2 * rng.normal(size=(max(1, len(tags)), 16))[own]
    return tracks_of(tags, truth, probabilities, embeddings)


def tracks_of(
    tags: Sequence[str],
    truth: NDArray[np.float64],
    probabilities: NDArray[np.float64],
    embeddings: NDArray[np.float64],
    groups: Sequence[str] | None = None,
) -> TaggedTracks:
    n = len(truth)
    return TaggedTracks(
        tags=tags, truth=truth, probabilities=probabilities, embeddings=embeddings,
        paths=[Path(f"/music/{k}.mp3") for k in range(n)],
        names=[f"song {k}" for k in range(n)],
        groups=groups or [f"artist {k // 2}" for k in range(n)],
        doubtful=find_doubtful(tags, truth, probabilities), title="Genres",
    )  # fmt: skip


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8", errors="surrogateescape") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def is_drawn(path: Path) -> bool:
    """Whether there is anything to see on a picture."""
    picture = imread(path)
    colours = (255 * picture).astype(np.uint8).reshape(-1, 4).view(np.uint32)  # one number each
    return min(picture.shape[:2]) > 100 and len(np.unique(colours)) > 20


def test_pictures_tables_and_labels_to_look_at(tmp_path: Path) -> None:
    tracks = library(60, ["rock", "house", "jazz"])
    tracks.truth[0] = [0, 1, NAN]  # a track of rock with another label
    tracks.probabilities[0] = [0.9, 0.02, 0.01]
    tracks = tracks_of(tracks.tags, tracks.truth, tracks.probabilities, tracks.embeddings)
    path = write_tag_report(tmp_path, tracks)
    assert path == tmp_path / "report.html"
    drawn = sorted((tmp_path / "plots").iterdir(), key=lambda one: one.stem)
    assert [one.stem for one in drawn] == PICTURES
    assert all(map(is_drawn, drawn))
    page = BeautifulSoup(path.read_text(), "html.parser")
    told = page.get_text(" ")
    assert "60 tracks by 30 artists, 3 tags, 60 labels." in told
    assert "learned from other artists only" in told
    assert len(page.find_all("img")) == len(PICTURES)
    heading = page.find("h2", string="Labels to look at")
    assert heading is not None
    first = heading.find_next("table").select("tbody tr")[0]  # type: ignore[union-attr]
    assert [cell.get_text() for cell in first.select("td")][1:4] == ["house", "rock", "song 0"]

    tags = rows(tmp_path / "tags.tsv")
    assert [(row["tag"], row["n"], row["n_with"]) for row in tags] == [
        ("rock", "60", "19"), ("house", "60", "21"), ("jazz", "59", "20"),
    ]  # fmt: skip
    for row in tags:
        low, value, high = (float(row[f"auc_roc{x}"]) for x in ("_low", "", "_high"))
        assert 0.5 < low <= value <= high <= 1
    told_tracks = rows(tmp_path / "tracks.tsv")
    assert len(told_tracks) == 60
    assert told_tracks[0]["name"] == "song 0"
    assert (told_tracks[0]["labels"], told_tracks[0]["likeliest"]) == ("house", "rock")
    doubts = [float(row["doubt"]) for row in told_tracks]
    assert doubts == sorted(doubts, reverse=True)


@mostly_slow("n", [0, 1, 3], quick=2)
@mostly_slow("n_tags", [0, 1, 2], quick=2)
def test_hardly_any_tracks_or_tags(tmp_path: Path, n: int, n_tags: int) -> None:
    tracks = library(n, ["rock", "house"][:n_tags])
    text = write_tag_report(tmp_path, tracks).read_text()
    assert ("Nothing is labelled" in text) == (n == 0 or n_tags == 0)
    assert len(rows(tmp_path / "tags.tsv")) == n_tags
    assert len(rows(tmp_path / "tracks.tsv")) == n
    assert (tmp_path / "plots" / "map.png").exists() == (n > 0)


@pytest.mark.slow
def test_one_tag_that_stands_alone_has_no_matrix(tmp_path: Path) -> None:
    """All other tracks have two tags each, so that the matrix would be one square."""
    tracks = library(60, ["calm", "loud", "wild"])
    tracks.truth[:] = [[1, 0, 0], [1, 0, 0], [0, 1, 1]] * 20
    sure = 0.1 + 0.8 * tracks.truth
    alike = tracks_of(tracks.tags, tracks.truth, sure, tracks.embeddings)
    write_tag_report(tmp_path, alike)
    assert not (tmp_path / "plots" / "confusion.png").exists()


@pytest.mark.slow
@pytest.mark.parametrize("n_tags", [120, 10_000])
def test_many_tags(tmp_path: Path, n_tags: int) -> None:
    tracks = library(60, [f"tag {k}" for k in range(n_tags)])
    text = write_tag_report(tmp_path, tracks).read_text()
    assert f"{n_tags - 100} more in tags.tsv" in text
    assert len(rows(tmp_path / "tags.tsv")) == n_tags
    assert all(map(is_drawn, (tmp_path / "plots").iterdir()))


def test_of_many_tags_only_some_are_drawn() -> None:
    tracks = library(200, [f"tag {k}" for k in range(50)])
    mapped = tag_plots.sound_map(tracks.embeddings)
    (legend,) = tag_plots.tag_map(mapped, tracks.tags, tracks.truth).legends
    names = [text.get_text() for text in legend.get_texts()]
    assert len(names) == 1 + tag_plots.MOST_IN_MAP
    assert names[0] == "other tags, or none (160)"
    found = tag_plots.tag_confusion(tracks.tags, tracks.truth, tracks.probabilities)
    assert found.names[-1] == "30 others"
    assert found.n_tracks.tolist() == [4] * 20 + [120]
    assert found.counts.sum() == 200


def test_tags_of_the_same_tracks_share_a_colour() -> None:
    tracks = library(40, ["rock", "house", "jazz"])
    truth = np.column_stack([tracks.truth, tracks.truth[:, 0]])
    mapped = tag_plots.sound_map(tracks.embeddings)
    (legend,) = tag_plots.tag_map(mapped, [*tracks.tags, "Rock 2"], truth).legends
    assert sorted(text.get_text() for text in legend.get_texts()) == [
        "house (14)", "jazz (12)", "rock + Rock 2 (14)",
    ]  # fmt: skip


def test_all_tracks_alike_and_by_one_artist(tmp_path: Path) -> None:
    truth = np.tile([[1.0, NAN]], (20, 1))
    tracks = tracks_of(
        ["rock", "unknown"], truth, np.full((20, 2), 0.5), np.ones((20, 16)), ["x"] * 20
    )
    text = write_tag_report(tmp_path, tracks).read_text()
    assert "20 tracks by 1 artist" in text
    assert "Nothing can be measured" in text
    assert "nan" not in text
    assert [row["auc_roc"] for row in rows(tmp_path / "tags.tsv")] == ["", ""]
    assert {row["x"] for row in rows(tmp_path / "tracks.tsv")} == {"0.0000"}


def test_nothing_known_of_any_track(tmp_path: Path) -> None:
    tracks = tracks_of(["rock"], np.full((9, 1), NAN), np.full((9, 1), 0.5), np.eye(9))
    assert "Nothing is labelled" in write_tag_report(tmp_path, tracks).read_text()


def test_names_are_text_whatever_they_contain() -> None:
    tracks = library(24, ODD)
    mapped = tag_plots.sound_map(tracks.embeddings)
    page = BeautifulSoup("".join(tag_parts(tracks, mapped, {})), "html.parser")
    assert not page.select("b, script")
    assert ODD[1] in page.get_text()


@pytest.mark.slow
def test_pictures_with_names_whatever_they_contain(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        text = write_tag_report(tmp_path, library(48, ODD)).read_text()
    assert "\x1b" not in text
    assert [row["tag"] for row in rows(tmp_path / "tags.tsv")] == ODD
    assert all(map(is_drawn, (tmp_path / "plots").iterdir()))


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="cannot be made"):
        write_tag_report(tmp_path / "file", library(4, ["rock"]))


def test_the_map_is_of_the_directions_that_differ_most() -> None:
    rng = np.random.default_rng(0)
    points = rng.normal(size=(200, 5)) * [1, 9, 0.1, 4, 0.1]
    places, shares = tag_plots.principal_components(points, 2)
    for k, column in enumerate((1, 3)):
        assert abs(np.corrcoef(places[:, k], points[:, column])[0, 1]) > 0.99
    assert shares.sum() == pytest.approx((81 + 16) / 98, abs=0.03)
    again, _ = tag_plots.principal_components(points[::-1], 2)
    assert again[::-1] == pytest.approx(places)  # the signs as well


def test_umap_draws_the_map_of_many_tracks_if_it_is_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Umap:
        def __init__(self, **options: object) -> None:
            assert options["metric"] == "cosine"

        def fit_transform(self, points: NDArray[np.float32]) -> NDArray[np.float32]:
            return points[:, :2] * 7

    there = types.ModuleType("umap")
    monkeypatch.setitem(sys.modules, "umap", there)
    embeddings = np.random.default_rng(0).normal(size=(tag_plots.ENOUGH_FOR_UMAP, 8))
    # Another package of that name does not know it.
    assert "PCA" in tag_plots.sound_map(embeddings).method
    there.UMAP = Umap  # type: ignore[attr-defined]
    assert "UMAP" in tag_plots.sound_map(embeddings).method
    assert "PCA" in tag_plots.sound_map(embeddings[1:]).method


def test_what_is_taken_for_what() -> None:
    tags = ["rock", "house", "jazz"]
    truth = np.array([[1, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 0]], float)
    probabilities = np.array(
        [[0.9, 0.1, 0], [0.2, 0.3, 0], [0, 0.6, 0.5], [0.1, 0, 0.2], [0.5, 0.1, 0.4]]
    )
    found = tag_plots.tag_confusion(tags, truth, probabilities)
    assert found.is_single  # the last track is left out
    assert found.names == ("rock", "house", "jazz")
    assert found.counts.tolist() == [[1, 1, 0], [0, 1, 0], [0, 0, 1]]
    assert found.n_tracks.tolist() == [2, 1, 1]
    several = tag_plots.tag_confusion(tags, truth[-1:], probabilities[-1:])
    assert not several.is_single
    assert several.counts.tolist() == [[1, 0, 1], [1, 0, 1], [0, 0, 0]]
