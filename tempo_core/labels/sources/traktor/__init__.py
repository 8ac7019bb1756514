"""The source `traktor`: a collection of Traktor, with the corrections of a DJ."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...declaration import IMPORT, About

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ...http.session import PoliteSession
    from .source import Traktor


def make(session: PoliteSession, url: str, values: Mapping[str, Any]) -> Traktor:
    """See `About`."""
    from .source import Traktor

    return Traktor(values[IMPORT.name])


ABOUT = About(
    title="a collection of Traktor",
    family="traktor",
    url="",
    licence="your own",
    trainable=True,
    settings=(IMPORT,),
    make=make,
)
