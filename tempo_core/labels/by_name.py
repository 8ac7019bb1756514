"""What the sources share that are searched by title and artist."""

from __future__ import annotations

from .http.session import PoliteSession
from .record import Track


class ByName:
    """Base of such a source; see `LabelSource`."""

    def __init__(self, session: PoliteSession, base_url: str) -> None:
        self._session = session
        self._base_url = base_url

    def missing(self, track: Track) -> str:
        return "" if track.title and track.artist else "title and artist"
