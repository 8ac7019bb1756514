"""The ladder from audio to an estimate: `analyse` → `from_excerpts` → `Estimator.estimate`."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

import torch
from torch import Tensor

from . import checkpoint, listening, loops, metre, refine, windows
from .audio import AudioFile, Excerpt, check, sounding
from .checkpoint import Checkpoint
from .config import TempoGrid
from .errors import CheckpointError, ConfigError
from .features import mel_spectrogram
from .paces import Pace, candidates, pulse_strength
from .tasks import TASKS, pace, tempo

# If the first windows of a track all name the tempo of their mean, further ones change nothing but
# the time it takes.
AGREED_MASS = 0.8
AGREED_WEIGHT = 1.5  # so much of the windows must have a clear pulse: one alone proves nothing
# Noise, a sine and speech have no window with a clear pulse. Of the few recordings of music that
# have none half were right, at a mean confidence of 0.47.
UNCLEAR = 0.35  # what of the confidence is left then
STEADY = 0.005  # relative: windows of one tempo differ less, a quarter of a step of the grid
DEFAULT_WINDOWS = 10
# Windows in which candidate paces are looked at: more of them change little but the time.
PACE_WINDOWS = 4
KEPT_WINDOWS = 48  # windows of a track whose features are kept, spread over it


@dataclass(frozen=True)
class Estimate:
    """What is known about one track.

    `bpm` has two decimals; `confidence` is calibrated, in 0..1; `paces` are the tempi one can move
    to, most probable first. `key` is None where it was not estimated. `stability` in 0..1 says how
    steadily the track keeps `bpm` (see `refine.stability`), and no more than was listened to (see
    `refine.claimed`); None where that is too little.
    """

    bpm: float
    confidence: float
    paces: tuple[Pace, ...]
    key: str | None = None
    key_confidence: float | None = None
    stability: float | None = None


@dataclass(frozen=True)
class Window:
    """The features (n_mels, n_frames) of one window, and in 0..1 how clear a pulse it has."""

    features: Tensor
    weight: float


@dataclass(frozen=True)
class Heard:
    """The windows of one track before the network, and everything else that decoding needs.

    `periodicity` (n_windows, N_MAPS, n_mels, n_bins) and `statistics` (n_windows, 4 * n_mels) are
    the network's inputs, see `tempo.view`. `weights` (n_windows,) in 0..1 say how clear a pulse
    each window has, `pulse` (N_MAPS, n_bins) is the map averaged over bands and windows.
    `envelopes` are the onset envelopes with their start times, `lines` their spectra, `windows`
    at most `KEPT_WINDOWS` of the windows.
    """

    periodicity: Tensor
    statistics: Tensor
    weights: Tensor
    pulse: Tensor
    envelopes: tuple[refine.Envelope, ...]
    lines: tuple[refine.Lines, ...]
    windows: tuple[Window, ...] = ()


@dataclass(frozen=True)
class Analysis:
    """The windows of one track after the network: everything decoding needs.

    `scores` are (n_windows, n_bins) tempo posteriors, the rest is as in `Heard`.
    """

    scores: Tensor
    weights: Tensor
    pulse: Tensor
    envelopes: tuple[refine.Envelope, ...]
    lines: tuple[refine.Lines, ...]
    windows: tuple[Window, ...] = ()


def hear(features: Sequence[tuple[Tensor, float]], model: Checkpoint) -> Heard:
    """All windows of (features (n_mels, n_frames), start [s]) pieces, as the network takes them."""
    task = TASKS["tempo"]
    fps, grid = model.front_end.fps, model.grid
    pieces = [windows.sliding_windows(f, fps, model.windows) for f, _ in features]
    numbers: list[int] = []
    maps: list[Tensor] = []
    statistics: list[Tensor] = []
    for which, batch in windows.group_by_length(pieces):
        numbers += which
        for found, part in zip((maps, statistics), task.view(batch, fps, grid), strict=True):
            found.append(part)
    order = torch.tensor(numbers).argsort()
    periodicity = torch.cat(maps)[order]
    envelopes = tuple(refine.envelope(f, start) for f, start in features)
    lines = [refine.spectra([e], fps) for e in envelopes]
    weights = torch.cat([
        _window_weights(f.shape[-1], parts, model, start)
        for (f, start), parts in zip(features, lines, strict=True)
    ])  # fmt: skip
    return Heard(
        periodicity,
        torch.cat(statistics)[order],
        weights,
        (periodicity.mean(dim=2) * _share(weights)[:, None, None]).sum(dim=0),
        envelopes,
        tuple(piece for parts in lines for piece in parts),
        _thinned([Window(*pair) for pair in zip(chain(*pieces), weights.tolist(), strict=True)]),
    )


def score(heard: Heard, model: Checkpoint) -> Analysis:
    """Run the network over what was heard."""
    logits = model.network(heard.periodicity, heard.statistics)
    scores = TASKS["tempo"].activate(logits, model.grid, model.temperature)
    return Analysis(scores, heard.weights, heard.pulse, heard.envelopes, heard.lines, heard.windows)


def analyse(features: Sequence[tuple[Tensor, float]], model: Checkpoint) -> Analysis:
    """Run the network over all windows of (features (n_mels, n_frames), start [s]) pieces."""
    return score(hear(features, model), model)


def _window_weights(
    n_frames: int, lines: Sequence[refine.Lines], model: Checkpoint, start: float
) -> Tensor:
    """(n_windows,) weights of the network's windows: those of the pieces they are centred in."""
    fps = model.front_end.fps
    spans = windows.window_spans(n_frames, fps, model.windows)
    centres = torch.tensor([start + (first + last) / 2 / fps for first, last in spans])
    distance = (centres[:, None] - torch.tensor([piece.centre for piece in lines])).abs()
    return torch.tensor([piece.weight for piece in lines])[distance.argmin(dim=1)]


def _share(weights: Tensor) -> Tensor:
    return weights / weights.sum()


def posterior(analysis: Analysis) -> Tensor:
    """(n_bins,) the track's tempo posterior: the windows' by their weights."""
    share = _share(analysis.weights) * len(analysis.weights)
    return TASKS["tempo"].pool(analysis.scores * share[:, None])


def merge(parts: Sequence[Analysis]) -> Analysis:
    """One analysis from several of the same track."""
    weights = torch.stack([part.weights.sum() for part in parts])
    pulse = torch.stack([part.pulse for part in parts])
    return Analysis(
        torch.cat([part.scores for part in parts]),
        torch.cat([part.weights for part in parts]),
        (pulse * _share(weights)[:, None, None]).sum(dim=0),
        tuple(e for part in parts for e in part.envelopes),
        tuple(sorted((p for part in parts for p in part.lines), key=lambda p: p.centre)),
        _thinned([window for part in parts for window in part.windows]),
    )


def _thinned(windows: Sequence[Window]) -> tuple[Window, ...]:
    """At most `KEPT_WINDOWS` of them, evenly spread."""
    step = max(1.0, len(windows) / KEPT_WINDOWS)
    return tuple(windows[int(k * step)] for k in range(min(KEPT_WINDOWS, len(windows))))


def agreed(analysis: Analysis, model: Checkpoint) -> bool:
    """Whether every window on its own gives the tempo that all give together, and surely.

    As precisely as the grid allows: a track that drifts is listened to in more places. So is one
    whose windows have no clear pulse; those that have less than half the weight of another are not
    asked.
    """
    if float(analysis.weights.sum()) < AGREED_WEIGHT:
        return False
    task, grid = TASKS["tempo"], model.grid
    peak = task.decode(posterior(analysis), grid)
    if peak.mass < AGREED_MASS:
        return False
    clear = analysis.weights >= 0.5 * analysis.weights.max()
    singles = [task.decode(scores, grid).bpm for scores in analysis.scores[clear]]
    return all(abs(bpm / peak.bpm - 1) <= STEADY for bpm in singles)


def from_analysis(
    analysis: Analysis,
    model: Checkpoint,
    bpm_range: tuple[float, float] | None = None,
    pace_model: Checkpoint | None = None,
) -> Estimate:
    """Decode an analysed track: pool, pick the peak, refine it, judge the other paces.

    Without a `pace_model` there are no paces.
    """
    task, grid = TASKS["tempo"], model.grid
    scores = posterior(analysis)
    if bpm_range is not None:
        scores = tempo.prefer(scores, grid, bpm_range)
    peak = task.decode(scores, grid)
    fps = model.front_end.fps
    bpm, mass = peak.bpm, peak.mass
    lowest = grid.answer_min if bpm_range is None else bpm_range[0]
    if bpm * metre.COMPOUND >= lowest and metre.is_compound(analysis.envelopes, bpm, fps):
        bpm *= metre.COMPOUND
        mass += tempo.mass_near(scores, grid, bpm)  # one pulse, two ways to group it
    if float(analysis.weights.max()) <= refine.LEAST_WEIGHT:
        mass = UNCLEAR * min(1.0, mass)
    bpm = refine.refine(analysis.lines, bpm)
    stability = refine.stability(analysis.lines, bpm)
    return Estimate(
        bpm=round(bpm, 2),
        confidence=round(min(1.0, mass), 4),
        paces=() if pace_model is None else judge(analysis, bpm, grid, pace_model),
        stability=None if stability is None else round(stability, 4),
    )


def judge(analysis: Analysis, bpm: float, grid: TempoGrid, model: Checkpoint) -> tuple[Pace, ...]:
    """Which tempi one can move to in a track of `bpm`, by a pace model, most probable first.

    Candidates too slow for what was heard of the track are left out.
    """
    strength = pulse_strength(analysis.pulse)
    tempi = candidates(bpm, strength, grid)
    probabilities = judge_candidates(_spread(analysis), tempi, bpm, strength, grid, model)
    known = [(t, p) for t, p in zip(tempi, probabilities, strict=True) if p is not None]
    return pace.decode([t for t, _ in known], [p for _, p in known])


def _spread(analysis: Analysis) -> list[Tensor]:
    """At most `PACE_WINDOWS` windows, spread over the track; those with a clear pulse first."""
    clearest = max(window.weight for window in analysis.windows)
    chosen = [w.features for w in analysis.windows if w.weight >= 0.5 * clearest]
    step = max(1.0, len(chosen) / PACE_WINDOWS)
    return [chosen[int(k * step)] for k in range(min(PACE_WINDOWS, len(chosen)))]


def judge_candidates(
    heard: Sequence[Tensor],
    tempi: Sequence[float],
    bpm: float | None,
    strength: Tensor,
    grid: TempoGrid,
    model: Checkpoint,
) -> list[float | None]:
    """The probability that one can move at each of `tempi` [BPM], one forward pass a fold size.

    None where no window holds enough beats to say.

    Parameters
    ----------
    heard
        Features (n_mels, n_frames) of windows of the track.
    bpm, strength
        The headline tempo and the pulse at each tempo of the grid, see `pace.context`.
    """
    known = pace.context(tempi, bpm, strength, grid)
    scores: list[list[Tensor]] = [[] for _ in tempi]
    for which, folds in pace.view(heard, tempi, model.front_end.fps, model.model):
        logits = model.network(folds, known[which])
        for i, score in zip(which, pace.activate(logits, model.temperature), strict=True):
            scores[i].append(score)
    return [float(pace.pool(torch.stack(parts))) if parts else None for parts in scores]


def from_excerpts(
    excerpts: Sequence[Excerpt],
    model: Checkpoint,
    bpm_range: tuple[float, float] | None = None,
    pace_model: Checkpoint | None = None,
) -> Estimate:
    """Estimate from decoded audio at the model's sample rate.

    Raises
    ------
    AudioError
        If the excerpts are silent or too short.
    """
    sr = model.front_end.sr
    check(excerpts, sr)
    with torch.inference_mode():
        analysis = analyse(excerpt_features(sounding(excerpts, sr) or excerpts, model), model)
        estimate = from_analysis(analysis, model, bpm_range, pace_model)
        if len(excerpts) == 1 and excerpts[0].audio.size < model.windows.duration * sr:
            return as_loop(excerpts[0], estimate, model, bpm_range, pace_model)
        return estimate


def as_loop(
    excerpt: Excerpt,
    alone: Estimate,
    model: Checkpoint,
    bpm_range: tuple[float, float] | None = None,
    pace_model: Checkpoint | None = None,
) -> Estimate:
    """The better estimate of a file shorter than a window, which may be a loop.

    It counts as one if it is a whole number of its beats long, as it is and when repeated, and if
    repeating it does not change the pulse, or makes the answer surer.

    Parameters
    ----------
    excerpt
        All of the file.
    alone
        The estimate of the file as it is.
    """
    sr = model.front_end.sr
    duration = excerpt.audio.size / sr
    if loops.n_beats(duration, alone.bpm) is None:
        return alone
    audio = loops.repeat(excerpt.audio, round(model.windows.duration * sr))
    features = excerpt_features([Excerpt(audio, excerpt.start)], model)
    repeated = from_analysis(analyse(features, model), model, bpm_range, pace_model)
    n_beats = loops.n_beats(duration, repeated.bpm, loops.EXACT)
    if n_beats is None:
        return alone
    if (
        loops.same_pulse(repeated.bpm, alone.bpm, tempo.TOLERANCE)
        or repeated.confidence > alone.confidence
    ):
        return dataclasses.replace(repeated, bpm=round(60 * n_beats / duration, 2))
    return alone


def excerpt_features(excerpts: Sequence[Excerpt], model: Checkpoint) -> list[tuple[Tensor, float]]:
    """(features (n_mels, n_frames), start [s]) of each excerpt."""
    return [
        (mel_spectrogram(torch.from_numpy(e.audio), model.front_end, model.filterbank), e.start)
        for e in excerpts
    ]


class Estimator:
    """A loaded model: load once, use often, from any number of threads.

    Parameters
    ----------
    model
        `default`, the name of a shipped model, or the path of a model file.
    windows
        How many windows of a track to listen to at most, or `all` for the whole track.
    bpm_range
        (lowest, highest) tempo [BPM] to prefer: an answer outside is moved by octaves into it where
        possible. None: as people count, by the model's judgement.
    pace_model
        As `model`, for the paces.

    Raises
    ------
    CheckpointError
        If a model is missing, damaged, altered, or they do not fit together.
    ConfigError
        If a parameter is out of range.
    """

    def __init__(
        self,
        model: str | os.PathLike[str] = "default",
        windows: int | str = DEFAULT_WINDOWS,
        bpm_range: tuple[float, float] | None = None,
        pace_model: str | os.PathLike[str] = "default",
    ):
        if windows != "all" and (not isinstance(windows, int) or windows < 1):
            raise ConfigError(f"windows is {windows!r}; give a whole number from 1 on, or 'all'")
        if bpm_range is not None and not 0 < bpm_range[0] < bpm_range[1]:
            raise ConfigError(f"range is {bpm_range!r}; give two tempi in BPM, the lower one first")
        self._n_windows = None if windows == "all" else int(windows)
        self._bpm_range = bpm_range
        self._model = checkpoint.load(checkpoint.resolve(model), "tempo")
        self._pace_model = checkpoint.load(checkpoint.resolve(pace_model, "pace"), "pace")
        if self._pace_model.front_end != self._model.front_end:
            raise CheckpointError(
                f"the models {self._model.name} and {self._pace_model.name} were made for "
                "different front ends; give two of one kind"
            )
        # The parallelism is over tracks; threads inside of an operation would only fight for cores.
        torch.set_num_threads(1)

    @property
    def source(self) -> str:
        """Who speaks, as written into `tempo_source`: `model:<name>@<hash>`."""
        return self._model.source

    def estimate(self, path: str | bytes | os.PathLike[str]) -> Estimate:
        """Estimate the tempo of one file.

        Raises
        ------
        AudioError
            If the file is missing, unreadable, silent or too short.
        """
        model = self._model
        sr = model.front_end.sr
        with AudioFile(path) as file, torch.inference_mode():
            parts: list[Analysis] = []
            alone: Excerpt | None = None  # all there is, if that is little
            heard, duration = 0.0, None  # [s]
            for round_ in listening.rounds(file, sr, model.windows, self._n_windows):
                if round_.is_first:
                    parts, heard, duration = [], 0.0, round_.duration
                    alone = round_.excerpts[0] if len(round_.excerpts) == 1 else None
                if round_.music:
                    parts.append(analyse(excerpt_features(round_.music, model), model))
                    heard += sum(excerpt.audio.size for excerpt in round_.music) / sr
                    if self._n_windows is not None and agreed(merge(parts), model):
                        break
            if alone is not None and alone.audio.size < model.windows.duration * sr:
                return from_excerpts([alone], model, self._bpm_range, self._pace_model)
            if not parts:  # nothing that sounds for long; say why, or make the best of it
                beginning = file.read(sr, [(0.0, listening.WHOLE)])
                return from_excerpts(beginning, model, self._bpm_range, self._pace_model)
            estimate = from_analysis(merge(parts), model, self._bpm_range, self._pace_model)
            if estimate.stability is None or duration is None:
                return estimate
            stability = refine.claimed(estimate.stability, heard, duration)
            return dataclasses.replace(estimate, stability=round(stability, 4))


def estimate_file(path: str | bytes | os.PathLike[str], **options: object) -> Estimate:
    """Estimate one file with a freshly loaded model; `options` are those of `Estimator`.

    For more than one file make an `Estimator` and keep it.
    """
    return Estimator(**options).estimate(path)  # type: ignore[arg-type]
