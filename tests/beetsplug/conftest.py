"""Fixtures of beets as a user has it: a configuration file, a library and the command line."""

from __future__ import annotations

import copy
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import beets
import beets.plugins
import beets.ui
import numpy as np
import pytest
import yaml
from beets import logging
from beets.library import Item, Library
from beets.util import cached_classproperty
from confuse import yaml_util

from tempo_core import Estimate, Estimator
from tests.audio import chord_song, click_track, write_audio

TempoOf = Callable[[Path], Estimate]
BpmOf = Callable[[Path], int]

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Run:
    """Exit status and output of a command."""

    code: int
    out: str
    err: str


class Beet:
    """Runner of commands of beets: `beet("ls", "bpm:120..")` runs one in this process.

    Every command reads the configuration file again.
    """

    def __init__(self, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.music = home / "music"
        self.database = home / "library.db"
        self.music.mkdir()
        self._home = home
        self._capsys = capsys
        self._settings: dict[str, Any] = {
            "directory": str(self.music),
            "library": str(self.database),
            "plugins": ["tempo"],
            "threaded": True,
            "create_backup_before_migrations": False,
            "ui": {"color": False},
            "import": {"autotag": False, "copy": True, "resume": False},
            "tempo": {"threads": 2},
        }
        self.configure()
        self._libraries: list[Library] = []

    def configure(self, **settings: Any) -> None:
        """Change settings in the configuration file; a section is merged with the existing one."""
        for name, value in settings.items():
            if isinstance(value, dict):
                self._settings[name] = {**self._settings.get(name, {}), **value}
            else:
                self._settings[name] = value
        (self._home / "beets" / "config.yaml").write_text(yaml.safe_dump(self._settings))

    def __call__(self, *args: str | Path) -> Run:
        forget_beets()
        self._capsys.readouterr()
        code = 0
        try:
            beets.ui.main([str(arg) for arg in args])
        except SystemExit as error:
            code = int(error.code or 0)
        return Run(code, *self._capsys.readouterr())

    def load(self) -> None:
        """Load settings and plugins without running a command."""
        forget_beets()
        beets.plugins.load_plugins()

    def start(self, *args: str | Path) -> subprocess.Popen[str]:
        """Start a command in a process of its own."""
        return subprocess.Popen(
            [sys.executable, "-m", "beets", *map(str, args)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )

    @property
    def library(self) -> Library:
        """The library, opened again so that it has what commands stored."""
        library = Library(str(self.database), str(self.music))
        self._libraries.append(library)
        return library

    def items(self, query: str = "") -> list[Item]:
        return list(self.library.items(query))

    def item(self, query: str = "") -> Item:
        (item,) = self.items(query)
        return item

    def add(self, *paths: Path, **fields: Any) -> None:
        """Add files to the library at their paths, without an analysis, with values of fields."""
        library = self.library
        for path in paths:
            item = Item.from_path(os.fsencode(path))
            mtime = item.mtime
            item.update(fields)
            item.mtime = mtime
            library.add(item)

    def close(self) -> None:
        for library in self._libraries:
            library._close()


def n_transactions(file: Path) -> int:
    """Number of transactions that have changed a file of SQLite, from its header."""
    return int.from_bytes(file.read_bytes()[24:28], "big")


def forget_beets() -> None:
    """Reset the state that a command of beets leaves in this process."""
    beets.plugins._instances.clear()
    beets.plugins.BeetsPlugin.listeners.clear()
    beets.plugins.BeetsPlugin._raw_listeners.clear()
    cached_classproperty.cache.clear()
    for handler in logging.getLogger("beets").handlers:
        if type(handler) is logging.StreamHandler:  # pytest adds others of its own
            handler.stream = sys.stderr  # pytest replaces it for each test
    beets.config.clear()
    beets.config._materialized = False


@pytest.fixture(scope="session", autouse=True)
def _settings_parsed_once() -> Iterator[None]:
    """Parse settings of one content only once, since that takes longer than most commands."""
    parse = yaml_util.load_yaml
    parsed: dict[bytes, Any] = {}

    def load_yaml(filename: str, loader: Any = yaml_util.Loader) -> Any:
        try:
            content = Path(filename).read_bytes()
        except OSError:
            return parse(filename, loader)  # says it as it does
        if content not in parsed:
            parsed[content] = parse(filename, loader)
        return copy.deepcopy(parsed[content])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(yaml_util, "load_yaml", load_yaml)
        yield


@pytest.fixture(scope="session")
def tempo_of() -> TempoOf:
    """Function that estimates a file with the shipped model; same content, same result object."""
    estimator = Estimator()
    known: dict[bytes, Estimate] = {}

    def estimate(path: Path) -> Estimate:
        content = hashlib.sha256(path.read_bytes()).digest()
        if content not in known:
            known[content] = estimator.estimate(path)
        return known[content]

    return estimate


@pytest.fixture(scope="session")
def bpm_of(tempo_of: TempoOf) -> BpmOf:
    """Function that returns the estimate of the shipped model for a file as a whole `bpm`."""
    return lambda path: int(tempo_of(path).bpm + 0.5)


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty library to copy, since beets takes half a second to create one."""
    path = tmp_path_factory.mktemp("library") / "library.db"
    forget_beets()
    Library(str(path), "/")._close()
    forget_beets()
    return path


@pytest.fixture
def beet(home: Path, capsys: pytest.CaptureFixture[str], empty_database: Path) -> Iterator[Beet]:
    """`beet` with an empty library and the plugin."""
    beet = Beet(home, capsys)
    shutil.copyfile(empty_database, beet.database)
    yield beet
    beet.close()
    forget_beets()


@pytest.fixture(scope="session")
def _in_a(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Chords in A major with a beat, written once."""
    sr = 22050
    chords, clicks = chord_song(9, False, 16, sr), click_track(120, 16.0, sr)
    audio = (0.8 * chords + 0.2 * clicks[: len(chords)]).astype(np.float32)
    return write_audio(tmp_path_factory.mktemp("in_a") / "a.flac", audio, sr)


@pytest.fixture
def in_a(tmp_path: Path, _in_a: Path) -> Path:
    """Chords in A major with a beat."""
    (tmp_path / "in a").mkdir()
    return Path(shutil.copyfile(_in_a, tmp_path / "in a" / "a.flac"))
