"""Sites that send what they should not: rows with an error or right results, in little memory."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tempo_core.remote import web
from tests.audio import click_track, write_audio

from . import hostile
from .conftest import Row, Storages, estimated, run, some, without_path
from .servers import Answer, Content, Exchange, Site, asked_range

LATE = 4.0  # [s] two on a machine that has nothing else to do
Hostile = Callable[[bytes], Answer]


def wide(answer: Answer) -> Hostile:
    """An answer that does not depend on the content."""
    return lambda data: answer


def later(bad: Callable[[bytes], Answer], n: int = 2) -> Hostile:
    """Answers that are right at first."""
    return lambda data: hostile.in_turn(*[Content(data)] * n, bad(data))


def first_only(bad: Callable[[bytes], Answer]) -> Hostile:
    """A wrong answer, and right ones from then on."""
    return lambda data: hostile.in_turn(bad(data), Content(data))


def later_place(data: bytes) -> Answer:
    """Ranges that begin a little later than asked for, and that say so."""

    def answer(exchange: Exchange) -> None:
        span = asked_range(exchange.asked.headers, len(data)) or range(len(data))
        begin = span.start + 6 if span.start else 0
        place = f"bytes {begin}-{span.stop - 1}/{len(data)}"
        exchange.answer(206, data[begin : span.stop], Content_Range=place, ETag='"1"')

    return answer


def without_length(data: bytes) -> Answer:
    return hostile.part(data, stated="{first}-{last}/*")


ROWS_WITH_AN_ERROR: dict[str, Hostile] = {
    "nothing": wide(hostile.status(200)),
    "no content": wide(hostile.status(204)),
    "a page": lambda data: Content(b"<html><title>Sign in</title>" + b"x" * 5000 + b"</html>"),
    "a status of its own": wide(hostile.status(299)),
    "a redirect without target": wide(hostile.status(302)),
    "a choice": wide(hostile.status(300)),
    "not modified": wide(hostile.status(304)),
    "not modified and more": wide(hostile.with_more_behind(hostile.status(304))),
    "missing and more": wide(hostile.with_more_behind(hostile.status(404))),
    "another place": lambda data: hostile.part(data, stated="7-{last}/{length}"),
    "a later place": lambda data: later_place(data),
    "cut off without length": lambda data: hostile.part(data, cut=1000, length=None),
    "another end": lambda data: hostile.part(data, stated="{first}-999999999/{length}"),
    "no place": lambda data: hostile.part(data, stated=""),
    "a wrong unit": lambda data: hostile.part(data, stated="frames 0-9/10"),
    "a negative place": lambda data: hostile.part(data, stated="-5-{last}/{length}"),
    "a range that ends before it begins": lambda data: hostile.part(data, stated="9-3/{length}"),
    "more than there is": lambda data: hostile.part(data, stated="{first}-{last}/1"),
    "a huge number": lambda data: hostile.part(data, stated="{first}-{last}/" + "9" * 5000),
    "digits of another script": lambda data: hostile.part(data, stated="{first}-{last}/٣٣٣"),
    "cut off": lambda data: hostile.part(data, cut=1000),
    "nothing of what is promised": lambda data: hostile.part(data, cut=0),
    "another length later": later(lambda data: hostile.part(data, stated="{first}-{last}/9999999")),
    "a shorter one later": later(lambda data: Content(data[: len(data) // 2])),
    "another tag later": lambda data: hostile.changed(Content(data), 2, etag='"2"'),
    "another date later": lambda data: hostile.changed(
        Content(data, None), 2, modified="Sun, 29 Nov 2026 10:00:00 GMT"
    ),
    "another content later": lambda data: hostile.changed(
        Content(data), 2, data=bytes(len(data)), etag='"2"'
    ),
    "gone later": later(wide(hostile.status(404))),
    "forbidden later": later(wide(hostile.status(403))),
    "out of range later": later(wide(hostile.status(416, Content_Range="bytes */7"))),
    "broken later": later(wide(hostile.broken)),
    "another whole file later": later(lambda data: hostile.whole(data[::-1], '"2"')),
    "a page later": later(wide(Content(b"<html>sign in</html>"))),
    "a redirect away later": later(wide(hostile.redirect("http://127.0.0.1:9/x"))),
    "heads without end": wide(lambda exchange: endless_heads(exchange)),
    "a line without end": wide(lambda exchange: endless_line(exchange)),
}
RIGHT_RESULTS: dict[str, Hostile] = {
    "the whole": hostile.whole,
    "the whole without length": hostile.whole_without_length,
    "the whole in chunks": hostile.chunked,
    "no tag and no date": lambda data: Content(data, None, None),
    "a weak tag": lambda data: Content(data, 'W/"1"'),
    "cut off once": first_only(lambda data: hostile.part(data, cut=1000)),
    "broken once": first_only(wide(hostile.broken)),
    "more behind it once": first_only(lambda data: hostile.with_more_behind(Content(data))),
    "more behind it": lambda data: hostile.with_more_behind(Content(data)),
    "no tag later": lambda data: hostile.part(data, etag=None),
}
EITHER: dict[str, Hostile] = {
    "compressed": hostile.gzipped,
    "the length unknown": without_length,
    "more than asked for": hostile.longer,
    "the whole later": later(hostile.whole),
    "the whole in chunks later": later(hostile.chunked),
    "the whole first": first_only(hostile.whole),
    "refused ranges": wide(hostile.status(416)),
    "tags come and go": lambda data: hostile.in_turn(
        Content(data), Content(data, None), Content(data)
    ),
    "a tag with quotes and lines": lambda data: Content(data, '"a\x01\x02"'),
    "several parts": lambda data: hostile.part(data, stated="0-1/2, 3-4/5"),
}  # fmt: skip


def endless_heads(exchange: Exchange) -> None:
    exchange.wfile.write(b"HTTP/1.1 206 Partial Content\r\n")
    while True:
        exchange.wfile.write(b"X-More: more\r\n" * 1000)


def endless_line(exchange: Exchange) -> None:
    exchange.wfile.write(b"HTTP/1.1 206 Partial Content\r\nX-Long: ")
    while True:
        exchange.wfile.write(b"x" * 65536)


def asked(answer: Hostile, site: Site, storages: Storages) -> tuple[Row, Row]:
    """What is estimated of a hostile answer, and of a good file after it in the same run."""
    site.answers["/a.wav"] = answer(site.files["/long.wav"])
    places = (f"{site.url}/a.wav", f"{site.url}/short.flac")
    bad, good = estimated(*places, "--windows", 2, "--jobs", 1, "--storages", storages(http=[site]))
    assert good["error"] == ""
    assert len(site.asked("/a.wav")) < 40
    return bad, good


@pytest.mark.parametrize("name", some(
    ROWS_WITH_AN_ERROR, "a later place", "cut off", "cut off without length",
    "another length later", "a huge number", "another whole file later", "gone later",
    "heads without end", "not modified", "not modified and more",
))  # fmt: skip
def test_rows_with_an_error(name: str, site: Site, storages: Storages) -> None:
    row, _ = asked(ROWS_WITH_AN_ERROR[name], site, storages)
    assert row["error"]
    assert row["bpm"] == ""
    assert len(row["error"]) < 300
    assert "HTTPConnectionPool" not in row["error"]
    assert "0x" not in row["error"]


@pytest.mark.parametrize(
    "name", some(RIGHT_RESULTS, "the whole in chunks", "cut off once", "more behind it once")
)
def test_right_results(
    name: str, site: Site, storages: Storages, local_rows: dict[str, Row]
) -> None:
    row, _ = asked(RIGHT_RESULTS[name], site, storages)
    assert without_path(row) == local_rows["long"]


@pytest.mark.parametrize("name", some(EITHER, "compressed", "more than asked for"))
def test_no_wrong_results(
    name: str, site: Site, storages: Storages, local_rows: dict[str, Row]
) -> None:
    row, _ = asked(EITHER[name], site, storages)
    if not row["error"]:
        assert without_path(row) == local_rows["long"]
    if name == "compressed":
        assert "compressed" in row["error"]


@pytest.mark.parametrize("name", [
    "another tag later", "another date later", "another length later", "a shorter one later",
    "another whole file later",
])  # fmt: skip
def test_a_file_that_changes_is_told_so(name: str, site: Site, storages: Storages) -> None:
    row, _ = asked(ROWS_WITH_AN_ERROR[name], site, storages)
    assert "changed while it was read" in row["error"]


def test_an_obedient_site_says_that_a_file_has_changed(site: Site, storages: Storages) -> None:
    """By what RFC 9110 has for it (If-Match, If-Range), if it is asked that way."""
    data = site.files["/long.wav"]
    site.answers["/a.wav"] = hostile.changed(
        Content(data), 2, data=data[::-1], etag='"2"', modified="Sun, 29 Nov 2026 10:00:00 GMT"
    )
    row = estimated(f"{site.url}/a.wav", "--storages", storages(http=[site]))[0]
    assert "changed while it was read" in row["error"]


@pytest.mark.slow
@pytest.mark.parametrize(
    "kind", some(["silent", "dripping", "silent later", "silent robots"], "silent later")
)
def test_a_time_limit_ends_a_read(kind: str, site: Site, storages: Storages) -> None:
    data = site.files["/long.wav"]
    silent = hostile.delayed(60, hostile.status(200))
    answers: dict[str, Answer] = {
        "silent": silent, "dripping": hostile.dripping(data, 0.1),
        "silent later": hostile.in_turn(Content(data), Content(data), silent),
        "silent robots": Content(data),
    }  # fmt: skip
    site.answers["/a.wav"] = answers[kind]
    if kind == "silent robots":
        site.answers["/robots.txt"] = silent
    path = storages(http=[{"site": site.url, "robots": kind == "silent robots"}])
    start = time.monotonic()
    (row,) = estimated(f"{site.url}/a.wav", "--time-limit", 1, "--storages", path)
    assert time.monotonic() - start < 1 + LATE
    assert row["error"].startswith("given up after 1 s")


@pytest.mark.slow
def test_a_time_limit_ends_a_wait(site: Site, storages: Storages) -> None:
    site.answers["/a.wav"] = hostile.status(503, Retry_After="30")
    start = time.monotonic()
    estimated(f"{site.url}/a.wav", "--time-limit", 1, "--storages", storages(http=[site]))
    assert time.monotonic() - start < 1 + LATE


@pytest.mark.slow
def test_a_silent_site_is_given_up(
    site: Site, storages: Storages, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a limit of time too: not a byte has come for half a minute, three times."""
    assert web.NO_BYTE_FOR <= 30
    monkeypatch.setattr(web, "NO_BYTE_FOR", 2.0)
    site.answers["/a.wav"] = hostile.delayed(600, hostile.status(200))
    start = time.monotonic()
    (row,) = estimated(
        f"{site.url}/a.wav", "--time-limit", 1000, "--storages", storages(http=[site])
    )
    assert row["error"]
    assert 6 < time.monotonic() - start < 30


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["silent", "dripping", "waiting", "endless", "robots"])
def test_ctrl_c_ends_a_read(kind: str, site: Site, storages: Storages) -> None:
    data = site.files["/long.wav"]
    silent = hostile.delayed(60, hostile.status(200))
    answers: dict[str, Answer] = {
        "silent": silent, "dripping": hostile.dripping(data, 0.05),
        "waiting": hostile.status(503, Retry_After="60"), "endless": hostile.endless(),
        "robots": Content(data),
    }  # fmt: skip
    site.answers["/a.wav"] = answers[kind]
    if kind == "robots":
        site.answers["/robots.txt"] = silent
    path = storages(http=[{"site": site.url, "robots": kind == "robots"}])
    process = subprocess.Popen(
        [sys.executable, "-m", "tempo_core.cli", "estimate", f"{site.url}/a.wav",
         "--storages", path],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    end = time.monotonic() + 60
    while not site.requests:
        assert time.monotonic() < end
        time.sleep(0.02)
    time.sleep(0.5)
    start = time.monotonic()
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert time.monotonic() - start < LATE
    assert process.returncode == 1
    assert "interrupted" in errors
    assert "Traceback" not in errors


ENDLESS: dict[str, Answer] = {
    "a whole": hostile.endless(),
    "a whole with audio": hostile.endless(begin=b"fLaC\0\0\0\x22" + bytes(34)),
    "a part": hostile.endless(206, Content_Range="bytes 0-65535/70000000000"),
    "a failure": hostile.endless(500),
    "a refusal": hostile.endless(404),
    "a redirect": hostile.endless(302, Location="/short.flac"),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", ENDLESS)
def test_endless_bodies_take_no_memory(
    name: str, site: Site, storages: Storages, tmp_path: Path
) -> None:
    """Nor more of the disk than a file may have, which is left empty."""
    site.answers["/a.wav"] = ENDLESS[name]
    room = tmp_path / "room"
    room.mkdir()
    peaks = []
    for place in (f"{site.url}/short.flac", f"{site.url}/a.wav"):
        child = subprocess.Popen(
            [sys.executable, "-m", "tempo_core.cli", "estimate", "--tasks", "tempo", place,
             "--time-limit", "8", "--format", "tsv", "--storages", storages(http=[site])],
            stdout=subprocess.DEVNULL, env=os.environ | {"TMPDIR": str(room)},
        )  # fmt: skip
        _, _, usage = os.wait4(child.pid, 0)
        child.returncode = 0
        peaks.append(usage.ru_maxrss / 1024)
        assert list(room.iterdir()) == []
    assert peaks[1] < peaks[0] + 100


@pytest.mark.parametrize(
    "name", some(["a failure", "a refusal", "a redirect", "a part"], "a refusal")
)
def test_endless_answers_are_left(name: str, site: Site, storages: Storages) -> None:
    site.answers["/a.wav"] = ENDLESS[name]
    row = estimated(
        f"{site.url}/a.wav", "--time-limit", 30, "--storages", storages(http=[site])
    )[0]  # fmt: skip
    assert name == "a redirect" or row["error"]
    assert sum(request.n_sent for request in site.asked("/a.wav")) < 100e6


def test_a_length_that_cannot_be(site: Site, storages: Storages) -> None:
    """A file that says it has a million terabytes is no reason to take memory or time."""
    data = site.files["/long.wav"]
    stated = f"{{first}}-{{last}}/{10**18}"
    site.answers["/a.wav"] = hostile.part(data, stated=stated)
    start = time.monotonic()
    estimated(f"{site.url}/a.wav", "--windows", 2, "--storages", storages(http=[site]))
    assert time.monotonic() - start < 10
    assert len(site.requests) < 100


def test_output_is_for_people(site: Site, storages: Storages) -> None:
    """No answer controls a terminal."""

    def colours(exchange: Exchange) -> None:
        exchange.wfile.write(b"HTTP/1.1 500 \x1b[31mred\x1b[0m\r\nContent-Length: 0\r\n\r\n")

    site.answers["/a.wav"] = colours
    result = run("estimate", f"{site.url}/a.wav", "--storages", storages(http=[site]))
    assert "\x1b" not in result.output


@pytest.mark.slow
@pytest.mark.parametrize("form", ["mp3", "flac", "m4a", "ogg", "opus", "wav"])
def test_whole_answers_in_each_format(
    form: str, site: Site, storages: Storages, tmp_path: Path
) -> None:
    path = write_audio(tmp_path / f"a.{form}", click_track(110, 40, 44100), 44100)
    site.answers["/a"] = hostile.whole(path.read_bytes())
    options = ("--windows", 2, "--storages", storages(http=[site]))
    (here,), (there,) = (estimated(place, *options) for place in (path, f"{site.url}/a"))
    assert without_path(here) == without_path(there)
