"""Time of finding what sounds alike, and of tags from embeddings: `python benchmarks/sounds.py`.

The embeddings are random numbers, as many as a library of so many tracks would have; how long it
takes does not depend on what they are. Each command runs in a process of its own, after its
imports; printed are wall and processor time, the best of some runs.
"""

from __future__ import annotations

import argparse
import json
import random
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import confuse
import numpy as np
from beets.library import Library
from beets.logging import getLogger
from listings import fill, open_library, printed

COMMANDS = (
    "similar",
    "similar --bpm 120..122 --key",
    "tags",
    "tags again",
    "sound:",
    "mix --sound",
)


def fill_store(library: Library, folder: str, rng: np.random.Generator) -> None:
    """Give every track of a library an embedding, without files."""
    from beetsplug.tempo.sounds import STORE, paths_of, tags_model
    from tempo_core.embeddings import _TABLES, LAYOUT
    from tempo_core.tasks.tags.decode import embedding_name

    model = tags_model()
    n_dims = model.config.model.n_dims
    db = sqlite3.connect(Path(folder) / STORE)
    for table in _TABLES:
        db.execute(table)
    db.execute(f"PRAGMA user_version = {LAYOUT}")
    name = embedding_name(model)
    db.execute("INSERT INTO models VALUES (?, ?)", (name, n_dims))
    for path, id_ in paths_of(library).items():
        content = id_.to_bytes(16, "big")
        blob = rng.normal(size=n_dims).astype("<f2").tobytes()
        db.execute("INSERT INTO files VALUES (?, 1, 1, ?)", (path, content))
        db.execute("INSERT INTO sounds VALUES (?, ?, ?)", (content, name, blob))
    db.commit()
    db.close()


def run(library: Library, name: str) -> int:
    """Run a command; returns its number of lines."""
    from beetsplug.tempo.crates import Crate
    from beetsplug.tempo.mixing import list_mix
    from beetsplug.tempo.queries import PaceQuery
    from beetsplug.tempo.similar import Wanted, list_similar
    from beetsplug.tempo.sound_tagging import tag_library
    from beetsplug.tempo.sounds import sounds_of

    log = getLogger("beets")
    if name.startswith("similar"):
        wanted = Wanted(20, PaceQuery("bpm", "120..122"), True) if "--key" in name else Wanted()
        return printed(lambda: list_similar(library, ["id:1"], Crate(), wanted, log))
    if name.startswith("mix"):
        sounds = sounds_of(library, log)
        return printed(lambda: list_mix(library, ["id:1"], Crate(), pitch=6, sounds=sounds))
    if name == "sound:":
        return sum(bool(format(item)) for item in library.items("sound:dance,0.9.."))
    settings: Any = confuse.AttrDict(
        model="default", windows=10, range=None, pretend=False, quiet=False, force=False,
        retry=False, threads=1, time_limit=300.0, album=False,
        skip=confuse.AttrDict(length=None, genre=[], query=None),
    )  # fmt: skip
    return printed(lambda: tag_library(library, [], settings, log))


def measure(folder: str, name: str) -> None:
    """Print the number of lines, wall and processor time [s] of a command."""
    import beetsplug.tempo.similar
    import beetsplug.tempo.sound_tagging  # noqa: F401

    library = open_library(folder)
    wall, start = time.perf_counter(), time.process_time()
    n = run(library, name)
    print(json.dumps([n, time.perf_counter() - wall, time.process_time() - start]))


def main() -> None:
    """Make a library, run the commands, print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tracks", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", help=argparse.SUPPRESS)
    parser.add_argument("--command", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.command:
        measure(options.folder, options.command)
        return
    with tempfile.TemporaryDirectory() as folder:
        library = open_library(folder)
        fill(library, options.tracks, random.Random(0))
        fill_store(library, folder, np.random.default_rng(0))
        library._close()
        size = Path(folder, "tempo-sounds.db").stat().st_size / 1e6
        print(f"{options.tracks} tracks; the store has {size:.0f} MB\n")
        print("| command | lines | wall [s] | processor [s] |\n|---|---|---|---|")
        for name in COMMANDS:
            rounds = 1 if name == "tags" else options.rounds
            runs = []
            for _ in range(rounds):
                command = [sys.executable, __file__, "--folder", folder, "--command", name]
                done = subprocess.run(command, capture_output=True, text=True, check=True)
                runs.append(json.loads(done.stdout.splitlines()[-1]))
            n, wall, seconds = min(runs, key=lambda one: float(one[1]))
            print(f"| {name} | {n} | {wall:.2f} | {seconds:.2f} |", flush=True)


if __name__ == "__main__":
    main()
