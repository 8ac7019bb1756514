"""What a machine has for AWS where it is of no use: one line for each file, and no request."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from .conftest import Storages, run
from .servers import Site

PLACES = ("s3://archive/a.flac", "s3://archive/")
# A login that has ended; the programs of AWS would say how to begin it anew.
ENDED = (
    "[default]\nsso_start_url = {url}\nsso_region = us-east-1\nsso_account_id = 1\n"
    "sso_role_name = reader\n"
)


def settings(other: Site, storages: Storages) -> Path:
    about = {"bucket": "archive", "endpoint": other.url, "region": "us-east-1"}
    return storages(s3=[{**about, "credentials": "machine"}])


@pytest.mark.parametrize(("name", "value"), [
    ("AWS_EC2_METADATA_DISABLED", "true"), ("AWS_ACCESS_KEY_ID", "AKIDALONE"),
    ("AWS_PROFILE", "nobody"),
])  # fmt: skip
@pytest.mark.usefixtures("home")
def test_credentials_that_are_not_there(
    name: str, value: str, other: Site, storages: Storages, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in [key for key in os.environ if key.startswith("AWS_")]:
        monkeypatch.delenv(variable)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv(name, value)
    result = run("estimate", *PLACES, "--storages", settings(other, storages))
    assert result.exit_code == 1
    *lines, _ = result.stderr.splitlines()
    assert [line.partition(": ")[0] for line in lines] == [*PLACES]
    assert all("with what this machine has for AWS" in line for line in lines)


@pytest.mark.slow
def test_libraries_write_nothing_between_the_lines(
    other: Site, storages: Storages, tmp_path: Path
) -> None:
    config = tmp_path / "config"
    config.write_text(ENDED.format(url=other.url))
    own = {key: value for key, value in os.environ.items() if not key.startswith("AWS_")}
    path = settings(other, storages)
    path.chmod(0o600)
    done = subprocess.run(
        [sys.executable, "-m", "tempo_core.cli", "estimate", *PLACES, "--storages", path],
        env={**own, "HOME": str(tmp_path), "AWS_CONFIG_FILE": str(config)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert [line.partition(": ")[0] for line in done.stderr.splitlines()] == [
        *PLACES, "2 of 2 files failed"
    ]  # fmt: skip
