"""From a file to an estimate: listen in rounds, ask the tasks after each, decide by their answers.

`Estimate` is the answer, `Estimator` gives it. Which models it has says `loading`, where it listens
`listening`, what the tasks say so far `asked`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from . import listening
from .answers import Answers, failures_of
from .asked import Asked, independent
from .audio import AudioFile, AudioSource, Recorded
from .beatgrid import Grid
from .console import explain
from .errors import ConfigError, TempoError
from .excerpts import MIN_DURATION, Excerpt, check, sounding
from .genres import Genres, names_of
from .heard import Heard
from .loading import Row, check_task, load_rows, unlike
from .model import Checkpoint
from .paces import Pace
from .spectrum import Array
from .task import Results, in_order
from .tasks.tempo import loops
from .tasks.tempo.course import TempoPoint
from .tasks.tempo.decode import Tempo

FilePath = str | bytes | os.PathLike[str]
DEFAULT_WINDOWS = 10
DEFAULT_TASKS = ("tempo", "pace", "key", "beats")


@dataclass(frozen=True)
class Estimate:
    """Estimate of one track.

    `bpm` has two decimals; `confidence` is calibrated, in 0..1; `paces` are the tempi one can move
    to, most probable first. `octave_confidence`, calibrated, in 0..1, is the probability that `bpm`
    is right if itself or a third, half, twice or three times it is; None where the estimator does
    not say. `key` and its confidence are None where no key was estimated. `stability` in 0..1 says
    how steadily the track keeps `bpm`, as far as it was listened to; None where that is too little.
    `tempo_range` is the (lowest, highest) tempo [BPM] of a track whose tempo changes, as far as it
    was listened to; None if it is steady, or too little was heard.
    `grid` is the beat grid, from the first sample that is played on; None where the beats are not
    sure, or were not asked for. `downbeat_confidence` in 0..1 says how sure its bars are.
    `columns` are the values of all columns of the tasks that were asked,
    these among them, by the names of the columns. `failures` says of tasks beside the tempo
    why they failed, by the names of the tasks; their columns are missing.
    """

    bpm: float
    confidence: float
    paces: tuple[Pace, ...] = ()
    key: str | None = None
    key_confidence: float | None = None
    stability: float | None = None
    tempo_range: tuple[float, float] | None = None
    octave_confidence: float | None = None
    grid: Grid | None = None
    downbeat_confidence: float | None = None
    columns: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)
    failures: Mapping[str, str] = field(default_factory=dict, repr=False, compare=False)


class Estimator:
    """Loaded models: load once, use often, from any number of threads.

    Parameters
    ----------
    model
        `default`, the name of a shipped model, or the path of a model file, for the tempo.
    windows
        Number of windows to listen to in every ten minutes of a track at most, or `all`: the whole
        track.
    bpm_range
        (lowest, highest) tempo [BPM] to prefer: an answer outside is moved by octaves into it where
        possible. None: as people count, by the model's judgement.
    pace_model
        As `model`, for the paces.
    tasks
        Tasks to answer, by the names in `tempo_core.tasks.TASKS`; those that they need are answered
        as well.
    models
        Models of further tasks, by the names of the tasks; each as `model`.

    Raises
    ------
    CheckpointError
        If a model is missing, damaged or altered, or the models do not fit together.
    ConfigError
        If a parameter is out of range.
    """

    def __init__(
        self,
        model: str | os.PathLike[str] = "default",
        windows: int | str = DEFAULT_WINDOWS,
        bpm_range: tuple[float, float] | None = None,
        pace_model: str | os.PathLike[str] = "default",
        tasks: Sequence[str] = DEFAULT_TASKS,
        models: Mapping[str, str | os.PathLike[str]] | None = None,
    ):
        if bpm_range is not None and not 0 < bpm_range[0] < bpm_range[1]:
            raise ConfigError(f"range is {bpm_range!r}; give two tempi in BPM, the lower one first")
        for name in models or {}:
            check_task(name)
        chosen = {"tempo": model, "pace": pace_model, **(models or {})}
        self._begin(load_rows(tasks, chosen, bpm_range), windows)

    @classmethod
    def of(
        cls,
        rows: Sequence[Row],
        windows: int | str = DEFAULT_WINDOWS,
    ) -> Estimator:
        """Estimator of tasks whose models are loaded already, each after those that it needs.

        Raises
        ------
        CheckpointError
            If the models do not fit together.
        ConfigError
            If `windows` is out of range.
        """
        made = cls.__new__(cls)
        made._begin(rows, windows)
        return made

    def _begin(
        self,
        rows: Sequence[Row],
        windows: int | str,
    ) -> None:
        if windows != "all" and (not isinstance(windows, int) or windows < 1):
            raise ConfigError(f"windows is {windows!r}; give a whole number from 1 on, or 'all'")
        self._n_windows = None if windows == "all" else int(windows)
        self._rows = list(rows)
        first = self._rows[0][1]
        self._sr, self._plan = first.spectrum.sr, first.windows
        for _, other in self._rows:
            if other.spectrum.sr != self._sr:
                raise unlike(first, other)
        # Tracks are estimated in parallel; threads inside of a matrix product would only compete
        # for the same cores.
        threadpool_limits(1, user_api="blas")

    def asking(self, tasks: Sequence[str]) -> Estimator:
        """Estimator of some of the tasks and those that they need, with the models loaded already.

        Raises
        ------
        ConfigError
            If none is named, or one that is not among the tasks of this one.
        """
        known = {task.name: (task, model) for task, model in self._rows}
        if unknown := [name for name in tasks if name not in known]:
            raise ConfigError(f"no task {unknown[0]!r} here; there are {', '.join(known)}")
        if not tasks:
            raise ConfigError(f"no task is named; there are {', '.join(known)}")
        names = in_order(tasks, lambda name: known[name][0].needs)
        return Estimator.of([known[name] for name in names], self._n_windows or "all")

    @property
    def tasks(self) -> tuple[str, ...]:
        """Names of the tasks that are answered, each after those that it needs."""
        return tuple(task.name for task, _ in self._rows)

    @property
    def counts_by_genre(self) -> bool:
        """Whether the tempo model goes by the genre of a track, where it is known."""
        return any(task.name == "tempo" and bool(model.config.genres) for task, model in self._rows)

    @property
    def source(self) -> str:
        """Origin of the answers, for `tempo_source`: the tempo model as `model:<name>@<hash>`.

        It is the model of the first task if the tempo is not among the tasks.
        """
        return self.sources.get("tempo", self._rows[0][1].source)

    @property
    def sources(self) -> dict[str, str]:
        """Model of every task by its name, each as `model:<name>@<hash>`."""
        return {task.name: model.source for task, model in self._rows}

    def model(self, task: str) -> Checkpoint[Any]:
        """The model of a task, by the name of the task; KeyError if it is not answered."""
        return {row.name: model for row, model in self._rows}[task]

    def estimate(self, path: FilePath, genres: Genres | None = None) -> Estimate:
        """Estimate one file.

        Parameters
        ----------
        genres
            What is known of its genre, for a model that counts by genre: one text or several, such
            as `Hip-Hop; Pop`. Empty is unknown; None is what the tags of the file say.

        Raises
        ------
        AudioError
            If the file is missing, unreadable, silent or too short.
        ConfigError
            If the tempo is not among the tasks; use `results` instead.
        """
        return self.as_estimate(self.results(path, genres))

    def from_audio(self, audio: Array, sr: int, genres: Genres = ()) -> Estimate:
        """Estimate audio that is in memory.

        Parameters
        ----------
        audio
            (n_samples,), or (n_channels, n_samples) of several channels; 1 is full scale.
        sr
            Sample rate [Hz].
        genres
            What is known of the genre, as for `estimate`.

        Raises
        ------
        AudioError
            If it is silent or too short, or a sample is not a finite number.
        ConfigError
            As for `estimate`.
        """
        return self.as_estimate(self._listen(Recorded(audio, sr), names_of(genres)))

    def from_excerpts(self, excerpts: Sequence[Excerpt]) -> Estimate:
        """Estimate a track from excerpts of it, at the sample rate of the models.

        Raises
        ------
        AudioError
            If they are silent or too short.
        ConfigError
            As for `estimate`.
        """
        return self.as_estimate(self._from_excerpts(excerpts))

    def from_features(self, features: Array) -> Estimate:
        """Estimate a track from its features (n_bands, n_frames).

        Raises
        ------
        ConfigError
            If the tasks do not all take the same features, or these are of another shape, or as for
            `estimate`.
        """
        first = self._rows[0][1]
        spectrum, n_bands = first.spectrum, len(first.filterbank)
        if any(model.spectrum.key != spectrum.key for _, model in self._rows):
            raise ConfigError(
                "the tasks take different features; give them audio, or choose tasks of one kind"
            )
        shape, seconds = np.shape(features), MIN_DURATION
        if len(shape) != 2 or shape[0] != n_bands or shape[1] < seconds * spectrum.fps:
            raise ConfigError(
                f"features of the shape {shape}; ({n_bands}, n_frames) of at least {seconds:g} s "
                f"are needed, at {spectrum.fps:.1f} frames a second"
            )
        asked = Asked(self._rows, self._sr)
        asked.take(Heard.of_features([features], spectrum))
        return self.as_estimate(asked.results())

    def results(self, path: FilePath, genres: Genres | None = None) -> Answers:
        """Result of every task for a file, by the name of the task; `genres` as for `estimate`.

        A task that fails has none, see `Answers`.

        Raises
        ------
        AudioError
            If the file is missing, unreadable, silent or too short, or all tasks fail.
        """
        with AudioFile(path) as file:
            if genres is None:
                genres = _stated_genre(path) if self.counts_by_genre else ()
            return self._listen(file, names_of(genres))

    def curve(self, path: FilePath, genres: Genres | None = None) -> tuple[TempoPoint, ...]:
        """Tempo of every window of a file in order of time; the whole file is heard.

        Where a longer silence begins there is a point without a tempo. `genres` as for `estimate`.

        Raises
        ------
        AudioError
            As for `estimate`.
        ConfigError
            If the tempo is not among the tasks.
        """
        rows = [row for row in self._rows if row[0].name == "tempo"]
        if not rows:
            raise ConfigError("the tempo is not among the tasks; there is no curve of it")
        tempo: Tempo = Estimator.of(rows, "all").results(path, genres)["tempo"]
        return tempo.curve

    def columns(self, results: Results) -> dict[str, Any]:
        """Values of all columns of the tasks that have a result, by the names of the columns."""
        values: dict[str, Any] = {}
        failed = failures_of(results)
        for task, _ in (row for row in self._rows if row[0].name not in failed):
            values.update(task.columns(results[task.name]))
        return values

    def as_estimate(self, results: Results) -> Estimate:
        """The results of all tasks for a track as an estimate.

        Raises
        ------
        ConfigError
            If the tempo is not among the tasks.
        Exception
            What the task of the tempo raised, if that failed.
        """
        failures = failures_of(results)
        if "tempo" in failures:
            raise failures["tempo"]
        if "tempo" not in results:
            raise ConfigError("the tempo was not asked for; take the results of the tasks")
        columns = self.columns(results)
        known = {name: columns[name] for name in Estimate.__dataclass_fields__ if name in columns}
        told = {name: explain(error) for name, error in failures.items()}
        return Estimate(**known, columns=columns, failures=told)

    def _listen(self, source: AudioSource, genres: Sequence[str] = ()) -> Answers:
        """Results for audio that is listened to in rounds, until the tasks know enough.

        `genres` are the names of those of the track.
        """
        sr, length = self._sr, self._plan.duration
        until_enough = self._n_windows is not None
        asked = Asked(self._rows, sr, until_enough=until_enough, genres=genres)
        alone: Excerpt | None = None  # the first round, if it was a single excerpt
        for round_ in listening.rounds(source, sr, self._plan, self._n_windows):
            if round_.is_first:
                asked.begin_again(round_.duration)
                alone = round_.excerpts[0] if len(round_.excerpts) == 1 else None
            if round_.music:
                asked.hear(round_.music)
                if until_enough and asked.know_enough():
                    break
        if alone is not None and alone.audio.size < length * sr:
            return self._from_excerpts([alone], genres)
        if not asked.has_heard:
            # Nothing sounds for long. What there is still gets an answer if it is not silent.
            return self._from_excerpts(source.read(sr, [(0.0, listening.WHOLE)]), genres)
        return asked.results()

    def _from_excerpts(self, excerpts: Sequence[Excerpt], genres: Sequence[str] = ()) -> Answers:
        """Results for excerpts; one that is shorter than a window may be a loop."""
        sr, length = self._sr, self._plan.duration
        check(excerpts, sr)

        def results(rows: Sequence[Row], music: Sequence[Excerpt]) -> Answers:
            asked = Asked(rows, sr, genres=genres)
            asked.hear(music)
            return asked.results()

        found = results(self._rows, sounding(excerpts, sr) or excerpts)
        if "tempo" not in found or len(excerpts) > 1 or excerpts[0].audio.size >= length * sr:
            return found
        # Only what depends on the tempo is asked about the repeated file.
        (rows,) = (g for g in independent(self._rows) if any(task.name == "tempo" for task, _ in g))

        def again(other: Excerpt) -> Answers:
            answers = Answers()
            answers.take((), lambda: results(rows, [other]))
            return answers

        found.take((), lambda: loops.as_loop(excerpts[0], found, sr, length, again))
        return found


def _stated_genre(path: FilePath) -> str:
    """What the tags of a file say of its genre, empty if nothing."""
    # Loaded here, as only models that a user has adapted go by the genre.
    from .labels.files import read_track

    try:
        return read_track(path).genre
    except TempoError:
        return ""


def estimate_file(path: FilePath, **options: Any) -> Estimate:
    """Estimate one file with freshly loaded models; `options` are those of `Estimator`.

    For more than one file make an `Estimator` and keep it.
    """
    return Estimator(**options).estimate(path)
