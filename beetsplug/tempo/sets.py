"""The sets of `beet tempo-mix --path N`: tracks in an order in which each mixes with the next."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from beets.exceptions import UserError

from tempo_core.console import counted as told_count
from tempo_core.console import shown
from tempo_core.mixing.energy import course
from tempo_core.mixing.sheet import Sheet, SheetTrack

from .crates import loudness_of
from .mixing import the_one_with_tempo, told_left_out, told_likeness, told_pitch
from .moving import show, tempo_of
from .playlists import write_playlist, write_whole
from .set_search import best_set, candidates_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from beets.library import Library
    from beets.logging import BeetsLogger

    from .crates import Crate
    from .set_search import Step, Wanted


@dataclass(frozen=True)
class Output:
    """Where a set goes.

    Attributes
    ----------
    format_
        Format of a line, see `describe`; None prints the columns and the format of beets.
    playlist, sheet
        Files to write the set to, as playlist and as a page; None writes none.
    relative_to
        Folder that the paths in the playlist are relative to.
    """

    format_: str | None = None
    playlist: str | None = None
    relative_to: str | None = None
    sheet: str | None = None


def list_set(
    lib: Library, args: list[str], crate: Crate, wanted: Wanted, output: Output, log: BeetsLogger
) -> None:
    """Print a set, and write it to files if asked to.

    Nothing in the library changes, except that keys read from files are stored.

    Parameters
    ----------
    args
        Query for the first track; without one the set may begin with any of the crate.

    Raises
    ------
    UserError
        If the query does not match exactly one track with a tempo, if no two tracks can be joined,
        or if a file cannot be written.
    """
    start = the_one_with_tempo(lib, args) if args else None
    candidates, n_unsteady = candidates_of(lib, start, crate)
    left_out = [(n_unsteady, "unsteady track", "--unsteady")]
    if not candidates:
        raise UserError(f"no track of the crate has a tempo{told_left_out(left_out)}")
    steps = best_set(lib, candidates, crate, wanted, has_start=start is not None)
    if len(steps) < min(2, wanted.n):
        what = f"{shown(str(start))} and another" if start else "any two tracks"
        raise UserError(
            f"no transition within {wanted.pitch:g} % and in keys that fit joins {what} of "
            f"{told_count(len(candidates), 'track')}{told_left_out(left_out)}"
        )
    for number, step in enumerate(steps, 1):
        describe(number, step, output.format_, with_sound=wanted.sounds is not None)
    if output.playlist is not None:
        write_playlist(output.playlist, [step.item for step in steps], output.relative_to)
    if output.sheet is not None:
        write_whole(output.sheet, _sheet(steps, wanted, has_start=start is not None).html())
    if len(steps) < wanted.n:
        log.warning(
            "{} of {} tracks; more could not be joined within {:g} % and in keys that fit{}",
            len(steps), wanted.n, wanted.pitch, told_left_out(left_out),
        )  # fmt: skip


def describe(number: int, step: Step, format_: str | None, *, with_sound: bool = False) -> None:
    """Print a line about a track of a set.

    Its columns, which `format_` may contain, are those of `mixing.describe`, of which `mix_pitch`
    is empty for the first track, and `mix_number` and `mix_energy`.
    """
    sound = {"mix_sound": told_likeness(step.likeness)} if with_sound else {}
    way = step.transition
    harmony = way.harmony if way else ""
    show(
        step.item,
        format_,
        mix_number=f"{number:3}",
        mix_bpm=f"{tempo_of(step.item):6.2f}",
        mix_pitch=told_pitch(way.pitch) if way else 7 * " ",
        mix_energy=f"{step.energy:4.1f}",
        **sound,
        mix_key=f"{step.key.camelot if step.key else '-':3} {harmony:9}",
        mix_relation=way.relation if way else "",
    )


def _sheet(steps: Sequence[Step], wanted: Wanted, *, has_start: bool) -> Sheet:
    """The page about a set; `has_start` says that its first track was given."""
    curve = course(wanted.curve, wanted.n, steps[0].energy if has_start else None)
    return Sheet(
        [
            SheetTrack(
                step.item.title or step.item.filepath.stem, step.item.artist or "",
                tempo_of(step.item), step.key, step.energy, step.item.length or 0.0,
                loudness_of(step.item) is not None, step.transition,
            )
            for step in steps
        ],
        wanted.curve,
        curve[: len(steps)].tolist(),
        wanted.pitch,
    )  # fmt: skip
