"""Requests to sites: only those that are configured, as politely as for labels."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

import aiohttp
from protego import Protego
from yarl import URL

from ..addresses import NOT_CONFIGURED
from ..errors import AudioError
from ..labels.http.addresses import host_of, origin_of
from ..labels.http.answers import MAX_WAIT, retry_after
from ..labels.http.robots import MAX_ROBOTS_LENGTH, PRODUCT, plain_rules, user_agent
from .connections import keep_apart, once, why
from .settings import Site, Storages
from .sites import redirect_target, site_of

T = TypeVar("T")
MAX_REDIRECTS, MAX_TRIES = 5, 3
BACKOFF = 1.0  # [s] before the second try; doubled for the third
CONNECTED_WITHIN, NO_BYTE_FOR = 10.0, 30.0  # [s]
ANSWERED_WITHIN = 60.0  # [s] until all headers of an answer are there
KEEP_ROBOTS, KEEP_FAILURE = 86400.0, 60.0  # [s] that a robots.txt counts, or that there is none
REDIRECTS, BUSY = (301, 302, 303, 307, 308), (429, 503)
REFUSALS = {
    401: "the server wants other credentials (401)", 403: "the server does not allow it (403)",
    404: "no such file (the server answers 404)", 410: "no such file (the server answers 410)",
    416: "the server does not give this part of it (416)",
}  # fmt: skip


class _Again(Exception):
    """A request that may succeed later: what happened, and the time to wait [s], 0 for any."""

    def __init__(self, problem: str, delay: float = 0.0) -> None:
        super().__init__(problem)
        self.problem, self.delay = problem, delay


@dataclass(frozen=True)
class _Redirect:
    url: str


@dataclass
class _State:
    """What is known of a site in this process; times are of `time.monotonic` [s]."""

    turns: asyncio.Semaphore
    reading_robots: asyncio.Lock = field(default_factory=asyncio.Lock)
    interval: float = 0.0
    free_at: float = 0.0
    robots: Protego | AudioError | None = None
    robots_until: float = 0.0


def _unreadable(error: Exception) -> str:
    return f"sends an answer that cannot be read ({type(error).__name__})"


Take = Callable[[aiohttp.ClientResponse], Awaitable[T]]


class Web:
    """The sites of some storages, for one process. All methods are for the event loop of fsspec."""

    def __init__(self, storages: Storages) -> None:
        self._sites, self._on_cluster = storages.sites, storages.on_cluster
        self._states: dict[str, _State] = {}
        self._session: aiohttp.ClientSession | None = None

    async def ask(self, url: str, headers: Mapping[str, str], take: Take[T]) -> T:
        """Ask for something, and do with the answer what `take` says.

        Parameters
        ----------
        url
            As `usable` gives it.
        take
            Gets answers of the statuses 200, 206 and 416; is called again if the connection breaks.

        Raises
        ------
        AudioError
            If there is no usable answer.
        """
        site = self._site_of(url)
        for _ in range(MAX_REDIRECTS + 1):
            if site.robots:
                await self._obey_robots(site, url)
            answer = await self._send(site, url, headers, take)
            if not isinstance(answer, _Redirect):
                return answer
            site, url = self._redirected(url, answer.url), answer.url
        raise AudioError(f"{host_of(url)} redirects more than {MAX_REDIRECTS} times")

    async def close(self) -> None:
        """Close all connections."""
        if self._session is not None:
            await self._session.close()

    def _site_of(self, url: str) -> Site:
        return site_of(self._sites, url)

    def _redirected(self, url: str, target: str) -> Site:
        """The site that a redirect leads to; AudioError if it is not configured."""
        try:
            return self._site_of(target)
        except AudioError as error:
            told = f"{host_of(url)} redirects to {origin_of(target)}; {NOT_CONFIGURED}"
            raise AudioError(told) from error

    async def _send(
        self, site: Site, url: str, headers: Mapping[str, str], take: Take[T]
    ) -> T | _Redirect:
        """An answer, after some tries if need be; or where the site sends us to."""
        state, patience, failure = self._state(site), MAX_WAIT, ""
        for attempt in range(MAX_TRIES):
            async with state.turns:
                await _pause(state)
                try:
                    return await self._try(site, url, headers, take)
                except _Again as again:
                    failure, delay = again.problem, again.delay
            delay = delay or BACKOFF * 2**attempt
            patience -= delay
            if patience < 0:
                raise AudioError(f"{host_of(url)} {failure} and asks to wait {delay:.0f} s")
            if attempt + 1 < MAX_TRIES:
                state.free_at = max(state.free_at, time.monotonic() + delay)
        raise AudioError(f"{host_of(url)} {failure}")

    async def _try(
        self, site: Site, url: str, headers: Mapping[str, str], take: Take[T]
    ) -> T | _Redirect:
        sent = {
            "User-Agent": user_agent(), **dict(site.headers), "Accept-Encoding": "identity",
            **headers,
        }  # fmt: skip
        try:
            request = self._opened().get(
                URL(url, encoded=True), headers=sent, allow_redirects=False
            )
            async with await asyncio.wait_for(request, ANSWERED_WITHIN) as response:
                status = response.status
                if status in (200, 206, 416):
                    return await take(response)
                if status in REDIRECTS and "Location" in response.headers:
                    return _Redirect(redirect_target(url, response.headers["Location"]))
                if status in BUSY or 500 <= status < 600:
                    # Some send Retry-After 0 with every refusal, which must not mean no wait.
                    raise _Again(f"answers {status}", retry_after(response.headers))
                response.close()  # some send what such an answer cannot have, which the next got
                raise AudioError(REFUSALS.get(status, f"the server answers {status}"))
        except (asyncio.TimeoutError, TimeoutError) as error:
            raise _Again("does not answer in time") from error
        except aiohttp.ClientConnectorCertificateError as error:
            raise AudioError(f"{host_of(url)} has no valid certificate") from error
        except aiohttp.ClientConnectionError as error:
            raise _Again(f"cannot be reached ({why(error)})") from error
        except aiohttp.ClientPayloadError as error:
            raise _Again("broke off in the middle of an answer") from error
        except aiohttp.ClientResponseError as error:
            # Perhaps the rest of an answer before it on this connection, which came too late.
            raise _Again(_unreadable(error)) from error
        except (aiohttp.ClientError, ValueError) as error:
            raise AudioError(f"{host_of(url)} {_unreadable(error)}") from error

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            limits = aiohttp.ClientTimeout(
                total=None, sock_connect=CONNECTED_WITHIN, sock_read=NO_BYTE_FOR
            )
            # No proxies and no ~/.netrc (`trust_env`), no cookies.
            self._session = aiohttp.ClientSession(
                timeout=limits, cookie_jar=aiohttp.DummyCookieJar(), trust_env=False,
                auto_decompress=False, middlewares=(once,),
            )  # fmt: skip
            assert self._session.connector is not None
            keep_apart(self._session.connector)
        return self._session

    def _state(self, site: Site) -> _State:
        known = self._states.get(site.origin)
        if known is None:
            most = min(one.requests for one in self._sites if one.origin == site.origin)
            known = self._states[site.origin] = _State(asyncio.Semaphore(most))
        return known

    async def _obey_robots(self, site: Site, url: str) -> None:
        """Apply the robots.txt of a site; AudioError if it forbids the address."""
        state = self._state(site)
        async with state.reading_robots:
            if time.monotonic() >= state.robots_until:
                keep = KEEP_ROBOTS
                try:
                    state.robots = await self._read_robots(site)
                    state.interval = self._interval(site, state.robots)
                    state.free_at = max(state.free_at, time.monotonic() + state.interval)
                except AudioError as error:
                    state.robots, keep = error, KEEP_FAILURE
                state.robots_until = time.monotonic() + keep
        if isinstance(state.robots, AudioError):
            raise AudioError(str(state.robots))
        if state.robots is not None and not state.robots.can_fetch(url, PRODUCT):
            raise AudioError(f"the robots.txt of {host_of(url)} forbids it")

    def _interval(self, site: Site, robots: Protego) -> float:
        """The time that a robots.txt asks for between two requests [s]."""
        interval = float(robots.crawl_delay(PRODUCT) or 0.0)
        told = f"the robots.txt of {host_of(site.origin)} asks for {interval:g} s between requests"
        if interval > MAX_WAIT:
            raise AudioError(told)
        if interval and self._on_cluster:
            raise AudioError(f"{told}, which a cluster cannot keep; use --jobs, not --scheduler")
        return interval

    async def _read_robots(self, site: Site) -> Protego:
        """The robots.txt of a site; as for labels, one that is not there has no rules.

        Raises
        ------
        AudioError
            If it is refused or cannot be read: then the site must not be asked.
        """

        async def take(response: aiohttp.ClientResponse) -> str:
            if response.status != 200:
                raise AudioError(f"the server answers {response.status}")
            text = bytearray()
            async for piece in response.content.iter_any():
                text += piece
                if len(text) >= MAX_ROBOTS_LENGTH:
                    break
            return text[:MAX_ROBOTS_LENGTH].decode("utf-8", "replace")

        url, host = f"{site.origin}/robots.txt", host_of(site.origin)
        try:
            for _ in range(MAX_REDIRECTS + 1):
                found = await self._send(site, url, {}, take)
                if not isinstance(found, _Redirect):
                    return Protego.parse(plain_rules(found))
                site, url = self._redirected(url, found.url), found.url
        except AudioError as error:
            if str(error) in (REFUSALS[404], REFUSALS[410]):
                return Protego.parse("")  # RFC 9309, 2.3.1.3: no rules
            raise AudioError(
                f"not asked: the robots.txt of {host} cannot be read: {error}"
            ) from error
        return Protego.parse("")


async def _pause(state: _State) -> None:
    """Wait for the turn of a request: sites may ask for time between two."""
    now = time.monotonic()
    begin = max(now, state.free_at)
    state.free_at = begin + state.interval
    if begin > now:
        await asyncio.sleep(begin - now)
