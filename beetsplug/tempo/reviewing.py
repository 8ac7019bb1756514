"""The work of `beet tempo --review`: somebody hears doubtful tracks and decides, a key for each."""

from __future__ import annotations

import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from beets import ui
from beets.exceptions import UserError

from tempo_core.background import interruptible
from tempo_core.console import counted, explain, shown
from tempo_core.keyboard import keyboard
from tempo_core.levels import OCTAVES, level_of
from tempo_core.tempi import is_tempo

from .applying import estimated_paces
from .by_hand import keep_by_hand, lock, set_by_hand
from .choosing import IN_CONFLICT, IS_LOCKED, IS_REVIEWED, is_doubtful, settle
from .excerpting import ClickedExcerpt
from .guarding import library_errors
from .items import OCTAVE, REVIEWED, bpm_of, locked_tempo, own
from .keeping import store, tried
from .moving import tempo_of
from .origin import Decision
from .playing import Player
from .progress import name_of, print_line
from .queries import HAS_BPM
from .selecting import Selection, as_it_is, ask, each_item, items_of
from .suggesting import usual_octave

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from beets.library import Item, Library
    from beets.logging import BeetsLogger

    from tempo_core.keyboard import Keyboard

KEYS = "k keep 1, o take 2, h half, d double, l keep 1 and lock, 1 2 play, s skip, q quit"
KEPT, CHANGED, SKIPPED = "kept", "changed", "skipped"  # values of `tempo_reviewed`, and
REVIEW_LOCKED = "locked"


@dataclass(frozen=True)
class Readings:
    """Two tempi [BPM] that a track may be counted at, with a word about each."""

    first: float
    second: float
    about_first: str
    about_second: str

    def tempo(self, number: str) -> float:
        """The reading that is called `1` or `2`."""
        return self.first if number == "1" else self.second


def readings_of(item: Item) -> Readings | None:
    """The tempo of a track and what it may be instead; None if there is nothing to choose from.

    If the analysis contradicts a tempo that somebody set, it is their tempo and that of the audio.
    Otherwise it is the tempo of the audio and its more probable half or double.
    """
    heard, tempo = own(item, "tempo_bpm"), tempo_of(item)
    if not (bpm_of(item) and is_tempo(heard)):
        return None
    if own(item, "tempo_verdict") == Decision.CONFLICT.word:
        who = own(item, "tempo_source") or "tag"
        return Readings(float(bpm_of(item)), heard, f"as it stands ({who})", "what the audio says")
    octave = own(item, OCTAVE)
    sure = f", octave {octave:.2f}" if isinstance(octave, float) else ""
    return Readings(tempo, other_octave(item, tempo), f"what the audio says{sure}", "its octave")


def other_octave(item: Item, tempo: float) -> float:
    """The more probable one of half and double of a tempo [BPM], by the estimated paces."""
    probable = {
        level: pace.probability
        for pace in estimated_paces(item)
        if (level := level_of(pace.bpm / tempo, OCTAVES)) not in (None, 1.0)
    }
    if not probable:
        return usual_octave(tempo)
    return tempo * max(probable, key=lambda level: probable[level])


def review_library(lib: Library, args: list[str], settings: Any, log: BeetsLogger) -> None:
    """Ask about the doubtful tracks that match a query, the least sure first; store each answer.

    Raises
    ------
    UserError
        If a file cannot be written, the library cannot be used, or the run was interrupted.
    """
    with library_errors("nothing was changed"):
        if not settings.pretend:
            settle(lib)
        ids = doubtful_tracks(lib, args, settings)
    if settings.pretend:
        for item in items_of(lib, ids):
            if readings := readings_of(item):
                print_line(f"{name_of(item)}: {readings.first:.2f} or {readings.second:.2f} BPM")
        ui.print_(f"tempo: would have: {counted(len(ids), 'track')} to review")
        return
    if not ids:
        ui.print_("tempo: no track to review; --retry asks again about those that were")
        return
    review = _Review(lib, settings, log)
    try:
        with library_errors(lambda: review.summary(len(ids))):
            review.run(ids)
    except KeyboardInterrupt:
        ui.print_()
        told = review.summary(len(ids))
        raise UserError(f"interrupted: {told}; the next run continues from here") from None
    if review.failed:
        raise UserError(review.summary(len(ids)))
    ui.print_(f"tempo: {review.summary(len(ids))}")


def doubtful_tracks(lib: Library, args: list[str], settings: Any) -> list[int]:
    """Ids of the tracks to ask about, the least sure of their octave first.

    They are those whose octave a model is not sure of, and those where the audio contradicts the
    tempo that is there, without locked ones. With the setting `retry` those are among them that
    were asked about before.
    """
    from trainer.learning.suggestions import SURE_OCTAVE

    where = f"{HAS_BPM} AND NOT {IS_LOCKED} AND ({IN_CONFLICT} OR {is_doubtful(SURE_OCTAVE)})"
    if not settings.retry:
        where += f" AND NOT {IS_REVIEWED}"
    selection = Selection(lib, args, album=bool(settings.album), pretend=settings.pretend)
    found = frozenset(selection.ids(where))
    by_octave = ask(
        lib,
        "SELECT items.id FROM items LEFT JOIN item_attributes AS octave "
        f"ON octave.entity_id = items.id AND octave.key = '{OCTAVE}' "
        "ORDER BY ifnull(CAST(octave.value AS REAL), 1), items.id",
    )
    return [id_ for id_ in by_octave if id_ in found]


class _Review:
    """Questions about tracks, and what was answered.

    Attributes
    ----------
    failed
        Number of tracks whose file could not be written.
    """

    def __init__(self, lib: Library, settings: Any, log: BeetsLogger) -> None:
        self.failed = 0
        self._lib = lib
        self._settings = settings
        self._log = log
        self._write = ui.should_write(settings.write)
        self._answers: Counter[str] = Counter()

    def run(self, ids: Sequence[int]) -> None:
        """Ask about tracks until somebody quits."""
        with (
            tempfile.TemporaryDirectory(prefix="beets-tempo-") as folder,
            Player(self._settings.player) as player,
            keyboard() as keys,
        ):
            if player.problem:
                print_line(player.problem)
            for number, item, readings in self._open(ids):
                print_line(f"[{number}/{len(ids)}] {name_of(item)}")
                for k, about in (("1", readings.about_first), ("2", readings.about_second)):
                    print_line(f"  {k}  {readings.tempo(k):7.2f} BPM  {about}")
                excerpt = ClickedExcerpt(item, Path(folder), self._settings.time_limit)
                question = _Question(item, readings, excerpt, player, keys)
                answer = question.ask()
                player.stop()
                if answer is None:
                    return
                self._keep(item, answer, question.tempo)
                ui.print_(
                    f"{answer}: {question.tempo:.2f} BPM\n" if answer != SKIPPED else "skipped\n"
                )

    def _open(self, ids: Sequence[int]) -> Iterator[tuple[int, Item, Readings]]:
        """The tracks that are still to be asked about, each read when its turn comes."""
        for number, item in enumerate(each_item(self._lib, ids), 1):
            readings = readings_of(item)
            if readings is not None and locked_tempo(item) is None:
                yield number, item, readings

    def _keep(self, heard: Item, answer: str, tempo: float) -> None:
        """Store an answer, and write the tempo to the file."""
        item = as_it_is(self._lib, heard)  # listening took a while
        if item is None:
            return
        item[REVIEWED] = answer
        if answer == SKIPPED:
            store(item)
        else:
            set_by_hand(item, tempo, as_it_stands=answer in (KEPT, REVIEW_LOCKED))
            if answer == REVIEW_LOCKED:
                lock(item)
            with interruptible() as stop:  # no write is interrupted
                problem = tried(lambda: keep_by_hand(item, self._write))
            if problem:
                self.failed += 1
                self._log.error("{}: {}", shown(item.path), explain(problem))
            if stop.is_set():
                self._answers[answer] += 1
                raise KeyboardInterrupt
        self._answers[answer] += 1

    def summary(self, n_asked: int) -> str:
        """Counts of the answers in one line."""
        parts = [
            f"{self._answers[answer]} {answer}"
            for answer in (KEPT, CHANGED, REVIEW_LOCKED, SKIPPED)
            if self._answers[answer]
        ]
        parts.append(f"{n_asked - self._answers.total()} left")
        failed = f", {self.failed} failed" if self.failed else ""
        n_labels = self._answers.total() - self._answers[SKIPPED]
        hint = "; `beet tempo-train` learns from the answers" if n_labels else ""
        return f"{counted(n_asked, 'track')} to review: {', '.join(parts)}{failed}{hint}"


class _Question:
    """A question about a track.

    Attributes
    ----------
    tempo
        The tempo [BPM] that was answered.
    """

    def __init__(
        self, item: Item, readings: Readings, excerpt: ClickedExcerpt, player: Player,
        keys: Keyboard,
    ) -> None:  # fmt: skip
        self.tempo = readings.first
        self._item = item
        self._readings = readings
        self._excerpt = excerpt
        self._player = player
        self._keys = keys

    def ask(self) -> str | None:
        """The answer, a value of `tempo_reviewed`; None if somebody quits."""
        self._play("1")
        ui.print_(KEYS)
        tempi = {
            "k": self._readings.first, "l": self._readings.first, "o": self._readings.second,
            "h": self._readings.first / 2, "d": self._readings.first * 2,
        }  # fmt: skip
        while True:
            key = self._keys.read()
            key = key if key is None else key[:1]  # without a terminal, of a line
            if key is None or key == "q":
                return None
            if key == "s":
                return SKIPPED
            if key in ("1", "2"):
                self._play(key)
            elif key in tempi and is_tempo(tempi[key]):
                self.tempo = tempi[key]
                return {"k": KEPT, "l": REVIEW_LOCKED}.get(key, CHANGED)
            elif key in tempi:
                print_line(f"{tempi[key]:.2f} BPM is no tempo")
            else:
                ui.print_(KEYS)

    def _play(self, number: str) -> None:
        """Play the excerpt with clicks at a reading; says why if that is not possible."""
        if not self._player.can_play:
            return
        bpm = self._readings.tempo(number)
        path = self._excerpt.at(bpm)
        if path is None:
            print_line(f"cannot be played: {self._excerpt.problem}")
            return
        self._player.play(path)
        print_line(self._player.problem or f"playing {number}: {bpm:.2f} BPM")
