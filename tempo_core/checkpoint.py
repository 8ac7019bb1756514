"""Model files: tensors and plain values in one safetensors file, whose name has its hash.

The file holds everything that is needed to rebuild the model: configuration, mel filterbank,
weights, calibration, and a card that says what it was trained on. Nothing is ever unpickled.
"""

from __future__ import annotations

import dataclasses
import datetime
import hashlib
import json
import os
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load as load_tensors
from safetensors.numpy import save as save_tensors

from . import in_use
from .config import UNSCALED, OddsScaling, Windows, check_number, told
from .errors import CheckpointError, ConfigError
from .files import replace_file
from .model import Checkpoint
from .network.layers import Shape, shapes
from .network.numpy_ops import Network
from .network.ops import Definition
from .task import Task
from .tasks import TASKS, row

LAYOUT = 3  # raised whenever a reader of the previous layout would misread the file
LAYOUTS = (2, LAYOUT)  # layouts that can be read
SUFFIX = ".safetensors"
SHIPPED_FOLDER = Path(__file__).parent / "models"
# [bytes] of a model file, a hundred times those in the package: no more is read into memory.
LARGEST_FILE = 64_000_000
LONGEST_SUMMARY = 300  # [characters] of the summary on a card
LONGEST_REASON = 200  # [characters] of the reason in an error message
_NAME = re.compile(r"^(?P<name>[a-z]+-\d{8})-(?P<hash>[0-9a-f]{8})\.safetensors$")


@dataclass(frozen=True)
class Contents:
    """Content of a model file, read and verified, before a model is built from it."""

    name: str
    hash: str
    header: Mapping[str, Any]  # task, temperature, card and the configurations as plain values
    filterbank: NDArray[np.float32]  # (n_mels, n_fft // 2 + 1)
    weights: dict[str, NDArray[Any]]


def save(folder: Path, model: Checkpoint[Any], date: datetime.date | None = None) -> Path:
    """Write a model atomically and return its path, `<task>-<date>-<hash>.safetensors`.

    Name and hash of the written model follow from date and content; those of `model` are ignored.
    """
    header = {
        "task": model.task,
        "temperature": model.temperature,
        "card": dict(model.card),
        "front_end": model.front_end.to_dict(),
        "windows": model.windows.to_dict(),
        **model.config.to_dict(),
    }
    if model.octave != UNSCALED:
        header["octave"] = model.octave.to_dict()
    return write(folder, header, model.filterbank, model.network.weights, date)


def write(
    folder: Path,
    header: Mapping[str, Any],
    filterbank: NDArray[np.float32],
    weights: Mapping[str, NDArray[Any]],
    date: datetime.date | None = None,
) -> Path:
    """Write a model atomically from its parts, and return its path; see `save`.

    Parameters
    ----------
    folder
        Made if it does not exist.
    header
        Plain values, as in `Contents.header`.
    filterbank
        (n_bands, n_fft // 2 + 1).
    weights
        Tensors of the network, by their names.
    date
        In the name of the file; None: today.
    """
    tensors = {f"network.{name}": value for name, value in weights.items()}
    tensors["filterbank"] = filterbank
    text = json.dumps({"layout": LAYOUT, **header}, sort_keys=True)
    arrays = {name: np.asarray(value, order="C") for name, value in tensors.items()}
    data = save_tensors(arrays, {"header": text})
    digest = hashlib.sha256(data).hexdigest()[:8]
    day = (date or datetime.date.today()).strftime("%Y%m%d")
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{header['task']}-{day}-{digest}{SUFFIX}"
    replace_file(path, data)
    return path


def read(path: Path) -> Contents:
    """Read and verify a model file of any task.

    Raises
    ------
    CheckpointError
        If the file is missing, its content does not match the hash in its name, or its layout is
        not in `LAYOUTS`.
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
        if header["layout"] not in LAYOUTS:
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
    """Content of a file that may be a model.

    Raises
    ------
    CheckpointError
        If it cannot be read, is larger than `LARGEST_FILE`, or is no regular file.
    """
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise CheckpointError(f"{path}: is not a regular file; give the path of a model file")
        if status.st_size > LARGEST_FILE:
            raise CheckpointError(
                f"{path}: {status.st_size / 1e6:.0f} MB is too large for a model file"
            )
        return path.read_bytes()
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read ({error.strerror})") from error


def _check_card(card: object) -> None:
    """Refuse a card that is no object, or whose summary is no short line of text."""
    if not isinstance(card, dict):
        raise ConfigError(f"the card is {told(card)}; an object is needed")
    summary = card.get("summary", "")
    right = isinstance(summary, str) and len(summary) <= LONGEST_SUMMARY and summary.isprintable()
    if not right:
        raise ConfigError(f"the card's summary is {told(summary)}; a line of text is needed")


def _check_tensors(tensors: Mapping[str, NDArray[Any]]) -> None:
    """Refuse tensors of another type than float32, or with values that are not finite."""
    for name, tensor in tensors.items():
        counts = name.endswith("num_batches_tracked")  # by batch normalisation, in int64
        if tensor.dtype != (np.int64 if counts else np.float32):
            raise ConfigError(f"the tensor {told(name)} is of {tensor.dtype}")
        if not np.isfinite(tensor).all():
            raise ConfigError(f"the tensor {told(name)} holds what is no finite number")


def check_shapes(definition: Definition, weights: Mapping[str, NDArray[Any]]) -> None:
    """Refuse weights that do not fit a network.

    Raises
    ------
    ConfigError
        If a tensor is missing, is not known to the network, or has another shape.
    """
    check_weights(shapes(definition.layers), weights)


def check_weights(wanted: Mapping[str, Shape], weights: Mapping[str, NDArray[Any]]) -> None:
    """Refuse weights whose names or shapes are not those wanted.

    Raises
    ------
    ConfigError
        If a tensor is missing, is not wanted, or has another shape.
    """
    if wanted.keys() != weights.keys():
        raise ConfigError(f"the weights are those of another network ({len(weights)} tensors)")
    for name, shape in wanted.items():
        if weights[name].shape != shape:
            raise ConfigError(f"{name} is {weights[name].shape}, {shape} by the configuration")


def load(path: Path, task: str | None = None) -> Checkpoint[Any]:
    """Read, verify and rebuild a model.

    Parameters
    ----------
    task
        Name of the task that the model must be for; None: any task.

    Raises
    ------
    CheckpointError
        As `read`; or if the model is for another task, or its parts do not fit together.
    """
    contents = read(path)
    header = contents.header
    answers = header.get("task")
    if not isinstance(answers, str) or answers not in TASKS or task not in (None, answers):
        wanted = " or ".join(repr(name) for name in ([task] if task else TASKS))
        raise CheckpointError(
            f"{path}: is a model for {told(answers)}; give one for {wanted}, such as default"
        )
    try:
        return _rebuilt(contents, row(answers))
    except UNUSABLE as error:
        raise unusable(path, error) from error


def _rebuilt(contents: Contents, task: Task[Any, Any, Any, Any]) -> Checkpoint[Any]:
    """The model of a file of one task; raises one of `UNUSABLE` if its parts do not fit."""
    header = contents.header
    front_end = task.front_end.from_dict(header["front_end"])
    check_filterbank(contents.filterbank, front_end)
    names = [field.name for field in dataclasses.fields(task.config)]
    stated = {name: header[name] for name in names if name in header}
    values = task.upgrade(stated, header["layout"])
    config = task.config.from_dict(values)
    definition = task.network(front_end, config)
    check_shapes(definition, contents.weights)
    return Checkpoint(
        name=contents.name,
        hash=contents.hash,
        task=task.name,
        front_end=front_end,
        windows=Windows.from_dict(header["windows"]),
        config=config,
        filterbank=contents.filterbank,
        spectrum=task.spectrum(front_end, contents.filterbank),
        network=Network(definition, contents.weights),
        temperature=float(header["temperature"]),
        card=header["card"],
        # Files of earlier versions, and those of other tasks, have none.
        octave=OddsScaling.from_dict(header.get("octave", UNSCALED.to_dict())),
    )


def check_filterbank(filterbank: NDArray[Any], front_end: Any) -> None:
    """Refuse a filterbank that does not fit a front end.

    Raises
    ------
    ConfigError
        If its shape is another one, a weight is negative, or all are zero.
    """
    shape = front_end.filterbank_shape
    if filterbank.shape != shape:
        raise ConfigError(f"the filterbank is {filterbank.shape}, {shape} is needed")
    if (filterbank < 0).any() or not filterbank.any():
        raise ConfigError("the filterbank has negative weights or none")


# Errors that reading and rebuilding a model may raise, whatever the file contains.
UNUSABLE = (
    SafetensorError, KeyError, TypeError, ValueError, RuntimeError, RecursionError, MemoryError,
    OverflowError, ConfigError,
)  # fmt: skip


def unusable(path: Path, error: Exception) -> CheckpointError:
    """The error to raise for a file whose hash is right and whose content makes no model."""
    name = type(error).__name__
    reason = f"{name}: {error}" if isinstance(error, KeyError) else str(error) or name
    reason = " ".join(reason.split())
    reason = reason if len(reason) <= LONGEST_REASON else f"{reason[: LONGEST_REASON - 1]}…"
    return CheckpointError(f"{path}: is not a usable model file ({reason})")


def available(folder: Path = SHIPPED_FOLDER, task: str | None = None) -> list[Path]:
    """Model files in `folder`, ordered by name: by task, then by date.

    `task` is the name of the only task to list; None: all tasks.
    """
    found = sorted(path for path in folder.glob(f"*{SUFFIX}") if _NAME.match(path.name))
    return [path for path in found if task is None or task_of(path) == task]


def unreadable(folder: Path) -> list[Path]:
    """Model files in `folder` whose header names no task; `load` says what is wrong with each."""
    return [path for path in available(folder) if task_of(path) is None]


def task_of(path: Path) -> str | None:
    """Name of the task in the header of a model file; None if the header cannot be read.

    Only the header is read, and nothing is verified.
    """
    try:
        if not path.is_file():  # reading from a pipe would wait
            return None
        with path.open("rb") as file:
            length = file.read(8)
            if int.from_bytes(length, "little") > LARGEST_FILE:
                return None
            header = json.loads(
                metadata(length + file.read(int.from_bytes(length, "little")))["header"]
            )
        task = header["task"]
    except (OSError, KeyError, TypeError, ValueError, RecursionError):
        return None
    return task if isinstance(task, str) else None


def resolve(model: str | os.PathLike[str], task: str = "tempo") -> Path:
    """Path of the file of a model.

    Parameters
    ----------
    model
        `shipped`: the newest in the package. `default`: the learned model that is in use, the
        shipped one if none is. Otherwise the name of a shipped or learned model, or a path.
    task
        Name of the task that the model is for.

    Raises
    ------
    CheckpointError
        If there is no such model.
    """
    shipped = available(task=task)
    text = os.fspath(model)
    if text == "default" and (learned := in_use.active(task)):
        return learned
    if text in ("default", in_use.SHIPPED):
        if not shipped:
            raise CheckpointError(f"no {task} model in {SHIPPED_FOLDER}; install beets-tempo again")
        return shipped[-1]
    known = [*shipped, *available(in_use.folder(), task), *unreadable(in_use.folder())]
    # Whole names come first: models that were learned on one day differ in the hash only.
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
    """The error to raise for an unknown name: it lists the models of a task (None: of all)."""
    known = [*available(task=task), *available(in_use.folder(), task)]
    names = ", ".join(path.stem for path in known) or "none"
    return CheckpointError(f"no model {told(name)}: not a file, and not one of those here: {names}")


def metadata(data: bytes) -> dict[str, str]:
    """Text metadata of a safetensors file, from its first bytes.

    The reader of safetensors gives them for files only, not for bytes.
    """
    length = int.from_bytes(data[:8], "little")
    return dict(json.loads(data[8 : 8 + length])["__metadata__"])
