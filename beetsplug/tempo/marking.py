"""The field and tag `tempo_marker`, which identifies a tempo that the plugin wrote."""

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
    """Type of a text that is None if it is not set, not empty, so that no tag is written for it."""

    @property
    def null(self) -> Any:
        return None


def media_field() -> MediaField | None:
    """The tag of the marker in each format of files.

    None if mediafile knows the tag already because the plugin was loaded before in this process.
    """
    if MARKER in MediaFile.fields():
        return None
    return MediaField(
        MP3DescStorageStyle(MARKER_TAG),
        MP4StorageStyle(f"----:com.apple.iTunes:{MARKER_TAG}"),
        StorageStyle(MARKER_TAG),
        ASFStorageStyle(MARKER_TAG),
    )
