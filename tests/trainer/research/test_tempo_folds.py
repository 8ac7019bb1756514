"""Folds over all real recordings."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.trainer.making.test_tempo import folder  # noqa: F401  (a fixture)
from trainer.evaluation.answers import Answer, read_answers
from trainer.inputs.recordings import Recording
from trainer.research.tempo_folds import group_of, main, table


def recording(source: str, group: str) -> Recording:
    return Recording(Path("a.ogg"), source, ((120.0, 1.0),), "train", group)


def test_an_artist_is_the_same_in_every_table() -> None:
    assert group_of(recording("songs", "Imagine Dragons")) == group_of(
        recording("charts:low", "imagine  dragons!")
    )
    # Where only the song is known, its name may be that of an artist elsewhere.
    assert group_of(recording("rhythm", "Fresh")) != group_of(recording("songs", "Fresh"))


def test_the_table_has_sets_kinds_and_fast_music() -> None:
    answers = [
        Answer(Path(f"{k}"), bpm, name, group=str(k), genre=kind, estimator="folds", estimate=found)
        for k, (bpm, name, kind, found) in enumerate([
            (120, "songs", "pop", 120.0), (190, "charts high", "taiko", 95.0),
            (175, "charts medium", "osu", 175.0),
        ])
    ]  # fmt: skip
    rows = {row.split("|")[1].strip(): row for row in table(answers)[2:]}
    assert "| 3 | 66.7" in rows["all"]
    assert "| 2 | 50.0" in rows["charts high and medium"]
    assert "| 1 | 0.0" in rows["charts, taiko"]
    assert "| 2 | 50.0" in rows["labelled at 165 and more"]


@pytest.mark.slow
def test_every_recording_is_answered_by_a_model_of_other_folds(
    folder: Path,  # noqa: F811
    tmp_path: Path,
) -> None:
    arguments = [
        "--data", folder, "--clips", folder, "--cache", tmp_path / "cache", "--out", tmp_path,
        "--folds", "2", "--steps", "2", "--jobs", "1",
    ]  # fmt: skip
    first = CliRunner().invoke(main, [*map(str, arguments), "--only", "0"], catch_exceptions=False)
    assert first.exit_code == 0
    assert len(list(tmp_path.glob("member-*.safetensors"))) == 1
    run = CliRunner().invoke(main, [*map(str, arguments)], catch_exceptions=False)
    assert run.exit_code == 0
    assert len(list(tmp_path.glob("member-*.safetensors"))) == 2
    answers = read_answers(tmp_path / "tracks.tsv")
    assert {a.set for a in answers} >= {"songs", "rhythm"}
    assert all(a.estimate and a.confidence is not None for a in answers)
    assert f"of {len(answers)} right" in run.output
