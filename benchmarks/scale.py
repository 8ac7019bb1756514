"""Time and memory of every command on libraries of 1,000, 10,000 and 100,000 tracks.

`python benchmarks/scale.py [--sizes 1000,10000,100000] [COMMAND…]` makes the libraries
(`large/`) and runs each command, or those that have or begin with one of these names, in a process
of its own on a fresh copy of the library and its stores. Printed are processor time (user
and system, of children as well) and the peak of memory, and how often as much each size takes as
the one before. "plain" is the same command of beets without the plugin. A command that takes more
than five minutes of a processor is stopped. `--folder` keeps the libraries, and with `--results`
the table has what other runs have measured as well.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import bench
from large.cases import CASES, Case

SIZES = (1_000, 10_000, 100_000)  # tracks
LIMIT = 300  # [s] of a processor
STORES = ("library.db", "labels.db", "tempo-sounds.db")


@dataclass(frozen=True)
class Measured:
    """What a command took: processor and wall time [s], peak [MB], lines, and how it ended."""

    cpu: float
    wall: float
    peak: float
    lines: int
    status: int


def prepare(folder: Path, n: int) -> None:
    """Make the library of a size, unless it is there."""
    if not (folder / "run" / "ready").exists():
        shutil.rmtree(folder, ignore_errors=True)
        in_process("library.make", folder, str(n))
        (folder / "run" / "ready").touch()
    if not (folder / "out.xml").exists():
        fresh(folder, CASES["ls"])
        export = ["tempo-export", "--format", "rekordbox", "-o", str(folder / "out.xml")]
        bench.run_child([sys.executable, "-m", "beets", *export], environment(folder / "run"))


def environment(home: Path | None = None) -> dict[str, str]:
    """Variables of the environment of a child: this version of the plugin, and its library."""
    paths = os.pathsep.join([str(bench.REPOSITORY), os.environ.get("PYTHONPATH", "")])
    found = {"PYTHONPATH": paths, "OMP_NUM_THREADS": "1"}
    return found | ({"BEETSDIR": str(home)} if home else {})


def fresh(folder: Path, case: Case) -> None:
    """Copy library and stores to where the command runs, and change what it needs."""
    import sqlite3

    run = folder / "run"
    for path in run.iterdir():
        if path.is_file() and path.name not in ("config.yaml", "ready"):
            path.unlink()
        elif path.is_dir() and path.name != "music":
            shutil.rmtree(path)
    (run / "other").mkdir()
    for name in STORES:
        shutil.copyfile(folder / "made" / name, run / name)
    if case.sql:
        with sqlite3.connect(run / "library.db") as db:
            db.executescript(case.sql)
        db.close()
    if case.mixxx:
        in_process("stores.make_mixxx", run / "mixxxdb.sqlite", run, run / "library.db")


def restore(folder: Path) -> None:
    """Give the library its files back after a command that moved them or wrote to them."""
    made, run = folder / "made", folder / "run"
    in_process("library.link_music", made, run)
    in_process("library.stamp_keys", made / "library.db", run)


def in_process(name: str, *args: Path | str) -> None:
    """Call a function of `large` in another process, with paths and numbers.

    The peak of memory of this one would count for those that it starts.
    """
    module, _, function = name.partition(".")
    code = f"import sys; from large import {module}; {module}.{function}(*sys.argv[1:])"
    folders = os.pathsep.join([str(Path(__file__).parent), environment()["PYTHONPATH"]])
    command = [sys.executable, "-c", code, *map(str, args)]
    bench.run_child(command, environment() | {"PYTHONPATH": folders})


def measure(folder: Path, case: Case, *, plain: bool) -> Measured:
    """Run a command on a fresh copy and measure it."""
    fresh(folder, case)
    run = folder / "run"
    words = case.args.replace("RUN", str(run)).replace("ALBUM", str(folder / "album")).split()
    command = [sys.executable, "-m", "beets", *(["-P", "tempo"] if plain else []), *words]
    try:
        if case.answered:
            once(command, folder, 10 * LIMIT)
        return once(command, folder, LIMIT)
    finally:
        if case.moves:
            restore(folder)


def once(command: list[str], folder: Path, limit: int) -> Measured:
    """Run a command and measure it; it ends once it has had `limit` seconds of a processor."""
    out, errors = folder / "out.txt", folder / "errors.txt"
    with out.open("wb") as stdout, errors.open("wb") as stderr:
        start = time.perf_counter()
        child = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr,
            env=os.environ | environment(folder / "run"),
        )  # fmt: skip
        resource.prlimit(child.pid, resource.RLIMIT_CPU, (limit, limit + 5))
        _, status, usage = os.wait4(child.pid, 0)
        wall = time.perf_counter() - start
        child.returncode = os.waitstatus_to_exitcode(status)
    with out.open("rb") as lines:
        n_lines = sum(1 for _ in lines)
    cpu = usage.ru_utime + usage.ru_stime
    return Measured(cpu, wall, usage.ru_maxrss / 1000, n_lines, child.returncode)


Results = dict[tuple[str, int], Measured]


def note(file: Path, name: str, n: int, found: Measured) -> None:
    """Add a row to the table of results."""
    with file.open("a") as rows:
        cells = (name, n, f"{found.cpu:.3f}", f"{found.wall:.3f}", f"{found.peak:.1f}",
                 found.lines, found.status)  # fmt: skip
        rows.write("\t".join(map(str, cells)) + "\n")


def read(file: Path) -> Results:
    """The table of results; of several of one command and size the last counts."""
    found: Results = {}
    for line in file.read_text().splitlines() if file.exists() else ():
        name, n, cpu, wall, peak, lines, status = line.split("\t")
        found[name, int(n)] = Measured(
            float(cpu), float(wall), float(peak), int(lines), int(status)
        )
    return found


def table(results: Results) -> list[str]:
    """The results as a table of Markdown."""
    sizes = sorted({n for _, n in results})
    names = [name for key in CASES for name in (key, f"{key}, plain")]
    head = ["command", *(f"{n:,} [s]" for n in sizes), *(f"{n:,} [MB]" for n in sizes), "lines"]
    head += [f"{b:,} / {a:,}" for a, b in pairwise(sizes)]
    rows = [head, ["---", *["---:"] * (len(head) - 1)]]
    for name in names:
        found = [results.get((name, n)) for n in sizes]
        if not any(found):
            continue
        row = [f"`{name}`" if not name.endswith(", plain") else "… without the plugin"]
        row += [told(one) for one in found]
        row += ["" if one is None else f"{one.peak:.0f}" for one in found]
        row.append(next((f"{one.lines:,}" for one in reversed(found) if one), ""))
        for one, other in pairwise(found):
            ended = one and other and min(one.status, other.status) >= 0
            row.append(f"{other.cpu / one.cpu:.1f}" if one and other and ended else "")
        rows.append(row)
    return ["| " + " | ".join(row) + " |" for row in rows]


def is_called(name: str, word: str) -> bool:
    """Whether a word of the command line means a case: its name, or else the beginning of it."""
    return name == word if word in CASES else name.startswith(word)


def told(found: Measured | None) -> str:
    """Processor time [s]; a mark where the command did not end well."""
    if found is None:
        return ""
    if found.status < 0:
        stopped = found.status in (-signal.SIGXCPU, -signal.SIGKILL)
        return f"> {LIMIT}" if stopped else f"signal {-found.status}"
    return f"{found.cpu:.2f}" + (f" (exit {found.status})" if found.status else "")


def main() -> None:
    """Measure every command on every size, and print a table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "commands", nargs="*", metavar="COMMAND", help="names or beginnings of names"
    )
    parser.add_argument("--sizes", default=",".join(map(str, SIZES)), help="(default: %(default)s)")
    parser.add_argument("--folder", type=Path, help="keep the libraries here")
    parser.add_argument("--results", type=Path, help="file to add results to")
    parser.add_argument("--no-plain", action="store_true", help="only with the plugin")
    options = parser.parse_args()
    chosen = {
        name: case
        for name, case in CASES.items()
        if not options.commands or any(is_called(name, word) for word in options.commands)
    }
    with tempfile.TemporaryDirectory() as temporary:
        folder = (options.folder or Path(temporary)).resolve()
        results = options.results or Path(temporary) / "results.tsv"
        for n in [int(size) for size in options.sizes.split(",") if size]:
            prepare(folder / str(n), n)
            for name, case in chosen.items():
                for plain in (False, True)[: 1 + (case.plain and not options.no_plain)]:
                    told_name = f"{name}, plain" if plain else name
                    found = measure(folder / str(n), case, plain=plain)
                    note(results, told_name, n, found)
                    print(f"{n} {told_name}: {found}", file=sys.stderr, flush=True)
        bench.report("Commands on large libraries", table(read(results)))


if __name__ == "__main__":
    main()
