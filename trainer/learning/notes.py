"""The method `notes`: train the notes model on recordings whose notes are known."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch

from tempo_core import checkpoint, in_use
from tempo_core.console import counted
from tempo_core.constant_q import ConstantQ
from tempo_core.errors import AudioError, LabelError, StorageError, reason
from tempo_core.estimate import Estimator
from tempo_core.excerpts import Excerpt
from tempo_core.heard import Heard
from tempo_core.model import Checkpoint
from tempo_core.task import answer, ask
from tempo_core.tasks.notes.config import NotesConfig
from tempo_core.tasks.notes.events import Note, Transcription
from tempo_core.tasks.notes.row import TASK

from ..evaluation.notes import measure_notes
from ..inputs.annotated import Annotated
from ..inputs.note_folders import Pair, annotate, read_notes
from ..synthesis.studies import draw_study
from ..synthesis.tones import play
from ..torch_ops import learnable, usable
from .compare import SURE_BETTER, PairedShare, paired
from .job import Failure, Job, Proposal, and_why, hear_all
from .labels import NoteLabels
from .note_fitting import NoteRecipe, fit

MIN_RECORDINGS = 10  # fewer cannot be learned from and tested on
HELD_SHARE = 0.3  # of the recordings that are tested on, unless the folder says which
STEPS, LEARNING_RATE = 600, 1.5e-3
GUARD_CLIPS, GUARD_SECONDS = 12, 8.0
ALLOWED_LOSS = 0.02  # of the F-measure on the guard set

Model = Checkpoint[NotesConfig]


@dataclass(frozen=True)
class NoteComparison:
    """F-measures of notes with the model in use and the learned one: held recordings, guard set."""

    held: PairedShare
    guard: PairedShare

    @property
    def better(self) -> bool:
        """Whether the learned model is better on the recordings held out, and not by chance."""
        return self.held.after > self.held.before and self.held.p_better >= SURE_BETTER

    @property
    def kept(self) -> bool:
        """Whether the notes of the guard set are found as before, but for `ALLOWED_LOSS`."""
        return self.guard.after >= self.guard.before - ALLOWED_LOSS - 1e-9

    @property
    def installable(self) -> bool:
        """Whether the learned model is better there and has unlearned nothing."""
        return self.better and self.kept

    def reason(self) -> str:
        """Why it is to be installed, or not, in one sentence."""
        if not self.better:
            return "it is not surely better than the current model on the recordings left out"
        if not self.kept:
            return "it is better on the recordings left out, but worse on other music (guard set)"
        return "it is better on the recordings left out and has unlearned nothing"

    def lines(self) -> tuple[str, ...]:
        """Figures before and after for people."""
        return (
            f"notes found (F-measure, ±50 ms) in recordings left out: {self.held}",
            f"in other music (guard set): {self.guard}",
        )


def learn(labels: NoteLabels, job: Job) -> Proposal:
    """Train the shipped model on recordings, and compare it on recordings left out.

    Raises
    ------
    LabelError
        If fewer than `MIN_RECORDINGS` can be used.
    CheckpointError
        If a model cannot be used.
    StorageError
        If there is no room for what is computed from the audio.
    Stopped
        If the run was to stop.
    """
    torch.set_num_threads(1)
    _check(len(labels))
    base = checkpoint.load(checkpoint.resolve(in_use.SHIPPED, "notes"), "notes")
    current = checkpoint.load(checkpoint.resolve("default", "notes"), "notes")
    pairs = labels.pairs
    spectrum = ConstantQ(base.front_end, base.filterbank)
    with tempfile.TemporaryDirectory() as folder:

        def hear(k: int) -> list[Annotated]:
            pieces = annotate(pairs[k], spectrum)
            return [_on_disk(piece, Path(folder) / f"{k}-{n}.npy") for n, piece in
                    enumerate(pieces)]  # fmt: skip

        heard, failed = hear_all(
            [pair.audio for pair in pairs], hear, job, expected=(AudioError, LabelError)
        )
        _check(len(heard), failed)
        held = held_out([pairs[k] for k in heard], job.options.seed)
        known = [piece for k, pieces in heard.items() if pairs[k] not in held for piece in pieces]
        model = _trained(base, known, job)
    found = {pair: _f_measures(pair, current, model, job) for pair in held}
    before, after = zip(*found.values(), strict=True)
    groups = [str(pair.audio) for pair in found]
    comparison = NoteComparison(paired(before, after, groups), _on_guard(current, model))
    n_learned = len(heard) - len(held)
    card = {
        "summary": f"notes of {base.name}-{base.hash}, {n_learned} recordings, "
        f"seed {job.options.seed}",
        "base": base.source,
        "method": job.method.name,
        "seed": job.options.seed,
        "figures": asdict(comparison),
        "compared_with": current.source,
        "versions": {"torch": str(torch.__version__), "numpy": np.__version__},
    }
    return Proposal(
        model=replace(model, card=card),
        learned=f"learned ({job.method.name}) from {counted(n_learned, 'recording')}",
        comparison=comparison.lines(),
        installable=comparison.installable,
        reason=comparison.reason(),
        failed=tuple(failed),
    )


def _check(n_recordings: int, failed: Sequence[Failure] = ()) -> None:
    if n_recordings < MIN_RECORDINGS:
        raise LabelError(
            f"{counted(n_recordings, 'usable recording')} with notes, at least {MIN_RECORDINGS} "
            f"are needed: some are learned from, the others tested on{and_why(failed)}"
        )


def held_out(pairs: Sequence[Pair], seed: int) -> list[Pair]:
    """The recordings to test on: those that the folder holds out, or else some by lot."""
    given = [pair for pair in pairs if pair.held]
    if 0 < len(given) < len(pairs):
        return given
    n_held = max(1, round(HELD_SHARE * len(pairs)))
    chosen = np.random.default_rng(seed).permutation(len(pairs))[:n_held]
    return [pairs[k] for k in sorted(chosen.tolist())]


def _on_disk(piece: Annotated, path: Path) -> Annotated:
    """The same, with its features in a file: a large data set does not fit into memory.

    Raises
    ------
    StorageError
        If it cannot be written.
    """
    try:
        np.save(path, piece.features, allow_pickle=False)
        features = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError) as error:  # ValueError: it was written in part
        raise StorageError(
            f"{path.parent} cannot hold what is computed from the audio ({reason(error)}); TMPDIR "
            "names another folder for it"
        ) from error
    with suppress(OSError):  # where a name can go before its content, a killed run leaves nothing
        path.unlink()
    return replace(piece, features=features)


def _trained(base: Model, recordings: Sequence[Annotated], job: Job) -> Model:
    steps = job.options.epochs or STEPS
    recipe = NoteRecipe(steps, learning_rate=LEARNING_RATE, seed=job.options.seed)
    with job.progress_bar("learning", steps, "step") as bar:

        def after_step(step: int, error: float) -> None:
            job.check_going_on()
            bar.set_postfix(loss=f"{error:.2f}", refresh=False)
            bar.update()

        network = fit(
            learnable(base.network), recordings, base.front_end, base.config, recipe, after_step
        )
    return replace(base, network=usable(network))


def _f_measures(pair: Pair, current: Model, model: Model, job: Job) -> tuple[float, float]:
    """F-measures of the notes in a recording by two models, heard as in use."""
    known = Annotated(pair.audio.stem, np.zeros((0, 0), np.float16), read_notes(pair.notes))
    found = []
    for one in (current, model):
        job.check_going_on()
        result: Transcription = Estimator.of([(TASK, one)], "all").results(pair.audio)["notes"]
        seconds = max([note.end for note in (*result.notes, *known.as_notes())], default=1.0)
        found.append(measure_notes(known.as_notes(), result.notes, seconds).f)
    return found[0], found[1]


def _on_guard(current: Model, model: Model) -> PairedShare:
    """F-measures of both models on invented pieces of plain tones."""
    before: list[float] = []
    after: list[float] = []
    rng = np.random.default_rng(0)
    for _ in range(GUARD_CLIPS):
        played, _ = draw_study(GUARD_SECONDS, rng)
        audio = play(played, GUARD_SECONDS, model.spectrum.sr, rng)
        known = [Note(n.start, n.end, n.pitch) for n in played]
        for one, found in ((current, before), (model, after)):
            heard = Heard([Excerpt(audio, 0.0)], one.spectrum.sr)
            result = answer(TASK, ask(TASK, heard, {}, one), heard, {}, one)
            found.append(measure_notes(known, result.notes, GUARD_SECONDS).f)
    return paired(before, after, [str(k) for k in range(GUARD_CLIPS)])
