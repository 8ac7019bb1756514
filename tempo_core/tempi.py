"""What may be a tempo, and the mark beside a tempo that this program put into a file itself.

A number of another size (-90, 0, 12398) stands for no tempo, wherever it is read.

A tag says 128 whoever wrote it. Beside a tempo of its own this program writes a second tag, the
precise tempo and who says so: `127.98 model:tempo-20261121@78dc24a4`. As long as the tempo in the
file is that number rounded, it is nobody's word but the program's; one that differs was put there
by somebody else since.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

SLOWEST_TEMPO, FASTEST_TEMPO = 20.0, 400.0  # [BPM]
MARKER_TAG = "BEETS_TEMPO"  # name of the second tag in all formats
_MARKER = re.compile(r"(\d{1,3}(?:\.\d+)?) ((?:model|label):\S.*)")


def is_tempo(bpm: float | None) -> bool:
    """Whether a number [BPM] is a tempo; also False for NaN and for none at all."""
    return bpm is not None and SLOWEST_TEMPO <= bpm <= FASTEST_TEMPO


def round_half_up(tempo: float) -> int:
    """The whole number for a tag: 127.5 is 128 and 128.5 is 129.

    beets' own conversion rounds halves to even, mediafile's cuts them off.
    """
    return math.floor(tempo + 0.5)


@dataclass(frozen=True)
class Marker:
    """What the second tag says: the precise tempo [BPM], and `source` as in `tempo_source`."""

    bpm: float
    source: str

    def __str__(self) -> str:
        short = f"{self.bpm:.2f}"
        # 64.496 is 64, but 64.50 would be 65.
        exact = round_half_up(float(short)) == round_half_up(self.bpm)
        return f"{short if exact else self.bpm} {self.source}"

    def is_of(self, bpm: float | None) -> bool:
        """Whether a tempo in a tag is the one that was written together with this."""
        return bpm is not None and bpm == round_half_up(self.bpm)


def parse_marker(text: object) -> Marker | None:
    """The inverse of `str(Marker(…))`; None for what is no marker."""
    match = _MARKER.fullmatch(text.strip()) if isinstance(text, str) else None
    marker = Marker(float(match[1]), match[2]) if match else None
    return marker if marker and is_tempo(marker.bpm) else None
