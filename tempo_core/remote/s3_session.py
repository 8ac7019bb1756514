"""Connections to the server of a bucket: no redirects, no tries of its own, no endless answers."""

from __future__ import annotations

import logging
import os
from typing import Any

import aiohttp
from aiobotocore.httpsession import AIOHTTPSession
from aiobotocore.session import AioSession
from botocore.configprovider import (
    BOTOCORE_DEFAUT_SESSION_VARIABLES,
    ConfigValueStore,
    ConstantProvider,
)
from s3fs import S3FileSystem

from ..errors import AudioError
from .connections import keep_apart, once
from .settings import OPEN_TOKEN, Bucket, is_open
from .web import CONNECTED_WITHIN, NO_BYTE_FOR

ELSEWHERE = "the bucket is at another address, or in another region, than the storages file says"
LARGEST_ANSWER = 1 << 24  # [bytes] that are read at once: lists of keys, and errors

# What they say of an error is in the row; and it would be many lines, between those of others.
for _library in ("aiobotocore", "botocore"):
    logging.getLogger(_library).addHandler(logging.NullHandler())


class OneServer(AIOHTTPSession):
    """What aiobotocore sends requests with. aiohttp would follow redirects to any other server."""

    async def _get_session(self, proxy_url: str | None) -> Any:
        session = await super()._get_session(proxy_url)
        keep_apart(session.connector)
        return _Session(session)

    async def __aexit__(self, *about: Any) -> None:
        # s3fs closes it at the end of the process once more, which some versions do not allow.
        if self._sessions is not None:
            await super().__aexit__(*about)


class _Session:
    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session

    async def request(self, *given: Any, **options: Any) -> aiohttp.ClientResponse:
        response = await self._session.request(
            *given, allow_redirects=False, middlewares=(once,), **options
        )
        response.content = _Body(response.content)  # type: ignore[assignment]
        return response


class _Body:
    """The body of an answer, of which no more than `LARGEST_ANSWER` is read at once."""

    def __init__(self, body: aiohttp.StreamReader) -> None:
        self._body = body

    def __getattr__(self, name: str) -> Any:
        return getattr(self._body, name)

    async def read(self, n: int = -1) -> bytes:
        """See `aiohttp.StreamReader`; raises ClientPayloadError if there is more."""
        if n >= 0:
            return await self._body.read(n)
        whole = bytearray()
        while piece := await self._body.readany():
            whole += piece
            if len(whole) > LARGEST_ANSWER:
                raise aiohttp.ClientPayloadError(f"more than {LARGEST_ANSWER >> 20} MB")
        return bytes(whole)


def open_bucket(bucket: Bucket) -> S3FileSystem:
    """The file system of s3fs for a bucket, which asks nobody but the server of the bucket."""
    session = AioSession()
    session.register("before-send.s3", _keep_token)
    session.register("before-send.s3.HeadBucket", _seek_no_bucket)
    if not bucket.machine:
        # As if there were no AWS_… in the environment and no ~/.aws: only what stands here counts.
        constant = {
            name: ConstantProvider(default)
            for name, (_, _, default, _) in BOTOCORE_DEFAUT_SESSION_VARIABLES.items()
        }
        for name in ("config_file", "credentials_file"):
            constant[name] = ConstantProvider(os.devnull)
        constant["ignore_configured_endpoint_urls"] = ConstantProvider(True)
        session.register_component("config_store", ConfigValueStore(mapping=constant))
    config: dict[str, Any] = {
        "connect_timeout": CONNECTED_WITHIN, "read_timeout": NO_BYTE_FOR, "proxies": {},
        "retries": {"max_attempts": 0}, "ignore_configured_endpoint_urls": True,
        "http_session_cls": OneServer,
    }  # fmt: skip
    if bucket.endpoint:
        config["s3"] = {"addressing_style": "path"}
    authorities = os.environ.get("SSL_CERT_FILE") or None  # else those that botocore brings
    # What is left out here would be taken from FSSPEC_S3_… or from ~/.config/fsspec.
    system = S3FileSystem(
        anon=not (bucket.machine or bucket.key), key=bucket.key or None,
        secret=bucket.secret or None, endpoint_url=bucket.endpoint or None, session=session,
        token=bucket.token or None,
        client_kwargs={"region_name": bucket.region or None, "verify": authorities},
        config_kwargs=config,
        username=None, password=None, use_ssl=True, requester_pays=False,
        version_aware=False, cache_regions=False, s3_additional_kwargs=None, asynchronous=False,
        loop=None,
        skip_instance_cache=True, use_listings_cache=False,
    )  # fmt: skip
    return system


def _keep_token(request: Any, **_: Any) -> None:
    """Refuse, as `AudioError`, to send a session token of the machine as everybody can read it."""
    if "X-Amz-Security-Token" in request.headers and is_open(request.url):
        raise AudioError(OPEN_TOKEN)


def _seek_no_bucket(**_: Any) -> None:
    """Refuse, as `AudioError`, to ask where a bucket is.

    botocore asks so when the answer before was a redirect without a region, and asks again when the
    answer to that is one as well: hundreds of times.
    """
    raise AudioError(ELSEWHERE)
