"""Tracks to evaluate a model on, and whether the model has learned from them."""

from __future__ import annotations

import dataclasses
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from tempo_core.keys import parse_key

from .training import training_folder

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from beets.library import Library

    from trainer.evaluation.answers import LabelledRecording
    from trainer.trainingset.memory import Memory
    from trainer.trainingset.tables import LabelledTrack

HELD_OUT, LEARNED = "held out", "learned from"  # names of sets of tracks in figures and tables
TEST = "test"  # split of a training set that models do not learn from


def recordings(
    found: Sequence[LabelledTrack],
    known: Memory,
    paces: Mapping[Path, tuple[float, ...]] = MappingProxyType({}),
) -> list[LabelledRecording]:
    """The labelled tracks of a library as recordings to evaluate on.

    The `set` of a recording is `LEARNED` or `HELD_OUT`. If the model has learned from none of them,
    it is the source of the label.

    Parameters
    ----------
    found
        Tracks of the library with a tempo, a key or both.
    known
        Tracks that the model has learned from.
    paces
        Paces [BPM] that a person stated, by file.
    """
    from trainer.evaluation.answers import LabelledRecording
    from trainer.evaluation.labelled import named

    tracks = [
        LabelledRecording(
            path=track.path,
            bpm=track.bpm,
            set=LEARNED if known and _is_known(track, known) else track.label_source,
            name=named(track.artist, track.title),
            group=track.artist or str(track.path),
            genre=track.genre,
            paces=paces.get(track.path, ()),
            key=parse_key(track.key),
        )
        for track in found
    ]
    if any(track.set == LEARNED for track in tracks):
        tracks = [
            track if track.set == LEARNED else dataclasses.replace(track, set=HELD_OUT)
            for track in tracks
        ]
    return tracks


def recordings_with_paces(
    paces: Mapping[Path, tuple[float, ...]], labelled: Sequence[Path]
) -> list[LabelledRecording]:
    """Recordings that have stated paces but no label of the tempo.

    Parameters
    ----------
    paces
        Paces [BPM] that a person stated, by file; the first stands for the tempo.
    labelled
        Files that have a label.
    """
    from trainer.evaluation.answers import LabelledRecording

    others = paces.keys() - set(labelled)
    return [
        LabelledRecording(path, stated[0], paces=stated, name=path.name)
        for path, stated in paces.items()
        if path in others
    ]


def learned_notes(tracks: Sequence[LabelledRecording], model: str = "model") -> list[str]:
    """A sentence on how many of the tracks a model has learned from; an empty list if none."""
    n_learned = sum(track.set == LEARNED for track in tracks)
    if n_learned and n_learned == len(tracks):
        return [
            f"The {model} learned from all of these {len(tracks)} tracks: none of them says how "
            "good it is on new ones."
        ]
    if n_learned:
        return [
            f"The {model} learned from {n_learned} of these {len(tracks)} tracks: how good it is "
            f"on new ones, only the others ({HELD_OUT}) say."
        ]
    return []


def _is_known(track: LabelledTrack, known: Memory) -> bool:
    """Whether a track is in the memory of a model; reads the file if it has no names to go by."""
    from trainer.inputs.cache import hash_file

    if known.knows(track.path, track.artist, track.title, track.recording_id):
        return True
    if track.recording_id or (track.artist and track.title):
        return False
    # A file that was moved and has no title can only be recognised by its content.
    try:
        return known.knows(track.path, content=hash_file(track.path).hexdigest())
    except OSError:
        return False


def keys_learned_from() -> Memory:
    """Tracks that the key model in use has learned from, as far as it says so itself.

    Raises
    ------
    TempoError
        If the model cannot be used.
    """
    from tempo_core import checkpoint
    from trainer.trainingset import memory

    card = checkpoint.read(checkpoint.resolve("default", "key")).header["card"]
    return memory.of_card(card) or memory.NO_MEMORY


def learned_from(lib: Library, settings: Any) -> Memory:
    """Tracks that the model in use has learned from.

    They are stored in the model. For a model of an older version without this information, they are
    taken from the training set of the library.

    Raises
    ------
    TempoError
        If the model cannot be used.
    """
    from tempo_core import checkpoint
    from trainer.trainingset import memory
    from trainer.trainingset.tables import TRACKS, read_collection

    path = checkpoint.resolve(settings.model)
    card = checkpoint.read(path).header["card"]
    stated = memory.of_card(card)
    if stated is not None:
        return stated
    folder = training_folder(lib, settings)
    trained_elsewhere = path.parent == checkpoint.SHIPPED_FOLDER or "data" in card
    if trained_elsewhere or not (folder / TRACKS).is_file():
        return memory.NO_MEMORY
    return memory.remember(t for t in read_collection(folder) if t.split != TEST)
