"""Command-line options that several commands of the trainer share."""

from __future__ import annotations

from pathlib import Path

import click

_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
data = click.option(
    "--data", type=_FOLDER, required=True, help="Folder with songs.tsv, rhythm.tsv, consensus.tsv."
)
clips = click.option(
    "--clips", type=_FOLDER, required=True, help="Folder with clips.tsv of trainer.synthesis."
)
cache = click.option(
    "--cache",
    type=click.Path(path_type=Path),
    required=True,
    help="Folder for what is computed from the audio.",
)
