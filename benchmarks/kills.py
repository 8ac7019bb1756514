"""`kill -9` at every step and at random: `python benchmarks/kills.py`.

A library of songs is analysed, or a folder of them imported, by a process that kills itself before
or after a step, or is killed after a random time; then, in half of the cases, `beet update` runs,
and `beet tempo` once more. Files and library must end as after a run that nobody killed, and no
tempo of the plugin's own may pass for a person's in between. Half of the songs have a wrong tempo
by somebody, which `force` overwrites. Ends with 1 if anything was otherwise.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import mutagen
from mediafile import MediaFile

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

SONGS = 6
STEPS = (
    "keeping.store", "keeping.write_tags", "keeping.finish", "writing.shutil.copyfile",
    "writing.os.fsync", "writing.Path.replace", "writing.MediaFile.save",
    "keeping.item_store", "importing.ImportAnalysis.analyse", "importing.ImportAnalysis.write",
)  # fmt: skip
CHILD = """
import os, signal, sys
from dataclasses import make_dataclass
import beets.ui, beets.library, tempo_core
from beetsplug.tempo import importing, keeping, writing

if {stub}:
    Estimate = make_dataclass("Estimate", ["bpm", "confidence", "paces", "stability"])

    class Engine:
        source = "model:stub@01234567"
        def __init__(self, **settings): pass
        def estimate(self, path): return Estimate(125.98, 1.0, (), 0.99)

    tempo_core.Estimator = Engine

if {step!r}:
    if {step!r} == "keeping.item_store":
        owner, name = beets.library.Item, "store"
    else:
        module, *names, name = {step!r}.split(".")
        owner = globals()[module]
        for one in names:
            owner = getattr(owner, one)
    function, calls = getattr(owner, name), 0

    def fatal(*args, **kwargs):
        global calls
        calls += 1
        result = function(*args, **kwargs) if calls < {number} or {after} else None
        if calls == {number}:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    setattr(owner, name, fatal)
beets.ui.main({command!r})
"""


def start(
    command: list[str], home: Path, *, stub: bool = True, step: str = "", number: int = 0,
    after: bool = False,
) -> subprocess.Popen[str]:  # fmt: skip
    """Run beets in a process of its own, which kills itself at a step."""
    code = CHILD.format(stub=stub, step=step, number=number, after=after, command=command)
    return subprocess.Popen(
        [sys.executable, "-c", code], text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "BEETSDIR": str(home)},
    )  # fmt: skip


def run(command: list[str], home: Path) -> str:
    """Run beets to its end; what it printed."""
    process = start(command, home)
    out = process.communicate()[0]
    return f"exit status {process.returncode}: {out}" if process.returncode else out


def prepare(home: Path, songs: list[Path], *, imported: bool) -> None:
    """A library with the songs in it, or beside it a folder of them to import."""
    shutil.rmtree(home, ignore_errors=True)
    for folder in ("music", "new"):
        (home / folder).mkdir(parents=True)
    (home / "config.yaml").write_text(
        f"directory: {home}/music\nlibrary: {home}/library.db\nplugins: tempo\n"
        "create_backup_before_migrations: no\nimport: {autotag: no, quiet: yes, resume: no}\n"
        f"tempo: {{threads: 1, force: yes, auto: {'yes' if imported else 'no'}}}\n"
    )
    for song in songs:
        shutil.copy(song, home / "new")
    if not imported:
        run(["import", "-A", f"{home}/new"], home)


def laundered(home: Path) -> list[str]:
    """Tracks whose tempo is the plugin's and counts as somebody's."""
    out = run(["ls", "-f", "$title $bpm $tempo_source", "bpm:126"], home)
    return [line for line in out.splitlines() if "model:" not in line]


def outcome(home: Path) -> dict[str, tuple[object, ...]]:
    """What library and files say of each song in the library's folder."""
    with sqlite3.connect(home / "library.db") as connection:
        sound = connection.execute("PRAGMA integrity_check").fetchone()
        rows = connection.execute("SELECT id, title, bpm FROM items").fetchall()
        flexible = connection.execute(
            "SELECT entity_id, key, value FROM item_attributes"
        ).fetchall()
    connection.close()
    fields = {
        title: (bpm, *sorted((k, v) for i, k, v in flexible if i == id_ and k.startswith("tempo")))
        for id_, title, bpm in rows
    }
    files = {}
    for path in sorted((home / "music").rglob("*.*")):
        media = MediaFile(path)
        files[media.title] = (
            media.bpm,
            str(
                mutagen.File(path).tags.get("BEETS_TEMPO")
                or mutagen.File(path).tags.get("TXXX:BEETS_TEMPO")
            ),
            media.length,
        )
    return {
        "sound": sound,
        **{title: (row, files.get(title)) for title, row in fields.items()},
    }


def originals(home: Path) -> dict[str, bytes]:
    """The songs that were imported."""
    return {path.name: path.read_bytes() for path in (home / "new").iterdir()}


def main() -> None:
    """Print what was tried and what was otherwise than it should be."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--random", type=int, default=20, help="kills at random times")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    rng = random.Random(options.seed)
    n, wrong = Counter[str](), 0
    with tempfile.TemporaryDirectory() as folder:
        songs = make_songs(Path(folder))
        home = Path(folder) / "home"
        expected = {}
        for imported in (False, True):
            prepare(home, songs, imported=imported)
            run(["import", "-A", f"{home}/new"] if imported else ["tempo", "-f"], home)
            run(["tempo"], home)
            expected[imported] = outcome(home)
            if len(expected[imported]) != SONGS + 1:
                sys.exit(f"the run that nobody kills went wrong: {expected[imported]}")
        cases = [
            (step, number, after, imported)
            for imported in (False, True) for step in STEPS for number in (1, 4)
            for after in (False, True) if imported or not step.startswith("importing")
        ] + [("", 0, False, bool(k % 2)) for k in range(options.random)]  # fmt: skip
        for k, (step, number, after, imported) in enumerate(cases):
            prepare(home, songs, imported=imported)
            before = originals(home)
            command = ["import", "-A", f"{home}/new"] if imported else ["tempo", "-f"]
            process = start(command, home, step=step, number=number, after=after)
            if not step:
                time.sleep(rng.uniform(0.5, 4))
                process.kill()
            process.communicate()
            killed = process.returncode == -signal.SIGKILL
            kind = f"{'import' if imported else 'tempo'}, {'at a step' if step else 'at random'}"
            n[kind if killed else f"{kind} (was not reached)"] += 1
            problems = [f"as somebody's: {line}" for line in laundered(home)]
            if k % 2:
                run(["update"], home)
                problems += [f"after update: {line}" for line in laundered(home)]
            if imported and originals(home) != before:
                problems.append("an original was written to")
            run(["tempo"], home)
            if imported:
                # What was not copied yet is imported again, as its owner would.
                run(["remove", "-f", f"path:{home}/new"], home)
                run(["import", "-A", "-i", f"{home}/new"], home)
                if len(outcome(home)) != SONGS + 1:
                    run(["remove", "-f"], home)
                    shutil.rmtree(home / "music")
                    (home / "music").mkdir()
                    run(["import", "-A", f"{home}/new"], home)
            else:
                run(["tempo", "-f", "tempo_verdict:conflict"], home)
                run(["tempo", "-f", "^tempo_source::model:"], home)
            if outcome(home) != expected[imported]:
                problems.append(f"otherwise: {outcome(home)}, not {expected[imported]}")
            if problems:
                wrong += 1
                print(f"{kind} {step} {number} {after}:", *problems, sep="\n  ", flush=True)
    for kind, count in sorted(n.items()):
        print(f"{kind}: {count} kills")
    print(f"{wrong} of {len(cases)} ended otherwise than without a kill")
    sys.exit(wrong > 0)


def make_songs(folder: Path) -> list[Path]:
    """Short songs in two formats, every second with somebody's tempo."""
    import numpy as np

    from tests.audio import drum_pattern, write_audio

    songs = []
    for k in range(SONGS):
        audio = drum_pattern(126, 6, 22050, "house", np.random.default_rng(0))
        path = write_audio(folder / f"{k}.{('mp3', 'flac')[k % 2]}", audio, 22050)
        media = MediaFile(path)
        media.update({"title": f"T{k}", "artist": "B", "albumartist": "B", "album": "L",
                      "track": k + 1, "bpm": None if k < SONGS // 2 else 111})  # fmt: skip
        media.save()
        songs.append(path)
    return songs


if __name__ == "__main__":
    main()
