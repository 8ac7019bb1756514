"""The source `musicstax`: pages of MusicStax."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...declaration import DERIVED_FROM_SPOTIFY, About

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ...http.session import PoliteSession
    from .source import MusicStax


def make(session: PoliteSession, url: str, values: Mapping[str, Any]) -> MusicStax:
    """See `About`."""
    from .source import MusicStax

    return MusicStax(session, url)


ABOUT = About(
    title="MusicStax",
    family="spotify",
    url="https://musicstax.com",
    licence=DERIVED_FROM_SPOTIFY,
    trainable=False,
    make=make,
)
