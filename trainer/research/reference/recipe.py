"""What may be set about the training of a network for tags, and recipes in JSON files.

A file may leave out any setting. What a run writes beside its results has all of them, and under
`made` what else the result depends on; it can be given to the next run as it is.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from tempo_core.config import Config, choice, names, setting, told
from tempo_core.errors import ConfigError, reason

from ...files import write_text
from ...recipes.reading import LARGEST, MADE, changed
from ...recipes.recipe import EpochRecipe
from .inputs import DEFAULT, InputConfig

FILE = "recipe.json"  # beside a run
ARROW = " > "  # between a tag and what it is merged into


@dataclass(frozen=True)
class Cleaning(Config):
    """Which tags are learned, and which tracks on which side.

    `merge` has lines such as `hiphop > hip-hop`; `drop` names tags to leave out. Of what is left
    the `most` most frequent tags are kept that `least` tracks have. Tags with a weight below
    `least_weight` do not count, where a source has weights (of 100).

    `sides` is for sources that state a split: `apart` leaves out what would put an artist on two
    sides, training tracks before others, so that the test stays complete; `stated` takes the split
    as it is, for figures that are comparable with published ones; `anew` divides again, by artist.
    """

    merge: tuple[str, ...] = names(10_000)
    drop: tuple[str, ...] = names(10_000)
    most: int = setting(50, 1, 10_000)
    least: int = setting(20, 1, 10_000_000)  # tracks
    least_weight: float = setting(0.0, 0.0, 100.0)
    sides: str = choice("apart", "stated", "anew")

    def __post_init__(self) -> None:
        super().__post_init__()
        for line in self.merge:
            old, arrow, new = line.partition(ARROW)
            if not (old.strip() and arrow and new.strip()):
                raise ConfigError(
                    f"Cleaning.merge has {told(line)}; give lines such as 'hiphop > hip-hop'"
                )


@dataclass(frozen=True)
class Sizes(Config):
    """Sizes of a network. The paper has 64 channels, 512 filters and 500 units."""

    channels: int = setting(16, 4, 512)  # of the front end; its layers have some times as many
    filters: int = setting(64, 4, 4096)  # of each convolution of the back end
    units: int = setting(100, 2, 8192)  # of the dense layer
    dropout: float = setting(0.5, 0.0, 0.95)


@dataclass(frozen=True)
class TagRecipe(EpochRecipe):
    """How a network for tags is trained.

    `monitor` is what chooses the best epoch and ends the training: the mean average precision
    (`auc_pr`) or the loss on the validation side.
    """

    learning_rate: float = setting(1e-3, 1e-8, 1.0)  # at its highest
    batch: int = setting(16, 2, 4096)  # windows
    patience: int = setting(10, 1, 100_000)
    monitor: str = choice("auc_pr", "loss")
    inputs: InputConfig = DEFAULT
    sizes: Sizes = Sizes()
    cleaning: Cleaning = Cleaning()


def read_recipe(file: Path | None, **given: Any) -> TagRecipe:
    """The recipe in a JSON file.

    Parameters
    ----------
    file
        What it leaves out is as in `TagRecipe`; None leaves out everything.
    given
        Settings that win over those of the file; None is as in the file.

    Raises
    ------
    ConfigError
        If the file cannot be read or is no JSON, or has an unknown key or a value that is not
        allowed.
    """
    recipe = TagRecipe()
    if file is not None:
        recipe = changed(recipe, _values(file), str(file))
    return changed(recipe, {k: v for k, v in given.items() if v is not None}, "recipe")


def shipped(name: str) -> TagRecipe:
    """A recipe of this package: `songs-logmel` or `songs-waveform`, small ones for a CPU."""
    text = (files(__package__) / "recipes" / f"{name}.json").read_text(encoding="utf-8")
    return changed(TagRecipe(), json.loads(text), f"recipe {name}")


def write_recipe(folder: Path, recipe: TagRecipe, made: Mapping[str, Any]) -> Path:
    """Write a complete recipe beside a run, and return its path.

    Raises
    ------
    StorageError
        If it cannot be written.
    """
    path = folder / FILE
    folder.mkdir(parents=True, exist_ok=True)
    write_text(path, json.dumps({**recipe.to_dict(), MADE: dict(made)}, indent=1) + "\n")
    return path


def _values(file: Path) -> dict[str, Any]:
    try:
        if not file.is_file():
            raise ConfigError(f"no recipe {file}; give a JSON file")
        with file.open("rb") as opened:
            data = opened.read(LARGEST + 1)
        if len(data) > LARGEST:
            raise ConfigError(f"{file}: is larger than {LARGEST} bytes; give a recipe")
        values = json.loads(data, object_pairs_hook=_each_once)
    except OSError as error:
        raise ConfigError(f"{file}: cannot be read ({reason(error)})") from error
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{file}: is no JSON ({reason(error)})") from error
    if not isinstance(values, dict):
        raise ConfigError(f'{file}: is no recipe; give an object such as {{"epochs": 20}}')
    return values


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object of JSON; of a key that is there twice, the last one would win."""
    values = dict(pairs)
    if len(values) != len(pairs):
        twice = next(key for k, (key, _) in enumerate(pairs) if key in dict(pairs[:k]))
        raise ValueError(f"the key {told(twice)} is there twice")
    return values
