"""Tests of what the enabled plugin costs other commands of beets, and changes in them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import beets.plugins
import pytest
from beets.dbcore import types
from beets.library import Item

from beetsplug.tempo import TempoPlugin
from tests.rows import mostly_slow

from .conftest import ROOT, Beet

HEAVY = (
    "torch", "librosa", "scipy", "av", "joblib", "tqdm", "lightning", "safetensors",
    "requests", "requests_cache", "bs4", "lxml", "rapidfuzz", "protego", "backports", "matplotlib",
)  # fmt: skip


@pytest.mark.parametrize(
    "module",
    ["beetsplug.tempo", "tempo_core.keys", "tempo_core.paces", "tempo_core.labels.sources"],
)
def test_importing_loads_nothing_heavy(module: str) -> None:
    """Importing the plugin loads no large package, since beets does it for every command."""
    code = f"import sys, {module}; print([m for m in {HEAVY!r} if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True
    )
    assert done.stdout.strip() == "[]"


def test_listing_loads_nothing_heavy(beet: Beet) -> None:
    code = (
        "import sys, beets.ui; beets.ui.main(['ls', 'pace:120..']); "
        f"print([m for m in {HEAVY!r} if m in sys.modules], 'beetsplug.tempo' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True
    )
    assert done.stdout.strip() == "[] True"


def test_the_namespace_package_stays_one() -> None:
    """The plugin adds no `beetsplug/__init__.py`, which would hide the plugins of beets itself."""
    assert [path.name for path in (ROOT / "beetsplug").glob("*.py*")] == []


def test_a_broken_model_does_not_disturb_other_commands(beet: Beet) -> None:
    beet.configure(tempo={"model": "no-such-model", "threads": "many", "range": 3})
    run = beet("ls")
    assert (run.code, run.err) == (0, "")


def test_another_plugin_may_declare_the_same_field_in_the_same_way(beet: Beet) -> None:
    """Another plugin may declare the same field with an equal type; unequal types stop beets."""
    beet.load()
    (plugin,) = (p for p in beets.plugins.find_plugins() if p.name == "tempo")

    class Other(beets.plugins.BeetsPlugin):
        item_types = {"tempo_bpm": types.NullFloat(2), "tempo_source": types.STRING}  # noqa: RUF012

    beets.plugins._instances.append(Other("other"))
    assert beets.plugins.types(Item)["tempo_bpm"] == plugin.item_types["tempo_bpm"]
    assert all(name.startswith(("tempo_", "sound_")) for name in plugin.item_types)


@pytest.mark.parametrize("plugins", [["types", "tempo"], ["tempo", "types"]])
@mostly_slow("field", ["tempo_bpm", "tempo_paces", "tempo_source"], quick=1)
@pytest.mark.parametrize("type_", ["int", "float", "bool", "date"])
def test_a_type_that_the_user_gives_a_field_holds(
    field: str, type_: str, plugins: list[str], beet: Beet
) -> None:
    """A type that the user configures for a field is used, where beets would end every command."""
    beet.library.add(Item(title="a", path=b"/a.mp3", bpm=100))
    beet.configure(plugins=plugins, types={field: type_})
    run = beet("ls", "-f", "$title", "pace:100", "^tempo_half:1")
    assert (run.code, run.out) == (0, "a\n")
    assert run.err == (
        f"tempo: {field} has the type that the plugin types gives it, not its own; leave it out "
        "there\n"
    )
    run = beet("tempo", "-p", "title:nothing")
    # A date is a number to beets, shown in another way.
    fits = type_ in ("float", "date") and isinstance(TempoPlugin.item_types[field], types.NullFloat)
    assert run.code == (0 if fits else 1)
    refused = f"error: {field} cannot hold what belongs there, for the plugin types gives it"
    assert (refused in run.err) is not fits


def test_a_declared_float_is_as_precise(beet: Beet) -> None:
    beet.library.add(Item(title="a", path=b"/a.mp3", bpm=128))
    beet.configure(plugins=["tempo", "types"], types={"tempo_bpm": "float"})
    assert beet("modify", "-y", "-W", "tempo_bpm=127.98").code == 0
    assert beet("ls", "-f", "$title", "tempo_bpm:127.9..127.99").out == "a\n"


def test_an_import_is_refused_before_it_begins_where_a_type_cannot_hold_the_values(
    beet: Beet, tmp_path: Path
) -> None:
    (tmp_path / "new").mkdir()
    beet.configure(plugins=["tempo", "types"], types={"tempo_bpm": "int"})
    run = beet("import", "-A", tmp_path / "new")
    assert run.code == 1
    assert run.err.splitlines()[-1].startswith("error: tempo_bpm cannot hold what belongs there")
    beet.configure(tempo={"auto": False})
    assert beet("import", "-A", tmp_path / "new").code == 0


def test_a_computed_field_of_another_plugin_stays_its(beet: Beet, tmp_path: Path) -> None:
    (tmp_path / "plugins").mkdir()
    (tmp_path / "plugins" / "wheel.py").write_text(
        "from beets.plugins import BeetsPlugin\n"
        "class Wheel(BeetsPlugin):\n"
        "    def __init__(self):\n"
        "        super().__init__()\n"
        "        self.template_fields['camelot'] = lambda item: 'theirs'\n"
    )
    beet.library.add(Item(title="a", path=b"/a.mp3", initial_key="Am"))
    beet.configure(plugins=["tempo", "wheel"], pluginpath=str(tmp_path / "plugins"))
    run = beet("ls", "-f", "$camelot")
    assert (run.code, run.out) == (0, "theirs\n")
    assert run.err == "tempo: $camelot is the plugin wheel's, not this one's\n"


def test_bpm_stays_beets_own_whole_number(beet: Beet) -> None:
    """`bpm` keeps its type in beets, a whole number; the precise tempo has its own field."""
    beet.load()
    item = Item(bpm=127.98, tempo_bpm=127.98)
    assert (item.bpm, item.tempo_bpm) == (128, 127.98)
    assert (item.formatted()["bpm"], item.formatted()["tempo_bpm"]) == ("128", "127.98")


@pytest.mark.parametrize(
    ("key", "camelot"), [("F#m", "11A"), ("Am", "8A"), ("C", "8B"), ("", ""), ("nonsense", "")]
)
def test_camelot_is_computed_from_the_key(
    key: str, camelot: str, beet: Beet, tmp_path: Path
) -> None:
    library = beet.library
    library.add(Item(title="a", path=b"/a.mp3", initial_key=key))
    assert beet("ls", "-f", "<$camelot>").out == f"<{camelot}>\n"
