"""What the pace network learns from: the features of a track, and what its tempo model says of it.

Decoding and the tempo model are the same for every recipe, so they run once a track and what comes
out is kept in a cache; folding at a candidate tempo is cheap and happens while training.
"""

from __future__ import annotations

import csv
import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import joblib
import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import safe_open
from safetensors.numpy import save_file
from tqdm import tqdm

from tempo_core import checkpoint
from tempo_core.audio import check, read_excerpts
from tempo_core.config import TempoGrid
from tempo_core.errors import AudioError, ConfigError
from tempo_core.estimate import analyse, excerpt_features, from_analysis
from tempo_core.files import replace_file
from tempo_core.paces import SAME, candidates, pulse_strength

from .cache import hash_file
from .dataset import Recording, read_clips
from .pace_truth import Score, compatibility, score_of
from .score import Sources
from .synthesis import attempts

LAYOUT = 1  # of the cached files
UNKNOWN = math.nan
OCTAVES = (
    1 / 4,
    1 / 3,
    1 / 2,
    2.0,
    3.0,
    4.0,
)  # that may be paces of a song although nobody says so


@dataclass(frozen=True)
class Track:
    """One track as the estimator has it when it judges paces.

    `features` are (n_mels, n_frames) float16 mel magnitudes with mean 1, `strength` is (n_bins,)
    float32 as `pace.context` takes it, and `bpm` what the tempo model answers.
    """

    features: np.ndarray
    strength: np.ndarray
    bpm: float


def track_of(path: Path, model: checkpoint.Checkpoint) -> Track:
    """Decode a file and run the tempo model on it.

    Raises
    ------
    AudioError
        If the file cannot be used.
    """
    excerpts = read_excerpts(path, model.front_end.sr, None)
    check(excerpts, model.front_end.sr)
    with torch.inference_mode():
        pieces = excerpt_features(excerpts, model)
        analysis = analyse(pieces, model)
        bpm = from_analysis(analysis, model).bpm
    features = pieces[0][0].numpy()
    return Track(
        (features / max(1e-8, float(features.mean()))).clip(0, 6e4).astype(np.float16),
        pulse_strength(analysis.pulse).numpy(),
        bpm,
    )


def load_tracks(
    paths: Sequence[Path], model_path: Path, cache: Path, jobs: int = 1, progress: bool = True
) -> list[Track]:
    """Tracks of files, in order, from the cache or computed and put there.

    The cache is keyed by the file's content and the tempo model; an interrupted run goes on where
    it stopped.
    """
    cache.mkdir(parents=True, exist_ok=True)
    tasks = (joblib.delayed(_cached)(path, model_path, cache) for path in paths)
    results = joblib.Parallel(n_jobs=jobs, return_as="generator")(tasks)
    shown = tqdm(
        results, total=len(paths), unit="file", desc="features", disable=None if progress else True
    )
    return [read_track(path) for path in shown]


def read_track(path: Path) -> Track:
    """Read one cache file."""
    with safe_open(path, "numpy") as file:
        return Track(
            file.get_tensor("features"),
            file.get_tensor("strength"),
            float(file.metadata()["bpm"]),
        )


_loaded: dict[Path, checkpoint.Checkpoint] = {}  # of this process


def _cached(path: Path, model_path: Path, cache: Path) -> Path:
    torch.set_num_threads(1)
    key = hash_file(path)
    key.update(f"layout {LAYOUT} {model_path.name}".encode())
    target = cache / f"{key.hexdigest()[:32]}.safetensors"
    if not target.exists():
        if model_path not in _loaded:
            _loaded[model_path] = checkpoint.load(model_path)
        try:
            track = track_of(path, _loaded[model_path])
        except AudioError as error:
            raise AudioError(f"{path}: {error}") from error
        temporary = target.with_suffix(f".{os.getpid()}.part")
        arrays = {
            "features": track.features,
            "strength": track.strength,
        }
        save_file(arrays, temporary, {"bpm": repr(track.bpm)})
        temporary.replace(target)
    return target


def score_of_clip(row: dict[str, str], sources: Sources, duration: float = 30.0) -> Score:
    """The onsets of a rendered clip, recomputed from its row in `clips.tsv`.

    Raises
    ------
    ConfigError
        If the row is not what this version of the synthesis would render.
    """
    seed, index = Path(row["file"]).stem.split("-")
    balanced = row["split"] == "test"
    for clip, _ in attempts(int(index), int(seed), sources, duration, balanced=balanced):
        if (clip.style.name, clip.bpm) == (row["style"], float(row["bpm"])):
            return score_of(clip)
    raise ConfigError(
        f"{row['file']} is not what this version of the synthesis renders; render the clips again"
    )


def load_scores(folder: Path, sources: Sources | None, cache: Path, jobs: int = 1) -> list[Score]:
    """The onsets of all clips of a folder, in the order of its table.

    Clips of a synthesis that did not write them yet have theirs recomputed from `sources`, without
    rendering, and kept in `cache`.
    """
    cache.mkdir(parents=True, exist_ok=True)
    with (folder / "clips.tsv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    tasks = (joblib.delayed(_score)(folder, row, sources, cache) for row in rows)
    scores = joblib.Parallel(n_jobs=jobs, return_as="generator")(tasks)
    return list(tqdm(scores, total=len(rows), unit="clip", desc="scores", disable=None))


def _score(folder: Path, row: dict[str, str], sources: Sources | None, cache: Path) -> Score:
    written = (folder / row["file"]).with_suffix(".score")
    kept = cache / written.name
    for path in (written, kept):
        if path.exists():
            return Score.from_json(path.read_text())
    if sources is None:
        raise ConfigError(
            f"{written} is missing; say with --midi and --samples what it was made of"
        )
    score = score_of_clip(row, sources)
    replace_file(kept, score.to_json().encode())
    return score


@dataclass(frozen=True)
class Case:
    """A track with candidates and what is known of each.

    `targets` (n,) are 1 for compatible, 0 for not, NaN for unknown. With a `score` they are those
    of the whole clip, and parts of it are judged by their own notes.
    """

    track: Track
    headline: float  # [BPM] that the candidates are relatives of
    tempi: tuple[float, ...]
    targets: NDArray[np.float64]
    score: Score | None = None


def clip_case(track: Track, score: Score, headline: float, grid: TempoGrid) -> Case:
    """A rendered clip, whose notes decide."""
    tempi = tuple(candidates(headline, torch.from_numpy(track.strength), grid))
    targets = np.array([compatibility(score, tempo) for tempo in tempi])
    return Case(track, headline, tempi, targets, score)


def song_case(track: Track, recording: Recording, headline: float, grid: TempoGrid) -> Case:
    """A real song: tempo and alternatives are compatible, what is no octave of them is not."""
    tempi = tuple(candidates(headline, torch.from_numpy(track.strength), grid))
    known = (recording.bpm, *recording.alternatives)

    def target(tempo: float) -> float:
        if any(abs(tempo / k - 1) <= SAME for k in known):
            return 1.0
        near = any(abs(tempo / (k * ratio) - 1) <= SAME for k in known for ratio in OCTAVES)
        return UNKNOWN if near else 0.0

    return Case(track, headline, tempi, np.array([target(tempo) for tempo in tempi]))


def manual_case(track: Track, paces: Sequence[float], grid: TempoGrid) -> Case:
    """A track whose owner said at which paces one can move to it: at these and at no others."""
    tempi = list(candidates(track.bpm, torch.from_numpy(track.strength), grid))
    tempi += [p for p in paces if all(abs(p / t - 1) > SAME for t in tempi)]
    targets = [float(any(abs(t / p - 1) <= SAME for p in paces)) for t in tempi]
    return Case(track, track.bpm, tuple(tempi), np.array(targets))


def headlines(track: Track, bpm: float) -> list[float]:
    """Tempi that a track may be judged from: the estimate, and the true one where that differs."""
    return [track.bpm] if abs(track.bpm / bpm - 1) <= SAME else [track.bpm, bpm]


def clip_cases(
    folder: Path, sources: Sources | None, model_path: Path, cache: Path, grid: TempoGrid,
    jobs: int, all_headlines: bool = True,
) -> list[tuple[Recording, list[Case]]]:  # fmt: skip
    """The clips of a folder, each with a case for every headline it may be judged from."""
    clips = read_clips(folder)
    scores = load_scores(folder, sources, cache / "scores", jobs)
    tracks = load_tracks([clip.path for clip in clips], model_path, cache / "tracks", jobs)
    found = []
    for clip, score, track in zip(clips, scores, tracks, strict=True):
        tempi = headlines(track, clip.bpm) if all_headlines else [track.bpm]
        found.append((clip, [clip_case(track, score, h, grid) for h in tempi]))
    return found


def song_cases(
    recordings: Sequence[Recording], model_path: Path, cache: Path, grid: TempoGrid, jobs: int
) -> list[tuple[Recording, list[Case]]]:
    """Real songs, each with a case for every headline it may be judged from."""
    tracks = load_tracks([r.path for r in recordings], model_path, cache / "tracks", jobs)
    return [
        (r, [song_case(track, r, h, grid) for h in headlines(track, r.bpm)])
        for r, track in zip(recordings, tracks, strict=True)
    ]
