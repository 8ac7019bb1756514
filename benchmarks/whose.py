"""Random histories of tracks in two libraries: `python benchmarks/whose.py`.

People, other programs, beets and the plugin change some tracks in a random order. Here the value of
a tempo shows whose it is: estimates are even, people's tempi odd, published labels multiples of 10.
After each step every tempo must count as that of its author, and only steps that are meant to may
change a person's tempo. The exit status is 1 if anything was otherwise.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import random
import shutil
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

import beets.ui  # noqa: E402
from beets.library import Item, Library  # noqa: E402
from mediafile import MediaFile  # noqa: E402

import tempo_core  # noqa: E402
from beetsplug.tempo.origin import origin  # noqa: E402
from tempo_core.paces import Pace  # noqa: E402
from tests.audio import drum_pattern, write_audio  # noqa: E402
from tests.beetsplug.conftest import forget_beets  # noqa: E402

SUFFIXES = ("mp3", "flac", "m4a", "ogg")
# Models with the tempo that each finds [BPM]; tempi that people give; the tempo of all labels; and
# numbers that cannot be a tempo.
MODEL_TEMPI = (
    ("model:one@01234567", 125.98),
    ("model:two@89abcdef", 97.96),
    ("model:three@0", 64.0),
)
PERSON_TEMPI = (63, 65, 101, 127, 31, 251)
LABEL_TEMPO = 130.04
IMPOSSIBLE_TEMPI = (-90, 5, 12398)


class Engine:
    """Estimator that answers the tempo it was set to."""

    source, tempo = MODEL_TEMPI[0]

    def __init__(self, **settings: Any) -> None:
        pass

    @property
    def sources(self) -> dict[str, str]:
        """The model that answers, by its task."""
        return {"tempo": type(self).source}

    def estimate(self, path: object, genres: object = ()) -> tempo_core.Estimate:
        tempo = type(self).tempo
        paces = (Pace(tempo, 0.97), Pace(tempo / 2, 0.71), Pace(tempo * 2, 0.3))
        return tempo_core.Estimate(bpm=tempo, confidence=0.99, paces=paces, stability=0.99)


def whose(bpm: int) -> str:
    """Author of a tempo by its value: person, label, model, or nobody (empty)."""
    if not 20 <= bpm <= 400:
        return ""
    if bpm % 2:
        return "person"
    return "label" if bpm % 10 == 0 else "model"


@dataclass
class World:
    """Two libraries with files, and the steps that were taken so far."""

    home: Path
    rng: random.Random
    steps: list[str] = field(default_factory=list)
    confirmed: set[tuple[str, int]] = field(default_factory=set)

    def __post_init__(self) -> None:
        for name in ("a", "b"):
            (self.home / name / "music").mkdir(parents=True)
        (self.home / "new").mkdir()

    def configure(self, name: str, *, auto: bool, write: bool = True) -> None:
        """Write the configuration of a library."""
        home = self.home / name
        (home / "config.yaml").write_text(
            f"directory: {home}/music\nlibrary: {home}/library.db\nplugins: tempo\n"
            "create_backup_before_migrations: no\nthreaded: no\n"
            "import: {autotag: no, quiet: yes, resume: no, copy: yes, "
            "duplicate_action: keep}\n"
            f"tempo: {{threads: 1, auto: {auto!s}, write: {write!s}, "
            "labels: {interval: 0}, sources: [tsv]}\n".lower().replace(str(home).lower(), str(home))
        )

    def beet(self, name: str, *args: str) -> str:
        """Run a command of beets with a library; its output, with an unexpected exit status."""
        os.environ["BEETSDIR"] = str(self.home / name)
        forget_beets()
        out = io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
            try:
                beets.ui.main(list(args))
            except SystemExit as error:
                if error.code and "no track" not in out.getvalue():
                    out.write(f"exit status {error.code}")
        return out.getvalue()

    def items(self, name: str) -> list[Item]:
        """The tracks of a library, with their fields loaded."""
        home = self.home / name
        library = Library(str(home / "library.db"), str(home / "music"))
        items = list(library.items())
        for item in items:
            item.get("tempo_source")
            item.path  # noqa: B018
        library._close()
        return items


def id_of(item: Item) -> int:
    """Number of an item, which must be in a library."""
    assert item.id is not None
    return item.id


def tag_of(path: Path) -> int:
    """Tempo in the tag of a file, 0 if it has none."""
    return int(MediaFile(path).bpm or 0)


def change_tag(path: Path, bpm: int | None, *, drop: bool, touch: bool) -> None:
    """Change the tempo tag of a file as another program does.

    `drop` removes the marker, `touch` sets a later time of change.
    """
    status = path.stat()
    media = MediaFile(path)
    media.bpm = bpm
    if drop:
        media.tempo_marker = None
    media.save()
    times = (status.st_atime, status.st_mtime + 2) if touch else (status.st_atime, status.st_mtime)
    os.utime(path, times)


def step(world: World) -> None:
    """Do one random thing; AssertionError if a tempo counts as another author's or is lost."""
    rng = world.rng
    name = rng.choice("ab")
    items = world.items(name)
    person = rng.choice(PERSON_TEMPI)
    operation = rng.choice(
        ["import", "tempo", "tempo", "tempo", "force ours", "force", "modify", "modify -W",
         "source", "field", "outside", "outside", "update", "write", "move", "cross", "labels",
         "clear", "engine", "impossible"]
    )  # fmt: skip
    if not items and operation not in ("import", "engine"):
        operation = "import"
    before = {item.id: (int(item.bpm or 0), tag_of(item.filepath)) for item in items}
    chosen = rng.choice(items) if items else None
    query = f"id:{chosen.id}" if chosen else ""
    may_change: set[int] | None = set()
    out, args = "", ""
    if operation == "import":
        args = rng.choice(["auto", "no"])
        world.configure(name, auto=args == "auto")
        where = world.home / "new" if rng.random() < 0.8 else world.home / name / "music"
        out = world.beet(name, "import", "-A", *rng.choice([[], ["-W"]]), str(where))
        may_change = None if where.name == "music" else set()
    elif operation == "tempo":
        args = rng.choice(["", "-W", "-p", "-q", "-w", "--retry"])
        out = world.beet(name, "tempo", *args.split())
    elif operation == "force ours":
        out = world.beet(name, "tempo", "-f", "tempo_source::^model:")
    elif operation == "force":
        out = world.beet(name, "tempo", "-f", query)
        assert chosen
        may_change = {id_of(chosen)}
        world.confirmed.discard((name, id_of(chosen)))
    elif operation in ("modify", "modify -W", "clear", "impossible"):
        assert chosen
        value = {"clear": "0", "impossible": str(rng.choice(IMPOSSIBLE_TEMPI))}.get(
            operation, person
        )
        options = "-yW" if operation == "modify -W" or rng.random() < 0.3 else "-y"
        args = f"bpm={value} {options}"
        out = world.beet(name, "modify", options, f"bpm={value}", query)
        may_change = {id_of(chosen)}
        world.confirmed.discard((name, id_of(chosen)))
    elif operation == "source":
        assert chosen
        args = rng.choice(["tempo_source!", "tempo_source=tag", "tempo_source=manual",
                           "tempo_source=model:mine", "tempo_source=label:x"])  # fmt: skip
        out = world.beet(name, "modify", rng.choice(["-y", "-yW"]), args, query)
        if args.endswith("manual"):
            world.confirmed.add((name, id_of(chosen)))
        else:
            world.confirmed.discard((name, id_of(chosen)))
    elif operation == "field":
        assert chosen
        known = chosen.get("tempo_verdict") == "set"  # else the marker is all there is
        fields = ["tempo_bpm", "tempo_verdict", "tempo_paces", "tempo_confidence"]
        args = rng.choice([*fields, "tempo_marker"] if known else fields) + "!"
        out = world.beet(name, "modify", rng.choice(["-y", "-yW"]), args, query)
    elif operation == "outside":
        assert chosen
        drop = rng.random() < 0.5
        args = f"{person} drop={drop}"
        change_tag(chosen.filepath, person, drop=drop, touch=True)
        before[chosen.id] = (before[chosen.id][0], person)
    elif operation == "update":
        args = rng.choice(["", "-M"])
        out = world.beet(name, "update", *args.split())
        may_change = None
    elif operation == "write":
        out = world.beet(name, "write", *rng.choice([[], ["-f"]]))
        may_change = None
    elif operation == "move":
        world.beet(name, "modify", "-y", f"title=T{rng.randrange(1000)}", query)
        out = world.beet(name, "move")
    elif operation == "cross":
        other = "b" if name == "a" else "a"
        args = rng.choice(["auto", "no"])
        world.configure(other, auto=args == "auto")
        assert chosen
        out = world.beet(other, "import", "-A", str(chosen.filepath.parent))
    elif operation == "labels":
        table = world.home / "labels.tsv"
        rows = "".join(
            f"{i.title}\tB\tL\t\t{i.filepath}\t{LABEL_TEMPO}\t\n"
            for i in items
            if rng.random() < 0.7
        )
        table.write_text("title\tartist\talbum\tgenre\tpath\ttempo\tkey\n" + rows)
        out = world.beet(
            name, "tempo-labels", *rng.choice([["--apply"], []]), "--import", str(table),
            "--source", "tags",
        )  # fmt: skip
    elif operation == "engine":
        Engine.source, Engine.tempo = rng.choice(MODEL_TEMPI)
    world.steps.append(f"{name}: {operation} {args} {query}")
    problems = []
    if "Traceback" in out or "exit status" in out:
        problems.append(out)
    for library in "ab":
        for item in world.items(library):
            problems += judge(world, library, item)
    for item in world.items(name):
        if item.id in before and may_change is not None and item.id not in may_change:
            bpm, tag = before[item.id]
            now = int(item.bpm or 0), tag_of(item.filepath)
            if whose(bpm) == "person" and now[0] != bpm:
                problems.append(f"{name} {item.id}: somebody's {bpm} became {now[0]}")
            # A file may lose a person's tempo if beets writes the library's, or by `-f`.
            lost = whose(tag) == "person" and now[1] != tag and whose(now[0]) != "person"
            if lost and operation in ("tempo", "labels", "import", "cross"):
                problems.append(f"{name} {item.id}: somebody's {tag} in the file became {now[1]}")
    if problems:
        raise AssertionError("\n".join([*problems, "after", *world.steps, out]))


def judge(world: World, library: str, item: Item) -> list[str]:
    """Problem with the author that the tempo of a track counts as; empty if it is right."""
    bpm = int(item.bpm or 0)
    said = origin(item)
    kind = said.partition(":")[0]
    counts = {"manual": "person", "tag": "person"}.get(kind, kind)
    if (library, item.id) in world.confirmed and said == "manual":
        return []
    if counts != whose(bpm):
        fields = {k: v for k, v in item.items() if k.startswith("tempo") or k == "bpm"}
        return [f"{library} {item.id}: {bpm} counts as {said!r}, not {whose(bpm)!r}: {fields}"]
    return []


def main() -> None:
    """Run the benchmark and print its report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lives", type=int, default=100, help="(default: %(default)s)")
    parser.add_argument("--steps", type=int, default=25, help="in each (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    tempo_core.Estimator = Engine  # type: ignore[assignment,misc]
    import numpy as np

    wrong = done = 0
    with tempfile.TemporaryDirectory() as temporary:
        songs = []
        for k, suffix in enumerate(SUFFIXES):
            audio = drum_pattern(126, 3, 22050, "house", np.random.default_rng(0))
            songs.append(write_audio(Path(temporary) / f"{k}.{suffix}", audio, 22050))
        Library(f"{temporary}/empty.db", temporary)._close()
        for life in range(options.lives):
            rng = random.Random(f"{options.seed} {life}")
            home = Path(temporary) / f"life{life}"
            home.mkdir()
            world = World(home, rng)
            for k, song in enumerate(rng.sample(songs, 2)):
                copy = shutil.copy(song, home / "new")
                media = MediaFile(copy)
                bpm = rng.choice([None, None, *PERSON_TEMPI])
                media.update({"title": f"T{k}", "artist": "B", "album": "L", "bpm": bpm})
                media.save()
            for name in "ab":
                world.configure(name, auto=True)
                shutil.copy(Path(temporary) / "empty.db", home / name / "library.db")
            Engine.source, Engine.tempo = MODEL_TEMPI[0]
            try:
                for _ in range(options.steps):
                    step(world)
                    done += 1
            except AssertionError as error:
                wrong += 1
                print(f"life {life}:", error, sep="\n", flush=True)
            shutil.rmtree(home)
    print(f"{done} steps in {options.lives} lives: {wrong} went wrong")
    sys.exit(wrong > 0)


if __name__ == "__main__":
    main()
