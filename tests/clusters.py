"""Clusters of Dask on this machine, over TCP."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import dask
from distributed import LocalCluster

from tempo_core.engines.schedulers import OWN_CLUSTER


@contextmanager
def local_cluster(n_workers: int = 2) -> Iterator[LocalCluster]:
    """Context with a cluster of processes with one thread each."""
    with (
        dask.config.set(OWN_CLUSTER),
        LocalCluster(
            n_workers=n_workers, threads_per_worker=1, processes=True, host="127.0.0.1",
            dashboard_address="127.0.0.1:0", silence_logs=logging.CRITICAL,
        ) as started,
    ):  # fmt: skip
        yield started
