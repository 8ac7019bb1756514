"""Painted music: it is in the key it says, and the same seed paints the same."""

from __future__ import annotations

import numpy as np
import pytest

from tempo_core import checkpoint
from tempo_core.config import HarmonyFrontEnd
from tempo_core.keys import Key
from tempo_core.tasks.key.decode import key_of
from tests.songs import write_song
from trainer.inputs.harmony import seen
from trainer.synthesis.painted import Painter, read_song, stretches, timbre

FRONT_END = HarmonyFrontEnd()
MODEL = checkpoint.load(checkpoint.resolve("default", "key"), "key")


@pytest.fixture(scope="module")
def painter(tmp_path_factory: pytest.TempPathFactory) -> Painter:
    folder = tmp_path_factory.mktemp("POP909")
    songs = [
        read_song(write_song(folder / name, tonic, minor))
        for name, tonic, minor in (("001", 2, False), ("002", 9, True))
    ]
    return Painter(songs, FRONT_END)


def test_a_song_is_read_with_its_chords_and_keys(painter: Painter) -> None:
    song = painter.songs[0]
    assert set(song.notes[:, 0]) == {0, 1, 2}
    assert [key for *_, key in song.keys] == [Key(2, False)]
    assert song.chords[0][2:] == (2, (0, 4, 7))
    (first, second) = stretches(painter.songs)
    assert (first.key, second.key) == (Key(2, False), Key(9, True))
    assert first.agreed
    assert first.start == 0
    assert first.end == pytest.approx(song.notes[:, 2].max())


def test_painted_music_is_in_its_key(painter: Painter) -> None:
    rng, right = np.random.default_rng(0), 0
    for _ in range(20):
        features, key = painter.paint(rng, 20.0)
        assert features.shape[0] == FRONT_END.n_bands
        assert 60 <= features.shape[1] <= 100
        assert np.isfinite(features).all()
        assert (features >= 0).all()
        heard = MODEL.network(seen(features, FRONT_END)[None])[0]
        right += key_of(int(heard.argmax())) == key
    assert right >= 12  # of 20, where chance is one


def test_the_same_seed_paints_the_same(painter: Painter) -> None:
    one, other = (painter.paint(np.random.default_rng(5), 12.0) for _ in range(2))
    np.testing.assert_array_equal(one[0], other[0])
    assert one[1] == other[1]


def test_timbres_have_a_fundamental_and_more() -> None:
    for seed in range(20):
        partials = timbre(np.random.default_rng(seed))
        assert 4 <= len(partials) <= 16
        assert (partials > 0).all()
