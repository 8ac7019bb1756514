"""Tests of `build`, `evaluate` and `train` on a cluster: they find what threads find."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from distributed import Client

from tempo_core import checkpoint, methods
from tempo_core.cli import main
from tempo_core.engines import Threads
from tempo_core.engines.cluster import Cluster
from tempo_core.errors import AudioError, StorageError
from trainer.evaluation.answers import ANSWERS_TABLE
from trainer.evaluation.key_answers import KEY_ANSWERS_TABLE
from trainer.inputs.cache import ViewRecipe, read_views
from trainer.inputs.recordings import Recording
from trainer.inputs.views import cache_views, cache_views_on
from trainer.learning import tags
from trainer.learning.job import Job
from trainer.learning.labels import read_tag_labels
from trainer.learning.options import LearnOptions
from trainer.trainingset.build import JOURNAL, build
from trainer.trainingset.tables import CACHE, LabelledTrack

from .conftest import BUILD_OPTIONS as OPTIONS


def run(*args: object) -> Result:
    return CliRunner().invoke(main, [str(arg) for arg in args])


@pytest.fixture(scope="module")
def engine(scheduler: str) -> Iterator[Cluster]:
    with Client(scheduler, set_as_default=False) as client:
        yield Cluster(client, "here", lambda line: None)


def views(folder: Path) -> dict[str, tuple[bytes, bytes]]:
    return {
        path.name: (found.maps.tobytes(), found.statistics.tobytes())
        for path in (folder / CACHE).glob("*.safetensors")
        if (found := read_views(path))
    }


def tables(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.glob("*.tsv")}


def never() -> bool:
    return False


@pytest.mark.slow
def test_a_training_set_is_that_of_threads(
    training_set: Path, songs: list[LabelledTrack], engine: Cluster, tmp_path: Path
) -> None:
    build(songs, tmp_path / "set", OPTIONS, never, engine)
    assert tables(tmp_path / "set") == tables(training_set)
    assert views(tmp_path / "set") == views(training_set)
    assert not list((tmp_path / "set" / CACHE).glob("*.part"))


def test_a_build_goes_on_on_a_cluster(
    training_set: Path, songs: list[LabelledTrack], engine: Cluster, tmp_path: Path
) -> None:
    """What a build in threads has heard is not heard again."""
    folder = tmp_path / "set"
    shutil.copytree(training_set, folder)
    lost = next((folder / CACHE).glob("*.safetensors"))
    ages = {path: path.stat().st_ctime_ns for path in (folder / CACHE).iterdir()}
    lost.unlink()
    journal = (folder / JOURNAL).read_bytes()
    build(songs, folder, OPTIONS, never, engine)
    assert (folder / JOURNAL).read_bytes() == journal
    assert views(folder) == views(training_set)
    assert lost.stat().st_ctime_ns > max(ages.values())


def test_a_full_disk_of_a_worker_ends_a_build(
    songs: list[LabelledTrack], training_set: Path, engine: Cluster, tmp_path: Path
) -> None:
    told = []
    for name, used in (("there", engine), ("here", Threads(1))):
        folder = tmp_path / name
        shutil.copytree(training_set, folder)
        for path in (folder / CACHE).glob("*.safetensors"):
            path.unlink()
            path.mkdir()
        with pytest.raises(StorageError, match="cannot be written") as error:
            build(songs, folder, OPTIONS, never, used)
        told.append(str(error.value).replace(str(folder), ""))
        assert tables(folder) == tables(training_set)
    assert told[0] == told[1]


@pytest.mark.slow
def test_build_on_the_command_line(
    songs: list[LabelledTrack], scheduler: str, tmp_path: Path
) -> None:
    table = tmp_path / "labels.tsv"
    with table.open("w", newline="") as file:
        rows = csv.writer(file, delimiter="\t")
        rows.writerow(["path", "bpm", "artist"])
        rows.writerows([track.path, track.bpm, track.artist] for track in songs)
        rows.writerow([tmp_path / "gone.wav", 120, "Nobody"])
    common = ("build", "--labels", table, "--no-cache", "-q", "--out")
    here = run(*common, tmp_path / "here", "--jobs", 1)
    there = run(*common, tmp_path / "there", "--scheduler", scheduler)
    assert (there.exit_code, there.stdout) == (here.exit_code, here.stdout) == (1, "")
    assert there.stderr == here.stderr
    assert "gone.wav" in there.stderr
    assert tables(tmp_path / "there") == tables(tmp_path / "here")
    both = run(*common, tmp_path / "x", "--jobs", 1, "--scheduler", scheduler)
    assert "--jobs is for threads" in both.stderr


@pytest.mark.slow
def test_an_evaluation_is_that_of_threads(
    songs: list[LabelledTrack], scheduler: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trainer.evaluation.plots.png", lambda _figure: b"\x89PNG")
    table = tmp_path / "labels.tsv"
    rows = [f"{track.path}\t{track.bpm}\tC major" for track in songs[:3]]
    table.write_text("\n".join(["path\tbpm\tkey", *rows, f"{tmp_path}/gone.wav\t99\tC major", ""]))
    common = ("evaluate", table, "--windows", 2, "--baseline", "krumhansl", "--out")
    here = run(*common, tmp_path / "here", "--jobs", 1)
    there = run(*common, tmp_path / "there", "--scheduler", scheduler)
    assert there.exit_code == here.exit_code == 1
    assert there.stdout.replace("there/", "here/") == here.stdout
    assert sorted(there.stderr.splitlines()) == sorted(here.stderr.splitlines())
    for name in ("figures.json", ANSWERS_TABLE, KEY_ANSWERS_TABLE):
        paths = [tmp_path / place / name for place in ("here", "there")]
        assert paths[0].read_bytes() == paths[1].read_bytes()
    log = (tmp_path / "there" / "estimates.jsonl").read_text()
    again = run(*common, tmp_path / "there", "--scheduler", scheduler)
    assert again.stdout == there.stdout
    assert (tmp_path / "there" / "estimates.jsonl").read_text() == log


def test_what_tracks_sound_like_is_that_of_threads(
    songs: list[LabelledTrack], engine: Cluster, tmp_path: Path
) -> None:
    path = checkpoint.resolve("default", "tags")
    base = checkpoint.load(path, "tags")
    found = []
    for name, used in (("here", None), ("there", engine)):
        (tmp_path / name).mkdir()
        table = tmp_path / name / "tags.tsv"
        rows = [f"{track.path}\trock" for track in songs[:3]]
        table.write_text("\n".join(["path\ttags", *rows, f"{tmp_path}/gone.wav\trock", ""]))
        labels = read_tag_labels(table)
        options = LearnOptions("tags", jobs=1, quiet=True)
        job = Job(methods.of_task("tags")[0], options, never, used)
        heard = tags.hear_tracks(labels.tracks, labels, base, path, job)
        assert [str(error) for _, error in heard.failed] == ["no such file"]
        again = tags.hear_tracks(labels.tracks, labels, base, path, job)
        assert all(np.array_equal(again.embeddings[k], heard.embeddings[k]) for k in range(3))
        assert labels.sounds is not None
        assert labels.sounds.exists()
        found.append(heard.embeddings)
    assert found[0].keys() == found[1].keys() == {0, 1, 2}
    assert all(np.array_equal(found[0][k], found[1][k]) for k in found[0])


@pytest.mark.slow
def test_inputs_of_fit_are_those_of_threads(
    songs: list[LabelledTrack], engine: Cluster, tmp_path: Path
) -> None:
    model = checkpoint.load(checkpoint.resolve("default"))
    recipe = ViewRecipe(model.front_end, OPTIONS.windows, model.config.grid)
    recordings = [
        Recording(track.path, "x", ((track.bpm, 1.0),), "train", "") for track in songs[:2]
    ]
    here = cache_views(recordings, recipe, tmp_path / "here", 1, quiet=True)
    gone = Recording(tmp_path / "gone.wav", "x", ((100.0, 1.0),), "train", "")
    first, error, second = cache_views_on(
        engine, [recordings[0], gone, recordings[1]], recipe, tmp_path / "there", never, 60.0, True
    )
    assert isinstance(error, AudioError)
    for path, other in zip(here, (first, second), strict=True):
        assert isinstance(other, Path)
        assert other.name == path.name
        assert np.array_equal(read_views(other).maps, read_views(path).maps)


@pytest.mark.slow
def test_other_methods_refuse_a_cluster(scheduler: str, training_set: Path) -> None:
    result = run("train", training_set, "--method", "shift", "--scheduler", scheduler)
    assert result.exit_code == 1
    assert "a scheduler is for the method fit and the task tags" in result.stderr
    network = run("train", training_set, "--network", "tempo", "--scheduler", scheduler)
    assert network.exit_code == 2
