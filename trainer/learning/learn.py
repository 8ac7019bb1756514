"""From a training set to a model in use: learn, compare with the current, install if better."""

from __future__ import annotations

import dataclasses
import os
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import torch
from tqdm import tqdm

from tempo_core import checkpoint, in_use
from tempo_core.background import TIME_LIMIT, Stopped, parallel
from tempo_core.errors import AudioError, ConfigError, StorageError
from tempo_core.task import ask
from tempo_core.tasks.tempo.row import TASK

from ..evaluation.calibration import calibrate
from ..evaluation.history import Row, pack
from ..inputs.cache import ViewRecipe
from ..inputs.hearing import hear_file, tempo_of
from ..inputs.recordings import Recording, digest_of
from ..inputs.views import cache_views
from ..trainingset import memory
from ..trainingset.enough import check
from ..trainingset.tables import CACHE, FIT_FROM, WINDOWS, CollectedTrack, read_collection
from . import compare
from . import guard as guards
from .compare import Guarded, Verdict, check_use, never, outcome
from .guard import Guard
from .prior import (
    Labelled,
    Listened,
    Model,
    adapt,
    adaptable,
    answer,
    hear_both,
    listen,
    read_all,
    scored_by,
    shift,
)
from .prior import Recipe as AdaptRecipe

if TYPE_CHECKING:
    from .network import Corpus

L = TypeVar("L", bound=Labelled)
METHODS = ("auto", "shift", "adapt", "fit")
ADAPT_FROM = 50  # labels
N_FOLDS = 5
CALIBRATE_FROM = 50  # recordings nothing was learned from
CALIBRATE_ON = 400  # at most: more say no more
MORE_PACKAGES = "fit needs more packages ({}): pip install 'beets-tempo[train]'"
RUNS = "runs"  # folder of checkpoints and logs of `fit`, in that of the training set


@dataclass(frozen=True)
class LearnOptions:
    """Everything but the training set. `out` None is the folder of learned models."""

    method: str = "auto"
    from_scratch: bool = False
    epochs: int | None = None
    seed: int = 0
    devices: int = 1
    accelerator: str = "cpu"
    out: Path | None = None
    install: bool = True
    install_anyway: bool = False
    guard: Path | None = None
    jobs: int = os.cpu_count() or 1
    quiet: bool = False
    time_limit: float = TIME_LIMIT


@dataclass(frozen=True)
class Learned:
    """What came of it. `failed` are files that could not be used, with the reason."""

    method: str
    n_labels: int
    how: str  # the comparison on the user's tracks was made
    path: Path
    verdict: Verdict
    installed: bool
    wanted: bool  # to be installed
    failed: list[tuple[Path, Exception]]

    def summary(self) -> list[str]:
        """What a person wants to know, in a few lines."""
        own, before, after = self.verdict.own, self.verdict.errors_before, self.verdict.errors_after
        lines = [
            f"learned ({self.method}) from {self.n_labels} labels: {self.path.stem}",
            f"right on your own tracks, {self.how}: {own}",
            f"mean error {before.mean:.1f} → {after.mean:.1f} BPM, within 10 BPM "
            f"{100 * before.within_10:.1f} → {100 * after.within_10:.1f} %",
        ]
        for guard in self.verdict.guards:
            lines.append(
                f"other music ({guard.name}): rate {100 * guard.rate.before:.1f} → "
                f"{100 * guard.rate.after:.1f} %, counted alike {100 * guard.octave.before:.1f} → "
                f"{100 * guard.octave.after:.1f} % of {guard.rate.n}"
            )
        verdict = self.verdict
        lines.append(
            outcome(self.installed, verdict.installable, self.wanted, verdict.reason(), self.path)
        )
        return lines


def learn(
    folder: Path, options: LearnOptions = LearnOptions(), stop: Callable[[], bool] = never
) -> Learned:
    """Learn from the training set in a folder.

    Parameters
    ----------
    stop
        Asked between steps; once it says True, the run is abandoned. `fit` goes on from its last
        epoch the next time, the other methods take a minute and begin anew.

    Raises
    ------
    Stopped
        If it was.
    TempoError
        If there is too little to learn from, or something cannot be read or written.
    """
    check_options(options)
    tracks = read_collection(folder)
    check(tracks)
    trainable = [t for t in tracks if t.split != "test"]
    method = choose_method(len(trainable), options)
    base = checkpoint.load(checkpoint.resolve(in_use.SHIPPED))
    current = checkpoint.load(checkpoint.resolve("default"))
    guard = guards.load(base)
    run = _Run(folder, tracks, options, stop, base, current, guard)
    try:
        return run.fit(method) if method == "fit" else run.adapt(method)
    except OSError as error:
        raise StorageError(
            f"{error.filename or folder}: {error.strerror or error}; what was learned so far is "
            "kept, see to it and run the same again"
        ) from error


def check_options(options: LearnOptions) -> None:
    """Refuse what can never be done, before hours of work.

    Raises
    ------
    ConfigError
        If options contradict each other, or the accelerator is not there.
    """
    choose_method(0, options)
    check_use(options.install, options.install_anyway)
    if options.accelerator != "cpu":
        try:
            from .network import check_accelerator
        except ImportError as error:
            raise ConfigError(MORE_PACKAGES.format(error)) from error
        check_accelerator(options.accelerator, options.devices)


def choose_method(n_labels: int, options: LearnOptions) -> str:
    """The method for so many labels, or the one that was asked for.

    Raises
    ------
    ConfigError
        If the options contradict each other.
    """
    if options.from_scratch and options.method not in ("auto", "fit"):
        raise ConfigError(
            f"from scratch is a way to fit, the method is {options.method}; leave one out"
        )
    if options.from_scratch:
        return "fit"
    if options.method != "auto":
        return options.method
    return "shift" if n_labels < ADAPT_FROM else "adapt" if n_labels < FIT_FROM else "fit"


def folds_of(groups: Sequence[str], seed: int, n: int = N_FOLDS) -> list[int]:
    """A fold for each recording; groups stay together, folds get about as many recordings."""
    size: dict[str, int] = defaultdict(int)
    for group in groups:
        size[group] += 1
    names = sorted(size)
    np.random.default_rng(seed).shuffle(names)
    names.sort(key=lambda name: -size[name])  # stable: among equals as shuffled
    filled = [0] * min(n, len(names))
    fold = {}
    for name in names:
        fold[name] = int(np.argmin(filled))
        filled[fold[name]] += size[name]
    return [fold[group] for group in groups]


def learn_held_out(
    tracks: Sequence[L],
    learn_from: Callable[[Sequence[L]], Model],
    seed: int,
    jobs: int,
    stop: Callable[[], bool] = never,
) -> tuple[Model, list[Model]]:
    """The model that learned from all tracks, and for each track one that learned from others.

    Each of the latter knows no track of the same group. Models are learned side by side in `jobs`
    threads, each on its own: threads inside of operations as small as these wait for each other
    most of the time, and for ever where other programs want the cores as well.

    Raises
    ------
    Stopped
        If `stop` said True.
    """
    fold = folds_of([t.recording.group for t in tracks], seed)
    parts = [
        [t for t, other in zip(tracks, fold, strict=True) if other != k]
        for k in range(max(fold) + 1)
    ]
    torch.set_num_threads(1)
    models: dict[int, Model] = {}
    tasks = list(enumerate([tracks, *parts]))
    for (k, _), result in parallel(lambda task: learn_from(task[1]), tasks, jobs, stop):
        if isinstance(result, Exception):
            raise result
        models[k] = result
    if stop():
        raise Stopped("interrupted; run the same again to begin anew")
    return models[0], [models[1 + k] for k in fold]


@dataclass
class _Run:
    folder: Path
    tracks: list[CollectedTrack]
    options: LearnOptions
    stop: Callable[[], bool]
    base: Model
    current: Model
    guard: Guard

    def adapt(self, method: str) -> Learned:
        options = self.options
        other = self.current if self.current.hash != self.base.hash else None
        recordings = [t.recording() for t in self.tracks]
        heard, failed = read_all(
            recordings, lambda r: listen(r, self.base, other), options.jobs, self.stop,
            options.quiet, options.time_limit,
        )  # fmt: skip
        self.refuse_nothing(failed, len(heard))
        own = [t for t in heard if t.recording.split != "test"]
        test = [t for t in heard if t.recording.split == "test"]
        if len({t.recording.group for t in own}) < 2:
            raise ConfigError("the files that can be read are of one artist; see what failed")
        recipe = AdaptRecipe(seed=options.seed, steps=options.epochs or AdaptRecipe.steps)
        n_folds = len(set(folds_of([t.recording.group for t in own], options.seed)))
        replay = self.guard.part(replay=True)
        with tqdm(
            desc="learning", total=(n_folds + 1) * recipe.steps,
            disable=True if options.quiet else None,
        ) as bar:  # fmt: skip

            def step() -> None:
                bar.update()
                if self.stop():
                    raise Stopped("interrupted; run the same again to begin anew")

            def from_tracks(some: Sequence[Listened]) -> Model:
                if method == "shift":
                    bar.update(recipe.steps)
                    return shift(self.base, some)
                return adapt(self.base, some, replay, recipe, step)

            model, models = learn_held_out(own, from_tracks, options.seed, options.jobs, self.stop)
        heard = [*own, *test]
        models += [model] * len(test)
        answers = [answer(t, by) for t, by in zip(heard, models, strict=True)]
        held = f"each by a model that did not learn from its artist ({n_folds} folds)"
        chosen = [t.recording for t in heard]
        verdict = self.verdict(chosen, [t.before for t in heard], answers, model, failed)
        temperature = self.base.temperature
        if len(heard) >= CALIBRATE_FROM:
            some = range(0, len(heard), -(-len(heard) // CALIBRATE_ON))
            scored = [
                scored_by(heard[i], dataclasses.replace(models[i], temperature=1.0)) for i in some
            ]
            temperature = calibrate([chosen[i] for i in some], scored, self.base.config)
        learned_from = [t.recording for t in own]
        model = dataclasses.replace(model, temperature=temperature)
        return self.finish(method, model, learned_from, held, verdict, failed)

    def fit(self, method: str) -> Learned:
        try:
            from . import network as finetune
        except ImportError as error:
            raise ConfigError(MORE_PACKAGES.format(error)) from error
        options, base = self.options, adaptable(self.base)
        by_split: dict[str, list[Recording]] = defaultdict(list)
        for track in self.tracks:
            by_split[track.split].append(track.recording())
        for split in ("train", "validation", "test"):
            if not by_split[split]:
                raise ConfigError(
                    f"no recording is in the {split} split, which fit needs; "
                    "add labels of more artists, or use --method adapt"
                )
        corpora, failed = {}, []
        for split in ("train", "validation"):
            corpora[split], gone = self.corpus(by_split[split])
            failed += gone
            self.refuse_nothing(failed, len(corpora[split]))
        if options.from_scratch:
            recipe = finetune.recipe_from_scratch(options.seed, options.epochs)
        else:
            epochs = options.epochs or finetune.Recipe.epochs
            recipe = finetune.Recipe(epochs, seed=options.seed)
        torch.set_num_threads(options.jobs if options.devices == 1 else 1)
        network, history = finetune.finetune(
            base, corpora["train"], corpora["validation"], self.guard.part(replay=True), recipe,
            self.folder / RUNS, devices=options.devices, accelerator=options.accelerator,
            stop=self.stop, quiet=options.quiet,
        )  # fmt: skip
        torch.set_num_threads(1)
        model = dataclasses.replace(base, network=network)

        def both(recording: Recording) -> tuple[Recording, float, float]:
            before, after = hear_both(recording.path, self.current, model)
            return recording, tempo_of(before, self.current).bpm, tempo_of(after, model).bpm

        results, gone = read_all(
            by_split["test"], both, options.jobs, self.stop, options.quiet, options.time_limit
        )
        failed += gone
        self.refuse_nothing(failed, len(results))
        verdict = self.verdict(
            [r for r, _, _ in results],
            [old for _, old, _ in results],
            [new for _, _, new in results],
            model,
            failed,
        )
        temperature = base.temperature
        some = list(corpora["validation"].recordings)[:CALIBRATE_ON]
        if len(some) >= CALIBRATE_FROM:
            plain = dataclasses.replace(model, temperature=1.0)
            pairs, _ = read_all(
                some,
                lambda r: (r, ask(TASK, hear_file(r.path, plain), {}, plain)),
                options.jobs,
                self.stop,
                options.quiet,
            )
            temperature = calibrate([r for r, _ in pairs], [a for _, a in pairs], base.config)
        model = dataclasses.replace(model, temperature=temperature)
        if options.from_scratch:
            method = "fit from scratch"
        learned_from = list(corpora["train"].recordings)
        held = "of artists it never heard"
        return self.finish(method, model, learned_from, held, verdict, failed, history)

    def corpus(
        self, recordings: Sequence[Recording]
    ) -> tuple[Corpus, list[tuple[Path, Exception]]]:
        """With cached views; without the recordings that cannot be read any more."""
        from .network import Corpus

        recipe = ViewRecipe(self.base.front_end, WINDOWS, self.base.config.grid)
        folder, quiet = self.folder / CACHE, self.options.quiet
        try:
            paths = cache_views(recordings, recipe, folder, self.options.jobs, quiet)
            return Corpus(recordings, paths), []
        except (AudioError, OSError):
            pass  # one of them: find out which
        kept: list[Recording] = []
        failed: list[tuple[Path, Exception]] = []
        paths = []
        for recording in recordings:
            try:
                paths += cache_views([recording], recipe, folder, 1, quiet=True)
                kept.append(recording)
            except AudioError as error:
                failed.append((recording.path, error))
            except FileNotFoundError:
                failed.append((recording.path, AudioError("no such file")))
        return Corpus(kept, paths), failed

    def refuse_nothing(self, failed: list[tuple[Path, Exception]], n: int) -> None:
        if n == 0:
            path, error = failed[0]
            raise ConfigError(f"no recording can be read; the first: {path}: {error}")

    def verdict(
        self,
        recordings: Sequence[Recording],
        before: Sequence[float],
        after: Sequence[float],
        model: Model,
        failed: list[tuple[Path, Exception]],
    ) -> Verdict:
        """Compare on the user's recordings and on everything that guards."""
        right = [
            [compare.acc1([r.bpm], [bpm]) for r, bpm in zip(recordings, answers, strict=True)]
            for answers in (before, after)
        ]
        found = [compare.on_guard(self.guard.part(replay=False), self.current, model)]
        if self.options.guard is not None:
            found.append(self.own_guard(self.options.guard, model, failed))
        return Verdict(
            own=compare.paired(right[0], right[1], [r.group for r in recordings]),
            errors_before=compare.errors(recordings, before),
            errors_after=compare.errors(recordings, after),
            guards=tuple(found),
        )

    def own_guard(
        self, folder: Path, model: Model, failed: list[tuple[Path, Exception]]
    ) -> Guarded:
        """Recordings of the user's, in a training set of their own, that have to stay right."""
        known = {t.path for t in self.tracks if t.split != "test"}
        recordings = [t.recording() for t in read_collection(folder) if t.path not in known]
        if not recordings:
            raise ConfigError(f"{folder}: no recording in it that is not learned from")

        def both(recording: Recording) -> tuple[Recording, float, float]:
            before, after = hear_both(recording.path, self.current, model)
            return recording, tempo_of(before, self.current).bpm, tempo_of(after, model).bpm

        results, gone = read_all(
            recordings,
            both,
            self.options.jobs,
            self.stop,
            self.options.quiet,
            self.options.time_limit,
        )
        failed += gone
        self.refuse_nothing(failed, len(results))
        return compare.compare_answers(
            folder.name,
            [r.bpm for r, _, _ in results],
            [old for _, old, _ in results],
            [new for _, _, new in results],
            [r.group for r, _, _ in results],
        )

    def finish(
        self,
        method: str,
        model: Model,
        learned_from: Sequence[Recording],
        how: str,
        verdict: Verdict,
        failed: list[tuple[Path, Exception]],
        history: Sequence[Row] = (),
    ) -> Learned:
        """Write the model, and use it if it is better."""
        options = self.options
        card = {
            "summary": f"{method} of {self.base.name}-{self.base.hash}, "
            f"{len(learned_from)} labels, seed {options.seed}",
            "base": self.base.source,
            "method": method,
            "n_labels": len(learned_from),
            "data_digest": digest_of(learned_from),
            "seed": options.seed,
            "figures": dataclasses.asdict(verdict),
            # Also what the best epoch and the temperature were chosen by.
            memory.KEY: memory.pack(memory.remember(t for t in self.tracks if t.split != "test")),
            **({"history": pack(list(history))} if history else {}),
            "compared_with": self.current.source,
            "versions": {"torch": str(torch.__version__), "numpy": np.__version__},
        }
        model = dataclasses.replace(model, card=card)
        path = checkpoint.save(options.out or in_use.folder(), model)
        install = options.install_anyway or (options.install and verdict.installable)
        if install:
            in_use.activate(in_use.add(path).name)
        wanted = options.install or options.install_anyway
        return Learned(method, len(learned_from), how, path, verdict, install, wanted, failed)
