"""The store of what the tracks of a library sound like, in a file beside the library.

The embeddings are no fields: beets would carry them into every listing, and they can be made again.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tempo_core.errors import AudioError, CheckpointError, StorageError

from .following import FOLLOWING
from .keeping import patiently

if TYPE_CHECKING:
    from collections.abc import Iterable

    from beets.library import Item, Library
    from beets.logging import BeetsLogger

    from tempo_core import Estimator
    from tempo_core.embeddings import Embedding, Embeddings
    from tempo_core.model import Checkpoint

    from .estimating import Sound

STORE = "tempo-sounds.db"


def store_file(lib: Library) -> Path:
    """Path of the store of a library.

    Raises
    ------
    StorageError
        If the library is in memory only.
    """
    path = Path(os.fsdecode(lib.path))
    if str(path) == ":memory:":
        raise StorageError("a library in memory has no place for what its tracks sound like")
    return path.parent / STORE


def open_store(lib: Library, name: str, log: BeetsLogger, *, read_only: bool = False) -> Embeddings:
    """The store of a library; if its file is damaged, a warning says that it was put aside.

    Parameters
    ----------
    name
        Name of the embeddings, see `tempo_core.tasks.tags.decode.embedding_name`.
    read_only
        Nothing is to be changed, whatever is found.

    Raises
    ------
    StorageError
        As `store_file`.
    """
    from tempo_core.console import shown
    from tempo_core.embeddings import Embeddings

    FOLLOWING.settle()
    return Embeddings(store_file(lib), name, lambda text: log.warning("{}", shown(text)), read_only)


class Sounds:
    """The store during an analysis, which goes on without it where it cannot be used.

    Parameters
    ----------
    estimator
        Estimator of the task `tags` and others.
    """

    def __init__(self, lib: Library, estimator: Estimator, log: BeetsLogger) -> None:
        from tempo_core.tasks.tags.decode import embedding_name

        self._log = log
        self._store: Embeddings | None = None
        try:
            self._store = open_store(lib, embedding_name(estimator.model("tags")), log)
        except StorageError as error:
            self._give_up(error)

    def known(self, path: bytes) -> Embedding | None:
        """The embedding of a file; None if there is none. May be called from any thread."""
        try:
            return None if self._store is None else self._store.get(path)
        except StorageError:
            return None  # `keep` says so

    def keep(self, path: bytes, sound: Sound | None) -> None:
        """Keep what a file was heard to sound like; the first problem is a warning, and the last.

        Parameters
        ----------
        sound
            None if it was not asked for.
        """
        if sound is None or self._store is None:
            return
        FOLLOWING.settle()
        try:
            self._store.put(path, sound.embedding, sound.content)
        except StorageError as error:
            self._give_up(error)
        except AudioError as error:
            self._log.warning("{}: what it sounds like was not kept: {}", os.fsdecode(path), error)

    def _give_up(self, error: StorageError) -> None:
        self._store = None
        self._log.warning(
            "what tracks sound like is not kept: {}; `beet tempo-tags` makes up for it", error
        )


@dataclass(frozen=True, eq=False)
class LibrarySounds:
    """What the tracks of a library sound like, as far as they were listened to.

    Attributes
    ----------
    ids
        Of the tracks.
    embeddings
        (n_tracks, n_dims) in the same order.
    places
        The indices of the tracks in these, by their ids.
    n_unheard
        Number of tracks of the library that were not listened to.
    """

    ids: list[int]
    embeddings: Embedding
    places: dict[int, int]
    n_unheard: int


def sounds_of(lib: Library, log: BeetsLogger) -> LibrarySounds:
    """What the tracks of a library sound like to the model in use.

    Raises
    ------
    CheckpointError, StorageError
        If the model or the store cannot be used.
    """
    from tempo_core.tasks.tags.decode import embedding_name

    with open_store(lib, embedding_name(tags_model()), log) as store:
        keys, embeddings = store.rows()
    paths = paths_of(lib)
    found = [(id_, k) for k, key in enumerate(keys) if (id_ := paths.get(key)) is not None]
    found.sort()
    ids = [id_ for id_, _ in found]
    return LibrarySounds(
        ids,
        embeddings[[k for _, k in found]],
        {id_: place for place, id_ in enumerate(ids)},
        len(paths) - len(ids),
    )


def tags_model() -> Checkpoint[Any]:
    """The model of tags in use.

    Raises
    ------
    CheckpointError
        If it cannot be used.
    """
    from tempo_core import checkpoint

    return checkpoint.load(checkpoint.resolve("default", "tags"), "tags")


def item_moved(item: Item, destination: bytes, log: BeetsLogger) -> None:
    """Note that the file of a track was moved; no problem with the store ends the move."""
    _note(item, destination, log)


def item_removed(item: Item, log: BeetsLogger) -> None:
    """Note that a track was removed from the library, as `item_moved`."""
    _note(item, None, log)


def item_imported_again(item: Item, log: BeetsLogger) -> None:
    """Note where a track is that was in the library before, as `item_moved`.

    beets removes the one of before, and `item_removed` forgets the file; its content is known.
    """
    from tempo_core.tasks.tags.decode import embedding_name

    try:
        if store_file(item.db).exists():
            with open_store(item.db, embedding_name(tags_model()), log) as store:
                store.get(item.path)
    except (StorageError, CheckpointError) as error:
        log.debug("{}", error)  # `beet tempo-tags` finds it


def _note(item: Item, destination: bytes | None, log: BeetsLogger) -> None:
    lib: Any = item._db
    if lib is None:
        return
    try:
        file = store_file(lib)
    except StorageError:
        return
    if file.exists():
        FOLLOWING.add(file, (item.path, destination), log)


def paths_of(lib: Library, ids: Iterable[int] | None = None) -> dict[bytes, int]:
    """The ids of tracks by the absolute paths of their files, in the order that is given.

    Parameters
    ----------
    ids
        Ids of tracks, as far as they still exist; None takes all tracks, by their ids.
    """
    if ids is None:
        sql, values = "SELECT id, path FROM items ORDER BY id", []
    else:
        sql = (
            "SELECT items.id, items.path FROM json_each(?) AS wanted "
            "JOIN items ON items.id = wanted.value ORDER BY wanted.key"
        )
        values = [json.dumps(list(ids))]

    def ask() -> list[Any]:
        with lib.transaction() as transaction:
            return list(transaction.query(sql, values))

    # beets keeps the paths of files in its folder relative to this.
    folder = bytes(lib.directory)
    return {os.path.join(folder, bytes(path)): id_ for id_, path in patiently(ask)}  # noqa: PTH118
