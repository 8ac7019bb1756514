"""Processes of one training run that srun or torchrun started, on one computer or several.

Each of them runs the whole command. The first one alone fills the cache, compares, writes, installs
and prints; the others take their part in the training and then wait, so that all of them end with
the same exit status. What they tell each other beside the gradients goes through the key-value
store of `torch.distributed`, as JSON.

Where the scheduler asks the run to end soon (SIGUSR1, SIGTERM), all processes end after the same
step, with what was learned so far in a checkpoint. This and the requeueing are not left to
lightning: its handler writes a checkpoint wherever in a step, and at whichever step, the signal
finds each process, and works in the main thread only.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, TypeVar

from tempo_core.background import POLL, Stopped, call
from tempo_core.console import counted
from tempo_core.errors import ConfigError

T = TypeVar("T")
START_LIMIT = timedelta(minutes=10)  # between the starts of the first and of the last process
# Longest time between two signs of life while they train together. One step takes seconds, but one
# process may have to wait for another that reads from a slow disk.
SILENCE_LIMIT = timedelta(minutes=30)
FAREWELL = 10.0  # [s] that the first process waits for the others to have heard how it ended
END, READERS = "end", "readers of the end"  # keys of the store


class Dismissed(Exception):
    """Raised in all processes but the first once the training that they share is over."""


@dataclass(frozen=True)
class Processes:
    """The processes of a run, as one of them sees them.

    Attributes
    ----------
    rank, world
        Number of this process in 0..world-1, and how many there are.
    environment
        What lightning calls a cluster environment; None if it starts processes by itself.
    store
        The key-value store that they share; None if there is only one.
    asked, requeue
        Set once the run is to end soon, after a step and with a checkpoint; and whether the
        scheduler is then to begin it again.
    in_epochs
        Set while this process trains, when it sees to `asked` by itself.
    """

    rank: int = 0
    world: int = 1
    environment: Any = None
    store: Any = None
    asked: threading.Event = field(default_factory=threading.Event)
    requeue: threading.Event = field(default_factory=threading.Event)
    in_epochs: threading.Event = field(default_factory=threading.Event)

    @property
    def is_first(self) -> bool:
        """Whether this is the process that writes and prints."""
        return self.rank == 0

    def once(self, name: str, function: Callable[[], T], stop: Callable[[], bool]) -> T:
        """The result of a function that only the first process calls; the others wait for it.

        Parameters
        ----------
        name
            Another one for each call in a run.
        function
            Returns what JSON can hold.
        stop
            Asked while waiting.

        Raises
        ------
        Stopped
            If `stop` returned True while waiting.
        ConfigError
            If the first process failed or was killed.
        """
        if self.store is None:
            return function()
        if self.is_first:
            result = function()
            self.store.set(name, json.dumps(result))
            return result
        while not self._has(name):
            if stop():
                raise Stopped("interrupted")
            time.sleep(POLL)
        found: T = json.loads(self._get(name))
        return found

    def dismiss(self) -> None:
        """End the work of this process unless it is the first.

        Raises
        ------
        Dismissed
            In all others.
        """
        if not self.is_first:
            raise Dismissed

    def over(self, stop: Callable[[], bool]) -> Callable[[], bool]:
        """Function that says whether the work of this process is to be abandoned.

        So it is if `stop` says so, if the run was asked to end and is not in epochs, which see to
        that by themselves, and if the first process has ended.
        """

        def is_over() -> bool:
            asked = self.asked.is_set() and not self.in_epochs.is_set()
            return stop() or asked or (not self.is_first and self._has(END))

        return is_over

    def tell_the_end(self, message: str) -> None:
        """Tell the others that the first process ended; `message` is empty if all went well."""
        if self.store is None:
            return
        with suppress(RuntimeError):  # the store is with a launcher that ended
            self.store.set(END, message)
            deadline = time.monotonic() + FAREWELL
            while time.monotonic() < deadline and self.store.add(READERS, 0) < self.world - 1:
                time.sleep(POLL)

    def hear_the_end(self, stop: Callable[[], bool]) -> None:
        """Wait until the first process has ended.

        Raises
        ------
        ConfigError
            If it failed, with its message, or was killed.
        Stopped
            If `stop` returned True.
        """
        while not self._has(END):
            if stop():
                raise Stopped("interrupted")
            time.sleep(POLL)
        message = self._get(END)
        self._leave()
        if message:
            raise ConfigError(f"the first process ended: {message}")

    def end_with(self, error: BaseException) -> None:
        """End with what the first process ended with, if it has, or with `error`.

        A process that stopped because all are to end waits for the first one: where a process ends
        with an error, a launcher kills the others at once.

        Raises
        ------
        ConfigError
            If the first process has ended.
        """
        deadline = time.monotonic() + (FAREWELL if isinstance(error, Stopped) else 0)
        with suppress(Stopped):
            self.hear_the_end(lambda: time.monotonic() >= deadline)
        self._leave()

    def _leave(self) -> None:
        """Spare the first process waiting for this one."""
        with suppress(RuntimeError):
            self.store.add(READERS, 1)

    def _has(self, name: str) -> bool:
        return bool(self._ask(lambda: self.store.check([name])))

    def _get(self, name: str) -> str:
        return str(self._ask(lambda: self.store.get(name)).decode())

    def _ask(self, question: Callable[[], Any]) -> Any:
        try:
            return question()
        except RuntimeError as error:  # of torch.distributed; there is no more special one
            raise ConfigError(GONE) from error


ALONE = Processes()
GONE = "another process of this run was ended; see what it printed, and run the same again to go on"


@dataclass(frozen=True)
class Started:
    """What a launcher started: its name, this process's rank, all processes, and their nodes."""

    by: str
    rank: int
    world: int
    nodes: int


def started_by(variables: Mapping[str, str]) -> Started | None:
    """How this process was started, by its environment variables; None is by itself.

    A script that sbatch runs has the variables of its job, but is no step of it.
    """
    if "TORCHELASTIC_RUN_ID" in variables:
        names = ("RANK", "WORLD_SIZE", "GROUP_WORLD_SIZE")
        return Started("torchrun", *(int(variables[name]) for name in names))
    if "SLURM_STEP_ID" in variables and "SLURM_PROCID" in variables:
        names = ("SLURM_PROCID", "SLURM_STEP_NUM_TASKS", "SLURM_STEP_NUM_NODES")
        return Started("srun", *(int(variables[name]) for name in names))
    return None


def check_started(started: Started | None, nodes: int, devices: int) -> None:
    """Refuse numbers of nodes and devices that are not those of the processes.

    Raises
    ------
    ConfigError
        If they contradict each other, or processes on several nodes were not started.
    """
    if started is None:
        if nodes > 1:
            raise ConfigError(
                f"--nodes {nodes} needs a process for each device on every node; start them with "
                "srun or torchrun, or leave --nodes out"
            )
        return
    if (started.nodes, started.world) != (nodes, nodes * devices):
        raise ConfigError(
            f"{started.by} started {counted(started.world, 'task')} on "
            f"{counted(started.nodes, 'node')}, but --nodes {nodes} --devices {devices} needs "
            f"{nodes * devices} on {nodes}; let the numbers agree (only --method fit and --network "
            "share their work)"
        )


@contextmanager
def joined(
    nodes: int, devices: int, accelerator: str, stop: Callable[[], bool]
) -> Iterator[Processes]:
    """Context in which this process is one of those that were started together, or alone.

    On the way out, the first process tells the others how it ended, and those wait for it. To be
    entered in the main thread, which receives the signals.

    Parameters
    ----------
    nodes, devices
        How many nodes, and processes on each of them, there are to be.
    accelerator
        `cpu`, or what else lightning knows.
    stop
        Asked while waiting for others.

    Raises
    ------
    ConfigError
        If other processes were started than those, they do not find each other, or the first
        process failed.
    """
    started = started_by(os.environ)
    check_started(started, nodes, devices)
    if started is None:
        yield ALONE
        return
    environment, store = call(lambda: _connect(started, devices, accelerator), stop)
    processes = Processes(started.rank, started.world, environment, store)

    def ask(number: int, _frame: Any) -> None:
        processes.asked.set()
        if number == signal.SIGUSR1:
            processes.requeue.set()

    before = {number: signal.signal(number, ask) for number in (signal.SIGTERM, signal.SIGUSR1)}
    try:
        with _ending_alike(processes, stop):
            yield processes
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _ending_alike(processes: Processes, stop: Callable[[], bool]) -> Iterator[None]:
    """Context that all processes leave with the same outcome."""
    try:
        yield
    except Dismissed:
        processes.hear_the_end(stop)
    except BaseException as error:
        if processes.is_first:
            if processes.requeue.is_set():
                _requeue()
            processes.tell_the_end(str(error) or type(error).__name__)
        elif processes.store is not None:
            processes.end_with(error)
        raise
    else:
        processes.tell_the_end("")


def _connect(started: Started, devices: int, accelerator: str) -> tuple[Any, Any]:
    """Lightning's environment, and the store; both None for a single process.

    Raises
    ------
    ConfigError
        If the processes do not find each other.
    """
    if started.world == 1:
        return None, None
    import torch.distributed as dist
    from lightning.pytorch.plugins.environments import SLURMEnvironment, TorchElasticEnvironment
    from torch.distributed.rendezvous import rendezvous

    environment: SLURMEnvironment | TorchElasticEnvironment
    if started.by == "srun":
        # Lightning wants to read there what `check_started` has found out.
        os.environ["SLURM_NTASKS_PER_NODE"] = str(devices)
        environment = SLURMEnvironment(auto_requeue=False)
    else:
        environment = TorchElasticEnvironment()
    # Reading them sets the variables by which the processes find each other.
    place = f"{environment.main_address}:{environment.main_port}"
    try:
        store, _, _ = next(rendezvous("env://", started.rank, started.world, timeout=START_LIMIT))
        dist.init_process_group(
            "gloo" if accelerator == "cpu" else None, store=dist.PrefixStore("training", store),
            rank=started.rank, world_size=started.world, timeout=SILENCE_LIMIT,
        )  # fmt: skip
    except (RuntimeError, ValueError, OSError) as error:
        reason = str(error).splitlines()[0]
        raise ConfigError(
            f"the {started.world} processes of this run do not find each other at {place} "
            f"({reason}); set MASTER_ADDR to the first node's name, and GLOO_SOCKET_IFNAME to the "
            "network interface between the nodes"
        ) from error
    return environment, dist.PrefixStore("run", store)


def _requeue() -> None:
    """Let SLURM begin the job anew later."""
    job = os.environ.get("SLURM_JOB_ID")
    if not job:
        return
    try:
        subprocess.run(["scontrol", "requeue", job], check=True, capture_output=True, text=True)
    except (OSError, subprocess.CalledProcessError) as error:
        reason = (getattr(error, "stderr", None) or str(error)).strip()
        print(f"job {job} cannot be requeued ({reason}); submit it again to go on", file=sys.stderr)
