"""Opening of the engine that a command line names: threads, or a Dask cluster.

A cluster that is opened here ends with the command. Its processes prove to each other who they are
(TLS with keys that are made for the run), because whoever can speak to a Dask scheduler can run any
code as its user.
"""

from __future__ import annotations

import json
import logging
import os
import re
import shutil
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from multiprocessing import resource_tracker
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..background import Stopped, call, never
from ..console import explain, shown
from ..errors import AudioError, ClusterError, ConfigError
from .settings import ClusterSettings, read_settings
from .threads import Threads
from .work import Engine

if TYPE_CHECKING:
    from distributed import Client
    from distributed.deploy.cluster import Cluster as DaskCluster

    from ..remote import Storages

ADDRESS = re.compile(r"(tcp|tls)://[^\s/@]+:\d+")
LOCAL = re.compile(r"local:([1-9]\d{0,3})")
SLURM = "slurm"
FORMS = "tcp://HOST:PORT, tls://HOST:PORT, slurm, local:N, or a scheduler file *.json"
CONNECTED_WITHIN = 30.0  # [s] for a scheduler to answer
STARTED_WITHIN = 120.0  # [s] for the first worker on this machine; those of a queue have no limit
CLOSED_WITHIN = 20.0  # [s] on a busy machine
# [s] for client and cluster each after Ctrl-C. Dask kills a worker that does not answer, because it
# is loading models, after 4 s. What is left then ends with this process.
CLOSED_IN_HASTE = 6.0
# Dask's settings of clusters that are opened here. A task that dies is tried again by `Cluster`.
OWN_CLUSTER = {
    "distributed.scheduler.allowed-failures": 0,
    "distributed.scheduler.work-stealing": False,
    "distributed.scheduler.worker-ttl": "2 minutes",  # after which a silent worker is dead
    "distributed.worker.preload": ["tempo_core.engines.preload"],
    "distributed.worker.memory.target": False,  # there is nothing to put aside on a disk
    "distributed.worker.memory.spill": False,
}

LOGGERS = ("asyncio", "dask_jobqueue", "distributed", "tornado")


def is_scheduler(value: str) -> bool:
    """Whether a text names a scheduler: one of `FORMS`."""
    return bool(
        value == SLURM
        or LOCAL.fullmatch(value)
        or ADDRESS.fullmatch(value)
        or value.endswith(".json")
    )


@contextmanager
def open_engine(
    scheduler: str | None,
    jobs: int,
    config: Path | None = None,
    stopped: Callable[[], bool] = never,
    tell: Callable[[str], None] = lambda line: None,
    storages: Storages | None = None,
) -> Iterator[Engine]:
    """Context with the engine that a command line names.

    Parameters
    ----------
    scheduler
        One of `FORMS`; None for threads of this process.
    jobs
        Number of threads, without a scheduler.
    config
        YAML file of settings of the cluster, see `ClusterSettings`.
    stopped
        Called ten times a second while workers are waited for.
    tell
        Called with a line for people.
    storages
        Where workers of a cluster may read audio at addresses; threads go by the context that they
        are started in.

    Raises
    ------
    ConfigError
        If the scheduler or the settings make no sense, or secrets would not be encrypted.
    ClusterError
        If the cluster cannot be reached or started.
    ImportError
        If Dask is not installed.
    Stopped
        If `stopped` returned True meanwhile.
    """
    settings = read_settings(config)
    if scheduler is None:
        if config is not None:
            raise ConfigError("settings of a cluster are for --scheduler; leave them out")
        yield Threads(jobs)
        return
    if not is_scheduler(scheduler):
        raise ConfigError(f"scheduler {shown(scheduler)!r} is none of {FORMS}")
    import dask
    import distributed  # noqa: F401  # before its settings are changed

    from .cluster import Cluster

    if scheduler == SLURM:
        _import_jobqueue()
    if storages is not None and "://" in scheduler:
        check_secrets(storages, scheduler)
    with ExitStack() as opened:
        opened.enter_context(dask.config.set(OWN_CLUSTER))
        opened.enter_context(_silent())
        client = opened.enter_context(_client(scheduler, settings, stopped))
        if storages is not None:
            check_secrets(storages, str(getattr(client.scheduler, "address", "")))
            storages = replace(storages, on_cluster=True)
        _wait_for_worker(client, scheduler, stopped, tell)
        yield Cluster(client, scheduler, tell, storages)


def check_secrets(storages: Storages, address: str) -> None:
    """Refuse to send secrets to a scheduler on another machine as they are."""
    from ..labels.http.addresses import is_this_machine

    if storages.has_secrets and not address.startswith("tls://") and not is_this_machine(address):
        raise ConfigError(
            f"{address} is not encrypted, and the storages have secrets: use tls://, or "
            "`credentials: machine`"
        )


def _import_jobqueue() -> None:
    """Import dask-jobqueue, which takes Ctrl-C for itself, and give Ctrl-C back."""
    handler = signal.getsignal(signal.SIGINT)
    import dask_jobqueue  # noqa: F401

    signal.signal(signal.SIGINT, handler)


@contextmanager
def _client(
    scheduler: str, settings: ClusterSettings, stopped: Callable[[], bool]
) -> Iterator[Client]:
    """A client of a scheduler, which is started if it is `local` or `slurm`."""
    from distributed import Client

    with ExitStack() as opened:
        given: dict[str, Any] = {"security": settings.security()}
        if scheduler == SLURM or LOCAL.fullmatch(scheduler):
            start = _slurm if scheduler == SLURM else _local
            cluster = _attempt(lambda: start(scheduler, settings), scheduler, "started", stopped)
            in_haste = scheduler != SLURM  # which has to be told that the jobs are to end
            opened.callback(_close, cluster, stopped if in_haste else never)
            given = {"address": cluster, "security": cluster.security}
        elif scheduler.endswith(".json"):
            given["address"] = _address_in(Path(scheduler))
        else:
            given["address"] = scheduler
        client = _attempt(
            lambda: Client(timeout=CONNECTED_WITHIN, set_as_default=False, **given),
            scheduler, "reached", stopped,
        )  # fmt: skip
        opened.callback(_close, client, stopped)
        yield client


def _address_in(file: Path) -> str:
    """The address in a scheduler file.

    Raises
    ------
    ClusterError
        If the file is not there, or has none.
    """
    try:
        with file.open("rb") as opened:
            address = json.load(opened)["address"]
    except OSError as error:
        told = f"{file}: there is no such scheduler file ({error.strerror or error})"
        raise ClusterError(told) from error
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ClusterError(f"{file}: is no scheduler file") from error
    if not (isinstance(address, str) and ADDRESS.fullmatch(address)):
        raise ClusterError(f"{file}: has no address of a scheduler")
    return address


def _attempt(
    function: Callable[[], Any], scheduler: str, what: str, stopped: Callable[[], bool]
) -> Any:
    """The result of a function of Dask, whose errors are of many kinds."""
    try:
        return call(function, stopped)
    except (ImportError, Stopped, ClusterError, ConfigError):
        raise
    except Exception as error:
        told = f"the cluster {shown(scheduler)} cannot be {what} ({explain(error)})"
        raise ClusterError(told) from error


def _close(closable: Any, stopped: Callable[[], bool]) -> None:
    """Close a client or a cluster, whatever state it is in; once `stopped`, in little time."""

    def close() -> None:
        closable.close(timeout=CLOSED_WITHIN)

    # It may be gone, or hang: the process ends without it.
    with suppress(OSError, TimeoutError, AudioError, RuntimeError, Stopped):
        call(close, stopped, 1.5 * CLOSED_WITHIN, CLOSED_IN_HASTE)


def _local(scheduler: str, settings: ClusterSettings) -> DaskCluster:
    """Processes of this machine, with one thread each."""
    from distributed import LocalCluster, Security

    match = LOCAL.fullmatch(scheduler)
    assert match is not None
    # Ctrl-C is for this process, which ends its workers. `preload` makes them ignore it, but a
    # process that is still starting can do no more than inherit that it is held back. The tracker
    # is started before, because it lets Ctrl-C through again in the thread that starts it.
    _start_tracker()
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    cluster = LocalCluster(
        n_workers=int(match[1]),
        threads_per_worker=1,
        processes=True,
        host="127.0.0.1",
        protocol="tls://",
        security=Security.temporary(),
        dashboard_address=settings.dashboard or "127.0.0.1:0",  # None is port 8787 of Dask
        silence_logs=logging.CRITICAL,
    )
    # `_close` does it; Dask would wait once more at exit. Workers do not outlive this process.
    cluster.shutdown_on_close = False
    return cluster


def _start_tracker() -> None:
    """Start the process that cleans up after this one, such that it says nothing about it."""
    before = os.environ.get("PYTHONWARNINGS")
    ours = "ignore:resource_tracker"  # what is left after a second Ctrl-C is no concern of people
    os.environ["PYTHONWARNINGS"] = f"{before},{ours}" if before else ours
    try:
        resource_tracker.ensure_running()
    finally:
        if before is None:
            del os.environ["PYTHONWARNINGS"]
        else:
            os.environ["PYTHONWARNINGS"] = before


def _slurm(_: str, settings: ClusterSettings) -> DaskCluster:
    """Workers in jobs of SLURM."""
    if shutil.which("sbatch") is None:
        raise ClusterError("slurm cannot be used: there is no `sbatch` on this machine")
    if lacking := [name for name in ("cores", "memory") if name not in settings.slurm]:
        raise ConfigError(
            f"slurm needs to know {' and '.join(lacking)} of a job; name them under `slurm` in "
            "--cluster-config"
        )
    from dask_jobqueue import SLURMCluster

    options = dict(settings.slurm)
    if "security" not in options:
        options["security"] = settings.security() or True
    cluster = SLURMCluster(
        scheduler_options={"dashboard_address": settings.dashboard or ":0"}, **options
    )
    if settings.most_jobs is None:
        cluster.scale(jobs=settings.jobs)
    else:
        cluster.adapt(minimum_jobs=settings.jobs, maximum_jobs=settings.most_jobs)
    return cluster


def _wait_for_worker(
    client: Client, scheduler: str, stopped: Callable[[], bool], tell: Callable[[str], None]
) -> None:
    """Wait until there is a worker."""
    try:
        if call(client.nthreads, stopped):
            return
    except OSError as error:
        raise ClusterError(f"the cluster {shown(scheduler)} does not answer") from error
    limit = STARTED_WITHIN if LOCAL.fullmatch(scheduler) else None
    if limit is None:
        tell(f"waiting for the first worker of {shown(scheduler)}")
    try:
        call(lambda: client.wait_for_workers(1), stopped, limit)
    except (OSError, TimeoutError, AudioError) as error:
        raise ClusterError(f"no worker of {shown(scheduler)} has started") from error


@contextmanager
def _silent() -> Iterator[None]:
    """Context without the log of Dask on stderr: what matters to people is told in one line."""
    # Dask gives some of its loggers a level of their own.
    loggers = [
        logging.getLogger(name)
        for name in {*LOGGERS, *logging.root.manager.loggerDict}
        if name.partition(".")[0] in LOGGERS
    ]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
