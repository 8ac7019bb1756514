"""Figures of a notes model and of other transcribers on the same pieces: see `--help`.

`--export` writes the pieces as audio at 22,050 Hz; another program transcribes them to MIDI files
of the same names; `--others` measures those. So a transcriber needs not be installed here.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import click
import numpy as np
import soundfile
import torch
from threadpoolctl import threadpool_limits

from tempo_core import checkpoint
from tempo_core.cli.command import Command
from tempo_core.tasks.notes.events import Thresholds, Transcription

from .. import options
from ..evaluation.metrics import bootstrap_interval
from ..evaluation.notes import NoteMetrics, mean, measure_notes
from ..inputs.annotated import Annotated
from ..inputs.note_folders import read_notes
from ..making.notes import (
    KINDS_TOLD,
    SECONDS,
    RenderedPiece,
    by_kind,
    draw,
    invented,
    rendered,
    songs_of,
    told,
    transcribed,
)
from ..synthesis.rendering.mixing import SR
from ..synthesis.rendering.pieces import NOTHING


def export(data: Path, folder: Path, n_pieces: int, seed: int) -> None:
    """Write the pieces of the test split as `<number>.wav`."""
    folder.mkdir(parents=True, exist_ok=True)
    songs = songs_of(data, "test", 1)
    for number in range(n_pieces):
        _, audio = draw(number, songs, data, "test", seed, SR)
        soundfile.write(folder / f"{number}.wav", audio, SR)


def of_others(folder: Path, pieces: list[RenderedPiece]) -> dict[str, NoteMetrics]:
    """Figures of the transcriptions `<number>.mid` in a folder, by kind."""
    figures: dict[str, list[NoteMetrics]] = {}
    for number, piece in enumerate(pieces):
        if piece.kind == NOTHING:
            continue
        rows = read_notes(folder / f"{number}.mid")
        found = Annotated(str(number), np.zeros((0, 0), np.float16), rows).as_notes()
        figures.setdefault(piece.kind, []).append(measure_notes(piece.as_notes(), found, SECONDS))
    return {kind: mean(figures[kind]) for kind in KINDS_TOLD if kind in figures}


def intervals(
    pieces: Sequence[RenderedPiece], answers: Sequence[Transcription]
) -> dict[str, tuple[float, float]]:
    """95 % intervals of the F-measure of each kind, by bootstrap over the pieces."""
    found: dict[str, list[float]] = {}
    for piece, answer in zip(pieces, answers, strict=True):
        if known := piece.as_notes():
            figures = measure_notes(known, answer.notes, SECONDS)
            for kind in (piece.kind, "all instruments") if "band" in piece.kind else (piece.kind,):
                found.setdefault(kind, []).append(figures.f)
    return {
        kind: bootstrap_interval(values, [str(k) for k in range(len(values))])
        for kind, values in sorted(found.items())
    }


def worst(pieces: Sequence[RenderedPiece], answers: Sequence[Transcription], n: int) -> list[str]:
    """Lines about the pieces with the lowest F-measures: their figures, and what they are like."""
    found = []
    for number, (piece, answer) in enumerate(zip(pieces, answers, strict=True)):
        known = piece.as_notes()
        if not known:
            continue
        figures = measure_notes(known, answer.notes, SECONDS)
        at_once = sum(note.end - note.start for note in known) / SECONDS
        softness = float(np.median([note.velocity for note in known]))
        found.append(
            (
                figures.f,
                f"{number} ({piece.kind}): F {figures.f:.2f}, P {figures.precision:.2f}, R "
                f"{figures.recall:.2f}; {len(known)} notes, {at_once:.1f} at once, median velocity "
                f"{softness:.0f}, lowest {min(note.pitch for note in known)}",
            )
        )
    return [line for _, line in sorted(found)[:n]]


@click.command(cls=Command)
@options.data
@options.cache
@click.option("--model", default="shipped", show_default=True, help="Name or path of a model.")
@click.option("--tests", "n_tests", default=120, show_default=True, help="Pieces.")
@click.option("--export", "exported", type=click.Path(path_type=Path),
              help="Folder to write the pieces to, and nothing else.")  # fmt: skip
@click.option("--others", type=click.Path(exists=True, path_type=Path),
              help="Folder with somebody else's transcriptions of them.")  # fmt: skip
@click.option("--worst", "n_worst", default=8, show_default=True, help="Pieces to tell about.")
@click.option("--seed", default=0, show_default=True)
@click.option("--jobs", default=2, show_default=True, help="Processes that render.")
def main(
    data: Path, cache: Path, model: str, n_tests: int, exported: Path | None, others: Path | None,
    n_worst: int, seed: int, jobs: int,
) -> None:  # fmt: skip
    """Measure a notes model, and others, on pieces that nothing was chosen by."""
    if exported is not None:
        export(data, exported, n_tests, seed)
        return
    torch.set_num_threads(1)
    threadpool_limits(1)
    pieces = rendered(data, cache, "test", n_tests, seed, jobs)
    if others is not None:
        told(others.name, of_others(others, pieces))
        return
    loaded = checkpoint.load(checkpoint.resolve(model, "notes"), "notes")
    begin = time.process_time()
    answers = transcribed(loaded, pieces)
    minutes = len(pieces) * SECONDS / 60
    click.echo(f"{(time.process_time() - begin) / minutes:.2f} CPU s a minute, without decoding")
    thresholds = Thresholds(loaded.config.onset_threshold, loaded.config.frame_threshold)
    told(loaded.name, by_kind(pieces, answers, thresholds))
    for kind, (low, high) in intervals(pieces, answers).items():
        click.echo(f"{kind}: F from {low:.2f} to {high:.2f}")
    for line in worst(pieces, answers, n_worst):
        click.echo(line)
    click.echo(f"notes a minute where there are none: {invented(pieces, answers, thresholds):.1f}")


if __name__ == "__main__":
    main()
