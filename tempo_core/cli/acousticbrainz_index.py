"""Command `tempo-core acousticbrainz-index`."""

from __future__ import annotations

from pathlib import Path

import click

from ..console import echo
from ..files import STDOUT
from .command import Command
from .options import FILE, OUTPUT


@click.command("acousticbrainz-index", cls=Command, short_help="Index a dump of AcousticBrainz.")
@click.argument("dumps", nargs=-1, required=True, type=FILE)
@click.option("-o", "--output", required=True, type=OUTPUT, help="The file to make.")
def acousticbrainz_index(dumps: tuple[Path, ...], output: Path) -> None:
    """Make a file to look things up in from DUMPS, tables of the AcousticBrainz dump.

    They are the rhythm and the tonal table, as .csv, .csv.zst or .tar.zst.
    """
    if output == STDOUT:
        raise click.UsageError("-o needs the name of a file; a database cannot be printed")
    from ..labels.sources.acousticbrainz.source import build

    n_recordings = build(list(dumps), output)
    echo(f"{output}: {n_recordings} recordings")
