"""The work of `beet tempo-train`: training models with tempi, paces, keys and tags of a library."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from beets.exceptions import UserError

from tempo_core.background import GRACE, Stopped, call, interruptible
from tempo_core.console import counted, explain, shown
from tempo_core.errors import TempoError
from tempo_core.extras import advice
from tempo_core.shadowing import check_trainer

from .progress import name_of, print_line
from .settings import path_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from beets.library import Library
    from beets.logging import BeetsLogger

    from trainer.learning.labels import TagTrack
    from trainer.learning.learn import Learned
    from trainer.learning.options import LearnOptions
    from trainer.trainingset.build import Built

# Hints printed after a model was installed, by its task.
REANALYSE_HINT = (
    "`beet tempo -f tempo_source::^model:` analyses again what had its tempo from a model"
)
REANALYSE_HINTS = {
    "key": "`beet tempo -f tempo_key_source::^model:` analyses again what had its key from a model",
    "tags": "`beet tempo-tags` brings sound_tags up to date; what was heard is not heard again",
}


def train_library(lib: Library, args: list[str], settings: Any, log: BeetsLogger) -> None:
    """Train a model with the tracks that match a query, install it if it is better, and report.

    Raises
    ------
    UserError
        If there is nothing to learn from, a package is missing or hidden by another of the same
        name, a track could not be used, or the run was interrupted.
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
    except Stopped as error:
        from trainer.learning.job import told_stopped

        raise UserError(told_stopped(error, settings.task)) from error
    except TempoError as error:
        raise UserError(str(error)) from error
    if failed:
        raise UserError(f"{failed} tracks could not be used")


def _train_library(
    lib: Library, args: list[str], settings: Any, log: BeetsLogger, stop: Callable[[], bool]
) -> int:
    """Train a model, or with --pretend list the tracks to learn from.

    Returns
    -------
    int
        Number of tracks that could not be used.
    """
    show, train = _STEPS[settings.task]
    if settings.pretend:
        show(lib, args, settings)
        return 0
    return train(lib, args, settings, log, stop)


def _show(lib: Library, args: list[str], settings: Any) -> None:
    """Print each track with a label, and the reason if it would be left out.

    No audio is decoded, so that training may leave out more tracks.
    """
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


def _show_paces(lib: Library, args: list[str], settings: Any) -> None:
    """Print each track with stated paces."""
    from .collecting import tracks_with_paces

    n = 0
    for item, paces in tracks_with_paces(lib, args):
        print_line(f"{name_of(item)}: {' '.join(f'{bpm:g}' for bpm in paces)}")
        n += 1
    print_line(f"tempo-train: would learn from the paces of {n} tracks")


def _show_keys(lib: Library, args: list[str], settings: Any) -> None:
    """Print each track with a key to learn from, and who gave it."""
    from .collecting import keyed_tracks

    tracks = list(keyed_tracks(lib, args, settings, trainable=True))
    for track in tracks:
        name = f"{track.artist} - {track.title}" if track.title else track.path.name
        print_line(f"{name}: {track.key} ({track.label_source})")
    print_line(f"tempo-train: would learn from the keys of {counted(len(tracks), 'track')}")


def _show_tags(lib: Library, args: list[str], settings: Any) -> None:
    """Print each track with names to learn from, and what is left of these."""
    from tempo_core.tasks.tags.config import MOST_TAGS
    from trainer.learning.tag_cleaning import TagRules, clean
    from trainer.learning.tag_comparing import left_out_lines
    from trainer.trainingset.grouping import groups_of

    field, rules = tag_rules(settings)
    tracks = named_tracks(lib, args, field)
    for track in tracks:
        described = track.described
        title = f"{described.artist} - {described.title}" if described.title else track.path.name
        print_line(f"{title}: {'; '.join(sorted(track.names))}")
    groups = groups_of([track.described for track in tracks])
    found = clean([track.names for track in tracks], groups, TagRules(field, **rules), MOST_TAGS)
    n_with = (found.truth == 1).sum(axis=0).tolist()
    tags = ", ".join(f"{name} ({n})" for name, n in zip(found.names, n_with, strict=True))
    for line in left_out_lines(found.left_out):
        print_line(f"tempo-train: {line}")
    print_line(
        f"tempo-train: would learn from the {field} of {counted(len(found.tracks), 'track')}: "
        f"{shown(tags) or 'no tags'}"
    )


def tag_rules(settings: Any) -> tuple[str, dict[str, Any]]:
    """The field that tags are of, and what the settings say of the names in it."""
    rules = settings.tags
    said = {"min_tracks": rules.min_tracks, "merge": dict(rules.merge), "drop": list(rules.drop)}
    field = settings.field or rules.field
    return "genres" if field == "genre" else field, said  # as beets calls it now


def named_tracks(lib: Library, args: list[str], field: str) -> list[TagTrack]:
    """The tracks with names in a field, as the trainer takes them."""
    from trainer.learning.labels import TagTrack
    from trainer.trainingset.tables import collected

    from .collecting import tagged_tracks

    return [
        TagTrack(collected(track, "", 0.0), names)
        for track, names in tagged_tracks(lib, args, field)
    ]


def training_folder(lib: Library, settings: Any) -> Path:
    """Folder of the training set: that of the settings, or `tempo-training` beside the library."""
    beside = Path(os.fsdecode(lib.path)).parent / "tempo-training"
    return path_of(settings.train.folder) or beside


def _train_tempo(
    lib: Library, args: list[str], settings: Any, log: BeetsLogger, stop: Callable[[], bool]
) -> int:
    """Train a tempo model with labels; returns the number of tracks that could not be used."""
    from trainer.learning.learn import check_options, choose_method, learn

    options = _learn_options(
        settings,
        method=settings.train.method,
        from_scratch=settings.from_scratch,
        epochs=settings.epochs,
        devices=settings.devices,
        accelerator=settings.accelerator,
        guard=path_of(settings.train.guard),
    )
    check_options(options)
    built = _collect(lib, args, settings, stop)
    n_labels = sum(track.split != "test" for track in built.kept)
    if choose_method(n_labels, options).needs_views:
        # Imported here so that a missing package is reported before hours of work.
        import trainer.learning.network  # noqa: F401

        built = _collect(lib, args, settings, stop, views=True)
    for track in built.failed:
        log.error("{}", shown(f"{track.path}: {track.reason} {track.detail}"))
    folder = training_folder(lib, settings)
    learned = learn(folder, options, stop)
    _tell(learned, built.summary(), settings, log)
    _tell_suggested(learned, built, folder, settings, log)
    return len(built.failed) + len(learned.failed)


def _tell_suggested(
    learned: Learned, built: Built, folder: Path, settings: Any, log: BeetsLogger
) -> None:
    """Print what labels of suggested tracks gained; a model in use has learned them for good."""
    from .suggested import forget, gain_line, suggested

    line = gain_line(suggested(folder, log), built.kept, learned.proposal.gain)
    if line and not settings.quiet:
        print_line(f"tempo-train: {line}")
    if line and learned.installed:
        forget(folder, [track.path for track in built.kept], log)


def _collect(
    lib: Library, args: list[str], settings: Any, stop: Callable[[], bool], *, views: bool = False
) -> Built:
    """Build the training set of a library or continue it; a track is analysed only once.

    Parameters
    ----------
    views
        Also store the inputs of the network.
    """
    from trainer.trainingset.build import BuildOptions, build

    from .collecting import labelled_tracks

    size = settings.train.cache_size
    options = BuildOptions(
        seed=settings.seed,
        jobs=settings.threads,
        model="shipped",  # always the same model: with another one, all tracks are analysed again
        cache_size=None if size is None else round(size * 1e9),
        views=views,
        quiet=settings.quiet,
        time_limit=settings.time_limit,
    )
    tracks = labelled_tracks(lib, args, settings)
    return build(tracks, training_folder(lib, settings), options, stop)


def _train_paces(
    lib: Library, args: list[str], settings: Any, log: BeetsLogger, stop: Callable[[], bool]
) -> int:
    """Train a pace model with stated paces; returns the number of tracks that could not be used."""
    from trainer.learning.labels import PaceLabels
    from trainer.learning.learn import learn_from

    from .collecting import tracks_with_paces

    statements = [(item.filepath, paces) for item, paces in tracks_with_paces(lib, args)]
    labels = PaceLabels(statements, training_folder(lib, settings) / "paces")
    learned = learn_from(labels, _learn_options(settings), stop)
    _tell(learned, [], settings, log)
    return len(learned.failed)


def _train_keys(
    lib: Library, args: list[str], settings: Any, log: BeetsLogger, stop: Callable[[], bool]
) -> int:
    """Train a key model with keys; returns the number of tracks that could not be used."""
    from tempo_core.keys import parse_key
    from trainer.learning.labels import KeyLabels, KeyTrack
    from trainer.learning.learn import learn_from
    from trainer.trainingset.tables import collected

    from .collecting import keyed_tracks

    tracks = [
        KeyTrack(collected(track, "", 0.0), key)
        for track in keyed_tracks(lib, args, settings, trainable=True)
        if (key := parse_key(track.key)) is not None
    ]
    labels = KeyLabels(tracks, training_folder(lib, settings))
    learned = learn_from(labels, _learn_options(settings), stop)
    _tell(learned, [], settings, log)
    return len(learned.failed)


def _train_tags(
    lib: Library, args: list[str], settings: Any, log: BeetsLogger, stop: Callable[[], bool]
) -> int:
    """Train a model with tags; returns the number of tracks that could not be used."""
    from trainer.learning.labels import TagLabels
    from trainer.learning.learn import learn_from

    from .sounds import store_file

    field, rules = tag_rules(settings)
    tracks = named_tracks(lib, args, field)
    labels = TagLabels(tracks, training_folder(lib, settings), store_file(lib))
    learned = learn_from(labels, _learn_options(settings, field=field, **rules), stop)
    _tell(learned, [], settings, log)
    return len(learned.failed)


# What shows the labels of a task, and what learns from them.
_STEPS: dict[str, tuple[Callable[..., None], Callable[..., int]]] = {
    "tempo": (_show, _train_tempo),
    "pace": (_show_paces, _train_paces),
    "key": (_show_keys, _train_keys),
    "tags": (_show_tags, _train_tags),
}


def _learn_options(settings: Any, **of_methods: Any) -> LearnOptions:
    """Options of learning: those for all methods, and in `of_methods` those for some of them."""
    from trainer.learning.options import LearnOptions

    return LearnOptions(
        task=settings.task,
        out=path_of(settings.out),
        install=not settings.no_install,
        install_anyway=settings.install_anyway,
        seed=settings.seed,
        jobs=settings.threads,
        quiet=settings.quiet,
        time_limit=settings.time_limit,
        **of_methods,
    )


def _tell(learned: Learned, before: Sequence[str], settings: Any, log: BeetsLogger) -> None:
    """Log the files that failed, and print the lines `before` and a summary of the model."""
    for file, error in learned.failed:
        log.error("{}: {}", shown(file), explain(error))
    if settings.quiet:
        return
    for line in (*before, *learned.summary()):
        print_line(f"tempo-train: {line}")
    if learned.installed:
        hint = REANALYSE_HINTS.get(settings.task, REANALYSE_HINT)
        print_line(f"tempo-train: {hint}")
