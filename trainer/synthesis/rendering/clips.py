"""Music with an exactly known tempo: `python -m trainer.synthesis --midi … --samples … --out …`.

A clip has drums, harmony, a synthetic voice, or several of these. `styles` describes the styles,
`compose` draws what is played with the notes of `score`, `performances` and `harmony`, `render`
turns it into sound, and `mixing` makes a recording of that.

The content of a clip depends on `(seed, index)` alone. So a run can be interrupted at any time and
spread over any number of processes, and gives the same clips.
"""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import click
import joblib
import numpy as np
import soundfile
from tqdm import tqdm

from tempo_core.cli.command import Command

from ..composition import Composition
from ..notes import (
    Sources,
)
from ..paces import score_of
from ..styles import STYLES, Style
from .compose import attempts
from .mixing import SR
from .render import render

SILENT_LEVEL = 1e-3  # root mean square below which a second of audio is silent


def make_clip(
    index: int,
    seed: int,
    sources: Sources,
    duration: float = 30.0,
    styles: Sequence[Style] = STYLES,
    balanced: bool = False,
) -> tuple[np.ndarray, dict[str, object]]:
    """Clip number `index` of the set `seed`: its audio and its description.

    Parameters
    ----------
    duration
        Length of the clip [s].
    styles, balanced
        The style is drawn from `styles` by weight, or taken in turn if `balanced`.

    Returns
    -------
    (n_samples,) audio at `SR`, and a row with `style`, `bpm`, `beats` (in a bar), `first_beat` and
    `downbeat` [s], `drums` (`none`, `sampled`, `loop`, `midi` or `human`), `harmony` and `voice`.
    """
    _, audio, row = _make(index, seed, sources, duration, styles, balanced)
    return audio, row


def _make(
    index: int,
    seed: int,
    sources: Sources,
    duration: float,
    styles: Sequence[Style],
    balanced: bool,
) -> tuple[Composition, np.ndarray, dict[str, object]]:
    """The composition, the audio and the description of a clip, see `make_clip`."""
    for composition, rng in attempts(index, seed, sources, duration, styles, balanced):
        audio, row = render(composition, rng)
        if not mostly_silent(audio):
            break
    return composition, audio, row


def mostly_silent(audio: np.ndarray) -> bool:
    """Whether at least half of the seconds are silent, as a song may have a long rest."""
    seconds = audio[: audio.size // SR * SR].reshape(-1, SR)
    levels = np.sqrt(np.square(seconds).mean(axis=1))
    return seconds.size > 0 and float(np.median(levels)) < SILENT_LEVEL


MADE_WITH = "made_with"  # entry in a clip's JSON file that is left out of the table


@dataclass(frozen=True)
class ClipSet:
    """Parameters that all clips of a set share, see `make_clip`; `duration` is in seconds."""

    seed: int
    sources: Sources
    duration: float
    styles: Sequence[Style]
    balanced: bool


def _write_clip(index: int, clips: ClipSet, out: Path) -> None:
    """Write a clip, its description and its score to a folder, unless an earlier run did that."""
    seed, duration, styles, balanced = clips.seed, clips.duration, clips.styles, clips.balanced
    path = out / f"{seed}-{index:06d}.ogg"
    note = path.with_suffix(".json")
    arguments = [duration, balanced, [style.name for style in styles]]
    made_with = hashlib.sha256(json.dumps(arguments).encode()).hexdigest()[:16]
    # A description without arguments is from an older version, and taken as one with the same.
    if note.exists() and json.loads(note.read_text()).get(MADE_WITH, made_with) == made_with:
        return
    composition, audio, row = _make(index, seed, clips.sources, duration, styles, balanced)
    # A balanced set is for tests; in the others every tenth clip is for validation.
    split = "test" if balanced else "validation" if index % 10 == 0 else "train"
    row = {"file": path.name, "split": split, **row, MADE_WITH: made_with}
    temporary = path.with_suffix(".part")
    quality = np.random.default_rng([seed, index, 1]).uniform(0.3, 0.9)
    with soundfile.SoundFile(
        str(temporary), "w", SR, 1, format="OGG", subtype="VORBIS", compression_level=1 - quality
    ) as file:
        # One second at a time: libsndfile overflows its stack if a Vorbis file is written at once.
        for begin in range(0, audio.size, SR):
            file.write(audio[begin : begin + SR])
    temporary.replace(path)
    temporary.write_text(score_of(composition).to_json())
    temporary.replace(path.with_suffix(".score"))
    temporary.write_text(json.dumps(row))
    temporary.replace(note)


@click.command(cls=Command)
@click.option(
    "--midi",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    required=True,
    help="Folder with groove/ and POP909/.",
)
@click.option(
    "--samples",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    required=True,
    help="Folder of drum hits (FLAC).",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    required=True,
    help="Folder for the clips and clips.tsv.",
)
@click.option("--count", default=1000, show_default=True, help="Number of clips.")
@click.option("--duration", default=30.0, show_default=True, help="Length of a clip in seconds.")
@click.option("--seed", default=1, show_default=True)
@click.option("--jobs", default=2, show_default=True, help="Processes.")
@click.option(
    "--style",
    "names",
    multiple=True,
    type=click.Choice([s.name for s in STYLES]),
    help="Render this style only; may be given more than once.",
)
@click.option(
    "--balanced",
    is_flag=True,
    help="Go through the styles in turn, so that each has the same number of clips: a test set.",
)
def main(
    midi: Path,
    samples: Path,
    out: Path,
    count: int,
    duration: float,
    seed: int,
    jobs: int,
    names: tuple[str, ...],
    balanced: bool,
) -> None:
    """Render clips of known tempo; an interrupted run goes on where it stopped.

    The table lists all clips in the folder, also those of earlier runs with other seeds.
    """
    out.mkdir(parents=True, exist_ok=True)
    sources = Sources(midi, samples)
    styles = [s for s in STYLES if s.name in names] or list(STYLES)
    write = joblib.delayed(_write_clip)
    clips = ClipSet(seed, sources, duration, styles, balanced)
    tasks = (write(i, clips, out) for i in range(count))
    run = joblib.Parallel(n_jobs=jobs, return_as="generator")(tasks)
    for _ in tqdm(run, total=count, unit="clip", disable=None):
        pass
    rows = [json.loads(note.read_text()) for note in sorted(out.glob("*.json"))]
    for row in rows:
        row.pop(MADE_WITH, None)
    with (out / "clips.tsv").open("w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]), delimiter="\t")
        writer.writeheader()
        writer.writerows(rows)
    click.echo(f"{len(rows)} clips in {out}")
