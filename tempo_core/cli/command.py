"""How commands fail: in one line on stderr, with an exit status of 1."""

from __future__ import annotations

from typing import Any

import click

from ..errors import TempoError
from ..extras import advice


class Command(click.Command):
    """A command whose expected failures are one line on stderr and an exit status of 1.

    Those are the errors of this package, and packages that are not installed.
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
    """The failure of the current command where a package is not installed: what brings it."""
    command = click.get_current_context().info_name
    return click.ClickException(f"{command} needs more packages ({error}): {advice(error)}")
