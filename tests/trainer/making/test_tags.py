"""Tests of training the tags network on the answers of another tagger."""

from __future__ import annotations

import struct
import time
import zipfile
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import torch

from tempo_core.config import Windows
from tempo_core.errors import ConfigError
from tempo_core.model import Checkpoint
from tempo_core.spectrum import Mel
from tempo_core.tasks.tags.config import TagsConfig, TagsModel
from tempo_core.tasks.tags.decode import tag_probabilities, tags_of
from tempo_core.tasks.tags.network import PIECE
from trainer.inputs.views import filterbank
from trainer.making import musicnn
from trainer.making.tags import (
    FRONT_END,
    NOT_WORDS,
    PieceSampler,
    TagsRecipe,
    Taught,
    choose_words,
    fit,
    with_words,
)
from trainer.tasks.tags import loss

CONFIG = TagsConfig(
    TagsModel(n_channels=4, n_merged=16, n_dims=8), tuple(f":{name}" for name in musicnn.TAGS)
)
N_KINDS = 4


def taught(n: int, seed: int = 0) -> Taught:
    """Recordings of some kinds, each with loud bands of its own, and the tags of their kinds."""
    rng = np.random.default_rng(seed)
    features, tags, dims = [], [], []
    for k in range(n):
        kind = k % N_KINDS
        loud = np.zeros((FRONT_END.n_mels, 1))
        loud[20 * kind : 20 * kind + 20] = 1.0
        heard = rng.random((FRONT_END.n_mels, 3 * PIECE)) * (0.05 + loud)
        features.append(heard.astype(np.float16))
        of_kind = np.full((2, musicnn.N_TAGS), 0.02, np.float32)
        of_kind[:, kind::N_KINDS] = np.linspace(0.9, 0.3, len(musicnn.TAGS[kind::N_KINDS]))
        tags.append(of_kind + rng.uniform(0, 0.02, of_kind.shape).astype(np.float32))
        own = np.zeros((2, musicnn.N_DIMS), np.float32)
        own[:, kind::N_KINDS] = 1.0
        dims.append(own)
    return Taught(features, tags, dims)


def sampler(recipe: TagsRecipe, n: int = 16) -> PieceSampler:
    return PieceSampler(taught(n), recipe, FRONT_END.fps)


def test_batches_have_pieces_with_targets() -> None:
    pieces, tags, dims = sampler(TagsRecipe(batch=8)).batch()
    assert pieces.shape == (8, FRONT_END.n_mels, PIECE)
    assert tags.shape == (8, musicnn.N_TAGS)
    assert dims.shape == (8, musicnn.N_DIMS)
    assert (pieces.dtype, tags.dtype, dims.dtype) == (np.float32,) * 3
    assert np.isfinite(pieces).all()


def test_a_target_is_partly_that_of_the_whole_recording() -> None:
    features = [np.ones((FRONT_END.n_mels, 3 * PIECE), np.float16)]
    tags = np.zeros((2, musicnn.N_TAGS), np.float32)
    tags[1] = 1.0
    one = Taught(features, [tags], [np.zeros((2, musicnn.N_DIMS), np.float32)])
    _, drawn, _ = PieceSampler(one, TagsRecipe(batch=16, whole=0.3), FRONT_END.fps).batch()
    assert sorted(set(drawn[:, 0].tolist())) == pytest.approx([0.15, 0.85])


@pytest.fixture(scope="module")
def learned() -> Checkpoint[TagsConfig]:
    recipe = TagsRecipe(steps=150, batch=16)
    bank = filterbank(FRONT_END)
    return Checkpoint(
        "tags", "", "tags", FRONT_END, Windows(), CONFIG, bank, Mel(FRONT_END, bank),
        fit(sampler(recipe), CONFIG, recipe), 1.0, {},
    )  # fmt: skip


@pytest.mark.slow
def test_a_network_learns_what_the_tagger_says_and_its_words_are_calibrated(
    learned: Checkpoint[TagsConfig],
) -> None:
    words = choose_words(learned, taught(200, seed=1))
    assert len(words) >= 10
    assert not NOT_WORDS.intersection(words)
    assert np.mean([one["auc_roc"] for one in words.values()]) > 0.9
    assert np.mean([one["ece"] for one in words.values()]) < 0.1
    done, x = with_words(learned, words), np.full((1, 8), 0.5, np.float16)
    assert [tag.name for tag in tags_of(done.config)] == list(words)
    before, after = (
        dict(zip(tags_of(model.config), tag_probabilities(x, model)[0], strict=True))
        for model in (learned, done)
    )
    for tag, probability in after.items():
        line = words[tag.name]
        odds = line["slope"] * np.log(before[tag] / (1 - before[tag])) + line["offset"]
        assert probability == pytest.approx(1 / (1 + np.exp(-odds)), abs=1e-3)
    assert "embedding.0.weight" in done.network.weights
    assert not any(name.startswith("guess") for name in done.network.weights)


def test_the_same_recipe_gives_the_same_network() -> None:
    recipe = TagsRecipe(steps=2, batch=4)
    one, other = (fit(sampler(recipe, 4), CONFIG, recipe) for _ in range(2))
    assert all(np.array_equal(one.weights[k], other.weights[k]) for k in one.weights)


def test_the_loss_is_least_for_the_right_answer() -> None:
    tags, dims = torch.tensor([[0.9, 0.1]]), torch.tensor([[1.0, -1.0]])
    right = loss(torch.logit(tags), dims, tags, dims)
    assert right < loss(torch.logit(1 - tags), dims, tags, dims)
    assert right < loss(torch.logit(tags), -dims, tags, dims)


def varint(value: int) -> bytes:
    out = b""
    while value > 127:
        out, value = out + bytes([value & 127 | 128]), value >> 7
    return out + bytes([value])


def field(number: int, kind: int, content: bytes) -> bytes:
    return varint(number << 3 | kind) + content


def block(entries: list[tuple[bytes, bytes]]) -> bytes:
    body = b"".join(varint(0) + varint(len(k)) + varint(len(v)) + k + v for k, v in entries)
    return body + struct.pack("<II", 0, 1)


def bundle(tensors: dict[str, np.ndarray]) -> tuple[bytes, bytes]:
    """A bundle of TensorFlow with some tensors: its index and its data."""
    data, entries = b"", [(b"", b"")]
    for name, tensor in sorted(tensors.items()):
        dims = b""
        for size in tensor.shape:
            dim = field(1, 0, varint(size))
            dims += field(2, 2, varint(len(dim)) + dim)
        content = tensor.astype("<f4").tobytes()
        value = field(1, 0, varint(1)) + field(2, 2, varint(len(dims)) + dims)
        value += field(4, 0, varint(len(data))) + field(5, 0, varint(len(content)))
        value += field(6, 5, b"sums")
        entries.append((name.encode(), value))
        data += content
    table = block(entries)
    handles = block([(b"z", varint(0) + varint(len(table)))])
    footer = varint(0) + varint(0) + varint(len(table)) + varint(len(handles))
    return table + handles + footer.ljust(48, b"\0"), data


def test_a_bundle_is_read_as_it_was_written() -> None:
    rng = np.random.default_rng(0)
    tensors = {
        "conv2d/kernel": rng.random((3, 2, 1, 300)), "conv2d/bias": rng.random(300),
        "dense/bias": rng.random(5),
    }  # fmt: skip
    found = musicnn.read_bundle(*bundle(tensors))
    assert found.keys() == tensors.keys()
    for name, tensor in tensors.items():
        np.testing.assert_array_equal(found[name], tensor.astype(np.float32))


def weights(rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Random weights in the shapes of the tagger."""
    shapes = [(7, 86, 1, 204), (7, 38, 1, 204), (128, 1, 1, 51), (64, 1, 1, 51), (32, 1, 1, 51),
              (7, 561, 1, 64), (7, 64, 1, 64), (7, 64, 1, 64)]  # fmt: skip
    norms = [1, 204, 204, 51, 51, 51, 64, 64, 64, 1506, 200]
    made = {}
    for n, shape in enumerate(shapes):
        name = f"conv2d_{n}" if n else "conv2d"
        made[f"{name}/kernel"] = rng.normal(0, 0.05, shape)
        made[f"{name}/bias"] = rng.normal(0, 0.1, shape[-1])
    for n, size in enumerate(norms):
        name = f"batch_normalization_{n}" if n else "batch_normalization"
        for part in ("gamma", "beta", "moving_mean", "moving_variance"):
            made[f"{name}/{part}"] = rng.uniform(0.5, 1.5, size)
    made |= {"dense/kernel": rng.normal(0, 0.05, (1506, 200)), "dense/bias": np.zeros(200),
             "dense_1/kernel": rng.normal(0, 0.1, (200, 50)),
             "dense_1/bias": np.zeros(50)}  # fmt: skip
    return made


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of what librosa reads audio with
def test_the_tagger_answers_for_every_window(tmp_path: Path) -> None:
    from tests.audio import click_track, write_audio

    wheel = tmp_path / "musicnn.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for member, content in zip(
            musicnn.MEMBERS, bundle(weights(np.random.default_rng(0))), strict=True
        ):
            archive.writestr(member, content)
    song = write_audio(tmp_path / "song.wav", click_track(120, 7.0, 16000), 16000)
    found = musicnn.Musicnn(wheel).answers(song)
    assert found.shape == (2, musicnn.N_TAGS + musicnn.N_DIMS)
    assert ((found[:, :50] >= 0) & (found[:, :50] <= 1)).all()


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\x05\x06" + bytes(18)])
def test_what_is_not_the_wheel_is_refused(tmp_path: Path, content: bytes) -> None:
    wheel = tmp_path / "other.whl"
    wheel.write_bytes(content)
    with pytest.raises(ConfigError, match="not the wheel of musicnn"):
        musicnn.Musicnn(wheel)


def index_of(blocks: list[list[tuple[bytes, bytes]]], times: int = 1) -> bytes:
    """The index of a bundle with some blocks, each named so many times."""
    data, handles = b"", []
    for entries in blocks:
        content = block(entries)
        handles.append(varint(len(data)) + varint(len(content)))
        data += content
    top = block([(b"%09d" % k, handle) for k, handle in enumerate(handles * times)])
    footer = varint(0) + varint(0) + varint(len(data)) + varint(len(top))
    return data + top + footer.ljust(48, b"\0")


ONE = field(1, 0, varint(1)) + field(5, 0, varint(4))  # a tensor of one number
BELOW = field(2, 2, b"\x0b" + field(1, 0, b"\xff" * 9 + b"\1"))  # a shape with a size of -1
HOSTILE = {
    "nothing": b"",
    "a number without an end": b"\xff" * 400_000,
    "no block": bytes(48),
    "a block named often": index_of([[(b"k%05d" % k, ONE) for k in range(5000)]], times=500),
    "a long number inside": index_of([[(b"a", b"\xff" * 300_000)]]),
    "a long name": index_of([[(b"a" * 300_000, ONE)]]),
    "the same name twice": index_of([[(b"a", ONE), (b"a", ONE)]]),
    "more than there is": index_of([[(b"a", ONE), (b"b", ONE)]]),
    "a number where a message is": index_of([[(b"a", field(2, 0, varint(1)) + ONE)]]),
    "a size below zero": index_of([[(b"a", field(2, 2, varint(len(BELOW)) + BELOW) + ONE)]]),
    "no text": index_of([[(b"\xff", ONE)]]),
    "a large index": bytes(2 << 20),
}  # fmt: skip


@pytest.mark.parametrize("index", HOSTILE.values(), ids=HOSTILE)
def test_a_bundle_that_is_none_is_refused_at_once(index: bytes) -> None:
    began = time.process_time()
    with pytest.raises(ConfigError, match="no bundle of tensors"):
        musicnn.read_bundle(index, bytes(4))
    assert time.process_time() - began < 0.5


def test_a_damaged_bundle_is_read_or_refused() -> None:
    rng = np.random.default_rng(0)
    index, data = bundle({"a": np.ones((2, 3)), "b": np.ones(4)})
    for _ in range(2000):
        damaged = np.frombuffer(index, np.uint8).copy()
        places = rng.integers(0, len(damaged), 3)
        damaged[places] = rng.choice([0, 1, 127, 128, 255], 3)
        with suppress(ConfigError):
            musicnn.read_bundle(damaged.tobytes(), data)


def test_a_wheel_that_lacks_weights_is_refused(tmp_path: Path) -> None:
    wheel = tmp_path / "musicnn.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for member, content in zip(musicnn.MEMBERS, bundle({"a": np.ones(3)}), strict=True):
            archive.writestr(member, content)
    with pytest.raises(ConfigError, match="not the wheel of musicnn"):
        musicnn.Musicnn(wheel)


def test_a_member_that_unpacks_to_very_much_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(musicnn, "LARGEST", 1000)
    wheel = tmp_path / "musicnn.whl"
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as archive:
        for member in musicnn.MEMBERS:
            archive.writestr(member, bytes(100_000))
    with pytest.raises(ConfigError, match="larger than 1000 bytes"):
        musicnn.Musicnn(wheel)
