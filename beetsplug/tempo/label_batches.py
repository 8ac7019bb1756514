"""Storing the labels of tracks in batches, which in a large library takes a fraction of the time.

Each transaction waits for the disk, so one for every track takes longer than all the rest where
labels come from a file and not from a site. What a batch has not stored yet is in the label store
already: after `kill -9` the next run takes it from there. Where tags are written too, a track is
stored and its file written before the next one, as everywhere.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from .camelot_tags import code_key
from .file_keys import remember_key
from .items import file_status, own
from .keeping import PENDING, announce, catch_up, keep, store, store_each, tried
from .label_fields import apply_label, set_fields
from .marking import KEY
from .selecting import items_of

if TYPE_CHECKING:
    import os
    from collections.abc import Callable

    from beets.library import Item, Library
    from typing_extensions import Self

    from tempo_core.labels.lookup import LookedUp
    from tempo_core.labels.record import TrackQuery

    from .grid_labels import ImportedGrids

MAX_SIZE = 200  # tracks in one transaction
MAX_AGE = 0.5  # [s] after which a batch is stored although it is small


@dataclass(frozen=True)
class LabelledTrack:
    """A track of the library, and what was found about it.

    Attributes
    ----------
    item
        As it was when labels were looked up.
    tags
        The tags of its file; None if they could not be read.
    seen
        The state of the file before they were read; None if there was no file.
    found
        What the sources say.
    """

    item: Item
    tags: TrackQuery | None
    seen: os.stat_result | None
    found: LookedUp

    def tags_of(self, item: Item) -> TrackQuery | None:
        """The tags of the item's file as it is now; None if it changed since they were read."""
        return self.tags if _times(file_status(item)) == _times(self.seen) else None


def _times(status: os.stat_result | None) -> tuple[int, ...] | None:
    if status is None:
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


@dataclass(frozen=True)
class Applying:
    """Whether empty fields are filled and files written.

    `grids` are those of an imported file; `camelot_in` is where the Camelot code of a key that is
    filled in goes, see `code_key`.
    """

    apply: bool
    write: bool
    grids: ImportedGrids | None
    camelot_in: str | None

    def set(self, item: Item, track: LabelledTrack) -> None:
        """Set the fields of an item that follow from its labels, and note tags to be written.

        Does not store the item.
        """
        set_fields(item, track.found)
        changed: list[str] = []
        tags = track.tags_of(item)
        if self.apply:
            catch_up(item, tags=tags)
            changed = apply_label(item, track.found.chosen)
        if KEY.field in changed:
            changed += code_key(item, self.camelot_in)
        if self.grids is not None:
            self.grids.apply(item, track.found)
        if self.write:
            announce(item, changed)
        if not self.writes(item):  # else afterwards, because writing changes the times of the file
            remember_key(item, tags)

    def writes(self, item: Item) -> bool:
        """Whether tags are to be written to the file of an item whose fields are set."""
        return self.write and bool(own(item, PENDING))


class LabelBatches:
    """Tracks whose labels are stored together; use as a context manager.

    The last batch is stored at the end, also of a run in which the sources failed.

    Parameters
    ----------
    applying
        What is done with the labels.
    stopped
        Whether the run was interrupted. Then no further file is written; tracks whose files would
        have been are left to the next run.
    finished
        Called for each track that is stored, in their order, with the error of the track or None.

    Raises
    ------
    sqlite3.Error
        On leaving and from `add`, if the library cannot be written.
    """

    def __init__(
        self,
        lib: Library,
        applying: Applying,
        stopped: Callable[[], bool],
        finished: Callable[[Item, LookedUp, Exception | None], None],
    ) -> None:
        self._lib = lib
        self._applying = applying
        self._stopped = stopped
        self._finished = finished
        self._batch: list[LabelledTrack] = []
        self._stored_at = float("-inf")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if error is None or isinstance(error, Exception):
            self._store()

    def add(self, track: LabelledTrack) -> None:
        """Add a track, and store the batch if it is large or old enough."""
        self._batch.append(track)
        if (
            len(self._batch) >= MAX_SIZE
            or self._stopped()
            or time.monotonic() - self._stored_at >= MAX_AGE
        ):
            self._store()
            self._stored_at = time.monotonic()

    def _store(self) -> None:
        batch, self._batch = self._batch, []
        if not batch:
            return
        # Read again, so that changes made to the items in the meantime are not lost.
        ids = [one.item.id for one in batch if one.item.id is not None]
        items = {item.id: item for item in items_of(self._lib, ids)}
        tracks = [(items.get(one.item.id, one.item), one) for one in batch]
        problems = [tried(partial(self._set, item, one)) for item, one in tracks]
        together = [
            k
            for k, ((item, _), problem) in enumerate(zip(tracks, problems, strict=True))
            if problem is None and not self._applying.writes(item)
        ]
        stored = store_each(self._lib, [tracks[k][0] for k in together], self._stopped)
        for k, problem in zip(together, stored, strict=True):
            problems[k] = problem
        for (item, one), problem in zip(tracks, problems, strict=True):
            if problem is None and self._applying.writes(item):
                if self._stopped():
                    continue
                problem = tried(partial(self._write, item))
            self._finished(item, one.found, problem)

    def _set(self, item: Item, track: LabelledTrack) -> None:
        self._applying.set(item, track)

    def _write(self, item: Item) -> Exception | None:
        problem = keep(item, (), write=True, stopped=self._stopped)
        if remember_key(item):
            store(item, self._stopped)
        return problem
