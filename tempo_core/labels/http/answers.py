"""Answers of a site: their content, redirects, challenges, and the time to wait before a retry."""

from __future__ import annotations

import codecs
import datetime
import email.utils
import re
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit

import requests

from ..record import Status, one_line
from .addresses import host_of, origin_of
from .errors import SourceError

MAX_WAIT = 120.0  # [s] accepted Crawl-delay, and sum of all waiting between tries for a page
# Beginnings of the names of Python's codecs for texts.
CHARSET_PREFIXES = (
    "utf-8", "utf-16", "ascii", "iso8859", "cp125", "koi8", "mac-", "shift_jis", "euc_", "gb",
    "big5", "cp932", "cp949", "iso2022",
)  # fmt: skip
_CHALLENGE = re.compile(
    rb"<title>\s*(just a moment|attention required)|_cf_chl_opt|/cdn-cgi/challenge-platform/"
    rb"|<title>[^<]{0,40}captcha",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Page:
    """An answer: its final address, its text, and the time it was fetched (ISO 8601, UTC)."""

    url: str
    text: str
    fetched_at: str


def page_of(response: requests.Response, types: tuple[str, ...]) -> Page:
    """The page in an answer.

    Raises
    ------
    SourceError
        If its content type is none of `types`.
    """
    kind = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if kind not in types:
        raise SourceError(
            Status.PARSE_ERROR,
            f"{host_of(response.url)} sends {one_line(kind, 40) or 'something'}, not {types[0]}",
        )
    created: datetime.datetime = getattr(response, "created_at", None) or datetime.datetime.now(
        datetime.timezone.utc
    )
    return Page(response.url, text_of(response), created.isoformat(timespec="seconds"))


def text_of(response: requests.Response) -> str:
    """The decoded text of an answer; bytes that cannot be decoded are replaced."""
    # requests would decode HTML without a declared charset as Latin-1, which is hardly used now.
    declared = "charset" in response.headers.get("Content-Type", "").lower()
    return response.content.decode(_charset((declared and response.encoding) or ""), "replace")


def _charset(name: str) -> str:
    """Python's name of a charset that a site names; UTF-8 if the name is no charset.

    Python also has codecs that are no charsets, some of which take hours for a page.
    """
    try:
        known = codecs.lookup(name).name
    except (LookupError, ValueError):
        return "utf-8"
    return known if known.startswith(CHARSET_PREFIXES) else "utf-8"


def is_challenge(response: requests.Response) -> bool:
    """Whether an answer, whatever its status, is a page meant to keep programs out."""
    headers: MutableMapping[str, str] = response.headers
    if headers.get("cf-mitigated", "").lower() == "challenge":
        return True
    return _CHALLENGE.search(response.content[:50_000]) is not None


def redirect_target(response: requests.Response) -> str:
    """Target of a redirect, as an address without parts that libraries read differently.

    Raises
    ------
    SourceError
        If the target is no address.
    """
    location = response.headers["Location"].encode("latin-1", "replace").decode("utf-8", "replace")
    try:
        url = urljoin(response.url, location)
        parts = urlsplit(url)
    except ValueError as error:
        raise SourceError(
            Status.PARSE_ERROR, f"{host_of(response.url)} redirects to something that is no address"
        ) from error
    origin = origin_of(url)
    query = f"?{parts.query}" if parts.query else ""
    return f"{origin}/{parts.path.lstrip('/')}{query}" if origin else url


def retry_after(headers: Mapping[str, str]) -> float:
    """Time that the server asks to wait from now on, by headers [s], 0 if it asks for none."""
    text = headers.get("Retry-After", "").strip()
    if re.fullmatch(r"[0-9]+", text):
        return float(text[:12])
    try:
        moment = email.utils.parsedate_to_datetime(text)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=datetime.timezone.utc)
        wait = moment - datetime.datetime.now(datetime.timezone.utc)
    except (TypeError, ValueError, IndexError, OverflowError):
        return 0.0
    return max(0.0, wait.total_seconds())


def unreadable(url: str, what: str) -> SourceError:
    """The error for an answer that cannot be read; `what` is the reason."""
    return SourceError(
        Status.PARSE_ERROR, f"{host_of(url)} sends an answer that cannot be read ({what})"
    )


def reason_of(error: BaseException) -> str:
    """Innermost cause of an error. The messages of requests contain memory addresses of objects."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.strerror:
            return cause.strerror
        inner = getattr(cause, "reason", None) or (cause.args[-1] if cause.args else None)
        if not isinstance(inner, BaseException) or inner is cause:
            inner = cause.__cause__ or cause.__context__
        if inner is None:
            break
        cause = inner
    return type(cause or error).__name__
