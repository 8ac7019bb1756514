"""SongBPM and sites with the same layout: a search form and a page of cards with all data."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from bs4 import Tag

from ...http.addresses import origin_of
from ...http.errors import SourceError
from ...matching import queries
from ...parsing import outermost, seconds, text_of, tree
from ...record import Candidate, Status, TrackQuery
from ...source import ByName

MAX_CARDS, MAX_FACTS = 20, 40  # cards of a page, and elements of a card, that are read


class SongBpm(ByName):
    """See `LabelSource`."""

    name = "songbpm"
    parser_version = 2

    def search(self, track: TrackQuery) -> Iterator[list[Candidate]]:
        # The site only accepts the form if it seems to come from its own page.
        headers = {"Origin": origin_of(self._base_url)}
        for query in queries(track):
            page = self._session.post(
                f"{self._base_url}/searches", {"query": query}, headers=headers
            )
            yield parse_results(page.text, self._base_url)

    def label(self, candidate: Candidate) -> Candidate:
        return candidate  # the card had all data


def parse_results(html: str, base_url: str) -> list[Candidate]:
    """Parse a page of results; an empty list if it has none.

    Raises
    ------
    SourceError
        If the page is not of the known layout.
    """
    page = tree(html)
    candidates = []
    for card in outermost(page, ".bg-card", MAX_CARDS):
        names = card.select("p", limit=2)
        facts = _facts(card)
        if len(names) < 2 or "bpm" not in facts:
            continue
        link = card.select_one('a[href*="/@"]')
        path = urlsplit(str(link["href"])).path if link else ""
        path = path[path.index("/@") :] if "/@" in path else ""
        candidates.append(
            Candidate(
                source_id=path.strip("/"),
                url=f"{base_url}{path}",
                title=text_of(names[1]),
                artists=(text_of(names[0]),),
                duration=seconds(facts.get("duration", "")),
                raw_bpm=facts["bpm"],
                raw_key=facts.get("key"),
                complete=True,
            )
        )
    if not candidates and (page.select(".bg-card") or not page.select_one("form")):
        raise SourceError(Status.PARSE_ERROR, "the page of results has another layout")
    return candidates


def _facts(card: Tag) -> dict[str, str]:
    """Key, duration and BPM of a card, whose names and values are in successive elements."""
    found = {}
    for label in card.select("span", limit=MAX_FACTS):
        name = text_of(label).lower()
        value = label.find_next_sibling("span")
        if name in ("key", "duration", "bpm") and value is not None:
            found[name] = text_of(value)
    return found
