"""The HTML that all reports of this package are made of: one style, tables, everything escaped.

A report is complete in itself: nothing is loaded from anywhere, and no script runs.
"""

from __future__ import annotations

import html
import re
from collections.abc import Collection, Iterable, Sequence

STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #222; margin: 2rem auto; max-width: 72rem;
       padding: 0 1rem; background: #fff; }
table { border-collapse: collapse; margin: 1rem 0; }
th, td { border-bottom: 1px solid #ddd; padding: .3rem .7rem; text-align: left;
         vertical-align: top; overflow-wrap: break-word; }
th { border-bottom: 2px solid #999; }
td.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
svg, img { max-width: 100%; height: auto; }
.note { color: #555; }
"""
POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"


# What HTML must not have in it, not even as a reference, and signs that turn the text around it.
_NO_TEXT = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff\u202a-\u202e\u2066-\u2069]"
)


def escape(text: str) -> str:
    r"""Text as HTML, with `\x1b` and the like for what is no text: names come from strangers.

    A byte of a file name that is not UTF-8 is `\xff`.
    """

    def code(match: re.Match[str]) -> str:
        number = ord(match[0])
        number -= 0xDC00 if 0xDC80 <= number <= 0xDCFF else 0
        return f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}"

    return html.escape(_NO_TEXT.sub(code, text))


class Markup(str):
    """Text that is HTML already, made here and not by whoever wrote a title."""


def page(title: str, parts: Iterable[str], style: str = "") -> str:
    """A whole document from its parts, which are HTML."""
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        f"<title>{escape(title)}</title><style>{STYLE}{style}</style></head><body>"
        + "\n".join(parts)
        + "</body></html>\n"
    )


def table(head: Sequence[str], rows: Iterable[Sequence[str]], numbers: Collection[int] = ()) -> str:
    """A table; what is not `Markup` is escaped, the columns in `numbers` are aligned as such."""

    def cell(column: int, value: str) -> str:
        text = value if isinstance(value, Markup) else escape(value)
        return f'<td class="number">{text}</td>' if column in numbers else f"<td>{text}</td>"

    top = "".join(f"<th>{escape(name)}</th>" for name in head)
    body = "".join(
        "<tr>" + "".join(cell(column, value) for column, value in enumerate(row)) + "</tr>\n"
        for row in rows
    )
    return f"<table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>"
