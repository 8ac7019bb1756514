"""What a model has learned from, as it stands inside of the model itself.

Each recording is kept as short hashes of what it may be known by later: the file's path and
content, artist and title, and the MusicBrainz recording. So whether a track was learned from can be
told wherever the training set is by now, and the model names nobody's music.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tempo_core.labels.titles import normalise

from .tables import CollectedTrack

KEY = "learned_from"  # of a model's card
SIZE = 5  # [bytes] of a hash: among ten million no two tracks are likely to be alike


@dataclass(frozen=True)
class Memory:
    """Hashes of the recordings that a model has learned from."""

    hashes: frozenset[bytes]

    def __bool__(self) -> bool:
        return bool(self.hashes)

    def knows(
        self,
        path: Path,
        artist: str = "",
        title: str = "",
        recording_id: str = "",
        content: str = "",
    ) -> bool:
        """Whether a track was learned from, by any of what is known of it.

        Parameters
        ----------
        content
            SHA-256 of the file in hex, or the beginning of it, from 16 digits on.
        """
        return not self.hashes.isdisjoint(_hashes(path, artist, title, recording_id, content))


NOTHING = Memory(frozenset())


def remember(tracks: Iterable[CollectedTrack]) -> Memory:
    """The memory of a model that was trained or selected on these tracks."""
    return Memory(
        frozenset(
            value
            for t in tracks
            for value in _hashes(t.path, t.artist, t.title, t.recording_id, t.id)
        )
    )


def split_name(name: str) -> tuple[str, str]:
    """Artist and title of what `evaluation.labelled.named` made of them."""
    artist, _, title = name.partition(" - ")
    return artist, title


def pack(memory: Memory) -> str:
    """A memory as it stands in a card."""
    return base64.b64encode(b"".join(sorted(memory.hashes))).decode("ascii")


def of_card(card: Mapping[str, Any]) -> Memory | None:
    """The memory in a model's card, None where the model has none."""
    packed = card.get(KEY)
    if not isinstance(packed, str):
        return None
    try:
        data = base64.b64decode(packed, validate=True)
    except (binascii.Error, ValueError):
        return None
    return Memory(frozenset(data[k : k + SIZE] for k in range(0, len(data), SIZE)))


def _hashes(
    path: Path, artist: str, title: str, recording_id: str, content: str
) -> Iterable[bytes]:
    yield _hash("path", os.fsencode(path))
    if artist and title:
        yield _hash("name", f"{normalise(artist)}\n{normalise(title)}".encode())
    if recording_id:
        yield _hash("recording", recording_id.strip().lower().encode())
    if content:
        yield _hash("content", content[:16].encode())


def _hash(kind: str, value: bytes) -> bytes:
    return hashlib.sha256(kind.encode() + b"\0" + value).digest()[:SIZE]
