"""An evaluation on disk: its figures, its answers and the wrong ones among them."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tempo_core.errors import ConfigError

from ..files import write_text, write_tsv
from .answers import TABLE, Answer, read_answers, write_answers
from .measuring import measure_paces
from .metrics import reliability

if TYPE_CHECKING:
    pass
from .figures import EvaluationFigures, by_estimator, figures_of, sure, worst

FIGURES = "figures.json"
WORST = "worst.tsv"  # wrong answers of the first estimator
LAYOUT = 1  # of figures.json


@dataclass(frozen=True)
class RunInfo:
    """What an evaluation is of; part of `figures.json`."""

    title: str
    split: str
    windows: str
    package: str  # version
    notes: tuple[str, ...] = ()


def save(folder: Path, about: RunInfo, answers: Sequence[Answer]) -> dict[str, EvaluationFigures]:
    """Write the tables of tracks and of what to look at, and the figures; returns these."""
    figures = figures_of(answers)
    write_answers(folder / TABLE, answers)
    estimators = {}
    for name, own in by_estimator(answers).items():
        values = asdict(figures[name])
        values["reliability"] = [asdict(b) for b in reliability(*sure(own))]
        paces = measure_paces(own)
        values["paces"] = None if paces is None else asdict(paces)
        estimators[name] = values
    document = {"layout": LAYOUT, "about": asdict(about), "estimators": estimators}
    write_text(folder / FIGURES, json.dumps(plain(document), indent=2) + "\n")
    write_worst(folder / WORST, worst(by_estimator(answers)[answers[0].estimator]))
    return figures


def plain(value: Any) -> Any:
    """The same without NaN, which JSON does not know: None in its place."""
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def load(folder: Path) -> tuple[RunInfo, list[Answer]]:
    """An evaluation that `save` wrote.

    Raises
    ------
    ConfigError
        If there is none, or one of another layout.
    """
    path = folder / FIGURES
    try:
        document = json.loads(path.read_text(encoding="utf-8", errors="surrogateescape"))
        if document["layout"] != LAYOUT:
            raise ConfigError(f"{path}: layout {document['layout']}, this version reads {LAYOUT}")
        values = document["about"]
        about = RunInfo(**{**values, "notes": tuple(values["notes"])})
    except OSError as error:
        raise ConfigError(
            f"{folder}: no evaluation ({FIGURES}: {error.strerror}); give the folder that "
            "tempo-core evaluate wrote"
        ) from error
    except (ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"{path}: is damaged ({error}); evaluate again") from error
    answers = read_answers(folder / TABLE)
    if not answers:
        raise ConfigError(f"{folder / TABLE}: no tracks in it; evaluate again")
    return about, answers


def write_worst(path: Path, wrong: Sequence[Answer]) -> None:
    """A table of wrong answers to go through; with `path` and `bpm` it can be evaluated again."""
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
        If that is not possible.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"{folder}: cannot be made ({error.strerror})") from error
    if not os.access(folder, os.W_OK):
        raise ConfigError(f"{folder}: cannot be written to; give another --out")
