"""The models that were learned on this computer, and which of them is in use.

They lie in a folder of the user's. `active.json` beside them has the history of what was in use,
for each task; the last entry is, so that going back is dropping it. It is replaced in one step.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

from .errors import CheckpointError
from .files import replace_file

FOLDER = "TEMPO_CORE_MODELS"  # environment variable that names another folder
ACTIVE = "active.json"
LARGEST_HISTORY = 1_000_000  # [bytes] of it
_NAME = re.compile(r"[\w.-]{1,100}")  # a file name that is nothing else
SHIPPED = "shipped"  # stands for the model in the package
WAY_OUT = "`tempo-core models use shipped` goes back to the model in the package"


def folder() -> Path:
    """Where the models are; it need not exist."""
    if given := os.environ.get(FOLDER):
        return Path(given).expanduser()
    from platformdirs import user_data_path

    return user_data_path("beets-tempo", appauthor=False) / "models"


def history(task: str = "tempo") -> list[str]:
    """What was in use, the current one last: file names, or `SHIPPED`; empty at first.

    Raises
    ------
    CheckpointError
        If the file that says so is damaged.
    """
    return _read().get(task, [])


def active(task: str = "tempo") -> Path | None:
    """The learned model in use, None if it is the shipped one.

    Raises
    ------
    CheckpointError
        If it is gone: that must be noticed, not papered over.
    """
    names = history(task)
    if not names or names[-1] == SHIPPED:
        return None
    path = folder() / names[-1]
    if not path.is_file():
        raise CheckpointError(f"{path}: the model in use is gone; {WAY_OUT}")
    return path


def activate(name: str, task: str = "tempo") -> None:
    """Use a model of the folder, by file name, or `SHIPPED`.

    Raises
    ------
    CheckpointError
        If that cannot be noted.
    """
    try:
        known = _read()
    except CheckpointError:
        known = {}  # choosing a model is the way out of a damaged note
    names = known.get(task, [])
    if (names or [SHIPPED])[-1] != name:
        _write({**known, task: [*names, name]})
    elif not known:
        _write({task: [name]})


def rollback(task: str = "tempo") -> str:
    """Use again what was in use before; returns its file name or `SHIPPED`.

    Raises
    ------
    CheckpointError
        If there was nothing before.
    """
    names = history(task)
    if not names:
        raise CheckpointError("nothing to go back to: the model in the package is in use")
    _write({**_read(), task: names[:-1]})
    return (names[:-1] or [SHIPPED])[-1]


def add(path: Path) -> Path:
    """Copy a model file into the folder, in one step; it is not used yet."""
    target = folder() / path.name
    if target.exists() and target.samefile(path):
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    replace_file(target, path.read_bytes())
    return target


def remove(path: Path) -> None:
    """Delete a model of the folder, also from the history.

    Raises
    ------
    CheckpointError
        If it is in use, or not one of the folder.
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
    path = folder() / ACTIVE
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, json.dumps(known, indent=2).encode())
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be written ({error.strerror})") from error
