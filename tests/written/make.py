"""Made `by_0_1_0` with version 0.1.0: everything that it leaves on its user's disk.

    python -m tests.written.make FOLDER

It has to run with that version, whose commands it uses, and need not run with any other. Audio is
generated; absolute paths are replaced by `HERE`, for which a test puts the place of its copy.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
from mediafile import MediaFile

from tempo_core.labels.demo_site import DemoSite
from tests.audio import drum_pattern, write_encoded

HERE = "@HERE@"
SR = 24000  # [Hz]
# Style, tempo it is played at, and the one in its tag; None for no tag.
TRACKS = (
    ("house", 126, 126), ("rock", 88, 88), ("rock", 121, 121), ("dnb", 174, 87), ("dnb", 168, 84),
    ("ballad", 72, 72), ("ballad", 64, 64), ("house", 118, 118), ("shuffle", 92, 92),
    ("shuffle", 132, 132), ("waltz", 90, 90), ("dnb", 170, 85), ("house", 122, None),
    ("rock", 150, None),
)  # fmt: skip
CONFIG = """\
plugins: tempo
directory: music
library: library.db
import: {copy: no, write: no}
tempo: {auto: no, threads: 2}
"""


def main(folder: Path) -> None:
    """Make the folder, which must not be there."""
    music = folder / "music"
    music.mkdir(parents=True)
    for k, (style, bpm, tag) in enumerate(TRACKS):
        audio = drum_pattern(bpm, 14, SR, style, np.random.default_rng(k))
        path = music / f"{k:02d}.opus"
        write_encoded(path, audio[:, None], SR, "opus", "libopus", 24000)
        media = MediaFile(str(path))
        media.title, media.artist, media.album = f"Song {k}", f"Band {k % 7}", f"Album {k % 7}"
        media.bpm = tag
        media.save()
    (folder / "config.yaml").write_text(CONFIG)
    environment = {
        **os.environ, "BEETSDIR": str(folder), "TEMPO_CORE_MODELS": str(folder / "models"),
    }  # fmt: skip

    def run(*command: str) -> str:
        """Some of them fail for tracks that nobody can do anything about; what counts is there."""
        done = subprocess.run(
            [sys.executable, "-m", *command], env=environment, cwd=folder, text=True,
            stdout=subprocess.PIPE, check=False,
        )  # fmt: skip
        print(done.stdout)
        return done.stdout

    def beet(*args: str) -> str:
        return run("beets", *args)

    beet("import", "-qA", "music")
    beet("tempo", "-W")
    beet("modify", "-y", "-W", "title:Song 12", "bpm=61")  # a correction
    beet("tempo-labels", "title:Song 1")
    asked = ("--source", "musicstax", "title:Song 1")
    with DemoSite() as site:  # it does not know them, which is an answer, too
        settings = (
            f"tempo:\n  auto: no\n  threads: 2\n  labels: {{urls: {site.urls}, interval: 0}}\n"
        )
        (folder / "config.yaml").write_text(CONFIG.rpartition("tempo:")[0] + settings)
        beet("tempo-labels", *asked)
    label = ("tempo_source=label:deezer", "tempo_label_source=deezer", "tempo_label_bpm=132")
    beet("modify", "-y", "-W", "title::^Song 9$", *label)  # as `--apply` leaves it
    for k in range(12):
        paces = f"tempo_paces_manual={60 + 5 * k} {120 + 10 * k}"
        beet("modify", "-y", "-W", f"title::^Song {k}$", paces)
    beet("tempo-train", "--method", "shift", "--install-anyway", "-q")
    beet("tempo-train", "--task", "pace", "--install-anyway", "-q")
    run("tempo_core.cli", "build", "--out", "set", *(f"music/{k:02d}.opus" for k in range(4)))
    said = run("tempo_core.cli", "estimate", "--format", "json", "music")
    (folder / "said.json").write_text(said.replace(str(folder), HERE))
    beet("ls", "-f", "$title\t$bpm\t$tempo_bpm\t$tempo_source\t$tempo_verdict")

    for pattern in ("*.bak", "*-shm", "*-wal", "state.pickle"):
        for path in folder.glob(pattern):
            path.unlink()
    shutil.rmtree(folder / "tempo-training" / "paces", ignore_errors=True)  # megabytes of features
    for path in folder.rglob("*.tsv"):
        path.write_text(path.read_text().replace(str(folder), HERE))
    print(json.dumps({str(p.relative_to(folder)): p.stat().st_size for p in folder.rglob("*")}))


if __name__ == "__main__":
    main(Path(sys.argv[1]).absolute())
