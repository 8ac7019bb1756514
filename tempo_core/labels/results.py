"""Output files of a lookup for people: a report and a table of labels."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from .lookup import LookedUp
from .record import Record, TrackQuery
from .report import ReportLine, write_report
from .tables import write_table
from .training import TRAINABLE_SOURCES, objection


class ResultFiles:
    """Collects the results of a lookup and writes them to a report and a table.

    Parameters
    ----------
    report
        HTML file for the report, None for no report.
    table
        File for the table of labels, None for no table.
    trainable
        Names of the sources whose labels may be used for training.
    trainable_only
        Restrict the table to tracks with a label that may be used for training.
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

    def add(self, looked_up: LookedUp) -> None:
        """Add the result for one track."""
        if self._report is not None:
            self._lines.append(ReportLine.of(looked_up))
        allowed = not self._trainable_only or not objection(looked_up.chosen, self._trainable)
        if self._table is not None and allowed:
            self._rows.append((looked_up.track, looked_up.chosen, bool(looked_up.records)))

    def write(self) -> None:
        """Write the files, each of them completely or not at all.

        Raises
        ------
        LabelError
            If a file cannot be written.
        """
        if self._report is not None:
            write_report(self._report, self._lines, self._trainable)
        if self._table is not None:
            write_table(self._table, self._rows)
