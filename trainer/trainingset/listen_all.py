"""Listening to all tracks of a build, as far as the journal does not know them yet."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tempo_core.model import Checkpoint
from tempo_core.tasks.tempo.config import TempoConfig

from ..inputs import cache
from ..inputs.cache import Stamp, ViewRecipe
from .clean import LONGEST, Reason, drop, failure
from .journal import Journal
from .listen import Listening, listen
from .running import Running
from .tables import DroppedTrack, LabelledTrack


@dataclass(frozen=True)
class HeardFile:
    """A file that was listened to: the SHA-256 of its `content` in hex, and what is heard."""

    content: str
    listening: Listening

    @property
    def id(self) -> str:
        """The identity of a recording in the tables: the first 16 digits of `content`."""
        return self.content[:16]


@dataclass(frozen=True)
class ListenedTracks:
    """Result of listening to all tracks.

    `results` has every track in order, with what is heard or why it is dropped. `keys` are the
    names of the cache files by path, `stamps` the same by what tells an unchanged file.
    """

    results: list[tuple[LabelledTrack, HeardFile | DroppedTrack]] = field(default_factory=list)
    keys: dict[Path, str] = field(default_factory=dict)
    stamps: dict[Stamp, str] = field(default_factory=dict)


def listen_to_all(
    tracks: Sequence[LabelledTrack],
    model: Checkpoint[TempoConfig],
    recipe: ViewRecipe,
    journal: Journal,
    running: Running,
) -> ListenedTracks:
    """What is heard in each track, from the journal or from the file.

    Raises
    ------
    Stopped
        If the build is to stop. What was heard until then is in the journal.
    """
    how = f"{model.source} {LONGEST:g}"
    recipe_digest = recipe.digest()
    listened = ListenedTracks()
    found: dict[Path, HeardFile | DroppedTrack] = {}

    def note(track: LabelledTrack, stamp: Stamp, key: str, heard: HeardFile) -> None:
        listened.stamps[stamp] = listened.keys[track.path] = key
        found[track.path] = heard

    def unknown() -> Iterator[tuple[LabelledTrack, Stamp]]:
        """The tracks whose files have to be read."""
        for track, stamp in running.each(lambda track: cache.stamp(track.path), tracks, 1):
            if isinstance(stamp, Exception):
                found[track.path] = failure(track, stamp)
                continue
            if stamp is None:
                found[track.path] = drop(track, Reason.MISSING)
                continue
            known = journal.file(stamp, recipe_digest)
            heard = known and journal.heard(known[0], how)
            if known and heard:
                note(track, stamp, known[1], HeardFile(known[0], heard))
                continue
            yield track, stamp

    # A file that was moved, or is to be seen by the network in another way, sounds as it did.
    known_contents = journal.contents(how)

    def read(task: tuple[LabelledTrack, Stamp]) -> tuple[str, str, Listening | None]:
        """Content, cache key, and what is heard; None where the journal knows that."""
        path = task[0].path
        digest = cache.hash_file(path)
        content, key = digest.hexdigest(), recipe.key(digest)
        is_known = content in known_contents
        return content, key, None if is_known else listen(path, model, LONGEST)

    with running.progress("listening", len(tracks)) as bar:
        for (track, stamp), result in running.each(read, unknown()):
            bar.update(1 + len(found) - bar.n)
            if isinstance(result, Exception):
                found[track.path] = failure(track, result)
                continue
            content, key, new = result
            heard = new or journal.heard(content, how)
            assert heard is not None
            if new:
                journal.note_heard(content, how, new)
            journal.note_file(stamp, recipe_digest, content, key)
            note(track, stamp, key, HeardFile(content, heard))
        bar.update(len(found) - bar.n)
    running.check_stop()
    listened.results.extend((track, found[track.path]) for track in tracks)
    return listened
