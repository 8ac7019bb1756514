"""Output for people and programs, escaped so that no name or tag can control a terminal.

Names and tags are written by strangers. They are printed as a single line without control
characters, in characters that the encoding of the output has. In tables the escapes can be undone,
see `unescaped`.
"""

from __future__ import annotations

import math
import os
import re
import sys
import unicodedata
from contextlib import suppress
from typing import Any, TextIO

import click

from .background import TIME_LIMIT
from .errors import TempoError

# Unicode categories that are escaped: control characters, surrogates (bytes of a name that are not
# valid text), line and paragraph separators.
_COMMANDS = frozenset(["Cc", "Cs", "Zl", "Zp"])
_TURNING = frozenset("\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_SHORT = {"\t": "\\t", "\n": "\\n", "\r": "\\r"}
_ESCAPE = re.compile(r"\\(?:([\\tnr])|x([0-9a-f]{2})|u([0-9a-f]{4})|U([0-9a-f]{8}))")


class FiniteRange(click.FloatRange):
    """A number within limits. `nan`, which is within all of them to click, and `inf` are none."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """See `click.FloatRange`."""
        number = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value!r} is not a finite number.", param, ctx)
        return number


time_limit_option = click.option(
    "--time-limit",
    type=FiniteRange(min=0, min_open=True),
    default=TIME_LIMIT,
    show_default=True,
    metavar="SECONDS",
    help="Give up a file that takes longer.",
)


def shown(text: str | bytes | os.PathLike[str], encoding: str = "utf-8") -> str:
    r"""Name, tag or message as one line for people.

    Characters that could control a terminal are written as in Python: `\n`, `\x1b`, `\u202e`. So
    are bytes of a name that are not valid text (`\xff`), and characters that `encoding` lacks.
    """
    text = os.fsdecode(text)
    if text.isascii() and text.isprintable():
        return text
    return "".join(c if _is_plain(c, encoding) else _escape(c) for c in text)


def printable(text: str, encoding: str = "utf-8") -> str:
    """Text of several lines and columns for people: as `shown`, but line ends and tabs stay."""
    return "".join(
        part if part in ("\n", "\t") else shown(part, encoding)
        for part in re.split(r"([\n\t])", text)
    )


def escaped(text: str, encoding: str = "utf-8") -> str:
    r"""Text for a cell of a table: as `shown`, with backslashes doubled so that it can be undone.

    On Windows a backslash stays single: it separates folders, and names there cannot have
    characters that need escaping.
    """
    return shown(text if os.sep == "\\" else text.replace("\\", "\\\\"), encoding)


def unescaped(text: str) -> str:
    """Inverse of `escaped`: the original text."""

    def original(match: re.Match[str]) -> str:
        short, byte, *codes = match.groups()
        if short:
            return {"t": "\t", "n": "\n", "r": "\r"}.get(short, short)
        if byte:
            return os.fsdecode(bytes([int(byte, 16)]))
        return chr(int(codes[0] or codes[1], 16))

    return text if os.sep == "\\" else _ESCAPE.sub(original, text)


def explain(error: BaseException) -> str:
    """Message of an error in one line; with the name of its class if it is not ours."""
    if isinstance(error, TempoError):
        return shown(str(error))
    told = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    return shown(" ".join(told.split()))


def counted(number: int, noun: str) -> str:
    """Number and noun, with an s for the plural: `1 track`, `2 tracks`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def echo(text: str, err: bool = False) -> None:
    """Print one escaped line to stdout, or to stderr if `err`."""
    click.echo(shown(text, encoding_of(sys.stderr if err else sys.stdout)), err=err)


def give_up_stdout() -> None:
    """Discard output that cannot be printed any more: the interpreter would fail on it at exit."""
    if sys.stdout is None:
        return
    try:
        sys.stdout.flush()
    except (OSError, ValueError):
        with suppress(OSError, ValueError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, sys.stdout.fileno())
            os.close(nowhere)


def encoding_of(stream: TextIO | None) -> str:
    """Encoding of a stream; UTF-8 if it has none."""
    return getattr(stream, "encoding", None) or "utf-8"


def _is_plain(character: str, encoding: str) -> bool:
    if unicodedata.category(character) in _COMMANDS or character in _TURNING:
        return False
    try:
        character.encode(encoding)
    except UnicodeEncodeError:
        return False
    return True


def _escape(character: str) -> str:
    code = ord(character)
    if character in _SHORT:
        return _SHORT[character]
    if 0xDC80 <= code <= 0xDCFF:
        return f"\\x{code - 0xDC00:02x}"
    return (
        f"\\x{code:02x}"
        if code < 0x80
        else f"\\u{code:04x}"
        if code < 0x10000
        else f"\\U{code:08x}"
    )
