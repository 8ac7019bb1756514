"""Picture of a set sheet for the guide: `python docs/sheets.py` (needs chromium).

Makes a library of made-up tracks in a temporary folder, lets `beet tempo-mix` order a set of them,
and photographs the sheet to `docs/images/set-sheet.png`. `--phone` and `--dark` are for looking at
it otherwise, with `--out`.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import beets  # noqa: E402
from beets.library import Item, Library  # noqa: E402
from beets.plugins import load_plugins  # noqa: E402

PICTURE = ROOT / "docs" / "images" / "set-sheet.png"
N_TRACKS, N_SET = 100, 16
ARTISTS = (
    "Glass Elevator",
    "The Lintels",
    "Subfloor",
    "Two Left Feet",
    "Night Clerk",
    "Amber Pump",
)
FIRST = ("Paper", "Night", "Roof", "Rain", "Short", "Last", "Copper", "Second", "Slow", "Open")
SECOND = ("Boats", "Bus", "Garden", "Gauge", "Way Home", "Stop", "Wire", "Floor", "Tide", "Window")
KEYS = ("Am", "Em", "Bm", "Dm", "Gm", "Cm", "C", "G", "F", "D", "F#m", "A#")
BROWSERS = ("chromium", "chromium-browser", "google-chrome")


def fill(library: Library, rng: random.Random) -> None:
    """Add tracks of random tempo, key and loudness, as an analysis leaves them."""
    names = rng.sample([f"{a} {b}" for a in FIRST for b in SECOND], N_TRACKS)
    with library.transaction():
        for k, title in enumerate(names):
            tempo = round(rng.gauss(123, 5) if k % 6 else rng.gauss(88, 2), 2)
            item = Item(
                title=title, artist=rng.choice(ARTISTS), path=f"/music/{k}.mp3".encode(),
                bpm=round(tempo), initial_key=rng.choice(KEYS), length=rng.uniform(170, 420),
                rg_track_gain=rng.gauss(-8, 2.5),
            )  # fmt: skip
            item["tempo_bpm"] = tempo
            item["tempo_paces"] = f"{tempo}:0.98"
            library.add(item)


def make_sheet(folder: Path) -> Path:
    """The sheet of a set, in an empty folder."""
    os.environ["BEETSDIR"] = str(folder)
    (folder / "config.yaml").write_text(
        f"library: {folder}/library.db\ndirectory: {folder}/music\nplugins: tempo\n"
        "create_backup_before_migrations: no\n"
    )
    beets.config["plugins"] = ["tempo"]
    beets.config["create_backup_before_migrations"] = False
    load_plugins()
    library = Library(f"{folder}/library.db", str(folder / "music"))
    fill(library, random.Random(1))
    library._close()
    sheet = folder / "set.html"
    command = [sys.executable, "-m", "beets", "tempo-mix", "--path", str(N_SET), "--curve", "wave"]
    subprocess.run([*command, "--sheet", str(sheet)], check=True, cwd=ROOT)
    return sheet


def main() -> None:
    """Take the picture."""
    parser = argparse.ArgumentParser(description="Picture of a set sheet.")
    parser.add_argument("--out", type=Path, default=PICTURE, help="(default: %(default)s)")
    parser.add_argument("--dark", action="store_true", help="as it is on a dark screen")
    parser.add_argument("--phone", action="store_true", help="as wide as a phone")
    options = parser.parse_args()
    browser = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if browser is None:
        parser.error(f"none of {', '.join(BROWSERS)} is installed")
    # A window of a browser is at least 500 pixels wide.
    size = "500,1500" if options.phone else "1240,1080"
    dark = ["--blink-settings=preferredColorScheme=0"] if options.dark else []
    with tempfile.TemporaryDirectory() as folder:
        sheet = make_sheet(Path(folder))
        subprocess.run(
            [
                browser, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", *dark,
                f"--window-size={size}", f"--screenshot={options.out.resolve()}", sheet.as_uri(),
            ],
            check=True, capture_output=True,
        )  # fmt: skip


if __name__ == "__main__":
    main()
