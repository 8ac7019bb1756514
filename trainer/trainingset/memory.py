"""The recordings that a model has learned from, as they are stored in the model itself.

Each recording is stored as short hashes of whatever may identify it later: the file's path, its
content, artist and title, and the MusicBrainz recording. So a model can tell whether it has learned
from a track even if the training set is gone, and yet contains no names of anybody's music.
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

CARD_KEY = "learned_from"  # name of the entry in a model's card
# Length of a hash. A hash of a track that was not learned from is among a million others by chance
# about once in a million cases.
HASH_BYTES = 5


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
        """Whether a track was learned from: whether anything that is known of it is remembered.

        Parameters
        ----------
        content
            SHA-256 of the file in hex, or at least its first 16 digits.
        """
        return not self.hashes.isdisjoint(_hashes(path, artist, title, recording_id, content))


NO_MEMORY = Memory(frozenset())


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
    """Artist and title in a name of the form that `evaluation.labelled.named` makes."""
    artist, _, title = name.partition(" - ")
    return artist, title


def pack(memory: Memory) -> str:
    """A memory as text (base64) for a model's card."""
    return base64.b64encode(b"".join(sorted(memory.hashes))).decode("ascii")


def of_card(card: Mapping[str, Any]) -> Memory | None:
    """The memory in a model's card, None if the card has no valid one."""
    packed = card.get(CARD_KEY)
    if not isinstance(packed, str):
        return None
    try:
        data = base64.b64decode(packed, validate=True)
    except (binascii.Error, ValueError):
        return None
    return Memory(frozenset(data[k : k + HASH_BYTES] for k in range(0, len(data), HASH_BYTES)))


def _hashes(
    path: Path, artist: str, title: str, recording_id: str, content: str
) -> Iterable[bytes]:
    """Hashes of everything that is known of a recording; empty texts are unknown."""
    yield _hash("path", os.fsencode(path))
    if artist and title:
        yield _hash("name", f"{normalise(artist)}\n{normalise(title)}".encode())
    if recording_id:
        yield _hash("recording", recording_id.strip().lower().encode())
    if content:
        yield _hash("content", content[:16].encode())


def _hash(kind: str, value: bytes) -> bytes:
    """Hash (`HASH_BYTES` bytes) of one kind of identity of a recording."""
    return hashlib.sha256(kind.encode() + b"\0" + value).digest()[:HASH_BYTES]
