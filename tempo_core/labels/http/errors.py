"""The ways in which a request can end without a usable answer."""

from __future__ import annotations

from ...errors import LabelError
from ..record import Status


class SourceError(LabelError):
    """Raised if a source gives no usable answer; `status` says why.

    `final` means that the source must not be asked again in this run.
    """

    def __init__(self, status: Status, message: str, *, final: bool = False) -> None:
        super().__init__(message)
        self.status = status
        self.final = final


class BudgetSpent(LabelError):
    """Raised if a run has sent as many requests as it may."""


class Closed(LabelError):
    """Raised if the session was closed while it waited."""
