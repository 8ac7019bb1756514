"""Cost of estimating paces: `python benchmarks/paces.py FILE…`.

The same files are estimated with and without paces in turn, in one process and one thread. The
result is the median of the ratios of processor time.
"""

from __future__ import annotations

import statistics
import sys
import time

from tempo_core import Estimator

N_ROUNDS = 5


def main(paths: list[str]) -> None:
    """Print the ratio of the time with paces to that without."""
    full, plain = Estimator(tasks=("tempo", "pace")), Estimator(tasks=("tempo",))
    for path in paths[:2]:
        full.estimate(path)
    ratios = []
    for path in paths:
        seconds = {id(full): 0.0, id(plain): 0.0}
        for _ in range(N_ROUNDS):
            for estimator in (full, plain):
                start = time.process_time()
                estimator.estimate(path)
                seconds[id(estimator)] += time.process_time() - start
        ratios.append(seconds[id(full)] / seconds[id(plain)])
    each = sum(seconds.values()) / 2 / N_ROUNDS
    print(
        f"{len(paths)} files: with paces {statistics.median(ratios):.3f} times the processor time "
        f"of without ({min(ratios):.3f} to {max(ratios):.3f}); {1000 * each:.0f} ms the last file"
    )


if __name__ == "__main__":
    main(sys.argv[1:])
