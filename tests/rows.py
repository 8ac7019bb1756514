"""Rows of which a few are tried by default and all of them with `-m slow`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import pytest


def mostly_slow(
    names: str | Sequence[str],
    rows: Iterable[Any],
    *,
    quick: int | Sequence[int] = 1,
    **options: Any,
) -> pytest.MarkDecorator:
    """`pytest.mark.parametrize` for rows that take the same path.

    Parameters
    ----------
    names
        Names of the parameters.
    rows
        Their values, as for `pytest.mark.parametrize`.
    quick
        Indices of the rows that run by default, or how many of the first ones do. The others are
        marked `slow`.
    options
        What else `pytest.mark.parametrize` takes.
    """
    rows = list(rows)
    kept = range(quick) if isinstance(quick, int) else quick
    assert kept
    assert all(k in range(len(rows)) for k in kept)
    several = not isinstance(names, str) or "," in names
    marked = []
    for k, row in enumerate(rows):
        if k in kept:
            marked.append(row)
        elif isinstance(row, type(pytest.param())):
            marked.append(
                pytest.param(*row.values, id=row.id, marks=[*row.marks, pytest.mark.slow])
            )
        else:
            values = row if several else (row,)
            marked.append(pytest.param(*values, marks=pytest.mark.slow))
    return pytest.mark.parametrize(names, marked, **options)
