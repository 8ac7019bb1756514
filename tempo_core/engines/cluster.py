"""The engine of many machines: the workers of a Dask cluster.

Tasks travel in chunks, so that the scheduler, which spends about a millisecond on a chunk, is not
what everything waits for. As many chunks are under way as there are threads in the cluster, so
that neither tasks nor results pile up anywhere.

A task may kill the process that works on it: a decoder crashes, or the memory is full. Dask then
says only that a worker died with a chunk. Its tasks are tried once more, each alone and in another
process. A task that dies again is given up, and all others have their results.
"""

from __future__ import annotations

import queue
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import CancelledError
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from itertools import count, islice
from threading import Timer
from typing import TYPE_CHECKING, Any, Generic, TypeVar
from uuid import uuid4

from ..background import POLL, Stopped, call, never
from ..console import explain
from ..errors import AudioError, ClusterError, TempoError, TimeLimitError
from .chunks import ChunkResult, Failure, about, run_chunk
from .provenance import Provenance, provenance
from .work import Work

if TYPE_CHECKING:
    from distributed import Client, Future

    from ..remote import Storages

T = TypeVar("T")
R = TypeVar("R")
# A chunk has as much work as this share of the time of the run so far, within these limits [s]: at
# the end of a short run no worker waits long for the last chunk of another.
CHUNK_SHARE = 1 / 16
LEAST_CHUNK_SECONDS, CHUNK_SECONDS = 0.5, 4.0
# More of them in a second than this would keep client and scheduler busy, which take some four
# milliseconds of a processor for each; chunks of a large cluster are longer.
CHUNKS_A_SECOND = 50
LARGEST_CHUNK = 256
# [s] in which all chunks that died with one worker are told of.
SAME_DEATH = 0.3
MOST_DEATHS = 3  # processes that a task may die with, if others died with them
COUNTED_EVERY = 1.0  # [s] between two looks at how many threads there are
ANSWERS_WITHIN = 60.0  # [s] for the scheduler to answer
PATIENCE = 10.0  # [s] without an answer of all workers, after which that is told
LOADED_WITHIN = 900.0  # [s] for all workers to load the models, which a thousand do at once
DIED_TWICE = "the process that worked on it died, and so did the next one (a crash, or no memory)"


@dataclass(frozen=True)
class _Chunk(Generic[T]):
    """Tasks that are under way together; `deaths` is how many processes died with them."""

    tasks: Sequence[T]
    deaths: int = 0


class Cluster:
    """Engine of the workers of a Dask cluster; see `Engine`.

    Parameters
    ----------
    client
        Connected to the scheduler; whoever made it closes it.
    name
        Of the cluster, for messages.
    tell
        Called with a line for people.
    storages
        Where the workers may read audio at addresses; None for nowhere.
    """

    def __init__(
        self,
        client: Client,
        name: str,
        tell: Callable[[str], None],
        storages: Storages | None = None,
    ) -> None:
        self._client, self._name, self._tell = client, name, tell
        self._storages = storages

    def each(
        self,
        work: Work[T, R],
        tasks: Iterable[T],
        stopped: Callable[[], bool] = never,
        time_limit: float | None = None,
    ) -> Generator[tuple[T, R | Exception], None, None]:
        """See `Engine.each`.

        Raises
        ------
        ClusterError
            If the scheduler does not answer any more, or no worker can do the work.
        ConfigError
            If a worker has another version of this package, or other models.
        """
        try:
            yield from self._each(work, tasks, stopped, time_limit)
        except Stopped:
            if not stopped():
                raise

    def _each(
        self,
        work: Work[T, R],
        tasks: Iterable[T],
        stopped: Callable[[], bool],
        time_limit: float | None,
    ) -> Generator[tuple[T, R | Exception], None, None]:
        """As `each`, but a question that is stopped raises `Stopped`."""
        expected = provenance(work)
        self._check_workers(work, expected, stopped)
        submit = partial(
            self._client.submit, run_chunk, work, expected, time_limit=time_limit,
            storages=self._storages, pure=False,
        )  # fmt: skip
        run: _Run[T] = _Run(submit, f"{type(work).__name__}-{uuid4().hex[:8]}")
        remaining = iter(tasks)
        n_threads, counted = 1, -COUNTED_EVERY
        try:
            while not stopped():
                if time.monotonic() - counted > COUNTED_EVERY or run.has_deaths:
                    n_threads, counted = self._n_threads(stopped), time.monotonic()
                run.submit(remaining, n_threads)
                if run.is_over:
                    return
                self._check_connection()
                yield from run.finished(partial(self._result, stopped=stopped))
        finally:
            run.cancel(self._client)

    def _check_workers(
        self, work: Work[Any, Any], expected: Provenance, stopped: Callable[[], bool]
    ) -> None:
        """Refuse workers that would compute something else; tell of those that may differ a bit."""
        ask = partial(self._client.run, about, work, self._storages, on_error="return")
        told = set()
        waiting = Timer(PATIENCE, self._tell, [f"waiting for the workers of {self._name}"])
        waiting.daemon = True
        waiting.start()
        try:
            answers = self._answer(ask, stopped, LOADED_WITHIN)
        finally:
            waiting.cancel()
        for address, found in answers.items():
            if isinstance(found, OSError):
                continue  # it is gone; one that comes is asked with its first chunk
            if isinstance(found, Failure):
                raise ClusterError(f"worker {address} cannot do this: {found.message}")
            if not isinstance(found, Provenance):
                raise ClusterError(
                    f"worker {address} cannot do this ({explain(found)}); install "
                    f"{expected.package.partition(' (')[0]} of beets-tempo there"
                )
            expected.check(found, f"worker {address}")
            told.update(expected.differences(found))
        for line in sorted(told):
            self._tell(f"workers of {self._name} have {line}: results may differ slightly")

    def _answer(
        self, ask: Callable[[], Any], stopped: Callable[[], bool], limit: float = ANSWERS_WITHIN
    ) -> Any:
        """The answer of the scheduler or of workers to a question, within a limit [s]."""
        try:
            # Dask would try for half a minute to get a lost connection back.
            return call(ask, lambda: stopped() or not self._is_connected, limit)
        except Stopped:
            self._check_connection()
            raise
        except TimeLimitError as error:
            told = f"the cluster {self._name} has not answered for {limit:g} s"
            raise ClusterError(told) from error
        except (OSError, TimeoutError, CancelledError) as error:
            raise self._lost() from error

    def _n_threads(self, stopped: Callable[[], bool]) -> int:
        """Threads of all workers, at least 1: the first chunk waits for the first worker."""
        return max(1, sum(self._answer(self._client.nthreads, stopped).values()))

    def _result(self, future: Future, stopped: Callable[[], bool]) -> ChunkResult:
        result: ChunkResult = self._answer(future.result, stopped)
        return result

    @property
    def _is_connected(self) -> bool:
        return self._client.status == "running"

    def _check_connection(self) -> None:
        if not self._is_connected:
            raise self._lost()

    def _lost(self) -> ClusterError:
        return ClusterError(f"the connection to the scheduler of {self._name} was lost")


class _Run(Generic[T]):
    """The chunks of one call of `Cluster.each`.

    Parameters
    ----------
    submit
        `Client.submit` with everything but the tasks of a chunk.
    name
        Begin of the names of the chunks; Dask groups them by it.
    """

    def __init__(self, submit: Callable[..., Future], name: str) -> None:
        self._submit, self._name = submit, name
        self._numbers = count()
        self._waiting: dict[object, tuple[Future, _Chunk[T]]] = {}
        self._done: queue.SimpleQueue[Future] = queue.SimpleQueue()
        self._suspects: deque[_Chunk[T]] = deque()
        # Chunks that died with a worker, by its address, and when the first was told of [s].
        self._deaths: dict[str, tuple[float, list[_Chunk[T]]]] = {}
        self._size = self._n_threads = 1
        self._begun = time.monotonic()
        self.is_over = False

    def submit(self, remaining: Iterator[T], n_threads: int) -> None:
        """Send chunks until every thread of the cluster has one; note if there is none left."""
        self._n_threads = n_threads
        exhausted = False
        while len(self._waiting) < n_threads and not exhausted:
            if self._suspects:
                self._send(self._suspects.popleft())
            elif tasks := list(islice(remaining, self._size)):
                self._send(_Chunk(tasks))
            else:
                exhausted = True
        self.is_over = exhausted and not self._waiting and not self._deaths

    @property
    def has_deaths(self) -> bool:
        """Whether a worker has died just now, so that there are fewer threads.

        With a chunk too many, two wait for one worker, and who is to blame for its death is unsure.
        """
        return bool(self._deaths)

    def _send(self, chunk: _Chunk[T]) -> None:
        # A new name each time: Dask remembers which names died.
        future = self._submit(chunk.tasks, key=f"{self._name}-{next(self._numbers)}")
        self._waiting[future.key] = future, chunk
        future.add_done_callback(self._done.put)

    def finished(
        self, result_of: Callable[[Future], ChunkResult]
    ) -> Iterator[tuple[T, Any | Exception]]:
        """Tasks with results or errors, of chunks that end within `POLL` seconds."""
        ended = []
        with suppress(queue.Empty):
            ended.append(self._done.get(timeout=POLL))
            while True:
                ended.append(self._done.get_nowait())
        for future in ended:
            if future.key not in self._waiting:
                continue
            _, chunk = self._waiting.pop(future.key)
            if future.status == "finished":
                yield from self._results(chunk, result_of(future))
            elif future.status == "error":
                self._note_death(chunk, future)
            else:
                raise ClusterError("the scheduler was lost, or has forgotten what it was to do")
            future.release()
        yield from self._given_up()

    def _results(self, chunk: _Chunk[T], found: ChunkResult) -> Iterator[tuple[T, Any | Exception]]:
        if found.refused is not None:
            raise found.refused.error()
        each = max(found.seconds / len(chunk.tasks), 1e-6)
        share = CHUNK_SHARE * (time.monotonic() - self._begun)
        wanted = min(CHUNK_SECONDS, max(LEAST_CHUNK_SECONDS, share))
        seconds = max(wanted, self._n_threads / CHUNKS_A_SECOND)
        self._size = max(1, min(LARGEST_CHUNK, 2 * self._size, round(seconds / each)))
        for task, result in zip(chunk.tasks, found.results, strict=True):
            yield task, result.error() if isinstance(result, Failure) else result

    def _note_death(self, chunk: _Chunk[T], future: Future) -> None:
        """Note that a chunk died with its worker.

        Raises
        ------
        ClusterError
            If it failed for another reason: the worker could not even begin.
        """
        from distributed import KilledWorker

        error = future.exception()
        if not isinstance(error, KilledWorker):
            raise ClusterError(f"a worker cannot do this ({explain(error)})")
        _, chunks = self._deaths.setdefault(error.last_worker.address, (time.monotonic(), []))
        chunks.append(chunk)

    def _given_up(self) -> Iterator[tuple[T, Any | Exception]]:
        """Tasks that are to blame for the death of two workers; others are tried again."""
        now = time.monotonic()
        for worker, (since, chunks) in list(self._deaths.items()):
            if now - since < SAME_DEATH:
                continue
            del self._deaths[worker]
            for chunk in chunks:
                deaths = chunk.deaths + 1
                # Where several died at once, the one to blame is among them.
                to_blame = (deaths >= 2 and len(chunks) == 1) or deaths >= MOST_DEATHS
                if to_blame and len(chunk.tasks) == 1:
                    yield chunk.tasks[0], AudioError(DIED_TWICE)
                else:
                    self._suspects.extend(_Chunk([task], deaths) for task in chunk.tasks)

    def cancel(self, client: Client) -> None:
        """Give up what is under way."""
        futures = [future for future, _ in self._waiting.values()]
        self._waiting.clear()
        if futures and client.status == "running":
            with suppress(OSError, TimeoutError, TempoError):
                call(partial(client.cancel, futures, force=True), never, 5.0)
