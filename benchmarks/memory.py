"""Peak memory of `beet tempo` on libraries of 100 and of 1,000 tracks.

The tracks are links to a few files. For each size, the command runs on a library of its own. If
memory grows with the number of tracks, the longer run has a higher peak.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import bench


def main() -> None:
    """Run the benchmark and print its report."""
    parser = bench.arguments(__doc__)
    parser.add_argument(
        "--sizes", type=int, nargs="+", default=[100, 1000], help="(default: 100 1000)"
    )
    parser.add_argument("--duration", type=float, default=180, help="[s] (default: %(default)s)")
    options = parser.parse_args()
    files = bench.tracks(options.cache, 30, options.duration)
    bench.warm_up(files)

    costs = []
    with tempfile.TemporaryDirectory() as name:
        for size in options.sizes:
            folder = Path(name) / str(size)
            library = bench.Beets(folder / "library")
            library.run("import", "-A", "-q", str(bench.links(files, folder / "inbox", size)))
            library = bench.Beets(folder / "library", "tempo")
            costs.append(library.run("tempo", "-q"))
            n_done = len(library.list("$bpm", "bpm:1.."))
            if n_done != size:
                raise SystemExit(f"{size - n_done} of {size} tracks were left without a tempo")

    bench.report(
        f"Peak memory of beet tempo, tracks of {options.duration:g} s",
        [
            "| tracks | peak memory [MiB] | wall [s] |",
            "|---:|---:|---:|",
            *(
                f"| {size} | {cost.peak:.0f} | {cost.wall:.0f} |"
                for size, cost in zip(options.sizes, costs, strict=True)
            ),
            "",
            f"Growth from {options.sizes[0]} to {options.sizes[-1]} tracks: "
            f"{costs[-1].peak - costs[0].peak:+.1f} MiB.",
        ],
    )


if __name__ == "__main__":
    main()
