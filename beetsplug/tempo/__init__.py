"""beets plugin: `beet tempo`, `tempo-labels`, `tempo-eval`, `tempo-mix`, import, `pace:` queries.

beets imports its plugins for every command, so this module and the two it imports load next to
nothing; what does the work is imported when there is work.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, ClassVar

from beets import ui
from beets.dbcore import types
from beets.exceptions import UserError
from beets.plugins import BeetsPlugin

from .marking import FIELD as MARKER
from .marking import OptionalText, media_field
from .queries import AlbumPaceQuery, PaceQuery
from .settings import DEFAULTS, METHODS, TEMPLATE
from .stated import EstimatedPaces, StatedPaces

if TYPE_CHECKING:
    from optparse import Values

    from beets.importer import ImportSession, ImportTask
    from beets.library import Item, Library

    from .importing import ImportAnalysis


class Decimal2(types.NullFloat):
    """A number shown with two decimals, missing where it is not set.

    All instances are equal, so that a second plugin may declare the same field the same way.
    """

    def __init__(self) -> None:
        super().__init__(digits=2)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, types.NullFloat) and other.digits == self.digits

    def __hash__(self) -> int:
        return hash(self.digits)


class TempoPlugin(BeetsPlugin):
    item_types: ClassVar[dict[str, types.Type]] = {
        "tempo_bpm": Decimal2(),
        "tempo_confidence": Decimal2(),
        "tempo_stability": Decimal2(),
        "tempo_half": Decimal2(),
        "tempo_double": Decimal2(),
        "tempo_triple": Decimal2(),
        "tempo_paces": EstimatedPaces(),
        "tempo_paces_manual": StatedPaces(),
        "tempo_source": types.STRING,
        "tempo_verdict": types.STRING,
        MARKER: OptionalText(),
        "tempo_pending": types.STRING,
        "tempo_failure": types.STRING,
        "tempo_failed_file": types.STRING,
        "tempo_label_bpm": Decimal2(),
        "tempo_label_key": types.STRING,
        "tempo_label_source": types.STRING,
        "tempo_label_url": types.STRING,
        "tempo_label_status": types.STRING,
        "tempo_label_verdict": types.STRING,
        "tempo_label_date": types.STRING,
    }
    item_queries: ClassVar = {"pace": PaceQuery}
    album_queries: ClassVar = {"pace": AlbumPaceQuery}

    def __init__(self) -> None:
        super().__init__()
        self.config.add(DEFAULTS)
        self.config["labels"]["getsongbpm_key"].redact = True
        if (field := media_field()) is not None:
            self.add_media_field(MARKER, field)
        self.template_fields["camelot"] = camelot_of
        self.register_listener("import_begin", self.import_begin)
        self.import_stages = [self.imported]
        self.register_listener("import_task_files", self.import_task_files)

    def commands(self) -> list[ui.Subcommand]:
        tempo = ui.Subcommand("tempo", help="estimate the tempo of tracks and write it to them")
        option = tempo.parser.add_option
        _add_common_options(
            tempo, force="analyse tracks that have a tempo already, and overwrite it"
        )
        option("-t", "--threads", type="int", default=None, help="tracks to analyse at a time")
        option("--retry", action="store_true", help="try again what failed before")
        option(
            "--cadence",
            metavar="A..B",
            help="instead list the tracks one can move to at A to B steps a minute",
        )
        option("--format", metavar="FORMAT", help="print the tracks of --cadence like this")
        tempo.func = self.command

        mix = ui.Subcommand("tempo-mix", help="find what mixes with a track, by tempo and key")
        option = mix.parser.add_option
        option("--max", type="int", default=20, help="tracks to show [default: %default]")
        option(
            "--pitch",
            type="float",
            default=6.0,
            metavar="PERCENT",
            help="change of speed to accept at most [default: %default]",
        )
        mix.parser.add_format_option(target="item")
        mix.func = self.mix_command

        labels = ui.Subcommand("tempo-labels", help="find published BPM and key of tracks")
        option = labels.parser.add_option
        _add_common_options(labels, force="ask again about what is known")
        option(
            "--source",
            dest="sources",
            action="append",
            metavar="NAME",
            help="where to look; several in the order in which to ask",
        )
        option("--max-requests", type="int", metavar="N", help="send no more requests than this")
        option("--apply", action="store_true", default=None, help="fill empty bpm and initial_key")
        option("--report", metavar="FILE", help="write a report as HTML")
        option("--import", dest="import_", metavar="FILE", help="take labels from a table first")
        option("--export", metavar="FILE", help="write the labels to a table")
        option(
            "--trainable",
            dest="trainable_only",
            action="store_true",
            help="export only what may be trained on",
        )
        labels.func = self.labels_command

        train = ui.Subcommand("tempo-train", help="fit the models to how you count")
        option = train.parser.add_option
        option(
            "-p", "--pretend", action="store_true", default=False,
            help="show what would be trained on, do nothing",
        )  # fmt: skip
        option("-q", "--quiet", action="store_true", default=None, help="show only failures")
        option("-t", "--threads", type="int", default=None, help="tracks to listen to at a time")
        option(
            "--task", choices=["tempo", "pace"], default="tempo",
            help="what to learn: the tempo, or at which paces one can move",
        )  # fmt: skip
        option(
            "--method", choices=list(METHODS), default=None,
            help="shift and adapt learn how you count, fit the whole network",
        )  # fmt: skip
        option(
            "--from-scratch", action="store_true", default=False,
            help="fit, but not from the shipped weights",
        )  # fmt: skip
        option("--epochs", type="int", metavar="N", help="of fit; of adapt, its steps")
        option("--seed", type="int", default=0, help="of the split and of learning")
        option("--devices", type="int", default=1, metavar="N", help="processes or GPUs for fit")
        option("--accelerator", default="cpu", metavar="cpu|gpu|auto", help="for fit")
        option("--out", metavar="FOLDER", help="where to put the model")
        option("--no-install", action="store_true", default=False, help="do not use the model")
        option(
            "--install-anyway", action="store_true", default=False,
            help="use the model, whatever comes out",
        )  # fmt: skip
        option("--guard", metavar="FOLDER", help="training set beside which nothing may get worse")
        train.func = self.train_command

        evaluation = ui.Subcommand("tempo-eval", help="how good the analysis is on labelled tracks")
        option = evaluation.parser.add_option
        option("--report", metavar="FILE", help="write a report as HTML")
        option("--baseline", action="store_true", help="compare with librosa as well")
        option(
            "--split",
            type="choice",
            choices=("all", "test"),
            default="all",
            help="test: only tracks that the model has not learned from",
        )
        option("--out", metavar="DIR", help="where figures and estimates are kept")
        option("-q", "--quiet", action="store_true", default=None, help="show only failures")
        option("-t", "--threads", type="int", default=None, help="tracks to analyse at a time")
        evaluation.func = self.evaluation_command
        return [tempo, labels, mix, train, evaluation]

    def command(self, lib: Library, opts: Values, args: list[str]) -> None:
        """`beet tempo [query]`."""
        if opts.cadence is not None:
            from .moving import list_cadence

            list_cadence(lib, args, opts.cadence, opts.format)
            return
        from .command import analyse_library

        settings = self.config.get(TEMPLATE)
        settings.update({name: value for name, value in vars(opts).items() if value is not None})
        if settings.threads < 1:
            raise UserError("--threads must be a whole number from 1")
        try:
            analyse_library(lib, args, settings, self._log)
        except KeyboardInterrupt:
            raise UserError("interrupted") from None

    def labels_command(self, lib: Library, opts: Values, args: list[str]) -> None:
        """`beet tempo-labels [query]`."""
        settings = self.config.get(TEMPLATE)
        chosen = vars(opts)
        # `force: yes` means tempi; to ask everybody again is never a habit.
        settings.update({name: value for name, value in chosen.items() if value is not None})
        settings.force = bool(opts.force)
        for name in ("report", "export", "import_", "trainable_only"):
            settings[name] = chosen[name]
        for name in ("apply", "max_requests"):
            if chosen[name] is not None:
                settings.labels[name] = chosen[name]
        if settings.labels.max_requests is not None and settings.labels.max_requests < 0:
            raise UserError("--max-requests must be a whole number from 0")
        from .labelling import label_library

        try:
            label_library(lib, args, settings, self._log)
        except KeyboardInterrupt:
            raise UserError("interrupted") from None

    def train_command(self, lib: Library, opts: Values, args: list[str]) -> None:
        """`beet tempo-train [query]`."""
        settings = self.config.get(TEMPLATE)
        for name, value in vars(opts).items():
            if name in ("method", "guard") and value is not None:
                settings.train[name] = value
            elif value is not None:
                settings[name] = value
        for name in ("threads", "epochs", "devices"):
            if getattr(opts, name) is not None and getattr(opts, name) < 1:
                raise UserError(f"--{name} must be a whole number from 1")
        from .training import train_library

        try:
            train_library(lib, args, settings, self._log)
        except KeyboardInterrupt:
            raise UserError("interrupted") from None

    def mix_command(self, lib: Library, opts: Values, args: list[str]) -> None:
        """`beet tempo-mix [query]`."""
        from .mixing import list_mix

        list_mix(lib, args, pitch=opts.pitch, most=opts.max, format_=opts.format)

    def evaluation_command(self, lib: Library, opts: Values, args: list[str]) -> None:
        """`beet tempo-eval [query]`."""
        from .evaluating import evaluate_library

        settings = self.config.get(TEMPLATE)
        settings.update({name: value for name, value in vars(opts).items() if value is not None})
        if settings.threads < 1:
            raise UserError("--threads must be a whole number from 1")
        try:
            evaluate_library(lib, args, settings, self._log)
        except KeyboardInterrupt:
            raise UserError("interrupted") from None

    @cached_property
    def _import(self) -> ImportAnalysis:
        from .importing import ImportAnalysis

        return ImportAnalysis(self._log)

    def import_begin(self, session: ImportSession) -> None:
        """Refuse bad settings now: in the middle of an import there is no good way to."""
        self.config.get(TEMPLATE)

    def imported(self, session: ImportSession, task: ImportTask) -> None:
        """Analyse what is being imported, before its files are copied or moved."""
        settings = self.config.get(TEMPLATE)
        if settings.auto:
            self._import.analyse(task, settings)

    def import_task_files(self, session: ImportSession, task: ImportTask) -> None:
        """Write what beets does not, now that the files are where they belong."""
        settings = self.config.get(TEMPLATE)
        if settings.auto:
            self._import.write(task, settings)


def _add_common_options(command: ui.Subcommand, *, force: str) -> None:
    """Options that all commands have, named as everywhere in beets."""
    add = command.parser.add_option
    add("-f", "--force", action="store_true", default=None, help=force)
    add(
        "-p",
        "--pretend",
        action="store_true",
        default=False,
        help="show what would be done, write nothing",
    )
    add("-q", "--quiet", action="store_true", default=None, help="show nothing but failures")
    add("-w", "--write", action="store_true", default=None, help="write to the files' tags")
    add(
        "-W",
        "--nowrite",
        dest="write",
        action="store_false",
        help="change the library only, not the files' tags",
    )
    command.parser.add_album_option()


def camelot_of(item: Item) -> str:
    """The `$camelot` field."""
    from tempo_core.keys import camelot

    return camelot(item.initial_key or "") or ""
