"""The source `getsongbpm`: the interface of GetSongBPM."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...declaration import About, SourceSetting

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ...http.session import PoliteSession
    from .source import GetSongBpm


def make(session: PoliteSession, url: str, values: Mapping[str, Any]) -> GetSongBpm:
    """See `About`."""
    from .source import GetSongBpm

    return GetSongBpm(session, url, values["getsongbpm_key"] or "")


ABOUT = About(
    title="GetSongBPM",
    family="getsongbpm",
    url="https://api.getsong.co",
    licence="free with a link to getsongbpm.com; training is not mentioned",
    trainable=False,
    robots=False,
    attribution="BPM and key data by GetSongBPM, https://getsongbpm.com",
    settings=(
        SourceSetting(
            "getsongbpm_key", "Key of GetSongBPM.", secret=True, environment="GETSONGBPM_KEY"
        ),
    ),
    make=make,
)
