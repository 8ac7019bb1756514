"""Cache of the networks' inputs: many tracks to a file, in files of bounded size.

Each *shard* is a safetensors file whose name is the hash of its content; each array in it is named
by the hash of what it depends on, the content of the audio file and the configuration. So nothing
outdated and nothing damaged is ever read: a shard whose content is not what its name says is
deleted, and its tracks are computed again. A shard is written in one step. Whatever ends a run,
the next one uses the shards that are there, and has lost the tracks of one shard at most.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from tempo_core.background import parallel
from tempo_core.errors import AudioError
from tempo_core.files import replace_file

from ...inputs.cache import explain, hash_file, read_keys, stamp, write_keys
from ...learning.job import Failure
from .inputs import Half, InputConfig, filled, inputs_of

SHARD_BYTES = 64 << 20  # a shard is written once it has so many; it may exceed them by one track
OPEN_SHARDS = 64  # that are mapped into memory at a time


@dataclass(frozen=True)
class Place:
    """Where the inputs of a track are, and how many frames they have."""

    shard: Path
    key: str
    length: int

    def read(self, first: int, n_frames: int) -> Half:
        """(n_frames, …) a window from a frame on; nothing else is read."""
        last = min(first + n_frames, self.length)
        part: Half = _opened(self.shard).get_slice(self.key)[first:last]
        return filled(part, n_frames)


@lru_cache(maxsize=OPEN_SHARDS)
def _opened(shard: Path) -> safe_open:
    return safe_open(shard, "np")


@dataclass(frozen=True)
class Filling:
    """How the cache is filled: threads, when to stop, how long a file may take [s]."""

    jobs: int
    stop: Callable[[], bool]
    time_limit: float | None = None
    told: Callable[[int], object] = lambda n: None  # of so many tracks that are done


class Shards:
    """The shards in a folder of one configuration.

    Parameters
    ----------
    folder
        Of all caches; each configuration has a folder of its own in it.
    shard_bytes
        See `SHARD_BYTES`.
    """

    def __init__(self, folder: Path, config: InputConfig, shard_bytes: int = SHARD_BYTES) -> None:
        self.folder, self.config, self.shard_bytes = folder / config.digest(), config, shard_bytes
        self.damaged: list[Path] = []  # that were found and deleted

    def fill(
        self, paths: Sequence[Path], filling: Filling
    ) -> tuple[dict[Path, Place], list[Failure]]:
        """Compute the inputs of the tracks that have none yet.

        Memory holds one shard and what the threads work on, however many tracks there are.

        Returns
        -------
        The place of each track, and the files that cannot be used. If the run was to stop, the
        tracks that are done have a place, and the others have none.

        Raises
        ------
        StorageError
            If the folder cannot be written.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            there = self._there()
            keys, failed = self._keys(paths, filling)
            of_key = {key: path for path, key in keys.items() if key not in there}
            pending: dict[str, Half] = {}
            for key, made in parallel(
                lambda key: inputs_of(of_key[key], self.config), of_key, filling.jobs,
                filling.stop, filling.time_limit,
            ):  # fmt: skip
                filling.told(1)
                if isinstance(made, AudioError):
                    failed.append((of_key[key], made))
                elif isinstance(made, Exception):
                    raise made
                else:
                    pending[key] = made
                    if sum(array.nbytes for array in pending.values()) >= self.shard_bytes:
                        there |= self._write(pending)
                        pending = {}
            there |= self._write(pending)
        except OSError as error:
            raise explain(error, self.folder) from error
        order = {path: k for k, path in enumerate(paths)}
        places = {path: there[keys[path]] for path in paths if keys.get(path) in there}
        return places, sorted(failed, key=lambda failure: order[failure[0]])

    def _there(self) -> dict[str, Place]:
        """The arrays of all shards whose content is what was written."""
        found: dict[str, Place] = {}
        for shard in sorted(self.folder.glob("*.safetensors")):
            if hash_file(shard).hexdigest()[:32] == shard.stem:
                found |= _places(shard)
            else:
                self.damaged.append(shard)
                shard.unlink()
        return found

    def _keys(
        self, paths: Sequence[Path], filling: Filling
    ) -> tuple[dict[Path, str], list[Failure]]:
        """The key of each track; files that have not changed are not read for it."""
        known = read_keys(self.folder, self.config)
        keys: dict[Path, str] = {}
        failed: list[Failure] = []
        stamps = {path: stamp(path) for path in paths}
        for path, mark in stamps.items():
            if filling.stop():
                break
            try:
                keys[path] = known[mark] if mark in known else self._key(path)
            except AudioError as error:
                failed.append((path, error))
        marked = {stamps[path]: key for path, key in keys.items()}
        write_keys(
            self.folder, self.config,
            {mark: key for mark, key in {**known, **marked}.items() if mark is not None},
        )  # fmt: skip
        return keys, failed

    def _key(self, path: Path) -> str:
        digest = hash_file(path)
        digest.update(self.config.digest().encode())
        return str(digest.hexdigest()[:32])

    def _write(self, arrays: Mapping[str, Half]) -> dict[str, Place]:
        """Write a shard, and return the places in it; nothing is written of no arrays."""
        if not arrays:
            return {}
        data = save(dict(arrays))
        shard = self.folder / f"{hashlib.sha256(data).hexdigest()[:32]}.safetensors"
        replace_file(shard, data)
        return _places(shard)


def _places(shard: Path) -> dict[str, Place]:
    try:
        with safe_open(shard, "np") as opened:
            return {
                key: Place(shard, key, opened.get_slice(key).get_shape()[0])
                for key in opened.keys()  # noqa: SIM118  # it is no dict
            }
    except (SafetensorError, IndexError):  # not ours, though its name fits
        return {}
