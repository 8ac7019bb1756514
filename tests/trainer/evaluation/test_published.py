"""Tests of published data sets, with tiny copies of their folders and of mirdata's index."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tempo_core.errors import ConfigError
from trainer.evaluation.published import DATASETS, read_dataset


@pytest.fixture
def gtzan(tmp_path: Path) -> tuple[Path, Path]:
    """A data set of three tracks: with a label, without one, and with one that is no number."""
    home = tmp_path / "gtzan"
    tracks = {}
    for name, label in (("disco.00000", "121.5\n"), ("jazz.00054", None), ("rock.00001", "?\n")):
        audio = f"gtzan_genre/genres/{name.split('.')[0]}/{name}.wav"
        tempo = f"gtzan_tempo_beat-main/tempo/gtzan_{name.replace('.', '_')}.bpm"
        beats = tempo.replace(".bpm", ".beats")
        (home / audio).parent.mkdir(parents=True, exist_ok=True)
        (home / audio).touch()
        (home / tempo).parent.mkdir(parents=True, exist_ok=True)
        if label is not None:
            (home / tempo).write_text(label)
        tracks[name] = {
            "audio": [audio, ""],
            "beats": [beats, ""],
            "tempo": [None if label is None else tempo, ""],
        }
    index = tmp_path / "index.json"
    index.write_text(json.dumps({"version": "1.0", "tracks": tracks}))
    return home, index


def test_gtzan(gtzan: tuple[Path, Path]) -> None:
    home, index = gtzan
    (track,), problems = read_dataset("gtzan_genre", home, index=index)
    assert (track.bpm, track.genre, track.set) == (121.5, "disco", "gtzan_genre")
    assert track.path == home / "gtzan_genre/genres/disco/disco.00000.wav"
    assert [problem.split(":")[0] for problem in problems] == [
        "gtzan_genre, track jazz.00054",
        "gtzan_genre, track rock.00001",
    ]


def test_giantsteps_has_two_tempi_and_their_salience(tmp_path: Path) -> None:
    home = tmp_path / "gs"
    base = "giantsteps-tempo-dataset-0b7d47ba8cae59d3535a02e3db69e2cf6d0af5bb/annotations"
    entry = {
        "annotations": [
            {
                "data": [
                    {"time": 0.0, "duration": 120.0, "value": 70.0, "confidence": 0.3},
                    {"time": 0.0, "duration": 120.0, "value": 140.0, "confidence": 0.7},
                ]
            },
            {"data": [{"value": "dubstep"}]},
        ]
    }
    paths = {
        "audio": "audio/1030011.LOFI.mp3",
        "annotation_v1": f"{base}/jams/1030011.LOFI.jams",
        "annotation_v2": f"{base}_v2/jams/1030011.LOFI.jams",
    }
    for path in paths.values():
        (home / path).parent.mkdir(parents=True, exist_ok=True)
        (home / path).write_text(json.dumps(entry))
    index = tmp_path / "index.json"
    tracks = {"1030011": {key: [path, ""] for key, path in paths.items()}}
    index.write_text(json.dumps({"version": "2.0", "tracks": tracks}))
    (track,), problems = read_dataset("giantsteps_tempo", home, index=index)
    assert problems == []
    assert (track.bpm, track.alternatives, track.genre) == (140.0, (70.0,), "dubstep")
    assert track.weight == pytest.approx(0.7)


def test_ballroom(tmp_path: Path) -> None:
    home = tmp_path / "ballroom"
    paths = {
        "audio": "B_1.0/audio/BallroomData/Waltz/Media-1.wav",
        "beats": "B_1.0/annotations/beats/Media-1.beats",
        "tempo": "B_1.0/annotations/tempo/ballroomGroundTruth/Media-1.bpm",
    }
    for path in paths.values():
        (home / path).parent.mkdir(parents=True, exist_ok=True)
        (home / path).write_text("87\n")
    index = tmp_path / "index.json"
    tracks = {"Media-1": {key: [path, ""] for key, path in paths.items()}}
    index.write_text(json.dumps({"version": "1.0", "tracks": tracks}))
    (track,), _ = read_dataset("ballroom", home, index=index)
    assert (track.bpm, track.genre) == (87.0, "waltz")


@pytest.mark.parametrize("name", DATASETS)
def test_without_an_index_it_says_what_to_do(name: str, tmp_path: Path) -> None:
    index = tmp_path / "none.json"
    with pytest.raises(ConfigError, match=r"none\.json.*add --download to fetch it"):
        read_dataset(name, tmp_path, index=index)


def test_nothing_is_downloaded_unless_asked_for(tmp_path: Path) -> None:
    """Only an option allows a download, which fails here because tests have no network."""
    with pytest.raises(ConfigError, match=r"cannot be downloaded"):
        read_dataset("gtzan_genre", tmp_path / "home", index=tmp_path / "i.json", download=True)


def test_missing_audio_is_said_once(gtzan: tuple[Path, Path], tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none of its 3 audio files .*disco\.00000\.wav"):
        read_dataset("gtzan_genre", tmp_path / "elsewhere", index=gtzan[1])


@pytest.mark.parametrize("content", ["", "{}", "[]", "\xff"])
def test_a_damaged_index_is_refused(tmp_path: Path, content: str) -> None:
    index = tmp_path / "index.json"
    index.write_bytes(content.encode("latin-1"))
    with pytest.raises(ConfigError, match="no index of mirdata's"):
        read_dataset("ballroom", tmp_path, index=index)


def test_unknown_names(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="give one of ballroom"):
        read_dataset("nosuch", tmp_path)
    with pytest.raises(ConfigError, match="Invalid version"):
        read_dataset("ballroom", tmp_path, version="9")
