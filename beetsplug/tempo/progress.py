"""Progress of a command that works on many tracks, and the summary at its end."""

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
    """Line about an analysed track: its name, the estimate, and what happened to its `bpm`."""
    name = shown(name_of(item))
    found = f"{estimate.bpm:.2f} BPM (confidence {estimate.confidence:.2f})"
    if verdict is Decision.KEPT:
        return f"{name}: kept {item.bpm} BPM, analysed as {found}"
    if verdict is Decision.CONFLICT:
        return f"{name}: kept {item.bpm} BPM, in conflict with {found}"
    if verdict is Decision.UNSURE:
        return f"{name}: unsure, bpm left at {item.bpm}: {found}"
    return f"{name}: {found}"


def print_line(text: str) -> None:
    """Print a line on standard output, without characters that control a terminal.

    Raises
    ------
    OSError
        If standard output is closed or cannot be written.
    """
    ui.print_(shown(text))


class Progress:
    """Progress bar, lines about tracks, and failures of a command; use as a context manager.

    On a terminal there is a bar on stderr. Without a terminal, or when stdout goes elsewhere, there
    is a line for each track on stdout. Failures are always shown.

    Parameters
    ----------
    total
        Number of tracks to work on.
    quiet
        Show only failures.
    pretend
        Nothing is changed; show a line for each track also beside a bar.
    log
        Log for failures.

    Attributes
    ----------
    failed
        Number of tracks that failed so far.
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
            # Lines of the log, also those of other plugins, are printed above the bar.
            logger: Any = beets.logging.getLogger("beets")
            self._cleanup.enter_context(logging_redirect_tqdm([logger]))
        return self

    def __exit__(self, *_: object) -> None:
        self._cleanup.close()

    def line(self, text: str, *, notable: bool = False) -> None:
        """Report that a track is finished, with a line if lines are shown.

        Parameters
        ----------
        text
            The line.
        notable
            Show the line also beside a bar.

        Raises
        ------
        OSError
            If standard output is closed or cannot be written.
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
        """Whether there is a line for each track; on a terminal a bar replaces them."""
        return self._show_lines

    def unsaid(self, text: str) -> None:
        """Report that a track is finished without a line; with `-v` of beets the line is shown."""
        if beets.config["verbose"].get(int) > 0:
            self.line(text)
        else:
            self.advance()

    def failure(self, item: Item, error: Exception | str) -> None:
        """Report that a track failed: the error is logged and counted."""
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
    """Progress of an analysis, with a count of its decisions.

    Parameters
    ----------
    total
        Number of tracks to work on.
    done
        Number of tracks that were analysed by earlier runs.
    skipped
        Number of tracks left out because they failed before and have not changed.
    quiet, pretend, log
        See `Progress`.

    Attributes
    ----------
    counts
        Number of tracks by decision.
    """

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
        """Report the estimate of a track and what it did to `bpm`."""
        self.counts[verdict] += 1
        self.line(describe(item, estimate, verdict), notable=verdict is Decision.CONFLICT)

    def finished(self, item: Item) -> None:
        """Report that tags of a track which an interrupted run left unwritten are written now."""
        self._finished += 1
        self.line(f"{name_of(item)}: tags left by an interrupted run")

    def summary(self) -> str:
        """Counts of the run in one line, for the end of the command or of an error message."""
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
    """The command that lists the tracks of a query."""
    return f"beet ls {query}"
