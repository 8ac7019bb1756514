"""What a published label sets on an item: the `tempo_label_*` fields, and empty `bpm` and key."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tempo_core.labels.record import LabelVerdict

from .items import bpm_of, same_file, set_or_clear
from .keeping import TEMPO
from .origin import Decision, set_tempo

if TYPE_CHECKING:
    from beets.library import Item

    from tempo_core.labels.lookup import LookedUp
    from tempo_core.labels.record import Record

FIELDS = (
    "tempo_label_bpm", "tempo_label_key", "tempo_label_source", "tempo_label_url",
    "tempo_label_status", "tempo_label_verdict", "tempo_label_date",
)  # fmt: skip


def set_fields(item: Item, labelled: LookedUp) -> None:
    """Write what is known into the item's `tempo_label_*` fields; does not store it.

    If nothing new could be found out, they stay as they are.
    """
    status, chosen = labelled.status, labelled.chosen
    if status is None:
        return
    values: dict[str, Any] = {"tempo_label_status": status.value}
    if chosen is not None:
        values |= {
            "tempo_label_bpm": chosen.bpm,
            "tempo_label_key": chosen.key,
            "tempo_label_source": chosen.source,
            "tempo_label_url": chosen.url,
            "tempo_label_verdict": chosen.verdict.value,
            "tempo_label_date": chosen.fetched_at[:10],
        }
    for field in FIELDS:
        set_or_clear(item, field, values.get(field) or None)


def apply_label(item: Item, label: Record | None) -> list[str]:
    """Let a label fill what is empty; returns the names of the fields that changed.

    `bpm` is filled where nothing else says a tempo. Where the audio was analysed the label has
    nothing to add: agreeing, it is less precise, and disagreeing, it is a question. `initial_key`
    is filled where it is empty, from a label whose tempo the audio does not contradict.
    """
    if label is None or label.verdict not in (LabelVerdict.AGREE, LabelVerdict.NO_ESTIMATE):
        return []
    changed: list[str] = []
    if not bpm_of(item) and label.bpm:
        set_tempo(item, label.bpm, f"label:{label.source}")
        agrees = label.verdict is LabelVerdict.AGREE
        set_or_clear(item, "tempo_verdict", Decision.KEPT.word if agrees else None)
        changed += TEMPO
    if not item.initial_key and label.key:
        with same_file(item):
            item.initial_key = label.key
        changed.append("initial_key")
    return changed
