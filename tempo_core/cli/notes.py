"""Command `tempo-core notes`."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..background import call, interruptible
from ..console import time_limit_option
from ..engines import loaded
from ..engines.sharing import shared_model
from ..errors import ClusterError
from ..files import audio_files
from ..transcription.choices import (
    ALL,
    BY_ENDING,
    DEFAULT_VALUE,
    ENDINGS,
    FORMATS,
    JSON,
    MIDI,
    PARTS,
    PICTURE_FORMATS,
    STEPS,
    TSV,
    Wanted,
)
from .command import Command
from .destinations import is_several, target
from .done import Done, so_far, tell_known
from .engine import command_engine, each_in_order
from .note_runs import NotesWork, Outputs, Run, Transcribing
from .options import FILE, cluster_options, moment, share, storages_option

if TYPE_CHECKING:
    from ..transcription.roll import Roll
    from .note_writers import DraftWriter


@click.command(cls=Command, short_help="Write down the notes of files: a draft as MIDI.")
@click.option(
    "-o", "--output", metavar="FILE|FOLDER",
    help="File to write, - for standard output; for several files a folder, or names with {name} "
    "and {folder} in them. Without it a table or JSON is printed.",
)  # fmt: skip
@click.option(
    "--format", "form", type=click.Choice(FORMATS),
    help="[default: by the ending of -o, else midi; tsv where it is printed]",
)  # fmt: skip
@click.option(
    "--part", type=click.Choice(PARTS), default=ALL, show_default=True,
    help="All notes, the lowest line, or the melody line on top.",
)  # fmt: skip
@click.option(
    "--threshold", type=float, callback=share, metavar="0..1",
    help="How sure the onset of a note must be; less gives more notes. [default: the model's]",
)  # fmt: skip
@click.option("--quantize", is_flag=True, help="Put the notes on the grid of the tempo.")
@click.option(
    "--grid", type=click.Choice(list(STEPS)),
    help=f"Note value of that grid; t is for triplets. [default: {DEFAULT_VALUE}]",
)  # fmt: skip
@click.option("--plot", metavar="FILE|FOLDER", help="Draw a piano roll as well, .png or .svg.")
@click.option("--from", "begin", callback=moment, metavar="TIME", help="Where the plot begins.")
@click.option("--to", "end", callback=moment, metavar="TIME", help="Where it ends, such as 1:30.")
@click.option(
    "--jobs", type=click.IntRange(min=1), default=os.cpu_count() or 1, show_default="all cores",
    help="Files at a time.",
)  # fmt: skip
@cluster_options
@storages_option
@click.option(
    "--journal", type=FILE,
    help="Note there what -o has written; the same command then goes on where it was stopped.",
)  # fmt: skip
@click.option(
    "--model", default="default", show_default=True, help="Name or path of a model, see `models`."
)
@time_limit_option
@click.argument("files", nargs=-1, required=True)  # no click.Path, which would check them here
def notes(
    output: str | None, form: str | None, part: str, threshold: float | None, quantize: bool,
    grid: str | None, plot: str | None, begin: float | None, end: float | None, jobs: int,
    scheduler: str | None, cluster_config: Path | None, storages: Path | None,
    journal: Path | None, model: str, time_limit: float, files: tuple[str, ...],
) -> None:  # fmt: skip
    """Write down the notes of FILES, and of the audio files in folders, as MIDI.

    It is a draft to work from. A piano alone comes out best; in a full mix much is missed, and much
    is there that nobody plays: on real pop two systems of this kind agree with an F of .33 only.

    What -o names is overwritten, but never one of the FILES. A file that fails is one line, and
    makes the exit status 1.
    """
    if grid and not quantize:
        raise click.UsageError("--grid is for --quantize")
    if (begin is not None or end is not None) and plot is None:
        raise click.UsageError("--from and --to are for --plot")
    if end is not None and end <= (begin or 0.0):
        raise click.UsageError("--to must be later than --from")
    outputs = _outputs(output, form, plot, files)
    if journal is not None and (outputs.notes is None or outputs.notes.is_printed):
        raise click.UsageError("--journal is for -o; what is printed is not kept")
    wanted = Wanted(part, quantize, grid or DEFAULT_VALUE, threshold)
    work = NotesWork(
        shared_model(model), wanted, None if plot is None else (begin or 0.0, end)
    )  # fmt: skip
    draw = None if plot is None else _drawing()
    with (
        interruptible() as stop,
        command_engine(scheduler, jobs, cluster_config, stop.is_set) as engine,
    ):
        transcribing = call(partial(loaded, work), stop.is_set)
        assert isinstance(transcribing, Transcribing)
        how = f"{work.wanted} {work.span} {outputs.form} {transcribing.models if journal else ''}"
        found = list(audio_files(files, stop.is_set, time_limit))
        several = len(files) > 1 or is_several(files[0])
        with Done(journal, how, time_limit) as done:
            run = Run(found, outputs, _writer(outputs, several), draw, done)
            tell_known(run.todo, len(found))
            todo = [found[number] for number in run.todo]
            try:
                for (k, path), result in each_in_order(engine, work, todo, stop.is_set, time_limit):
                    run.take((run.todo[k], path), result)
            except ClusterError as error:
                raise ClusterError(f"{error}: {so_far(run.n_done, len(found), journal)}") from error
            finally:
                run.writer.end()
    if stop.is_set():
        raise click.ClickException(f"interrupted: {so_far(run.n_done, len(found), journal)}")
    if run.n_failed:
        click.echo(f"{run.n_failed} of {len(found)} files failed", err=True)
        sys.exit(1)


def _outputs(
    output: str | None, form: str | None, plot: str | None, files: Sequence[str]
) -> Outputs:
    """Where the outputs go, by the options.

    Raises
    ------
    click.UsageError
        If the options do not fit together, or the files that were given.
    """
    if output is None:
        if form == MIDI:
            raise click.UsageError("--format midi needs -o: it is not for a terminal")
        chosen, where = form or TSV, None
    else:
        by_ending = BY_ENDING.get(Path(output).suffix.lower(), MIDI)
        chosen = form or (MIDI if Path(output).is_dir() else by_ending)
        where = target("-o", output, files, ENDINGS[chosen])
    picture_form = Path(plot or "").suffix.lower().removeprefix(".")
    picture = None
    if plot is not None:
        picture = target("--plot", plot, files, ".png")
        if picture.is_folder:
            picture_form = "png"
        elif picture_form not in PICTURE_FORMATS:
            raise click.UsageError(f"--plot {plot}: the name must end with .png or .svg")
    return Outputs(chosen, where, picture, picture_form)


def _drawing() -> Callable[[Roll, str], bytes]:
    """What draws pictures, see `roll.drawing`."""
    from ..transcription.roll import drawing

    return drawing()


def _writer(outputs: Outputs, several: bool) -> DraftWriter:
    """What writes the notes."""
    from .note_writers import ArrayWriter, FileWriter, TableWriter

    if outputs.notes is not None:
        return FileWriter(outputs.form)
    return ArrayWriter() if outputs.form == JSON else TableWriter(several)
