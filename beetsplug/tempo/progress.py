"""Progress of a long run, and the summary at its end."""

from __future__ import annotations

import sys
from collections import Counter
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import beets
from beets import ui

from tempo_core.console import counted, explain, shown

from .origin import Decision

if TYPE_CHECKING:
    from beets.library import Item
    from beets.logging import BeetsLogger
    from typing_extensions import Self

    from tempo_core import Estimate


def name_of(item: Item) -> str:
    """Name of a track in messages: artist and title, or its file if it has no title."""
    return f"{item.artist} - {item.title}" if item.title else item.filepath.name


def describe(item: Item, estimate: Estimate, verdict: Decision) -> str:
    """A line about a track: its name, the estimate, and what the analysis did to `bpm`."""
    name = shown(name_of(item))
    found = f"{estimate.bpm:.2f} BPM (confidence {estimate.confidence:.2f})"
    if estimate.key is not None:
        found += f", {estimate.key}"
    if verdict is Decision.KEPT:
        return f"{name}: kept {item.bpm} BPM, analysed as {found}"
    if verdict is Decision.CONFLICT:
        return f"{name}: kept {item.bpm} BPM, in conflict with {found}"
    if verdict is Decision.UNSURE:
        return f"{name}: unsure, bpm left at {item.bpm}: {found}"
    return f"{name}: {found}"


def print_line(text: str) -> None:
    """Print a line, without characters that control a terminal.

    Raises
    ------
    OSError
        If it cannot be printed.
    """
    ui.print_(shown(text))


class Progress:
    """Bar, lines and failures of a run over tracks; subclasses say and count more.

    On a terminal there is a bar on stderr; without one, or when stdout goes elsewhere, there is a
    line for each track on stdout. Failures are always shown. Use as a context manager.

    Parameters
    ----------
    total
        Number of tracks to work on.
    quiet
        Show nothing but failures.
    pretend
        Show a line for each track, bar or not: they are the point.
    log
        Where failures go.
    """

    def __init__(self, total: int, *, quiet: bool, pretend: bool, log: BeetsLogger) -> None:
        self.failed = 0
        self._total = total
        self._pretend = pretend
        self._log = log
        self._show_bar = not quiet and sys.stderr is not None and sys.stderr.isatty()
        wanted = pretend or beets.config["verbose"].get(int) > 0
        self._show_lines = not quiet and (wanted or not (self._show_bar and sys.stdout.isatty()))
        self._bar: Any = None
        self._cleanup = ExitStack()

    def __enter__(self) -> Self:
        if self._show_bar:
            from tqdm import tqdm
            from tqdm.contrib.logging import logging_redirect_tqdm

            self._bar = self._cleanup.enter_context(
                tqdm(total=self._total, unit="track", file=sys.stderr, dynamic_ncols=True)
            )
            # Log lines, ours and other plugins', go above the bar instead of through it.
            logger: Any = beets.logging.getLogger("beets")
            self._cleanup.enter_context(logging_redirect_tqdm([logger]))
        return self

    def __exit__(self, *_: object) -> None:
        self._cleanup.close()

    def line(self, text: str, *, notable: bool = False) -> None:
        """A track is finished; a notable one is named even where there is a bar.

        Raises
        ------
        OSError
            If nothing can be printed any more.
        """
        if self._show_lines or (notable and self._show_bar):
            if self._bar is None:
                print_line(text)
            else:
                with self._bar.external_write_mode(file=sys.stdout):
                    print_line(text)
        self.advance()

    @property
    def shows_lines(self) -> bool:
        """Whether there is a line for each track; a bar on a terminal stands for them."""
        return self._show_lines

    def unsaid(self, text: str) -> None:
        """A track is finished and not worth a line; with `-v` it has one."""
        if beets.config["verbose"].get(int) > 0:
            self.line(text)
        else:
            self.advance()

    def failure(self, item: Item, error: Exception | str) -> None:
        """A track failed: the error is logged and counted."""
        self.failed += 1
        told = shown(error) if isinstance(error, str) else explain(error)
        self._log.error("{}: {}", shown(item.path), told)
        self.advance()

    def advance(self) -> None:
        """Move the bar by one track."""
        if self._bar is not None:
            self._bar.set_postfix(failed=self.failed, refresh=False)
            self._bar.update()


class AnalysisProgress(Progress):
    """The progress of an analysis; `done` tracks need none, `skipped` ones failed before."""

    def __init__(
        self,
        total: int,
        done: int,
        skipped: int = 0,
        *,
        quiet: bool,
        pretend: bool,
        log: BeetsLogger,
    ) -> None:
        super().__init__(total, quiet=quiet, pretend=pretend, log=log)
        self.counts: Counter[Decision] = Counter()
        self._done = done
        self._skipped = skipped
        self._finished = 0

    def result(self, item: Item, estimate: Estimate, verdict: Decision) -> None:
        """A track is finished."""
        self.counts[verdict] += 1
        self.line(describe(item, estimate, verdict), notable=verdict is Decision.CONFLICT)

    def finished(self, item: Item) -> None:
        """Tags that an interrupted run had not written are in the file now."""
        self._finished += 1
        self.line(f"{name_of(item)}: tags left by an interrupted run")

    def summary(self) -> str:
        """Counts of the run in one line."""
        n_analysed = self.counts.total() + self.failed
        parts = [f"{self.counts[Decision.SET]} set", f"{self.counts[Decision.KEPT]} kept"]
        if self.counts[Decision.CONFLICT]:
            parts.append(
                f"{self.counts[Decision.CONFLICT]} kept in conflict with the analysis "
                f"({_listed('tempo_verdict:conflict')})"
            )
        if self.counts[Decision.UNSURE]:
            parts.append(
                f"{self.counts[Decision.UNSURE]} left alone as unsure "
                f"({_listed('tempo_verdict:unsure')})"
            )
        parts.append(f"{self.failed} failed")
        prefix = "would have: " if self._pretend else ""
        tracks = counted(n_analysed, "track")
        rest = [f"{self._done} had a tempo already"]
        if self._finished:
            rest.append(f"{self._finished} interrupted before and finished now")
        if self._skipped:
            verb = "is" if self._skipped == 1 else "are"
            rest.append(
                f"{self._skipped} skipped that failed before and {verb} unchanged "
                f"({_listed('tempo_failure::.')}, --retry tries again)"
            )
        return f"{prefix}{tracks} analysed: {', '.join(parts)}; {', '.join(rest)}"


def _listed(query: str) -> str:
    return f"beet ls {query}"
