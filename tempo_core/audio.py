"""The only place that decodes audio: any file to mono float32 at one sample rate, whole or in part.

PyAV carries its own codecs (mp3, flac, vorbis, opus, aac/alac in m4a, wav, aiff, wma, ape, …), so
nothing has to be installed beside it, and it seeks, downmixes and resamples in C.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, Protocol

import av
import numpy as np

from .background import check_wanted
from .errors import AudioError, reason
from .opening import Music, open_container

# libav prints its complaints about damaged files straight to stderr, and its log callback takes
# the GIL from decoding threads. What is wrong with a file is said once, by our own AudioError.
av.logging.set_level(None)

MIN_DURATION = 1.0  # [s] below this there is no tempo to speak of
MAX_DURATION = (
    3600.0  # [s] of a file that is read whole: a whole-day stream must not fill the memory
)
SILENT_PEAK = 1e-4  # peak amplitude (-80 dB full scale) below which audio counts as silent
# Below this share of its peak (-50 dB) an excerpt holds silence, if that is at its ends.
QUIET_SHARE = 10 ** (-50 / 20)
LOUDNESS_BLOCK = 0.05  # [s] of audio for which one loudness is measured
LONGEST_PAUSE = 1.0  # [s] of silence within one run; a longer one separates two runs
# A decoder needs some packets before the wanted position until its output is right (the bit
# reservoir of mp3, the overlap of transform codecs).
PREROLL = 0.25  # [s]
LOOKAHEAD = 0.05  # [s] decoded beyond the end, more than the resampler's filter is long
RESAMPLED_AT_ONCE = 0.4  # [s] of audio per call of the resampler
MOST_MIXED_CHANNELS = 8  # of files with more, whose order is not defined, the first two are heard
HIGHEST_RATE = 10_000_000  # [Hz]
LOUDEST_PEAK = 16.0  # peak amplitude that is believed; what is louder is scaled down
# Onsets of a band cancel in the mean of two channels if less than this share of them is left.
CANCELLED_SHARE = 0.3
NOTICED_SHARE = 0.1  # of all onsets that a band must have for a cancellation to matter
NOT_FINITE = "contains samples that are not finite numbers (NaN or Inf)"

Run = tuple[float, float]  # (begin, end) [s] of a stretch of a recording


@dataclass(frozen=True)
class Excerpt:
    """A contiguous piece of a recording.

    `audio` is (n_samples,) float32 mono; `start` is where it begins in the recording [s].
    """

    audio: np.ndarray
    start: float


def read_excerpts(
    path: str | bytes | os.PathLike[str], sr: int, spans: Sequence[tuple[float, float]] | None
) -> list[Excerpt]:
    """Decode parts of a file, or all of it, to mono at `sr`.

    Parameters
    ----------
    path
        Any audio file; the container and codec are recognised by content, not by extension.
    sr
        Sample rate of the result [Hz].
    spans
        (start, duration) of each part [s], in ascending order; None means the whole file.

    Returns
    -------
    One `Excerpt` per span that lies within the file, shorter than asked where the file ends.

    Raises
    ------
    AudioError
        If the file cannot be opened or decoded, or a sample is not a finite number.
    """
    with AudioFile(path) as file:
        return file.read_all(sr) if spans is None else file.read(sr, spans)


class AudioSource(Protocol):
    """Audio that is listened to: a file, or what is in memory. See `AudioFile`."""

    @property
    def duration(self) -> float | None: ...
    def read(self, sr: int, spans: Sequence[tuple[float, float]]) -> list[Excerpt]: ...
    def stream(self, sr: int, duration: float) -> Iterator[Excerpt]: ...
    def goes_on(self, time: float) -> bool: ...
    def packet_runs(self) -> list[Run]: ...
    def sounding_runs(self) -> list[Run]: ...


class AudioFile:
    """An open audio file that excerpts can be read from, in any order.

    Use it as a context manager. All failures are `AudioError`.
    """

    def __init__(self, path: str | bytes | os.PathLike[str]):
        self._opened = ExitStack()
        with self._opened:
            self._file = self._opened.enter_context(Music(path))
            self._container = self._opened.enter_context(open_container(self._file))
            self._opened = self._opened.pop_all()
        streams = self._container.streams.audio
        if not streams:
            self._opened.close()
            raise AudioError("there is no audio stream in this file")
        self._stream = streams[0]
        # One thread a file: the parallelism is over tracks.
        self._stream.codec_context.thread_type = "NONE"

    def __enter__(self) -> AudioFile:
        return self

    def __exit__(self, *exc: object) -> None:
        self._opened.close()

    @property
    def duration(self) -> float | None:
        """Length in seconds as the container states it; None if it does not."""
        stream = self._stream
        if stream.duration is not None and stream.time_base:
            seconds = float(stream.duration * stream.time_base)
        elif self._container.duration is not None:
            seconds = self._container.duration / av.time_base
        else:
            return None
        return seconds if math.isfinite(seconds) and seconds > 0 else None

    def read_all(self, sr: int) -> list[Excerpt]:
        """The whole file as one excerpt (at most `MAX_DURATION` of it)."""
        return self.read(sr, [(0.0, MAX_DURATION)])

    def read(self, sr: int, spans: Sequence[tuple[float, float]]) -> list[Excerpt]:
        """Excerpts at `spans`, see `read_excerpts`."""
        excerpts = (self._read_span(sr, start, duration) for start, duration in spans)
        return [_finite(excerpt) for excerpt in excerpts if excerpt.audio.size]

    def stream(self, sr: int, duration: float) -> Iterator[Excerpt]:
        """All of the file in one pass, in excerpts of `duration` [s], the last one shorter.

        They follow each other without a gap. An excerpt ends early where the time stamps jump by
        more than `LONGEST_PAUSE`.
        """
        resampler: _Resampler | None = None
        size = round(duration * sr)
        begin = end = 0.0  # [s] of what is in the resampler
        for time, frame in self._frames_from(0.0):
            if resampler is not None and abs(time - end) > LONGEST_PAUSE:
                yield from _in_pieces(resampler.end(), begin, size, sr)
                resampler = None
            if resampler is None:
                resampler, begin = _Resampler(sr), time
                end = time
            resampler.push(frame)
            end += frame.samples / frame.sample_rate
            if begin < 0 and resampler.n_ready >= -begin * sr:  # what an encoder put before it
                resampler.take(round(-begin * sr))
                begin = 0.0
            while resampler.n_ready >= size:
                yield _finite(Excerpt(resampler.take(size), begin))
                begin += size / sr
        if resampler is not None:
            yield from _in_pieces(resampler.end(), begin, size, sr)

    def goes_on(self, time: float) -> bool:
        """Whether there is audio at `time` [s] or later."""
        return next(self._frames_from(time), None) is not None

    def packet_runs(self) -> list[Run]:
        """Where there are packets of audio, in order; nothing is decoded.

        Takes one pass over the file. Times that go backwards, as in joined files, are left out.
        """
        runs: list[Run] = []
        for time, packet in self._packets_from(0.0):
            length = float((packet.duration or 0) * (packet.time_base or 0))
            _extend(runs, time, time + length)
        return runs

    def sounding_runs(self) -> list[Run]:
        """Where something sounds, in order; all of the file is decoded, little is kept of it.

        A frame sounds if it reaches both `SILENT_PEAK` and `QUIET_SHARE` of the loudest frame. A
        constant offset is no sound. Runs shorter than `MIN_DURATION` are left out.
        """
        levels = [
            (time, time + frame.samples / frame.sample_rate, _swing(frame))
            for time, frame in self._frames_from(0.0)
        ]
        loudest = max((level for _, _, level in levels), default=0.0)
        runs: list[Run] = []
        for begin, end, level in levels:
            if level >= max(SILENT_PEAK, QUIET_SHARE * loudest):
                _extend(runs, begin, end)
        return [(begin, end) for begin, end in runs if end - begin >= MIN_DURATION]

    def _read_span(self, sr: int, start: float, duration: float) -> Excerpt:
        # Resampling is a filter with a memory: a fresh one for each contiguous run of frames.
        resampler = _Resampler(sr)
        begin = None  # [s] position of the first decoded sample that is kept
        n_seconds = 0.0  # decoded so far
        for time, frame in self._frames_from(max(0.0, start - PREROLL)):
            if time >= start + duration + LOOKAHEAD:
                break
            if begin is None:
                begin = time
            resampler.push(frame)
            n_seconds += frame.samples / frame.sample_rate
            if n_seconds >= start + duration - begin + LOOKAHEAD:
                break
        if begin is None:
            return Excerpt(np.zeros(0, np.float32), start)
        first = max(0, round((start - begin) * sr))
        last = round((start + duration - begin) * sr)
        return Excerpt(mix(resampler.end()[:, first:last], sr), max(start, begin))

    def _frames_from(self, start: float) -> Iterator[tuple[float, av.AudioFrame]]:
        """Decoded frames with their time [s], beginning with the one that holds `start`."""
        time_base, origin = self._clock
        time = 0.0
        n_bad = n_frames = 0
        try:
            for _, packet in self._packets_from(start):
                try:
                    frames: list[Any] = packet.decode()
                except av.error.FFmpegError:
                    # One damaged packet in a file that is otherwise fine is nothing to give up for;
                    # decoders have several names for it, "operation not permitted" among them.
                    n_bad += 1
                    if n_bad > 100 and n_frames == 0:
                        raise
                    continue
                for frame in frames:
                    n_frames += 1
                    if frame.pts is not None:
                        time = frame.pts * time_base - origin
                    length = frame.samples / frame.sample_rate
                    if time + length > start:
                        yield time, frame
                    time += length
        except (OSError, ValueError, av.error.FFmpegError) as error:
            raise AudioError(f"cannot be decoded ({reason(error)})") from error

    def _packets_from(self, start: float) -> Iterator[tuple[float, av.Packet]]:
        """Packets of the stream with their time [s], from `start` or some way before it on.

        The last one is empty: it makes a decoder give what it has held back.
        """
        time_base, origin = self._clock
        time = 0.0
        has_come = False
        try:
            if start > 0 or self._started:
                target = int((origin + start) / time_base)
                try:
                    self._container.seek(target, stream=self._stream, backward=True)
                except av.error.FFmpegError:
                    # Not every demuxer can seek (raw streams): read up to the position instead.
                    self._container.seek(0)
            self._started = True
            packets = self._container.demux(self._stream)
            while True:
                try:
                    packet = next(packets)
                except StopIteration:
                    self._file.check()
                    break
                except av.error.InvalidDataError:
                    continue
                except av.error.FFmpegError:
                    # What follows is of another kind, as in joined Ogg files of one and of two
                    # channels: what can be read ends here, unless it has never begun.
                    self._file.check()
                    if not has_come and start <= 0:
                        raise
                    break
                has_come = True
                check_wanted()
                self._file.packet_came()
                if packet.pts is not None:
                    time = packet.pts * time_base - origin
                yield time, packet
                time += (packet.duration or 0) * time_base
        except (OSError, ValueError, av.error.FFmpegError) as error:
            raise AudioError(f"cannot be decoded ({reason(error)})") from error

    @property
    def _clock(self) -> tuple[float, float]:
        """Length of a tick of the time stamps, and the time stamp of the beginning, both [s]."""
        time_base = float(self._stream.time_base or 1 / 1e6)
        return time_base, (self._stream.start_time or 0) * time_base

    _started = False


class Recorded:
    """Audio in memory that can be listened to like a file.

    Parameters
    ----------
    audio
        (n_samples,) or (n_channels, n_samples), of full scale 1.
    sr
        Sample rate [Hz].

    Raises
    ------
    AudioError
        If it is of another shape, or a sample is not a finite number.
    """

    def __init__(self, audio: np.ndarray, sr: int):
        try:
            with np.errstate(over="ignore"):  # what is too large is infinite, and refused
                channels = np.atleast_2d(np.asarray(audio).astype(np.float32, casting="same_kind"))
        except (TypeError, ValueError) as error:
            raise AudioError(f"this is no audio ({error})") from error
        if (
            channels.ndim != 2
            or not 0 < len(channels) <= MOST_MIXED_CHANNELS
            or not 1 <= sr <= HIGHEST_RATE
        ):
            raise AudioError(
                f"audio of the shape {np.shape(audio)} at {sr} Hz; give (n_samples,) or "
                f"(n_channels, n_samples) with at most {MOST_MIXED_CHANNELS} channels, and the "
                "rate in Hz"
            )
        if not np.isfinite(channels).all():
            raise AudioError(NOT_FINITE)
        self._channels, self._sr = np.ascontiguousarray(channels), int(sr)
        self._resampled: dict[int, np.ndarray] = {}  # mono, by sample rate

    @property
    def duration(self) -> float | None:
        """Length [s]."""
        return self._channels.shape[1] / self._sr or None

    def read(self, sr: int, spans: Sequence[tuple[float, float]]) -> list[Excerpt]:
        """See `AudioFile.read`."""
        whole = self._at(sr)
        found = []
        for start, duration in spans:
            audio = whole[max(0, round(start * sr)) : round((start + duration) * sr)]
            if audio.size:
                found.append(Excerpt(audio, start))
        return found

    def stream(self, sr: int, duration: float) -> Iterator[Excerpt]:
        """See `AudioFile.stream`."""
        size = round(duration * sr)
        whole = self._at(sr)
        for first in range(0, whole.size, size):
            yield Excerpt(whole[first : first + size], first / sr)

    def goes_on(self, time: float) -> bool:
        """See `AudioFile.goes_on`."""
        return time < (self.duration or 0.0)

    def packet_runs(self) -> list[Run]:
        """All of it."""
        return [(0.0, self.duration or 0.0)]

    def sounding_runs(self) -> list[Run]:
        """See `AudioFile.sounding_runs`."""
        size = max(1, round(LOUDNESS_BLOCK * self._sr))
        swings = np.max([block_swings(channel, size) for channel in self._channels], axis=0)
        loudest = float(swings.max(initial=0.0))
        runs: list[Run] = []
        for k in np.flatnonzero(swings >= max(SILENT_PEAK, QUIET_SHARE * loudest)).tolist():
            _extend(runs, k * size / self._sr, (k + 1) * size / self._sr)
        return [(begin, end) for begin, end in runs if end - begin >= MIN_DURATION]

    def _at(self, sr: int) -> np.ndarray:
        if sr not in self._resampled:
            layout = "mono" if len(self._channels) == 1 else f"{len(self._channels)}c"
            if len(self._channels) == 2:
                layout = "stereo"
            resampler = _Resampler(sr)
            step = 1 << 20  # samples of a frame: libav counts its bytes in 32 bits
            for first in range(0, self._channels.shape[1], step):
                # The channels take turns: of eight planes PyAV cannot make a frame.
                piece = self._channels[:, first : first + step].T.reshape(1, -1)
                frame = av.AudioFrame.from_ndarray(piece, "flt", layout)
                frame.sample_rate = self._sr
                resampler.push(frame)
            self._resampled[sr] = _finite(Excerpt(mix(resampler.end(), sr), 0.0)).audio
        return self._resampled[sr]


def _finite(excerpt: Excerpt) -> Excerpt:
    """The excerpt, at a level that can be reckoned with; only floats can be louder than 1."""
    peak = float(np.abs(excerpt.audio).max(initial=0.0))
    if not math.isfinite(peak):
        raise AudioError(NOT_FINITE)
    return Excerpt(excerpt.audio / peak, excerpt.start) if peak > LOUDEST_PEAK else excerpt


def _in_pieces(channels: np.ndarray, begin: float, size: int, sr: int) -> Iterator[Excerpt]:
    """Excerpts of `size` samples, the last one shorter, of audio (n_channels, n_samples)."""
    for first in range(0, channels.shape[1], size):
        piece = mix(channels[:, first : first + size], sr)
        yield _finite(Excerpt(piece, begin + first / sr))


def _extend(runs: list[Run], begin: float, end: float) -> None:
    """Add what lies from `begin` to `end` [s] to runs; a pause in between makes a new one."""
    if not runs:
        runs.append((begin, end))
        return
    first, last = runs[-1]
    if begin - last > LONGEST_PAUSE:
        runs.append((begin, end))
    elif end > last:
        runs[-1] = (first, end)


def _swing(frame: av.AudioFrame) -> float:
    """Half the distance from the lowest to the highest sample of any channel, 1 is full scale."""
    samples = frame.to_ndarray()
    if samples.shape[0] == 1:  # packed: the channels take turns
        samples = samples.reshape(-1, frame.layout.nb_channels).T
    swing = float((samples.max(axis=1).astype(float) - samples.min(axis=1)).max()) / 2
    kind = samples.dtype
    return swing / 2.0 ** (8 * kind.itemsize - 1) if kind.kind in "iu" else swing


def mix(channels: np.ndarray, sr: int) -> np.ndarray:
    """Channels (1 or 2, n_samples) to mono (n_samples,): their mean, unless music is lost in it.

    What stands in two channels in opposite phase cancels in the mean. Where that happens to the
    onsets of some band, the channel with more onsets is taken instead.

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
    """(n_bands,) how much of a signal (n_samples,) sets in, by octaves."""
    size = max(2, round(0.1 * sr) // 2 * 2)
    n_frames = signal.size // size
    if n_frames < 2:
        return np.zeros(1)
    spectrum = np.abs(np.fft.rfft(signal[: n_frames * size].reshape(n_frames, size), axis=1))
    edges = [0, *(2 ** np.arange(3, int(np.log2(size)))).tolist()]
    bands = np.sqrt(np.add.reduceat(np.square(spectrum), edges, axis=1))
    # Squares, so that a few loud onsets count, and not the flicker of noise.
    return np.asarray(np.square(np.maximum(0, np.diff(bands, axis=0))).sum(axis=0) ** 0.5)


class _Resampler:
    """Frames that follow each other, of any format, to one or two channels at one rate.

    Frames are collected up to `RESAMPLED_AT_ONCE`, because for most codecs a call of the filter
    costs more than its work on one frame. Where the format changes, as in joined files, a new
    filter starts.
    """

    def __init__(self, sr: int):
        self._sr = sr
        self._layout: str | None = None  # of what comes out: one channel, or two
        self._format: tuple[str, str, int] | None = None
        self._filter: av.AudioResampler | None = None
        self._waiting = av.AudioFifo()
        self._chunks: list[np.ndarray] = []
        self.n_ready = 0  # samples that can be taken

    def push(self, frame: av.AudioFrame) -> None:
        """Take a frame; resample if that makes a batch."""
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
        frame.pts = None  # samples are counted; the time stamps of files may jitter
        self._waiting.write(frame)
        if self._waiting.samples >= RESAMPLED_AT_ONCE * frame.sample_rate:
            self._filter_frame(self._waiting.read())

    def end(self) -> np.ndarray:
        """(1 or 2, n_samples) everything that was pushed and not taken."""
        self._drain()
        if not self._chunks:
            return np.zeros((1, 0), np.float32)
        return np.concatenate(self._chunks, axis=1)

    def take(self, n_samples: int) -> np.ndarray:
        """(n_samples,) the first of what is ready, as mono."""
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


def _front(frame: av.AudioFrame) -> av.AudioFrame:
    """The first two channels of a frame of more."""
    samples: Any = frame.to_ndarray()
    if frame.format.is_planar:
        pairs = np.ascontiguousarray(samples[:2])
    else:  # the channels take turns
        pairs = samples.reshape(-1, frame.layout.nb_channels)[:, :2].reshape(1, -1)
    front = av.AudioFrame.from_ndarray(pairs, frame.format.name, "stereo")
    front.sample_rate = frame.sample_rate
    return front


def sounding(excerpts: Sequence[Excerpt], sr: int) -> list[Excerpt]:
    """What sounds of excerpts: without the silence at their ends and without silent ones.

    Music that sets in is an onset louder than any of its beats. Excerpts of which less than
    `MIN_DURATION` is left are dropped.
    """
    found = []
    size = round(LOUDNESS_BLOCK * sr)
    for excerpt in excerpts:
        n_blocks = excerpt.audio.size // size
        if n_blocks == 0:
            continue
        swings = block_swings(excerpt.audio, size)
        loud = np.flatnonzero(swings >= max(SILENT_PEAK, QUIET_SHARE * swings.max()))
        if loud.size == 0 or (loud[-1] + 1 - loud[0]) * size < MIN_DURATION * sr:
            continue
        first = int(loud[0]) * size
        last = (loud[-1] + 1) * size if loud[-1] + 1 < n_blocks else excerpt.audio.size
        found.append(Excerpt(excerpt.audio[first:last], excerpt.start + first / sr))
    return found


def block_swings(audio: np.ndarray, size: int) -> np.ndarray:
    """(n_blocks,) half the distance from lowest to highest sample of each block of `size` samples.

    That is the peak amplitude without a constant offset.
    """
    blocks = audio[: audio.size // size * size].reshape(-1, size)
    return np.asarray((blocks.max(axis=1) - blocks.min(axis=1)) / 2)


def check(excerpts: Sequence[Excerpt], sr: int) -> None:
    """Refuse what holds no music.

    Raises
    ------
    AudioError
        If all excerpts together are shorter than `MIN_DURATION` or none rises above `SILENT_PEAK`.
    """
    duration = sum(excerpt.audio.size for excerpt in excerpts) / sr
    if duration == 0:
        raise AudioError("no audio could be decoded")
    if duration < MIN_DURATION:
        raise AudioError(f"too short ({duration:.2f} s; at least {MIN_DURATION:g} s are needed)")
    if max(float(np.ptp(excerpt.audio)) for excerpt in excerpts) / 2 < SILENT_PEAK:
        raise AudioError("silent (no sample above -80 dB)")
