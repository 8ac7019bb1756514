"""Comparison of two versions of the package: start-up, memory, speed and installed size.

Each is installed without extras into a virtual environment of its own, with the versions in its
`constraints.txt`. They are measured in turn, so that changes in the load of the machine affect both
alike.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import bench

MB = 1e6


@dataclass(frozen=True)
class Version:
    """An installed version. Sizes are those of all files in `site-packages` [bytes]."""

    name: str
    scripts: Path
    size_of_beets: int
    size: int

    @property
    def added(self) -> float:
        """Size of the package and of what it needs beside beets [MB]."""
        return (self.size - self.size_of_beets) / MB


@dataclass(frozen=True)
class Row:
    """A row of the report: one figure of both versions, and the `goal` as text."""

    name: str
    before: float
    after: float
    digits: int = 0
    goal: str = ""

    def cells(self) -> str:
        """The row of a Markdown table."""
        before, after = (f"{value:,.{self.digits}f}" for value in (self.before, self.after))
        return (
            f"| {self.name} | {before} | {after} | {self.before / self.after:.2f} | {self.goal} |"
        )


def environment(folder: Path, constraints: Path, *requirements: str) -> tuple[Path, list[int]]:
    """Make a virtual environment and install one requirement after another.

    Returns
    -------
    scripts, sizes
        Folder of its commands, and its size after each requirement [bytes].
    """
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    (scripts,) = (path for path in (folder / "bin", folder / "Scripts") if path.exists())
    pip = [str(scripts / "python"), "-m", "pip", "install", "--quiet", "-c", str(constraints)]
    sizes = []
    for requirement in requirements:
        subprocess.run([*pip, requirement], check=True)
        sizes.append(sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()))
    return scripts, sizes


def install(name: str, source: Path, folder: Path) -> Version:
    """Install beets and then a checkout or a wheel of the package beside it."""
    source = source.resolve()
    beside = source / "constraints.txt"
    constraints = beside if beside.exists() else bench.REPOSITORY / "constraints.txt"
    scripts, sizes = environment(folder, constraints, "beets", str(source))
    return Version(name, scripts, *sizes)


def in_turn(
    versions: Sequence[Version], runs: int, measure: Callable[[Version], bench.Cost]
) -> list[list[bench.Cost]]:
    """Costs of each version, measured in turn."""
    rounds = [[measure(version) for version in versions] for _ in range(runs)]
    return [list(costs) for costs in zip(*rounds, strict=True)]


def estimating(folder: Path, *files: Path) -> Callable[[Version], bench.Cost]:
    """`tempo-core estimate` of some files, with the shipped models."""

    def measure(version: Version) -> bench.Cost:
        command = [str(version.scripts / "tempo-core"), "estimate", *map(str, files)]
        return bench.run_child(command, {"TEMPO_CORE_MODELS": str(folder / "models")})

    return measure


def decoding(version: Version, arguments: Sequence[str]) -> tuple[float, float]:
    """Mean times of an estimate and of only decoding the same audio [s], from `decode.py`."""
    script = Path(__file__).with_name("decode.py")
    done = subprocess.run(
        [version.scripts / "python", script, "--json", *arguments],
        check=True, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    means = json.loads(done.stdout)
    return means["estimate"], means["decode"]


def library_of(folder: Path, files: Sequence[bench.Track], scripts: Path) -> bench.Beets:
    """A beets library of some tracks, made without any plugin."""
    library = bench.Beets(folder / "library", scripts=scripts)
    library.run("import", "-A", "-q", str(bench.links(files, folder / "inbox", len(files))))
    return library


def tagging(library: bench.Beets, plugin: str, options: Sequence[str]) -> Callable[..., bench.Cost]:
    """Function that measures a plugin's command on a new copy of a library."""
    n_runs = 0

    def measure(version: Version) -> bench.Cost:
        nonlocal n_runs
        n_runs += 1
        first, copy = (
            library.copy(library.folder.with_name(f"{plugin}{n_runs}{n}"), plugin, version.scripts)
            for n in "ab"
        )
        first.run(plugin, "id:1")  # numba compiles librosa once for an installation
        cost = copy.run(plugin, *options)
        if missing := len(copy.list("$id")) - len(copy.list("$id", "bpm:1..")):
            raise SystemExit(f"{version.name}: {plugin} left {missing} tracks without a tempo")
        return cost

    return measure


def medians(costs: Sequence[bench.Cost]) -> bench.Cost:
    """Medians of wall time, CPU time and peak of memory, each by itself."""
    return bench.Cost(
        statistics.median(cost.wall for cost in costs),
        statistics.median(cost.cpu for cost in costs),
        statistics.median(cost.peak for cost in costs),
    )


def rows(options: argparse.Namespace, folder: Path) -> list[Row]:
    """Install both versions and measure them; the rows of the table."""
    before = install("before", options.before, folder / "before")
    after = install("after", options.after, folder / "after")
    both = (before, after)
    files = bench.tracks(options.cache, options.tracks, options.duration)
    bench.warm_up(files)
    table = [
        Row("added to beets [MB]", before.added, after.added, goal="≤ 150"),
        Row("installed in all [MB]", before.size / MB, after.size / MB),
    ]

    one = estimating(folder, files[0].path)
    in_turn(both, 1, one)  # the first run of everything is slower
    first, second = map(medians, in_turn(both, options.runs, one))
    table += [
        Row("`tempo-core estimate`, one file: wall [s]", first.wall, second.wall, 2, "a fifth"),
        Row("the same: CPU [s]", first.cpu, second.cpu, 2),
        Row("the same: peak memory [MiB]", first.peak, second.peak, goal="half"),
    ]

    many = bench.links(files, folder / "many", options.many)
    first, second = map(medians, in_turn(both, 1, estimating(folder, many)))
    name = f"`tempo-core estimate`, {options.many} files"
    table += [
        Row(f"{name}: wall [s]", first.wall, second.wall, 1),
        Row("the same: peak memory [MiB]", first.peak, second.peak, goal="half"),
    ]

    arguments = ["--cache", str(options.cache), "--duration", str(options.duration)]
    arguments += ["--tracks", str(min(24, options.tracks))]
    pairs = [[decoding(version, arguments) for version in both] for _ in range(options.rounds)]
    over = [
        statistics.median(whole / decode for whole, decode in found)
        for found in zip(*pairs, strict=True)
    ]
    table.append(Row("an estimate over decoding the same windows", over[0], over[1], 2, "≤ 2"))

    scripts, _ = environment(
        folder / "autobpm", bench.REPOSITORY / "constraints.txt", "beets[autobpm]"
    )
    library = library_of(folder, files, scripts)
    tempo = in_turn(both, options.rounds, tagging(library, "tempo", ["-q"]))
    autobpm = tagging(library, "autobpm", [])(Version("beets", scripts, 0, 0))
    first, second = map(medians, tempo)
    name = f"`beet tempo`, {len(files)} tracks"
    table += [
        Row(f"{name}: wall [s]", first.wall, second.wall, 1),
        Row("the same: peak memory [MiB]", first.peak, second.peak),
        Row(
            f"`beet autobpm` ({autobpm.wall:.1f} s) over it",
            autobpm.wall / first.wall, autobpm.wall / second.wall, 1, "≥ 18",
        ),
    ]  # fmt: skip
    return table


def main() -> None:
    """Run the benchmark and print its report."""
    parser = bench.arguments(__doc__)
    for name in ("before", "after"):
        parser.add_argument(
            f"--{name}", type=Path, required=True, metavar="PATH", help="a checkout or a wheel"
        )
    parser.add_argument("--tracks", type=int, default=102, help="(default: %(default)s)")
    parser.add_argument("--duration", type=float, default=180, help="[s] (default: %(default)s)")
    parser.add_argument("--many", type=int, default=300, help="files for the peak (default: 300)")
    parser.add_argument("--runs", type=int, default=15, help="of start-up (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=3, help="of all else (default: %(default)s)")
    options = parser.parse_args()
    os.environ.pop("PYTHONPATH", None)  # what is installed is measured, and nothing else
    with tempfile.TemporaryDirectory() as name:
        table = rows(options, Path(name))
    bench.report(
        f"{options.before} and {options.after}, measured in turn",
        [
            "| | before | after | before / after | goal |",
            "|---|---:|---:|---:|---|",
            *(row.cells() for row in table),
            "",
            f"Medians of {options.runs} runs of start-up and of {options.rounds} of decoding and "
            f"`beet tempo`; tracks of {options.duration:g} s.",
        ],
    )


if __name__ == "__main__":
    main()
