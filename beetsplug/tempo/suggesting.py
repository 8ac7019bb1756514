"""Tracks of a library to label next, as `beet tempo-eval` lists them."""

from __future__ import annotations

from dataclasses import dataclass
from math import log2
from typing import TYPE_CHECKING, Any

from tempo_core.console import counted, shown
from tempo_core.errors import StorageError, reason
from tempo_core.exports.playlist import playlist
from tempo_core.tempi import FASTEST_TEMPO, SLOWEST_TEMPO

from .items import OCTAVE, bpm_of, genres_of, own
from .origin import is_ours
from .playlists import entry_of
from .progress import name_of
from .selecting import Selection, items_of
from .suggested import remember
from .training import training_folder

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from beets.library import Item, Library
    from beets.logging import BeetsLogger

    from trainer.learning.suggestions import SuggestionCandidate
    from trainer.trainingset.tables import LabelledTrack

SUGGESTIONS_TABLE, SUGGESTIONS_LIST = "suggestions.tsv", "suggestions.m3u8"
# [BPM] People prefer to count near this (van Noorden and Moelants, "Resonance in the perception of
# musical pulse", Journal of New Music Research 1999).
PREFERRED = 120.0


@dataclass(frozen=True)
class Suggestion:
    """A track to label, with its estimated tempo [BPM] and how sure its octave is, 0..1."""

    item: Item
    bpm: float
    octave_confidence: float

    @property
    def other(self) -> float:
        """The other reading of the tempo [BPM], see `usual_octave`."""
        return usual_octave(self.bpm)

    @property
    def line(self) -> str:
        """Line for people."""
        return (
            f"  {shown(name_of(self.item))}: {self.bpm:.2f} or {self.other:.2f} BPM "
            f"(octave {self.octave_confidence:.2f}, id:{self.item.id})"
        )


def usual_octave(bpm: float) -> float:
    """The other reading of a tempo [BPM]: the more usual one of half and double.

    It is the model's own second choice for 98 of 100 recordings whose octave is unsure.
    """
    return min(bpm / 2, 2 * bpm, key=lambda tempo: abs(log2(tempo / PREFERRED)))


def suggest_tracks(
    lib: Library,
    args: list[str],
    labelled: Sequence[LabelledTrack],
    folder: Path,
    settings: Any,
    log: BeetsLogger,
) -> list[str]:
    """Choose tracks to label next, write a table and a playlist of them, and remember them.

    Nothing is analysed: what the library knows of its tracks decides. An earlier list in the folder
    is removed if there is nothing to suggest.

    Parameters
    ----------
    args
        The query that the tracks must match.
    labelled
        Tracks that match it and have a label.
    folder
        Where the table and the playlist are written.

    Returns
    -------
    list of str
        Lines for people.

    Raises
    ------
    StorageError
        If something cannot be written or removed.
    """
    found = _choose(lib, args, labelled, settings.suggest)
    if not found:
        for path in (folder / SUGGESTIONS_TABLE, folder / SUGGESTIONS_LIST):
            try:
                if path.exists():
                    path.unlink()
            except OSError as error:
                raise StorageError(
                    f"{path}: an earlier list that cannot be removed ({reason(error)}); give "
                    "another --out"
                ) from error
        return _why_none(lib, args) if settings.suggest else []
    _write(found, folder)
    remember(training_folder(lib, settings), {s.item.filepath: s.bpm for s in found}, log)
    first = found[0]
    return [
        f"{counted(len(found), 'track')} to label next: how you count these says most about the "
        f"others; in {folder / SUGGESTIONS_LIST}",
        *(one.line for one in found),
        f"`beet modify id:{first.item.id} bpm={first.other:.0f}` says that the other reading is "
        f"yours, `beet modify id:{first.item.id} tempo_source=manual` that the first is; then "
        "`beet tempo-train`",
    ]


def _choose(
    lib: Library, args: list[str], labelled: Sequence[LabelledTrack], n: int
) -> list[Suggestion]:
    """The `n` tracks to label next, the most valuable first; fewer if fewer are unsure."""
    from trainer.learning.suggestions import SURE_OCTAVE, suggest

    if not n:
        return []
    paths = {track.path for track in labelled}
    unsure = [
        item
        for item in _with_octave(lib, args, SURE_OCTAVE)
        if item.filepath not in paths and (is_ours(item) or not bpm_of(item))
    ]
    chosen = suggest([_candidate(item) for item in unsure], [_known(t) for t in labelled], n)
    return [Suggestion(item, own(item, "tempo_bpm"), own(item, OCTAVE))
            for item in (unsure[k] for k in chosen)]  # fmt: skip


def _with_octave(lib: Library, args: list[str], most: float) -> Iterator[Item]:
    """Tracks that match, have an estimate whose octave is at most this sure, and a file."""
    where = (
        f"items.id IN (SELECT entity_id FROM item_attributes WHERE key = '{OCTAVE}' "
        f"AND CAST(value AS REAL) <= {most:g})"
    )
    ids = Selection(lib, args, pretend=True).ids(where)
    for item in items_of(lib, ids):
        values = own(item, OCTAVE), own(item, "tempo_bpm"), own(item, "tempo_confidence")
        if not all(isinstance(value, float) for value in values):
            continue  # somebody's own text
        octave, bpm, confidence = values
        right = 0 <= octave <= most and 0 <= confidence <= 1
        if right and SLOWEST_TEMPO <= bpm <= FASTEST_TEMPO and item.filepath.is_file():
            yield item


def _candidate(item: Item) -> SuggestionCandidate:
    """What is known of an estimated track."""
    from trainer.learning.suggestions import SuggestionCandidate

    return SuggestionCandidate(
        own(item, "tempo_bpm"), own(item, "tempo_confidence"), own(item, OCTAVE),
        item.artist, item.album, genres_of(item),
    )  # fmt: skip


def _known(track: LabelledTrack) -> SuggestionCandidate:
    """What is known of a labelled track."""
    from trainer.learning.suggestions import SuggestionCandidate

    return SuggestionCandidate(track.bpm, artist=track.artist, album=track.album, genre=track.genre)


def _write(found: Sequence[Suggestion], folder: Path) -> None:
    """Write the table and the playlist, each atomically."""
    from trainer.evaluation.saving import make_folder
    from trainer.files import write_text, write_tsv

    make_folder(folder)
    write_tsv(
        folder / SUGGESTIONS_TABLE,
        ("path", "bpm", "other", "octave_confidence", "artist", "title", "id"),
        (
            (s.item.filepath, f"{s.bpm:.2f}", f"{s.other:.2f}", f"{s.octave_confidence:.4f}",
             s.item.artist, s.item.title, s.item.id)
            for s in found
        ),
    )  # fmt: skip
    write_text(folder / SUGGESTIONS_LIST, playlist(entry_of(one.item) for one in found))


def _why_none(lib: Library, args: list[str]) -> list[str]:
    """A line if tracks were analysed by a version that did not say how sure the octave is."""
    has = "items.id IN (SELECT entity_id FROM item_attributes WHERE key = '{}')"
    older = f"{has.format('tempo_confidence')} AND NOT {has.format(OCTAVE)}"
    n_older = len(Selection(lib, args, pretend=True).ids(older))
    if not n_older:
        return []
    return [
        f"{counted(n_older, 'track')} analysed by an earlier version that did not say how sure "
        "the octave is, so none of them is suggested to be labelled; "
        "`beet tempo -f tempo_source::^model:` analyses again"
    ]
