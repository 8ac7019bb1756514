"""The source `reccobeats`: the interface of ReccoBeats."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...declaration import DERIVED_FROM_SPOTIFY, About

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ...http.session import PoliteSession
    from .source import ReccoBeats


def make(session: PoliteSession, url: str, values: Mapping[str, Any]) -> ReccoBeats:
    """See `About`."""
    from .source import ReccoBeats

    return ReccoBeats(session, url)


ABOUT = About(
    title="ReccoBeats",
    family="spotify",
    url="https://api.reccobeats.com/v1",
    licence=DERIVED_FROM_SPOTIFY,
    trainable=False,
    robots=False,
    make=make,
)
