"""What somebody wrote into the tags: no network, and no question which recording it is about.

Whoever makes the `Track` leaves out values that this program wrote itself, or an estimate would
come back as its own witness.
"""

from __future__ import annotations

from collections.abc import Iterator

from ...record import Candidate, Track


class Tags:
    """See `LabelSource`."""

    name = "tags"
    parser_version = 1

    def missing(self, track: Track) -> str:
        return "" if track.tag_bpm else "a BPM in its tags"

    def search(self, track: Track) -> Iterator[list[Candidate]]:
        yield [
            Candidate(
                source_id="",
                url="",
                title=track.title,
                artists=track.artists,
                album=track.album,
                duration=track.duration,
                isrc=track.isrc,
                raw_bpm=track.tag_bpm,
                raw_key=track.tag_key,
                complete=True,
                certain=True,
            )
        ]

    def label(self, candidate: Candidate) -> Candidate:
        return candidate
