"""Tests of recipes in JSON."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tempo_core.errors import ConfigError
from tests.trainer.research.reference.conftest import SMALL
from trainer.research.reference.__main__ import SMALL as SHIPPED
from trainer.research.reference.recipe import Cleaning, read_recipe, shipped, write_recipe


def test_what_a_run_writes_can_be_run_again(tmp_path: Path) -> None:
    cleaning = Cleaning(merge=("a > b",), drop=("c",), sides="stated")
    recipe = read_recipe(None, cleaning=cleaning.to_dict(), seed=7)
    path = write_recipe(tmp_path, recipe, {"data": "0123"})
    assert json.loads(path.read_text())["made"] == {"data": "0123"}
    assert read_recipe(path) == recipe
    assert read_recipe(write_recipe(tmp_path, SMALL, {}), seed=None) == SMALL
    assert read_recipe(path, seed=8).seed == 8


@pytest.mark.parametrize("name", SHIPPED)
def test_recipes_of_the_package(name: str) -> None:
    recipe = shipped(name)
    assert recipe.inputs.front_end in name
    assert recipe.cleaning == shipped(SHIPPED[0]).cleaning


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"epoch": 3}', "there is no key 'epoch'; is epochs meant"),
        ('{"inputs": {"windows": 3}}', "there is no key 'inputs.windows'"),
        ('{"inputs": {"window": 0.1}}', "inputs.window is 0.1; a number from 1 to 60"),
        ('{"inputs": 3}', "keys are needed"),
        ('{"epochs": [3]}', "one value is needed"),
        ('{"monitor": "f1"}', "must be one of auc_pr, loss"),
        ('{"cleaning": {"merge": ["a = b"]}}', "give lines such as 'hiphop > hip-hop'"),
        ('{"cleaning": {"drop": [3]}}', "different names"),
        ('{"epochs": 3, "epochs": 4}', "the key 'epochs' is there twice"),
        ("[3]", "is no recipe"),
        ("epochs: 3", "is no JSON"),
        ("[" * 100_000, "is no JSON"),
        ('{"a": "' + "a" * 100_000, "larger than 100000 bytes"),
    ],
)
def test_what_is_no_recipe_is_one_message(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "r.json"
    path.write_text(text)
    with pytest.raises(ConfigError, match=message) as raised:
        read_recipe(path)
    assert "\n" not in str(raised.value)


def test_a_recipe_that_is_missing(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no recipe"):
        read_recipe(tmp_path / "none.json")
