"""Cost of the enabled plugin for every other beets command: `beet ls` with and without it.

Both are run in turn, so that a change of the load of the machine affects them alike.
"""

from __future__ import annotations

import statistics
import tempfile
from pathlib import Path

import bench


def main() -> None:
    """Run the benchmark and print its report."""
    parser = bench.arguments(__doc__)
    parser.add_argument("--runs", type=int, default=24, help="of each (default: %(default)s)")
    options = parser.parse_args()
    files = bench.tracks(options.cache, 4, 20, formats=("flac",))

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        without = bench.Beets(folder / "without")
        without.run("import", "-A", "-q", str(bench.links(files, folder / "inbox", len(files))))
        enabled = without.copy(folder / "with", "tempo")
        enabled.run("tempo", "--help")  # fails unless the plugin is loaded
        for library in (without, enabled):
            library.run("ls")  # the first run compiles and migrates
        pairs = [(without.run("ls"), enabled.run("ls")) for _ in range(options.runs)]

    def medians(costs: list[bench.Cost]) -> tuple[float, float]:
        return (
            1e3 * statistics.median(cost.cpu for cost in costs),
            1e3 * statistics.median(cost.wall for cost in costs),
        )

    cpu, wall = medians([pair[0] for pair in pairs])
    cpu_with, wall_with = medians([pair[1] for pair in pairs])
    # Differences within a pair, whose two runs had nearly the same load.
    cpu_more = 1e3 * statistics.median(b.cpu - a.cpu for a, b in pairs)
    wall_more = 1e3 * statistics.median(b.wall - a.wall for a, b in pairs)
    bench.report(
        f"beet ls without and with the plugin, {options.runs} runs each in turn, medians",
        [
            "| | CPU [ms] | wall [ms] |",
            "|---|---:|---:|",
            f"| without | {cpu:.0f} | {wall:.0f} |",
            f"| with | {cpu_with:.0f} | {wall_with:.0f} |",
            f"| difference (median over pairs) | **{cpu_more:+.1f}** | {wall_more:+.1f} |",
            "",
            "Goal: less than 20 ms.",
        ],
    )


if __name__ == "__main__":
    main()
