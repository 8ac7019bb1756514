"""Fields that a published label sets: `tempo_label_*`, and `bpm` and `initial_key` if empty."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tempo_core.keys import parse_key
from tempo_core.labels.record import KeyVerdict, LabelVerdict

from .items import bpm_of, has_key, locked_tempo, same_file, set_or_clear
from .marking import KEY, TEMPO
from .origin import Decision

if TYPE_CHECKING:
    from beets.library import Item

    from tempo_core.labels.lookup import LookedUp
    from tempo_core.labels.record import Record

LABEL_FIELDS = (
    "tempo_label_bpm", "tempo_label_key", "tempo_label_source", "tempo_label_url",
    "tempo_label_status", "tempo_label_verdict", "tempo_label_key_verdict", "tempo_label_date",
)  # fmt: skip


def set_fields(item: Item, labelled: LookedUp) -> None:
    """Set the item's `tempo_label_*` fields to the result of a look-up; does not store the item.

    They stay as they are if no source was asked yet.
    """
    status, chosen = labelled.status, labelled.chosen
    if status is None:
        return
    values: dict[str, Any] = {"tempo_label_status": status.value}
    key_verdict = labelled.keys.verdict
    if key_verdict is not KeyVerdict.NO_ESTIMATE:
        values["tempo_label_key_verdict"] = key_verdict.value
    if chosen is not None:
        values |= {
            "tempo_label_bpm": chosen.bpm,
            "tempo_label_key": chosen.key,
            "tempo_label_source": chosen.source,
            "tempo_label_url": chosen.url,
            "tempo_label_verdict": chosen.verdict.value,
            "tempo_label_date": chosen.fetched_at[:10],
        }
    for field in LABEL_FIELDS:
        set_or_clear(item, field, values.get(field) or None)


def apply_label(item: Item, label: Record | None) -> list[str]:
    """Fill an empty `bpm` and an empty `initial_key` from a label; does not store the item.

    A label whose tempo the audio contradicts fills nothing, and neither does None.

    Returns
    -------
    list of str
        Names of the fields that changed.
    """
    if label is None or label.verdict not in (LabelVerdict.AGREE, LabelVerdict.NO_ESTIMATE):
        return []
    changed: list[str] = []
    if not bpm_of(item) and label.bpm and locked_tempo(item) is None:
        TEMPO.set(item, label.bpm, f"label:{label.source}")
        agrees = label.verdict is LabelVerdict.AGREE
        set_or_clear(item, "tempo_verdict", Decision.KEPT.word if agrees else None)
        changed += TEMPO.tags
    if not has_key(item) and label.key:
        changed += _set_key(item, label.key, label.source)
    return changed


def _set_key(item: Item, text: str, source: str) -> tuple[str, ...]:
    """Set the key of a label; returns the names of the fields that changed and are tags."""
    key = parse_key(text)
    if key is not None and source != "tags":
        KEY.set(item, key, f"label:{source}")
        return KEY.tags
    with same_file(item):  # it is in the file already, and stays the word of who wrote it there
        item.initial_key = text
    return (KEY.field,)
