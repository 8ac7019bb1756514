"""Decoding of audio files for training, in the same way as the estimator does it in use."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from tempo_core import listening
from tempo_core.audio import AudioFile, AudioSource
from tempo_core.config import Windows
from tempo_core.estimate import DEFAULT_WINDOWS
from tempo_core.excerpts import Excerpt, check, sounding
from tempo_core.genres import Genres, names_of
from tempo_core.heard import Heard
from tempo_core.model import Checkpoint
from tempo_core.spectrum import Array
from tempo_core.task import answer, ask
from tempo_core.tasks.tempo.config import TempoConfig
from tempo_core.tasks.tempo.decode import Tempo
from tempo_core.tasks.tempo.row import TASK

NETWORK_BATCH = 16  # windows that go through a network at a time, to save memory


def hear(
    source: AudioSource,
    sr: int,
    plan: Windows,
    n_windows: int | None,
    genres: Sequence[str] = (),
) -> Heard:
    """The music of a file as the estimator hears it when it uses all of its `n_windows`.

    Parameters
    ----------
    genres
        What is known of the genre. For the others see `music_of`.

    Raises
    ------
    AudioError
        If the file cannot be decoded, is silent or too short.
    """
    return Heard(music_of(source, sr, plan, n_windows), sr, genres=genres)


def music_of(source: AudioSource, sr: int, plan: Windows, n_windows: int | None) -> list[Excerpt]:
    """The music of a file in the order of time, without silence at the ends; at least one excerpt.

    Parameters
    ----------
    sr
        Sample rate [Hz] of the model.
    plan
        The model's length and distance of windows.
    n_windows
        Number of windows to listen to, see `tempo_core.listening.rounds`; None for the whole file.

    Raises
    ------
    AudioError
        If the file cannot be decoded, is silent or too short.
    """
    music = listening.music(source, sr, plan, n_windows)
    if not music:  # no sound is long enough: raise if there is none, else use all there is
        excerpts = source.read(sr, [(0.0, listening.WHOLE)])
        check(excerpts, sr)
        music = sounding(excerpts, sr) or excerpts
    return music


def hear_file(
    path: Path,
    model: Checkpoint[Any],
    n_windows: int | None = DEFAULT_WINDOWS,
    genres: Genres = (),
) -> Heard:
    """The music of a file for a model, see `hear`.

    Raises
    ------
    AudioError
        If the file cannot be used.
    """
    with AudioFile(path) as file:
        return hear(file, model.spectrum.sr, model.windows, n_windows, names_of(genres))


def tempo_of(heard: Heard, model: Checkpoint[TempoConfig]) -> Tempo:
    """The tempo that a model estimates of what was heard."""
    return answer(TASK, ask(TASK, heard, {}, model), heard, {}, model)


def in_parts(*inputs: Array) -> Iterator[tuple[Array, ...]]:
    """Yield a network's inputs, each (n, …), in batches of at most `NETWORK_BATCH`."""
    for first in range(0, len(inputs[0]), NETWORK_BATCH):
        yield tuple(part[first : first + NETWORK_BATCH] for part in inputs)
