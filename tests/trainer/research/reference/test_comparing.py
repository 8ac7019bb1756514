"""Tests of the comparison: folds, heads on embeddings, the table, and going on."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from tempo_core.errors import CheckpointError, ConfigError
from tests.trainer.research.reference.conftest import SMALL
from trainer.research.reference.__main__ import main
from trainer.research.reference.head import band_statistics, embedding_named, head_scores
from trainer.research.reference.recipe import write_recipe


def loudness(path: Path) -> np.ndarray:
    """(1,) an embedding of the level at some 3 kHz, where there is noise and none of the tones."""
    return band_statistics(path)[55:56]


def test_too_many_folds_are_refused(made_sounds: Path, tmp_path: Path) -> None:
    result = CliRunner().invoke(main, [
        "compare", str(made_sounds / "tags.tsv"), "--folds", "7", "--embedding", "bands",
        "--recipe",
        str(write_recipe(tmp_path, SMALL, {})), "--out", str(tmp_path / "out"), "--cache",
        str(tmp_path / "cache"), "--jobs", "1",
    ])  # fmt: skip
    assert result.exit_code == 1
    assert result.stderr.splitlines() == ["Error: 6 artists cannot be 7 folds; give fewer folds"]


def test_the_shipped_embedding(made_sounds: Path) -> None:
    deep, other, noisy = (embedding_named("shipped")(made_sounds / f"{k}.wav") for k in (0, 2, 1))
    assert deep.ndim == 1
    assert deep.shape == noisy.shape

    def cosine(a: np.ndarray, b: np.ndarray) -> float:
        a, b = a.astype(float), b.astype(float)
        return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))

    assert cosine(deep, other) > cosine(deep, noisy)


@pytest.mark.parametrize("exclusive", [True, False])
def test_a_head_learns_what_the_embedding_knows(exclusive: bool, rng: np.random.Generator) -> None:
    classes = rng.integers(3, size=90)
    truth = np.eye(3)[classes]
    vectors = truth @ rng.standard_normal((3, 8)) + 0.1 * rng.standard_normal((90, 8))
    if not exclusive:
        truth[:, 0] = 1  # a tag that all have
    learned = np.arange(90) < 60
    scores = head_scores(vectors, truth, learned)
    assert scores.shape == (30, 3)
    if exclusive:
        np.testing.assert_allclose(scores.sum(axis=1), 1)
        assert (scores.argmax(axis=1) == classes[60:]).all()
    else:
        assert (scores[:, 0] == 1).all()
        assert ((scores[:, 2] > 0.5) == (classes[60:] == 2)).all()


def test_a_tag_that_was_not_learned_gets_nothing(rng: np.random.Generator) -> None:
    truth = np.eye(3)[[0, 1] * 10 + [2] * 5]
    scores = head_scores(rng.standard_normal((25, 4)), truth, np.arange(25) < 20)
    assert (scores[:, 2] == 0).all()
    one = head_scores(rng.standard_normal((25, 4)), truth, np.arange(25) < 1)
    assert (one == [1, 0, 0]).all()


def test_an_embedding_that_is_none_is_one_message() -> None:
    assert embedding_named("bands") is band_statistics
    assert embedding_named(f"{__name__}:loudness").__name__ == "loudness"
    for name in ("no_such_module:f", f"{__name__}:none", "x", ""):
        with pytest.raises(ConfigError, match="give bands"):
            embedding_named(name)


@pytest.mark.slow
def test_the_table_and_going_on(made_sounds: Path, tmp_path: Path) -> None:
    cleaning = dataclasses.replace(SMALL.cleaning, drop=("all",))
    recipe = dataclasses.replace(SMALL, epochs=1, cleaning=cleaning)
    file = write_recipe(tmp_path, recipe, {})
    arguments = [
        "compare", made_sounds / "tags.tsv", "--recipe", file, "--embedding",
        f"{__name__}:loudness", "--folds", 2, "--out", tmp_path / "out", "--cache",
        tmp_path / "cache", "--jobs", 1,
    ]  # fmt: skip
    first = CliRunner().invoke(main, list(map(str, arguments)), catch_exceptions=False)
    assert first.exit_code == 0
    rows = [line.split() for line in first.stdout.splitlines()[:3]]
    assert [row[:3] for row in rows[1:]] == [
        ["logmel", "12", "2"],
        [f"{__name__}:loudness", "12", "2"],
    ]
    figures = json.loads((tmp_path / "out" / "figures.json").read_text())
    assert figures[f"{__name__}:loudness"]["auc_roc"] > 0.9
    assert (tmp_path / "out" / "figures.txt").read_text() == first.stdout
    # A second run takes the scores that are kept.
    kept = sorted((tmp_path / "out").glob("scores-*.json"))
    assert len(kept) == 2
    scores = json.loads(kept[0].read_text())
    kept[0].write_text(json.dumps([[1 - s for s in row] for row in scores]))
    again = CliRunner().invoke(main, list(map(str, arguments)), catch_exceptions=False)
    assert again.stdout.splitlines()[1] != first.stdout.splitlines()[1]


def test_recipes_for_different_tags_are_refused(made_sounds: Path, tmp_path: Path) -> None:
    other = dataclasses.replace(SMALL, cleaning=dataclasses.replace(SMALL.cleaning, least=3))
    files = [write_recipe(tmp_path / name, r, {}) for name, r in (("a", SMALL), ("b", other))]
    result = CliRunner().invoke(main, [
        "compare", str(made_sounds / "tags.tsv"), *(a for f in files for a in ("--recipe", str(f))),
        "--out", str(tmp_path / "out"), "--cache", str(tmp_path / "cache"),
    ])  # fmt: skip
    assert result.exit_code == 1
    assert "the recipes differ under cleaning" in result.stderr


def test_a_model_file_that_is_none_is_one_message(tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    for data in (None, b"\x80\x04junk"):
        if data is not None:
            path.write_bytes(data)
        with pytest.raises(CheckpointError) as raised:
            embedding_named(str(path))
        assert "\n" not in str(raised.value)
