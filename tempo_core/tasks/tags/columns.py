"""What the tags task shows."""

from __future__ import annotations

from ...columns import Column
from ...sound_tags import format_tags, plain_tags

COLUMNS = (Column("sound_tags", str, "sound_tags", plain=plain_tags, text=format_tags),)
