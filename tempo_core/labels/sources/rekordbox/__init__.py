"""The source `rekordbox`: a collection of rekordbox, with the corrections of a DJ."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...declaration import IMPORT, About

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ...http.session import PoliteSession
    from .source import Rekordbox


def make(session: PoliteSession, url: str, values: Mapping[str, Any]) -> Rekordbox:
    """See `About`."""
    from .source import Rekordbox

    return Rekordbox(values[IMPORT.name])


ABOUT = About(
    title="a collection of rekordbox",
    family="rekordbox",
    url="",
    licence="your own",
    trainable=True,
    settings=(IMPORT,),
    make=make,
)
