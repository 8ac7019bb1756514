"""`tempo-core evaluate`: how good models are on labelled tracks."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tempo_core.background import Stopped, interruptible
from tempo_core.cli.options import window_count
from tempo_core.console import counted, echo, shown, time_limit_option
from tempo_core.errors import TempoError

from . import lacking, load, work

if TYPE_CHECKING:
    from ..evaluation.answers import Answer, LabelledRecording

NAMES = (
    "librosa",
    "librosa-beats",
)  # of trainer.evaluation.baselines.BASELINES, which takes too long to import for --help


@click.command()
@click.argument("sources", nargs=-1, type=click.Path(exists=True, path_type=Path))
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), required=True,
              help="Folder for figures, table of tracks, plots and report.")  # fmt: skip
@click.option("--split", help="Tracks of this split, or 'all'; by default of the test split, else "
              "of the validation split, else all.")  # fmt: skip
@click.option("--model", "models", multiple=True, default=("default",), show_default=True,
              help="Name or path of a model; several are compared with the first.")  # fmt: skip
@click.option("--baseline", "baselines", multiple=True, type=click.Choice(NAMES),
              help="Another estimator to compare with.")  # fmt: skip
@click.option("--windows", callback=window_count, default="10", show_default=True, metavar="N|all",
              help="As for `estimate`.")  # fmt: skip
@click.option("--jobs", type=click.IntRange(min=1), default=os.cpu_count() or 1,
              show_default="all cores", help="Tracks at a time.")  # fmt: skip
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
def evaluate(
    sources: tuple[Path, ...], out: Path, split: str | None, models: tuple[str, ...],
    baselines: tuple[str, ...], windows: int | str, jobs: int, time_limit: float,
    dataset: str | None, data_home: Path | None, dataset_version: str, index: Path | None,
    download: bool, log: Path | None,
) -> None:  # fmt: skip
    """Measure models on labelled tracks.

    SOURCES are folders of training sets, folders with songs.tsv, rhythm.tsv or clips.tsv, and
    tables with the columns path and bpm. What was estimated before is read from --out, so an
    interrupted run goes on, and another model can be added later.
    """
    if not sources and dataset is None:
        raise click.UsageError("nothing to measure: give a folder, a table or --dataset")
    if dataset is not None and data_home is None:
        raise click.UsageError("--dataset needs --data-home, the folder of the data set")
    with interruptible() as stop:
        # Loading them takes seconds, and other packages may be missing.
        for name in ("asking", "published", "report", "labelled", "baselines"):
            load(f"evaluation.{name}", stop)

        from tqdm import tqdm

        from ..evaluation import asking, labelled, published, report, saving, text_tables
        from ..evaluation.baselines import BASELINES, open_model

        def run() -> bool:
            tracks: list[LabelledRecording] = []
            problems: list[str] = []
            for source in sources:
                found = labelled.read_source(source)
                tracks += found[0]
                problems += found[1]
            if dataset is not None and data_home is not None:
                found = published.read_dataset(dataset, data_home, dataset_version, index, download)
                tracks += found[0]
                problems += found[1]
            for problem in problems:
                echo(problem, err=True)
            chosen, part = labelled.choose_split(labelled.unique(tracks), split)
            saving.make_folder(out)
            estimators = [
                *(open_model(model, windows) for model in dict.fromkeys(models)),
                *(BASELINES[name]() for name in dict.fromkeys(baselines)),
            ]
            history = _history(out, models[0], log)
            total = len(estimators) * len(chosen)
            with tqdm(total=total, unit="track", disable=None) as bar:

                def done(answer: Answer) -> None:
                    bar.set_description(answer.estimator, refresh=False)
                    if answer.failure:
                        bar.write(shown(f"{answer.path}: {answer.failure}"), file=sys.stderr)
                    bar.update()

                answers = asking.ask_all(
                    estimators, windows, chosen, out,
                    asking.AskingOptions(jobs, stop.is_set, time_limit), done,
                )  # fmt: skip
            if stop.is_set():
                raise Stopped(
                    f"interrupted: {len(answers)} of {total} estimates are there; "
                    "the same command goes on from here"
                )
            notes = [
                note for model in dict.fromkeys(models) if (note := _remembered(model, chosen))
            ]
            about = saving.RunInfo(
                f"Tempo of {len(chosen)} tracks", part, str(windows), version("beets-tempo"),
                tuple(notes),
            )  # fmt: skip
            figures = saving.save(out, about, answers)
            path = report.write_report(out, about, answers, history)
            for line in text_tables.aligned(text_tables.table(figures)):
                echo(line)
            for line in (*text_tables.told_paces(answers), *notes):
                echo(line)
            echo(f"split: {part}; report: {path}")
            failed = sum(bool(answer.failure) for answer in answers)
            if failed:
                echo(f"{failed} of {total} estimates failed and count as wrong", err=True)
            if problems:
                echo(f"{counted(len(problems), 'label')} could not be used", err=True)
            return bool(failed or problems)

        try:
            failed = work(run, stop)
        except TempoError as error:
            raise click.ClickException(str(error)) from error
        except ImportError as error:
            raise lacking(error) from error
    if failed:
        sys.exit(1)


def _remembered(model: str, tracks: Sequence[LabelledRecording]) -> str:
    """Of how many of these tracks a model says itself that it learned from them; else nothing."""
    from tempo_core import checkpoint

    from ..trainingset import memory

    path = checkpoint.resolve(model)
    known = memory.of_card(checkpoint.read(path).header["card"]) or memory.NOTHING
    n_known = sum(known.knows(track.path, *memory.split_name(track.name)) for track in tracks)
    if not n_known:
        return ""
    return (
        f"{path.stem} has learned from {n_known} of these {len(tracks)} tracks, so its figures may "
        "be better than on new ones."
    )


def _history(out: Path, model: str, log: Path | None) -> list[dict[str, float]]:
    """The log of a model's training, copied so that the report can be drawn again without it.

    It is the one inside of the model, unless another one is named: what lies in a folder may be
    that of another model.
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
