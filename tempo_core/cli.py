"""`tempo-core`: the engine on the command line, without beets."""

from __future__ import annotations

import csv
import dataclasses
import errno
import io
import json
import os
import sqlite3
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import click

from .background import call, interruptible, leave_with, parallel
from .console import (
    echo,
    encoding_of,
    escaped,
    explain,
    give_up_stdout,
    shown,
    time_limit_option,
)
from .errors import CheckpointError, ConfigError, TempoError
from .files import audio_files
from .labels import commands as label_commands
from .shadowing import check_trainer

if TYPE_CHECKING:
    from .estimate import Estimate, Estimator

COLUMNS = ("path", "bpm", "confidence", "paces", "key", "key_confidence", "error")
OFFERED = "tempo_core.commands"  # entry points, see pyproject.toml
FIELDS = (*COLUMNS[:3], "stability", *COLUMNS[3:])  # of a JSON object


@dataclasses.dataclass(frozen=True)
class Row:
    """One file of a run: an estimate, or what is wrong."""

    path: str
    estimate: Estimate | None
    error: str | None


class Writer(Protocol):
    """How rows are printed; `row` as each gets ready, `end` once after the last."""

    def row(self, row: Row) -> None: ...
    def end(self) -> None: ...


class TextWriter:
    """For people: one line a file, failures on stderr."""

    def row(self, row: Row) -> None:
        if row.estimate is None:
            echo(f"{row.path}: {row.error}", err=True)
            return
        from .paces import format_paces

        e = row.estimate
        known = f"confidence {e.confidence:.2f}"
        if e.stability is not None:
            known += f", stability {e.stability:.2f}"
        echo(f"{row.path}: {e.bpm:.2f} BPM ({known}) paces {format_paces(e.paces)}")

    def end(self) -> None:
        pass


class TsvWriter:
    """A header line, then one row a file; the numbers of a failed file are empty.

    Cells of text are `escaped`.
    """

    def __init__(self) -> None:
        self._writer = csv.writer(sys.stdout, delimiter="\t", lineterminator="\n")
        self._writer.writerow(COLUMNS)

    def row(self, row: Row) -> None:
        values = record(row)
        paces = values["paces"]
        if row.estimate is not None:
            from .paces import format_paces

            paces = format_paces(row.estimate.paces)
        text = {
            name: escaped(str(values[name] or ""), encoding_of(sys.stdout))
            for name in ("path", "error")
        }
        cells = {**values, **text, "paces": paces}
        self._writer.writerow(["" if cells[c] is None else cells[c] for c in COLUMNS])
        sys.stdout.flush()

    def end(self) -> None:
        pass


class JsonWriter:
    """One array of objects, printed as the files get ready."""

    def __init__(self) -> None:
        self._first = True

    def row(self, row: Row) -> None:
        click.echo(("[\n" if self._first else ",\n") + json.dumps(record(row)), nl=False)
        self._first = False

    def end(self) -> None:
        click.echo("[]" if self._first else "\n]")


WRITERS: dict[str, type[TextWriter] | type[TsvWriter] | type[JsonWriter]] = {
    "text": TextWriter,
    "tsv": TsvWriter,
    "json": JsonWriter,
}


def record(row: Row) -> dict[str, object]:
    """A row as plain values by the names in `FIELDS`; None where there is nothing to say."""
    values: dict[str, object] = dict.fromkeys(FIELDS)
    values["path"] = row.path
    values["error"] = row.error
    if row.estimate is not None:
        values.update(dataclasses.asdict(row.estimate))
        values["paces"] = [dataclasses.asdict(pace) for pace in row.estimate.paces]
    return values


def estimate_files(
    estimator: Estimator,
    files: Iterable[tuple[str, Exception | None]],
    jobs: int,
    stopped: Callable[[], bool] = lambda: False,
    time_limit: float | None = None,
) -> Iterator[Row]:
    """Estimate `audio_files` in `jobs` threads; rows come in the order of the files.

    Whatever happens to a file, it has its row. If it was to stop, those are missing that were not
    ready.
    """
    ready: dict[int, Row] = {}
    n_rows = 0

    def one(task: tuple[int, tuple[str, Exception | None]]) -> Estimate:
        path, problem = task[1]
        if problem is not None:
            raise problem
        return estimator.estimate(path)

    with closing(parallel(one, enumerate(files), jobs, stopped, time_limit)) as results:
        for (number, (path, _)), result in results:
            if isinstance(result, Exception):
                ready[number] = Row(path, None, explain(result))
            else:
                ready[number] = Row(path, result, None)
            while n_rows in ready:
                yield ready.pop(n_rows)
                n_rows += 1
    for number in sorted(ready):
        yield ready[number]


class Commands(click.Group):
    """The commands of this package, and those that installed packages offer beside them.

    Whatever ends one of them is a single line on stderr.
    """

    def main(self, *args: Any, **kwargs: Any) -> Any:
        """See `click.Group`."""
        try:
            return super().main(*args, **kwargs)
        except SystemExit as leaving:
            leave_with(leaving.code if isinstance(leaving.code, int) else 0)
            raise

    def invoke(self, ctx: click.Context) -> Any:
        """See `click.Group`."""
        if sys.stdout is None:
            raise click.ClickException("standard output is closed")
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper):  # what is not escaped need not be printable
                stream.reconfigure(errors="backslashreplace")
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()
        except click.ClickException as error:
            error.message = shown(error.message)  # type: ignore[misc]
            raise
        except sqlite3.Error as error:
            raise click.ClickException(f"a database cannot be used ({explain(error)})") from error
        except OSError as error:
            if error.filename is None:
                give_up_stdout()
            if error.errno == errno.EPIPE:
                sys.exit(1)  # without a word, as others do whose reader has gone
            name = "standard output" if error.filename is None else os.fsdecode(error.filename)
            raise click.ClickException(shown(f"{name}: {error.strerror or error}")) from error
        return result

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted({*super().list_commands(ctx), *entry_points(group=OFFERED).names})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        own = super().get_command(ctx, cmd_name)
        offered = entry_points(group=OFFERED)
        if own is not None or cmd_name not in offered.names:
            return own
        entry = offered[cmd_name]
        try:
            if entry.module.startswith("trainer."):
                check_trainer()
            command: click.Command = entry.load()
        except ConfigError as error:
            return _unavailable(cmd_name, "cannot be used: another `trainer`", str(error))
        except ImportError as error:
            advice = "pip install 'beets-tempo[train]'"
            return _unavailable(
                cmd_name,
                f"needs more packages: {advice}",
                f"{cmd_name} needs more packages ({error}): {advice}",
            )
        return command


def _unavailable(name: str, short_help: str, reason: str) -> click.Command:
    """A command that only says why it cannot be used."""

    @click.command(name, short_help=short_help, context_settings={"ignore_unknown_options": True})
    @click.argument("args", nargs=-1)
    def command(args: tuple[str, ...]) -> None:
        raise click.ClickException(reason)

    return command


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="beets-tempo")
def main() -> None:
    """Estimate the tempo of audio files, and find what is published about it."""


main.add_command(label_commands.labels)
main.add_command(label_commands.demo_site)
main.add_command(label_commands.acousticbrainz_index)


def window_count(ctx: click.Context, param: click.Parameter, value: str) -> int | str:
    """Callback of `--windows`: a whole number from 1, or `all`."""
    if value == "all":
        return value
    if not value.isdecimal() or int(value) < 1:
        raise click.BadParameter("give a whole number from 1 on, or 'all'")
    return int(value)


@main.command(short_help="Estimate the tempo of files.")
@click.option(
    "--format", "form", type=click.Choice(sorted(WRITERS)), default="text", show_default=True
)
@click.option(
    "--jobs", type=click.IntRange(min=1), default=os.cpu_count() or 1, show_default="all cores",
    help="Files at a time.",
)  # fmt: skip
@click.option(
    "--windows", callback=window_count, default="10", show_default=True, metavar="N|all",
    help="Windows of 12 s to listen to at most, or the whole file.",
)  # fmt: skip
@click.option(
    "--model", default="default", show_default=True, help="Name or path of a model, see `models`."
)
@time_limit_option
@click.argument("files", nargs=-1, required=True)  # click.Path would look at them here
def estimate(
    form: str, jobs: int, windows: int | str, model: str, time_limit: float, files: tuple[str, ...]
) -> None:
    """Estimate the tempo of FILES, and of the audio files in folders.

    A file that fails keeps its row, with the reason in `error`, and makes the exit status 1.
    """

    def load() -> Estimator:
        from .estimate import Estimator

        return Estimator(model=model, windows=windows)

    with interruptible() as stop:
        try:
            estimator = call(load, stop.is_set)
        except TempoError as error:
            raise click.ClickException(str(error)) from error
        found = list(audio_files(files, stop.is_set, time_limit))
        writer: Writer = WRITERS[form]()
        n_rows = failed = 0
        try:
            for row in estimate_files(estimator, found, jobs, stop.is_set, time_limit):
                writer.row(row)
                n_rows += 1
                failed += row.error is not None
        finally:
            writer.end()
    if stop.is_set():
        raise click.ClickException(f"interrupted: {n_rows} of {len(found)} files are estimated")
    if failed:
        click.echo(f"{failed} of {len(found)} files failed", err=True)
        sys.exit(1)


@main.group(invoke_without_command=True, short_help="List, choose and remove models.")
@click.pass_context
def models(ctx: click.Context) -> None:
    """List the models, shipped and learned; the one in use is marked."""
    if ctx.invoked_subcommand is not None:
        return
    from . import checkpoint, installed

    failed = False
    used = []
    for task in checkpoint.NETWORKS:
        try:
            used.append(checkpoint.resolve("default", task))
        except TempoError as error:
            echo(f"  {error}", err=True)
            failed = True
    folders = (checkpoint.SHIPPED, installed.folder())
    found = [checkpoint.available(place, task) for task in checkpoint.NETWORKS for place in folders]
    for path in (path for paths in found for path in paths):
        try:
            model = checkpoint.load(path)
        except TempoError as error:
            echo(f"  {path.stem}  unusable: {error}", err=True)
            failed = True
            continue
        size = path.stat().st_size / 1e3
        mark = "*" if path in used else " "
        echo(f"{mark} {path.stem}  {size:.0f} kB  {model.card.get('summary', '')}")
    if any(not checkpoint.available(task=task) for task in checkpoint.NETWORKS):
        raise click.ClickException("no usable model is installed; install beets-tempo again")
    if failed:
        raise click.ClickException(
            "`tempo-core models use shipped` uses the model in the package, "
            "`tempo-core models remove NAME` deletes a learned one"
        )


@models.command("use", short_help="Use a model from now on.")
@click.argument("name")
def use_model(name: str) -> None:
    """Use a model from now on: NAME as it is listed, a model file, or `shipped`."""
    from . import checkpoint, installed

    try:
        if name == installed.SHIPPED:
            for task in checkpoint.NETWORKS:
                installed.activate(installed.SHIPPED, task)
                echo(f"{checkpoint.resolve(installed.SHIPPED, task).stem} is in use")
            return
        path = _find_model(name)
        task = checkpoint.load(path).task
        if path in checkpoint.available():
            installed.activate(installed.SHIPPED, task)
        else:
            installed.activate(installed.add(path).name, task)
    except (TempoError, OSError) as error:
        raise click.ClickException(str(error)) from error
    echo(f"{path.stem} is in use")


@models.command()
@click.option(
    "--task",
    type=click.Choice(["tempo", "pace"]),
    default="tempo",
    show_default=True,
    help="What the model is for.",
)
def rollback(task: str) -> None:
    """Use the model again that was in use before this one."""
    from . import installed

    try:
        name = installed.rollback(task)
    except TempoError as error:
        raise click.ClickException(str(error)) from error
    echo(f"{name.removesuffix('.safetensors')} is in use")


@models.command("remove")
@click.argument("name")
def remove_model(name: str) -> None:
    """Delete a learned model that is not in use."""
    from . import installed

    try:
        path = _find_model(name)
        installed.remove(path)
    except (TempoError, OSError) as error:
        raise click.ClickException(str(error)) from error
    echo(f"{path.stem} is deleted")


def _find_model(name: str) -> Path:
    """The file of a model of any task."""
    from . import checkpoint

    missing: list[CheckpointError] = []
    for task in checkpoint.NETWORKS:
        try:
            return checkpoint.resolve(name, task)
        except CheckpointError as error:
            missing.append(error)
    if name == "default":  # which is one that cannot be used
        raise missing[0]
    raise checkpoint.no_model(name, None) from missing[0]


if __name__ == "__main__":
    main()
