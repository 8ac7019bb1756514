"""Where the output of each of several files goes: into a file, a folder, or names by a template."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from ..addresses import is_address, is_folder, place_of
from ..console import shown
from ..errors import ConfigError
from ..files import STDOUT, named

PRINTED = "-"  # the name of standard output, as other programs have it
NAME, FOLDER = "{name}", "{folder}"  # in templates: of the audio file, and of the folder it is in


@dataclass(frozen=True)
class Target:
    """What an option names: a folder, a template with `{name}` in it, a single file, or `PRINTED`.

    Files in a folder get `ending`.
    """

    name: str
    ending: str
    is_folder: bool

    @property
    def is_template(self) -> bool:
        """Whether the name of the audio file is put in."""
        return NAME in self.name

    @property
    def is_printed(self) -> bool:
        """Whether it is standard output."""
        return self.name == PRINTED

    def of(self, path: str) -> Path:
        """The path for the output of an audio file."""
        if self.is_printed:
            return STDOUT
        path = place_of(path)
        audio = Path(path)
        if self.is_folder:
            return Path(self.name) / named(audio.stem, self.ending)
        if not self.is_template:
            return Path(self.name)
        folder = Path(os.path.abspath(path)).parent.name  # noqa: PTH100  # resolve() follows links
        return Path(self.name.replace(NAME, audio.stem).replace(FOLDER, folder))


def target(option: str, name: str, files: Sequence[str], ending: str) -> Target:
    """What an option means for the files or folders that were given.

    Parameters
    ----------
    ending
        Ending of the files that are made in a folder.

    Raises
    ------
    click.UsageError
        If it is empty, one file for several, or in no folder.
    """
    if not name:
        raise click.UsageError(f"{option} names nothing")
    several = len(files) > 1 or any(map(is_several, files))
    if name == PRINTED:
        if several:
            raise click.UsageError(
                f"{option} {PRINTED} is one output for several files; give a folder, or a name "
                f"with {NAME} in it"
            )
        return Target(name, ending, is_folder=False)
    separators = (os.sep, os.altsep or os.sep)
    is_folder = name.endswith(separators) or Path(name).is_dir()
    found = Target(name, ending, is_folder or (several and NAME not in name))
    if found.is_template or is_folder:
        return found
    if several:
        if Path(name).is_file() or Path(name).suffix:
            raise click.UsageError(
                f"{option} {shown(name)} is one file for several; give a folder, or a name with "
                f"{NAME} in it"
            )
    elif not Path(name).parent.is_dir():
        raise click.UsageError(f"{option} {shown(name)}: there is no folder {Path(name).parent}")
    return found


def is_several(place: str) -> bool:
    """Whether a place is a folder, or the address of something like one."""
    return Path(place).is_dir() or (is_address(place) and is_folder(place))


class Destinations:
    """Paths of outputs, no two of them alike, and none of them that of an input.

    Parameters
    ----------
    inputs
        Files that must stay as they are.
    """

    def __init__(self, inputs: Iterable[str]) -> None:
        self._inputs = {identity for path in inputs if (identity := _identity(path))}
        self._taken: set[str] = set()

    def take(self, path: Path) -> Path | ConfigError:
        """The path, or with a number behind its name if it is taken; the error if it is an input.

        Names that differ in capitals only are one file on many systems.
        """
        chosen, number = path, 1
        while (key := os.path.normcase(os.path.abspath(chosen)).casefold()) in self._taken:  # noqa: PTH100
            number += 1
            chosen = path.with_name(named(path.stem, f" ({number}){path.suffix}"))
        self._taken.add(key)
        if _identity(chosen) in self._inputs:
            return ConfigError(f"{chosen} is one of the files to read, and is not overwritten")
        return chosen


def _identity(path: str | Path) -> tuple[int, int] | None:
    """What two names of one file have in common; None if there is none."""
    try:
        found = Path(path).stat()
    except (OSError, ValueError):
        return None
    return found.st_dev, found.st_ino
