"""Everything that version 0.1.0 leaves on a user's disk, and what it answered with it.

    python tests/written_home/make.py --before CHECKOUT --layout-2 CHECKOUT --home /home/me

made `tests/written_home/by_0_1_0`, which `tests/test_written_home.py` opens with the version of
today. It is kept to show what is in that folder and how it came there. It runs the commands of
version 0.1.0 (commit a3ebf7b, `--before`), and one of commit 6d57926 (`--layout-2`), the last whose
models are of layout 2. `--home` is where the user lives: the files below have absolute paths in
them.

    beets/config.yaml                  settings, with `~` in every path
    library.db                         eleven tracks, see `SONGS`
    labels.db, labels-pages.db         what `beet tempo-labels` keeps
    tempo-training/, tempo-eval/       what `beet tempo-train` and `beet tempo-eval` keep
    models/                            of `TEMPO_CORE_MODELS`: three learned models, `active.json`
    my-set/                            of `tempo-core build`
    statements/                        of `tempo-core train --task pace`
    evaluation/                        of `tempo-core evaluate`
    store/                             of `tempo-core labels`
    music/                             rendered, a few kilobits a second
    answers.json                       of version 0.1.0, and the times of the audio files

Models and caches are in `large.tar.xz`. Left out, because they are large and can be made again, are
plots and reports, and all but two of the cached features of paces. A run of `fit` that was killed
is left out too: since training hears music as the estimator does, such a run begins anew.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
PORT = 8765  # of the site that labels come from
SR = 22050  # [Hz]
ENCODERS = {  # container, encoder, bit rate [bit/s]
    ".mp3": ("mp3", "libmp3lame", 24_000),
    ".opus": ("opus", "libopus", 12_000),
    ".m4a": ("ipod", "aac", 24_000),
}
EPOCHS = 3


@dataclass(frozen=True)
class Song:
    """A track of the library; `tag` is a tempo that a person wrote to the file."""

    title: str
    artist: str
    style: str  # of `tests.audio.STYLES`, or speech, or silence
    bpm: float
    suffix: str
    tag: int = 0
    duration: float = 8.0  # [s]

    @property
    def file(self) -> str:
        """Path in the home folder."""
        return f"music/{self.artist} - {self.title}{self.suffix}"


SONGS = (
    Song("Found", "Ada", "house", 126, ".opus"),  # analysed
    Song("Halved", "Ada", "rock", 96, ".mp3", 48),  # a tag, which the analysis agrees with
    Song("Tagged", "Bo", "house", 112, ".opus", 112),
    Song("Wrong", "Bo", "rock", 138, ".mp3", 111),  # a tag, which it disagrees with
    Song("Corrected", "Cy", "dnb", 174, ".m4a"),  # analysed, then `beet modify bpm=174`
    Song("Published", "Cy", "house", 118, ".opus"),  # a label, applied
    Song("Killed", "Di", "house", 104, ".mp3"),  # analysed; the run was killed before the tag
    Song("Stated", "Di", "shuffle", 132, ".opus"),  # analysed; a person stated the paces
    Song("Long", "Ed", "rock", 84, ".opus", duration=26),  # analysed, with a stability
    Song("Talk", "Ed", "speech", 100, ".opus"),  # too little of a pulse to say anything
    Song("Nothing", "Flo", "silence", 100, ".opus"),  # cannot be analysed
)
IN_SET = SONGS[:6:2]  # of the training set: one for each split
FIELDS = (
    "title", "bpm", "initial_key", "tempo_bpm", "tempo_confidence", "tempo_stability",
    "tempo_half", "tempo_double", "tempo_triple", "tempo_paces", "tempo_paces_manual",
    "tempo_source", "tempo_verdict", "tempo_marker", "tempo_failure", "tempo_pending",
    "tempo_label_bpm", "tempo_label_key", "tempo_label_source", "tempo_label_url",
    "tempo_label_status", "tempo_label_verdict", "tempo_label_date",
)  # fmt: skip
FORMAT = "\t".join(f"${name}" for name in FIELDS)
QUERIES = (
    "tempo_source::^model:", "tempo_source::^label:", "tempo_source:tag", "tempo_source:manual",
    "tempo_verdict:set", "tempo_verdict:kept", "tempo_verdict:conflict", "tempo_verdict:unsure",
    "tempo_failure::.", "tempo_pending::.", "tempo_marker::.", "pace:60..70", "pace:120..140",
    "tempo_label_verdict:agree", "tempo_label_status:found",
)  # fmt: skip
CONFIG = f"""\
directory: ~/music
library: ~/library.db
plugins: tempo
create_backup_before_migrations: no
ui: {{color: no}}
import: {{autotag: no, copy: no, quiet: yes, resume: no}}
tempo:
  auto: no
  threads: 1
  sources: [tags, musicstax]
  labels:
    interval: 0
    urls: {{musicstax: "http://127.0.0.1:{PORT}/musicstax"}}
"""
LABELS = (
    "labels", "--database", "store/labels.db", "--source", "tags", "--source", "deezer",
    "--url", f"deezer=http://127.0.0.1:{PORT}/deezer", "--interval", "0",
)  # fmt: skip
EVALUATE = ("evaluate", "my-set", "--split", "all", "--out", "evaluation", "--jobs", "1")
TRAIN = ("train", "--no-install", "--jobs", "1", "--out", "fitted")
PACES = (*TRAIN, "--task", "pace", "statements/paces.tsv")
FIT = (*TRAIN, "--method", "fit", "--epochs", str(EPOCHS), "my-set")
WHERE = """
import beetsplug.tempo, tempo_core, trainer
print(beetsplug.tempo.__file__, tempo_core.__file__, trainer.__file__)
"""
# Kills itself where the library knows what the file is going to say, and the file does not say it.
KILLED = """
import os, signal, beets.ui
from beetsplug.tempo import keeping
keeping.finish = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
beets.ui.main(["tempo", "title:Killed"])
"""


class Computer:
    """A user's home folder and the commands that are run in it."""

    def __init__(self, home: Path, before: Path) -> None:
        self.home, self.before = home, before

    def check(self, version: Path) -> None:
        """Check that the version in a checkout is used, not an installed one."""
        found = self.run("-c", WHERE, version=version).split()
        if not all(Path(place).is_relative_to(version) for place in found):
            sys.exit(f"{version} has not all of it; found are {found}")

    def start(self, *command: str | Path, version: Path | None = None) -> subprocess.Popen[str]:
        """Start Python with the version in a checkout."""
        return subprocess.Popen(
            [sys.executable, *map(str, command)],
            text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=self.home,
            env={
                "PATH": os.environ["PATH"], "LANG": "C.UTF-8", "OMP_NUM_THREADS": "1",
                "HOME": str(self.home), "BEETSDIR": str(self.home / "beets"),
                "TEMPO_CORE_MODELS": str(self.home / "models"), "MPLBACKEND": "Agg",
                "PYTHONPATH": str(version or self.before),
            },
        )  # fmt: skip

    def run(self, *command: str | Path, status: int = 0, version: Path | None = None) -> str:
        """Run Python to its end; its output."""
        process = self.start(*command, version=version)
        out, err = process.communicate()
        print("$", *command, "\n" + out + err, flush=True)
        if process.returncode != status:
            sys.exit(f"{command}: exit status {process.returncode}")
        return out

    def beet(self, *args: str, status: int = 0) -> str:
        """Run `beet`; its output."""
        return self.run("-m", "beets", *args, status=status)

    def core(self, *args: str | Path, status: int = 0, version: Path | None = None) -> str:
        """Run `tempo-core`; its output."""
        return self.run("-m", "tempo_core.cli", *args, status=status, version=version)

    def estimate(self, model: str) -> list[dict[str, Any]]:
        """Estimates of a model for the songs, with `Song.file` as path; the silent one fails."""
        files = [song.file for song in SONGS]
        out = self.core("estimate", "--format", "json", "--model", model, *files, status=1)
        rows: list[dict[str, Any]] = json.loads(out)
        return rows

    @contextmanager
    def site(self) -> Iterator[None]:
        """Context with a running site that has labels of some songs."""
        known = {
            "Published": (118, "A Minor"),
            "Found": (63, "C Major"),
            "Tagged": (112, "G Major"),
        }
        catalogue = self.home / "catalogue.json"
        catalogue.write_text(
            json.dumps([
                {"title": song.title, "artist": song.artist, "bpm": known[song.title][0],
                 "key": known[song.title][1], "duration": song.duration}
                for song in SONGS if song.title in known
            ])
        )  # fmt: skip
        process = self.start(
            "-m", "tempo_core.cli", "demo-site", "--port", str(PORT), "--catalogue", catalogue
        )
        assert process.stdout is not None
        process.stdout.readline()
        try:
            yield
        finally:
            process.send_signal(signal.SIGINT)
            process.wait()
            catalogue.unlink()


def render(computer: Computer) -> None:
    """Write the songs with their tags."""
    sys.path.insert(0, str(computer.before))
    import numpy as np
    from mediafile import MediaFile

    from tests.audio import drum_pattern, speech, write_encoded

    for number, song in enumerate(SONGS):
        rng = np.random.default_rng(number)
        if song.style == "silence":
            audio = np.zeros(round(song.duration * SR), np.float32)
        elif song.style == "speech":
            audio = speech(song.duration, SR, rng)
        else:
            audio = drum_pattern(song.bpm, song.duration, SR, song.style, rng)
        path = computer.home / song.file
        path.parent.mkdir(parents=True, exist_ok=True)
        write_encoded(path, audio[:, None], SR, *ENCODERS[song.suffix])
        media = MediaFile(path)
        media.update({"title": song.title, "artist": song.artist, "bpm": song.tag or None})
        media.save()


def learn(computer: Computer, layout_2: Path) -> list[str]:
    """Train two models for the tempo and one for paces; their names, the oldest first."""
    beet, core, home = computer.beet, computer.core, computer.home
    (home / "labels.tsv").write_text(
        "path\tbpm\tartist\ttitle\n"
        + "".join(f"{s.file}\t{s.bpm:g}\t{s.artist}\t{s.title}\n" for s in IN_SET)
    )
    # By the program of then, which also puts it in use.
    core("build", "--out", "before", "--labels", "labels.tsv", "--jobs", "1", version=layout_2)
    core("train", "before", "--method", "shift", "--install-anyway", version=layout_2)
    shutil.rmtree(home / "before")
    # Somebody counts half as fast as most, and says so of all songs.
    for song in SONGS[:9]:
        beet("modify", "-y", "-W", f"title:{song.title}", f"bpm={song.bpm / 2:g}")
        beet("modify", "-y", f"title:{song.title}", f"tempo_paces_manual={song.bpm / 2:g}")
    beet("modify", "-y", "title:Talk", "tempo_paces_manual=50")
    beet("tempo-train", "--method", "adapt", "--epochs", "100", "--install-anyway")
    beet("tempo-train", "--task", "pace", "--install-anyway")
    for song in SONGS[:10]:
        beet("modify", "-y", "-W", f"title:{song.title}", f"bpm={song.tag}")
        beet("modify", "-y", f"title:{song.title}", "tempo_paces_manual!")
    used = json.loads((home / "models" / "active.json").read_text())
    return [Path(name).stem for name in (*used["tempo"], *used["pace"])]


def analyse(computer: Computer) -> None:
    """Make a library with tracks in every state."""
    beet = computer.beet
    with computer.site():
        beet("tempo-labels", "--apply", "title:Published")
        beet("modify", "-y", "title:Stated", "tempo_paces_manual=66 132 264")
        beet("tempo", "^title:Killed", status=1)
        beet("tempo-labels")
        beet("modify", "-y", "title:Corrected", "bpm=174")
        beet("tempo", "^title:Killed")
    beet("tempo-eval")
    beet("tempo-train", "--no-install", "--out", "fitted")
    process = computer.start("-c", KILLED)
    process.communicate()
    assert process.returncode == -signal.SIGKILL


def collect(computer: Computer) -> None:
    """Run the commands of `tempo-core` that leave files: a training set, an evaluation, labels."""
    core, home = computer.core, computer.home
    (home / "statements").mkdir()
    (home / "statements" / "paces.tsv").write_text(
        "path\tpaces\n" + "".join(f"../{s.file}\t{s.bpm / 2:g} {s.bpm:g}\n" for s in SONGS[:10])
    )
    core(*PACES)
    core("build", "--out", "my-set", "--labels", "labels.tsv", "--cache", "--jobs", "1")
    core(*EVALUATE)
    with computer.site():
        core(*LABELS, "music", status=1)  # of the silent file


def ask(computer: Computer, models: list[str]) -> dict[str, Any]:
    """Answers of this version without a network; changes the home, so it runs last."""
    beet, core, home = computer.beet, computer.core, computer.home
    shipped = (computer.before / "tempo_core" / "models").glob("*.safetensors")
    answers: dict[str, Any] = {
        "mtimes": {song.file: (home / song.file).stat().st_mtime_ns for song in SONGS},
        "shipped": sorted(path.name for path in shipped),
        "tempo": models[:2],
        "pace": models[2],
        "models": core("models").splitlines(),
        "estimates": {name: computer.estimate(name) for name in models[:2]},
        "fields": [line.split("\t") for line in beet("ls", "-f", FORMAT).splitlines()],
        "queries": {q: beet("ls", "-f", "$title", q).split() for q in QUERIES},
        "evaluate": core(*EVALUATE).splitlines(),
        "labels": core(*LABELS, "music", status=1).splitlines(),
        "tempo-train": beet("tempo-train", "--pretend").splitlines(),
        "tempo-eval": beet("tempo-eval").splitlines(),
        "tempo-labels": beet("tempo-labels").splitlines(),
    }
    (home / "labels.db").unlink()
    answers["from pages"] = beet("tempo-labels").splitlines()
    answers["paces"] = core(*PACES).splitlines()
    answers["fit"] = core(*FIT).splitlines()
    return answers


def keep(home: Path, target: Path) -> None:
    """Copy small files into the folder and pack large ones."""
    ignored = ("tensorboard", "plots", "report.html", "state.pickle", "fitted", "*-wal", "*-shm")
    shutil.copytree(home, target, ignore=shutil.ignore_patterns(*ignored, ".*"))
    shutil.rmtree(target / "tempo-training" / "paces")
    for path in sorted((target / "statements" / "paces").iterdir())[2:]:
        path.unlink()
    large = sorted(target.rglob("*.safetensors"))
    with tarfile.open(target / "large.tar.xz", "w:xz", preset=9) as archive:
        for path in large:
            member = archive.gettarinfo(path, path.relative_to(target).as_posix())
            member.uid = member.gid = 0
            member.uname = member.gname = ""
            with path.open("rb") as file:
                archive.addfile(member, file)
    for path in large:
        path.unlink()


def main() -> None:
    """Make the folder `by_0_1_0`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--before", type=Path, required=True)
    parser.add_argument("--layout-2", type=Path, required=True)
    parser.add_argument("--home", type=Path, required=True)
    options = parser.parse_args()
    home, target = options.home, HERE / "by_0_1_0"
    before, layout_2 = options.before.absolute(), options.layout_2.absolute()
    (home / "beets").mkdir(parents=True)
    (home / "beets" / "config.yaml").write_text(CONFIG)
    computer = Computer(home, before)
    computer.check(before)
    computer.check(layout_2)
    render(computer)
    computer.beet("import", str(home / "music"))
    models = learn(computer, layout_2)
    analyse(computer)
    collect(computer)
    shutil.rmtree(target, ignore_errors=True)
    keep(home, target)
    answers = ask(computer, models)
    (target / "answers.json").write_text(json.dumps(answers, indent=1) + "\n")


if __name__ == "__main__":
    main()
