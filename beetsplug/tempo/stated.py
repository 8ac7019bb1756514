"""Paces that a person states for a track: `beet modify tempo_paces_manual="87 174"`.

They are all tempi at which one can move to the track, and replace the estimated paces. A person may
also put them into `tempo_paces`: the plugin itself always writes probabilities there, so tempi
without probabilities are stated paces.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from beets.dbcore import types
from beets.exceptions import UserError

from tempo_core.paces import FASTEST_PACE, OFFERED, SLOWEST_PACE
from tempo_core.tempi import is_tempo

if TYPE_CHECKING:
    from beets.library import Item

STATED_FIELDS = ("tempo_paces_manual", "tempo_paces")  # the first field with stated paces counts
STATED_LIMITS = (SLOWEST_PACE, FASTEST_PACE)  # [BPM] of a stated pace
_NUMBER = r"[1-9]\d{1,2}(\.\d+)?"  # must also be a number of JSON, see `queries`
_FORM = f"{_NUMBER}( {_NUMBER})*"
_PACE = r"\d{1,3}(\.\d+)?:[01](\.\d+)?"
_ESTIMATE = f"{_PACE}( {_PACE})*"
EXPECTED_PACES = (
    f"give tempi from {SLOWEST_PACE:g} to {FASTEST_PACE:g} BPM with spaces between, "
    "such as '87 174'"
)


def read(text: object) -> tuple[float, ...] | None:
    """The tempi [BPM] in a text such as `87 174`, in its order; None for text of another form."""
    if re.fullmatch(_FORM, str(text), re.ASCII) is None:
        return None
    tempi = tuple(float(word) for word in str(text).split(" "))
    return tempi if all(STATED_LIMITS[0] <= tempo <= STATED_LIMITS[1] for tempo in tempi) else None


def read_estimate(text: object) -> list[tuple[float, float]] | None:
    """The pairs (tempo [BPM], probability) in a text such as `128:0.97 64:0.71`.

    None for a text of another form.
    """
    if re.fullmatch(_ESTIMATE, str(text), re.ASCII) is None:
        return None
    words = (word.partition(":") for word in str(text).split(" "))
    return [(float(tempo), float(probability)) for tempo, _, probability in words]


class StatedPaces(types.String):
    """Type of a field for stated paces: tempi separated by spaces; input may also have commas."""

    def parse(self, string: str) -> str:
        text = " ".join(string.replace(",", " ").split())
        tempi = read(text)
        if tempi is None and text:
            raise UserError(f"'{string}' are no paces: {EXPECTED_PACES}")
        return " ".join(f"{tempo:g}" for tempo in tempi or ())

    def from_sql(self, sql_value: Any) -> str:
        # A wrong text in the database is not refused, so that the track can still be loaded.
        return "" if sql_value is None else str(sql_value)


class EstimatedPaces(StatedPaces):
    """Type of a field for paces: tempi, or tempi with probabilities as the plugin writes them."""

    def parse(self, string: str) -> str:
        text = " ".join(string.split())
        return super().parse(string) if read_estimate(text) is None else text


def stated_paces(item: Item) -> tuple[float, ...] | None:
    """The paces [BPM] that a person stated for a track; None if nobody stated any."""
    for field in STATED_FIELDS:
        text = item.get(field, with_album=False)
        tempi = None if text is None else read(text)
        if tempi is not None:
            return tempi
    return None


def paces_of(item: Item, least: float | None = None) -> list[tuple[float, float]]:
    """The paces at which one can move to a track, (tempo [BPM], probability).

    These are the stated paces, with probability 1. Without stated paces they are `bpm` and those
    candidates in `tempo_paces` that are probable enough, the most probable first. For a track that
    was never analysed they are `bpm` and, as guesses with the probability `paces.OFFERED`, half and
    double of it.

    Parameters
    ----------
    least
        Probability that a pace must have, 0 to 1; None means `paces.OFFERED`.
    """
    least = OFFERED if least is None else least
    stated = stated_paces(item)
    if stated is not None:
        return [(tempo, 1.0) for tempo in stated]
    bpm = float(item.bpm) if is_tempo(item.bpm) else 0.0
    text = item.get("tempo_paces", with_album=False)
    found = [(bpm, 1.0)]
    if text is None:
        found += [(bpm / 2, OFFERED), (bpm * 2, OFFERED)]
    else:
        found += read_estimate(text) or ()
    return [known for known in found if known[0] > 0 and known[1] >= least]
