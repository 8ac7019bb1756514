"""Queries and listings on a library of 20,000 tracks: `python benchmarks/listings.py`.

Two thirds of the tracks have been analysed, one in fifty has paces that a person stated. Wall time,
the best of three runs.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import random
import tempfile
import time
from collections.abc import Callable
from functools import partial

import beets
from beets.library import Item, Library
from beets.plugins import load_plugins

RATIOS = (1, 1 / 2, 2, 1 / 3, 3 / 2, 2 / 3, 3 / 4)


def fill(library: Library, n: int, rng: random.Random) -> None:
    """Add tracks of random tempo and key."""
    with library.transaction():
        for k in range(n):
            tempo = round(rng.triangular(60, 190, 120), 2)
            item = Item(
                title=f"title {k}", artist=f"artist {k % 900}", path=f"/{k}.mp3".encode(),
                bpm=round(tempo), initial_key=rng.choice(["Am", "C", "F#m", "D", "Gm", "B"]),
            )  # fmt: skip
            if k % 3:
                item["tempo_bpm"] = tempo
                item["tempo_paces"] = " ".join(
                    f"{tempo * ratio:.1f}:{rng.choice([0.02, 0.4, 0.6, 0.97]):.2f}"
                    for ratio in RATIOS
                )
            if k % 50 == 0:
                item["tempo_paces_manual"] = f"{tempo:.0f}"
            library.add(item)


def report(name: str, call: Callable[[], int]) -> None:
    """Print the seconds of the fastest of three calls, and how many lines or tracks they gave."""
    seconds = []
    for _ in range(3):
        start = time.perf_counter()
        n = call()
        seconds.append(time.perf_counter() - start)
    print(f"{name}: {min(seconds):.2f} s, {n} tracks")


def main() -> None:
    """Print a line a query."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tracks", type=int, default=20_000, help="(default: %(default)s)")
    options = parser.parse_args()
    os.environ.setdefault("BEETSDIR", tempfile.mkdtemp())
    beets.config["plugins"] = ["tempo"]
    beets.config["create_backup_before_migrations"] = False
    load_plugins()
    from beetsplug.tempo.mixing import list_mix
    from beetsplug.tempo.moving import list_cadence

    with tempfile.TemporaryDirectory() as folder:
        library = Library(f"{folder}/library.db", folder)
        fill(library, options.tracks, random.Random(0))

        def printed(call: Callable[[], None]) -> int:
            out = io.StringIO()
            with contextlib.redirect_stdout(out):
                call()
            return out.getvalue().count("\n")

        for query in ("bpm:170..180", "pace:170..180", "tempo_bpm:170..180"):
            report(query, partial(lambda query: len(list(library.items(query))), query))
        report(
            "beet tempo --cadence 170..180",
            lambda: printed(lambda: list_cadence(library, [], "170..180", None)),
        )
        report(
            "beet tempo-mix id:1",
            lambda: printed(lambda: list_mix(library, ["id:1"], pitch=6, most=20, format_=None)),
        )
        library._close()


if __name__ == "__main__":
    main()
