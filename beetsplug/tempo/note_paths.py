"""Paths of the files that `beet tempo-notes` writes: by a template, and no two tracks in one."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from tempo_core.console import escaped, unescaped
from tempo_core.files import named

if TYPE_CHECKING:
    from beets.library import Item

RECORD = ".tempo-notes.tsv"  # in the folder that is written to


def destination(item: Item, template: str | None, ending: str) -> str:
    """Path of a track's notes within the folder, made valid as beets does for music.

    Parameters
    ----------
    template
        As in beets' `paths:`; None: the path that the library has for the track.
    ending
        Of the name.
    """
    if template is None:
        path = item.destination(relative_to_libdir=True)
    else:
        formats = [("default", template.removesuffix(ending))]
        path = item.destination(relative_to_libdir=True, path_formats=formats)
    place = Path(os.fsdecode(path))
    # beets puts the ending of the audio there; another dot belongs to the title.
    own = item.filepath.suffix
    stem = place.stem if own and place.suffix.lower() == own.lower() else place.name
    return str(place.with_name(named(stem, ending)))


class Owners:
    """Record of whose notes are in which file of a folder.

    Tracks may have the same destination: those behind the first get a number. The record keeps it
    so that a track has the same file in every run, whatever the query. It is a table to which lines
    are added: path in the folder, destination, path of the audio.

    Parameters
    ----------
    folder
        The folder that is written to.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._audio: dict[str, str] = {}  # by the path of the notes
        self._notes: dict[tuple[str, str], str] = {}  # by (destination, path of the audio)
        self._taken: set[str] = set()
        for line in self._lines():
            cells = [unescaped(cell) for cell in line.split("\t")]
            if len(cells) == 3:  # else it was written in part
                self._add(*cells)

    def _lines(self) -> list[str]:
        try:
            text = (self._folder / RECORD).read_text(encoding="utf-8", errors="replace")
        except OSError:
            return []
        return text.split("\n")[:-1]

    def _add(self, path: str, wanted: str, audio: str) -> None:
        self._audio[path] = audio
        self._notes[wanted, audio] = path

    def open(self) -> None:
        """Make the folder and the record, to see early whether they can be written.

        Raises
        ------
        OSError
            If they cannot.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        with (self._folder / RECORD).open("ab+") as file:
            if file.tell() and not self._ends_with_a_line(file):
                file.write(b"\n")

    @staticmethod
    def _ends_with_a_line(file: BinaryIO) -> bool:
        """Whether the last line of the record was written whole."""
        file.seek(-1, os.SEEK_END)
        return file.read(1) == b"\n"

    def take(self, wanted: str, audio: str) -> str:
        """The path of a track's notes in the folder: `wanted`, or that with a number.

        Parameters
        ----------
        wanted
            Its destination.
        audio
            Path of its audio file.
        """
        known = self._notes.get((wanted, audio))
        path, number = known or wanted, 1
        while self._key(path) in self._taken or (path != known and self._is_anothers(path, audio)):
            number += 1
            place = Path(wanted)
            ending = f" ({number}){place.suffix}"
            path = str(place.with_name(named(place.stem, ending)))
        self._taken.add(self._key(path))
        return path

    @staticmethod
    def _key(path: str) -> str:
        """Names that differ in capitals only are one file on many systems."""
        return path.casefold()

    def _is_anothers(self, path: str, audio: str) -> bool:
        """Whether a file is there, with the notes of another track that is still there."""
        owner = self._audio.get(path)
        return (
            owner is not None
            and owner != audio
            and (self._folder / path).exists()
            and os.path.exists(owner)  # noqa: PTH110  # Path raises ValueError for some names
        )

    def note(self, path: str, wanted: str, audio: str) -> None:
        """Record whose notes are about to be written to a path.

        Raises
        ------
        OSError
            If the record cannot be written.
        """
        if self._audio.get(path) == audio and self._notes.get((wanted, audio)) == path:
            return
        with (self._folder / RECORD).open("a", encoding="utf-8") as file:
            file.write("\t".join(map(escaped, (path, wanted, audio))) + "\n")
        self._add(path, wanted, audio)
