"""Time of exports and imports of a large library: `python benchmarks/exports.py --tracks 20000`.

The library is made up: its tracks are links to a few files, an mp3 among them, whose headers and
tags are read for each track as they would be in a real one. Imported is into the library as it was
exported, and into one that has forgotten all tempi, keys and grids.
"""

from __future__ import annotations

import argparse
import os
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import beets
import beets.plugins
from beets.library import Item, Library
from bench import machine

from beetsplug.tempo import file_keys
from tests.audio import drum_pattern, write_audio

FORMATS = ("rekordbox", "traktor", "m3u8", "csv")
CONFIG = """
directory: {folder}/music
library: {folder}/library.db
plugins: tempo
import: {{write: no}}
"""


def make_library(folder: Path, n_tracks: int) -> None:
    """A library of symbolic links to a few files, each with tempo, grid and key."""
    import numpy as np

    audio = drum_pattern(126, 8, 44100, "house", np.random.default_rng(0))
    files = [write_audio(folder / name, audio, 44100) for name in ("a.mp3", "b.m4a", "c.flac")]
    beets.config["plugins"] = ["tempo"]
    beets.plugins.load_plugins()
    library = Library(str(folder / "library.db"), str(folder / "music"))
    with library.transaction():
        for k in range(n_tracks):
            source = files[k % 3]
            path = folder / "music" / f"{k // 100}" / f"{k} & more{source.suffix}"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.symlink_to(source)
            item = Item(
                path=os.fsencode(path), title=f"Title “{k}”", artist=f"Artist {k % 500}",
                album="Album", length=200.0, bpm=126, tempo_bpm=126.02, tempo_first_beat=0.25,
                tempo_downbeat=0.25, initial_key="F#m", tempo_paces="126.02:0.9",
            )  # fmt: skip
            # What an analysis notes, so that nobody has to read the key from the file again
            item[file_keys.FILE_KEY] = "F#m"
            item[file_keys.KEY_SEEN] = file_keys._seen(item)
            library.add(item)
    library._close()


def forget(folder: Path, *fields: str) -> None:
    """Remove fields of the plugin from all tracks; with no field, all that is known of the music.

    The label store is emptied as well.
    """
    for labels in folder.glob("labels*.db*"):
        labels.unlink()
    connection = sqlite3.connect(folder / "library.db")
    with connection:
        if fields:
            marks = ", ".join("?" * len(fields))
            connection.execute(f"DELETE FROM item_attributes WHERE key IN ({marks})", fields)
        else:
            connection.execute("DELETE FROM item_attributes")
            connection.execute("UPDATE items SET bpm = 0, initial_key = NULL")
    connection.close()


def timed(folder: Path, *args: str) -> float:
    """Time [s] of a command of beets in a process of its own."""
    env = {**os.environ, "BEETSDIR": str(folder), "PYTHONPATH": os.pathsep.join(sys.path)}
    begin = time.perf_counter()
    subprocess.run([sys.executable, "-m", "beets", *args], check=True, env=env, capture_output=True)
    return time.perf_counter() - begin


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tracks", type=int, default=20_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_library(folder, options.tracks)
        (folder / "config.yaml").write_text(CONFIG.format(folder=folder))
        print(f"{options.tracks} tracks, {machine()}\n")
        print("| | s | MB |\n|---|---|---|")
        print(f"| `beet ls` | {timed(folder, 'ls'):.1f} | |")
        for form in FORMATS:
            file = folder / form
            args: tuple[str, ...] = (
                "tempo-export",
                "--format",
                form,
                "-o",
                str(file),
                "--playlist",
                "All",
                "-q",
            )
            first = timed(folder, *args)
            size = file.stat().st_size / 1e6
            print(f"| `beet tempo-export --format {form}` | {first:.1f} | {size:.1f} |")
        forget(folder, file_keys.FILE_KEY, file_keys.KEY_SEEN)
        args = ("tempo-export", "--format", FORMATS[0], "-o", str(folder / "again"), "-q")
        told = f"`beet tempo-export --format {FORMATS[0]}` when no key was read before"
        print(f"| {told} | {timed(folder, *args):.1f} | |")
        for form in FORMATS[:2]:
            begin = time.perf_counter()
            n_read = _read(folder / form, form)
            took = time.perf_counter() - begin
            print(f"| reading the {form} file alone ({n_read} tracks) | {took:.1f} | |")
            args = ("tempo-labels", "--import", str(folder / form), "--apply", "-W", "-q")
            told = "`beet tempo-labels --import` of it, with `--apply -W`"
            print(f"| {told} | {timed(folder, *args):.1f} | |")
            print(f"| the same again | {timed(folder, *args):.1f} | |")
            forget(folder)
            print(f"| {told}, into a library that knows nothing | {timed(folder, *args):.1f} | |")


def _read(path: Path, program: str) -> int:
    from tempo_core.labels.collections import Collection

    return len(Collection(path, program))


if __name__ == "__main__":
    main()
