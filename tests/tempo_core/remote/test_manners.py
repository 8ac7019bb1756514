"""What is sent to whom: redirects, robots.txt, secrets, and settings of the machine."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest

from . import hostile
from .conftest import Storages, estimated, run, some
from .servers import Content, Exchange, Site

SECRET = "Bearer open-sesame-42"


def rules(text: str) -> Content:
    """A robots.txt."""
    return Content(text.encode())


@pytest.mark.parametrize(("n", "works"), [(1, True), (5, True), (6, False)])
@pytest.mark.parametrize("status", some([301, 302, 303, 307, 308], 302))
def test_redirects(n: int, works: bool, status: int, site: Site, storages: Storages) -> None:
    for k in range(n):
        target = f"/r{k + 1}" if k < n - 1 else "/short.flac"
        site.answers[f"/r{k}"] = hostile.redirect(target if k % 2 else site.url + target, status)
    (row,) = estimated(f"{site.url}/r0", "--storages", storages(http=[site]))
    assert (row["error"] == "") == works


def test_redirects_in_a_circle(site: Site, storages: Storages) -> None:
    site.answers["/a"] = hostile.redirect("/b")
    site.answers["/b"] = hostile.redirect("/a")
    (row,) = estimated(f"{site.url}/a", "--storages", storages(http=[site]))
    assert row["error"]
    assert len(site.requests) <= 7


@pytest.mark.parametrize("form", [
    "{other}/a.flac", "//127.0.0.1:{port}/a.flac", "http://user:pw@127.0.0.1:{port}/a.flac",
    "file://{path}", "data:audio/flac,x", "s3://archive/a.flac", "zip://a::{path}", "", "http://[",
    "ftp://127.0.0.1:{port}/a.flac", "\\\\127.0.0.1:{port}\\a.flac", "{outside}",
])  # fmt: skip
def test_redirects_elsewhere_are_not_followed(
    form: str, site: Site, other: Site, storages: Storages, short: Path
) -> None:
    site.files["/audio/a.flac"] = site.files["/short.flac"]
    target = form.format(
        other=other.url, port=other.port, path=short, outside=f"{site.url}/short.flac"
    )
    site.answers["/audio/r"] = hostile.redirect(target)
    path = storages(http=[{"site": f"{site.url}/audio/", "robots": False}], zip=True)
    bad, good = estimated(f"{site.url}/audio/r", f"{site.url}/audio/a.flac", "--storages", path)
    assert bad["error"]
    assert good["error"] == ""
    assert site.asked("/short.flac") == []


def test_secrets_go_to_their_site_only(site: Site, storages: Storages) -> None:
    """Also if a redirect leads to another site that is configured."""
    with Site({"/short.flac": site.files["/short.flac"]}) as second:
        site.answers["/there"] = hostile.redirect(f"{second.url}/short.flac")
        site.answers["/here"] = hostile.redirect("/short.flac")
        first = {"site": site.url, "robots": False, "headers": {"Authorization": SECRET}}
        path = storages(http=[first, {"site": second.url, "headers": {"X-Own": "own-secret"}}])
        rows = estimated(f"{site.url}/there", f"{site.url}/here", "--storages", path)
        assert [row["error"] for row in rows] == ["", ""]
        for request in second.requests:
            assert "authorization" not in request.headers
            assert request.headers["x-own"] == "own-secret"
        assert {request.headers.get("authorization") for request in site.requests} == {SECRET}
        assert not any("x-own" in request.headers for request in site.requests)


def test_no_message_tells_a_secret(site: Site, storages: Storages) -> None:
    """Also not that of a site that repeats it."""

    def repeat(exchange: Exchange) -> None:
        exchange.answer(403, SECRET.encode(), Location=SECRET, X_Error=SECRET, ETag=SECRET)

    def lead(exchange: Exchange) -> None:
        exchange.answer(302, b"", Location=f"http://127.0.0.2/{SECRET.split()[1]}")

    def reason(exchange: Exchange) -> None:
        exchange.wfile.write(f"HTTP/1.1 500 {SECRET}\r\nContent-Length: 0\r\n\r\n".encode())

    answers = {"/a": repeat, "/b": lead, "/c": reason, "/d": hostile.garbage, "/e": hostile.broken}
    site.answers.update(answers)
    headers = {"Authorization": SECRET}
    path = storages(http=[{"site": site.url, "robots": False, "headers": headers}])
    urls = [f"{site.url}{name}" for name in answers]
    for form in ("tsv", "json", "text"):
        result = run("estimate", "--format", form, *urls, "--storages", path)
        assert result.exit_code == 1
        assert "sesame" not in result.output
        assert "Traceback" not in result.output


def test_what_the_machine_is_set_to_is_not_used(
    site: Site, other: Site, storages: Storages, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither proxies, nor passwords of ~/.netrc, nor cookies."""
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY", "https_proxy"):
        monkeypatch.setenv(name, other.url)
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name)
    (home / ".netrc").write_text("machine 127.0.0.1 login me password sesame\n")
    (home / ".netrc").chmod(0o600)
    monkeypatch.setenv("NETRC", str(home / ".netrc"))
    content = Content(site.files["/short.flac"])

    def with_cookie(exchange: Exchange) -> None:
        exchange.send_response_only(302)
        exchange.send_header("Set-Cookie", "a=b; Path=/")
        exchange.send_header("Location", "/b.flac")
        exchange.send_header("Content-Length", "0")
        exchange.end_headers()

    site.answers.update({"/a.flac": with_cookie, "/b.flac": content})
    urls = (f"{site.url}/a.flac", f"{site.url}/b.flac")
    for row in estimated(*urls, "--storages", storages(http=[{"site": site.url}])):
        assert row["error"] == ""
    for request in site.requests:
        assert not {"cookie", "authorization", "proxy-authorization"} & set(request.headers)
        assert request.path.startswith("/")


def test_robots_txt_is_obeyed(site: Site, storages: Storages) -> None:
    site.files["/private/a.flac"] = site.files["/b.flac"] = site.files["/short.flac"]
    site.answers["/robots.txt"] = rules("User-agent: *\nDisallow: /private/\n")
    urls = [f"{site.url}/{name}" for name in ("private/a.flac", "short.flac", "b.flac")]
    refused, *others = estimated(*urls, "--storages", storages(http=[site.url]))
    assert "robots.txt" in refused["error"]
    assert [row["error"] for row in others] == ["", ""]
    assert site.asked("/private/a.flac") == []
    assert len(site.asked("/robots.txt")) == 1
    assert not any(estimated(*urls, "--storages", storages(http=[site]))[0]["error"])


def test_rules_for_this_program(site: Site, storages: Storages) -> None:
    site.answers["/robots.txt"] = rules(
        "User-agent: beets-tempo\nDisallow: /short.flac\n\nUser-agent: *\nAllow: /\n"
    )
    (row,) = estimated(f"{site.url}/short.flac", "--storages", storages(http=[site.url]))
    assert "robots.txt" in row["error"]


def test_robots_txt_of_a_redirect(site: Site, storages: Storages) -> None:
    site.answers["/robots.txt"] = rules("User-agent: *\nDisallow: /short.flac\n")
    site.answers["/r"] = hostile.redirect("/short.flac")
    (row,) = estimated(f"{site.url}/r", "--storages", storages(http=[site.url]))
    assert "robots.txt" in row["error"]
    assert site.asked("/short.flac") == []


@pytest.mark.parametrize("answer", [
    hostile.status(500), hostile.status(503, Retry_After="9999"), hostile.broken,
    hostile.status(403),
])  # fmt: skip
def test_a_robots_txt_that_cannot_be_read_allows_nothing(
    answer: hostile.Answer, site: Site, storages: Storages
) -> None:
    """RFC 9309, 2.3.1.4: what is unreachable is to be taken for a complete refusal."""
    site.answers["/robots.txt"] = answer
    (row,) = estimated(f"{site.url}/short.flac", "--storages", storages(http=[site.url]))
    assert row["error"]
    assert site.asked("/short.flac") == []


def test_a_robots_txt_elsewhere_is_not_asked(site: Site, other: Site, storages: Storages) -> None:
    site.answers["/robots.txt"] = hostile.redirect(f"{other.url}/robots.txt")
    (row,) = estimated(f"{site.url}/short.flac", "--storages", storages(http=[site.url]))
    assert row["path"]


@pytest.mark.parametrize("body", [b"\xff\xfe\0", b"Disallow" * 200_000, b"*" * 5000, b""])
def test_odd_robots_txt(body: bytes, site: Site, storages: Storages) -> None:
    site.answers["/robots.txt"] = Content(body)
    (row,) = estimated(f"{site.url}/short.flac", "--storages", storages(http=[site.url]))
    assert row["error"] == ""


def test_an_endless_robots_txt(site: Site, storages: Storages) -> None:
    site.answers["/robots.txt"] = hostile.endless(begin=b"User-agent: *\nAllow: /\n")
    estimated(f"{site.url}/short.flac", "--storages", storages(http=[site.url]))
    assert sum(request.n_sent for request in site.asked("/robots.txt")) < 50e6


@pytest.mark.slow
def test_a_delay_between_requests_is_kept(site: Site, storages: Storages) -> None:
    site.files["/b.flac"] = site.files["/short.flac"]
    site.answers["/robots.txt"] = rules("User-agent: *\nCrawl-delay: 0.4\n")
    urls = (f"{site.url}/short.flac", f"{site.url}/b.flac")
    rows = estimated(*urls, "--jobs", 2, "--storages", storages(http=[site.url]))
    assert [row["error"] for row in rows] == ["", ""]
    times = [request.at for request in site.requests]
    assert len(times) >= 3
    assert min(b - a for a, b in pairwise(times)) > 0.35


def test_too_long_a_delay_is_an_error(site: Site, storages: Storages) -> None:
    site.answers["/robots.txt"] = rules("User-agent: *\nCrawl-delay: 86400\n")
    (row,) = estimated(f"{site.url}/short.flac", "--storages", storages(http=[site.url]))
    assert row["error"]
    assert site.asked("/short.flac") == []


def test_a_redirect_is_followed_once(site: Site, storages: Storages) -> None:
    """Where it led to is asked for the other parts of the object."""
    site.answers["/r"] = hostile.redirect("/long.wav")
    (row,) = estimated(f"{site.url}/r", "--storages", storages(http=[site]))
    assert not row["error"]
    assert len(site.asked("/r")) == 1
    assert len(site.asked("/long.wav")) > 2


def test_a_redirect_that_ends_is_followed_anew(site: Site, storages: Storages) -> None:
    """As one to an address with a signature, which holds for a minute."""
    content = Content(site.files["/long.wav"])
    site.answers["/r"] = hostile.in_turn(hostile.redirect("/1"), hostile.redirect("/2"))
    site.answers["/1"] = hostile.in_turn(content, content, hostile.status(403))
    site.answers["/2"] = content
    (row,) = estimated(f"{site.url}/r", "--storages", storages(http=[site]))
    assert not row["error"]
    assert len(site.asked("/r")) == 2


def test_a_connection_that_breaks_is_tried_three_times(site: Site, storages: Storages) -> None:
    """No more often: aiohttp would try each of them twice."""
    site.answers["/a.flac"] = hostile.broken
    (row,) = estimated(f"{site.url}/a.flac", "--storages", storages(http=[site]))
    assert "cannot be reached" in row["error"]
    assert len(site.asked("/a.flac")) == 3
