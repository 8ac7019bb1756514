"""A file is only data: neither its name, its kind nor its content opens anything else."""

from __future__ import annotations

import os
import shutil
import socket
import struct
import subprocess
import sys
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tempo_core.audio import AudioFile, read_excerpts
from tempo_core.errors import AudioError
from tempo_core.labels.files import read_track
from tempo_core.opening import Music, open_container
from tempo_core.reading import NOT_REGULAR, RegularFile, regular_file
from tests.rows import mostly_slow

from ..conftest import MakeAudio

READERS: dict[str, Callable[[str | bytes | Path], object]] = {
    "decoder": lambda path: read_excerpts(path, 8000, [(0.5, 1.0)]),
    "tags": read_track,
    "bytes": lambda path: RegularFile(path).close(),  # type: ignore[arg-type]
    "name": regular_file,  # type: ignore[dict-item]
}


@pytest.fixture(params=READERS)
def read(request: pytest.FixtureRequest) -> Callable[[str | bytes | Path], object]:
    return READERS[request.param]


@pytest.fixture
def host() -> Iterator[tuple[int, list[object]]]:
    """A port of this machine, and who has connected to it."""
    visitors: list[object] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def listen() -> None:
            while True:
                try:
                    connection, address = server.accept()
                except OSError:
                    return
                visitors.append(address)
                connection.close()

        threading.Thread(target=listen, daemon=True).start()
        yield server.getsockname()[1], visitors


def _special(kind: str, folder: Path) -> Path:
    path = folder / "song.mp3"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(str(path))
    elif kind == "folder":
        path.mkdir()
    elif kind == "device":
        path.symlink_to("/dev/zero")
    elif kind == "terminal":
        path.symlink_to("/dev/tty")
    elif kind == "link to a pipe":
        os.mkfifo(folder / "pipe")
        path.symlink_to("pipe")
    return path


@pytest.mark.parametrize("kind", ["pipe", "socket", "folder", "device", "link to a pipe"])
def test_what_is_no_regular_file_is_refused_at_once(
    kind: str, read: Callable[..., object], tmp_path: Path
) -> None:
    path = _special(kind, tmp_path)
    begin = time.monotonic()
    with pytest.raises(AudioError, match=f"^{NOT_REGULAR}$"):
        read(path)
    assert time.monotonic() - begin < 1


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("gone.mp3", "^no such file$"),
        ("a\0b.mp3", "^no such file"),
        ("x" * 300 + ".mp3", "^cannot be opened"),
        ("empty.mp3", "^the file is empty"),
        ("empty.mp3/x.mp3", "^cannot be opened|^no such file"),
        ("loop.mp3", "^cannot be opened"),
    ],
)
def test_what_cannot_be_there(
    name: str, message: str, read: Callable[..., object], tmp_path: Path
) -> None:
    (tmp_path / "empty.mp3").touch()
    (tmp_path / "loop.mp3").symlink_to("loop.mp3")
    with pytest.raises(AudioError, match=message):
        read(os.path.join(tmp_path, name))  # noqa: PTH118


NAMES = (
    "Artist: Song.mp3", "data:audio.mp3", "subfile,,start,0,end,0,,:x.mp3", "concat:a|b.mp3",
    "-i.mp3", "file:x.mp3", "pipe:0.mp3", "x%03d.mp3", "tab\tname.mp3", "line\nname.mp3",
    b"not utf-8 \xff\xfe.mp3",
)  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_a_name(
    name: str | bytes,
    read: Callable[..., object],
    make_audio: MakeAudio,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path(os.fsdecode(name)).write_bytes(make_audio("a.mp3", duration=3).read_bytes())
    read(name)


def test_a_name_that_looks_like_an_address_is_not_called(
    make_audio: MakeAudio,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    host: tuple[int, list[object]],
) -> None:
    monkeypatch.chdir(tmp_path)
    port, visitors = host
    for scheme in ("http", "tcp", "rtmp", "gopher"):
        name = f"{scheme}:127.0.0.1:{port}.mp3"
        shutil.copy(make_audio("a.mp3", duration=3), name)
        (excerpt,) = read_excerpts(name, 8000, [(0.5, 1.0)])
        assert excerpt.audio.size == 8000
    time.sleep(0.1)
    assert not visitors


CONTENTS = {
    "concat": "ffconcat version 1.0\nfile {other}\n",
    "concat of itself": "ffconcat version 1.0\nfile list\nfile list\n",
    "hls": "#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\n{other}\n#EXT-X-ENDLIST\n",
    "hls elsewhere": "#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\nhttp://127.0.0.1:{port}/a.ts\n",
    "sdp": (
        "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=audio {port} RTP/AVP 0\n"
    ),
    "metadata": ";FFMETADATA1\ntitle=x\n",
    "subtitles": "1\n00:00:00,000 --> 00:00:05,000\nla la\n\n" * 20,
    "dash": (
        '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" '
        'mediaPresentationDuration="PT5S"><Period><AdaptationSet mimeType="audio/mp4">'
        '<Representation id="1" bandwidth="1"><BaseURL>{other}</BaseURL></Representation>'
        "</AdaptationSet></Period></MPD>"
    ),
}


@pytest.mark.parametrize("kind", CONTENTS)
@pytest.mark.parametrize("suffix", [".mp3", ".m4a", ".m3u8"])
def test_what_names_other_files_is_no_music(
    kind: str,
    suffix: str,
    make_audio: MakeAudio,
    tmp_path: Path,
    host: tuple[int, list[object]],
) -> None:
    port, visitors = host
    other = make_audio("other.mp3", duration=3)
    path = tmp_path / f"list{suffix}"
    path.write_text(CONTENTS[kind].format(other=other, port=port))
    begin = time.monotonic()
    with pytest.raises(AudioError, match=r"^cannot be opened as audio"):
        AudioFile(path)
    assert time.monotonic() - begin < 1
    assert not visitors


@pytest.mark.parametrize(
    "suffix", ["mp3", "flac", "ogg", "opus", "m4a", "wav", "aiff", "wma", "mka"]
)
def test_every_format_is_read(suffix: str, make_audio: MakeAudio) -> None:
    path = make_audio(f"a.{'flac' if suffix == 'mka' else suffix}", duration=3)
    if suffix == "mka":
        path = _remuxed(path)
    with Music(path) as file, open_container(file) as container:
        assert container.streams.audio
    (excerpt,) = read_excerpts(path, 8000, [(0.5, 1.0)])
    assert excerpt.audio.size == 8000


def _remuxed(path: Path) -> Path:
    import av

    target = path.with_suffix(".mka")
    with av.open(str(path)) as source, av.open(str(target), "w", format="matroska") as output:
        stream = output.add_stream_from_template(source.streams.audio[0])
        for packet in source.demux(source.streams.audio[0]):
            if packet.dts is not None:
                packet.stream = stream
                output.mux(packet)
    return target


def _syncsafe(n: int) -> bytes:
    return bytes([n >> 21 & 127, n >> 14 & 127, n >> 7 & 127, n & 127])


def _packed(megabytes: int) -> bytes:
    """Zeros, packed: a block that ends where the next can begin, many times, and the checksum."""
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
    block = deflate.compress(bytes(1 << 20)) + deflate.flush(zlib.Z_FULL_FLUSH)
    checksum = ((megabytes << 20) % 65521 << 16) + 1  # Adler-32
    return b"\x78\xda" + megabytes * block + deflate.flush() + struct.pack(">I", checksum)


PACKED = _packed(300)


def _tag(version: int, names: list[bytes], packed: bytes = PACKED, claimed: int = 1 << 27) -> bytes:
    frames = []
    for name in names:
        if version == 4:
            head = name + _syncsafe(len(packed) + 4) + bytes([0, 9]) + _syncsafe(claimed)
        else:
            head = name + struct.pack(">I", len(packed) + 4) + bytes([0, 0x80])
            head += struct.pack(">I", claimed)
        frames.append(head + packed)
    body = b"".join(frames)
    return b"ID3" + bytes([version, 0, 0]) + _syncsafe(len(body)) + body


def _chunked(kind: str, plain: bytes, tag: bytes) -> bytes:
    """A WAV or AIFF file with a tag before its sound."""
    tag += bytes(len(tag) % 2)
    form, name, sound = ("<I", b"id3 ", b"data") if kind == "wav" else (">I", b"ID3 ", b"SSND")
    at = plain.index(sound)
    whole = plain[:at] + name + struct.pack(form, len(tag)) + tag + plain[at:]
    return whole[:4] + struct.pack(form, len(whole) - 8) + whole[8:]


MEMORY = """
import resource, sys
from tempo_core.audio import read_excerpts
from tempo_core.labels.files import read_track
read_excerpts(sys.argv[1], 8000, [(0.5, 1.0)]); read_track(sys.argv[1])
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
track = read_track(sys.argv[2])
(excerpt,) = read_excerpts(sys.argv[2], 8000, [(0.5, 1.0)])
assert excerpt.audio.size == 8000
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before, track.duration, track.title)
"""


@mostly_slow(
    ("suffix", "tag"),
    [
        ("mp3", _tag(4, [b"TIT2", b"TPE1", b"TALB", b"TBPM", b"APIC", b"TXXX", b"GEOB"])),
        ("mp3", _tag(3, [b"TIT2"], zlib.compress(b"\0Song"), 0xFFFFFFFF)),
        ("mp3", _tag(3, [b"TIT2"]) * 3),
        ("aiff", _tag(3, [b"TIT2"])),
        pytest.param("mp3", _tag(4, [b"TIT2"]), marks=pytest.mark.slow),
        pytest.param("mp3", _tag(3, [b"TIT2"]), marks=pytest.mark.slow),
        pytest.param("flac", _tag(4, [b"TIT2"]), marks=pytest.mark.slow),
        pytest.param("wav", _tag(4, [b"TIT2"]), marks=pytest.mark.slow),
    ],
    quick=(1, 3),
)
def test_a_tag_that_inflates_costs_no_memory(
    suffix: str, tag: bytes, make_audio: MakeAudio, tmp_path: Path
) -> None:
    plain = make_audio(f"plain.{suffix}", duration=3)
    data, bomb = plain.read_bytes(), tmp_path / f"bomb.{suffix}"
    bomb.write_bytes(_chunked(suffix, data, tag) if suffix in ("wav", "aiff") else tag + data)
    run = subprocess.run(
        [sys.executable, "-c", MEMORY, str(plain), str(bomb)],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    growth, duration, *title = run.stdout.split()
    assert int(growth) < 30_000  # [kB]; the tag would be 300 MB and more
    assert float(duration) == pytest.approx(3, abs=0.2)
    assert title == (["Song"] if len(tag) < 100 else [])


def test_a_tag_that_claims_to_be_all_of_the_file(make_audio: MakeAudio, tmp_path: Path) -> None:
    path = tmp_path / "a.mp3"
    claimed = b"ID3\3\0\0" + _syncsafe((1 << 28) - 1)
    path.write_bytes(claimed + make_audio("b.mp3", duration=3).read_bytes())
    (excerpt,) = read_excerpts(path, 8000, [(0.5, 1.0)])
    assert excerpt.audio.size == 8000
    with pytest.raises(AudioError, match="its tags cannot be read"):
        read_track(path)


def test_what_looks_like_a_tag_in_the_music_changes_nothing_else(
    make_audio: MakeAudio, tmp_path: Path
) -> None:
    """It does not depend on the positions at which the decoder reads."""
    path = make_audio("a.wav", duration=3)
    data = bytearray(path.read_bytes())
    tag = b"ID3\4\0\0" + _syncsafe(20)
    places = range(60_000, len(data) - 20, 32768 - 5)
    for at in places:
        data[at : at + len(tag)] = tag
    path.write_bytes(data)
    with Music(path) as file, open_container(file) as container:
        heard = b"".join(bytes(packet) for packet in container.demux(audio=0))
    sound = bytes(data[data.index(b"data") + 8 :])
    assert len(heard) == len(sound)
    assert heard == sound.replace(b"ID3\4", b"\0\0\0\4")


def test_descriptors_are_given_back(make_audio: MakeAudio, bad_files: dict[str, Path]) -> None:
    good = make_audio("a.mp3", duration=3)
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208
    for _ in range(20):
        read_excerpts(good, 8000, [(0.5, 1.0)])
        read_track(good)
        with pytest.raises(AudioError):
            AudioFile(bad_files["text"])
    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208


@pytest.mark.slow
@pytest.mark.parametrize("suffix", ["flac", "mp3", "ogg"])
def test_nothing_after_the_music_costs_neither_memory_nor_time(
    suffix: str, make_audio: MakeAudio, tmp_path: Path
) -> None:
    """A terabyte of zeros after the music costs neither memory nor time."""
    path = make_audio(f"a.{suffix}", duration=8)
    os.truncate(path, 1 << 40)
    run = subprocess.run(
        [sys.executable, "-c", TAIL, str(path)], capture_output=True, text=True, timeout=60
    )
    n_samples, again, growth = map(int, run.stdout.split())
    assert n_samples == pytest.approx(8 * 8000, abs=800)
    assert again == 8000  # what comes before is read as if nothing had been
    assert growth < 250_000  # [kB]


TAIL = """
import resource, sys
from tempo_core.audio import AudioFile
with AudioFile(sys.argv[1]) as file:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    (whole,) = file.read(8000, [(0.0, 60.0)])
    (part,) = file.read(8000, [(2.0, 1.0)])
    growth = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    print(whole.audio.size, part.audio.size, growth)
"""
