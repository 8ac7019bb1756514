"""The only way to the network: a session that behaves, and that stops where it is not wanted.

It says who it is, obeys robots.txt, leaves time between two requests to a host, waits when it is
told to wait, keeps what it has fetched, and asks no host but those it was made for. A site that
answers with a challenge or with 403 does not want to be asked by a program: it is left alone for
the rest of the run. There is no disguise and no way round.

Whatever a site answers, it costs no more than `MAX_SECONDS` on the network, `max_wait` of waiting
and `MAX_BYTES`; and what its owner must not know (a key for another site, `~/.netrc`) it does not
get.
"""

from __future__ import annotations

import codecs
import datetime
import email.utils
import re
import socket
import sqlite3
import threading
import time
import zlib
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from contextlib import closing, suppress
from dataclasses import dataclass
from http.cookiejar import DefaultCookiePolicy
from importlib.metadata import PackageNotFoundError, version
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import quote, urljoin, urlsplit

import requests
import urllib3
from protego import Protego
from requests.adapters import HTTPAdapter
from requests_cache import CacheMixin, SQLiteCache
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from ..errors import ConfigError, LabelError
from ..files import create_private, keep_private
from .record import Status, one_line

PRODUCT = "beets-tempo"  # also the name that robots.txt is asked about
TIMEOUT = (5.0, 10.0)  # [s] to connect, and between two pieces of an answer
MAX_SECONDS = 30.0  # [s] on the network for a page: heads and bodies, redirects and repetitions
MAX_BYTES = 2_000_000  # of one answer, as it comes and uncompressed
MAX_ROBOTS = 500_000  # [characters] RFC 9309, 2.5: at least 500 KiB; what is longer is cut
MAX_STARS = 6  # in a rule of robots.txt: to match more of them takes for ever
MAX_REDIRECTS = 5
TRIES = 3
BACKOFF = 2.0  # [s] before the second try; doubled for the third
MAX_WAIT = 120.0  # [s] the longest Crawl-delay, and what Retry-After may add up to for a page
SHORTEST_INTERVAL = 1.0  # [s] between two requests to a host that is not this machine
KEEP = datetime.timedelta(days=90)  # an answer stays good
KEEP_ROBOTS = datetime.timedelta(hours=24)  # RFC 9309, 2.4
BUSY = (429, 500, 502, 503, 504)
CACHE_LAYOUT = 1  # of what is in the cache
SECRETS = ("x-api-key", "authorization", "proxy-authorization", "cookie")  # headers
CHARSETS = (
    "utf-8", "utf-16", "ascii", "iso8859", "cp125", "koi8", "mac-", "shift_jis", "euc_", "gb",
    "big5", "cp932", "cp949", "iso2022",
)  # fmt: skip
_CHALLENGE = re.compile(
    rb"<title>\s*(just a moment|attention required)|_cf_chl_opt|/cdn-cgi/challenge-platform/"
    rb"|<title>[^<]{0,40}captcha",
    re.IGNORECASE,
)


class SourceError(LabelError):
    """A source that could not answer; `status` says in which way.

    `final` means that it need not be asked again in this run.
    """

    def __init__(self, status: Status, message: str, *, final: bool = False) -> None:
        super().__init__(message)
        self.status = status
        self.final = final


class BudgetSpent(LabelError):
    """The requests that a run may make are made."""


class Closed(LabelError):
    """The session was closed while it waited."""


@dataclass(frozen=True)
class Page:
    """An answer: its final address, its text, and when it was fetched (ISO 8601, UTC)."""

    url: str
    text: str
    fetched_at: str


@dataclass(frozen=True)
class Manners:
    """How a host wants to be treated: seconds between two requests, and whether it is crawled.

    robots.txt is for programs that walk through pages. An interface that is documented for
    programs is asked as its documentation says.
    """

    interval: float = 2.0
    robots: bool = True


class PoliteSession:
    """Fetches pages from the given hosts, see above. Thread-safe only in that `close` may be called
    from anywhere.

    Parameters
    ----------
    hosts
        What each host is treated like, by origin, `https://musicstax.com`. No other is asked.
    cache
        SQLite file for answers; None keeps them in memory.
    contact
        Added to the User-Agent: an address or page of who runs this.
    max_requests
        The most requests to send, those for robots.txt and repeated ones included; None for no
        limit. What comes from the cache costs nothing.
    refresh
        Ask even for what is in the cache.
    proxy
        Address of a proxy for everything, empty for none. Those in the environment are not used.
    clock, wait
        Time [s] and a sleep [s], for tests. The default sleep ends when the session is closed.
    """

    def __init__(
        self,
        hosts: Mapping[str, Manners],
        *,
        cache: Path | None = None,
        contact: str = "",
        max_requests: int | None = None,
        refresh: bool = False,
        proxy: str = "",
        backoff: float = BACKOFF,
        max_wait: float = MAX_WAIT,
        clock: Callable[[], float] = time.monotonic,
        wait: Callable[[float], None] | None = None,
    ) -> None:
        self.n_requests = 0
        self._hosts = dict(hosts)
        self._max_requests = max_requests
        self._refresh = refresh
        self._backoff = backoff
        self._max_wait = max_wait
        self._clock = clock
        self._closed = threading.Event()
        self._sleep = wait or self._wait_unless_closed
        self._free_at: dict[str, float] = {}  # when the next request to a host may be sent
        self._intervals = {
            host: manners.interval if _is_this_machine(host) else max(
                manners.interval, SHORTEST_INTERVAL
            )
            for host, manners in hosts.items()
        }  # fmt: skip
        self._robots: dict[str, Protego] = {}
        self._stopped: dict[str, SourceError] = {}
        self._seconds_left = MAX_SECONDS
        self._patience = max_wait
        self._session = _CachedSession(
            backend="memory" if cache is None else _open_cache(cache),
            expire_after=KEEP,
            urls_expire_after={"*/robots.txt": KEEP_ROBOTS},
            allowable_codes=(200, 302, 303),
            allowable_methods=("GET", "POST"),
            filter_fn=_worth_keeping,
        )
        # Else ~/.netrc would go to every site, and the environment would say where to.
        self._session.trust_env = False
        if proxy:
            self._session.proxies = dict.fromkeys(("http", "https"), _proxy(proxy))
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, _PoliteAdapter(self._before_sending, self._after_sending))
        self._session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        self._session.headers.update(
            {
                "User-Agent": user_agent(contact),
                "Accept-Language": "en",
                "Accept": "*/*",
                "Accept-Encoding": "gzip, deflate",
                "Connection": "close",  # the watch over an answer is over its connection
            }
        )

    def get(
        self,
        url: str,
        params: Mapping[str, str] | None = None,
        *,
        types: tuple[str, ...] = ("text/html",),
        headers: Mapping[str, str] | None = None,
    ) -> Page:
        """Fetch a page, from the cache if it is there.

        Parameters
        ----------
        types
            Content types of which one is expected.
        headers
            Sent in addition, a key for example; to this site only, wherever it redirects to.

        Raises
        ------
        SourceError
            If there is no usable answer.
        BudgetSpent
            If it would take one request too many.
        Closed
            If the session was closed.
        """
        return self._fetch("GET", url, types, params=params, headers=dict(headers or {}))

    def post(self, url: str, data: Mapping[str, str], *, headers: Mapping[str, str]) -> Page:
        """Send a form and fetch the page that it leads to; like `get` otherwise."""
        return self._fetch("POST", url, ("text/html",), data=dict(data), headers=dict(headers))

    def close(self) -> None:
        """End every wait, and with it whatever is being fetched."""
        self._closed.set()

    def __enter__(self) -> PoliteSession:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
        self._session.close()

    def _fetch(self, method: str, url: str, types: tuple[str, ...], **options: Any) -> Page:
        self._seconds_left, self._patience = MAX_SECONDS, self._max_wait
        first, headers = origin_of(url), options.get("headers")
        for _ in range(MAX_REDIRECTS + 1):
            origin = self._check(url)
            if self._hosts[origin].robots:
                self._obey_robots(origin, url)
            response = self._send(method, url, **options)
            if not response.is_redirect:
                return _page(response, types)
            url, method = _target(response), "GET"
            options = {"headers": headers if origin_of(url) == first else None}
        raise SourceError(Status.PARSE_ERROR, f"{_host(url)} redirects in a circle")

    def _check(self, url: str) -> str:
        """The origin of an address, if it may be asked."""
        origin = origin_of(url)
        if origin not in self._hosts:
            raise SourceError(
                Status.PARSE_ERROR,
                f"leads to {origin or without_secrets(url)!r}, no configured address; not followed",
            )
        if origin in self._stopped:
            raise self._stopped[origin]
        return origin

    def _obey_robots(self, origin: str, url: str) -> None:
        if origin not in self._robots:
            self._robots[origin] = self._read_robots(origin)
            delay = self._robots[origin].crawl_delay(PRODUCT) or 0.0
            if delay > self._max_wait:
                self._stop(origin, f"its robots.txt asks for {delay:g} s between requests")
            self._intervals[origin] = max(self._intervals[origin], float(delay))
            self._free_at[origin] = max(
                self._free_at.get(origin, 0.0), self._clock() + self._intervals[origin]
            )
        if not self._robots[origin].can_fetch(url, PRODUCT):
            self._stop(origin, f"its robots.txt forbids {urlsplit(url).path}")

    def _read_robots(self, origin: str) -> Protego:
        url = f"{origin}/robots.txt"
        for _ in range(MAX_REDIRECTS + 1):
            self._check(url)
            try:
                response = self._send("GET", url)
            except SourceError as error:
                if error.status is Status.NOT_FOUND:
                    return Protego.parse("")  # RFC 9309, 2.3.1.3: no rules
                raise
            if not response.is_redirect:
                return Protego.parse(_plain_rules(_text(response)[:MAX_ROBOTS]))
            url = _target(response)
        return Protego.parse("")

    def _send(self, method: str, url: str, **options: Any) -> requests.Response:
        """One request and its repetitions; a good answer or a redirect."""
        origin, problem = origin_of(url), ""
        for attempt in range(TRIES):
            if self._seconds_left <= 0:
                problem = f"does not answer in time ({MAX_SECONDS:g} s)"
                break
            problem, delay = "", self._backoff * 2**attempt
            try:
                response = self._session.request(
                    method,
                    url,
                    allow_redirects=False,
                    force_refresh=self._refresh,
                    **options,
                )
            except requests.exceptions.Timeout:
                problem = "does not answer in time"
            except requests.exceptions.ConnectionError as error:
                problem = f"cannot be reached ({_reason(error)})"
            except requests.exceptions.ChunkedEncodingError:
                problem = "broke off in the middle of an answer"
            except requests.exceptions.RequestException as error:
                raise _unreadable(url, type(error).__name__) from error
            except sqlite3.Error as error:  # a full disk is no fault of the page
                message = f"the cache of pages cannot be used ({error})"
                raise SourceError(Status.RETRYABLE, message) from error
            except (ValueError, urllib3.exceptions.HTTPError) as error:  # from below requests
                raise _unreadable(url, type(error).__name__) from error
            else:
                status = response.status_code
                if _is_challenge(response):
                    self._stop(origin, "it answers programs with a challenge")
                if status == 403:
                    self._stop(origin, "it refuses to answer (403)")
                if status == 401:
                    self._stop(origin, "it wants another key (401)")
                if status in (404, 410):
                    raise SourceError(Status.NOT_FOUND, f"{_host(url)} has no such page")
                if status not in BUSY:
                    if status != 200 and not response.is_redirect:
                        raise SourceError(Status.PARSE_ERROR, f"{_host(url)} answers {status}")
                    return response
                problem = f"answers {status}"
                # Some send 0 with every refusal: that is no invitation.
                delay = _retry_after(response) or delay
            self._patience -= delay
            if self._patience < 0:
                message = f"{_host(url)} {problem} and asks to wait {delay:.0f} s"
                raise self._stopping(origin, SourceError(Status.RETRYABLE, message, final=True))
            self._free_at[origin] = max(self._free_at.get(origin, 0.0), self._clock() + delay)
        raise SourceError(Status.RETRYABLE, f"{_host(url)} {problem}")

    def _stop(self, origin: str, why: str) -> None:
        message = f"{_host(origin)} is not asked any more: {why}"
        raise self._stopping(origin, SourceError(Status.BLOCKED, message, final=True))

    def _stopping(self, origin: str, error: SourceError) -> SourceError:
        self._stopped[origin] = error
        return error

    def _before_sending(self, url: str) -> float:
        """Wait until it is polite to send; called for real requests only, not for the cache.

        Returns how long the answer may take [s].
        """
        if self._max_requests is not None and self.n_requests >= self._max_requests:
            raise BudgetSpent(f"the {self._max_requests} requests of this run are spent")
        origin = self._check(url)  # again, as it is sent
        delay = self._free_at.get(origin, 0.0) - self._clock()
        if delay > 0:
            self._sleep(delay)
        if self._closed.is_set():
            raise Closed("interrupted")
        self.n_requests += 1
        self._free_at[origin] = self._clock() + self._intervals[origin]
        return self._seconds_left

    def _after_sending(self, seconds: float) -> None:
        self._seconds_left -= seconds

    def _wait_unless_closed(self, seconds: float) -> None:
        self._closed.wait(seconds)


class _CachedSession(CacheMixin, requests.Session):
    """A plain session with the cache in front of it."""

    def resolve_redirects(self, *_: Any, **__: Any) -> Iterator[Any]:
        """None: requests looks where a redirect leads even if it is told not to follow, and falls
        over what is no address."""
        return iter(())


class _PoliteAdapter(HTTPAdapter):
    """Sends one request, after asking whether it is time, and reads no more than is sensible.

    Timeouts are between two pieces of an answer, and who sends a byte now and then is never late.
    So a timer cuts the connection when the time for the whole answer is over, wherever it is then:
    in the handshake, in the head or in the body.

    Parameters
    ----------
    before
        Waits until an address may be asked, and says how long the answer may take [s].
    after
        Told how long it took.
    """

    def __init__(self, before: Callable[[str], float], after: Callable[[float], None]) -> None:
        self._before = before
        self._after = after
        self._lines: list[socket.socket] = []  # duplicates, to cut what somebody else holds
        adapter = self

        class Plain(HTTPConnection):
            def _new_conn(self) -> socket.socket:
                return adapter._watched(super()._new_conn())

        class Secure(HTTPSConnection):
            def _new_conn(self) -> socket.socket:
                return adapter._watched(super()._new_conn())

        class PlainPool(HTTPConnectionPool):
            ConnectionCls = Plain

        class SecurePool(HTTPSConnectionPool):
            ConnectionCls = Secure

        self._pools = {"http": PlainPool, "https": SecurePool}
        super().__init__(max_retries=0)

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        super().init_poolmanager(*args, **options)
        self.poolmanager.pool_classes_by_scheme = self._pools

    def proxy_manager_for(self, proxy: str, **options: Any) -> Any:
        manager = super().proxy_manager_for(proxy, **options)
        manager.pool_classes_by_scheme = self._pools
        return manager

    def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:  # type: ignore[override]
        url = request.url or ""
        allowed = self._before(url)
        begin = time.monotonic()
        timer = threading.Timer(allowed, self._cut)
        timer.daemon = True
        timer.start()
        try:
            response = super().send(request, **{**options, "stream": True, "timeout": TIMEOUT})
            try:
                body = _decompressed(_read(response), response, url)
            finally:
                response.close()
            if time.monotonic() - begin >= allowed:  # cut off, an answer can look complete
                raise requests.exceptions.ReadTimeout("the answer takes too long")
        except (requests.exceptions.RequestException, urllib3.exceptions.HTTPError) as error:
            if time.monotonic() - begin >= allowed:
                raise requests.exceptions.ReadTimeout(error) from error
            raise
        finally:
            timer.cancel()
            self.close()  # no connection is used twice
            while self._lines:
                self._lines.pop().close()
            self._after(time.monotonic() - begin)
        _keep_secrets(request, response, body)
        return response

    def _watched(self, line: socket.socket) -> socket.socket:
        self._lines.append(line.dup())
        return line

    def _cut(self) -> None:
        for line in [*self._lines]:
            with suppress(OSError):
                line.shutdown(socket.SHUT_RDWR)


def _read(response: requests.Response) -> bytes:
    """The body as it comes, up to what is sensible."""
    body = bytearray()
    try:
        # What is there, not what fills a buffer: a page that drips would never be looked at.
        while piece := response.raw.read1(16_384, decode_content=False):
            body += piece
            if len(body) > MAX_BYTES:
                raise _too_long(response.url)
        if response.raw.length_remaining:
            raise requests.exceptions.ChunkedEncodingError("the answer is not complete")
    except urllib3.exceptions.ReadTimeoutError as error:
        raise requests.exceptions.ReadTimeout(error) from error
    except (urllib3.exceptions.ProtocolError, OSError) as error:
        raise requests.exceptions.ChunkedEncodingError(error) from error
    return bytes(body)


def _decompressed(body: bytes, response: requests.Response, url: str) -> bytes:
    """The body as it is meant; no more of it is unpacked than is sensible.

    Not left to urllib3: it unpacks whatever there is a library for, piece by piece and each of them
    however long it becomes.
    """
    encoding = response.headers.get("Content-Encoding", "").strip().lower()
    if not body or encoding in ("", "identity"):
        return body
    if encoding not in ("gzip", "x-gzip", "deflate"):
        raise _unreadable(url, "another compression")
    try:
        for bits in (47, -15):  # with a head of zlib or gzip; bare, as some understand `deflate`
            unpacker = zlib.decompressobj(bits)
            try:
                unpacked = unpacker.decompress(body, MAX_BYTES + 1)
                break
            except zlib.error:
                if bits < 0 or encoding != "deflate":
                    raise
    except zlib.error as error:
        raise _unreadable(url, "broken compression") from error
    if len(unpacked) > MAX_BYTES:
        raise _too_long(url)
    if not unpacker.eof:
        raise requests.exceptions.ChunkedEncodingError("the answer is not complete")
    return unpacked


def _keep_secrets(
    request: requests.PreparedRequest, response: requests.Response, body: bytes
) -> None:
    """Give a response its body, and take out what no file and no message is to have: the keys that
    were sent, and those that came back."""
    sent = [value for name, value in request.headers.items() if name.lower() in SECRETS]
    said = " ".join([str(response.reason), *response.headers.values()])
    for secret in sent:
        secret = secret if isinstance(secret, str) else secret.decode("latin-1")
        for form in (secret, quote(secret, safe="")):
            if form in said:
                raise SourceError(Status.PARSE_ERROR, f"{_host(request.url or '')} repeats the key")
            body = body.replace(form.encode(), b"[key]")
    kept = request.copy()
    for name in SECRETS:
        kept.headers.pop(name, None)
    response.request = kept
    response._content = body
    response._content_consumed = True  # type: ignore[attr-defined]


def _open_cache(path: Path) -> SQLiteCache:
    """The cache in a file that only its owner can read.

    Raises
    ------
    LabelError
        If it cannot be used.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        create_private(path)
        with closing(sqlite3.connect(path, timeout=10)) as db:
            (sound,) = db.execute("PRAGMA quick_check(1)").fetchone()
            if sound != "ok":
                raise sqlite3.DatabaseError(one_line(sound, 80))
            keep_private(path)
            if db.execute("PRAGMA user_version").fetchone()[0] < CACHE_LAYOUT:
                _forget_secrets(db)
        # JSON, because the default would unpickle what is in the file.
        return SQLiteCache(path, serializer="json", wal=True, busy_timeout=10_000)
    except (OSError, sqlite3.Error) as error:
        raise LabelError(
            f"{path}: is not a usable cache of pages ({error}); it can be deleted"
        ) from error


def _forget_secrets(db: sqlite3.Connection) -> None:
    """Delete the pages that an earlier version kept together with the keys they were asked with."""
    if db.execute("SELECT 1 FROM sqlite_master WHERE name = 'responses'").fetchone():
        told = " OR ".join(f"value LIKE '%\"{name}\"%'" for name in SECRETS)
        db.execute(f"DELETE FROM responses WHERE {told}")
        db.commit()
        db.execute("VACUUM")  # or they would stay in the file
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.execute(f"PRAGMA user_version = {CACHE_LAYOUT}")


def user_agent(contact: str = "") -> str:
    """Who is asking: program, version, and whom to talk to about it.

    Raises
    ------
    ConfigError
        If the contact would not fit into one line.
    """
    try:
        number = version(PRODUCT)
    except PackageNotFoundError:
        number = "0"
    if not contact.isprintable() or not contact.isascii():
        raise ConfigError(f"contact is {contact!r}; give an address in plain ASCII, on one line")
    return f"{PRODUCT}/{number} (beets plugin{'; ' + contact if contact else ''})"


def origin_of(url: str) -> str:
    """Scheme, host and port of an address, lower case; empty if it is no http address."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return ""
    if parts.scheme.lower() not in ("http", "https") or not parts.hostname or "@" in parts.netloc:
        return ""
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    default = {"http": 80, "https": 443}[parts.scheme.lower()]
    return f"{parts.scheme.lower()}://{host}" + (f":{port}" if port not in (None, default) else "")


def _is_this_machine(origin: str) -> bool:
    host = urlsplit(origin).hostname or ""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _host(url: str) -> str:
    return urlsplit(url).netloc


def without_secrets(url: str) -> str:
    """An address for a message: without what may be secret in it, and not too long."""
    head, at, tail = url.partition("?")[0].rpartition("@")
    scheme = head.partition("//")[0] + "//" if at and "//" in head else ""
    return one_line(scheme + tail, 80)


def _proxy(address: str) -> str:
    """The address of a proxy, if it is one.

    Raises
    ------
    ConfigError
        Without the address, for there may be a password in it.
    """
    try:
        parts = urlsplit(address)
        usable = parts.scheme in ("http", "https") and parts.hostname and (parts.port or True)
    except ValueError:
        usable = False
    if not usable:
        raise ConfigError("proxy is no address; give one such as http://proxy.example.org:3128")
    return address


def _target(response: requests.Response) -> str:
    """Where a redirect leads, as an address that everybody reads in the same way.

    Raises
    ------
    SourceError
        If it is no address.
    """
    location = response.headers["Location"].encode("latin-1", "replace").decode("utf-8", "replace")
    try:
        url = urljoin(response.url, location)
        parts = urlsplit(url)
    except ValueError as error:
        raise SourceError(
            Status.PARSE_ERROR, f"{_host(response.url)} redirects to what is no address"
        ) from error
    origin = origin_of(url)
    query = f"?{parts.query}" if parts.query else ""
    return f"{origin}/{parts.path.lstrip('/')}{query}" if origin else url


def _plain_rules(robots: str) -> str:
    """A robots.txt without rules that take for ever to match: these forbid as much as their
    beginning does, and allow nothing."""
    lines = []
    for line in robots.splitlines():
        if line.count("*") > MAX_STARS:
            name = line.partition(":")[0].strip().lower()
            line = "*".join(line.split("*")[:MAX_STARS]) if name == "disallow" else ""
        lines.append(line)
    return "\n".join(lines)


def _unreadable(url: str, what: str) -> SourceError:
    return SourceError(Status.PARSE_ERROR, f"{_host(url)} sends what cannot be read ({what})")


def _too_long(url: str) -> SourceError:
    message = f"{_host(url)} sends more than {MAX_BYTES // 1000} kB"
    return SourceError(Status.PARSE_ERROR, message)


def _page(response: requests.Response, types: tuple[str, ...]) -> Page:
    kind = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if kind not in types:
        raise SourceError(
            Status.PARSE_ERROR,
            f"{_host(response.url)} sends {one_line(kind, 40) or 'something'}, not {types[0]}",
        )
    created: datetime.datetime = getattr(response, "created_at", None) or datetime.datetime.now(
        datetime.timezone.utc
    )
    return Page(response.url, _text(response), created.isoformat(timespec="seconds"))


def _text(response: requests.Response) -> str:
    # requests takes HTML without a charset for Latin-1; nobody has sent that for years.
    declared = "charset" in response.headers.get("Content-Type", "").lower()
    return response.content.decode(_charset((declared and response.encoding) or ""), "replace")


def _charset(name: str) -> str:
    """A charset of texts by the name that a site gives it, UTF-8 where that is none.

    Python has codecs that are no charsets; some of them take hours for a page.
    """
    try:
        known = codecs.lookup(name).name
    except (LookupError, ValueError):
        return "utf-8"
    return known if known.startswith(CHARSETS) else "utf-8"


def _is_challenge(response: requests.Response) -> bool:
    """Whether this is a page that sorts out programs, under whatever status it comes."""
    headers: MutableMapping[str, str] = response.headers
    if headers.get("cf-mitigated", "").lower() == "challenge":
        return True
    return _CHALLENGE.search(response.content[:50_000]) is not None


def _worth_keeping(response: requests.Response) -> bool:
    """Whether an answer goes into the cache; a form's redirect does, for it is the answer.

    Some interfaces send their errors with status 200, and those are to be forgotten.
    """
    if _is_challenge(response) or response.content[:20].lstrip().startswith(b'{"error"'):
        return False
    return response.status_code == 200 or response.request.method == "POST"


def _retry_after(response: requests.Response) -> float:
    """Seconds that the server asks to wait, 0 if it does not say; a date counts from now."""
    text = response.headers.get("Retry-After", "").strip()
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


def _reason(error: BaseException) -> str:
    """The innermost cause, without the addresses of objects that requests' own text is full of."""
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
