"""Tests of the files that a look-up writes: only those asked for, with the labels asked for."""

from __future__ import annotations

from pathlib import Path

import pytest

from tempo_core.errors import LabelError
from tempo_core.labels.lookup import LookedUp
from tempo_core.labels.record import LabelVerdict, Record, Status, TrackQuery
from tempo_core.labels.results import ResultFiles


def labelled(title: str, source: str, verdict: LabelVerdict) -> LookedUp:
    record = Record(
        title, source, Status.FOUND, "", "A", title, "2026", 1,
        bpm=120.0, raw_bpm="120", estimate_bpm=120.0, verdict=verdict,
    )  # fmt: skip
    return LookedUp(TrackQuery(title, ("A",)), (record,), (source,), (), record)


FOUND = [
    labelled("Agrees", "tags", LabelVerdict.AGREE),
    labelled("Unchecked", "tags", LabelVerdict.NO_ESTIMATE),
    labelled("Forbidden", "musicstax", LabelVerdict.AGREE),
    LookedUp(TrackQuery("Unknown", ("A",)), (), (), (), None),
]


def titles(table: Path) -> list[str]:
    return [line.split("\t")[0] for line in table.read_text().splitlines()[1:]]


def test_only_the_files_that_are_wanted_are_written(tmp_path: Path) -> None:
    for report, table in ((None, None), (tmp_path / "r.html", None), (None, tmp_path / "t.tsv")):
        files = ResultFiles(report, table)
        for one in FOUND:
            files.add(one)
        files.write()
        wanted = {path for path in (report, table) if path}
        assert set(tmp_path.iterdir()) == wanted
        for path in wanted:
            assert "Agrees" in path.read_text()
            path.unlink()


@pytest.mark.parametrize(
    ("trainable", "trainable_only", "expected"),
    [
        (["tags"], False, ["Agrees", "Unchecked", "Forbidden", "Unknown"]),
        (["tags"], True, ["Agrees"]),
        (["tags", "musicstax"], True, ["Agrees", "Forbidden"]),
    ],
)
def test_the_table_may_be_of_trainable_labels_only(
    trainable: list[str], trainable_only: bool, expected: list[str], tmp_path: Path
) -> None:
    files = ResultFiles(None, tmp_path / "t.tsv", trainable, trainable_only=trainable_only)
    for one in FOUND:
        files.add(one)
    files.write()
    assert titles(tmp_path / "t.tsv") == expected


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(LabelError, match="cannot be written"):
        ResultFiles(None, tmp_path / "no" / "t.tsv").write()
