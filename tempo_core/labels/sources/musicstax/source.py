"""MusicStax and sites with the same layout: a search page with cards, and a page for each track.

The page of a track has a list of facts, whose order has changed: in 2022 it was Length, Tempo, Key,
Loudness, later Tempo, Key, Loudness, Time Signature. So facts are found by title and not by
position.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from urllib.parse import urlsplit

from bs4 import Tag

from ...http.errors import SourceError
from ...matching import queries
from ...parsing import outermost, seconds, text_of, tree
from ...record import Candidate, Status, TrackQuery
from ...source import ByName

_TRACK = re.compile(r"/track/[^/?#]*/([0-9A-Za-z]{4,40})/?$")
MAX_CARDS, MAX_FACTS = 20, 40  # cards and facts that are read of a page


class MusicStax(ByName):
    """See `LabelSource`."""

    name = "musicstax"
    parser_version = 2

    def search(self, track: TrackQuery) -> Iterator[list[Candidate]]:
        for query in queries(track):
            page = self._session.get(f"{self._base_url}/search", {"q": query})
            yield parse_search(page.text, self._base_url)

    def label(self, candidate: Candidate) -> Candidate:
        return parse_track(self._session.get(candidate.url).text, candidate)


def parse_search(html: str, base_url: str) -> list[Candidate]:
    """Parse a search page; an empty list if it has no results.

    Raises
    ------
    SourceError
        If the page is not a search page of the known layout.
    """
    page = tree(html)
    candidates = []
    for card in outermost(page, ".search-song-details", MAX_CARDS):
        # The link is inside the card, or beside it in the same row.
        link = _track_link(card) or (_track_link(card.parent) if card.parent else None)
        title = text_of(card.select_one(".song-title"))
        if link is None or not title:
            continue
        # Only the path is taken, so that the page cannot lead to another host.
        path = urlsplit(str(link["href"])).path
        found = _TRACK.search(path)
        if found:
            url = f"{base_url}{path[path.index('/track/') :]}"
            candidates.append(Candidate(found[1], url, title, _artists(card)))
    if not candidates and not page.select_one('input[name="q"]'):
        raise SourceError(Status.PARSE_ERROR, "the search page has another layout")
    return candidates


def parse_track(html: str, candidate: Candidate) -> Candidate:
    """Complete a candidate with the data of the track's page.

    Raises
    ------
    SourceError
        If the page has no title or no list of facts.
    """
    page = tree(html)
    title = text_of(page.select_one(".song-title"))
    facts = {
        # Titles may contain symbols, such as "Tempo ▾", so only letters and spaces are compared.
        "".join(c for c in text_of(tag) if c.isalpha() or c == " ").strip().lower(): text_of(
            tag.find_next_sibling(class_="song-fact-container-stat")
        )
        for tag in page.select(".song-fact-container-title", limit=MAX_FACTS)
    }
    for name in ("tempo", "key"):  # the layout before 2022
        older = page.select_one(f'[data-cy="meta-{name.capitalize()}-value"]')
        if older is not None:
            facts.setdefault(name, text_of(older))
    if not title or "tempo" not in facts:
        raise SourceError(Status.PARSE_ERROR, "the track's page has another layout")
    return replace(
        candidate,
        title=title,
        artists=_artists(page) or candidate.artists,
        album=text_of(page.select_one(".song-album a, .song-album")) or candidate.album,
        duration=seconds(facts.get("length", "")) or candidate.duration,
        raw_bpm=facts["tempo"],
        raw_key=facts.get("key"),
        complete=True,
    )


def _track_link(tag: Tag) -> Tag | None:
    """The first link to the page of a track in an element."""
    return tag.select_one('a[href*="/track/"]')


def _artists(tag: Tag) -> tuple[str, ...]:
    """Names of the artists in a card or page."""
    linked = [text_of(link) for link in tag.select(".song-artist a", limit=MAX_CARDS)]
    names = linked or [text_of(tag.select_one(".song-artist"))]
    return tuple(name for name in names if name)
