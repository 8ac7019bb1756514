"""The labels of a task as its learning methods get them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from tempo_core.errors import ConfigError
from tempo_core.keys import Key, parse_key

from ..evaluation.answers import pace_list, read_rows
from ..inputs.note_folders import Pair, find_pairs
from ..inputs.recordings import Recording
from ..trainingset.enough import check
from ..trainingset.tables import CollectedTrack, absolute, file_in_table, read_collection

PACE_COLUMNS = ("path", "paces")  # of a table of statements
KEY_COLUMNS = ("path", "key")  # of a table of keys
TAG_COLUMNS = ("path", "tags")  # of a table of tags
STORE = "tempo-sounds.db"  # beside a table of tags: what the tracks sound like

if TYPE_CHECKING:
    from tempo_core.embeddings import Embedding


class Labels(Protocol):
    """Labels to learn from; their number may choose the method.

    `folder` is where a run keeps what the next one can go on from.
    """

    @property
    def folder(self) -> Path: ...
    def __len__(self) -> int: ...


@dataclass(frozen=True)
class TempoLabels:
    """A training set in a folder. Its length is the number of labels outside the test split."""

    folder: Path
    tracks: Sequence[CollectedTrack]

    def __len__(self) -> int:
        return len(self.for_training)

    @property
    def for_training(self) -> list[CollectedTrack]:
        """Tracks that a model may be learned from or chosen by."""
        return [track for track in self.tracks if track.split != "test"]

    def of_split(self, split: str) -> list[Recording]:
        """Recordings of one split."""
        return [track.recording() for track in self.tracks if track.split == split]


@dataclass(frozen=True)
class PaceLabels:
    """Audio files, each with the tempi [BPM] that one can move to it at, and no others.

    `folder` is for the features of the tracks; an interrupted run goes on from there.
    """

    statements: Sequence[tuple[Path, Sequence[float]]]
    folder: Path

    def __len__(self) -> int:
        return len(self.statements)


@dataclass(frozen=True)
class KeyTrack:
    """A track, described as those of training sets are, and the key that somebody gave it."""

    described: CollectedTrack
    key: Key

    @property
    def path(self) -> Path:
        return self.described.path

    @property
    def split(self) -> str:
        """The split of the training set, empty outside of one."""
        return self.described.split


@dataclass(frozen=True)
class KeyLabels:
    """Tracks with a key. Nothing is kept in `folder`: a run takes a few minutes."""

    tracks: Sequence[KeyTrack]
    folder: Path

    def __len__(self) -> int:
        return len(self.tracks)


@dataclass(frozen=True)
class TagTrack:
    """A track, described as those of training sets are, and the tags that somebody gave it."""

    described: CollectedTrack
    names: frozenset[str]

    @property
    def path(self) -> Path:
        return self.described.path

    @property
    def name(self) -> str:
        """Artist and title, or the name of the file if it has no title."""
        track = self.described
        return f"{track.artist} - {track.title}" if track.title else track.path.name


@dataclass(frozen=True)
class TagLabels:
    """Tracks with tags, as people write them; those without any are unknown.

    Attributes
    ----------
    sounds
        File of the store of embeddings, `tempo_core.embeddings.Embeddings`, for what the tracks
        sound like; None keeps nothing.
    known
        Embeddings that are known already, by the paths of the tracks.
    """

    tracks: Sequence[TagTrack]
    folder: Path
    sounds: Path | None = None
    known: Mapping[Path, Embedding] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.tracks)


@dataclass(frozen=True)
class NoteLabels:
    """Recordings whose notes are known. Nothing is kept in `folder`."""

    pairs: Sequence[Pair]
    folder: Path

    def __len__(self) -> int:
        return len(self.pairs)


def read_tempo_labels(folder: Path) -> TempoLabels:
    """Read a training set.

    Raises
    ------
    ConfigError
        If there is none, or too little in it to learn from.
    """
    tracks = read_collection(folder)
    check(tracks)
    return TempoLabels(folder, tracks)


def read_pace_labels(table: Path, folder: Path | None = None) -> PaceLabels:
    """Read a table of statements; features are kept in a folder beside it by default.

    Raises
    ------
    ConfigError
        See `read_paces`.
    """
    return PaceLabels(read_paces(table), folder or table.parent / "paces")


def read_paces(table: Path) -> list[tuple[Path, tuple[float, ...]]]:
    """The statements in a table: audio files, each with the tempi [BPM] one can move to it at.

    It is tab-separated with a header line and has at least the columns `path`, relative to the
    table's folder, and `paces`: tempi with spaces between, such as `87 174`. A file without a
    statement is left out.

    Raises
    ------
    ConfigError
        If it cannot be read, lacks a column, or has something else than tempi in it.
    """
    stated: dict[Path, tuple[float, ...]] = {}
    for number, row in read_rows(table, PACE_COLUMNS, "a table with the columns path and paces"):
        try:
            paces = pace_list(row["paces"])
        except ValueError as error:
            raise ConfigError(f"{table}, line {number}: {error}") from error
        if row["path"] and paces:
            stated[absolute(table.parent / row["path"])] = paces
    return list(stated.items())


def read_key_labels(source: Path) -> KeyLabels:
    """Read the keys of a training set (its folder), or those in a table.

    A table is tab-separated with a header line and has at least the columns `path`, relative to the
    table's folder, and `key` in any notation; `artist`, `title`, `album`, `recording_id` and
    `split` are used where they are there. A file without a key is left out.

    Raises
    ------
    ConfigError
        If it cannot be read, lacks a column, or has something else than keys in it.
    """
    if source.is_dir():
        tracks = read_collection(source)
        found = [KeyTrack(t, key) for t in tracks if (key := parse_key(t.key)) is not None]
        return KeyLabels(found, source)
    keyed: dict[Path, KeyTrack] = {}
    for number, row in read_rows(source, KEY_COLUMNS, "a table with the columns path and key"):
        if not (row["path"] and row["key"]):
            continue
        key = parse_key(row["key"])
        if key is None:
            raise ConfigError(
                f"{source}, line {number}: {row['key']!r} is no key; give one such as F#m"
            )
        path = file_in_table(row["path"], source)
        keyed[path] = KeyTrack(_described(path, row, str(key)), key)
    return KeyLabels(list(keyed.values()), source.parent)


def read_tag_labels(source: Path) -> TagLabels:
    """Read the tags in a table; what the tracks sound like is kept in a store beside it.

    It is tab-separated with a header line and has at least the columns `path`, relative to the
    table's folder, and `tags` with semicolons between them; `artist`, `title`, `album`,
    `recording_id` and `split` are used where they are there. A file without a tag is left out, and
    one with several rows has the tags of all.

    Raises
    ------
    ConfigError
        If it cannot be read or lacks a column.
    """
    tagged: dict[Path, TagTrack] = {}
    for _, row in read_rows(source, TAG_COLUMNS, "a table with the columns path and tags"):
        names = frozenset(name for part in row["tags"].split(";") if (name := part.strip()))
        if row["path"] and names:
            path = file_in_table(row["path"], source)
            before = tagged.get(path)
            more = before.names if before else frozenset()
            tagged[path] = TagTrack(_described(path, row), names | more)
    return TagLabels(list(tagged.values()), source.parent, source.parent / STORE)


def _described(path: Path, row: Mapping[str, str], key: str = "") -> CollectedTrack:
    """The file in a row of a table."""
    return CollectedTrack(
        path, 0.0, "table", key=key,
        artist=row.get("artist", ""), title=row.get("title", ""), album=row.get("album", ""),
        recording_id=row.get("recording_id", ""), split=row.get("split", ""),
    )  # fmt: skip


def read_note_labels(folder: Path) -> NoteLabels:
    """Find the recordings with notes in a folder, see `note_folders.find_pairs`.

    Raises
    ------
    ConfigError
        If there is none.
    """
    return NoteLabels(find_pairs(folder), folder)


# What reads the labels of each task from the file or folder that `tempo-core train` is given.
READERS: dict[str, Callable[[Path], Labels]] = {
    "tempo": read_tempo_labels,
    "pace": read_pace_labels,
    "key": read_key_labels,
    "tags": read_tag_labels,
    "notes": read_note_labels,
}
