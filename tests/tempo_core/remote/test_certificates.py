"""Sites and buckets with encrypted connections: whose certificates count."""

from __future__ import annotations

import datetime
import os
import ssl
import subprocess
import sys
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from . import hostile
from .conftest import Storages, run
from .servers import Site


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """File with a certificate of 127.0.0.1 that nobody has signed, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "tests")])
    now = datetime.datetime.now(datetime.timezone.utc)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("certificate") / "own.pem"
    path.write_bytes(
        signed.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )  # fmt: skip
    return path


@pytest.fixture
def encrypted(certificate: Path, short: Path) -> Iterator[Site]:
    """A site with that certificate; it answers as a bucket `archive` as well."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    files = {path: short.read_bytes() for path in ("/a.flac", "/archive/b.flac")}
    with Site(files, tls=context) as started:
        yield started


def settings(encrypted: Site, site: Site, storages: Storages) -> Path:
    sesame = {"robots": False, "headers": {"Authorization": "sesame"}}
    return storages(
        http=[{"site": encrypted.url, **sesame}, site],
        s3=[{"bucket": "archive", "endpoint": encrypted.url}],
    )


def test_certificates_that_nobody_has_signed(
    encrypted: Site, site: Site, storages: Storages
) -> None:
    places = (f"{encrypted.url}/a.flac", "s3://archive/b.flac")
    result = run("estimate", *places, "--storages", settings(encrypted, site, storages))
    assert result.stderr.count("no valid certificate") == 2
    assert encrypted.requests == []


@pytest.mark.slow
def test_certificates_that_the_environment_names(
    encrypted: Site, site: Site, storages: Storages, certificate: Path
) -> None:
    """They count for sites and for buckets; and secrets of a site do not follow a redirect."""
    site.answers["/there.flac"] = hostile.redirect(f"{encrypted.url}/a.flac")
    encrypted.answers["/back.flac"] = hostile.redirect(f"{site.url}/short.flac")
    places = [
        f"{encrypted.url}/a.flac", f"{site.url}/there.flac", f"{encrypted.url}/back.flac",
        "s3://archive/b.flac",
    ]  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-m", "tempo_core.cli", "estimate", "--tasks", "tempo", *places,
         "--storages", settings(encrypted, site, storages)],
        env=os.environ | {"SSL_CERT_FILE": str(certificate)}, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert [line.partition(": 120.00 BPM")[0] for line in done.stdout.splitlines()] == places
    assert {request.headers.get("authorization") for request in site.requests} == {None}
    sent = {(r.path, r.headers.get("authorization")) for r in encrypted.requests}
    assert sent == {("/a.flac", "sesame"), ("/back.flac", "sesame"), ("/archive/b.flac", None)}
