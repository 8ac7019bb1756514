"""Tests that a task which is added to the table has its fields in the library."""

from __future__ import annotations

from pathlib import Path

import pytest

from beetsplug.tempo import TempoPlugin
from tempo_core import Estimator, in_use
from tests import toys

from ..conftest import MakeAudio
from .conftest import Beet


@pytest.fixture(autouse=True)
def _toys(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, home: Path) -> None:
    toys.register(monkeypatch)
    for name in toys.TOYS:
        in_use.activate(in_use.add(toys.save(tmp_path, name)).name, name)


@pytest.fixture
def brightness(beet: Beet, make_audio: MakeAudio) -> float:
    """The field of the toy task of the only song in the library."""
    path = make_audio("a.flac", bpm=126, duration=15, title="A", artist="B")
    beet.add(path)
    estimate = Estimator(tasks=("tempo", "toy")).estimate(path)
    return float(estimate.columns["brightness"])


def test_its_fields_are_numbers_and_words_to_beets(beet: Beet) -> None:
    beet.load()
    types = TempoPlugin().item_types
    assert types["toy_brightness"].model_type is float
    assert types["toy_for_tempo"].model_type is float
    assert types["toy_speed"].model_type is str
    assert "toy_brightness" not in TempoPlugin.item_types


def test_beet_tempo_sets_its_field(beet: Beet, brightness: float) -> None:
    beet.configure(tempo={"tasks": ["tempo", "pace", "toy"]})
    run = beet("tempo")
    assert run.code == 0, run.err
    item = beet.item()
    assert item.toy_brightness == pytest.approx(brightness)
    assert item.bpm == 126
    assert item.tempo_confidence > 0.5
    assert "toy_for_tempo" not in item
    for query, found in (
        (f"toy_brightness:{brightness - 0.1}..{brightness + 0.1}", True),
        (f"toy_brightness:{brightness + 0.1}..", False),
        # As text 0.5 would be above 00.1 and below 5.
        (f"toy_brightness:00..{brightness + 0.1}", True),
        ("toy_brightness:5..", False),
    ):
        assert bool(beet("ls", query).out.strip()) == found, query
    shown = beet("ls", "-f", "$toy_brightness").out.strip()
    assert float(shown) == pytest.approx(brightness, abs=0.01)


@pytest.mark.usefixtures("brightness")
def test_one_that_needs_the_tempo_sets_its_fields(beet: Beet) -> None:
    beet.configure(tempo={"tasks": ["tempo", "toyoftempo"]})
    assert beet("tempo").code == 0
    item = beet.item()
    assert item.toy_speed == "fast"
    assert 0 < item.toy_for_tempo < 1
    assert "toy_brightness" not in item
    assert beet("ls", "toy_speed:fast").out.strip()


@pytest.mark.usefixtures("brightness")
def test_a_task_that_is_not_asked_for_sets_nothing(beet: Beet) -> None:
    assert beet("tempo").code == 0
    item = beet.item()
    assert item.tempo_confidence > 0.5
    assert not any(field.startswith("toy_") for field in item.keys())  # noqa: SIM118


@pytest.mark.parametrize("names", [["toy"], ["tempo", "weather"], []])
def test_tasks_without_the_tempo_or_that_do_not_exist_are_refused(
    beet: Beet, names: list[str]
) -> None:
    beet.configure(tempo={"tasks": names})
    run = beet("tempo")
    assert run.code != 0
    assert (
        "must be some of tempo, pace, key, beats, tags, toy, toyoftempo, tempo among them"
        in run.err
    )
