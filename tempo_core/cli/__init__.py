"""Command-line program `tempo-core`, which works without beets."""

from __future__ import annotations

import click

from .group import Commands


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="beets-tempo")
def main() -> None:
    """Estimate the tempo of audio files, and find what is published about it."""
