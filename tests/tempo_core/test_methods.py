"""Tests of the rows of learning methods: choice by the number of labels, and options."""

from __future__ import annotations

from importlib import import_module

import pytest

from tempo_core import methods
from tempo_core.tasks import TASKS


@pytest.mark.parametrize("method", methods.METHODS, ids=lambda method: method.name)
def test_a_row_names_a_task_and_a_module_that_learns(method: methods.Method) -> None:
    assert method.task in TASKS
    assert callable(import_module(f"trainer.learning.{method.module}").learn)


def test_each_task_has_a_method_for_any_number_of_labels() -> None:
    for task in methods.tasks():
        least = [method.labels_from for method in methods.of_task(task)]
        assert least[0] == 0
        assert least == sorted(set(least))
        for method in methods.of_task(task):
            assert methods.for_labels(task, method.labels_from) is method


def test_what_may_be_chosen_and_said() -> None:
    assert methods.tasks() == ("tempo", "pace", "key", "tags", "notes")
    assert methods.names("tempo") == methods.choices() == ("auto", "shift", "adapt", "fit")
    assert methods.names("pace") == ("auto", "paces")
    assert set(methods.options("tempo")) == {
        "method", "from_scratch", "epochs", "nodes", "devices", "accelerator", "guard",
    }  # fmt: skip
    assert methods.names("key") == ("auto", "keys")
    assert methods.options("pace") == methods.options("key") == ()
    assert methods.options("tags") == ("field", "min_tracks")
    assert methods.with_option("epochs") == ("adapt", "fit", "notes")
