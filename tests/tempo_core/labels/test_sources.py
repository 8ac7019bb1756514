"""Tests of each source: its parser on small pages, and the whole look-up over HTTP.

The HTML is trimmed to what public scrapers of these sites rely on (2022 to 2026); the JSON follows
the interfaces' documentation.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tempo_core.errors import ConfigError
from tempo_core.labels.demo_site import API_KEY, CATALOGUE, SERVED_PATHS, TROUBLES, DemoSite, Entry
from tempo_core.labels.http.errors import SourceError
from tempo_core.labels.lookup import look_up
from tempo_core.labels.record import Candidate, Status, parse_bpm, read_tempi
from tempo_core.labels.source import SourceSettings
from tempo_core.labels.sources import ABOUT, make_sources, manners
from tempo_core.labels.sources.deezer import source as deezer
from tempo_core.labels.sources.getsongbpm import source as getsongbpm
from tempo_core.labels.sources.musicstax import source as musicstax
from tempo_core.labels.sources.reccobeats import source as reccobeats
from tempo_core.labels.sources.songbpm import source as songbpm
from tests.rows import mostly_slow

from .conftest import MakeSession, track_of

BASE = "https://site.invalid"
NETWORK = list(SERVED_PATHS)
SONG = Candidate("1", f"{BASE}/track/x/1", "Song", ("Singer",))


def musicstax_page(*facts: tuple[str, str], title: str = "Song", more: str = "") -> str:
    rows = "".join(
        '<div class="song-fact-container big">'
        f'<div class="song-fact-container-title x">{name}</div>'
        f'<div class="y song-fact-container-stat">{value}</div></div>'
        for name, value in facts
    )
    return (
        f'<h1 class="song-title new">{title}</h1><div class="song-artist"><a>Singer</a>, '
        f"<a>Guest</a></div>{rows}{more}"
    )


LENGTH, TEMPO, KEY = ("Length", "3:45"), ("Tempo", "128"), ("Key", "C# Maj")
LOUD, METER = ("Loudness", "-6.1 dB"), ("Time Signature", "4")


@pytest.mark.parametrize(
    ("facts", "bpm", "key", "duration"),
    [
        ((METER, LOUD, KEY, TEMPO, LENGTH), 128, "C# Maj", 225),
        ((KEY, TEMPO), 128, "C# Maj", None),
        ((("TEMPO:", "127.5"),), 127.5, None, None),
        ((("Tempo", "—"), KEY), None, "C# Maj", None),
        ((("Tempo", "0"), ("Length", "?")), None, None, None),
        ((TEMPO, ("Length", "1:02:03")), 128, None, 3723),
    ],
)
def test_musicstax_facts_go_by_their_titles(
    facts: tuple[tuple[str, str], ...], bpm: float | None, key: str | None, duration: float | None
) -> None:
    found = musicstax.parse_track(musicstax_page(*facts), SONG)
    assert parse_bpm(found.raw_bpm) == bpm
    assert (found.raw_key, found.duration) == (key, duration)
    assert (found.title, found.artists, found.complete) == ("Song", ("Singer", "Guest"), True)


def test_musicstax_oldest_layout() -> None:
    more = '<span data-cy="meta-Tempo-value">99</span><span data-cy="meta-Key-value">F min</span>'
    found = musicstax.parse_track(musicstax_page(more=more), SONG)
    assert (found.raw_bpm, found.raw_key) == ("99", "F min")


@pytest.mark.parametrize(
    "page",
    [
        "",
        "<html>",
        "<main>Song 128</main>",
        musicstax_page(KEY, LOUD),
        musicstax_page(TEMPO, title=""),
        '<div class="song-fact-container-title">Tempo</div>',
        "\0\0\0",
        "<" * 5000,
    ],
)
def test_musicstax_another_layout_is_no_missing_song(page: str) -> None:
    with pytest.raises(SourceError, match="another layout") as error:
        musicstax.parse_track(page, SONG)
    assert error.value.status is Status.PARSE_ERROR


CARD = """<div class="song-details search-song-details">
<a data-cy="song-image" class="song-image search-image" href="{href}"><img></a>
<h1 class="song-title"><u>So&amp;ng</u></h1><div class="song-artist">Singer</div></div>"""


@pytest.mark.parametrize(
    "href",
    [
        "/track/song/7qiZfU4dY1lWllzX7mPBI3",
        "https://site.invalid/track/song/7qiZfU4dY1lWllzX7mPBI3?utm=1",
        "https://evil.invalid/track/song/7qiZfU4dY1lWllzX7mPBI3",  # the host is ours to decide
        "//evil.invalid/track/na/7qiZfU4dY1lWllzX7mPBI3/",
    ],
)
def test_musicstax_cards(href: str) -> None:
    (found,) = musicstax.parse_search(CARD.format(href=href), BASE)
    assert (found.title, found.artists, found.complete) == ("So&ng", ("Singer",), False)
    assert found.source_id == "7qiZfU4dY1lWllzX7mPBI3"
    assert found.url.startswith(f"{BASE}/track/")


def test_musicstax_link_beside_the_card() -> None:
    inside = CARD.format(href="x").replace("<a ", "<b ").replace("</a>", "</b>")
    page = f'<div><a href="/track/song/7qiZfU4dY1lWllzX7mPBI3"></a>{inside}</div>'
    assert [c.source_id for c in musicstax.parse_search(page, BASE)] == ["7qiZfU4dY1lWllzX7mPBI3"]


def test_musicstax_nothing_found_and_not_understood_are_two_things() -> None:
    assert musicstax.parse_search('<form><input name="q"></form>No results', BASE) == []
    with pytest.raises(SourceError, match="another layout"):
        musicstax.parse_search("<html><body>Welcome</body></html>", BASE)
    assert len(musicstax.parse_search(CARD.format(href="/track/s/1234567890") * 500, BASE)) == 20


def test_songbpm_nothing_found_and_not_understood_are_two_things() -> None:
    assert songbpm.parse_results("<form></form>Nothing", BASE) == []
    for page in ("", "<form></form><div class='bg-card'>new</div>", "<p>hello</p>"):
        with pytest.raises(SourceError, match="another layout"):
            songbpm.parse_results(page, BASE)


GETSONG: dict[str, Any] = {
    "id": "o2r0L", "title": "Song", "uri": "https://getsongbpm.com/song/song/o2r0L", "tempo": "220",
    "time_sig": "4/4", "key_of": "C♯m", "open_key": "5m", "artist": {"id": "x", "name": "Singer"},
    "album": {"title": "Album", "year": "1984"},
}  # fmt: skip


def test_getsongbpm_odd_answers() -> None:
    bad = {**GETSONG, "uri": "javascript:alert(1)", "artist": None, "tempo": None, "album": []}
    (found,) = getsongbpm.parse_search(json.dumps({"search": [bad, "stray"]}))
    assert (found.url, found.artists, found.raw_bpm) == ("", ("",), None)
    for text in ('{"error": "Invalid\\u001b[2J key"}', "[]", "", "{", "[" * 100_000, "null"):
        with pytest.raises(SourceError) as error:
            getsongbpm.parse_search(text)
        assert error.value.status is Status.PARSE_ERROR
        assert str(error.value).isprintable()


DEEZER: dict[str, Any] = {
    "id": 3135556, "title": "Song", "title_short": "Song", "title_version": "(Live)",
    "isrc": "GBDUW0000059", "duration": 225, "bpm": 123.4, "artist": {"name": "Singer"},
    "contributors": [{"name": "Singer"}, {"name": "Guest"}], "album": {"title": "Album"},
}  # fmt: skip


def test_deezer_answers() -> None:
    found = deezer.parse_track(json.dumps(DEEZER), SONG)
    assert (found.raw_bpm, found.raw_key, found.duration) == ("123.4", None, 225)
    assert (found.title, found.artists) == ("Song (Live)", ("Singer", "Guest"))
    (hit,) = deezer.parse_search(json.dumps({"data": [DEEZER, {}, {"id": "../../x"}]}), BASE)
    assert (hit.raw_bpm, hit.url, hit.complete) == (None, f"{BASE}/track/3135556", False)
    assert parse_bpm(deezer.parse_track(json.dumps({**DEEZER, "bpm": 0}), SONG).raw_bpm) is None


@pytest.mark.parametrize(
    ("code", "status"),
    [(4, Status.RETRYABLE), (800, Status.NOT_FOUND), (300, Status.PARSE_ERROR)],
)
def test_deezer_errors_come_as_answers(code: int, status: Status) -> None:
    text = json.dumps({"error": {"type": "X", "message": "no data", "code": code}})
    with pytest.raises(SourceError, match="no data") as error:
        deezer.parse_track(text, SONG)
    assert error.value.status is status
    if code == 800:
        assert deezer.parse_isrc(text, BASE) == []


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"data": 5}', '{"data": "x"}', "<html>"])
def test_deezer_something_else(text: str) -> None:
    with pytest.raises(SourceError) as error:
        deezer.parse_search(text, BASE)
    assert error.value.status is Status.PARSE_ERROR


def recco(code: str, **more: Any) -> dict[str, Any]:
    return {
        "id": f"{code}-1", "trackTitle": "Song", "artists": [{"name": "Singer"}],
        "durationMs": 225_000, "isrc": f"ISRC{code}",
        "href": f"https://open.spotify.com/track/{code}", **more,
    }  # fmt: skip


def test_reccobeats_lacks_what_was_asked_for() -> None:
    tracks = json.dumps({"content": [recco("stray"), recco("wanted")]})
    (found,) = reccobeats.parse_tracks(tracks, "wanted", BASE)
    assert reccobeats.parse_tracks(tracks, "missing", BASE) == []
    unknown = json.dumps({"content": [recco("wanted", tempo=128, key=-1, mode=1)]})
    assert reccobeats.parse_features(unknown, found).raw_key is None
    missing = reccobeats.parse_features('{"content": []}', SONG)
    assert (missing.raw_bpm, missing.complete) == (None, True)
    with pytest.raises(SourceError):
        reccobeats.parse_features("[]", SONG)


@pytest.mark.parametrize(
    ("text", "bpm"),
    [
        ("128", 128), ("127,98", 127.98), ("128 BPM", 128), ("99.5bpm", 99.5), (" 60 ", 60),
        ("0", None), ("", None), (None, None), ("—", None), ("12593", None), ("1e2", None),
        ("-128", None), ("C# Maj", None), ("19", None), ("401", None), ("nan", None),
        ("120 or 60", None),
    ],
)  # fmt: skip
def test_published_tempi(text: str | None, bpm: float | None) -> None:
    assert parse_bpm(text) == bpm


@pytest.mark.parametrize(
    ("text", "tempi"),
    [
        ("~124", [124]), ("ca. 124 bpm", [124]), ("BPM: 124,5", [124.5]), ("124bpm", [124]),
        ("086.01", [86.01]), ("124.0-126.0", [125]), ("124\u2013126", [125]), ("124 to 126", [125]),
        ("124..126", [125]), ("124/62", [124, 62]), ("62 / 124 BPM", [62, 124]),
        ("124; 62", [124, 62]), ("124 (62)", [124, 62]), ("87-174", [87, 174]), ("0; 128", [128]),
        ("0/128", [128]), ("127; 127.98", [127.98]), ("127.98; 128", [127.98]),
        ("124, 126", [124]), ("90-140", [90, 140]), ("0; 0", []), ("124.5.3", []), ("128 (8A)", []),
        ("1-" * 40, []), ("9" * 5000, []), ("128 " * 5000, []),
    ],
)  # fmt: skip
def test_a_tempo_can_have_several_readings(text: str, tempi: list[float]) -> None:
    assert list(read_tempi(text)) == tempi


@pytest.mark.parametrize(
    ("text", "estimate", "bpm"),
    [
        ("124/62", None, 124), ("124/62", 61.0, 62), ("124/62", 250.0, 124), ("62; 124", 123, 124),
        ("90-140", None, None), ("90-140", 140.0, None), ("124/62/100", 124, None),
    ],
)  # fmt: skip
def test_readings_that_count_one_tempo_differently_are_all_meant(
    text: str, estimate: float | None, bpm: float | None
) -> None:
    assert parse_bpm(text, estimate) == bpm


Ask = Callable[..., Any]


@pytest.fixture
def ask(site: DemoSite, make_session: MakeSession) -> Ask:
    """Function that asks a source of the demo site about an entry over HTTP."""
    settings = SourceSettings(site.urls, {"getsongbpm_key": API_KEY})

    def ask(name: str, entry: Entry, **changes: Any) -> Any:
        session = make_session(robots=ABOUT[name].robots, cache=None)
        (source,) = make_sources([name], settings, session)
        if name == "reccobeats":
            changes.setdefault("spotify_id", entry.id)
        return look_up(track_of(entry, **changes), source)

    return ask


@pytest.mark.parametrize("name", NETWORK)
@pytest.mark.parametrize("layout", ["2022", "2024"])
def test_every_source_finds_its_song_among_the_decoys(
    name: str, layout: str, site: DemoSite, ask: Ask
) -> None:
    entry = Entry("Signal Fire", "The Lintels", 151, "F# Minor", "Fences", 222, layout=layout)
    from tempo_core.labels.demo_site import decoys

    site.entries += [*decoys(entry), entry]
    record = ask(name, entry)
    assert (record.status, record.bpm) == (Status.FOUND, 151), record.message
    assert record.key == (None if name == "deezer" else "F#m")
    assert record.match_title == "Signal Fire"
    assert record.url.startswith("http")
    assert record.raw_bpm in ("151", "151 BPM")


@pytest.mark.parametrize("name", NETWORK)
def test_what_is_not_there_is_not_found(name: str, ask: Ask, site: DemoSite) -> None:
    record = ask(name, Entry("Nobody Knows This", "Nobody", 100))
    assert record.status is Status.NOT_FOUND
    assert record.bpm is None


@pytest.mark.parametrize("name", NETWORK)
def test_only_another_version_is_there(name: str, ask: Ask, site: DemoSite) -> None:
    site.entries[:] = [e for e in site.entries if e.title != "Mezzanine"]
    record = ask(name, CATALOGUE[0])
    assert record.status is Status.NOT_FOUND
    if name != "reccobeats":  # which is asked by id
        assert "version" in record.message


TROUBLED = {
    "flaky": Status.FOUND,
    "busy": Status.FOUND,
    "down": Status.RETRYABLE,
    "missing": Status.NOT_FOUND,
    "redesigned": Status.PARSE_ERROR,
    "huge": Status.PARSE_ERROR,
    "binary": Status.PARSE_ERROR,
    "truncated": Status.RETRYABLE,
    "elsewhere": Status.PARSE_ERROR,
    "loop": Status.PARSE_ERROR,
    "nested": Status.PARSE_ERROR,
}
FINAL = {"patient": Status.RETRYABLE, "blocked": Status.BLOCKED, "challenge": Status.BLOCKED}


@pytest.mark.parametrize("trouble", TROUBLED)
@mostly_slow("name", ["musicstax", "songbpm"], quick=1)
def test_trouble_has_a_status(name: str, trouble: str, ask: Ask, site: DemoSite) -> None:
    entry = Entry("Signal Fire", "The Lintels", 151, trouble=trouble)
    site.entries.append(entry)
    record = ask(name, entry)
    assert record.status is TROUBLED[trouble]
    assert bool(record.message) == (record.status is not Status.FOUND)


@pytest.mark.parametrize("trouble", FINAL)
@pytest.mark.parametrize("name", ["musicstax", "songbpm"])
def test_trouble_that_ends_the_asking(name: str, trouble: str, ask: Ask, site: DemoSite) -> None:
    entry = Entry("Signal Fire", "The Lintels", 151, trouble=trouble)
    site.entries.append(entry)
    with pytest.raises(SourceError) as error:
        ask(name, entry)
    assert (error.value.status, error.value.final) == (FINAL[trouble], True)
    assert {*TROUBLED, *FINAL} == set(TROUBLES)


def test_deezer_finds_the_tempo_on_a_sibling_page(site: DemoSite, ask: Ask) -> None:
    known = Entry("Signal Fire", "The Lintels", 151, album="Fences", duration=222)
    for album in ("Best Of", "Fences (Deluxe)"):
        site.entries.append(Entry("Signal Fire", "The Lintels", 0, album=album, duration=222))
    assert ask("deezer", known).status is Status.NOT_FOUND
    site.entries.append(known)
    assert ask("deezer", known).bpm == 151


def test_deezer_goes_by_isrc_first(site: DemoSite, ask: Ask) -> None:
    entry = Entry("Zankyo", "Masaru Yokoyama", 151, duration=222, isrc="JPABC1234567")
    site.entries.append(entry)
    record = ask("deezer", entry, title="残響", artists=("横山克",))
    assert (record.status, record.bpm) == (Status.FOUND, 151)
    assert record.scores["isrc"] == 100
    assert site.paths() == ["/deezer/track/isrc:JPABC1234567"]


def test_the_key_travels_in_a_header_and_a_wrong_one_is_said(
    site: DemoSite, make_session: MakeSession
) -> None:
    session = make_session(robots=False, cache=None)
    (source,) = make_sources(
        ["getsongbpm"], SourceSettings(site.urls, {"getsongbpm_key": "secret"}), session
    )
    with pytest.raises(SourceError, match="another key") as error:
        look_up(track_of(CATALOGUE[0]), source)
    assert error.value.final
    assert all("secret" not in hit.path for hit in site.hits)
    with pytest.raises(ConfigError, match="needs a key"):
        make_sources(["getsongbpm"], SourceSettings(site.urls), session)


def test_settings_that_make_no_sense(make_session: MakeSession, tmp_path: Path) -> None:
    session = make_session()
    with pytest.raises(ConfigError, match="no source 'spotify'; there are acousticbrainz, "):
        make_sources(["spotify"], SourceSettings({}), session)
    with pytest.raises(ConfigError, match="address of musicstax"):
        manners(["musicstax"], SourceSettings({"musicstax": "musicstax.com"}), 2)
    for name in ("acousticbrainz", "tsv"):
        with pytest.raises(ConfigError, match=f"{name} needs"):
            make_sources([name], SourceSettings({}), session)


def test_documented_interfaces_are_no_crawl() -> None:
    hosts = manners(NETWORK, SourceSettings({}), 2.0)
    assert hosts["https://musicstax.com"].robots
    assert hosts["https://songbpm.com"].robots
    assert not hosts["https://api.deezer.com"].robots
    assert len(hosts) == len(NETWORK)
    # Where both share a host, the stricter rule holds.
    shared = SourceSettings({"deezer": "http://127.0.0.1/d", "musicstax": "http://127.0.0.1/m"})
    assert manners(["musicstax", "deezer"], shared, 2.0)["http://127.0.0.1"].robots


def test_local_sources_use_no_network() -> None:
    local = [name for name, about in ABOUT.items() if not about.url]
    assert {"acousticbrainz", "tags", "tsv"} <= set(local)
    assert manners(local, SourceSettings({}), 2.0) == {}
