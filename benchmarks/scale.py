"""Time and memory of every command on libraries of 1,000, 10,000 and 100,000 tracks.

`python benchmarks/scale.py [--sizes 1000,10000,100000] [COMMAND…]` makes the libraries
(`large_library.py`) and runs each command, or those whose names begin with one of the words, in a
process of its own on a fresh copy of the library and its stores. Printed are processor time (user
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
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import bench

SIZES = (1_000, 10_000, 100_000)  # tracks
LIMIT = 300  # [s] of a processor
STORES = ("library.db", "labels.db", "tempo-sounds.db")
N_NEW = 20  # tracks without an analysis, see `large_library.N_NEW`
FORGET_NEW = (
    f"DELETE FROM item_attributes WHERE entity_id <= {N_NEW} AND key LIKE 'tempo%';"
    f"UPDATE items SET bpm = 0, initial_key = '' WHERE id <= {N_NEW}"
)
FORGET_LABELS = "UPDATE items SET bpm = 0 WHERE id % 100 = 11"


@dataclass(frozen=True)
class Case:
    """A command to measure.

    Attributes
    ----------
    args
        Its arguments, with blanks between; `RUN` is the folder of the library, `ALBUM` that of an
        album that is not in it.
    plain
        Measure it without the plugin as well.
    sql
        What is changed in the library before.
    moves
        It moves files or writes to them.
    answered
        It is run before, so that its own results are there.
    mixxx
        It needs a library of Mixxx.
    """

    args: str
    plain: bool = False
    sql: str = ""
    moves: bool = False
    answered: bool = False
    mixxx: bool = False


CASES = {
    "ls": Case("ls", plain=True),
    "ls bpm:120..121": Case("ls bpm:120..121", plain=True),
    "ls pace:170..174": Case("ls pace:170..174"),
    "ls -a pace:170..174": Case("ls -a pace:170..174"),
    "ls sound:rock": Case("ls sound:rock"),
    "ls sound:rock,0.9..": Case("ls sound:rock,0.9.."),
    "ls tempo_verdict:conflict": Case("ls tempo_verdict:conflict", plain=True),
    "ls -f $camelot": Case("ls -f $camelot", plain=True),
    "ls -f $camelot bpm:120..121": Case("ls -f $camelot bpm:120..121", plain=True),
    "tempo": Case("tempo"),
    "tempo -p": Case("tempo -p"),
    "tempo, 20 new": Case("tempo", sql=FORGET_NEW, moves=True),
    "tempo -p --tasks key": Case("tempo -p --tasks key"),
    "tempo --retry": Case("tempo --retry"),
    "tempo bpm:120..121": Case("tempo bpm:120..121"),
    "tempo tempo_source::^label:": Case("tempo tempo_source::^label:"),
    "tempo --cadence 170..174": Case("tempo --cadence 170..174"),
    "tempo --cadence 120..180": Case("tempo --cadence 120..180"),
    "tempo --cadence --m3u": Case("tempo --cadence 170..174 --m3u RUN/out.m3u"),
    "tempo --double -W": Case("tempo --double -W bpm:..110"),
    "tempo --lock -W": Case("tempo --lock -W bpm:120..121"),
    "tempo --unlock": Case("tempo --unlock bpm:120..121"),
    "tempo --review": Case("tempo --review"),
    "tempo-mix": Case("tempo-mix id:1"),
    "tempo-mix --sound": Case("tempo-mix --sound id:1"),
    "tempo-mix --crate": Case("tempo-mix --crate genres:House id:1"),
    "tempo-mix --path 20": Case("tempo-mix --path 20 id:1"),
    "tempo-mix --path 20, any first": Case("tempo-mix --path 20"),
    "tempo-mix --path 20 --sound": Case("tempo-mix --path 20 --sound id:1"),
    "tempo-mix --path 20 --sheet": Case("tempo-mix --path 20 --sheet RUN/out.html id:1"),
    "tempo-similar": Case("tempo-similar id:1"),
    "tempo-similar --bpm --key": Case("tempo-similar --bpm 120..122 --key id:1"),
    "tempo-similar, many seeds": Case("tempo-similar bpm:120..121"),
    "tempo-tags": Case("tempo-tags"),
    "tempo-tags -p": Case("tempo-tags -p"),
    "tempo-tags --suggest": Case("tempo-tags --suggest"),
    "tempo-tags --suggest --apply": Case("tempo-tags --suggest --apply -W"),
    "tempo-tags --check": Case("tempo-tags --check"),
    "tempo-tags --check --report": Case("tempo-tags --check --report RUN/report"),
    "tempo-labels": Case("tempo-labels"),
    "tempo-labels again": Case("tempo-labels", answered=True),
    "tempo-labels -p": Case("tempo-labels -p"),
    "tempo-labels --report": Case("tempo-labels --report RUN/labels.html"),
    "tempo-labels --export": Case("tempo-labels --export RUN/labels.tsv"),
    "tempo-labels --apply": Case("tempo-labels --apply -W", sql=FORGET_LABELS),
    **{
        f"tempo-export {form}": Case(f"tempo-export --format {form} -o RUN/out.{form}")
        for form in ("rekordbox", "traktor", "m3u8", "csv")
    },
    "tempo-export mixxx": Case("tempo-export --format mixxx -o RUN/mixxxdb.sqlite", mixxx=True),
    "tempo-labels --import": Case("tempo-labels --import RUN/../out.xml --source rekordbox -W"),
    "tempo-notes -p": Case("tempo-notes -p"),
    "tempo-eval, answers known": Case("tempo-eval --out RUN/eval", answered=True),
    **{
        f"tempo-train -p --task {task}": Case(f"tempo-train -p --task {task}")
        for task in ("tempo", "pace", "key", "tags")
    },
    "modify bpm:120..121": Case("modify -y -W -M bpm:120..121 comments=x", plain=True),
    "modify": Case("modify -y -W -M comments=x", plain=True),
    "rm bpm:120..121": Case("rm -f bpm:120..121", plain=True),
    "import of an album": Case("import -q ALBUM", plain=True, moves=True),
    "move -p": Case("move -p", plain=True),
    "write -p bpm:120..121": Case("write -p bpm:120..121", plain=True),
    "write -p": Case("write -p", plain=True),
    "update -p": Case("update -p", plain=True),
    "update -p, all files changed": Case("update -p", plain=True, sql="UPDATE items SET mtime = 1"),
    "move bpm:120..121": Case("move -d RUN/other bpm:120..121", plain=True, moves=True),
    "move": Case("move -d RUN/other", plain=True, moves=True),
}  # fmt: skip


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
        maker = Path(__file__).with_name("large_library.py")
        bench.run_child([sys.executable, str(maker), str(folder), str(n)], environment())
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
        in_process("make_mixxx", run / "mixxxdb.sqlite", run, run / "library.db")


def restore(folder: Path) -> None:
    """Give the library its files back after a command that moved them or wrote to them."""
    made, run = folder / "made", folder / "run"
    in_process("link_music", made, run)
    in_process("stamp_keys", made / "library.db", run)


def in_process(name: str, *paths: Path) -> None:
    """Call a function of `large_library` in another process.

    The peak of memory of this one would count for those that it starts.
    """
    code = (
        f"import sys, pathlib as p; import large_library as l; l.{name}(*map(p.Path, sys.argv[1:]))"
    )
    folders = os.pathsep.join([str(Path(__file__).parent), environment()["PYTHONPATH"]])
    command = [sys.executable, "-c", code, *map(str, paths)]
    bench.run_child(command, {"PYTHONPATH": folders})


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
            row.append(f"{other.cpu / one.cpu:.1f}" if one and other else "")
        rows.append(row)
    return ["| " + " | ".join(row) + " |" for row in rows]


def told(found: Measured | None) -> str:
    """Processor time [s]; a mark where the command did not end well."""
    if found is None:
        return ""
    if found.status < 0:
        return f"> {LIMIT}" if found.cpu >= LIMIT - 1 else f"signal {-found.status}"
    return f"{found.cpu:.2f}" + (f" (exit {found.status})" if found.status else "")


def main() -> None:
    """Measure every command on every size, and print a table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("commands", nargs="*", metavar="COMMAND", help="beginnings of names")
    parser.add_argument("--sizes", default=",".join(map(str, SIZES)), help="(default: %(default)s)")
    parser.add_argument("--folder", type=Path, help="keep the libraries here")
    parser.add_argument("--results", type=Path, help="file to add results to")
    parser.add_argument("--no-plain", action="store_true", help="only with the plugin")
    options = parser.parse_args()
    chosen = {
        name: case
        for name, case in CASES.items()
        if not options.commands or any(name.startswith(word) for word in options.commands)
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
