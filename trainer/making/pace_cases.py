"""Cases to make the pace model of: rendered clips, whose notes are known, and real songs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import joblib
import numpy as np
from tqdm import tqdm

from tempo_core.errors import ConfigError
from tempo_core.estimate import Estimator
from tempo_core.files import replace_file
from tempo_core.levels import OTHERS_OF_ONE_PULSE, is_level, is_same
from tempo_core.paces import SAME_PACE
from tempo_core.tasks.pace.candidates import candidates

from ..files import read_tsv
from ..inputs.pace_tracks import Case, HeardTrack, keep, listener, read_track
from ..inputs.recordings import Recording, read_clips
from ..synthesis.notes import Score, Sources
from ..synthesis.paces import compatibility, score_of

UNKNOWN = math.nan  # target of a candidate about which nothing is known


def load_tracks(
    paths: Sequence[Path], model_path: Path, cache: Path, jobs: int = 1, progress: bool = True
) -> list[HeardTrack]:
    """Tracks of files, in order, read from the cache, or computed and stored there.

    Entries of the cache are found by the content of the file and the tempo model. An interrupted
    run continues where it stopped.

    Parameters
    ----------
    model_path
        File of the tempo model.
    jobs
        Number of processes.
    """
    cache.mkdir(parents=True, exist_ok=True)
    tasks = (joblib.delayed(_kept)(path, model_path, cache) for path in paths)
    results = joblib.Parallel(n_jobs=jobs, return_as="generator")(tasks)
    shown = tqdm(
        results, total=len(paths), unit="file", desc="features", disable=None if progress else True
    )
    return [read_track(path) for path in shown]


_listeners: dict[Path, Estimator] = {}  # estimators of this process, by the file of their model


def _kept(path: Path, model: Path, cache: Path) -> Path:
    """The cached file of a track, which is computed if it is missing."""
    if model not in _listeners:
        _listeners[model] = listener(model)
    return keep(path, _listeners[model], model, cache)


def score_of_clip(row: dict[str, str], sources: Sources, duration: float = 30.0) -> Score:
    """The onsets of a rendered clip, computed again from its row in `clips.tsv`.

    Parameters
    ----------
    duration
        Length of the clip [s].

    Raises
    ------
    ConfigError
        If the row is not what this version of the synthesis would render.
    """
    # Imported here because composing needs further packages, but reading stored scores does not.
    from ..synthesis.rendering.compose import attempts

    seed, index = Path(row["file"]).stem.split("-")
    balanced = row["split"] == "test"
    for clip, _ in attempts(int(index), int(seed), sources, duration, balanced=balanced):
        if (clip.style.name, clip.bpm) == (row["style"], float(row["bpm"])):
            return score_of(clip)
    raise ConfigError(
        f"{row['file']} is not what this version of the synthesis renders; render the clips again"
    )


def load_scores(folder: Path, sources: Sources | None, cache: Path, jobs: int = 1) -> list[Score]:
    """The onsets of all clips in a folder, in the order of its table.

    Older versions of the synthesis did not write them. In this case they are computed from
    `sources`, without rendering, and stored in `cache`.

    Raises
    ------
    ConfigError
        If the onsets of a clip are missing and `sources` is None, or do not belong to the clip.
    """
    cache.mkdir(parents=True, exist_ok=True)
    rows = read_tsv(folder / "clips.tsv")
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


def clip_case(track: HeardTrack, score: Score, headline: float) -> Case:
    """The case of a rendered clip: its notes decide which candidates are compatible.

    Parameters
    ----------
    headline
        Tempo [BPM] that the candidates are made from.
    """
    tempi = tuple(candidates(headline, track.strength, track.grid))
    targets = np.array([compatibility(score, tempo) for tempo in tempi])
    return Case(track, headline, tempi, targets, score)


def song_case(track: HeardTrack, recording: Recording, headline: float) -> Case:
    """The case of a real song: its tempo and alternatives are compatible.

    Other candidates of the same pulse are unknown, all the rest are not compatible.

    Parameters
    ----------
    headline
        Tempo [BPM] that the candidates are made from.
    """
    tempi = tuple(candidates(headline, track.strength, track.grid))
    known = (recording.bpm, *recording.alternatives)

    def target(tempo: float) -> float:
        if any(is_same(tempo, k, SAME_PACE) for k in known):
            return 1.0
        near = any(is_level(tempo, k, OTHERS_OF_ONE_PULSE, SAME_PACE) for k in known)
        return UNKNOWN if near else 0.0

    return Case(track, headline, tempi, np.array([target(tempo) for tempo in tempi]))


def headlines(track: HeardTrack, bpm: float) -> list[float]:
    """Tempi [BPM] to make candidates from: the estimate, and the true one if it differs."""
    return [track.bpm] if abs(track.bpm / bpm - 1) <= SAME_PACE else [track.bpm, bpm]


def clip_cases(
    folder: Path, sources: Sources | None, model_path: Path, cache: Path, jobs: int,
    all_headlines: bool = True,
) -> list[tuple[Recording, list[Case]]]:  # fmt: skip
    """The clips of a folder, each with one case for every headline, see `headlines`.

    With `all_headlines` False there is only the case of the estimate.
    """
    clips = read_clips(folder)
    scores = load_scores(folder, sources, cache / "scores", jobs)
    tracks = load_tracks([clip.path for clip in clips], model_path, cache / "tracks", jobs)
    found = []
    for clip, score, track in zip(clips, scores, tracks, strict=True):
        tempi = headlines(track, clip.bpm) if all_headlines else [track.bpm]
        found.append((clip, [clip_case(track, score, h) for h in tempi]))
    return found


def song_cases(
    recordings: Sequence[Recording], model_path: Path, cache: Path, jobs: int
) -> list[tuple[Recording, list[Case]]]:
    """Real songs, each with one case for every headline, see `headlines`."""
    tracks = load_tracks([r.path for r in recordings], model_path, cache / "tracks", jobs)
    return [
        (r, [song_case(track, r, h) for h in headlines(track, r.bpm)])
        for r, track in zip(recordings, tracks, strict=True)
    ]
