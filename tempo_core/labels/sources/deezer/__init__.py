"""The source `deezer`: the interface of Deezer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...declaration import About

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ...http.session import PoliteSession
    from .source import Deezer


def make(session: PoliteSession, url: str, values: Mapping[str, Any]) -> Deezer:
    """See `About`."""
    from .source import Deezer

    return Deezer(session, url)


ABOUT = About(
    title="Deezer",
    family="deezer",
    url="https://api.deezer.com",
    licence="Deezer's terms for its interface; training is not mentioned",
    trainable=False,
    robots=False,
    make=make,
)
