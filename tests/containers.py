"""Audio files of every container, with unusual and damaged tags and structures.

Each `Case` makes one file, with tags as unusual as in real collections. Its attribute `written`
says whether a tag can be written to it without harm or must be refused. ID3 tags are built here
byte by byte, independently of the code that reads them.
"""

from __future__ import annotations

import base64
import struct
import tempfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

import av
import numpy as np
from mutagen import apev2, asf, flac, ogg, oggvorbis
from numpy.typing import NDArray

from .audio import click_track, write_audio, write_encoded

SR = 44100  # [Hz]
PICTURE = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNk+A8AAQUBAScY42YAAAAASUVORK5CYII="
)


@dataclass(frozen=True)
class Case:
    """An audio file to write a tag to.

    Attributes
    ----------
    name
        Description; its first word is the extension.
    make
        Function that writes the file.
    written
        Whether a tag can be written to it; otherwise it must be refused.
    tag
        Its ID3v2 tag if that is checked byte by byte, else None.
    """

    name: str
    make: Callable[[Path], object]
    written: bool = True
    tag: bytes | None = None

    def write(self, folder: Path) -> Path:
        """Write the file into a folder; its path."""
        kind, *words = self.name.split()
        path = folder / f"{'_'.join(words) or 'plain'}.{kind}"
        self.make(path)
        return path


_base: dict[str, bytes] = {}


def base(kind: str, seconds: float = 1) -> bytes:
    """Content of a plain file of a kind, without a tag if the encoder allows that."""
    key = f"{kind} {seconds}"
    if key not in _base:
        with tempfile.TemporaryDirectory() as folder:
            _base[key] = _encode(kind, seconds, Path(folder) / f"base.{kind}").read_bytes()
    return _base[key]


def _encode(kind: str, seconds: float, path: Path) -> Path:
    """Write a plain file of a kind."""
    audio = _music(seconds)
    samples = np.stack([audio, audio], 1)
    encoders = {
        "wv": ("wv", "wavpack"),
        "tta": ("tta", "tta"),
        "oga": ("ogg", "flac"),
        "mka": ("matroska", "flac"),
        "aac": ("adts", "aac"),
        "w64": ("w64", "pcm_s16le"),
        "ac3": ("ac3", "ac3"),
        "alac": ("ipod", "alac"),
    }
    if kind == "mp3":
        write_encoded(path, samples, SR, "mp3", "libmp3lame", 128_000,
                      options={"id3v2_version": "0", "write_id3v1": "0"})  # fmt: skip
    elif kind == "dsf":
        path.write_bytes(_dsf(np.random.default_rng(0).bytes(4096 * 2 * 20)))
    elif kind in encoders:
        write_encoded(path, samples, SR, *encoders[kind])
    else:
        write_audio(path, samples, SR)
    return path


def _music(seconds: float) -> NDArray[np.float32]:
    """Clicks with noise, (n_samples,)."""
    noise = 0.1 * np.random.default_rng(0).standard_normal(round(seconds * SR))
    return click_track(120, seconds, SR) + noise.astype(np.float32)


def encoded(
    container: str, encoder: str, options: dict[str, str] | None = None, copies: int = 1
) -> Callable[[Path], None]:
    """Function that writes a file with options of libav."""

    def make(path: Path) -> None:
        audio = _music(8)
        samples = np.stack([audio, audio], 1)
        write_encoded(path, samples, SR, container, encoder, options=options, copies=copies)

    return make


def _chapters(container: str, encoder: str, options: dict[str, str]) -> Callable[[Path], None]:
    """Function that writes a file with three chapters."""

    def make(path: Path) -> None:
        encoded(container, encoder)(path)
        marks = [
            {"id": n, "start": n * 2000, "end": n * 2000 + 2000, "time_base": Fraction(1, 1000),
             "metadata": {"title": f"Part {n}"}}
            for n in range(3)
        ]  # fmt: skip
        plain = path.rename(path.with_suffix(".plain"))
        with (
            av.open(str(plain)) as source,
            av.open(str(path), "w", format=container, options=options) as target,
        ):
            stream = target.add_stream_from_template(source.streams.audio[0])
            target.set_chapters(marks)
            for packet in source.demux(source.streams.audio[0]):
                if packet.dts is not None:
                    packet.stream = stream
                    target.mux(packet)
        plain.unlink()

    return make


def _dsf(data: bytes) -> bytes:
    """Content of a DSF file with some audio data, in stereo."""
    fmt = struct.pack("<4sQIIIIIIQII", b"fmt ", 52, 1, 0, 2, 2, 2822400, 1, len(data) * 4, 4096, 0)
    body = fmt + struct.pack("<4sQ", b"data", 12 + len(data)) + data
    return struct.pack("<4sQQQ", b"DSD ", 28, 28 + len(body), 0) + body


# ID3


def frame(
    version: int, name: bytes, body: bytes, flags: int = 0, *, plain_size: bool = False
) -> bytes:
    """An ID3 frame of a version (2, 3 or 4); in 2.4 its size is synchsafe unless `plain_size`."""
    if version == 2:
        return name + len(body).to_bytes(3, "big") + body
    safe = version == 4 and not plain_size
    size = synchsafe(len(body)) if safe else len(body).to_bytes(4, "big")
    return name + size + flags.to_bytes(2, "big") + body


def synchsafe(number: int) -> bytes:
    """A number in four bytes of seven bits each, as ID3 stores sizes."""
    return bytes(number >> shift & 127 for shift in (21, 14, 7, 0))


def unsynchronised(data: bytes) -> bytes:
    """Data with a zero after each 0xFF that could be taken for the start of an MPEG frame."""
    out = bytearray()
    for n, byte in enumerate(data):
        out.append(byte)
        following = data[n + 1] if n + 1 < len(data) else 0
        if byte == 0xFF and (following >= 0xE0 or following == 0):
            out.append(0)
    return bytes(out)


def tag(version: int, body: bytes, flags: int = 0, padding: int = 0) -> bytes:
    """An ID3 tag with its header, and a footer if the flags ask for one."""
    body += bytes(padding)
    head = bytes((version, 0, flags)) + synchsafe(len(body))
    return b"ID3" + head + body + (b"3DI" + head if flags & 0x10 else b"")


def frames(version: int) -> bytes:
    """Frames of ID3 as in a tag that several programs have written to over years."""
    if version == 2:
        pairs = [(b"TT2", b"\0Title"), (b"TP1", b"\0One\0Two"), (b"TYE", b"\x002009-07"),
                 (b"COM", b"\0eng\0"), (b"TXX", b"\0\0"), (b"TSI", b"\x0012345"),
                 (b"RVA", b"\x03\x10\0\1\0\2"), (b"TCP", b"\x001"), (b"TS2", b"\0Sort"),
                 (b"CRM", b"a@b\0\0\xff\xe1\xff\0"), (b"XAB", b"?"),
                 (b"PIC", b"\0PNG\3\0" + PICTURE)]  # fmt: skip
        return b"".join(frame(2, *pair) for pair in pairs)
    group, long = (0x0020, 0x0080) if version == 3 else (0x0040, 0x0009)
    packed = zlib.compress(b"\0Composer")
    length = (9).to_bytes(4, "big")
    rows: list[tuple[Any, ...]] = [
        (b"TIT2", b"\1\xff\xfeT\0i\0"), (b"TPE1", b"\0One\0Two"), (b"TSOP", b"\0Sort, A"),
        (b"TSOT", b"\0Sort T"), (b"TSOA", b"\0Sort A"), (b"TDRL", b"\x002019"),
        (b"RVAD", bytes((3, 16, 0, 10, 0, 20, 0, 0, 0, 0))), (b"TSIZ", b"\x0012345"),
        (b"TYER", b"\x002009-07"), (b"TDAT", b"\x009999"),
        (b"COMM", b"\0eng\0"), (b"COMM", b"\0eng\0twice"),
        (b"TXXX", b"\0\0"), (b"TXXX", b"\0MOOD\0calm\0happy"), (b"TXXX", b"\0mood\0again"),
        (b"PRIV", b"owner\0\xff\xfb\x90\0\xff\0\xff"),
        (b"GEOB", b"\0a/b\0n\0d\0" + bytes(range(256))),
        (b"XABC", b"unknown"), (b"TIPL" if version == 4 else b"IPLS", b"\0producer\0P"),
        (b"TOLY", b"\0Grouped", group), (b"TCOM", length + packed, long), (b"TCP\0", b"\x001"),
        (b"APIC", b"\0image/png\0\3\0" + PICTURE), (b"APIC", b"\0image/png\0\3\0" + PICTURE),
        (b"UFID", b"http://x\0abc"), (b"POPM", b"a@b\0\xff\0\0\0\1"),
        (b"CHAP", b"c1\0" + bytes(8) + b"\xff" * 8),
    ]  # fmt: skip
    return b"".join(frame(version, *row) for row in rows)


def id3_tags() -> Iterator[tuple[str, bytes]]:
    """Names and bytes of ID3 tags of every version, with structures that are hard to change."""
    for version in (2, 3, 4):
        bpm = {2: b"TBP"}.get(version, b"TBPM")
        body = frames(version)
        yield f"2.{version}", tag(version, body)
        yield f"2.{version} padded", tag(version, body, padding=500)
        yield f"2.{version} a little padding", tag(version, body, padding=5)
        old = frame(version, bpm, b"\x0063.5")
        yield f"2.{version} other tempo", tag(version, old + body, padding=3)
        yield f"2.{version} two tempi", tag(version, old + body + old)
        if version < 4:
            yield f"2.{version} unsynchronised", tag(version, unsynchronised(body), 0x80)
    hard = frame(4, b"PRIV", unsynchronised(b"o\0\xff\xfb\xff\0\xff"), 0x0002)
    yield "2.4 unsynchronised frame", tag(4, hard + frames(4))
    plain = frame(4, b"TIT2", b"\3Title") + hard
    yield "2.4 unsynchronised", tag(4, plain, 0x80, padding=20)
    yield "2.4 footer", tag(4, frames(4), 0x10)
    yield "2.4 plain sizes", tag(4, b"".join(
        frame(4, *row, plain_size=True) for row in
        ((b"TIT2", b"\3" + b"long" * 60), (b"TPE1", b"\3A"), (b"COMM", b"\3eng\0" + b"text" * 90))
    ), padding=99)  # fmt: skip
    extended = struct.pack(">IHI", 6, 0, 50)
    yield "2.3 extended header", tag(3, extended + frames(3), 0x40, padding=50)
    yield "2.4 extended header", tag(4, synchsafe(6) + b"\1\0" + frames(4), 0x40, padding=50)
    yield "2.3 announced extended header", tag(3, frames(3), 0x40)


def with_checksum() -> bytes:
    """An ID3v2.3 tag with a checksum in its extended header."""
    body = frames(3)
    extended = struct.pack(">IHII", 10, 0x8000, 0, zlib.crc32(body))
    return tag(3, extended + body, 0x40)


def inflating() -> bytes:
    """An ID3 tag of 100 kB with a compressed frame that inflates to 100 MB."""
    packer = zlib.compressobj(9)
    packed = b"".join(packer.compress(bytes(1 << 20)) for _ in range(100)) + packer.flush()
    return tag(4, frame(4, b"TIT2", synchsafe(0x0FFFFFFF) + packed, 0x0009))


def chunk(name: bytes, body: bytes, order: str = "<", *, pad: bool = True) -> bytes:
    """A chunk of RIFF (order "<") or of AIFF (order ">"), padded to an even length."""
    return name + struct.pack(f"{order}I", len(body)) + body + bytes(len(body) % 2 * pad)


def form(chunks: bytes, kind: bytes = b"WAVE", order: str = "<", extra: int = 0) -> bytes:
    """A RIFF or AIFF file of chunks, whose size field is too large by `extra` bytes."""
    name = b"RIFF" if order == "<" else b"FORM"
    return name + struct.pack(f"{order}I", 4 + len(chunks) + extra) + kind + chunks


FMT = chunk(b"fmt ", struct.pack("<HHIIHH", 1, 2, SR, SR * 4, 4, 16))
MONO = chunk(b"fmt ", struct.pack("<HHIIHH", 1, 1, SR, SR, 1, 8))
LAYER3 = chunk(b"fmt ", struct.pack("<HHIIHHHHIHHH", 0x55, 2, SR, 16000, 1, 0, 12, 1, 2, 417, 1, 0))
INFO = chunk(b"LIST", b"INFO" + chunk(b"INAM", b"abc"))


def pcm(kind: str = "wav") -> bytes:
    """The samples of the plain WAV file."""
    return base("wav")[44:]


def in_container(kind: str, content: bytes) -> bytes:
    """Content of a plain file of a kind with an ID3 tag in it."""
    if kind == "mp3":
        return content + base("mp3")
    if kind == "wav":
        return form(FMT + chunk(b"data", pcm()) + chunk(b"id3 ", content))
    if kind == "aiff":
        plain = base("aiff")
        return form(plain[12:] + chunk(b"ID3 ", content, ">"), b"AIFF", ">")
    plain = base("dsf")
    return (
        plain[:12]
        + struct.pack("<QQ", len(plain) + len(content), len(plain))
        + plain[28:]
        + content
    )


def save(content: Callable[[], bytes]) -> Callable[[Path], None]:
    """Function that writes the result of another function to a file."""

    def make(path: Path) -> None:
        path.write_bytes(content())

    return make


def id3_cases() -> Iterator[Case]:
    """Files with ID3 tags, in each container that has them."""
    for kind in ("mp3", "wav", "aiff", "dsf"):
        for name, content in id3_tags():
            if kind == "mp3" or "footer" not in name:
                yield Case(
                    f"{kind} {name}",
                    save(partial(in_container, kind, content)),
                    tag=content,
                )
        damaged = {
            "checksum": with_checksum(),
            "damaged frames": tag(3, frames(3)[:-30] + b"\xfe" * 30),
            "tag version 5": b"ID3\5" + tag(4, frames(4))[4:],
            "frame beyond its tag": tag(
                3, frame(3, b"TIT2", b"\0a") + b"TPE1\0\1\0\0\0\0\0b", padding=9
            ),
        }
        for name, content in damaged.items():
            yield Case(f"{kind} {name}", save(partial(in_container, kind, content)), written=False)


def ape_tag(items: list[tuple[str, bytes, int]]) -> bytes:
    """An APEv2 tag with items of (name, value, flags)."""
    body = b"".join(struct.pack("<II", len(v), f) + k.encode() + b"\0" + v for k, v, f in items)

    def end(flags: int) -> bytes:
        return (
            b"APETAGEX"
            + struct.pack("<IIIII", 2000, len(body) + 32, len(items), flags, 0)
            + bytes(4)
        )

    return end(0xA0000000) + body + end(0x80000000)


APE = ape_tag([("Title", b"T", 0), ("BPM", b"99", 0),
               ("Cover Art (Front)", b"c.png\0" + PICTURE, 2),
               ("artist", b"One\0Two", 1)])  # fmt: skip
V1 = b"TAG" + b"Old title".ljust(30, b"\0") + b"Old artist".ljust(30, b"\0") + bytes(64) + b"\x11"
LYRICS = b"LYRICSBEGININD00002" + b"00" + b"LYR00003abc" + b"000032" + b"LYRICS200"


def mp3_cases() -> Iterator[Case]:
    """MP3 files with several tags, with data around the audio, and damaged ones."""
    head = tag(3, frames(3))
    yield Case("mp3", save(lambda: base("mp3")))
    yield Case("mp3 ID3v1 only", save(lambda: base("mp3") + V1))
    yield Case(
        "mp3 ID3v1 and an empty tag", save(lambda: tag(3, b"", padding=50) + base("mp3") + V1)
    )
    yield Case("mp3 ID3v1", save(lambda: head + base("mp3") + V1), tag=head)
    yield Case("mp3 APEv2", save(lambda: head + base("mp3") + APE), tag=head)
    yield Case("mp3 APEv2 and ID3v1", save(lambda: head + base("mp3") + APE + V1), tag=head)
    yield Case("mp3 APEv2 only", save(lambda: base("mp3") + APE))
    yield Case("mp3 Lyrics3", save(lambda: head + base("mp3") + LYRICS + V1), tag=head)
    yield Case("mp3 garbage behind", save(lambda: head + base("mp3") + b"garbage" * 999), tag=head)
    yield Case("mp3 zero tail", save(lambda: head + base("mp3") + bytes(1 << 20)), tag=head)
    yield Case("mp3 two tags", save(lambda: head + tag(4, frames(4)) + base("mp3")))
    yield Case(
        "mp3 two tags with tempo",
        save(lambda: head + tag(4, frame(4, b"TBPM", b"\x0099")) + base("mp3")),
    )
    yield Case("mp3 gap before audio", save(lambda: head + bytes(300) + base("mp3")), tag=head)
    yield Case(
        "mp3 tag at its end",
        save(lambda: head + base("mp3") + tag(4, frames(4), 0x10)),
        tag=head,
    )
    yield Case("mp3 APEv2 before audio", save(lambda: APE + base("mp3")))
    yield Case("mp3 cut", save(lambda: head + base("mp3")[:-777]), tag=head)
    yield Case("mp3 in RIFF", save(lambda: form(LAYER3 + chunk(b"data", base("mp3")))))
    yield Case("mp3 inflating tag", save(lambda: inflating() + base("mp3")), written=False)
    yield Case("mp3 empty tag", save(lambda: tag(4, b"") + base("mp3")))
    yield Case("mp3 only zeros in its tag", save(lambda: tag(3, b"", padding=99) + base("mp3")))
    yield Case(
        "mp3 tag longer than the file",
        save(lambda: b"ID3\3\0\0\x7f\x7f\x7f\x7f" + base("mp3")),
        written=False,
    )


def riff_cases() -> Iterator[Case]:
    """WAV and AIFF files."""

    def sized(riff: int, data: int) -> bytes:
        """A WAV file with these numbers of bytes in the headers of the file and of its audio."""
        return (
            b"RIFF"
            + struct.pack("<I", riff)
            + b"WAVE"
            + FMT
            + b"data"
            + struct.pack("<I", data)
            + pcm()
        )

    size = len(base("wav"))
    n = size - 44
    t = tag(4, frame(4, b"TIT2", b"\3Title") + frame(4, b"TPE1", b"\3A"))
    odd = MONO + chunk(b"data", pcm()[1001:2000] * 99)  # an odd number of bytes
    yield Case("wav", save(lambda: base("wav")))
    yield Case(
        "wav tag before audio",
        save(lambda: form(FMT + chunk(b"id3 ", t) + chunk(b"data", pcm()))),
        tag=t,
    )
    yield Case(
        "wav two tags", save(lambda: form(FMT + chunk(b"data", pcm()) + chunk(b"id3 ", t) * 2))
    )
    yield Case(
        "wav ID3 in capitals",
        save(lambda: form(FMT + chunk(b"data", pcm()) + chunk(b"ID3 ", t))),
        tag=t,
    )
    yield Case("wav odd list", save(lambda: form(FMT + INFO + chunk(b"data", pcm()) + INFO)))
    yield Case("wav odd audio", save(lambda: form(odd)))
    yield Case("wav odd audio not filled up", save(lambda: form(odd[:-1])))
    yield Case("wav odd audio filled up in theory", save(lambda: form(odd[:-1], extra=1)))
    yield Case(
        "wav odd list not filled up",
        save(
            lambda: form(
                FMT + chunk(b"LIST", b"INFOINAM\3\0\0\0abc", pad=False) + chunk(b"data", pcm())
            )
        ),
        written=False,
    )
    yield Case(
        "wav empty tag chunk", save(lambda: form(FMT + chunk(b"data", pcm()) + chunk(b"id3 ", b"")))
    )
    yield Case(
        "wav tag and more in its chunk",
        save(lambda: form(FMT + chunk(b"data", pcm()) + chunk(b"id3 ", t + b"more"))),
        tag=t,
    )
    yield Case("wav zero tail", save(lambda: base("wav") + bytes(100_000)))
    yield Case("wav float", _subtype("FLOAT"))
    yield Case("wav layer 3", save(lambda: form(LAYER3 + chunk(b"data", base("mp3")))))
    yield Case("wav law", _subtype("ULAW"))
    for name, riff, data in (
        ("piped", 0x7FFFF024, 0x7FFFF000), ("streamed", 0xFFFFFFFF, 0xFFFFFFFF),
        ("five times", 5 * size, 5 * n), ("too small", size // 2 - 8, n // 2),
        ("audio too small", size - 8, n // 2), ("form too small", size // 2, n),
        ("form too large", size + 5000, n), ("no sizes", 0, 0), ("no audio size", size - 8, 0),
        ("audio too large", size - 8, n + 100),
        ("a little too large", size - 8 + 50, n + 50),
    ):  # fmt: skip
        yield Case(f"wav {name}", save(partial(sized, riff, data)), written=False)
    yield Case("wav cut", save(lambda: base("wav")[:-5001]), written=False)
    yield Case("wav something behind", save(lambda: base("wav") + b"something"), written=False)
    yield Case("wav RF64", encoded("wav", "pcm_s16le", {"rf64": "always"}), written=False)
    yield Case("w64", save(lambda: base("w64")), written=False)
    yield Case("aiff", save(lambda: base("aiff")))
    yield Case("aiff tag before audio", save(_aiff_tag_first), tag=tag(3, frames(3)))
    yield Case("aiff cut", save(lambda: base("aiff")[:-5001]), written=False)
    yield Case("aiff too small", save(lambda: _aiff_sized(0.5)), written=False)
    yield Case("aiff too large", save(lambda: _aiff_sized(5)), written=False)
    yield Case("aiff zero tail", save(lambda: base("aiff") + bytes(5000)))
    yield Case("aiff compressed", _subtype("ULAW"))
    yield Case("aiff float", _subtype("FLOAT"))
    yield Case("dsf", save(lambda: base("dsf")))
    yield Case("dsf cut", save(lambda: base("dsf")[:-5000]), written=False)
    yield Case(
        "dsf something behind", save(lambda: in_container("dsf", t) + b"more"), written=False
    )


def _subtype(subtype: str) -> Callable[[Path], None]:
    def make(path: Path) -> None:
        write_audio(path, _music(3), SR, subtype=subtype)

    return make


def _aiff_tag_first() -> bytes:
    plain = base("aiff")
    at = plain.index(b"SSND")
    content = chunk(b"ID3 ", tag(3, frames(3)), ">")
    return form(plain[12:at] + content + plain[at:], b"AIFF", ">")


def _aiff_sized(factor: float) -> bytes:
    data = bytearray(base("aiff"))
    at = data.index(b"SSND") + 4
    for place in (4, at):
        (size,) = struct.unpack_from(">I", data, place)
        struct.pack_into(">I", data, place, int(size * factor) // 4 * 4)
    return bytes(data)


def atoms(data: bytes) -> list[bytes]:
    """The atoms of MP4 data, one after the other."""
    found = []
    while data:
        size = int.from_bytes(data[:4], "big")
        found.append(data[:size])
        data = data[size:]
    return found


def atom(name: bytes, body: bytes) -> bytes:
    """An atom of MP4."""
    return struct.pack(">I4s", 8 + len(body), name) + body


def item(name: bytes, value: bytes, kind: int = 1) -> bytes:
    """A tag of MP4 with a value of a type (1 is text)."""
    return atom(name, atom(b"data", struct.pack(">II", kind, 0) + value))


def free_form(name: bytes, value: bytes, mean: bytes = b"com.apple.iTunes") -> bytes:
    """A tag of MP4 with a name of any length."""
    return atom(b"----", atom(b"mean", bytes(4) + mean) + atom(b"name", bytes(4) + name)
                + atom(b"data", struct.pack(">II", 1, 0) + value))  # fmt: skip


ITEMS = b"".join((
    item(b"\xa9nam", "Tïtel".encode()), item(b"gnre", b"\0\x12", 0),
    item(b"trkn", bytes((0, 0, 0, 3, 0, 9)), 0),
    item(b"\xa9ART", b"One"), item(b"disk", bytes((0, 0, 0, 1, 0, 2, 0, 0)), 0),
    item(b"rtng", b"\0\1", 21),
    free_form(b"MOOD", b"calm"), free_form(b"MOOD", b"happy"),
    free_form(b"Odd", b"\xff\xfe", b"org.x"),
    item(b"xyz ", b"\1\2\3", 0), item(b"\xa9lyr", b"text"), item(b"cpil", b"\1", 21),
    item(b"plID", bytes(8), 21),
    atom(b"covr", atom(b"data", struct.pack(">II", 14, 0) + PICTURE) * 2), atom(b"covr", b""),
))  # fmt: skip


def with_items(data: bytes, items: bytes, free: int | None = None, end: bytes = b"") -> bytes:
    """An MP4 file with other tags, followed by a free atom of some bytes and by further bytes.

    The file must have its moov atom at its end, so that the positions of the audio stay valid.
    """
    out = []
    for top in atoms(data):
        if top[4:8] == b"moov":
            inner = [a for a in atoms(top[8:]) if a[4:8] != b"udta"]
            handler = atom(b"hdlr", bytes(8) + b"mdirappl" + bytes(9))
            spare = atom(b"free", bytes(free)) if free is not None else b""
            meta = atom(b"meta", bytes(4) + handler + atom(b"ilst", items) + spare)
            top = atom(b"moov", b"".join(inner) + atom(b"udta", meta + end))
        out.append(top)
    return b"".join(out)


def large_media(data: bytes) -> bytes:
    """An MP4 file with the size of its mdat in 64 bits, which replaces the free atom before it."""
    out = bytearray(data)
    at = out.index(b"mdat")
    assert out[at - 12 : at - 4] == b"\0\0\0\x08free"
    size = int.from_bytes(out[at - 4 : at], "big")
    out[at - 12 : at + 4] = struct.pack(">I4sQ", 1, b"mdat", size + 8)
    return bytes(out)


def mp4_cases() -> Iterator[Case]:
    """MP4 files: AAC and ALAC, whole and fragmented, and damaged ones."""
    yield Case("m4a", save(lambda: base("m4a")))
    yield Case("m4a alac", save(lambda: base("alac")))
    yield Case("m4a header first", encoded("ipod", "aac", {"movflags": "+faststart"}))
    yield Case(
        "m4a fragmented",
        encoded(
            "mp4", "aac", {"movflags": "+frag_keyframe+empty_moov", "frag_duration": "2000000"}
        ),
    )
    yield Case(
        "m4a fragmented relative",
        encoded(
            "mp4",
            "aac",
            {"movflags": "+frag_keyframe+empty_moov+default_base_moof", "frag_duration": "1000000"},
        ),
    )
    yield Case(
        "m4a dash",
        encoded(
            "mp4",
            "aac",
            {"movflags": "+dash+frag_keyframe+global_sidx", "frag_duration": "1000000"},
        ),
    )
    yield Case("m4a chapters", _chapters("ipod", "aac", {"movflags": "+faststart"}))
    yield Case("m4a two streams", encoded("mp4", "aac", {"movflags": "+faststart"}, copies=2))
    yield Case("m4a items", save(lambda: with_items(base("m4a"), ITEMS)))
    yield Case("m4a items with room", save(lambda: with_items(base("m4a"), ITEMS, 200)))
    yield Case("m4a items with little room", save(lambda: with_items(base("m4a"), ITEMS, 20)))
    # QuickTime writes such files, which mutagen cannot read.
    yield Case(
        "m4a zeros behind items",
        save(lambda: with_items(base("m4a"), ITEMS, end=bytes(4))),
        written=False,
    )
    yield Case(
        "m4a other tempo",
        save(lambda: with_items(base("m4a"), item(b"tmpo", b"\0\x3f", 21) + ITEMS)),
    )
    yield Case(
        "m4a tempo of another size",
        save(lambda: with_items(base("m4a"), item(b"tmpo", b"\x3f", 0) + ITEMS)),
    )
    yield Case(
        "m4a two tempi",
        save(lambda: with_items(base("m4a"), item(b"tmpo", b"\0\x3f", 21) * 2 + ITEMS)),
    )
    yield Case("m4a wide positions", save(lambda: wide_positions_first(base("m4a"))))
    yield Case("m4a room behind header", encoded("ipod", "aac", {"moov_size": "20000"}))
    yield Case("m4a large media", save(lambda: large_media(base("m4a"))))
    yield Case("m4a zero tail", save(lambda: base("m4a") + bytes(5000)))
    yield Case(
        "m4a free atoms",
        save(lambda: base("m4a") + atom(b"free", bytes(99)) + atom(b"uuid", bytes(99))),
    )
    yield Case("m4a garbage behind", save(lambda: base("m4a") + b"garbage" * 9))
    yield Case("m4a cut", save(lambda: base("m4a")[:-5000]), written=False)
    yield Case(
        "m4a damaged items",
        save(lambda: with_items(base("m4a"), ITEMS + b"\0\0\1\0oops")),
        written=False,
    )


def _rebuilt(box: bytes, change: Callable[[bytes], bytes]) -> bytes:
    """An atom with a change of all atoms inside it that contain no others."""
    name = box[4:8]
    if name in (b"moov", b"trak", b"mdia", b"minf", b"stbl"):
        return atom(name, b"".join(_rebuilt(inner, change) for inner in atoms(box[8:])))
    return change(box)


def wide_positions_first(data: bytes) -> bytes:
    """An MP4 file with its header first and 64-bit positions of the media."""
    boxes = {box[4:8]: box for box in atoms(data)}

    def moved(shift: int) -> Callable[[bytes], bytes]:
        def change(box: bytes) -> bytes:
            if box[4:8] != b"stco":
                return box
            offsets = struct.unpack(f">{(len(box) - 16) // 4}I", box[16:])
            return atom(
                b"co64", box[8:16] + b"".join(struct.pack(">Q", o + shift) for o in offsets)
            )

        return change

    size = len(_rebuilt(boxes[b"moov"], moved(0)))
    moov = _rebuilt(boxes[b"moov"], moved(size))
    return boxes[b"ftyp"] + moov + boxes[b"free"] + boxes[b"mdat"]


def _flac(
    change: Callable[[Any], None], then: Callable[[bytes], bytes] = bytes
) -> Callable[[Path], None]:
    """Function that writes a FLAC file changed by mutagen and then as bytes."""

    def make(path: Path) -> None:
        path.write_bytes(base("flac"))
        file: Any = flac.FLAC(path)
        change(file)
        file.save()
        path.write_bytes(then(path.read_bytes()))

    return make


def _grown_flac(file: Any) -> None:
    """Add pictures and several tags of the same name to a FLAC file."""
    for number in range(3):
        picture = flac.Picture()
        picture.data, picture.type, picture.mime = PICTURE, 3, "image/png"
        picture.desc = f"no {number}"
        file.add_picture(picture)
    file.tags.extend([("Artist", "One"), ("ARTIST", "Two"), ("artist", "Three"), ("Empty", "")])
    file.tags.extend([("LONG", "x" * 9000)])


def flac_blocks(*blocks: tuple[int, bytes]) -> bytes:
    """A FLAC file with some blocks, (type, content), between its first block and the audio."""
    plain = base("flac")
    position, last = 4, False
    while not last:
        last = plain[position] > 127
        position += 4 + int.from_bytes(plain[position + 1 : position + 4], "big")
    out = b"fLaC" + bytes((0 if blocks else 128,)) + plain[5 : 4 + 4 + 34]
    for number, (kind, body) in enumerate(blocks):
        out += (
            bytes((kind | 128 * (number == len(blocks) - 1),)) + len(body).to_bytes(3, "big") + body
        )
    return out + plain[position:]


def comment(*entries: bytes, vendor: bytes = b"v") -> bytes:
    """A Vorbis comment with some entries."""
    packed = b"".join(struct.pack("<I", len(e)) + e for e in entries)
    return struct.pack("<I", len(vendor)) + vendor + struct.pack("<I", len(entries)) + packed


def flac_cases() -> Iterator[Case]:
    """FLAC files with various blocks and tags, and damaged ones."""
    yield Case("flac", save(lambda: base("flac")))
    yield Case("flac grown", _flac(_grown_flac))
    yield Case("flac leading ID3v2", _flac(_grown_flac, lambda data: tag(3, frames(3)) + data))
    yield Case("flac ID3v1", _flac(_grown_flac, lambda data: data + V1))
    yield Case("flac no blocks", save(lambda: flac_blocks()))
    yield Case("flac no comment", save(lambda: flac_blocks((2, b"ATCHabc"), (1, bytes(9)))))
    yield Case(
        "flac odd blocks",
        save(
            lambda: flac_blocks(
                (2, b"ATCHabc"),
                (99, b"?"),
                (1, bytes(9)),
                (4, comment(b"A=b")),
                (1, bytes(99)),
                (2, b"abcd"),
            )
        ),
    )
    yield Case(
        "flac not UTF-8",
        save(lambda: flac_blocks((4, comment(b"A=\xff\xfe", b"B", b"=c", b"T\xc3\xa4g=x")))),
    )
    yield Case(
        "flac other tempo",
        save(
            lambda: flac_blocks((4, comment(b"A=b", b"bpm=99", b"Bpm=98", b"C=d")), (1, bytes(50)))
        ),
    )
    yield Case("flac zero tail", save(lambda: base("flac") + bytes(100_000)))
    yield Case("flac cut", save(lambda: base("flac")[:-5000]))
    yield Case(
        "flac damaged comment",
        save(lambda: flac_blocks((4, comment(b"A=b") + b"more"))),
        written=False,
    )


def _with_comment(data: bytes, packet: bytes, path: Path) -> None:
    """Write an Ogg file in which another packet replaces the comment."""
    path.write_bytes(data)
    with path.open("rb+") as file:
        pages = [ogg.OggPage(file), ogg.OggPage(file)]
        while not pages[-1].complete and len(pages[-1].packets) < 2:
            pages.append(ogg.OggPage(file))
        packets = ogg.OggPage.to_packets(pages[1:], strict=False)
        packets[0] = packet
        ogg.OggPage.replace(file, pages[1:], ogg.OggPage.from_packets(packets, pages[1].sequence))


def _ogg_grown(path: Path) -> None:
    """Write an Ogg Vorbis file with long and repeated tags and a picture."""
    path.write_bytes(base("ogg"))
    file: Any = oggvorbis.OggVorbis(path)
    file.tags.extend([("Artist", "One"), ("ARTIST", "Two"), ("Long", "x" * 200_000), ("Empty", "")])
    picture = flac.Picture()
    picture.data = PICTURE
    file.tags.append(("METADATA_BLOCK_PICTURE", base64.b64encode(picture.write()).decode()))
    file.save()


def ogg_cases() -> Iterator[Case]:
    """Ogg Vorbis and Opus files, also chained and multiplexed."""
    yield Case("ogg", save(lambda: base("ogg")))
    yield Case("ogg grown", _ogg_grown)
    yield Case("ogg chained", save(lambda: base("ogg") + base("ogg", 2)))
    yield Case("opus multiplexed", encoded("ogg", "libopus", copies=2))
    yield Case("ogg zero tail", save(lambda: base("ogg") + bytes(5000)))
    yield Case("ogg cut", save(lambda: base("ogg")[:-5000]))
    for name, entries in (
        ("not UTF-8", (b"A=\xff\xfe", b"C=d")),
        ("entry without a name", (b"no name", b"C=d", b"=e")),
        ("other tempo", (b"A=b", b"bpm=99", b"Bpm=98", b"C=d")),
    ):
        packet = b"\x03vorbis" + comment(*entries) + b"\1"
        yield Case(f"ogg {name}", partial(_with_comment, base("ogg"), packet))
    packet = b"OpusTags" + comment(b"A=\xff", b"B=c") + b"\1kept\0\0"
    yield Case("opus data behind its comment", partial(_with_comment, base("opus"), packet))
    yield Case("opus", save(lambda: base("opus")))
    yield Case("opus chained", save(lambda: base("opus") + base("opus", 2)))


def _wavpack(path: Path) -> None:
    """Write a WavPack file with items of every type."""
    path.write_bytes(base("wv"))
    tags = apev2.APEv2()
    tags["Title"], tags["aRTIST"], tags["bin"] = "T", ["One", "Two"], b"\xff\0\1"
    tags["link"] = apev2.APEValue("http://x", apev2.EXTERNAL)
    tags.save(path)


def ape_cases() -> Iterator[Case]:
    """WavPack files with APEv2 tags."""
    yield Case("wv", save(lambda: base("wv")))
    yield Case("wv items", _wavpack)
    yield Case("wv odd items", save(lambda: base("wv") + APE))
    yield Case("wv ID3v1", save(lambda: base("wv") + APE + V1))
    yield Case("wv ID3v1 only", save(lambda: base("wv") + V1))
    yield Case(
        "wv wrong count",
        save(lambda: base("wv") + APE[:16] + b"\x09" + APE[17:-16] + b"\x09" + APE[-15:]),
        written=False,
    )
    yield Case(
        "wv damaged tag",
        save(lambda: base("wv") + APE[:-16] + b"\1\2\3\4" + APE[-12:]),
        written=False,
    )
    yield Case("wv cut", save(lambda: base("wv")[:-5000]))


def _wma(path: Path) -> None:
    """Write a WMA file with tags of every type."""
    path.write_bytes(base("wma"))
    file: Any = asf.ASF(path)
    text = asf.ASFUnicodeAttribute
    file.tags.extend([
        ("Title", text("T")), ("WM/Year", text("2009-07")), ("Author", text("One")),
        ("Author", text("Two")), ("x", asf.ASFDWordAttribute(7)), ("x", asf.ASFBoolAttribute(True)),
        ("lang", text("l", language=0, stream=1)),
        ("WM/Picture", asf.ASFByteArrayAttribute(b"\3" + bytes(70_000))),
    ])  # fmt: skip
    file.save()


def _wma_two_tempi(path: Path) -> None:
    """Write a WMA file with two tempi, the second in another object than the first."""
    _wma(path)
    file: Any = asf.ASF(path)
    file.tags.extend([("WM/BeatsPerMinute", asf.ASFUnicodeAttribute(bpm)) for bpm in ("9", "8")])
    file.save()


def _wma_with_object(counted: int = 30) -> bytes:
    """A WMA file with an unknown object in its header, of whose 30 bytes `counted` are counted."""
    data = bytearray(base("wma"))
    (size,) = struct.unpack_from("<Q", data, 16)
    (count,) = struct.unpack_from("<I", data, 24)
    data[size:size] = b"\1" * 16 + struct.pack("<Q", 30) + b"secret"
    struct.pack_into("<QI", data, 16, size + counted, count + 1)
    return bytes(data)


def wma_cases() -> Iterator[Case]:
    """WMA files with various tags, and damaged ones."""
    yield Case("wma", save(lambda: base("wma")))
    yield Case("wma grown", _wma)
    yield Case("wma two tempi", _wma_two_tempi)
    yield Case("wma unknown object", save(_wma_with_object))
    yield Case("wma header too small", save(lambda: _wma_with_object(counted=0)), written=False)
    yield Case("wma cut", save(lambda: base("wma")[:-5000]))


def other_cases() -> Iterator[Case]:
    """Files that mediafile, the tag library of beets, does not know."""
    for kind in ("mka", "tta", "aac", "oga", "ac3"):
        yield Case(kind, save(partial(base, kind)), written=False)
    yield Case("aac ID3", save(lambda: tag(3, frames(3)) + base("aac")), written=False)
    yield Case("tta ID3", save(lambda: tag(3, frames(3)) + base("tta")), written=False)
    yield Case(
        "dff", save(lambda: b"FRM8" + struct.pack(">Q", 12) + b"DSD FVER" + bytes(8)), written=False
    )
    yield Case("mp3 text", save(lambda: b"no music" * 99), written=False)
    yield Case("mp3 only a tag", save(lambda: tag(4, frames(4))), written=False)


def cases() -> list[Case]:
    """The files of all kinds."""
    groups = (
        id3_cases,
        mp3_cases,
        riff_cases,
        mp4_cases,
        flac_cases,
        ogg_cases,
        ape_cases,
        wma_cases,
        other_cases,
    )
    return [case for group in groups for case in group()]
