"""Tests that the guides and the settings page agree with what the plugin does."""

from __future__ import annotations

import re

import click
import pytest
import yaml

from beetsplug.tempo.settings import DEFAULTS, TEMPLATE
from tempo_core.cli import main
from tempo_core.labels.sources import ABOUT
from trainer.research.reference.__main__ import main as research
from trainer.trainingset.clean import Reason

from .conftest import ROOT, Beet

PAGES = {
    name: (ROOT / "docs" / f"{name}.md").read_text(encoding="utf-8")
    for name in (
        "settings",
        "collector",
        "dj",
        "by-hand",
        "beats",
        "exchange",
        "runner",
        "notes",
        "curve",
        "sound",
        "training",
        "troubleshooting",
    )
}
REFERENCE = PAGES["settings"]
GUIDE = "\n".join(PAGES.values())


def test_the_settings_are_those_of_the_plugin() -> None:
    blocks = [yaml.safe_load(text) for text in re.findall(r"```yaml\n(.*?)```", GUIDE, re.DOTALL)]
    tempo = [block["tempo"] for block in blocks if "tempo" in block]
    (settings,) = (block for block in tempo if "auto" in block)
    assert settings.keys() == DEFAULTS.keys() == TEMPLATE.keys()
    assert settings["labels"].keys() == TEMPLATE["labels"].keys()
    settings["notes"]["grid"] = str(settings["notes"]["grid"])  # as it is read
    assert {**settings, "threads": 0} == {**DEFAULTS, "threads": 0}
    for block in tempo:
        assert block.keys() <= DEFAULTS.keys()
        for name in ("labels", "notes"):
            assert block.get(name, {}).keys() <= DEFAULTS[name].keys()


def section(page: str, title: str) -> str:
    """The text of a section of a page with its subsections."""
    (found,) = re.findall(
        rf"^(##+) {re.escape(title)}\n(.*?)(?=^##+ |\Z)", PAGES[page], re.DOTALL | re.MULTILINE
    )
    return str(found[1])


BUILDING = section("training", "A training set of your own")
COMMANDS = (
    "tempo", "tempo-labels", "tempo-mix", "tempo-notes", "tempo-eval", "tempo-train",
    "tempo-export", "tempo-tags", "tempo-similar",
)  # fmt: skip


def offered_by(beet: Beet, command: str) -> set[str]:
    """The long options of a command of beets."""
    return set(re.findall(r"(--[a-z][\w-]+)", beet(command, "--help").out)) - {"--help"}


@pytest.mark.parametrize("command", COMMANDS)
def test_the_reference_has_every_option_and_no_other(command: str, beet: Beet) -> None:
    rows = re.findall(r"^\| (`.*?) \|", section("settings", f"beet {command}"), re.MULTILINE)
    described = set(re.findall(r"`(--[\w-]+)", " ".join(rows)))
    assert described == offered_by(beet, command)


def test_the_guides_name_no_option_that_there_is_not(beet: Beet) -> None:
    described = set(re.findall(r"`(--[\w-]+)", GUIDE))
    offered = {option for command in COMMANDS for option in offered_by(beet, command)}
    context = click.Context(main)
    commands = [main.get_command(context, name) for name in main.list_commands(context)]
    commands += research.commands.values()
    elsewhere = {o for command in commands if command for p in command.params for o in p.opts}
    assert described <= offered | elsewhere | {"--help"}


@pytest.mark.parametrize("name", main.list_commands(click.Context(main)))
def test_the_reference_has_the_options_of_tempo_core(name: str) -> None:
    command = main.get_command(click.Context(main), name)
    assert command is not None
    parts = command.commands.values() if isinstance(command, click.Group) else [command]
    offered = {option for part in parts for p in part.params for option in p.opts}
    rows = section("settings", f"tempo-core {name}")
    described = set(re.findall(r"`(--[\w-]+)", rows))
    if name == "build":  # a row of it speaks of an option of another command
        described -= {"--export"}
    assert described == {option for option in offered if option[:2] == "--"}


def test_the_reasons_are_described() -> None:
    reasons = re.findall(r"^\| ((?:`[\w ]+`(?:, )?)+) \|", BUILDING, re.MULTILINE)
    described = {name for cell in reasons for name in re.findall(r"`(.*?)`", cell)}
    assert described == {reason.value for reason in Reason}


def test_the_sources_are_those_there_are() -> None:
    table = section("settings", "Sources")
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
        assert f"`{name}" in REFERENCE or f"{name}:" in REFERENCE
