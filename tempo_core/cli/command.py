"""Base class of the commands, which turns expected errors into messages."""

from __future__ import annotations

from typing import Any

import click

from ..errors import TempoError
from ..extras import advice


class Command(click.Command):
    """A command that ends with one line on stderr and exit status 1 if an expected error occurs.

    Expected are the errors of this package (`TempoError`) and packages that are not installed.
    """

    def invoke(self, ctx: click.Context) -> Any:
        """See `click.Command`."""
        try:
            return super().invoke(ctx)
        except TempoError as error:
            raise click.ClickException(str(error)) from error
        except ImportError as error:
            raise lacking(error) from error


def lacking(error: ImportError) -> click.ClickException:
    """Error of the current command for a package that is not installed; tells how to install it."""
    command = click.get_current_context().info_name
    return click.ClickException(f"{command} needs more packages ({error}): {advice(error)}")
