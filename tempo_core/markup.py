"""HTML for reports: a page with a common style, tables, and everything escaped.

A page is complete in itself: it loads nothing from elsewhere and runs no script.
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


# Characters that HTML may not contain, not even as references, and those that reverse the text.
_NO_TEXT = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff\u202a-\u202e\u2066-\u2069]"
)


def escape(text: str) -> str:
    r"""Text as HTML; characters that are not allowed there become escapes such as `\x1b`.

    A byte of a file name that is not UTF-8 becomes `\xff`.
    """

    def code(match: re.Match[str]) -> str:
        number = ord(match[0])
        number -= 0xDC00 if 0xDC80 <= number <= 0xDCFF else 0
        return f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}"

    return html.escape(_NO_TEXT.sub(code, text))


class Markup(str):
    """Text that is HTML already and is not escaped again; never made from names or tags."""


def page(title: str, parts: Iterable[str], style: str = "") -> str:
    """A whole HTML document from its parts, which are HTML; `style` is further CSS."""
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        f"<title>{escape(title)}</title><style>{STYLE}{style}</style></head><body>"
        + "\n".join(parts)
        + "</body></html>\n"
    )


def table(head: Sequence[str], rows: Iterable[Sequence[str]], numbers: Collection[int] = ()) -> str:
    """An HTML table. Cells that are not `Markup` are escaped.

    `numbers` are the indices of columns with numbers, which are aligned to the right.
    """

    def cell(column: int, value: str) -> str:
        text = value if isinstance(value, Markup) else escape(value)
        return f'<td class="number">{text}</td>' if column in numbers else f"<td>{text}</td>"

    top = "".join(f"<th>{escape(name)}</th>" for name in head)
    body = "".join(
        "<tr>" + "".join(cell(column, value) for column, value in enumerate(row)) + "</tr>\n"
        for row in rows
    )
    return f"<table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>"
