"""Pictures of real screens for the guides: `python docs/screens.py`.

Makes the library of `docs/demo` in a temporary folder, runs the commands of `SCREENS` on it, and
writes what each prints to `docs/images/<name>.svg`. What is printed is taken as it is, but for long
outputs, of which the first lines are shown. The plot of the report of `beet tempo-labels` becomes
`docs/images/report-labels.svg`.
"""

from __future__ import annotations

import argparse
import os
import re
import shlex
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
from docs.demo import demo  # noqa: E402
from docs.drawing import MONO_ADVANCE, Box, Picture, Words  # noqa: E402
from tempo_core.labels.demo_site import DemoSite  # noqa: E402

IMAGES = ROOT / "docs" / "images"
SIZE, LINE = 13.0, 19.0  # of the characters, and from one line to the next [pixels]
PLOT = "report-labels"
PAPER, INK, PROMPT, DIM = "#1e2430", "#e6e9ef", "#8fd18a", "#8a94a6"


@dataclass(frozen=True)
class Screen:
    """A picture: its name, the commands in it, and those that are run before and not shown.

    Of each output `n_lines` lines are shown at most. The commands read `typed` as if somebody typed
    it.
    """

    name: str
    commands: tuple[str, ...]
    before: tuple[str, ...] = ()
    n_lines: int = 14
    typed: str = ""


LISTING = "$bpm  $tempo_bpm  $tempo_confidence  $artist - $title"
BY_HAND = "$bpm  $tempo_bpm  $artist - $title: $tempo_paces"
LABELLED = "$title: $tempo_label_bpm $tempo_label_key, from $tempo_label_source"
CORRECTED = {"Night Bus": 87, "Last Stop": 86, "Short Way Home": 76, "Back Porch": 52}
TAG_SETTINGS = r"    decimals: yes\n    camelot_in: comment\n"
# In this order, on one library: what a command changes is there for those after it.
SCREENS = (
    Screen("screen-tempo", ("beet tempo -f", "beet tempo")),
    Screen(
        "screen-queries",
        (
            f"beet ls -f '{LISTING}' bpm:120..130",
            "beet ls -f '$bpm  $artist - $title: $tempo_paces' pace:170..180",
        ),
    ),
    Screen("screen-cadence", ("beet tempo --cadence 170..180", "beet tempo --cadence 85..90")),
    Screen("screen-estimate", ("tempo-core estimate --tasks tempo inbox/new inbox/old/Depot",)),
    Screen(
        "screen-export",
        (
            "beet tempo-export --format rekordbox -o friday.xml --playlist Friday bpm:120..130",
            "beet tempo-labels --import friday.xml --apply -W bpm:120..130",
            f"beet ls -f '{LABELLED}' bpm:120..130",
        ),
        # Their music begins with the first beat of a bar.
        before=("beet modify -y tempo_first_beat=0 tempo_downbeat=0 bpm:120..130",),
    ),
    Screen(
        "screen-labels",
        (
            "beet tempo-labels",
            "beet ls -f '$title: published $tempo_label_bpm, heard $tempo_bpm' "
            "tempo_label_verdict:octave",
        ),
    ),
    Screen(
        "screen-mix",
        ("beet tempo-mix title:Mezzanine",),
        # The demo's music is not in the keys that its site publishes.
        before=("beet modify -y initial_key!", "beet tempo-labels --apply -q"),
    ),
    Screen(
        "screen-set",
        (
            "beet tempo-mix --path 5 --crate 'bpm:115..130' -o set.m3u8 --sheet set.html",
            "head -n 5 set.m3u8",
        ),
    ),
    Screen(
        "screen-train",
        ("beet tempo-train --pretend", "tempo-core models"),
        before=tuple(
            f"beet modify -y bpm={bpm} 'title:{title}'" for title, bpm in CORRECTED.items()
        ),
    ),
    Screen(
        "screen-build",
        ("tempo-core build --out my-set --labels labels.tsv", "ls my-set"),
        before=("beet tempo-labels --export labels.tsv",),
    ),
    Screen(
        "screen-by-hand",
        (
            "beet tempo --half 'title:Last Stop'",
            "beet tempo --set 151.6 --lock 'title:Short Way Home'",
            "beet tempo --half album:Doorframes",
            f"beet ls -f '{BY_HAND}' tempo_source:manual",
        ),
        # As it was before somebody corrected it.
        before=("beet tempo -f -q",),
    ),
    Screen(
        "screen-review",
        ("beet tempo --review",),
        before=("beet tempo -f -q", "beet modify -y bpm=101 title:Milestones", "beet tempo -q"),
        typed="2\no\nk\n",
        n_lines=24,
    ),
    Screen(
        "screen-tags",
        (
            "beet tempo -f album:Floors",
            "beet ls -f '$bpm  $tempo_bpm  $camelot  $title: $comments' album:Floors",
            "mutagen-inspect 'music/Glass Elevator/Floors/02 Atrium.flac' | "
            "grep -E '^(BPM|COMMENT|INITIALKEY|BEETS)'",
        ),
        # `tempo:` is the last section of the demo's configuration.
        before=(
            f"sh -c 'printf \"{TAG_SETTINGS}\" >> beets/config.yaml'",
            "beet modify -y comments='warm-up' album:Floors",
        ),
    ),
)


def printed(command: str, folder: Path, typed: str = "") -> list[str]:
    """Lines that a command prints, in a demo folder; what it says on stderr comes last."""
    shell = demo.Shell(folder)
    program, *arguments = ("sh", "-c", command) if " | " in command else shlex.split(command)
    known = shell.bin / program
    own = {"TEMPO_CORE_MODELS": str(folder / "models"), "COLUMNS": "100"}
    run = subprocess.run(
        [str(known) if known.exists() else program, *arguments],
        env=shell.env | own | {"PATH": f"{shell.bin}{os.pathsep}{os.environ['PATH']}"},
        cwd=folder,
        input=typed,
        capture_output=True,
        text=True,
        check=False,
    )
    text = (run.stdout + run.stderr).replace(str(folder), "/home/me")
    return re.sub(r"\x1b\[[0-9;]*m", "", text).splitlines()


def terminal(title: str, blocks: list[tuple[str, list[str]]]) -> Picture:
    """A terminal with commands and what each prints."""
    lines: list[tuple[str, str]] = []
    for command, output in blocks:
        lines += [(f"$ {command}", PROMPT), *((line, INK) for line in output), ("", INK)]
    lines.pop()
    n_columns = max(60, *(len(line) for line, _ in lines))
    width = n_columns * MONO_ADVANCE * SIZE + 36
    drawn = Picture(width, len(lines) * LINE + 54, title, PAPER)
    for k, fill in enumerate(("#e06c75", "#e5c07b", "#98c379")):
        drawn.parts.append(Box(16 + 18 * k, 13, 10, 10, fill, radius=5))
    for k, (line, fill) in enumerate(lines):
        if line:
            shade = DIM if line.startswith("…") else fill
            drawn.parts.append(Words(18, 50 + k * LINE, line, SIZE, shade, is_mono=True))
    return drawn


def shortened(lines: list[str], n_lines: int) -> list[str]:
    """The first lines and the last one, with a mark where some are left out."""
    if len(lines) <= n_lines:
        return lines
    return [*lines[: n_lines - 2], f"… {len(lines) - n_lines + 1} more", lines[-1]]


def make_library(folder: Path, site: DemoSite) -> None:
    """The demo library, imported and analysed, in an empty folder."""
    for name in ("beets", "home"):
        (folder / name).mkdir(parents=True)
    config = demo.CONFIG.format(demo=folder, musicstax=site.urls["musicstax"])
    # One track at a time, so that the lines come in the same order in every run. And a program that
    # is everywhere in place of a player, which would need a loudspeaker.
    config = config.replace("tempo:\n", "tempo:\n    threads: 1\n    player: echo\n")
    (folder / "beets" / "config.yaml").write_text(config)
    demo.generate(demo.OLD, folder / "inbox" / "old")
    demo.generate(demo.NEW, folder / "inbox" / "new")
    shell = demo.Shell(folder)
    shell.output("beet", "-P", "tempo", "ls", stderr=False)
    for inbox in ("old", "new"):
        shell.output("beet", "import", "-A", "-q", str(folder / "inbox" / inbox), stderr=False)


def made(folder: Path) -> tuple[dict[str, Picture], str]:
    """All screens by their names, and the plot of the report on labels, from the demo library."""
    with DemoSite(demo.catalogue(), with_decoys=False) as site:
        make_library(folder, site)
        pictures = {}
        for screen in SCREENS:
            for command in screen.before:
                printed(command, folder)
            blocks = [
                (command, shortened(printed(command, folder, screen.typed), screen.n_lines))
                for command in screen.commands
            ]
            pictures[screen.name] = terminal("; ".join(screen.commands), blocks)
            if screen.name == "screen-labels":
                printed("beet tempo-labels -q --report report.html", folder)
    report = (folder / "report.html").read_text(encoding="utf-8")
    plot = re.search(r"<svg.*?</svg>", report, re.DOTALL)
    assert plot is not None, "the report has no plot"
    return pictures, plot[0] + "\n"


def main() -> None:
    """Write the pictures."""
    parser = argparse.ArgumentParser(description="Pictures of real screens for the guides.")
    parser.add_argument("--png", type=Path, help="folder to draw the screens in as well, as PNG")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        pictures, plot = made(Path(os.path.realpath(folder)))
    (IMAGES / f"{PLOT}.svg").write_text(plot, encoding="utf-8")
    for name, picture in pictures.items():
        (IMAGES / f"{name}.svg").write_text(picture.svg(), encoding="utf-8")
        if options.png:
            options.png.mkdir(parents=True, exist_ok=True)
            picture.save_png(options.png / f"{name}.png")


if __name__ == "__main__":
    main()
