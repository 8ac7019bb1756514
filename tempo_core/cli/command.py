"""The class of every command that can fail in an expected way."""

from __future__ import annotations

from typing import Any

import click

from ..errors import TempoError


class TempoCommand(click.Command):
    """A command whose expected failures are one line on stderr and an exit status of 1."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command.

        Raises
        ------
        ClickException
            If it raises a `TempoError`, with the message of that.
        """
        try:
            return super().invoke(ctx)
        except TempoError as error:
            raise click.ClickException(str(error)) from error
