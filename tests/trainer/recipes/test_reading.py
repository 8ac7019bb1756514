"""Tests of recipes: what is in the package, and what is read of a file and refused in one line."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest
import yaml

from tempo_core.errors import ConfigError
from tempo_core.strict_yaml import StrictLoader
from trainer.recipes.reading import (
    fit_recipe,
    reference_recipe,
    seed_in,
    shipped,
    write_recipe,
)
from trainer.recipes.recipe import NAMES, Augmenting, EpochRecipe, FitRecipe


def read(name: str, file: Path | None = None, **given: object) -> EpochRecipe:
    make = fit_recipe if name in ("fit", "tempo") else reference_recipe
    return make(name, file, **given)


def write(folder: Path, text: str) -> Path:
    path = folder / "my.yaml"
    path.write_text(text)
    return path


@pytest.mark.parametrize("name", NAMES)
def test_the_package_has_a_whole_recipe_for_each(name: str) -> None:
    values = yaml.safe_load(shipped(name))
    recipe = read(name)
    assert values.pop("for") == name
    assert values == {k: v for k, v in recipe.to_dict().items() if k != "from_scratch"}
    for line in shipped(name).splitlines():  # each key is explained
        assert line.startswith(("#", "for:")) or re.search(r"\S\s+# \S", line), line


def test_the_recipe_of_fit_is_that_of_its_class() -> None:
    assert fit_recipe("fit") == FitRecipe()
    assert fit_recipe("tempo").from_scratch


@pytest.mark.parametrize("name", NAMES)
def test_what_a_run_wrote_repeats_it(name: str, tmp_path: Path) -> None:
    recipe = dataclasses.replace(
        read(name), epochs=3, seed=17, augmentation=Augmenting(1, 0.5, 0.0), schedule="cosine"
    )
    path = write_recipe(tmp_path / "run", name, recipe, {"versions": {"torch": "2"}})
    assert read(name, path) == recipe
    assert seed_in(path) == 17
    assert yaml.safe_load(path.read_text())["made"] == {"versions": {"torch": "2"}}


def test_a_file_says_only_what_is_different(tmp_path: Path) -> None:
    path = write(tmp_path, "learning_rate: 1e-3\naugmentation: {tone: 0}\npool: mode\n")
    recipe = reference_recipe("mobilenet", path, epochs=2, seed=None)
    usual = reference_recipe("mobilenet")
    assert recipe == dataclasses.replace(
        usual, learning_rate=0.001, epochs=2, pool="mode",
        augmentation=dataclasses.replace(usual.augmentation, tone=0.0),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("learningrate: 3", "there is no key 'learningrate'; is learning_rate meant?"),
        ("xyz: 1", "there is no key 'xyz'; there are epochs, "),
        ("augmentation: {strech: 9}", "there is no key 'augmentation.strech'; is stretch meant?"),
        ("from_scratch: true", "there is no key 'from_scratch'"),
        ("1: 2", "there is no key 1"),
        ("epochs: 0", "epochs is 0; a whole number from 1 to 100000 is needed"),
        ("epochs: 2.5", "epochs is 2.5; a whole number"),
        ("epochs: many", "epochs is 'many'; a whole number"),
        ("epochs: 2026-01-01", "epochs is datetime.date"),
        ("learning_rate: yes", "learning_rate is True; a number"),
        ("augmentation: 3", "augmentation is 3; keys are needed"),
        ("augmentation: {stretch: 99}", "augmentation.stretch is 99; a whole number from 0 to 12"),
        ("augmentation: {tone: .nan}", "augmentation.tone is nan; a number from 0 to 3"),
        ("schedule: linear", "schedule is 'linear'; it must be one of one-cycle, cosine, constant"),
        ("schedule: [a]", "schedule is a list or keys; one value is needed"),
        ("for: mobilenet", "for is 'mobilenet'; a recipe for convblocks is needed here"),
        ("for: resnet", "there are recipes for fit, tempo, convblocks, mobilenet"),
        ("epochs: 1\nepochs: 2", "is no YAML (the key 'epochs' is there twice"),
        ("a: &a {epochs: 1}\n<<: [*a, *a]", "is no YAML (keys cannot be merged"),
        ("augmentation: {<<: {tone: 0}}", "is no YAML (keys cannot be merged"),
        ("seed: -1", "seed is -1; a whole number from 0 to 4294967295 is needed"),
        ("- 1", "is no recipe; give lines such as 'epochs: 20'"),
        ("", "is no recipe"),
        ("a: [", "is no YAML"),
        ("\x00", "is no YAML"),
        ("!!python/object/apply:os.system ['echo']", "is no YAML (could not determine"),
        ("epochs: &a [x]\nseed: *a", "epochs is a list or keys"),
    ],
)
def test_what_makes_no_sense_is_one_line(text: str, message: str, tmp_path: Path) -> None:
    path = write(tmp_path, text)
    with pytest.raises(ConfigError) as error:
        reference_recipe("convblocks", path)
    assert str(error.value).startswith(f"{path}: ")
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_a_list_that_doubles_itself_is_not_written_out(tmp_path: Path) -> None:
    lines = ["a0: &a0 [x, x]", *(f"a{k}: &a{k} [*a{k - 1}, *a{k - 1}]" for k in range(1, 60))]
    with pytest.raises(ConfigError, match="there is no key 'a0'"):
        reference_recipe("convblocks", write(tmp_path, "\n".join(lines)))
    with pytest.raises(ConfigError, match="is a list or keys"):
        reference_recipe("convblocks", write(tmp_path, "\n".join([*lines[:0], *_nested()])))


def _nested() -> list[str]:
    return ["epochs: [&b [x, x], &c [*b, *b], &d [*c, *c], &e [*d, *d]]"]


def test_each_of_many_keys_is_compared_at_most_once(tmp_path: Path) -> None:
    path = write(tmp_path, "".join(f"k{n}:\n" for n in range(2_000)))
    looked_at = 0

    class Key(str):
        """A key that counts how often it is compared."""

        __slots__ = ()
        __hash__ = str.__hash__

        def __eq__(self, other: object) -> bool:
            nonlocal looked_at
            looked_at += 1
            return str.__eq__(self, other)

    node = yaml.compose(path.read_text(), Loader=yaml.SafeLoader)
    assert isinstance(node, yaml.MappingNode)
    for key, _ in node.value:
        key.value = Key(key.value)
    StrictLoader("").construct_mapping(node)
    assert looked_at < 2_000
    with pytest.raises(ConfigError, match="there is no key 'k0'"):
        reference_recipe("convblocks", path)


def test_a_file_that_is_not_there_or_too_large(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no recipe"):
        reference_recipe("convblocks", tmp_path / "none.yaml")
    with pytest.raises(ConfigError, match="no recipe"):
        reference_recipe("convblocks", tmp_path)
    with pytest.raises(ConfigError, match="is no recipe"):
        reference_recipe("convblocks", write(tmp_path, "# long\n" * 20_000))
