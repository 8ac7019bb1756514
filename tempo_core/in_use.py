"""The folder of learned models, and which of them is in use.

`active.json` in this folder has, for each task, the history of models in use by their file names.
The last entry is in use now; going back to the model before drops it. The file is replaced in one
step, so that an interruption leaves the old or the new one.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

from .errors import CheckpointError
from .files import replace_file

FOLDER = "TEMPO_CORE_MODELS"  # environment variable with the path of another folder
ACTIVE = "active.json"
LARGEST_HISTORY = 1_000_000  # [bytes] of `active.json` that are read
_NAME = re.compile(r"[\w.-]{1,100}")  # of a file in the folder: no path to another place
SHIPPED = "shipped"  # in the history: the model in the package
WAY_OUT = "`tempo-core models use shipped` goes back to the model in the package"


def folder() -> Path:
    """Path of the folder of learned models, which need not exist."""
    if given := os.environ.get(FOLDER):
        return Path(given).expanduser()
    from platformdirs import user_data_path

    return user_data_path("beets-tempo", appauthor=False) / "models"


def history(task: str = "tempo") -> list[str]:
    """Models of a task that were in use, the current one last: file names, or `SHIPPED`.

    Empty if the model in the package was never replaced.

    Raises
    ------
    CheckpointError
        If `active.json` is damaged.
    """
    return _read().get(task, [])


def active(task: str = "tempo") -> Path | None:
    """Path of the learned model in use; None if the one in the package is in use.

    Raises
    ------
    CheckpointError
        If `active.json` is damaged, or the file of the model is gone. The model in the package does
        not silently take its place, because it would give other answers.
    """
    names = history(task)
    if not names or names[-1] == SHIPPED:
        return None
    path = folder() / names[-1]
    if not path.is_file():
        raise CheckpointError(f"{path}: the model in use is gone; {WAY_OUT}")
    return path


def mark() -> tuple[str, int, int] | None:
    """What changes when another model is put in use; None if none ever was."""
    path = folder() / ACTIVE
    try:
        seen = path.stat()
    except OSError:
        return None
    return str(path), seen.st_ino, seen.st_mtime_ns


def activate(name: str, task: str = "tempo") -> None:
    """Use a model from now on: the name of a file in the folder, or `SHIPPED`.

    Raises
    ------
    CheckpointError
        If `active.json` cannot be written.
    """
    try:
        known = _read()
    except CheckpointError:
        known = {}  # choosing a model replaces a damaged file
    names = known.get(task, [])
    if (names or [SHIPPED])[-1] != name:
        _write({**known, task: [*names, name]})
    elif not known:
        _write({task: [name]})


def rollback(task: str = "tempo") -> str:
    """Use the model before the current one again; returns its file name or `SHIPPED`.

    Models whose files are gone are passed over.

    Raises
    ------
    CheckpointError
        If there was none before, or `active.json` is damaged or cannot be written.
    """
    names = history(task)
    if not names:
        raise CheckpointError("nothing to go back to: the model in the package is in use")
    before = [n for n in names[:-1] if n == SHIPPED or (folder() / n).is_file()]
    _write({**_read(), task: before})
    return (before or [SHIPPED])[-1]


def add(path: Path) -> Path:
    """Copy a model file into the folder, in one step, and return its path there.

    That does not put it to use; see `activate`.
    """
    target = folder() / path.name
    if target.exists() and target.samefile(path):
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    replace_file(target, path.read_bytes())
    return target


def remove(path: Path) -> None:
    """Delete a model file from the folder, and its name from the history.

    Raises
    ------
    CheckpointError
        If the model is in use, or its file is not in the folder.
    """
    if path.parent != folder():
        raise CheckpointError(f"{path}: is not a learned model; only those can be removed")
    known = _read()
    if any(names and names[-1] == path.name for names in known.values()):
        raise CheckpointError(f"{path.stem} is in use; `tempo-core models rollback` first")
    kept = {task: [n for n in names if n != path.name] for task, names in known.items()}
    if kept != known:
        _write(kept)
    path.unlink(missing_ok=True)


def _read() -> dict[str, list[str]]:
    """Content of `active.json`: history by task; empty if there is no such file."""
    path = folder() / ACTIVE
    try:
        if path.exists() and not path.is_file():
            raise CheckpointError(f"{path}: is not a regular file; delete it")
        with path.open("rb") as file:
            data = file.read(LARGEST_HISTORY + 1)
        if len(data) > LARGEST_HISTORY:
            raise CheckpointError(f"{path}: is too large to be what it should be; {WAY_OUT}")
        known = json.loads(data)
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError) as error:
        told = " ".join(str(error).split())
        raise CheckpointError(f"{path}: cannot be read ({told}); {WAY_OUT}") from error
    right = isinstance(known, dict) and all(
        isinstance(names, list)
        and all(isinstance(n, str) and _NAME.fullmatch(n) and n.strip(".") for n in names)
        for names in known.values()
    )
    if not right:
        raise CheckpointError(f"{path}: does not say which model is in use; {WAY_OUT}")
    return dict(known)


def _write(known: dict[str, list[str]]) -> None:
    """Replace `active.json` in one step."""
    path = folder() / ACTIVE
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, json.dumps(known, indent=2).encode())
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be written ({error.strerror})") from error
