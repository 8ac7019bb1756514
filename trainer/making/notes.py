"""Make the notes model: `python -m trainer.making.notes --help`.

Pieces are drawn from pop songs as MIDI and invented, and rendered with soundfonts; a tenth of the
songs and one soundfont are kept for choosing the thresholds and for testing. Two networks learn for
the same time: convolutions alone, and with a transformer over time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import click
import joblib
import numpy as np
import torch
from safetensors.numpy import load_file, save_file
from threadpoolctl import threadpool_limits
from tqdm import tqdm

from tempo_core import checkpoint
from tempo_core.cli.command import Command
from tempo_core.config import NotesFrontEnd, Windows
from tempo_core.errors import ConfigError
from tempo_core.excerpts import Excerpt
from tempo_core.heard import Heard
from tempo_core.model import Checkpoint
from tempo_core.network import Network
from tempo_core.spectrum import Array
from tempo_core.task import answer, ask
from tempo_core.tasks.notes.config import NotesConfig, NotesModel
from tempo_core.tasks.notes.decode import notes_of
from tempo_core.tasks.notes.events import Note, Thresholds, Transcription
from tempo_core.tasks.notes.network import build
from tempo_core.tasks.notes.row import TASK

from .. import options
from ..evaluation.notes import NoteMetrics, mean, measure_notes
from ..inputs.annotated import Annotated, annotated, spectrum_of
from ..learning.note_fitting import NoteRecipe, begin, fit
from ..synthesis.notes import Sources
from ..synthesis.rendering.mixing import SR
from ..synthesis.rendering.pieces import KINDS, NOTHING, Piece, draw_piece, render, sounding
from ..synthesis.songs import Song, load_song
from ..torch_ops import Learnable, usable

SECONDS = 30.0  # of a piece
HELD_EVERY = 10  # every tenth song is only tested on
NOTHING_EVERY = 25  # every 25th piece has no notes
FONTS = ("/usr/share/sounds/sf2/FluidR3_GM.sf2", "/usr/share/sounds/sf2/TimGM6mb.sf2")
HELD_FONT = "/usr/share/sounds/sf3/MuseScore_General_Full.sf3"
# The splits: whether its songs and soundfont are those that are not learned from, and the first of
# the numbers that its pieces are drawn by.
SPLITS = {"train": (False, 0), "choice": (True, 1_000_000), "test": (True, 2_000_000)}
THRESHOLDS = np.arange(0.2, 0.61, 0.04).round(2)
KINDS_TOLD = ("piano", "band", "band with drums", "study")


@dataclass(frozen=True)
class RenderedPiece:
    """A piece with its audio (n_samples,) and notes (n_notes, 4): start, end, pitch, velocity."""

    kind: str
    audio: Array
    notes: Array

    def as_notes(self) -> tuple[Note, ...]:
        """The notes."""
        return Annotated(self.kind, np.zeros((0, 0), np.float16), self.notes).as_notes()


def rendered(
    data: Path, cache: Path, split: str, n_pieces: int, seed: int, jobs: int
) -> list[RenderedPiece]:
    """Pieces of a split in equal parts of each kind; those that were rendered before are read.

    Raises
    ------
    ConfigError
        If a soundfont is missing.
    """
    folder = cache / f"pieces-{seed}" / split
    folder.mkdir(parents=True, exist_ok=True)
    missing = [k for k in range(n_pieces) if not (folder / f"{k}.safetensors").exists()]
    if missing:
        held, _ = SPLITS[split]
        for font in (HELD_FONT,) if held else FONTS:
            if not Path(font).exists():
                raise ConfigError(f"no soundfont {font}; README names the packages that have them")
        songs = songs_of(data, split, jobs)
        for part in joblib.Parallel(n_jobs=jobs, return_as="generator")(
            joblib.delayed(_render)(songs, data, split, numbers, seed, folder)
            for numbers in tqdm(np.array_split(missing, -(-len(missing) // 25)), desc="rendering")
        ):
            del part
    return [_read(folder / f"{k}.safetensors", kind_of(k)) for k in range(n_pieces)]


def songs_of(data: Path, split: str, jobs: int) -> list[Song]:
    """The pop songs of a split."""
    held, _ = SPLITS[split]
    folders = sorted(path for path in (data / "midi" / "POP909").iterdir() if path.is_dir())
    chosen = [f for k, f in enumerate(folders) if (k % HELD_EVERY == 0) == held]
    return list(
        joblib.Parallel(n_jobs=jobs)(
            joblib.delayed(load_song)(one) for one in tqdm(chosen, desc="reading songs")
        )
    )


def kind_of(number: int) -> str:
    """The kind of a piece by its number."""
    return NOTHING if number % NOTHING_EVERY == 0 else KINDS[number % len(KINDS)]


def draw(
    number: int, songs: Sequence[Song], data: Path, split: str, seed: int, sr: int = SR // 2
) -> tuple[Piece, Array]:
    """A piece of a split by its number, and its audio (n_samples,) at `sr` [Hz]."""
    held, first = SPLITS[split]
    rng = np.random.default_rng([seed, first + number])
    sources = Sources(data / "midi", data / "samples")
    kind = kind_of(number)
    piece = draw_piece(kind, songs, sources, SECONDS, rng)
    while kind != NOTHING and not any(part.notes for part in piece.parts):
        piece = draw_piece(kind, songs, sources, SECONDS, rng)
    fonts = (HELD_FONT,) if held else FONTS
    return piece, render(piece, fonts[int(rng.integers(len(fonts)))], rng, sr)


def _render(
    songs: Sequence[Song], data: Path, split: str, numbers: Sequence[int], seed: int, folder: Path
) -> None:
    for k in numbers:
        piece, audio = draw(int(k), songs, data, split, seed)
        arrays = {
            "audio": (32767 * audio).astype(np.int16),
            "notes": sounding(piece),
            "drums": np.array([bool(piece.drums)]),
        }
        temporary = folder / f"{k}.part"
        save_file(arrays, temporary)
        temporary.replace(folder / f"{k}.safetensors")


def _read(path: Path, kind: str) -> RenderedPiece:
    arrays = load_file(path)
    told = f"{kind} with drums" if arrays["drums"][0] and kind != NOTHING else kind
    return RenderedPiece(told, arrays["audio"] / np.float32(32767), arrays["notes"])


def model_of(network: Network, front_end: NotesFrontEnd, config: NotesConfig) -> Checkpoint:
    """A model with nothing on its card."""
    spectrum = spectrum_of(front_end)
    return Checkpoint(
        "notes", "", "notes", front_end, Windows(), config, spectrum.centres, spectrum, network,
        1.0, {},
    )  # fmt: skip


def transcribed(
    model: Checkpoint[NotesConfig], pieces: Sequence[RenderedPiece]
) -> list[Transcription]:
    """What a model finds in pieces."""
    found = []
    for piece in tqdm(pieces, desc="transcribing", mininterval=5):
        heard = Heard([Excerpt(piece.audio, 0.0)], model.front_end.sr)
        found.append(answer(TASK, ask(TASK, heard, {}, model), heard, {}, model))
    return found


def by_kind(
    pieces: Sequence[RenderedPiece], answers: Sequence[Transcription], thresholds: Thresholds
) -> dict[str, NoteMetrics]:
    """Means of the figures for each kind of pieces that have notes."""
    figures: dict[str, list[NoteMetrics]] = {}
    for piece, found in zip(pieces, answers, strict=True):
        if piece.kind == NOTHING:
            continue
        notes = notes_of(found.stretches, thresholds)
        figures.setdefault(piece.kind, []).append(measure_notes(piece.as_notes(), notes, SECONDS))
    return {kind: mean(figures[kind]) for kind in KINDS_TOLD if kind in figures}


def choose(pieces: Sequence[RenderedPiece], answers: Sequence[Transcription]) -> Thresholds:
    """The thresholds with the best F-measure of onsets, and then of notes with their ends."""

    def over_kinds(onset: float, frame: float, name: str) -> float:
        figures = by_kind(pieces, answers, Thresholds(onset, frame))
        return float(np.mean([getattr(figure, name) for figure in figures.values()]))

    onset = max(THRESHOLDS.tolist(), key=lambda t: over_kinds(t, 0.4, "f"))
    frame = max(THRESHOLDS.tolist(), key=lambda t: over_kinds(onset, t, "f_with_offset"))
    return Thresholds(onset, frame)


def told(name: str, figures: dict[str, NoteMetrics]) -> None:
    """Print figures, a line for each kind."""
    for kind, one in figures.items():
        click.echo(
            f"{name}, {kind}: F {one.f:.3f} (P {one.precision:.3f}, R {one.recall:.3f}), "
            f"with offset {one.f_with_offset:.3f}, frames {one.frame_f:.3f}; frames all right "
            f"{one.right:.3f}, one wrong {one.one_wrong:.3f}, two {one.two_wrong:.3f}, "
            f"but for the octave {one.right_chroma:.3f}"
        )


def invented(
    pieces: Sequence[RenderedPiece], answers: Sequence[Transcription], thresholds: Thresholds
) -> float:
    """Notes a minute that are found where there are none."""
    counts = [
        len(notes_of(found.stretches, thresholds))
        for piece, found in zip(pieces, answers, strict=True)
        if piece.kind == NOTHING
    ]
    return sum(counts) / (max(1, len(counts)) * SECONDS / 60)


@click.command(cls=Command)
@options.data
@options.cache
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), required=True,
              help="Folder for the model.")  # fmt: skip
@click.option("--pieces", "n_pieces", default=3000, show_default=True, help="To learn from.")
@click.option("--tests", "n_tests", default=120, show_default=True,
              help="Pieces to choose the thresholds by, and as many to test on.")  # fmt: skip
@click.option("--steps", default=6000, show_default=True)
@click.option("--layers", default=2, show_default=True,
              help="Of the transformer; 0 for convolutions alone.")  # fmt: skip
@click.option("--seed", default=0, show_default=True)
@click.option("--jobs", default=2, show_default=True, help="Processes that render.")
def main(
    data: Path, cache: Path, out: Path, n_pieces: int, n_tests: int, steps: int, layers: int,
    seed: int, jobs: int,
) -> None:  # fmt: skip
    """Make the notes model, and say how good it is."""
    torch.set_num_threads(1)
    threadpool_limits(1)
    front_end, config = NotesFrontEnd(), NotesConfig(model=NotesModel(n_layers=layers))
    spectrum = spectrum_of(front_end)
    known = [
        annotated(str(k), piece.audio, piece.notes, spectrum)
        for k, piece in enumerate(rendered(data, cache, "train", n_pieces, seed, jobs))
    ]
    recipe = NoteRecipe(steps, seed=seed)
    torch.manual_seed(seed)
    fresh = begin(Learnable(build(front_end, config)))
    losses: list[float] = []
    with tqdm(total=steps, desc="learning", mininterval=10) as bar:

        def after_step(step: int, error: float) -> None:
            losses.append(error)
            bar.set_postfix(loss=f"{np.mean(losses[-200:]):.3f}", refresh=False)
            bar.update()

        network = usable(fit(fresh, known, front_end, config, recipe, after_step))
    model = model_of(network, front_end, config)
    pieces = rendered(data, cache, "choice", n_tests, seed, jobs)
    answers = transcribed(model, pieces)
    thresholds = choose(pieces, answers)
    config = replace(config, onset_threshold=thresholds.onset, frame_threshold=thresholds.frame)
    told("choice", by_kind(pieces, answers, thresholds))
    model = replace(model, config=config)
    pieces = rendered(data, cache, "test", n_tests, seed, jobs)
    answers = transcribed(model, pieces)
    figures = by_kind(pieces, answers, thresholds)
    told("test", figures)
    click.echo(f"notes a minute where there are none: {invented(pieces, answers, thresholds):.1f}")
    card = {
        "summary": f"{n_pieces} rendered pieces of {SECONDS:g} s, {steps} steps, seed {seed}",
        "data": {"rendered": n_pieces},
        "recipe": asdict(recipe),
        "figures": {kind: asdict(one) for kind, one in figures.items()},
        "licence": "weights MIT; learned from POP909 (MIT), the Groove MIDI Dataset (CC BY 4.0) "
        "and invented music, rendered with FluidR3 and TimGM6mb (MIT, GPL)",
        "versions": {"torch": str(torch.__version__), "numpy": np.__version__},
    }
    written = checkpoint.save(out, replace(model, card=card))
    click.echo(f"{written} ({written.stat().st_size / 1e3:.0f} kB), {thresholds}")


if __name__ == "__main__":
    main()
