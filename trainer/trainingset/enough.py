"""The check that a training set has enough labels to learn from."""

from __future__ import annotations

from collections.abc import Sequence

from tempo_core.errors import ConfigError

from .tables import CollectedTrack


def check(tracks: Sequence[CollectedTrack]) -> None:
    """Refuse a training set from which nothing can be learned.

    Raises
    ------
    ConfigError
        If there is no track, or all labels are of one artist or of one tempo.
    """
    n_groups = len({t.group for t in tracks if t.split != "test"})
    if not tracks:
        raise ConfigError(
            "the training set has no labelled track; give some a bpm, or see dropped.tsv for why "
            "they were left out"
        )
    if n_groups < 2:
        raise ConfigError(
            f"all {len(tracks)} labels are of one artist, so nothing can be held back to compare "
            "models on; add labels of other artists"
        )
    if len(tracks) > 2 and len({t.bpm for t in tracks}) == 1:
        raise ConfigError(
            f"all {len(tracks)} labels are {tracks[0].bpm:g} BPM: there is nothing to learn from "
            "them but that; add labels of other tempi"
        )
