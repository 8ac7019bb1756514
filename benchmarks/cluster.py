"""Costs of work on a Dask cluster of this machine: `python benchmarks/cluster.py [PART…]`.

- `speed`: estimates by two worker processes, over those by one, in turn; beside them two threads,
  and two processes that know nothing of each other.
- `overhead`: what Dask takes beside the work, for each track, with tracks that take no time.
- `memory`: peak of client and of scheduler with 1,000 to 1,000,000 of these.
- `journal`: output and journal of a million rows: time, size, and time to go on.
- `formats`: processor time and bytes read of a track, by format.
"""

from __future__ import annotations

import os
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import bench

from tempo_core.engines.schedulers import open_engine

FORMATS = ("mp3", "flac", "m4a", "ogg", "opus", "wav")
MILLION = 1_000_000


@dataclass(frozen=True)
class Nothing:
    """Work that takes no time: a row of numbers as long as that of an estimate."""

    def load(self) -> Callable[[str], dict[str, object]]:
        return lambda path: {"path": path, "bpm": 120.0, "paces": "120:1.00 60:0.50", "key": "Am"}

    def uses(self) -> Mapping[str, str]:
        return {}


def main() -> None:
    """Run the parts that are named, or all."""
    parser = bench.arguments(__doc__)
    parser.add_argument("parts", nargs="*", help="(default: all)", metavar="PART")
    parser.add_argument("--tracks", type=int, default=240, help="of speed (default: %(default)s)")
    parser.add_argument("--duration", type=float, default=240, help="[s] (default: %(default)s)")
    parser.add_argument("--runs", type=int, default=3, help="of speed (default: %(default)s)")
    parser.add_argument("--rows", type=int, default=MILLION, help="(default: %(default)s)")
    options = parser.parse_args()
    parts = {
        "speed": lambda: speed(options.cache, options.tracks, options.duration, options.runs),
        "overhead": overhead,
        "memory": memory,
        "journal": lambda: journal(options.rows),
        "formats": lambda: formats(options.cache, options.duration),
    }
    if unknown := [name for name in options.parts if name not in parts]:
        parser.error(f"no part {unknown[0]!r}; there are {', '.join(parts)}")
    print(bench.machine())
    for name in options.parts or parts:
        print(f"\n## {name}\n", flush=True)
        for line in parts[name]():
            print(line, flush=True)


def speed(cache: Path, n_tracks: int, duration: float, n_runs: int) -> Iterator[str]:
    """Time of the same tracks with each engine, in turn, several times."""
    from tempo_core.cli.estimating import EstimateWork
    from tempo_core.results.tracks import Track

    different = bench.tracks(cache, min(n_tracks, 60), duration)
    bench.warm_up(different)
    files = [different[k % len(different)] for k in range(n_tracks)]
    work = EstimateWork("default", 10, ("tempo", "pace", "key", "beats"))
    tracks = [Track(k, str(file.path)) for k, file in enumerate(files)]
    # Not started anew each time: what is measured is the work.
    engines = {"2 threads": (None, 2), "1 process": ("local:1", 1), "2 processes": ("local:2", 2)}
    alone = "2 processes without Dask"
    walls: dict[str, list[float]] = {name: [] for name in [*engines, alone]}
    for _ in range(n_runs):
        for name, (scheduler, jobs) in engines.items():
            with open_engine(scheduler, jobs) as engine:
                list(engine.each(work, tracks[:4]))  # loads the models
                start = time.perf_counter()
                assert len(list(engine.each(work, tracks))) == n_tracks
                walls[name].append(time.perf_counter() - start)
        walls[alone].append(without_dask([track.path for track in tracks]))
    yield f"{n_tracks} tracks of {duration:g} s (mp3, flac, m4a; 60 files), {n_runs} runs in turn."
    yield ""
    yield "| engine | median [s] | tracks a second | over 1 process, in the same run |"
    yield "|---|---|---|---|"
    for name, seconds in walls.items():
        ratios = [one / own for one, own in zip(walls["1 process"], seconds, strict=True)]
        median = statistics.median(seconds)
        yield (
            f"| {name} | {median:.1f} | {n_tracks / median:.2f} | "
            f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f}) |"
        )


def without_dask(paths: Sequence[str]) -> float:
    """Time [s] until two processes are done that estimate half of the tracks each."""
    running = [
        subprocess.Popen(
            [sys.executable, __file__, "--as-half", *paths[k::2]],
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            # Dask leaves it behind in this process; it doubles the time of an estimate.
            env={
                name: value
                for name, value in os.environ.items()
                if name != "MALLOC_TRIM_THRESHOLD_"
            },
        )
        for k in range(2)
    ]
    for process in running:
        assert process.stdout
        process.stdout.readline()  # its models are loaded
    start = time.perf_counter()
    for process in running:
        assert process.stdin
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in running:
        process.communicate()
    return time.perf_counter() - start


def as_half(paths: Sequence[str]) -> None:
    """One of the processes of `without_dask`."""
    from tempo_core import Estimator

    estimator = Estimator()
    for path in paths[:4]:
        estimator.estimate(path)
    print("ready", flush=True)
    sys.stdin.readline()
    for path in paths:
        estimator.estimate(path)


def overhead() -> Iterator[str]:
    """Wall and processor time for each track that takes no time."""
    yield "| chunks of at most | wall [ms] a track | processor of client and scheduler [ms] |"
    yield "|---|---|---|"
    from tempo_core.engines import cluster

    largest = cluster.LARGEST_CHUNK
    for size, n in ((1, 3000), (8, 10_000), (largest, 40_000)):
        cluster.LARGEST_CHUNK = size
        with open_engine("local:2", 1) as engine:
            list(engine.each(Nothing(), names(1000)))
            start, cpu = time.perf_counter(), time.process_time()
            assert sum(1 for _ in engine.each(Nothing(), names(n))) == n
            wall, cpu = time.perf_counter() - start, time.process_time() - cpu
        yield f"| {size} | {1000 * wall / n:.2f} | {1000 * cpu / n:.2f} |"
    cluster.LARGEST_CHUNK = largest


def names(n: int) -> Iterator[str]:
    """Paths of tracks."""
    return (f"/archive/{k // 1000:04d}/{k:07d}.flac" for k in range(n))


def memory() -> Iterator[str]:
    """Peak of memory of client and of scheduler, in processes of their own."""
    yield "| tracks | client [MB] | scheduler [MB] |"
    yield "|---|---|---|"
    for n in (1000, 10_000, 100_000, MILLION):
        with dask_processes(2) as (file, scheduler):
            command = [sys.executable, __file__, "--as-client", str(n), file]
            peak = subprocess.run(command, check=True, capture_output=True, text=True).stdout
            yield f"| {n:,} | {float(peak):.0f} | {peak_of(scheduler):.0f} |"


def as_client(n: int, file: str) -> None:
    """The client of `memory`; prints its peak [MB]."""
    with open_engine(file, 1) as engine:
        assert sum(1 for _ in engine.each(Nothing(), names(n))) == n
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000)


def peak_of(pid: int) -> float:
    """Peak of resident memory of a process that runs [MB]."""
    status = Path(f"/proc/{pid}/status").read_text()
    (line,) = (line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1000


@contextmanager
def dask_processes(n_workers: int) -> Iterator[tuple[str, int]]:
    """A scheduler and workers in processes of their own; scheduler file, and pid of the former."""
    with tempfile.TemporaryDirectory() as folder:
        file = f"{folder}/scheduler.json"
        common = ["--no-dashboard", "--scheduler-file", file]
        dask = [sys.executable, "-m", "dask"]
        quiet = partial(subprocess.Popen, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        address = ["--host", "127.0.0.1", "--port", "0"]
        scheduler = quiet([*dask, "scheduler", *address, *common])
        while not Path(file).exists():
            time.sleep(0.1)
        count = ["--nworkers", str(n_workers), "--nthreads", "1"]
        workers = quiet([*dask, "worker", *count, *common])
        try:
            yield file, scheduler.pid
        finally:
            for process in (workers, scheduler):
                process.terminate()
                process.wait()


def journal(n: int) -> Iterator[str]:
    """Time and size of output and journal of `n` rows, and time until a second run goes on."""
    from tempo_core.results.formats import FORMATS
    from tempo_core.results.results import Results, journal_of
    from tempo_core.results.rows import Row, shown_by
    from tempo_core.results.tracks import Track

    columns = shown_by(["tempo", "key"])
    rng = random.Random(0)

    def run(out: Path, n_tracks: int) -> int:
        done = 0
        with Results(out, FORMATS[out.suffix](columns), "benchmark", ordered=True) as results:
            tracks = (Track(k, name) for k, name in enumerate(names(n_tracks)))
            for track in results.new(tracks):
                bpm = round(rng.uniform(60, 180), 2)
                values = {"bpm": bpm, "confidence": 0.9731, "octave_confidence": 0.91,
                          "stability": 0.99, "key": "F#m", "key_confidence": 0.77}  # fmt: skip
                results.add(Row(track.path, values, None))
                done += 1
            results.finish()
        return done

    yield f"{n:,} rows."
    yield ""
    columns_of_table = ("output", "write [s]", "ms a row", "output [MB]", "journal [MB]",
                        "go on, nothing new [s]", "go on, 1,000 new [s]")  # fmt: skip
    yield f"| {' | '.join(columns_of_table)} |"
    yield "|---|---|---|---|---|---|---|"
    with tempfile.TemporaryDirectory() as folder:
        for ending in FORMATS:
            out = Path(folder) / f"results{ending}"
            times = []
            for wanted in (n, n, n + 1000):
                start = time.perf_counter()
                run(out, wanted)
                times.append(time.perf_counter() - start)
            sizes = [path.stat().st_size / 1e6 for path in (out, journal_of(out))]
            yield (
                f"| {ending} | {times[0]:.1f} | {1000 * times[0] / n:.3f} | {sizes[0]:.0f} | "
                f"{sizes[1]:.0f} | {times[1]:.1f} | {times[2]:.1f} |"
            )


def formats(cache: Path, duration: float) -> Iterator[str]:
    """Processor time and bytes read of an estimate, by format of the file."""
    from tempo_core import Estimator

    estimator = Estimator()
    yield f"Tracks of {duration:g} s, ten of each format, tempo, paces, key and beats."
    yield ""
    columns = ("format", "size [MB]", "read [MB]", "processor [s]", "CPU hours for a million",
               "read for a million [TB]")  # fmt: skip
    yield f"| {' | '.join(columns)} |"
    yield "|---|---|---|---|---|---|"
    for name in FORMATS:
        files = bench.tracks(cache / name, 10, duration, [name])
        bench.warm_up(files)
        estimator.estimate(files[0].path)
        before, cpu = bytes_read(), time.process_time()
        for file in files:
            estimator.estimate(file.path)
        seconds = (time.process_time() - cpu) / len(files)
        read = (bytes_read() - before) / len(files) / 1e6
        size = statistics.mean(file.path.stat().st_size for file in files) / 1e6
        hours, terabytes = seconds * MILLION / 3600, read * MILLION / 1e6
        yield (
            f"| {name} | {size:.1f} | {read:.1f} | {seconds:.2f} | {hours:.0f} | {terabytes:.1f} |"
        )


def bytes_read() -> int:
    """Bytes that this process has read from files so far, from memory of the system too."""
    for line in Path("/proc/self/io").read_text().splitlines():
        if line.startswith("rchar"):
            return int(line.split()[1])
    raise OSError("no count of bytes in /proc/self/io")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--as-client"]:
        as_client(int(sys.argv[2]), sys.argv[3])
    elif sys.argv[1:2] == ["--as-half"]:
        as_half(sys.argv[2:])
    else:
        main()
