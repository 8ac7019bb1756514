"""The work of `beet tempo-tags`: what tracks sound like, in words, from what was heard before.

Only tracks whose embedding is not in the store are listened to. The words of all others follow from
their embeddings, so that a model with other tags needs no audio.
"""

from __future__ import annotations

import json
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any

from beets import plugins, ui
from beets.exceptions import UserError

from tempo_core.background import interruptible
from tempo_core.console import counted
from tempo_core.errors import AudioError, StorageError, TempoError
from tempo_core.sound_tags import format_tags, parse_tags
from tempo_core.tasks.tags.decode import (
    embedding_name,
    tag_probabilities,
    tag_texts,
    tags_from,
    tags_of,
)

from .choosing import FAILED
from .estimating import Sound, estimate_all, load_estimator, sound_of
from .guarding import library_errors
from .items import own
from .keeping import (
    atomically,
    fails_again,
    forget_failure,
    note_failure,
    patiently,
    pending,
    store,
    tried,
)
from .progress import Progress, name_of, print_line, told_tags
from .selecting import Selection, as_it_is, each_item, items_of
from .skipping import NotMusic
from .sound_queries import LIKELY, SOUND_TAGS
from .sounds import open_store, paths_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from beets.library import Item, Library
    from beets.logging import BeetsLogger

    from tempo_core import Estimator
    from tempo_core.embeddings import Embeddings

BATCH = 5000  # tracks whose words are computed at a time
MOST_TOLD = 15  # words in this table


@dataclass(frozen=True)
class Work:
    """What there is to do.

    Attributes
    ----------
    paths
        Ids of all tracks that match, by the paths of their files.
    listen
        Ids of those that have to be listened to.
    skipped, not_music
        Number of tracks that are left out: they failed before and have not changed, or are no
        music.
    """

    paths: dict[bytes, int]
    listen: list[int]
    skipped: int
    not_music: int


class TagsProgress(Progress):
    """Progress of finding tags, with counts.

    Attributes
    ----------
    done
        Ids of the tracks that are finished.
    words
        Number of tracks with each likely word.
    """

    def __init__(self, work: Work, **options: Any) -> None:
        super().__init__(len(work.listen), **options)
        self._work = work
        self._n_known = 0
        self._n_changed = 0
        self._n_heard = 0
        self.done: set[int] = set()
        self.words: Counter[str] = Counter()

    def found(self, item: Item, text: str, *, is_heard: bool, has_changed: bool) -> None:
        """Report the words of a track that was listened to, or known by its content."""
        self.done.add(item.id or 0)
        self._n_heard += is_heard
        self._n_known += not is_heard
        self.count(text, has_changed=has_changed)
        self.line(f"{name_of(item)}: {told_tags(text)}")

    def known(self, text: str, *, has_changed: bool) -> None:
        """Count the words of a track that was not listened to."""
        self._n_known += 1
        self.count(text, has_changed=has_changed)

    def count(self, text: str, *, has_changed: bool) -> None:
        """Count the words of a track."""
        self._n_changed += has_changed
        self.words.update(word for word, value in parse_tags(text).items() if value >= LIKELY)

    def summary(self) -> str:
        """Counts of the run in one line."""
        would = "would have: " if self._pretend else ""
        told = (
            f"{would}{counted(len(self._work.paths), 'track')}: {self._n_heard} listened to, "
            f"{self._n_known} known before; {self._n_changed} changed, {self.failed} failed"
        )
        if self._work.skipped:
            told += (
                f"; {self._work.skipped} skipped that failed before and did not change "
                "(beet ls tempo_failure::., --retry tries again)"
            )
        if self._work.not_music:
            told += f"; {self._work.not_music} skipped: not music"
        return told


def tag_library(lib: Library, args: list[str], settings: Any, log: BeetsLogger) -> None:
    """Find the tags of the tracks that match a query, store them, and print what was found.

    Raises
    ------
    UserError
        If the model cannot be loaded, a track failed, the library or the store cannot be used, or
        the run was interrupted.
    """
    with library_errors("nothing was done"), interruptible() as stop:
        try:
            estimator = load_estimator(settings, stop.is_set, ("tags",))
        except (TempoError, ImportError) as error:
            raise UserError(str(error)) from error
        name = embedding_name(estimator.model("tags"))
        with open_store(lib, name, log, read_only=settings.pretend) as embeddings:
            work = choose(lib, args, settings, embeddings)
            progress = TagsProgress(work, quiet=settings.quiet, pretend=settings.pretend, log=log)
            with library_errors(progress.summary):
                with progress:
                    _listen(lib, work, estimator, embeddings, settings, progress, stop.is_set)
                _tell(lib, work, estimator, embeddings, settings, progress, stop.is_set)
                if not args and not settings.pretend and not stop.is_set():
                    embeddings.prune(paths_of(lib))
    if stop.is_set():
        raise UserError(f"interrupted: {progress.summary()}; the next run continues from here")
    if not settings.quiet:
        _print_words(progress.words)
    if progress.failed:
        raise UserError(progress.summary())
    if not settings.quiet:
        ui.print_(f"tempo-tags: {progress.summary()}")


def choose(lib: Library, args: list[str], settings: Any, embeddings: Embeddings) -> Work:
    """What there is to do for the tracks that match a query."""
    selection = Selection(lib, args, album=bool(settings.album), pretend=True)
    paths = paths_of(lib, selection.ids())
    known = set() if settings.force else set(embeddings.rows()[0])
    lacking = [id_ for path, id_ in paths.items() if path not in known]
    not_music = NotMusic(settings.skip)
    left_out = set()
    if not_music and not (settings.force and args):
        left_out = not_music.among(items_of(lib, lacking))
    hopeless: set[int] = set()
    if not settings.retry and not settings.force:
        failed = set(selection.ids(FAILED)).intersection(lacking) - left_out
        # A tag that cannot be written does not keep from listening.
        hopeless = {
            item.id or 0
            for item in items_of(lib, sorted(failed))
            if fails_again(item) and not pending(item)
        }
    listen = [id_ for id_ in lacking if id_ not in left_out and id_ not in hopeless]
    return Work(paths, listen, len(hopeless), len(left_out))


def _listen(
    lib: Library,
    work: Work,
    estimator: Estimator,
    embeddings: Embeddings,
    settings: Any,
    progress: TagsProgress,
    stopped: Callable[[], bool],
) -> None:
    """Listen to tracks, keep their embeddings and store their tags."""
    model = estimator.model("tags")

    def listen(path: bytes) -> Sound:
        # A file that is not known by its path may be so by its content.
        known = None
        if not settings.force:
            with suppress(StorageError):  # `put` says so
                known = embeddings.get(path)
        if known is not None:
            return Sound(known, None)
        return sound_of(path, estimator.results(path)["tags"].embedding)

    items = each_item(lib, work.listen)
    limit = settings.time_limit
    for heard, result in estimate_all(listen, items, settings.threads, stopped, limit):
        item = as_it_is(lib, heard)
        if item is None:  # removed from the library meanwhile
            progress.advance()
            continue
        if isinstance(result, Exception):
            if not settings.pretend:
                note_failure(item, result)
                tried(partial(store, item, stopped))
            progress.failure(item, result)
            continue
        text = format_tags(tags_from(result.embedding, model))
        has_changed = own(item, SOUND_TAGS) != text
        problem = None
        if not settings.pretend:
            # Before the library, so that a run that is killed in between makes up for it.
            if result.content is not None:
                with suppress(AudioError):  # gone meanwhile; its words are known
                    embeddings.put(heard.path, result.embedding, result.content)
            if not pending(item):
                forget_failure(item)
            item[SOUND_TAGS] = text
            problem = tried(partial(store, item, stopped))
        if problem:
            progress.failure(item, problem)
        else:
            is_heard = result.content is not None
            progress.found(item, text, is_heard=is_heard, has_changed=has_changed)


def _tell(
    lib: Library,
    work: Work,
    estimator: Estimator,
    embeddings: Embeddings,
    settings: Any,
    progress: TagsProgress,
    stopped: Callable[[], bool],
) -> None:
    """Store the tags of those tracks that were not listened to, as far as they changed."""
    model = estimator.model("tags")
    tags = tags_of(model.config)
    keys, known = embeddings.rows()
    rows = {key: k for k, key in enumerate(keys)}
    chosen = iter(
        [
            (id_, rows[path])
            for path, id_ in work.paths.items()
            if path in rows and id_ not in progress.done
        ]
    )
    while (batch := list(islice(chosen, BATCH))) and not stopped():
        ids, places = zip(*batch, strict=True)
        texts = tag_texts(tag_probabilities(known[list(places)], model), tags)
        before = tags_in(lib, ids)
        changed = {}
        for id_, text in zip(ids, texts, strict=True):
            has_changed = before.get(id_) != text
            if has_changed:
                changed[id_] = text
            progress.known(text, has_changed=has_changed)
        if settings.pretend and progress.shows_lines:
            for item in items_of(lib, changed):
                print_line(f"{name_of(item)}: {told_tags(changed[item.id or 0])}")
        elif changed and not settings.pretend:
            store_tags(lib, changed, stopped)


def tags_in(lib: Library, ids: Iterable[int]) -> dict[int, str]:
    """The stored tags of tracks, as text, by their ids."""

    def ask() -> dict[int, str]:
        with lib.transaction() as transaction:
            rows = transaction.query(
                "SELECT entity_id, value FROM item_attributes WHERE key = ? "
                "AND entity_id IN (SELECT value FROM json_each(?))",
                (SOUND_TAGS, json.dumps(list(ids))),
            )
            return dict(map(tuple, rows))

    return patiently(ask)


def store_tags(
    lib: Library, texts: Mapping[int, str], stopped: Callable[[], bool] = lambda: False
) -> None:
    """Store the tags of tracks by their ids, all or none; the items are not loaded for it.

    Raises
    ------
    sqlite3.Error
        If the library cannot be written.
    """
    # A track may have been removed meanwhile.
    statement = (
        "INSERT OR REPLACE INTO item_attributes (entity_id, key, value) "
        "SELECT id, ?, ? FROM items WHERE id = ?"
    )
    values = [(SOUND_TAGS, text, id_) for id_, text in texts.items()]
    atomically(lib, lambda: lib._connection().executemany(statement, values), stopped)
    if plugins.BeetsPlugin.listeners.get("database_change"):  # smart playlists are made anew
        for item in items_of(lib, texts):
            plugins.send("database_change", lib=lib, model=item)


def _print_words(words: Counter[str]) -> None:
    """Print how many tracks have each of the most frequent words."""
    if not words:
        return
    ordered = sorted(words.items(), key=lambda one: (-one[1], one[0]))
    width = max(len(word) for word, _ in ordered[:MOST_TOLD])
    print_line(f"tracks with a word at {LIKELY} or more (beet ls sound:WORD):")
    for word, n in ordered[:MOST_TOLD]:
        print_line(f"  {word:{width}}  {n:6}")
    if len(ordered) > MOST_TOLD:
        print_line(f"  and {counted(len(ordered) - MOST_TOLD, 'further word')}")
