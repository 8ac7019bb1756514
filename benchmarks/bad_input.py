"""Commands over files that are no music or try to do harm: a table of what the commands kept.

The files claim wrong sizes, inflate, refer to other files and hosts, never end, are pipes or
devices, or have names of any bytes; as root on Linux, one is on a disk that never answers. The
commands `estimate`, `labels`, `build` and `evaluate` run on all of them together, and are then
interrupted at several moments. A command held if it ended by itself without a traceback, reported
every file, stayed within its memory, and opened no file or connection that is not on its command
line.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import ctypes
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import bench

N_OTHERS = 5  # sound songs beside, so that something can be held out of a training set
SECONDS, BPM = 20, 126  # of the music that most files are made of
TIME_LIMIT = 10  # [s] that a command may spend on a file
MEMORY_LIMIT = 900  # [MiB] peak of a command; a run over sound files of this length takes some 400


@dataclass(frozen=True)
class Case:
    """A file of the benchmark; `sound` says whether it has music whose tempo must be found."""

    path: Path
    kind: str
    sound: bool
    bpm: float = BPM


@dataclass(frozen=True)
class Ended:
    """End of a command: exit status, time, memory, and what it printed."""

    code: int
    wall: float  # [s]
    peak: float  # [MiB]
    out: bytes
    err: bytes


def syncsafe(n: int) -> bytes:
    """A number in four bytes of seven bits each, as ID3 stores sizes."""
    return bytes([n >> 21 & 127, n >> 14 & 127, n >> 7 & 127, n & 127])


def id3(version: int, names: list[bytes], packed: bytes, claimed: int) -> bytes:
    """Bytes of an ID3 tag of compressed frames, each of which states the size `claimed` [bytes]."""
    body = b""
    for name in names:
        size = len(packed) + 4
        if version == 4:
            body += name + syncsafe(size) + bytes([0, 9]) + syncsafe(claimed)
        else:
            body += name + struct.pack(">I", size) + bytes([0, 0x80]) + struct.pack(">I", claimed)
        body += packed
    return b"ID3" + bytes([version, 0, 0]) + syncsafe(len(body)) + body


def chunked(plain: bytes, form: str, name: bytes, before: bytes, content: bytes) -> bytes:
    """Bytes of a WAV or AIFF file with another chunk, before the chunk whose name is `before`."""
    content += bytes(len(content) % 2)
    at = plain.index(before)
    whole = plain[:at] + name + struct.pack(form, len(content)) + content + plain[at:]
    return whole[:4] + struct.pack(form, len(whole) - 8) + whole[8:]


def music(folder: Path) -> dict[str, bytes]:
    """Bytes of the same song in some formats, and of a few other songs, by name."""
    import numpy as np

    from tests.audio import drum_pattern, write_audio

    samples = drum_pattern(BPM, SECONDS, 44100, "house", np.random.default_rng(0))
    found = {
        name: write_audio(folder / f"song.{name}", samples, 44100).read_bytes()
        for name in ("mp3", "flac", "wav", "aiff", "ogg", "m4a")
    }
    for seed in range(1, N_OTHERS + 1):
        other = drum_pattern(BPM + 3 * seed, SECONDS, 44100, "house", np.random.default_rng(seed))
        found[f"other {seed}"] = write_audio(folder / "other.flac", other, 44100).read_bytes()
    low = write_audio(folder / "low.ogg", samples[::2], 22050)
    found["chained"] = found["ogg"] + low.read_bytes()
    loud = write_audio(folder / "loud.wav", samples * np.float32(1e18), 44100, subtype="FLOAT")
    found["loud"] = loud.read_bytes()
    for n in (33, 64):
        data = np.repeat((samples[:, None] * 32767).astype("<i2"), n, 1).tobytes()
        head = struct.pack("<IHHIIHH", 16, 1, n, 44100, 88200 * n, 2 * n, 16)
        found[f"channels {n}"] = (
            b"RIFF" + struct.pack("<I", 36 + len(data)) + b"WAVEfmt " + head + b"data"
            + struct.pack("<I", len(data)) + data
        )  # fmt: skip
    return found


def make(folder: Path, port: int) -> list[Case]:
    """All cases, as files in a folder; `port` is that of a listener on this machine."""
    with tempfile.TemporaryDirectory() as scratch:
        song = music(Path(scratch))
    deflate = zlib.compressobj(9)
    packed = b"".join(deflate.compress(bytes(1 << 20)) for _ in range(400)) + deflate.flush()
    one, many = [b"TIT2"], [b"TIT2", b"TPE1", b"TALB", b"TBPM", b"TKEY", b"APIC", b"TXXX", b"GEOB"]
    rate = bytearray(song["wav"])
    at = rate.index(b"fmt ") + 12
    rate[at : at + 4] = struct.pack("<I", 2**31 - 1)
    m3u = f"#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\nhttp://127.0.0.1:{port}/a.ts\n"
    sdp = f"v=0\nc=IN IP4 127.0.0.1\nt=0 0\nm=audio {port} RTP/AVP 0\n"
    files: list[tuple[str | bytes, str, bool, bytes]] = [
        ("bomb4.mp3", "inflates", True, id3(4, one, packed, (1 << 28) - 1) + song["mp3"]),
        ("bomb3.mp3", "inflates", True, id3(3, one, packed, (1 << 32) - 1) + song["mp3"]),
        ("bombs.mp3", "inflates", True, id3(4, many, packed, (1 << 28) - 1) + song["mp3"]),
        ("row.mp3", "inflates", True, id3(3, one, packed, 1 << 30) * 5 + song["mp3"]),
        ("bomb.flac", "inflates", True, id3(4, one, packed, 1 << 27) + song["flac"]),
        ("bomb.wav", "inflates", True,
         chunked(song["wav"], "<I", b"id3 ", b"data", id3(4, one, packed, 1 << 27))),
        ("bomb.aiff", "inflates", True,
         chunked(song["aiff"], ">I", b"ID3 ", b"SSND", id3(3, one, packed, 1 << 27))),
        ("claims.mp3", "claims", True, b"ID3\3\0\0" + syncsafe((1 << 28) - 1) + song["mp3"]),
        ("claims frame.mp3", "claims", True,
         id3(3, one, zlib.compress(b"\0claims frame.mp3"), (1 << 32) - 1) + song["mp3"]),
        ("concat.mp3", "names others", False, b"ffconcat version 1.0\nfile song.mp3\n"),
        ("itself.mp3", "names others", False, b"ffconcat version 1.0\n" + b"file itself.mp3\n" * 3),
        ("pipe list.mp3", "names others", False, b"ffconcat version 1.0\nfile pipe.mp3\n"),
        ("hls.m4a", "names others", False, m3u.encode()),
        ("sdp.mp3", "names others", False, sdp.encode()),
        ("metadata.mp3", "names others", False, b";FFMETADATA1\ntitle=x\n"),
        (f"http:127.0.0.1:{port}.mp3", "looks like an address", True, song["mp3"]),
        (f"tcp:127.0.0.1:{port}.mp3", "looks like an address", True, song["mp3"]),
        ("Artist: Song.mp3", "looks like an address", True, song["mp3"]),
        ("subfile,,start,0,end,0,,:x.mp3", "looks like an address", True, song["mp3"]),
        ("-i.mp3", "name", True, song["mp3"]),
        (b"not utf-8 \xff\xfe.mp3", "name", True, song["mp3"]),
        (b"return\rname.mp3", "name", True, song["mp3"]),
        (b"tab\tname.mp3", "name", True, song["mp3"]),
        (b"line\nname.mp3", "name", True, song["mp3"]),
        (b"esc\x1b]0;x\x07.mp3", "name", True, song["mp3"]),
        ("turned \u202e3pm.mp3", "name", True, song["mp3"]),
        ("loud.wav", "odd", False, song["loud"]),
        ("channels 33.wav", "odd", False, song["channels 33"]),
        ("channels 64.wav", "odd", False, song["channels 64"]),
        ("rate.wav", "odd", False, bytes(rate)),
        ("chained.ogg", "odd", False, song["chained"]),
        ("empty.mp3", "no music", False, b""),
        ("text.mp3", "no music", False, b"la la la\n" * 1000),
        ("cut.m4a", "no music", False, song["m4a"][: len(song["m4a"]) // 2]),
        ("zeros.mp3", "no music", False, bytes(1 << 20)),
    ]  # fmt: skip
    cases = []
    for name, kind, sound, content in files:
        path = folder / os.fsdecode(name)
        path.write_bytes(content)
        cases.append(Case(path, kind, sound))
    for seed in range(1, N_OTHERS + 1):
        path = folder / f"other {seed}.flac"
        path.write_bytes(song[f"other {seed}"])
        cases.append(Case(path, "sound", True, BPM + 3 * seed))
    endless = folder / "endless.flac"
    endless.write_bytes(song["flac"])
    with endless.open("rb+") as file:
        file.truncate(1 << 40)  # 1 TB of zeros, in which a decoder looks for more audio
    cases.append(Case(endless, "never ends", True))
    os.mkfifo(folder / "pipe.mp3")
    (folder / "link.mp3").symlink_to("pipe.mp3")
    (folder / "zero.mp3").symlink_to("/dev/zero")
    (folder / "loop.mp3").symlink_to("loop.mp3")
    (folder / "folder.mp3").mkdir()
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(folder / "socket.mp3"))
    for name in ("pipe", "link", "zero", "loop", "folder", "socket", "gone"):
        cases.append(Case(folder / f"{name}.mp3", "no file", False))
    return cases


@contextlib.contextmanager
def dead_disk(folder: Path) -> Iterator[Path | None]:
    """Path of a file on a disk that never answers; None if such a disk cannot be mounted."""
    libc = ctypes.CDLL(None, use_errno=True)
    folder.mkdir()
    try:
        device = os.open("/dev/fuse", os.O_RDWR)
    except OSError:
        yield None
        return
    options = f"fd={device},rootmode=40000,user_id=0,group_id=0".encode()
    mounted = libc.mount(b"dead", os.fsencode(folder), b"fuse", 0, options) == 0
    try:
        yield folder / "dead.mp3" if mounted else None
    finally:
        if mounted:
            libc.umount2(os.fsencode(folder), 2)  # MNT_DETACH: even while a process waits for it
        os.close(device)


@contextlib.contextmanager
def listener() -> Iterator[tuple[int, list[object]]]:
    """A port on this machine, and a list of the addresses that have connected to it."""
    visitors: list[object] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def listen() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection, address = server.accept()
                    visitors.append(address)
                    connection.close()

        threading.Thread(target=listen, daemon=True).start()
        yield server.getsockname()[1], visitors


def run(folder: Path, *args: object, after: float | None = None) -> Ended:
    """Run a command of `tempo-core`; with `after` it is interrupted after so many seconds."""
    command = [sys.executable, "-m", "tempo_core.cli", *map(str, args)]
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        begin = time.monotonic()
        process = subprocess.Popen(
            command, stdout=out, stderr=err, stdin=subprocess.DEVNULL, cwd=folder,
            env={**os.environ, "PYTHONPATH": str(bench.REPOSITORY), "PYTHONIOENCODING": "utf-8"},
        )  # fmt: skip
        killer = threading.Timer(60 + 30 * TIME_LIMIT, process.kill)
        killer.start()
        if after is not None:
            time.sleep(after)
            begin = time.monotonic()
            process.send_signal(signal.SIGINT)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        killer.cancel()
        wall = time.monotonic() - begin
        out.seek(0)
        err.seek(0)
        return Ended(process.returncode, wall, usage.ru_maxrss / 1024, out.read(), err.read())


def commands(folder: Path, cases: list[Case]) -> dict[str, list[object]]:
    """Arguments of each command over all files, by its name in the report."""
    paths = [os.fsdecode(case.path.name) for case in cases]
    table = folder / "labels.tsv"
    from tempo_core.console import escaped

    rows = [f"{escaped(case.path.name)}\t{case.bpm}\tA{k}" for k, case in enumerate(cases)]
    table.write_text("\n".join(["path\tbpm\tartist", *rows, ""]))
    limit = ["--time-limit", TIME_LIMIT]
    return {
        "estimate": ["estimate", "--format", "tsv", *limit, "--", *paths],
        "estimate json": ["estimate", "--format", "json", *limit, "--", *paths],
        "labels": ["labels", "--database", folder / "labels.db", *limit, "--", *paths],
        "build": ["build", "--out", folder / "set", "--labels", table, *limit],
        "evaluate": ["evaluate", "--out", folder / "evaluation", *limit, "--", table],
    }


def told(name: str, ended: Ended, cases: list[Case]) -> set[str]:
    """Names of the files that a command reported."""
    from tempo_core.console import shown, unescaped
    from trainer.evaluation.answers import read_answers
    from trainer.trainingset.tables import (
        DROPPED,
        TRACKS,
        CollectedTrack,
        DroppedTrack,
        read_table,
    )

    folder = cases[0].path.parent
    if name == "estimate":
        lines = ended.out.decode().removesuffix("\n").split("\n")[1:]
        return {unescaped(line.split("\t")[0]) for line in lines if line.count("\t") == 6}
    if name == "estimate json":
        return {row["path"] for row in json.loads(ended.out)}
    if name == "build":
        kept = read_table(folder / "set" / TRACKS, CollectedTrack)
        dropped = read_table(folder / "set" / DROPPED, DroppedTrack)
        return {track.path.name for track in kept} | {track.path.name for track in dropped}
    if name == "evaluate":
        return {answer.path.name for answer in read_answers(folder / "evaluation" / "tracks.tsv")}
    text = (ended.out + ended.err).decode()
    return {c.path.name for c in cases if f"{shown(c.path.name)}: " in text}


def faults(name: str, ended: Ended, cases: list[Case]) -> list[str]:
    """What a command did wrong, one text each; empty if it kept everything."""
    found = []
    if ended.code != 1:
        found.append(f"exit status {ended.code}")
    if b"Traceback" in ended.out + ended.err:
        found.append("a traceback")
    if ended.peak > MEMORY_LIMIT:
        found.append(f"more than {MEMORY_LIMIT} MiB")
    if any(byte < 32 and byte not in b"\t\n\r" for byte in ended.out + ended.err):
        found.append("control characters")
    try:
        missing = {case.path.name for case in cases} - told(name, ended, cases)
    except (ValueError, csv.Error) as error:
        return [*found, f"unreadable: {error}"]
    if missing:
        found.append(f"nothing about {', '.join(map(repr, sorted(missing)))}")
    return found


def main() -> None:
    """Run the benchmark and print its report."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--no-interrupts", action="store_true", help="leave out Ctrl-C")
    options = parser.parse_args()
    from tempo_core.errors import TempoError

    os.environ["TEMPO_CORE_MODELS"] = "/nonexistent"
    failed = False
    with listener() as (port, visitors), tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "files"
        folder.mkdir()
        cases = make(folder, port)
        with dead_disk(Path(name) / "dead") as dead:
            if dead is not None:
                (folder / "dead.mp3").symlink_to(dead)
                cases.append(Case(folder / "dead.mp3", "never answers", False))
            kinds = {case.kind: sum(c.kind == case.kind for c in cases) for case in cases}
            print(f"{len(cases)} files: {', '.join(f'{n} {kind}' for kind, n in kinds.items())}\n")
            print("| command | exit | seconds | peak MiB | sound ones found | held |")
            print("|---|---|---|---|---|---|")
            for command, args in commands(folder, cases).items():
                ended = run(folder, *args)
                try:
                    problems = faults(command, ended, cases)
                except TempoError as error:
                    problems = [str(error)]
                sound = ""
                if command == "estimate json" and not problems:
                    rows = {row["path"]: row["bpm"] for row in json.loads(ended.out)}
                    wanted = [case for case in cases if case.sound]
                    right = sum(abs((rows[c.path.name] or 0) - c.bpm) < 1 for c in wanted)
                    sound = f"{right} of {len(wanted)}"
                    if right < len(wanted):
                        problems = ["sound files were lost"]
                failed |= bool(problems)
                print(f"| `{command}` | {ended.code} | {ended.wall:.0f} | {ended.peak:.0f} | "
                      f"{sound} | {'; '.join(problems) or 'yes'} |", flush=True)  # fmt: skip
            if not options.no_interrupts:
                print("\n| Ctrl-C in | after seconds | ended after | exit |\n|---|---|---|---|")
                for command, args in commands(folder, cases).items():
                    for after in (0.5, 1.5, 3, 6):
                        ended = run(folder, *args, after=after)
                        bad = ended.wall > 2 or ended.code != 1 or b"Traceback" in ended.err
                        failed |= bad
                        print(f"| `{command}` | {after:g} | {ended.wall:.1f} s | {ended.code}"
                              f"{' **' if bad else ''} |", flush=True)  # fmt: skip
        called = f"{len(visitors)} connections were made"
    print(f"\n{called}; every command ran under a limit of {TIME_LIMIT} s a file.")
    sys.exit(failed or bool(visitors))


if __name__ == "__main__":
    main()
