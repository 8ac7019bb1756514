"""The source `tags`: BPM and key from the tags of the file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...declaration import About

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ...http.session import PoliteSession
    from .source import Tags


def make(session: PoliteSession, url: str, values: Mapping[str, Any]) -> Tags:
    """See `About`."""
    from .source import Tags

    return Tags()


ABOUT = About(
    title="the files' own tags",
    family="tags",
    url="",
    licence="your own",
    trainable=True,
    make=make,
)
