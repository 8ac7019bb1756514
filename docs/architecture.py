"""Draw the architecture from the imports of the files: `python docs/architecture.py`.

Writes `docs/architecture.svg`: the three packages, their rooms, and an arrow from each room to each
of its package that it imports. Rooms of other packages stand as text in the box. What follows from
others is left out: a room that imports a second one may use all that the second one imports.
A room is a folder; modules that lie beside the folders belong to the rooms of `LOOSE`.
"""

from __future__ import annotations

import argparse
import ast
import itertools
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from docs.drawing import Arrow, Box, Picture, Words  # noqa: E402

TARGET = ROOT / "docs" / "architecture.svg"
Graph = dict[str, set[str]]


@dataclass(frozen=True)
class Package:
    """A package: its name in the picture, its fill and outline, and one line about it."""

    name: str
    fill: str
    stroke: str
    about: str


PACKAGES = {
    "beetsplug": Package("beetsplug/tempo", "#e8f1fb", "#4a7fb5", "the plugin; needs beets"),
    "trainer": Package("trainer", "#edf6ea", "#5a9450", "learning and evaluating; needs [train]"),
    "tempo_core": Package("tempo_core", "#fdf3e3", "#c08a3e", "listening and labels; NumPy, PyAV"),
}
# Rooms of modules that lie beside the folders, and the room of all other such modules.
LOOSE = {
    "beetsplug": {
        "work": "analysing by_hand crates excerpting exporting fixing labelling label_batches "
        "mixing moving noting playing reviewing sets suggesting tapping training evaluating "
        "evaluation_summary evaluation_tracks collecting importing sound_tagging filling checking "
        "similar",
        "settings": "settings options guarding",
    },
    "trainer": {},
    "tempo_core": {
        "estimate": "estimate asked answers loading designs",
        "models in use": "checkpoint in_use",
        "task": "task model columns",
        "sounds": "embeddings similarity",
        "audio": "config reading opening excerpts resampling audio spectrum windows listening "
        "heard packets clicks clock",
        "tempi and keys": "levels tempi paces beatgrid keys genres sound_tags markers methods",
    },
}
REST = {"beetsplug": "items", "trainer": "ground", "tempo_core": "ground"}
ABOUT = {
    "beetsplug/plugin": "fields, events, commands",
    "beetsplug/commands": "a module a command",
    "beetsplug/work": "what commands and imports do",
    "beetsplug/items": "fields, tags, queries",
    "beetsplug/settings": "configuration, options",
    "trainer/research": "not in the wheel",
    "trainer/commands": "of tempo-core",
    "trainer/making": "how shipped models are made",
    "trainer/reference": "networks of other designs",
    "trainer/learning": "how somebody counts",
    "trainer/evaluation": "figures, plots, reports",
    "trainer/trainingset": "from a collection",
    "trainer/inputs": "views, cache, augmentation",
    "trainer/synthesis": "music with known beats",
    "trainer/tasks": "losses",
    "trainer/recipes": "settings of training",
    "trainer/ground": "files, options, torch",
    "tempo_core/cli": "tempo-core",
    "tempo_core/estimate": "file → estimate",
    "tempo_core/transcription": "notes as MIDI, parts, grid",
    "tempo_core/exports": "files of DJ programs",
    "tempo_core/models in use": "checkpoint, in_use",
    "tempo_core/tasks": "a folder a task",
    "tempo_core/task": "what a task and a model are",
    "tempo_core/audio": "open, decode, listen",
    "tempo_core/network": "forward pass in NumPy",
    "tempo_core/mixing": "which track after which",
    "tempo_core/sounds": "store, what is alike",
    "tempo_core/engines": "threads, clusters",
    "tempo_core/remote": "audio at addresses",
    "tempo_core/results": "rows, formats, journal",
    "tempo_core/labels": "published tempi and keys",
    "tempo_core/tagging": "change one tag",
    "tempo_core/tempi and keys": "levels, paces, genres",
    "tempo_core/ground": "errors, files, console",
}
BOX = (184.0, 70.0)  # width and height of a room
GAP, ROW, MARGIN, HEAD, SPACE = 18.0, 100.0, 18.0, 36.0, 64.0


def modules(root: Path) -> dict[str, Path]:
    """Python files of the packages, by the names they are imported by."""
    found = {}
    for package in PACKAGES:
        for path in sorted((root / package).rglob("*.py")):
            parts = path.relative_to(root).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imports(name: str, path: Path) -> Iterator[str]:
    """Names that a file imports, anywhere in it, as `module` and as `module.name`."""
    package = name.split(".") if path.name == "__init__.py" else name.split(".")[:-1]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) + 1 - node.level] if node.level else []
            module = ".".join([*above, *(node.module or "").split(".")]).rstrip(".")
            yield from (f"{module}.{alias.name}" for alias in node.names)


def room(name: str, path: Path) -> str | None:
    """`package/room` of a module; None for the file that stands for a whole package."""
    package, *rest = name.split(".")
    if package == "beetsplug":
        rest = rest[1:]
        if not rest:
            return "beetsplug/plugin"
    if not rest:
        return None
    if len(rest) > 1 or path.name == "__init__.py":
        return f"{package}/{rest[0]}"
    for own, names in LOOSE[package].items():
        if rest[0] in names.split():
            return f"{package}/{own}"
    return f"{package}/{REST[package]}"


def rooms(root: Path) -> Graph:
    """Which rooms import which."""
    files = modules(root)
    belongs = {name: room(name, path) for name, path in files.items()}
    graph: Graph = {own: set() for own in belongs.values() if own}
    for name, path in files.items():
        for target in imports(name, path):
            known = target if target in files else target.rpartition(".")[0]
            own, other = belongs[name], belongs.get(known)
            if own and other and own != other:
                graph[own].add(other)
    return graph


def reduced(graph: Mapping[str, set[str]]) -> Graph:
    """The graph without edges that follow from others; edges of a circle all stay."""
    reach = {name: _reachable(graph, name) for name in graph}
    return {
        name: {
            target
            for target in targets
            if name in reach[target]
            or not any(target in reach[other] and name not in reach[other]
                       and other not in reach[target] for other in targets - {target})
        }
        for name, targets in graph.items()
    }  # fmt: skip


def _reachable(graph: Mapping[str, set[str]], start: str) -> set[str]:
    seen: set[str] = set()
    waiting = list(graph[start])
    while waiting:
        name = waiting.pop()
        if name not in seen:
            seen.add(name)
            waiting += graph[name]
    return seen


def levels(graph: Mapping[str, set[str]]) -> dict[str, int]:
    """Row of each room in its package, from the bottom: above all rooms that it imports."""
    level = dict.fromkeys(graph, 0)
    for _ in graph:  # as often as the longest chain of imports can be
        for name in graph:
            below = [level[t] for t in graph[name] if is_inside(name, t) and name not in graph[t]]
            level[name] = max([level[name], *(lower + 1 for lower in below)])
    return level


def is_inside(name: str, target: str) -> bool:
    """Whether two rooms belong to one package."""
    return name.split("/")[0] == target.split("/")[0]


def arranged(graph: Graph, level: Mapping[str, int]) -> tuple[list[list[str]], list[list[str]]]:
    """Rows of a package from the bottom, and for each edge the places it leads through.

    An edge over several rows has a place of its own, `room>room@row`, in each row between. Places
    are ordered by the mean place of their neighbours, so that few edges cross.
    """
    rows: list[list[str]] = [[] for _ in range(max(level[name] for name in graph) + 1)]
    for name in sorted(graph):
        rows[level[name]].append(name)
    lines = []
    for name in sorted(graph):
        for target in sorted(graph[name] & graph.keys()):
            between = range(level[name] - 1, level[target], -1)
            line = [name, *(f"{name}>{target}@{row}" for row in between), target]
            for number, place in zip(between, line[1:-1], strict=True):
                rows[number].append(place)
            lines.append(line)
    near: dict[str, list[str]] = {place: [] for row in rows for place in row}
    for line in lines:
        for upper, lower in itertools.pairwise(line):
            near[upper].append(lower)
            near[lower].append(upper)
    for _ in range(40):
        for row in (*rows, *reversed(rows)):
            at = {place: x for places in rows for place, x in _middles(places).items()}
            mean = {
                p: sum(at[n] for n in near[p]) / len(near[p]) if near[p] else at[p] for p in row
            }
            row.sort(key=lambda place: (mean[place], place))
    return rows, lines


def _width(place: str) -> float:
    return 18.0 if ">" in place else BOX[0]


def _middles(row: list[str]) -> dict[str, float]:
    """Middle of each place of a row, counted from the middle of the row."""
    total = sum(_width(place) + GAP for place in row) - GAP
    x, found = -total / 2, {}
    for place in row:
        found[place] = x + _width(place) / 2
        x += _width(place) + GAP
    return found


@dataclass(frozen=True)
class Column:
    """A package where it stands in the picture: left edge, width, rows from the bottom, edges."""

    package: str
    x: float
    width: float
    rows: list[list[str]]
    lines: list[list[str]]


def columns(graph: Graph) -> list[Column]:
    """The packages beside each other, the one that imports the others on the left."""
    level = levels(graph)
    x, found = MARGIN, []
    for package in PACKAGES:
        own = {name: targets for name, targets in graph.items() if name.startswith(f"{package}/")}
        rows, lines = arranged(own, level)
        width = max(sum(_width(place) + GAP for place in row) for row in rows) + MARGIN
        found.append(Column(package, x, width, rows, lines))
        x += width + SPACE
    return found


def picture(root: Path = ROOT) -> Picture:
    """The drawing."""
    graph = reduced(rooms(root))
    across = columns(graph)
    n_rows = max(len(column.rows) for column in across)
    height = n_rows * ROW + HEAD + 3 * MARGIN
    width = across[-1].x + across[-1].width + MARGIN
    drawn = Picture(width, height, "The packages of beets-tempo and their rooms")
    for column in across:
        _draw(drawn, column, graph, n_rows)
    for left, right in itertools.pairwise(across):
        y = MARGIN + HEAD / 2
        x = left.x + left.width
        drawn.parts += [
            Words((x + right.x) / 2, y - 8, "imports", 11, "#555555", is_centred=True),
            Arrow(((x + 4, y), (right.x - 2, y)), is_across=True),
        ]
    return drawn


def _draw(drawn: Picture, column: Column, graph: Graph, n_rows: int) -> None:
    """One package, its rooms, and the arrows between them."""
    look = PACKAGES[column.package]
    middle = column.x + column.width / 2
    at = {place: (middle + x, row) for row, places in enumerate(column.rows)
          for place, x in _middles(places).items()}  # fmt: skip
    # The highest room of each package is at the top of the picture.
    lift = n_rows - len(column.rows)

    def top(row: int) -> float:
        """Upper edge of the boxes of a row."""
        return 2 * MARGIN + HEAD + (n_rows - 1 - row - lift) * ROW

    bottom = top(0) + BOX[1] + MARGIN
    drawn.parts += [
        Box(column.x, MARGIN, column.width, bottom - MARGIN, look.fill, radius=10),
        Words(middle, MARGIN + 24, look.name, 16, look.stroke, is_bold=True, is_centred=True),
        Words(middle, MARGIN + 42, look.about, 12, "#555555", is_centred=True),
    ]
    for line in column.lines:
        points = []
        for k, place in enumerate(line):
            x, row = at[place]
            points += [(x, top(row))] if k else []
            points += [(x, top(row) + BOX[1])] if k < len(line) - 1 else []
        drawn.parts.append(Arrow(tuple(points)))
    for name in (place for place in at if ">" not in place):
        x, row = at[name]
        y = top(row)
        drawn.parts += [
            Box(x - BOX[0] / 2, y, *BOX, "#ffffff", look.stroke),
            Words(x, y + 19, name.split("/")[1], 13, is_bold=True, is_centred=True),
            Words(x, y + 34, ABOUT.get(name, ""), 10.5, "#555555", is_centred=True),
        ]
        used = sorted(target for target in graph[name] if not is_inside(name, target))
        for k, package in enumerate(PACKAGES):
            theirs = [t.split("/")[1] for t in used if t.startswith(f"{package}/")]
            if theirs:
                n_before = len({t.split("/")[0] for t in used} & {*list(PACKAGES)[:k]})
                drawn.parts.append(
                    Words(x, y + 50 + 14 * n_before, f"\u2192 {', '.join(theirs)}", 10.5,
                          PACKAGES[package].stroke, is_bold=True, is_centred=True)
                )  # fmt: skip


def main() -> None:
    """Write the picture."""
    parser = argparse.ArgumentParser(description="Draw the architecture from the imports.")
    parser.add_argument("--png", type=Path, help="draw it there as well, as PNG")
    options = parser.parse_args()
    drawn = picture()
    TARGET.write_text(drawn.svg(), encoding="utf-8")
    if options.png:
        drawn.save_png(options.png)


if __name__ == "__main__":
    main()
