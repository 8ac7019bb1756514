"""Cost of a task: `python benchmarks/tasks.py TASK FILE…`.

The same files are estimated with and without the task in turn, in one process and one thread. The
result is the median of the ratios of processor time, and that of the differences.
"""

from __future__ import annotations

import argparse
import statistics
import time

from tempo_core import Estimator
from tempo_core.estimate import DEFAULT_TASKS
from tempo_core.tasks import in_columns

N_ROUNDS = 5


def main() -> None:
    """Print the ratio of the time with the task to that without."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("task", choices=[name for name in in_columns() if name != "tempo"])
    parser.add_argument("files", nargs="+")
    parser.add_argument(
        "--beside", default=",".join(DEFAULT_TASKS), metavar="NAMES",
        help="the other tasks, with commas between (default: %(default)s)",
    )  # fmt: skip
    options = parser.parse_args()
    others = [name for name in options.beside.split(",") if name != options.task]
    full, plain = Estimator(tasks=(*others, options.task)), Estimator(tasks=others)
    for path in options.files[:2]:
        full.estimate(path)
    ratios, differences = [], []
    for path in options.files:
        seconds = {id(full): 0.0, id(plain): 0.0}
        for _ in range(N_ROUNDS):
            for estimator in (full, plain):
                start = time.process_time()
                estimator.estimate(path)
                seconds[id(estimator)] += time.process_time() - start
        ratios.append(seconds[id(full)] / seconds[id(plain)])
        differences.append((seconds[id(full)] - seconds[id(plain)]) / N_ROUNDS)
    print(
        f"{len(options.files)} files: with {options.task} {statistics.median(ratios):.3f} times "
        f"the processor time of without ({min(ratios):.3f} to {max(ratios):.3f}); "
        f"{1000 * statistics.median(differences):.0f} ms a file"
    )


if __name__ == "__main__":
    main()
