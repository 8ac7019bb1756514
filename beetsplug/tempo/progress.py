"""Progress of a command that works on many tracks, and the summary at its end."""

from __future__ import annotations

import sys
from collections import Counter
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import beets
from beets import ui

from tempo_core.console import counted, explain, shown
from tempo_core.sound_tags import format_tags

from .grids import grid_of
from .origin import Decision

if TYPE_CHECKING:
    from beets.library import Item
    from beets.logging import BeetsLogger
    from typing_extensions import Self

    from .applying import Applied
    from .estimating import Found


def name_of(item: Item) -> str:
    """Name of a track in messages: artist and title, or its file if it has no title."""
    return f"{item.artist} - {item.title}" if item.title else item.filepath.name


def describe(item: Item, found: Found, applied: Applied) -> str:
    """Line about an analysed track: its name, what was found, and what happened to its fields."""
    told = [_tempo(item, found, applied.tempo)] if applied.tempo else []
    if applied.key and not (applied.tempo and applied.key is Decision.UNSURE):
        told.append(_key(item, found, applied.key))
    if not applied.tempo and "grid" in found.columns:
        told.append("no steady beats" if grid_of(item) is None else "beats found")
    if not told and "sound_tags" in found.columns:
        told.append(told_tags(format_tags(found.columns["sound_tags"])))
    return f"{shown(name_of(item))}: {', '.join(told)}"


def told_tags(text: str, most: int = 4) -> str:
    """The most probable tags in the text of a field, for people."""
    return ", ".join(text.split()[:most]).replace(":", " ") or "no likely tags"


def _tempo(item: Item, found: Found, decision: Decision) -> str:
    assert found.tempo is not None
    estimate = f"{found.tempo.bpm:.2f} BPM (confidence {found.tempo.confidence:.2f})"
    if decision is Decision.KEPT:
        return f"kept {item.bpm} BPM, analysed as {estimate}"
    if decision is Decision.CONFLICT:
        return f"kept {item.bpm} BPM, in conflict with {estimate}"
    if decision is Decision.UNSURE:
        return f"unsure, bpm left at {item.bpm}: {estimate}"
    return estimate


def _key(item: Item, found: Found, decision: Decision) -> str:
    confidence = f"(confidence {found.columns['key_confidence']:.2f})"
    if decision is Decision.UNSURE:
        kept = f", left at {shown(item.initial_key)}" if item.initial_key else ""
        return f"no key is likely {confidence}{kept}"
    estimate = f"{found.columns['key']} {confidence}"
    if decision is Decision.SET:
        return estimate
    return f"kept {shown(item.initial_key)}, analysed as {estimate}"


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
        self.problem(item, error)
        self.advance()

    def problem(self, item: Item, error: Exception | str) -> None:
        """Log and count the error of a track that is reported in another way as well."""
        self.failed += 1
        told = shown(error) if isinstance(error, str) else explain(error)
        self._log.error("{}: {}", shown(item.path), told)

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
    not_music
        Number of tracks left out because they are not music.
    what
        What the tracks that were analysed before have already: a tempo or a key.
    quiet, pretend, log
        See `Progress`.

    Attributes
    ----------
    counts, keys
        Number of tracks by the decision about `bpm`, and about `initial_key`.
    n_coded
        Number of tracks whose Camelot code was brought up to date.
    """

    def __init__(
        self,
        total: int,
        done: int,
        skipped: int = 0,
        not_music: int = 0,
        *,
        what: str = "tempo",
        quiet: bool,
        pretend: bool,
        log: BeetsLogger,
    ) -> None:
        super().__init__(total, quiet=quiet, pretend=pretend, log=log)
        self.counts: Counter[Decision] = Counter()
        self.keys: Counter[Decision] = Counter()
        self._beats: Counter[bool] = Counter()  # whether there are any, of tracks with a tempo
        self._n_tagged = 0
        self._what = what
        self._n_results = 0
        self._done = done
        self._skipped = skipped
        self._not_music = not_music
        self.n_coded = 0
        self._finished = 0

    def result(self, item: Item, found: Found, applied: Applied) -> None:
        """Report what was found out about a track and what became of it.

        A track of which some tasks failed counts as failed.
        """
        if found.problem:
            self.problem(item, found.problem)
        else:
            self._n_results += 1
        for counts, decision in ((self.counts, applied.tempo), (self.keys, applied.key)):
            if decision is not None:
                counts[decision] += 1
        if not applied.tempo and "grid" in found.columns:
            self._beats[grid_of(item) is not None] += 1
        self._n_tagged += "sound_tags" in found.columns
        self.line(describe(item, found, applied), notable=applied.tempo is Decision.CONFLICT)

    def finished(self, item: Item) -> None:
        """Report that tags of a track which an interrupted run left unwritten are written now."""
        self._finished += 1
        self.line(f"{name_of(item)}: tags left by an interrupted run")

    def summary(self) -> str:
        """Counts of the run in one line, for the end of the command or of an error message."""
        parts = self._tempi() if self._what == "tempo" else self._keys()
        parts.append(f"{self.failed} failed")
        prefix = "would have: " if self._pretend else ""
        tracks = counted(self._n_results + self.failed, "track")
        rest = [f"{self._done} had a {self._what} already"]
        if self._finished:
            rest.append(f"{self._finished} interrupted before and finished now")
        if self._skipped:
            verb = "is" if self._skipped == 1 else "are"
            rest.append(
                f"{self._skipped} skipped that failed before and {verb} unchanged "
                f"({_listed('tempo_failure::.')}, --retry tries again)"
            )
        if self._not_music:
            rest.append(f"{self._not_music} skipped: not music")
        if self.n_coded:
            rest.append(f"{counted(self.n_coded, 'Camelot code')} brought up to date")
        told = f"{prefix}{tracks} analysed: {', '.join(parts)}; {', '.join(rest)}"
        if self._what == "tempo" and self.keys:
            told += f"; keys: {', '.join(self._keys())}"
        if self._beats:
            told += f"; beats: {self._beats[True]} of {self._beats.total()} found"
        if self._n_tagged:
            told += f"; tags: {self._n_tagged} found"
        return told

    def _tempi(self) -> list[str]:
        """What became of `bpm`, and of how many tracks."""
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
        return parts

    def _keys(self) -> list[str]:
        """What became of `initial_key`, and of how many tracks."""
        parts = [f"{self.keys[Decision.SET]} set"]
        if n_kept := self.keys[Decision.KEPT] + self.keys[Decision.CONFLICT]:
            parts.append(f"{n_kept} kept")
        if self.keys[Decision.UNSURE]:
            parts.append(f"{self.keys[Decision.UNSURE]} without a likely key")
        return parts


def _listed(query: str) -> str:
    """The command that lists the tracks of a query."""
    return f"beet ls {query}"
