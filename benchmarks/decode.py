"""Ratio of the time of an estimate to the time of only decoding the audio it uses.

Each track is estimated, and then the parts of it that the estimate decoded are decoded again, in
one thread.
"""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import bench


def timed(call: Callable[[], object]) -> tuple[float, float]:
    """Wall and CPU time [s] of a call."""
    wall, cpu = time.perf_counter(), time.process_time()
    call()
    return time.perf_counter() - wall, time.process_time() - cpu


def main() -> None:
    """Run the benchmark and print its report."""
    parser = bench.arguments(__doc__)
    parser.add_argument("--tracks", type=int, default=24, help="(default: %(default)s)")
    parser.add_argument("--duration", type=float, default=180, help="[s] (default: %(default)s)")
    parser.add_argument("--windows", default="10", help="as of tempo-core (default: %(default)s)")
    parser.add_argument("--runs", type=int, default=3, help="(default: %(default)s)")
    parser.add_argument("--json", action="store_true", help="print nothing but the mean times [s]")
    options = parser.parse_args()
    files = bench.tracks(options.cache, options.tracks, options.duration)
    bench.warm_up(files)

    from tempo_core import Estimator
    from tempo_core.audio import AudioFile
    from tempo_core.excerpts import Excerpt

    reads: list[tuple[int, Sequence[tuple[float, float]]]] = []
    read = AudioFile.read

    def noted(file: AudioFile, sr: int, spans: Sequence[tuple[float, float]]) -> list[Excerpt]:
        reads.append((sr, spans))
        return read(file, sr, spans)

    # Replaced in the class, so that reads of all objects are recorded.
    AudioFile.read = noted  # type: ignore[assignment, method-assign]

    def decode(path: Path, wanted: list[tuple[int, Sequence[tuple[float, float]]]]) -> float:
        """Decode the noted spans again; returns their length [s]."""
        with AudioFile(path) as file:
            return sum(
                excerpt.audio.size / sr for sr, spans in wanted for excerpt in read(file, sr, spans)
            )

    windows = options.windows if options.windows == "all" else int(options.windows)
    estimator = Estimator(windows=windows)

    rows: dict[str, list[tuple[float, float, float, float, float]]] = {}
    estimator.estimate(files[0].path)  # the first call of everything is slower
    for track in files:
        reads.clear()
        # The shortest of a few runs is the one least disturbed by other processes.
        whole = [timed(partial(estimator.estimate, track.path)) for _ in range(options.runs)]
        wanted = reads[: len(reads) // options.runs]
        decoding = [timed(partial(decode, track.path, wanted)) for _ in range(options.runs)]
        row = (*map(min, zip(*whole, strict=True)), *map(min, zip(*decoding, strict=True)))
        rows.setdefault(track.path.suffix[1:], []).append((*row, decode(track.path, wanted)))

    every = [row for data in rows.values() for row in data]
    if options.json:
        means = [statistics.fmean(column) for column in zip(*every, strict=True)]
        print(json.dumps({"estimate": means[0], "decode": means[2]}))
        return

    def line(name: str, data: list[tuple[float, float, float, float, float]]) -> str:
        wall, cpu, decode_wall, decode_cpu, seconds = (
            statistics.fmean(column) for column in zip(*data, strict=True)
        )
        return (
            f"| {name} | {seconds:.0f} | {1e3 * wall:.0f} | {1e3 * decode_wall:.0f} "
            f"| **{wall / decode_wall:.2f}** | {cpu / decode_cpu:.2f} |"
        )

    bench.report(
        f"An estimate over merely decoding the same windows: {len(files)} tracks of "
        f"{options.duration:g} s, at most {options.windows} windows",
        [
            "| format | decoded [s] | estimate [ms] | decode [ms] | ratio (wall) | ratio (CPU) |",
            "|---|---:|---:|---:|---:|---:|",
            *(line(name, data) for name, data in sorted(rows.items())),
            line("all", every),
            "",
            "Means over the tracks, one thread. Goal: a ratio of 2.",
        ],
    )


if __name__ == "__main__":
    main()
