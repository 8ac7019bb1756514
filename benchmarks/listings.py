"""Time of queries and lists on a large library: `python benchmarks/listings.py --tracks 100000`.

Two thirds of the tracks have been analysed, one in fifty has paces that a person stated. A `pace:`
query is compared with a plain query for as many tracks, which beets answers from a column: that is
the share of beets itself. Each listing runs in a process of its own; printed are its processor
time, the best of some runs, and its peak of memory.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import beets
from beets.library import Album, Item, Library, parse_query_string
from beets.logging import getLogger
from beets.plugins import load_plugins

PACE_RATIOS = (1, 1 / 2, 2, 1 / 3, 3 / 2, 2 / 3, 3 / 4)
ALBUM_SIZE = 12  # tracks
LISTINGS = (
    "pace:120..180", "pace:170..180", "pace:..90", "pace:..90@0.98",
    "albums pace:170..180", "tempo_bpm:170..180", "cadence 170..180", "mix id:1",
    "set 20", "set 100",
)  # fmt: skip


def fill(library: Library, n: int, rng: random.Random) -> None:
    """Add tracks of random tempo and key, with the fields that an analysis leaves."""
    with library.transaction():
        for k in range(n):
            tempo = round(rng.triangular(60, 190, 120), 2)
            item = Item(
                title=f"title {k}", artist=f"artist {k % 900}", path=f"/{k}.mp3".encode(),
                bpm=round(tempo), initial_key=rng.choice(["Am", "C", "F#m", "D", "Gm", "B"]),
                album_id=1 + k // ALBUM_SIZE, length=rng.uniform(120, 420),
                rg_track_gain=rng.gauss(-8, 3),
            )  # fmt: skip
            if k % 3:
                item["tempo_bpm"] = tempo
                item["tempo_paces"] = " ".join(
                    f"{tempo * ratio:.1f}:{rng.choice([0.02, 0.4, 0.91, 0.99]):.2f}"
                    for ratio in PACE_RATIOS
                )
                item["tempo_confidence"] = item["tempo_stability"] = 0.95
                item["tempo_source"] = "model:tempo-20261121@01234567"
                item["tempo_half"] = tempo / 2
            if k % 50 == 0:
                item["tempo_paces_manual"] = f"{tempo:.0f}"
            library.add(item)
        for k in range(0, n, ALBUM_SIZE):
            library.add(Album(album=f"album {k}", albumartist=f"artist {k % 900}"))


def open_library(folder: str) -> Library:
    """The library in a folder, with the plugin loaded."""
    os.environ["BEETSDIR"] = folder
    beets.config["plugins"] = ["tempo"]
    beets.config["create_backup_before_migrations"] = False
    load_plugins()
    return Library(f"{folder}/library.db", folder)


def printed(call: Callable[[], None]) -> int:
    """Number of lines that a call prints."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        call()
    return out.getvalue().count("\n")


def listing(library: Library, name: str) -> int:
    """Run the listing `name`, one of `LISTINGS`, and return its number of lines."""
    from beetsplug.tempo.crates import Crate
    from beetsplug.tempo.mixing import list_mix
    from beetsplug.tempo.moving import list_cadence
    from beetsplug.tempo.sets import Output, Wanted, list_set

    what, _, query = name.partition(" ")
    if what == "cadence":
        return printed(lambda: list_cadence(library, [], query))
    if what == "mix":
        return printed(lambda: list_mix(library, [query], Crate(), pitch=6))
    if what == "set":
        wanted, log = Wanted(int(query), "up", pitch=6), getLogger("beets")
        return printed(lambda: list_set(library, [], Crate(), wanted, Output(), log))
    found = library.albums(query) if what == "albums" else library.items(name)
    return sum(bool(format(one)) for one in found)


def measure(folder: str, name: str) -> None:
    """Print the number of lines, the processor time [s] and the peak memory [MB] of a list."""
    library = open_library(folder)
    start = time.process_time()
    n = listing(library, name)
    seconds = time.process_time() - start
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps([n, seconds, memory]))


def report(folder: str, name: str, rounds: int) -> tuple[int, float]:
    """Measure a listing, print a line about it, and return its number of lines and its time [s]."""
    runs = []
    for _ in range(rounds):
        command = [sys.executable, __file__, "--folder", folder, "--listing", name]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        runs.append(json.loads(done.stdout.splitlines()[-1]))
    n, seconds, memory = min(runs, key=lambda run: float(run[1]))
    print(f"{name}: {n} lines, {seconds:.2f} s, {memory:.0f} MB", flush=True)
    return n, seconds


def as_many(library: Library, n: int) -> str:
    """A query on `bpm` that about `n` tracks match."""
    tempi = [row[0] for row in library._connection().execute("SELECT bpm FROM items ORDER BY bpm")]
    return f"bpm:..{tempi[n - 1]}"


def share(library: Library, query: str) -> float:
    """Time [s] that the database itself takes to find the tracks of a query."""
    where, values = parse_query_string(query, Item)[0].clause()
    seconds = []
    for _ in range(3):
        start = time.process_time()
        library._connection().execute(f"SELECT count(*) FROM items WHERE {where}", values)
        seconds.append(time.process_time() - start)
    return min(seconds)


def main() -> None:
    """Measure every listing and print a line about each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tracks", type=int, default=20_000, help="(default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=3, help="(default: %(default)s)")
    parser.add_argument("--folder", help=argparse.SUPPRESS)
    parser.add_argument("--listing", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.listing:
        measure(options.folder, options.listing)
        return
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "config.yaml").touch()
        library = open_library(folder)
        fill(library, options.tracks, random.Random(0))
        for name in LISTINGS:
            n, seconds = report(folder, name, options.rounds)
            if name.startswith("pace:"):
                _, own = report(folder, as_many(library, n), options.rounds)
                print(
                    f"  {seconds / own:.2f} times as long; finding them takes the database "
                    f"{share(library, name):.2f} s, and beets asks for it twice"
                )
        library._close()


if __name__ == "__main__":
    main()
