"""The tagger that the tags network learns from: MSD_musicnn, out of the wheel of musicnn 0.1.0.

Its answers are used in development only; nothing of it is in the package. The wheel cannot be
installed beside today's NumPy, but it is an archive with the weights in it, as a bundle of
TensorFlow: `pip download musicnn==0.1.0 --no-deps`. Here is a reader of such bundles, and the
network's forward pass in torch.

Pons and Serra, "musicnn: Pre-trained convolutional neural networks for music audio tagging", 2019;
ISC licence. It was trained on the Last.fm tags of the Million Song Dataset.
"""

from __future__ import annotations

import hashlib
import struct
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

import librosa
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from tempo_core.errors import ConfigError, reason

Array = NDArray[np.float32]

SR, N_FFT, HOP, N_MELS = 16000, 512, 256, 96
WINDOW = 187  # frames
SECONDS = WINDOW * HOP / SR  # of a window
EPSILON = 1e-3  # added to variances, as TensorFlow does
AT_ONCE = 4  # windows that go through the network together
N_TAGS, N_DIMS = 50, 200
FLOAT = 1  # number of the type in a bundle
LARGEST = 64 << 20  # [bytes] of a member of the wheel; its weights have 3 MB
LARGEST_INDEX = 1 << 20  # [bytes]; it has 3 kB
LONGEST_KEY = 1000  # [bytes] of a name in a bundle
LONGEST_NUMBER = 10  # [bytes] of 7 bits
MEMBERS = "musicnn/MSD_musicnn/.index", "musicnn/MSD_musicnn/.data-00000-of-00001"
# In the order of its output, as it names them.
TAGS = (
    "rock", "pop", "alternative", "indie", "electronic", "female vocalists", "dance", "00s",
    "alternative rock", "jazz", "beautiful", "metal", "chillout", "male vocalists", "classic rock",
    "soul", "indie rock", "mellow", "electronica", "80s", "folk", "90s", "chill", "instrumental",
    "punk", "oldies", "blues", "hard rock", "ambient", "acoustic", "experimental",
    "female vocalist", "guitar", "hip-hop", "70s", "party", "country", "easy listening", "sexy",
    "catchy", "funk", "electro", "heavy metal", "progressive rock", "60s", "rnb", "indie pop",
    "sad", "house", "happy",
)  # fmt: skip


class Musicnn:
    """The tagger, ready to answer.

    Parameters
    ----------
    wheel
        Path of `musicnn-0.1.0-py3-none-any.whl`.

    Raises
    ------
    ConfigError
        If it is not that wheel.
    """

    def __init__(self, wheel: Path):
        try:
            with zipfile.ZipFile(wheel) as archive:
                index, data = (_member(archive, name) for name in MEMBERS)
            weights = read_bundle(index, data)
            self._weights = {
                name: torch.from_numpy(value.copy()) for name, value in weights.items()
            }
            self._forward(torch.zeros(1, WINDOW, N_MELS))  # all weights are there, and fit
        except (
            OSError, KeyError, ValueError, EOFError, RuntimeError, ConfigError, zlib.error,
            zipfile.BadZipFile,
        ) as error:  # fmt: skip
            raise ConfigError(
                f"{wheel}: is not the wheel of musicnn 0.1.0 ({reason(error)})"
            ) from error
        self.name = f"musicnn {hashlib.sha256(data).hexdigest()[:16]}"

    def answers(self, path: Path) -> Array:
        """(n_windows, N_TAGS + N_DIMS) of a file: probabilities of `TAGS`, then its last layer.

        Windows follow each other every `SECONDS`; what is left over at the end is not heard.
        """
        # Read as the tagger's own program does it: with another filter its answers differ.
        audio, _ = librosa.load(path, sr=SR)
        spectrum = spectrogram(audio)
        starts = range(0, len(spectrum) - WINDOW + 1, WINDOW)
        windows = [spectrum[first : first + WINDOW] for first in starts]
        found = [
            self._forward(torch.from_numpy(np.stack(windows[first : first + AT_ONCE])))
            for first in range(0, len(windows), AT_ONCE)
        ]
        empty = torch.zeros(0, N_TAGS + N_DIMS)
        return np.asarray(torch.cat([empty, *found]).numpy())

    @torch.no_grad()
    def _forward(self, spectra: Tensor) -> Tensor:
        """(n, WINDOW, N_MELS) → (n, N_TAGS + N_DIMS)."""
        x = self._norm(spectra[:, None], 0)
        tall = F.pad(x, (0, 0, 3, 3))
        front = [self._norm(self._conv(tall, n), n + 1).amax(3) for n in (0, 1)]
        for n, width in ((2, 128), (3, 64), (4, 32)):
            # TensorFlow's padding `same` of an even kernel has one more at the end.
            wide = F.pad(x, (0, 0, (width - 1) // 2, width // 2))
            front.append(self._norm(self._conv(wide, n), n + 1).amax(3))
        first = torch.cat(front, 1)
        one = self._over_time(first, 5)
        two = self._over_time(one, 6) + one
        three = self._over_time(two, 7) + two
        all_ = torch.cat([first, one, two, three], 1)
        # Maximum and mean of a channel stand next to each other.
        pooled = torch.stack([all_.amax(2), all_.mean(2)], 2).flatten(1)
        hidden = F.relu(self._norm(pooled, 9) @ self._of("dense/kernel") + self._of("dense/bias"))
        last = self._norm(hidden, 10)
        tags = torch.sigmoid(last @ self._of("dense_1/kernel") + self._of("dense_1/bias"))
        return torch.cat([tags, last], 1)

    def _over_time(self, x: Tensor, n: int) -> Tensor:
        """A convolution over time and all channels, (n, n_channels, n_frames)."""
        padded = F.pad(x.transpose(1, 2)[:, None], (0, 0, 3, 3))
        return self._norm(self._conv(padded, n), n + 1)[..., 0]

    def _conv(self, x: Tensor, n: int) -> Tensor:
        name = f"conv2d_{n}" if n else "conv2d"
        kernel = self._of(f"{name}/kernel").permute(3, 2, 0, 1)
        return F.relu(F.conv2d(x, kernel, self._of(f"{name}/bias")))

    def _norm(self, x: Tensor, n: int) -> Tensor:
        name = f"batch_normalization_{n}" if n else "batch_normalization"
        shape = (-1, *(1 for _ in x.shape[2:]))
        gamma, beta, mean, variance = (
            self._of(f"{name}/{part}").reshape(shape)
            for part in ("gamma", "beta", "moving_mean", "moving_variance")
        )
        return (x - mean) / torch.sqrt(variance + EPSILON) * gamma + beta

    def _of(self, name: str) -> Tensor:
        return self._weights[name]


def spectrogram(audio: Array) -> Array:
    """(n_samples,) at `SR` → (n_frames, N_MELS) as the tagger was trained with."""
    mel = librosa.feature.melspectrogram(
        y=audio, sr=SR, hop_length=HOP, n_fft=N_FFT, n_mels=N_MELS
    ).T
    rounded = mel.astype(np.float16).astype(np.float32)
    return np.asarray(np.log10(10000 * rounded + 1), np.float32)


def _member(archive: zipfile.ZipFile, name: str) -> bytes:
    """A file of an archive; more than `LARGEST` bytes are never unpacked."""
    with archive.open(name) as opened:
        data = opened.read(LARGEST + 1)
    if len(data) > LARGEST:
        raise ValueError(f"{name} is larger than {LARGEST} bytes")
    return data


def read_bundle(index: bytes, data: bytes) -> dict[str, Array]:
    """Tensors of float32 in a bundle of TensorFlow (a checkpoint of one shard), by name.

    The index is a sorted table: blocks of keys that share prefixes, and a footer that points to
    the block of all blocks. Its values are protocol buffers with shape, offset and size. Blocks
    follow each other, as do keys, and tensors share no bytes, so that reading takes no more time
    and memory than the bundle has bytes.

    Raises
    ------
    ConfigError
        If it is no such bundle.
    """
    try:
        if len(index) > LARGEST_INDEX:
            raise ValueError(f"the index is larger than {LARGEST_INDEX} bytes")
        return dict(_tensors(index, data))
    except (ValueError, IndexError, KeyError, TypeError, OverflowError, struct.error) as error:
        raise ConfigError(f"is no bundle of tensors ({reason(error)})") from error


def _tensors(index: bytes, data: bytes) -> Iterator[tuple[str, Array]]:
    """Names and tensors of a bundle."""
    footer = index[-48:]
    place = 0
    for _ in range(2):  # the block of statistics, which is not needed
        _, place = _number(footer, place)
    first, place = _number(footer, place)
    size, place = _number(footer, place)
    end, last, left = 0, None, len(data)
    for _, handle in _entries(index, first, size):
        begin, place = _number(handle, 0)
        length, _ = _number(handle, place)
        if begin < end:
            raise ValueError("blocks overlap")
        end = begin + length
        for key, value in _entries(index, begin, length):
            if last is not None and key <= last:
                raise ValueError("the keys are not sorted")
            last = key
            about = _message(value)
            if not key or about.get(1, [0])[0] != FLOAT:
                continue
            dims = _message(about[2][0]).get(2, []) if 2 in about else []
            shape = [_message(dim).get(1, [1])[0] for dim in dims]
            offset, n_bytes = about.get(4, [0])[0], about[5][0]
            left -= n_bytes
            if left < 0:
                raise ValueError("the tensors have more bytes than there are")
            values = np.frombuffer(data[offset : offset + n_bytes], "<f4")
            yield key.decode(), values.reshape(shape)


def _number(data: bytes, place: int) -> tuple[int, int]:
    """A number of variable length, and the place behind it."""
    value = 0
    for k in range(LONGEST_NUMBER):
        byte = data[place + k]
        value |= (byte & 127) << 7 * k
        if byte < 128:
            return value, place + k + 1
    raise ValueError("a number is too long")


def _entries(data: bytes, first: int, size: int) -> Iterator[tuple[bytes, bytes]]:
    """Keys and values of a block of the table."""
    block = data[first : first + size]
    (n_restarts,) = struct.unpack("<I", block[-4:])
    end, place, key = size - 4 - 4 * n_restarts, 0, b""
    while place < end:
        shared, place = _number(block, place)
        own, place = _number(block, place)
        length, place = _number(block, place)
        key = key[:shared] + block[place : place + own]
        if len(key) > LONGEST_KEY:
            raise ValueError("a name is too long")
        place += own
        yield key, block[place : place + length]
        place += length


def _message(data: bytes) -> dict[int, list]:
    """Fields of a protocol buffer, by their numbers."""
    fields: dict[int, list] = {}
    place = 0
    while place < len(data):
        tag, place = _number(data, place)
        number, kind = tag >> 3, tag & 7
        if kind == 0:
            value: int | bytes
            value, place = _number(data, place)
        else:
            size = {1: 8, 5: 4}.get(kind)
            if size is None:
                size, place = _number(data, place)
            value = data[place : place + size]
            place += size
        fields.setdefault(number, []).append(value)
    return fields
