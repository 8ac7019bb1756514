"""`tempo-core plot`: draw an evaluation again, without its audio."""

from __future__ import annotations

from pathlib import Path

import click

from tempo_core.cli.command import Command
from tempo_core.console import echo


@click.command(cls=Command, short_help="Draw the report of an evaluation again.")
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--log", type=click.Path(exists=True, dir_okay=False, path_type=Path),
              help="Training log to draw as well.")  # fmt: skip
def plot(folder: Path, log: Path | None) -> None:
    """Draw the plots and the report in FOLDER again, which `tempo-core evaluate` wrote.

    Nothing is estimated; the audio need not be there.
    """
    from ..evaluation import report, saving
    from ..evaluation.history import HISTORY, read_history, write_history

    saving.load(folder)  # before anything is written beside something else
    if log is not None:
        write_history(folder / HISTORY, read_history(log))
    echo(f"{report.redraw(folder)}")
