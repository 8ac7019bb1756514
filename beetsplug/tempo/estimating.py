"""Estimates of tracks with the configured estimator, several tracks at a time."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from functools import cache, partial
from typing import TYPE_CHECKING, Any, TypeVar

import tempo_core
from tempo_core.answers import failures_of, told_failures
from tempo_core.background import TIME_LIMIT, call, parallel
from tempo_core.engines import loaded
from tempo_core.engines.sharing import shared_model
from tempo_core.errors import AudioError

from .items import genres_of
from .marking import KEY, TEMPO

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from beets.library import Item

    from tempo_core import Estimate, Estimator
    from tempo_core.embeddings import Embedding
    from tempo_core.engines import Engine

    from .marking import Marked

T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class Sound:
    """What a track sounds like.

    Attributes
    ----------
    embedding
        (n_dims,)
    content
        Hash of the sound in its file, see `tempo_core.packets.content_of`; None if it has none.
    """

    embedding: Embedding
    content: bytes | None


@dataclass(frozen=True)
class Found:
    """What an analysis found out about a track.

    Attributes
    ----------
    columns
        Values of the columns of the tasks that were asked, by name.
    tempo
        The estimate of its tempo; None if that was not asked for.
    sound
        What it sounds like; None if that was not asked for, or is in the store already.
    problem
        Why some of the tasks have no result, in one line; empty if none failed.
    """

    columns: Mapping[str, Any]
    tempo: Estimate | None = None
    sound: Sound | None = None
    problem: str = ""

    @property
    def marked(self) -> list[Marked]:
        """The fields of an item that were asked for."""
        return [TEMPO] * (self.tempo is not None) + [KEY] * ("key" in self.columns)


def load_estimator(
    settings: Any, stopped: Callable[[], bool], tasks: Sequence[str] | None = None
) -> Estimator:
    """The estimator for the settings. Loading takes some seconds and ends once `stopped()` is True.

    Parameters
    ----------
    tasks
        None for those in the settings.

    Raises
    ------
    Stopped
        If `stopped` returned True.
    CheckpointError, ConfigError
        See `tempo_core.Estimator`.
    """
    return call(
        lambda: tempo_core.Estimator(
            model=settings.model,
            windows=settings.windows,
            bpm_range=settings.range,
            tasks=settings.tasks if tasks is None else tasks,
        ),
        stopped,
    )


def estimate_tasks(
    estimator: Estimator,
    items: Iterable[tuple[Item, Sequence[str]]],
    settings: Any,
    stopped: Callable[[], bool],
    known: Callable[[bytes], Embedding | None] | None = None,
    engine: Engine | None = None,
) -> Iterator[tuple[Item, Found | Exception]]:
    """Analyse items, each for some of the tasks of the settings; see `estimate_all`.

    Parameters
    ----------
    known
        Thread-safe function from a path to the embedding of a file that was listened to before;
        if nothing but the tags is asked of it, they follow from that.
    engine
        That of a cluster; None for threads.
    """
    if engine is not None:
        return _on_cluster(engine, items, settings, stopped, known)
    finding = _findings(estimator, settings.tasks, known)
    found = (
        (item, partial(finding(tuple(names)), genres=genres_of(item))) for item, names in items
    )
    return _each(found, settings.threads, stopped, settings.time_limit)


def _findings(
    estimator: Estimator,
    tasks: Sequence[str],
    known: Callable[[bytes], Embedding | None] | None = None,
) -> Callable[[tuple[str, ...]], Callable[..., Found]]:
    """What `_finding` returns for some of the tasks of an estimator, made once for each."""

    @cache
    def finding(names: tuple[str, ...]) -> Callable[..., Found]:
        asked = estimator if set(names) == set(tasks) else estimator.asking(names)
        return _finding(asked, names, known if names == ("tags",) else None)

    return finding


@dataclass(frozen=True, eq=False)
class _Task:
    """A track to analyse on a cluster: its number, and what is asked about it.

    `embedding` is what it sounds like if that is known and nothing else is asked.
    """

    number: int
    path: bytes
    names: tuple[str, ...]
    genres: str
    embedding: Embedding | None


@dataclass(frozen=True)
class AnalysisWork:
    """Analysis of tracks on a cluster, see `tempo_core.engines.Work`; settings as in `settings`."""

    model: str
    windows: int | str
    range: tuple[float, float] | None
    tasks: tuple[str, ...]

    def load(self) -> Analysing:
        """Load the models."""
        estimator = tempo_core.Estimator(
            model=self.model, windows=self.windows, bpm_range=self.range, tasks=self.tasks
        )
        return Analysing(estimator, _findings(estimator, self.tasks))

    def uses(self) -> Mapping[str, str]:
        """The models, by task."""
        analysing = loaded(self)
        assert isinstance(analysing, Analysing)
        return analysing.estimator.sources


@dataclass(frozen=True)
class Analysing:
    """The function from a track to what is found out about it, with the models in memory."""

    estimator: Estimator
    finding: Callable[[tuple[str, ...]], Callable[..., Found]]

    def __call__(self, task: _Task) -> Found:
        if task.embedding is not None:
            return _tags_of(task.embedding, self.estimator)
        return self.finding(task.names)(task.path, task.genres)


def _on_cluster(
    engine: Engine,
    items: Iterable[tuple[Item, Sequence[str]]],
    settings: Any,
    stopped: Callable[[], bool],
    known: Callable[[bytes], Embedding | None] | None,
) -> Iterator[tuple[Item, Found | Exception]]:
    """Analyse items on a cluster, see `estimate_tasks`; `known` is asked here, beside the store."""
    work = AnalysisWork(
        shared_model(settings.model), settings.windows, settings.range, tuple(settings.tasks)
    )
    under_way: dict[int, Item] = {}

    def tasks() -> Iterator[_Task]:
        for number, (item, names) in enumerate(items):
            under_way[number] = item
            # beets stores paths relative to the library, and workers know no library.
            path, asked = item.path, tuple(names)
            embedding = known(path) if known is not None and asked == ("tags",) else None
            yield _Task(number, path, asked, genres_of(item), embedding)

    with closing(engine.each(work, tasks(), stopped, settings.time_limit)) as results:
        for task, result in results:
            yield under_way.pop(task.number), result


def _finding(
    estimator: Estimator,
    names: Sequence[str],
    known: Callable[[bytes], Embedding | None] | None,
) -> Callable[..., Found]:
    """The function from a path and the genres of the track to what an estimator finds out."""

    def find(path: bytes, genres: str) -> Found:
        embedding = None if known is None else known(path)
        if embedding is not None:
            return _tags_of(embedding, estimator)
        results = estimator.results(path, genres)
        # Beats need the tempo; that does not mean that it was asked for.
        wanted = {name for name in names if name in results}
        tempo = estimator.as_estimate(results) if "tempo" in wanted else None
        sound = sound_of(path, results["tags"].embedding) if "tags" in wanted else None
        problem = told_failures(failures_of(results))
        return Found(estimator.columns(results), tempo, sound, problem)

    return find


def _tags_of(embedding: Embedding, estimator: Estimator) -> Found:
    """The tags of a file that was listened to before."""
    from tempo_core.tasks.tags.decode import tags_from

    return Found({"sound_tags": tags_from(embedding, estimator.model("tags"))})


def sound_of(path: bytes, embedding: Embedding) -> Sound:
    """What a file sounds like that was heard just now, with its content."""
    from tempo_core.packets import content_of

    try:
        return Sound(embedding, content_of(path))
    except AudioError:
        return Sound(embedding, None)


def estimate_all(
    estimate: Callable[[bytes], T],
    items: Iterable[Item],
    threads: int,
    stopped: Callable[[], bool],
    time_limit: float = TIME_LIMIT,
) -> Iterator[tuple[Item, T | Exception]]:
    """Analyse items in parallel and yield each with its result, in the order of completion.

    Parameters
    ----------
    estimate
        Thread-safe function from an absolute path to an estimate. If it raises an exception, that
        is yielded as the result.
    items
        Items to analyse; consumed as needed, so that neither items nor results pile up.
    threads
        Number of tracks analysed at a time.
    stopped
        Called ten times a second; once it returns True, running analyses are abandoned.
    time_limit
        Time for each track [s].
    """
    return _each(((item, estimate) for item in items), threads, stopped, time_limit)


def _each(
    items: Iterable[tuple[Item, Callable[[bytes], T]]],
    threads: int,
    stopped: Callable[[], bool],
    time_limit: float,
) -> Iterator[tuple[Item, T | Exception]]:
    """Analyse items, each with a function of its own; see `estimate_all`."""
    # beets stores paths relative to the library, and only the calling thread knows the library, so
    # the workers get absolute paths.
    tasks = ((item, item.path, estimate) for item, estimate in items)
    found = parallel(lambda task: task[2](task[1]), tasks, threads, stopped, time_limit)
    for (item, _, _), result in found:
        yield item, result
