"""A cluster of two processes on this machine, over TCP."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import dask
import pytest
from distributed import LocalCluster

from tempo_core.engines.schedulers import OWN_CLUSTER


@pytest.fixture(scope="module")
def cluster() -> Iterator[LocalCluster]:
    """Two workers with one thread each."""
    with (
        dask.config.set(OWN_CLUSTER),
        LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, host="127.0.0.1",
            dashboard_address=None, silence_logs=logging.CRITICAL,
        ) as started,
    ):  # fmt: skip
        yield started
