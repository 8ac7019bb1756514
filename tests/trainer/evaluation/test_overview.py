"""Tests of the picture of a training set: sensible for any set, and drawn by `build`."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from matplotlib.axes import Axes

from tempo_core.cli import main
from tempo_core.errors import StorageError
from trainer.evaluation.overview import (
    MOST_GENRES,
    NO_GENRE,
    overview,
    rows_of,
    tempo_edges,
    write_overview,
)
from trainer.trainingset.genres import main_genre
from trainer.trainingset.tables import SPLITS, CollectedTrack, DroppedTrack

TITLES = ("tempo", "length", "tempo by genre", "splits", "tempo by source", "dropped")


def collection(n: int, n_genres: int, seconds: float = 200.0) -> list[CollectedTrack]:
    """Tracks of which the first genres are the most frequent, and none is known of every tenth."""
    rng = np.random.default_rng(n)
    tracks = []
    for k in range(n):
        kind = int(n_genres * rng.random() ** 2)
        genre = f"Genre {kind} $x_" if n_genres and k % 10 else ""
        tracks.append(
            CollectedTrack(
                Path(f"/m/{k}.mp3"), float(rng.uniform(40, 220)), "table", f"Artist {k}",
                f"Song {k}", genre=genre, id=f"{k:016x}", duration=seconds, group=str(k),
                split=SPLITS[k % 3],
            )
        )  # fmt: skip
    return tracks


def dropped(**counts: int) -> list[DroppedTrack]:
    return [
        DroppedTrack(Path(f"/d/{reason}{k}"), reason.replace("_", " "))
        for reason, n in counts.items()
        for k in range(n)
    ]


def panels(kept: list[CollectedTrack], left_out: list[DroppedTrack]) -> dict[str, Axes]:
    axes = overview("set $x", kept, left_out).axes
    found = dict(zip(TITLES, axes, strict=True))
    for name, one in found.items():
        assert one.get_title().startswith(name)
    return found


def tick_labels(axes: Axes) -> list[str]:
    return [label.get_text() for label in axes.get_yticklabels()]


def texts(axes: Axes) -> list[str]:
    return [text.get_text() for text in axes.texts]


@pytest.mark.slow
@pytest.mark.parametrize(("n", "n_genres"), [(3, 2), (3, 0), (40, 1), (900, 60)])
def test_a_set_of_any_size_can_be_drawn(n: int, n_genres: int, tmp_path: Path) -> None:
    kept = collection(n, n_genres)
    left_out = dropped(missing_file=1, duplicate=n)
    path = write_overview(tmp_path, kept, left_out)
    assert path == tmp_path / "overview.png"
    assert path.read_bytes().startswith(b"\x89PNG")


def test_every_track_is_in_it_once() -> None:
    kept = collection(300, 5)
    shown = panels(kept, dropped(duplicate=2, no_label=7, unreadable=1))
    legend = shown["tempo"].get_legend()
    assert legend is not None
    assert [t.get_text() for t in legend.get_texts()] == [f"{split} (100)" for split in SPLITS]
    for name in ("tempo", "length"):
        heights = [patch.get_height() for patch in shown[name].patches]  # type: ignore[attr-defined]
        assert sum(heights) == 300
    counts = Counter(main_genre(t.genre) for t in kept)
    labels = tick_labels(shown["tempo by genre"])
    assert labels[-1] == f"{NO_GENRE} ({counts['']})"
    assert [int(x.split("(")[1][:-1]) for x in labels[:-1]] == sorted(
        (n for genre, n in counts.items() if genre), reverse=True
    )
    assert tick_labels(shown["tempo by source"]) == ["table (300)"]
    # Most frequent first.
    assert tick_labels(shown["dropped"]) == ["no label", "duplicate", "unreadable"]
    assert texts(shown["dropped"]) == ["7", "2", "1"]
    # The splits of all tracks, then of each genre.
    assert texts(shown["splits"])[0] == "100"
    assert len(tick_labels(shown["splits"])) == len(labels) + 1


def test_rare_genres_share_a_row() -> None:
    kept = collection(900, 60)
    rows = rows_of(kept, lambda t: main_genre(t.genre), MOST_GENRES, NO_GENRE)
    n_known = len({main_genre(t.genre) for t in kept} - {""})
    assert len(rows) == MOST_GENRES + 1
    assert rows.names[-2:] == [f"{n_known - MOST_GENRES + 1} others", NO_GENRE]
    assert sum(map(len, rows.tracks)) == 900
    sizes = [len(tracks) for tracks in rows.tracks[:-2]]
    assert sizes == sorted(sizes, reverse=True)
    rarest = Counter(main_genre(t.genre) for t in rows.tracks[-2])
    assert max(rarest.values()) <= sizes[-1]


@pytest.mark.slow
def test_what_is_not_known_is_said() -> None:
    shown = panels(collection(30, 0, seconds=40.0), [])
    assert texts(shown["tempo by genre"]) == ["no genre is known"]
    assert texts(shown["dropped"]) == ["nothing was dropped"]
    assert tick_labels(shown["splits"]) == ["all"]
    assert shown["length"].get_xlabel() == "length [s]"
    assert panels(collection(30, 2), [])["length"].get_xlabel() == "length [minutes]"


def test_every_tempo_is_on_the_axis() -> None:
    for tempi in ([], [120.0], [30.0, 300.0]):
        edges = tempo_edges(tempi)
        assert (np.diff(edges) > 0).all()
        assert np.histogram(tempi, edges)[0].sum() == len(tempi)


@pytest.mark.slow
def test_a_name_in_any_script_is_drawn(tmp_path: Path) -> None:
    kept = [dataclasses.replace(t, genre="ロック\udcff") for t in collection(4, 1)]
    write_overview(tmp_path, kept, [])


@pytest.mark.slow
def test_a_picture_that_cannot_be_written_is_one_error(tmp_path: Path) -> None:
    (tmp_path / "overview.png").mkdir()
    with pytest.raises(StorageError, match=r"overview\.png"):
        write_overview(tmp_path, collection(3, 1), [])


@pytest.mark.slow
def test_build_draws_it(make_audio: Callable[..., Path], tmp_path: Path) -> None:
    rows = ["path\tbpm\tartist\tgenre"]
    for k in range(3):
        name = f"{k}.wav"
        make_audio(name, bpm=100 + 10 * k, duration=13, sr=22050, channels=1)
        rows.append(f"{name}\t{100 + 10 * k}\tArtist {k}\tHouse")
    table = tmp_path / "labels.tsv"
    table.write_text("\n".join(rows) + "\n")
    out = tmp_path / "set"
    args = ["build", "--out", out, "--labels", table, "--jobs", "1", "--no-cache"]
    result = CliRunner().invoke(main, list(map(str, args)))
    assert result.exit_code == 0, result.output
    assert (out / "overview.png").read_bytes().startswith(b"\x89PNG")
