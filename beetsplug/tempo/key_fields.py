"""Fields of the estimated key, and whose word an item's `initial_key` is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tempo_core.keys import parse_key

from .items import own, same_file, set_or_clear
from .origin import MANUAL, TAG

if TYPE_CHECKING:
    from beets.library import Item

    from tempo_core import Estimate

KEY = "tempo_key"  # what the analysis found, whatever stands in `initial_key`
SOURCE = "tempo_key_source"


def key_origin(item: Item) -> str:
    """Who said the item's `initial_key`, as in `tempo_key_source`; empty where there is none.

    A key that is not the one that the recorded source gave was set by somebody since: `manual`.
    """
    if not item.initial_key:
        return ""
    source = str(own(item, SOURCE) or "")
    if source.startswith("model:"):
        return source if _same(item, KEY) else MANUAL
    if source.startswith("label:"):
        return source if _same(item, "tempo_label_key") else MANUAL
    if _same(item, "tempo_label_key") and own(item, "tempo_label_source") not in (None, "tags"):
        return f"label:{own(item, 'tempo_label_source')}"
    return source or TAG


def is_key_ours(item: Item) -> bool:
    """Whether an analysis set the item's `initial_key`; then it is no label and no witness."""
    return key_origin(item).startswith("model:")


def apply_key(item: Item, estimate: Estimate, source: str, *, force: bool = False) -> bool:
    """Set the fields that follow from an estimated key; True if `initial_key` changed.

    Neither stores the item nor writes its tags. An `initial_key` that somebody else set stays,
    unless `force`; where no key is likely enough, it stays in any case.

    Parameters
    ----------
    source
        The model that made the estimate, `model:<name>@<hash>`.
    """
    if "key" not in estimate.columns:
        return False
    said = key_origin(item)
    key = estimate.key
    set_or_clear(item, "tempo_key_confidence", estimate.key_confidence)
    is_free = not said or said.startswith("model:") or force
    if key is None or not is_free:
        if key is not None or not said.startswith("model:"):
            set_or_clear(item, KEY, key)  # else the earlier key stays, and what says it is ours
        set_or_clear(item, SOURCE, said or None)
        return False
    item[KEY], item[SOURCE] = key, source
    if item.initial_key == key:
        return False
    with same_file(item):
        item.initial_key = key
    return True


def _same(item: Item, field: str) -> bool:
    """Whether a field holds the same key as `initial_key`, in whatever notation."""
    known = parse_key(str(own(item, field) or ""))
    return known is not None and known == parse_key(item.initial_key)
