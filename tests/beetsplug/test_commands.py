"""Tests of commands as modules: each is found, and its options override the configuration."""

from __future__ import annotations

from collections.abc import Sequence
from optparse import Values
from pathlib import Path
from pkgutil import iter_modules
from typing import Any

import beets.plugins
import pytest

from beetsplug.tempo import commands
from beetsplug.tempo.options import merged

from .conftest import Beet

GREET = """
from beets import ui
from beetsplug.tempo import options

def subcommand():
    command = options.command("tempo-greet", "greet", "Greets.")
    options.add_threads(command, "greetings at a time")
    return command

def check(opts, settings):
    options.require_whole(opts, ("threads",))

def run(plugin, lib, settings, query):
    ui.print_(f"hello {' '.join(query)}, {settings.threads} at a time")
"""


def test_each_module_is_the_command_of_its_name(beet: Beet) -> None:
    beet.load()
    (plugin,) = (p for p in beets.plugins.find_plugins() if p.name == "tempo")
    names = [module.name for module in iter_modules(commands.__path__)]
    assert [command.name for command in plugin.commands()] == [n.replace("_", "-") for n in names]


def test_adding_a_module_adds_a_command(
    beet: Beet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "tempo_greet.py").write_text(GREET)
    monkeypatch.setattr(commands, "__path__", [*commands.__path__, str(tmp_path)])
    beet.configure(tempo={"threads": 3})
    assert beet("tempo-greet", "world").out == "hello world, 3 at a time\n"
    assert beet("tempo-greet", "-t", "2", "world").out == "hello world, 2 at a time\n"
    run = beet("tempo-greet", "-t", "0")
    assert (run.code, run.err) == (1, "error: --threads must be a whole number from 1\n")


@pytest.mark.parametrize(
    ("given", "own", "expected"),
    [
        ({"threads": None}, (), {"threads": 4, "part": {"apply": False}}),
        ({"threads": 2}, (), {"threads": 2, "part": {"apply": False}}),
        ({"report": None}, (), {"threads": 4, "part": {"apply": False}, "report": None}),
        ({"report": "r"}, (), {"threads": 4, "part": {"apply": False}, "report": "r"}),
        ({"apply": True}, (), {"threads": 4, "part": {"apply": True}}),
        ({"apply": None}, (), {"threads": 4, "part": {"apply": False}}),
        ({"threads": None}, ("threads",), {"threads": None, "part": {"apply": False}}),
    ],
)
def test_options_go_over_the_configuration(
    given: dict[str, Any], own: Sequence[str], expected: dict[str, Any]
) -> None:
    settings: dict[str, Any] = {"threads": 4, "part": {"apply": False}}
    assert merged(settings, Values(given), "part", own) == expected
