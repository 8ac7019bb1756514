"""The Camelot code of a key in front of the comment or the grouping: `8A - what was there`.

Many players cannot sort by the key, but by a comment that begins with it. `camelot_in` says where
the code goes. What was there stays behind it; a code that the plugin put there is replaced or taken
out when the key changes. Which code that is says a marker beside it, in the library and in the file
(`8A in comments`), so that a code of another program, Mixed In Key for example, is left alone.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from beets.util import syspath
from mediafile import (
    MediaFile,
    MP3DescStorageStyle,
    MP3StorageStyle,
    StorageStyle,
    UnreadableFileError,
)

from .items import file_status, own, same_file, set_or_clear

if TYPE_CHECKING:
    from beets.library import Item

CODE_PLACES = {"comment": "comments", "grouping": "grouping"}  # fields of beets by the setting
OFF = "off"  # value of the setting that takes out what was put there
CODE_MARKER, CODE_TAG = "tempo_camelot_marker", "BEETS_CAMELOT"
CODE_FIELDS = (*CODE_PLACES.values(), CODE_MARKER)
_MARKER_FORM = re.compile(rf"(1?\d[AB]) in ({'|'.join(CODE_PLACES.values())})")
SEPARATOR = " - "


def with_code(text: str, code: str | None, own_code: str | None = None) -> str:
    """A text with a code in front of it.

    Parameters
    ----------
    text
        The text, which may begin with a code already.
    code
        The code to put there; None to put none. Where another program has put the same, it is not
        put there twice.
    own_code
        The code that the plugin put there before, and that goes; None if it put none.
    """
    bare = _without(text, own_code)
    if code is None or _begins_with(bare, code):
        return bare
    return f"{code}{SEPARATOR}{bare}" if bare else code


def _without(text: str, code: str | None) -> str:
    """A text without a code in front of it."""
    if code is None:
        return text
    return "" if text == code else text.removeprefix(f"{code}{SEPARATOR}")


def _begins_with(text: str, code: str) -> bool:
    """Whether a text begins with a code, however it goes on: `8A`, `08A/9A`, `8A - Energy 7`."""
    return re.match(rf"0?{code}(?!\w)", text) is not None


def code_key(item: Item, setting: str | None) -> list[str]:
    """Bring the Camelot code of an item up to date; does not store the item.

    Parameters
    ----------
    setting
        The setting `camelot_in`: a key of `CODE_PLACES`, `OFF`, or None to change nothing.

    Returns
    -------
    list of str
        Names of the fields to write to the file; empty if it was up to date.
    """
    from .file_keys import key_of

    marker = own(item, CODE_MARKER)
    if setting is None or (setting == OFF and not marker):
        return []
    place = CODE_PLACES.get(setting)
    key = key_of(item) if place else None
    old, new, changed = _read_marker(marker), None, []
    with same_file(item):
        for field in CODE_PLACES.values():
            text = _text_of(item, field)
            code = key.camelot if key is not None and field == place else None
            told = with_code(text, code, old.get(field))
            if told != text:
                item[field] = told
                changed.append(field)
            if code is not None and not _begins_with(_without(text, old.get(field)), code):
                new = f"{code} in {field}"
        if new != marker or changed:
            set_or_clear(item, CODE_MARKER, new)
            changed.append(CODE_MARKER)
    return changed


def _text_of(item: Item, field: str) -> str:
    """The text of a field; that of the file if the file has changed since beets read it.

    `beet update` would overlook the change, because the file is about to be written.
    """
    status = file_status(item)
    if status is not None and 0 < item.mtime < int(status.st_mtime):
        with suppress(UnreadableFileError):
            return getattr(MediaFile(syspath(item.path)), field) or ""
    return item[field] or ""


def coded_text(item: Item, names: Iterable[str]) -> str:
    """What `code_key` made of the fields that it changed, in words."""
    told = (f"{name} {item[name]!r}" for name in names if name != CODE_MARKER)
    return ", ".join(told) or "Camelot code up to date"


def _read_marker(text: Any) -> dict[str, str]:
    """The code that the plugin put into a field, by the name of the field; empty if it put none."""
    match = _MARKER_FORM.fullmatch(str(text or "").strip())
    return {match[2]: match[1]} if match else {}


def set_fields(media: MediaFile, fields: Mapping[str, Any]) -> None:
    """Set fields of an open file as mediafile does, but texts with a code only get that in front.

    A file may have several comments: in other languages, as `DESCRIPTION` and as `COMMENT`, or
    several in one tag. beets reads one of them, and mediafile would write that over all others. Nor
    need the library know what another program has written to the file. So each text of the file
    gets the code in front of what it says.

    Parameters
    ----------
    fields
        Values by mediafile's names; None deletes a tag.
    """
    texts: set[str] = set()
    if CODE_MARKER in fields:
        old, new = _read_marker(getattr(media, CODE_MARKER)), _read_marker(fields[CODE_MARKER])
        texts = {name for name in CODE_PLACES.values() if fields.get(name) is not None}
        for name in texts:
            _set_text(media, name, fields[name], new.get(name), old.get(name))
    media.update({name: value for name, value in fields.items() if name not in texts})


def _set_text(
    media: MediaFile, name: str, text: str, code: str | None, own_code: str | None
) -> None:
    """Put a code before all texts in the tags of a field; if there is none, set it to a text."""
    styles = MediaFile.__dict__[name].styles(media.mgfile)
    edit = partial(with_code, code=code, own_code=own_code)
    edited = [_edit(style, media.mgfile, edit) for style in styles]
    if not any(edited):
        media.update({name: text or None})


def _edit(style: StorageStyle, file: Any, edit: Callable[[str], str]) -> bool:
    """Change the first text in each tag of a style; a tag without text goes.

    Returns
    -------
    bool
        Whether the file has such a tag.
    """
    if isinstance(style, MP3StorageStyle):
        wanted = style.description.lower() if isinstance(style, MP3DescStorageStyle) else None
        frames = file.tags.getall(style.key)
        frames = [f for f in frames if f.text and (wanted is None or f.desc.lower() == wanted)]
        for frame in frames:
            frame.text = [edit(str(frame.text[0])), *frame.text[1:]]
            if not any(frame.text):
                file.tags.delall(frame.HashKey)
        return bool(frames)
    values = list(file[style.key]) if style.key in file else []
    if not values:
        return False
    values[0] = edit(str(style.deserialize(values[0])))
    if len(values) == 1 and not values[0]:
        del file[style.key]
    else:
        file[style.key] = values
    return True
