"""Two networks, each with its input, its loss and the tempo that its output means.

`convblocks`: four convolution blocks and three linear layers on the autocorrelation of every mel
band, which choose among whole tempi within one octave. `mobilenet`: inverted residual blocks on a
tempogram, which answer with one number.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from torch import Tensor, nn

from tempo_core.config import FrontEnd, Windows
from tempo_core.spectrum import Array, compress, onset_strength

FOLD_MIN, FOLD_MAX = 85.0, 170.0  # [BPM] the octave (85, 170] that every label is folded into
N_CLASSES = 86  # 85, 86 … 170 BPM: what tempi of that octave round to
N_LAGS = 256  # [frames] 3.0 s of the autocorrelation of a band
BPM_MIN, BPM_MAX = 40.0, 250.0  # of the regression
TEMPOGRAM_LENGTH, TEMPOGRAM_HOP = 512, 16  # [frames] 5.9 s and 0.19 s
TEMPOGRAM_LAGS = 192  # [frames] 2.2 s, 27 BPM


@dataclass(frozen=True)
class Reference:
    """The functions of one design, like those of `tempo_core.task` for the default network.

    `view` takes features (batch, n_mels, n_frames), `loss` outputs and tempi (batch,) [BPM],
    `decode` turns outputs into tempi (batch,) [BPM], one a window.
    """

    name: str
    view: Callable[[Array], Array]
    make: Callable[[FrontEnd, Windows], nn.Module]
    loss: Callable[[Tensor, Tensor], Tensor]
    decode: Callable[[Tensor], Tensor]
    folds: bool  # whether every answer is within (FOLD_MIN, FOLD_MAX]


def n_frames(front_end: FrontEnd, windows: Windows) -> int:
    """Number of frames in a window."""
    return math.ceil(windows.duration * front_end.fps)


def fold(bpm: Tensor) -> Tensor:
    """Tempi [BPM] moved by octaves into (FOLD_MIN, FOLD_MAX]."""
    octaves = torch.ceil(torch.log2(bpm / FOLD_MAX) - 1e-9)
    return bpm / 2.0**octaves


def band_autocorrelation(features: Array) -> Array:
    """(batch, n_mels, n_frames) → (batch, 1, n_mels, N_LAGS): each band's onsets with themselves.

    Normalised by the energy of the band, so in -1..1; the first lag is one frame.
    """
    onsets = onset_strength(compress(features))
    return _autocorrelation(onsets - onsets.mean(axis=-1, keepdims=True), N_LAGS)[:, None]


def tempogram(features: Array) -> Array:
    """(batch, n_mels, n_frames) → (batch, 1, TEMPOGRAM_LAGS, n_times): local autocorrelation.

    Of the onset envelope, the mean over bands, in pieces under a Hann window (Grosche, Müller &
    Kurth, "Cyclic tempogram", ICASSP 2010).
    """
    envelope = onset_strength(compress(features)).mean(axis=1)
    pieces = sliding_window_view(envelope, TEMPOGRAM_LENGTH, axis=-1)[:, ::TEMPOGRAM_HOP]
    pieces = pieces - pieces.mean(axis=-1, keepdims=True)  # (batch, n_times, length)
    local = _autocorrelation(pieces * np.hanning(TEMPOGRAM_LENGTH + 1)[:-1], TEMPOGRAM_LAGS)
    return np.ascontiguousarray(local.swapaxes(1, 2)[:, None])


def _autocorrelation(x: NDArray[np.floating], n_lags: int) -> Array:
    """Autocorrelation of (…, n) at the lags 1 … n_lags, relative to lag 0; (…, n_lags)."""
    size = 2 ** math.ceil(math.log2(x.shape[-1] + n_lags + 1))  # a length that the transform likes
    lags = np.fft.irfft(np.square(np.abs(np.fft.rfft(x, n=size))), n=size)[..., : n_lags + 1]
    return np.asarray(lags[..., 1:] / np.maximum(lags[..., :1], 1e-6), np.float32)


class ConvBlocks(nn.Module):
    """Four convolution blocks and three linear layers; one logit per whole BPM of the octave."""

    def __init__(self, front_end: FrontEnd, windows: Windows):
        super().__init__()
        blocks: list[nn.Module] = []
        n_in = 1
        for n_out in (16, 32, 64, 64):
            blocks += [
                nn.Conv2d(n_in, n_out, 3, padding=1),
                nn.BatchNorm2d(n_out),
                nn.ReLU(),
                nn.MaxPool2d(2),
            ]
            n_in = n_out
        self.blocks = nn.Sequential(*blocks)
        self.linear = nn.Sequential(
            nn.Flatten(),
            nn.Dropout(0.3),
            nn.Linear(n_in * (front_end.n_mels // 16) * (N_LAGS // 16), 256),
            nn.ReLU(),
            nn.Dropout(0.3),
            nn.Linear(256, 128),
            nn.ReLU(),
            nn.Linear(128, N_CLASSES),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Logits (batch, N_CLASSES) of the input (batch, 1, n_mels, N_LAGS)."""
        return self.linear(self.blocks(x))


def class_loss(logits: Tensor, bpm: Tensor) -> Tensor:
    """Cross entropy of the logits against the class of the folded tempo."""
    target = (fold(bpm).round() - FOLD_MIN).long().clamp(0, N_CLASSES - 1)
    return nn.functional.cross_entropy(logits, target)


def class_tempo(logits: Tensor) -> Tensor:
    """The tempi [BPM] of the most probable classes."""
    return FOLD_MIN + logits.argmax(dim=-1).float()


class InvertedResidual(nn.Module):
    """Widen, convolve each channel by itself, narrow; added to the input where the shapes allow.

    Sandler et al., "MobileNetV2: inverted residuals and linear bottlenecks", CVPR 2018.
    """

    def __init__(self, n_in: int, n_out: int, stride: int, expansion: int = 4):
        super().__init__()
        n_wide = n_in * expansion
        self.layers = nn.Sequential(
            nn.Conv2d(n_in, n_wide, 1, bias=False),
            nn.BatchNorm2d(n_wide),
            nn.ReLU6(),
            nn.Conv2d(n_wide, n_wide, 3, stride, 1, groups=n_wide, bias=False),
            nn.BatchNorm2d(n_wide),
            nn.ReLU6(),
            nn.Conv2d(n_wide, n_out, 1, bias=False),
            nn.BatchNorm2d(n_out),
        )
        self.adds = stride == 1 and n_in == n_out

    def forward(self, x: Tensor) -> Tensor:
        """Maps (batch, n_out, height / stride, width / stride) for (batch, n_in, height, width)."""
        y = self.layers(x)
        return x + y if self.adds else y


class MobileNet(nn.Module):
    """Inverted residual blocks on the tempogram, with one output in 0..1.

    The mean is taken over time only: where something is on the axis of lags is the answer.
    """

    def __init__(self, front_end: FrontEnd, windows: Windows):
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(1, 16, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU6()
        )
        self.blocks = nn.Sequential(
            InvertedResidual(16, 16, 1),
            InvertedResidual(16, 24, 2),
            InvertedResidual(24, 24, 1),
            InvertedResidual(24, 32, 2),
            InvertedResidual(32, 32, 1),
            InvertedResidual(32, 48, 2),
            InvertedResidual(48, 48, 1),
        )
        self.head = nn.Sequential(
            nn.Flatten(), nn.Dropout(0.2), nn.Linear(48 * TEMPOGRAM_LAGS // 16, 128), nn.ReLU6(),
            nn.Linear(128, 1),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        """Output (batch,) in 0..1 of tempograms (batch, 1, TEMPOGRAM_LAGS, n_times)."""
        x = self.blocks(self.stem(x))  # (batch, 48, TEMPOGRAM_LAGS / 16, n_times / 16)
        return self.head(x.mean(dim=-1)).squeeze(-1).sigmoid()


def regression_loss(output: Tensor, bpm: Tensor) -> Tensor:
    """Smooth L1 loss on the scale of the output, on which 0.05 is 10 BPM."""
    target = ((bpm - BPM_MIN) / (BPM_MAX - BPM_MIN)).clamp(0, 1)
    return nn.functional.smooth_l1_loss(output, target, beta=0.05)


def regression_tempo(output: Tensor) -> Tensor:
    """The tempi [BPM] of the outputs."""
    return BPM_MIN + output * (BPM_MAX - BPM_MIN)


REFERENCES = {
    reference.name: reference
    for reference in (
        Reference(
            "convblocks", band_autocorrelation, ConvBlocks, class_loss, class_tempo, folds=True
        ),
        Reference(
            "mobilenet", tempogram, MobileNet, regression_loss, regression_tempo, folds=False
        ),
    )
}
