"""Two front ends and the back end that both share, after Pons et al., ISMIR 2018.

Every front end is a module from windows, (batch, n_frames) or (batch, n_frames, n_mels), to
(batch, n_features, n_steps), with its `n_features`.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .inputs import InputConfig
from .recipe import Sizes, TagRecipe

VERTICAL_SHARES = (0.9, 0.4)  # heights of the vertical filters, relative to the number of bands
VERTICAL_WIDTHS = {7: 0.5, 3: 1.0, 1: 2.0}  # [frames], and how many there are, in channels
HORIZONTAL_LENGTHS = {165: 0.25, 128: 0.5, 64: 1.0, 32: 2.0}  # likewise
SAMPLE_WIDTHS = (1, 1, 2, 2, 2, 4)  # of the blocks on the waveform after the first, in channels
BACK_LENGTH = 7  # [steps] of the filters of the back end


def _block(convolution: nn.Module, n: int, two_dimensional: bool = False) -> nn.Sequential:
    normalise = nn.BatchNorm2d(n) if two_dimensional else nn.BatchNorm1d(n)
    return nn.Sequential(convolution, normalise, nn.ReLU())


class Waveform(nn.Module):
    """Seven blocks of convolutions of length 3, each of which leaves a third of the steps.

    The first has stride 3, the others a pooling of 3: sample-level filters, after Lee, Park, Kim &
    Nam, SMC 2017. A step is 3⁷ samples, 137 ms at 16 kHz.
    """

    def __init__(self, inputs: InputConfig, sizes: Sizes) -> None:
        super().__init__()
        n = sizes.channels
        blocks: list[nn.Module] = [_block(nn.Conv1d(1, n, 3, stride=3), n)]
        for times in SAMPLE_WIDTHS:
            n_out = times * sizes.channels
            blocks += [
                _block(nn.Conv1d(n, n_out, 3, padding=1), n_out),
                nn.MaxPool1d(3, ceil_mode=True),
            ]
            n = n_out
        self.blocks = nn.Sequential(*blocks)
        self.n_features = n

    def forward(self, x: Tensor) -> Tensor:
        """(batch, n_samples) → (batch, n_features, n_steps)."""
        found: Tensor = self.blocks(x[:, None])
        return found


class LogMel(nn.Module):
    """Filters of several shapes on the log-mel spectrogram.

    The vertical ones, up to 7 frames wide, see timbre; their maximum over the height is independent
    of pitch. The horizontal ones, up to 165 frames long, see the mean over the bands, and so rhythm
    and envelopes. A step is a frame, 16 ms.
    """

    def __init__(self, inputs: InputConfig, sizes: Sizes) -> None:
        super().__init__()

        def n_of(times: float) -> int:
            return max(1, round(times * sizes.channels))

        self.normalise = nn.BatchNorm2d(1)
        self.vertical = nn.ModuleList(
            _block(
                nn.Conv2d(
                    1, n_of(times), (max(1, int(share * inputs.n_mels)), width),
                    padding=(0, width // 2),
                ),
                n_of(times), two_dimensional=True,
            )
            for share in VERTICAL_SHARES
            for width, times in VERTICAL_WIDTHS.items()
        )  # fmt: skip
        self.horizontal = nn.ModuleList(
            _block(
                nn.Sequential(
                    nn.ConstantPad1d(((length - 1) // 2, length // 2), 0.0),
                    nn.Conv1d(1, n_of(times), length),
                ),
                n_of(times),
            )
            for length, times in HORIZONTAL_LENGTHS.items()
        )
        self.n_features = len(VERTICAL_SHARES) * sum(map(n_of, VERTICAL_WIDTHS.values())) + sum(
            map(n_of, HORIZONTAL_LENGTHS.values())
        )

    def forward(self, x: Tensor) -> Tensor:
        """(batch, n_frames, n_mels) → (batch, n_features, n_frames)."""
        x = self.normalise(x.transpose(1, 2)[:, None])
        envelope = x.mean(dim=2)  # (batch, 1, n_frames)
        found = [filters(x).amax(dim=2) for filters in self.vertical]
        found += [filters(envelope) for filters in self.horizontal]
        return torch.cat(found, dim=1)


FRONT_ENDS: dict[str, type[Waveform] | type[LogMel]] = {"waveform": Waveform, "logmel": LogMel}


class TagNetwork(nn.Module):
    """A front end, three convolutions, two of them residual, and a dense layer on what they find.

    Time is pooled by its maximum and its mean.
    """

    def __init__(self, recipe: TagRecipe, n_tags: int) -> None:
        super().__init__()
        sizes, n = recipe.sizes, recipe.sizes.filters
        self.front_end = FRONT_ENDS[recipe.inputs.front_end](recipe.inputs, sizes)

        def convolution(n_in: int) -> nn.Sequential:
            return _block(nn.Conv1d(n_in, n, BACK_LENGTH, padding=BACK_LENGTH // 2), n)

        self.first = convolution(self.front_end.n_features)
        self.second, self.third = convolution(n), convolution(n)
        self.shorten = nn.MaxPool1d(2, ceil_mode=True)
        self.dense = nn.Sequential(
            nn.Dropout(sizes.dropout),
            nn.Linear(2 * n, sizes.units),
            nn.BatchNorm1d(sizes.units),
            nn.ReLU(),
            nn.Dropout(sizes.dropout),
            nn.Linear(sizes.units, n_tags),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Logits (batch, n_tags) of windows (batch, n_frames) or (batch, n_frames, n_mels)."""
        x = self.first(self.front_end(x))
        x = self.shorten(x + self.second(x))
        x = x + self.third(x)
        logits: Tensor = self.dense(torch.cat([x.amax(dim=-1), x.mean(dim=-1)], dim=1))
        return logits
