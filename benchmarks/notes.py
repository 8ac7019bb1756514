"""Processor time of notes, a minute of audio: `python benchmarks/notes.py FILES`."""

from __future__ import annotations

import sys
import time

from tempo_core.audio import AudioFile
from tempo_core.estimate import Estimator
from tempo_core.listening import STREAMED_PIECE


def main(paths: list[str]) -> None:
    """Decode each file, and then find its notes, which decodes it once more."""
    estimator = Estimator(tasks=["notes"], windows="all")
    estimator.results(paths[0])  # matrices are prepared on first use
    decoding = notes = minutes = 0.0
    for path in paths:
        begin = time.process_time()
        with AudioFile(path) as file:
            for piece in file.stream(11025, STREAMED_PIECE):
                minutes += piece.audio.size / 11025 / 60
        decoding += time.process_time() - begin
        begin = time.process_time()
        estimator.results(path)
        notes += time.process_time() - begin
    print(
        f"{len(paths)} files, {minutes:.1f} minutes: {notes / minutes:.2f} s of processor time a "
        f"minute, {decoding / minutes:.2f} s of them decoding"
    )


if __name__ == "__main__":
    main(sys.argv[1:])
