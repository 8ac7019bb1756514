"""The guard set: rendered music that a learned model must not have unlearned.

It has one window each of rendered clips of every style, as the network sees it, and is small enough
to be part of the package; `trainer.making.guard` makes it. Some of the clips are replayed while
learning, the others are for comparing the models before and after; a clip is never both.
"""

from __future__ import annotations

import hashlib
import json
import lzma
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load as load_arrays
from safetensors.numpy import save as save_arrays

from tempo_core.checkpoint import metadata
from tempo_core.config import FrontEnd, Windows
from tempo_core.errors import CheckpointError, reason
from tempo_core.files import replace_file
from tempo_core.model import Checkpoint
from tempo_core.spectrum import Array
from tempo_core.tasks.tempo.config import TempoConfig, TempoGrid

FOLDER = Path(__file__).parent / "data"
LAYOUT = 2  # to be raised when what `view.inputs_of` computes changes
N_LEVELS = 128  # of a quantised map: few enough to pack well, and answers stay the same
AXES = (-1, 2)  # along which differences of the maps are packed
PACKING = [{"id": lzma.FILTER_LZMA2, "preset": 9 | lzma.PRESET_EXTREME, "pb": 0}]
REPLAYED = 3  # one clip of so many of a style is for replay
_NAME = re.compile(r"^guard-(?P<hash>[0-9a-f]{8})\.safetensors$")


@dataclass(frozen=True)
class Guard:
    """Windows of rendered clips.

    `maps` are (n, N_MAPS, n_mels // 2, n_bins): the network averages neighbouring bands before all
    else, so no more is kept. `statistics` are (n, 4 * n_mels), `bpm` (n,) the tempi people count.
    """

    maps: Array
    statistics: Array
    bpm: tuple[float, ...]
    styles: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.bpm)

    def inputs(self) -> tuple[Array, Array]:
        """The network's two inputs, see `view.inputs_of`."""
        return np.repeat(self.maps, 2, axis=2), self.statistics

    def part(self, replay: bool) -> Guard:
        """The clips for replay, or those for comparison: of each style every third, or the rest."""
        seen: dict[str, int] = {}
        rows = []
        for i, style in enumerate(self.styles):
            seen[style] = seen.get(style, -1) + 1
            if (seen[style] % REPLAYED == 0) == replay:
                rows.append(i)
        return Guard(
            self.maps[rows],
            self.statistics[rows],
            tuple(self.bpm[i] for i in rows),
            tuple(self.styles[i] for i in rows),
        )


def digest(front_end: FrontEnd, windows: Windows, grid: TempoGrid) -> str:
    """A digest of what the maps depend on, the code that computes them included."""
    key = hashlib.sha256(f"layout {LAYOUT}".encode())
    for config in (front_end, windows, grid):
        key.update(config.digest().encode())
    return key.hexdigest()[:16]


def save(guard: Guard, model: Checkpoint[TempoConfig], folder: Path) -> Path:
    """Write a guard set as `guard-<hash>.safetensors`, quantised and packed, atomically."""
    maps = guard.maps
    low, high = maps.min(axis=(2, 3), keepdims=True), maps.max(axis=(2, 3), keepdims=True)
    step = np.maximum(high - low, 1e-9) / (N_LEVELS - 1)
    levels = np.round((maps - low) / step).astype(np.uint8)
    # Differences along the axis of the tempo and that of the bands are mostly small, so they pack
    # well; `load` sums them up modulo 256.
    for axis in AXES:
        levels = np.diff(levels, axis=axis, prepend=np.uint8(0))
    packed = lzma.compress(levels.tobytes(), lzma.FORMAT_XZ, filters=PACKING)
    arrays = {
        "maps": np.frombuffer(packed, np.uint8),
        "low": low.astype(np.float32),
        "step": step.astype(np.float32),
        "statistics": guard.statistics.astype(np.float16),
        "bpm": np.array(guard.bpm, np.float32),
    }
    header = {
        "digest": digest(model.front_end, model.windows, model.config.grid),
        "shape": list(maps.shape),
        "styles": guard.styles,
    }
    data = save_arrays(arrays, {"header": json.dumps(header)})
    path = folder / f"guard-{hashlib.sha256(data).hexdigest()[:8]}.safetensors"
    folder.mkdir(parents=True, exist_ok=True)
    replace_file(path, data)
    return path


def load(model: Checkpoint[TempoConfig], path: Path | None = None) -> Guard:
    """Read a guard set, the one in the package if `path` is None.

    Raises
    ------
    CheckpointError
        If it is missing or damaged, or was made for another front end than the model has.
    """
    if path is None:
        found = sorted(FOLDER.glob("guard-*.safetensors"))
        if not found:
            raise CheckpointError(f"no guard set in {FOLDER}; install beets-tempo again")
        path = found[-1]
    name = _NAME.match(path.name)
    try:
        data = path.read_bytes()
        if name is None or hashlib.sha256(data).hexdigest()[:8] != name["hash"]:
            raise CheckpointError(
                f"{path}: the content does not match its name; install beets-tempo again"
            )
        header = json.loads(metadata(data)["header"])
        arrays = load_arrays(data)
        wanted = digest(model.front_end, model.windows, model.config.grid)
        if header["digest"] != wanted:
            raise CheckpointError(
                f"{path}: made for the front end {header['digest']}, the model has {wanted}; "
                "make one for it with `python -m trainer.making.guard`"
            )
        packed = lzma.decompress(arrays["maps"].tobytes())
        levels = np.frombuffer(packed, np.uint8).reshape(header["shape"])
        for axis in AXES:
            levels = np.cumsum(levels, axis=axis, dtype=np.uint8)
        maps = levels.astype(np.float32) * arrays["step"] + arrays["low"]
        return Guard(
            maps.astype(np.float32),
            arrays["statistics"].astype(np.float32),
            tuple(arrays["bpm"].tolist()),
            tuple(header["styles"]),
        )
    except (OSError, SafetensorError, lzma.LZMAError, KeyError, ValueError) as error:
        raise CheckpointError(f"{path}: is not a usable guard set ({reason(error)})") from error
