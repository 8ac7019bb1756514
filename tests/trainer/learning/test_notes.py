"""Tests of learning notes from a folder of recordings."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from tempo_core.background import Stopped
from tempo_core.config import NotesFrontEnd
from tempo_core.tasks.notes.config import NotesConfig, NotesModel
from tempo_core.tasks.notes.network import build
from trainer.inputs.annotated import Annotated, annotated, batch, spectrum_of
from trainer.inputs.note_folders import Pair
from trainer.learning.note_fitting import NoteRecipe, begin, fit
from trainer.learning.notes import held_out
from trainer.synthesis.studies import draw_study
from trainer.synthesis.tones import play
from trainer.tasks.notes import loss
from trainer.torch_ops import Learnable

FRONT_END = NotesFrontEnd()
TINY = NotesConfig(NotesModel(n_tones=4, n_harmonics=6, n_context=4))


def recordings(n: int) -> list[Annotated]:
    rng = np.random.default_rng(0)
    made = []
    for k in range(n):
        notes, _ = draw_study(4.0, rng)
        audio = play(notes, 4.0, FRONT_END.sr, rng)
        rows = np.array([(n.start, n.end, n.pitch, n.velocity) for n in notes], np.float32)
        made.append(annotated(str(k), audio, rows, spectrum_of(FRONT_END)))
    return made


def fresh() -> Learnable:
    torch.manual_seed(0)
    return begin(Learnable(build(FRONT_END, TINY)))


def on_the_same(network: Learnable) -> float:
    """The loss of a network on examples that do not change."""
    config = replace(TINY, n_frames=32)
    seen, target = batch(recordings(3), FRONT_END, config, 8, np.random.default_rng(9))
    with torch.inference_mode():
        return loss(network.eval()(torch.from_numpy(seen)), torch.from_numpy(target)).item()


def trained(steps: int, seed: int = 0, stop_at: int | None = None) -> tuple[Learnable, list[float]]:
    network = fresh()
    losses: list[float] = []

    def after_step(step: int, error: float) -> None:
        losses.append(error)
        if step == stop_at:
            raise Stopped("enough")

    recipe = NoteRecipe(steps, batch=2, n_frames=32, average=0.8, seed=seed)
    return fit(network, recordings(3), FRONT_END, TINY, recipe, after_step), losses


def test_the_loss_falls_and_the_same_seed_gives_the_same() -> None:
    first, losses = trained(40)
    assert len(losses) == 40
    assert on_the_same(first) < 0.9 * on_the_same(fresh())
    again, repeated = trained(40)
    assert losses == repeated
    for a, b in zip(first.state_dict().values(), again.state_dict().values(), strict=True):
        assert torch.equal(a, b)
    assert trained(2, seed=1)[1] != losses[:2]


def test_a_run_can_be_stopped_after_any_step() -> None:
    with pytest.raises(Stopped):
        trained(40, stop_at=2)


def test_recordings_are_held_out_as_the_folder_says_or_by_lot() -> None:
    pairs = [Pair(Path(f"{k}.wav"), Path(f"{k}.mid")) for k in range(10)]
    held = held_out(pairs, 0)
    assert len(held) == 3
    assert held == held_out(pairs, 0) != held_out(pairs, 1)
    given = [replace(pair, held=pair.audio.stem == "4") for pair in pairs]
    assert held_out(given, 0) == [given[4]]
