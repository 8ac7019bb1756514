"""GetSongBPM's interface, which requires an API key and a link wherever its data is shown.

It has neither durations nor ISRCs, so its answers are the hardest to verify of all sources.
"""

from __future__ import annotations

from collections.abc import Iterator

from ....errors import ConfigError
from ...http.errors import SourceError
from ...http.session import PoliteSession
from ...parsing import mapping, objects, read_json, string
from ...record import Candidate, Status, TrackQuery
from ...source import ByName
from ...titles import main_artist, parse_title


class GetSongBpm(ByName):
    """See `LabelSource`."""

    name = "getsongbpm"
    parser_version = 2

    def __init__(self, session: PoliteSession, base_url: str, api_key: str) -> None:
        if not api_key:
            raise ConfigError(
                "getsongbpm needs a key: get one at https://getsongbpm.com/api, which asks for a"
                " link back to the site, and set getsongbpm_key"
            )
        api_key = api_key.strip()
        if not (api_key.isascii() and api_key.isprintable()):
            raise ConfigError("getsongbpm_key is no key: it contains characters that no key has")
        super().__init__(session, base_url)
        # The key is not sent in the address, because addresses end up in logs and caches.
        self._headers = {"X-API-KEY": api_key}

    def search(self, track: TrackQuery) -> Iterator[list[Candidate]]:
        tried = set()
        for title in (track.title, parse_title(track.title).core):
            lookup = f"song:{title} artist:{main_artist(track.artist)}"
            if lookup.casefold() in tried:
                continue
            tried.add(lookup.casefold())
            page = self._session.get(
                f"{self._base_url}/search/",
                {"type": "both", "lookup": lookup, "limit": "10"},
                # The answer is JSON, but is declared as HTML.
                types=("application/json", "text/html"),
                headers=self._headers,
            )
            yield parse_search(page.text)

    def label(self, candidate: Candidate) -> Candidate:
        return candidate


def parse_search(text: str) -> list[Candidate]:
    """Parse the answer to a search.

    If nothing was found, it is `{"search": {"error": "no result"}}` with an object instead of a
    list.

    Raises
    ------
    SourceError
        If the answer is not of the expected form.
    """
    answer = mapping(read_json(text))
    if "search" not in answer:
        raise SourceError(
            Status.PARSE_ERROR, f"answers {string(answer.get('error'))[:80] or 'something else'}"
        )
    candidates = []
    for song in objects(answer["search"]):
        album = mapping(song.get("album"))
        candidates.append(
            Candidate(
                source_id=string(song.get("id")),
                url=url if (url := string(song.get("uri"))).startswith("https://") else "",
                title=string(song.get("title")),
                artists=(string(mapping(song.get("artist")).get("name")),),
                album=string(album.get("title")),
                raw_bpm=string(song.get("tempo")) or None,
                raw_key=string(song.get("key_of")) or None,
                complete=True,
            )
        )
    return candidates
