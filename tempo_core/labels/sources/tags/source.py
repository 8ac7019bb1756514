"""BPM and key from the tags of a file, which need neither a network nor matching.

Code that makes a `TrackQuery` must leave out values that this program wrote into the tags itself.
Otherwise an estimate would be confirmed by itself.
"""

from __future__ import annotations

from collections.abc import Iterator

from ...record import Candidate, TrackQuery


class Tags:
    """See `LabelSource`."""

    name = "tags"
    parser_version = 1

    def missing(self, track: TrackQuery) -> str:
        return "" if track.tag_bpm else "a BPM in its tags"

    def search(self, track: TrackQuery) -> Iterator[list[Candidate]]:
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
