"""Fixtures of an installed package: a virtual environment, music and a library."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from mediafile import MediaFile

from tests.audio import drum_pattern, write_audio

ROOT = Path(__file__).parents[2]
# The environment before fixtures block the network, because pip needs its index.
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
SR = 44100  # [Hz]


@dataclass(frozen=True)
class Track:
    """A generated audio file with tags, played at a known tempo [BPM]."""

    title: str
    bpm: float
    style: str
    suffix: str
    album: str

    @property
    def name(self) -> str:
        return f"{self.title}.{self.suffix}"


OLD = (
    Track("Mezzanine", 126, "house", "mp3", "Floors"),
    Track("Atrium", 124.5, "house", "flac", "Floors"),
    Track("Short Way Home", 151.6, "rock", "ogg", "Floors"),
    Track("Roof Garden", 121.37, "house", "opus", "Floors"),
)
NEW = (
    Track("Rain Gauge", 117, "rock", "m4a", "Shafts"),
    Track("Basement", 128, "house", "wav", "Shafts"),
    Track("Back Porch", 104, "shuffle", "aiff", "Shafts"),
    Track("Balcony", 119, "house", "wma", "Shafts"),
)
ARTIST, DURATION = "Glass Elevator", 25.0  # [s]


class Installed:
    """A virtual environment whose commands run without this repository and without a network.

    Parameters
    ----------
    folder
        Folder to create it in; the commands run in `folder / "home"`.
    """

    def __init__(self, folder: Path) -> None:
        self.home = folder / "home"
        (self.home / "beets").mkdir(parents=True)
        subprocess.run([sys.executable, "-m", "venv", folder / "venv"], check=True)
        self.bin = folder / "venv" / ("Scripts" if os.name == "nt" else "bin")
        self._env = ENVIRONMENT | {
            "HOME": str(self.home),
            "BEETSDIR": str(self.home / "beets"),
            "TEMPO_CORE_MODELS": str(self.home / "models"),
            # A proxy that refuses every connection to another machine.
            "http_proxy": "http://127.0.0.1:9",
            "https_proxy": "http://127.0.0.1:9",
            "no_proxy": "localhost,127.0.0.1",
        }

    def install(self, *requirements: str | Path) -> None:
        """Install requirements with pip, in the versions of `constraints.txt`."""
        pip("install", "-c", ROOT / "constraints.txt", *requirements, python=self.bin / "python")

    def size(self) -> int:
        """Size of all installed packages [bytes]."""
        code = "import sysconfig; print(sysconfig.get_path('purelib'))"
        site = Path(self.run("python", "-c", code).stdout.strip())
        return sum(path.stat().st_size for path in site.rglob("*") if path.is_file())

    def run(self, program: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        """Run a command of the environment to its end."""
        return subprocess.run(
            [self.bin / program, *arguments],
            env=self._env, cwd=self.home, stdin=subprocess.DEVNULL, capture_output=True, text=True,
            check=False,
        )  # fmt: skip

    def out(self, program: str, *arguments: str | Path) -> str:
        """Standard output of a command, which must succeed."""
        done = self.run(program, *arguments)
        assert done.returncode == 0, f"{program} {arguments}: {done.stdout}{done.stderr}"
        return done.stdout

    def start(self, program: str, *arguments: str | Path) -> subprocess.Popen[str]:
        """Start a command that runs until it is stopped."""
        return subprocess.Popen(
            [self.bin / program, *arguments],
            env=self._env, cwd=self.home, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            text=True,
        )  # fmt: skip


def pip(*arguments: str | Path, python: Path | str = sys.executable) -> str:
    """Run pip with its index, outside the environment of tests; its standard output."""
    done = subprocess.run(
        [python, "-m", "pip", "--quiet", "--disable-pip-version-check", *arguments],
        env=ENVIRONMENT, cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel of this repository."""
    folder = tmp_path_factory.mktemp("dist")
    pip("wheel", "--no-deps", "--wheel-dir", folder, ROOT)
    (path,) = folder.glob("beets_tempo-*.whl")
    return path


@dataclass(frozen=True)
class Bare:
    """An environment with beets and the wheel, without extras, and its size [bytes]."""

    env: Installed
    size_of_beets: int
    size: int


@pytest.fixture(scope="session")
def bare(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Bare:
    env = Installed(tmp_path_factory.mktemp("bare"))
    env.install("beets")
    size_of_beets = env.size()
    env.install(wheel)
    return Bare(env, size_of_beets, env.size())


@pytest.fixture(scope="session")
def env(bare: Bare) -> Installed:
    return bare.env


@pytest.fixture(scope="session")
def music(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of audio files, `old` and `new`; the environment under test has no encoders."""
    folder = tmp_path_factory.mktemp("music")
    for name, tracks in (("old", OLD), ("new", NEW)):
        (folder / name).mkdir()
        for track in tracks:
            rng = np.random.default_rng(list(track.title.encode()))
            audio = drum_pattern(track.bpm, DURATION, SR, track.style, rng)
            path = folder / name / track.name
            write_audio(path, np.repeat(audio[:, None], 2, axis=1), SR)
            media = MediaFile(path)
            media.update({"artist": ARTIST, "album": track.album, "title": track.title})
            media.save()
    return folder


@pytest.fixture(scope="session")
def site(env: Installed) -> Iterator[Mapping[str, str]]:
    """Addresses of the sources that `tempo-core demo-site` serves, with an entry for each track."""
    catalogue = env.home / "catalogue.json"
    catalogue.write_text(
        json.dumps(
            [
                {
                    "title": track.title, "artist": ARTIST, "album": track.album,
                    "bpm": round(track.bpm), "key": "A Minor", "duration": DURATION,
                }
                for track in (*OLD, *NEW)
            ]
        )
    )  # fmt: skip
    served = env.start("tempo-core", "demo-site", "--port", "0", "--catalogue", catalogue)
    with served:
        try:
            assert served.stdout is not None
            urls = {}
            for line in served.stdout:
                if line.startswith("every request"):
                    break
                name, _, url = line.strip().partition(": ")
                urls[name] = url
            yield urls
        finally:
            served.terminate()


@pytest.fixture(scope="session")
def configured(env: Installed, site: Mapping[str, str]) -> Installed:
    """beets with the plugin enabled and a library without tracks."""
    (env.home / "beets" / "config.yaml").write_text(
        "plugins: tempo\nlibrary: library.db\ndirectory: music\n"
        "create_backup_before_migrations: no\n"
        "import: {copy: no}\n"
        f"tempo: {{sources: [musicstax], labels: {{interval: 0.05, urls: {{musicstax: "
        f'"{site["musicstax"]}"}}}}}}\n'
    )
    env.out("beet", "ls")  # beets migrates even a library that it has just made, and says so
    return env


@pytest.fixture(scope="session")
def library(configured: Installed, music: Path) -> Installed:
    """beets with a library: `old` was analysed with `beet tempo`, `new` when it was imported."""
    configured.out("beet", "-P", "tempo", "import", "-A", "-q", music / "old")
    assert "4 set, 0 kept, 0 failed" in configured.out("beet", "tempo")
    configured.out("beet", "import", "-A", "-q", music / "new")
    return configured
