"""What can be chosen about an export.

This module imports nothing large, so that commands can name the choices before there is work.
"""

from __future__ import annotations

REKORDBOX, TRAKTOR, MIXXX, M3U8, CSV = "rekordbox", "traktor", "mixxx", "m3u8", "csv"
FORMATS = (REKORDBOX, TRAKTOR, MIXXX, M3U8, CSV)
