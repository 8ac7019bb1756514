"""Suggestions of `beet tempo-tags --suggest`: values for an empty field, from the sound.

They are made from the embeddings in the store, so no track is listened to.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from beets import ui
from beets.dbcore import types
from beets.exceptions import UserError
from beets.library import Item
from mediafile import MediaFile

from tempo_core.background import interruptible
from tempo_core.console import counted, shown
from tempo_core.genres import is_genre
from tempo_core.sound_tags import word_of
from tempo_core.tasks.tags.decode import embedding_name, tag_probabilities, tags_of

from .guarding import library_errors
from .items import own, same_file, set_or_clear
from .keeping import store, store_each, tried
from .progress import Progress, name_of, print_line
from .selecting import Selection, as_it_is, ask, items_of
from .sounds import open_store, paths_of, tags_model
from .writing import TagError, read_field, write_fields

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from beets.library import Library
    from beets.logging import BeetsLogger

    from tempo_core.sound_tags import Tag

GENRES = "genres"
AT_ONCE = 100  # tracks in one transaction: few, because they are read just before
LEAST = 0.5  # probability from which a value is suggested
SUGGESTED = "sound_suggested"  # the fields of a track that were filled by a suggestion


@dataclass(frozen=True)
class Suggestion:
    """A value for the empty field of a track, and how probable it is, from 0 to 1."""

    id: int
    value: str
    probability: float


def suggest_library(lib: Library, args: list[str], settings: Any, log: BeetsLogger) -> None:
    """Print suggestions for the tracks of a query whose field is empty; write them if asked to.

    Raises
    ------
    UserError
        If the model knows no values of the field, a file could not be written, the library or the
        store cannot be used, or the run was interrupted.
    """
    field = GENRES if settings.field == "genre" else settings.field  # as beets calls it now
    with library_errors("nothing was written"):
        suggestions, n_empty, n_unheard = _suggestions(lib, args, settings, field, log)
        names = {s.id: s for s in suggestions}
        if not settings.quiet:
            for item in items_of(lib, names):
                one = names[item.id or 0]
                print_line(f"{one.probability:.2f} {one.value}  {name_of(item)}")
    if n_unheard and not settings.quiet:
        log.warning("{} not listened to yet; `beet tempo-tags` does", _were(n_unheard))
    told = f"{len(suggestions)} of {counted(n_empty, 'track')} without {field}"
    if not settings.apply or settings.pretend:
        if not settings.quiet:
            ui.print_(f"tempo-tags: a suggestion for {told}; --apply writes them")
        return
    progress = Progress(len(suggestions), quiet=settings.quiet, pretend=False, log=log)
    with library_errors("some were written"), interruptible() as stop, progress:
        n = _apply(lib, suggestions, field, settings, progress, stop.is_set)
    summary = f"{field} of {counted(n, 'track')} filled, {progress.failed} failed"
    if stop.is_set():
        raise UserError(f"interrupted: {summary}; the next run continues from here")
    if progress.failed:
        raise UserError(summary)
    if not settings.quiet:
        undo = f"; `beet modify {SUGGESTED}:{field} {field}= {SUGGESTED}!` undoes it" if n else ""
        ui.print_(f"tempo-tags: {summary}{undo}")


def _were(n: int) -> str:
    return f"{counted(n, 'track')} {'was' if n == 1 else 'were'}"


def _suggestions(
    lib: Library, args: list[str], settings: Any, field: str, log: BeetsLogger
) -> tuple[list[Suggestion], int, int]:
    """Suggestions, the surest first; number of tracks with an empty field, and not listened to."""
    model = tags_model()
    tags = tags_of(model.config)
    columns = columns_of(tags, field)
    if not columns:
        known = sorted({GENRES, *(tag.field for tag in tags if tag.field)})
        raise UserError(
            f"nothing is known of {shown(field)}, only of {', '.join(known)}; "
            f"`beet tempo-train --task tags --field {shown(field)}` learns it"
        )
    selection = Selection(lib, args, album=bool(settings.album), pretend=True)
    paths = paths_of(lib, selection.ids(empty(field)))
    with open_store(lib, embedding_name(model), log, read_only=settings.pretend) as embeddings:
        keys, known_embeddings = embeddings.rows()
    rows = {key: k for k, key in enumerate(keys)}
    ids = [id_ for path, id_ in paths.items() if path in rows]
    if not ids:
        return [], len(paths), len(paths)
    places = [rows[path] for path in paths if path in rows]
    probabilities = tag_probabilities(known_embeddings[places], model)[:, columns]
    best = probabilities.argmax(axis=1)
    values = values_of([tags[k] for k in columns], field, lib)
    least = LEAST if settings.least is None else settings.least
    found = [
        Suggestion(id_, values[k], float(row[k]))
        for id_, row, k in zip(ids, probabilities, best, strict=True)
        if row[k] >= least
    ]
    found.sort(key=lambda one: (-round(one.probability, 2), one.id))
    return found, len(paths), len(paths) - len(ids)


def columns_of(tags: tuple[Tag, ...], field: str) -> list[int]:
    """The indices of those tags that are values of a field.

    They are those learned from it. As long as there are none, words of the package that are genres
    stand for genres; their probabilities mean something else, so the two are not mixed.
    """
    learned = [k for k, tag in enumerate(tags) if tag.field == field]
    if learned or field != GENRES:
        return learned
    return [k for k, tag in enumerate(tags) if not tag.field and is_genre(tag.name)]


def values_of(tags: list[Tag], field: str, lib: Library) -> list[str]:
    """The values that stand for tags: genres as the library spells them, others as learned."""
    spelled = _spellings(lib) if field == GENRES else {}
    names = [tag.name if tag.field else tag.name.title() for tag in tags]
    return [spelled.get(tag.word, name) for tag, name in zip(tags, names, strict=True)]


def _spellings(lib: Library) -> dict[str, str]:
    """The most frequent spelling of each genre in a library, by the word for it."""
    kind = Item._type(GENRES)
    texts = ask(lib, f"SELECT {GENRES} FROM items WHERE ifnull({GENRES}, '') != ''")
    counts: Counter[str] = Counter()
    for text, n in Counter(texts).items():
        for name in kind.from_sql(text):
            counts[name] += n
    ordered = sorted(counts.items(), key=lambda one: (one[1], one[0]))
    return {word_of(name): name for name, _ in ordered}


def empty(field: str) -> str:
    """SQL: a track has no value in a field.

    Raises
    ------
    UserError
        If no field can have this name.
    """
    if not re.fullmatch(r"\w+", field):
        raise UserError(f"--field {shown(field)} is no name of a field")
    if field in Item._fields:
        return f"ifnull(items.{field}, '') = ''"
    return (
        "NOT EXISTS (SELECT 1 FROM item_attributes WHERE entity_id = items.id "
        f"AND key = '{field}' AND value != '')"
    )


def _apply(
    lib: Library,
    suggestions: list[Suggestion],
    field: str,
    settings: Any,
    progress: Progress,
    stopped: Callable[[], bool],
) -> int:
    """Fill the field of tracks that still have none; returns of how many."""
    write = ui.should_write(settings.write) and field in MediaFile.fields()
    values, n = {one.id: one.value for one in suggestions}, 0
    fill = _fill_files if write else _fill_library
    for item, problem in fill(lib, values, field, stopped):
        if item is not None and problem is not None:
            progress.failure(item, problem)
        else:
            n += item is not None
            progress.advance()
    return n


# A track and its error, if it had one; no track where it was removed or its field set meanwhile.
_Outcome = tuple[Item, Exception | None] | tuple[None, None]


def _fill_files(
    lib: Library, values: Mapping[int, str], field: str, stopped: Callable[[], bool]
) -> Iterator[_Outcome]:
    """Fill the field of tracks and of their files, one after another."""
    for heard in items_of(lib, values):  # those that still exist
        if stopped():
            break
        item = as_it_is(lib, heard)
        if item is None or own(item, field):
            yield None, None
        else:
            yield item, tried(partial(_fill, item, field, values[heard.id or 0], stopped))


def _fill_library(
    lib: Library, values: Mapping[int, str], field: str, stopped: Callable[[], bool]
) -> Iterator[_Outcome]:
    """Fill the field of tracks, many in each transaction, which waits for the disk."""
    ids = list(values)
    for start in range(0, len(ids), AT_ONCE):
        if stopped():
            break
        found = list(items_of(lib, ids[start : start + AT_ONCE]))
        empty_ones = [item for item in found if not own(item, field)]
        yield from [(None, None)] * (len(found) - len(empty_ones))
        for item in empty_ones:
            _set(item, field, values[item.id or 0])
            item[SUGGESTED] = _filled(item, field)
        yield from zip(empty_ones, store_each(lib, empty_ones, stopped), strict=True)


def _set(item: Item, field: str, value: str) -> None:
    with same_file(item):  # `beet update` must still see what else has changed in the file
        item[field] = [value] if isinstance(item._type(field), types.DelimitedString) else value


def _filled(item: Item, field: str) -> str:
    """The fields of a track that suggestions have filled, with this one."""
    return " ".join(sorted({*str(own(item, SUGGESTED) or "").split(), field}))


def _fill(item: Item, field: str, value: str, stopped: Callable[[], bool]) -> None:
    """Fill the field of a track and of its file, and store it.

    Raises
    ------
    TagError
        If the tag cannot be written, or the file has another value that the library does not know.
    """
    mark = own(item, SUGGESTED)
    _check_empty(item, field, value)
    # The mark goes first: if the run is killed once the file is written, `beet update` would take
    # the tag for somebody's label. The next run fills the field.
    item[SUGGESTED] = _filled(item, field)
    store(item, stopped)
    try:
        _set(item, field, value)
        write_fields(item, (field,))
    except BaseException:
        item.load()
        set_or_clear(item, SUGGESTED, mark)
        store(item, stopped)
        raise
    store(item, stopped)


def _check_empty(item: Item, field: str, value: str) -> None:
    """Check that the file of a track has no value in a field, or this one from a killed run.

    Raises
    ------
    TagError
        If it has another one, or cannot be read.
    """
    found = read_field(item, field)
    values = found if isinstance(found, list) else [found]
    said = [str(one) for one in values if one]
    if said and said != [value]:
        raise TagError(
            f"its file says {field} {', '.join(said)}, the library does not; `beet update` reads it"
        )
