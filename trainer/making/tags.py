"""Train the tags network: `python -m trainer.making.tags --data DIR --teacher WHEEL …`.

It learns to answer as a much larger tagger does (`musicnn`), of recordings whose sound is changed
at random while the tagger heard them as they are. So no labels are needed.

Hinton et al., "Distilling the knowledge in a neural network", 2015.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import click
import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from tempo_core import checkpoint
from tempo_core.cli.command import Command
from tempo_core.config import FrontEnd, Windows
from tempo_core.model import Checkpoint
from tempo_core.network import Network
from tempo_core.sound_tags import Tag
from tempo_core.spectrum import Mel, compress
from tempo_core.tasks.tags.config import TagsConfig, TagsModel
from tempo_core.tasks.tags.decode import tag_probabilities, tags_of
from tempo_core.tasks.tags.network import HEAD, PIECE, build
from tempo_core.tasks.tags.view import pieces_of

from ..evaluation.calibration import platt
from ..evaluation.metrics import expected_calibration_error
from ..evaluation.tag_figures import area
from ..inputs.augment import tone_gains
from ..inputs.kept import load_features
from ..inputs.recordings import (
    Recording,
    digest_of,
    read_charts,
    read_consensus,
    read_rhythm,
    read_songs,
)
from ..inputs.views import filterbank as mel_filterbank
from ..tasks.tags import loss as loss_of
from ..torch_ops import Learnable, usable
from . import musicnn
from .beat_tracks import features_of
from .steps import descend

Array = NDArray[np.float32]

FRONT_END = FrontEnd(sr=11025, n_fft=1024, hop_length=256, n_mels=80, fmin=20.0, fmax=5500.0)
SETS = {"songs": read_songs, "charts": read_charts, "rhythm": read_rhythm,
        "consensus": read_consensus}  # fmt: skip
HELD_OUT = "charts"  # the set whose validation part is not learned from
N_SUREST = 5  # words of style that a recording has: those of which the tagger is surest
# Words of mood, which it is never as sure of: a recording has one if it is among the share of
# recordings of which the tagger says it most.
MOODS = frozenset(
    ["acoustic", "ambient", "chill", "easy listening", "happy", "instrumental", "mellow", "party",
     "sad"]
)  # fmt: skip
SHARE = 0.15
# Words of periods, singers and taste, which say nothing of how music sounds, one that is there
# twice, and those of which the tagger itself was found to know nothing.
NOT_WORDS = frozenset(
    ["00s", "90s", "80s", "70s", "60s", "oldies", "female vocalists", "male vocalists",
     "female vocalist", "beautiful", "sexy", "catchy", "chillout", "pop", "rnb"]
)  # fmt: skip
LEAST_WITH = 5  # tracks that have a word that is kept
LEAST_AREA = 0.85  # under the ROC curve, of the words that are kept, against the tagger's own


@dataclass(frozen=True)
class TagsRecipe:
    """How the tags network is trained."""

    steps: int = 9000
    batch: int = 64
    rate: float = 3e-3
    weight_decay: float = 0.02
    seed: int = 0
    whole: float = 0.3  # share of the targets that is of the whole recording, not of the piece
    shift: float = 0.4  # [s] by which pieces begin earlier or later
    tone: float = 0.8  # probability of a change of tone
    tilt: float = 5.0  # [dB] standard deviation over the bands
    mask: float = 0.2  # probability that a run of bands is missing
    dull: float = 0.25  # probability that the highest bands are missing
    noise: float = 0.3  # probability of noise
    gap: float = 0.3  # probability that a stretch of time is missing


@dataclass(frozen=True)
class Taught:
    """Recordings as the network hears them, and what the tagger says.

    `features` are (n_mels, n_frames) each; `tags` and `dims` (n_windows, …) each.
    """

    features: Sequence[NDArray[np.float16]]
    tags: Sequence[Array]
    dims: Sequence[Array]

    def of(self, which: Sequence[int]) -> Taught:
        """Some of them, those of which the tagger heard at least a window."""
        some = [k for k in which if len(self.tags[k])]
        return Taught(
            [self.features[k] for k in some],
            [self.tags[k] for k in some],
            [self.dims[k] for k in some],
        )


class PieceSampler:
    """Draws training batches: pieces, with another sound than they have, and their targets."""

    def __init__(self, taught: Taught, recipe: TagsRecipe, fps: float):
        self._taught, self._recipe, self._fps = taught, recipe, fps
        self._places = [(k, w) for k, tags in enumerate(taught.tags) for w in range(len(tags))]
        every = np.concatenate(taught.dims)
        self._mean, self._scale = every.mean(axis=0), every.std(axis=0) + 1e-3
        self._rng = np.random.default_rng([recipe.seed, 1])

    def batch(self) -> tuple[Array, Array, Array]:
        """Pieces (n, n_mels, PIECE), tags (n, N_TAGS) and dims (n, N_DIMS); see the loss."""
        places = self._rng.integers(len(self._places), size=self._recipe.batch)
        chosen = [self._places[k] for k in places]
        share = self._recipe.whole
        tags, dims = (
            np.stack([(1 - share) * of[k][w] + share * of[k].mean(axis=0) for k, w in chosen])
            for of in (self._taught.tags, self._taught.dims)
        )
        pieces = np.stack([self._piece(k, w) for k, w in chosen])
        return pieces, tags, np.asarray((dims - self._mean) / self._scale, np.float32)

    def _piece(self, k: int, window: int) -> Array:
        features, rng, recipe = self._taught.features[k], self._rng, self._recipe
        moved = rng.uniform(-recipe.shift, recipe.shift)
        first = round((window * musicnn.SECONDS + moved) * self._fps)
        first = max(0, min(first, features.shape[1] - PIECE))
        piece = features[:, first : first + PIECE].astype(np.float32)
        if piece.shape[1] < PIECE:
            piece = np.resize(piece.T, (PIECE, len(piece))).T
        n_mels = len(piece)
        if rng.random() < recipe.tone:
            piece = piece * tone_gains(n_mels, recipe.tilt, recipe.mask, rng)
        if rng.random() < recipe.dull:
            piece[int(n_mels * rng.uniform(0.6, 0.95)) :] *= 1e-3
        if rng.random() < recipe.noise:
            level = piece.mean() * 10 ** rng.uniform(-2, -0.3)
            piece = piece + np.abs(rng.normal(0, level, piece.shape)).astype(np.float32)
        piece = compress(piece)
        if rng.random() < recipe.gap:
            length = int(rng.integers(4, PIECE // 5))
            begin = int(rng.integers(0, PIECE - length))
            piece[:, begin : begin + length] = 0
        return piece


def fit(sampler: PieceSampler, config: TagsConfig, recipe: TagsRecipe) -> Network:
    """Train a network; the same recipe and data give the same network."""
    torch.manual_seed(recipe.seed)
    network = Learnable(build(FRONT_END, config))
    # Every number of the embedding counts alike: its mean stays 0 and its variance 1.
    for weight in network.get_submodule("embedding.1").parameters():
        weight.requires_grad = False
    guess = nn.Linear(config.model.n_dims, musicnn.N_DIMS)
    network.add_module("guess", guess)  # so that it is trained as well

    def loss_of_batch() -> torch.Tensor:
        pieces, tags, dims = (torch.from_numpy(part) for part in sampler.batch())
        with torch.autocast("cpu", torch.bfloat16):
            embedding = network(pieces)
        embedding = embedding.float()
        return loss_of(network.ops.linear(HEAD, embedding), guess(embedding), tags, dims)

    descend(network, recipe, loss_of_batch)
    del network.guess
    return usable(network.eval())


def choose_words(raw: Checkpoint[TagsConfig], held_out: Taught) -> dict[str, dict[str, float]]:
    """The words that a model knows of recordings it did not learn from, with figures and a line.

    `slope` and `offset` of the log odds calibrate the probability that a recording has the word
    (`words_in`; Platt, 1999); `n` of them have it, `auc_roc` and `ece` say how well that is known.
    """
    names = [tag.name for tag in tags_of(raw.config)]
    answers = np.stack([tags.mean(axis=0) for tags in held_out.tags])
    answers = answers[:, [musicnn.TAGS.index(name) for name in names]]
    embeddings = np.stack([embedding_of(features, raw) for features in held_out.features])
    found = tag_probabilities(embeddings, raw).astype(np.float64)
    odds = np.log(found / (1 - found))
    words = [k for k, name in enumerate(names) if name not in NOT_WORDS]
    while True:
        truth = words_in(answers[:, words], [names[word] for word in words])
        areas = [area(truth[:, k], odds[:, word]) for k, word in enumerate(words)]
        counts = truth.sum(axis=0)
        kept = [
            word for k, word in enumerate(words)
            if areas[k] >= LEAST_AREA and counts[k] >= LEAST_WITH
        ]  # fmt: skip
        if kept == words:
            break
        words = kept
    chosen = {}
    for k, word in enumerate(words):
        slope, offset = platt(odds[:, word], truth[:, k])
        likely = 1 / (1 + np.exp(-(slope * odds[:, word] + offset)))
        chosen[names[word]] = {
            "slope": round(slope, 4),
            "offset": round(offset, 4),
            "n": int(counts[k]),
            "auc_roc": round(areas[k], 3),
            "ece": round(expected_calibration_error(likely, truth[:, k]), 3),
        }
    return chosen


def words_in(answers: Array, names: Sequence[str]) -> NDArray[np.float64]:
    """Which words recordings have, by the tagger's probabilities (n, n_words): 1 or 0.

    Of the words of style these are the `N_SUREST` most probable ones, of recordings with a word of
    mood the `SHARE` with the highest probability of it.
    """
    truth = np.zeros(answers.shape)
    styles = np.array([k for k, name in enumerate(names) if name not in MOODS], int)
    surest = np.argsort(-answers[:, styles], axis=1)[:, :N_SUREST]
    np.put_along_axis(truth, styles[surest], 1.0, axis=1)
    for k, name in enumerate(names):
        if name in MOODS:
            truth[:, k] = answers[:, k] >= np.quantile(answers[:, k], 1 - SHARE)
    return truth


def with_words(
    raw: Checkpoint[TagsConfig], words: Mapping[str, Mapping[str, float]]
) -> Checkpoint[TagsConfig]:
    """The model with those words alone, calibrated by their lines; see `choose_words`."""
    names = [tag.name for tag in tags_of(raw.config)]
    rows = [names.index(word) for word in words]
    slopes, offsets = (
        np.array([words[word][part] for word in words]) for part in ("slope", "offset")
    )
    weights = dict(raw.network.weights)
    scaled = weights[f"{HEAD}.weight"][rows] * slopes[:, None]
    weights[f"{HEAD}.weight"] = scaled.astype(np.float32)
    bias = weights[f"{HEAD}.bias"][rows] * slopes + offsets
    weights[f"{HEAD}.bias"] = bias.astype(np.float32)
    config = replace(raw.config, tags=tuple(str(Tag("", word)) for word in words))
    network = Network(build(raw.front_end, config), weights)
    return replace(raw, config=config, network=network)


def embedding_of(features: NDArray[np.float16], model: Checkpoint[TagsConfig]) -> Array:
    """(n_dims,) embedding of a whole recording from its features (n_mels, n_frames)."""
    pieces = pieces_of(features.astype(np.float32))
    return np.asarray(model.network(np.stack(pieces)).mean(axis=0), np.float32)


def read_taught(
    recordings: Sequence[Recording], teacher: musicnn.Musicnn, spectrum: Mel, cache: Path, jobs: int
) -> Taught:
    """Hear recordings and ask the tagger about them, or take both from the cache."""
    paths = [recording.path for recording in recordings]
    features = load_features(
        paths, f"tags {spectrum.key}", lambda path: features_of(path, spectrum), cache, jobs
    )
    answers = load_features(paths, teacher.name, teacher.answers, cache, jobs)
    tags, dims = (
        [answer[:, part].astype(np.float32) for answer in answers]
        for part in (slice(0, musicnn.N_TAGS), slice(musicnn.N_TAGS, None))
    )
    return Taught(features, tags, dims)


@click.command(cls=Command)
@click.option("--data", type=click.Path(exists=True, file_okay=False, path_type=Path),
              required=True, help="Folder with songs.tsv, charts.tsv …")  # fmt: skip
@click.option("--teacher", type=click.Path(exists=True, dir_okay=False, path_type=Path),
              required=True, help="Wheel of musicnn 0.1.0.")  # fmt: skip
@click.option("--cache", type=click.Path(file_okay=False, path_type=Path), required=True)
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), required=True)
@click.option("--without", type=click.Choice(list(SETS)), multiple=True,
              help="Set not to learn from; several may be given.")  # fmt: skip
@click.option("--words", type=click.Path(exists=True, dir_okay=False, path_type=Path),
              help="Model whose words are taken, with their calibration.")  # fmt: skip
@click.option("--steps", default=TagsRecipe.steps, show_default=True)
@click.option("--seed", default=0, show_default=True)
@click.option("--channels", default=TagsModel.n_channels, show_default=True)
@click.option("--dims", default=TagsModel.n_dims, show_default=True)
@click.option("--jobs", default=2, show_default=True)
def main(
    data: Path, teacher: Path, cache: Path, out: Path, without: tuple[str, ...],
    words: Path | None, steps: int, seed: int, channels: int, dims: int, jobs: int,
) -> None:  # fmt: skip
    """Train a tags model on the answers of a larger tagger."""
    torch.set_num_threads(1)
    recipe = TagsRecipe(steps=steps, seed=seed)
    other = None if words is None else checkpoint.load(words, "tags")
    every = tuple(str(Tag("", name)) for name in musicnn.TAGS)
    config = TagsConfig(TagsModel(n_channels=channels, n_dims=dims), every)
    spectrum = Mel(FRONT_END, mel_filterbank(FRONT_END))
    named = [(name, recording) for name, read in SETS.items() for recording in read(data)]
    recordings = [recording for _, recording in named]
    taught = read_taught(recordings, musicnn.Musicnn(teacher), spectrum, cache, jobs)
    left_out = [
        k for k, (name, recording) in enumerate(named)
        if name in without or (name == HELD_OUT and recording.split == "validation")
    ]  # fmt: skip
    learned_from = [k for k in range(len(named)) if k not in set(left_out)]
    network = fit(PieceSampler(taught.of(learned_from), recipe, spectrum.fps), config, recipe)
    raw: Checkpoint[TagsConfig] = Checkpoint(
        "tags", "", "tags", FRONT_END, Windows(), config, spectrum.filterbank, spectrum, network,
        1.0, {},
    )  # fmt: skip
    chosen = choose_words(raw, taught.of(left_out)) if other is None else other.card["words"]
    card: dict[str, object] = {
        "summary": f"learned from musicnn (ISC) over {len(learned_from)} recordings, seed {seed}",
        "data": dict(Counter(named[k][0] for k in learned_from)),
        "recordings": digest_of([recordings[k] for k in learned_from]),
        "recipe": asdict(recipe),
        "words": chosen,
        "words_of": "" if other is None else other.source,
        "versions": {"torch": torch.__version__, "numpy": np.__version__},
    }
    written = checkpoint.save(out, replace(with_words(raw, chosen), card=card))
    click.echo(f"{written} ({written.stat().st_size / 1e3:.0f} kB), {len(chosen)} words")


if __name__ == "__main__":
    main()
