"""Time and memory of `beet tempo` and of beets' own `beet autobpm` on the same library.

Both run as commands with their default settings and threads, each on a new copy of the same
library, on the same files; neither writes tags. Needs the extra `benchmarks`.
"""

from __future__ import annotations

import statistics
import tempfile
from pathlib import Path

import bench


def main() -> None:
    """Run the benchmark and print its report."""
    parser = bench.arguments(__doc__)
    parser.add_argument("--tracks", type=int, default=102, help="(default: %(default)s)")
    parser.add_argument("--duration", type=float, default=180, help="[s] (default: %(default)s)")
    parser.add_argument(
        "--runs", type=int, default=3, help="of beet tempo; the median counts (default: 3)"
    )
    options = parser.parse_args()
    files = bench.tracks(options.cache, options.tracks, options.duration)

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        library = bench.Beets(folder / "library")
        inbox = bench.links(files, folder / "inbox", len(files))
        library.run("import", "-A", "-q", str(inbox))
        bench.warm_up(files)
        # One track each in advance, because numba compiles librosa once for an installation.
        for plugin in ("tempo", "autobpm"):
            library.copy(folder / f"warm-{plugin}", plugin).run(plugin, "id:1")

        def measure(run: str, plugin: str) -> bench.Cost:
            copy = library.copy(folder / run, plugin)
            cost = copy.run(plugin, *(["-q"] if plugin == "tempo" else []))
            n_done = len(copy.list("$bpm", "bpm:1.."))
            if n_done != len(files):
                raise SystemExit(f"{plugin} left {len(files) - n_done} tracks without a tempo")
            return cost

        tempo = [measure(f"tempo{run}", "tempo") for run in range(options.runs)]
        autobpm = measure("autobpm", "autobpm")

    wall = statistics.median(cost.wall for cost in tempo)
    cpu = statistics.median(cost.cpu for cost in tempo)
    peak = max(cost.peak for cost in tempo)
    minutes = len(files) * options.duration / 60
    bench.report(
        f"beet tempo and beet autobpm: {len(files)} tracks, {minutes:.0f} minutes of music",
        [
            "| | wall [s] | CPU [s] | tracks/s | peak memory [MiB] |",
            "|---|---:|---:|---:|---:|",
            f"| `beet tempo` | {wall:.1f} | {cpu:.1f} | {len(files) / wall:.2f} | {peak:.0f} |",
            f"| `beet autobpm` | {autobpm.wall:.1f} | {autobpm.cpu:.1f} "
            f"| {len(files) / autobpm.wall:.2f} | {autobpm.peak:.0f} |",
            f"| ratio | **{autobpm.wall / wall:.1f}** | {autobpm.cpu / cpu:.1f} "
            f"| | {autobpm.peak / peak:.2f} |",
            "",
            f"Wall times of the {len(tempo)} runs of `beet tempo`: "
            + ", ".join(f"{cost.wall:.1f}" for cost in tempo)
            + " s. Goal: 15 times as fast.",
        ],
    )


if __name__ == "__main__":
    main()
