"""Web site with hostile answers: everything harmful that a server can send, by name.

`HostileSite` serves `ANSWERS`; the first part of a path names the answer, whatever follows. Beside
them `json_answers` has those of interfaces for programs, and `ROBOTS` those to the first question.
"""

from __future__ import annotations

import gzip
import json
import re
import socket
import threading
import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from functools import cache
from urllib.parse import unquote

Pieces = Callable[[], Iterator[bytes]]
Answer = bytes | Pieces

LINK = '<a href="/track/song/7qiZfU4dY1lWllzX7mPBI3">'
CARD = (
    f'<div class="search-song-details">{LINK}</a><h1 class="song-title">Song</h1>'
    '<div class="song-artist">Singer</div></div>'
)
FORM = '<form><input name="q"></form>'
N = 19_000  # elements: fewer than what a page may have
PAD = "x" * 88


MISSING = b"HTTP/1.1 404 X\r\nContent-Length: 0\r\n\r\n"


class HostileSite:
    """Server of hostile answers by name; use as a context manager.

    `requests` are the heads that arrived, `robots` is what /robots.txt is answered with.
    """

    def __init__(self, answers: Mapping[str, Answer], robots: Answer | None = None) -> None:
        self.answers = dict(answers)
        self.robots = robots if robots is not None else answer(b"", "text/plain")
        self.requests: list[str] = []
        self._done = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self._connections: set[socket.socket] = set()
        self._accepting = threading.Thread(target=self._accept, daemon=True)
        self._accepting.start()

    @property
    def port(self) -> int:
        return int(self._listener.getsockname()[1])

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> HostileSite:
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        # Before its number is free for another socket, whose connections it might accept.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._accepting.join()
        self._listener.close()
        for connection in [*self._connections]:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self._connections.add(connection)
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with suppress(OSError), connection:
            connection.settimeout(10)
            received = b""
            missing = 1
            while missing > 0:  # what was not read is a broken connection for who sent it
                piece = connection.recv(65536)
                if not piece:
                    return
                received += piece
                head, end, form = received.partition(b"\r\n\r\n")
                length = re.search(rb"(?i)content-length: (\d+)", head)
                missing = (int(length[1]) if length else 0) - len(form) if end else 1
            request = head.decode("latin-1") + "\r\n"
            self.requests.append(request)
            path = request.split(" ")[1]
            name = unquote(path.strip("/").partition("/")[0].partition("?")[0])
            content = self.robots if path == "/robots.txt" else self.answers.get(name, MISSING)
            for piece in [content] if isinstance(content, bytes) else content():
                connection.sendall(piece)
                if self._done.is_set():
                    return
        self._connections.discard(connection)


def answer(
    body: bytes | str = b"", kind: str = "text/html", *headers: str, status: str = "200 OK"
) -> bytes:
    """A complete answer; without a type if `kind` is empty, without a length if a header gives one."""
    data = body if isinstance(body, bytes) else body.encode("utf-8", "surrogatepass")
    lines = [f"HTTP/1.1 {status}", *headers]
    if kind:
        lines.append(f"Content-Type: {kind}")
    if not any(name in line for line in headers for name in ("Content-Length", "Transfer-Enc")):
        lines.append(f"Content-Length: {len(data)}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1", "replace") + data


def _late(page: str) -> Pieces:
    """An answer with a page that is made when it is requested."""
    return lambda: iter([answer(page, "text/html; charset=utf-8")])


def drip(begin: bytes, piece: bytes, pause: float = 0.05) -> Pieces:
    """An answer that sends `begin` and then `piece` again and again without end."""

    def pieces() -> Iterator[bytes]:
        yield begin
        while True:
            time.sleep(pause)
            yield piece

    return pieces


def after(pause: float, content: bytes) -> Pieces:
    """An answer that is sent after a delay."""

    def pieces() -> Iterator[bytes]:
        time.sleep(pause)
        yield content

    return pieces


def _mute() -> Iterator[bytes]:
    time.sleep(8)
    yield b""


def _statuses() -> dict[str, Answer]:
    lines = {
        "line garbage": b"\x00\xff\xfe garbage\r\n\r\n",
        "line empty": b"\r\n\r\n\r\n",
        "line of another protocol": b"220 ftp.example.org ready\r\n",
        "line without a number": b"HTTP/1.1 abc OK\r\n\r\n",
        "line with a long number": b"HTTP/1.1 99999 OK\r\n\r\n",
        "line with a short number": b"HTTP/1.1 20 OK\r\n\r\n",
        "line of another version": b"HTTP/9.9 200 OK\r\nContent-Length: 0\r\n\r\n",
        "line without an end": b"HTTP/1.1 200 " + b"x" * 200_000,
        "nothing": b"",
    }
    for code in (101, 202, 204, 206, 300, 304, 305, 400, 401, 402, 403, 404, 410, 418, 451):
        lines[f"status {code}"] = answer("x", status=f"{code} X")
    for code in (500, 501, 502, 503, 504, 511, 600, 999):
        lines[f"status {code}"] = answer("x", status=f"{code} X")
    for code in (301, 302, 303, 307, 308):
        lines[f"status {code} to nowhere"] = answer("x", status=f"{code} X")
    return dict(lines)


def _heads() -> dict[str, Answer]:
    page = f"{FORM}{CARD}"
    heads: dict[str, Answer] = {
        "a hundred thousand headers": answer(page, "text/html", *["X: y"] * 100_000),
        "a header of a megabyte": answer(page, "text/html", "X: " + "y" * 1_000_000),
        "headers without a colon": answer(page, "text/html", "no colon", "neither"),
        "a header with a nul": answer(page, "text/html", "X: a\0b"),
        "a folded header": answer(page, "text/html", "X: a\r\n  b"),
        "a flood of cookies": answer(
            page, "text/html", *["Set-Cookie: " + "a=b; expires=" + " " * 60_000] * 90
        ),
        "two lengths": answer(page, "text/html", "Content-Length: 5", "Content-Length: 9"),
        "no type": answer(page, ""),
        "a type of nothing": answer(page, ";;;"),
        "a type of a megabyte": answer(page, "text/html; charset=" + "x" * 60_000),
        "length and chunks": answer(
            b"0\r\n\r\n", "text/html", "Transfer-Encoding: chunked", "Content-Length: 3"
        ),
    }
    for length in ("-5", "abc", "9" * 25, "5, 6", "", "0x10", "1e3", "3", "999999"):
        heads[f"length {length[:9]}"] = answer(page, "text/html", f"Content-Length: {length}")
    chunks = {
        "garbage": b"zz\r\nabc\r\n", "negative": b"-5\r\nabc\r\n", "huge": b"FFFFFFFFFFFF\r\nabc",
        "cut off": b"5\r\nab", "empty": b"\r\n\r\n", "a long line": b"5;" + b"x" * 100_000,
    }  # fmt: skip
    for name, body in chunks.items():
        heads[f"chunks: {name}"] = answer(body, "text/html", "Transfer-Encoding: chunked")
    charsets = (
        "zlib", "hex", "rot13", "idna", "punycode", "undefined", "unicode_escape", "utf-7", "utf-16",
        "bz2", "mbcs", "a\0b", "\u00fc", '"', "..", "x" * 5000,
    )  # fmt: skip
    for charset in charsets:
        heads[f"charset {charset[:9]!a}"] = answer(
            page.encode() + b"\xff" * 50_001, f"text/html; charset={charset}"
        )
    for i, wait in enumerate(
        ("soon", "-1", "9" * 400, "1e9", "inf", "nan", "Wed, 21 Oct 99999999999999 07:28:00 GMT",
         "Wed, 21 Oct 2015 07:28:00 +9999", "Wed, 99 Foo 2015", "\u0663", "0x10", "3" * 12)
    ):  # fmt: skip
        heads[f"retry-after {i} {wait[:9]!a}"] = answer(
            "x", "text/html", f"Retry-After: {wait}", status="503 X"
        )
    return heads


@cache
def _compressed() -> dict[str, Answer]:
    zeros = b"0" * 60_000_000
    deflater = zlib.compressobj(9, zlib.DEFLATED, -15)
    bodies = {
        "gzip: bomb": ("gzip", gzip.compress(zeros)),
        "gzip: bomb in a bomb": ("gzip, gzip", gzip.compress(gzip.compress(zeros))),
        "deflate: bomb": ("deflate", zlib.compress(zeros)),
        "deflate: bare bomb": ("deflate", deflater.compress(zeros) + deflater.flush()),
        "gzip: garbage": ("gzip", b"garbage"),
        "gzip: cut off": ("gzip", gzip.compress(b"x" * 1000)[:-9]),
        "deflate: garbage": ("deflate", b"garbage"),
        "brotli": ("br", b"\x1b\xff\xff\x00" * 100),
        # A frame of run-length blocks: three bytes for each 128 kB.
        "zstd: bomb": ("zstd", b"\x28\xb5\x2f\xfd\x00\x88" + b"\x02\x00\x10\x30" * 4000),
        "an unknown compression": ("foo", b"x"),
        "a hundred compressions": (", ".join(["gzip"] * 100), gzip.compress(b"x")),
    }
    return {
        name: answer(body, "text/html", f"Content-Encoding: {encoding}")
        for name, (encoding, body) in bodies.items()
    }


def _oddities(other: str) -> dict[str, Answer]:
    """Answers in other protocols, with headers for browsers, and in pieces."""
    page = f"{FORM}{CARD}"
    headers = {
        "refresh": f"Refresh: 0; url={other}/", "link": f"Link: <{other}/x>; rel=preload",
        "another service": f'Alt-Svc: h2="{other.partition("//")[2]}"; ma=9999999999',
        "a place of the content": f"Content-Location: {other}/x", "a place with 200": f"Location: {other}/",
        "a wish for a login": 'WWW-Authenticate: Basic realm="x"',
        "an age without end": "Cache-Control: max-age=" + "9" * 400,
        "an age that is none": "Cache-Control: max-age=abc, s-maxage=-1, stale-if-error",
        "odd dates": "Expires: Wed, 99 Foo 99999 99:99:99\r\nDate: -1\r\nLast-Modified: \xff",
        "a long tag": 'ETag: "' + "x" * 60_000 + '"', "varies by everything": "Vary: " + ", ".join("abc" * 9000),
        "upgrade": "Upgrade: h2c\r\nConnection: Upgrade", "a report": f"Report-To: {other}/",
        "a cookie for others": "Set-Cookie: a=b; Domain=.0.0.1; Path=/; Max-Age=99999999999999999999",
        "a range": "Content-Range: bytes 0-1/" + "9" * 99, "two types": "Content-Type: text/plain",
    }  # fmt: skip
    answers: dict[str, Answer] = {
        f"header: {name}": answer(page, "text/html", line) for name, line in headers.items()
    }
    for code in (103, 204, 205, 207, 226, 305, 306, 407, 416, 421, 426, 429):
        answers[f"login {code}"] = answer(
            "x", "text/html", f"Location: {other}/", "Proxy-Authenticate: Basic", status=f"{code} X"
        )
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n"
    chunked = head + b"Transfer-Encoding: chunked\r\n\r\n"
    text = page.encode()
    answers |= {
        "speaks HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\x12\x04" * 999,
        "speaks TLS": b"\x15\x03\x01\0\x02\x02\x46" * 99, "speaks SSH": b"SSH-2.0-x\r\n" * 99,
        "bare line ends": head.replace(b"\r", b"") + b"\n" + text, "no head": text,
        "another answer behind": answer(page) + answer("x" * 999, status="500 X"),
        "a page after early hints": b"HTTP/1.1 103 X\r\nLink: </x>\r\n\r\n" * 50 + answer(page),
        "a million chunks": chunked + b"1\r\nx\r\n" * 380_000 + b"0\r\n\r\n",
        "chunks with extensions": chunked + (b"1;" + b"x" * 4000 + b"\r\nx\r\n") * 900,
        "a chunk of 400 digits": chunked + b"0" * 400 + b"5\r\nhello\r\n0\r\n\r\n",
        "a chunk with a sign": chunked + b"+5\r\nhello\r\n0\r\n\r\n",
        "a chunk with an underscore": chunked + b"1_0\r\n" + b"x" * 16 + b"\r\n0\r\n\r\n",
        "trailers without end": drip(chunked + b"0\r\n", b"X: y\r\n", 0.001),
        "a trailer that redirects": chunked + b"0\r\nLocation: " + other.encode() + b"/\r\n\r\n",
        "hangs in the last chunk": drip(chunked + b"5\r\nhello\r\n0", b""),
    }  # fmt: skip
    members = gzip.compress(b"") * 90_000
    packed = {
        "members": members, "members of a letter": gzip.compress(b"x") * 80_000,
        "a name without end": b"\x1f\x8b\x08\x08\0\0\0\0\0\xff" + b"n" * 1_800_000,
        "a wrong sum": gzip.compress(text)[:-8] + b"\0" * 8, "garbage behind": gzip.compress(text) + b"x" * 99_999,
        "a dictionary": zlib.compressobj(zdict=b"x" * 99).compress(text) or b"\x78\xf9",
    }  # fmt: skip
    return answers | {
        f"packed: {name}": answer(body, "text/html", "Content-Encoding: gzip")
        for name, body in packed.items()
    }


def _slow() -> dict[str, Answer]:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n"
    return {
        "mute": _mute,
        "drips its status line": drip(b"HTTP/1.1 200 ", b"x"),
        "drips its head": drip(head + b"X: ", b"y"),
        "drips headers": drip(head, b"X: y\r\n"),
        "drips its body": drip(head + b"Content-Length: 999999\r\n\r\n", b"x"),
        "drips without a length": drip(head + b"Connection: close\r\n\r\n", b"x"),
        "drips chunks": drip(head + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
        "drips the length of a chunk": drip(head + b"Transfer-Encoding: chunked\r\n\r\n1;", b"x"),
        "says continue for ever": drip(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        "floods with continue": drip(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 1000, 0.001),
        "floods its body": drip(head + b"\r\n", b"x" * 100_000, 0),
        "redirects slowly": after(0.3, answer("", "", "Location: ?again", status="302 X")),
        "is busy slowly": after(0.3, answer("x", status="503 X")),
    }


def _redirects(own: str, other: str) -> dict[str, Answer]:
    """Redirects; those to an existing place lead to `other`, an address without a path."""
    port, elsewhere = own.rpartition(":")[2], other.partition("//")[2]
    places = [
        "", " ", "/", "?", "#", "//", "///", "http://", "http:", "http://[", "http://[::1", "http://]",
        "http:///x", "https://", "x:y", ":", "file:///etc/passwd", "ftp://127.0.0.1/", "gopher://x/",
        "data:text/html,<p>x", "javascript:alert(1)", "mailto:me", f"{other}/x", f"//{elsewhere}/x",
        f"http:{elsewhere}/x", f"http:\\\\{elsewhere}\\x", f"\\\\{elsewhere}\\x", f"/\\{elsewhere}/x",
        f"{own}@{elsewhere}/x", f"http://user:pw@{elsewhere}/", f"http://u:p@127.0.0.1:{port}/x",
        f"{other}#@127.0.0.1:{port}/", f"{other}?@127.0.0.1:{port}/", f"{other}\\@127.0.0.1:{port}/",
        f"http://localhost:{port}/x", f"http://127.1:{port}/x", f"http://0:{port}/x",
        f"http://2130706433:{port}/x", f"http://0x7f000001:{port}/x", f"http://[::1]:{port}/x",
        f"http://[::ffff:127.0.0.1]:{port}/x", f"http://127.0.0.1.:{port}/x", f"https://127.0.0.1:{port}",
        "http://127.0.0.1:99999/", "http://127.0.0.1:-1/", "http://127.0.0.1:0/", "http://127.0.0.1:x/",
        "http://169.254.169.254/latest/meta-data/", "http://metadata.invalid/", "http://10.0.0.1/",
        "http://" + "a" * 300 + ".example/", "http://\u00fc.example/", "http://xn--a.example/",
        "http://a..b/", "/" + "../" * 100, "/%0d%0aX-Evil:%201", "/\x01\x7f", "\t/x", "/" + "x" * 60_000,
    ]  # fmt: skip
    answers: dict[str, Answer] = {
        f"to {i} {place[:24]!a}".replace("/", "|").replace("?", "!"): answer(
            "x", "text/html", f"Location: {place}", status="302 X"
        )
        for i, place in enumerate(places)
    }
    answers["to bytes"] = b"HTTP/1.1 302 X\r\nLocation: /\xff\xfe\x80\r\nContent-Length: 0\r\n\r\n"
    answers["to two places"] = answer(
        "x", "text/html", "Location: /a", f"Location: {other}/x", status="302 X"
    )
    answers["ping"] = answer("", "text/html", "Location: /pong/x", status="302 X")
    answers["pong"] = answer("", "text/html", "Location: /ping/x", status="302 X")
    return answers


def markup(other: str = "http://elsewhere.invalid") -> dict[str, str]:
    """Pages that are hard to parse, and pages with false content."""
    pages = {
        "open comments": "<!--" * 475_000,
        "padded comments": ("<!--" + PAD) * N,
        "padded declarations": ("<!" + PAD) * N,
        "padded instructions": ("<?" + PAD) * N,
        "padded cdata": ("<![CDATA[" + PAD) * N,
        "padded marked sections": ("<![" + PAD) * N,
        "padded open tags": ("<a" + PAD) * N,
        "padded open attributes": ("<a b='" + PAD) * N,
        "padded closing tags": ("</a " + PAD) * N,
        "padded script": "<script>" + ("</scrip" + PAD) * N,
        "padded title": "<title>" + ("</titl" + PAD) * N,
        "only brackets": "<" * 1_900_000,
        "many attributes": "<a " + " ".join(f"a{i}=1" for i in range(200_000)) + ">",
        "one attribute many times": "<a " + "b " * 900_000 + ">",
        "attributes everywhere": ("<p " + " ".join(f"a{i}" for i in range(30)) + ">") * N,
        "many classes": "<a class='" + "b " * 900_000 + "'>",
        "a long attribute": "<a href='" + "x" * 1_800_000 + "'>",
        "a long name": "<" + "x" * 1_800_000 + ">",
        "deep": "<div>" * N,
        "deep tables": "<table><tr><td>" * 6_000,
        "deep lists": "<ul><li>" * (N // 2),
        "formatting": "<a><b><i><p>" * (N // 4),
        "misnested": "<b><p></b>" * (N // 3),
        "closing only": "<div>" * 9000 + "</p>" * 9000,
        "siblings": "<p>x</p>" * (N // 2),
        "facts without values": "<i class='song-fact-container-title'></i>" * (N // 2),
        "cards": FORM + CARD * 1_500,
        "cards in cards": FORM + '<div class="search-song-details">' * (N - 10),
        "cards in cards with much": FORM
        + '<div class="search-song-details">' * 20
        + "<p>" * 18_000,
        "other cards in cards": FORM + '<div class="bg-card"><p>a<p>b' * 20 + "<i>" * 17_000,
        "ampersands": "&" * 1_900_000,
        "bad references": "&#x" * 600_000,
        "a long reference": "&#" + "9" * 1_800_000 + ";",
        "entities": "&amp;" * 380_000,
        "entities that grow": '<!DOCTYPE a [<!ENTITY a "aaa"><!ENTITY b "&a;&a;">]>&b;' * 3_000,
        "an entity of a file": '<!DOCTYPE a [<!ENTITY a SYSTEM "file:///etc/passwd">]>&a;',
        "nul": "\0" * 1_900_000,
        "emoji": "\U0001f600" * 400_000,
        "says it is XML": "<?xml version='1.0' encoding='utf-16'?><p>x</p>",
        "says another charset": "<meta charset=utf-16><p>x</p>",
        "looks like an address": "http://example.org/",
        "looks like a file": "page.html",
        "surrogates": "<p>\ud800</p>",
        "links elsewhere": f'<base href="{other}/">{FORM}'
        + CARD.replace('href="', f'href="{other}')
        + f'<meta http-equiv="refresh" content="0;url={other}/"><img src="{other}/x.png">'
        f'<iframe src="{other}/"></iframe><script src="{other}/x.js"></script>',
        "a title that commands": FORM + CARD.replace("Song", "\x1b[2J\x07\x9b31m\u202eSong"),
        "a title without end": FORM + CARD.replace("Song", "Song (" * 60_000),
        "artists without end": FORM + CARD.replace("Singer", "Singer & " * 60_000),
        "a title of dashes": FORM + CARD.replace("Song", "Song" + " - " * 200_000),
        "a title of accents": FORM + CARD.replace("Song", "a" + "\u0327\u0301" * 300_000),
        "a title of spaces": FORM + CARD.replace("Song", "Song" + "\u00a0" * 900_000 + "-"),
        "a title of digits": FORM + CARD.replace("Song", "1" * 1_000_000),
        "a title of brackets": FORM + CARD.replace("Song", "Song " + "(" * 400_000 + ")" * 400_000),
        "an artist of accents": FORM + CARD.replace("Singer", "a" + "\u0327\u0301" * 300_000),
        "a title of ligatures": FORM + CARD.replace("Song", "\ufdfa" * 500_000),
        "foreign content": "<svg><math><mtext><svg>" * 4_000,
        "plain text": "<plaintext>" + "<p>" * 9_000,
        "templates": "<template><select><option>" * 6_000,
        "frames": "<frameset><frame>" * 9_000,
        "a mark of another order": "\ufffe" + FORM + CARD,
        "a comment as all": "<!-->" * 9_000 + FORM,
        "a link upwards": FORM + CARD.replace("/track/", "/../../../private/track/"),
        "a link with a query": FORM + CARD.replace("3I3", f"3I3?next={other}"),
    }
    return pages


def answers(own: str, other: str) -> dict[str, Answer]:
    """All answers of a site at `own` that tries to lead clients to `other`."""
    pages = {name: _late(page) for name, page in markup(other).items()}
    return {
        **_statuses(), **_heads(), **_compressed(), **_slow(), **_redirects(own, other), **pages,
        **_oddities(other),
    }  # fmt: skip


def json_answers() -> dict[str, Answer]:
    """Answers of an interface for programs such as Deezer's."""
    song = {"id": 1, "title": "Song", "artist": {"name": "Singer"}, "duration": 200, "bpm": 120}
    texts = {
        "deep": "[" * 900_000, "deep objects": '{"a":' * 300_000, "a long number": "1" * 1_900_000,
        "a long float": "1." + "1" * 1_900_000, "infinity": '{"data": [Infinity, NaN, -Infinity]}',
        "nothing": "", "null": "null", "a string": '"x"', "cut off": '{"data": [{"id": 1',
        "many": json.dumps({"data": [song] * 15_000}), "keys": json.dumps({str(i): i for i in range(99_999)}),
        "surrogates": '{"data": [{"id": 1, "title": "\\ud800", "artist": {"name": "\\udfff"}}]}',
        "an error": '{"error": {"message": "\\u001b[2J' + "x" * 100_000 + '", "code": 4}}',
    }  # fmt: skip
    for name, value in (
        ("numbers for names", {"title": 1, "artist": {"name": 2}}), ("lists for names", {"title": []}),
        ("a tempo without end", {"bpm": 1e999}), ("a tempo as text", {"bpm": "124/62"}),
        ("a negative tempo", {"bpm": -120}), ("a tempo of objects", {"bpm": {"a": 1}}),
        ("a long id", {"id": "9" * 500_000}), ("an id that is a path", {"id": "../../x"}),
        ("true for an id", {"id": True}), ("a duration without end", {"duration": 1e999}),
        ("a duration as text", {"duration": "x" * 500_000}), ("contributors", {"contributors": [1, None]}),
        ("many contributors", {"contributors": [{"name": f"{i}"} for i in range(40_000)]}),
        ("an album that is none", {"album": "x"}), ("an artist that is none", {"artist": [song]}),
    ):  # fmt: skip
        texts[name] = json.dumps({"data": [{**song, **value}], **song, **value})
    return {f"json: {name}": answer(text, "application/json") for name, text in texts.items()}


ROBOTS: dict[str, Answer] = {
    "stars": answer("User-agent: *\nDisallow: /" + "*a" * 5_000 + "b", "text/plain"),
    "many stars": answer(
        "User-agent: *\n" + "Disallow: /*a*a*a*a*a*a*a*b\n" * 20_000, "text/plain"
    ),
    "many rules": answer("User-agent: *\n" + "Disallow: /x\n" * 140_000, "text/plain"),
    "many agents": answer("User-agent: a\n" * 130_000 + "Disallow: /", "text/plain"),
    "one long line": answer("User-agent: " + "x" * 1_900_000, "text/plain"),
    "binary": answer(bytes(range(256)) * 5_000, "text/plain"),
    "a delay of nothing": answer("User-agent: *\nCrawl-delay: -1\n", "text/plain"),
    "a delay without end": answer("User-agent: *\nCrawl-delay: inf\n", "text/plain"),
    "no delay at all": answer("User-agent: *\nCrawl-delay: nan\n", "text/plain"),
    "too long": answer("#" * 2_500_000, "text/plain"),
    "a page": answer(FORM * 1_000),
    "bomb": answer(gzip.compress(b"#" * 60_000_000), "text/plain", "Content-Encoding: gzip"),
    "drips": drip(b"HTTP/1.1 200 OK\r\n\r\n", b"#"),
}
