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
import stat
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor, nn

from . import installed, pace_model
from . import model as tempo_model
from .config import FrontEnd, Model, PaceModel, TempoGrid, Windows, check_number, told
from .errors import CheckpointError, ConfigError
from .files import replace_file

LAYOUT = 3  # raised whenever a reader of the previous layout would misread the file
SEPARATE_OCTAVE = 3  # the layout that has this setting; before, it was off
SUFFIX = ".safetensors"
SHIPPED = Path(__file__).parent / "models"
LARGEST = 64_000_000  # [bytes] of a model file; those in the package have a hundredth of it
LONGEST_SUMMARY, LONGEST_REASON = 300, 200  # characters
_NAME = re.compile(r"^(?P<name>[a-z]+-\d{8})-(?P<hash>[0-9a-f]{8})\.safetensors$")


# A task's kind of configuration, and what builds its untrained network.
NETWORKS: dict[
    str, tuple[type[Model | PaceModel], Callable[[FrontEnd, TempoGrid, Any], nn.Module]]
] = {
    "tempo": (Model, tempo_model.build),
    "pace": (PaceModel, lambda front_end, _grid, model: pace_model.build(front_end, model)),
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
    data = _bytes(path)
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
        check_number(header["temperature"], "temperature", 1.0, 1e-3, 1e3)
        _check_card(header["card"])
        _check_tensors({"filterbank": filterbank, **tensors})
    except UNUSABLE as error:
        raise unusable(path, error) from error
    weights = {name.removeprefix("network."): value for name, value in tensors.items()}
    return Contents(match["name"], digest, header, filterbank, weights)


def _bytes(path: Path) -> bytes:
    """What is in a file that may be a model.

    Raises
    ------
    CheckpointError
        If it cannot be read, or is nothing that has an end.
    """
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise CheckpointError(f"{path}: is not a regular file; give the path of a model file")
        if status.st_size > LARGEST:
            raise CheckpointError(
                f"{path}: {status.st_size / 1e6:.0f} MB is too large for a model file"
            )
        return path.read_bytes()
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read ({error.strerror})") from error


def _check_card(card: object) -> None:
    if not isinstance(card, dict):
        raise ConfigError(f"the card is {told(card)}; an object is needed")
    summary = card.get("summary", "")
    right = isinstance(summary, str) and len(summary) <= LONGEST_SUMMARY and summary.isprintable()
    if not right:
        raise ConfigError(f"the card's summary is {told(summary)}; a line of text is needed")


def _check_tensors(tensors: Mapping[str, Tensor]) -> None:
    for name, tensor in tensors.items():
        counts = name.endswith("num_batches_tracked")  # of batch normalisation
        if tensor.dtype != (torch.int64 if counts else torch.float32):
            raise ConfigError(f"the tensor {told(name)} is of {tensor.dtype}")
        if not bool(torch.isfinite(tensor).all()):
            raise ConfigError(f"the tensor {told(name)} holds what is no finite number")


def check_shapes(build: Callable[[], nn.Module], weights: Mapping[str, Tensor]) -> None:
    """Refuse weights that are not those of a network, before any memory is taken for it.

    Raises
    ------
    ConfigError
        If a tensor is missing, too many, or of another shape.
    """
    with torch.device("meta"):
        wanted = {name: value.shape for name, value in build().state_dict().items()}
    if wanted.keys() != weights.keys():
        raise ConfigError(f"the weights are those of another network ({len(weights)} tensors)")
    for name, shape in wanted.items():
        if weights[name].shape != shape:
            raise ConfigError(
                f"{name} is {tuple(weights[name].shape)}, {tuple(shape)} by the configuration"
            )


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
    if not isinstance(answers, str) or answers not in NETWORKS or task not in (None, answers):
        wanted = " or ".join(repr(name) for name in ([task] if task else NETWORKS))
        raise CheckpointError(
            f"{path}: is a model for {told(answers)}; give one for {wanted}, such as default"
        )
    try:
        front_end = FrontEnd.from_dict(header["front_end"])
        grid = TempoGrid.from_dict(header["grid"])
        check_filterbank(contents.filterbank, front_end)
        kind, build = NETWORKS[answers]
        model = kind.from_dict(header["model"])
        check_shapes(lambda: build(front_end, grid, model), contents.weights)
        network = build(front_end, grid, model)
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
    except UNUSABLE as error:
        raise unusable(path, error) from error


def check_filterbank(filterbank: Tensor, front_end: FrontEnd) -> None:
    """Refuse filters that are not those of a front end.

    Raises
    ------
    ConfigError
        If their shape is another one, or a weight is negative.
    """
    shape = (front_end.n_mels, front_end.n_fft // 2 + 1)
    if tuple(filterbank.shape) != shape:
        raise ConfigError(f"the filterbank is {tuple(filterbank.shape)}, {shape} is needed")
    if bool((filterbank < 0).any()) or not bool(filterbank.any()):
        raise ConfigError("the filterbank has negative weights or none")


# What reading and rebuilding a file of any content may raise.
UNUSABLE = (
    SafetensorError, KeyError, TypeError, ValueError, RuntimeError, RecursionError, MemoryError,
    OverflowError, ConfigError,
)  # fmt: skip


def unusable(path: Path, error: Exception) -> CheckpointError:
    """What to raise where a file that is what it says it is holds something unexpected."""
    name = type(error).__name__
    reason = f"{name}: {error}" if isinstance(error, KeyError) else str(error) or name
    reason = " ".join(reason.split())
    reason = reason if len(reason) <= LONGEST_REASON else f"{reason[: LONGEST_REASON - 1]}…"
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
    raise no_model(text, task)


def no_model(name: str, task: str | None) -> CheckpointError:
    """What to raise where there is no model of a name, with those of a task or of all there are."""
    known = [*available(task=task), *available(installed.folder(), task)]
    names = ", ".join(path.stem for path in known) or "none"
    return CheckpointError(f"no model {told(name)}: not a file, and not one of those here: {names}")


def metadata(data: bytes) -> dict[str, str]:
    """The string metadata of safetensors bytes (its reader offers them for files only)."""
    length = int.from_bytes(data[:8], "little")
    return dict(json.loads(data[8 : 8 + length])["__metadata__"])
