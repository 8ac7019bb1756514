"""Fields with a marker beside them, which says that the plugin wrote their value.

The markers are fields of the library and tags of the files, so that any library knows an estimate
from a person's value, and a tempo that a person set with the plugin in all its digits.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from beets.dbcore import types
from beets.util import syspath
from mediafile import (
    ASFStorageStyle,
    MediaField,
    MediaFile,
    MP3DescStorageStyle,
    MP4StorageStyle,
    StorageStyle,
    UnreadableFileError,
)

from tempo_core.markers import KEY_MARKER, TEMPO_MARKER

from .camelot_tags import CODE_MARKER, CODE_TAG
from .items import own, same_file, set_or_clear
from .tempo_tags import TempoMarkerField

if TYPE_CHECKING:
    from collections.abc import Iterator

    from beets.library import Item

    from tempo_core.markers import Kind, Marker


@dataclass(frozen=True)
class Marked:
    """A field with a marker.

    Attributes
    ----------
    field
        The field of beets, which is also a tag.
    marker
        The field and tag of its marker.
    source
        The field that says where the value comes from.
    kind
        The kind of its markers.
    """

    field: str
    marker: str
    source: str
    kind: Kind[Any]

    @property
    def tags(self) -> tuple[str, str]:
        """The fields that are written to files, together."""
        return self.field, self.marker

    def set(self, item: Item, value: Any, source: str) -> None:
        """Set the field, its marker and its source to a value of a model, a label or a person."""
        marker = self.kind(value, source)
        with same_file(item):
            item[self.field] = self.kind.tag_value(value)
            item[self.marker] = str(marker)
            item[self.source] = source

    def marker_of(self, item: Item) -> Marker[Any] | None:
        """The marker of an item; None if it has none."""
        return self.kind.parse(own(item, self.marker))

    def said_by_marker(self, item: Item) -> str:
        """The origin in the marker; empty if it does not belong to the value of the field."""
        marker = self.marker_of(item)
        return marker.source if marker is not None and marker.is_of(item[self.field]) else ""

    def drop_marker(self, item: Item) -> None:
        """Remove the marker of a value that a person set or confirmed; the file keeps its own."""
        with same_file(item):
            set_or_clear(item, self.marker, None)

    def reread_marker(self, item: Item) -> bool:
        """Read the marker from the file if it does not belong to the field; True if it was read.

        When a track is imported again, the field comes from the file and the marker, which is
        flexible, from the library, so that they may belong to different values.
        """
        if self.marker_of(item) is None or self.said_by_marker(item):
            return False
        with suppress(UnreadableFileError), same_file(item):
            item[self.marker] = getattr(MediaFile(syspath(item.path)), self.marker)
        return True


TEMPO = Marked("bpm", "tempo_marker", "tempo_source", TEMPO_MARKER)
KEY = Marked("initial_key", "tempo_key_marker", "tempo_key_source", KEY_MARKER)
ALL_MARKED = (TEMPO, KEY)


class OptionalText(types.String):
    """Type of a text that is None if it is not set, not empty, so that no tag is written for it."""

    @property
    def null(self) -> Any:
        return None


# Kinds and tags of the markers in files, by the names of their fields.
MARKER_TAGS: dict[str, tuple[type[MediaField], str]] = {
    TEMPO.marker: (TempoMarkerField, TEMPO.kind.tag),
    KEY.marker: (MediaField, KEY.kind.tag),
    CODE_MARKER: (MediaField, CODE_TAG),
}


def media_fields() -> Iterator[tuple[str, MediaField]]:
    """The tags of the markers in each format of files, by the names of their fields.

    Those are left out that mediafile knows because the plugin was loaded before in this process.
    """
    for field, (kind, tag) in MARKER_TAGS.items():
        if field not in MediaFile.fields():
            yield (
                field,
                kind(
                    MP3DescStorageStyle(tag),
                    MP4StorageStyle(f"----:com.apple.iTunes:{tag}"),
                    StorageStyle(tag),
                    ASFStorageStyle(tag),
                ),
            )
