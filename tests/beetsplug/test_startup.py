"""What having the plugin enabled costs and changes when it is not asked for anything."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import beets.plugins
import pytest
from beets.dbcore import types
from beets.library import Item

from .conftest import ROOT, Beet

HEAVY = (
    "torch", "librosa", "scipy", "av", "joblib", "tqdm", "lightning", "safetensors",
    "requests", "requests_cache", "bs4", "lxml", "rapidfuzz", "protego", "zstandard", "matplotlib",
)  # fmt: skip


@pytest.mark.parametrize(
    "module",
    ["beetsplug.tempo", "tempo_core.keys", "tempo_core.paces", "tempo_core.labels.sources"],
)
def test_importing_loads_nothing_heavy(module: str) -> None:
    """beets imports its plugins for every command; librosa would add three seconds to `beet ls`."""
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
    """A `beetsplug/__init__.py` would hide all of beets' own plugins."""
    assert [path.name for path in (ROOT / "beetsplug").glob("*.py*")] == []


def test_a_broken_model_does_not_disturb_other_commands(beet: Beet) -> None:
    beet.configure(tempo={"model": "no-such-model", "threads": "many", "range": 3})
    run = beet("ls")
    assert (run.code, run.err) == (0, "")


def test_another_plugin_may_declare_the_same_field_in_the_same_way(beet: Beet) -> None:
    """Trap 10: two plugins with separate type instances for one field stop beets."""
    beet.load()
    (plugin,) = (p for p in beets.plugins.find_plugins() if p.name == "tempo")

    class Other(beets.plugins.BeetsPlugin):
        item_types = {"tempo_bpm": types.NullFloat(2), "tempo_source": types.STRING}  # noqa: RUF012

    beets.plugins._instances.append(Other("other"))
    assert beets.plugins.types(Item)["tempo_bpm"] == plugin.item_types["tempo_bpm"]
    assert all(name.startswith("tempo_") for name in plugin.item_types)


def test_a_different_declaration_is_still_a_conflict(beet: Beet) -> None:
    beet.load()

    class Other(beets.plugins.BeetsPlugin):
        item_types = {"tempo_bpm": types.INTEGER}  # noqa: RUF012

    beets.plugins._instances.append(Other("other"))
    with pytest.raises(beets.plugins.PluginConflictError):
        beets.plugins.types(Item)


def test_bpm_stays_beets_own_whole_number(beet: Beet) -> None:
    """Trap 7: a type declared for a fixed field is ignored, so the precise tempo has its own."""
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
