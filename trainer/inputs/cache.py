"""The network's inputs on disk: one file a recording, in a folder that keeps to a size.

A file is named by what it is made of: the audio file's content and the configuration. So nothing
stale can be read, and whatever stops a run, the next one finds what is complete and computes the
rest. What else the cache must know of a file (its configuration, how many windows there were) is in
the file's own header.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save_file

from tempo_core.config import FrontEnd, Windows
from tempo_core.errors import ConfigError, StorageError
from tempo_core.files import replace_file
from tempo_core.opening import RegularFile
from tempo_core.tasks.tempo.config import TempoGrid

# Of the cached views; raise it when what `views.views_of` computes changes. Before layout 3
# silence at the ends of a file was part of the windows, which all counted alike.
LAYOUT = 3
USABLE = (3, 2)  # the newest first: those that can be learned from where the audio is gone
HEADER = 1024  # [bytes] what a file is larger than its arrays, at most
ABANDONED = 600.0  # [s] after which an unfinished file is what a killed run left behind
FEWEST = 2  # windows of a recording: one of each length


@dataclass(frozen=True)
class Views:
    """The network's inputs for every window of a recording, on an axis wider than the grid.

    `maps` are (n_windows, N_MAPS, n_mels, n_bins + 2 * MARGIN) float16, read from the cache as they
    are used, `statistics` (n_windows, 4 * n_mels) float32. The margin is there because a time
    stretch is a shift of the tempo axis: training stretches a window by cutting `n_bins` out of it
    elsewhere. `clarity` (n_windows,) float32 says how clear a pulse each has, None where nothing
    says so; `thinned` whether windows of the recording were left out.
    """

    maps: np.ndarray
    statistics: np.ndarray
    n_full: int  # the first so many are the windows that the estimator would use
    clarity: np.ndarray | None = None
    thinned: bool = False

    @property
    def weights(self) -> NDArray[np.float64]:
        """(n_windows,) how much each window counts, in 0..1."""
        if self.clarity is None:
            return np.ones(len(self.maps))
        return np.asarray(self.clarity, np.float64)


@dataclass(frozen=True)
class ViewRecipe:
    """What views are computed with."""

    front_end: FrontEnd
    windows: Windows
    grid: TempoGrid
    layout: int = LAYOUT

    def digest(self) -> str:
        """Of everything that decides what is in a file, but for the audio."""
        return _update(hashlib.sha256(), self).hexdigest()[:32]

    def key(self, content: Any) -> str:
        """Name of the cache file for an audio file whose bytes went into the hash `content`."""
        key: str = _update(content.copy(), self).hexdigest()[:32]
        return key


def _update(digest: Any, recipe: ViewRecipe) -> Any:
    digest.update(f"layout {recipe.layout}".encode())
    for config in (recipe.front_end, recipe.windows, recipe.grid):
        digest.update(config.digest().encode())
    return digest


def hash_file(path: Path) -> Any:
    """SHA-256 object that has seen all bytes of a file.

    Raises
    ------
    AudioError
        If it cannot be opened, or is no regular file.
    """
    with RegularFile(path) as file:
        digest = hashlib.sha256()
        while block := file.read(1 << 20):
            digest.update(block)
    return digest


def cache_file(folder: Path, key: str) -> Path:
    """Where the views of a key are."""
    return folder / f"{key}.safetensors"


def write_views(views: Views, path: Path, **notes: str) -> None:
    """Write one cache file atomically, with notes for `read_notes`."""
    temporary = path.with_suffix(f".{os.getpid()}.part")
    arrays = {"maps": views.maps, "statistics": views.statistics}
    if views.clarity is not None:
        arrays["clarity"] = views.clarity
    told = {"n_full": str(views.n_full), "thinned": "yes" if views.thinned else "no", **notes}
    try:
        save_file(arrays, temporary, told)
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException as error:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        # safetensors has an error of its own around what the system said.
        named = re.search(r"\(os error (\d+)\)", str(error))
        if named:
            number = int(named[1])
            raise OSError(number, os.strerror(number), str(path)) from error
        raise


def _header(path: Path) -> tuple[dict[str, Any], int]:
    """Header of a cache file and where its arrays begin."""
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        size = os.fstat(file.fileno()).st_size
        if not 0 < length < size:
            raise ValueError(f"{path}: a damaged header; delete the file")
        header: dict[str, Any] = json.loads(file.read(length))
    arrays = [header["maps"], header["statistics"]]
    if "clarity" in header:
        arrays.append(header["clarity"])
    end = max(entry["data_offsets"][1] for entry in arrays)
    if size != 8 + length + end:
        raise ValueError(f"{path}: {size} bytes, not {8 + length + end}; delete the file")
    return header, 8 + length


def read_views(path: Path) -> Views:
    """Open one cache file; of the maps only what is used is ever read.

    Raises
    ------
    OSError, ValueError, KeyError
        If the file is missing or damaged.
    """
    header, begin = _header(path)

    def array(name: str, dtype: type[np.floating]) -> np.ndarray:
        entry = header[name]
        place = begin + entry["data_offsets"][0]
        return np.memmap(path, dtype, "r", place, tuple(entry["shape"]))

    clarity = np.array(array("clarity", np.float32)) if "clarity" in header else None
    return Views(
        array("maps", np.float16),
        np.array(array("statistics", np.float32)),
        int(header["__metadata__"]["n_full"]),
        clarity,
        header["__metadata__"].get("thinned") == "yes",
    )


@dataclass(frozen=True)
class Notes:
    """What a cache file says of itself; `thinned` where windows of the recording were left out."""

    digest: str
    n_windows: int
    thinned: bool

    def has(self, n_windows: int) -> bool:
        """Whether there are so many windows, or fewer because the recording has no more."""
        return self.n_windows == n_windows or (not self.thinned and self.n_windows < n_windows)


def read_notes(path: Path) -> Notes | None:
    """The notes in a cache file, None if it is missing or damaged."""
    try:
        header, _ = _header(path)
        notes = header["__metadata__"]
        n_windows = int(header["maps"]["shape"][0])
        return Notes(notes.get("digest", ""), n_windows, notes.get("thinned") == "yes")
    except (OSError, ValueError, KeyError, TypeError):
        return None


def spread(n: int, n_kept: int) -> list[int]:
    """`n_kept` of the indices 0..n-1, as evenly as possible."""
    if n_kept >= n:
        return list(range(n))
    return [int((k + 0.5) * n / n_kept) for k in range(n_kept)]


def thin(n_full: int, n_short: int, n_kept: int) -> tuple[list[int], list[int]]:
    """Which of the full windows and which of the shorter ones to keep, in their proportion."""
    if n_kept >= n_full + n_short:
        return list(range(n_full)), list(range(n_short))
    full = min(n_full, max(1, round(n_kept * n_full / (n_full + n_short))))
    short = min(n_short, max(0, n_kept - full))
    return spread(n_full, full), spread(n_short, short)


def share(counts: Sequence[int], n_windows: int) -> int | None:
    """The most windows a recording so that all together have no more than `n_windows`.

    None if nobody has to give up any. Short recordings keep all of theirs.

    Raises
    ------
    ConfigError
        If less than `FEWEST` would be left of a recording.
    """
    if sum(counts) <= n_windows:
        return None
    low, high = 0, max(counts)
    while low < high:
        middle = (low + high + 1) // 2
        if sum(min(count, middle) for count in counts) <= n_windows:
            low = middle
        else:
            high = middle - 1
    if low < FEWEST:
        raise ConfigError(
            f"the cache may hold {n_windows} windows, which is too little for {len(counts)} "
            f"recordings; give it {FEWEST * len(counts) / max(1, n_windows):.1f} times the space"
        )
    return low


def window_bytes(recipe: ViewRecipe, n_maps: int, margin: int) -> int:
    """What one window takes on disk."""
    n_mels, n_bins = recipe.front_end.n_mels, recipe.grid.n_bins + 2 * margin
    return 2 * n_maps * n_mels * n_bins + 4 * 4 * n_mels + 4


def make_room(folder: Path, needed: Mapping[str, int], limit: int, digest: str) -> int:
    """Delete what is not needed until the needed files fit; returns how many were deleted.

    Files of another configuration (an older front end) go first, then those that were not used for
    longest. What is needed is never deleted.

    Parameters
    ----------
    needed
        Size [bytes] that each needed file has or is going to have, by its key.
    limit
        Of the folder [bytes].
    digest
        Of the configuration in use.
    """
    others = []
    for path in folder.iterdir():
        with suppress(FileNotFoundError):
            status = path.stat()
            if path.suffix == ".part":
                if time.time() - status.st_mtime > ABANDONED:
                    path.unlink()
            elif path.suffix == ".safetensors" and path.stem not in needed:
                others.append((path, status))
    room = limit - sum(needed.values())
    excess = sum(status.st_size for _, status in others) - room
    if excess <= 0:
        return 0

    def order(entry: tuple[Path, os.stat_result]) -> tuple[bool, float]:
        notes = read_notes(entry[0])
        return notes is not None and notes.digest == digest, entry[1].st_mtime

    n_deleted = 0
    for path, status in sorted(others, key=order):
        if excess <= 0:
            break
        path.unlink(missing_ok=True)
        excess -= status.st_size
        n_deleted += 1
    return n_deleted


Stamp = tuple[bytes, int, int]  # path, size [bytes], time of the last change [ns]


def stamp(path: Path) -> Stamp | None:
    """What tells a file from a changed one without reading it; None if it is not there."""
    try:
        status = path.stat()
    except OSError:
        return None
    return os.fsencode(path.absolute()), status.st_size, status.st_mtime_ns


def read_keys(folder: Path, recipe: ViewRecipe) -> dict[Stamp | None, str]:
    """Keys that `write_keys` noted for files, so that these need not be read again."""
    known: dict[Stamp | None, str] = {}
    with suppress(OSError, ValueError):
        text = _keys_file(folder, recipe).read_text("ascii")
        for path, size, changed, key in json.loads(text):
            known[bytes.fromhex(path), int(size), int(changed)] = str(key)
    return known


def write_keys(folder: Path, recipe: ViewRecipe, keys: Mapping[Stamp, str]) -> None:
    """Note the keys of files, atomically."""
    rows = [[path.hex(), size, changed, key] for (path, size, changed), key in keys.items()]
    replace_file(_keys_file(folder, recipe), json.dumps(rows, indent=0).encode("ascii"))


def _keys_file(folder: Path, recipe: ViewRecipe) -> Path:
    return folder / f"keys-{recipe.digest()}.json"


def touch(path: Path) -> None:
    """Note that a file was used."""
    with suppress(OSError):
        os.utime(path)


def explain(error: OSError, folder: Path) -> StorageError:
    """What to say when something cannot be written in a folder."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        told = f"no space left for {folder}; what is done is kept: free some space and run it again"
    else:
        told = f"{folder} cannot be written ({error.strerror or error}); give another folder"
    return StorageError(told)
