"""`tempo-core evaluate`: how good models are on labelled tracks."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Any

import click

from tempo_core.addresses import as_text, without_query
from tempo_core.background import Stopped, interruptible
from tempo_core.cli.command import Command
from tempo_core.cli.engine import command_engine
from tempo_core.cli.options import cluster_options, storages_option, window_count
from tempo_core.console import counted, echo, shown, time_limit_option
from tempo_core.errors import ClusterError

from . import load, work

if TYPE_CHECKING:
    from tempo_core.designs import TempoEstimator
    from tempo_core.engines import Engine

    from ..evaluation.answers import Answer, LabelledRecording
    from ..evaluation.asking import AskingOptions
    from ..evaluation.figures import EvaluationFigures
    from ..evaluation.key_answers import KeyAnswer
    from ..evaluation.key_estimators import KeyEstimator

# Names of baselines for tempi and for keys, whose modules take too long to import for --help:
# trainer.evaluation.baselines.BASELINES and trainer.evaluation.key_estimators.KEY_BASELINES.
BASELINE_NAMES = ("librosa", "librosa-beats")
KEY_BASELINE_NAMES = ("krumhansl",)
TEMPO_AND_KEY, TAGS = "tempo", "tags"  # of `--task`
# Options that have no meaning for tags.
NOT_OF_TAGS = ("split", "baselines", "dataset", "data_home", "index", "download", "log")


@dataclass(frozen=True)
class EvaluationRequest:
    """The command line of `tempo-core evaluate`.

    Attributes
    ----------
    sources
        Folders of training sets, and tables.
    split
        The split to measure on, or `all`; None is the first of test and validation that there is.
    models, baselines
        What is measured, of tempi and of keys; the others are compared with the first model. Where
        no model of a task is named it is the one in use.
    windows
        How many windows of a track to listen to, or `all`.
    scheduler, cluster_config
        A cluster that estimates; None for threads.
    storages
        Settings of the storages that audio at addresses may come from.
    time_limit
        For each track [s].
    dataset, data_home, dataset_version, index, download
        A published data set by its name, see `trainer.evaluation.published`, or None.
    log
        A training log to draw; None is the one inside of the first model.
    """

    sources: tuple[Path, ...]
    out: Path
    split: str | None
    models: tuple[str, ...]
    baselines: tuple[str, ...]
    windows: int | str
    jobs: int
    scheduler: str | None
    cluster_config: Path | None
    storages: Path | None
    time_limit: float
    dataset: str | None
    data_home: Path | None
    dataset_version: str
    index: Path | None
    download: bool
    log: Path | None


@click.command(cls=Command)
@click.argument("sources", nargs=-1, type=click.Path(exists=True, path_type=Path))
@click.option("--task", type=click.Choice((TEMPO_AND_KEY, TAGS)), default=TEMPO_AND_KEY,
              show_default=True,
              help="tempo includes keys; tags takes a table with path and tags.")  # fmt: skip
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), required=True,
              help="Folder for figures, table of tracks, plots and report.")  # fmt: skip
@click.option("--split", help="Tracks of this split, or 'all'; by default of the test split, else "
              "of the validation split, else all.")  # fmt: skip
@click.option("--model", "models", multiple=True, default=("default",), show_default=True,
              help="Name or path of a model; several are compared with the first.")  # fmt: skip
@click.option("--baseline", "baselines", multiple=True,
              type=click.Choice((*BASELINE_NAMES, *KEY_BASELINE_NAMES)),
              help="Another estimator to compare with; krumhansl is for keys.")  # fmt: skip
@click.option("--windows", callback=window_count, default="10", show_default=True, metavar="N|all",
              help="As for `estimate`.")  # fmt: skip
@click.option("--jobs", type=click.IntRange(min=1), default=os.cpu_count() or 1,
              show_default="all cores", help="Tracks at a time.")  # fmt: skip
@cluster_options
@storages_option
@time_limit_option
@click.option(
    "--dataset", metavar="NAME", help="A published data set, such as gtzan_genre; see the guide."
)
@click.option("--data-home", type=click.Path(file_okay=False, path_type=Path),
              help="Folder of the data set, laid out as mirdata wants it.")  # fmt: skip
@click.option(
    "--dataset-version", default="default", show_default=True, help="mirdata's name for it."
)
@click.option("--index", type=click.Path(exists=True, dir_okay=False, path_type=Path),
              help="mirdata's index of the data set, where it is not installed.")  # fmt: skip
@click.option(
    "--download", is_flag=True, help="Fetch index, annotations and audio, as far as offered."
)
@click.option("--log", type=click.Path(exists=True, dir_okay=False, path_type=Path),
              help="Training log to draw; else what the first model has of its own.")  # fmt: skip
@click.option("--min-tracks", type=click.IntRange(min=1), default=20, show_default=True,
              help="Of tags: the fewest tracks with a tag that is measured.")  # fmt: skip
def evaluate(task: str, min_tracks: int, **given: Any) -> None:
    """Measure models on tracks with a labelled tempo, a known key, or both.

    SOURCES are folders of training sets, folders with songs.tsv, rhythm.tsv, charts.tsv or
    clips.tsv, and tables with the columns path, and bpm or key. What was estimated before is read
    from --out, so an interrupted run goes on, and another model can be added later.
    """
    if task == TAGS:
        _evaluate_tags(given, min_tracks)
        return
    request = EvaluationRequest(**given)
    if not request.sources and request.dataset is None:
        raise click.UsageError("nothing to measure: give a folder, a table or --dataset")
    if request.dataset is not None and request.data_home is None:
        raise click.UsageError("--dataset needs --data-home, the folder of the data set")
    with interruptible() as stop:
        # Loading them takes seconds, and other packages may be missing.
        for name in ("asking", "key_asking", "published", "report", "labelled", "baselines"):
            load(f"evaluation.{name}", stop)
        with _engine(given, stop) as engine:
            failed = work(lambda: _evaluate(request, stop, engine), stop, engine)
    if failed:
        sys.exit(1)


@contextmanager
def _engine(given: Mapping[str, Any], stop: Event) -> Iterator[Engine | None]:
    """Context with the engine of the cluster that the options name; None for threads."""
    scheduler = given["scheduler"]
    opening = (scheduler, given["jobs"], given["cluster_config"], stop.is_set)
    with command_engine(*opening) as engine:
        yield None if scheduler is None else engine


def _evaluate_tags(given: dict[str, Any], min_tracks: int) -> None:
    """Judge the tags in a table, write the report and print the figures."""
    for name in NOT_OF_TAGS:
        if given[name]:
            raise click.UsageError(f"--{name.rstrip('s').replace('_', '-')} is not for --task tags")
    if len(given["sources"]) != 1 or given["sources"][0].is_dir() or len(given["models"]) > 1:
        raise click.UsageError("--task tags takes one table with the columns path and tags, and "
                               "one --model at most")  # fmt: skip
    with interruptible() as stop:
        load("evaluation.tag_report", stop)
        evaluating, options = (load(f"learning.{n}", stop) for n in ("tag_evaluating", "options"))
        asked = options.LearnOptions(
            task=TAGS, min_tracks=min_tracks, jobs=given["jobs"], time_limit=given["time_limit"]
        )
        table, out, model = given["sources"][0], given["out"], given["models"][0]
        with _engine(given, stop) as engine:
            found = work(
                lambda: evaluating.evaluate_tags(table, out, model, asked, stop.is_set, engine),
                stop,
                engine,
            )
    for line in found.lines:
        echo(line)
    echo(f"report: {found.report}")
    for path, error in found.failed:
        echo(shown(f"{path}: {error}"), err=True)
    if found.failed:
        sys.exit(1)


def _evaluate(request: EvaluationRequest, stop: Event, engine: Engine | None) -> bool:
    """Measure, write the report and print the figures; returns whether anything failed."""
    from ..evaluation import labelled, report, saving
    from ..evaluation.asking import AskingOptions
    from ..evaluation.key_tables import left_out
    from ..evaluation.opening import by_task, key_works, tempo_works

    tracks, problems = _read_tracks(request)
    for problem in problems:
        echo(problem, err=True)
    chosen, part = labelled.choose_split(labelled.unique(tracks), request.split)
    with_tempo = [track for track in chosen if track.bpm]
    keyed = [track for track in chosen if track.key is not None]
    saving.make_folder(request.out)
    of_tempo, of_key = by_task(request.models)
    works = tempo_works(of_tempo, request.baselines, request.windows)
    estimators = [one.open() for one in works]
    works_of_keys = key_works(of_key, request.baselines, request.windows) if keyed else []
    key_estimators = [one.open() for one in works_of_keys]
    options = AskingOptions(
        request.jobs,
        stop.is_set,
        request.time_limit,
        engine,
        {
            **{one.source: its for one, its in zip(estimators, works, strict=True)},
            **{one.source: its for one, its in zip(key_estimators, works_of_keys, strict=True)},
        },
    )
    history = _history(request.out, of_tempo[0], request.log)
    answers, key_answers = _answers(
        request, (estimators, key_estimators), (with_tempo, keyed), options
    )
    notes = [
        *left_out(with_tempo, keyed),
        *(_remembered(model, "tempo", with_tempo) for model in of_tempo),
        *(_remembered(model, "key", keyed) for model in of_key),
    ]
    about = saving.RunInfo(
        saving.title(len(with_tempo), len(keyed)), part, str(request.windows),
        version("beets-tempo"), tuple(note for note in notes if note),
    )  # fmt: skip
    figures = saving.save(request.out, about, answers, key_answers)
    path = report.write_report(request.out, about, answers, history, keys=key_answers)
    for line in _lines(figures, answers, key_answers, about.notes):
        echo(line)
    echo(f"split: {part}; report: {path}")
    failed = sum(bool(a.failure) for a in answers) + sum(bool(a.failure) for a in key_answers)
    if failed:
        total = len(answers) + len(key_answers)
        echo(f"{failed} of {total} estimates failed and count as wrong", err=True)
    if problems:
        echo(f"{counted(len(problems), 'label')} could not be used", err=True)
    return bool(failed or problems)


def _lines(
    figures: Mapping[str, EvaluationFigures],
    answers: Sequence[Answer],
    keys: Sequence[KeyAnswer],
    notes: Sequence[str],
) -> Iterator[str]:
    """The figures as text: of tempi, of paces, of keys, and what is to be said of all of them."""
    from ..evaluation import key_tables, text_tables

    if answers:
        yield from text_tables.aligned(text_tables.table(figures))
    yield from text_tables.told_paces(answers)
    yield from key_tables.told_keys(keys)
    yield from notes


def _read_tracks(request: EvaluationRequest) -> tuple[list[LabelledRecording], list[str]]:
    """Labelled tracks of all sources and of the data set, and what could not be read of them."""
    from ..evaluation import labelled, published

    found = [labelled.read_source(source) for source in request.sources]
    if request.dataset is not None and request.data_home is not None:
        found.append(
            published.read_dataset(
                request.dataset, request.data_home, request.dataset_version, request.index,
                request.download,
            )
        )  # fmt: skip
    tracks = [track for some, _ in found for track in some]
    return tracks, [problem for _, some in found for problem in some]


def _answers(
    request: EvaluationRequest,
    estimators: tuple[Sequence[TempoEstimator], Sequence[KeyEstimator]],
    tracks: tuple[Sequence[LabelledRecording], Sequence[LabelledRecording]],
    options: AskingOptions,
) -> tuple[list[Answer], list[KeyAnswer]]:
    """The answers of all estimators, those that are kept in the report's folder included.

    Parameters
    ----------
    estimators, tracks
        Those of tempi, and those of keys.

    Raises
    ------
    Stopped
        If it was to stop; what was estimated is kept.
    """
    from tqdm import tqdm

    from ..evaluation import asking, key_asking

    total = sum(len(asked) * len(some) for asked, some in zip(estimators, tracks, strict=True))
    n_done = 0
    with tqdm(total=total, unit="track", disable=None) as bar:

        def shown_as(name: str, path: Path, failure: str) -> None:
            nonlocal n_done
            n_done += 1
            bar.set_description(name, refresh=False)
            if failure:
                bar.write(shown(f"{without_query(as_text(path))}: {failure}"), file=sys.stderr)
            bar.update()

        try:
            answers = asking.ask_all(
                estimators[0], request.windows, tracks[0], request.out, options,
                lambda a: shown_as(a.estimator, a.path, a.failure),
            )  # fmt: skip
            keys = key_asking.ask_all_keys(
                estimators[1], request.windows, tracks[1], request.out, options,
                lambda a: shown_as(a.estimator, a.track.path, a.failure),
            )  # fmt: skip
        except ClusterError as error:
            raise ClusterError(
                f"{error}: {n_done} of {total} estimates are there; the same command goes on from "
                "here"
            ) from error
    if options.stopped():
        raise Stopped(
            f"interrupted: {len(answers) + len(keys)} of {total} estimates are there; "
            "the same command goes on from here"
        )
    return answers, keys


def _remembered(model: str, task: str, tracks: Sequence[LabelledRecording]) -> str:
    """How many of these tracks a model learned from, by its own card, as a sentence; or nothing."""
    from tempo_core import checkpoint

    from ..trainingset import memory

    path = checkpoint.resolve(model, task)
    known = memory.of_card(checkpoint.read(path).header["card"]) or memory.NO_MEMORY
    n_known = sum(known.knows(track.path, *memory.split_name(track.name)) for track in tracks)
    if not n_known:
        return ""
    return (
        f"{path.stem} has learned from {n_known} of these {len(tracks)} tracks, so its figures may "
        "be better than on new ones."
    )


def _history(out: Path, model: str, log: Path | None) -> list[dict[str, float]]:
    """The log of a model's training, copied so that the report can be drawn again without it.

    It is the one inside of the model unless `log` names another one. A log that lies in `out` is
    not read: it may be of another model.
    """
    from tempo_core import checkpoint

    from ..evaluation.history import HISTORY, read_history, unpack, write_history

    if log is not None:
        rows = read_history(log)
    else:
        rows = unpack(checkpoint.read(checkpoint.resolve(model)).header["card"].get("history"))
    if rows:
        write_history(out / HISTORY, rows)
    else:
        (out / HISTORY).unlink(missing_ok=True)  # of another model
    return rows
