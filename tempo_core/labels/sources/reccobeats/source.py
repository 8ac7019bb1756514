"""ReccoBeats' interface, asked by ISRC or by Spotify's track id (beets' plugin `spotify` sets it).

Answers leave out unknown tracks, so their items are assigned by the ids in them, not by position.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from ....keys import from_numbers
from ...http.errors import SourceError
from ...http.session import PoliteSession
from ...parsing import mapping, objects, read_json, seconds, string
from ...record import Candidate, Status, TrackQuery

_JSON_TYPES = ("application/json",)


class ReccoBeats:
    """See `LabelSource`."""

    name = "reccobeats"
    parser_version = 2

    def __init__(self, session: PoliteSession, base_url: str) -> None:
        self._session = session
        self._base_url = base_url

    def missing(self, track: TrackQuery) -> str:
        return "" if track.spotify_id or track.isrc else "a Spotify id or an ISRC"

    def search(self, track: TrackQuery) -> Iterator[list[Candidate]]:
        for code in (track.spotify_id, track.isrc):
            if code:
                page = self._session.get(
                    f"{self._base_url}/track", {"ids": code}, types=_JSON_TYPES
                )
                yield parse_tracks(page.text, code, self._base_url)

    def label(self, candidate: Candidate) -> Candidate:
        page = self._session.get(candidate.url, types=_JSON_TYPES)
        return parse_features(page.text, candidate)


def parse_tracks(text: str, code: str, base_url: str) -> list[Candidate]:
    """Parse the answer to a request for the tracks with a Spotify id or an ISRC (`code`).

    Raises
    ------
    SourceError
        If it is not of the expected form.
    """
    return [
        Candidate(
            source_id=string(item["id"]),
            url=f"{base_url}/audio-features?ids={string(item['id'])}",
            title=string(item.get("trackTitle")),
            artists=tuple(string(a.get("name")) for a in objects(item.get("artists"))),
            duration=(seconds(item.get("durationMs")) or 0) / 1000 or None,
            isrc=string(item.get("isrc")) or None,
        )
        for item in _content(text)
        if code in (_spotify_id(item), item.get("isrc")) and _plain(item.get("id"))
    ]


def parse_features(text: str, candidate: Candidate) -> Candidate:
    """Complete a candidate with the tempo and key in the answer, if it has them.

    Raises
    ------
    SourceError
        If the answer is not of the expected form.
    """
    for item in _content(text):
        if string(item.get("id")) == candidate.source_id:
            key = None
            if isinstance(item.get("key"), int) and isinstance(item.get("mode"), int):
                key = from_numbers(item["key"], item["mode"])
            return replace(
                candidate,
                raw_bpm=string(item.get("tempo")) or None,
                raw_key=None if key is None else str(key),
                complete=True,
            )
    return replace(candidate, complete=True)


def _content(text: str) -> list[dict[str, Any]]:
    """The items of an answer."""
    answer = mapping(read_json(text))
    if not isinstance(answer.get("content"), list):
        raise SourceError(Status.PARSE_ERROR, "sends something other than a list of tracks")
    return objects(answer["content"])


def _spotify_id(item: dict[str, Any]) -> str:
    """Spotify's track id in an item, which is the end of a link."""
    return string(item.get("href")).rpartition("/")[2]


def _plain(value: Any) -> bool:
    """Whether an id can be put into an address without quoting."""
    return isinstance(value, str) and value.replace("-", "").isalnum()
