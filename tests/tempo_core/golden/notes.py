"""Recorded notes of made music: `python -m tests.tempo_core.golden.notes` records them anew."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from tempo_core.excerpts import Excerpt
from tempo_core.heard import Heard
from tempo_core.loading import load_rows
from tempo_core.task import answer, ask
from tempo_core.tasks.notes.events import Note
from trainer.synthesis.studies import draw_study
from trainer.synthesis.tones import play

EXPECTED = Path(__file__).with_name("notes.json")
SR, SECONDS, SEEDS = 11025, 12.0, (1, 2, 3)


def heard(seed: int) -> list[Any]:
    """What the shipped model hears in a study: pitch, start and end [s], confidence, velocity."""
    rng = np.random.default_rng(seed)
    notes, _ = draw_study(SECONDS, rng)
    audio = play(notes, SECONDS, SR, rng)
    ((task, model),) = load_rows(["notes"], {"notes": "shipped"})
    music = Heard([Excerpt(audio, 0.0)], SR)
    found: list[Note] = answer(task, ask(task, music, {}, model), music, {}, model).notes
    return [
        [n.pitch, round(n.start, 3), round(n.end, 3), round(n.confidence, 3), n.velocity]
        for n in found
    ]


if __name__ == "__main__":
    record = {str(seed): heard(seed) for seed in SEEDS}
    lines = ",\n".join(f'"{seed}": {json.dumps(notes)}' for seed, notes in record.items())
    EXPECTED.write_text(f"{{\n{lines}\n}}\n")
