"""Options that several commands of the trainer share, and the output at their end."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

import click

from tempo_core.console import echo, explain

_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
data = click.option(
    "--data",
    type=_FOLDER,
    required=True,
    help="Folder with songs.tsv, rhythm.tsv, charts.tsv, consensus.tsv, human_tempi.tsv.",
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
SEEDS = click.IntRange(0, 2**32 - 1)  # that numpy's and Lightning's random generators accept


def tell(failed: Iterable[tuple[Path, Exception]], summary: Iterable[str], quiet: bool) -> None:
    """Print the files that failed on stderr, and a summary on stdout unless `quiet`.

    If a file failed, the command ends with exit status 1.
    """
    problems = [f"{path}: {explain(error)}" for path, error in failed]
    for line in problems:
        echo(line, err=True)
    if not quiet:
        for line in summary:
            echo(line)
    if problems:
        sys.exit(1)
