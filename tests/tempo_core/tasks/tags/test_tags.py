"""The tags task with the shipped model: embeddings and words, alike for what sounds alike."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from tempo_core import checkpoint
from tempo_core.audio import Recorded
from tempo_core.config import FrontEnd
from tempo_core.errors import AudioError, CheckpointError
from tempo_core.estimate import Estimator
from tempo_core.network import Network
from tempo_core.sound_tags import Tag, format_tags, parse_tags
from tempo_core.spectrum import compress
from tempo_core.task import Batch
from tempo_core.tasks.tags.config import TagsConfig, TagsModel
from tempo_core.tasks.tags.decode import (
    ENOUGH_PIECES,
    Tagging,
    embedding_name,
    enough,
    pool,
    tag_probabilities,
    tags_of,
)
from tempo_core.tasks.tags.network import PIECE, build
from tempo_core.tasks.tags.row import TASK
from tempo_core.tasks.tags.view import AT_ONCE, pieces_of
from tests.audio import drum_pattern, speech
from tests.models import random_network

SR = 22050
MODEL = checkpoint.load(checkpoint.resolve("shipped", "tags"), "tags")


@pytest.fixture(scope="module")
def estimator() -> Estimator:
    return Estimator(tasks=("tags",))


def tagging(estimator: Estimator, audio: np.ndarray, sr: int = SR) -> Tagging:
    found: Tagging = estimator._listen(Recorded(audio, sr))["tags"]
    return found


def closeness(one: Tagging, other: Tagging) -> float:
    a, b = (t.embedding.astype(float) for t in (one, other))
    return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))


def music(rng: np.random.Generator, seconds: float = 24.0) -> np.ndarray:
    return drum_pattern(124, seconds, SR, "house", rng)


def test_an_embedding_is_small_and_finite_and_its_tags_are_probabilities(
    estimator: Estimator,
) -> None:
    found = tagging(estimator, music(np.random.default_rng(0)))
    assert found.embedding.shape == (MODEL.config.model.n_dims,)
    assert found.embedding.dtype == np.float16
    assert np.isfinite(found.embedding).all()
    assert tuple(found.tags) == tags_of(MODEL.config)
    assert all(0 <= probability <= 1 for probability in found.tags.values())


def test_the_same_music_elsewhere_quieter_and_noisier_is_nearer_than_other_music(
    estimator: Estimator,
) -> None:
    rng = np.random.default_rng(1)
    song = music(rng, 40.0)
    one = tagging(estimator, song[: 20 * SR])
    noise = rng.normal(0, 0.002, 20 * SR).astype(np.float32)
    for other in (song[20 * SR :], 0.05 * song[: 20 * SR], song[: 20 * SR] + noise):
        near = closeness(one, tagging(estimator, other))
        assert near > 0.8
        assert near > closeness(one, tagging(estimator, speech(20.0, SR, rng)))


def test_tags_follow_from_the_stored_embedding_without_the_audio(estimator: Estimator) -> None:
    found = tagging(estimator, music(np.random.default_rng(2)))
    (again,) = tag_probabilities(found.embedding[None], MODEL)
    np.testing.assert_array_equal(again, np.array(list(found.tags.values()), np.float32))


@pytest.mark.parametrize("seconds", [1.1, 3.1, 12.5])
def test_short_music_has_an_embedding(estimator: Estimator, seconds: float) -> None:
    found = tagging(estimator, music(np.random.default_rng(3))[: int(seconds * SR)])
    assert np.isfinite(found.embedding).all()
    assert found.embedding.any()


def test_silence_and_half_a_second_are_refused_as_by_the_other_tasks(estimator: Estimator) -> None:
    with pytest.raises(AudioError, match="silent"):
        tagging(estimator, np.zeros(20 * SR, np.float32))
    with pytest.raises(AudioError, match="too short"):
        tagging(estimator, music(np.random.default_rng(3))[: SR // 2])


@pytest.mark.slow
def test_an_hour_is_heard_in_places_only(estimator: Estimator) -> None:
    song = np.tile(music(np.random.default_rng(4), 60.0), 60)
    found = tagging(estimator, song)
    assert closeness(found, tagging(estimator, song[: 60 * SR])) > 0.9


def test_it_does_not_change_what_other_tasks_find() -> None:
    song = music(np.random.default_rng(5))
    alone = Estimator(tasks=("tempo", "key")).from_audio(song, SR)
    beside = Estimator(tasks=("tempo", "key", "tags")).from_audio(song, SR)
    assert (alone.bpm, alone.confidence, alone.key) == (beside.bpm, beside.confidence, beside.key)
    assert parse_tags(format_tags(beside.columns["sound_tags"]))


def test_pieces_cover_all_and_are_all_as_long() -> None:
    features = np.random.default_rng(6).random((80, 2 * PIECE + 30)).astype(np.float32)
    pieces = pieces_of(features)
    assert [piece.shape for piece in pieces] == [(80, PIECE)] * 3
    np.testing.assert_array_equal(pieces[-1], compress(features[:, -PIECE:]))


def test_what_is_shorter_than_a_piece_is_repeated() -> None:
    features = np.random.default_rng(7).random((80, 50)).astype(np.float32)
    (piece,) = pieces_of(features)
    np.testing.assert_array_equal(piece[:, :50], piece[:, 50:100])


def test_the_embedding_of_a_track_is_the_mean_of_all_pieces_however_they_come() -> None:
    rng = np.random.default_rng(8)
    scores = rng.normal(size=(7, 5)).astype(np.float32)
    whole = [(Batch((), np.arange(7), np.ones(7)), scores)]
    parts = [(Batch((), np.arange(len(s)), np.ones(len(s))), s) for s in (scores[:3], scores[3:])]
    np.testing.assert_array_equal(pool(whole), pool(parts))
    np.testing.assert_allclose(pool(whole), scores.mean(axis=0), atol=1e-3)


def test_more_than_enough_pieces_are_not_heard() -> None:
    config = MODEL.config
    few = [(Batch((), np.arange(AT_ONCE), np.ones(AT_ONCE)), np.zeros((AT_ONCE, 2), np.float32))]
    assert not enough(few, config)
    assert enough(few * (ENOUGH_PIECES // AT_ONCE), config)


def test_models_that_differ_in_their_tags_alone_have_the_same_embeddings() -> None:
    weights = dict(MODEL.network.weights)
    weights["tags.weight"] = np.ones((2, MODEL.config.model.n_dims), np.float32)
    weights["tags.bias"] = np.zeros(2, np.float32)
    config = dataclasses.replace(MODEL.config, tags=("genres:rock", "genres:pop"))
    other = dataclasses.replace(
        MODEL, config=config, network=Network(build(MODEL.front_end, config), weights)
    )
    assert embedding_name(other) == embedding_name(MODEL)
    weights["embedding.0.bias"] = weights["embedding.0.bias"] + 1
    changed = dataclasses.replace(other, network=Network(other.network.definition, weights))
    assert embedding_name(changed) != embedding_name(MODEL)


def test_a_model_without_tags_has_embeddings() -> None:
    config = TagsConfig(TagsModel(n_channels=2, n_merged=4, n_dims=3))
    network = random_network(build(FrontEnd(), config))
    assert network(np.ones((2, 40, PIECE), np.float32)).shape == (2, 3)
    model = dataclasses.replace(MODEL, config=config, network=network)
    assert tag_probabilities(np.zeros((4, 3), np.float16), model).shape == (4, 0)


def test_too_few_bands_are_refused() -> None:
    with pytest.raises(ValueError, match="at least 16"):
        build(FrontEnd(n_mels=8), TagsConfig())


def test_probabilities_do_not_overflow() -> None:
    with np.errstate(all="raise"):
        found = tag_probabilities(np.full((1, MODEL.config.model.n_dims), 60000, np.float16), MODEL)
    assert np.isfinite(found).all()


def test_words_of_the_package_belong_to_no_field() -> None:
    assert tags_of(MODEL.config)
    assert all(tag.field == "" and tag.word for tag in tags_of(MODEL.config))
    assert Tag("", "rock") in tags_of(MODEL.config)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # of the network, on its way to infinity
def test_numbers_too_large_for_an_embedding_are_one_message() -> None:
    weights = dict(MODEL.network.weights)
    weights["embedding.1.weight"] = weights["embedding.1.weight"] * np.float32(1e30)
    model = dataclasses.replace(MODEL, network=Network(MODEL.network.definition, weights))
    pooled = pool([(Batch((), np.arange(1), np.ones(1)), np.full((1, 4), 1e30, np.float32))])
    assert np.isinf(pooled).all()
    estimator = Estimator.of([(TASK, model)])
    with pytest.raises(AudioError, match="into numbers"):
        tagging(estimator, music(np.random.default_rng(9)))


def test_weights_as_large_as_can_be_give_probabilities() -> None:
    weights = dict(MODEL.network.weights)
    weights["tags.weight"] = np.full_like(weights["tags.weight"], 3e38)
    model = dataclasses.replace(MODEL, network=Network(MODEL.network.definition, weights))
    mixed = np.resize([6e4, -6e4], (1, MODEL.config.model.n_dims)).astype(np.float16)
    found = tag_probabilities(mixed, model)
    assert ((found >= 0) & (found <= 1)).all()


HOSTILE_TAGS = [
    ["a:" + "x" * 59], ["a\0b"], ["a\nb"], [""], ["a:b", "a:b"], [f"a:{k}" for k in range(10_000)],
    "a:b", None, [5], [["a:b"]], {"a:b": 1}, [None], 7, ["\x1b[2J"], ["\u202ea:b"],
]  # fmt: skip


@pytest.mark.parametrize("tags", HOSTILE_TAGS, ids=range(len(HOSTILE_TAGS)))
def test_a_model_file_with_tags_that_are_none_is_refused(tags: object, tmp_path: Path) -> None:
    contents = checkpoint.read(checkpoint.resolve("shipped", "tags"))
    n = len(tags) if isinstance(tags, list) else 1
    head = {"tags.weight": np.zeros((n, MODEL.config.model.n_dims), np.float32),
            "tags.bias": np.zeros(n, np.float32)}  # fmt: skip
    path = checkpoint.write(
        tmp_path, {**contents.header, "tags": tags}, contents.filterbank, contents.weights | head
    )
    with pytest.raises(CheckpointError) as raised:
        checkpoint.load(path, "tags")
    assert str(raised.value).isprintable()
    assert len(str(raised.value)) < 500
