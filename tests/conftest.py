"""Fixtures of all tests: no network, no configuration of the user, audio files on demand."""

from __future__ import annotations

import gc
import ipaddress
import os
import shutil
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mediafile import MediaFile
from threadpoolctl import threadpool_limits

from tempo_core.opening import RegularFile

from .audio import click_track, drum_pattern, write_audio, write_bad_files

# Sums of floats depend on the number of threads, and the tests share the cores among themselves.
# NumPy's library and torch look at it when they are loaded, child processes inherit it.
os.environ.setdefault("OMP_NUM_THREADS", "1")
threadpool_limits(1)

MakeAudio = Callable[..., Path]


def pytest_collection_finish() -> None:
    """Leave what imports have made out of the search for garbage: it stays until the end.

    torch and others make a million objects, and to look through them again and again takes a tenth
    of the time of all tests.
    """
    gc.collect()
    gc.freeze()


class NetworkBlocked(RuntimeError):
    """A test tried to leave this machine."""


def _is_local(host: object) -> bool:
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
    """A shell that starts the tests in the background makes them, and their children, ignore it."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session", autouse=True)
def _no_network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Let connections and name look-ups reach the loopback device only.

    Child processes are outside this guard, so they get a proxy that refuses instead.
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


@pytest.fixture(scope="session")
def _new_home(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Path]:
    """Function that gives another path in one folder: `mktemp` looks through all it has made."""
    folder, numbers = tmp_path_factory.mktemp("homes"), count()
    return lambda: folder / str(next(numbers))


@pytest.fixture(autouse=True)
def home(_new_home: Callable[[], Path], monkeypatch: pytest.MonkeyPatch) -> Path:
    """A fresh home folder, so that nobody's real beets configuration or library is touched.

    beets keeps configuration and library in `home / "beets"`.
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


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(20240229)


@pytest.fixture(scope="session")
def _rendered(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Render each combination once a session; tests get copies that they may change."""
    folder = tmp_path_factory.mktemp("audio")
    done: dict[tuple[Any, ...], Path] = {}

    def render(suffix: str, *key: Any) -> Path:
        entry = (suffix, *key)
        if entry not in done:
            bpm, style, duration, sr, channels, seed = key
            audio = drum_pattern(bpm, duration, sr, style, np.random.default_rng(seed))
            path = folder / f"{len(done)}{suffix}"
            samples = np.repeat(audio[:, None], channels, axis=1)
            done[entry] = write_audio(path, samples, sr)
        return done[entry]

    return render


@pytest.fixture
def make_audio(tmp_path: Path, _rendered: Callable[..., Path]) -> MakeAudio:
    """Function that puts music of a known tempo into `tmp_path` and returns its path.

    `make_audio("a/b.mp3", bpm=126, style="house", duration=20, sr=44100, channels=2, seed=0,
    title="Song", …)`: the extension picks the format, further keywords are tags by mediafile's
    names. All have defaults but the name.
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
    """Files of clicks, 14 s each and for reading only, and their tempi: 100, 101, … 139 BPM."""
    folder = tmp_path_factory.mktemp("clicks")
    return [
        (write_audio(folder / f"{bpm}.wav", click_track(bpm, 14, 11025), 11025), float(bpm))
        for bpm in range(100, 140)
    ]


@pytest.fixture
def bad_files(tmp_path: Path) -> dict[str, Path]:
    """Paths that are not music, by kind (see `write_bad_files`)."""
    return write_bad_files(tmp_path / "bad")


@pytest.fixture
def hang(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Path], None]]:
    """Lets a file hang, as on a disk that does not answer, until the test ends."""
    answer = threading.Event()
    hanging: set[str] = set()
    read = RegularFile._read  # what all ways of reading end in

    def slow(file: RegularFile, size: int | None) -> bytes:
        if str(file.name) in hanging:
            answer.wait(60)
        return read(file, size)

    monkeypatch.setattr(RegularFile, "_read", slow)
    yield lambda path: hanging.add(str(path))
    answer.set()
