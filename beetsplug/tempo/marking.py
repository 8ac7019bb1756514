"""`tempo_marker`: the field and tag that tell the plugin's own tempi from everybody else's."""

from __future__ import annotations

from typing import Any

from beets.dbcore import types
from mediafile import (
    ASFStorageStyle,
    MediaField,
    MediaFile,
    MP3DescStorageStyle,
    MP4StorageStyle,
    StorageStyle,
)

from tempo_core.tempi import MARKER_TAG

MARKER = "tempo_marker"


class OptionalText(types.String):
    """A text that is missing, not empty, where it is not set: nothing is written for it then."""

    @property
    def null(self) -> Any:
        return None


def media_field() -> MediaField | None:
    """How files keep it; None if mediafile knows already: its list outlives a plugin."""
    if MARKER in MediaFile.fields():
        return None
    return MediaField(
        MP3DescStorageStyle(MARKER_TAG),
        MP4StorageStyle(f"----:com.apple.iTunes:{MARKER_TAG}"),
        StorageStyle(MARKER_TAG),
        ASFStorageStyle(MARKER_TAG),
    )
