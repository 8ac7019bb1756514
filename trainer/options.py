"""Options that several commands of the trainer have, and how they end."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

import click

from tempo_core.console import echo, explain

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
