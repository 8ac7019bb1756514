"""Fixtures of all tests: no network, no configuration of the user, audio files on demand."""

from __future__ import annotations

import gc
import ipaddress
import os
import shutil
import signal
import socket
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mediafile import MediaFile
from threadpoolctl import threadpool_limits

from tempo_core.engines import work
from tempo_core.keys import Key
from tempo_core.reading import RegularFile

from .audio import chord_song, click_track, drum_pattern, write_audio, write_bad_files

# One thread for arithmetic: sums of floats depend on the number of threads, and the test processes
# share the cores. NumPy's BLAS and torch read the variable when they are loaded; child processes
# inherit it.
os.environ.setdefault("OMP_NUM_THREADS", "1")
threadpool_limits(1)

MakeAudio = Callable[..., Path]


def pytest_collection_finish() -> None:
    """Exclude the objects that imports created from garbage collection, since they stay anyway.

    torch and others create a million objects. Checking them in every collection takes a tenth of
    the time of all tests.
    """
    gc.collect()
    gc.freeze()


class NetworkBlocked(RuntimeError):
    """Error of a test that tried to connect to another machine."""


def _is_local(host: object) -> bool:
    """Whether a host is this machine, by its name or address."""
    if isinstance(host, bytes):
        host = host.decode()
    if host in (None, "", "localhost"):
        return True
    try:
        return ipaddress.ip_address(str(host)).is_loopback
    except ValueError:
        return False


@pytest.fixture(scope="session", autouse=True)
def _ctrl_c() -> None:
    """Restore Ctrl-C, which processes ignore if a shell started the tests in the background."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session", autouse=True)
def _no_network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Restrict connections and look-ups of names to the loopback device.

    This does not affect child processes, so they get a proxy that refuses every connection.
    """

    def guarded(original: Callable[..., Any], address: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            host = address(*args)
            if not _is_local(host):
                raise NetworkBlocked(f"tests must not use the network, this one wanted {host!r}")
            return original(*args, **kwargs)

        return call

    def peer(sock: socket.socket, *args: Any) -> Any:
        # The address is the last argument of connect, connect_ex and sendto alike.
        return args[-1][0] if sock.family in (socket.AF_INET, socket.AF_INET6) else None

    with pytest.MonkeyPatch.context() as patch:
        for name in ("connect", "connect_ex", "sendto"):
            patch.setattr(socket.socket, name, guarded(getattr(socket.socket, name), peer))
        for name in ("getaddrinfo", "gethostbyname"):
            lookup = guarded(getattr(socket, name), lambda host, *_args: host)
            patch.setattr(socket, name, lookup)
        for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
            patch.setenv(name, "http://127.0.0.1:9")
        for name in ("no_proxy", "NO_PROXY"):
            patch.setenv(name, "localhost,127.0.0.1")
        # One folder for the session: building matplotlib's font cache takes seconds.
        patch.setenv("MPLCONFIGDIR", str(tmp_path_factory.mktemp("matplotlib")))
        patch.setenv("MPLBACKEND", "Agg")
        yield


class QuickConnection(sqlite3.Connection):
    """A database that does not wait for the disk from just before it is first changed.

    Until then it is as any other: the setting has the database read, which must not come before
    what a caller wants first, such as a lock of its own.
    """

    _is_quick = False

    def execute(self, sql: str, *args: Any) -> sqlite3.Cursor:
        self._hurry(sql)
        return super().execute(sql, *args)

    def executemany(self, sql: str, *args: Any) -> sqlite3.Cursor:
        self._hurry(sql)
        return super().executemany(sql, *args)

    def executescript(self, sql: str) -> sqlite3.Cursor:
        self._hurry(sql)
        return super().executescript(sql)

    def _hurry(self, sql: str) -> None:
        changing = ("BEGIN", "CREATE", "INSERT", "UPDATE", "DELETE", "REPLACE")
        if self._is_quick or self.in_transaction or not sql.lstrip().upper().startswith(changing):
            return
        self._is_quick = True
        (patience,) = super().execute("PRAGMA busy_timeout").fetchone()
        super().execute("PRAGMA busy_timeout = 0")
        # If another one holds it, or it is damaged, the statement itself will say so.
        with suppress(sqlite3.Error, UnicodeDecodeError):
            super().execute("PRAGMA synchronous = OFF")
        super().execute(f"PRAGMA busy_timeout = {patience}")


@pytest.fixture(scope="session", autouse=True)
def _disk_is_not_waited_for() -> Iterator[None]:
    """Let files and databases not wait for the disk after each change, longer than most tests take.

    Only a loss of power would show the difference. `kill -9` is tried in other processes, which
    wait as always.
    """
    opened = sqlite3.connect

    def fsync(file: Any) -> None:
        os.fstat(file if isinstance(file, int) else file.fileno())  # it has to be open

    def connect(*args: Any, **kwargs: Any) -> Any:
        return opened(*args, **{"factory": QuickConnection, **kwargs})

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sqlite3, "connect", connect)
        patch.setattr(os, "fsync", fsync)
        yield


@pytest.fixture(scope="session")
def _new_home(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Path]:
    """Function that returns a new path; `mktemp` is slow because it lists all earlier folders."""
    folder, numbers = tmp_path_factory.mktemp("homes"), count()
    return lambda: folder / str(next(numbers))


@pytest.fixture(autouse=True)
def home(_new_home: Callable[[], Path], monkeypatch: pytest.MonkeyPatch) -> Path:
    """A new home folder, so that tests never touch a real configuration or library of beets.

    The configuration and the library of beets are in `home / "beets"`.
    """
    folder = _new_home()
    (folder / "beets").mkdir(parents=True)
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.setenv("USERPROFILE", str(folder))
    monkeypatch.setenv("APPDATA", str(folder / "AppData"))
    monkeypatch.setenv("BEETSDIR", str(folder / "beets"))
    monkeypatch.setenv("TEMPO_CORE_MODELS", str(folder / "models"))
    for name in ("XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME"):
        monkeypatch.delenv(name, raising=False)
    return folder


@pytest.fixture(autouse=True)
def _nothing_loaded() -> None:
    """Works load their models anew: a test may have others in their place."""
    work._known.clear()


@pytest.fixture
def rng() -> np.random.Generator:
    """Random generator with a fixed seed."""
    return np.random.default_rng(20240229)


@pytest.fixture(scope="session")
def _rendered(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Function that renders music with some parameters, once a session; its files are read-only."""
    folder = tmp_path_factory.mktemp("audio")
    done: dict[tuple[Any, ...], Path] = {}

    def render(suffix: str, *key: Any) -> Path:
        entry = (suffix, *key)
        if entry not in done:
            bpm, style, duration, sr, channels, seed = key
            audio = drum_pattern(bpm, duration, sr, style, np.random.default_rng(seed))
            path = folder / f"{len(done)}{suffix}"
            samples = np.repeat(audio[:, None], channels, axis=1)
            done[entry] = write_audio(path, samples, sr, quick=True)
        return done[entry]

    return render


@pytest.fixture
def make_audio(tmp_path: Path, _rendered: Callable[..., Path]) -> MakeAudio:
    """Function that writes a file of generated music into `tmp_path` and returns its path.

    `make_audio("a/b.mp3", bpm=126, style="house", duration=20, sr=44100, channels=2, seed=0,
    title="Song", …)`: the extension determines the format, and further keywords are tags by
    mediafile's names. All parameters but the name have defaults.
    """

    def make(
        name: str,
        *,
        bpm: float = 126,
        style: str = "house",
        duration: float = 20,
        sr: int = 44100,
        channels: int = 2,
        seed: int = 0,
        **tags: Any,
    ) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(_rendered(path.suffix, bpm, style, duration, sr, channels, seed), path)
        if tags:
            media = MediaFile(path)
            media.update(tags)
            media.save()
        return path

    return make


@pytest.fixture(scope="session")
def clicks(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[Path, float]]:
    """Read-only files of clicks, 14 s each, with their tempi: 100, 101, … 139 BPM."""
    folder = tmp_path_factory.mktemp("clicks")
    return [
        (write_audio(folder / f"{bpm}.wav", click_track(bpm, 14, 11025), 11025), float(bpm))
        for bpm in range(100, 140)
    ]


@dataclass(frozen=True)
class KeyedSong:
    """An audio file with its key and its artist."""

    path: Path
    key: Key
    artist: str


@pytest.fixture(scope="session")
def aeolian(tmp_path_factory: pytest.TempPathFactory) -> list[KeyedSong]:
    """Read-only songs, 8 s each, by five artists, in minor keys without a leading note.

    The shipped model takes nearly all of them for the relative major.
    """
    folder, cadence = tmp_path_factory.mktemp("aeolian"), ((0, 1), (10, 0), (8, 0), (10, 0))
    songs = []
    for k in range(20):
        key, cents = Key(k % 12, minor=True), 4.0 * (k // 12)
        audio = chord_song(key.pitch_class, True, 8, 11025, cents, cadence)
        path = write_audio(folder / f"{k}.wav", audio, 11025)
        songs.append(KeyedSong(path, key, f"Band {k % 5}"))
    return songs


@pytest.fixture(scope="module")
def scheduler() -> Iterator[str]:
    """Address of a cluster of one process on this machine; `engines` has tests of several."""
    from .clusters import local_cluster  # takes its time to load

    with local_cluster(1) as cluster:
        yield cluster.scheduler_address


@pytest.fixture
def bad_files(tmp_path: Path) -> dict[str, Path]:
    """Paths that are not music, by the kind of fault (see `write_bad_files`)."""
    return write_bad_files(tmp_path / "bad")


@pytest.fixture
def hang(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Path], None]]:
    """Function that lets reads of a file hang, as on a disk that does not answer, for the test."""
    answer = threading.Event()
    hanging: set[str] = set()
    read = RegularFile._read  # all ways of reading a file call it

    def slow(file: RegularFile, size: int | None) -> bytes:
        if str(file.name) in hanging:
            answer.wait(60)
        return read(file, size)

    monkeypatch.setattr(RegularFile, "_read", slow)
    yield lambda path: hanging.add(str(path))
    answer.set()
