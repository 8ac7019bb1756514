"""Requests, bytes and processor time of estimates of audio at addresses, over those of local files.

An HTTP server that knows ranges and an S3 server (moto), each with the same tracks in six formats,
run in a process of their own on this machine. Their requests and bytes are counted there. For each
format and number of windows the tracks are estimated as local files, from the site and from the
bucket, in turn.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import bench
import yaml

sys.path.insert(0, str(bench.REPOSITORY))
if TYPE_CHECKING:
    from tempo_core import Estimator

FORMATS = ("mp3", "flac", "m4a", "ogg", "opus", "wav")
WINDOWS = (2, 10)
BUCKET = "archive"


@dataclass(frozen=True)
class Usage:
    """What a track costs on average: requests, bytes that were sent [MB], processor time [s]."""

    requests: float
    megabytes: float
    cpu: float


def main() -> None:
    """Measure and print the table."""
    parser = bench.arguments(__doc__)
    parser.add_argument("--tracks", type=int, default=5, help="a format (default: %(default)s)")
    parser.add_argument("--duration", type=float, default=240, help="[s] (default: %(default)s)")
    parser.add_argument("--runs", type=int, default=3, help="(default: %(default)s)")
    options = parser.parse_args()
    lines = table(options.cache, options.tracks, options.duration, options.runs)
    bench.report("Audio at addresses", lines)


def table(cache: Path, n_tracks: int, duration: float, n_runs: int) -> Iterator[str]:
    """Lines of the table: a row for each format and number of windows."""
    from tempo_core import Estimator
    from tempo_core.remote import active, read_storages

    files = {
        name: [track.path for track in bench.tracks(cache / name, n_tracks, duration, [name])]
        for name in FORMATS
    }
    yield f"{n_tracks} tracks of {duration:g} s of each format; median of {n_runs} runs."
    yield ""
    columns = ("format", "size [MB]", "windows", "requests", "fetched [MB]", "share",
               "local [s]", "HTTP over local", "S3 over local")  # fmt: skip
    yield f"| {' | '.join(columns)} |"
    yield "|" + "---|" * len(columns)
    with tempfile.TemporaryDirectory() as folder, serving(files) as servers:
        settings = Path(folder) / "storages.yaml"
        settings.write_text(yaml.safe_dump(servers.storages))
        settings.chmod(0o600)
        with active(read_storages(settings)):
            for name, paths in files.items():
                size = statistics.mean(path.stat().st_size for path in paths) / 1e6
                for windows in WINDOWS:
                    estimator = Estimator(windows=windows)
                    places = {
                        "local": [str(path) for path in paths],
                        "http": [f"{servers.site}/{name}/{path.name}" for path in paths],
                        "s3": [f"s3://{BUCKET}/{name}/{path.name}" for path in paths],
                    }
                    found = measured(estimator, places, servers, n_runs)
                    local, http, s3 = (found[where] for where in places)
                    if (http.requests, http.megabytes) != (s3.requests, s3.megabytes):
                        print(f"{name}: S3 {s3} is not HTTP {http}", file=sys.stderr)
                    yield (
                        f"| {name} | {size:.1f} | {windows} | {http.requests:.0f} | "
                        f"{http.megabytes:.2f} | {http.megabytes / size:.0%} | {local.cpu:.3f} | "
                        f"{http.cpu / local.cpu:.2f} | {s3.cpu / local.cpu:.2f} |"
                    )


class Servers:
    """The servers in their process, and what they were asked for."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.site, endpoint, key, secret = self._answer().split()
        self.storages = {
            "http": [{"site": self.site, "robots": False}],
            "s3": [{"bucket": BUCKET, "endpoint": endpoint, "key": key, "secret": secret}],
        }

    def count(self) -> tuple[int, int]:
        """Requests and bytes so far."""
        assert self._process.stdin
        self._process.stdin.write("count\n")
        self._process.stdin.flush()
        n_requests, n_bytes = map(int, self._answer().split())
        return n_requests, n_bytes

    def _answer(self) -> str:
        assert self._process.stdout
        return self._process.stdout.readline()


def measured(
    estimator: Estimator, places: dict[str, list[str]], servers: Servers, n_runs: int
) -> dict[str, Usage]:
    """What a track costs in each place. What is loaded at first does not count."""
    results: dict[str, list[tuple[float, float, float]]] = {where: [] for where in places}
    bpms: dict[str, list[float]] = {}
    for run in range(n_runs + 1):
        for where, names in places.items():
            n_requests, n_bytes = servers.count()
            start = time.process_time()
            bpms[where] = [estimator.estimate(name).bpm for name in names]
            cpu = time.process_time() - start
            after = servers.count()
            if run:
                n, megabytes = after[0] - n_requests, (after[1] - n_bytes) / 1e6
                results[where].append((n / len(names), megabytes / len(names), cpu / len(names)))
    assert bpms["http"] == bpms["s3"] == bpms["local"]
    return {
        where: Usage(*(statistics.median(values) for values in zip(*runs, strict=True)))
        for where, runs in results.items()
    }


@contextmanager
def serving(files: Mapping[str, Sequence[Path]]) -> Iterator[Servers]:
    """Context in which the servers run in another process."""
    names = [str(path) for paths in files.values() for path in paths]
    with subprocess.Popen(
        [sys.executable, __file__, "--as-servers", *names],
        text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    ) as process:  # fmt: skip
        try:
            yield Servers(process)
        finally:
            process.kill()


def as_servers(paths: Sequence[Path]) -> None:
    """The process of the servers: tells their addresses, and counts when it is asked."""
    from tests.tempo_core.remote.s3_server import KEY, SECRET, S3Server
    from tests.tempo_core.remote.servers import Site

    with S3Server() as s3:
        client = s3.client()
        client.create_bucket(Bucket=BUCKET)
        contents = {f"{path.suffix[1:]}/{path.name}": path.read_bytes() for path in paths}
        for name, content in contents.items():
            client.put_object(Bucket=BUCKET, Key=name, Body=content)
        s3.requests.clear()
        with Site({f"/{name}": content for name, content in contents.items()}) as site:
            print(site.url, s3.url, KEY, SECRET, flush=True)
            for _ in sys.stdin:
                n_requests = len(s3.requests) + len(site.requests)
                print(n_requests, s3.n_sent + site.n_sent, flush=True)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--as-servers"]:
        as_servers([Path(name) for name in sys.argv[2:]])
    else:
        main()
