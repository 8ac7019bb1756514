"""Deezer's public interface, which has a BPM for about two thirds of the tracks and no keys.

All errors come with HTTP status 200. BPM 0 means unknown; another page about the same recording may
have the BPM. Only the page of a track has it, not the list of a search.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from ...http.errors import SourceError
from ...matching import queries
from ...parsing import mapping, objects, read_json, seconds, string
from ...record import Candidate, Status, TrackQuery
from ...source import ByName

QUOTA_CODE, NO_DATA_CODE = 4, 800  # codes of errors: too many requests, no such track
_JSON_TYPES = ("application/json",)


class Deezer(ByName):
    """See `LabelSource`."""

    name = "deezer"
    parser_version = 2

    def search(self, track: TrackQuery) -> Iterator[list[Candidate]]:
        if track.isrc and track.isrc.isalnum():
            page = self._session.get(f"{self._base_url}/track/isrc:{track.isrc}", types=_JSON_TYPES)
            yield parse_isrc(page.text, self._base_url)
        # Plain words find the right release more often than Deezer's advanced search does.
        for query in queries(track):
            page = self._session.get(f"{self._base_url}/search", {"q": query}, types=_JSON_TYPES)
            yield parse_search(page.text, self._base_url)

    def label(self, candidate: Candidate) -> Candidate:
        return parse_track(self._session.get(candidate.url, types=_JSON_TYPES).text, candidate)


def parse_search(text: str, base_url: str) -> list[Candidate]:
    """Parse the answer to a search.

    Raises
    ------
    SourceError
        If it is an error message or not of the expected form.
    """
    answer = _answer(text)
    if not isinstance(answer.get("data"), list):
        raise SourceError(Status.PARSE_ERROR, "sends something other than a list of tracks")
    return [_candidate(item, base_url) for item in objects(answer["data"]) if _id(item)]


def parse_isrc(text: str, base_url: str) -> list[Candidate]:
    """Parse the answer to a request by ISRC; an empty list if Deezer does not know the ISRC.

    Raises
    ------
    SourceError
        If it is another error message or not of the expected form.
    """
    try:
        answer = _answer(text)
    except SourceError as error:
        if error.status is Status.NOT_FOUND:
            return []
        raise
    return [parse_track(text, _candidate(answer, base_url))] if _id(answer) else []


def parse_track(text: str, candidate: Candidate) -> Candidate:
    """Complete a candidate with the data of the track's page.

    Raises
    ------
    SourceError
        If it is an error message or not of the expected form.
    """
    answer = _answer(text)
    if not _id(answer):
        raise SourceError(Status.PARSE_ERROR, "sends something other than a track")
    found = _candidate(answer, "")
    return replace(
        found,
        url=candidate.url,
        raw_bpm=string(answer.get("bpm")) or None,
        complete=True,
    )


def _answer(text: str) -> dict[str, Any]:
    """The JSON object of an answer; SourceError if it is an error message."""
    answer = mapping(read_json(text))
    error = mapping(answer.get("error"))
    if error:
        said = string(error.get("message"))[:80] or "an error"
        if error.get("code") == QUOTA_CODE:
            raise SourceError(Status.RETRYABLE, f"says {said}")
        if error.get("code") == NO_DATA_CODE:
            raise SourceError(Status.NOT_FOUND, f"says {said}")
        raise SourceError(Status.PARSE_ERROR, f"says {said}")
    return answer


def _id(item: dict[str, Any]) -> str:
    """Deezer's number of a track, empty if the item has none."""
    number = string(item.get("id"))
    return number if number.isdecimal() else ""


def _candidate(item: dict[str, Any], base_url: str) -> Candidate:
    """Candidate from the JSON object of a track, without its tempo."""
    title, suffix = string(item.get("title")), string(item.get("title_version"))
    if suffix and suffix not in title:
        title = f"{title} {suffix}"
    main = string(mapping(item.get("artist")).get("name"))
    others = [string(artist.get("name")) for artist in objects(item.get("contributors"))]
    return Candidate(
        source_id=_id(item),
        url=f"{base_url}/track/{_id(item)}",
        title=title,
        artists=tuple(dict.fromkeys(name for name in (main, *others) if name)),
        album=string(mapping(item.get("album")).get("title")),
        duration=seconds(item.get("duration")),
        isrc=string(item.get("isrc")) or None,
    )
