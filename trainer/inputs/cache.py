"""Cache of the tempo network's inputs: one file for each recording, in a folder of limited size.

The name of a file is a hash of what its data depends on: the content of the audio file and the
configuration. So no outdated data can be read, and whatever stops a run, the next one uses the
files that are complete and computes the others. Notes about a file (its configuration, and whether
windows were left out) are in its header.
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
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save_file

from tempo_core.addresses import as_text, elsewhere, is_open_address
from tempo_core.config import FrontEnd, Windows
from tempo_core.errors import ConfigError, StorageError
from tempo_core.files import part_of, replace_file
from tempo_core.reading import open_file
from tempo_core.tasks.tempo.config import TempoGrid

# Version of the cached views; raise it when the results of `views.views_of` change. Before version
# 3, silence at the ends of a file was part of the windows, and all windows had the same weight.
VIEWS_LAYOUT = 3
USABLE_LAYOUTS = (3, 2)  # versions to learn from if the audio file is gone, the newest first
HEADER_BYTES = 1024  # [bytes] greatest size of a file's header
ABANDONED_AFTER = 600.0  # [s] age from which on an unfinished file must be that of a killed run
LEAST_WINDOWS = 2  # least number of windows of a recording: one of each length


@dataclass(frozen=True)
class Views:
    """The network's inputs for every window of a recording, on a tempo axis wider than the grid.

    `maps` (n_windows, N_MAPS, n_mels, n_bins + 2 * STRETCH_MARGIN) are float16 and read from the
    cache when they are used; `statistics` (n_windows, 4 * n_mels) are float32. The axis has a
    margin because a time stretch is a shift of the tempo axis: training stretches a window by
    cutting the `n_bins` out of it at another place. `clarity` (n_windows,) float32 is the clarity
    of each window's pulse in 0..1, None if it is unknown. `thinned` says whether windows of the
    recording were left out.
    """

    maps: np.ndarray
    statistics: np.ndarray
    n_full: int  # number of windows, at the beginning, that the estimator would use
    clarity: np.ndarray | None = None
    thinned: bool = False

    @property
    def weights(self) -> NDArray[np.float64]:
        """Weight of each window (n_windows,) in 0..1: its clarity, or 1 if that is unknown."""
        if self.clarity is None:
            return np.ones(len(self.maps))
        return np.asarray(self.clarity, np.float64)


@dataclass(frozen=True)
class ViewRecipe:
    """Everything except the audio that views depend on."""

    front_end: FrontEnd
    windows: Windows
    grid: TempoGrid
    layout: int = VIEWS_LAYOUT

    def digest(self) -> str:
        """Hash of the recipe, 32 hex digits."""
        return _update(hashlib.sha256(), self).hexdigest()[:32]

    def key(self, content: Any) -> str:
        """Stem of the cache file's name for an audio file, 32 hex digits.

        Parameters
        ----------
        content
            Hash object that has been updated with the bytes of the file, see `hash_file`.
        """
        key: str = _update(content.copy(), self).hexdigest()[:32]
        return key


def _update(digest: Any, recipe: ViewRecipe) -> Any:
    """Update a hash object with a recipe, and return it."""
    digest.update(f"layout {recipe.layout}".encode())
    for config in (recipe.front_end, recipe.windows, recipe.grid):
        digest.update(config.digest().encode())
    return digest


def hash_file(path: Path) -> Any:
    """SHA-256 object that has been updated with all bytes of a file.

    Raises
    ------
    AudioError
        If the file cannot be opened, or is not a regular file.
    """
    with open_file(path) as file:
        digest = hashlib.sha256()
        while block := file.read(1 << 20):
            digest.update(block)
    return digest


def cache_file(folder: Path, key: str) -> Path:
    """Path of the cache file with this key."""
    return folder / f"{key}.safetensors"


def write_views(views: Views, path: Path, **notes: str) -> None:
    """Write one cache file atomically, with notes for `read_notes`."""
    temporary = part_of(path)  # processes of other machines may share the folder
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
        # safetensors wraps errors of the operating system in its own exception.
        named = re.search(r"\(os error (\d+)\)", str(error))
        if named:
            number = int(named[1])
            raise OSError(number, os.strerror(number), str(path)) from error
        raise


def _header(path: Path) -> tuple[dict[str, Any], int]:
    """The header of a cache file, and the offset [bytes] at which its arrays begin.

    Raises
    ------
    OSError, ValueError, KeyError
        If the file is missing or damaged.
    """
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
    """Open one cache file; maps are only read when they are used.

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
    """Notes in the header of a cache file.

    `digest` is that of its recipe; `thinned` says whether windows of the recording were left out.
    """

    digest: str
    n_windows: int
    thinned: bool

    def has(self, n_windows: int) -> bool:
        """Whether the file has `n_windows` windows, or fewer because the recording has no more."""
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
    """`n_kept` of the indices 0..n-1, spread as evenly as possible; all if `n_kept` >= `n`."""
    if n_kept >= n:
        return list(range(n))
    return [int((k + 0.5) * n / n_kept) for k in range(n_kept)]


def thin(n_full: int, n_short: int, n_kept: int) -> tuple[list[int], list[int]]:
    """Indices of the full and of the shorter windows to keep, `n_kept` in all, in proportion."""
    if n_kept >= n_full + n_short:
        return list(range(n_full)), list(range(n_short))
    full = min(n_full, max(1, round(n_kept * n_full / (n_full + n_short))))
    short = min(n_short, max(0, n_kept - full))
    return spread(n_full, full), spread(n_short, short)


def share(counts: Sequence[int], n_windows: int) -> int | None:
    """The greatest number of windows per recording, so that there are `n_windows` at most in all.

    Recordings with fewer windows keep all of them. The result is None if all windows fit.

    Parameters
    ----------
    counts
        Number of windows of each recording.

    Raises
    ------
    ConfigError
        If the number would be below `LEAST_WINDOWS`.
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
    if low < LEAST_WINDOWS:
        factor = LEAST_WINDOWS * len(counts) / max(1, n_windows)
        raise ConfigError(
            f"the cache may hold {n_windows} windows, which is too little for {len(counts)} "
            f"recordings; give it {factor:.1f} times the space"
        )
    return low


def window_bytes(recipe: ViewRecipe, n_maps: int, margin: int) -> int:
    """Size of a window on disk [bytes]; `margin` is that at each end of the tempo axis [bins]."""
    n_mels, n_bins = recipe.front_end.n_mels, recipe.grid.n_bins + 2 * margin
    return 2 * n_maps * n_mels * n_bins + 4 * 4 * n_mels + 4


def make_room(folder: Path, needed: Mapping[str, int], limit: int, digest: str) -> int:
    """Delete files that are not needed until the needed ones fit; return how many were deleted.

    Files of another configuration (such as an older front end) are deleted first, then those that
    have not been used for longest. Needed files are never deleted.

    Parameters
    ----------
    needed
        Size [bytes] that each needed file has or is going to have, by its key.
    limit
        Greatest size of the folder [bytes].
    digest
        Digest of the recipe in use.
    """
    others = []
    for path in folder.iterdir():
        with suppress(FileNotFoundError):
            status = path.stat()
            if path.suffix == ".part":
                if time.time() - status.st_mtime > ABANDONED_AFTER:
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
    """The stamp of a file, which shows whether it has changed; None if there is no such file.

    Raises
    ------
    AudioError
        If it is at an address, and cannot be read.
    """
    if is_open_address(path):
        size, mark = elsewhere().state(as_text(path))
        return (
            os.fsencode(as_text(path)),
            size,
            int(hashlib.sha256(mark.encode()).hexdigest()[:15], 16),
        )
    try:
        status = path.stat()
    except OSError:
        return None
    return os.fsencode(path.absolute()), status.st_size, status.st_mtime_ns


class Digested(Protocol):
    """What inputs depend on beside the audio, as a recipe or a configuration."""

    def digest(self) -> str:
        """Hash of it."""


def read_keys(folder: Path, recipe: Digested) -> dict[Stamp | None, str]:
    """Keys by stamp, as `write_keys` stored them, so that unchanged files need not be read again.

    The result is empty if there are none.
    """
    known: dict[Stamp | None, str] = {}
    with suppress(OSError, ValueError):
        text = _keys_file(folder, recipe).read_text("ascii")
        for path, size, changed, key in json.loads(text):
            known[bytes.fromhex(path), int(size), int(changed)] = str(key)
    return known


def write_keys(folder: Path, recipe: Digested, keys: Mapping[Stamp, str]) -> None:
    """Store the keys of files by their stamp, atomically."""
    rows = [[path.hex(), size, changed, key] for (path, size, changed), key in keys.items()]
    replace_file(_keys_file(folder, recipe), json.dumps(rows, indent=0).encode("ascii"))


def _keys_file(folder: Path, recipe: Digested) -> Path:
    return folder / f"keys-{recipe.digest()}.json"


def touch(path: Path) -> None:
    """Set the time at which a cache file was last used, for `make_room`."""
    with suppress(OSError):
        os.utime(path)


def explain(error: OSError, folder: Path) -> StorageError:
    """The error to raise if a file in a folder cannot be written, with a message to the user."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        told = f"no space left for {folder}; what is done is kept: free some space and run it again"
    else:
        told = f"{folder} cannot be written ({error.strerror or error}); give another folder"
    return StorageError(told)
