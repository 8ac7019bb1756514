"""Recorded sounds of made music: `python -m tests.tempo_core.golden.sounds` records them anew."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from tempo_core.audio import Recorded
from tempo_core.estimate import Estimator
from tempo_core.sound_tags import plain_tags
from tests.audio import drum_pattern, speech

EXPECTED = Path(__file__).with_name("sounds.json")
SR = 22050
STYLES = ("house", "rock", "ballad")
N_DIMS = 12  # numbers of an embedding that are recorded


def heard(name: str) -> dict[str, Any]:
    """Tags and the first numbers of the embedding that the shipped model finds in made music."""
    rng = np.random.default_rng(1)
    audio = speech(20.0, SR, rng) if name == "speech" else drum_pattern(110, 20.0, SR, name, rng)
    estimator = Estimator(tasks=("tags",), models={"tags": "shipped"})
    found = estimator._listen(Recorded(audio, SR))["tags"]
    return {
        "tags": plain_tags(found.tags),
        "embedding": [round(float(value), 3) for value in found.embedding[:N_DIMS]],
    }


if __name__ == "__main__":
    lines = [f"{json.dumps(name)}: {json.dumps(heard(name))}" for name in (*STYLES, "speech")]
    EXPECTED.write_text("{\n" + ",\n".join(lines) + "\n}\n")
