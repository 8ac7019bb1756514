"""What a piano roll shows: the notes of a track over its spectrum. It is drawn elsewhere.

Drawing needs packages that a plain install has not. What draws is an entry point of the
distribution, as the commands of `tempo_core.cli.group` are, because the core does not import what
stands above it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..audio import AudioFile
from ..background import check_wanted
from ..config import HarmonyFrontEnd
from ..errors import AudioError, ConfigError
from ..excerpts import Excerpt
from ..shadowing import check_trainer
from ..spectrum import LogFrequency, band_centres
from ..tasks.notes.events import Note
from .choices import ALL, BASS, TOP
from .drafts import Draft
from .lines import part_of

ENTRY_POINT_GROUP = "tempo_core.pictures"
ENTRY_POINT = "piano-roll"
# What one looks at, not what a model hears: 370 ms of audio in a frame, 21.5 frames a second.
FRONT_END = HarmonyFrontEnd(n_fft=4096, hop_length=512)
LOWEST = 24  # MIDI pitch of the lowest band: C1
DYNAMICS = 60.0  # [dB] from the loudest that is shown to what is left white
PIECE = 60.0  # [s] of audio in memory at a time
LONGEST = 1200.0  # [s] of music in one picture

Span = tuple[float, float | None]  # (first, last) [s]; None: to the end


@dataclass(frozen=True)
class Roll:
    """What is drawn of a track from `begin` to `end` [s].

    `notes` are those of the draft; `bass` and `top` are the (start, pitch) of those among them that
    are of the lowest and of the melody line. `levels` (n_bands, n_frames) are 0 (quiet) to 255, of
    `fps` frames a second from `begin` on and of `bands_per_semitone` bands from `LOWEST` upwards.
    """

    title: str
    begin: float
    end: float
    notes: tuple[Note, ...]
    bass: frozenset[tuple[float, int]]
    top: frozenset[tuple[float, int]]
    levels: NDArray[np.uint8]
    fps: float
    bands_per_semitone: int


def roll(path: str | bytes | os.PathLike[str], draft: Draft, span: Span = (0.0, None)) -> Roll:
    """The piano roll of a part of a file.

    Raises
    ------
    AudioError
        If the file cannot be read, or the span is too long or lies behind its end.
    """
    begin, last = span
    with AudioFile(path) as file:
        excerpts = _excerpts(file, begin, last)
        strips = [(excerpt.start, _features(excerpt)) for excerpt in excerpts]
    fps = FRONT_END.fps
    end = max((start + strip.shape[1] / fps for start, strip in strips), default=begin)
    end = end if last is None else min(end, last)
    if end <= begin:
        raise AudioError(f"there is no music from {begin:g} s on; --from must be before its end")
    levels = np.zeros((FRONT_END.n_bands, round((end - begin) * fps)), np.float32)
    for start, strip in strips:
        first = max(0, round((start - begin) * fps))
        room = levels[:, first : first + strip.shape[1]]
        room[:] = strip[:, : room.shape[1]]
    notes = tuple(note for note in draft.notes if note.end > begin and note.start < end)
    lines = {
        part: part_of(draft.notes, part) if draft.part in (ALL, part) else ()
        for part in (BASS, TOP)
    }
    bass, top = (frozenset((note.start, note.pitch) for note in lines[p]) for p in (BASS, TOP))
    return Roll(
        draft.title, begin, end, notes, bass, top, _shades(levels), fps,
        FRONT_END.bands_per_semitone,
    )  # fmt: skip


def _excerpts(file: AudioFile, begin: float, last: float | None) -> Iterable[Excerpt]:
    """The audio of a span, in pieces."""
    sr = FRONT_END.sr
    if last is not None:
        if last - begin > LONGEST:
            raise _too_long()
        starts = np.arange(begin, last, PIECE)
        return file.read(sr, [(start, min(PIECE, last - start)) for start in starts.tolist()])
    if begin == 0:
        return _whole(file)
    return file.read(sr, [(begin, LONGEST)])


def _whole(file: AudioFile) -> Iterable[Excerpt]:
    """The audio of a whole file, in pieces."""
    for piece in file.stream(FRONT_END.sr, PIECE):
        if piece.start > LONGEST:
            raise _too_long()
        yield piece


def _too_long() -> AudioError:
    return AudioError(
        f"a picture holds {LONGEST / 60:g} minutes at most; give less of it with --from and --to"
    )


def _features(excerpt: Excerpt) -> NDArray[np.float32]:
    """(n_bands, n_frames) of an excerpt."""
    check_wanted()
    return _SPECTRUM.features(excerpt.audio)


_SPECTRUM = LogFrequency(FRONT_END, band_centres(FRONT_END))


def _shades(levels: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Magnitudes as shades 0..255, by decibels below the loudest."""
    loudest = max(float(levels.max(initial=0)), 1e-9)
    decibels = 20 * np.log10(np.maximum(levels / loudest, 1e-9))
    return np.asarray(255 * np.clip(1 + decibels / DYNAMICS, 0, 1), np.uint8)


def drawing() -> Callable[[Roll, str], bytes]:
    """The function that draws a piano roll in a format, one of `choices.PICTURE_FORMATS`.

    Raises
    ------
    ImportError
        If a package that it needs is not installed.
    ConfigError
        If this installation does not know it, or another package hides it.
    """
    from importlib.metadata import entry_points  # slow to import

    found = entry_points(group=ENTRY_POINT_GROUP)
    if ENTRY_POINT not in found.names:
        raise ConfigError("this installation cannot draw; install beets-tempo again")
    check_trainer()
    draw: Callable[[Roll, str], bytes] = found[ENTRY_POINT].load()
    return draw
