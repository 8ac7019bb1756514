"""A beets library from nothing: `make demo`.

Generates a dozen tracks of known tempo in several formats under demo/, imports them into a beets
library of their own, and runs the commands a user would. Published labels come from a site that
runs here as well, with the mistakes such sites make. Nothing outside demo/ is read or written;
every run starts afresh.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import shlex
import shutil
import subprocess
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from mediafile import MediaFile

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPOSITORY))
from tempo_core.labels.demo_site import DemoSite, Entry, decoys  # noqa: E402
from tests.audio import drum_pattern, write_audio  # noqa: E402

SR = 44100  # [Hz]

CONFIG = """\
directory: {demo}/music
library: {demo}/library.db
plugins: tempo
import:
    copy: yes
tempo:
    sources: [musicstax]
    labels:
        interval: 0.05
        urls: {{musicstax: "{musicstax}"}}
"""


@dataclass(frozen=True)
class Track:
    """What is generated: the tempo is known because it is played at it."""

    artist: str
    title: str
    album: str
    bpm: float
    style: str
    suffix: str
    duration: float  # [s]


# In the library before the plugin is switched on.
OLD = (
    Track("Glass Elevator", "Mezzanine", "Floors", 126, "house", "mp3", 40),
    Track("Glass Elevator", "Atrium", "Floors", 124.5, "house", "flac", 35),
    Track("Glass Elevator", "Roof Garden", "Floors", 121.37, "house", "opus", 30),
    Track("The Lintels", "Short Way Home", "Doorframes", 151.6, "rock", "mp3", 30),
    Track("The Lintels", "Rain Gauge", "Doorframes", 117, "rock", "m4a", 40),
    Track("The Lintels", "Paper Boats", "Doorframes", 72, "ballad", "ogg", 40),
    Track("Subfloor", "Night Bus", "Depot", 174, "dnb", "mp3", 30),
    Track("Subfloor", "Last Stop", "Depot", 171.5, "dnb", "wav", 20),
    Track("Two Left Feet", "Back Porch", "Barn", 104, "shuffle", "m4a", 35),
)
# Imported afterwards, and analysed on the way in.
NEW = (
    Track("Glass Elevator", "Basement", "Shafts", 128, "house", "mp3", 40),
    Track("The Lintels", "Milestones", "Fences", 87, "rock", "flac", 40),
)
# People count drum and bass at 87 as well as at 174, and so may a model.
OPEN_OCTAVE = {"dnb"}


# What the site publishes: right but for these, and what is to become of them.
PUBLISHED_BPM = {"Night Bus": 87, "Short Way Home": 76, "Back Porch": 113}
ONLY_OTHER_VERSIONS = {"Rain Gauge"}
TWO_PAGES = {"Basement": 112}  # the tempo on the second one
FLAKY = {"Paper Boats"}  # answered with 503 at first
LABELS = {
    "Night Bus": "octave", "Short Way Home": "octave", "Back Porch": "conflict",
    "Rain Gauge": "not_found", "Basement": "ambiguous",
}  # fmt: skip


def catalogue() -> list[Entry]:
    """The pages of the site: one for most tracks, and decoys around each."""
    pages = []
    for number, track in enumerate((*OLD, *NEW)):
        page = Entry(
            track.title,
            track.artist,
            PUBLISHED_BPM.get(track.title, round(track.bpm)),
            "A Minor",
            track.album,
            track.duration,
            layout=("2022", "2024")[number % 2],
            trouble="flaky" if track.title in FLAKY else "",
        )
        pages += decoys(page)
        if track.title not in ONLY_OTHER_VERSIONS:
            pages.append(page)
        if track.title in TWO_PAGES:
            pages.append(dataclasses.replace(page, album="Best of", bpm=TWO_PAGES[track.title]))
    return pages


def generate(tracks: tuple[Track, ...], folder: Path) -> None:
    """Write tagged audio files, an album a folder."""
    for number, track in enumerate(tracks, 1):
        rng = np.random.default_rng(list(track.title.encode()))
        audio = drum_pattern(track.bpm, track.duration, SR, track.style, rng)
        path = folder / track.album / f"{number:02} {track.title}.{track.suffix}"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_audio(path, np.repeat(audio[:, None], 2, axis=1), SR)
        media = MediaFile(path)
        media.update(
            {
                "artist": track.artist,
                "albumartist": track.artist,
                "album": track.album,
                "title": track.title,
                "track": number,
            }
        )
        media.save()


class Shell:
    """Runs commands of this Python environment as a user would type them, and shows them."""

    def __init__(self, demo: Path) -> None:
        self.bin = Path(sysconfig.get_path("scripts"))
        # Neither the user's beets nor the user's home takes part.
        self.env = os.environ | {"BEETSDIR": str(demo / "beets"), "HOME": str(demo / "home")}

    def output(self, *command: str, stderr: bool = True) -> str:
        program, *arguments = command
        return subprocess.run(
            [str(self.bin / program), *arguments],
            env=self.env,
            cwd=REPOSITORY,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=None if stderr else subprocess.DEVNULL,
            check=True,
            text=True,
        ).stdout

    def show(self, *command: str) -> None:
        print(f"$ {shlex.join(command)}", flush=True)
        print(self.output(*command), flush=True)


def verdicts(shell: Shell) -> dict[str, list[str]]:
    """What became of each track: one line each under `right`, `octave` or `wrong`."""
    lines = shell.output("beet", "ls", "-f", "$title\t$bpm\t$tempo_bpm").splitlines()
    found = {title: (bpm, precise) for title, bpm, precise in (line.split("\t") for line in lines)}
    result: dict[str, list[str]] = {"right": [], "octave": [], "wrong": []}
    for track in (*OLD, *NEW):
        bpm, precise = found.get(track.title, ("", ""))
        line = f"{track.title}: played at {track.bpm:g}, estimated {precise or 'nothing'}"
        # The fields are text here: "" stands for a track that was not analysed.
        if not precise or int(bpm) != int(float(precise) + 0.5):
            result["wrong"].append(f"{line}, bpm is {bpm}")
        elif abs(float(precise) - track.bpm) <= 0.1:
            result["right"].append(line)
        elif min(abs(float(precise) - track.bpm * ratio) for ratio in (0.5, 2)) <= 0.1:
            kind = "octave" if track.style in OPEN_OCTAVE else "wrong"
            result[kind].append(f"{line}, which is the same beat counted differently")
        else:
            result["wrong"].append(line)
    return result


def check_labels(shell: Shell) -> list[str]:
    """A line for each track whose label was not judged as it should be."""
    lines = shell.output(
        "beet", "ls", "-f", "$title\t$tempo_label_status\t$tempo_label_verdict"
    ).splitlines()
    wrong = []
    for title, status, verdict in (line.split("\t") for line in lines):
        became = verdict if status == "found" else status
        expected = LABELS.get(title, "agree")
        if became != expected:
            wrong.append(f"{title}: the label is {became} and should be {expected}")
    return wrong


def main() -> int:
    parser = argparse.ArgumentParser(description="Build and query a small beets library.")
    parser.add_argument(
        "--folder", type=Path, default=REPOSITORY / "demo", help="made afresh (default: demo/)"
    )
    parser.add_argument("--check", action="store_true", help="fail if an estimate is wrong")
    options = parser.parse_args()
    demo: Path = options.folder.resolve()
    if demo.exists() and any(demo.iterdir()) and not (demo / "beets" / "config.yaml").exists():
        parser.error(f"{demo} is not empty and not a demo; name another folder")
    shutil.rmtree(demo, ignore_errors=True)
    for folder in ("beets", "home"):
        (demo / folder).mkdir(parents=True)
    with DemoSite(catalogue(), with_decoys=False) as site:
        return run(demo, site, check=options.check)


def run(demo: Path, site: DemoSite, *, check: bool) -> int:
    """Everything that is shown; the exit status."""
    config = CONFIG.format(demo=demo, musicstax=site.urls["musicstax"])
    (demo / "beets" / "config.yaml").write_text(config)

    print(f"Generating {len(OLD) + len(NEW)} tracks in {demo} …\n", flush=True)
    generate(OLD, demo / "inbox" / "old")
    generate(NEW, demo / "inbox" / "new")
    shell = Shell(demo)

    # beets migrates even a library that it has just made, and says so at length.
    shell.output("beet", "-P", "tempo", "ls", stderr=False)

    def inbox(name: str) -> str:
        return os.path.relpath(demo / "inbox" / name, REPOSITORY)

    print("A library from before the plugin (-P switches it off) …\n")
    shell.show("beet", "-P", "tempo", "import", "-A", "-q", inbox("old"))
    print("… is analysed with one command. The tempo goes into the files' tags as well.\n")
    shell.show("beet", "tempo")
    print("New music is analysed while it is imported.\n")
    shell.show("beet", "import", "-A", "-q", inbox("new"))
    print("Everything around 125 BPM, to mix:\n")
    fields = "$artist - $title: $bpm ($tempo_bpm, $tempo_confidence) paces $tempo_paces"
    shell.show("beet", "ls", "-f", fields, "bpm:120..130")
    print("Everything to run to at 170 to 180 steps a minute, half-time and double-time too:\n")
    shell.show("beet", "ls", "-f", fields, "pace:170..180")
    print("The same as a runner wants it, with the pace to use; and what mixes with a track:\n")
    shell.show("beet", "tempo", "--cadence", "170..180")
    shell.show("beet", "tempo-mix", "title:Mezzanine")
    print("What does it sound like, and what sounds like this?\n")
    shell.show("beet", "tempo-tags")
    shell.show("beet", "ls", "-f", "$artist - $title: $sound_tags", "sound:house")
    shell.show("beet", "tempo-similar", "title:Mezzanine", "--max", "3")
    print("What does a song-information site say? (One that runs here, with the usual mistakes.)\n")
    report = os.path.relpath(demo / "report.html", REPOSITORY)
    shell.show("beet", "tempo-labels", "--report", report)
    print("An octave is a matter of how one counts; a conflict needs a listener:\n")
    fields = "$artist - $title: published $tempo_label_bpm, heard $tempo_bpm ($tempo_label_verdict)"
    shell.show("beet", "ls", "-f", fields, "tempo_label_verdict::octave|conflict")
    print(f"The report with a plot is {report}. The next run asks nobody:\n")
    n_requests = len(site.hits)
    shell.show("beet", "tempo-labels", "title:Mezzanine")
    asked_again = len(site.hits) - n_requests
    print("Without beets:\n")
    first = next((demo / "inbox" / "old").rglob("*Mezzanine*"))
    shell.show("tempo-core", "estimate", os.path.relpath(first, REPOSITORY))
    print(f"To look around: BEETSDIR={os.path.relpath(demo / 'beets')} {shell.bin}/beet ls\n")

    found = verdicts(shell)
    for line in found["octave"] + found["wrong"]:
        print(line)
    n_right, n_octave = len(found["right"]), len(found["octave"])
    print(
        f"{n_right} of {len(OLD) + len(NEW)} tracks within 0.1 BPM of the tempo played"
        + (f", {n_octave} of half or double that." if n_octave else ".")
    )
    alike = shell.output("beet", "tempo-similar", "title:Mezzanine", "-f", "$artist", "--max", "1")
    is_alike = alike.strip() == "Glass Elevator"
    if not is_alike:
        print(f"What sounds most like Glass Elevator is by {alike.strip()}.")
    wrong_labels = check_labels(shell)
    for line in wrong_labels:
        print(line)
    print(f"{len(OLD) + len(NEW) - len(wrong_labels)} labels judged as they should be.")
    is_wrong = found["wrong"] or wrong_labels or asked_again or not is_alike
    return 1 if check and is_wrong else 0


if __name__ == "__main__":
    sys.exit(main())
