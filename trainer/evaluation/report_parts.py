"""Pieces of HTML that all parts of an evaluation's report are made of."""

from __future__ import annotations

import base64
import html
from pathlib import Path

from tempo_core.addresses import as_text, without_query
from tempo_core.markup import Markup

MOST_ROWS = 100  # greatest number of rows in a list; the rest is only counted


def more(count: int, table: str) -> str:
    """How many of `count` rows a list leaves out, and the file that has them; empty if none."""
    return f'<p class="note">{count - MOST_ROWS} more in {table}.</p>' if count > MOST_ROWS else ""


def path_cell(path: Path) -> Markup:
    """A path in a table, which may be broken anywhere."""
    return Markup(f'<span class="path">{html.escape(without_query(as_text(path)))}</span>')


def scroll(text: str) -> str:
    """HTML that is scrolled sideways where it is too wide."""
    return f'<div class="scroll">{text}</div>'


def figure(data: bytes, caption: str) -> str:
    """A plot (PNG) with its caption."""
    source = base64.b64encode(data).decode()
    told = html.escape(caption)
    return (
        f'<figure><img alt="{told}" src="data:image/png;base64,{source}">'
        f"<figcaption>{told}</figcaption></figure>"
    )
