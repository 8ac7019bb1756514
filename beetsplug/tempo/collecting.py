"""Labels in a library that a model can learn from, each with its source."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from tempo_core.background import TIME_LIMIT
from tempo_core.genres import parts_of
from tempo_core.keys import parse_key
from tempo_core.labels.record import LabelVerdict, parse_bpm
from tempo_core.labels.store import Store
from tempo_core.levels import RELATIVES
from tempo_core.tempi import round_half_up
from trainer.trainingset.clean import merge
from trainer.trainingset.gather import published
from trainer.trainingset.tables import LabelledTrack, key_label

from .choosing import MAY_BE_KEYED, MAY_BE_LABEL, MAY_BE_STATED
from .describing import OF_TRACK_ID, tags_of_file, track_id
from .file_keys import key_of
from .filling import SUGGESTED
from .items import bpm_of, genres_of, own
from .key_fields import is_key_ours, key_origin
from .labelling import make_options
from .light import light_items
from .origin import MANUAL, is_from_label, is_ours, origin, stated_tempo
from .selecting import Selection, items_of
from .stated import stated_paces

if TYPE_CHECKING:
    from collections.abc import Iterator

    from beets.library import Item, Library

    from tempo_core.keys import Key

LABEL = "label:"  # before the name of the site in the source of a published label
# [characters] of a text that goes into tables: one of more than 131,072 cannot be read from them.
LONGEST_TEXT = 10_000


def labelled_tracks(lib: Library, query: list[str], settings: Any) -> Iterator[LabelledTrack]:
    """The tracks that match a query and have a label, each once, with its most trusted label.

    The kinds of labels, in the order of trust, are: a tempo that a person set or corrected
    (`manual`), a published label in the label store that the audio agrees with and whose source may
    be trained on (`label:<site>`), the `bpm` field (`field`), and a tag that differs from it
    (`tag`). A tempo that the plugin estimated is no label. Neither is a tag beside such a tempo,
    which may be an older estimate.

    Raises
    ------
    LabelError
        If the label store cannot be used.
    """
    # `pretend`: changes since the last `beet tempo` are taken into account, but not stored here.
    selection = Selection(lib, query, pretend=True)
    said = set(selection.ids(MAY_BE_LABEL))
    with Store(make_options(lib, settings).database, read_only=True) as store:
        known = _found(lib, selection, store)
        for item in items_of(lib, (id_ for id_ in selection.ids() if id_ in said or id_ in known)):
            labels = list(item_labels(item, settings.time_limit)) if item.id in said else []
            if item.id in known:
                # An earlier version may have stored the plugin's own tempo as a label of `tags`.
                own_tag = is_ours(item) or is_from_label(item)
                records = [
                    record
                    for record in store.current(track_id(item)).values()
                    if not (own_tag and record.source == "tags")
                ]
                labels += published(records, settings.labels.trainable)
            if labels:
                yield merge([_labelled(item, *label) for label in labels])


def _found(lib: Library, selection: Selection, store: Store) -> set[int]:
    """Ids of those tracks for which the label store has something."""
    found = store.found()
    if not found:
        return set()
    items = light_items(lib, selection.ids(), OF_TRACK_ID)
    return {item.id for item in items if item.id is not None and track_id(item) in found}


def tracks_with_paces(lib: Library, query: list[str]) -> Iterator[tuple[Item, tuple[float, ...]]]:
    """The tracks that match a query and have paces [BPM] that a person stated."""
    for item in items_of(lib, Selection(lib, query).ids(MAY_BE_STATED)):
        if paces := stated_paces(item):
            yield item, paces


def keyed_tracks(
    lib: Library, query: list[str], settings: Any, *, trainable: bool
) -> Iterator[LabelledTrack]:
    """The tracks that match a query and have a key that a person, a program or a site gave.

    Their `bpm` is 0. See `key_said` for whose key counts.

    Parameters
    ----------
    trainable
        Leave out keys of sites that a model may not be trained on.
    """
    for item in items_of(lib, Selection(lib, query, pretend=True).ids(MAY_BE_KEYED)):
        said = key_said(item)
        if said is None:
            continue
        key, source = said
        site = source.removeprefix(LABEL) if source.startswith(LABEL) else None
        if site is None or not trainable or site in settings.labels.trainable:
            track = _labelled(item, 0.0, source, "")
            yield dataclasses.replace(track, key=str(key))


def key_said(item: Item) -> tuple[Key, str] | None:
    """The key of an item and who gave it, None if nobody did; the analysis's own is none.

    It is `initial_key`, as the file says it where beets misread that. Where there is none, or the
    analysis filled it in, it is the published key of a recording whose tempo the audio agrees with:
    that shows that it is this recording.
    """
    source = key_origin(item)
    if source and not is_key_ours(item):
        key = key_of(item)
        return None if key is None else (key, source)
    site = own(item, "tempo_label_source")
    known = site not in (None, "tags")
    if known and own(item, "tempo_label_verdict") == LabelVerdict.AGREE.value:
        key = parse_key(str(own(item, "tempo_label_key") or ""))
        return None if key is None else (key, f"{LABEL}{site}")
    return None


def tagged_tracks(
    lib: Library, query: list[str], field: str
) -> Iterator[tuple[LabelledTrack, frozenset[str]]]:
    """The tracks that match a query and have a value in a field, each with the names in it.

    A value may be a list, or a text with several names and separators between them. One that a
    suggestion from the sound filled in is no label. The tracks' `bpm` is 0.
    """
    for item in items_of(lib, Selection(lib, query, pretend=True).ids()):
        if field in str(own(item, SUGGESTED) or "").split():
            continue
        if names := frozenset(parts_of(_texts(item, field))):
            yield _labelled(item, 0.0, "field", ""), names


def _texts(item: Item, field: str) -> list[str]:
    """What a field of an item says, as texts; nothing if it is empty or no text."""
    value = genres_of(item) if field in ("genre", "genres") else own(item, field)
    values = value if isinstance(value, (list, tuple)) else [value]
    return [str(one)[:LONGEST_TEXT] for one in values if one and isinstance(one, (str, int, float))]


def item_labels(item: Item, time_limit: float = TIME_LIMIT) -> Iterator[tuple[float, str, str]]:
    """Labels in an item and its file, without estimates of the plugin.

    Yields
    ------
    tuple of float, str, str
        Tempo [BPM], source, and an empty title, which only published labels have.
    """
    source, bpm = origin(item), bpm_of(item)
    if not bpm or source.startswith(("model:", "label:")):
        return  # a published label is taken from the label store instead
    who = MANUAL if source == MANUAL else "field"
    stated = stated_tempo(item)
    tags = tags_of_file(item, time_limit)
    tag = None if tags is None else parse_bpm(tags.tag_bpm)
    if tag is not None and bpm in (int(tag), round_half_up(tag)):
        # The tag has the fraction that beets cuts off from the field.
        yield stated or tag, "tag" if who == "field" else who, ""
        return
    yield stated or float(bpm), who, ""
    # The tag may hold an estimate from before a person corrected the tempo in the library.
    estimate = own(item, "tempo_bpm")
    said = [round_half_up(estimate * ratio) for ratio in RELATIVES] if estimate else []
    written = who == MANUAL and tag in said
    if tag is not None and not written:
        yield tag, "tag", ""


def _labelled(item: Item, bpm: float, source: str, title: str) -> LabelledTrack:
    """An item with one label; `title` is the title of the track at the source of the label."""
    artists = dict.fromkeys(name for name in (item.artist, *item.get("artists", ())) if name)
    return LabelledTrack(
        path=item.filepath,
        bpm=bpm,
        label_source=source,
        artist="; ".join(artists)[:LONGEST_TEXT],
        title=item.title[:LONGEST_TEXT],
        album=item.album[:LONGEST_TEXT],
        genre=genres_of(item)[:LONGEST_TEXT],
        year=item.original_year or item.year or 0,
        recording_id=(item.mb_trackid or "")[:LONGEST_TEXT],
        label_title=title,
        key="" if is_key_ours(item) else key_label(item.initial_key or ""),
    )
