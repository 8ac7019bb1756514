"""The guard set of keys: painted music whose key a learned model must find as often as before.

It is painted when it is needed, in a second or two, always from the same seeds. Part of it is
replayed while learning, the rest is for comparing the models before and after.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tempo_core.config import HarmonyFrontEnd
from tempo_core.keys import Key
from tempo_core.model import Checkpoint
from tempo_core.spectrum import Array
from tempo_core.tasks.key.config import KeyConfig
from tempo_core.tasks.key.decode import key_of

from ..inputs.harmony import seen
from ..synthesis.key_songs import compose
from ..synthesis.painted import Painter

N_SONGS = 16
SECONDS = 12.0  # of a clip
N_COMPARED, N_REPLAYED = 64, 32  # clips
COMPARED_SEED, REPLAYED_SEED = 1, 2


@dataclass(frozen=True)
class PaintedClip:
    """What the network sees of a clip, (2, n_bands, n_frames), and its key."""

    spectra: Array
    key: Key


def paint(front_end: HarmonyFrontEnd, replay: bool) -> list[PaintedClip]:
    """The clips for replay, or those for comparison, as a front end hears them."""
    seed, n_clips = (REPLAYED_SEED, N_REPLAYED) if replay else (COMPARED_SEED, N_COMPARED)
    rng = np.random.default_rng(seed)
    songs = [compose(rng, minor=bool(k % 2)) for k in range(N_SONGS)]
    painter = Painter(songs, front_end, doubted=0.0)
    clips = []
    for _ in range(n_clips):
        features, key = painter.paint(rng, SECONDS)
        clips.append(PaintedClip(seen(features, front_end), key))
    return clips


def answers(clips: list[PaintedClip], model: Checkpoint[KeyConfig]) -> list[Key]:
    """The key that a model finds in each clip, however sure it is."""
    return [key_of(int(model.network(clip.spectra[None])[0].argmax())) for clip in clips]
