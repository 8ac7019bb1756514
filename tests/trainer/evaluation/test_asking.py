"""Tests of asking estimators: answers are stored, and no file is estimated twice."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tempo_core.errors import AudioError, ConfigError
from tempo_core.estimate import Estimate, Estimator
from tempo_core.paces import Pace
from tests.audio import drum_pattern, write_audio
from tests.models import counting_hip_hop_twice
from trainer.evaluation import answer_log, asking, saving, text_tables
from trainer.evaluation.answers import Answer, LabelledRecording, read_answers, write_answers
from trainer.evaluation.figures import figures_of, worst
from trainer.evaluation.labelled import choose_split, read_source, unique

HOSTILE = ('<script>alert("1")</script>', "a\tb\nc\rd", "caf\udce9", "'; $x_1$ & \"", "日本")


class Known:
    """Estimator that takes its answers from file names and counts the questions."""

    def __init__(self, answers: dict[str, float], source: str = "model:known@00000000") -> None:
        self.answers, self.source, self.asked = answers, source, 0

    def estimate(self, path: object) -> Estimate:
        self.asked += 1
        name = Path(str(path)).name
        if name not in self.answers:
            raise AudioError("no such file")
        bpm = self.answers[name]
        return Estimate(bpm, 0.8, (Pace(bpm, 0.9), Pace(bpm * 2, 0.4)))


def tracks_in(folder: Path, **tempi: float) -> list[LabelledRecording]:
    tracks = []
    for name, bpm in tempi.items():
        (folder / name).write_text(name)
        tracks.append(LabelledRecording(folder / name, bpm, set="x", group=name))
    return tracks


def ask(folder: Path, tracks: list[LabelledRecording], *estimators: Known) -> list[Answer]:
    return asking.ask_all(
        estimators, 6, tracks, folder, asking.AskingOptions(2), lambda answer: None
    )


def test_answers_survive_the_table(tmp_path: Path) -> None:
    answers = [
        Answer(
            Path(f"/music/{k}\t{text}"), 120.5, "set", "test", text, text, text, (60.25, 241.0),
            0.25, "e", 60.3, 120.6, 0.7, octave_confidence=0.85,
        )
        for k, text in enumerate(HOSTILE)
    ]  # fmt: skip
    answers.append(Answer(Path("/gone"), 100.0, estimator="e", failure="no such file"))
    write_answers(tmp_path / "t.tsv", answers)
    assert read_answers(tmp_path / "t.tsv") == answers


def test_a_table_of_an_earlier_version_has_no_octave_confidence(tmp_path: Path) -> None:
    table = tmp_path / "t.tsv"
    write_answers(table, [Answer(Path("/a"), 100.0, estimate=100.0, octave_confidence=0.8)])
    lines = [line.rpartition("\t")[0] for line in table.read_text().splitlines()]
    assert not any("octave_confidence" in line for line in lines)
    table.write_text("\n".join(lines) + "\n")
    assert [a.octave_confidence for a in read_answers(table)] == [None]


@pytest.mark.parametrize(
    ("text", "message"),
    [("path\tbpm\n", "no column"), ("", "no column"), ("\0\0", "no column")],
)
def test_a_table_of_another_kind_is_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "t.tsv"
    path.write_text(text)
    with pytest.raises(ConfigError, match=message):
        read_answers(path)
    with pytest.raises(ConfigError, match="cannot be read"):
        read_answers(tmp_path / "none.tsv")


def test_what_is_known_is_not_asked_again(tmp_path: Path) -> None:
    tracks = tracks_in(tmp_path, a=100, b=120)
    first = Known({"a": 100.0, "b": 60.0})
    answers = ask(tmp_path, tracks, first)
    assert [(a.estimate, a.second, a.confidence) for a in answers] == [
        (100, 200, 0.8),
        (60, 120, 0.8),
    ]
    again = Known({"a": 1.0, "b": 2.0})
    assert ask(tmp_path, tracks, again) == answers
    assert again.asked == 0
    other = Known({"a": 1.0, "b": 2.0}, "model:other@11111111")
    assert [a.estimate for a in ask(tmp_path, tracks, again, other)] == [100, 60, 1, 2]
    assert (again.asked, other.asked) == (0, 2)


def test_an_answer_of_an_earlier_version_lacks_the_octave_confidence(tmp_path: Path) -> None:
    tracks = tracks_in(tmp_path, a=100)
    ask(tmp_path, tracks, Known({"a": 100.0}))
    log = tmp_path / answer_log.ANSWER_LOG
    entry = json.loads(log.read_text())
    del entry["octave_confidence"]
    log.write_text(json.dumps(entry) + "\n")
    again = Known({"a": 50.0})
    (answer,) = ask(tmp_path, tracks, again)
    assert (answer.estimate, answer.octave_confidence) == (100, None)
    assert again.asked == 0


def test_a_file_that_changed_is_asked_again_and_so_is_one_that_failed(tmp_path: Path) -> None:
    tracks = tracks_in(tmp_path, a=100, b=120)
    answers = ask(tmp_path, tracks, Known({"a": 100.0}))
    assert answers[1].failure == "no such file"
    (tmp_path / "a").write_text("something else")
    again = Known({"a": 50.0, "b": 120.0})
    assert [a.estimate for a in ask(tmp_path, tracks, again)] == [50, 120]
    assert again.asked == 2


@pytest.mark.parametrize("torn", ['{"key": ["model:kn', "\0\0\0", "[1, 2]\n", '{"key": 5}\n'])
def test_a_torn_log_loses_only_what_was_torn(tmp_path: Path, torn: str) -> None:
    tracks = tracks_in(tmp_path, a=100, b=120)
    ask(tmp_path, tracks[:1], Known({"a": 100.0}))
    with (tmp_path / answer_log.ANSWER_LOG).open("a") as file:
        file.write(torn)
    again = Known({"a": 1.0, "b": 120.0})
    assert [a.estimate for a in ask(tmp_path, tracks, again)] == [100, 120]
    assert again.asked == 1
    assert ask(tmp_path, tracks, Known({})) == ask(tmp_path, tracks, again)


def test_stopping_keeps_what_is_done(tmp_path: Path) -> None:
    tracks = tracks_in(tmp_path, **{f"t{k}": 100.0 + k for k in range(20)})
    known = Known({t.path.name: t.bpm for t in tracks})
    done: list[Answer] = []
    options = asking.AskingOptions(1, lambda: len(done) >= 3)
    asking.ask_all([known], 6, tracks, tmp_path, options, done.append)
    assert 3 <= len(done) < 20
    again = Known(known.answers)
    assert len(ask(tmp_path, tracks, again)) == 20
    assert again.asked == 20 - len(done)


def test_an_error_nobody_expected_costs_one_track(tmp_path: Path) -> None:
    tracks = tracks_in(tmp_path, a=100, b=120)

    class Odd(Known):
        def estimate(self, path: object) -> Estimate:
            if str(path).endswith("a"):
                raise ZeroDivisionError("odd\nthing")
            return super().estimate(path)

    answers = ask(tmp_path, tracks, Odd({"b": 120.0}))
    assert [a.failure for a in answers] == ["ZeroDivisionError: odd thing", ""]


def test_figures_compare_with_the_first(tmp_path: Path) -> None:
    tracks = tracks_in(tmp_path, **{f"t{k}": 100.0 for k in range(30)})
    good = Known({t.path.name: 100.0 for t in tracks}, "model:good@1")
    bad = Known(
        {t.path.name: 100.0 if k % 3 else 77.0 for k, t in enumerate(tracks)}, "model:bad@2"
    )
    figures = figures_of(ask(tmp_path, tracks, good, bad))
    assert figures["good@1"].ahead is None
    assert figures["bad@2"].ahead == pytest.approx(-1 / 3)
    assert figures["bad@2"].ahead_interval is not None
    assert figures["bad@2"].ahead_interval[1] < 0
    rows = text_tables.table(figures)
    assert {len(row) for row in rows} == {len(rows[0])}


def test_saved_figures_hold_no_nan_and_are_read_back(tmp_path: Path) -> None:
    tracks = tracks_in(tmp_path, a=100, b=120)
    answers = ask(tmp_path, tracks, Known({}))
    about = saving.RunInfo("title", "all", "6", "0.1", ("a note",))
    saving.save(tmp_path, about, answers)

    def refuse(name: str) -> None:
        raise AssertionError(name)

    document = json.loads((tmp_path / "figures.json").read_text(), parse_constant=refuse)
    assert document["estimators"]["known@00000000"]["all"]["error_mean"] is None
    assert saving.load(tmp_path) == (about, answers, [])


@pytest.mark.parametrize("content", [None, "", "{}", "[]", '{"layout": 99, "about": {}}'])
def test_a_damaged_evaluation_says_so(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "figures.json").write_text(content)
    with pytest.raises(ConfigError, match=r"no evaluation|is damaged|layout"):
        saving.load(tmp_path)


def test_worst_first_what_no_octave_explains_then_what_is_sure() -> None:
    def wrong(name: str, estimate: float, confidence: float | None) -> Answer:
        return Answer(Path(name), 100.0, estimate=estimate, confidence=confidence)

    answers = [
        wrong("right", 101, 1.0),
        wrong("sure octave", 200, 0.9),
        wrong("octave", 50, 0.3),
        wrong("other", 130, 0.5),
        wrong("silent about it", 135, None),
        Answer(Path("failed"), 100.0, failure="x"),
    ]
    names = [a.path.name for a in worst(answers)]
    assert names == ["other", "silent about it", "sure octave", "octave"]


def test_a_table_is_read_and_its_bad_rows_are_named(tmp_path: Path) -> None:
    table = tmp_path / "mine.tsv"
    table.write_text(
        "path\tbpm\tartist\ttitle\talternatives\n"
        "a.mp3\t120\tA\tT\t60;240\n"
        "b.mp3\tnan\tA\tT\t\n"
        "\n"
        "c.mp3\t-3\t\t\t\n"
        "\t100\t\t\t\n"
        "d.mp3\tfast\t\t\t\n"
        "e.mp3\tinf\t\t\t\n"
        "/abs/f.mp3\t99.5\t\t\t\n"
    )
    tracks, problems = read_source(table)
    assert [(t.path, t.bpm) for t in tracks] == [
        (tmp_path / "a.mp3", 120),
        (Path("/abs/f.mp3"), 99.5),
    ]
    assert (tracks[0].name, tracks[0].group, tracks[0].alternatives) == ("A - T", "A", (60, 240))
    assert [problem.split(": ")[0] for problem in problems] == [
        f"{table}, line {n}" for n in (3, 5, 6, 7, 8)
    ]
    assert "bpm is 'nan'; give a number above 0" in problems[0]


def test_a_folder_without_tables_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no table and no folder of a training set"):
        read_source(tmp_path)
    (tmp_path / "songs.tsv").write_text("something\telse\n1\t2\n")
    with pytest.raises(ConfigError, match="another kind"):
        read_source(tmp_path)


def test_the_split_is_the_most_honest_one_there_is() -> None:
    def track(split: str) -> LabelledRecording:
        return LabelledRecording(Path(split or "none"), 100, split=split)

    every = [track("train"), track("validation"), track("test")]
    assert choose_split(every, None) == ([every[2]], "test")
    assert choose_split(every[:2], None) == ([every[1]], "validation")
    assert choose_split([track("")], None)[1] == "all"
    assert len(choose_split(every, "all")[0]) == 3
    with pytest.raises(ConfigError, match=r"'tset'.*there are: test, train, validation"):
        choose_split(every, "tset")
    with pytest.raises(ConfigError, match="nothing is labelled"):
        choose_split([], None)


def test_a_file_counts_once() -> None:
    tracks = [
        LabelledRecording(Path("a"), 100),
        LabelledRecording(Path("b"), 100),
        LabelledRecording(Path("a"), 50),
    ]
    assert [(t.path.name, t.bpm) for t in unique(tracks)] == [("a", 100), ("b", 100)]


def test_a_model_that_counts_by_genre_is_told_it(tmp_path: Path) -> None:
    """An answer in the log is not taken for that of a track whose genre was changed since."""
    audio = drum_pattern(88, 14, 22050, "rock", np.random.default_rng(0))
    path = write_audio(tmp_path / "a.wav", audio, 22050)
    estimator = Estimator(counting_hip_hop_twice(tmp_path), tasks=["tempo"])

    def answer(genre: str) -> float:
        track = LabelledRecording(path, 88.0, genre=genre)
        options = asking.AskingOptions(1)
        (found,) = asking.ask_all([estimator], 10, [track], tmp_path, options, lambda one: None)
        assert found.estimate is not None
        return found.estimate

    assert answer("rock") == pytest.approx(88, rel=0.01)
    assert answer("Hip-Hop/Rap") == pytest.approx(176, rel=0.01)
    assert answer("") == pytest.approx(88, rel=0.01)
    assert len((tmp_path / answer_log.ANSWER_LOG).read_text().splitlines()) == 3
