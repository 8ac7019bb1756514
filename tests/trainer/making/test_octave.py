"""The octave is learned anew: what follows of a member after its bands are pooled."""

from __future__ import annotations

import numpy as np
import torch

from tempo_core import checkpoint
from tempo_core.config import FrontEnd
from tempo_core.tasks.tempo.periodicity import N_MAPS
from trainer.inputs.cache import Views
from trainer.inputs.views import STRETCH_MARGIN
from trainer.making.octave import begin, member_of, pooled

MODEL = checkpoint.load(checkpoint.resolve("shipped"))


def test_the_learned_part_begins_as_the_model_is() -> None:
    rng = np.random.default_rng(0)
    n_bins = MODEL.config.grid.n_bins
    maps = np.zeros((2, N_MAPS, 40, n_bins + 2 * STRETCH_MARGIN), np.float16)
    # Nothing near the ends of the axis, beyond which the two ways differ.
    maps[..., 60:140] = rng.random((2, N_MAPS, 40, 80))
    statistics = rng.random((2, 160)).astype(np.float32)
    inside = slice(STRETCH_MARGIN, -STRETCH_MARGIN)
    for k in range(MODEL.config.model.n_members):
        member = member_of(MODEL, k)
        whole = member(maps[..., inside].astype(np.float32), statistics)
        (kept,) = pooled([Views(maps, statistics, 2)], member)
        head = begin(member, FrontEnd(), MODEL.config).eval()
        with torch.no_grad():
            part = head(torch.from_numpy(kept.maps[..., inside].astype(np.float32)),
                        torch.from_numpy(statistics))  # fmt: skip
        middle = slice(20, 160)
        np.testing.assert_allclose(part.numpy()[:, middle], whole[:, middle], atol=0.03)
