"""Model files: tensors and plain values in one safetensors file, named by its own hash.

The file holds everything that is needed to rebuild the model: configuration, mel filterbank,
weights, calibration, and a card that says what it was trained on. Nothing is ever unpickled.
"""

from __future__ import annotations

import datetime
import hashlib
import json
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor, nn

from . import installed, pace_model
from . import model as tempo_model
from .config import FrontEnd, Model, PaceModel, TempoGrid, Windows
from .errors import CheckpointError, ConfigError
from .files import replace_file

LAYOUT = 3  # raised whenever a reader of the previous layout would misread the file
SEPARATE_OCTAVE = 3  # the layout that has this setting; before, it was off
SUFFIX = ".safetensors"
SHIPPED = Path(__file__).parent / "models"
_NAME = re.compile(r"^(?P<name>[a-z]+-\d{8})-(?P<hash>[0-9a-f]{8})\.safetensors$")


def _tempo(front_end: FrontEnd, grid: TempoGrid, values: Any) -> tuple[Model, nn.Module]:
    model = Model.from_dict(values)
    return model, tempo_model.build(front_end, grid, model)


def _pace(front_end: FrontEnd, grid: TempoGrid, values: Any) -> tuple[PaceModel, nn.Module]:
    model = PaceModel.from_dict(values)
    return model, pace_model.build(front_end, model)


# A task's configuration and untrained network, from the header's `model`.
NETWORKS: dict[str, Callable[[FrontEnd, TempoGrid, Any], tuple[Any, nn.Module]]] = {
    "tempo": _tempo,
    "pace": _pace,
}


@dataclass(frozen=True)
class Checkpoint:
    """A model as it is used: network in evaluation mode, configuration and calibration."""

    name: str  # task and date, e.g. `tempo-20261121`
    hash: str  # first 8 hex digits of the file's SHA-256
    front_end: FrontEnd
    windows: Windows
    grid: TempoGrid
    model: Any  # the configuration of the task's network
    filterbank: Tensor  # (n_mels, n_fft // 2 + 1)
    network: Any  # the network of the task
    temperature: float  # the logits are divided by it
    card: Mapping[str, Any]  # data, recipe, seed, figures
    task: str = "tempo"  # what it answers, a name in `tasks.TASKS`

    @property
    def source(self) -> str:
        """What is written into `tempo_source`: `model:<name>@<hash>`."""
        return f"model:{self.name}@{self.hash}"


@dataclass(frozen=True)
class Contents:
    """A model file that was read and verified, before anything is built from it."""

    name: str
    hash: str
    header: Mapping[str, Any]  # task, temperature, card and the configurations as plain values
    filterbank: Tensor  # (n_mels, n_fft // 2 + 1)
    weights: dict[str, Tensor]


def save(
    folder: Path,
    task: str,
    network: nn.Module,
    filterbank: Tensor,
    configs: Mapping[str, FrontEnd | Windows | TempoGrid | Model | PaceModel],
    temperature: float,
    card: Mapping[str, Any],
    date: datetime.date | None = None,
) -> Path:
    """Write a checkpoint atomically and return its path, `<task>-<date>-<hash>.safetensors`.

    Parameters
    ----------
    configs
        The four configurations under `front_end`, `windows`, `grid` and `model`.
    """
    tensors = {f"network.{k}": v.contiguous() for k, v in network.state_dict().items()}
    tensors["filterbank"] = filterbank.contiguous()
    header = {
        "layout": LAYOUT,
        "task": task,
        "temperature": temperature,
        "card": dict(card),
        **{name: config.to_dict() for name, config in configs.items()},
    }
    data = save_tensors(tensors, {"header": json.dumps(header, sort_keys=True)})
    digest = hashlib.sha256(data).hexdigest()[:8]
    day = (date or datetime.date.today()).strftime("%Y%m%d")
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{task}-{day}-{digest}{SUFFIX}"
    replace_file(path, data)
    return path


def read(path: Path) -> Contents:
    """Read and verify a model file of any task.

    Raises
    ------
    CheckpointError
        If the file is missing, does not match the hash in its name, or is of another layout.
    """
    match = _NAME.match(path.name)
    if match is None:
        raise CheckpointError(
            f"{path}: a model file is named <task>-<date>-<8 hex digits>{SUFFIX}; do not rename it"
        )
    try:
        data = path.read_bytes()
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read ({error.strerror})") from error
    digest = hashlib.sha256(data).hexdigest()[:8]
    if digest != match["hash"]:
        raise CheckpointError(
            f"{path}: the content does not match its name (SHA-256 begins with {digest}); the file "
            "is damaged or was altered, install it again"
        )
    try:
        header = json.loads(metadata(data)["header"])
        if header["layout"] == SEPARATE_OCTAVE - 1:
            if header["task"] == "tempo":
                header["model"]["separate_octave"] = False
        elif header["layout"] != LAYOUT:
            raise CheckpointError(
                f"{path}: layout {header['layout']}, this version reads {LAYOUT}; "
                "install a matching version of beets-tempo"
            )
        tensors = load_tensors(data)
        filterbank = tensors.pop("filterbank")
    except (SafetensorError, KeyError, TypeError, ValueError) as error:
        raise unusable(path, error) from error
    weights = {name.removeprefix("network."): value for name, value in tensors.items()}
    return Contents(match["name"], digest, header, filterbank, weights)


def load(path: Path, task: str | None = None) -> Checkpoint:
    """Read, verify and rebuild a checkpoint, of this task if one is given.

    Raises
    ------
    CheckpointError
        If the file is missing, does not match the hash in its name, is of another layout or of
        another task.
    """
    contents = read(path)
    header = contents.header
    answers = header.get("task")
    if answers not in NETWORKS or task not in (None, answers):
        wanted = " or ".join(repr(name) for name in ([task] if task else NETWORKS))
        raise CheckpointError(
            f"{path}: is a model for {answers!r}; give one for {wanted}, such as default"
        )
    try:
        front_end = FrontEnd.from_dict(header["front_end"])
        grid = TempoGrid.from_dict(header["grid"])
        model, network = NETWORKS[answers](front_end, grid, header["model"])
        network.load_state_dict(contents.weights, strict=True)
        return Checkpoint(
            name=contents.name,
            hash=contents.hash,
            front_end=front_end,
            windows=Windows.from_dict(header["windows"]),
            grid=grid,
            model=model,
            filterbank=contents.filterbank,
            network=network.eval().requires_grad_(False),
            temperature=float(header["temperature"]),
            card=header["card"],
            task=answers,
        )
    except (KeyError, TypeError, ValueError, RuntimeError, ConfigError) as error:
        raise unusable(path, error) from error


def unusable(path: Path, error: Exception) -> CheckpointError:
    """What to raise where a file that is what it says it is holds something unexpected."""
    reason = str(error).splitlines()[0]
    return CheckpointError(f"{path}: is not a usable model file ({reason})")


def available(folder: Path = SHIPPED, task: str | None = None) -> list[Path]:
    """Model files in `folder`, of one task or of all, the oldest of a task first."""
    names = ((_NAME.match(path.name), path) for path in folder.glob(f"*{SUFFIX}"))
    return sorted(
        path for match, path in names if match and task in (None, match["name"].partition("-")[0])
    )


def resolve(model: str | os.PathLike[str], task: str = "tempo") -> Path:
    """The file of a model: `default`, `shipped`, the name of a shipped or learned one, or a path.

    `default` is the learned model of the task that is in use, the shipped one where there is none.

    Raises
    ------
    CheckpointError
        If there is none.
    """
    shipped = available(task=task)
    text = os.fspath(model)
    if text == "default" and (learned := installed.active(task)):
        return learned
    if text in ("default", installed.SHIPPED):
        if not shipped:
            raise CheckpointError(f"no {task} model in {SHIPPED}; install beets-tempo again")
        return shipped[-1]
    known = [*shipped, *available(installed.folder(), task)]
    # The whole name first: models that were learned on one day differ in the hash only.
    for path in known:
        if text in (path.stem, path.name):
            return path
    for path in known:
        if text == path.stem.rpartition("-")[0]:
            return path
    path = Path(text).expanduser()
    if path.is_file():
        return path
    names = ", ".join(p.stem for p in known) or "none"
    raise CheckpointError(f"no model {text!r}: not a file, and not one of those here: {names}")


def metadata(data: bytes) -> dict[str, str]:
    """The string metadata of safetensors bytes (its reader offers them for files only)."""
    length = int.from_bytes(data[:8], "little")
    return dict(json.loads(data[8 : 8 + length])["__metadata__"])
