"""Tests of splices, of the structure of tags, and of comparing audio packets."""

from __future__ import annotations

import contextlib
import io
import itertools
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tempo_core.errors import AudioError, LayoutError
from tempo_core.packets import same_packets
from tempo_core.tagging import id3, mp4, places
from tempo_core.tagging.splices import Splice, intact_from, same_outside, write_spliced

from ..audio import click_track, write_audio
from ..containers import base, encoded, frame, in_container, tag, with_items


def spliced(data: bytes, *splices: Splice) -> bytes:
    target = io.BytesIO()
    write_spliced(io.BytesIO(data), target, splices)
    return target.getvalue()


def test_what_no_splice_names_is_copied() -> None:
    edits = (Splice(1, 3, b"XYZ"), Splice(5, 5, b"+"), Splice(8, 10, b""))
    assert spliced(b"0123456789", *edits) == b"0XYZ34+567"
    assert spliced(b"0123456789") == b"0123456789"


@given(st.binary(max_size=60), st.data())
def test_a_change_outside_the_splices_is_found(data: bytes, draw: st.DataObject) -> None:
    cuts = sorted(draw.draw(st.lists(st.integers(0, len(data)), min_size=4, max_size=4)))
    edits = [Splice(cuts[0], cuts[1], b"new"), Splice(cuts[2], cuts[3], b"")]
    target = bytearray(spliced(data, *edits))
    assert same_outside(io.BytesIO(data), io.BytesIO(target), edits)
    assert not same_outside(io.BytesIO(data), io.BytesIO(target + b"!"), edits)
    where = draw.draw(st.integers(0, len(target) - 1))
    target[where] ^= 1
    inside = cuts[0] <= where < cuts[0] + 3
    assert same_outside(io.BytesIO(data), io.BytesIO(target), edits) == inside


@given(st.binary(max_size=40), st.binary(max_size=40), st.binary(max_size=40))
def test_the_common_end_of_two_files(one: bytes, other: bytes, end: bytes) -> None:
    start = intact_from(io.BytesIO(one + end), io.BytesIO(other + end))
    assert start <= len(one)
    assert (other + end).endswith((one + end)[start:])


def test_a_file_that_shrinks_meanwhile_is_an_error() -> None:
    class Shrinking(io.BytesIO):
        def read(self, _size: int | None = -1) -> bytes:
            return b""

    with pytest.raises(LayoutError):
        write_spliced(Shrinking(b"abc"), io.BytesIO(), [])


@example(b"\xff\xe0\xff\xff\0")
@given(st.binary(max_size=200))
def test_unsynchronisation_hides_what_looks_like_audio(data: bytes) -> None:
    hidden = id3.unsynchronise(data)
    assert id3.resynchronise(hidden) == data
    assert not any(a == 0xFF and b >= 0xE0 for a, b in itertools.pairwise(hidden))


@given(st.integers(0, id3.MAX_TAG_SIZE))
def test_synchsafe_numbers(number: int) -> None:
    assert id3.from_synchsafe(id3.synchsafe(number)) == number
    assert max(id3.synchsafe(number)) < 128


BODIES = st.lists(st.binary(min_size=1, max_size=300), max_size=6)


@given(st.sampled_from((2, 3, 4)), BODIES, st.integers(0, 300), st.booleans(), st.data())
def test_frames_of_any_content_stay(
    version: int, bodies: list[bytes], padding: int, unsynchronised: bool, draw: st.DataObject
) -> None:
    name = b"PRV" if version == 2 else b"PRIV"
    body = b"".join(frame(version, name, content) for content in bodies)
    flags = 0
    if unsynchronised and version < 4:
        body, flags = id3.unsynchronise(body), 0x80
    whole = tag(version, body, flags, padding)
    parsed = id3.parse(whole)
    assert parsed.to_bytes() == whole
    raws = [one.raw for one in parsed.frames]
    assert len(raws) == len(bodies)
    dropped = [one for one in parsed.frames if draw.draw(st.booleans())]
    new = id3.Id3Frame(b"", frame(version, name, draw.draw(st.binary(min_size=1, max_size=200))))
    if version == 4:
        new = id3.Id3Frame(b"PRIV", new.raw)
    changed = parsed.replaced(dropped, [new])
    again = id3.parse(changed.to_bytes())
    # Of an unsynchronised frame that ends in 0xFF a zero of the padding behind it may be taken for
    # a part, which means the same.
    plain = id3.resynchronise if flags else bytes
    kept = [plain(one.raw) for one in parsed.frames if not any(one is gone for gone in dropped)]
    now = [plain(one.raw) for one in again.frames]
    expected = new.raw
    at = next(i for i in range(len(now)) if now[:i] + now[i + 1 :] == kept and now[i] == expected)
    assert at <= len(kept)
    assert again.size == parsed.size or again.size > parsed.size


@given(st.binary(max_size=300))
def test_any_bytes_are_a_tag_or_refused(content: bytes) -> None:
    for version in (2, 3, 4):
        for flags in (0, 0x40, 0x80):
            whole = tag(version, content, flags)
            with contextlib.suppress(LayoutError):
                assert id3.parse(whole).to_bytes() == whole


@given(st.binary(max_size=400), st.sampled_from(("mp3", "wav", "aiff", "dsf")))
def test_any_bytes_are_a_file_or_refused(content: bytes, kind: str) -> None:
    heads = {"mp3": b"ID3\3\0\0", "wav": b"RIFF", "aiff": b"FORM", "dsf": b"DSD "}
    for data in (content, heads[kind] + content):
        try:
            places.find(io.BytesIO(data), kind)
            mp4.read(io.BytesIO(data))
        except LayoutError:
            pass


@pytest.mark.parametrize("version", [3, 4])
def test_a_new_frame_has_its_size_as_the_others(version: int) -> None:
    """Some programs write the sizes of frames as the other version does."""
    body = b"\0" + b"x" * 300
    sizes = (id3.synchsafe(301), (301).to_bytes(4, "big"))
    old, usual = sizes if version == 3 else sizes[::-1]
    before = id3.parse(tag(version, b"TIT2" + old + b"\0\0" + body))
    assert before.foreign_sizes
    new = id3.Id3Frame(b"TPE1", b"TPE1" + usual + b"\0\0" + body)
    after = id3.parse(before.replaced([], [new]).to_bytes())
    assert [frame.raw for frame in after.frames] == [
        name + old + b"\0\0" + body for name in (b"TIT2", b"TPE1")
    ]


def test_padding_is_used_before_a_file_grows() -> None:
    one = frame(4, b"TBPM", b"\3" + b"1" * 40)
    small = id3.parse(tag(4, frame(4, b"TIT2", b"\3a"), padding=60))
    assert small.replaced([], [id3.Id3Frame(b"TBPM", one)]).size == small.size
    full = id3.parse(tag(4, frame(4, b"TIT2", b"\3a"), padding=30))
    grown = full.replaced([], [id3.Id3Frame(b"TBPM", one)])
    assert grown.padding == id3.GROWTH_PADDING
    assert grown.replaced([], [id3.Id3Frame(b"TBPM", one)]).size == grown.size


def test_the_position_of_other_boxes_is_kept_where_there_is_room(tmp_path: Path) -> None:
    data = with_items(base("m4a"), b"", free=200)
    movie = mp4.read(io.BytesIO(data))
    edits = mp4.replaced(io.BytesIO(data), movie, (), [mp4.number_item("tmpo", [128])])
    new = spliced(data, *edits)
    assert len(new) == len(data)
    assert [item.key for item in mp4.read(io.BytesIO(new)).items] == ["tmpo"]


@pytest.fixture
def music(tmp_path: Path) -> Path:
    return write_audio(tmp_path / "a.flac", click_track(120, 5, 44100), 44100)


def test_other_sound_is_not_the_same(music: Path) -> None:
    other = write_audio(music.with_name("b.flac"), click_track(121, 5, 44100), 44100)
    slower = write_audio(music.with_name("c.flac"), click_track(120, 5, 44100), 48000)
    cut = music.with_name("d.flac")
    cut.write_bytes(music.read_bytes()[:-2000])
    text = music.with_name("e.flac")
    text.write_text("no music")
    assert same_packets(music, music)
    assert same_packets(music, music, [])
    for path in (other, slower, cut, text):
        assert not same_packets(music, path)


def test_there_must_be_sound_to_compare(tmp_path: Path) -> None:
    text = tmp_path / "a.mp3"
    text.write_text("no music")
    with pytest.raises(AudioError):
        same_packets(text, text)


def test_a_tag_that_is_read_as_music_is_found(tmp_path: Path) -> None:
    """A tag that the sizes of a file count as audio makes its packets count as changed."""
    one, other = tmp_path / "a.wav", tmp_path / "b.wav"
    data = bytearray(base("wav"))
    data[40:44] = b"\xff\xff\xff\x7f"
    one.write_bytes(data)
    other.write_bytes(data + b"id3 \x04\0\0\0abcd")
    assert not same_packets(one, other)
    assert not same_packets(one, other, [Splice(len(data), len(data), b"id3 \x04\0\0\0abcd")])


def test_fragments_that_are_not_found_any_more(tmp_path: Path) -> None:
    """Packets of a fragmented file that was moved without its positions count as changed."""
    options = {"movflags": "+frag_keyframe+empty_moov", "frag_duration": "2000000"}
    one, other = tmp_path / "a.m4a", tmp_path / "b.m4a"
    encoded("mp4", "aac", options)(one)
    data = one.read_bytes()
    at = data.index(b"moof") - 4
    other.write_bytes(data[:at] + b"\0\0\0\x10free" + bytes(8) + data[at:])
    assert not same_packets(one, other)


def test_a_chunk_is_found_wherever_it_is() -> None:
    content = tag(3, frame(3, b"TIT2", b"\0T"))
    for kind in ("mp3", "wav", "aiff", "dsf"):
        data = in_container(kind, content)
        place = places.find(io.BytesIO(data), kind)
        assert place.tag is not None
        assert place.tag.to_bytes() == content
        assert spliced(data, *place.put(content)) == data
