"""GetSongBPM's interface: a key, a search, and a link to getsongbpm.com wherever its data is shown.

It knows neither durations nor ISRCs, so of all sources it is the hardest to verify.
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
            raise ConfigError("getsongbpm_key is no key: it has signs in it that no key has")
        super().__init__(session, base_url)
        # Not in the address: keys in addresses end up in logs and caches.
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
                # JSON that calls itself HTML.
                types=("application/json", "text/html"),
                headers=self._headers,
            )
            yield parse_search(page.text)

    def label(self, candidate: Candidate) -> Candidate:
        return candidate


def parse_search(text: str) -> list[Candidate]:
    """Read an answer; a miss is `{"search": {"error": "no result"}}`, an object instead of a list.

    Raises
    ------
    SourceError
        If it is something else.
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
