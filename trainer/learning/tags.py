"""The method `tags`: learn the tags that somebody gives their tracks, from what these sound like.

The embedding stays that of the shipped model; what is learned is another head. Each tag is judged
on tracks whose artists were not learned from, and left out where it is no better than guessing.
`tag_cleaning` says which tags there are, `tag_fitting` how they are learned, `tag_comparing` how
good they are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import sklearn
from numpy.typing import NDArray

from tempo_core import Estimator, checkpoint, in_use
from tempo_core.console import counted
from tempo_core.embeddings import Embeddings
from tempo_core.engines import loaded
from tempo_core.engines.sharing import shared_path
from tempo_core.errors import LabelError, StorageError
from tempo_core.network import Network
from tempo_core.sound_tags import Tag
from tempo_core.tasks.tags.config import MOST_TAGS, TagsConfig
from tempo_core.tasks.tags.decode import Embedding, embedding_name, tags_of
from tempo_core.tasks.tags.network import HEAD, build

from ..evaluation.tag_figures import area, macro, precision
from ..trainingset import memory
from ..trainingset.grouping import folds_of, groups_of
from .job import (
    FROM_THE_BEGINNING,
    WHAT_IS_KEPT,
    Failure,
    Job,
    Proposal,
    and_why,
    gather,
    hear_all,
)
from .labels import TagLabels, TagTrack
from .tag_cleaning import MIN_ARTISTS, CleanTags, TagRules, clean
from .tag_comparing import (
    HeldOut,
    Model,
    TagComparison,
    compare,
    figure_lines,
    guess_line,
    held_out,
    left_out_lines,
)
from .tag_fitting import N_FOLDS, calibrated, fit, odds_of_folds

CHEAP = 200_000  # tracks times tags up to which it is also said what a random split would show
HOW = f"each track by a model that did not learn from its artist ({N_FOLDS} folds)"


@dataclass(frozen=True, eq=False)
class Head:
    """Tags with their weights (n_tags, n_dims) and offsets (n_tags,)."""

    tags: tuple[Tag, ...]
    weights: NDArray[np.float32]
    offsets: NDArray[np.float32]

    @staticmethod
    def of(model: Model, fields: Sequence[str]) -> Head:
        """The tags of some fields that a model has."""
        tags = tags_of(model.config)
        which = [k for k, tag in enumerate(tags) if tag.field in fields]
        if not which:
            n_dims = model.config.model.n_dims
            return Head((), np.zeros((0, n_dims), np.float32), np.zeros(0, np.float32))
        weights, offsets = (model.network.weights[f"{HEAD}.{x}"][which] for x in ("weight", "bias"))
        return Head(tuple(tags[k] for k in which), weights, offsets)


@dataclass
class _Heard:
    """What tracks sound like by their numbers, and lines about what went wrong.

    `interrupted` is the message if the run is to stop after this.
    """

    embeddings: dict[int, Embedding]
    failed: list[Failure]
    lines: list[str] = field(default_factory=list)
    interrupted: str = WHAT_IS_KEPT


def learn(labels: TagLabels, job: Job) -> Proposal:
    """Learn the tags of one field, and compare them on tracks that were left out.

    Raises
    ------
    LabelError
        If no tag has enough tracks, or none is better than guessing.
    CheckpointError
        If a model cannot be used.
    Stopped
        If the run was to stop.
    """
    options = job.options
    path = checkpoint.resolve(in_use.SHIPPED, "tags")
    base = checkpoint.load(path, "tags")
    in_use_now = checkpoint.load(checkpoint.resolve("default", "tags"), "tags")
    current = in_use_now if embedding_name(in_use_now) == embedding_name(base) else None
    others = _other_fields(current, options.field)
    kept = [Head.of(base, [""])] + ([Head.of(current, others)] if current else [])
    most = MOST_TAGS - sum(len(head.tags) for head in kept)
    rules = TagRules(options.field, options.min_tracks, options.merge, options.drop)

    def cleaned(tracks: Sequence[TagTrack]) -> tuple[list[str], CleanTags]:
        groups = groups_of([track.described for track in tracks])
        return groups, clean([track.names for track in tracks], groups, rules, most)

    _, found = cleaned(labels.tracks)
    check_enough(found, rules)  # before anything is listened to
    labelled = [labels.tracks[k] for k in found.tracks]
    heard = hear_tracks(labelled, labels, base, path, job)
    usable = [labelled[k] for k in heard.embeddings]
    groups, found = cleaned(usable)
    check_enough(found, rules, heard.failed)
    embeddings = np.stack([heard.embeddings[k] for k in heard.embeddings])
    # Without what was widened or merged some tracks may have no tag left.
    usable, groups = [usable[k] for k in found.tracks], [groups[k] for k in found.tracks]
    embeddings = embeddings[found.tracks]
    folds = folds_of(groups, N_FOLDS, options.seed)
    from_these = np.array([track.described.split != "test" for track in usable])
    flattering = found.truth.size <= CHEAP
    n_fits = found.truth.shape[1] * (N_FOLDS * (1 + flattering) + 1)
    with job.progress_bar("learning", n_fits, "fit") as bar:

        def go_on() -> None:
            job.check_going_on(heard.interrupted)
            bar.update()

        odds = odds_of_folds(embeddings, found.truth, folds, go_on)
        every = held_out(found.names, found.truth, odds, folds, groups, options.seed)
        good = every.better_than_guessing
        if not good:
            told = guess_line(every, range(len(every.names)))
            raise LabelError(f"no tag of {options.field} can be learned; {told}")
        best = every.of(good, options.seed)
        flattery = _flattery(embeddings, best, options.seed, go_on) if flattering else []
        weights, offsets = fit(
            embeddings[from_these], best.truth[from_these], odds[from_these][:, good], go_on
        )
    tags = tuple(Tag(options.field, name) for name in best.names)
    heads = [*kept, Head(tags, weights, offsets)]
    tracks = [track.described for track in usable]
    comparison = compare(best, options.field, current, tracks, embeddings, options.seed)
    guesses = [k for k in range(len(every.names)) if k not in good]
    learned_from = [track for track, own in zip(tracks, from_these, strict=True) if own]
    card = _card(best, every, guesses, comparison, base, in_use_now, job) | {
        "n_labels": len(learned_from),
        memory.CARD_KEY: _memory(learned_from, current, others),
    }
    if current:
        card["fields"] = {**_fields_of(current, others), **card["fields"]}
    lost = [] if current else _other_fields(in_use_now, options.field)
    return Proposal(
        model=replace(_with_heads(base, heads), card=card),
        learned=f"learned ({job.method.name}) from the {options.field} of "
        f"{counted(len(learned_from), 'track')} by {counted(len(set(groups)), 'artist')}",
        comparison=(
            *figure_lines(best, HOW),
            *flattery,
            *([guess_line(every, guesses)] if guesses else []),
            *left_out_lines(found.left_out),
            *comparison.lines(),
            *([f"the tags of {', '.join(lost)} were learned from what an earlier version heard; "
               "learn them again"] if lost else []),
            *heard.lines,
        ),
        installable=comparison.installable,
        reason=comparison.reason(),
        failed=tuple(heard.failed),
    )  # fmt: skip


def _other_fields(model: Model | None, own: str) -> list[str]:
    """The fields besides one that a model has learned tags of."""
    fields = [] if model is None else [tag.field for tag in tags_of(model.config)]
    return [name for name in dict.fromkeys(fields) if name not in ("", own)]


def check_enough(found: CleanTags, rules: TagRules, failed: Sequence[Failure] = ()) -> None:
    """Refuse labels without a single tag that enough tracks have.

    Raises
    ------
    LabelError
        With what is needed, and what there is.
    """
    if found.names:
        return
    tracks = counted(len(found.tracks), "track")
    told = "; ".join(left_out_lines(found.left_out))
    raise LabelError(
        f"{tracks} with {rules.field}, and no tag that can be learned: at least "
        f"{rules.min_tracks} tracks by {MIN_ARTISTS} artists with it are needed, and others "
        f"without it{f' ({told})' if told else ''}" + and_why(failed)
    )


def hear_tracks(
    tracks: Sequence[TagTrack], labels: TagLabels, base: Model, path: Path, job: Job
) -> _Heard:
    """The embeddings of tracks: as they are known or kept, and of the others by listening."""
    n_dims = base.config.model.n_dims
    paths = [track.path for track in tracks]
    known = dict(labels.known)
    lines: list[str] = []
    store = None if labels.sounds is None else Embeddings(labels.sounds, embedding_name(base))
    try:
        if store is not None:
            known = {**store.of(paths), **known}
    except StorageError as error:
        lines.append(f"what the tracks sound like is not kept: {error}")
        store = None
    there = {
        k: np.asarray(known[p], np.float16) for k, p in enumerate(paths)
        if p in known and _is_embedding(known[p], n_dims)
    }  # fmt: skip
    missing = [k for k in range(len(paths)) if k not in there]
    if not missing:
        return _Heard(there, [], lines)
    files = [paths[k] for k in missing]
    interrupted = FROM_THE_BEGINNING if store is None else WHAT_IS_KEPT

    def kept(file: Path) -> Embedding | None:
        with suppress(StorageError):
            return None if store is None else store.get(file)
        return None

    def keep(file: Path, embedding: Embedding) -> None:
        with suppress(StorageError):  # it is only slower the next time
            if store is not None:
                store.put(file, embedding)

    try:
        if job.engine is not None:
            work = SoundWork(shared_path(str(path)))
            results = _on_cluster(work, files, job, kept, keep)
            heard, failed = gather(files, results, job, interrupted)
        else:
            listen = SoundWork(str(path)).load()

            def hear(number: int) -> Embedding:
                found = kept(files[number])
                if found is None:
                    found = listen((number, str(files[number])))
                    keep(files[number], found)
                return found

            heard, failed = hear_all(files, hear, job, interrupted)
    finally:
        if store is not None:
            store.close()
    there |= {missing[number]: embedding for number, embedding in heard.items()}
    return _Heard(dict(sorted(there.items())), failed, lines, interrupted)


@dataclass(frozen=True)
class SoundWork:
    """Finding out what files sound like; see `tempo_core.engines.Work`.

    `model` is the path of a model of tags. Tasks are (number, path).
    """

    model: str

    def load(self) -> Listening:
        """Load the model."""
        return Listening(Estimator(tasks=["tags"], models={"tags": self.model}))

    def uses(self) -> Mapping[str, str]:
        """The model, by task."""
        listening = loaded(self)
        assert isinstance(listening, Listening)
        return listening.estimator.sources


@dataclass(frozen=True)
class Listening:
    """The function from a file to what it sounds like, with the model in memory."""

    estimator: Estimator

    def __call__(self, file: tuple[int, str]) -> Embedding:
        embedding: Embedding = self.estimator.results(file[1])["tags"].embedding
        return embedding


def _on_cluster(
    work: SoundWork,
    files: Sequence[Path],
    job: Job,
    kept: Callable[[Path], Embedding | None],
    keep: Callable[[Path, Embedding], None],
) -> Iterator[tuple[int, Embedding | Exception]]:
    """Listen to files that are not kept yet, see `gather`; the store is used here alone."""
    assert job.engine is not None
    unknown = []
    for number, file in enumerate(files):
        job.check_going_on(WHAT_IS_KEPT)
        found = kept(file)
        if found is None:
            unknown.append((number, shared_path(str(file))))
        else:
            yield number, found
    results = job.engine.each(work, unknown, job.stop, job.options.time_limit)
    for (number, _), result in results:
        if not isinstance(result, Exception):
            keep(files[number], result)
        yield number, result


def _is_embedding(values: NDArray[Any], n_dims: int) -> bool:
    return np.shape(values) == (n_dims,) and bool(np.isfinite(values).all())


def _flattery(embeddings: NDArray[Any], best: HeldOut, seed: int, go_on: Any) -> list[str]:
    """What would be found if the artists of the tracks were learned from, in one line."""
    alone = [str(k) for k in range(len(embeddings))]
    odds = odds_of_folds(embeddings, best.truth, folds_of(alone, N_FOLDS, seed), go_on)
    found = calibrated(odds, best.truth)
    return [
        "with other tracks of their artists learned from it would seem to be "
        f"AUC {macro(area, best.truth, found):.2f}, AP {macro(precision, best.truth, found):.2f}"
    ]


def _with_heads(base: Model, heads: Sequence[Head]) -> Model:
    """The shipped model with other tags."""
    names = tuple(str(tag) for head in heads for tag in head.tags)
    config: TagsConfig = replace(base.config, tags=names)
    weights = {
        **base.network.weights,
        f"{HEAD}.weight": np.concatenate([head.weights for head in heads]),
        f"{HEAD}.bias": np.concatenate([head.offsets for head in heads]),
    }
    return replace(base, config=config, network=Network(build(base.front_end, config), weights))


def _card(
    best: HeldOut,
    every: HeldOut,
    guesses: Sequence[int],
    comparison: TagComparison,
    base: Model,
    current: Model,
    job: Job,
) -> dict[str, Any]:
    name, seed, of_field = job.method.name, job.options.seed, job.options.field
    figures = best.figures
    of_tags = {one.tag: asdict(one) for one in figures.tags}
    return {
        "summary": f"{name} of {base.name}-{base.hash}, {len(best.names)} of {of_field} from "
        f"{len(best.truth)} tracks, seed {seed}",
        "base": base.source,
        "method": name,
        "seed": seed,
        "fields": {
            of_field: {
                "n_tracks": len(best.truth),
                "n_artists": len(set(best.groups)),
                "auc_roc": figures.auc_roc,
                "auc_roc_interval": figures.auc_roc_interval,
                "auc_pr": figures.auc_pr,
                "auc_pr_interval": figures.auc_pr_interval,
                "ece": figures.ece,
                "tags": of_tags,
                "no_better_than_guessing": {
                    every.names[k]: asdict(every.figures.tags[k]) for k in guesses
                },
            }
        },
        "comparison": _plain(asdict(comparison)),
        "compared_with": current.source,
        "versions": {"sklearn": sklearn.__version__, "numpy": np.__version__},
    }


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    """Values without those that are no numbers, which JSON does not know."""
    return {k: v for k, v in values.items() if not (isinstance(v, float) and np.isnan(v))}


def _fields_of(model: Model, names: Sequence[str]) -> dict[str, Any]:
    """What the card of a model says of some fields, as far as it does."""
    fields = model.card.get("fields")
    there = fields if isinstance(fields, dict) else {}
    return {name: there[name] for name in names if name in there}


def _memory(learned_from: Sequence[Any], current: Model | None, others: Sequence[str]) -> str:
    """What the model has learned from: for this field, and for those that are kept."""
    own = memory.remember(learned_from)
    before = memory.of_card(current.card) if current is not None and others else None
    return memory.pack(memory.Memory(own.hashes | before.hashes) if before else own)
