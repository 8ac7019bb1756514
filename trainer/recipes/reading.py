"""Recipes in files: YAML that people write, and what a run writes beside its results.

A file names what it is a recipe `for`, and any of the settings; what it leaves out is as in the
file of the package. A file that a run wrote has all of them, and under `made` what else the result
depends on, so that the run can be repeated with it; `made` is not read again.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from contextlib import suppress
from difflib import get_close_matches
from importlib.resources import files
from pathlib import Path
from typing import Any, TypeVar

import yaml

from tempo_core.config import Config, told
from tempo_core.errors import ConfigError, reason
from tempo_core.strict_yaml import StrictLoader

from ..files import write_text
from .recipe import NAMES, EpochRecipe, FitRecipe, ReferenceRecipe

R = TypeVar("R", bound=EpochRecipe)
FILE = "recipe.yaml"  # beside a run
LARGEST = 100_000  # [bytes] of a file that is read
FOR, MADE = "for", "made"  # keys that are no settings
NO_KEYS = ("from_scratch",)  # fields that are no keys: they follow from what the recipe is for


def fit_recipe(name: str, file: Path | None = None, **given: Any) -> FitRecipe:
    """The recipe to train the default network by: `fit` from the shipped weights, `tempo` without.

    Parameters
    ----------
    file
        A recipe; None is that of the package.
    given
        Settings that win over those of the file; None is as in the file.

    Raises
    ------
    ConfigError
        If the file cannot be read, has an unknown key, a value that is not allowed, or is for
        something else.
    """
    return dataclasses.replace(_read(FitRecipe, name, file, given), from_scratch=name != "fit")


def reference_recipe(name: str, file: Path | None = None, **given: Any) -> ReferenceRecipe:
    """The recipe to train a reference network by; see `fit_recipe`."""
    return _read(ReferenceRecipe, name, file, given)


def seed_in(file: Path) -> int | None:
    """The seed that a recipe names, None if it names none or something that is no seed."""
    seed = _values(file).get("seed")
    return seed if isinstance(seed, int) else None


def shipped(name: str) -> str:
    """The text of the recipe in the package."""
    return files(__package__).joinpath(f"{name}.yaml").read_text(encoding="utf-8")


def write_recipe(folder: Path, name: str, recipe: EpochRecipe, made: Mapping[str, Any]) -> Path:
    """Write a complete recipe beside a run, and return its path.

    Parameters
    ----------
    name
        What it is a recipe for, one of `NAMES`.
    made
        What else the result depends on: versions, data.

    Raises
    ------
    StorageError
        If it cannot be written.
    """
    values = {k: v for k, v in recipe.to_dict().items() if k not in NO_KEYS}
    text = yaml.safe_dump({FOR: name, **values, MADE: dict(made)}, sort_keys=False)
    path = folder / FILE
    folder.mkdir(parents=True, exist_ok=True)
    write_text(path, f"# What a run was made by: `tempo-core train --recipe` takes it.\n{text}")
    return path


def _read(kind: type[R], name: str, file: Path | None, given: Mapping[str, Any]) -> R:
    """The recipe of the package, with what a file and a caller say in its place."""
    recipe = changed(kind(), yaml.safe_load(shipped(name)), f"recipe {name}")
    if file is not None:
        values = _values(file)
        meant = values.get(FOR, name)
        if meant != name:
            raise ConfigError(
                f"{file}: for is {_shown(meant)}; a recipe for {name} is needed here"
                + ("" if meant in NAMES else f", there are recipes for {', '.join(NAMES)}")
            )
        recipe = changed(recipe, values, str(file))
    known = {key: value for key, value in given.items() if value is not None}
    return changed(recipe, known, f"recipe {name}")


def _values(file: Path) -> dict[Any, Any]:
    """The keys and values in a file."""
    try:
        if not file.is_file():
            raise ConfigError(f"no recipe {file}; give a YAML file")
        with file.open("rb") as opened:
            data = opened.read(LARGEST + 1)
        values = yaml.load(data, StrictLoader) if len(data) <= LARGEST else None
    except OSError as error:
        raise ConfigError(f"{file}: cannot be read ({reason(error)})") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        told_ = " ".join(str(error).split())
        raise ConfigError(f"{file}: is no YAML ({told_})") from error
    if not isinstance(values, dict):
        raise ConfigError(f"{file}: is no recipe; give lines such as 'epochs: 20'")
    return values


def changed(recipe: R, values: Mapping[Any, Any], where: str) -> R:
    """A recipe with some of its settings changed, those of parts of it by nested keys.

    Parameters
    ----------
    values
        As they were read from a file; `for` and `made` are no settings.
    where
        Begins the message of an error.

    Raises
    ------
    ConfigError
        If a key is unknown, or a value is not allowed.
    """
    return _merged(recipe, {k: v for k, v in values.items() if k not in (FOR, MADE)}, where, "")


C = TypeVar("C", bound=Config)


def _merged(config: C, values: Mapping[Any, Any], where: str, above: str) -> C:
    """A configuration with some values changed; `above` is the key it stands under, with a dot."""
    fields = {f.name: f for f in dataclasses.fields(config) if f.name not in NO_KEYS}
    changed: dict[str, Any] = {}
    for key, value in values.items():
        if key not in fields:
            raise ConfigError(f"{where}: there is no key {_shown(key, above)}{_meant(key, fields)}")
        now = getattr(config, key)
        if isinstance(now, Config):
            if not isinstance(value, dict):
                raise ConfigError(f"{where}: {above}{key} is {_shown(value)}; keys are needed")
            value = _merged(now, value, where, f"{above}{key}.")
        elif isinstance(value, list) and "names" in fields[key].metadata:
            value = tuple(value)
        elif isinstance(value, (dict, list)):
            raise ConfigError(f"{where}: {above}{key} is {_shown(value)}; one value is needed")
        changed[key] = _number(value) if isinstance(now, float) else value
        try:
            config = dataclasses.replace(config, **{key: changed[key]})
        except ConfigError as error:
            told_ = str(error).removeprefix(f"{type(config).__name__}.")
            raise ConfigError(f"{where}: {above}{told_}") from error
    return config


def _number(value: object) -> object:
    """A number as float, also one that YAML 1.1 takes for text, such as 1e-3; else the value."""
    if isinstance(value, (str, int)) and not isinstance(value, bool):
        with suppress(ValueError, OverflowError):
            return float(value)
    return value


def _meant(key: object, fields: Mapping[str, Any]) -> str:
    """The end of a message about an unknown key: the one that may be meant, or all of them."""
    near = get_close_matches(str(key)[:100], fields, 1)
    return f"; is {near[0]} meant?" if near else f"; there are {', '.join(fields)}"


def _shown(value: object, above: str = "") -> str:
    """A value or a key in a message; what is nested may be beyond measure when written out."""
    if isinstance(value, (dict, list, tuple)):
        return "a list or keys"
    return told(f"{above}{value}") if isinstance(value, str) else told(value)
