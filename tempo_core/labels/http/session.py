"""A polite session, the only way to the network: it stops asking a site that refuses.

It names itself, obeys robots.txt, leaves time between two requests to a host, waits when it is
told to wait, keeps what it has fetched, and asks no host but those it was made for. A site that
answers with a challenge or with 403 does not want to be asked by a program: it is left alone for
the rest of the run. There is no disguise and no way round.

Whatever a site answers, it costs no more than `MAX_SECONDS` on the network, `max_wait` of waiting
and `MAX_BYTES`; and what its owner must not know (a key for another site, `~/.netrc`) it does not
get.
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
from .robots import MAX_ROBOTS, PRODUCT, plain_rules, user_agent
from .transport import PoliteAdapter

MAX_SECONDS = 30.0  # [s] on the network for a page: redirects and repetitions included
MAX_REDIRECTS = 5
TRIES = 3
BACKOFF = 2.0  # [s] before the second try; doubled for the third
MAX_WAIT = 120.0  # [s] the longest Crawl-delay, and what Retry-After may add up to for a page
SHORTEST_INTERVAL = 1.0  # [s] between two requests to a host that is not this machine
BUSY_STATUSES = (429, 500, 502, 503, 504)


@dataclass(frozen=True)
class Manners:
    """Rules for asking a host: seconds between two requests, and whether robots.txt applies.

    robots.txt is for programs that walk through pages. An interface that is documented for
    programs is asked as its documentation says.
    """

    interval: float = 2.0
    robots: bool = True


@dataclass(frozen=True)
class SessionOptions:
    """What a user may decide about a session.

    Parameters
    ----------
    cache
        SQLite file for answers; None keeps them in memory.
    contact
        Added to the User-Agent: an address or page of who runs this.
    max_requests
        The most requests to send, those for robots.txt and repeated ones included; None for no
        limit. Answers from the cache cost nothing.
    refresh
        Ask even for what is in the cache.
    proxy
        Address of a proxy for everything, empty for none. Those in the environment are not used.
    """

    cache: Path | None = None
    contact: str = ""
    max_requests: int | None = None
    refresh: bool = False
    proxy: str = field(default="", repr=False)  # there may be a password in it


@dataclass(frozen=True)
class Timing:
    """How a session waits; other values than the defaults are for tests.

    `backoff` and `max_wait` are in seconds, see `BACKOFF` and `MAX_WAIT`. `clock` gives the time
    [s]. `wait` sleeps for a number of seconds; None sleeps until the session is closed at most.
    """

    backoff: float = BACKOFF
    max_wait: float = MAX_WAIT
    clock: Callable[[], float] = time.monotonic
    wait: Callable[[float], None] | None = None


DEFAULT_TIMING = Timing()


class PoliteSession:
    """Fetches pages from the given hosts, see above. Thread-safe only in that `close` may be called
    from anywhere.

    Parameters
    ----------
    hosts
        What each host is treated like, by origin, `https://musicstax.com`. No other is asked.
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
                manners.interval, SHORTEST_INTERVAL
            )
            for host, manners in hosts.items()
        }  # fmt: skip
        self._robots: dict[str, Protego] = {}
        self._stopped: dict[str, SourceError] = {}
        self._seconds_left = MAX_SECONDS
        self._patience = timing.max_wait
        self._session = self._open()

    def _open(self) -> CachedSession:
        """The session of requests, with everything that it must not do switched off."""
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
        """End every wait and every request."""
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
                return Protego.parse(plain_rules(text_of(response)[:MAX_ROBOTS]))
            url = redirect_target(response)
        return Protego.parse("")

    def _send(self, method: str, url: str, **options: Any) -> requests.Response:
        """The answer to a request, repeated where it failed: a good one or a redirect."""
        origin, problem = origin_of(url), ""
        for attempt in range(TRIES):
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
            except (ValueError, urllib3.exceptions.HTTPError) as error:  # from below requests
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
                # Some sites send 0 with every refusal; that is no permission to ask at once.
                delay = retry_after(response) or delay
            self._patience -= delay
            if self._patience < 0:
                message = f"{host_of(url)} {problem} and asks to wait {delay:.0f} s"
                raise self._stopping(origin, SourceError(Status.RETRYABLE, message, final=True))
            self._free_at[origin] = max(
                self._free_at.get(origin, 0.0), self._timing.clock() + delay
            )
        raise SourceError(Status.RETRYABLE, f"{host_of(url)} {problem}")

    def _stop(self, origin: str, why: str) -> None:
        message = f"{host_of(origin)} is not asked any more: {why}"
        raise self._stopping(origin, SourceError(Status.BLOCKED, message, final=True))

    def _stopping(self, origin: str, error: SourceError) -> SourceError:
        self._stopped[origin] = error
        return error

    def _before_sending(self, url: str) -> float:
        """Wait until it is polite to send; called for real requests only, not for the cache.

        Returns how long the answer may take [s].
        """
        if self._options.max_requests is not None and self.n_requests >= self._options.max_requests:
            raise BudgetSpent(f"the {self._options.max_requests} requests of this run are spent")
        origin = self._check(url)  # again, as it is sent
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
