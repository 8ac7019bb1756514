"""Audio in S3: from the configured endpoint only, with the configured key only."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import fsspec.config
import numpy as np
import pytest

from tests.audio import click_track, write_audio

from . import hostile
from .conftest import Row, Storages, estimated, run, some, without_path
from .s3_server import KEY, SECRET, S3Server
from .servers import Site

OTHER_KEY, OTHER_SECRET = "AKIDOFSOMEBODYELSE00", "secret-of-somebody-else"
SPECIAL = ("a b.flac", "a+b.flac", "ü é.flac", "100%.flac", "a%20b.flac", "#1.flac", "a=b&c.flac")


def with_key(s3: S3Server, **others: Any) -> dict[str, Any]:
    """The settings of a bucket with a key."""
    about = {"bucket": "archive", "endpoint": s3.url, "region": "us-east-1"}
    return {**about, "key": KEY, "secret": SECRET, **others}


def anonymous(s3: S3Server, **others: Any) -> dict[str, Any]:
    """The settings of a bucket that everybody may read."""
    return {"bucket": "archive", "endpoint": s3.url, **others}


@pytest.fixture
def bucket(s3: S3Server, short: Path, long: Path) -> Any:
    """A client, and `music/short.flac` and `music/long.wav` in the bucket `archive`."""
    client = s3.client()
    client.create_bucket(Bucket="archive")
    for path in (short, long):
        key, data = f"music/{path.name}", path.read_bytes()
        client.put_object(Bucket="archive", Key=key, Body=data, ACL="public-read")
    s3.requests.clear()
    return client


def read_from(s3: S3Server) -> set[str]:
    """Keys of objects that were asked for."""
    asked = (r.path.removeprefix("/archive").lstrip("/") for r in s3.requests)
    return {path for path in asked if path}


@pytest.mark.parametrize("how", ["key", "anonymous"])
@pytest.mark.usefixtures("bucket")
def test_local_files_and_objects_give_the_same(
    how: str, s3: S3Server, storages: Storages, local_rows: dict[str, Row]
) -> None:
    path = storages(s3=[with_key(s3) if how == "key" else anonymous(s3)])
    urls = ["s3://archive/music/short.flac", "s3://archive/music/long.wav"]
    rows = estimated(*urls, "--windows", 2, "--storages", path)
    assert [row["path"] for row in rows] == urls
    assert [without_path(row) for row in rows] == [local_rows["short"], local_rows["long"]]
    signed = {f"Credential={KEY}/" in request.authorization for request in s3.requests}
    assert signed == {how == "key"}
    if how == "anonymous":
        assert {request.authorization for request in s3.requests} == {""}


def test_not_all_of_a_long_file_is_fetched(
    bucket: Any, s3: S3Server, storages: Storages, tmp_path: Path
) -> None:
    audio = np.tile(click_track(125, 30, 22050), 20)
    audio += 0.01 * np.random.default_rng(0).standard_normal(len(audio)).astype(np.float32)
    data = write_audio(tmp_path / "ten.flac", audio, 22050).read_bytes()
    bucket.put_object(Bucket="archive", Key="ten.flac", Body=data)
    s3.requests.clear()
    options = ("--windows", 2, "--storages", storages(s3=[with_key(s3)]))
    (row,) = estimated("s3://archive/ten.flac", *options)
    assert float(row["bpm"]) == pytest.approx(125, abs=0.2)
    assert s3.n_sent < len(data) / 3
    assert len(s3.requests) < 40


@pytest.mark.parametrize("name", some(SPECIAL, "a+b.flac", "a%20b.flac"))
def test_names(name: str, bucket: Any, s3: S3Server, storages: Storages, short: Path) -> None:
    bucket.put_object(Bucket="archive", Key=f"odd/{name}", Body=short.read_bytes())
    path = storages(s3=[with_key(s3)])
    (row,) = estimated("s3://archive/odd/", "--storages", path)
    assert row["error"] == ""
    assert estimated(row["path"], "--storages", path)[0] == row


def test_a_key_that_is_no_text(s3: S3Server, storages: Storages) -> None:
    """As bytes of a command line that are not in UTF-8 are passed on."""
    places = ("s3://archive/\udcff.flac", "s3://archive/\udcff/")
    result = run("estimate", *places, "--storages", storages(s3=[with_key(s3)]))
    assert result.stderr.count("is no usable address") == 2
    assert s3.requests == []


def test_a_prefix_is_listed(bucket: Any, s3: S3Server, storages: Storages) -> None:
    for key in ("music/b/cover.jpg", "music/notes.txt", "music/b/", "musical.flac", "z.FLAC"):
        bucket.put_object(Bucket="archive", Key=key, Body=b"x")
    path = storages(s3=[with_key(s3)])
    found = [row["path"] for row in estimated("s3://archive/music/", "--storages", path)]
    assert found == ["s3://archive/music/long.wav", "s3://archive/music/short.flac"]
    everything = [row["path"] for row in estimated("s3://archive/", "--storages", path)]
    assert everything == [*found, "s3://archive/musical.flac", "s3://archive/z.FLAC"]


def test_a_long_list(bucket: Any, s3: S3Server, storages: Storages) -> None:
    """More than S3 lists at once, which are a thousand, and two here."""

    def two(environ: dict[str, Any]) -> None:
        if "list-type" in environ["QUERY_STRING"]:
            environ["QUERY_STRING"] += "&max-keys=2"

    for k in range(7):
        bucket.put_object(Bucket="archive", Key=f"many/{k}.flac", Body=b"x")
    s3.refuse = two
    rows = estimated("s3://archive/many/", "--storages", storages(s3=[with_key(s3)]), "--jobs", 4)
    assert [row["path"] for row in rows] == [f"s3://archive/many/{k}.flac" for k in range(7)]
    assert all(row["error"] for row in rows)


def test_a_list_that_breaks_off(
    bucket: Any, s3: S3Server, storages: Storages, short: Path, tmp_path: Path
) -> None:
    """What was listed has rows, and the rest is an error of the place."""

    def two(environ: dict[str, Any]) -> tuple[str, str] | None:
        environ["QUERY_STRING"] += "&max-keys=2" if "list-type" in environ["QUERY_STRING"] else ""
        is_next = "continuation-token" in environ["QUERY_STRING"]
        return ("403 Forbidden", "AccessDenied") if is_next else None

    for k in range(4):
        bucket.put_object(Bucket="archive", Key=f"many/{k}.flac", Body=short.read_bytes())
    s3.refuse = two
    out, path = tmp_path / "out.jsonl", storages(s3=[with_key(s3)])
    args = ("estimate", "s3://archive/many/", "--out", out, "--tasks", "tempo", "--storages", path)
    assert run(*args).exit_code == 1
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert [(row["path"], bool(row["error"])) for row in rows] == [
        ("s3://archive/many/0.flac", False), ("s3://archive/many/1.flac", False),
        ("s3://archive/many/", True),
    ]  # fmt: skip
    s3.refuse = lambda environ: None
    result = run(*args, "--retry")
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert {f"s3://archive/many/{k}.flac" for k in range(4)} <= {row["path"] for row in rows}
    assert "Traceback" not in result.output


@pytest.mark.parametrize(
    "place", ["s3://archive/nothing/", "s3://nowhere/", "s3://archive/no.flac"]
)
def test_what_is_missing(place: str, bucket: Any, s3: S3Server, storages: Storages) -> None:
    path = storages(s3=[with_key(s3), with_key(s3, bucket="nowhere")])
    rows = estimated(place, "s3://archive/music/short.flac", "--storages", path)
    assert [bool(row["error"]) for row in rows] == [True, False]
    assert rows[0]["path"] == place
    assert ("no audio file under it" in rows[0]["error"]) == (place == "s3://archive/nothing/")
    assert SECRET not in str(rows)


REFUSALS = [
    ("403 Forbidden", "AccessDenied"), ("403 Forbidden", "InvalidAccessKeyId"),
    ("403 Forbidden", "SignatureDoesNotMatch"), ("400 Bad Request", "ExpiredToken"),
    ("400 Bad Request", "AuthorizationHeaderMalformed"), ("404 Not Found", "NoSuchBucket"),
    ("500 Internal Server Error", "InternalError"), ("409 Conflict", f"Odd{KEY}{SECRET}"),
    ("200 OK", "NotXML"), ("301 Moved Permanently", "PermanentRedirect"),
]  # fmt: skip


@pytest.mark.parametrize("refusal", some(REFUSALS, REFUSALS[0], REFUSALS[-1]))
@pytest.mark.usefixtures("bucket")
def test_refusals(refusal: tuple[str, str], s3: S3Server, storages: Storages) -> None:
    s3.refuse = lambda environ: refusal
    places = ("s3://archive/music/short.flac", "s3://archive/music/")
    result = run(
        "estimate", "--format", "tsv", *places, "--time-limit", 20,
        "--storages", storages(s3=[with_key(s3)]),
    )  # fmt: skip
    assert result.exit_code == 1
    assert len(result.stdout.splitlines()) == 3
    assert SECRET not in result.output
    assert "Traceback" not in result.output
    assert len(s3.requests) < 40


@pytest.mark.parametrize(("refusal", "said"), [
    (("400 Bad Request", "AuthorizationHeaderMalformed"), "in another region"),
    (("301 Moved Permanently", "PermanentRedirect"), "in another region"),
    (("403 Forbidden", "RequestTimeTooSkewed"), "the clock of this machine"),
    (("400 Bad Request", "ExpiredToken"), "token of the bucket has expired"),
])  # fmt: skip
@pytest.mark.usefixtures("bucket")
def test_refusals_in_plain_words(
    refusal: tuple[str, str], said: str, s3: S3Server, storages: Storages
) -> None:
    s3.refuse = lambda environ: refusal
    (row,) = estimated("s3://archive/music/short.flac", "--storages", storages(s3=[with_key(s3)]))
    assert said in row["error"]
    assert len(s3.requests) < 5


@pytest.mark.usefixtures("bucket")
def test_a_busy_server_is_asked_again(s3: S3Server, storages: Storages) -> None:
    left = [2]

    def busy(environ: dict[str, Any]) -> tuple[str, str] | None:
        left[0] -= 1
        return ("503 Slow Down", "SlowDown") if left[0] >= 0 else None

    s3.refuse = busy
    path = storages(s3=[with_key(s3)])
    (row,) = estimated("s3://archive/music/short.flac", "--storages", path)
    assert row["error"] == ""


@pytest.mark.parametrize("server", ["obedient", "of its own mind"])
def test_an_object_that_changes(
    server: str,
    bucket: Any,
    s3: S3Server,
    storages: Storages,
    long: Path,
    local_rows: dict[str, Row],
) -> None:
    data, left = long.read_bytes(), [2]

    def replaced(environ: dict[str, Any]) -> None:
        if server != "obedient":
            environ.pop("HTTP_IF_MATCH", None)
        if environ["REQUEST_METHOD"] == "GET" and environ.get("HTTP_RANGE"):
            left[0] -= 1
            if left[0] == 0:
                bucket.put_object(Bucket="archive", Key="music/long.wav", Body=data[::-1])

    s3.refuse = replaced
    (row,) = estimated("s3://archive/music/long.wav", "--storages", storages(s3=[with_key(s3)]))
    assert left[0] <= 0
    assert "changed while it was read" in row["error"]


@pytest.mark.usefixtures("bucket")
def test_only_configured_buckets_are_asked(s3: S3Server, storages: Storages, short: Path) -> None:
    s3.client().create_bucket(Bucket="private")
    s3.client().put_object(Bucket="private", Key="a.flac", Body=short.read_bytes())
    s3.requests.clear()
    path = storages(s3=[with_key(s3)])
    wrong = [
        "s3://private/a.flac", "s3://private/", "s3://", "s3://archive", "s3:///archive/a.flac",
        "s3a://archive/music/short.flac", "s3://u:p@archive/music/short.flac",
        "s3://archive@private/a.flac", "s3://arn:aws:s3:us-east-1:1:accesspoint/x/object/a.flac",
    ]  # fmt: skip
    for row in estimated(*wrong, "--storages", path):
        assert row["error"] or row["path"].startswith("s3://archive/music/"), row["path"]
    assert not any("private" in request.path for request in s3.requests)
    assert not any("arn" in request.path for request in s3.requests)
    s3.requests.clear()
    for place in ("s3://archive/../private/a.flac", "s3://archive/music/../../private/a.flac"):
        assert estimated(place, "--storages", path)[0]["error"]
    assert not any(request.path.startswith("/private") for request in s3.requests)


def of_somebody_else(
    home: Path, other: Site, monkeypatch: pytest.MonkeyPatch, profile: str
) -> Path:
    """Settings of AWS's own tools in the environment and in ~/.aws; a file that none may make."""
    trap = home / "trap"
    (home / ".aws").mkdir()
    (home / ".aws" / "config").write_text(
        f"[default]\nendpoint_url = {other.url}\nregion = us-west-1\nservices = mine\n"
        f"credential_process = /bin/touch {trap}\n[profile work]\nendpoint_url = {other.url}\n"
        f"credential_process = /bin/touch {trap}\nsso_start_url = {other.url}\n"
        f"[services mine]\ns3 =\n  endpoint_url = {other.url}\n"
    )
    keys = f"aws_access_key_id = {OTHER_KEY}\naws_secret_access_key = {OTHER_SECRET}\n"
    (home / ".aws" / "credentials").write_text(f"[default]\n{keys}[work]\n{keys}")
    (home / ".boto").write_text(f"[Credentials]\n{keys}")
    for name, value in {
        "AWS_ACCESS_KEY_ID": OTHER_KEY, "AWS_SECRET_ACCESS_KEY": OTHER_SECRET,
        "AWS_SESSION_TOKEN": "token-of-somebody-else", "AWS_PROFILE": profile,
        "AWS_ENDPOINT_URL": other.url, "AWS_ENDPOINT_URL_S3": other.url,
        "AWS_ENDPOINT_URL_STS": other.url, "AWS_CONTAINER_CREDENTIALS_FULL_URI": other.url,
        "AWS_EC2_METADATA_SERVICE_ENDPOINT": other.url, "AWS_DEFAULT_REGION": "us-west-1",
        "HTTP_PROXY": other.url, "http_proxy": other.url, "HTTPS_PROXY": other.url,
        "ALL_PROXY": other.url, "FSSPEC_S3_ENDPOINT_URL": other.url, "FSSPEC_S3_KEY": OTHER_KEY,
        "FSSPEC_S3_SECRET": OTHER_SECRET, "AWS_S3_ENDPOINT": other.url,
        "AWS_USE_DUALSTACK_ENDPOINT": "true", "AWS_USE_FIPS_ENDPOINT": "true",
        "AWS_RETRY_MODE": "adaptive", "AWS_MAX_ATTEMPTS": "99",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name)
    # As fsspec reads it from FSSPEC_S3_… and ~/.config/fsspec when it is imported.
    of_fsspec = {
        "token": "token-of-somebody-else", "profile": "work", "requester_pays": True,
        "use_ssl": False, "cache_regions": True, "username": OTHER_KEY, "password": OTHER_SECRET,
        "client_kwargs": {"endpoint_url": other.url}, "endpoint_url": other.url, "key": OTHER_KEY,
        "secret": OTHER_SECRET, "asynchronous": True,
    }  # fmt: skip
    monkeypatch.setitem(fsspec.config.conf, "s3", of_fsspec)
    return trap


@pytest.mark.slow
@pytest.mark.parametrize("profile", ["work", "nobody"])
@pytest.mark.parametrize("how", ["key", "anonymous"])
@pytest.mark.usefixtures("bucket")
def test_what_the_machine_is_set_to_is_not_used(
    how: str, profile: str, s3: S3Server, other: Site, storages: Storages, home: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    trap = of_somebody_else(home, other, monkeypatch, profile)
    # Of a region of its own, so that no client from before is used.
    own = {"region": f"eu-{profile}-{len(how)}"}
    path = storages(s3=[with_key(s3, **own) if how == "key" else anonymous(s3, **own)])
    rows = estimated("s3://archive/music/", "--storages", path)
    assert [row["error"] for row in rows] == ["", ""]
    assert not any(OTHER_KEY in request.authorization for request in s3.requests)
    assert {request.token for request in s3.requests} == {""}
    assert all(("Credential" in r.authorization) == (how == "key") for r in s3.requests)
    assert not trap.exists()


@pytest.mark.usefixtures("bucket")
def test_credentials_of_the_machine_if_they_are_wanted(
    s3: S3Server, other: Site, storages: Storages, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even then only the configured endpoint is asked."""
    for name, value in {
        "AWS_ACCESS_KEY_ID": OTHER_KEY, "AWS_SECRET_ACCESS_KEY": OTHER_SECRET,
        "AWS_ENDPOINT_URL": other.url, "AWS_ENDPOINT_URL_S3": other.url,
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    path = storages(s3=[anonymous(s3, credentials="machine", region="eu-south-1")])
    (row,) = estimated("s3://archive/music/short.flac", "--storages", path)
    assert row["error"] == ""
    assert {f"Credential={OTHER_KEY}/" in r.authorization for r in s3.requests} == {True}


@pytest.mark.parametrize("status", some([301, 302, 307], 307))
def test_redirects_are_not_followed(status: int, other: Site, storages: Storages) -> None:
    """Not even to where S3 itself says that a bucket lies."""
    with Site() as endpoint:
        answer = hostile.redirect(f"{other.url}/archive/a", status, X_Amz_Bucket_Region="x-1")
        endpoint.answers.update({"/archive/a.flac": answer, "/archive": answer})
        about = {"bucket": "archive", "endpoint": endpoint.url, "key": KEY, "secret": SECRET}
        path = storages(s3=[about])
        rows = estimated("s3://archive/a.flac", "s3://archive/", "--storages", path)
        assert all(row["error"] for row in rows)
        assert endpoint.requests


@pytest.mark.slow
def test_a_server_that_is_not_there(storages: Storages, short: Path) -> None:
    with Site() as site:
        url = site.url
    about = {"bucket": "archive", "endpoint": url, "key": KEY, "secret": SECRET}
    rows = estimated("s3://archive/a.flac", short, "--storages", storages(s3=[about]))
    assert [bool(row["error"]) for row in rows] == [True, False]
    assert SECRET not in str(rows)


@pytest.mark.slow
def test_a_server_of_another_kind(site: Site, storages: Storages) -> None:
    """Its answers are no audio, and it gets no secret."""
    about = {"bucket": "archive", "endpoint": site.url, "key": KEY, "secret": SECRET}
    site.files["/archive/a.flac"] = b"<html>"
    (row,) = estimated("s3://archive/a.flac", "--storages", storages(s3=[about]))
    assert row["error"]
    assert SECRET not in str([request.headers for request in site.requests])


@pytest.mark.parametrize("status", some([200, 206, 404, 500], 404))
def test_endless_answers_are_left(status: int, storages: Storages) -> None:
    with Site() as endpoint:
        answer = hostile.endless(status, begin=b"<Error><Code>")
        endpoint.answers.update({"/archive/a.flac": answer, "/archive": answer})
        about = {"bucket": "archive", "endpoint": endpoint.url, "key": KEY, "secret": SECRET}
        path = storages(s3=[about])
        for row in estimated("s3://archive/a.flac", "s3://archive/", "--storages", path):
            assert row["error"]
        assert endpoint.n_sent < 300e6
