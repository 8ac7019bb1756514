"""Asking estimators for the keys of tracks whose key is known.

It goes as in `asking`: from audio files, each answer appended to a log at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from tempo_core.console import explain

from .answers import LabelledRecording
from .asking import AskingOptions
from .baselines import name_of
from .key_answers import KEY_LOG, KeyAnswer, KeyLog
from .key_estimators import KeyEstimator


def ask_keys(
    estimator: KeyEstimator,
    settings: str,
    tracks: Sequence[LabelledRecording],
    log: KeyLog,
    options: AskingOptions,
) -> Iterator[KeyAnswer]:
    """Yield the answers of one estimator: those in the log, then new ones, which are logged.

    Parameters
    ----------
    settings
        Other settings that the answers depend on, such as the number of windows.
    """
    name, identity = name_of(estimator.source), f"{estimator.source} {settings}"
    unknown = []
    for track in tracks:
        known = log.get(identity, name, track)
        if known is None:
            unknown.append(track)
        else:
            yield known
    estimates = options.each(
        estimator.source, lambda track: estimator.estimate(track.path), unknown
    )
    for track, result in estimates:
        if isinstance(result, Exception):  # not logged, because the next run may succeed
            yield KeyAnswer(track, name, failure=explain(result))
            continue
        answer = KeyAnswer(track, name, result.key, result.confidence)
        log.put(identity, answer)
        yield answer


def ask_all_keys(
    estimators: Sequence[KeyEstimator],
    windows: int | str,
    tracks: Sequence[LabelledRecording],
    folder: Path,
    options: AskingOptions,
    done: Callable[[KeyAnswer], None],
) -> list[KeyAnswer]:
    """The answers of all estimators for all tracks, in their order; fewer if the run was stopped.

    Parameters
    ----------
    windows
        Number of windows that the estimators were made with, or `all`.
    folder
        Folder of the log of answers. Answers that are in it are not computed again.
    done
        Called with each answer as soon as it is known.
    """
    order = {track.path: k for k, track in enumerate(tracks)}
    answers: list[KeyAnswer] = []
    with KeyLog(folder / KEY_LOG) as log:
        for estimator in estimators:
            own = []
            for answer in ask_keys(estimator, f"windows={windows}", tracks, log, options):
                own.append(answer)
                done(answer)
            answers += sorted(own, key=lambda answer: order[answer.track.path])
    return answers
