"""A polite session, which all requests of the program go through.

It identifies itself, obeys robots.txt, keeps an interval between two requests to a host, waits when
a site tells it to, caches answers, and contacts only the hosts it was made for. If a site answers
with a challenge or with 403, it does not want to be asked by a program, and is not asked again in
the same run. The session never disguises itself or evades a refusal.

For each page, the time on the network is limited by `MAX_SECONDS`, the time of waiting by
`max_wait`, and the size by `MAX_BYTES`. Secrets for other sites, and those in `~/.netrc`, are never
sent.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.cookiejar import DefaultCookiePolicy
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests
import urllib3
from protego import Protego

from ..record import Status
from .addresses import host_of, is_this_machine, origin_of, proxy_address, without_secrets
from .answers import (
    MAX_WAIT,
    Page,
    is_challenge,
    page_of,
    reason_of,
    redirect_target,
    retry_after,
    text_of,
    unreadable,
)
from .cache import KEEP_ANSWERS, KEEP_ROBOTS, CachedSession, open_cache, worth_keeping
from .errors import BudgetSpent, Closed, SourceError
from .robots import MAX_ROBOTS_LENGTH, PRODUCT, plain_rules, user_agent
from .transport import PoliteAdapter

MAX_SECONDS = 30.0  # [s] on the network for a page, with redirects and repeated requests
MAX_REDIRECTS = 5  # for a page
MAX_TRIES = 3  # of a request
BACKOFF = 2.0  # [s] before the second try; doubled for the third
MIN_INTERVAL = 1.0  # [s] between two requests to a host that is not this machine
BUSY_STATUSES = (429, 500, 502, 503, 504)  # statuses after which the request is repeated


@dataclass(frozen=True)
class Manners:
    """Rules for asking a host: least time between two requests [s], and whether robots.txt applies.

    robots.txt is meant for programs that crawl pages. It does not apply to interfaces that are
    documented for programs.
    """

    interval: float = 2.0
    robots: bool = True


@dataclass(frozen=True)
class SessionOptions:
    """Options of a session that a user can set.

    Parameters
    ----------
    cache
        SQLite file for answers; None keeps them in memory.
    contact
        Address or page of the person who runs the program, added to the User-Agent.
    max_requests
        Limit of the requests to send, including those for robots.txt and repeated ones; None for no
        limit. Answers from the cache do not count.
    refresh
        Send requests even if the answer is in the cache.
    proxy
        Address of a proxy for all requests, empty for none. Proxies in the environment are ignored.
    """

    cache: Path | None = None
    contact: str = ""
    max_requests: int | None = None
    refresh: bool = False
    proxy: str = field(default="", repr=False)  # may contain a password


@dataclass(frozen=True)
class Timing:
    """Waiting times of a session; other values than the defaults are for tests.

    `backoff` and `max_wait` are in seconds, see `BACKOFF` and `MAX_WAIT`. `clock` returns the time
    [s]. `wait` sleeps for a number of seconds; None means a sleep that ends early if the session
    is closed.
    """

    backoff: float = BACKOFF
    max_wait: float = MAX_WAIT
    clock: Callable[[], float] = time.monotonic
    wait: Callable[[float], None] | None = None


DEFAULT_TIMING = Timing()


class PoliteSession:
    """A session that fetches pages from the given hosts only.

    It is to be used from one thread, except that `close` may be called from any thread.

    Parameters
    ----------
    hosts
        Rules for each host, by origin such as `https://musicstax.com`. No other host is asked.
    """

    def __init__(
        self,
        hosts: Mapping[str, Manners],
        options: SessionOptions = SessionOptions(),
        timing: Timing = Timing(),
    ) -> None:
        self.n_requests = 0
        self._hosts = dict(hosts)
        self._options = options
        self._timing = timing
        self._closed = threading.Event()
        self._sleep = timing.wait or self._wait_unless_closed
        self._free_at: dict[str, float] = {}  # when the next request to a host may be sent
        self._intervals = {
            host: manners.interval if is_this_machine(host) else max(
                manners.interval, MIN_INTERVAL
            )
            for host, manners in hosts.items()
        }  # fmt: skip
        self._robots: dict[str, Protego] = {}
        self._stopped: dict[str, SourceError] = {}
        self._seconds_left = MAX_SECONDS
        self._patience = timing.max_wait
        self._session = self._open()

    def _open(self) -> CachedSession:
        """Open the session of requests, without its handling of cookies, passwords and proxies."""
        options = self._options
        session = CachedSession(
            backend="memory" if options.cache is None else open_cache(options.cache),
            expire_after=KEEP_ANSWERS,
            urls_expire_after={"*/robots.txt": KEEP_ROBOTS},
            allowable_codes=(200, 302, 303),
            allowable_methods=("GET", "POST"),
            filter_fn=worth_keeping,
        )
        # Otherwise requests would send passwords of ~/.netrc, and use proxies of the environment.
        session.trust_env = False
        if options.proxy:
            session.proxies = dict.fromkeys(("http", "https"), proxy_address(options.proxy))
        for scheme in ("http://", "https://"):
            session.mount(scheme, PoliteAdapter(self._before_sending, self._after_sending))
        session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        session.headers.update(
            {
                "User-Agent": user_agent(options.contact),
                "Accept-Language": "en",
                "Accept": "*/*",
                "Accept-Encoding": "gzip, deflate",
                "Connection": "close",  # the time limit of an answer cuts its connection
            }
        )
        return session

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
        params
            Query of the address.
        types
            Accepted content types.
        headers
            Additional headers, for example with a key. They are not sent to another site that this
            one redirects to.

        Raises
        ------
        SourceError
            If there is no usable answer.
        BudgetSpent
            If more requests would be needed than are allowed.
        Closed
            If the session was closed.
        """
        return self._fetch("GET", url, types, params=params, headers=dict(headers or {}))

    def post(self, url: str, data: Mapping[str, str], *, headers: Mapping[str, str]) -> Page:
        """Send a form and fetch the page that it redirects to; otherwise like `get`."""
        return self._fetch("POST", url, ("text/html",), data=dict(data), headers=dict(headers))

    def close(self) -> None:
        """End the wait in progress, and refuse all further requests."""
        self._closed.set()

    def __enter__(self) -> PoliteSession:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
        self._session.close()

    def _fetch(self, method: str, url: str, types: tuple[str, ...], **options: Any) -> Page:
        self._seconds_left, self._patience = MAX_SECONDS, self._timing.max_wait
        first, headers = origin_of(url), options.get("headers")
        for _ in range(MAX_REDIRECTS + 1):
            origin = self._check(url)
            if self._hosts[origin].robots:
                self._obey_robots(origin, url)
            response = self._send(method, url, **options)
            if not response.is_redirect:
                return page_of(response, types)
            url, method = redirect_target(response), "GET"
            options = {"headers": headers if origin_of(url) == first else None}
        raise SourceError(Status.PARSE_ERROR, f"{host_of(url)} redirects in a circle")

    def _check(self, url: str) -> str:
        """Origin of an address; SourceError if it may not be asked."""
        origin = origin_of(url)
        if origin not in self._hosts:
            raise SourceError(
                Status.PARSE_ERROR,
                f"leads to {origin or without_secrets(url)!r}, which is not the address of any "
                "source; not followed",
            )
        if origin in self._stopped:
            raise self._stopped[origin]
        return origin

    def _obey_robots(self, origin: str, url: str) -> None:
        """Apply the robots.txt of a site; SourceError if it forbids the address."""
        if origin not in self._robots:
            self._robots[origin] = self._read_robots(origin)
            delay = self._robots[origin].crawl_delay(PRODUCT) or 0.0
            if delay > self._timing.max_wait:
                self._stop(origin, f"its robots.txt asks for {delay:g} s between requests")
            self._intervals[origin] = max(self._intervals[origin], float(delay))
            self._free_at[origin] = max(
                self._free_at.get(origin, 0.0), self._timing.clock() + self._intervals[origin]
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
                return Protego.parse(plain_rules(text_of(response)[:MAX_ROBOTS_LENGTH]))
            url = redirect_target(response)
        return Protego.parse("")

    def _send(self, method: str, url: str, **options: Any) -> requests.Response:
        """Send a request, again if it fails; returns an answer of status 200 or a redirect."""
        origin, problem = origin_of(url), ""
        for attempt in range(MAX_TRIES):
            if self._seconds_left <= 0:
                problem = f"does not answer in time ({MAX_SECONDS:g} s)"
                break
            problem, delay = "", self._timing.backoff * 2**attempt
            try:
                response = self._session.request(
                    method,
                    url,
                    allow_redirects=False,
                    force_refresh=self._options.refresh,
                    **options,
                )
            except requests.exceptions.Timeout:
                problem = "does not answer in time"
            except requests.exceptions.ConnectionError as error:
                problem = f"cannot be reached ({reason_of(error)})"
            except requests.exceptions.ChunkedEncodingError:
                problem = "broke off in the middle of an answer"
            except requests.exceptions.RequestException as error:
                raise unreadable(url, type(error).__name__) from error
            except sqlite3.Error as error:  # for example a full disk; the page itself may be fine
                message = f"the cache of pages cannot be used ({error})"
                raise SourceError(Status.RETRYABLE, message) from error
            except (ValueError, urllib3.exceptions.HTTPError) as error:  # not wrapped by requests
                raise unreadable(url, type(error).__name__) from error
            else:
                status = response.status_code
                if is_challenge(response):
                    self._stop(origin, "it answers programs with a challenge")
                if status == 403:
                    self._stop(origin, "it refuses to answer (403)")
                if status == 401:
                    self._stop(origin, "it wants another key (401)")
                if status in (404, 410):
                    raise SourceError(Status.NOT_FOUND, f"{host_of(url)} has no such page")
                if status not in BUSY_STATUSES:
                    if status != 200 and not response.is_redirect:
                        raise SourceError(Status.PARSE_ERROR, f"{host_of(url)} answers {status}")
                    return response
                problem = f"answers {status}"
                # Some sites send Retry-After 0 with every refusal, which must not mean no wait.
                delay = retry_after(response.headers) or delay
            self._patience -= delay
            if self._patience < 0:
                message = f"{host_of(url)} {problem} and asks to wait {delay:.0f} s"
                raise self._stopping(origin, SourceError(Status.RETRYABLE, message, final=True))
            self._free_at[origin] = max(
                self._free_at.get(origin, 0.0), self._timing.clock() + delay
            )
        raise SourceError(Status.RETRYABLE, f"{host_of(url)} {problem}")

    def _stop(self, origin: str, why: str) -> None:
        """Stop asking a site in this run; raises the SourceError that says so."""
        message = f"{host_of(origin)} is not asked any more: {why}"
        raise self._stopping(origin, SourceError(Status.BLOCKED, message, final=True))

    def _stopping(self, origin: str, error: SourceError) -> SourceError:
        self._stopped[origin] = error
        return error

    def _before_sending(self, url: str) -> float:
        """Wait until the next request may be sent; not called for answers from the cache.

        Returns the time that the answer may take [s].
        """
        if self._options.max_requests is not None and self.n_requests >= self._options.max_requests:
            raise BudgetSpent(f"the {self._options.max_requests} requests of this run are spent")
        origin = self._check(url)  # the address that is really sent may differ from the given one
        delay = self._free_at.get(origin, 0.0) - self._timing.clock()
        if delay > 0:
            self._sleep(delay)
        if self._closed.is_set():
            raise Closed("interrupted")
        self.n_requests += 1
        self._free_at[origin] = self._timing.clock() + self._intervals[origin]
        return self._seconds_left

    def _after_sending(self, seconds: float) -> None:
        self._seconds_left -= seconds

    def _wait_unless_closed(self, seconds: float) -> None:
        self._closed.wait(seconds)
