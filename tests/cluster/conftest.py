"""A real SLURM on this machine: munged, slurmctld and two nodes, in a temporary folder."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "squeue", "scontrol")
NODES = ("node1", "node2")
CONFIGURATION = """\
ClusterName=tempo
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket,cred_expire=10
CredType=cred/munge
MpiDefault=none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SwitchType=switch/none
JobRequeue=1
ReturnToService=2
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool-%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd-%n.log
PlugStackConfig={folder}/plugstack.conf
SchedulerParameters=sched_interval=2,bf_interval=2,batch_sched_delay=0,requeue_delay=0
KillWait=10
SlurmdParameters=config_overrides
NodeName=node1 NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[1]} CPUs=4
NodeName=node2 NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[2]} CPUs=4
PartitionName=main Nodes=node1,node2 Default=YES MaxTime=INFINITE State=UP
"""


@dataclass(frozen=True)
class Slurm:
    """A running SLURM, and a folder for what jobs write."""

    folder: Path
    environment: dict[str, str]

    def submit(
        self, script: Path, *arguments: str, options: Sequence[str] = (), **variables: str
    ) -> str:
        """Submit a batch file with arguments and variables; returns the number of the job."""
        return self.call(
            "sbatch", "--parsable", f"--chdir={self.folder}", *options, str(script), *arguments,
            **variables,
        )  # fmt: skip

    def call(self, *command: str, **variables: str) -> str:
        """What a program prints."""
        done = subprocess.run(
            command, env={**self.environment, **variables}, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def state(self, job: str) -> str:
        """State of a job, such as `RUNNING`."""
        told = self.call("scontrol", "show", "job", job)
        return told.partition("JobState=")[2].split()[0]

    def wait(self, job: str, seconds: float = 180, until: tuple[str, ...] = ()) -> str:
        """The state of a job when it has ended, or is in one of some states."""
        ends = until or ("COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "NODE_FAIL")
        deadline = time.monotonic() + seconds
        while (state := self.state(job)) not in ends:
            assert time.monotonic() < deadline, f"{state}: {self.log(job)}"
            time.sleep(0.3)
        return state

    def log(self, job: str) -> str:
        """What a job printed."""
        return "".join(path.read_text() for path in self.folder.glob(f"*-{job}.log"))


def _free_ports(n: int) -> list[int]:
    """Ports that nothing listens on."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(n)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def _ready(slurm: Slurm) -> bool:
    done = subprocess.run(
        ["sinfo", "-h", "-o", "%D %T"], env=slurm.environment, capture_output=True, text=True
    )
    return done.stdout.split() == ["2", "idle"]


@pytest.fixture(scope="session")
def slurm() -> Iterator[Slurm]:
    """SLURM with two nodes, which are both this machine."""
    missing = [name for name in PROGRAMS if shutil.which(name) is None]
    if missing or os.geteuid() != 0:
        pytest.skip(f"needs root, and SLURM and munge ({', '.join(missing)} not found)")
    # Not pytest's folder: the path of a socket must be short, and munged wants safe folders.
    with tempfile.TemporaryDirectory(prefix="slurm-", dir="/tmp") as name:
        folder = Path(name)
        folder.chmod(0o755)
        for inner in ("state", *(f"spool-{node}" for node in NODES), "home", "work"):
            (folder / inner).mkdir()
        (folder / "plugstack.conf").touch()
        (folder / "munge.key").write_bytes(os.urandom(1024))
        (folder / "munge.key").chmod(0o600)
        configuration = folder / "slurm.conf"
        host = socket.gethostname().partition(".")[0]
        configuration.write_text(
            CONFIGURATION.format(host=host, ports=_free_ports(3), folder=folder)
        )
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        environment = {
            **os.environ, "SLURM_CONF": str(configuration), "PATH": path, "VENV": "",
            "HOME": str(folder / "home"), "OMP_NUM_THREADS": "1",
        }  # fmt: skip
        munged = [
            "munged", "--foreground", "--force", f"--key-file={folder}/munge.key",
            f"--socket={folder}/munge.socket", f"--pid-file={folder}/munged.pid",
            f"--log-file={folder}/munged.log", f"--seed-file={folder}/munge.seed",
        ]  # fmt: skip
        commands = [munged, ["slurmctld", "-D", "-c"],
                    *(["slurmd", "-D", "-N", node] for node in NODES)]  # fmt: skip
        running = Slurm(folder / "work", environment)
        processes: list[subprocess.Popen[bytes]] = []
        try:
            for command in commands:
                processes.append(
                    subprocess.Popen(
                        command,
                        env=environment,
                        stdout=subprocess.DEVNULL,
                        stderr=subprocess.DEVNULL,
                    )
                )
                time.sleep(0.7)
            deadline = time.monotonic() + 30
            while not _ready(running):
                assert time.monotonic() < deadline, (folder / "slurmctld.log").read_text()
                time.sleep(0.3)
            yield running
        finally:
            subprocess.run(["scancel", "--state=RUNNING"], env=environment, capture_output=True)
            for process in reversed(processes):
                process.terminate()
                process.wait(20)
