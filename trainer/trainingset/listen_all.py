"""Listening to all tracks of a build that are not in its journal yet."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from threadpoolctl import threadpool_limits

from tempo_core import checkpoint
from tempo_core.addresses import as_text
from tempo_core.engines.sharing import shared_path
from tempo_core.model import Checkpoint
from tempo_core.tasks.tempo.config import TempoConfig

from ..inputs import cache
from ..inputs.cache import Stamp, ViewRecipe
from .clean import LONGEST_TRACK, Reason, drop, failure
from .journal import Journal
from .listen import Listening, listen
from .running import Running
from .tables import DroppedTrack, LabelledTrack


@dataclass(frozen=True)
class HeardFile:
    """A file that was listened to: the SHA-256 of its content in hex, and what was heard."""

    content: str
    listening: Listening

    @property
    def id(self) -> str:
        """The identity of a recording in the tables: the first 16 digits of `content`."""
        return self.content[:16]


@dataclass(frozen=True)
class ListenedTracks:
    """Result of listening to all tracks.

    `results` has every track in order, with what was heard or why it is dropped. `keys` are the
    names of the cache files by the path of the audio; `stamps` are the same names by the stamp of
    the audio file, which shows whether it has changed.
    """

    results: list[tuple[LabelledTrack, HeardFile | DroppedTrack]] = field(default_factory=list)
    keys: dict[Path, str] = field(default_factory=dict)
    stamps: dict[Stamp, str] = field(default_factory=dict)


# The number of a file, its path, and hashes of contents that it may have and that are known.
ReadTask = tuple[int, str, frozenset[str]]


@dataclass(frozen=True)
class ReadWork:
    """Reading files, and listening to them; see `tempo_core.engines.Work`.

    `model` is the name or path of the model that listens. Results are as of `read_file`.
    """

    model: str
    recipe: ViewRecipe

    def load(self) -> Callable[[ReadTask], tuple[str, str, Listening | None]]:
        """Load the model."""
        model = checkpoint.load(checkpoint.resolve(self.model))
        threadpool_limits(1, user_api="blas")  # files are processed in parallel, not their parts
        return lambda task: read_file(Path(task[1]), model, self.recipe, task[2])

    def uses(self) -> Mapping[str, str]:
        """The model."""
        return {"tempo": checkpoint.load(checkpoint.resolve(self.model)).source}


def listen_to_all(
    tracks: Sequence[LabelledTrack], source: str, work: ReadWork, journal: Journal, running: Running
) -> ListenedTracks:
    """Listen to each track, or take from the journal what was heard in it.

    Parameters
    ----------
    source
        Of the model that listens.

    Raises
    ------
    Stopped
        If the build is to stop. What was heard until then is in the journal.
    """
    how = f"{source} {LONGEST_TRACK:g}"
    recipe_digest = work.recipe.digest()
    listened = ListenedTracks()
    found: dict[Path, HeardFile | DroppedTrack] = {}

    def note(track: LabelledTrack, stamp: Stamp, key: str, heard: HeardFile) -> None:
        listened.stamps[stamp] = listened.keys[track.path] = key
        found[track.path] = heard

    under_way: dict[int, tuple[LabelledTrack, Stamp]] = {}
    # A file that was moved, or whose network inputs are computed in a new way, sounds the same.
    known_contents = journal.contents(how)

    def unknown() -> Iterator[ReadTask]:
        """The tracks whose files have to be read."""
        stamps = running.each(lambda track: cache.stamp(track.path), tracks)
        for number, (track, stamp) in enumerate(stamps):
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
            under_way[number] = track, stamp
            same_size = known_contents.get(stamp[1], frozenset())
            yield number, shared_path(as_text(track.path)), same_size

    with running.progress("listening", len(tracks)) as bar:
        for (number, _, _), result in running.do(work, unknown()):
            track, stamp = under_way.pop(number)
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


def read_file(
    path: Path,
    model: Checkpoint[TempoConfig],
    recipe: ViewRecipe,
    known_contents: Collection[str],
) -> tuple[str, str, Listening | None]:
    """Content hash and cache key of a file, and what is heard in it; None if that is known.

    Parameters
    ----------
    known_contents
        Hashes of the contents that need not be listened to.

    Raises
    ------
    AudioError
        If the file cannot be read as audio.
    """
    digest = cache.hash_file(path)
    content, key = digest.hexdigest(), recipe.key(digest)
    is_known = content in known_contents
    return content, key, None if is_known else listen(path, model, LONGEST_TRACK)
