"""Options of a run that looks for labels, and the run made from them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .http.session import DEFAULT_TIMING, PoliteSession, SessionOptions, Timing
from .lookup import Run, is_open
from .record import TrackQuery
from .source import SourceSettings
from .sources import ABOUT, check_names, make_sources, manners
from .store import Store


@dataclass(frozen=True)
class LabelOptions:
    """Options of a run that looks for labels, whatever tracks it is for.

    `sources` are asked in their order; `urls` has other addresses for them, `values` their own
    settings, see `SourceSettings`. `database` keeps the labels, a file beside it the pages they
    come from. `interval` is the time between two requests to one host [s], `max_requests` the most
    requests of the run, None for no limit. `contact` is added to the User-Agent. `force` asks again
    about what is known. `proxy` is the address of a proxy for all requests, empty for none.
    """

    sources: tuple[str, ...]
    database: Path
    urls: Mapping[str, str] = field(default_factory=dict)
    interval: float = 2.0
    max_requests: int | None = None
    contact: str = ""
    values: Mapping[str, Any] = field(default_factory=dict, repr=False)  # there are keys in it
    force: bool = False
    proxy: str = field(default="", repr=False)  # there may be a password in it

    @property
    def pages(self) -> Path:
        """Where fetched pages are kept."""
        return self.database.with_name(f"{self.database.stem}-pages.db")

    @property
    def settings(self) -> SourceSettings:
        """The settings of the sources."""
        return SourceSettings(self.urls, self.values)

    @property
    def names(self) -> list[str]:
        """The sources, a table that is imported first among them."""
        names = list(dict.fromkeys(self.sources))
        return ["tsv", *names] if self.values.get("tsv") and "tsv" not in names else names


@contextmanager
def open_run(
    options: LabelOptions,
    on_stop: Callable[[str], None] = lambda message: None,
    timing: Timing = DEFAULT_TIMING,
) -> Iterator[Run]:
    """A run with its sources, store and session, which are closed afterwards.

    Parameters
    ----------
    on_stop
        Told why a source is left alone for the rest of the run.
    timing
        How the session waits.

    Raises
    ------
    ConfigError
        If an option makes no sense.
    LabelError
        If a file cannot be used.
    """
    names = options.names
    check_names([*names, *options.urls])
    hosts = manners(names, options.settings, options.interval)
    session = PoliteSession(
        hosts,
        SessionOptions(
            cache=options.pages if hosts else None,
            contact=options.contact,
            max_requests=options.max_requests,
            refresh=options.force,
            proxy=options.proxy,
        ),
        timing,
    )
    with session, Store(options.database) as store:
        sources = make_sources(names, options.settings, session)
        yield Run(sources, store, session, force=options.force, on_stop=on_stop)


@contextmanager
def open_plan(options: LabelOptions) -> Iterator[Callable[[TrackQuery], list[str]]]:
    """A function that says which sources a run would ask about a track; nothing is asked or kept.

    Raises
    ------
    ConfigError, LabelError
        See `open_run`.
    """
    names = options.names
    check_names([*names, *options.urls])
    session = PoliteSession(manners(names, options.settings, options.interval))
    with session, Store(options.database, read_only=True) as store:
        sources = make_sources(names, options.settings, session)

        def plan(track: TrackQuery) -> list[str]:
            known = store.current(track.id)
            return [
                source.name
                for source in sources
                if not source.missing(track)
                and is_open(known.get(source.name), source, options.force)
            ]

        yield plan


def attributions(names: list[str]) -> list[str]:
    """Attributions that must be shown with data of these sources."""
    return [ABOUT[name].attribution for name in names if ABOUT[name].attribution]
