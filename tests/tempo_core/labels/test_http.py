"""Tests of the polite HTTP session with real sockets on the loopback device."""

from __future__ import annotations

import datetime
import email.utils
import socket
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from tempo_core.errors import ConfigError, LabelError
from tempo_core.labels.demo_site import CATALOGUE, DemoSite, Entry
from tempo_core.labels.http import session as polite
from tempo_core.labels.http import transport
from tempo_core.labels.http.addresses import origin_of, without_secrets
from tempo_core.labels.http.answers import retry_after
from tempo_core.labels.http.errors import BudgetSpent, Closed, SourceError
from tempo_core.labels.http.robots import user_agent
from tempo_core.labels.http.session import Manners, PoliteSession
from tempo_core.labels.record import Status
from tests.rows import mostly_slow

from .conftest import MakeSession
from .hostile import ROBOTS, HostileSite, answer, answers, drip


def search(site: DemoSite, word: str = "mezzanine") -> str:
    return f"{site.url}/musicstax/search?q={word}"


def page_of(site: DemoSite, trouble: str) -> str:
    entry = Entry("Song", "Singer", 120, trouble=trouble)
    site.entries.append(entry)
    return f"{site.url}/musicstax/track/song/{entry.id}"


def test_it_says_who_it_is_and_nothing_else(site: DemoSite, make_session: MakeSession) -> None:
    for refresh in (False, True):
        make_session(contact="me@example.org", refresh=refresh).get(search(site))
    assert len(site.hits) == 4
    for hit in site.hits:
        assert hit.headers["User-Agent"].startswith("beets-tempo/")
        assert "me@example.org" in hit.headers["User-Agent"]
        assert "Mozilla" not in hit.headers["User-Agent"]
        assert set(hit.headers) - {"Cache-Control"} == {
            "Host", "User-Agent", "Accept-Encoding", "Accept", "Connection", "Accept-Language",
        }  # fmt: skip


@pytest.mark.parametrize("contact", ["a\r\nX-Evil: 1", "\x1b[2J", "mÿ"])
def test_a_contact_that_is_no_line_is_refused(contact: str) -> None:
    with pytest.raises(ConfigError, match="contact"):
        user_agent(contact)


def times_of_asking(make_session: MakeSession, site: DemoSite, **options: Any) -> list[float]:
    """Times at which a session begins, and has sent each of three requests.

    By the session's own clock: on a busy machine requests arrive late, and so too close.
    """
    readings = [time.monotonic()]

    def clock() -> float:
        readings.append(time.monotonic())
        return readings[-1]

    session = make_session(clock=clock, **options)
    sent = [readings[-1]]
    for word in ("a", "b", "c"):
        session.get(search(site, word))
        sent.append(readings[-1])  # the clock is read last when a request may go
    assert len(site.hits) == 4  # robots.txt is a request too, and the first
    return sent


def test_requests_to_a_host_are_spaced(site: DemoSite, make_session: MakeSession) -> None:
    sent = times_of_asking(make_session, site, interval=0.15)
    assert min(b - a for a, b in pairwise(sent)) >= 0.149


def test_hosts_are_spaced_each_by_itself(site: DemoSite, make_session: MakeSession) -> None:
    with DemoSite(CATALOGUE) as other:
        session = make_session(other.url, interval=5)
        session._robots = {}
        begin = time.monotonic()
        session._hosts = {url: Manners(5, robots=False) for url in session._hosts}
        session.get(search(site))
        session.get(search(other))
        assert time.monotonic() - begin < 2


def test_other_machines_are_never_asked_faster_than_once_a_second() -> None:
    session = PoliteSession({"https://example.org": Manners(0.0), "http://[::1]:8": Manners(0.0)})
    assert session._intervals == {"https://example.org": 1.0, "http://[::1]:8": 0.0}
    session.__exit__()


@pytest.mark.slow
def test_crawl_delay_is_honoured(make_session: MakeSession, site: DemoSite) -> None:
    site.robots = "User-agent: *\nCrawl-delay: 0.2\n"
    sent = times_of_asking(make_session, site)
    assert min(b - a for a, b in pairwise(sent)) >= 0.199


def test_a_crawl_delay_of_an_hour_means_no(site: DemoSite, make_session: MakeSession) -> None:
    site.robots = "User-agent: *\nCrawl-delay: 3600\n"
    with pytest.raises(SourceError, match="3600 s") as error:
        make_session().get(search(site))
    assert (error.value.status, error.value.final) == (Status.BLOCKED, True)
    assert site.paths() == []


def test_what_is_in_the_cache_costs_no_request(site: DemoSite, make_session: MakeSession) -> None:
    first = make_session().get(search(site))
    n_hits = len(site.hits)
    session = make_session(interval=30, max_requests=0)  # another process, later
    begin = time.monotonic()
    second = session.get(search(site))
    assert time.monotonic() - begin < 1
    assert (second.text, second.fetched_at) == (first.text, first.fetched_at)
    assert (len(site.hits), session.n_requests) == (n_hits, 0)
    make_session(refresh=True).get(search(site))
    assert len(site.hits) == n_hits + 2


def test_nothing_in_the_cache_is_a_pickle(
    site: DemoSite, make_session: MakeSession, tmp_path: Path
) -> None:
    make_session().get(search(site))
    with sqlite3.connect(tmp_path / "pages.db") as db:
        values = [row[0] for row in db.execute("SELECT value FROM responses")]
        expiry = sorted(row[0] - time.time() for row in db.execute("SELECT expires FROM responses"))
    db.close()
    assert len(values) == 2
    assert expiry == pytest.approx([24 * 3600, 90 * 24 * 3600], abs=60)  # robots.txt, a page
    assert all(isinstance(value, str) and value.startswith("{") for value in values)


def test_robots_txt_is_obeyed(site: DemoSite, make_session: MakeSession) -> None:
    session = make_session()
    session.get(search(site))
    with pytest.raises(SourceError, match=r"robots\.txt forbids /private/x") as error:
        session.get(f"{site.url}/private/x")
    assert error.value.status is Status.BLOCKED
    # Wildcards, which the standard library's parser ignores.
    with pytest.raises(SourceError, match="not asked any more"):
        session.get(f"{site.url}/anything?admin=1")
    assert len(site.paths()) == 1


def test_robots_txt_names_us(site: DemoSite, make_session: MakeSession) -> None:
    site.robots = "User-agent: beets-tempo\nDisallow: /\n\nUser-agent: *\nAllow: /\n"
    with pytest.raises(SourceError, match=r"robots\.txt forbids"):
        make_session().get(search(site))
    assert site.paths() == []


@pytest.mark.parametrize("status", [404, 410])
def test_without_robots_txt_everything_is_allowed(
    status: int, site: DemoSite, make_session: MakeSession
) -> None:
    site.robots = status
    assert "Mezzanine" in make_session().get(search(site)).text


@pytest.mark.parametrize(
    ("status", "expected"),
    [(500, Status.RETRYABLE), (503, Status.RETRYABLE), (403, Status.BLOCKED)],
)
def test_with_an_unreachable_robots_txt_nothing_is(
    status: int, expected: Status, site: DemoSite, make_session: MakeSession
) -> None:
    site.robots = status
    with pytest.raises(SourceError) as error:
        make_session().get(search(site))
    assert error.value.status is expected
    assert site.paths() == []


def test_an_interface_is_asked_without_robots_txt(
    site: DemoSite, make_session: MakeSession
) -> None:
    site.robots = "User-agent: *\nDisallow: /\n"
    make_session(robots=False).get(search(site))
    assert [hit.path for hit in site.hits] == ["/musicstax/search?q=mezzanine"]


def test_retry_after_is_waited_for(site: DemoSite, make_session: MakeSession) -> None:
    site.retry_after = 1
    page = make_session().get(page_of(site, "flaky"))
    assert "Song" in page.text
    _, first, second = site.hits
    assert [first.status, second.status] == [503, 200]
    assert 0.99 <= second.time - first.time < 2


def test_retry_after_0_is_no_invitation(site: DemoSite, make_session: MakeSession) -> None:
    make_session(backoff=0.2).get(page_of(site, "busy"))
    _, first, second = site.hits
    assert [first.status, second.status] == [429, 200]
    assert second.time - first.time >= 0.195


def test_a_day_is_not_waited(site: DemoSite, make_session: MakeSession) -> None:
    session = make_session()
    begin = time.monotonic()
    with pytest.raises(SourceError, match="asks to wait 86400 s") as error:
        session.get(page_of(site, "patient"))
    assert (error.value.status, error.value.final) == (Status.RETRYABLE, True)
    with pytest.raises(SourceError, match="86400"):
        session.get(search(site))
    assert time.monotonic() - begin < 2
    assert len(site.paths()) == 1


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("7", 7),
        ("0", 0),
        ("soon", 0),
        ("-5", 0),
        ("", 0),
        ("1e9", 0),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0),
    ],
)
def test_retry_after_as_it_is_written(text: str, seconds: float) -> None:
    import requests

    response = requests.Response()
    response.headers["Retry-After"] = text
    assert retry_after(response.headers) == seconds


def test_retry_after_as_a_date() -> None:
    import requests

    response = requests.Response()
    soon = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(minutes=5)
    response.headers["Retry-After"] = email.utils.format_datetime(soon)
    assert retry_after(response.headers) == pytest.approx(300, abs=5)


def test_what_stays_down_is_given_up(site: DemoSite, make_session: MakeSession) -> None:
    with pytest.raises(SourceError, match="answers 503") as error:
        make_session().get(page_of(site, "down"))
    assert (error.value.status, error.value.final) == (Status.RETRYABLE, False)
    assert [hit.status for hit in site.hits[1:]] == [503] * polite.MAX_TRIES


@pytest.mark.parametrize("trouble", ["blocked", "challenge"])
def test_a_challenge_ends_it(trouble: str, site: DemoSite, make_session: MakeSession) -> None:
    session = make_session()
    url = page_of(site, trouble)
    for address in (url, search(site), url):
        with pytest.raises(SourceError, match="challenge") as error:
            session.get(address)
        assert (error.value.status, error.value.final) == (Status.BLOCKED, True)
    assert len(site.paths()) == 1
    site.blocking = False
    site.entries[-1] = Entry("Song", "Singer", 120)  # a later run finds it open again
    assert "Song" in make_session().get(url).text


def test_a_plain_403_ends_it(site: DemoSite, make_session: MakeSession) -> None:
    session = make_session()
    with pytest.raises(SourceError, match="403"):
        session.post(f"{site.url}/songbpm/searches", {"query": "x"}, headers={})
    with pytest.raises(SourceError, match="403"):
        session.get(search(site))
    assert len(site.paths()) == 1


@pytest.mark.parametrize(
    ("trouble", "status", "message"),
    [
        ("missing", Status.NOT_FOUND, "no such page"),
        ("huge", Status.PARSE_ERROR, "more than 2000 kB"),
        ("binary", Status.PARSE_ERROR, "image/png, not text/html"),
        ("truncated", Status.RETRYABLE, "broke off|cannot be reached"),
        ("elsewhere", Status.PARSE_ERROR, r"http://elsewhere\.invalid.* not followed"),
        ("loop", Status.PARSE_ERROR, "in a circle"),
    ],
)
def test_bad_answers_are_one_message(
    trouble: str, status: Status, message: str, site: DemoSite, make_session: MakeSession
) -> None:
    session = make_session()
    with pytest.raises(SourceError, match=message) as error:
        session.get(page_of(site, trouble))
    assert (error.value.status, error.value.final) == (status, False)
    assert "\n" not in str(error.value)
    session.get(search(site))  # and the work goes on


@pytest.mark.parametrize(
    "url",
    [
        "http://example.org/", "https://127.0.0.1/", "file:///etc/passwd", "ftp://127.0.0.1/",
        "//127.0.0.1/x", "", "http://", "http://127.0.0.1:99999/", "http://user:pw@127.0.0.1/",
        "http://[", "javascript:alert(1)",
    ],
)  # fmt: skip
def test_no_other_host_is_asked(url: str, site: DemoSite, make_session: MakeSession) -> None:
    with pytest.raises(SourceError, match="not followed") as error:
        make_session().get(url)
    assert error.value.status is Status.PARSE_ERROR
    assert site.hits == []


def test_another_port_is_another_host(site: DemoSite, make_session: MakeSession) -> None:
    with DemoSite(CATALOGUE) as other, pytest.raises(SourceError, match="not followed"):
        make_session().get(search(other))
    assert other.hits == []


def test_a_server_that_is_not_there(make_session: MakeSession, site: DemoSite) -> None:
    session = make_session("http://127.0.0.1:9", robots=False)
    with pytest.raises(SourceError, match="cannot be reached") as error:
        session.get("http://127.0.0.1:9/x")
    assert error.value.status is Status.RETRYABLE
    assert "0x" not in str(error.value)


def test_the_requests_of_a_run_are_counted(site: DemoSite, make_session: MakeSession) -> None:
    session = make_session(max_requests=2)
    session.get(search(site, "a"))
    session.get(search(site, "a"))  # the cache is free
    with pytest.raises(BudgetSpent):
        session.get(search(site, "b"))
    assert session.n_requests == len(site.hits) == 2


def test_closing_ends_a_wait(site: DemoSite, make_session: MakeSession) -> None:
    session = make_session(interval=60)
    session._free_at[site.url] = time.monotonic() + 60
    closer = threading.Timer(0.1, session.close)
    closer.start()
    begin = time.monotonic()
    with pytest.raises(Closed):
        session.get(search(site))
    assert time.monotonic() - begin < 2
    assert site.hits == []
    closer.join()


def test_errors_that_call_themselves_200_are_forgotten(
    site: DemoSite, make_session: MakeSession
) -> None:
    site.entries.append(Entry("Song", "Singer", 120, trouble="busy"))
    url = f"{site.url}/deezer/track/{site.entries[-1].number}"
    session = make_session(robots=False)
    texts = [session.get(url, types=("application/json",)).text for _ in range(3)]
    assert [text.startswith('{"error"') for text in texts] == [True, False, False]
    assert len(site.hits) == 2


def test_a_form_and_where_it_leads_are_kept(site: DemoSite, make_session: MakeSession) -> None:
    for _ in range(2):
        page = make_session().post(
            f"{site.url}/songbpm/searches", {"query": "mezzanine"}, headers={"Origin": site.url}
        )
        assert "Mezzanine" in page.text
    assert [hit.method for hit in site.hits] == ["GET", "POST", "GET"]


def test_no_cookie_is_kept(site: DemoSite, make_session: MakeSession) -> None:
    session = make_session()
    for word in ("a", "b"):
        session.get(search(site, word))
    assert not any("Cookie" in hit.headers for hit in site.hits)


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://MusicStax.com/search?q=1", "https://musicstax.com"),
        ("https://musicstax.com:443", "https://musicstax.com"),
        ("http://127.0.0.1:8765/x", "http://127.0.0.1:8765"),
        ("http://[::1]:80/", "http://[::1]"),
        ("mailto:me", ""),
    ],
)
def test_origins(url: str, origin: str) -> None:
    assert origin_of(url) == origin


@pytest.fixture
def stalling(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, list[bytes]]]:
    """A server that sends the bytes in a list one at a time, and then nothing more."""
    monkeypatch.setattr(transport, "TIMEOUT", (0.2, 0.2))
    monkeypatch.setattr(polite, "MAX_SECONDS", 0.3)
    content: list[bytes] = []
    listener = socket.create_server(("127.0.0.1", 0))
    done = threading.Event()
    connections = []

    def serve() -> None:
        with suppress(OSError):
            while True:
                connection, _ = listener.accept()
                connections.append(connection)
                for byte in b"".join(content):
                    connection.send(bytes([byte]))
                    if done.wait(0.01 if byte == ord("x") else 0):
                        return

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{listener.getsockname()[1]}", content
    done.set()
    listener.shutdown(socket.SHUT_RDWR)
    for connection in (listener, *connections):
        connection.close()
    thread.join(5)


RESPONSE_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 9999\r\n\r\n"


@pytest.mark.slow
@pytest.mark.parametrize(
    "content", [b"", RESPONSE_HEAD, RESPONSE_HEAD + b"x" * 5000], ids=["mute", "head", "drip"]
)
def test_a_server_that_stalls_is_given_up(
    content: bytes, stalling: tuple[str, list[bytes]], make_session: MakeSession
) -> None:
    url, answer = stalling
    answer.append(content)
    session = make_session(url, robots=False)
    begin = time.monotonic()
    with pytest.raises(SourceError, match=r"in time|cannot be reached") as error:
        session.get(f"{url}/x")
    assert error.value.status is Status.RETRYABLE
    assert time.monotonic() - begin < 4


@pytest.mark.parametrize("trouble", ["", "bomb", "garbage"])
def test_a_compressed_answer(
    trouble: str, site: DemoSite, make_session: MakeSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    import gzip

    from tempo_core.labels import demo_site

    page = b"0" * 30_000_000 if trouble == "bomb" else b"<p>Mezzanine</p>"
    body = b"garbage" if trouble == "garbage" else gzip.compress(page)
    answer = (200, "text/html", body, {"Content-Encoding": "gzip"})
    monkeypatch.setattr(demo_site._Handler, "_musicstax", lambda *_: answer)
    if not trouble:
        assert make_session().get(search(site)).text == "<p>Mezzanine</p>"
        return
    with pytest.raises(SourceError, match=r"more than 2000 kB|cannot be read") as error:
        make_session().get(search(site))
    assert error.value.status is Status.PARSE_ERROR


# What nobody is to know.


@pytest.mark.parametrize("name", [".netrc", "_netrc", "elsewhere"])
def test_what_is_in_netrc_stays_there(
    name: str,
    site: DemoSite,
    make_session: MakeSession,
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (home / name).write_text("default login somebody password hunter2\n")
    (home / name).chmod(0o600)
    if name == "elsewhere":
        monkeypatch.setenv("NETRC", str(home / name))
    make_session().get(search(site))
    make_session().post(
        f"{site.url}/songbpm/searches", {"query": "x"}, headers={"Origin": site.url}
    )
    assert len(site.hits) == 4
    assert not any("Authorization" in hit.headers for hit in site.hits)


def test_the_environment_has_no_say(
    site: DemoSite, make_session: MakeSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    with HostileSite({}) as proxy:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY", "https_proxy"):
            monkeypatch.setenv(name, proxy.url)
        for name in ("no_proxy", "NO_PROXY"):
            monkeypatch.delenv(name, raising=False)
        make_session().get(search(site))
        assert proxy.requests == []
    assert len(site.hits) == 2


def test_a_proxy_is_a_setting(make_session: MakeSession) -> None:
    with HostileSite({}, robots=answer(b"", "text/plain")) as proxy:
        proxy.answers["http:"] = answer("<p>by the proxy</p>")
        address = proxy.url.replace("//", "//somebody:hunter2@")
        session = make_session("http://site.invalid", proxy=address, robots=False)
        session._intervals["http://site.invalid"] = 0.0
        assert session.get("http://site.invalid/x").text == "<p>by the proxy</p>"
        assert proxy.requests[0].startswith("GET http://site.invalid/x HTTP/1.1")
        assert "Proxy-Authorization: Basic" in proxy.requests[0]


@pytest.mark.parametrize("proxy", ["proxy:3128", "http://", "http://u:hunter2@[", "socks9://x:1"])
def test_a_proxy_that_is_none_is_refused_and_not_shown(
    proxy: str, make_session: MakeSession
) -> None:
    with pytest.raises(ConfigError, match="proxy is no address") as error:
        make_session(proxy=proxy)
    assert "hunter2" not in str(error.value)


def test_a_key_goes_to_no_other_site(site: DemoSite, make_session: MakeSession) -> None:
    """A key is not sent to another site after a redirect, also not to one that may be asked."""
    with HostileSite({}) as first:
        second = f"{site.url}/musicstax/search?q=a"
        first.answers["away"] = answer("", "text/html", f"Location: {second}", status="302 X")
        first.answers["here"] = answer("", "text/html", "Location: /page", status="302 X")
        first.answers["page"] = answer("<p>page</p>")
        session = make_session(first.url, robots=False)
        headers = {"X-API-KEY": "hunter2-key", "Authorization": "Bearer hunter2-key"}
        for name in ("away", "here"):
            session.get(f"{first.url}/{name}", headers=headers)
        assert [("hunter2" in request) for request in first.requests] == [True, True, True]
    assert len(site.hits) == 1
    assert not {"X-API-KEY", "Authorization"} & set(site.hits[0].headers)


def test_no_key_is_kept(site: DemoSite, make_session: MakeSession, tmp_path: Path) -> None:
    key = "hunter2 key/+"
    page = f"<p>your key is {key}, or {quote(key, safe='')}</p>"
    with HostileSite({"x": answer(page)}) as echo:
        session = make_session(echo.url, robots=False)
        for _ in range(2):
            page = session.get(f"{echo.url}/x", headers={"X-API-KEY": key}).text
            assert page == "<p>your key is [key], or [key]</p>"
        assert len(echo.requests) == 1
        echo.answers["y"] = answer("x", "text/html", f"X-Echo: {key}")
        echo.answers["z"] = answer("", "", f"Location: /{quote(key, safe='')}", status="302 X")
        for name in "yz":
            with pytest.raises(SourceError, match="repeats the key") as error:
                session.get(f"{echo.url}/{name}", headers={"X-API-KEY": key})
            assert "hunter2" not in str(error.value)
    files = list(tmp_path.glob("pages.db*"))
    assert files
    assert not [file for file in files if b"hunter2" in file.read_bytes()]


def test_a_key_in_an_address_is_not_kept(
    site: DemoSite, make_session: MakeSession, tmp_path: Path
) -> None:
    make_session().get(f"{search(site)}&api_key=hunter2")
    assert not [file for file in tmp_path.glob("pages.db*") if b"hunter2" in file.read_bytes()]


def test_keys_that_were_kept_once_are_forgotten(
    site: DemoSite, make_session: MakeSession, tmp_path: Path
) -> None:
    """Keys in a cache of an earlier version, which everybody could read, are removed."""
    make_session().get(search(site))
    path, kept = tmp_path / "pages.db", '{"request": {"headers": {"X-API-KEY": "hunter2"}}}'
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA user_version = 0")
        db.execute("INSERT INTO responses (key, value) VALUES ('k', ?)", (kept,))
        db.commit()
    path.chmod(0o644)
    n_hits = len(site.hits)
    make_session().get(search(site))
    assert len(site.hits) == n_hits  # the others are good as they are
    for file in tmp_path.glob("pages.db*"):
        assert b"hunter2" not in file.read_bytes()
        assert file.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("content", [b"text" * 500, b"SQLite format 3\0" + b"x" * 5000])
def test_a_cache_that_is_none_is_one_message_and_stays(
    content: bytes, make_session: MakeSession, tmp_path: Path
) -> None:
    path = tmp_path / "other.db"
    path.write_bytes(content)
    path.chmod(0o644)
    with pytest.raises(LabelError, match=r"other\.db: is not a usable cache") as error:
        make_session(cache=path)
    assert "\n" not in str(error.value)
    assert (path.read_bytes(), path.stat().st_mode & 0o777) == (content, 0o644)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("http://user:hunter2@h/p?key=hunter2", "http://h/p"), ("ftp://u:hunter2@h", "ftp://h"),
        ("//u:hunter2@h/x", "//h/x"), ("hunter2@h", "h"), ("http://h/?a=hunter2@x", "http://h/"),
    ],
)  # fmt: skip
def test_an_address_in_a_message_has_no_secrets(url: str, shown: str) -> None:
    assert without_secrets(url) == shown


@pytest.mark.parametrize("broken", ["garbage", "another table"])
def test_a_cache_that_breaks_costs_no_answer_for_ever(
    broken: str, site: DemoSite, make_session: MakeSession, tmp_path: Path
) -> None:
    session = make_session()
    session.get(search(site, "a"))
    with closing(sqlite3.connect(tmp_path / "pages.db")) as db:
        if broken == "garbage":
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        else:
            db.execute("ALTER TABLE responses RENAME TO others")
    if broken == "garbage":
        content = (tmp_path / "pages.db").read_bytes()
        (tmp_path / "pages.db").write_bytes(b"x" * len(content))
    with pytest.raises(SourceError, match="cache of pages cannot be used") as error:
        session.get(search(site, "b"))
    assert error.value.status is Status.RETRYABLE


# What a site can send; `test_hostile.py` has it all.


@pytest.fixture
def hostile(hostile_site: HostileSite, monkeypatch: pytest.MonkeyPatch) -> HostileSite:
    monkeypatch.setattr(transport, "TIMEOUT", (0.4, 0.4))
    monkeypatch.setattr(polite, "MAX_SECONDS", 0.5)
    return hostile_site


@pytest.fixture(scope="module")
def hostile_site() -> Iterator[HostileSite]:
    with HostileSite({}) as other, HostileSite({}) as site:
        site.answers.update(answers(site.url, other.url))
        yield site
        assert other.requests == []


@pytest.mark.parametrize(
    ("name", "status", "message"),
    [
        ("drips its head", Status.RETRYABLE, "in time"),
        ("drips its body", Status.RETRYABLE, "in time"),
        ("redirects slowly", Status.RETRYABLE, "in time"),
        *(
            pytest.param(name, Status.RETRYABLE, "in time", marks=pytest.mark.slow)
            for name in (
                "drips headers",
                "drips without a length",
                "says continue for ever",
                "is busy slowly",
            )
        ),
        ("line garbage", Status.RETRYABLE, "cannot be reached"),
        ("to 9 'http:||['", Status.PARSE_ERROR, "no address"),
        ("to bytes", Status.NOT_FOUND, "no such page"),
        ("to 16 'file:|||etc|passwd'", Status.PARSE_ERROR, "not followed"),
        ("ping", Status.PARSE_ERROR, "in a circle"),
        ("status 302 to nowhere", Status.PARSE_ERROR, "answers 302"),
        ("two lengths", Status.PARSE_ERROR, "cannot be read"),
        ("chunks: garbage", Status.RETRYABLE, "broke off"),
        ("zstd: bomb", Status.PARSE_ERROR, "cannot be read"),
        ("deflate: bare bomb", Status.PARSE_ERROR, "more than 2000 kB"),
        ("retry-after 6 'Wed, 21 O'", Status.RETRYABLE, "answers 503"),
        ("retry-after 2 '999999999'", Status.RETRYABLE, "asks to wait"),
    ],
)
def test_a_hostile_answer_is_a_status(
    name: str, status: Status, message: str, hostile: HostileSite, make_session: MakeSession
) -> None:
    session = make_session(hostile.url, robots=False)
    begin = time.monotonic()
    with pytest.raises(SourceError, match=message) as error:
        session.get(f"{hostile.url}/{quote(name)}")
    assert error.value.status is status
    assert time.monotonic() - begin < 3


@pytest.mark.parametrize("charset", ["zlib", "idna", "punycode", "undefined", "a\0b"])
def test_a_charset_that_is_none_is_utf_8(
    charset: str, hostile: HostileSite, make_session: MakeSession
) -> None:
    page = make_session(hostile.url, robots=False).get(
        f"{hostile.url}/charset%20{quote(repr(charset))}"
    )
    assert '<h1 class="song-title">Song</h1>' in page.text


def test_a_charset_that_is_one_counts(make_session: MakeSession) -> None:
    for charset in ("koi8-r", "shift_jis", "iso-8859-5", "utf-16", "windows-1251", "euc-kr"):
        text = "<p>봄날</p>" if charset == "euc-kr" else "<p>Кино</p>"
        page = answer(text.encode(charset), f'text/html; charset="{charset}"')
        with HostileSite({"x": page}) as site:
            assert make_session(site.url, robots=False).get(f"{site.url}/x").text == text


@pytest.mark.slow
def test_waits_add_up(make_session: MakeSession) -> None:
    """Waits that a site asks for again and again are added up and limited together."""
    with HostileSite({"x": answer("", "", "Retry-After: 1", status="503 X")}) as site:
        session = make_session(site.url, robots=False, max_wait=1.5)
        with pytest.raises(SourceError, match="asks to wait 1 s") as error:
            session.get(f"{site.url}/x")
        assert (error.value.status, error.value.final) == (Status.RETRYABLE, True)
        assert len(site.requests) == 2


@mostly_slow("name", ["stars", "many stars", "many rules", "no delay at all", "too long"], quick=2)
def test_a_robots_txt_takes_no_time(name: str, make_session: MakeSession) -> None:
    with HostileSite({"a" * 300: answer("x")}, robots=ROBOTS[name]) as site:
        begin = time.monotonic()
        with suppress(SourceError):
            make_session(site.url).get(f"{site.url}/{'a' * 300}")
        assert time.monotonic() - begin < 4


@pytest.mark.slow
def test_a_handshake_that_never_ends_is_cut(
    make_session: MakeSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(polite, "MAX_SECONDS", 0.6)
    record = drip(b"\x16\x03\x03\x40\x00\x02", b"\x00")  # the beginning of 16 kB of greetings
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with suppress(OSError):
            connection, _ = listener.accept()
            with connection:
                for piece in record():
                    connection.sendall(piece)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    url = f"https://127.0.0.1:{listener.getsockname()[1]}"
    begin = time.monotonic()
    with pytest.raises(SourceError, match="in time") as error:
        make_session(url, robots=False).get(f"{url}/x")
    assert error.value.status is Status.RETRYABLE
    assert time.monotonic() - begin < 3
    listener.close()
    thread.join(5)
