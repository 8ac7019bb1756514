"""Tests of the `pace:` query: SQL and Python agree, and SQL is fast."""

from __future__ import annotations

import time

import pytest
from beets.dbcore.query import AndQuery, NotQuery, SubstringQuery
from beets.library import Item, Library
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from beetsplug.tempo.queries import PaceQuery

from .conftest import Beet


def add(
    library: Library, title: str, bpm: int = 0, paces: str | None = None, **fields: object
) -> Item:
    item = Item(title=title, path=f"/{title}.mp3".encode(), bpm=bpm, **fields)
    if paces is not None:
        item.tempo_paces = paces
    library.add(item)
    return item


@pytest.fixture
def library(beet: Beet) -> Library:
    beet.load()
    return beet.library


def test_octaves_that_are_unsure_are_found(library: Library) -> None:
    for title, value in (("sure", 0.97), ("unsure", 0.55), ("even", 0.6), ("never heard", None)):
        add(library, title, **({} if value is None else {"tempo_octave_confidence": value}))
    assert titles(library, "tempo_octave_confidence:..0.6") == "even unsure"
    assert titles(library, "tempo_octave_confidence:0.9..") == "sure"


def test_stability_is_a_number(library: Library) -> None:
    for title, value in (("steady", 0.995), ("live", 0.9), ("changing", 0.6), ("short", None)):
        add(library, title, **({} if value is None else {"tempo_stability": value}))
    assert titles(library, "tempo_stability:0.9..") == "live steady"
    assert titles(library, "tempo_stability:..0.8") == "changing"


def test_a_tempo_that_changes_has_a_range(library: Library) -> None:
    add(library, "medley", tempo_range="96.0-128.0")
    add(library, "steady")
    assert titles(library, "tempo_range::.") == "medley"
    assert titles(library, "^tempo_range::.") == "steady"


def titles(library: Library, query: str) -> str:
    return " ".join(sorted(item.title for item in library.items(query)))


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("pace:170..180", "double exact half_unknown"),
        ("pace:170", "double exact"),
        ("pace:85", "double"),
        ("pace:86", "half_unknown"),
        ("pace:..70", "double"),
        ("pace:344..", "half_unknown"),
        ("pace:170.01..180.5", "half_unknown"),
        ("pace:169.9..170.1", "double exact"),
        ("pace:..", "double exact half_unknown unlikely"),
        ("pace:", "double exact half_unknown unlikely"),
        ("^pace:170..180", "missing unlikely"),
        ("bpm:1.. ^pace:170", "half_unknown unlikely"),
        ("pace:180..170", ""),
        ("pace:170..180@0.4", "double exact half_unknown unlikely"),
        ("pace:170..180@0.97", "exact half_unknown"),
        ("pace:170@1", "exact"),
        ("pace:..70@0.5", "double"),
        ("pace:86@0.75", "half_unknown"),
        ("pace:86@0.76", ""),
        ("^pace:170..180@0.97", "double missing unlikely"),
        ("pace:@0.97", "double exact half_unknown unlikely"),
    ],
)
def test_pace_finds(query: str, expected: str, library: Library) -> None:
    add(library, "exact", 170, "169.98:0.97 85:0.31")
    add(library, "double", 85, "85:0.98 170:0.91 56.7:0.9")
    add(library, "unlikely", 120, "120:0.97 172:0.74")
    add(library, "half_unknown", 172)  # never analysed: half and double are good guesses
    add(library, "missing")
    assert titles(library, query) == expected


def test_whole_numbers_mean_what_rounds_to_them(library: Library) -> None:
    """A whole number matches all tempi that round to it, as in a query of `bpm`."""
    add(library, "below", 1, "169.49:1.00")
    add(library, "low", 1, "169.5:1.00")
    add(library, "high", 1, "180.49:1.00")
    add(library, "above", 1, "180.5:1.00")
    assert titles(library, "pace:170..180") == "high low"
    assert titles(library, "pace:170.0..180.0") == ""


UNREADABLE = (
    "", "fast", "128 x", "128:", ":0.9", "128:0.9;64:0.8", "128:x", "'", '"', "128:true",
    '128:"a"', "128:nan", "1.28e2:0.9", "128:0.9:1", "128:[1]", "128:-1", "128:00.9",
)  # fmt: skip


def test_unreadable_paces_are_no_candidates(library: Library) -> None:
    for number, text in enumerate(UNREADABLE):
        add(library, str(number), 100, text)
    query = PaceQuery("pace", "128@0")
    assert not [UNREADABLE[int(item.title)] for item in library.items() if query.match(item)]
    assert titles(library, "pace:128@0") == ""
    assert len(library.items("pace:100")) == len(UNREADABLE)
    assert len(library.items("pace:50")) == 0


def test_the_albums_paces_are_not_its_tracks(library: Library) -> None:
    item = add(library, "song", 100)
    album = library.add_album([item])
    album["tempo_paces"] = "170:0.99"
    album.store(inherit=False)
    query = PaceQuery("pace", "170")
    assert not query.match(library.items("title:song").get())
    assert titles(library, "pace:170") == ""


@pytest.mark.parametrize(
    "pattern",
    [
        "abc", "170..x", "1..2..3", "nan", "inf", "..inf",
        "170@", "170@x", "170@1.1", "170@-0.1", "170@nan", "1@0.5@0.6",
    ],
)  # fmt: skip
def test_nonsense_is_a_one_line_error(pattern: str, beet: Beet) -> None:
    run = beet("ls", f"pace:{pattern}")
    assert run.code == 1
    assert run.err.startswith(f"invalid query: 'pace:{pattern}'")
    assert run.err.count("\n") == 1


def test_albums_match_with_any_of_their_tracks(beet: Beet, library: Library) -> None:
    library.add_album([add(library, "a", 100, "100:0.9", album="slow")])
    library.add_album(
        [
            add(library, title, bpm, f"{bpm}:0.9", album="both")
            for title, bpm in (("b", 100), ("c", 170))
        ]
    )
    assert beet("ls", "-af", "$album", "pace:170").out == "both\n"
    assert beet("ls", "-af", "$album", "^pace:170").out == "slow\n"
    # A flexible field in the same query makes beets match in Python.
    assert beet("ls", "-af", "$album", "pace:170", "^mood:happy").out == "both\n"


def test_sorting_works_beside_it(library: Library) -> None:
    for title, bpm in (("b", 172), ("a", 170), ("c", 60)):
        add(library, title, bpm)
    assert [item.title for item in library.items("pace:170..180 bpm+")] == ["a", "b"]
    assert [item.title for item in library.items("pace:170..180 bpm-")] == ["b", "a"]
    assert len(library.items("pace:170..180 pace+")) == 2


tempi = st.one_of(st.integers(20, 330), st.floats(20, 330).map(lambda x: round(x, 1)))
candidates = st.lists(
    st.tuples(tempi, st.sampled_from([0.0, 0.5, 0.89, 0.9, 0.91, 1.0])), max_size=5
)
# What a person states, and what looks nearly like it.
stated = st.lists(
    st.integers(35, 330).map(str) | st.sampled_from(["87.5", "x", "null", '"', "087", "1e2"]),
    max_size=3,
).map(" ".join)
bounds = st.one_of(st.none(), st.integers(0, 340), st.floats(0, 340).map(lambda x: round(x, 2)))


@given(
    rows=st.lists(
        st.tuples(st.integers(0, 320), st.none() | candidates | stated, st.none() | stated),
        min_size=1,
        max_size=8,
    ),
    low=bounds,
    high=bounds,
    least=st.sampled_from(["", "@0", "@0.5", "@0.75", "@0.76", "@1"]),
)
@example(rows=[(0, None, "1e2")], low=None, high=None, least="")  # a number of JSON's
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_sql_and_python_agree(
    library: Library,
    rows: list[tuple[int, list[tuple[float, float]] | str | None, str | None]],
    low: float | None,
    high: float | None,
    least: str,
) -> None:
    with library.transaction() as tx:
        tx.mutate("DELETE FROM items")
        tx.mutate("DELETE FROM item_attributes")
        for number, (bpm, paces, manual) in enumerate(rows):
            if isinstance(paces, list):
                paces = " ".join(f"{p:g}:{q:.2f}" for p, q in paces)
            more = {} if manual is None else {"tempo_paces_manual": manual}
            add(library, str(number), bpm, paces, **more)
    pattern = f"{'' if low is None else low}..{'' if high is None else high}{least}"
    fast = PaceQuery("pace", pattern)
    slow = AndQuery([fast, NotQuery(SubstringQuery("mood", "x", fast=False))])
    assert slow.clause()[0] is None
    for query in (fast, NotQuery(fast)):
        expected = [item.title for item in library.items() if query.match(item)]
        assert [item.title for item in library.items(query)] == expected
    assert [i.title for i in library.items(slow)] == [i.title for i in library.items(fast)]


@pytest.mark.slow
def test_a_large_library_is_searched_at_the_speed_of_a_column(library: Library) -> None:
    n = 20_000
    with library.transaction() as tx:
        tx.mutate(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?) "
            "INSERT INTO items (id, title, path, bpm) "
            "SELECT i, 'title ' || i, CAST('/' || i || '.mp3' AS BLOB), 60 + i % 140 FROM n",
            (n,),
        )
        tx.mutate(
            "INSERT INTO item_attributes (entity_id, key, value) SELECT id, 'tempo_paces', "
            "bpm || ':0.97 ' || bpm / 2.0 || ':0.91 ' || bpm * 2 || ':0.20 ' || bpm * 3 || ':0.04 '"
            "|| bpm * 1.5 || ':0.03 ' || bpm * 0.66 || ':0.02 ' || bpm * 0.33 || ':0.01' FROM items"
        )

    def seconds(query: str) -> float:
        start = time.perf_counter()
        found = list(library.items(query))
        assert 0 < len(found) < n / 5
        return time.perf_counter() - start

    pace = min(seconds("pace:170..171") for _ in range(3))
    assert pace < 1, f"pace: took {pace:.2f} s, bpm: {seconds('bpm:170..171'):.2f} s"
