"""Tests of the report: self-contained, equal from saved figures, safe for any title."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from click.testing import CliRunner

from tempo_core.cli import main
from tempo_core.errors import ConfigError
from trainer.evaluation import report, saving
from trainer.evaluation.answers import Answer
from trainer.evaluation.history import clock, curve, pack, read_history, unpack, write_history

ABOUT = saving.RunInfo("Tempo of 3 tracks", "test", "6", "0.1", ("A note.",))
HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "$\\frac{1}{0}$ %s {x} &amp;",
    "caf\udce9\n日本\t\u202e",
    "x" * 300,
)


class Page(HTMLParser):
    """The elements and the text of an HTML document."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def answers_of(estimator: str, *estimates: float | None) -> list[Answer]:
    return [
        Answer(
            Path(f"/music/{k}.mp3"), 100.0 + 20 * k, "set", "test", f"Artist - {k}", f"artist {k}",
            "house" if k % 2 else "waltz", (), None, estimator, estimate, None,
            None if estimator == "librosa" else 0.8, "" if estimate else "no such file",
            octave_confidence=None if estimator == "librosa" else 0.9,
        )
        for k, estimate in enumerate(estimates)
    ]  # fmt: skip


def written(folder: Path, answers: list[Answer], **options: object) -> Page:
    path = report.write_report(folder, ABOUT, answers, **options)  # type: ignore[arg-type]
    return Page(path.read_text())


@pytest.mark.slow
def test_the_report_is_complete_in_itself_and_drawn_again_without_the_audio(
    tmp_path: Path,
) -> None:
    answers = answers_of("model", 100.0, 60.0, 140.1) + answers_of("librosa", 100.0, None, 70.0)
    saving.save(tmp_path, ABOUT, answers)
    history = [{"epoch": 0.0, "val_acc1": 0.5}, {"epoch": 1.0, "val_acc1": 0.75}]
    write_history(tmp_path / "history.csv", history)
    page = written(tmp_path, answers, history=history)
    tags = [tag for tag, _ in page.elements]
    assert "script" not in tags
    assert "link" not in tags
    images = [attrs["src"] or "" for tag, attrs in page.elements if tag == "img"]
    assert len(images) == 9
    for image in images:
        kind, data = image.split(",")
        assert kind == "data:image/png;base64"
        assert base64.b64decode(data).startswith(b"\x89PNG")
    assert "right within 4 % for 66.7 % of 3 tracks" in page.text
    assert "33.3 points fewer than model" in page.text
    assert "A note." in page.text
    assert "/music/1.mp3" in page.text
    assert "no such file" in page.text
    first = (tmp_path / "report.html").read_bytes()
    pictures = {p.name: p.read_bytes() for p in (tmp_path / "plots").iterdir()}
    assert sorted(pictures) == [
        "errors.png", "estimates-1.png", "estimates-2.png", "genres.png",
        "octave-reliability.png", "octaves.png", "reliability.png", "tempi.png", "training.png",
    ]  # fmt: skip
    for path in (tmp_path / "plots").iterdir():
        path.unlink()
    (tmp_path / "report.html").unlink()
    result = CliRunner().invoke(main, ["plot", str(tmp_path)])
    assert result.exit_code == 0, result.output
    assert (tmp_path / "report.html").read_bytes() == first
    assert {p.name: p.read_bytes() for p in (tmp_path / "plots").iterdir()} == pictures


@pytest.mark.slow
def test_names_are_text_whatever_they_contain(tmp_path: Path) -> None:
    plain = Page(report.render(ABOUT, answers_of("model", *[50.0] * 5), _no_pictures(1)))
    answers = [
        replace(
            a,
            bpm=100.0,
            name=text,
            genre=text,
            path=Path("/music") / text.replace("/", "|"),
            set=text,
        )
        for a, text in zip(answers_of("model", *[50.0] * 5), HOSTILE, strict=True)
    ]
    page = written(tmp_path, answers)
    assert {tag for tag, _ in page.elements} <= {tag for tag, _ in plain.elements}
    assert not [a for _, attrs in page.elements for a in attrs if a.startswith("on")]
    assert HOSTILE[0] in page.text
    assert HOSTILE[1] in page.text
    assert "caf?" in page.text


def _no_pictures(n: int) -> dict[str, bytes]:
    names = [f"estimates-{k + 1}" for k in range(n)]
    return dict.fromkeys(
        [*names, "errors", "octaves", "tempi", "genres", "reliability", "octave-reliability"], b""
    )


@pytest.mark.parametrize(
    "answers",
    [
        answers_of("model", 100.0),
        answers_of("model", None),
        answers_of("model", 1e-3, 1e5),
    ],
    ids=["one track", "all failed", "beyond the axes"],
)
@pytest.mark.slow
def test_odd_sets_are_drawn(tmp_path: Path, answers: list[Answer]) -> None:
    page = written(tmp_path, answers)
    assert f"of {len(answers)} tracks" in page.text


def test_plot_of_something_else_is_one_line(tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["plot", str(tmp_path)])
    assert result.exit_code == 1
    assert result.stderr.startswith(f"Error: {tmp_path}: no evaluation")
    assert list(tmp_path.iterdir()) == []


def test_logs_of_either_kind_are_read(tmp_path: Path) -> None:
    csv = tmp_path / "metrics.csv"
    csv.write_text("epoch,step,train_loss,val_acc1\n0,0,3.5,\n0,1,2.5,\n0,1,,0.5\n1,2,nan,0.75\n")
    rows = read_history(csv)
    assert clock(rows) == "epoch"
    assert curve(rows, "train_loss", "epoch") == ([0], [3.0])
    assert curve(rows, "val_acc1", "epoch") == ([0, 1], [0.5, 0.75])
    lines = tmp_path / "log.csv"  # what it is, its name does not say
    lines.write_text('{"phase": 1, "step": 50, "loss": 2.5}\n{"phase": 1, "step": 100, "lo')
    assert read_history(lines) == [{"phase": 1, "step": 50, "loss": 2.5}]
    write_history(csv, rows)
    assert read_history(csv) == rows


@pytest.mark.parametrize("name", ["plot", "evaluate"])
def test_a_missing_extra_is_named(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in [
        m
        for m in sys.modules
        if m.startswith(("trainer.evaluation.report", "trainer.evaluation.plots"))
    ]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.delattr("trainer.evaluation.report")
    monkeypatch.delattr("trainer.evaluation.plots")
    monkeypatch.setitem(sys.modules, "matplotlib.axes", None)
    args = [name, str(tmp_path), *(["--out", str(tmp_path)] if name == "evaluate" else [])]
    result = CliRunner().invoke(main, args)
    assert result.exit_code == 1
    assert f"{name} needs more packages" in result.stderr
    assert "pip install 'beets-tempo[train]'" in result.stderr


def test_a_missing_extra_of_building_and_training_is_named(tmp_path: Path) -> None:
    code = """
import sys
sys.modules["librosa"] = sys.modules["torch"] = None
from tempo_core.cli import main
for arguments in (["build", ".", "--out", "set"], ["train", "."]):
    try:
        main(arguments)
    except SystemExit as end:
        assert end.code == 1
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, check=False
    )
    assert done.returncode == 0, done.stderr
    build, train = done.stderr.splitlines()
    assert "build needs more packages" in build
    assert "train needs more packages" in train
    assert not (tmp_path / "set").exists()


def test_a_resumed_run_is_one_curve(tmp_path: Path) -> None:
    """A run killed twice, in an epoch and between log and checkpoint, is drawn as one curve."""
    logs = {
        10: "epoch,step,loss,validation_acc1\n3,8,,0.8\n3,8,2.0,\n",
        2: "epoch,step,loss,validation_acc1\n1,4,,0.6\n1,4,4.0,\n2,6,,0.7\n2,6,3.0,\n3,8,,0.1\n",
        0: "epoch,step,loss,validation_acc1\n0,2,,0.5\n0,2,5.0,\n1,4,,0.2\n",
    }
    for version, text in logs.items():
        folder = tmp_path / f"csv/version_{version}"
        folder.mkdir(parents=True)
        (folder / "metrics.csv").write_text(text)
    for version in logs:
        rows = read_history(tmp_path / f"csv/version_{version}/metrics.csv")
        assert curve(rows, "loss", "epoch") == ([0, 1, 2, 3], [5, 4, 3, 2])
        assert curve(rows, "validation_acc1", "epoch") == ([0, 1, 2, 3], [0.5, 0.6, 0.7, 0.8])
    assert unpack(json.loads(json.dumps(pack(rows)))) == rows


def test_two_phases_follow_each_other(tmp_path: Path) -> None:
    log = tmp_path / "member-0.jsonl"
    rows = [(1, 50, 3.0), (1, 100, 2.0), (2, 50, 1.0), (2, 100, 0.5)]
    log.write_text(
        "".join(json.dumps({"phase": p, "step": s, "loss": x}) + "\n" for p, s, x in rows)
    )
    assert curve(read_history(log), "loss", "step") == ([50, 100, 150, 200], [3.0, 2.0, 1.0, 0.5])


@pytest.mark.parametrize("packed", [None, 7, [], {}, {"names": 1, "rows": []}, {"names": ["a"]},
                                    {"names": ["a"], "rows": [7, None]}])  # fmt: skip
def test_a_history_in_a_model_that_is_none(packed: object) -> None:
    assert unpack(packed) == []


@pytest.mark.parametrize("content", ["", "a,b\n", "a,b\nx,y\n", "\0"])
def test_a_log_without_numbers_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "metrics.csv"
    path.write_text(content)
    with pytest.raises(ConfigError, match="no numbers"):
        read_history(path)
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="cannot be read"):
        read_history(path)
