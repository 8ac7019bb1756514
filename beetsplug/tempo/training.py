"""What `beet tempo-train` does with the tracks that its query matches."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from beets.exceptions import UserError

from tempo_core.background import GRACE, call, interruptible
from tempo_core.console import explain, shown
from tempo_core.errors import TempoError
from tempo_core.extras import advice
from tempo_core.shadowing import check_trainer

from .progress import name_of, print_line
from .settings import path_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from beets.library import Library
    from beets.logging import BeetsLogger

AGAIN = "`beet tempo -f tempo_source::^model:` analyses again what had its tempo from a model"


def train_library(lib: Library, args: list[str], settings: Any, log: BeetsLogger) -> None:
    """Collect labels, learn, compare, install, and say what happened.

    Raises
    ------
    UserError
        If there is nothing to learn from, a package is missing or another hides it, a file could
        not be used or the run was interrupted.
    """
    try:
        check_trainer()
        with interruptible() as stop:
            failed = call(
                lambda: _train_library(lib, args, settings, log, stop.is_set),
                stop.is_set,
                patience=GRACE,
            )
    except ImportError as error:
        raise UserError(f"tempo-train needs more packages ({error}): {advice(error)}") from error
    except TempoError as error:
        raise UserError(str(error)) from error
    if failed:
        raise UserError(f"{failed} tracks could not be used")


def _train_library(
    lib: Library, args: list[str], settings: Any, log: BeetsLogger, stop: Callable[[], bool]
) -> int:
    if settings.pretend:
        if settings.task == "pace":
            _show_paces(lib, args)
        else:
            _show(lib, args, settings)
        return 0
    train = _train_paces if settings.task == "pace" else _train
    return train(lib, args, settings, log, stop)


def _show(lib: Library, args: list[str], settings: Any) -> None:
    """Each track with a label and what would become of it, as far as is known without listening."""
    from trainer.trainingset.plan import plan

    from .collecting import labelled_tracks

    tracks = list(labelled_tracks(lib, args, settings))
    planned = plan(tracks, training_folder(lib, settings), settings.seed)
    left_out = {track.path: track.reason for track in planned.dropped}
    for track in tracks:
        name = f"{track.artist} - {track.title}" if track.title else track.path.name
        reason = left_out.get(track.path)
        told = f"; left out: {reason}" if reason else ""
        print_line(f"{name}: {track.bpm:g} BPM ({track.label_source}){told}")
    for line in planned.summary():
        print_line(f"tempo-train: {line}")


def _show_paces(lib: Library, args: list[str]) -> None:
    from .stated import stated_paces

    found = [(item, paces) for item in lib.items(args) if (paces := stated_paces(item))]
    for item, paces in found:
        print_line(f"{name_of(item)}: {' '.join(f'{bpm:g}' for bpm in paces)}")
    print_line(f"tempo-train: would learn from the paces of {len(found)} tracks")


def training_folder(lib: Library, settings: Any) -> Path:
    """Where the training set of a library is."""
    beside = Path(os.fsdecode(lib.path)).parent / "tempo-training"
    return path_of(settings.train.folder) or beside


def _train(
    lib: Library, args: list[str], settings: Any, log: BeetsLogger, stop: Callable[[], bool]
) -> int:
    """All steps; returns how many tracks could not be used."""
    from trainer.learning.learn import LearnOptions, check_options, choose_method, learn
    from trainer.trainingset.build import BuildOptions, build

    from .collecting import labelled_tracks

    folder = training_folder(lib, settings)
    options = LearnOptions(
        method=settings.train.method,
        from_scratch=settings.from_scratch,
        epochs=settings.get("epochs"),
        seed=settings.seed,
        devices=settings.devices,
        accelerator=settings.accelerator,
        out=path_of(settings.get("out")),
        install=not settings.no_install,
        install_anyway=settings.install_anyway,
        guard=path_of(settings.train.guard),
        jobs=settings.threads,
        quiet=settings.quiet,
        time_limit=settings.time_limit,
    )
    check_options(options)
    size = settings.train.cache_size

    def collect(views: bool) -> Any:
        return build(
            labelled_tracks(lib, args, settings),
            folder,
            BuildOptions(
                seed=settings.seed,
                jobs=settings.threads,
                model="shipped",  # whichever is in use, nothing need be heard again
                cache_size=None if size is None else round(size * 1e9),
                views=views,
                quiet=settings.quiet,
                time_limit=settings.time_limit,
            ),
            stop,
        )

    built = collect(views=False)
    n_labels = sum(track.split != "test" for track in built.kept)
    if choose_method(n_labels, options).needs_views:
        import trainer.learning.network  # noqa: F401  before hours of work

        built = collect(views=True)  # what was heard is known by now
    for track in built.failed:
        log.error("{}", shown(f"{track.path}: {track.reason} {track.detail}"))
    learned = learn(folder, options, stop)
    for file, error in learned.failed:
        log.error("{}: {}", shown(file), explain(error))
    if not settings.quiet:
        for line in (*built.summary(), *learned.summary()):
            print_line(f"tempo-train: {line}")
        if learned.installed:
            print_line(f"tempo-train: {AGAIN}")
    return len(built.failed) + len(learned.failed)


def _train_paces(
    lib: Library, args: list[str], settings: Any, log: BeetsLogger, stop: Callable[[], bool]
) -> int:
    """Learn from stated paces; returns how many tracks could not be used."""
    from trainer.learning.labels import PaceLabels
    from trainer.learning.learn import LearnOptions, learn_from

    from .stated import labelled

    options = LearnOptions(
        task="pace",
        out=path_of(settings.get("out")),
        install=not settings.no_install,
        install_anyway=settings.install_anyway,
        seed=settings.seed,
        jobs=settings.threads,
        quiet=settings.quiet,
        time_limit=settings.time_limit,
    )
    statements = [(Path(os.fsdecode(path)), paces) for path, paces in labelled(lib.items(args))]
    labels = PaceLabels(statements, training_folder(lib, settings) / "paces")
    learned = learn_from(labels, options, stop)
    for file, error in learned.failed:
        log.error("{}: {}", shown(file), explain(error))
    if not settings.quiet:
        for line in learned.summary():
            print_line(f"tempo-train: {line}")
        if learned.installed:
            print_line(f"tempo-train: {AGAIN}")
    return len(learned.failed)
