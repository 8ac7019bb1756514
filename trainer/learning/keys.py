"""The method `keys`: fit the key model to the keys that somebody gives their tracks.

Each track is answered by a model that did not learn from its artist, and by the model in use; that
decides whether what was learned from all of them is used. `key_fitting` says how it is learned.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np
import torch

from tempo_core import checkpoint, in_use
from tempo_core.console import counted
from tempo_core.errors import LabelError
from tempo_core.keys import Key

from ..evaluation.keys import key_score
from ..trainingset import memory
from ..trainingset.grouping import folds_of, groups_of
from .compare import SURE_BETTER, PairedShare, paired
from .job import Failure, Job, Proposal, and_why, hear_all
from .key_fitting import Floats, Model, SeenTrack, answer_of, fit, fit_temperature, scores_of, see
from .key_guard import PaintedClip, answers, paint
from .labels import KeyLabels, KeyTrack

MIN_TRACKS, MIN_ARTISTS = 20, 5  # fewer tell nothing about anybody's habits
N_FOLDS = 5  # of the cross validation
CALIBRATE_FROM = 50  # tracks; from fewer the temperature stays as it was
ALLOWED_LOSS = 0.02  # of the guard set's score, one clip and a bit, which a model may lose
HOW = f"each by a model that did not learn from its artist ({N_FOLDS} folds)"


@dataclass(frozen=True)
class KeyComparison:
    """Scores of the model in use and of learned ones: on the user's tracks, and the guard set.

    `weighted` and `guard` are MIREX scores, `exact` shares of equal keys.
    """

    weighted: PairedShare
    exact: PairedShare
    guard: PairedShare

    @property
    def better(self) -> bool:
        """Whether the learned model is better on the user's tracks, and not by chance."""
        return self._gain > 0 and self.weighted.p_better >= SURE_BETTER

    @property
    def _gain(self) -> float:
        """How much higher the score on the user's tracks is; 0 where only rounding differs."""
        return round(self.weighted.after - self.weighted.before, 9)

    @property
    def kept(self) -> bool:
        """Whether the guard set's keys are found as well as before, but for `ALLOWED_LOSS`."""
        return self.guard.after >= self.guard.before - ALLOWED_LOSS - 1e-9

    @property
    def installable(self) -> bool:
        """Whether the learned model is better for the user, and has unlearned nothing."""
        return self.better and self.kept

    def reason(self) -> str:
        """Why it is to be installed, or not, in one sentence."""
        guard = self.guard
        sure = f"probability of being better {self.weighted.p_better:.2f}"
        if self._gain < 0:
            return "it is worse than the current model on your own tracks"
        if self._gain == 0:
            return "it is no better than the current model on your own tracks"
        if not self.better:
            return f"it may be better on your own tracks, but that may be chance ({sure})"
        if not self.kept:
            return (
                "it is better on your own tracks, but worse on other music (guard set: "
                f"{100 * guard.before:.1f} → {100 * guard.after:.1f} %)"
            )
        return f"it is better on your own tracks ({sure}) and has unlearned nothing"

    def lines(self) -> tuple[str, ...]:
        """Figures before and after for people."""
        return (
            f"weighted key score on your own tracks, {HOW}: {self.weighted}",
            f"the very key: {self.exact}",
            f"other music (guard set): weighted key score {self.guard}",
        )


def learn(labels: KeyLabels, job: Job) -> Proposal:
    """Fit the shipped key model to keys, and compare it on tracks that were left out.

    Raises
    ------
    LabelError
        If there are fewer than `MIN_TRACKS` usable tracks, or fewer than `MIN_ARTISTS` artists.
    CheckpointError
        If a model cannot be used.
    Stopped
        If the run was to stop.
    """
    torch.set_num_threads(1)
    _check(labels.tracks)  # before anything is listened to
    base = checkpoint.load(checkpoint.resolve(in_use.SHIPPED, "key"), "key")
    current = checkpoint.load(checkpoint.resolve("default", "key"), "key")
    tracks = labels.tracks

    def hear(k: int) -> tuple[SeenTrack, Floats]:
        track = tracks[k]
        seen = see(track.path, track.key, base)
        other = seen if current.source == base.source else see(track.path, track.key, current)
        return seen, scores_of(other, current)

    heard, failed = hear_all([track.path for track in tracks], hear, job)
    usable = [tracks[k] for k in heard]
    _check(usable, failed)
    seen = [track for track, _ in heard.values()]
    replayed = paint(base.front_end, replay=True)
    held_out = _cross_validate(usable, seen, replayed, base, job)
    from_these = [k for k, track in enumerate(usable) if track.split != "test"]
    model = fit([seen[k] for k in from_these], replayed, base, job)
    keys = [track.key for track in usable]
    if len(usable) >= CALIBRATE_FROM:
        model = replace(model, temperature=fit_temperature(held_out, keys))
    before = [answer_of(scores) for _, scores in heard.values()]
    after = [answer_of(scores) for scores in held_out]
    groups = groups_of([track.described for track in usable])
    comparison = KeyComparison(
        weighted=paired(list(map(key_score, keys, before)), list(map(key_score, keys, after)),
                        groups),
        exact=paired(list(map(_same, keys, before)), list(map(_same, keys, after)), groups),
        guard=_on_guard(current, model),
    )  # fmt: skip
    card = _card([usable[k] for k in from_these], base, current, comparison, job)
    return Proposal(
        model=replace(model, card=card),
        learned=f"learned ({job.method.name}) from {counted(len(from_these), 'key')}",
        comparison=comparison.lines(),
        installable=comparison.installable,
        reason=comparison.reason(),
        failed=tuple(failed),
    )


def _check(tracks: Sequence[KeyTrack], failed: Sequence[Failure] = ()) -> None:
    """Refuse too few tracks to learn from.

    Raises
    ------
    LabelError
        If there are too few of them, or of too few artists; with what is needed.
    """
    n_artists = len(set(groups_of([track.described for track in tracks])))
    if len(tracks) < MIN_TRACKS or n_artists < MIN_ARTISTS:
        raise LabelError(
            f"{counted(len(tracks), 'usable track')} by {counted(n_artists, 'artist')} with a key "
            f"that somebody gave, at least {MIN_TRACKS} by {MIN_ARTISTS} are needed; give more of "
            "them a key (initial_key in beets, the column key in a table)" + and_why(failed)
        )


def _cross_validate(
    tracks: Sequence[KeyTrack],
    seen: Sequence[SeenTrack],
    replayed: Sequence[PaintedClip],
    base: Model,
    job: Job,
) -> list[Floats]:
    """(24,) scores of each track at temperature 1, by a model that knows none of its artist."""
    groups = groups_of([track.described for track in tracks])
    folds = folds_of(groups, N_FOLDS, job.options.seed)
    scores: list[Floats] = [np.zeros(0)] * len(tracks)
    with job.progress_bar("learning", N_FOLDS, "fold") as bar:
        for fold in range(N_FOLDS):
            known = [s for s, own in zip(seen, folds, strict=True) if own != fold]
            model = replace(fit(known, replayed, base, job), temperature=1.0)
            for k in np.flatnonzero(folds == fold).tolist():
                scores[k] = scores_of(seen[k], model)
            bar.update()
    return scores


def _same(reference: Key, estimate: Key) -> float:
    """1 where two keys are equal, else 0."""
    return float(reference == estimate)


def _on_guard(current: Model, model: Model) -> PairedShare:
    """Scores of the model in use and of a learned one on painted clips."""
    clips = paint(model.front_end, replay=False)
    as_before = clips
    if current.front_end != model.front_end:
        as_before = paint(current.front_end, replay=False)
    before, after = answers(as_before, current), answers(clips, model)
    keys = [clip.key for clip in clips]
    return paired(
        list(map(key_score, keys, before)),
        list(map(key_score, keys, after)),
        [str(k) for k in range(len(clips))],
    )


def _card(
    tracks: Sequence[KeyTrack], base: Model, current: Model, comparison: KeyComparison, job: Job
) -> dict[str, object]:
    name, seed = job.method.name, job.options.seed
    return {
        "summary": f"{name} of {base.name}-{base.hash}, {len(tracks)} labels, seed {seed}",
        "base": base.source,
        "method": name,
        "n_labels": len(tracks),
        "seed": seed,
        "figures": asdict(comparison),
        memory.CARD_KEY: memory.pack(memory.remember(track.described for track in tracks)),
        "compared_with": current.source,
        "versions": {"torch": str(torch.__version__), "numpy": np.__version__},
    }
