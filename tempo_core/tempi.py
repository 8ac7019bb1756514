"""Range of tempi, and the marker that tells this program's own tempi in files from other ones.

A number outside of the range (-90, 0, 12398) counts as no tempo, wherever it is read.

A tempo tag does not say who wrote it. So beside a tempo of its own this program writes a second
tag, the marker: precise tempo and origin, `127.98 model:tempo-20261121@78dc24a4`. If the tempo in
the file is that of the marker rounded, it comes from the program; if it differs, a person or
another program has changed it since.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

SLOWEST_TEMPO, FASTEST_TEMPO = 20.0, 400.0  # [BPM]
MARKER_TAG = "BEETS_TEMPO"  # name of the marker's tag in all formats
_MARKER = re.compile(r"(\d{1,3}(?:\.\d+)?) ((?:model|label):\S.*)")


def is_tempo(bpm: float | None) -> bool:
    """Whether a number [BPM] is a tempo; False for NaN and None."""
    return bpm is not None and SLOWEST_TEMPO <= bpm <= FASTEST_TEMPO


def round_half_up(tempo: float) -> int:
    """Tempo rounded to a whole number for a tag: 127.5 to 128 and 128.5 to 129.

    beets itself would round halves to even, mediafile would cut them off.
    """
    return math.floor(tempo + 0.5)


@dataclass(frozen=True)
class Marker:
    """Content of a marker: the precise tempo [BPM], and its origin as in `tempo_source`."""

    bpm: float
    source: str

    def __str__(self) -> str:
        short = f"{self.bpm:.2f}"
        # 64.496 is 64 in the tag, but would be 65 as 64.50: then all digits are kept.
        exact = round_half_up(float(short)) == round_half_up(self.bpm)
        return f"{short if exact else self.bpm} {self.source}"

    def is_of(self, bpm: float | None) -> bool:
        """Whether a tempo in a tag is the one that was written together with this marker."""
        return bpm is not None and bpm == round_half_up(self.bpm)


def parse_marker(text: object) -> Marker | None:
    """Marker from its text, the inverse of `str`; None if the text is no marker."""
    match = _MARKER.fullmatch(text.strip()) if isinstance(text, str) else None
    marker = Marker(float(match[1]), match[2]) if match else None
    return marker if marker and is_tempo(marker.bpm) else None
