"""What several commands of the trainer share: options, and how they fail."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from tempo_core.errors import TempoError


class Command(click.Command):
    """A command whose expected failures are one line and an exit status of 1."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run it."""
        try:
            return super().invoke(ctx)
        except TempoError as error:
            raise click.ClickException(str(error)) from error


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
