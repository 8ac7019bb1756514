"""Saving and loading an evaluation: its figures, all answers, and the wrong ones among them."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tempo_core.errors import ConfigError

from ..files import write_text, write_tsv
from .answers import ANSWERS_TABLE, Answer, read_answers, write_answers
from .figures import EvaluationFigures, by_estimator, figures_of, worst
from .key_answers import KEY_ANSWERS_TABLE, KeyAnswer, read_key_answers, write_key_answers
from .key_figures import key_confidences, key_figures_of, keys_by_estimator, surest_wrong
from .measuring import measure_paces, sure, sure_octave
from .metrics import reliability

FIGURES_FILE = "figures.json"
WORST_TABLE = "worst.tsv"  # wrong answers of the first estimator
WORST_KEYS_TABLE = "worst-keys.tsv"
FIGURES_LAYOUT = 1  # version of the layout of `FIGURES_FILE`


@dataclass(frozen=True)
class RunInfo:
    """Description of an evaluation; part of `figures.json`."""

    title: str
    split: str
    windows: str  # number of windows of each track, or `all`
    package: str  # version of the package
    notes: tuple[str, ...] = ()  # messages to the user


def title(n_tempi: int, n_keys: int) -> str:
    """What an evaluation is of: the number of tracks with a labelled tempo, and with a key."""
    parts = []
    if n_tempi:
        parts.append(f"tempo of {n_tempi} tracks")
    if n_keys:
        parts.append(f"key of {n_keys}{'' if n_tempi else ' tracks'}")
    told = " and ".join(parts)
    return told[:1].upper() + told[1:]


def save(
    folder: Path,
    about: RunInfo,
    answers: Sequence[Answer],
    keys: Sequence[KeyAnswer] = (),
) -> dict[str, EvaluationFigures]:
    """Write the tables of all answers and of the wrong ones, and the figures.

    Parameters
    ----------
    keys
        Answers about keys.

    Returns
    -------
    The figures of the answers about tempi, by estimator.
    """
    figures = figures_of(answers)
    write_answers(folder / ANSWERS_TABLE, answers)
    estimators = {}
    for name, own in by_estimator(answers).items():
        values = asdict(figures[name])
        values["reliability"] = [asdict(b) for b in reliability(*sure(own))]
        values["octave_reliability"] = [asdict(b) for b in reliability(*sure_octave(own))]
        paces = measure_paces(own)
        values["paces"] = None if paces is None else asdict(paces)
        estimators[name] = values
    document = {
        "layout": FIGURES_LAYOUT,
        "about": asdict(about),
        "estimators": estimators,
        "keys": _save_keys(folder, keys),
    }
    write_text(folder / FIGURES_FILE, json.dumps(plain(document), indent=2) + "\n")
    first = by_estimator(answers)[answers[0].estimator] if answers else []
    write_worst(folder / WORST_TABLE, worst(first))
    return figures


def _save_keys(folder: Path, keys: Sequence[KeyAnswer]) -> dict[str, Any]:
    """Write the tables about keys, or remove those of an earlier run; returns the figures."""
    if not keys:
        for name in (KEY_ANSWERS_TABLE, WORST_KEYS_TABLE):
            (folder / name).unlink(missing_ok=True)
        return {}
    write_key_answers(folder / KEY_ANSWERS_TABLE, keys)
    first = keys_by_estimator(keys)[keys[0].estimator]
    rows = (
        (a.track.path, a.reference, a.estimate, a.confidence, a.track.name, a.estimator)
        for a in surest_wrong(first)
    )
    names = ("path", "key", "estimate", "confidence", "name", "estimator")
    write_tsv(folder / WORST_KEYS_TABLE, names, rows)
    by_name = keys_by_estimator(keys)
    return {
        name: {
            **asdict(own),
            "reliability": [asdict(b) for b in reliability(*key_confidences(by_name[name]))],
        }
        for name, own in key_figures_of(keys).items()
    }


def plain(value: Any) -> Any:
    """A copy of a JSON value with None in place of NaN and infinity, which JSON does not have."""
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def load(folder: Path) -> tuple[RunInfo, list[Answer], list[KeyAnswer]]:
    """An evaluation that `save` wrote: what it is about, the answers about tempi and about keys.

    Raises
    ------
    ConfigError
        If the folder has no evaluation, or one of another layout, or it is damaged.
    """
    path = folder / FIGURES_FILE
    try:
        document = json.loads(path.read_text(encoding="utf-8", errors="surrogateescape"))
        if document["layout"] != FIGURES_LAYOUT:
            raise ConfigError(
                f"{path}: layout {document['layout']}, this version reads {FIGURES_LAYOUT}"
            )
        values = document["about"]
        about = RunInfo(**{**values, "notes": tuple(values["notes"])})
    except OSError as error:
        raise ConfigError(
            f"{folder}: no evaluation ({FIGURES_FILE}: {error.strerror}); give the folder that "
            "tempo-core evaluate wrote"
        ) from error
    except (ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"{path}: is damaged ({error}); evaluate again") from error
    answers = read_answers(folder / ANSWERS_TABLE)
    table = folder / KEY_ANSWERS_TABLE
    keys = read_key_answers(table) if table.exists() else []
    if not (answers or keys):
        raise ConfigError(f"{folder / ANSWERS_TABLE}: no tracks in it; evaluate again")
    return about, answers, keys


def write_worst(path: Path, wrong: Sequence[Answer]) -> None:
    """Write a table of wrong answers to be checked; it can itself be evaluated on."""
    rows = (
        (a.path, a.bpm, a.estimate, f"{a.ratio:.3f}", a.confidence, a.name, a.estimator)
        for a in wrong
    )
    write_tsv(path, ("path", "bpm", "estimate", "ratio", "confidence", "name", "estimator"), rows)


def make_folder(folder: Path) -> None:
    """Make the folder of an evaluation.

    Raises
    ------
    ConfigError
        If the folder cannot be made or written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"{folder}: cannot be made ({error.strerror})") from error
    if not os.access(folder, os.W_OK):
        raise ConfigError(f"{folder}: cannot be written to; give another folder")
