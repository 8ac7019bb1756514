"""Faults of a collection that are found when a training set is built from it.

It also counts sound tracks that are lost.

The collection has real songs with correct labels (`songs.tsv` in the folder given by --data).
Among them, drawn by the seed, are tracks with a known fault: copies in other formats with other
levels, tags and silence at the start, cut files, silence, labels of other songs, and songs
spliced from two tempi.
"""

from __future__ import annotations

import argparse
import dataclasses
import math
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

import bench
import numpy as np

from tempo_core.audio import read_excerpts
from tests.audio import write_audio
from trainer.inputs.recordings import read_songs
from trainer.trainingset.build import BuildOptions, build
from trainer.trainingset.clean import Reason, contradicts
from trainer.trainingset.tables import LabelledTrack

SR = 24000  # [Hz] of the songs
# Faults: number of tracks with each, and the reasons for which these should be dropped.
FAULTS = {
    "copy in another format": (14, (Reason.DUPLICATE,)),
    "cut file": (10, (Reason.TRUNCATED, Reason.UNREADABLE)),
    "silent for most of its length": (6, (Reason.SILENT,)),
    "a moment of sound": (3, (Reason.TOO_SHORT,)),
    "no audio in it": (4, (Reason.UNREADABLE, Reason.MISSING)),
    "label of another song": (20, (Reason.CONTRADICTED,)),
    "label of another version": (4, (Reason.VERSION,)),
    "label that is no tempo": (4, (Reason.BAD_LABEL, Reason.NO_LABEL)),
    "two tempi": (12, (Reason.UNSTEADY, Reason.CONTRADICTED)),
}
N_DRIFTING = 12  # number of sound tracks whose tempo drifts, as that of a band does
DRIFT = 0.035  # relative, to both sides of the tempo
APART = 1.06  # least ratio of the two tempi in a track with two


def samples(track: LabelledTrack) -> np.ndarray:
    """(n_samples,) audio of a whole track, at `SR`."""
    return read_excerpts(track.path, SR, None)[0].audio


class Faults:
    """Maker of faulty tracks from sound ones, in a folder."""

    def __init__(self, songs: list[LabelledTrack], folder: Path, rng: np.random.Generator) -> None:
        self.songs, self.folder, self.rng = songs, folder, rng
        self.n = 0

    def path(self, suffix: str) -> Path:
        """Path of the next file."""
        self.n += 1
        return self.folder / f"{self.n}{suffix}"

    def make(self, fault: str, song: LabelledTrack) -> LabelledTrack:
        """A track with a fault, one of `FAULTS`, made from a sound song."""
        rng = self.rng
        if fault == "copy in another format":
            before = np.zeros(int(rng.uniform(0, 2) * SR), np.float32)
            audio = np.concatenate([before, rng.uniform(0.4, 1.1) * samples(song)])
            path = self.path(str(rng.choice([".mp3", ".flac", ".m4a", ".ogg"])))
            return self.track(song, write_audio(path, audio, SR), artist="Somebody Else")
        if fault == "cut file":
            path = self.path(str(rng.choice([".mp3", ".flac", ".m4a"])))
            data = write_audio(path, samples(song), SR).read_bytes()
            path.write_bytes(data[: int(rng.uniform(0.3, 0.8) * len(data))])
            return self.track(song, path)
        if fault == "silent for most of its length":
            music = samples(song)[: int(rng.uniform(0, 25) * SR)]
            noise = 3e-5 * rng.standard_normal(60 * SR).astype(np.float32)
            noise[: len(music)] += music
            return self.track(song, write_audio(self.path(".flac"), noise, SR))
        if fault == "a moment of sound":
            audio = samples(song)[: int(rng.uniform(0.05, 5) * SR)]
            return self.track(song, write_audio(self.path(".wav"), audio, SR))
        if fault == "no audio in it":
            path = self.path(".mp3")
            if rng.random() < 0.7:
                path.write_bytes(rng.bytes(50_000))
            return self.track(song, path)
        if fault == "label of another song":
            others = [s for s in self.songs if abs(math.log2(s.bpm / song.bpm)) > 0.06]
            return dataclasses.replace(song, bpm=others[rng.integers(len(others))].bpm)
        if fault == "label of another version":
            return dataclasses.replace(song, label_title=f"{song.title} (Nightcore Remix)")
        if fault == "label that is no tempo":
            bad = rng.choice([math.nan, 0.0, -1.0, 12800.0])
            return dataclasses.replace(song, bpm=float(bad))
        others = [s for s in self.songs if contradicts(s.bpm, song.bpm)
                  and abs(math.log(s.bpm / song.bpm)) > math.log(APART)]  # fmt: skip
        other = samples(others[rng.integers(len(others))])
        audio = np.concatenate([samples(song)[: 30 * SR], other[: 30 * SR]])
        return self.track(song, write_audio(self.path(".flac"), audio, SR))

    def drift(self, song: LabelledTrack) -> LabelledTrack:
        """A song made slower and faster by turns, by up to `DRIFT`."""
        audio = samples(song)
        turns = self.rng.uniform(-1, 1, 6)
        turns[self.rng.permutation(6)[:2]] = -1, 1
        speed = 1 + DRIFT * np.interp(np.linspace(0, 5, audio.size), np.arange(6), turns)
        at = np.cumsum(speed)
        moved = np.interp(at[at < audio.size - 1], np.arange(audio.size), audio)
        return self.track(song, write_audio(self.path(".flac"), moved.astype(np.float32), SR))

    def track(self, song: LabelledTrack, path: Path, artist: str = "") -> LabelledTrack:
        """The track with another file, and another artist if one is given."""
        return dataclasses.replace(song, path=path, artist=artist or song.artist)


def labelled(data: Path) -> Iterator[LabelledTrack]:
    """Tracks of `songs.tsv` in a folder, each with a title of its own."""
    for k, song in enumerate(read_songs(data)):
        yield LabelledTrack(song.path, song.bpm, "table", song.group, f"Song {k}")


def main() -> None:
    """Run the benchmark and print its report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with songs.tsv")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=1)
    args = parser.parse_args()
    rng = np.random.default_rng(args.seed)
    songs = list(labelled(args.data))
    order = [songs[k] for k in rng.permutation(len(songs))]
    # Only copies need their originals; of every other song there is one track.
    n_alone = sum(n for n, _ in FAULTS.values()) - FAULTS["copy in another format"][0] + N_DRIFTING
    sound, rest = order[:-n_alone], order[-n_alone:]
    with tempfile.TemporaryDirectory() as name:
        maker = Faults(songs, Path(name), rng)
        injected: dict[Path, str] = {}
        tracks = list(sound)
        for fault, (n, _) in FAULTS.items():
            for k in range(n):
                song = sound[k] if fault == "copy in another format" else rest.pop()
                track = maker.make(fault, song)
                tracks.append(track)
                injected[track.path] = fault
        drifting = [maker.drift(rest.pop()) for _ in range(N_DRIFTING)]
        tracks += drifting
        options = BuildOptions(jobs=args.jobs, views=False)
        built = build(tracks, Path(name) / "set", options)
        kept = {track.path for track in built.kept}
    reasons: defaultdict[str, Counter[str]] = defaultdict(Counter)
    lost = []
    originals = {track.path: maker_path for track, maker_path in zip(sound, injected, strict=False)}
    for dropped in built.dropped:
        fault = injected.get(dropped.path, "")
        if not fault and dropped.reason == Reason.DUPLICATE and originals.get(dropped.path) in kept:
            fault = "copy in another format"  # of two copies either may be kept
        if fault:
            reasons[fault][dropped.reason] += 1
        else:
            lost.append(f"{dropped.path.name} {dropped.reason} {dropped.detail}")
    print("| fault | made | found | as |\n|---|---:|---:|---|")
    n_found = 0
    for fault, (n, expected) in FAULTS.items():
        found = reasons[fault]
        n_found += found.total()
        told = ", ".join(f"{reason} {count}" for reason, count in found.most_common())
        odd = sum(count for reason, count in found.items() if reason not in expected)
        print(f"| {fault} | {n} | {found.total()} | {told}{' (!)' if odd else ''} |")
    print(f"| all | {len(injected)} | {n_found} ({100 * n_found / len(injected):.0f} %) | |")
    told = f"\nSound tracks: {len(sound)}, and {len(drifting)} that drift; dropped: {len(lost)}"
    print(told, *lost, sep="\n- ")
    missed = [p for p in kept & set(injected) if injected[p] != "copy in another format"]
    for path in sorted(missed):
        print(f"- not found: {injected[path]}, {path.name}")
    print(f"\n{bench.machine()}")


if __name__ == "__main__":
    main()
