"""The tempo in the tags of files, where it may have decimals: 127.98 is read as 128.

mediafile reads whole numbers and cuts decimals off, so that beets would take 127.98 for 127. While
the plugin is loaded, `TempoField` stands in for mediafile's field `bpm`: it reads any tempo, also
`127,98`, rounds it half up, and does not write 128 over a 127.98, which says the same more
precisely.

With the setting `decimals` the plugin's own tempi are written with their decimals, and so are those
that a person set with it. Their precise value is in the marker, which is always written together
with `bpm` and after it, by the plugin as well as by beets; so it is the tag of the marker,
`TempoMarkerField`, that gives the tempo beside it its decimals. `bpm` in the library stays a whole
number, and nothing is left to be done for `beet update` and `beet write`.
"""

from __future__ import annotations

from typing import Any

import beets
from mediafile import MediaField, MediaFile, MP4StorageStyle

from tempo_core.markers import TEMPO_MARKER, Marker
from tempo_core.tempi import round_half_up

# `tmpo`, the tag of MP4 files for the tempo, has no decimals; other programs read them from here.
_PRECISE_MP4 = MP4StorageStyle("----:com.apple.iTunes:BPM")


class TempoField(MediaField):
    """mediafile's field `bpm` for tags with decimals, read and written as a whole number.

    Parameters
    ----------
    field
        The field of mediafile that it stands in for.
    """

    def __init__(self, field: MediaField) -> None:
        super().__init__(*field._styles, out_type=int)

    def __get__(self, media: Any, owner: Any = None) -> int | None:
        bpm = self.precise(media)
        whole: int | None = super().__get__(media, owner) if bpm is None else round_half_up(bpm)
        return whole

    def __set__(self, media: Any, value: Any) -> None:
        present = self._precise_mp4(media) if _is_mp4(media) else self.precise(media)
        if isinstance(value, float):
            value = round_half_up(value)
        fits = present is not None and round_half_up(present) == value
        if _is_mp4(media):
            if not fits:
                _PRECISE_MP4.delete(media.mgfile)
            super().__set__(media, value)
        elif not fits:
            super().__set__(media, value)

    def __delete__(self, media: Any) -> None:
        super().__delete__(media)
        if _is_mp4(media):
            _PRECISE_MP4.delete(media.mgfile)

    def precise(self, media: Any) -> float | None:
        """The tempo in the tags of an open file with its decimals [BPM]; None if there is none."""
        from tempo_core.labels.files import counting_tempo
        from tempo_core.labels.record import parse_bpm

        texts = [_text(style.get(media.mgfile)) for style in self.styles(media.mgfile)]
        text = next(filter(None, texts), "")
        if _is_mp4(media):
            marker = str(getattr(media, "tempo_marker", None) or "")
            text = counting_tempo(_text(_PRECISE_MP4.get(media.mgfile)), text, marker)
        return parse_bpm(text)

    def write_as_marked(self, media: Any, marker: Marker[float]) -> None:
        """Give the tempo of an open file the form that `decimals` asks for, if it is the marker's.

        Parameters
        ----------
        marker
            The marker of the file.
        """
        present, whole = self.precise(media), marker.kind.tag_value(marker.value)
        if present is None or round_half_up(present) != whole:
            return
        text = marker.kind.text(marker.value).rstrip("0").rstrip(".")
        has_decimals = _writes_decimals() and float(text) != whole
        wanted = float(text) if has_decimals else whole
        if _is_mp4(media) and not has_decimals:
            _PRECISE_MP4.delete(media.mgfile)
        elif (self._precise_mp4(media) if _is_mp4(media) else present) != wanted:
            styles = [_PRECISE_MP4] if _is_mp4(media) else self.styles(media.mgfile)
            for style in styles:
                style.set(media.mgfile, text if has_decimals else str(whole))

    def _precise_mp4(self, media: Any) -> float | None:
        """The tempo in the freeform tag of an open MP4 file [BPM]; None if it has none."""
        from tempo_core.labels.record import parse_bpm

        return parse_bpm(_text(_PRECISE_MP4.get(media.mgfile)))


class TempoMarkerField(MediaField):
    """The field of the marker of a tempo, which gives the tempo beside it its decimals."""

    def __set__(self, media: Any, value: Any) -> None:
        super().__set__(media, value)
        marker, field = TEMPO_MARKER.parse(value), MediaFile.__dict__["bpm"]
        if marker is not None and isinstance(field, TempoField):
            field.write_as_marked(media, marker)


def read_decimals() -> None:
    """Let `TempoField` stand in for mediafile's field `bpm`, in this process."""
    field = MediaFile.__dict__["bpm"]
    if not isinstance(field, TempoField):
        MediaFile.bpm = TempoField(field)


def precise_bpm(media: MediaFile) -> float | None:
    """The tempo in the tags of an open file with its decimals [BPM].

    None if there is none, or if the plugin is not loaded in this process.
    """
    field = MediaFile.__dict__["bpm"]
    return field.precise(media) if isinstance(field, TempoField) else None


def _writes_decimals() -> bool:
    """Whether `decimals` is set; not if the plugin is not loaded in this process."""
    setting = beets.config["tempo"]["decimals"]
    return bool(setting.exists() and setting.get(bool))


def _is_mp4(media: Any) -> bool:
    return type(media.mgfile).__name__ in MP4StorageStyle.formats


def _text(value: Any) -> str:
    """The value of a tag as text, empty if missing."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return "" if value is None else str(value)
