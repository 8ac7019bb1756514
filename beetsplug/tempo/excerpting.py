"""An excerpt of a track with clicks at a tempo, as a file to be played."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from tempo_core.background import call, interrupted
from tempo_core.beatgrid import counted
from tempo_core.console import explain
from tempo_core.errors import AudioError, TempoError

from .grids import grid_of
from .items import own

if TYPE_CHECKING:
    from pathlib import Path

    from beets.library import Item

    from tempo_core.excerpts import Excerpt

DURATION = 10.0  # [s] of the excerpt
SR = 44100  # [Hz]


class ClickedExcerpt:
    """The middle of a track, decoded once and written with clicks at any tempo.

    Parameters
    ----------
    item
        The track. The clicks are on the beats of its grid if it has one, counted at the tempo.
        Otherwise they are where the strongest onsets are.
    folder
        Where the files are written.
    time_limit
        Time for decoding [s].

    Attributes
    ----------
    problem
        Why there is no excerpt, in one line; empty if there is one.
    """

    def __init__(self, item: Item, folder: Path, time_limit: float) -> None:
        self.problem = ""
        self._item = item
        self._folder = folder
        self._time_limit = time_limit

    def at(self, bpm: float) -> Path | None:
        """The file with clicks at a tempo [BPM]; None if the track cannot be decoded."""
        from tempo_core.clicks import with_clicks, write_wav

        excerpt = self._excerpt
        if excerpt is None:
            return None
        path = self._folder / f"{self._item.id} at {bpm:.2f}.wav"
        try:
            write_wav(path, with_clicks(excerpt.audio, SR, self._beats(excerpt, bpm)), SR)
        except OSError as error:
            self.problem = error.strerror or str(error)
            return None
        return path

    @cached_property
    def _excerpt(self) -> Excerpt | None:
        path = self._item.path
        try:
            return call(lambda: _middle(path), interrupted, self._time_limit)
        except TempoError as error:
            self.problem = explain(error)
            return None

    def _beats(self, excerpt: Excerpt, bpm: float) -> list[tuple[float, int | None]]:
        """Time of each beat from the beginning of the excerpt [s], and its place in the bar."""
        from tempo_core.beatgrid import steady
        from tempo_core.clicks import best_phase

        grid, begin = grid_of(self._item), excerpt.start
        if grid is not None:
            grid = counted(grid, bpm / own(self._item, "tempo_bpm"))
        if grid is None:
            grid, begin = steady(best_phase(excerpt.audio, SR, bpm), bpm), 0.0
        length = len(excerpt.audio) / SR
        beats = ((time - begin, place) for time, place in grid.beats(begin + length))
        return [(time, place) for time, place in beats if time >= 0]


def _middle(path: bytes) -> Excerpt:
    """The excerpt in the middle of a file, or its beginning if it says a wrong length.

    Raises
    ------
    AudioError
        If nothing of it can be decoded.
    """
    from tempo_core.audio import AudioFile

    with AudioFile(path) as file:
        start = max(0.0, ((file.duration or 0.0) - DURATION) / 2)
        found = file.read(SR, [(start, DURATION)]) or file.read(SR, [(0.0, DURATION)])
    if not found:
        raise AudioError("there is no audio in it")
    return found[0]
