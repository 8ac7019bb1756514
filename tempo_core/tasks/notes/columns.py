"""The notes of a track are no columns of a table; they have a command and files of their own."""

from __future__ import annotations

from ...columns import Column

COLUMNS: tuple[Column, ...] = ()
