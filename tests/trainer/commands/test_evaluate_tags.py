"""Tests of `tempo-core evaluate --task tags`, with tracks that were heard before."""

from __future__ import annotations

import csv
import os
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from tempo_core import checkpoint
from tempo_core.cli import main
from tempo_core.embeddings import Embeddings
from tempo_core.tasks.tags.decode import embedding_name
from trainer.learning import tag_evaluating
from trainer.learning.labels import STORE

MODEL = checkpoint.load(checkpoint.resolve("shipped", "tags"), "tags")


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """A table of 12 tracks of each of two tags that sound apart; they are in its store."""
    rng = np.random.default_rng(0)
    rows = [("path", "tags", "artist", "title")]
    with Embeddings(tmp_path / STORE, embedding_name(MODEL)) as store:
        for k in range(24):
            path = tmp_path / f"{k}.mp3"
            path.write_bytes(b"%d" % k)
            embedding = rng.normal(size=MODEL.config.model.n_dims)
            embedding[:40] += (1.5, -1.5)[k % 2]
            store.put(path, embedding.astype(np.float16), path.read_bytes())
            tag = ("rock", "house")[k % 2] if k != 3 else "rock"
            rows.append((path.name, tag, f"artist {k // 2}", f"song {k}"))
    path = tmp_path / "tags.tsv"
    with path.open("w", newline="") as file:
        csv.writer(file, delimiter="\t").writerows(rows)
    return path


def evaluate(*args: object) -> Result:
    return CliRunner().invoke(main, ["evaluate", *map(str, args)])


def test_a_table_becomes_a_report(table: Path, tmp_path: Path) -> None:
    out = tmp_path / "report"
    result = evaluate(table, "--task", "tags", "--min-tracks", 8, "--out", out)
    assert result.exit_code == 0, result.output
    assert "24 tracks by 12 artists, 2 tags, 24 labels." in result.output
    assert f"report: {out / 'report.html'}" in result.output
    with (out / "tracks.tsv").open(newline="") as file:
        first = next(csv.DictReader(file, delimiter="\t"))
    assert (first["name"], first["labels"], first["sounds_like"]) == (
        "artist 1 - song 3", "rock", "house",
    )  # fmt: skip


@pytest.mark.slow
def test_a_file_that_cannot_be_heard_is_named(table: Path, tmp_path: Path) -> None:
    with table.open("a") as file:
        file.write("gone.mp3\trock\tx\ty\n")
    out = tmp_path / "report"
    result = evaluate(table, "--task", "tags", "--min-tracks", 8, "--out", out)
    assert result.exit_code == 1
    assert "gone.mp3" in result.stderr
    assert (out / "report.html").exists()


def test_what_makes_no_sense(table: Path, tmp_path: Path) -> None:
    out = tmp_path / "report"
    result = evaluate(table, "--task", "tags", "--out", out)
    assert result.exit_code == 1
    assert "no tag that can be learned: at least 20 tracks" in result.output
    result = evaluate(table, "--task", "tags", "--out", out, "--baseline", "librosa")
    assert result.exit_code == 2
    assert "--baseline is not for --task tags" in result.output
    result = evaluate(tmp_path, "--task", "tags", "--out", out)
    assert "takes one table" in result.output
    assert not out.exists()


def test_nothing_is_listened_to_where_no_tag_has_enough_tracks(
    table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tag_evaluating, "hear_tracks", None)
    result = evaluate(table, "--task", "tags", "--out", tmp_path / "report")
    assert result.exit_code == 1
    assert "no tag that can be learned: at least 20 tracks" in result.output


def test_a_table_that_is_a_pipe_or_a_device_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", Path("/dev/zero")):
        result = evaluate(path, "--task", "tags", "--out", tmp_path / "report")
        assert result.exit_code == 1
        assert "is not a regular file; give a table" in result.output
