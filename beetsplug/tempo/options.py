"""Options that make no sense, alone or together: refused in one line, before anything is done."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from beets.exceptions import UserError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from optparse import Values

# What options are called where it is not the name of what they set.
CALLED = {
    "write": "-w/-W", "force": "-f", "pretend": "-p", "quiet": "-q", "album": "-a",
    "import_": "--import", "sources": "--source", "trainable_only": "--trainable",
}  # fmt: skip
MOST_SEEDS = 2**32  # what random generators take


def check_tempo(opts: Values) -> None:
    """Of `beet tempo`."""
    _settle(opts)
    _whole(opts, ("threads",))
    if opts.cadence is None:
        _refuse(opts, ("format",), "is for --cadence")
    else:
        others = [name for name in vars(opts) if name not in ("cadence", "format")]
        _refuse(opts, others, "does nothing with --cadence, which only lists what is known")


def check_mix(opts: Values) -> None:
    """Of `beet tempo-mix`."""
    if not 0 <= opts.pitch < 100:
        raise UserError("--pitch must be a percentage from 0 to 99")
    _whole(opts, ("max",))


def check_labels(opts: Values, applies: bool) -> None:
    """Of `beet tempo-labels`; `applies` is what the configuration says about `--apply`."""
    _settle(opts)
    _whole(opts, ("max_requests",), least=0)
    if opts.pretend:
        _refuse(opts, ("report", "export", "trainable_only"), "writes a file, which -p does not")
    if not opts.export:
        _refuse(opts, ("trainable_only",), "is for --export")
    if opts.write and not (opts.apply or applies):
        raise UserError("-w does nothing without --apply: only what is applied goes into tags")
    for option in ("report", "export"):
        _writable(opts, option)
    if opts.report and opts.export and Path(opts.report).resolve() == Path(opts.export).resolve():
        raise UserError("--report and --export must be two files")


def check_train(opts: Values, method: str) -> None:
    """Of `beet tempo-train`; `method` is what the configuration says."""
    _whole(opts, ("threads", "epochs", "devices"))
    if not 0 <= opts.seed < MOST_SEEDS:
        raise UserError(f"--seed must be a whole number from 0 to {MOST_SEEDS - 1}")
    if opts.no_install and opts.install_anyway:
        raise UserError("--no-install and --install-anyway contradict each other")
    if opts.out and Path(opts.out).expanduser().is_file():
        raise UserError(f"--out {opts.out} is a file, not a folder")
    chosen = opts.method or method
    if opts.task == "pace":
        ignored = (
            "method", "from_scratch", "epochs", "devices", "accelerator", "threads", "guard",
        )  # fmt: skip
        _refuse(opts, ignored, "is not for --task pace")
    elif opts.from_scratch and chosen not in ("auto", "fit"):
        raise UserError(f"--from-scratch is a way to fit, the method is {chosen}; leave one out")
    elif chosen in ("shift", "adapt"):
        _refuse(opts, ("devices", "accelerator"), f"is for fit, the method is {chosen}")
        if chosen == "shift":
            _refuse(opts, ("epochs",), "is for adapt and fit, the method is shift")


def check_evaluation(opts: Values) -> None:
    """Of `beet tempo-eval`."""
    _whole(opts, ("threads",))
    _writable(opts, "report")
    if opts.out and Path(opts.out).expanduser().is_file():
        raise UserError(f"--out {opts.out} is a file, not a folder")


def _settle(opts: Values) -> None:
    """Make one of all that was said with -w and -W."""
    said: list[bool] | None = opts.write
    if said is None:
        return
    if len(set(said)) > 1:
        raise UserError("-w and -W contradict each other; leave one out")
    opts.write = said[0]


def _whole(opts: Values, names: Collection[str], least: int = 1) -> None:
    for name in names:
        value = getattr(opts, name)
        if value is not None and value < least:
            raise UserError(f"{_called(name)} must be a whole number from {least}")


def _refuse(opts: Values, names: Iterable[str], why: str) -> None:
    """Refuse those of the options that were given."""
    for name in names:
        value: Any = getattr(opts, name)
        if value is not None and value is not False:
            raise UserError(f"{_called(name)} {why}")


def _writable(opts: Values, name: str) -> None:
    """What is written at the end of hours must have a place to go."""
    value = getattr(opts, name)
    if value is None:
        return
    path = Path(value).expanduser()
    if not value or path.is_dir():
        raise UserError(f"{_called(name)} needs the name of a file")
    if not path.parent.is_dir():
        raise UserError(f"{_called(name)} {value}: there is no folder {path.parent}")


def _called(name: str) -> str:
    return CALLED.get(name, f"--{name.replace('_', '-')}")
