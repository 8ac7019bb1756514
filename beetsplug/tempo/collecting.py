"""Which tracks of a library have a label that a model can learn from, and whose it is."""

from __future__ import annotations

from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, Any

from tempo_core.errors import TempoError
from tempo_core.labels.files import read_track
from tempo_core.labels.record import parse_bpm
from tempo_core.labels.store import Store
from trainer.cleaning import merge
from trainer.collection import LabelledTrack, key_label
from trainer.gathering import published

from .analysing import is_from_label, is_ours, round_half_up
from .labelling import make_options, track_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from beets.library import Item, Library

    from tempo_core.labels.record import Track


def labelled_tracks(lib: Library, query: list[str], settings: Any) -> Iterator[LabelledTrack]:
    """The tracks that match and have a label, each once, with the most trusted of its labels.

    Labels are, in the order of trust: what a person says or corrected (`manual`), published labels
    in the label store that the audio agrees with and whose source may be trained on
    (`label:<site>`), the `bpm` field (`field`), and a tag that says otherwise (`tag`). What this
    plugin estimated is none, and neither is a tag beside it, which may hold an older estimate.

    Raises
    ------
    LabelError
        If the label store cannot be used.
    """
    items = list(lib.items(query))
    ids: list[Any] = [item.id for item in items]
    del items
    database = make_options(lib, settings).database
    with ExitStack() as stack:
        store = None
        if database.exists():
            opened = stack.enter_context(Store(database, read_only=True))
            store = opened if len(opened) else None
        for id_ in ids:
            item = lib.get_item(id_)
            if item is None:
                continue
            labels = list(item_labels(item))
            if store is not None:
                track = track_of(item)
                records = store.current(track.id).values()
                labels += published(records, settings.labels.trainable)
            if labels:
                yield merge([_labelled(item, *label) for label in labels])


def item_labels(item: Item) -> Iterator[tuple[float, str, str]]:
    """(BPM, source, "") of what the item and its file say, without the plugin's own estimates."""
    if not item.bpm or is_ours(item) or is_from_label(item):
        return  # a published label counts by what the store knows of it
    source = item.get("tempo_source", default="", with_album=False)
    # Somebody changed what stood there after an analysis or a label.
    corrected = source.startswith(("model:", "label:"))
    who = "manual" if source == "manual" or corrected else "field"
    tag = _tag(item)
    if tag is not None and item.bpm in (int(tag), round_half_up(tag)):
        # The same, more precisely: beets cuts fractions off.
        yield tag, "tag" if who == "field" else who, ""
        return
    yield float(item.bpm), who, ""
    estimate = item.get("tempo_bpm", default=None, with_album=False)
    written = corrected and estimate and tag and round_half_up(tag) == round_half_up(estimate)
    if tag is not None and not written:
        yield tag, "tag", ""


def _tag(item: Item) -> float | None:
    track: Track | None = None
    with suppress(TempoError):
        track = read_track(item.path)
    return None if track is None else parse_bpm(track.tag_bpm)


def _labelled(item: Item, bpm: float, source: str, title: str) -> LabelledTrack:
    artists = dict.fromkeys(name for name in (item.artist, *item.get("artists", ())) if name)
    return LabelledTrack(
        path=item.filepath,
        bpm=bpm,
        label_source=source,
        artist="; ".join(artists),
        title=item.title,
        album=item.album,
        genre=str(item.get("genre") or "; ".join(item.get("genres") or ())),
        year=item.original_year or item.year or 0,
        recording_id=item.mb_trackid or "",
        label_title=title,
        key=key_label(item.initial_key or ""),
    )
