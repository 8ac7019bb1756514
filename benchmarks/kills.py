"""Runs of beets killed with `kill -9` at each step and at random: `python benchmarks/kills.py`.

A process analyses a library of songs, or imports a folder of them. It kills itself before or after
a step, or is killed after a random time. Then `beet update` runs in half of the cases, and `beet
tempo` in all. Files and library must end as after a run that was not killed, and in between no
tempo of the plugin may count as a person's. Half of the songs have a wrong tempo that somebody
gave, which `force` overwrites. The exit status is 1 if anything was different.
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
from contextlib import suppress
from pathlib import Path

import mutagen
from mediafile import MediaFile

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

N_SONGS = 6
# Functions to kill the process in; `keeping.item_store` is `Item.store` of beets.
STEPS = (
    "keeping.store", "keeping.write_tags", "keeping.finish", "writing.write_spliced",
    "writing.os.fsync", "writing.Path.replace", "writing._prove",
    "keeping.item_store", "importing.ImportAnalysis.analyse", "importing.ImportAnalysis.write",
)  # fmt: skip
# Program of the process that is killed.
CHILD = """
import os, signal, sys
from dataclasses import make_dataclass
import beets.ui, beets.library, tempo_core
from beetsplug.tempo import importing, keeping, writing

if {stub}:
    fields = ["bpm", "confidence", "paces", "stability", "tempo_range", "octave_confidence",
              "columns"]
    Estimate = make_dataclass("Estimate", fields)

    class Engine:
        sources = dict(tempo="model:stub@01234567")
        def __init__(self, **settings): pass
        def estimate(self, path, genres=()): return Estimate(125.98, 1.0, (), 0.99, None, 0.9, {{}})

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
    """Start beets in a process that kills itself at a step.

    Parameters
    ----------
    command
        Arguments of `beet`.
    home
        Folder of the configuration and the library.
    stub
        Replace the estimator by one that answers at once.
    step
        Function at which to kill, of `STEPS`; empty for none.
    number
        Call of the function at which to kill, from 1.
    after
        Kill after the call instead of before it.
    """
    code = CHILD.format(stub=stub, step=step, number=number, after=after, command=command)
    return subprocess.Popen(
        [sys.executable, "-c", code], text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "BEETSDIR": str(home)},
    )  # fmt: skip


def run(command: list[str], home: Path) -> str:
    """Run beets to its end and return what it printed."""
    process = start(command, home)
    out = process.communicate()[0]
    return f"exit status {process.returncode}: {out}" if process.returncode else out


def prepare(home: Path, songs: list[Path], *, imported: bool) -> None:
    """Make a library with the songs, or one without and a folder of songs to import."""
    shutil.rmtree(home, ignore_errors=True)
    for folder in ("music", "new"):
        (home / folder).mkdir(parents=True)
    for song in songs:
        shutil.copy(song, home / "new")
    if not imported:
        configure(home, force=False, auto=False)
        run(["import", "-A", f"{home}/new"], home)
    configure(home, force=True)


def configure(home: Path, *, force: bool, auto: bool = True) -> None:
    """Write the configuration of beets."""
    (home / "config.yaml").write_text(
        f"directory: {home}/music\nlibrary: {home}/library.db\nplugins: tempo\n"
        "create_backup_before_migrations: no\nimport: {autotag: no, quiet: yes, resume: no}\n"
        f"tempo: {{threads: 1, force: {str(force).lower()}, auto: {str(auto).lower()}}}\n"
    )


def laundered(home: Path) -> list[str]:
    """Tracks whose tempo is the plugin's but counts as a person's."""
    out = run(["ls", "-f", "$title $bpm $tempo_source", "bpm:126"], home)
    return [line for line in out.splitlines() if "model:" not in line]


def outcome(home: Path) -> dict[str, tuple[object, ...]]:
    """Fields in the library and tags in the file of each song in the library's folder."""
    with sqlite3.connect(home / "library.db") as connection:
        sound = connection.execute("PRAGMA integrity_check").fetchone()
        rows = connection.execute("SELECT id, title, bpm, path FROM items").fetchall()
        flexible = connection.execute(
            "SELECT entity_id, key, value FROM item_attributes"
        ).fetchall()
    connection.close()
    found: dict[str, tuple[object, ...]] = {"sound": sound}
    for id_, title, bpm, name in rows:
        path = home / "music" / os.fsdecode(name)
        if path.is_relative_to(home / "music"):
            media = MediaFile(path)
            fields = {k: v for i, k, v in flexible if i == id_ and k.startswith("tempo")}
            # The value has times of the file, which differ between runs.
            fields["tempo_file_key_seen"] = "tempo_file_key_seen" in fields
            marker = read_marker(path)
            found[title] = (bpm, media.bpm, marker, media.length, tuple(sorted(fields.items())))
    return found


def read_marker(path: Path) -> str | None:
    """The marker of the tempo in a file; None if it has none."""
    tags = mutagen.File(path).tags
    found = tags.get("TXXX:BEETS_TEMPO") or tags.get("BEETS_TEMPO")
    return None if found is None else str(getattr(found, "text", found)[0])


def torn(home: Path) -> list[str]:
    """Songs whose library entry and file differ, or with work that is still pending."""
    _, *songs = outcome(home).items()
    return [
        f"{title}: {known}"
        for title, known in songs
        if known[0] != known[1]
        or "tempo_pending" in dict(known[4])  # type: ignore[call-overload]
        or (known[2] is not None and known[0] == 126) != (known[0] == 126)
    ]


def originals(home: Path) -> dict[str, bytes]:
    """Content of the files that an import was given, by name."""
    return {path.name: path.read_bytes() for path in (home / "new").iterdir()}


def not_copied(home: Path) -> list[str]:
    """Names of originals that were analysed, but not copied yet when the import was killed.

    Originals that were not analysed either are not among them: the next run treats them as new.
    """
    paths: list[tuple[bytes]] = []
    with suppress(sqlite3.OperationalError), sqlite3.connect(home / "library.db") as connection:
        paths = connection.execute(
            "SELECT path FROM items JOIN item_attributes ON items.id = entity_id "
            "WHERE key = 'tempo_pending' AND value LIKE 'original%'"
        ).fetchall()
    connection.close()
    found = [home / "music" / os.fsdecode(path) for (path,) in paths]
    return [path.name for path in found if path.parent == home / "new"]


def main() -> None:
    """Kill runs at every step and at random, and print which of them ended otherwise."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--random", type=int, default=20, help="kills at random times")
    parser.add_argument("--no-steps", action="store_true", help="only those")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    rng = random.Random(options.seed)
    n, wrong = Counter[str](), 0
    with tempfile.TemporaryDirectory() as folder:
        songs = make_songs(Path(folder))
        home = Path(folder) / "home"
        expected, took = {}, {}
        for imported in (False, True):
            prepare(home, songs, imported=imported)
            begin = time.monotonic()
            run(["import", "-A", f"{home}/new"] if imported else ["tempo", "-f"], home)
            took[imported] = time.monotonic() - begin
            run(["tempo"], home)
            expected[imported] = outcome(home)
            if len(expected[imported]) != N_SONGS + 1:
                sys.exit(f"the run that was not killed went wrong: {expected[imported]}")
        steps = () if options.no_steps else STEPS
        cases = [
            (step, number, after, imported)
            for imported in (False, True) for step in steps for number in (1, 4)
            for after in (False, True) if imported or not step.startswith("importing")
        ] + [("", 0, False, bool(k % 2)) for k in range(options.random)]  # fmt: skip
        for k, (step, number, after, imported) in enumerate(cases):
            prepare(home, songs, imported=imported)
            before = originals(home)
            command = ["import", "-A", f"{home}/new"] if imported else ["tempo", "-f"]
            process = start(command, home, step=step, number=number, after=after)
            if not step:
                time.sleep(rng.uniform(0.5, 1) * took[imported])
                process.kill()
            process.communicate()
            killed = process.returncode == -signal.SIGKILL
            analysed = not_copied(home) if imported else []
            kind = f"{'import' if imported else 'tempo'}, {'at a step' if step else 'at random'}"
            n[kind if killed else f"{kind} (was not reached)"] += 1
            problems = [f"as somebody's: {line}" for line in laundered(home)]
            if k % 2:
                run(["update", "-M"], home)
                problems += [f"after update: {line}" for line in laundered(home)]
            if imported and originals(home) != before:
                problems.append("an original was written to")
            configure(home, force=False)
            run(["tempo"], home)
            problems += [f"after tempo: {line}" for line in (*laundered(home), *torn(home))]
            if imported:
                now = originals(home)
                problems += [
                    f"{name} was written to" for name in analysed if now[name] != before[name]
                ]
                # The owner deletes the half of the import that was done, and repeats it.
                run(["remove", "-f"], home)
                shutil.rmtree(home / "music")
                (home / "music").mkdir()
                configure(home, force=True)
                run(["import", "-A", f"{home}/new"], home)
            else:
                # Analyse the tracks that the killed run had not reached.
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
    """Write short songs in two formats, half of them with a wrong tempo; their paths."""
    import numpy as np

    from tests.audio import drum_pattern, write_audio

    songs = []
    for k in range(N_SONGS):
        audio = drum_pattern(126, 6, 22050, "house", np.random.default_rng(0))
        path = write_audio(folder / f"{k}.{('mp3', 'flac')[k % 2]}", audio, 22050)
        media = MediaFile(path)
        media.update({"title": f"T{k}", "artist": "B", "albumartist": "B", "album": "L",
                      "track": k + 1, "bpm": None if k < N_SONGS // 2 else 111})  # fmt: skip
        media.save()
        songs.append(path)
    return songs


if __name__ == "__main__":
    main()
