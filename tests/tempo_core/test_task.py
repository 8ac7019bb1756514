"""Tests of the table of tasks, and of the path of a track through a task."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tempo_core.columns import Column
from tempo_core.config import Config
from tempo_core.task import in_order
from tempo_core.tasks import TASKS, columns, row

NEEDS = {"a": (), "b": ("a",), "c": ("b", "a"), "d": ("c", "e"), "e": ()}


def test_a_task_comes_after_those_that_it_needs() -> None:
    assert in_order(["d"], NEEDS.__getitem__) == ["a", "b", "c", "e", "d"]
    assert in_order(["e", "a"], NEEDS.__getitem__) == ["e", "a"]
    assert in_order(["b", "a", "b"], NEEDS.__getitem__) == ["a", "b"]
    assert in_order([], NEEDS.__getitem__) == []


@given(st.permutations(sorted(NEEDS)), st.integers(1, 5))
def test_each_comes_once_whatever_is_asked_first(names: list[str], n: int) -> None:
    order = in_order(names[:n], NEEDS.__getitem__)
    assert len(order) == len(set(order))
    assert set(names[:n]) <= set(order)
    for place, name in enumerate(order):
        assert set(NEEDS[name]) <= set(order[:place])


@pytest.mark.parametrize(
    ("needs", "message"),
    [
        ({"a": ("a",)}, "a → a"),
        ({"a": ("b",), "b": ("a",)}, "a → b → a"),
        ({"a": ("d", "b"), "b": ("c",), "c": ("a",), "d": ()}, "a → b → c → a"),
    ],
)
def test_tasks_that_need_each_other_are_refused(
    needs: dict[str, tuple[str, ...]], message: str
) -> None:
    with pytest.raises(ValueError, match=f"tasks need each other: {message}"):
        in_order(["a"], needs.__getitem__)


@pytest.mark.parametrize("name", TASKS)
def test_a_row_keeps_what_the_table_promises(name: str) -> None:
    task = row(name)
    assert task.name == name
    assert set(task.needs) <= set(TASKS)
    config = task.config()
    assert task.config.from_dict(config.to_dict()) == config
    definition = task.network(task.front_end(), config)
    assert definition.layers
    assert all(isinstance(column, Column) for column in columns(name))
    known = [column.name for other in TASKS for column in columns(other)]
    assert len(known) == len(set(known))
    fields = [c.field for other in TASKS for c in columns(other) if c.field]
    assert len(fields) == len(set(fields))


def test_columns_need_no_numpy() -> None:
    """Columns are known without NumPy, since beets reads the fields at every start."""
    code = (
        "import sys; from tempo_core.tasks import TASKS, columns; "
        "print([c.name for t in TASKS for c in columns(t)], 'numpy' in sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == (
        "['bpm', 'confidence', 'octave_confidence', 'stability', 'tempo_range', 'paces', 'key', "
        "'key_confidence', 'beat_confidence', 'first_beat', 'downbeat', 'downbeat_confidence', "
        "'grid', 'sound_tags'] False\n"
    )


def test_columns_are_plain_and_text() -> None:
    from tempo_core.paces import Pace

    (paces,) = columns("pace")
    value = (Pace(128.0, 0.97), Pace(64.0, 0.5))
    assert paces.plain(value) == [
        {"bpm": 128.0, "probability": 0.97}, {"bpm": 64.0, "probability": 0.5},
    ]  # fmt: skip
    assert paces.text(value) == "128:0.97 64:0.50"
    assert np.dtype(columns("tempo")[0].kind) == float


def test_a_row_that_no_model_file_could_hold_is_refused() -> None:
    @dataclass(frozen=True)
    class Card(Config):
        card: int = 1

    with pytest.raises(ValueError, match="letters"):
        replace(row("tempo"), name="my_task")
    with pytest.raises(ValueError, match="card"):
        replace(row("tempo"), config=Card)
