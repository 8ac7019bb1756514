"""`tempo-core plot`: draw the tempo of files over time, or an evaluation again."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tempo_core.background import call, interruptible, parallel
from tempo_core.cli.command import Command
from tempo_core.cli.destinations import Destinations, Target, target
from tempo_core.cli.ordered import in_order
from tempo_core.console import echo, explain, time_limit_option
from tempo_core.errors import StorageError
from tempo_core.files import STDOUT, audio_files
from tempo_core.transcription.choices import PICTURE_FORMATS
from tempo_core.transcription.storing import store

from . import load

if TYPE_CHECKING:
    from ..evaluation.tempo_over_time import TempoOverTime

Found = tuple[str, Exception | None]  # a path, and why it cannot be used
PNG = "png"


@click.command(cls=Command, short_help="Draw the tempo of files, or an evaluation again.")
@click.option(
    "-o", "--output", metavar="FILE|FOLDER",
    help="Picture to write, .png or .svg, - for standard output; for several files a folder, or "
    "names with {name} and {folder} in them. [default: NAME-tempo.png in this folder]",
)  # fmt: skip
@click.option(
    "--jobs", type=click.IntRange(min=1), default=os.cpu_count() or 1, show_default="all cores",
    help="Files at a time.",
)  # fmt: skip
@click.option(
    "--model", default="default", show_default=True, help="Name or path of a model, see `models`."
)
@click.option("--log", type=click.Path(exists=True, dir_okay=False, path_type=Path),
              help="Of an evaluation: training log to draw as well.")  # fmt: skip
@time_limit_option
@click.argument("files", nargs=-1, required=True)  # no click.Path, which would check them here
def plot(
    output: str | None, jobs: int, model: str, log: Path | None, time_limit: float,
    files: tuple[str, ...],
) -> None:  # fmt: skip
    """Draw the tempo of FILES over time, and of the audio files in folders.

    A picture has the waveform, the tempogram with the tempo over it, and the beat folded at the
    tempo of the whole track: a steady beat is a straight line, and one that drifts a slope. What -o
    names is overwritten, but never one of the FILES. A file that fails is one line, and makes the
    exit status 1.

    If FILES is the folder of a `tempo-core evaluate`, its plots and its report are drawn again;
    nothing is estimated, and the audio need not be there.
    """
    if _is_evaluation(files, log):
        if output is not None:
            raise click.UsageError("-o is for files of audio; an evaluation stays in its folder")
        return _redraw(Path(files[0]), log)
    where, form = _target(output, files)
    with interruptible() as stop:
        draw = load("evaluation.tempo_plot", stop).draw  # a missing package is told first
        show = call(lambda: _showing(model), stop.is_set)
        found = list(audio_files(files, stop.is_set, time_limit))
        run = _Run(found, where, lambda track: draw(track, form))
        work = parallel(lambda t: show(t[1]), enumerate(found), jobs, stop.is_set, time_limit)
        with closing(work) as results:
            for (path, _), result in in_order(results):
                run.take(path, result)
    if stop.is_set():
        raise click.ClickException(f"interrupted: {run.n_done} of {len(found)} files are drawn")
    if run.n_failed:
        echo(f"{run.n_failed} of {len(found)} files failed", err=True)
        sys.exit(1)


def _is_evaluation(files: Sequence[str], log: Path | None) -> bool:
    """Whether what was given is the folder of an evaluation, or a folder without any audio.

    Raises
    ------
    click.UsageError
        If there is a log, which goes with an evaluation, and something else was given.
    """
    folder = Path(files[0])
    alone = len(files) == 1 and folder.is_dir()
    if log is not None and not alone:
        raise click.UsageError("--log is for the folder of an evaluation")
    if not alone or log is not None:
        return alone
    from ..evaluation.saving import FIGURES_FILE

    return (folder / FIGURES_FILE).is_file() or next(audio_files(files))[0] == files[0]


def _redraw(folder: Path, log: Path | None) -> None:
    """Draw an evaluation again."""
    from ..evaluation import report, saving
    from ..evaluation.history import HISTORY, read_history, write_history

    saving.load(folder)  # before anything is written beside something else
    if log is not None:
        write_history(folder / HISTORY, read_history(log))
    echo(f"{report.redraw(folder)}")


def _target(output: str | None, files: Sequence[str]) -> tuple[Target, str]:
    """Where the pictures go, and their format.

    Raises
    ------
    click.UsageError
        If -o does not fit the files, or names no format of pictures.
    """
    if output is None:
        return Target(".", f"-tempo.{PNG}", is_folder=True), PNG
    where = target("-o", output, files, f".{PNG}")
    form = (
        PNG
        if where.is_folder or where.is_printed
        else Path(output).suffix.lower().removeprefix(".")
    )
    if form not in PICTURE_FORMATS:
        raise click.UsageError(f"-o {output}: the name must end with .png or .svg")
    return where, form


def _showing(model: str) -> Callable[[Found], TempoOverTime]:
    """The function from a file to what its picture shows, with the models loaded."""
    from tempo_core import Estimator, checkpoint

    from ..evaluation.tempo_over_time import tempo_over_time

    estimator = Estimator(model=model, windows="all", tasks=["tempo"])
    loaded: Any = checkpoint.load(checkpoint.resolve(model))

    def show(found: Found) -> TempoOverTime:
        path, problem = found
        if problem is not None:
            raise problem
        return tempo_over_time(path, estimator, loaded)

    return show


class _Run:
    """The pictures of a run, and how many files are done and have failed."""

    def __init__(
        self, found: Sequence[Found], where: Target, draw: Callable[[TempoOverTime], bytes]
    ) -> None:
        self.n_done = self.n_failed = 0
        self._draw = draw
        # All names are given before the work, so that they do not depend on what is ready first.
        names = Destinations(path for path, _ in found)
        self._pictures = iter([names.take(where.of(path)) for path, _ in found])

    def take(self, path: str, result: TempoOverTime | Exception) -> None:
        """Write the picture of the next file, or report why there is none."""
        self.n_done += 1
        told = self._written(next(self._pictures), result)
        if isinstance(told, Exception):
            self.n_failed += 1
            echo(f"{path}: {explain(told)}", err=True)
        else:
            echo(f"{path} -> {told}", err=told == STDOUT)

    def _written(
        self, picture: Path | Exception, result: TempoOverTime | Exception
    ) -> Path | Exception:
        """The picture once it is written; what went wrong otherwise."""
        if isinstance(result, Exception):
            return result
        if isinstance(picture, Exception):
            return picture
        try:
            store(picture, self._draw(result))
        except StorageError as error:
            return error
        return picture
