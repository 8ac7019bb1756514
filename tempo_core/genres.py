"""Genres of a track: names as people write them, brought into families.

The families are those of the tree by which beets' plugin `lastgenre` canonicalises genres. It is a
data file of beets, which is read here whether or not the plugin is in use. Without beets there is
no tree, and every name is a family of its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Genres = str | Iterable[str]  # what a field or a tag says: one text or several

DEPTH = 2  # levels of the tree whose nodes are families: electronic, and drum and bass in it
MOST_NAMES = 16  # of one track; tags may hold anything
LONGEST_NAME = 60  # [characters]
_SEPARATORS = re.compile(r"[;,/|\\\0␀\n]+")
_FILLERS = re.compile(r"[\W_]+")


def names_of(genres: Genres) -> tuple[str, ...]:
    """The names in what a field or a tag says of the genre, in small letters, each once.

    Parameters
    ----------
    genres
        One text or several, each of which may hold several names with separators between them:
        `Hip-Hop/Rap; Pop`.
    """
    return tuple(dict.fromkeys(name.lower() for name in parts_of(genres)))[:MOST_NAMES]


def parts_of(genres: Genres) -> Iterator[str]:
    """The names in what a field or a tag says, as they are written, see `names_of`."""
    texts = [genres] if isinstance(genres, str) else genres
    for text in texts:
        for part in _SEPARATORS.split(text):
            if name := part.strip()[:LONGEST_NAME]:
                yield name


def families_of(genres: Genres) -> frozenset[str]:
    """The families of what a field or a tag says of the genre: `liquid funk` is of two,
    `drum and bass` and `electronic`.
    """
    tree = genre_tree()
    return frozenset(family for name in names_of(genres) for family in tree.families(name))


def is_genre(name: str) -> bool:
    """Whether the tree has a name, in any spelling."""
    return genre_tree().has(name)


def membership(genres: Genres, families: Sequence[str]) -> NDArray[np.float32]:
    """(1 + n_families,) 1 if the genre is known, then 1 for each family that the track is of.

    All others are 0; all are 0 where no genre is known.
    """
    own = families_of(genres)
    return np.array([bool(own), *(family in own for family in families)], np.float32)


class GenreTree:
    """A tree of genres, and other spellings of their names.

    Parameters
    ----------
    tree
        Lists, and objects with the lists below a name, as in beets' `genres-tree.yaml`.
    aliases
        Patterns of spellings by the name they stand for, which may refer to groups of the pattern.
    listed
        Names of genres as `lastgenre` lists them; those of the tree by default.
    """

    def __init__(self, tree: Any = (), aliases: Any = None, listed: Iterable[str] = ()):
        self._listed = {_key(name): name for name in listed}
        self._lineages: dict[str, tuple[str, ...]] = {}
        for lineage in _lineages(tree, ()):
            self._lineages.setdefault(_key(lineage[-1]), lineage)
        self._aliases = [
            (re.compile(pattern, re.IGNORECASE), name)
            for name, patterns in (aliases or {}).items()
            for pattern in patterns
        ]

    def families(self, name: str) -> tuple[str, ...]:
        """Families of a genre, the widest first; the genre itself if the tree lacks it."""
        name = self._spelled(name)
        known = self._lineages.get(_key(name))
        return known[:DEPTH] if known else (_key(name) or name,)

    def canonical(self, name: str) -> str:
        """A genre as the list spells it: `hip hop` of `Hip-Hop`, `drum and bass` of `DnB`.

        One that nobody knows stays as it is, in small letters and without what people write
        differently.
        """
        key = _key(self._spelled(name))
        lineage = self._lineages.get(key)
        return self._listed.get(key) or (lineage[-1] if lineage else key or name)

    def listed(self, name: str) -> str:
        """The narrowest genre above a canonical one that is listed; itself if it is, or if none is.

        `lastgenre` takes it in place of a genre that it does not list.
        """
        above = (self._listed.get(_key(one)) for one in reversed(self.lineage(name)))
        return next((one for one in above if one), name)

    def lineage(self, name: str) -> tuple[str, ...]:
        """The names above a canonical one in the tree and itself, the widest first, canonical."""
        known = self._lineages.get(_key(name), ())
        return tuple(dict.fromkeys(self.canonical(one) for one in known)) or (name,)

    def has(self, name: str) -> bool:
        """Whether a genre is in the tree."""
        return _key(self._spelled(name)) in self._lineages

    def _spelled(self, name: str) -> str:
        for pattern, canonical in self._aliases:
            if found := pattern.fullmatch(name):
                return found.expand(canonical)
        return name


def _lineages(part: Any, above: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """Every name in a part of a tree, after the names above it."""
    if isinstance(part, dict):
        for name, below in part.items():
            yield (*above, str(name).lower())
            yield from _lineages(below, (*above, str(name).lower()))
    elif isinstance(part, (list, tuple)):
        for one in part:
            yield from _lineages(one, above)
    elif part is not None:
        yield (*above, str(part).lower())


def _key(name: str) -> str:
    """A name without what people write differently: `Hip-Hop` and `hip hop` have the same."""
    return _FILLERS.sub(" ", name.lower()).strip()


@cache
def genre_tree() -> GenreTree:
    """The tree of the beets that is installed, an empty one if there is none that can be read."""
    try:
        spec = find_spec("beetsplug.lastgenre")  # found, not loaded: loading it needs more packages
    except ImportError:
        spec = None
    if spec is None or spec.origin is None:
        return GenreTree()
    folder = Path(spec.origin).parent
    return GenreTree(
        _read(folder / "genres-tree.yaml"), _read(folder / "aliases.yaml"), _listed(folder)
    )


def _listed(folder: Path) -> list[str]:
    """The names in the list of beets' genres, in small letters; none if it has no such file."""
    try:
        lines = (folder / "genres.txt").read_text("utf-8").splitlines()
    except (OSError, ValueError):
        return []
    return [name.lower() for line in lines if (name := line.strip()) and not name.startswith("#")]


def _read(path: Path) -> Any:
    """Content of a YAML file of beets; None if it has no such file, as older versions have not."""
    import yaml

    try:
        return yaml.safe_load(path.read_text("utf-8"))
    except (OSError, ValueError, yaml.YAMLError):
        return None
