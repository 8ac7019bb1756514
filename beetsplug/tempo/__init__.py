"""beets plugin: `beet tempo`, `tempo-labels`, `tempo-eval`, `tempo-mix`, import, `pace:` queries.

beets imports its plugins for every command, so this module and those it imports load next to
nothing; what does the work is imported when there is work.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, ClassVar

from beets import ui
from beets.dbcore import types
from beets.exceptions import UserError
from beets.plugins import BeetsPlugin, find_plugins

from tempo_core import tasks

from .guarding import guarded
from .marking import FIELD as MARKER
from .marking import OptionalText, media_field
from .queries import AlbumPaceQuery, PaceQuery
from .settings import DEFAULTS, METHODS, SECRETS, load
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


def types_of_tasks() -> dict[str, types.Type]:
    """The types of the fields that tasks declare."""
    kinds: dict[type, types.Type] = {float: Decimal2(), int: types.INTEGER, str: types.STRING}
    return {
        column.field: kinds[column.kind]
        for name in tasks.TASKS
        for column in tasks.columns(name)
        if column.field is not None
    }


class TempoPlugin(BeetsPlugin):
    item_types: ClassVar[dict[str, types.Type]] = {
        "tempo_bpm": Decimal2(),
        "tempo_half": Decimal2(),
        "tempo_double": Decimal2(),
        "tempo_triple": Decimal2(),
        "tempo_paces": EstimatedPaces(),
        "tempo_paces_manual": StatedPaces(),
        "tempo_source": types.STRING,
        "tempo_file_key": types.STRING,
        "tempo_file_key_seen": types.STRING,
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
        declared = {**types_of_tasks(), **TempoPlugin.item_types}
        self.item_types = declared  # type: ignore[misc]  # of this object alone
        self.own_types = declared
        self.foreign: dict[str, tuple[str, types.Type]] = {}  # fields whose type is another's
        self.config.add(DEFAULTS)
        for secret in SECRETS:
            self.config["labels"][secret].redact = True
        if (field := media_field()) is not None:
            self.add_media_field(MARKER, field)
        self.template_fields["camelot"] = camelot_of
        self.template_fields["openkey"] = open_key_of
        self.register_listener("import_begin", self.import_begin)
        self.import_stages = [self.imported]
        self.register_listener("import_task_files", self.import_task_files)
        self.register_listener("pluginload", self.withdraw_fields)

    def withdraw_fields(self) -> None:
        """Leave fields that other plugins declare as well to them.

        beets ends every command where two plugins disagree. The configuration of `types` is the
        user's, so that what it says holds.
        """
        self.foreign = others_types(self)
        for field, (name, _) in self.foreign.items():
            self._log.warning(
                "{} has the type that the plugin {} gives it, not its own; leave it out there",
                field, name,
            )  # fmt: skip
        own = {field: t for field, t in self.item_types.items() if field not in self.foreign}
        self.item_types = own  # type: ignore[misc]  # of this object alone
        for plugin in find_plugins():
            shared = self.template_fields.keys() & plugin.template_fields.keys()
            for field in shared if plugin is not self else ():
                self._log.warning("${} is the plugin {}'s, not this one's", field, plugin.name)
                del self.template_fields[field]

    def require_types(self) -> None:
        """See to it that the fields can hold what is going to be written.

        Raises
        ------
        UserError
            If another plugin made one of them a field of another kind.
        """
        for field, (name, type_) in self.foreign.items():
            if not issubclass(type_.model_type, self.own_types[field].model_type):
                raise UserError(
                    f"{field} cannot hold what belongs there, for the plugin {name} gives it "
                    "another type; leave it out there"
                )

    def commands(self) -> list[ui.Subcommand]:
        tempo = _command(
            "tempo",
            "estimate the tempo of tracks and write it to them",
            "Listens to the tracks that match and have no tempo yet, and fills in bpm, the "
            "tempo_* fields and the files' tags. Without a query it does so for the whole library.",
        )
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

        mix = _command(
            "tempo-mix",
            "find what mixes with a track, by tempo and key",
            "Lists what mixes with the one track that matches, the best first: by tempo, half and "
            "double included, and by key. Only reads the library.",
        )
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

        labels = _command(
            "tempo-labels",
            "find published BPM and key of tracks",
            "Looks for what others say about the tempo and the key of the tracks that match, "
            "compares it with the audio and keeps it in the tempo_label_* fields.",
        )
        option = labels.parser.add_option
        _add_common_options(
            labels,
            force="ask again about what is known",
            write="write what --apply fills to the files' tags",
        )
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

        train = _command(
            "tempo-train",
            "fit the models to how you count",
            "Learns from the tracks that match and have a tempo that is not the analysis's own, "
            "and uses the new model if it is better on tracks that it did not learn from.",
        )
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
        option("--devices", type="int", metavar="N", help="processes or GPUs for fit [default: 1]")
        option(
            "--accelerator", choices=["cpu", "gpu", "auto"], metavar="cpu|gpu|auto",
            help="for fit [default: cpu]",
        )  # fmt: skip
        option("--out", metavar="FOLDER", help="where to put the model")
        option("--no-install", action="store_true", default=False, help="do not use the model")
        option(
            "--install-anyway", action="store_true", default=False,
            help="use the model, whatever comes out",
        )  # fmt: skip
        option("--guard", metavar="FOLDER", help="training set beside which nothing may get worse")
        train.func = self.train_command

        evaluation = _command(
            "tempo-eval",
            "how good the analysis is on labelled tracks",
            "Compares the analysis with the tracks that match and have a tempo that is not its "
            "own. Only reads the library.",
        )
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

    @guarded
    def command(self, lib: Library, opts: Values, args: list[str]) -> None:
        """`beet tempo [query]`."""
        from .options import check_tempo

        settings = load(self.config)
        check_tempo(opts)
        if opts.cadence is not None:
            from .moving import list_cadence

            list_cadence(lib, args, opts.cadence, opts.format)
            return
        from .command import analyse_library

        self.require_types()
        settings.update({name: value for name, value in vars(opts).items() if value is not None})
        analyse_library(lib, args, settings, self._log)

    @guarded
    def labels_command(self, lib: Library, opts: Values, args: list[str]) -> None:
        """`beet tempo-labels [query]`."""
        from .options import check_labels

        settings = load(self.config)
        check_labels(opts, settings.labels.apply)
        self.require_types()
        chosen = vars(opts)
        # `force: yes` means tempi; to ask everybody again is never a habit.
        settings.update({name: value for name, value in chosen.items() if value is not None})
        settings.force = bool(opts.force)
        for name in ("report", "export", "import_", "trainable_only"):
            settings[name] = chosen[name]
        for name in ("apply", "max_requests"):
            if chosen[name] is not None:
                settings.labels[name] = chosen[name]
        from .labelling import label_library

        label_library(lib, args, settings, self._log)

    @guarded
    def train_command(self, lib: Library, opts: Values, args: list[str]) -> None:
        """`beet tempo-train [query]`."""
        from .options import check_train

        settings = load(self.config)
        check_train(opts, settings.train.method)
        settings.update(devices=1, accelerator="cpu")
        for name, value in vars(opts).items():
            if name in ("method", "guard") and value is not None:
                settings.train[name] = value
            elif value is not None:
                settings[name] = value
        from .training import train_library

        train_library(lib, args, settings, self._log)

    @guarded
    def mix_command(self, lib: Library, opts: Values, args: list[str]) -> None:
        """`beet tempo-mix [query]`."""
        from .options import check_mix

        load(self.config)
        check_mix(opts)
        from .mixing import list_mix

        list_mix(lib, args, pitch=opts.pitch, most=opts.max, format_=opts.format)

    @guarded
    def evaluation_command(self, lib: Library, opts: Values, args: list[str]) -> None:
        """`beet tempo-eval [query]`."""
        from .options import check_evaluation

        check_evaluation(opts)
        from .evaluating import evaluate_library

        settings = load(self.config)
        settings.update({name: value for name, value in vars(opts).items() if value is not None})
        evaluate_library(lib, args, settings, self._log)

    @cached_property
    def _import(self) -> ImportAnalysis:
        from .importing import ImportAnalysis

        return ImportAnalysis(self._log)

    def import_begin(self, session: ImportSession) -> None:
        """Refuse bad settings now: in the middle of an import there is no good way to."""
        if load(self.config).auto:
            self.require_types()

    def imported(self, session: ImportSession, task: ImportTask) -> None:
        """Analyse what is being imported, before its files are copied or moved."""
        settings = load(self.config)
        if settings.auto:
            self._import.analyse(task, settings)

    def import_task_files(self, session: ImportSession, task: ImportTask) -> None:
        """Write what beets does not, now that the files are where they belong."""
        settings = load(self.config)
        if settings.auto:
            self._import.write(task, settings)


def others_types(own: TempoPlugin) -> dict[str, tuple[str, types.Type]]:
    """Which fields another plugin declares otherwise: the name of that plugin and its type."""
    return {
        field: (plugin.name, type_)
        for plugin in find_plugins()
        if plugin is not own
        for field, type_ in getattr(plugin, "item_types", {}).items()
        if field in own.item_types and type_ != own.item_types[field]
    }


def _command(name: str, summary: str, about: str) -> ui.Subcommand:
    """A command that takes a query; `about` stands in its own help, `summary` in that of beets."""
    parser = ui.CommonOptionsParser(usage="%prog [options] [QUERY...]", description=about)
    return ui.Subcommand(name, parser=parser, help=summary)


def _add_common_options(
    command: ui.Subcommand, *, force: str, write: str = "write to the files' tags"
) -> None:
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
    # Lists, so that both can be seen: see `options.py`.
    add(
        "-w",
        "--write",
        action="append_const",
        const=True,
        help=write,
    )
    add(
        "-W",
        "--nowrite",
        dest="write",
        action="append_const",
        const=False,
        help="change the library only, not the files' tags",
    )
    command.parser.add_album_option()


def camelot_of(item: Item) -> str:
    """The `$camelot` field."""
    from .file_keys import key_of

    key = key_of(item)
    return "" if key is None else key.camelot


def open_key_of(item: Item) -> str:
    """The `$openkey` field."""
    from .file_keys import key_of

    key = key_of(item)
    return "" if key is None else key.open_key
