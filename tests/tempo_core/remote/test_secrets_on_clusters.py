"""Tests that secrets of storages go to no scheduler that does not encrypt them."""

from __future__ import annotations

import pytest

from tempo_core.engines.schedulers import check_secrets
from tempo_core.errors import ConfigError
from tempo_core.remote.settings import Bucket, Site, Storages

KEY = Storages(buckets=(Bucket("archive", "https://s3.example.org", "", "known", "sesame"),))
LENT = Storages(buckets=(Bucket("archive", "", "eu-central-1", "known", "s", "sesame"),))
HEADER = Storages((Site("https://example.org", headers=(("Authorization", "sesame"),)),))
NONE = Storages((Site("https://example.org"),), (Bucket("archive", machine=True),), zip=True)
OPEN = ("tcp://10.1.2.3:8786", "tcp://scheduler:8786", "ws://10.1.2.3:8786", "")
SAFE = ("tls://10.1.2.3:8786", "tcp://127.0.0.1:8786", "tcp://[::1]:8786", "tcp://localhost:1")


@pytest.mark.parametrize("address", OPEN)
@pytest.mark.parametrize("storages", [KEY, LENT, HEADER])
def test_secrets_are_not_sent_as_they_are(storages: Storages, address: str) -> None:
    with pytest.raises(ConfigError, match=r"not encrypted.*tls://.*machine") as raised:
        check_secrets(storages, address)
    assert "sesame" not in str(raised.value)
    check_secrets(NONE, address)


@pytest.mark.parametrize("address", SAFE)
def test_secrets_go_where_they_are_safe(address: str) -> None:
    check_secrets(KEY, address)
