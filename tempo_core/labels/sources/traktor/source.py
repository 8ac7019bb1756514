"""Labels from the collection of Traktor, see `tempo_core.labels.collections`."""

from __future__ import annotations

from ...collections import InCollection


class Traktor(InCollection):
    """See `LabelSource`."""

    name = "traktor"
    parser_version = 1
