"""Buckets with temporary keys, which count with their session token only."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from .conftest import Storages, estimated, run
from .s3_server import S3Server

POLICY = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}],
}
PLACES = ("s3://archive/short.flac", "s3://archive/")


@pytest.fixture
def lent(s3: S3Server, short: Path) -> Iterator[Mapping[str, str]]:
    """Settings of a bucket with a temporary key, whose server checks all signatures."""
    client = s3.client()
    client.create_bucket(Bucket="archive")
    client.put_object(Bucket="archive", Key="short.flac", Body=short.read_bytes())
    role = s3.client("iam").create_role(RoleName="reader", AssumeRolePolicyDocument="{}")["Role"]
    s3.client("iam").put_role_policy(
        RoleName="reader", PolicyName="reading", PolicyDocument=json.dumps(POLICY)
    )
    found = s3.client("sts").assume_role(RoleArn=role["Arn"], RoleSessionName="tests")
    temporary = found["Credentials"]
    with s3.with_authorization():
        s3.requests.clear()
        yield {
            "bucket": "archive", "endpoint": s3.url, "region": "us-east-1",
            "key": temporary["AccessKeyId"], "secret": temporary["SecretAccessKey"],
            "token": temporary["SessionToken"],
        }  # fmt: skip


def test_a_token_is_sent_with_its_key(
    lent: Mapping[str, str], s3: S3Server, storages: Storages
) -> None:
    rows = estimated(*PLACES, "--storages", storages(s3=[dict(lent)]))
    assert [row["error"] for row in rows] == ["", ""]
    assert {request.token for request in s3.requests} == {lent["token"]}


@pytest.mark.parametrize(("changes", "said"), [
    ({"token": "another+token"}, "the bucket does not accept the session token"),
    ({"token": None}, "the bucket does not know this key"),
    ({"secret": "another/secret"}, "the bucket does not accept key and secret"),
])  # fmt: skip
def test_a_token_that_does_not_belong(
    changes: Mapping[str, str | None], said: str, lent: Mapping[str, str], storages: Storages
) -> None:
    about = {name: value for name, value in {**lent, **changes}.items() if value}
    result = run("estimate", *PLACES, "--storages", storages(s3=[about]))
    assert result.exit_code == 1
    assert [line for line in result.stderr.splitlines() if said in line] == [
        f"{place}: {said}" for place in PLACES
    ]
    assert about["secret"] not in result.output
    assert about.get("token", "none") not in result.output


@pytest.mark.slow
def test_a_token_of_the_machine(
    lent: Mapping[str, str], s3: S3Server, storages: Storages, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It goes to servers on this machine, and to others only if nobody else can read it."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", lent["key"])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", lent["secret"])
    monkeypatch.setenv("AWS_SESSION_TOKEN", lent["token"])
    about = {"bucket": "archive", "region": "us-east-1", "credentials": "machine"}
    (row,) = estimated(PLACES[0], "--storages", storages(s3=[{**about, "endpoint": s3.url}]))
    assert row["error"] == ""
    assert {request.token for request in s3.requests} == {lent["token"]}
    far = {**about, "endpoint": "http://nothing.invalid"}
    (row,) = estimated(PLACES[0], "--storages", storages(s3=[far]))
    assert "over https only" in row["error"]
