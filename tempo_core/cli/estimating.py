"""The work of `tempo-core estimate`: what is done with each file, here or on a cluster."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ..answers import failures_of, told_failures
from ..console import explain
from ..engines import Engine, Threads, loaded
from ..engines.sharing import shared_path
from ..errors import ConfigError
from ..results.rows import Row
from ..results.tracks import Track

if TYPE_CHECKING:
    from ..designs import FileEstimator


@dataclass(frozen=True)
class EstimateWork:
    """Estimating of files; see `engines.Work`.

    Attributes
    ----------
    model
        Name or path of the model of the tempo.
    windows
        Number of windows to listen to, or `all`.
    names
        Of the tasks.
    curves
        Whether rows are to have the tempo of every window; the tempo is among the tasks then.
    """

    model: str
    windows: int | str
    names: tuple[str, ...]
    curves: bool = False

    def load(self) -> Estimating:
        """Load the models."""
        from ..designs import OtherDesign, open_estimator

        opened = open_estimator(self.model, self.windows, self.names)
        if self.curves and isinstance(opened, OtherDesign):
            raise ConfigError(
                f"{self.model}: a model of this design gives no curve; leave --curve out"
            )
        return Estimating(opened, self.curves)

    def uses(self) -> Mapping[str, str]:
        """The models, by task."""
        estimating = loaded(self)
        assert isinstance(estimating, Estimating)
        return estimating.estimator.sources


@dataclass(frozen=True)
class Estimating:
    """The function from a track to its row, with the models in memory."""

    estimator: FileEstimator
    curves: bool

    def __call__(self, track: Track) -> Row:
        if track.problem is not None:
            return Row(track.path, None, track.problem)
        results = self.estimator.results(track.absolute or track.path)
        points = results["tempo"].curve if self.curves and "tempo" in results else None
        failed = told_failures(failures_of(results)) or None
        return Row(track.path, self.estimator.columns(results), failed, points)


@dataclass(frozen=True)
class EstimateRun:
    """A run of an engine over tracks, until `stopped` returns True.

    `time_limit` is that of each file [s].
    """

    engine: Engine
    work: EstimateWork
    stopped: Callable[[], bool]
    time_limit: float | None

    def rows(self, tracks: Iterable[Track]) -> Iterator[tuple[Track, Row]]:
        """Tracks with their rows as they come; a track that fails also has a row."""
        if not isinstance(self.engine, Threads):
            tracks = (replace(track, absolute=shared_path(track.path)) for track in tracks)
        each = self.engine.each(self.work, tracks, self.stopped, self.time_limit)
        with closing(each) as results:
            for track, result in results:
                if isinstance(result, Exception):
                    yield track, Row(track.path, None, explain(result))
                else:
                    yield track, result
