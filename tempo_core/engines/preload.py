"""What a worker process does before its work, by Dask's setting `distributed.worker.preload`."""

from __future__ import annotations

import signal
from typing import Any


def dask_setup(worker: Any) -> None:
    """Ignore Ctrl-C: it is for the process that has started this one, which ends it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
