"""Tests of composed songs: their notes are in the key that they state."""

from __future__ import annotations

import numpy as np
import pytest

from trainer.synthesis.key_songs import BAR, N_BARS, SCALES, compose
from trainer.synthesis.painted import BRIDGE, MELODY, PIANO, stretches


@pytest.mark.parametrize("minor", [False, True])
def test_a_song_is_in_its_key(minor: bool) -> None:
    songs = [compose(np.random.default_rng(seed), minor) for seed in range(12)]
    for song in songs:
        ((start, end, key),) = song.keys
        assert (start, end, key.minor) == (0, BAR * N_BARS, minor)
        assert set(song.notes[:, 0]) in ({MELODY, PIANO}, {MELODY, BRIDGE, PIANO})
        assert song.chords[0][2] == key.pitch_class
        lengths = song.notes[:, 2] - song.notes[:, 1]
        assert (lengths > 0).all()
        scale = {(key.pitch_class + step) % 12 for step in SCALES[minor]}
        inside = np.array([pitch % 12 in scale for pitch in song.notes[:, 3].astype(int)])
        assert lengths[inside].sum() / lengths.sum() > 0.8
    assert len({song.keys[0][2] for song in songs}) > 5
    # Krumhansl's profiles hear most of them as they are meant.
    assert sum(stretch.agreed for stretch in stretches(songs)) >= 6


def test_the_same_seed_composes_the_same() -> None:
    one, other = (compose(np.random.default_rng(4), True) for _ in range(2))
    np.testing.assert_array_equal(one.notes, other.notes)
    assert one.chords == other.chords
