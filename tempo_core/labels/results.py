"""Files that a run over tracks leaves for people: a report and a table of labels."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from .lookup import LookedUp
from .record import Record, TrackQuery
from .report import ReportLine, write_report
from .tables import write_table
from .training import TRAINABLE_SOURCES, objection


class ResultFiles:
    """Collects what a run finds out, and writes it to the files that are wanted.

    Parameters
    ----------
    report
        HTML file for the report, None for no report.
    table
        File for the table of labels, None for no table.
    trainable
        Names of the sources whose labels may be trained on.
    trainable_only
        Leave labels that may not be trained on, and tracks without one, out of the table.
    """

    def __init__(
        self,
        report: Path | None,
        table: Path | None,
        trainable: Collection[str] = TRAINABLE_SOURCES,
        *,
        trainable_only: bool = False,
    ) -> None:
        self._report = report
        self._table = table
        self._trainable = trainable
        self._trainable_only = trainable_only
        self._lines: list[ReportLine] = []
        self._rows: list[tuple[TrackQuery, Record | None, bool]] = []

    def add(self, labelled: LookedUp) -> None:
        """Take one more track into the files."""
        if self._report is not None:
            self._lines.append(ReportLine.of(labelled))
        allowed = not self._trainable_only or not objection(labelled.chosen, self._trainable)
        if self._table is not None and allowed:
            self._rows.append((labelled.track, labelled.chosen, bool(labelled.records)))

    def write(self) -> None:
        """Write the files, each all or nothing.

        Raises
        ------
        LabelError
            If one of them cannot be written.
        """
        if self._report is not None:
            write_report(self._report, self._lines, self._trainable)
        if self._table is not None:
            write_table(self._table, self._rows)
