"""Helpers of the benchmarks: generated music, beets libraries, measured child processes.

The peak memory of child processes is measured, and on Linux a child inherits the peak of the
process that forked it. So neither this module nor a script that measures memory may import large
packages at its top.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import platform
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import date
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import platformdirs

REPOSITORY = Path(__file__).resolve().parents[1]
SR = 44100  # [Hz]
SCRIPTS = Path(sysconfig.get_path("scripts"))  # of this environment
# Tempi as people play the styles, lowest and highest [BPM].
TEMPI = {
    "house": (118, 132),
    "rock": (100, 155),
    "ballad": (62, 84),
    "dnb": (166, 178),
    "shuffle": (92, 130),
}
# Version of the generated music, part of the name of its folder; raised if the synthesis changes.
MUSIC_VERSION = 1


@dataclass(frozen=True)
class Track:
    """A generated audio file and its tempo [BPM]."""

    path: Path
    bpm: float


@dataclass(frozen=True)
class Cost:
    """Time and memory that one child process took."""

    wall: float  # [s]
    cpu: float  # [s] user and system, all threads
    peak: float  # [MiB] resident memory


def arguments(description: str | None) -> argparse.ArgumentParser:
    """A parser of arguments with the options that all benchmarks have."""
    parser = argparse.ArgumentParser(description=(description or "").splitlines()[0])
    parser.add_argument(
        "--cache",
        type=Path,
        default=platformdirs.user_cache_path("beets-tempo-bench"),
        help="folder for generated music, kept for the next time (default: %(default)s)",
    )
    return parser


def tracks(
    cache: Path, n_tracks: int, duration: float, formats: Sequence[str] = ("mp3", "flac", "m4a")
) -> list[Track]:
    """Files of music of known tempo, in folders of ten tracks; those that are missing are made.

    Parameters
    ----------
    cache
        Folder that the files are kept in.
    n_tracks
        Number of tracks. More tracks extend the folders that fewer have made.
    duration
        Length of each [s].
    formats
        File extensions, taken in turn.
    """
    folder = cache / f"music-{MUSIC_VERSION}-{duration:g}s"
    jobs = []
    for number in range(n_tracks):
        style = list(TEMPI)[number % len(TEMPI)]
        low, high = TEMPI[style]
        # Steps of the golden ratio fill the range evenly, however many are taken.
        bpm = round(low + (high - low) * (number * 0.618034 % 1), 2)
        suffix = formats[number % len(formats)]
        path = folder / f"album{number // 10:03}" / f"{number:04}-{style}-{bpm}.{suffix}"
        jobs.append((Track(path, bpm), style, number, duration))
    missing = [job for job in jobs if not job[0].path.exists()]
    if missing:
        print(f"generating {len(missing)} tracks in {folder} …", file=sys.stderr)
        # Not "fork": a child would inherit the peak of this process's memory.
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(mp_context=context) as pool:
            list(pool.map(_generate, *zip(*missing, strict=True)))
    return [job[0] for job in jobs]


def _generate(track: Track, style: str, seed: int, duration: float) -> None:
    # Imported here and not above, because that takes memory: see the module's docstring.
    import numpy as np
    from mediafile import MediaFile

    sys.path.insert(0, str(REPOSITORY))
    from tests.audio import drum_pattern, write_audio

    audio = drum_pattern(track.bpm, duration, SR, style, np.random.default_rng(seed))
    track.path.parent.mkdir(parents=True, exist_ok=True)
    part = track.path.with_name(f".part-{track.path.name}")
    write_audio(part, np.repeat(audio[:, None], 2, axis=1), SR)
    media = MediaFile(part)
    media.update({"artist": "Bench", "album": track.path.parent.name, "title": track.path.stem})
    media.save()
    # Renamed when it is complete, so that an interrupted run leaves no incomplete track.
    part.rename(track.path)


def links(files: Iterable[Track], folder: Path, n_files: int) -> Path:
    """Fill a folder with `n_files` links to a few files, 50 in each subfolder; the folder."""
    files = list(files)
    for number in range(n_files):
        source = files[number % len(files)].path
        target = folder / f"album{number // 50:03}" / f"{number:04}{source.suffix}"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.symlink_to(source)
    return folder


class Beets:
    """A beets library in a folder of its own, used with the command `beet`.

    Parameters
    ----------
    folder
        Folder of the library, made if it does not exist; an existing library is used.
    plugins
        Plugins that are enabled.
    scripts
        Folder of the `beet` to run.
    """

    def __init__(self, folder: Path, plugins: str = "", scripts: Path = SCRIPTS) -> None:
        self.folder = folder
        self.scripts = scripts
        folder.mkdir(parents=True, exist_ok=True)
        # Tags are never written, because all libraries and runs share the files. Duplicates are
        # kept, because a large library consists of links to few files.
        (folder / "config.yaml").write_text(
            f"library: {folder}/library.db\ndirectory: {folder}/music\nplugins: [{plugins}]\n"
            "import:\n    copy: no\n    write: no\n    autotag: no\n    duplicate_action: keep\n"
        )

    def copy(self, folder: Path, plugins: str, scripts: Path | None = None) -> Beets:
        """Copy of the library in another folder, with other plugins or another `beet`."""
        other = Beets(folder, plugins, scripts or self.scripts)
        shutil.copyfile(self.folder / "library.db", folder / "library.db")
        return other

    def run(self, *arguments: str) -> Cost:
        """Run `beet` and measure it; a failure ends the benchmark."""
        command = [str(self.scripts / "beet"), *arguments]
        return run_child(command, {"BEETSDIR": str(self.folder)})

    def list(self, format: str, *query: str) -> list[str]:
        """Lines of `beet ls -f`."""
        return subprocess.run(
            [self.scripts / "beet", "ls", "-f", format, *query],
            env=os.environ | {"BEETSDIR": str(self.folder)},
            check=True,
            capture_output=True,
            text=True,
        ).stdout.splitlines()


def run_child(command: Sequence[str], env: dict[str, str]) -> Cost:
    """Run a command, discard its output, and return the cost of this child process alone.

    Raises
    ------
    SystemExit
        If the command fails; the message is the end of what it printed to stderr.
    """
    with Path(os.devnull).open("r+b") as null, tempfile.TemporaryFile() as errors:
        start = time.perf_counter()
        child = subprocess.Popen(
            command, env=os.environ | env, stdin=null, stdout=null, stderr=errors
        )
        _, status, usage = os.wait4(child.pid, 0)
        wall = time.perf_counter() - start
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode:
            errors.seek(0)
            tail = errors.read()[-2000:].decode(errors="replace")
            raise SystemExit(f"{' '.join(command)} failed ({child.returncode}):\n{tail}")
    # Linux counts in KiB, macOS in bytes.
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return Cost(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / unit)


def warm_up(files: Iterable[Track]) -> None:
    """Read the files once, so that the first measurement does not include the disk."""
    for track in files:
        with track.path.open("rb") as f:
            while f.read(2**20):
                pass


def report(title: str, lines: Iterable[str]) -> None:
    """Print a result as a block of Markdown, with the machine it was measured on."""
    print(f"### {title}\n")
    for line in lines:
        print(line)
    print(f"\n{machine()}\n", flush=True)


def machine() -> str:
    """One line: date, processor, cores, operating system and the versions that matter."""
    versions = ["Python " + platform.python_version()]
    for name in ("beets", "torch", "av", "librosa", "numpy"):
        try:
            versions.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            continue
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return (
        f"{date.today().isoformat()}, {_processor()}, {cores} cores, {platform.system()} "
        f"{platform.machine()}; {', '.join(versions)}"
    )


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or "unknown processor"
