"""The user guide says what the plugin does."""

from __future__ import annotations

import re

import pytest
import yaml

from beetsplug.tempo.settings import DEFAULTS, TEMPLATE
from tempo_core.labels.sources import ABOUT

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


def test_the_options_are_those_of_the_commands(beet: Beet) -> None:
    described = set(re.findall(r"`(--[\w-]+)", GUIDE))
    offered = {
        option
        for command in ("tempo", "tempo-labels", "tempo-mix")
        for option in re.findall(r"(--[a-z][\w-]+)", beet(command, "--help").out)
    }
    assert described == offered - {"--help"}


def test_the_sources_are_those_there_are() -> None:
    table = GUIDE[GUIDE.index("### Sources") : GUIDE.index("### Is it this recording?")]
    assert re.findall(r"^\| `(\w+)`", table, re.MULTILINE) == list(ABOUT)


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
