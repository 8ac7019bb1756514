"""A local song-information site that imitates the real ones and their faults.

It serves a catalogue in the form of each source: pages like those of MusicStax in both layouts,
cards like those of SongBPM, and the answers of the JSON interfaces. Each song is accompanied by
decoys: a live recording, a remix, a karaoke version, a sped-up copy, and a song of the same name by
another artist. Single entries can cause errors on purpose (`TROUBLES`). All requests are recorded
and are shown at `/hits`.

The tests, the demo, the documentation and the benchmark use it, so that they never contact a real
site.
"""

from __future__ import annotations

import dataclasses
import hashlib
import html
import json
import re
import sys
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from ..errors import LabelError, reason
from ..keys import parse_key
from .titles import normalise

# Errors that an entry can cause, with the answer to a request for it.
TROUBLES = {
    "flaky": "503 with Retry-After the first time, then the page",
    "busy": "429 with Retry-After the first time, then the page",
    "down": "503 every time",
    "patient": "503 with a Retry-After of a day",
    "blocked": "a challenge (403), and from then on for everybody",
    "challenge": "a challenge that calls itself 200",
    "missing": "404",
    "redesigned": "a page in a layout nobody knows",
    "huge": "a page without end",
    "binary": "an image",
    "truncated": "a page that breaks off",
    "elsewhere": "a redirect to another site",
    "loop": "a redirect to itself",
    "nested": "a page of a hundred thousand elements inside one another",
}
ROBOTS = "User-agent: *\nDisallow: /private/\nDisallow: /*?admin=\n"
API_KEY = "demo-key"  # the key that the GetSongBPM interface accepts
SERVED_PATHS = {  # sources that the site imitates, with the path of each
    "musicstax": "musicstax",
    "songbpm": "songbpm",
    "getsongbpm": "getsong",
    "deezer": "deezer",
    "reccobeats": "reccobeats/v1",
}
_WORDS = re.compile(r"[^\W_]+")


@dataclass(frozen=True)
class Entry:
    """A song of the catalogue with the values that the site publishes, right or wrong.

    `bpm` 0 and an empty `key` mean unknown. `layout` is that of the MusicStax page, `2022` (with
    Length) or `2024` (without). `trouble` is one of `TROUBLES` or empty.
    """

    title: str
    artist: str
    bpm: float = 0.0
    key: str = ""
    album: str = ""
    duration: float = 200.0  # [s]
    isrc: str = ""
    layout: str = "2022"
    trouble: str = ""

    @property
    def id(self) -> str:
        """Identifier of 22 letters and digits, like Spotify's."""
        words = f"{self.title}|{self.artist}|{self.album}|{self.duration}|{self.bpm}"
        return hashlib.sha256(words.encode()).hexdigest()[:22]

    @property
    def number(self) -> int:
        """Identifier that is a number, like Deezer's."""
        return int(self.id[:8], 16)


@dataclass(frozen=True)
class Hit:
    """A request that the site received, with the status of its answer. `time` is monotonic [s]."""

    time: float
    method: str
    path: str
    headers: dict[str, str]
    status: int


def decoys(entry: Entry) -> list[Entry]:
    """Other recordings that a search for a song also finds, with values as real sites have them."""
    bpm, length = entry.bpm, entry.duration
    plain = dataclasses.replace(entry, isrc="", trouble="")

    def version(suffix: str, **changes: Any) -> Entry:
        return dataclasses.replace(plain, title=f"{entry.title} ({suffix})", **changes)

    return [
        version("Live", bpm=round(bpm * 1.07), duration=length + 31),
        # Real sites often publish the values of the original on the page of a remix.
        version("Nightshift Remix", duration=length + 58),
        version("Sped Up", bpm=round(bpm * 1.2), duration=length / 1.2),
        version("Karaoke Version", artist="Sing It Back", bpm=round(bpm * 0.94)),
        dataclasses.replace(plain, artist="Someone Else", bpm=round(bpm * 0.71)),
    ]


CATALOGUE = (
    Entry("Mezzanine", "Glass Elevator", 126, "A Minor", "Floors", 200),
    Entry("Atrium", "Glass Elevator", 124, "F# Minor", "Floors", 195, layout="2024"),
    Entry("Night Bus", "Subfloor", 87, "D Minor", "Depot", 210),  # played at 174
    Entry("Paper Boats", "The Lintels", 72, "G Major", "Doorframes", 240, trouble="flaky"),
)


def read_catalogue(path: Path) -> list[Entry]:
    """Read a catalogue from a file with a JSON array of objects that have the fields of `Entry`.

    Raises
    ------
    LabelError
        If the file cannot be read or has other content.
    """
    try:
        entries = [Entry(**item) for item in json.loads(path.read_text(encoding="utf-8"))]
    except (OSError, ValueError, TypeError) as error:
        raise LabelError(f"{path}: is not a catalogue ({reason(error)})") from error
    for entry in entries:
        if entry.trouble and entry.trouble not in TROUBLES:
            raise LabelError(
                f"{path}: no trouble {entry.trouble!r}; there are {', '.join(TROUBLES)}"
            )
    return entries


class DemoSite:
    """The running site, which serves in threads until it is closed. Use it as a context manager.

    Parameters
    ----------
    catalogue
        Songs to serve.
    with_decoys
        Add the decoys of each song.
    port
        Port to serve on; 0 takes any free one.
    robots
        Text of robots.txt.

    Raises
    ------
    LabelError
        If the port cannot be used.
    """

    def __init__(
        self,
        catalogue: Sequence[Entry] = CATALOGUE,
        *,
        with_decoys: bool = True,
        port: int = 0,
        robots: str = ROBOTS,
    ) -> None:
        self.entries = [
            e for entry in catalogue for e in (entry, *(decoys(entry) if with_decoys else ()))
        ]
        self.robots: str | int = robots  # text, or a status that robots.txt is answered with
        self.retry_after = 1  # [s] Retry-After of the troubles "flaky" and "busy"
        self.hits: list[Hit] = []
        self.blocking = False
        self.visits: Counter[str] = Counter()
        self._searches: dict[str, str] = {}
        self._lock = threading.Lock()
        site = self

        class Handler(_Handler):
            demo_site = site

        try:
            self._server = _Server(("127.0.0.1", port), Handler)
        except OSError as error:
            raise LabelError(f"port {port} cannot be used ({error.strerror})") from error
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.01,), daemon=True
        )
        self._thread.start()

    @property
    def url(self) -> str:
        """Address without a path."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def urls(self) -> dict[str, str]:
        """Addresses to configure for the sources, by name."""
        return {name: f"{self.url}/{path}" for name, path in SERVED_PATHS.items()}

    def paths(self) -> list[str]:
        """Paths of all requests so far, except those for robots.txt."""
        return [hit.path for hit in self.hits if hit.path != "/robots.txt"]

    def note(self, hit: Hit) -> None:
        """Record a request."""
        with self._lock:
            self.hits.append(hit)

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)

    def __enter__(self) -> DemoSite:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def find(self, query: str) -> list[Entry]:
        """The ten songs that share most words with a query, as such sites search; best first."""
        wanted = set(normalise(query).split())

        def share(entry: Entry) -> float:
            words = set(normalise(f"{entry.artist} {entry.title}").split())
            return len(wanted & words) / len(wanted | words) if wanted else 0.0

        found = [entry for entry in self.entries if share(entry) >= 0.3]
        return sorted(found, key=lambda entry: -share(entry))[:10]

    def by_id(self, code: str) -> Entry | None:
        """The song with an id, a number or an ISRC; None if there is none.

        Ids with a dash are those of the ReccoBeats interface.
        """
        plain = code.replace("-", "")
        return next(
            (e for e in self.entries if plain in (e.id, str(e.number), e.isrc or "-")), None
        )

    def remember_search(self, query: str) -> str:
        """Store a query and return a token for the address of its results, as SongBPM does."""
        token = hashlib.sha256(query.encode()).hexdigest()[:16]
        self._searches[token] = query
        return token

    def recall_search(self, token: str) -> str | None:
        """The query stored under a token; None if there is none."""
        return self._searches.get(token)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exc_info()[1], (ConnectionError, TimeoutError)):
            super().handle_error(request, client_address)  # the others mean that the client left


Response = tuple[int, str, bytes, dict[str, str]]  # status, content type, body, headers


class _Handler(BaseHTTPRequestHandler):
    """Handler of the requests to the site."""

    demo_site: DemoSite
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # send headers and body in one packet: a second one would be delayed by 40 ms
    disable_nagle_algorithm = True
    server_version = "demo-site"
    sys_version = ""

    def log_message(self, *_: Any) -> None:
        pass

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def _serve(self) -> None:
        length = min(int(self.headers.get("Content-Length") or 0), 10_000)
        form = parse_qs(self.rfile.read(length).decode("utf-8", "replace"))
        parts = urlsplit(self.path)
        status, kind, body, headers = self._answer(unquote(parts.path), parse_qs(parts.query), form)
        sent = dict(self.headers.items())
        self.demo_site.note(Hit(time.monotonic(), self.command, self.path, sent, status))
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Set-Cookie", "visitor=1; Path=/")
        announced = len(body) + (1000 if headers.pop("X-Truncate", "") else 0)
        self.send_header("Content-Length", str(announced))
        for name, value in headers.items():
            self.send_header(name, value)
        if announced != len(body):
            self.close_connection = True
        self.end_headers()
        self.wfile.write(body)

    def _answer(
        self, path: str, query: dict[str, list[str]], form: dict[str, list[str]]
    ) -> Response:
        site = self.demo_site
        if path == "/robots.txt":
            if isinstance(site.robots, int):
                return _text("", site.robots)
            return _text(site.robots)
        if path == "/hits":
            return _json([dataclasses.asdict(hit) for hit in site.hits])
        if site.blocking:
            return _challenge()
        style, _, rest = path.strip("/").partition("/")
        wanted = query.get("q", query.get("ids", query.get("lookup", [""])))[0]
        match style:
            case "musicstax":
                return self._musicstax(rest, wanted)
            case "songbpm":
                return self._songbpm(rest, form.get("query", [""])[0])
            case "getsong":
                return self._getsong(wanted)
            case "deezer":
                return self._deezer(rest, wanted)
            case "reccobeats":
                return self._reccobeats(rest, wanted)
        return _page("<h1>Not found</h1>", 404)

    def _musicstax(self, rest: str, wanted: str) -> Response:
        if rest == "search":
            cards = "".join(map(_musicstax_card, self.demo_site.find(wanted)))
            form = '<form action="/search"><input name="q"></form>'
            return _page(f"{form}<div class='search-results'>{cards}</div>")
        entry = self.demo_site.by_id(rest.rpartition("/")[2])
        if entry is None or not rest.startswith("track/"):
            return _page("<h1>Not found</h1>", 404)
        return self._trouble(entry) or _page(_musicstax_track(entry))

    def _songbpm(self, rest: str, wanted: str) -> Response:
        if rest == "searches" and self.command == "POST":
            if self.headers.get("Origin") != self.demo_site.url:
                return _page("<h1>Forbidden</h1>", 403)
            token = self.demo_site.remember_search(wanted)
            return 302, "text/html", b"", {"Location": f"/songbpm/searches/{token}"}
        query = self.demo_site.recall_search(rest.rpartition("/")[2])
        if query is None:
            return _page("<h1>Not found</h1>", 404)
        entries = self.demo_site.find(query)
        troubles = [answer for entry in entries[:1] if (answer := self._trouble(entry))]
        if troubles:
            return troubles[0]
        cards = "".join(map(_songbpm_card, entries))
        return _page(f'<form action="/searches"></form><main>{cards}</main>')

    def _getsong(self, wanted: str) -> Response:
        if self.headers.get("X-API-KEY") != API_KEY:
            return _json({"error": "Invalid API key"}, 401)
        words = re.match(r"song:(.*) artist:(.*)", wanted)
        entries = self.demo_site.find(f"{words[2]} {words[1]}") if words else []
        found: Any = [_getsong_song(entry) for entry in entries] or {"error": "no result"}
        # The body is JSON, as at the real interface.
        return _json({"search": found}, kind="text/html; charset=UTF-8")

    def _deezer(self, rest: str, wanted: str) -> Response:
        if rest == "search":
            items = [_deezer_track(entry) for entry in self.demo_site.find(wanted)]
            for item in items:
                del item["bpm"], item["isrc"]
            return _json({"data": items, "total": len(items)})
        entry = self.demo_site.by_id(rest.rpartition("/")[2].removeprefix("isrc:"))
        if entry is None:
            return _json({"error": {"type": "DataException", "message": "no data", "code": 800}})
        if entry.trouble == "busy" and not self._visited(entry):
            return _json({"error": {"type": "Exception", "message": "Quota limit", "code": 4}})
        return self._trouble(entry) or _json(_deezer_track(entry))

    def _reccobeats(self, rest: str, wanted: str) -> Response:
        entry = self.demo_site.by_id(wanted)
        # Like the real interface, leave out unknown tracks and add one that was not asked for.
        stray = self.demo_site.entries[-1]
        entries = [stray] if entry is None else [stray, entry]
        if rest == "v1/track":
            return _json({"content": [_reccobeats_track(e) for e in entries]})
        if rest == "v1/audio-features":
            return _json({"content": [_reccobeats_features(e) for e in entries]})
        return _json({"error": "Not found"}, 404)

    def _visited(self, entry: Entry) -> bool:
        """Count a request for an entry; returns whether it was asked for before."""
        self.demo_site.visits[entry.id] += 1
        return self.demo_site.visits[entry.id] > 1

    def _trouble(self, entry: Entry) -> Response | None:
        """The answer that an entry causes on purpose; None if it is to be answered normally."""
        wait = {"Retry-After": str(self.demo_site.retry_after)}
        match entry.trouble:
            case "flaky" | "busy" if not self._visited(entry):
                status = 503 if entry.trouble == "flaky" else 429
                return *_page("<h1>Later</h1>", status)[:3], wait
            case "down":
                return _page("<h1>Down</h1>", 503)
            case "patient":
                return *_page("<h1>Tomorrow</h1>", 503)[:3], {"Retry-After": "86400"}
            case "blocked":
                self.demo_site.blocking = True
                return _challenge()
            case "challenge":
                _, kind, body, _ = _challenge()
                return 200, kind, body, {}
            case "missing":
                return _page("<h1>Not found</h1>", 404)
            case "redesigned":
                return _page(f"<main><section>{html.escape(entry.title)}</section></main>")
            case "huge":
                return 200, "text/html", b"<p>all work and no play</p>\n" * 200_000, {}
            case "binary":
                return 200, "image/png", b"\x89PNG\r\n\x1a\n", {}
            case "truncated":
                return *_page(_musicstax_track(entry))[:3], {"X-Truncate": "yes"}
            case "elsewhere":
                return 302, "text/html", b"", {"Location": "http://elsewhere.invalid/track"}
            case "loop":
                return 302, "text/html", b"", {"Location": self.path}
            case "nested":
                return _page("<div>" * 100_000)
        return None


def _page(body: str, status: int = 200) -> Response:
    text = f"<!doctype html><html><head><title>demo</title></head><body>{body}</body></html>"
    return status, "text/html; charset=utf-8", text.encode(), {}


def _text(body: str, status: int = 200) -> Response:
    return status, "text/plain; charset=utf-8", body.encode(), {}


def _json(value: Any, status: int = 200, kind: str = "application/json") -> Response:
    return status, kind, json.dumps(value).encode(), {}


def _challenge() -> Response:
    text = "<html><head><title>Just a moment...</title></head><body>Are you human?</body></html>"
    return 403, "text/html", text.encode(), {"cf-mitigated": "challenge"}


def _clock(seconds: float) -> str:
    """A duration such as `3:05`."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02}"


def _slug(entry: Entry) -> str:
    """Title of an entry for an address."""
    return "-".join(_WORDS.findall(entry.title.lower())) or "na"


def _musicstax_card(entry: Entry) -> str:
    title, artist = html.escape(entry.title), html.escape(entry.artist)
    return f"""
    <div class="song-details search-song-details">
      <a data-cy="song-image" class="song-image search-image"
         href="/musicstax/track/{_slug(entry)}/{entry.id}"><img alt=""></a>
      <h1 class="song-title"><u>{title}</u></h1>
      <div class="song-artist"><a href="/artist/x">{artist}</a></div>
    </div>"""


def _musicstax_track(entry: Entry) -> str:
    key = parse_key(entry.key)
    name = str(key).removesuffix("m") + (" min" if key.minor else " Maj") if key else "—"
    tempo = f"{entry.bpm:g}" if entry.bpm else "—"
    if entry.layout == "2022":
        facts = [("Length", _clock(entry.duration)), ("Tempo", tempo), ("Key", name)]
        facts.append(("Loudness", "-6.1 dB"))
    else:
        facts = [("Tempo ▾", f"{tempo} BPM"), ("Key", name), ("Loudness", "-6.1 dB")]
        facts.append(("Time Signature", "4"))
    rows = "".join(
        f'<div class="song-fact-container"><div class="song-fact-container-title">{title}</div>'
        f'<div class="song-fact-container-stat">{value}</div></div>'
        for title, value in facts
    )
    return f"""
    <h1 class="song-title">{html.escape(entry.title)}</h1>
    <div class="song-artist"><a href="/artist/x">{html.escape(entry.artist)}</a></div>
    <div class="song-album"><a href="/album/x">{html.escape(entry.album)}</a></div>
    {rows}"""


def _songbpm_card(entry: Entry) -> str:
    facts = {"Key": entry.key, "Duration": _clock(entry.duration), "BPM": f"{entry.bpm:g}"}
    pairs = "".join(f"<div><span>{k}</span><span>{v}</span></div>" for k, v in facts.items())
    artist = _slug(dataclasses.replace(entry, title=entry.artist))
    return f"""
    <div class="bg-card flex"><p class="text-sm">{html.escape(entry.artist)}</p>
    <p class="text-lg">{html.escape(entry.title)}</p><div>{pairs}</div>
    <a href="/@{artist}/{_slug(entry)}-{entry.id}">more</a>
    </div>"""


def _getsong_song(entry: Entry) -> dict[str, Any]:
    key = parse_key(entry.key)
    return {
        "id": entry.id[:6],
        "title": entry.title,
        "uri": f"https://getsongbpm.com/song/{_slug(entry)}/{entry.id[:6]}",
        "tempo": f"{entry.bpm:g}",
        "time_sig": "4/4",
        "key_of": str(key).replace("#", "♯") if key else "",
        "open_key": key.open_key if key else "",
        "artist": {"id": entry.id[6:10], "name": entry.artist},
        "album": {"title": entry.album, "year": "2020"},
    }


def _deezer_track(entry: Entry) -> dict[str, Any]:
    return {
        "id": entry.number,
        "title": entry.title,
        "title_short": entry.title.partition(" (")[0],
        "title_version": "",
        "isrc": entry.isrc,
        "duration": int(entry.duration),
        "bpm": entry.bpm,
        "artist": {"id": 1, "name": entry.artist},
        "contributors": [{"id": 1, "name": entry.artist}],
        "album": {"id": 1, "title": entry.album},
        "type": "track",
    }


def _reccobeats_track(entry: Entry) -> dict[str, Any]:
    return {
        "id": entry.id[:8] + "-" + entry.id[8:],
        "trackTitle": entry.title,
        "artists": [{"id": "1", "name": entry.artist}],
        "durationMs": int(1000 * entry.duration),
        "isrc": entry.isrc,
        "href": f"https://open.spotify.com/track/{entry.id}",
    }


def _reccobeats_features(entry: Entry) -> dict[str, Any]:
    key = parse_key(entry.key)
    return {
        "id": entry.id[:8] + "-" + entry.id[8:],
        "href": f"https://open.spotify.com/track/{entry.id}",
        "isrc": entry.isrc,
        "tempo": entry.bpm,
        "key": key.pitch_class if key else -1,
        "mode": 0 if key and key.minor else 1,
    }
