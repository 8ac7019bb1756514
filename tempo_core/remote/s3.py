"""Objects in buckets of S3, read by ranges, with s3fs."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from typing import Any

import aiohttp
from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError
from botocore.exceptions import ConnectionError as NoConnection
from s3fs import S3FileSystem

from ..addresses import NOT_CONFIGURED
from ..errors import AudioError
from .connections import why
from .http import EMPTY, PIECE
from .loop import wait
from .ranges import HEAD, Changed
from .s3_session import ELSEWHERE, open_bucket
from .settings import Storages
from .web import BACKOFF, MAX_TRIES

_RANGE = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18})")
REFUSALS = {
    "NoSuchKey": "no such object in the bucket", "404": "no such object in the bucket",
    "NoSuchBucket": "there is no such bucket",
    "AccessDenied": "the bucket does not allow it", "403": "the bucket does not allow it",
    "InvalidAccessKeyId": "the bucket does not know this key",
    "SignatureDoesNotMatch": "the bucket does not accept key and secret",
    "ExpiredToken": "the session token of the bucket has expired",
    "InvalidToken": "the bucket does not accept the session token",
    "RequestTimeTooSkewed": "the bucket finds that the clock of this machine is wrong",
    "AuthorizationHeaderMalformed": ELSEWHERE, "PermanentRedirect": ELSEWHERE, "301": ELSEWHERE,
    "InvalidObjectState": "is in an archive of the storage; restore it first",
}  # fmt: skip
AGAIN = ("SlowDown", "InternalError", "ServiceUnavailable", "RequestTimeout", "500", "503")


class Buckets:
    """The buckets of some storages, for one process."""

    def __init__(self, storages: Storages) -> None:
        self._buckets = {bucket.name: bucket for bucket in storages.buckets}
        self._opened: dict[str, S3FileSystem] = {}

    def split(self, address: str) -> tuple[str, str]:
        """Bucket and key in an address; the key is taken as it is.

        Raises
        ------
        AudioError
            If it is none, or the bucket is not configured.
        """
        name, _, key = address.removeprefix("s3://").partition("/")
        if "@" in name:
            raise AudioError("has a key or a secret in it; give them in the storages file")
        if name not in self._buckets:
            raise AudioError(NOT_CONFIGURED)
        try:
            key.encode()
        except UnicodeEncodeError as error:
            raise AudioError("is no usable address: its key is no text") from error
        return name, key

    def ask(self, name: str, method: str, **given: Any) -> Any:
        """The answer of a bucket to a question without a body."""
        return wait(self.asked(name, method, **given))

    async def asked(self, name: str, method: str, **given: Any) -> Any:
        """The answer of a bucket; AudioError without secrets if it gives none."""
        for attempt in range(MAX_TRIES):
            try:
                system = self._opened.get(name)
                if system is None:
                    system = self._opened[name] = open_bucket(self._buckets[name])
                client = await system.set_session()
                return await getattr(client, method)(Bucket=name, **given)
            except ClientError as error:
                code = str(error.response.get("Error", {}).get("Code", ""))
                if code == "InvalidRange":  # of an object with no byte, or fewer than before
                    is_first = given["Range"].startswith("bytes=0-")
                    raise (AudioError(EMPTY) if is_first else Changed()) from None
                if code in ("PreconditionFailed", "412"):
                    raise Changed from None
                problem = REFUSALS.get(code, f"the bucket answers {code[:40]}")
                if code not in AGAIN:
                    raise AudioError(problem) from None
            except (NoConnection, HTTPClientError, aiohttp.ClientError, OSError) as error:
                problem = f"the bucket cannot be reached ({why(error)})"
            except BotoCoreError as error:
                whose = " with what this machine has for AWS" if self._buckets[name].machine else ""
                told = f"the bucket cannot be asked{whose} ({type(error).__name__})"
                raise AudioError(told) from None
            if attempt + 1 < MAX_TRIES:
                await asyncio.sleep(BACKOFF * 2**attempt)
        raise AudioError(problem)

    def keys(self, name: str, prefix: str) -> Iterator[str]:
        """Keys with a prefix in their order, a thousand in memory."""
        following: dict[str, str] = {}
        while True:
            page = self.ask(name, "list_objects_v2", Prefix=prefix, **following)
            keys = [str(found["Key"]) for found in page.get("Contents", ())]
            yield from (key for key in keys if key.startswith(prefix))
            token = page.get("NextContinuationToken")
            if not page.get("IsTruncated") or not token:
                return
            if token == following.get("ContinuationToken"):
                raise AudioError("the bucket lists the same keys again and again")
            following = {"ContinuationToken": token}

    async def close(self) -> None:
        """Close all connections."""
        for system in self._opened.values():
            if system._s3creator is not None:
                await system._s3creator.__aexit__(None, None, None)


class S3Object:
    """An object in a bucket; see `HttpObject`."""

    def __init__(
        self,
        buckets: Buckets,
        address: str,
        known: tuple[int, str] | None = None,
        n_head: int = HEAD,
    ) -> None:
        self._buckets = buckets
        self._bucket, self._key = buckets.split(address)
        if not self._key:
            raise AudioError("is a bucket, and there is no audio file in it")
        if self._key.endswith("/"):
            raise AudioError("there is no audio file under it in the bucket")
        self._size: int | None = known[0] if known else None
        self.mark = known[1] if known else ""
        self.head = b"" if known else self.fetch(0, n_head)

    @property
    def size(self) -> int:
        """Length [bytes]."""
        assert self._size is not None
        return self._size

    def fetch(self, begin: int, end: int) -> bytes:
        """See `Ranged`."""
        return wait(self._fetched(begin, end))

    def close(self) -> None:
        """See `Ranged`."""

    async def _fetched(self, begin: int, end: int) -> bytes:
        for attempt in range(MAX_TRIES):
            given = {"IfMatch": self.mark} if self.mark else {}
            answer = await self._buckets.asked(
                self._bucket, "get_object", Key=self._key, Range=f"bytes={begin}-{end - 1}", **given
            )
            try:
                return await self._taken(begin, end, answer, answer["Body"])
            except (BotoCoreError, HTTPClientError, aiohttp.ClientError, OSError) as error:
                if attempt + 1 == MAX_TRIES:
                    told = f"the bucket broke off in the middle of an answer ({why(error)})"
                    raise AudioError(told) from None
                await asyncio.sleep(BACKOFF * 2**attempt)
            finally:
                answer["Body"].close()
        raise AssertionError("unreachable")

    async def _taken(self, begin: int, end: int, answer: dict[str, Any], body: Any) -> bytes:
        found = _RANGE.fullmatch(answer.get("ContentRange", ""))
        if found is None:
            if answer.get("ContentLength") == 0:
                raise AudioError(EMPTY)
            raise AudioError("the bucket gives no parts of objects")
        first, last, total = map(int, found.groups())
        mark = answer.get("ETag", "")
        if self._size is not None and (total != self._size or (self.mark and mark != self.mark)):
            raise Changed
        size = last + 1 - first
        if first != begin or last != min(end, total) - 1 or answer.get("ContentLength") != size:
            raise AudioError("the bucket sends another part than was asked for")
        data = bytearray()
        while len(data) <= size and (piece := await body.read(PIECE)):
            data += piece
        if len(data) != size:
            raise AudioError("the bucket sends more or less than it says")
        self._size, self.mark = total, mark
        return bytes(data)
