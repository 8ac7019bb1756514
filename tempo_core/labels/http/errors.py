"""The ways in which a request can end without a usable answer."""

from __future__ import annotations

from ...errors import LabelError
from ..record import Status


class SourceError(LabelError):
    """A source that could not answer; `status` says in which way.

    `final` means that it need not be asked again in this run.
    """

    def __init__(self, status: Status, message: str, *, final: bool = False) -> None:
        super().__init__(message)
        self.status = status
        self.final = final


class BudgetSpent(LabelError):
    """The requests that a run may make are made."""


class Closed(LabelError):
    """The session was closed while it waited."""
