"""The field and tag `tempo_marker`, which marks a tempo that the plugin wrote."""

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
    """The tag in each format; None if mediafile has it already, as in a second plugin object."""
    if MARKER in MediaFile.fields():
        return None
    return MediaField(
        MP3DescStorageStyle(MARKER_TAG),
        MP4StorageStyle(f"----:com.apple.iTunes:{MARKER_TAG}"),
        StorageStyle(MARKER_TAG),
        ASFStorageStyle(MARKER_TAG),
    )
