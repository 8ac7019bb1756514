"""Options that several commands of the trainer have, and how they end."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click

from tempo_core.cli.command import TempoCommand
from tempo_core.console import echo, explain
from tempo_core.extras import advice

_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
data = click.option(
    "--data", type=_FOLDER, required=True, help="Folder with songs.tsv, rhythm.tsv, consensus.tsv."
)
clips = click.option(
    "--clips",
    type=_FOLDER,
    required=True,
    help="Folder with clips.tsv of trainer.synthesis.",
)
cache = click.option(
    "--cache",
    type=click.Path(path_type=Path),
    required=True,
    help="Folder for what is computed from the audio.",
)


class TrainerCommand(TempoCommand):
    """A command that also fails in one line where a package is not installed."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command.

        Raises
        ------
        ClickException
            If a package cannot be imported, with the command that installs it.
        """
        try:
            return super().invoke(ctx)
        except ImportError as error:
            raise click.ClickException(
                f"{ctx.info_name} needs more packages ({error}): {advice(error)}"
            ) from error


def tell(failed: Iterable[tuple[Path, Exception]], summary: Iterable[str], quiet: bool) -> None:
    """Print files that could not be used on stderr, and a summary on stdout unless it is quiet.

    The command ends with an exit status of 1 if a file failed.
    """
    problems = [f"{path}: {explain(error)}" for path, error in failed]
    for line in problems:
        echo(line, err=True)
    if not quiet:
        for line in summary:
            echo(line)
    if problems:
        sys.exit(1)
