"""Fields of the estimated key, whose word an item's `initial_key` is, and whether it is known."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tempo_core.keys import parse_key

from .items import has_key, own, set_or_clear
from .marking import KEY
from .origin import MANUAL, TAG, Decision

if TYPE_CHECKING:
    from collections.abc import Mapping

    from beets.library import Item

FOUND_KEY = "tempo_key"  # what the analysis found, whatever stands in `initial_key`
CONFIDENCE = "tempo_key_confidence"  # there if the analysis was asked for the key


def key_origin(item: Item) -> str:
    """Who said the item's `initial_key`, as in `tempo_key_source`; empty where there is none.

    A key that is not the one that the marker or the recorded source gave was set by somebody since:
    `manual`. With `manual` a person confirms a key, whatever the marker says.
    """
    if not has_key(item):
        return ""
    source = str(own(item, KEY.source) or "")
    marked = KEY.said_by_marker(item)
    if marked and source != MANUAL:
        return marked
    if source.startswith("model:"):
        return source if item.initial_key == own(item, FOUND_KEY) else MANUAL
    if source.startswith("label:"):
        return source if _is_of_label(item) else MANUAL
    if _is_of_label(item) and own(item, "tempo_label_source") not in (None, "tags"):
        return f"label:{own(item, 'tempo_label_source')}"
    return source or TAG


def is_key_ours(item: Item) -> bool:
    """Whether an analysis set the item's `initial_key`; then it is no label and no witness."""
    return key_origin(item).startswith("model:")


def is_key_done(item: Item) -> bool:
    """Whether nothing is to be found out about the key of an item.

    It has one, be it somebody's or found by an analysis in this library, or the analysis found none
    that is likely enough.
    """
    if has_key(item):
        return is_key_asked(item) or not KEY.said_by_marker(item).startswith("model:")
    return is_key_asked(item) and not own(item, FOUND_KEY)


def is_key_asked(item: Item) -> bool:
    """Whether an analysis in this library was asked for the key of an item, found or not."""
    return own(item, CONFIDENCE) is not None


def apply_key(
    item: Item, columns: Mapping[str, Any], source: str, *, force: bool = False
) -> Decision | None:
    """Set the fields that follow from an estimated key; neither stores the item nor writes tags.

    An `initial_key` that somebody else set stays, unless `force`; where no key is likely enough, it
    stays in any case.

    Parameters
    ----------
    columns
        Values of the columns that were estimated, by name.
    source
        The model that made the estimate, `model:<name>@<hash>`.

    Returns
    -------
    Decision or None
        What was done with `initial_key`; None if the key was not asked for.
    """
    if "key" not in columns:
        return None
    said, found = key_origin(item), parse_key(columns["key"] or "")
    set_or_clear(item, CONFIDENCE, columns["key_confidence"])
    is_ours = said.startswith("model:")
    if found is not None and (not said or is_ours or force):
        item[FOUND_KEY] = str(found)
        KEY.set(item, found, source)
        return Decision.SET
    if said == MANUAL:
        KEY.drop_marker(item)
    set_or_clear(item, KEY.source, said or None)
    if found is None:
        # An earlier key of an analysis stays, and what says so.
        set_or_clear(item, FOUND_KEY, item.initial_key if is_ours else None)
        return Decision.UNSURE
    item[FOUND_KEY] = str(found)
    return Decision.KEPT if parse_key(item.initial_key) == found else Decision.CONFLICT


def settled_key(item: Item) -> bool:
    """Set `tempo_key_source` to the `key_origin` of an item; returns whether it changed.

    Does not store the item.
    """
    said = key_origin(item)
    if not said or said == own(item, KEY.source):
        return False
    item[KEY.source] = said
    return True


def _is_of_label(item: Item) -> bool:
    """Whether `initial_key` is the key of the published label, in whatever notation."""
    known = parse_key(str(own(item, "tempo_label_key") or ""))
    return known is not None and known == parse_key(item.initial_key)
