"""Small collections of made sounds with tags, and a recipe for a network of a second."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.audio import write_audio
from trainer.evaluation import tag_figures
from trainer.files import write_tsv
from trainer.research.reference.inputs import InputConfig
from trainer.research.reference.recipe import Cleaning, Sizes, TagRecipe

SR = 8000
SMALL = TagRecipe(
    epochs=3, batch=4, passes=2.0, patience=9,
    inputs=InputConfig("logmel", SR, 16, 1.0), sizes=Sizes(4, 4, 4, 0.2),
    cleaning=Cleaning(least=2),
)  # fmt: skip


def sound(kind: str, seconds: float, seed: int) -> np.ndarray:
    """(n_samples,) a low tone (`deep`) or noise (`noisy`)."""
    rng = np.random.default_rng(seed)
    time = np.arange(round(seconds * SR)) / SR
    if kind == "deep":
        return 0.5 * np.sin(2 * np.pi * rng.uniform(90, 200) * time)
    return 0.3 * np.asarray(rng.standard_normal(time.size))


@pytest.fixture(autouse=True)
def few_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    """Intervals from few draws: of a dozen sounds nobody believes them, and each takes long."""
    monkeypatch.setattr(tag_figures, "N_DRAWS", 5)


@pytest.fixture(scope="session")
def made_sounds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the table `tags.tsv` of twelve sounds of 2.5 s by six artists."""
    folder = tmp_path_factory.mktemp("sounds")
    rows = []
    for k in range(12):
        kind = ("deep", "noisy")[k % 2]
        write_audio(folder / f"{k}.wav", sound(kind, 2.5, k), SR)
        rows.append([f"{k}.wav", f"{kind};all" if k else kind, f"Artist {'ABCDEF'[k // 2]}"])
    write_tsv(folder / "tags.tsv", ["path", "tags", "artist"], rows)
    return folder
