"""Client of a hostile site in a process of its own, to measure its time and memory.

`python -m tests.tempo_core.labels.hostile_client URL KIND NAME …` asks for each answer as the
source of that kind would, and prints a line of JSON for each: what came of it, how long it took
[s], and how much memory the process has needed at most so far [MB].
"""

from __future__ import annotations

import json
import resource
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import quote

from tempo_core.labels.http import session as polite
from tempo_core.labels.http import transport
from tempo_core.labels.http.errors import SourceError
from tempo_core.labels.http.session import Manners, PoliteSession, SessionOptions, Timing
from tempo_core.labels.lookup import look_up
from tempo_core.labels.record import Candidate, TrackQuery
from tempo_core.labels.sources.deezer.source import Deezer
from tempo_core.labels.sources.musicstax.source import MusicStax
from tempo_core.labels.sources.songbpm.source import SongBpm

SECONDS = 2.0  # for a page, instead of `session.MAX_SECONDS`


class Pages(MusicStax):
    """Source that requests the page of a track without a search."""

    def search(self, track: TrackQuery) -> Iterator[list[Candidate]]:
        yield [Candidate("1", f"{self._base_url}/track/song/1", track.title, track.artists)]


SOURCES = {
    "searches": MusicStax, "tracks": Pages, "cards": SongBpm, "interface": Deezer,
    "robots": MusicStax,
}  # fmt: skip


def main(url: str, kind: str, names: list[str]) -> None:
    transport.TIMEOUT, polite.MAX_SECONDS = (1.0, 1.0), SECONDS
    asked: set[str] = set()
    watch(asked)
    track = TrackQuery("Song", ("Singer",), duration=200.0)
    with TemporaryDirectory() as folder:
        for name in names:
            session = PoliteSession(
                {url: Manners(0.0, robots=kind == "robots")},
                SessionOptions(cache=Path(folder, "pages.db")),
                Timing(backoff=0.01, max_wait=0.5),
            )
            asked.clear()
            begin = time.monotonic()
            with session:
                source = SOURCES[kind](session, f"{url}/{quote(name)}")
                try:
                    record = look_up(track, source)
                    status, message = record.status.value, record.message
                except SourceError as error:
                    status, message = error.status.value, str(error)
                except Exception as error:
                    status, message = "bug", f"{type(error).__name__}: {error}"
            told = {
                "name": name,
                "status": status,
                "message": message,
                "seconds": round(time.monotonic() - begin, 2),
                "peak": peak(),
                "hosts": sorted(asked),
            }
            print(json.dumps(told), flush=True)


def peak() -> float:
    """Peak memory of this process [MB]; that of `resource` includes its parent's."""
    with suppress(OSError, StopIteration):
        lines = Path("/proc/self/status").read_text().splitlines()
        return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def watch(asked: set[str]) -> None:
    """Record every name that is looked up and every address that is connected to."""
    connect, look = socket.socket.connect, socket.getaddrinfo

    def noting_connect(self: socket.socket, address: Any) -> None:
        asked.add("{}:{}".format(*address[:2]))
        connect(self, address)

    def noting_look(host: Any, port: Any, *rest: Any, **options: Any) -> Any:
        asked.add(f"{host}:{port}")
        return look(host, port, *rest, **options)

    socket.socket.connect = noting_connect  # type: ignore[method-assign]
    socket.getaddrinfo = noting_look


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3:])
