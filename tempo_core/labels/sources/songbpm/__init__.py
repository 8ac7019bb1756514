"""The source `songbpm`: pages of SongBPM."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...declaration import DERIVED_FROM_SPOTIFY, About

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ...http.session import PoliteSession
    from .source import SongBpm


def make(session: PoliteSession, url: str, values: Mapping[str, Any]) -> SongBpm:
    """See `About`."""
    from .source import SongBpm

    return SongBpm(session, url)


ABOUT = About(
    title="SongBPM",
    family="spotify",
    url="https://songbpm.com",
    licence=DERIVED_FROM_SPOTIFY,
    trainable=False,
    make=make,
)
