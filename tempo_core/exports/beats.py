"""The beats of a track as a table, as JSON, as labels of Audacity, and as clicks over the music."""

from __future__ import annotations

import json
import wave
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, BinaryIO

from ..background import check_wanted
from ..beatgrid import DECIMALS, Grid, plain_sections
from ..errors import AudioError
from ..files import Content

if TYPE_CHECKING:
    import os

COLUMNS = ("time", "beat", "bpm")  # of a table: [s], place in the bar or empty, tempo
SR = 44_100  # [Hz] of the audio with clicks
BLOCK = 30.0  # [s] of it that are made at a time
LONGEST_WAV = 2**32 - 1 - 36  # [bytes] of audio, by the 32 bits for the size of the file


@dataclass(frozen=True)
class TrackBeats:
    """The beats of one track.

    Parameters
    ----------
    path
        The audio file.
    bpm, confidence
        Tempo of the whole track [BPM] and the confidence in it, 0..1.
    grid
        The beat grid; None if it is not sure where the beats are.
    downbeat_confidence
        Probability that the bars begin where the grid has them, 0..1; None if it has no bars.
    duration
        Where the beats end [s].
    """

    path: str | os.PathLike[str]
    bpm: float
    confidence: float
    grid: Grid | None
    downbeat_confidence: float | None
    duration: float

    def beats(self) -> list[tuple[float, int | None]]:
        """Time [s] and place in the bar of every beat."""
        return [] if self.grid is None else list(self.grid.beats(self.duration))

    def rows(self) -> list[tuple[str, str, str]]:
        """The cells of a table with `COLUMNS`, a row for each beat."""
        return [
            (f"{time:.{DECIMALS}f}", str(beat or ""), f"{self._bpm_at(time):.2f}")
            for time, beat in self.beats()
        ]

    def plain(self) -> dict[str, Any]:
        """The object of JSON, without the path."""
        sections = None if self.grid is None else plain_sections(self.grid)
        bars = self.downbeat_confidence
        return {
            "bpm": round(self.bpm, 2),
            "confidence": round(self.confidence, 4),
            "steady": self.grid is not None and self.grid.is_steady,
            "downbeat_confidence": None if bars is None else round(bars, DECIMALS),
            "sections": sections,
            "beats": [{"time": round(time, DECIMALS), "beat": beat} for time, beat in self.beats()],
        }

    def _bpm_at(self, time: float) -> float:
        assert self.grid is not None
        begun = [s for s in self.grid.sections if s.begin <= time + 1e-6]
        return (begun or self.grid.sections[:1])[-1].bpm


def encode_tsv(track: TrackBeats) -> bytes:
    """A table with a header line and a row for each beat."""
    lines = ["\t".join(COLUMNS), *("\t".join(row) for row in track.rows())]
    return ("\n".join(lines) + "\n").encode()


def encode_json(track: TrackBeats) -> bytes:
    """One object."""
    return (json.dumps(track.plain(), indent=1) + "\n").encode()


def encode_audacity(track: TrackBeats) -> bytes:
    """A label track of Audacity: begin and end [s] and text of each label, with tabs between."""
    lines = [f"{time:.6f}\t{time:.6f}\t{beat or '.'}\n" for time, beat in track.beats()]
    return "".join(lines).encode()


def encode_clicks(track: TrackBeats) -> Content:
    """A WAV file, mono: the music with a click at every beat, a higher one at downbeats.

    It is made while it is written, so that an hour of music is not in memory; what writes it raises
    `AudioError` if the audio cannot be decoded, and `Stopped` if it is not wanted any more.
    """
    return partial(_write_clicks, track)


def _write_clicks(track: TrackBeats, to: BinaryIO) -> None:
    import numpy as np

    from ..audio import AudioFile
    from ..clicks import CLICK_LENGTH, MUSIC_LEVEL, with_clicks

    beats = track.beats()
    with AudioFile(track.path) as source, wave.open(to, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SR)
        written = 0  # samples
        for excerpt in source.stream(SR, BLOCK):
            check_wanted()
            begin, end = excerpt.start, excerpt.start + excerpt.audio.size / SR
            near = [(t - begin, k) for t, k in beats if begin - CLICK_LENGTH < t < end]
            if 2 * round(end * SR) > LONGEST_WAV:
                raise AudioError("longer than a WAV file can be")
            mixed = with_clicks(excerpt.audio, SR, near, MUSIC_LEVEL)
            # Where time stamps jump there is silence, so that the clock of the file stays right.
            written += _write_silence(file, round(begin * SR) - written)
            file.writeframesraw((32767 * mixed).astype("<i2").tobytes())
            written += mixed.size
        if written == 0:
            file.writeframesraw(np.zeros(1, "<i2").tobytes())


def _write_silence(file: wave.Wave_write, n_samples: int) -> int:
    """Write samples of silence, a block at a time; returns how many, 0 for a number below."""
    for begin in range(0, n_samples, round(BLOCK * SR)):
        check_wanted()
        file.writeframesraw(bytes(2 * min(round(BLOCK * SR), n_samples - begin)))
    return max(0, n_samples)


TEXT_FORMATS = ("tsv", "json")  # that can be printed, also of several files
ENCODERS: dict[str, Callable[[TrackBeats], Content]] = {
    "tsv": encode_tsv,
    "json": encode_json,
    "audacity": encode_audacity,
    "click.wav": encode_clicks,
}
ENDINGS = {"tsv": ".tsv", "json": ".json", "audacity": ".txt", "click.wav": ".click.wav"}
