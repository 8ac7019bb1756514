"""The source `tsv`: a table of labels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...declaration import IMPORT, About

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ...http.session import PoliteSession
    from .source import Table


def make(session: PoliteSession, url: str, values: Mapping[str, Any]) -> Table:
    """See `About`."""
    from .source import Table

    return Table(values[IMPORT.name])


ABOUT = About(
    title="a table",
    family="tsv",
    url="",
    licence="whatever the table's is; not known here",
    trainable=False,
    settings=(IMPORT,),
    make=make,
)
