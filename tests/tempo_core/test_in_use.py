"""Learned models: which is in use, going back, and damages of the file that says so."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tempo_core import Estimator, checkpoint, in_use
from tempo_core.cli import main
from tempo_core.errors import CheckpointError


def models(*args: str) -> Result:
    return CliRunner().invoke(main, ["models", *args])


def another(folder: Path, task: str) -> Path:
    """Path of a written model of a task that differs from the shipped one."""
    model = checkpoint.load(checkpoint.resolve("shipped", task))
    learned = dataclasses.replace(model, temperature=1.5, card={"summary": "learned"})
    return checkpoint.save(folder, learned)


@pytest.fixture
def learned(tmp_path: Path) -> Path:
    return another(tmp_path, "tempo")


def test_at_first_the_shipped_one_is_in_use() -> None:
    assert in_use.active() is None
    assert in_use.history() == []
    assert checkpoint.resolve("default") == checkpoint.resolve("shipped")
    with pytest.raises(CheckpointError, match="nothing to go back to"):
        in_use.rollback()


def test_use_list_rollback_remove(learned: Path) -> None:
    run = models("use", str(learned))
    assert (run.exit_code, run.stdout) == (0, f"{learned.stem} is in use\n")
    assert checkpoint.resolve("default") == in_use.folder() / learned.name
    assert Estimator().source.endswith(f"@{learned.stem[-8:]}")
    assert checkpoint.resolve("shipped") != checkpoint.resolve("default")
    lines = models().stdout.splitlines()
    assert [line[0] for line in lines] == [" ", *"******"]
    assert [line[2:].split("-")[0] for line in lines] == [
        "tempo", "tempo", "pace", "key", "beats", "notes", "tags",
    ]  # fmt: skip
    assert learned.stem in lines[1]
    assert "learned" in lines[1]

    refused = models("remove", learned.stem)
    assert refused.exit_code == 1
    assert "in use" in refused.stderr
    assert models("rollback").stdout == "shipped is in use\n"
    assert checkpoint.resolve("default") == checkpoint.resolve("shipped")
    assert models("use", learned.stem).exit_code == 0
    assert models("use", "shipped").exit_code == 0
    assert in_use.history() == [learned.name, "shipped"]
    assert models("rollback").stdout == f"{learned.stem} is in use\n"
    assert models("use", "shipped").exit_code == 0
    assert models("remove", learned.stem).exit_code == 0
    assert not (in_use.folder() / learned.name).exists()
    assert in_use.history() == ["shipped"]
    assert models("remove", checkpoint.resolve("shipped").stem).exit_code == 1


def test_rollback_passes_over_a_model_whose_file_is_gone(learned: Path) -> None:
    models("use", str(learned))
    models("use", "shipped")
    (in_use.folder() / learned.name).unlink()
    assert models("rollback").stdout == "shipped is in use\n"
    assert checkpoint.resolve("default") == checkpoint.resolve("shipped")


@pytest.mark.parametrize("command", ["use", "remove"])
def test_a_name_that_nobody_has_is_answered_with_all_there_are(
    command: str, learned: Path, tmp_path: Path
) -> None:
    mine = [in_use.add(learned), in_use.add(another(tmp_path, "pace"))]
    run = models(command, "nosuch")
    assert run.exit_code == 1
    for path in (*checkpoint.available(), *mine):
        assert path.stem in run.stderr
    assert len(run.stderr.splitlines()) == 1


def test_a_pace_model_is_another_choice(learned: Path, tmp_path: Path) -> None:
    path = another(tmp_path, "pace")
    assert models("use", str(learned)).exit_code == 0
    assert models("use", str(path)).stdout == f"{path.stem} is in use\n"
    assert checkpoint.resolve("default", "pace").name == path.name
    assert checkpoint.resolve("default").name == learned.name
    assert models("rollback", "--task", "pace").exit_code == 0
    assert checkpoint.resolve("default", "pace") == checkpoint.resolve("shipped", "pace")
    assert checkpoint.resolve("default").name == learned.name
    assert models("use", path.stem).exit_code == 0
    assert models("use", "shipped").exit_code == 0
    for task in ("tempo", "pace"):
        assert checkpoint.resolve("default", task) == checkpoint.resolve("shipped", task)
    assert models("remove", path.stem).exit_code == 0


def test_using_it_twice_is_using_it_once(learned: Path) -> None:
    for _ in range(2):
        in_use.activate(in_use.add(learned).name)
    assert in_use.history() == [learned.name]
    assert sorted(p.name for p in in_use.folder().iterdir()) == ["active.json", learned.name]


def test_a_damaged_model_in_use_is_not_papered_over(learned: Path) -> None:
    path = in_use.add(learned)
    in_use.activate(path.name)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(CheckpointError, match="does not match its name"):
        Estimator()
    run = models()
    assert run.exit_code == 1
    assert "unusable" in run.stderr
    assert "tempo-core models use shipped" in run.stderr
    assert models("use", learned.stem).exit_code == 1
    assert models("use", "shipped").exit_code == 0
    assert Estimator().source


@pytest.mark.parametrize("content", [b"", b"\xff" * 64, bytes(500)], ids=["empty", "ones", "zeros"])
def test_a_model_that_cannot_tell_its_task_is_listed_and_removed(
    content: bytes, learned: Path
) -> None:
    path = in_use.add(learned)
    path.write_bytes(content)
    for run in (models(), models("use", path.stem)):
        assert run.exit_code == 1
        assert "does not match its name" in run.stderr
    with pytest.raises(CheckpointError, match="does not match its name"):
        Estimator(path.stem)
    assert models("remove", path.stem).stdout == f"{path.stem} is deleted\n"
    assert models().exit_code == 0


def test_a_model_that_is_gone(learned: Path) -> None:
    path = in_use.add(learned)
    in_use.activate(path.name)
    path.unlink()
    with pytest.raises(CheckpointError, match="is gone; `tempo-core models use shipped`"):
        checkpoint.resolve("default")
    assert models().exit_code == 1
    assert models("rollback").exit_code == 0
    assert checkpoint.resolve("default") == checkpoint.resolve("shipped")


@pytest.mark.parametrize(
    "text",
    [
        "", "{", "[]", "7", "null", '{"tempo": "x"}', '{"tempo": [1]}', '{"tempo": ["../x"]}',
        '{"tempo": [".."]}', '{"tempo": [""]}', '{"tempo": ["\\u0000"]}', "[" * 100_000,
        '{"tempo": ' * 100_000, json.dumps({"tempo": ["x" * 1000]}), " " * 2_000_000, "1" * 10_000,
    ],
    ids=lambda text: text[:20],
)  # fmt: skip
def test_a_damaged_note_says_the_way_out(text: str, learned: Path) -> None:
    in_use.activate(in_use.add(learned).name)
    (in_use.folder() / in_use.ACTIVE).write_text(text)
    with pytest.raises(CheckpointError, match="tempo-core models use shipped"):
        checkpoint.resolve("default")
    assert models("use", "shipped").exit_code == 0
    assert checkpoint.resolve("default") == checkpoint.resolve("shipped")


@pytest.mark.parametrize("kind", ["fifo", "folder", "device"])
def test_a_note_that_is_no_file_does_not_hang(kind: str) -> None:
    path = in_use.folder() / in_use.ACTIVE
    path.parent.mkdir(parents=True, exist_ok=True)
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    else:
        path.symlink_to("/dev/zero")
    run = models()
    assert run.exit_code == 1
    assert "is not a regular file; delete it" in run.stderr


def test_a_note_in_another_encoding(learned: Path) -> None:
    in_use.activate(in_use.add(learned).name)
    (in_use.folder() / in_use.ACTIVE).write_bytes(b"\xff\xfe\x00")
    with pytest.raises(CheckpointError, match="tempo-core models use shipped"):
        checkpoint.resolve("default")


def test_tasks_do_not_disturb_each_other(learned: Path) -> None:
    in_use.activate(learned.name, "pace")
    in_use.activate(in_use.add(learned).name)
    in_use.rollback()
    note = json.loads((in_use.folder() / in_use.ACTIVE).read_text())
    assert note == {"pace": [learned.name], "tempo": []}


def test_without_the_variable_it_is_in_the_users_folder(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(in_use.FOLDER)
    folder = in_use.folder()
    assert home in folder.parents
    assert folder.parts[-2:] == ("beets-tempo", "models")


def test_a_folder_that_cannot_be_written(learned: Path, tmp_path: Path) -> None:
    shutil.rmtree(in_use.folder(), ignore_errors=True)
    in_use.folder().parent.mkdir(parents=True, exist_ok=True)
    in_use.folder().write_text("a file")
    with pytest.raises(CheckpointError, match="cannot be"):
        in_use.activate(learned.name)
