"""Reading labelled tracks to evaluate on, from training sets, the trainer's folders and tables."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from tempo_core.errors import ConfigError
from tempo_core.keys import parse_key

from ..inputs.recordings import (
    CHART_TRUST,
    TRAINING_KINDS,
    Recording,
    read_charts,
    read_clips,
    read_rhythm,
    read_songs,
)
from ..trainingset.tables import TRACKS, CollectedTrack, file_in_table, read_collection
from .answers import LabelledRecording, pace_list, read_rows, tempi, tempo

HELD_OUT = ("test", "validation")  # splits that models do not learn from, the preferred one first
ALL_SPLITS = "all"  # in place of the name of a split


def read_source(source: Path) -> tuple[list[LabelledRecording], list[str]]:
    """Labelled tracks of a folder or a table, and one message for each row that cannot be used.

    A folder is a training set (`tracks.tsv`), or one with any of `songs.tsv`, `rhythm.tsv`,
    `charts.tsv` and `clips.tsv`. A table has a header line and at least the columns `path`, and
    `bpm` or `key`.

    Raises
    ------
    ConfigError
        If the source is none of these.
    """
    if source.is_file():
        return read_labelled_table(source)
    if (source / TRACKS).is_file():
        return [_of_collection(track) for track in read_collection(source)], []
    tables: dict[str, Callable[[Path], list[Recording]]] = {
        "songs": read_songs,
        "rhythm": read_rhythm,
        "charts": _charts,
        "clips": read_clips,
    }
    present = [name for name in tables if (source / f"{name}.tsv").is_file()]
    if not present:
        raise ConfigError(
            f"{source}: no table and no folder of a training set; give a folder with {TRACKS}, or "
            "a table with the columns path and bpm, or path and key"
        )
    try:
        return [labelled(r) for name in present for r in tables[name](source)], []
    except (KeyError, ValueError) as error:
        raise ConfigError(f"{source}: a table of another kind ({error})") from error


def _charts(folder: Path) -> list[Recording]:
    """The recordings of `charts.tsv` with their labels as they are, without those to learn from."""
    trusted = dict.fromkeys(CHART_TRUST, 1.0)
    return [r for r in read_charts(folder, trusted) if r.genre not in TRAINING_KINDS]


def _of_collection(track: CollectedTrack) -> LabelledRecording:
    return LabelledRecording(
        path=track.path,
        bpm=track.bpm,
        set=track.split or "collection",
        split=track.split,
        name=named(track.artist, track.title),
        group=track.group or track.artist or str(track.path),
        genre=track.genre,
        key=parse_key(track.key),
    )


def labelled(recording: Recording) -> LabelledRecording:
    """A recording of the trainer's folders as one to evaluate on."""
    first, *others = recording.tempi
    known = tuple(bpm for bpm, _ in others)
    kind, _, style = recording.source.partition(":")
    return LabelledRecording(
        path=recording.path,
        bpm=recording.bpm,
        set=f"{kind} {style}" if kind == "charts" else kind,
        split=recording.split,
        group=recording.group,
        name=recording.group if kind in ("songs", "rhythm", "charts") else "",
        genre=recording.genre or style,
        alternatives=(*known, *recording.alternatives),
        weight=first[1] / (first[1] + others[0][1]) if others else None,
        key=recording.key,
    )


def read_labelled_table(path: Path) -> tuple[list[LabelledRecording], list[str]]:
    """Labelled tracks of a table with `path` and `bpm` or `key`, and messages about bad rows.

    A row may have a tempo, a key or both. The table may also have `artist`, `title`, `genre`,
    `group`, `split`, `set`, `alternatives` (tempi separated by semicolons) and `paces` (tempi
    separated by spaces). Paths are relative to the folder of the table.

    Raises
    ------
    ConfigError
        If the table cannot be read or lacks a column.
    """
    wanted = "a table with the columns path and bpm, or path and key"
    rows = read_rows(path, ("path",), wanted, ("bpm", "key"))
    tracks, problems = [], []
    for number, row in rows:
        try:
            if not row["path"]:
                raise ValueError("no path")
            bpm, key = row.get("bpm", ""), parse_key(row.get("key", ""))
            if not bpm and key is None and row.get("key"):
                raise ValueError(f"{row['key']!r} is no key; give one such as F#m")
            track = LabelledRecording(
                path=file_in_table(row["path"], path),
                bpm=0.0 if key is not None and not bpm else tempo(bpm),
                set=row.get("set") or path.stem,
                split=row.get("split", ""),
                name=named(row.get("artist", ""), row.get("title", "")),
                group=row.get("group") or row.get("artist") or row["path"],
                genre=row.get("genre", ""),
                alternatives=tempi(row.get("alternatives", "")),
                paces=pace_list(row.get("paces", "")),
                key=key,
            )
        except (ConfigError, ValueError) as error:
            problems.append(f"{path}, line {number}: {error}")
            continue
        tracks.append(track)
    return tracks, problems


def named(artist: str, title: str) -> str:
    """Artist and title as one name, empty if neither is known."""
    return " - ".join(part for part in (artist, title) if part)


def choose_split(
    tracks: Sequence[LabelledRecording], split: str | None
) -> tuple[list[LabelledRecording], str]:
    """The tracks of a split, and its name.

    Parameters
    ----------
    split
        A name, `all`, or None for tracks that no model should have learned from: the test split if
        there is one, else the validation split, else all.

    Raises
    ------
    ConfigError
        If there are no tracks in the split.
    """
    names = {track.split for track in tracks}
    if split is None:
        split = next((name for name in HELD_OUT if name in names), ALL_SPLITS)
    chosen = [track for track in tracks if split in (ALL_SPLITS, track.split)]
    if not chosen:
        known = ", ".join(sorted(name for name in names if name)) or "none"
        raise ConfigError(
            f"no tracks to evaluate on: {len(tracks)} labelled, none of them in the split "
            f"{split!r} (there are: {known}); give another one or 'all'"
            if tracks
            else "no tracks to evaluate on: nothing is labelled"
        )
    return chosen, split


def unique(tracks: Iterable[LabelledRecording]) -> list[LabelledRecording]:
    """The tracks, but only the first one of each path."""
    found: dict[Path, LabelledRecording] = {}
    for track in tracks:
        found.setdefault(track.path, track)
    return list(found.values())
