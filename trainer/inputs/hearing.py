"""Files as the estimator hears them: the one place where training listens."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tempo_core import listening
from tempo_core.audio import AudioFile, AudioSource
from tempo_core.config import Windows
from tempo_core.estimate import DEFAULT_WINDOWS
from tempo_core.excerpts import check, sounding
from tempo_core.heard import Heard
from tempo_core.model import Checkpoint
from tempo_core.spectrum import Array
from tempo_core.task import answer, ask
from tempo_core.tasks.tempo.config import TempoConfig
from tempo_core.tasks.tempo.decode import Tempo
from tempo_core.tasks.tempo.row import TASK

AT_ONCE = 16  # windows that go through a network together: more need much memory


def hear(source: AudioSource, sr: int, plan: Windows, n_windows: int | None) -> Heard:
    """The music of a file, as the estimator hears one that it never knows enough of.

    Parameters
    ----------
    sr
        Sample rate [Hz] of the model.
    plan
        How the model wants the file cut into windows.
    n_windows
        To how many of them to listen, see `tempo_core.listening.rounds`; None: to all of the file.

    Raises
    ------
    AudioError
        If it cannot be decoded, is silent or too short.
    """
    music = listening.music(source, sr, plan, n_windows)
    if not music:  # nothing that sounds for long; say why, or make the best of it
        excerpts = source.read(sr, [(0.0, listening.WHOLE)])
        check(excerpts, sr)
        music = sounding(excerpts, sr) or excerpts
    return Heard(music, sr)


def hear_file(path: Path, model: Checkpoint[Any], n_windows: int | None = DEFAULT_WINDOWS) -> Heard:
    """The music of a file for a model, see `hear`.

    Raises
    ------
    AudioError
        If the file cannot be used.
    """
    with AudioFile(path) as file:
        return hear(file, model.spectrum.sr, model.windows, n_windows)


def tempo_of(heard: Heard, model: Checkpoint[TempoConfig]) -> Tempo:
    """What a model says of what was heard."""
    return answer(TASK, ask(TASK, heard, {}, model), heard, {}, model)


def in_parts(*inputs: Array) -> Iterator[tuple[Array, ...]]:
    """A network's inputs, each (n, …), a few of the n at a time."""
    for first in range(0, len(inputs[0]), AT_ONCE):
        yield tuple(part[first : first + AT_ONCE] for part in inputs)
