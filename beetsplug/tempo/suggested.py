"""Memory of the tracks that `beet tempo-eval` suggested to label, until a model has learned them.

It is a JSON file in the folder of the training set: the estimated tempo of each track by the path
of its file. It is replaced in one step.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from tempo_core.console import shown
from tempo_core.errors import StorageError, reason
from tempo_core.levels import is_same
from tempo_core.tempi import is_tempo

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from beets.logging import BeetsLogger

    from trainer.trainingset.tables import CollectedTrack

SUGGESTED = "suggested.json"


def suggested(folder: Path, log: BeetsLogger) -> dict[Path, float]:
    """Estimated tempi [BPM] of the remembered tracks; a damaged memory is reported and empty."""
    path = folder / SUGGESTED
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(values, dict) or not all(map(is_tempo, values.values())):
            raise ValueError("not a table of tempi")
    except FileNotFoundError:
        return {}
    except (OSError, TypeError, ValueError, RecursionError) as error:
        log.warning("{}", shown(f"{path}: cannot be read ({reason(error)}); it is begun anew"))
        return {}
    return {Path(name): float(bpm) for name, bpm in values.items()}


def remember(folder: Path, tempi: Mapping[Path, float], log: BeetsLogger) -> None:
    """Add tracks with their estimated tempi [BPM] to the memory.

    Raises
    ------
    StorageError
        If it cannot be written.
    """
    _write(folder, {**suggested(folder, log), **tempi})


def forget(folder: Path, paths: Sequence[Path], log: BeetsLogger) -> None:
    """Remove tracks from the memory.

    Raises
    ------
    StorageError
        If it cannot be written.
    """
    known = suggested(folder, log)
    _write(folder, {path: bpm for path, bpm in known.items() if path not in paths})


def _write(folder: Path, tempi: Mapping[Path, float]) -> None:
    from trainer.files import write_text

    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(f"{folder}: cannot be made ({error.strerror})") from error
    # JSON escapes bytes of paths that are not UTF-8, so that they come back as they were.
    values = {str(path): round(bpm, 2) for path, bpm in tempi.items()}
    write_text(folder / SUGGESTED, json.dumps(values, indent=1) + "\n")


def gain_line(tempi: Mapping[Path, float], labelled: Sequence[CollectedTrack], gain: str) -> str:
    """Line on what the labels of suggested tracks gained; empty if none of them is labelled.

    Parameters
    ----------
    tempi
        The remembered tracks with their estimated tempi [BPM].
    labelled
        The tracks that a model has just learned from, and those kept for the test.
    gain
        Shares of right answers before and after.
    """
    used = [track for track in labelled if track.path in tempi]
    if not used:
        return ""
    n_wrong = sum(not is_same(tempi[track.path], track.bpm) for track in used)
    learned, n_learned = (sum(t.split != "test" for t in some) for some in (used, labelled))
    return (
        f"{len(used)} of the {len(tempi)} tracks that tempo-eval suggested are labelled now, of "
        f"which the analysis had {n_wrong} wrong; right with {learned} of them among the "
        f"{n_learned} labels learned from: {gain}"
    )
