"""Answers that no server should give, and those that a server gives on a bad day."""

from __future__ import annotations

import gzip
import itertools
from collections.abc import Iterator
from dataclasses import replace

from .servers import Answer, Content, Exchange, asked_range

AUDIO = {"Content_Type": "audio/flac"}


def in_turn(*answers: Answer) -> Answer:
    """The first request of a path gets the first answer, and so on; all after that the last."""
    return lambda exchange: answers[min(exchange.asked.number, len(answers) - 1)](exchange)


def status(number: int, **headers: str) -> Answer:
    """An answer without content."""
    return lambda exchange: exchange.answer(number, f"status {number}".encode(), **headers)


def redirect(location: str, number: int = 302, **headers: str) -> Answer:
    """An answer that leads elsewhere."""
    return status(number, Location=location, **headers)


def delayed(seconds: float, answer: Answer) -> Answer:
    """An answer after a time in which nothing comes."""

    def wait(exchange: Exchange) -> None:
        exchange.wait(seconds)
        answer(exchange)

    return wait


def with_more_behind(answer: Answer, pause: float = 0.2) -> Answer:
    """An answer, and after a time [s] bytes that do not belong to it, on the same connection."""

    def send(exchange: Exchange) -> None:
        answer(exchange)
        exchange.wait(pause)
        exchange.wfile.write(b"more than there is")

    return send


def broken(exchange: Exchange) -> None:
    """No answer at all: the connection ends."""
    exchange.close_connection = True


def garbage(exchange: Exchange) -> None:
    """Bytes that are not HTTP."""
    exchange.wfile.write(b"\x00\xff\xfe\r\n\r\n" * 100)
    exchange.close_connection = True


def whole(data: bytes, etag: str = '"1"') -> Answer:
    """All of the content, whatever range was asked for."""
    return lambda exchange: exchange.answer(200, data, ETag=etag, **AUDIO)


def whole_without_length(data: bytes) -> Answer:
    """All of the content until the connection ends, whatever range was asked for."""
    return lambda exchange: exchange.answer(200, iter([data]), Connection="close", **AUDIO)


def chunked(data: bytes) -> Answer:
    """All of the content in chunks, whatever range was asked for."""

    def pieces() -> Iterator[bytes]:
        for start in range(0, len(data), 50_000):
            piece = data[start : start + 50_000]
            yield b"%x\r\n%s\r\n" % (len(piece), piece)
        yield b"0\r\n\r\n"

    return lambda exchange: exchange.answer(200, pieces(), Transfer_Encoding="chunked", **AUDIO)


def part(
    data: bytes,
    *,
    shift: int = 0,
    stated: str = "{first}-{last}/{length}",
    cut: int | None = None,
    etag: str | None = '"1"',
    length: str | None = "{n}",
) -> Answer:
    """The range that was asked for, with something wrong.

    Parameters
    ----------
    shift
        How far behind the range the content lies that is sent [bytes].
    stated
        Value of Content-Range behind its unit.
    cut
        Length of what is sent before the connection ends [bytes]; None for all.
    length
        Value of Content-Length if it is cut, with `{n}` for the right one; None for no such header.
    """

    def answer(exchange: Exchange) -> None:
        span = asked_range(exchange.asked.headers, len(data))
        if not span:
            Content(data, etag)(exchange)
            return
        found = data[span.start + shift : span.stop + shift]
        place = stated.format(first=span.start, last=span.stop - 1, length=len(data))
        heads = {"Content_Range": f"bytes {place}", "ETag": etag, **AUDIO}
        if cut is None:
            exchange.answer(206, found, **heads)
        else:
            n = None if length is None else length.format(n=len(found))
            promised = {"Content_Length": n, **heads}
            exchange.answer(206, iter([found[:cut]]), **promised)

    return answer


def longer(data: bytes) -> Answer:
    """The range that was asked for and as much again, with a length and a range to match."""

    def answer(exchange: Exchange) -> None:
        span = asked_range(exchange.asked.headers, len(data)) or range(len(data))
        end = min(len(data), span.stop + len(span))
        place = f"bytes {span.start}-{end - 1}/{len(data)}"
        exchange.answer(206, data[span.start : end], Content_Range=place, **AUDIO)

    return answer


def endless(number: int = 200, begin: bytes = b"", **headers: str) -> Answer:
    """A beginning, and then zeros without end."""
    zeros = itertools.repeat(bytes(1 << 16))
    return lambda exchange: exchange.answer(
        number, itertools.chain([begin], zeros), **AUDIO, **headers
    )


def dripping(data: bytes, pause: float) -> Answer:
    """The content with its length, a byte at a time with a pause [s] before each."""

    def pieces(exchange: Exchange) -> Iterator[bytes]:
        for value in data:
            exchange.wait(pause)
            yield bytes([value])

    return lambda exchange: exchange.answer(
        200, pieces(exchange), Content_Length=str(len(data)), **AUDIO
    )


def gzipped(data: bytes) -> Answer:
    """The range that was asked for, compressed, although that was not asked for."""

    def answer(exchange: Exchange) -> None:
        span = asked_range(exchange.asked.headers, len(data)) or range(len(data))
        place = f"bytes {span.start}-{span.stop - 1}/{len(data)}"
        body = gzip.compress(data[span.start : span.stop], 1)
        exchange.answer(206, body, Content_Range=place, Content_Encoding="gzip", **AUDIO)

    return answer


def changed(content: Content, after: int, **changes: str | bytes | None) -> Answer:
    """Content that is replaced after some requests."""
    other = replace(content, **changes)  # type: ignore[arg-type]
    return in_turn(*[content] * after, other)
