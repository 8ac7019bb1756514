"""`beet tempo-notes`: write down the notes of tracks, as MIDI."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from beets.exceptions import UserError

from tempo_core.transcription.choices import FORMATS, PARTS, STEPS

from .. import options

if TYPE_CHECKING:
    from optparse import Values

    from beets import ui
    from beets.library import Library

    from . import Plugin

SECTION = "notes"
# The setting `force` is about estimates; notes are written again only with the option.
OWN = ("force",)


def subcommand() -> ui.Subcommand:
    """Declare the command and its options."""
    command = options.command(
        "tempo-notes",
        "write down the notes of tracks: a draft as MIDI",
        "Writes the notes of the tracks that match into files of their own. It is a draft to work "
        "from: a piano alone comes out best, and in a full mix much is missed and much is there "
        "that nobody plays (on real pop two systems of this kind agree with an F of .33 only). "
        "Tracks whose file of notes is newer than they are skipped. Only reads the library.",
    )
    add = command.parser.add_option
    add("--out", metavar="DIR", help="folder to write to")
    add("--path", metavar="TEMPLATE", help="path of each file in it, as in beets' paths:")
    add("--format", choices=FORMATS, default=None, help=", ".join(FORMATS))
    add(
        "--part", choices=PARTS, default=None,
        help="all notes, the lowest line (bass), or the melody line (top)",
    )  # fmt: skip
    add(
        "--threshold", type="float", metavar="0..1",
        help="how sure the onset of a note must be; less gives more notes",
    )  # fmt: skip
    add(
        "--quantize", action="store_true", default=None,
        help="put the notes on the grid of the tempo",
    )  # fmt: skip
    add(
        "--grid", choices=list(STEPS), default=None,
        help=f"note value of that grid: {', '.join(STEPS)}; t is for triplets",
    )  # fmt: skip
    add("-f", "--force", action="store_true", default=None, help="write again what is there")
    add(
        "-p", "--pretend", action="store_true", default=False,
        help="show what would be written, write nothing",
    )  # fmt: skip
    options.add_quiet(command)
    options.add_threads(command, "tracks to listen to at a time")
    command.parser.add_album_option()
    return command


def check(opts: Values, settings: Any) -> None:
    """Check the options, each for itself and together.

    Raises
    ------
    UserError
        If an option makes no sense; the message names it.
    """
    options.require_whole(opts, ("threads",))
    if opts.threshold is not None and not 0 < opts.threshold < 1:
        raise UserError("--threshold must be a number between 0 and 1")
    if not (opts.quantize or settings.notes.quantize):
        options.refuse(opts, ("grid",), "is for --quantize")
    if opts.path is not None and not opts.path.strip("/ "):
        raise UserError("--path needs a template such as '$albumartist/$album/$track $title'")
    options.require_folder(opts, "out")
    if not (opts.out or settings.notes.out):
        raise UserError("--out says where to write; `notes: out:` in the configuration does too")


def run(plugin: Plugin, lib: Library, settings: Any, query: list[str]) -> None:
    """Write down the notes of the tracks that match."""
    from ..noting import note_library

    note_library(lib, query, settings, plugin._log)
