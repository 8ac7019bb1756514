"""Tests of the designs of the reference networks: their views, their classes, that they learn."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tempo_core.config import FrontEnd, Windows
from tempo_core.spectrum import mel_spectrogram
from tests.audio import click_track
from trainer.inputs.views import filterbank
from trainer.reference.networks import (
    FOLD_MAX,
    FOLD_MIN,
    N_CLASSES,
    REFERENCES,
    band_autocorrelation,
    fold,
    n_frames,
    tempogram,
)

FRONT_END = FrontEnd()
LENGTH = n_frames(FRONT_END, Windows(10.0, 5.0))


def features_of(bpm: float, duration: float = 14) -> np.ndarray:
    audio = click_track(bpm, duration, FRONT_END.sr)
    return mel_spectrogram(audio, FRONT_END, filterbank(FRONT_END))


@pytest.mark.parametrize("bpm", [30.0, 85.0, 85.01, 100.0, 170.0, 170.01, 340.0, 41.3])
def test_folding_changes_the_octave_only(bpm: float) -> None:
    folded = float(fold(torch.tensor(bpm)))
    assert FOLD_MIN - 1e-3 < folded <= FOLD_MAX + 1e-3
    assert np.log2(folded / bpm) == pytest.approx(round(np.log2(folded / bpm)), abs=1e-5)


def test_every_tempo_of_the_octave_has_its_class() -> None:
    reference = REFERENCES["convblocks"]
    for bpm in np.linspace(85.01, 170, 40):
        logits = torch.full((1, N_CLASSES), -30.0)
        for k in range(N_CLASSES):
            logits[0, k] = 30.0
            if float(reference.loss(logits, torch.tensor([bpm]))) < 1e-3:
                break
            logits[0, k] = -30.0
        assert float(reference.decode(logits)[0]) == pytest.approx(bpm, abs=0.5 + 1e-6)


@pytest.mark.parametrize("bpm", [70.0, 100.0, 140.0])
def test_the_views_peak_at_the_beat(bpm: float) -> None:
    window = features_of(bpm)[None, :, :LENGTH]
    lag = 60 * FRONT_END.fps / bpm
    acf = band_autocorrelation(window)[0, 0].mean(axis=0)
    local = tempogram(window)[0, 0].mean(axis=-1)
    for curve in (acf, local):
        lags = np.arange(1, curve.size + 1)
        near = curve[np.abs(lags - lag) <= 1.5].max()
        between = curve[(lags > 0.3 * lag) & (lags < 0.8 * lag)].max()
        assert near > 0.5
        assert near > 2 * between


@pytest.mark.slow
@pytest.mark.parametrize("name", REFERENCES)
def test_one_batch_can_be_learned(name: str) -> None:
    tempi = [90.0, 105.0, 120.0, 135.0, 150.0, 165.0]
    windows = np.stack([features_of(bpm)[:, :LENGTH] for bpm in tempi])
    reference = REFERENCES[name]
    torch.manual_seed(0)
    network = reference.make(FRONT_END, Windows(10.0, 5.0))
    optimizer = torch.optim.AdamW(network.parameters(), 2e-3)
    seen = torch.from_numpy(reference.view(windows))
    for _ in range(150):
        optimizer.zero_grad()
        reference.loss(network(seen), torch.tensor(tempi)).backward()
        optimizer.step()
    with torch.inference_mode():
        found = reference.decode(network.eval()(seen)).numpy()
    np.testing.assert_allclose(found, tempi, rtol=0.06)
