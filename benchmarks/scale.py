"""Time and memory of commands on a library of 100,000 tracks: `python benchmarks/scale.py`.

All but a few tracks have been analysed. Each command runs in a process of its own; printed are its
wall time and its peak of memory. `beet ls` with the same query shows what beets itself
needs. `--library FOLDER` keeps the library, so that two versions of the plugin, chosen by
PYTHONPATH, can be measured on the same one.
"""

from __future__ import annotations

import argparse
import os
import random
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from beets.library import Library

MODEL = "model:tempo-20261128@f00cd0d1"  # `tempo_source` of the tracks
COMMANDS = (
    ["tempo"],
    ["ls", "-f", "$id", "bpm:120..122"],
    ["tempo", "bpm:120..122"],
    ["tempo", "tempo_source::^label:"],
    ["ls", "-f", "$id", "tempo_source::^label:"],
    ["tempo-train", "-p", "bpm:120..122"],
)


def fill(database: Path, n: int, rng: random.Random) -> None:
    """Add analysed tracks; one in 1000 was corrected since, and one in 1000 had a tempo before."""
    Library(str(database), "/")._close()
    with sqlite3.connect(database) as connection:
        for k in range(1, n + 1):
            tempo = round(rng.triangular(60, 190, 120), 2)
            bpm, source, verdict = int(tempo + 0.5), MODEL, "set"
            if k % 1000 == 0:
                source, verdict = "tag", "kept"
            elif k % 1000 == 1:
                bpm = bpm // 2
            connection.execute(
                "INSERT INTO items (id, path, title, artist, album, bpm, mtime, added, length) "
                "VALUES (?, ?, ?, ?, ?, ?, 1, 1, 200)",
                (
                    k,
                    b"music/%d.mp3" % k,
                    f"title {k}",
                    f"artist {k % 900}",
                    f"album {k // 12}",
                    bpm,
                ),
            )
            fields = {
                "tempo_bpm": tempo,
                "tempo_confidence": 0.93,
                "tempo_stability": 0.99,
                "tempo_half": tempo / 2,
                "tempo_paces": f"{tempo:.1f}:0.97 {tempo / 2:.1f}:0.71 {tempo * 2:.1f}:0.08",
                "tempo_source": source,
                "tempo_verdict": verdict,
            }
            if source == MODEL:
                fields["tempo_marker"] = f"{tempo:.2f} {MODEL}"
            connection.executemany(
                "INSERT INTO item_attributes (entity_id, key, value) VALUES (?, ?, ?)",
                [(k, key, value) for key, value in fields.items()],
            )
    connection.close()


def measure(command: list[str], home: Path) -> str:
    """Run a command; return its time, its peak of memory, and the last line that it printed."""
    start = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "beets", *command],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        env={**os.environ, "BEETSDIR": str(home)},
    )  # fmt: skip
    assert process.stdout
    *_, last = ["", *process.stdout]
    _, _, usage = os.wait4(process.pid, 0)
    process.returncode = 0
    seconds = time.perf_counter() - start
    return f"{seconds:6.1f} s {usage.ru_maxrss / 1000:5.0f} MB  {last.strip()}"


def main() -> None:
    """Measure every command and print a line about each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tracks", type=int, default=100_000, help="(default: %(default)s)")
    parser.add_argument("--library", type=Path, help="folder of the library, made if need be")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        home = options.library or Path(temporary)
        home.mkdir(exist_ok=True)
        if not (home / "library.db").exists():
            fill(home / "library.db", options.tracks, random.Random(0))
        (home / "config.yaml").write_text(
            "directory: /music\nplugins: tempo\ncreate_backup_before_migrations: no\n"
        )
        measure(["version"], home)  # lets beets compile and migrate first
        for command in COMMANDS:
            print(f"beet {' '.join(command):40} {measure(command, home)}", flush=True)


if __name__ == "__main__":
    main()
