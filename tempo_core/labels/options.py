"""Options of a run that looks for labels, and the run made from them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .collections import program_of
from .declaration import IMPORT
from .http.session import DEFAULT_TIMING, PoliteSession, SessionOptions, Timing
from .lookup import Run, is_open
from .record import TrackQuery
from .source import SourceSettings
from .sources import ABOUT, IMPORTED, check_names, make_sources, manners
from .store import Store


@dataclass(frozen=True)
class LabelOptions:
    """Options of a run that looks for labels, without the tracks.

    `sources` are names, in the order of asking; `urls` and `values` are explained in
    `SourceSettings`. `database` is the file for the labels; the pages they come from are kept in a
    file beside it. `interval` is the least time between two requests to one host [s].
    `max_requests` limits the requests of the run, None for no limit. `contact` is added to the
    User-Agent. `force` asks again about tracks whose answer is known. `proxy` is the address of a
    proxy for all requests, empty for none.
    """

    sources: tuple[str, ...]
    database: Path
    urls: Mapping[str, str] = field(default_factory=dict)
    interval: float = 2.0
    max_requests: int | None = None
    contact: str = ""
    values: Mapping[str, Any] = field(default_factory=dict, repr=False)  # contains secret keys
    force: bool = False
    proxy: str = field(default="", repr=False)  # may contain a password

    @property
    def pages(self) -> Path:
        """Path of the file that keeps fetched pages."""
        return self.database.with_name(f"{self.database.stem}-pages.db")

    @property
    def settings(self) -> SourceSettings:
        """The settings of the sources."""
        return SourceSettings(self.urls, self.values)

    @property
    def names(self) -> list[str]:
        """Names of the sources, each once; that of an imported file is put first.

        Raises
        ------
        LabelError
            If that file cannot be opened, or is of a kind that no source reads.
        """
        path = self.values.get(IMPORT.name)
        if not path:
            return list(dict.fromkeys(self.sources))
        imported = program_of(path) or "tsv"
        others = [name for name in self.sources if name not in IMPORTED]
        return list(dict.fromkeys([imported, *others]))


@contextmanager
def open_run(
    options: LabelOptions,
    on_stop: Callable[[str], None] = lambda message: None,
    timing: Timing = DEFAULT_TIMING,
) -> Iterator[Run]:
    """Open a run with its sources, store and session, which are closed afterwards.

    Parameters
    ----------
    on_stop
        Called with a message when a source is no longer asked in this run.
    timing
        How the session waits.

    Raises
    ------
    ConfigError
        If an option has an invalid value.
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
    """Open a function that returns the names of the sources that a run would ask about a track.

    No request is sent and no file is changed.

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
    """Attributions that must be shown with data of the sources with these names."""
    return [ABOUT[name].attribution for name in names if ABOUT[name].attribution]
