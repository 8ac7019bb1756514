"""Late fusion with a network on the spectrogram: `python -m trainer.research.fusion --help`.

A temporal convolutional network on the mel spectrogram is measured alone and fused with a model
(weighted mean of the logits). It may have another head that learns to find the beats of rendered
clips (Böck & Davies, "Deconstruct, analyse, reconstruct", ISMIR 2020). It is not part of the
shipped model; its results are in `docs/archive/experiments.md`.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import click
import joblib
import numpy as np
import torch
from threadpoolctl import threadpool_limits
from torch import Tensor, nn
from tqdm import tqdm

from tempo_core import checkpoint
from tempo_core.audio import read_excerpts
from tempo_core.cli.command import Command
from tempo_core.config import FrontEnd, Windows
from tempo_core.model import Checkpoint
from tempo_core.spectrum import Array, compress, mel_spectrogram, onset_strength
from tempo_core.tasks.tempo.axis import answerable
from tempo_core.tasks.tempo.config import TempoConfig
from tempo_core.tasks.tempo.decode import activate, encode, highest, mass_near
from tempo_core.tasks.tempo.view import inputs_of
from tempo_core.windows import sliding_windows

from .. import options
from ..evaluation.metrics import acc1, acc2
from ..files import read_tsv
from ..inputs import augment
from ..inputs.recordings import Recording, read_clips, read_consensus, read_rhythm, read_songs
from ..inputs.views import filterbank
from ..making.tempo import TempoRecipe, descend

N_CHANNELS = 48
DILATIONS = (1, 2, 4, 8, 16, 32, 64)
STEP_FRAMES = 2  # [frames] per step of the network
FUSION_SHARES = (1.0, 0.5, 0.3, 0.15, 0.0)  # weights of this network in the logits


class MelNet(nn.Module):
    """A temporal convolutional network for the tempo of a window and the beats in it."""

    def __init__(self, n_mels: int, n_bins: int):
        super().__init__()
        self.stem = nn.Conv1d(2 * n_mels, N_CHANNELS, 5, stride=STEP_FRAMES, padding=2)
        self.layers = nn.ModuleList(
            nn.Sequential(
                nn.BatchNorm1d(N_CHANNELS),
                nn.ELU(),
                nn.Conv1d(N_CHANNELS, N_CHANNELS, 5, padding=2 * d, dilation=d),
                nn.Dropout(0.1),
            )
            for d in DILATIONS
        )
        self.beat = nn.Conv1d(N_CHANNELS, 1, 1)
        self.tempo = nn.Sequential(
            nn.BatchNorm1d(2 * N_CHANNELS * len(DILATIONS)),
            nn.Dropout(0.3),
            nn.Linear(2 * N_CHANNELS * len(DILATIONS), 64),
            nn.ELU(),
            nn.Linear(64, n_bins),
        )

    def forward(self, seen: Tensor) -> tuple[Tensor, Tensor]:
        """Logits of the tempi (batch, n_bins) and of beats (batch, n_steps).

        Parameters
        ----------
        seen
            (batch, 2 * n_mels, n_frames) input, see `view`.
        """
        x = self.stem(seen)
        pooled = []
        for layer in self.layers:
            change = layer(x)
            pooled += [change.mean(dim=-1), change.std(dim=-1)]
            x = x + change
        return self.tempo(torch.cat(pooled, dim=1)), self.beat(x).squeeze(1)


def view(features: Array) -> Tensor:
    """The network's input (batch, 2 * n_mels, n_frames) for features (batch, n_mels, n_frames).

    It consists of the log-compressed features and their onset strength.
    """
    compressed = compress(features)
    return torch.from_numpy(np.concatenate([compressed, onset_strength(compressed)], axis=1))


def features_of(path: Path, front_end: FrontEnd, cache: Path) -> Path:
    """The cache file with the features (n_mels, n_frames) of a recording as float16.

    It is computed if it is missing.
    """
    # `inputs.hearing` is not used here because it removes silence, while the times of the beats in
    # rendered clips count from the beginning of the file.
    threadpool_limits(1, user_api="blas")
    key = hashlib.sha256(path.read_bytes() + front_end.digest().encode()).hexdigest()[:32]
    target = cache / f"{key}.npy"
    if not target.exists():
        audio = read_excerpts(path, front_end.sr, None)[0].audio
        features = mel_spectrogram(audio, front_end, filterbank(front_end))
        temporary = target.with_suffix(".part")
        with temporary.open("wb") as file:
            np.save(file, features.astype(np.float16))
        temporary.replace(target)
    return target


@dataclass(frozen=True)
class BeatCorpus:
    """Recordings to draw batches from.

    `features`, each (n_mels, n_frames), and `weights` (n_recordings,), the probability of drawing
    each, belong to the `recordings`. `first_beats` [s] are those of rendered clips, by the name of
    their file. A window has `n_frames` frames, at `fps` frames per second.
    """

    recordings: list[Recording]
    features: list[np.ndarray]
    weights: np.ndarray
    first_beats: dict[str, float]
    fps: float
    n_frames: int


def draw(
    corpus: BeatCorpus, rng: np.random.Generator, config: TempoConfig
) -> tuple[Tensor, Tensor, Tensor]:
    """A random batch: the network's input, the targets of the tempo, and those of beats.

    Targets of beats are NaN where they are unknown.
    """
    recordings, features, weights = corpus.recordings, corpus.features, corpus.weights
    fps, n_frames, first_beats = corpus.fps, corpus.n_frames, corpus.first_beats
    windows, targets, beats = [], [], []
    for i in rng.choice(len(recordings), size=32, p=weights):
        change = augment.draw(rng, features[i].shape[0])
        stretch = change.stretch(config.grid.bins_per_octave)
        room = features[i].shape[1] - 1 - n_frames * stretch
        first = rng.uniform(0, room) if room > 0 else 0.0
        window = augment.stretched_window(features[i], first, n_frames, stretch)
        window = window * np.exp(change.tone)[:, None]
        window[change.masked] = 0
        windows.append(window)
        bpm = recordings[i].bpm
        targets.append(encode([(bpm * stretch, 1.0)], config).sum(axis=0))
        seconds = (first + stretch * np.arange(0, n_frames, STEP_FRAMES)) / fps
        start = first_beats.get(recordings[i].path.name)
        if start is None:
            beats.append(np.full(seconds.size, np.nan, np.float32))
        else:
            phase = (seconds - start) * bpm / 60
            distance = np.abs(phase - np.round(phase)) * 60 / bpm / (STEP_FRAMES / fps * stretch)
            beats.append(np.where(distance <= 0.5, 1.0, np.where(distance <= 1.5, 0.3, 0.0)))
    return (
        view(np.stack(windows).astype(np.float32)),
        torch.from_numpy(np.stack(targets)),
        torch.from_numpy(np.stack(beats).astype(np.float32)),
    )


def load_features(
    recordings: Sequence[Recording], front_end: FrontEnd, cache: Path, jobs: int
) -> list[np.ndarray]:
    """Features (n_mels, n_frames) of every recording, from the cache or stored there."""
    cache.mkdir(parents=True, exist_ok=True)
    tasks = (joblib.delayed(features_of)(r.path, front_end, cache) for r in recordings)
    run = joblib.Parallel(n_jobs=jobs, return_as="generator")(tasks)
    return [
        np.load(p) for p in tqdm(run, total=len(recordings), desc="reading audio", disable=None)
    ]


def training_corpus(
    recordings: Sequence[Recording], features: Sequence[np.ndarray], clips: Path,
    front_end: FrontEnd, windows: Windows,
) -> BeatCorpus:  # fmt: skip
    """The recordings to train on, with the shares of sources of the shipped model.

    Parameters
    ----------
    clips
        Folder of the rendered clips, whose table has the times of their first beats.
    """
    rows = read_tsv(clips / "clips.tsv")
    first_beats = {row["file"]: float(row["first_beat"]) for row in rows}
    train = [i for i, r in enumerate(recordings) if r.split == "train"]
    kinds = np.array([recordings[i].source.partition(":")[0] for i in train])
    weights = sum(
        (kinds == k) * share / max(1, (kinds == k).sum()) for k, share in TempoRecipe().shares
    )
    n_frames = math.ceil(windows.duration * front_end.fps)
    return BeatCorpus(
        [recordings[i] for i in train], [features[i] for i in train], weights / weights.sum(),
        first_beats, front_end.fps, n_frames,
    )  # fmt: skip


def train_network(
    corpus: BeatCorpus, config: TempoConfig, n_mels: int, steps: int, beats: bool, seed: int
) -> MelNet:
    """Train the network on the spectrogram; with `beats` its head for beats learns as well."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    network = MelNet(n_mels, config.grid.n_bins)
    optimizer = torch.optim.AdamW(network.parameters(), lr=2e-3, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 2e-3, total_steps=steps)
    unanswerable = torch.from_numpy(~answerable(config.grid))
    losses = []
    for step in range(1, steps + 1):
        x, targets, beat_targets = draw(corpus, rng, config)
        logits, beat_logits = network(x)
        log_scores = logits.masked_fill(unanswerable, -torch.inf).log_softmax(dim=-1)
        loss = -(targets * log_scores.clamp_min(-30)).sum(dim=-1).mean()
        known = ~beat_targets.isnan()
        if beats and known.any():
            loss = loss + 2 * nn.functional.binary_cross_entropy_with_logits(
                beat_logits[known], beat_targets[known]
            )
        losses.append(descend(loss, network, optimizer, schedule))
        if step % 100 == 0:
            click.echo(f"step {step}/{steps}  loss {np.mean(losses[-100:]):.3f}", err=True)
    network.eval()
    return network


def print_figures(
    network: MelNet, other: Checkpoint[TempoConfig], recordings: Sequence[Recording],
    features: Sequence[np.ndarray], config: TempoConfig, fps: float,
) -> None:  # fmt: skip
    """Print Accuracy 1 and 2 and the mean surprise for each of `FUSION_SHARES`.

    Parameters
    ----------
    other
        The model to fuse with.
    fps
        Frames per second of the features.
    """
    grid, windows = config.grid, Windows()
    for source in ("songs", "rhythm"):
        held_out = [
            i for i, r in enumerate(recordings) if r.split == "validation" and r.source == source
        ]
        reference = [recordings[i].bpm for i in held_out]
        for share in FUSION_SHARES:
            answers, masses = [], []
            for i in held_out:
                pieces = sliding_windows(features[i].astype(np.float32), fps, windows)
                with torch.inference_mode():
                    mine = network(view(pieces))[0].numpy()
                theirs = other.network(*inputs_of(pieces, fps, grid))
                scores = activate(share * mine + (1 - share) * theirs, config)
                posterior = scores.mean(axis=0)
                answers.append(highest(posterior, grid).bpm)
                masses.append(max(1e-3, mass_near(posterior, grid, recordings[i].bpm)))
            click.echo(
                f"{source}: share {share}  {100 * acc1(reference, answers):.1f} / "
                f"{100 * acc2(reference, answers):.1f}, {-np.log(masses).mean():.2f}"
            )


@click.command(cls=Command)
@options.data
@options.clips
@options.cache
@click.option("--model", default="default", show_default=True, help="To fuse with.")
@click.option("--beats/--no-beats", default=False, help="Train the beat head, too.")
@click.option("--steps", default=1500, show_default=True)
@click.option("--seed", default=0, show_default=True)
@click.option("--jobs", default=1, show_default=True)
def main(
    data: Path, clips: Path, cache: Path, model: str, beats: bool, steps: int, seed: int, jobs: int
) -> None:
    """Train the network on the spectrogram and measure it alone and fused."""
    front_end, windows, config = FrontEnd(), Windows(), TempoConfig()
    recordings = [
        *read_songs(data),
        *read_rhythm(data),
        *read_consensus(data),
        *read_clips(clips),
    ]
    features = load_features(recordings, front_end, cache, jobs)
    torch.set_num_threads(jobs)
    corpus = training_corpus(recordings, features, clips, front_end, windows)
    network = train_network(corpus, config, front_end.n_mels, steps, beats, seed)
    other = checkpoint.load(checkpoint.resolve(model))
    print_figures(network, other, recordings, features, config, front_end.fps)


if __name__ == "__main__":
    main()
