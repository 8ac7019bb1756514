"""`tempo-core`: the engine on the command line, without beets."""

from __future__ import annotations

import csv
import dataclasses
import json
import os
import sys
from collections.abc import Iterator
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import click

from .errors import AudioError, CheckpointError, TempoError
from .labels import commands as label_commands

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
            click.echo(f"{row.path}: {row.error}", err=True)
            return
        from .paces import format_paces

        e = row.estimate
        known = f"confidence {e.confidence:.2f}"
        if e.stability is not None:
            known += f", stability {e.stability:.2f}"
        click.echo(f"{row.path}: {e.bpm:.2f} BPM ({known}) paces {format_paces(e.paces)}")

    def end(self) -> None:
        pass


class TsvWriter:
    """A header line, then one row a file; the numbers of a failed file are empty."""

    def __init__(self) -> None:
        self._writer = csv.writer(sys.stdout, delimiter="\t", lineterminator="\n")
        self._writer.writerow(COLUMNS)

    def row(self, row: Row) -> None:
        values = record(row)
        paces = values["paces"]
        if row.estimate is not None:
            from .paces import format_paces

            paces = format_paces(row.estimate.paces)
        cells = {**values, "paces": paces}
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


def estimate_files(estimator: Estimator, paths: list[str], jobs: int) -> Iterator[Row]:
    """Estimate files in `jobs` threads; rows come in the order of the paths."""
    import joblib

    def one(path: str) -> Row:
        try:
            return Row(path, estimator.estimate(path), None)
        except AudioError as error:
            return Row(path, None, str(error))

    tasks = (joblib.delayed(one)(path) for path in paths)
    yield from joblib.Parallel(n_jobs=jobs, prefer="threads", return_as="generator")(tasks)


class Commands(click.Group):
    """The commands of this package, and those that installed packages offer beside them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted({*super().list_commands(ctx), *entry_points(group=OFFERED).names})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        own = super().get_command(ctx, cmd_name)
        offered = entry_points(group=OFFERED)
        if own is not None or cmd_name not in offered.names:
            return own
        try:
            command: click.Command = offered[cmd_name].load()
        except ImportError as error:
            return _unavailable(cmd_name, str(error))
        return command


def _unavailable(name: str, reason: str) -> click.Command:
    advice = "pip install 'beets-tempo[train]'"

    @click.command(
        name,
        short_help=f"needs more packages: {advice}",
        context_settings={"ignore_unknown_options": True},
    )
    @click.argument("args", nargs=-1)
    def command(args: tuple[str, ...]) -> None:
        raise click.ClickException(f"{name} needs more packages ({reason}): {advice}")

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


@main.command()
@click.option(
    "--format", "form", type=click.Choice(sorted(WRITERS)), default="text", show_default=True
)
@click.option(
    "--jobs", type=click.IntRange(min=1), default=os.cpu_count() or 1, show_default="all cores",
    help="Files at a time.",
)  # fmt: skip
@click.option(
    "--windows", callback=window_count, default="6", show_default=True, metavar="N|all",
    help="Windows of 12 s to listen to at most, or the whole file.",
)  # fmt: skip
@click.option(
    "--model", default="default", show_default=True, help="Name or path of a model, see `models`."
)
@click.argument("files", nargs=-1, required=True, type=click.Path())
def estimate(form: str, jobs: int, windows: int | str, model: str, files: tuple[str, ...]) -> None:
    """Estimate the tempo of FILES.

    A file that fails keeps its row, with the reason in `error`, and makes the exit status 1.
    """
    from .estimate import Estimator

    try:
        estimator = Estimator(model=model, windows=windows)
    except TempoError as error:
        raise click.ClickException(str(error)) from error
    writer: Writer = WRITERS[form]()
    failed = 0
    for row in estimate_files(estimator, list(files), jobs):
        writer.row(row)
        failed += row.error is not None
    writer.end()
    if failed:
        click.echo(f"{failed} of {len(files)} files failed", err=True)
        sys.exit(1)


@main.group(invoke_without_command=True)
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
            click.echo(f"  {error}", err=True)
            failed = True
    folders = (checkpoint.SHIPPED, installed.folder())
    found = [checkpoint.available(place, task) for task in checkpoint.NETWORKS for place in folders]
    for path in (path for paths in found for path in paths):
        try:
            model = checkpoint.load(path)
        except TempoError as error:
            click.echo(f"  {path.stem}  unusable: {error}", err=True)
            failed = True
            continue
        size = path.stat().st_size / 1e3
        mark = "*" if path in used else " "
        click.echo(f"{mark} {path.stem}  {size:.0f} kB  {model.card.get('summary', '')}")
    if any(not checkpoint.available(task=task) for task in checkpoint.NETWORKS):
        raise click.ClickException("no usable model is installed; install beets-tempo again")
    if failed:
        raise click.ClickException(
            "`tempo-core models use shipped` uses the model in the package, "
            "`tempo-core models remove NAME` deletes a learned one"
        )


@models.command("use")
@click.argument("name")
def use_model(name: str) -> None:
    """Use a model from now on: NAME as it is listed, a model file, or `shipped`."""
    from . import checkpoint, installed

    try:
        if name == installed.SHIPPED:
            for task in checkpoint.NETWORKS:
                installed.activate(installed.SHIPPED, task)
                click.echo(f"{checkpoint.resolve(installed.SHIPPED, task).stem} is in use")
            return
        path = _find_model(name)
        task = checkpoint.load(path).task
        if path in checkpoint.available():
            installed.activate(installed.SHIPPED, task)
        else:
            installed.activate(installed.add(path).name, task)
    except (TempoError, OSError) as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"{path.stem} is in use")


@models.command()
@click.option("--task", type=click.Choice(["tempo", "pace"]), default="tempo", show_default=True)
def rollback(task: str) -> None:
    """Use the model again that was in use before this one."""
    from . import installed

    try:
        name = installed.rollback(task)
    except TempoError as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"{name.removesuffix('.safetensors')} is in use")


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
    click.echo(f"{path.stem} is deleted")


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
