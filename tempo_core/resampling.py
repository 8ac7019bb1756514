"""Decoded frames of any format, resampled and mixed down to mono float32 at one sample rate."""

from __future__ import annotations

from typing import Any

import av
import numpy as np

from .errors import AudioError, reason

RESAMPLED_AT_ONCE = 0.4  # [s] of audio per call of the resampler
MOST_MIXED_CHANNELS = 8  # of files with more, whose order is not defined, the first two are heard
# Onsets of a band cancel in the mean of two channels if less than this share of them is left.
CANCELLED_SHARE = 0.3
NOTICED_SHARE = 0.1  # of all onsets that a band must have for a cancellation to matter
NOT_FINITE = "contains samples that are not finite numbers (NaN or Inf)"


class Resampler:
    """Converter of contiguous frames of any format to one or two channels at one sample rate.

    Frames are collected up to `RESAMPLED_AT_ONCE`, because for most codecs a call of the filter
    costs more than its work on one frame. Where the format changes, as in joined files, a new
    filter starts.
    """

    def __init__(self, sr: int):
        self._sr = sr
        self._layout: str | None = None  # of the output: mono or stereo
        self._format: tuple[str, str, int] | None = None
        self._filter: av.AudioResampler | None = None
        self._waiting = av.AudioFifo()
        self._chunks: list[np.ndarray] = []
        self.n_ready = 0  # resampled samples that `take` can give

    def push(self, frame: av.AudioFrame) -> None:
        """Add a frame; resample what has been added once it is `RESAMPLED_AT_ONCE` long."""
        if frame.layout.nb_channels > MOST_MIXED_CHANNELS:
            frame = _front(frame)
        form = (frame.format.name, frame.layout.name, frame.sample_rate)
        if form != self._format:
            self._drain()
            self._format = form
            if self._layout is None:
                self._layout = "mono" if frame.layout.nb_channels == 1 else "stereo"
            self._filter = av.AudioResampler(format="fltp", layout=self._layout, rate=self._sr)
            self._waiting = av.AudioFifo()
        frame.pts = None  # the time stamps of files may jitter: time is counted in samples
        self._waiting.write(frame)
        if self._waiting.samples >= RESAMPLED_AT_ONCE * frame.sample_rate:
            self._filter_frame(self._waiting.read())

    def end(self) -> np.ndarray:
        """(1 or 2, n_samples) all audio that was pushed and not taken."""
        self._drain()
        if not self._chunks:
            return np.zeros((1, 0), np.float32)
        return np.concatenate(self._chunks, axis=1)

    def take(self, n_samples: int) -> np.ndarray:
        """(n_samples,) the first samples that are ready, as mono."""
        ready = np.concatenate(self._chunks, axis=1)
        self._chunks = [ready[:, n_samples:]]
        self.n_ready -= n_samples
        return mix(ready[:, :n_samples], self._sr)

    def _filter_frame(self, frame: av.AudioFrame | None) -> None:
        if self._filter is None:
            return
        try:
            parts = self._filter.resample(frame)
        except (ValueError, av.error.FFmpegError) as error:
            raise AudioError(f"cannot be brought to {self._sr} Hz ({reason(error)})") from error
        for part in parts:
            self._chunks.append(part.to_ndarray())
            self.n_ready += part.samples

    def _drain(self) -> None:
        if self._waiting.samples:
            self._filter_frame(self._waiting.read())
        self._filter_frame(None)


def mix(channels: np.ndarray, sr: int) -> np.ndarray:
    """Channels (1 or 2, n_samples) to mono (n_samples,): their mean, unless onsets cancel in it.

    Sounds that are in opposite phase in two channels cancel in the mean. Where that happens to the
    onsets of some octave, the channel with more onsets is taken instead.

    Raises
    ------
    AudioError
        If a sample of two channels is not a finite number.
    """
    if channels.shape[0] == 1:
        return np.ascontiguousarray(channels[0])
    if not np.isfinite(channels).all():
        raise AudioError(NOT_FINITE)
    mean = channels.mean(axis=0)
    if np.array_equal(channels[0], mean):
        return mean
    onsets = np.stack([_band_onsets(signal, sr) for signal in (mean, *channels)])
    separate = onsets[1:].mean(axis=0)
    lost = (onsets[0] < CANCELLED_SHARE * separate) & (separate > NOTICED_SHARE * separate.sum())
    if not lost.any():
        return mean
    return np.ascontiguousarray(channels[int(onsets[1:].sum(axis=1).argmax())])


def _band_onsets(signal: np.ndarray, sr: int) -> np.ndarray:
    """(n_bands,) strength of the onsets of a signal (n_samples,), by octaves."""
    size = max(2, round(0.1 * sr) // 2 * 2)
    n_frames = signal.size // size
    if n_frames < 2:
        return np.zeros(1)
    spectrum = np.abs(np.fft.rfft(signal[: n_frames * size].reshape(n_frames, size), axis=1))
    edges = [0, *(2 ** np.arange(3, int(np.log2(size)))).tolist()]
    bands = np.sqrt(np.add.reduceat(np.square(spectrum), edges, axis=1))
    # Squares, so that a few loud onsets outweigh the small fluctuations of noise.
    return np.asarray(np.square(np.maximum(0, np.diff(bands, axis=0))).sum(axis=0) ** 0.5)


def _front(frame: av.AudioFrame) -> av.AudioFrame:
    """The first two channels of a frame that has more."""
    samples: Any = frame.to_ndarray()
    if frame.format.is_planar:
        pairs = np.ascontiguousarray(samples[:2])
    else:  # the samples of all channels are interleaved
        pairs = samples.reshape(-1, frame.layout.nb_channels)[:, :2].reshape(1, -1)
    front = av.AudioFrame.from_ndarray(pairs, frame.format.name, "stereo")
    front.sample_rate = frame.sample_rate
    return front
