"""Effect and cost of writing a tag, for files of every container.

The matrix is that of the tests (`tests/containers.py`): a tag is written, the same again, and
another; the file is then compared by other means than those of the writer. `--mutations N` does the
same with N copies of these files in which a few bytes were overwritten, cut out or inserted at
random. The cost is the time of a write, compared with that of a copy that mutagen saves, and with
that of an analysis.
"""

from __future__ import annotations

import logging
import shutil
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path

import bench
import numpy as np
import torch
from mediafile import MediaFile

from beetsplug.tempo.writing import update_tags
from tempo_core import Estimator
from tests.audio import FORMATS, drum_pattern, write_audio
from tests.containers import Case, cases
from tests.tagging import examine

DURATION = 240  # [s] of the tracks used to measure times
N_RUNS = 7  # of which the fastest counts


def matrix() -> None:
    """Print in how many cases files were written, refused, and as they should be, by format."""
    rows: defaultdict[str, list[int]] = defaultdict(lambda: [0, 0, 0, 0])
    failed: list[str] = []
    messages: dict[str, str] = {}
    for case in cases():
        with tempfile.TemporaryDirectory() as name:
            result = examine(case, Path(name))
        held = not result.problems and (result.message == "") == case.written
        row = rows[case.name.split()[0]]
        for column, counts in enumerate((True, not result.message, result.message, held)):
            row[column] += bool(counts)
        if not held:
            failed.append(f"{case.name}: {result}")
        if result.message:
            messages.setdefault(result.message, case.name)
    print("| format | tried | written | refused | held |\n|---|---:|---:|---:|---:|")
    for kind, row in rows.items():
        print(f"| {kind} | " + " | ".join(map(str, row)) + " |")
    totals = (str(sum(row[k] for row in rows.values())) for k in range(4))
    print("| all | " + " | ".join(totals) + " |")
    print("\n| message | for example |\n|---|---|")
    for message, name in messages.items():
        print(f"| {message} | {name} |")
    print(*(f"- did not hold: {line}" for line in failed), sep="\n")


def mutated(data: bytes, rng: np.random.Generator) -> bytes:
    """A file with random damage, mostly near its start and end, where its structure is."""
    damaged = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 4, 8))):
        size = len(damaged)
        near_start, near_end = (
            rng.integers(min(size, 600)),
            size - 1 - rng.integers(min(size, 1500)),
        )
        at = int(rng.choice((near_start, near_end, rng.integers(size)), p=(0.6, 0.25, 0.15)))
        n_bytes = int(rng.choice((1, 2, 4, 10, 100)))
        kind = rng.choice(("byte", "number", "cut", "gap", "end"), p=(0.5, 0.1, 0.15, 0.15, 0.1))
        if kind == "byte":
            damaged[at] = int(rng.choice((0, 1, 0x7F, 0x80, 0xFF, int(rng.integers(256)))))
        elif kind == "number":
            damaged[at : at + 4] = bytes((int(rng.choice((0, 0x7F, 0xFF))),)) * 4
        elif kind == "cut":
            del damaged[at : at + n_bytes]
        elif kind == "gap":
            damaged[at:at] = bytes(n_bytes)
        else:
            del damaged[size - int(rng.integers(1, min(size, 5000))) :]
        if len(damaged) < 100:
            break
    return bytes(damaged)


def mutations(n_files: int, seed: int) -> None:
    """Print how many damaged files were written, were refused, and were not as they should be."""
    rng = np.random.default_rng(seed)
    files = []
    for case in cases():
        with tempfile.TemporaryDirectory() as name:
            data = case.write(Path(name)).read_bytes()
        if len(data) < 1 << 20:
            files.append((case.name, data))
    counts: Counter[str] = Counter()
    failed = []
    for _ in range(n_files):
        name, data = files[rng.integers(len(files))]
        damaged = mutated(data, rng)
        with tempfile.TemporaryDirectory() as folder:
            case = Case(name, lambda path, content=damaged: path.write_bytes(content))  # type: ignore[misc]
            result = examine(case, Path(folder))
        counts["refused" if result.message else "written"] += 1
        if result.problems:
            failed.append(f"{name}: {result.problems}")
    print(f"\n{n_files} damaged files, seed {seed}: {dict(counts)}, did not hold: {len(failed)}")
    print(*(f"- {line}" for line in failed), sep="\n")


def cpu(work: Callable[[int], object]) -> float:
    """Lowest processor time of `REPEATS` runs [ms]."""
    best = float("inf")
    for number in range(N_RUNS):
        start = time.process_time()
        work(number)
        best = min(best, time.process_time() - start)
    return 1000 * best


def save(path: Path, bpm: int) -> None:
    """Copy a file and let mutagen save a tag in the copy, the least that a safe write costs."""
    copy = path.with_name(f"copy{path.suffix}")
    shutil.copyfile(path, copy)
    media = MediaFile(copy)
    media.bpm = bpm
    media.save()
    copy.replace(path)


def cost() -> None:
    """Print the time of a write beside those of a copy and an analysis."""
    torch.set_num_threads(1)
    estimator = Estimator()
    audio = drum_pattern(126, DURATION, bench.SR, "house", np.random.default_rng(0))
    samples = np.stack([audio, 0.9 * audio], 1)
    print("\n| format | size | saving a copy | a write | ratio | an analysis | write of it |")
    print("|---|---:|---:|---:|---:|---:|---:|")
    for kind in FORMATS:
        with tempfile.TemporaryDirectory() as name:
            path = write_audio(Path(name) / f"a.{kind}", samples, bench.SR)
            media = MediaFile(path)
            media.update({"title": "Title", "artist": "Artist", "album": "Album"})
            media.save()
            saved = cpu(lambda n, p=path: save(p, 60 + n))  # type: ignore[misc]
            written = cpu(lambda n, p=path: update_tags(p, {"bpm": 100 + n}))  # type: ignore[misc]
            analysed = cpu(lambda _n, p=path: estimator.estimate(p))  # type: ignore[misc]
            print(
                f"| {kind} | {path.stat().st_size / 1e6:.1f} MB | {saved:.1f} ms | {written:.1f} ms"
                f" | {written / saved:.1f} | {analysed:.0f} ms | {100 * written / analysed:.0f} % |"
            )


def main() -> None:
    """Run the benchmark and print its report."""
    parser = bench.arguments(__doc__)
    parser.add_argument("--mutations", type=int, default=0, metavar="N")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    logging.disable(logging.CRITICAL)
    matrix()
    if args.mutations:
        mutations(args.mutations, args.seed)
    cost()
    print(f"\n{bench.machine()}")


if __name__ == "__main__":
    main()
