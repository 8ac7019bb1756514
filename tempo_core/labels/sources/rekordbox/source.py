"""Labels from the collection of rekordbox, see `tempo_core.labels.collections`."""

from __future__ import annotations

from ...collections import InCollection


class Rekordbox(InCollection):
    """See `LabelSource`."""

    name = "rekordbox"
    parser_version = 1
