"""The source `acousticbrainz`: the last dump of AcousticBrainz."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...declaration import About, SourceSetting

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ...http.session import PoliteSession
    from .source import AcousticBrainz


def make(session: PoliteSession, url: str, values: Mapping[str, Any]) -> AcousticBrainz:
    """See `About`."""
    from .source import AcousticBrainz

    return AcousticBrainz(values["acousticbrainz"])


ABOUT = About(
    title="AcousticBrainz dump",
    family="acousticbrainz",
    url="",
    licence="public domain (CC0)",
    trainable=True,
    settings=(
        SourceSetting("acousticbrainz", "File made by `acousticbrainz-index`.", is_file=True),
    ),
    make=make,
)
