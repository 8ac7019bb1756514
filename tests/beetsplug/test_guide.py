"""The user guide says what the plugin does."""

from __future__ import annotations

import re

import click
import pytest
import yaml

from beetsplug.tempo.settings import DEFAULTS, TEMPLATE
from tempo_core.cli import main
from tempo_core.labels.sources import ABOUT
from trainer.commands.build import build
from trainer.trainingset.clean import Reason

from .conftest import ROOT, Beet

GUIDE = (ROOT / "docs" / "guide.md").read_text(encoding="utf-8")


def test_the_settings_are_those_of_the_plugin() -> None:
    blocks = [yaml.safe_load(text) for text in re.findall(r"```yaml\n(.*?)```", GUIDE, re.DOTALL)]
    tempo = [block["tempo"] for block in blocks if "tempo" in block]
    (settings,) = (block for block in tempo if "auto" in block)
    assert settings.keys() == DEFAULTS.keys() == TEMPLATE.keys()
    assert settings["labels"].keys() == TEMPLATE["labels"].keys()
    assert {**settings, "threads": 0} == {**DEFAULTS, "threads": 0}
    for block in tempo:
        assert block.keys() <= DEFAULTS.keys()
        assert block.get("labels", {}).keys() <= DEFAULTS["labels"].keys()


def section(title: str) -> str:
    """A section of the guide, with what is under it."""
    (found,) = re.findall(
        rf"^## {re.escape(title)}\n.*?(?=^## |\Z)", GUIDE, re.DOTALL | re.MULTILINE
    )
    return str(found)


BUILDING = section("A training set of your own")


def test_the_options_are_those_of_the_commands(beet: Beet) -> None:
    described = set(re.findall(r"`(--[\w-]+)", GUIDE.replace(BUILDING, "")))
    offered = {
        option
        for command in ("tempo", "tempo-labels", "tempo-mix", "tempo-eval", "tempo-train")
        for option in re.findall(r"(--[a-z][\w-]+)", beet(command, "--help").out)
    }
    context = click.Context(main)
    commands = [main.get_command(context, name) for name in main.list_commands(context)]
    elsewhere = {o for command in commands if command for p in command.params for o in p.opts}
    assert offered - {"--help"} <= described <= offered | elsewhere


def test_the_options_of_build_are_described() -> None:
    described = set(re.findall(r"`(--[\w-]+)", BUILDING))
    assert described == {option for p in build.params for option in p.opts if option[:2] == "--"}


def test_the_reasons_are_described() -> None:
    reasons = re.findall(r"^\| ((?:`[\w ]+`(?:, )?)+) \|", BUILDING, re.MULTILINE)
    described = {name for cell in reasons for name in re.findall(r"`(.*?)`", cell)}
    assert described == {reason.value for reason in Reason}


def test_the_sources_are_those_there_are() -> None:
    table = GUIDE[GUIDE.index("### Sources") : GUIDE.index("### Is it this recording?")]
    assert sorted(re.findall(r"^\| `(\w+)`", table, re.MULTILINE)) == list(ABOUT)


@pytest.mark.parametrize("line", re.findall(r"^    beet ls (.*?)(?:  .*)?$", GUIDE, re.MULTILINE))
def test_the_queries_work(line: str, beet: Beet) -> None:
    run = beet("ls", *line.split())
    assert (run.code, run.out, run.err) == (0, "", "")


def test_every_field_is_described(beet: Beet) -> None:
    import beets.plugins

    beet.load()
    (plugin,) = (p for p in beets.plugins.find_plugins() if p.name == "tempo")
    for name in (*plugin.item_types, *plugin.template_fields, *plugin.item_queries):
        assert f"`{name}" in GUIDE or f"{name}:" in GUIDE
